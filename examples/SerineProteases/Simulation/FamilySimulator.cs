using System.Globalization;
using Vae.MLNet;

namespace SerineProteases.Simulation;

/// <summary>What family to simulate.</summary>
public sealed record SimulationOptions
{
    /// <summary>Number of sequences.</summary>
    public int Sequences { get; init; } = 1500;

    /// <summary>Number of positions; at least 24.</summary>
    public int Length { get; init; } = 100;

    /// <summary>Number of subfamilies.</summary>
    public int Subfamilies { get; init; } = 4;

    /// <summary>Positions in each subfamily at which it favours a letter of its own.</summary>
    public int SpecificityPositions { get; init; } = 8;

    /// <summary>Mean number of contacts of a position.</summary>
    public double ContactsPerSite { get; init; } = 2;

    /// <summary>Standard deviation of couplings, in units of temperature.</summary>
    public double CouplingStrength { get; init; } = 1.2;

    /// <summary>Mean length of a branch of the tree, in mutations proposed a position.</summary>
    public double BranchLength { get; init; } = 0.8;

    /// <summary>Probability that a branch of the tree deletes a piece of one to four positions.</summary>
    public double DeletionRate { get; init; } = 0.02;

    /// <summary>Share of sequences that are fragments, with one end missing.</summary>
    public double FragmentShare { get; init; } = 0.02;

    /// <summary>Seed; the same seed gives the same family.</summary>
    public int Seed { get; init; } = 1;
}

/// <summary>A simulated family.</summary>
/// <param name="Sequences">Aligned sequences with their names and subfamilies; the first one, the reference, has no gaps.</param>
/// <param name="Model">What selection acted by; the subfamilies' own preferences come on top.</param>
/// <param name="ReferenceModel">What selection the reference evolved under: the model with its subfamily's preferences. Its energies are the true effects of substitutions.</param>
/// <param name="Triad">Positions of the catalytic letters H, D, S in the reference, counted from 1.</param>
public sealed record SimulatedFamily(IReadOnlyList<SimulatedSequence> Sequences, PottsModel Model, PottsModel ReferenceModel, IReadOnlyList<(int Position, char Letter)> Triad)
{
    /// <summary>Names of the annotation fields in headers.</summary>
    public static IReadOnlyList<string> AnnotationNames { get; } = ["Subfamily", "Clade"];

    /// <summary>
    /// What a deep mutational scan of the reference would measure: every single substitution, as <c>R75H</c>, with its fitness, minus the change of energy.
    /// </summary>
    public IEnumerable<(string Variant, double Fitness)> SubstitutionEffects()
    {
        string reference = Sequences[0].Text;
        byte[] tokens = [.. reference.Select(letter => (byte)FamilySimulator.Alphabet.IndexOf(letter, StringComparison.Ordinal))];
        for (int position = 0; position < tokens.Length; position++)
        {
            for (int letter = 0; letter < PottsModel.Letters; letter++)
            {
                if (letter != tokens[position])
                {
                    yield return (string.Create(CultureInfo.InvariantCulture, $"{reference[position]}{position + 1}{FamilySimulator.Alphabet[letter]}"),
                        -ReferenceModel.SubstitutionEnergy(tokens, position, letter));
                }
            }
        }
    }

    /// <summary>Writes the family as FASTA with headers <c>name|subfamily|clade|</c>; load it with AnnotationStart and AnnotationSeparator <c>|</c>.</summary>
    public void Save(string path) =>
        FastaFile.Write(path, Sequences.Select(s => ($"{s.Name}|{s.Subfamily}|{s.Clade}|", s.Text)));
}

/// <summary>A simulated sequence.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Subfamily">Its subfamily.</param>
/// <param name="Clade">The part of the subfamily's tree it comes from.</param>
/// <param name="Text">The aligned sequence.</param>
public sealed record SimulatedSequence(string Name, string Subfamily, string Clade, string Text);

/// <summary>
/// Evolves a protein family along a random tree under a Potts model: an ancestor in equilibrium splits into subfamilies, each with
/// preferences of its own at a few positions, and these into clades and sequences. What relatives share comes from descent, what coupled positions
/// share from selection; a catalytic triad is under strong selection everywhere.
/// </summary>
public static class FamilySimulator
{
    internal const string Alphabet = "ACDEFGHIKLMNPQRSTVWY";

    private static readonly string[] SubfamilyNames = ["trypsin-like", "chymotrypsin-like", "elastase-like", "granzyme-like", "kallikrein-like", "tryptase-like"];

