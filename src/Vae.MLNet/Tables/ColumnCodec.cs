using Microsoft.ML.Data;

namespace Vae.MLNet.Tables;

/// <summary>
/// How the cells of one column become tokens, and tokens cells. A category has a token with a state for each value. A number whose values are few has the same;
/// otherwise a token for its quantile bin, in which values that come very often have bins of their own, and where rows are many a second one for the place inside the bin.
/// A missing cell is a state like any other.
/// </summary>
internal sealed record ColumnCodec
{
    /// <summary>Most values of a category that have a state of their own.</summary>
    public const int MostCategories = 100;

    /// <summary>Knots between which values inside a leaf are drawn.</summary>
    public const int Knots = 16;

    public required string Name { get; init; }

    public required ColumnKind Kind { get; init; }

    /// <summary>Whether the first token's last state is a missing cell.</summary>
    public required bool HasMissing { get; init; }

    /// <summary>Values of a category, a state each; empty for numbers.</summary>
    public IReadOnlyList<string> Values { get; init; } = [];

    /// <summary>Rarer values, which share the state after the others, with how often each came.</summary>
    public IReadOnlyList<(string Value, int Count)> Pooled { get; init; } = [];

    /// <summary>Upper edges between a number's bins, ascending.</summary>
    public double[] Edges { get; init; } = [];

    /// <summary>Upper edges between the leaves of each bin, [bins, leaves - 1], +infinity where there are fewer.</summary>
    public double[] LeafEdges { get; init; } = [];

    /// <summary>Leaves of each bin.</summary>
    public int[] LeafCounts { get; init; } = [];

    /// <summary>Normal score of each bin's middle rank.</summary>
    public double[] Places { get; init; } = [];

    /// <summary>Most leaves of a bin: states of the second token; 1 where there is none.</summary>
    public int Leaves { get; init; } = 1;

    /// <summary>Quantiles of the values in each leaf, [bins, leaves, knots + 1].</summary>
    public double[] Quantiles { get; init; } = [];

    /// <summary>Whether values are drawn only from those that came: most rows share their value with another one.</summary>
    public bool Repeats { get; init; }

    /// <summary>Digits after the point that values have; -1 where they are not decimal numbers of few digits.</summary>
    public int Decimals { get; init; } = -1;

    /// <summary>Whether cells are numbers; those of a category may be.</summary>
    public bool IsNumber => Kind is ColumnKind.Number or ColumnKind.Date || Quantiles.Length > 0;

    /// <summary>Ticks that dates are multiples of: of a day, a minute or a second; 0 for what is no date.</summary>
    public double Step { get; init; }

    public int Bins => Edges.Length + 1;

    /// <summary>States of the first token.</summary>
    public int States => (IsNumber ? AllMissing ? 0 : Bins : Values.Count + (Pooled.Count > 0 ? 1 : 0)) + (HasMissing ? 1 : 0);

    /// <summary>Least and largest finite value of a number.</summary>
    public double Minimum { get; init; }

    /// <summary>Least and largest finite value of a number.</summary>
    public double Maximum { get; init; }

    /// <summary>Deviation of a normal distribution whose deciles lie as far apart as the column's; how far a number is out is told in it.</summary>
    public double Spread { get; init; } = 1;

    /// <summary>
    /// Between these a number is within what is usual: the range, but for single values far beyond the hundredth and the last hundredth of the rows, which may be errors.
    /// </summary>
    public double LowFence { get; init; }

    /// <summary>Between these a number is within what is usual.</summary>
    public double HighFence { get; init; }

    /// <summary>Nats for each unit of log(1 + distance from the range / spread): so many that a number by its column's range beyond is odder than nearly all training rows.</summary>
    public double OutsideWeight { get; init; } = FenceWeight;

    /// <summary>The same of what is within the range and beyond a fence, and the least <see cref="OutsideWeight"/>.</summary>
    public const double FenceWeight = 8;

    /// <summary>Whether no cell has a value.</summary>
    public bool AllMissing { get; init; }

    public bool HasLeaves => Leaves > 1;

    public int MissingState => States - 1;

    /// <summary>Bins that a column gets at most: about the root of the rows that have a value.</summary>
    public static int BinsFor(int rows) => Math.Clamp((int)Math.Sqrt(rows), 6, 64);

