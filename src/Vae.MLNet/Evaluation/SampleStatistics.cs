using System.Runtime.InteropServices;
using Vae.MLNet.Model;
using Vae.MLNet.Samples;

namespace Vae.MLNet.Evaluation;

/// <summary>Distances of the distributions of columns and of pairs of columns, the rows of both tables side by side: the real ones first.</summary>
internal sealed class SampleStatistics
{
    /// <summary>Bins that the real numbers are parted into, of as many rows each as ties allow.</summary>
    private const int Bins = 10;

    /// <summary>Mixings of the rows of both tables that a column's noise is averaged over.</summary>
    private const int Mixings = 5;

    /// <summary>Joint states that are counted in an array.</summary>
    private const int DenseStates = 1 << 20;

    private readonly int _real, _rows;
    private readonly int _seed;
    private readonly CancellationToken _cancellationToken;
    private readonly (int[] Codes, int States)[] _histograms;

    /// <summary>Whether a row counts as real: as it is, then in mixings that keep the numbers of both sides.</summary>
    private readonly bool[][] _labels;

    public SampleStatistics(SampleTable real, SampleTable generated, int seed, CancellationToken cancellationToken)
    {
        _real = real.Rows;
        _rows = real.Rows + generated.Rows;
        _seed = seed;
        _cancellationToken = cancellationToken;
        _labels = [.. Enumerable.Range(0, Mixings + 1).Select(mixing => Labels(mixing))];
        Columns = new ColumnStatistic[real.Columns.Count];
        _histograms = new (int[], int)[real.Columns.Count];
        for (int i = 0; i < Columns.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (Columns[i], _histograms[i]) = Column(real.Columns[i], generated.Columns[i]);
        }
    }

    public ColumnStatistic[] Columns { get; }

    /// <summary>Total variation distance of pairs of columns, with that of mixed rows.</summary>
    /// <param name="most">Most pairs to look at; of more, so many are drawn.</param>
    public PairStatistic[] Pairs(int most)
    {
        var chosen = ChoosePairs(_histograms.Length, most);
        var found = new PairStatistic[chosen.Length];
        var joint = new int[_rows];
        for (int i = 0; i < chosen.Length; i++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            var (left, right) = chosen[i];
            int states = Join(_histograms[left], _histograms[right], joint);
            found[i] = new(left, right, TotalVariation(joint, states, _labels[0]), TotalVariation(joint, states, _labels[1]));
        }
        return found;
    }

    private bool[] Labels(int mixing)
    {
        var labels = new bool[_rows];
        if (mixing == 0)
        {
            labels.AsSpan(0, _real).Fill(true);
            return labels;
        }
        foreach (long row in SeedStream.Permutation(_rows, _seed, Purpose.Comparison, mixing).AsSpan(0, _real))
            labels[row] = true;
        return labels;
    }

    private (ColumnStatistic, (int[], int)) Column(SampleColumn real, SampleColumn generated)
    {
        double missingReal, missingGenerated;
        if (real.IsCategory)
        {
            var (codes, values) = Together(real, generated);
            int states = values + 1;
            // The missing value is a state behind the others.
            foreach (ref int code in codes.AsSpan())
                code = code < 0 ? values : code;
            (missingReal, missingGenerated) = (Share(codes.AsSpan(0, _real), values), Share(codes.AsSpan(_real), values));
            double[] distances = [.. _labels.Select(labels => TotalVariation(codes, states, labels))];
            return (new(distances[0], distances.Skip(1).Average(), distances[0], distances.Skip(1).Average(), missingReal, missingGenerated), (codes, states));
        }
        float[] numbers = [.. real.Numbers!, .. generated.Numbers!];
        (missingReal, missingGenerated) = (Share(real.Numbers!), Share(generated.Numbers!));
        var order = Enumerable.Range(0, _rows).Where(row => !float.IsNaN(numbers[row])).ToArray();
        Array.Sort(order.Select(row => numbers[row]).ToArray(), order);
        double[] steps = [.. _labels.Select(labels => KolmogorovSmirnov(numbers, order, labels))];
        float[] edges = Edges(real.Numbers!);
        var binned = new int[_rows];
        for (int row = 0; row < _rows; row++)
        {
            // Bin i holds what lies above edge i - 1 and not above edge i.
            int at = float.IsNaN(numbers[row]) ? edges.Length + 1 : Array.BinarySearch(edges, numbers[row]);
            binned[row] = at < 0 ? ~at : at;
        }
        double[] histograms = [.. _labels.Select(labels => TotalVariation(binned, edges.Length + 2, labels))];
        return (new(steps[0], steps.Skip(1).Average(), histograms[0], histograms.Skip(1).Average(), missingReal, missingGenerated), (binned, edges.Length + 2));
    }

    private static double Share(ReadOnlySpan<int> codes, int code) => (double)MemoryExtensions.Count(codes, code) / codes.Length;

    private static double Share(float[] numbers) => (double)numbers.Count(float.IsNaN) / numbers.Length;

