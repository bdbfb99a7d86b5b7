using Vae.MLNet.Inference;
using Vae.MLNet.Model;

namespace Vae.MLNet.Sequences;

/// <summary>
/// Holds out sequences together with their neighbours: sequences are drawn at random, and with each one all that are as identical to it as the threshold says, until
/// the share of the weight is reached. What is held out is then no near duplicate of what is trained on, apart from neighbours of neighbours.
/// </summary>
internal static class SequenceSplit
{
    /// <summary>A neighbourhood may take the held-out weight this far above what is wanted; a larger one stays on the side of the training.</summary>
    private const double Excess = 1.5;

    /// <summary>By how much the threshold rises where a family has no neighbourhoods small enough.</summary>
    private const double Rise = 0.1;

    /// <summary>Neighbourhoods in a row that are too large, after which there is no use in looking for smaller ones: each look costs a pass over the sequences.</summary>
    private const int Refusals = 100;

    /// <param name="tokens">Tokens, row-major.</param>
    /// <param name="weights">Weights; empty where all weigh the same.</param>
    /// <param name="layout">Alphabet and columns.</param>
    /// <param name="share">Share of the weight to hold out, less where that would be more rows than wanted.</param>
    /// <param name="identity">Identity from which on sequences go together, raised where the family is more alike than that; null to draw them one by one.</param>
    /// <param name="most">Most rows to hold out.</param>
    /// <param name="seed">Seed.</param>
    /// <returns>Rows in ascending order; at least one on either side.</returns>
    public static (long[] Training, long[] Held) Run(ReadOnlyMemory<byte> tokens, ReadOnlySpan<float> weights, SequenceLayout layout, double share, double? identity, int most, int seed)
    {
        int length = layout.Length, count = tokens.Length / length;
        float[] weight = weights.IsEmpty ? [.. Enumerable.Repeat(1f, count)] : weights.ToArray();
        double wanted = Math.Min(share, (double)most / count) * weight.Sum(value => (double)value), sum = 0;
        most = Math.Min(most, count - 1);
        long[] order = SeedStream.Permutation(count, seed, Purpose.Split);
        var held = new bool[count];
        int number = 0;

        if (identity is { } threshold)
        {
            var left = IdentityKernel.Left(tokens.Span, count, length, layout.Alphabet.GapToken, IdentityMeasure.Residues);
            var right = IdentityKernel.Right(tokens.Span, count, length, layout.Alphabet.GapToken, IdentityMeasure.Residues);
            var near = new bool[count];
            // A family more alike than the threshold has no neighbourhoods small enough; a higher one finds some.
            for (; sum < wanted / 2 && threshold < 1; threshold += Rise)
            {
                int[] needed = left.Needed(threshold);
                int refused = 0;
                foreach (long start in order)
                {
                    if (sum >= wanted || number >= most || refused >= Refusals)
                        break;
                    if (!held[start])
                        refused = Hold((int)start, left, right, needed, near) ? 0 : refused + 1;
                }
            }
        }
        // Where sequences are too alike to go together, or need not, they are drawn one by one.
        if (identity is null || sum < wanted / 2)
        {
            foreach (long row in order)
            {
                if (sum >= wanted && number > 0 || number >= most)
                    break;
                if (held[row])
                    continue;
                held[row] = true;
                sum += weight[row];
                number++;
            }
        }
        return ([.. Rows(false)], [.. Rows(true)]);

        bool Hold(int first, IdentityKernel left, IdentityKernel right, int[] needed, bool[] near)
        {
            const int Block = 4096;
            Parallel.For(0, (count + Block - 1) / Block, block =>
            {
                for (int row = block * Block; row < Math.Min((block + 1) * Block, count); row++)
                {
                    // Identity is a share of either sequence's own letters; a fragment goes with what it is a part of.
                    int need = Math.Min(needed[first], needed[row]);
                    near[row] = row == first || IdentityKernel.Matches(ref left.Row(first), ref right.Row(row), left.Stride, need) >= need;
                }
            });
            double added = 0;
            int rows = 0;
            for (int row = 0; row < count; row++)
            {
                if (near[row] && !held[row])
                {
                    added += weight[row];
                    rows++;
                }
            }
            if (sum + added > Excess * wanted || number + rows > most)
                return false;
            sum += added;
            number += rows;
            for (int row = 0; row < count; row++)
                held[row] |= near[row];
            return true;
        }

        IEnumerable<long> Rows(bool side) => Enumerable.Range(0, count).Where(row => held[row] == side).Select(row => (long)row);
    }
}