    public static ColumnCodec OfCategory(RawColumn column, ColumnKind kind, IReadOnlyList<int> rows)
    {
        var counts = new int[column.Texts!.Count];
        int missing = 0;
        foreach (int row in rows)
        {
            if (column.Codes![row] is >= 0 and int code)
                counts[code]++;
            else
                missing++;
        }
        var order = Enumerable.Range(0, counts.Length).Where(code => counts[code] > 0).OrderByDescending(code => counts[code]).ThenBy(code => column.Texts[code], StringComparer.Ordinal).ToArray();
        // A single rare value would be pooled with nothing.
        int own = order.Length <= MostCategories + 1 ? order.Length : MostCategories;
        return new()
        {
            Name = column.Name,
            Kind = kind,
            HasMissing = missing > 0 || order.Length == 0,
            AllMissing = order.Length == 0,
            Values = [.. order.Take(own).Select(code => column.Texts[code])],
            Pooled = [.. order.Skip(own).Select(code => (column.Texts[code], counts[code]))],
        };
    }

    public static ColumnCodec OfNumber(RawColumn column, ColumnKind kind, IReadOnlyList<int> rows)
    {
        double[] all = [.. rows.Select(row => column.Numbers![row])];
        // Infinite cells have no place among quantiles.
        double[] values = [.. all.Where(double.IsFinite)];
        Array.Sort(values);
        if (values.Length == 0)
            return new() { Name = column.Name, Kind = kind, HasMissing = true, AllMissing = true };
        var distinct = new List<(double Value, int Count)>();
        foreach (double value in values)
        {
            if (distinct.Count > 0 && distinct[^1].Value == value)
                distinct[^1] = (value, distinct[^1].Count + 1);
            else
                distinct.Add((value, 1));
        }
        int wanted = BinsFor(values.Length), decimals = kind == ColumnKind.Date ? -1 : DecimalsOf(distinct, column.Type == NumberDataViewType.Single);
        var bins = new List<List<(double Value, int Count)>>();
        bool single = kind == ColumnKind.Category || distinct.Count <= Math.Min(2 * wanted, 128);
        if (single)
        {
            bins.AddRange(distinct.Select(item => new List<(double, int)> { item }));
        }
        else
        {
            double share = (double)values.Length / wanted;
            int filled = 0;
            bool open = false;
            foreach (var item in distinct)
            {
                if (item.Count >= share * 0.75)
                {
                    bins.Add([item]);
                    open = false;
                    continue;
                }
                if (!open || filled + item.Count / 2 > share)
                {
                    bins.Add([]);
                    filled = 0;
                    open = true;
                }
                bins[^1].Add(item);
                filled += item.Count;
            }
        }
        bool repeats = distinct.Sum(item => item.Count > 1 ? item.Count : 0L) > values.Length / 2;
        int leaves = single ? 1 : Math.Clamp(values.Length / wanted / 24, 1, 16);
        leaves = Math.Min(leaves, bins.Max(bin => bin.Count));
        var edges = new double[bins.Count - 1];
        for (int i = 0; i < edges.Length; i++)
            edges[i] = Between(bins[i][^1].Value, bins[i + 1][0].Value);
        var leafEdges = new double[bins.Count * Math.Max(leaves - 1, 0)];
        Array.Fill(leafEdges, double.PositiveInfinity);
        var quantiles = new double[bins.Count * leaves * (Knots + 1)];
        var leafCounts = new int[bins.Count];
        for (int i = 0; i < bins.Count; i++)
        {
            var parts = Parts(bins[i], leaves);
            leafCounts[i] = parts.Count;
            for (int k = 0; k + 1 < parts.Count; k++)
                leafEdges[i * (leaves - 1) + k] = Between(parts[k][^1].Value, parts[k + 1][0].Value);
            for (int k = 0; k < leaves; k++)
            {
                var part = parts[Math.Min(k, parts.Count - 1)];
                FillQuantiles(part, quantiles.AsSpan((i * leaves + k) * (Knots + 1), Knots + 1), repeats);
            }
        }
        return new()
        {
            Name = column.Name,
            Kind = kind,
            HasMissing = values.Length < all.Length,
            Edges = edges,
            Places = ScoresOf(bins),
            LeafEdges = leafEdges,
            LeafCounts = leafCounts,
            Leaves = leaves,
            Quantiles = quantiles,
            Repeats = repeats,
            Minimum = values[0],
            Maximum = values[^1],
            Spread = SpreadOf(values),
            LowFence = Math.Max(values[0], Fence(values, false)),
            HighFence = Math.Min(values[^1], Fence(values, true)),
            Decimals = decimals,
            Step = kind == ColumnKind.Date ? StepOf(distinct) : 0,
        };
    }