    /// <summary>Simulates a family.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public static SimulatedFamily Simulate(SimulationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Length, 24);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Subfamilies, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Sequences, 2 * options.Subfamilies);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.BranchLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.SpecificityPositions, options.Length / 2);
        var random = new Random(options.Seed);
        int length = options.Length;
        var triad = new SortedDictionary<int, int>
        {
            [length / 4] = Alphabet.IndexOf('H'),
            [length * 45 / 100] = Alphabet.IndexOf('D'),
            [length * 8 / 10] = Alphabet.IndexOf('S'),
        };
        var model = PottsModel.CreateRandom(length, options.ContactsPerSite, options.CouplingStrength, triad, random);

        var ancestor = new byte[length];
        for (int i = 0; i < length; i++)
            ancestor[i] = (byte)(triad.TryGetValue(i, out int letter) ? letter : random.Next(PottsModel.Letters));
        model.Evolve(ancestor, 400 * length, random);

        int[] free = [.. Enumerable.Range(0, length).Where(i => !triad.ContainsKey(i))];
        var models = new Dictionary<string, PottsModel> { ["ancestor"] = model };
        var leaves = new List<(byte[] Sequence, string Subfamily, string Clade)>();
        for (int s = 0; s < options.Subfamilies; s++)
        {
            string name = s < SubfamilyNames.Length ? SubfamilyNames[s] : string.Create(CultureInfo.InvariantCulture, $"subfamily {s + 1}");
            random.Shuffle(free);
            var own = model.Favour(free.Take(options.SpecificityPositions).Select(i => (i, random.Next(PottsModel.Letters))).ToArray(), 4);
            models.Add(name, own);
            byte[] founder = [.. ancestor];
            own.Evolve(founder, 60 * length, random);
            int count = options.Sequences * (s + 1) / options.Subfamilies - options.Sequences * s / options.Subfamilies;
            Grow(own, founder, count, depth: 0, clade: "1");

            void Grow(PottsModel selection, byte[] parent, int descendants, int depth, string clade)
            {
                byte[] sequence = [.. parent];
                double branch = -Math.Log(1 - random.NextDouble()) * options.BranchLength;
                selection.Evolve(sequence, (int)Math.Ceiling(branch * length), random);
                if (random.NextDouble() < options.DeletionRate)
                    Delete(sequence);
                if (descendants == 1)
                {
                    leaves.Add((sequence, name, clade));
                    return;
                }
                int left = 1 + random.Next(descendants - 1);
                Grow(selection, sequence, left, depth + 1, depth < 2 ? clade + "1" : clade);
                Grow(selection, sequence, descendants - left, depth + 1, depth < 2 ? clade + "2" : clade);
            }
        }
        foreach (var (sequence, _, _) in leaves)
        {
            if (random.NextDouble() >= options.FragmentShare)
                continue;
            int missing = random.Next(length / 10, length / 4);
            sequence.AsSpan(random.Next(2) == 0 ? 0 : length - missing, missing).Fill(PottsModel.Gap);
            foreach (var (position, letter) in triad)
                sequence[position] = (byte)letter;
        }

        // The reference comes first: a sequence without gaps, whose positions are the columns.
        int reference = leaves.FindIndex(leaf => !leaf.Sequence.Contains((byte)PottsModel.Gap));
        if (reference < 0)
            leaves.Insert(0, (ancestor, "ancestor", "0"));
        else
            (leaves[0], leaves[reference]) = (leaves[reference], leaves[0]);
        return new SimulatedFamily(
            [.. leaves.Select((leaf, n) => new SimulatedSequence(string.Create(CultureInfo.InvariantCulture, $"sim{n + 1:D5}"), leaf.Subfamily, leaf.Clade, Text(leaf.Sequence)))],
            model, models[leaves[0].Subfamily], [.. triad.Select(pair => (pair.Key + 1, Alphabet[pair.Value]))]);

        void Delete(byte[] sequence)
        {
            int size = random.Next(1, 5), start = random.Next(length - size);
            for (int i = start; i < start + size; i++)
            {
                if (!triad.ContainsKey(i))
                    sequence[i] = PottsModel.Gap;
            }
        }
    }

    /// <summary>The text of a sequence of letters and gaps.</summary>
    public static string Text(ReadOnlySpan<byte> sequence)
    {
        var text = new char[sequence.Length];
        for (int i = 0; i < text.Length; i++)
            text[i] = sequence[i] == PottsModel.Gap ? '-' : Alphabet[sequence[i]];
        return new string(text);
    }
}
