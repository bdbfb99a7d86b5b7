using System.Numerics.Tensors;
using Vae.MLNet.Model;
using Vae.MLNet.Samples;

namespace Vae.MLNet.Evaluation;

/// <summary>
/// Distances of whole rows. Numbers are standardised by the real rows; a category, and whether a number is missing, adds 2 to the squared
/// distance where it differs, as one-hot numbers would, and as two rows' standardised numbers do in the mean.
/// </summary>
internal sealed class RowDistances
{
    /// <summary>Standard deviations at which a number stops to grow: no row is infinitely far.</summary>
    private const float Farthest = 100;

    private readonly SampleTable _real, _generated;
    private readonly SampleTable? _training;
    private readonly (float Mean, float Factor)[] _scales;
    private readonly int _seed;
    private readonly CancellationToken _cancellationToken;
    private readonly int _numbers, _codes;

    /// <summary>By table: for each column of codes those of all rows.</summary>
    private readonly Dictionary<SampleTable, int[][]> _columns = [];

    public RowDistances(SampleTable real, SampleTable generated, SampleTable? training, int seed, CancellationToken cancellationToken)
    {
        (_real, _generated, _training, _seed, _cancellationToken) = (real, generated, training, seed, cancellationToken);
        _scales = [.. real.Columns.Zip(generated.Columns).Where(pair => !pair.First.IsCategory)
            .Select(pair => Scale(pair.First.Numbers!, pair.Second.Numbers!))];
        SampleTable[] tables = [.. new[] { real, generated, training }.OfType<SampleTable>().Distinct()];
        foreach (var table in tables)
            _columns[table] = new int[table.Columns.Count][];
        for (int i = 0; i < real.Columns.Count; i++)
        {
            if (!real.Columns[i].IsCategory)
            {
                foreach (var table in tables)
                    _columns[table][i] = [.. table.Columns[i].Numbers!.Select(number => float.IsNaN(number) ? -1 : 0)];
                continue;
            }
            int from = 0;
            int[] codes = SampleStatistics.Together([.. tables.Select(table => table.Columns[i])]).Codes;
            foreach (var table in tables)
                _columns[table][i] = codes[from..(from += table.Rows)];
        }
        _numbers = _scales.Length;
        _codes = real.Columns.Count;
    }

    /// <summary>
    /// Unbiased squared maximum mean discrepancy with a Gaussian kernel as wide as the median distance (Gretton et al. 2012), and its p-value by permutations.
    /// </summary>
    /// <param name="most">Most rows of each side.</param>
    /// <param name="permutations">Permutations for the p-value.</param>
    public (double Squared, double PValue) Discrepancy(int most, int permutations)
    {
        int side = Math.Min(most, Math.Min(_real.Rows, _generated.Rows)), all = 2 * side;
        Row[] rows =
        [
            .. Take(_real, Draw(_real.Rows, side, _seed, ComparisonDraw.DiscrepancyReal)),
            .. Take(_generated, Draw(_generated.Rows, side, _seed, ComparisonDraw.DiscrepancyGenerated)),
        ];
        var kernel = new float[all][];
        Each(all, i =>
        {
            kernel[i] = new float[all];
            for (int j = 0; j < all; j++)
                kernel[i][j] = j == i ? 0 : Squared(rows[i], rows[j]);
        });
        float[] distances = [.. Enumerable.Range(0, all).SelectMany(i => kernel[i].Skip(i + 1))];
        Array.Sort(distances);
        // Where most rows are equal, the median of those that differ.
        float median = distances[distances.Length / 2];
        if (median == 0)
        {
            float[] apart = [.. distances.SkipWhile(distance => distance == 0)];
            if (apart.Length == 0)
                return (0, 1);
            median = apart[apart.Length / 2];
        }
        Each(all, i =>
        {
            for (int j = 0; j < all; j++)
                kernel[i][j] = j == i ? 0 : MathF.Exp(-kernel[i][j] / (2 * median));
        });
        // With +1 for one side and -1 for the other, sᵀKs is the sums within the sides less those between them.
        var signs = new float[permutations + 1][];
        for (int permutation = 0; permutation <= permutations; permutation++)
        {
            signs[permutation] = new float[all];
            signs[permutation].AsSpan().Fill(-1);
            // The first are the rows as they are.
            foreach (int row in permutation == 0 ? Enumerable.Range(0, side) : Draw(all, side, _seed, ComparisonDraw.Permutations + permutation))
                signs[permutation][row] = 1;
        }
        var parts = new double[all][];
        var totals = new double[all];
        Each(all, i =>
        {
            parts[i] = [.. signs.Select(sign => (double)sign[i] * TensorPrimitives.Dot<float>(kernel[i], sign))];
            totals[i] = TensorPrimitives.Sum<float>(kernel[i]);
        });
        double total = totals.Sum();
        double[] found = [.. Enumerable.Range(0, permutations + 1).Select(permutation =>
        {
            double difference = parts.Sum(part => part[permutation]), within = (total + difference) / 2, between = (total - difference) / 2;
            return within / ((double)side * (side - 1)) - between / ((double)side * side);
        })];
        return (found[0], found.Count(value => value >= found[0]) / (permutations + 1.0));
    }

