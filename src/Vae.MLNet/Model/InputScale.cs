using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Vae.MLNet.Model;

/// <summary>The constants of a scaling of the features: scaled = f((x - offset) · factor), with f the identity or asinh.</summary>
internal sealed record InputScale(InputScaling Kind, float[] Offset, float[] Factor)
{
    /// <summary>Largest magnitude that asinh is taken of; its square is a single-precision number.</summary>
    public const float LargestArgument = 1e18f;

    public static InputScale None { get; } = new(InputScaling.None, [], []);

    /// <summary>The scaled rows; the rows themselves without a scaling.</summary>
    public Tensor Apply(Tensor features)
    {
        if (Kind == InputScaling.None)
            return features;
        var linear = (features - tensor(Offset, device: features.device)) * tensor(Factor, device: features.device);
        return Kind == InputScaling.RobustAsinh ? linear.clamp_(-LargestArgument, LargestArgument).asinh_() : linear;
    }

    /// <summary>Takes the constants from rows of data.</summary>
    public static InputScale Fit(InputScaling kind, float[] data, int features) => kind switch
    {
        InputScaling.None => None,
        InputScaling.Standardize => Standardize(data, features),
        InputScaling.RobustAsinh => Robust(data, features),
        InputScaling.Auto => Auto(data, features),
        _ => throw Check.OutOfRange(nameof(kind), kind, "a known scaling"),
    };

    private static InputScale Auto(float[] data, int features)
    {
        var (mean, deviation) = Moments(data, features);
        return Auto(mean, deviation, data);
    }

    /// <summary>The scaling that <see cref="InputScaling.Auto"/> stands for.</summary>
    /// <param name="columns">The values of each feature, sorted; a feature may have fewer than another.</param>
    public static InputScaling Choose(float[][] columns)
    {
        var moments = columns.Select(column => Moments(column, 1)).ToArray();
        return Choose([.. moments.Select(moment => moment.Mean[0])], [.. moments.Select(moment => moment.Deviation[0])], j => columns[j],
            columns.All(column => column[0] >= 0 && column[^1] <= 1));
    }

    /// <summary>The scaling that <see cref="InputScaling.Auto"/> stands for, with its constants.</summary>
    /// <param name="mean">Mean of each feature.</param>
    /// <param name="deviation">Population standard deviation of each feature.</param>
    /// <param name="data">Rows for the quantiles: all, or an even sample.</param>
    public static InputScale Auto(double[] mean, double[] deviation, float[] data) =>
        Choose(mean, deviation, j => SortedColumn(data, mean.Length, j), data.All(value => value is >= 0 and <= 1)) switch
        {
            InputScaling.None => None,
            InputScaling.RobustAsinh => Robust(data, mean.Length),
            _ => Standardize(mean, deviation),
        };

    /// <summary>Coordinates of one unit stay well within these bounds; columns of a table hardly ever do.</summary>
    private const double LargestMean = 10, SmallestDeviation = 0.1, LargestDeviation = 10, LargestRatio = 10;

    /// <summary>Features of the smallest picture, 8 by 8.</summary>
    private const int FewestPixels = 64;

    /// <summary>
    /// Standard deviations in units of what the quartiles say, above which far-out values rule a feature: 1 for normal values, 1.6 for
    /// exponential ones.
    /// </summary>
    private const double HeavyTail = 4;

