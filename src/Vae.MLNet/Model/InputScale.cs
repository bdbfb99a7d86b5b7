using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Vae.MLNet.Model;

/// <summary>The constants of a scaling of the features: scaled = f((x - offset) · factor), with f the identity or asinh.</summary>
internal sealed record InputScale(InputScaling Kind, float[] Offset, float[] Factor)
{
    public static InputScale None { get; } = new(InputScaling.None, [], []);

    /// <summary>The scaled rows; the rows themselves without a scaling.</summary>
    public Tensor Apply(Tensor features)
    {
        if (Kind == InputScaling.None)
            return features;
        var linear = (features - tensor(Offset, device: features.device)) * tensor(Factor, device: features.device);
        return Kind == InputScaling.RobustAsinh ? linear.asinh_() : linear;
    }

    /// <summary>Takes the constants from rows of data.</summary>
    public static InputScale Fit(InputScaling kind, ReadOnlySpan<float> data, int features) => kind switch
    {
        InputScaling.None => None,
        InputScaling.Standardize => Standardize(data, features),
        InputScaling.RobustAsinh => Robust(data, features),
        _ => throw Check.OutOfRange(nameof(kind), kind, "a known scaling"),
    };

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
        int rows = data.Length / features;
        var offset = new float[features];
        var factor = new float[features];
        var column = new float[rows];
        for (int j = 0; j < features; j++)
        {
            for (int i = 0; i < rows; i++)
                column[i] = data[i * features + j];
            Array.Sort(column);
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

    /// <summary>Mean and population standard deviation of each feature, in two passes for accuracy.</summary>
    private static (double[] Mean, double[] Deviation) Moments(ReadOnlySpan<float> data, int features)
    {
        int rows = data.Length / features;
        var mean = new double[features];
        var deviation = new double[features];
        for (int i = 0; i < data.Length; i++)
            mean[i % features] += data[i];
        for (int j = 0; j < features; j++)
            mean[j] /= rows;
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