    private static double[] ScoresOf(List<List<(double Value, int Count)>> bins)
    {
        double total = bins.Sum(bin => bin.Sum(item => (double)item.Count)), seen = 0;
        var scores = new double[bins.Count];
        for (int i = 0; i < scores.Length; i++)
        {
            double own = bins[i].Sum(item => (double)item.Count);
            scores[i] = NormalScore((seen + own / 2) / total);
            seen += own;
        }
        return scores;
    }

    /// <summary>The quantile of the standard normal distribution, by bisection of its distribution to 7.5e-8 (Zelen and Severo 1964, 26.2.17).</summary>
    internal static double NormalScore(double share)
    {
        double low = -8, high = 8;
        for (int i = 0; i < 60; i++)
        {
            double middle = (low + high) / 2;
            if (Below(middle) < share)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;

        static double Below(double x)
        {
            double t = 1 / (1 + 0.2316419 * Math.Abs(x));
            double sum = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
            double tail = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI) * sum;
            return x > 0 ? 1 - tail : tail;
        }
    }

    private static double StepOf(List<(double Value, int Count)> dates) =>
        new double[] { TimeSpan.TicksPerDay, TimeSpan.TicksPerMinute, TimeSpan.TicksPerSecond }.FirstOrDefault(step => dates.TrueForAll(date => date.Value % step == 0), 1);

    /// <summary>Beyond the last hundredth (two rows at least) by half as much as it lies from the median, and a deviation.</summary>
    private static double Fence(double[] sorted, bool high)
    {
        int tail = Math.Min(Math.Max(2, sorted.Length / 100), sorted.Length - 1);
        double edge = sorted[high ? sorted.Length - 1 - tail : tail], median = sorted[sorted.Length / 2];
        double fence = edge + 0.5 * (edge - median) + (high ? 1 : -1) * SpreadOf(sorted);
        return double.IsFinite(fence) ? fence : sorted[high ? ^1 : 0];
    }

    private static double SpreadOf(double[] sorted)
    {
        // Where four fifths of the rows share one value, the whole range tells the scale.
        double deciles = sorted[sorted.Length * 9 / 10] / 2.563 - sorted[sorted.Length / 10] / 2.563, range = sorted[^1] / 6 - sorted[0] / 6;
        return deciles > 0 ? deciles : range > 0 ? range : Math.Max(Math.Abs(sorted[0]), 1) / 10;
    }

    /// <summary>A number between two others, or the lower one where there is none.</summary>
    private static double Between(double low, double high)
    {
        double middle = low + (high - low) / 2;
        return middle < high ? middle : low;
    }

    private static List<List<(double Value, int Count)>> Parts(List<(double Value, int Count)> bin, int leaves)
    {
        var parts = new List<List<(double Value, int Count)>>();
        int total = bin.Sum(item => item.Count), seen = 0;
        foreach (var item in bin)
        {
            int part = Math.Min((int)((long)(seen + item.Count / 2) * leaves / total), leaves - 1);
            if (parts.Count == 0 || part >= parts.Count && parts[^1].Count > 0)
                parts.Add([]);
            parts[^1].Add(item);
            seen += item.Count;
        }
        return parts;
    }

    /// <summary>Equally spaced quantiles of the values; where values repeat the function is flat.</summary>
    private static void FillQuantiles(List<(double Value, int Count)> part, Span<double> knots, bool repeats)
    {
        int total = part.Sum(item => item.Count);
        // To draw between knots, the first and the last are the least and the largest value; to draw knots, each stands for an equal share.
        int at = 0, seen = part[0].Count;
        for (int k = 0; k < knots.Length; k++)
        {
            double place = repeats ? (k + 0.5) / knots.Length * total : (double)k / (knots.Length - 1) * (total - 1);
            while (seen <= place && at + 1 < part.Count)
                seen += part[++at].Count;
            knots[k] = part[at].Value;
        }
    }

