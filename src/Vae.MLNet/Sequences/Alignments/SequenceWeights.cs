using Vae.MLNet.Inference;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>What the identity of two aligned sequences is.</summary>
public enum IdentityMeasure
{
    /// <summary>
    /// Positions where both have the same letter, as a share of the sequence's own letters: gaps and unknown letters neither match nor count. It is what
    /// DeepSequence and EVE take (the dot product of one-hot rows without gaps over the dot product of the row with itself). Not symmetric:
    /// a fragment can be a neighbour's twin without the reverse.
    /// </summary>
    Residues,

    /// <summary>
    /// Positions where both have the same letter or both a gap, as a share of all columns; unknown letters never match. It is what direct-coupling
    /// analysis takes (Morcos et al., PNAS 108, E1293, 2011), and NumPy's <c>(x == y).mean()</c> over tokens.
    /// </summary>
    Columns,
}

/// <summary>How sequence weights are computed.</summary>
public sealed record SequenceWeightOptions
{
    /// <summary>Sequences from this identity on are neighbours; above 0, at most 1. The default is 0.8, the field's for proteins (theta = 0.2).</summary>
    public double Identity { get; init; } = 0.8;

    /// <summary>What identity is. The default is <see cref="IdentityMeasure.Residues"/>.</summary>
    public IdentityMeasure Measure { get; init; } = IdentityMeasure.Residues;

    /// <summary>Threads; 0, the default, for one a processor. The result does not depend on it.</summary>
    public int Threads { get; init; }

    internal void Validate()
    {
        if (!(Identity > 0 && Identity <= 1))
            throw Check.OutOfRange(nameof(Identity), Identity, "above 0 and at most 1");
        Check.Defined(Measure);
        Check.AtLeast(Threads, 0);
    }
}

/// <summary>
/// Weights against redundancy: w_n = 1 / number of sequences m (n itself included) whose identity with n is at least the threshold; and the
/// effective number of sequences, the sum of the weights.
/// </summary>
/// <remarks>
/// DeepSequence and EVE ask for an identity strictly above the threshold; here, as in direct-coupling analysis, one that equals it is enough. A
/// sequence without a letter has no neighbours and the weight 0, as in EVE. Cost is N² L / 2 byte comparisons, 64 at a time; 10,000 sequences
/// of 300 columns take a fraction of a second.
/// </remarks>
public sealed class SequenceWeights
{
    private readonly float[] _values;
    private readonly int[] _neighbours;

    private SequenceWeights(float[] values, int[] neighbours)
    {
        _values = values;
        _neighbours = neighbours;
        foreach (int count in neighbours)
            EffectiveCount += count == 0 ? 0 : 1.0 / count;
    }

    /// <summary>One weight a sequence.</summary>
    public ReadOnlyMemory<float> Values => _values;

    /// <summary>Number of neighbours of each sequence, itself included.</summary>
    public ReadOnlyMemory<int> Neighbours => _neighbours;

    /// <summary>The effective number of sequences, N_eff: the sum of the weights.</summary>
    public double EffectiveCount { get; }

    internal static SequenceWeights Compute(ReadOnlySpan<byte> tokens, int count, int length, SequenceAlphabet alphabet, SequenceWeightOptions? options)
    {
        options ??= new SequenceWeightOptions();
        options.Validate();
        var left = IdentityKernel.Left(tokens, count, length, alphabet.GapToken, options.Measure);
        var right = IdentityKernel.Right(tokens, count, length, alphabet.GapToken, options.Measure);
        int[] needed = left.Needed(options.Identity);
        int threads = Math.Clamp(options.Threads == 0 ? Environment.ProcessorCount : options.Threads, 1, Math.Max(1, count / 64));

        // Tiles of rows that stay in the first-level cache; each pair once. Counts are integers, so that neither the order nor the threads matter.
        const int Tile = 64;
        int tiles = (count + Tile - 1) / Tile, next = 0;
        var partial = new int[threads][];
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, thread =>
        {
            int[] counts = partial[thread] = new int[count];
            for (int a = Interlocked.Increment(ref next) - 1; a < tiles; a = Interlocked.Increment(ref next) - 1)
            {
                int aEnd = Math.Min((a + 1) * Tile, count);
                for (int b = a; b < tiles; b++)
                    CountTile(left, right, needed, counts, a * Tile, aEnd, b * Tile, Math.Min((b + 1) * Tile, count));
            }
        });

        var neighbours = new int[count];
        var weights = new float[count];
        for (int n = 0; n < count; n++)
        {
            if (left.Lengths[n] == 0)
                continue;
            neighbours[n] = 1;
            foreach (int[] counts in partial)
                neighbours[n] += counts[n];
            weights[n] = (float)(1.0 / neighbours[n]);
        }
        return new SequenceWeights(weights, neighbours);
    }

    private static void CountTile(IdentityKernel left, IdentityKernel right, int[] needed, int[] counts, int aStart, int aEnd, int bStart, int bEnd)
    {
        int stride = left.Stride;
        for (int i = aStart; i < aEnd; i++)
        {
            ref byte row = ref left.Row(i);
            int needI = needed[i], countI = 0;
            for (int j = Math.Max(bStart, i + 1); j < bEnd; j++)
            {
                int needJ = needed[j];
                int matches = IdentityKernel.Matches(ref row, ref right.Row(j), stride, Math.Min(needI, needJ));
                countI += matches >= needI ? 1 : 0;
                counts[j] += matches >= needJ ? 1 : 0;
            }
            counts[i] += countI;
        }
    }
}