    /// <summary>Codes of both columns, -1 where missing, and how many values there are.</summary>
    public static (int[] Codes, int Values) Together(params ReadOnlySpan<SampleColumn> columns)
    {
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var codes = new List<int>();
        foreach (var column in columns)
        {
            var map = new int[column.Values.Count];
            for (int i = 0; i < map.Length; i++)
            {
                ref int place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, column.Values[i], out bool known);
                if (!known)
                    place = places.Count - 1;
                map[i] = place;
            }
            codes.AddRange(column.Codes!.Select(code => code < 0 ? -1 : map[code]));
        }
        return ([.. codes], places.Count);
    }

    /// <summary>
    /// Upper edges of all bins but the last: quantiles of the real numbers. A value that several quantiles fall on has a bin of its own.
    /// </summary>
    private static float[] Edges(float[] real)
    {
        float[] sorted = [.. real.Where(number => !float.IsNaN(number))];
        if (sorted.Length == 0)
            return [];
        Array.Sort(sorted);
        float[] quantiles = [.. Enumerable.Range(1, Bins - 1).Select(i => sorted[Math.Min(sorted.Length - 1, (int)((long)sorted.Length * i / Bins))])];
        return [.. quantiles.GroupBy(edge => edge).SelectMany(group => group.Count() > 1 ? (float[])[MathF.BitDecrement(group.Key), group.Key] : [group.Key]).Distinct().Order()];
    }

    /// <summary>The largest distance of the distribution functions where both have numbers, or of the shares of missing values where that is larger.</summary>
    private static double KolmogorovSmirnov(float[] numbers, int[] order, bool[] labels)
    {
        long real = 0, generated = 0;
        foreach (int row in order)
            _ = labels[row] ? real++ : generated++;
        long allReal = labels.LongCount(label => label), allGenerated = labels.Length - allReal;
        double largest = Math.Abs((double)real / allReal - (double)generated / allGenerated);
        if (real == 0 || generated == 0)
            return largest;
        long seenReal = 0, seenGenerated = 0;
        for (int i = 0; i < order.Length; i++)
        {
            _ = labels[order[i]] ? seenReal++ : seenGenerated++;
            // Of equal numbers all come before a look.
            if (i + 1 == order.Length || numbers[order[i + 1]] != numbers[order[i]])
                largest = Math.Max(largest, Math.Abs((double)seenReal / real - (double)seenGenerated / generated));
        }
        return largest;
    }

    /// <summary>Half the sum of the differences of shares over all states: the share of rows that would have to change their state.</summary>
    private static double TotalVariation(int[] codes, int states, bool[] labels)
    {
        var counts = new int[states, 2];
        long real = 0;
        for (int row = 0; row < codes.Length; row++)
        {
            int side = labels[row] ? 1 : 0;
            counts[codes[row], side]++;
            real += side;
        }
        // Whole numbers, so that the sum is exact.
        long generated = codes.Length - real;
        Int128 sum = 0;
        for (int state = 0; state < states; state++)
            sum += Math.Abs(counts[state, 1] * generated - counts[state, 0] * real);
        return (double)sum / (2.0 * real * generated);
    }

    /// <summary>States of two columns as one; returns how many there are.</summary>
    private static int Join((int[] Codes, int States) left, (int[] Codes, int States) right, int[] joint)
    {
        if ((long)left.States * right.States <= DenseStates)
        {
            for (int row = 0; row < joint.Length; row++)
                joint[row] = left.Codes[row] * right.States + right.Codes[row];
            return left.States * right.States;
        }
        var places = new Dictionary<(int, int), int>();
        for (int row = 0; row < joint.Length; row++)
        {
            ref int place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, (left.Codes[row], right.Codes[row]), out bool known);
            if (!known)
                place = places.Count - 1;
            joint[row] = place;
        }
        return places.Count;
    }

    private (int Left, int Right)[] ChoosePairs(int columns, int most)
    {
        long all = (long)columns * (columns - 1) / 2;
        if (all <= most)
            return [.. Enumerable.Range(0, columns).SelectMany(left => Enumerable.Range(left + 1, columns - left - 1).Select(right => (left, right)))];
        var chosen = new SortedSet<(int, int)>();
        ulong state = SeedStream.Derive(_seed, Purpose.Comparison, Mixings + 1);
        while (chosen.Count < most)
        {
            int left = Next(columns), right = Next(columns);
            if (left != right)
                chosen.Add((Math.Min(left, right), Math.Max(left, right)));
        }
        return [.. chosen];

        int Next(int count)
        {
            state += 0x9E3779B97F4A7C15UL;
            return (int)Math.BigMul(SeedStream.Mix(state), (ulong)count, out _);
        }
    }
}

/// <summary>Distances of a column's distributions; noise is what rows mixed at random give.</summary>
/// <param name="Distance">Kolmogorov and Smirnov's distance of numbers, total variation distance of categories.</param>
/// <param name="Noise">The same of mixed rows.</param>
/// <param name="Histogram">Total variation distance of histograms.</param>
/// <param name="HistogramNoise">The same of mixed rows.</param>
/// <param name="MissingReal">Share of missing values in the real rows.</param>
/// <param name="MissingGenerated">Share of missing values in the generated rows.</param>
internal readonly record struct ColumnStatistic(double Distance, double Noise, double Histogram, double HistogramNoise, double MissingReal, double MissingGenerated);

/// <summary>Total variation distance of the joint histograms of two columns.</summary>
internal readonly record struct PairStatistic(int Left, int Right, double Distance, double Noise);