    /// <summary>Compares how near generated and real rows are to those trained on.</summary>
    /// <param name="mostQueries">Most rows of each side whose nearest training row is looked for.</param>
    /// <param name="mostTraining">Most training rows to look among.</param>
    public CopyTest Copies(int mostQueries, int mostTraining)
    {
        var training = _training!;
        var near = Take(training, Draw(training.Rows, Math.Min(training.Rows, mostTraining), _seed, ComparisonDraw.Training)).ToArray();
        float[] real = Nearest(_real, near, mostQueries, ComparisonDraw.CopiesReal);
        float[] generated = Nearest(_generated, near, mostQueries, ComparisonDraw.CopiesGenerated);
        double realMean = real.Average(), generatedMean = generated.Average();
        double ratio = realMean > 0 ? generatedMean / realMean : generatedMean > 0 ? double.PositiveInfinity : 1;
        // The larger the distance of real rows, the nearer are the generated ones.
        var test = RankTest.Of(real, generated);
        var known = Keys(training).ToHashSet();
        return new(training.Rows, realMean, generatedMean, ratio, test.Auc, test.NullVariance > 0 ? (test.Auc - 0.5) / Math.Sqrt(test.NullVariance) : 0,
            (double)Keys(_real).Count(known.Contains) / _real.Rows, (double)Keys(_generated).Count(known.Contains) / _generated.Rows);
    }

    /// <summary>Some of the numbers from 0 to count - 1, in random order.</summary>
    public static int[] Draw(int count, int take, int seed, ComparisonDraw draw) =>
        [.. SeedStream.Permutation(count, seed, Purpose.Comparison, (long)draw).Take(take).Select(row => (int)row)];

    private float[] Nearest(SampleTable table, Row[] training, int most, ComparisonDraw draw)
    {
        var rows = Take(table, Draw(table.Rows, Math.Min(table.Rows, most), _seed, draw)).ToArray();
        var nearest = new float[rows.Length];
        Each(rows.Length, i =>
        {
            float least = float.PositiveInfinity;
            foreach (var row in training)
                least = Math.Min(least, Squared(rows[i], row));
            nearest[i] = MathF.Sqrt(least);
        });
        return nearest;
    }

    private static float Squared(Row left, Row right)
    {
        float distance = left.Numbers.Length == 0 ? 0 : TensorPrimitives.Distance<float>(left.Numbers, right.Numbers);
        return distance * distance + 2 * TensorPrimitives.HammingDistance<int>(left.Codes, right.Codes);
    }

    private void Each(int count, Action<int> work) => Parallel.For(0, count, new ParallelOptions { CancellationToken = _cancellationToken }, work);

    private IEnumerable<Row> Take(SampleTable table, int[] chosen)
    {
        float[][] numbers = [.. table.Columns.Where(column => !column.IsCategory).Select(column => column.Numbers!)];
        // Whether a number is missing matters only in columns where some are.
        int[][] codes = [.. _columns[table].Where((_, i) => _real.Columns[i].IsCategory || _columns.Values.Any(columns => columns[i].AsSpan().Contains(-1)))];
        foreach (int row in chosen)
        {
            var values = new float[_numbers];
            for (int j = 0; j < _numbers; j++)
                values[j] = float.IsNaN(numbers[j][row]) ? 0 : Math.Clamp((numbers[j][row] - _scales[j].Mean) * _scales[j].Factor, -Farthest, Farthest);
            yield return new(values, [.. codes.Select(column => column[row])]);
        }
    }

    /// <summary>A hash of each row, so long that different rows have different ones.</summary>
    private IEnumerable<UInt128> Keys(SampleTable table)
    {
        int[][] codes = _columns[table];
        for (int row = 0; row < table.Rows; row++)
        {
            ulong low = 0, high = 0x9E3779B97F4A7C15UL;
            for (int j = 0; j < _codes; j++)
            {
                // Zero of either sign is one number.
                uint value = codes[j][row] < 0 || table.Columns[j].Numbers is not { } numbers ? (uint)codes[j][row] : BitConverter.SingleToUInt32Bits(numbers[row] + 0f);
                low = SeedStream.Mix(low + value + 0x9E3779B97F4A7C15UL);
                high = SeedStream.Mix(high * 0xD1B54A32D192ED03UL + value + 1);
            }
            yield return new(high, low);
        }
    }

    /// <summary>Mean and inverse standard deviation of the real numbers, or of all where the real ones are one value.</summary>
    private static (float Mean, float Factor) Scale(float[] real, float[] generated)
    {
        double[] known = [.. real.Where(float.IsFinite).Select(number => (double)number)];
        double mean = known.Length == 0 ? 0 : known.Average(), spread = Deviation(known);
        if (spread == 0)
            spread = Deviation([.. known, .. generated.Where(float.IsFinite).Select(number => (double)number)]);
        return ((float)mean, spread > 0 ? (float)(1 / spread) : 1);

        static double Deviation(double[] numbers)
        {
            // Of equal numbers the mean is rounded, and they would seem to differ from it.
            if (numbers.Length == 0 || numbers.Min() == numbers.Max())
                return 0;
            double mean = numbers.Average();
            return Math.Sqrt(numbers.Sum(number => (number - mean) * (number - mean)) / numbers.Length);
        }
    }

    private readonly record struct Row(float[] Numbers, int[] Codes);
}

/// <summary>Streams of random numbers of a comparison, behind those of <see cref="SampleStatistics"/>.</summary>
internal enum ComparisonDraw
{
    ClassifierReal = 100,
    ClassifierGenerated,
    Halves,
    DiscrepancyReal,
    DiscrepancyGenerated,
    CopiesReal,
    CopiesGenerated,
    Training,
    Permutations = 1000,
}
