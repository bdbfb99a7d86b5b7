using Vae.MLNet.Model;


namespace Vae.MLNet.Anomaly;

/// <summary>The marginal term: how far out each scaled feature is by itself, in units of its own spread above and below the median.</summary>
/// <param name="Upper">Distance from the median, which is zero, to the 84 % quantile of each scaled feature: one standard deviation of a normal one; at least <see cref="SmallestSpread"/>.</param>
/// <param name="Lower">The same to the 16 % quantile.</param>
/// <param name="Weight">Factor that brings the term to the reconstruction term's spread over the training rows.</param>
internal sealed record AnomalyMarginal(float[] Upper, float[] Lower, float Weight)
{
    /// <summary>
    /// The bulk of a scaled feature has spread one. A column that hardly ever leaves its median has none: its rare values are taken for far out, not for
    /// infinitely far.
    /// </summary>
    public const float SmallestSpread = 0.5f;

    /// <summary>Neither term is to vanish where one of them hardly differs between rows.</summary>
    public const float LargestWeight = 10;

    private const double Upside = 0.8413447460685429;

    /// <param name="scaled">Scaled rows.</param>
    /// <param name="features">Numbers in a row.</param>
    /// <param name="reconstruction">Reconstruction term of each row; empty leaves the weight at one.</param>
    /// <param name="rarity">Features whose values are worth their rarity.</param>
    public static AnomalyMarginal From(ReadOnlySpan<float> scaled, int features, ReadOnlySpan<float> reconstruction, AnomalyRarity? rarity = null)
    {
        int rows = scaled.Length / features;
        var (upper, lower) = (new float[features], new float[features]);
        var column = new float[rows];
        for (int j = 0; j < features; j++)
        {
            for (int i = 0; i < rows; i++)
                column[i] = scaled[i * features + j];
            Array.Sort(column);
            upper[j] = Math.Max(SmallestSpread, (float)InputScale.Quantile(column, Upside));
            lower[j] = Math.Max(SmallestSpread, (float)-InputScale.Quantile(column, 1 - Upside));
        }
        var marginal = new AnomalyMarginal(upper, lower, 1);
        if (reconstruction.IsEmpty)
            return marginal;
        var terms = new float[rows];
        for (int i = 0; i < rows; i++)
            terms[i] = marginal.Term(scaled.Slice(i * features, features), rarity);
        double ratio = Range(reconstruction.ToArray()) / Range(terms);
        return marginal with { Weight = double.IsFinite(ratio) ? (float)Math.Clamp(ratio, 1 / LargestWeight, LargestWeight) : 1 };
    }

    /// <summary>2 Σ log(1 + t² / 3) of a scaled row, without the weight; rarities where features have them.</summary>
    public float Term(ReadOnlySpan<float> scaled, AnomalyRarity? rarity = null)
    {
        int[]? places = rarity?.Places(scaled.Length);
        double sum = 0;
        for (int j = 0; j < scaled.Length; j++)
        {
            if (places is not null && places[j] >= 0)
            {
                sum += rarity!.Count(places[j], scaled[j]);
                continue;
            }
            double t = scaled[j] / (scaled[j] > 0 ? Upper[j] : Lower[j]);
            sum += 2 * Math.Log(1 + t * t / 3);
        }
        return (float)sum;
    }

    /// <summary>Distance between the quartiles.</summary>
    private static double Range(float[] values)
    {
        Array.Sort(values);
        return InputScale.Quantile(values, 0.75) - InputScale.Quantile(values, 0.25);
    }
}
