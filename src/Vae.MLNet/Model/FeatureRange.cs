namespace Vae.MLNet.Model;

/// <summary>Where nearly all training values of each feature lie, in units of the data: what a bar or an axis for it has to show.</summary>
internal sealed record FeatureRange(float[] Low, float[] High)
{
    private const double Tail = 0.01;

    /// <summary>An even sample does: a range is for the eye, and sorting all of a million rows is not free.</summary>
    private const int MostRows = 10_000;

    /// <summary>Rows wider than this get no range, which would make up much of a file.</summary>
    private const int MostFeatures = 16_384;

    /// <summary>Quantiles 0.01 and 0.99 of each feature, linear between neighbours; null for very wide rows.</summary>
    /// <param name="data">Finite numbers, row by row.</param>
    /// <param name="features">Numbers in a row.</param>
    public static FeatureRange? Of(ReadOnlySpan<float> data, int features)
    {
        int rows = data.Length / features, taken = Math.Min(rows, MostRows);
        if (taken == 0 || features > MostFeatures)
            return null;
        float[] low = new float[features], high = new float[features], column = new float[taken];
        for (int j = 0; j < features; j++)
        {
            for (int i = 0; i < taken; i++)
                column[i] = data[(int)((long)i * rows / taken) * features + j];
            Array.Sort(column);
            low[j] = (float)InputScale.Quantile(column, Tail);
            high[j] = (float)InputScale.Quantile(column, 1 - Tail);
        }
        return new(low, high);
    }
}