    /// <summary>Digits after the point that all values have at most, or -1.</summary>
    private static int DecimalsOf(List<(double Value, int Count)> distinct, bool single)
    {
        const int Most = 6;
        for (int digits = 0; digits <= Most; digits++)
        {
            double scale = Math.Pow(10, digits);
            if (distinct.All(item => IsWhole(item.Value * scale)))
                return digits;
        }
        return -1;

        // Single-precision columns hold 0.1 as 0.100000001; beyond its digits nothing can be told.
        bool IsWhole(double scaled) =>
            Math.Abs(scaled) < 1e15 && Math.Abs(scaled - Math.Round(scaled)) <= Math.Min(0.02, (single ? 2e-7 : 1e-12) * Math.Abs(scaled) + 1e-9);
    }

    /// <summary>States of the one or two tokens of each row.</summary>
    public (int First, int Second) Encode(double value)
    {
        if (double.IsNaN(value) || AllMissing)
            return (HasMissing ? MissingState : -1, 0);
        int bin = Upper(Edges, value);
        int leaf = HasLeaves ? Upper(LeafEdges.AsSpan(bin * (Leaves - 1), LeafCounts[bin] - 1), value) : 0;
        return (bin, leaf);
    }

    /// <summary>How many edges lie below a value.</summary>
    private static int Upper(ReadOnlySpan<double> edges, double value)
    {
        int low = 0, high = edges.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (value > edges[middle])
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>A value from a bin, a leaf and a uniform number: what the graph of new rows computes.</summary>
    public double Decode(int bin, int leaf, double uniform)
    {
        if (bin >= Bins || AllMissing)
            return double.NaN;
        var knots = Quantiles.AsSpan((bin * Leaves + Math.Min(leaf, LeafCounts[bin] - 1)) * (Knots + 1), Knots + 1);
        if (Repeats)
            return knots[Math.Min((int)(uniform * (Knots + 1)), Knots)];
        double place = uniform * Knots;
        int at = Math.Min((int)place, Knots - 1);
        double value = knots[at] + (place - at) * (knots[at + 1] - knots[at]);
        if (Step > 0)
            return Math.Round(value / Step) * Step;
        return Decimals >= 0 ? Math.Round(value * Math.Pow(10, Decimals)) / Math.Pow(10, Decimals) : value;
    }

    /// <summary>
    /// Smooth functions of each state's place among the states, so that neighbouring bins learn from each other: the first four Hermite polynomials of the normal score of
    /// a bin's middle rank, so that the logarithm of a normal density is a sum of two of them; of a leaf's place the first four Legendre polynomials. Zero for categories and
    /// the missing state.
    /// </summary>
    public void FillSmooth(Span<float> first, Span<float> second)
    {
        first.Clear();
        second.Clear();
        if (!IsNumber || AllMissing || Kind == ColumnKind.Category)
            return;
        for (int bin = 0; bin < Bins; bin++)
        {
            double x = Places[bin];
            var values = first.Slice(bin * TableShape.Smooth, TableShape.Smooth);
            values[0] = (float)x;
            values[1] = (float)((x * x - 1) / Math.Sqrt(2));
            values[2] = (float)((x * x * x - 3 * x) / Math.Sqrt(6));
            values[3] = (float)((x * x * x * x - 6 * x * x + 3) / Math.Sqrt(24));
        }
        for (int leaf = 0; leaf < Leaves && HasLeaves; leaf++)
        {
            double x = 2.0 * leaf / (Leaves - 1) - 1;
            var values = second.Slice(leaf * TableShape.Smooth, TableShape.Smooth);
            values[0] = (float)(Math.Sqrt(3) * x);
            values[1] = (float)(Math.Sqrt(5) * (3 * x * x - 1) / 2);
            values[2] = (float)(Math.Sqrt(7) * (5 * x * x * x - 3 * x) / 2);
            values[3] = (float)(3 * (35 * x * x * x * x - 30 * x * x + 3) / 8);
        }
    }
}
