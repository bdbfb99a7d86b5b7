namespace SerineProteases.Simulation;

/// <summary>
/// A Potts model over the 20 amino acids: energy E(s) = - sum_i h_i(s_i) - sum over contacts J_ij(s_i, s_j); sequences of low energy are fit. It
/// is the simplest model in which positions depend on one another, and what direct-coupling analysis fits to real families.
/// </summary>
public sealed class PottsModel
{
    /// <summary>Number of letters.</summary>
    public const int Letters = 20;

    /// <summary>A deleted position: it has no field and no couplings.</summary>
    public const int Gap = Letters;

    private readonly double[] _fields;
    private readonly (int Other, double[] Coupling)[][] _neighbours;

    private PottsModel(double[] fields, (int, double[])[][] neighbours, IReadOnlyList<(int, int)> contacts)
    {
        _fields = fields;
        _neighbours = neighbours;
        Contacts = contacts;
    }

    /// <summary>Number of positions.</summary>
    public int Length => _neighbours.Length;

    /// <summary>Pairs of positions that are coupled, counted from 0.</summary>
    public IReadOnlyList<(int First, int Second)> Contacts { get; }

    /// <summary>A random model: fields of differing strength (conserved and variable positions) and normal couplings between random contacts.</summary>
    /// <param name="length">Number of positions.</param>
    /// <param name="contactsPerSite">Mean number of contacts of a position.</param>
    /// <param name="couplingStrength">Standard deviation of couplings, in units of temperature.</param>
    /// <param name="fixedLetters">Positions whose letter is all but certain, such as catalytic ones.</param>
    /// <param name="random">Where the numbers come from.</param>
    public static PottsModel CreateRandom(int length, double contactsPerSite, double couplingStrength, IReadOnlyDictionary<int, int> fixedLetters, Random random)
    {
        var fields = new double[length * Letters];
        for (int i = 0; i < length; i++)
        {
            // From nearly free to strongly conserved positions, as in real families.
            double strength = 0.3 + 1.5 * Math.Pow(random.NextDouble(), 2);
            for (int a = 0; a < Letters; a++)
                fields[i * Letters + a] = strength * Normal(random);
            if (fixedLetters.TryGetValue(i, out int letter))
            {
                for (int a = 0; a < Letters; a++)
                    fields[i * Letters + a] = a == letter ? 12 : 0;
            }
        }

        int[] free = [.. Enumerable.Range(0, length).Where(i => !fixedLetters.ContainsKey(i))];
        int wanted = Math.Min((int)Math.Round(contactsPerSite * length / 2), free.Length * (free.Length - 1) / 8);
        var contacts = new SortedSet<(int, int)>();
        while (contacts.Count < wanted)
        {
            int i = free[random.Next(free.Length)], j = free[random.Next(free.Length)];
            if (Math.Abs(i - j) >= 3)
                contacts.Add((Math.Min(i, j), Math.Max(i, j)));
        }
        var neighbours = new List<(int, double[])>[length];
        for (int i = 0; i < length; i++)
            neighbours[i] = [];
        foreach (var (i, j) in contacts)
        {
            var coupling = new double[Letters * Letters];
            var transposed = new double[Letters * Letters];
            for (int a = 0; a < Letters; a++)
            {
                for (int b = 0; b < Letters; b++)
                    transposed[b * Letters + a] = coupling[a * Letters + b] = couplingStrength * Normal(random);
            }
            neighbours[i].Add((j, coupling));
            neighbours[j].Add((i, transposed));
        }
        return new PottsModel(fields, [.. neighbours.Select(list => list.ToArray())], [.. contacts]);
    }

    /// <summary>The same model with some letters favoured further, as in a subfamily with a specificity of its own.</summary>
    public PottsModel Favour(IEnumerable<(int Position, int Letter)> favoured, double strength)
    {
        double[] fields = [.. _fields];
        foreach (var (position, letter) in favoured)
            fields[position * Letters + letter] += strength;
        return new PottsModel(fields, _neighbours, Contacts);
    }

    /// <summary>Energy of a sequence.</summary>
    public double Energy(ReadOnlySpan<byte> sequence)
    {
        double energy = 0;
        for (int i = 0; i < Length; i++)
        {
            if (sequence[i] == Gap)
                continue;
            energy -= _fields[i * Letters + sequence[i]];
            foreach (var (j, coupling) in _neighbours[i])
            {
                if (j > i && sequence[j] != Gap)
                    energy -= coupling[sequence[i] * Letters + sequence[j]];
            }
        }
        return energy;
    }

    /// <summary>Energy of one letter at a position, given the rest.</summary>
    private double LocalEnergy(ReadOnlySpan<byte> sequence, int position, int letter)
    {
        double energy = -_fields[position * Letters + letter];
        foreach (var (j, coupling) in _neighbours[position])
        {
            if (sequence[j] != Gap)
                energy -= coupling[letter * Letters + sequence[j]];
        }
        return energy;
    }

    /// <summary>Energy of a substitution: of the changed sequence minus that of the sequence.</summary>
    public double SubstitutionEnergy(ReadOnlySpan<byte> sequence, int position, int letter) =>
        LocalEnergy(sequence, position, letter) - LocalEnergy(sequence, position, sequence[position]);

    /// <summary>Evolution: single mutations proposed at random positions, accepted by Metropolis' rule. Gaps stay gaps.</summary>
    /// <param name="sequence">The sequence, changed in place.</param>
    /// <param name="proposals">Number of mutations proposed.</param>
    /// <param name="random">Where the numbers come from.</param>
    public void Evolve(Span<byte> sequence, int proposals, Random random)
    {
        for (int n = 0; n < proposals; n++)
        {
            int position = random.Next(Length), letter = random.Next(Letters);
            double uniform = random.NextDouble();
            if (sequence[position] != Gap && uniform < Math.Exp(-SubstitutionEnergy(sequence, position, letter)))
                sequence[position] = (byte)letter;
        }
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
