using System.Diagnostics;
using System.Text;
using Microsoft.ML;
using Vae.MLNet.Inference;
using static TorchSharp.torch;

namespace Vae.MLNet.Benchmarks;

/// <summary>Loading an alignment, and sequence weights.</summary>
internal static class SequenceBenchmark
{
    private const int Rows = 100_000, Weighed = 10_000, Length = 300;

    public static void Run(string[] args)
    {
        var context = new MLContext(seed: 1);
        if (args is ["training"])
        {
            Train(context);
            return;
        }
        string path = Path.Combine(Path.GetTempPath(), $"vae-mlnet-benchmark-{Environment.ProcessId}.fasta");
        try
        {
            var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, new string('A', Length));
            var tokens = Family(Rows);
            SequenceAlignment.FromTokens(layout, tokens).SaveFasta(path);
            Paired.Run($"Loading {Rows} sequences of {Length} from FASTA", "sequence", Rows, rounds: 5,
                new("lines as strings, letters by dictionary", () => Paired.Seconds(() => PlainLoad(path))),
                new("LoadAlignment", () => Paired.Seconds(() => context.Vae.LoadAlignment(path))));

            var family = SequenceAlignment.FromTokens(layout, tokens.AsSpan(0, Weighed * Length));
            // The same number, apart from pairs within rounding of the threshold.
            double product = OneHotProduct(family), ours = context.Vae.SequenceWeights(family).EffectiveCount;
            if (Math.Abs(product - ours) > 0.01 * ours)
                throw new InvalidOperationException($"The product gives {product}, the library {ours}.");
            Paired.Run($"Weights of {Weighed} sequences of {Length}", "sequence", Weighed, rounds: 3,
                new("one-hot matrix product, as in NumPy, with libtorch's GEMM", () => Paired.Seconds(() => OneHotProduct(family))),
                new("SequenceWeights, one thread", () => Paired.Seconds(() => context.Vae.SequenceWeights(family, options: new() { Threads = 1 }))),
                new("SequenceWeights", () => Paired.Seconds(() => context.Vae.SequenceWeights(family))));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>One member with the default options on a large alignment: the split by neighbourhoods, the steps, and a scan of all substitutions.</summary>
    private static void Train(MLContext context)
    {
        var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, new string('A', Length));
        var family = SequenceAlignment.FromTokens(layout, Family(Rows));
        // About what the weights are, without the minute that they take.
        family = family.WithWeights([.. Enumerable.Repeat(0.02f, Rows)]);
        var watch = Stopwatch.StartNew();
        var (_, held) = family.Split(0.04, seed: 1, identity: 0.8);
        Console.WriteLine(Check.Invariant($"{held.Count} of {Rows} sequences held out by neighbourhoods in {watch.Elapsed.TotalSeconds:F1} s"));
        watch.Restart();
        using var fitted = context.Vae.SequenceAutoencoder(options: new() { EnsembleMembers = 1 }).Fit(family);
        Console.WriteLine(Check.Invariant($"One member: {watch.Elapsed.TotalSeconds:F1} s, best epoch {fitted.Histories[0].BestEpoch} of {fitted.Histories[0].Epochs.Count}, {fitted.Histories[0].ValidationRows} held out"));
        watch.Restart();
        int count = context.Vae.ScoreAllSubstitutions(fitted.Model).Count;
        Console.WriteLine(Check.Invariant($"{count} substitutions, 100 draws: {watch.Elapsed.TotalSeconds:F1} s"));
    }

    /// <summary>Mutated copies of a thousand founders: some pairs are near the threshold, which is the slow case.</summary>
    private static byte[] Family(int rows)
    {
        var random = new Random(1);
        var tokens = new byte[rows * Length];
        for (int n = 0; n < rows; n++)
        {
            var row = tokens.AsSpan(n * Length, Length);
            if (n >= 1000)
                tokens.AsSpan(n % 1000 * Length, Length).CopyTo(row);
            for (int i = 0; i < Length; i++)
            {
                if (n < 1000 || random.NextDouble() < 0.15)
                    row[i] = (byte)random.Next(21);
            }
        }
        return tokens;
    }

    private static void PlainLoad(string path)
    {
        var index = "ACDEFGHIKLMNPQRSTVWY-".Select((letter, i) => (letter, i)).ToDictionary(pair => pair.letter, pair => pair.i);
        var sequences = new List<(string Name, int[] Tokens)>();
        string? name = null;
        var text = new StringBuilder();
        foreach (string line in File.ReadLines(path).Append(">"))
        {
            if (!line.StartsWith('>'))
            {
                text.Append(line);
                continue;
            }
            if (name is not null)
                sequences.Add((name, [.. text.ToString().Select(letter => index[letter])]));
            text.Clear();
            name = line[1..];
        }
        if (sequences.Count != Rows)
            throw new InvalidOperationException("Sequences are missing.");
    }

    private static double OneHotProduct(SequenceAlignment family)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        var tokens = tensor(family.Tokens.ToArray(), [Weighed, Length], dtype: ScalarType.Int64);
        var oneHot = TorchSharp.torch.nn.functional.one_hot(tokens, 21).narrow(2, 0, 20).reshape(Weighed, Length * 20).to(ScalarType.Float32);
        var lengths = oneHot.sum(1, keepdim: true);
        double effective = 0;
        for (int start = 0; start < Weighed; start += 1000)
        {
            using var blockScope = NewDisposeScope();
            var identity = oneHot.narrow(0, start, 1000).matmul(oneHot.t()) / lengths.narrow(0, start, 1000);
            effective += (1.0 / (identity >= 0.8).sum(1)).sum().to(ScalarType.Float64).item<double>();
        }
        return effective;
    }
}
