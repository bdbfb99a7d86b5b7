namespace Vae.MLNet.Samples;

/// <summary>The area under the ROC curve of scores: the share of pairs in which the first side's score is the larger, ties counted half.</summary>
/// <param name="Auc">The area.</param>
/// <param name="Variance">Its variance over draws of rows (DeLong, DeLong and Clarke-Pearson 1988).</param>
/// <param name="NullVariance">Its variance if both sides had one distribution, ties counted (Mann and Whitney 1947).</param>
internal readonly record struct RankTest(double Auc, double Variance, double NullVariance)
{
    public static RankTest Of(float[] first, float[] second)
    {
        float[] low = [.. second.Order()], high = [.. first.Order()];
        double[] above = [.. first.Select(score => Below(low, score))], below = [.. second.Select(score => 1 - Below(high, score))];
        double n = first.Length, m = second.Length, all = n + m;
        double ties = first.Concat(second).GroupBy(score => score).Sum(group => Math.Pow(group.LongCount(), 3) - group.LongCount());
        double nullVariance = all < 2 ? 0 : (all + 1 - ties / (all * (all - 1))) / (12 * n * m);
        return new(above.Average(), Spread(above) / n + Spread(below) / m, nullVariance);
    }

    /// <summary>The share of sorted scores below one, those equal to it counted half.</summary>
    private static double Below(float[] sorted, float score)
    {
        int from = First(sorted, score, orEqual: true), to = First(sorted, score, orEqual: false);
        return (from + to) / 2.0 / sorted.Length;
    }

    /// <summary>How many scores stand before the first that is above another, or not below it.</summary>
    private static int First(float[] sorted, float score, bool orEqual)
    {
        int low = 0, high = sorted.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (orEqual ? sorted[middle] >= score : sorted[middle] > score)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

    private static double Spread(double[] values)
    {
        double mean = values.Average();
        return values.Length < 2 ? 0 : values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1);
    }
}
