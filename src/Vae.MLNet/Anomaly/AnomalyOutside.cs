using Vae.MLNet.Model;

namespace Vae.MLNet.Anomaly;

/// <summary>
/// The outside term: how far each feature, as it comes, is beyond what the training rows showed. Scaling flattens what is far out; this term does
/// not, and grows without end.
/// </summary>
/// <param name="Low">Least value of each feature in the training rows.</param>
/// <param name="High">Largest value.</param>
/// <param name="LowSpan">What distances below <paramref name="Low"/> are told in: from the median to it, or the feature's spread where that is more.</param>
/// <param name="HighSpan">The same above.</param>
/// <param name="LowFence">Below this, and within the range, are single values that may be errors in the training rows themselves.</param>
/// <param name="HighFence">The same above.</param>
/// <param name="LowTail">What distances below <paramref name="LowFence"/> are told in.</param>
/// <param name="HighTail">The same above.</param>
/// <param name="Weight">What a feature counts that is one span beyond the range: somewhat more than all but a thousandth of the training rows score.</param>
internal sealed record AnomalyOutside(
    double[] Low, double[] High, double[] LowSpan, double[] HighSpan, double[] LowFence, double[] HighFence, double[] LowTail, double[] HighTail, double Weight)
{
    /// <summary>Nats for each unit of log(1 + distance / tail) beyond a fence.</summary>
    public const double FenceWeight = 8;

    /// <summary>How many times as far from the median as the hundredth furthest row on that side a value may be and count as usual.</summary>
    private const double Fence = 3;

    /// <summary>Share of the training rows that one span beyond the range outscores.</summary>
    private const double Outscored = 0.999;

    /// <param name="rows">All training rows.</param>
    /// <param name="scale">Scaling of the features.</param>
    /// <param name="sorted">Each scaled feature's values, sorted.</param>
    /// <param name="rarity">Features that have no fences: what their values are worth is counted.</param>
    /// <returns>The term with a weight of zero.</returns>
    public static AnomalyOutside Of(ReadOnlySpan<float> rows, InputScale scale, float[][] sorted, AnomalyRarity? rarity)
    {
        int features = sorted.Length;
        double[] low = new double[features], high = new double[features], lowSpan = new double[features], highSpan = new double[features];
        double[] lowFence = new double[features], highFence = new double[features], lowTail = new double[features], highTail = new double[features];
        Array.Fill(low, double.PositiveInfinity);
        Array.Fill(high, double.NegativeInfinity);
        for (int i = 0, j = 0; i < rows.Length; i++)
        {
            low[j] = Math.Min(low[j], rows[i]);
            high[j] = Math.Max(high[j], rows[i]);
            j = j + 1 == features ? 0 : j + 1;
        }
        int[]? places = rarity?.Places(features);
        for (int j = 0; j < features; j++)
        {
            double median = scale.Offset[j];
            double deciles = (Raw(j, 0.9) - Raw(j, 0.1)) / 2.563, spread = Math.Max(deciles, 1.0 / scale.Factor[j]);
            // A constant has no spread: twice its value is one span beyond.
            if (low[j] == high[j])
                spread = low[j] != 0 ? Math.Abs(low[j]) : 1;
            (lowSpan[j], highSpan[j]) = (Math.Max(spread, median - low[j]), Math.Max(spread, high[j] - median));
            (lowTail[j], highTail[j]) = (Math.Max(spread, median - Raw(j, 0.01)), Math.Max(spread, Raw(j, 0.99) - median));
            bool fenced = places is null || places[j] < 0;
            lowFence[j] = fenced ? Math.Max(low[j], median - Fence * lowTail[j]) : low[j];
            highFence[j] = fenced ? Math.Min(high[j], median + Fence * highTail[j]) : high[j];
        }
        return new(low, high, lowSpan, highSpan, lowFence, highFence, lowTail, highTail, 0);

        double Raw(int j, double share) => scale.Offset[j] + Math.Sinh(InputScale.Quantile(sorted[j], share)) / scale.Factor[j];
    }

    /// <summary>Whether any value of the training rows is beyond a fence.</summary>
    public bool HasFences => Low.Zip(LowFence).Any(pair => pair.First < pair.Second) || High.Zip(HighFence).Any(pair => pair.First > pair.Second);

    /// <summary>The same with the weight that suits the training rows' scores.</summary>
    /// <param name="scores">Scores of the training rows, sorted; what is outside counts nothing in them.</param>
    public AnomalyOutside Weighted(float[] scores) => this with { Weight = 1 + 1.02 * Math.Max(0, InputScale.Quantile(scores, Outscored)) };
}