    private static InputScaling Choose(double[] mean, double[] deviation, Func<int, float[]> sorted, bool inUnitInterval)
    {
        double smallest = double.PositiveInfinity, largest = 0;
        foreach (double value in deviation.Where(value => value > 0))
            (smallest, largest) = (Math.Min(smallest, value), Math.Max(largest, value));
        // Grey levels: some may hardly vary, as pixels at a border, but most do. A few columns of shares are no picture.
        if (inUnitInterval && largest >= SmallestDeviation && IsPicture(deviation, largest))
            return InputScaling.None;
        bool moderate = mean.All(value => Math.Abs(value) <= LargestMean)
            && (largest == 0 || smallest >= SmallestDeviation && largest <= LargestDeviation && largest <= LargestRatio * smallest);
        if (moderate)
            return InputScaling.None;
        for (int j = 0; j < mean.Length; j++)
        {
            // Where the quartiles coincide, as those of one-hot slots do, they say nothing of the tails.
            float[] column = sorted(j);
            double spread = (Quantile(column, 0.75) - Quantile(column, 0.25)) / 1.349;
            if (spread > 0 && deviation[j] > HeavyTail * spread)
                return InputScaling.RobustAsinh;
        }
        return InputScaling.Standardize;
    }

    /// <summary>Whether features are so many, and so many of like spread, that those which hardly vary may be pixels at a border.</summary>
    /// <param name="deviation">Standard deviation of each feature.</param>
    /// <param name="largest">The largest of them.</param>
    internal static bool IsPicture(double[] deviation, double largest) =>
        deviation.Length >= FewestPixels && deviation.Count(value => value * LargestRatio >= largest) * 4 >= deviation.Count(value => value > 0) * 3;

    private static float[] SortedColumn(ReadOnlySpan<float> data, int features, int feature)
    {
        var column = new float[data.Length / features];
        for (int i = 0; i < column.Length; i++)
            column[i] = data[i * features + feature];
        Array.Sort(column);
        return column;
    }

    private static InputScale Standardize(ReadOnlySpan<float> data, int features)
    {
        var (mean, deviation) = Moments(data, features);
        return Standardize(mean, deviation);
    }

    /// <summary>From mean and population standard deviation of each feature.</summary>
    public static InputScale Standardize(double[] mean, double[] deviation) =>
        new(InputScaling.Standardize, [.. mean.Select(value => (float)value)], [.. deviation.Select(Inverse)]);

    private static InputScale Robust(ReadOnlySpan<float> data, int features)
    {
        var (_, deviation) = Moments(data, features);
        var offset = new float[features];
        var factor = new float[features];
        for (int j = 0; j < features; j++)
        {
            var column = SortedColumn(data, features, j);
            offset[j] = (float)Quantile(column, 0.5);
            double spread = (Quantile(column, 0.75) - Quantile(column, 0.25)) / 1.349;
            factor[j] = Inverse(Math.Max(spread, 0.1 * deviation[j]));
        }
        return new(InputScaling.RobustAsinh, offset, factor);
    }

    /// <summary>A constant feature is only centred.</summary>
    private static float Inverse(double scale) => (float)(1 / scale) is var inverse && float.IsFinite(inverse) && scale > 0 ? inverse : 1;

    /// <summary>Quantile of sorted values, linear between neighbours.</summary>
    internal static double Quantile(ReadOnlySpan<float> sorted, double q)
    {
        double at = q * (sorted.Length - 1);
        int low = (int)at;
        return low + 1 < sorted.Length ? sorted[low] + (at - low) * ((double)sorted[low + 1] - sorted[low]) : sorted[low];
    }

    /// <summary>
    /// Mean and population standard deviation of each feature, in two passes for accuracy and as differences from the first row, so that
    /// those of a constant are exact: a deviation of rounding errors would be taken for a scale.
    /// </summary>
    private static (double[] Mean, double[] Deviation) Moments(ReadOnlySpan<float> data, int features)
    {
        int rows = data.Length / features;
        var mean = new double[features];
        var deviation = new double[features];
        for (int i = 0; i < data.Length; i++)
            mean[i % features] += (double)data[i] - data[i % features];
        for (int j = 0; j < features; j++)
            mean[j] = data[j] + mean[j] / rows;
        for (int i = 0; i < data.Length; i++)
        {
            double difference = data[i] - mean[i % features];
            deviation[i % features] += difference * difference;
        }
        for (int j = 0; j < features; j++)
            deviation[j] = Math.Sqrt(deviation[j] / rows);
        return (mean, deviation);
    }
}
