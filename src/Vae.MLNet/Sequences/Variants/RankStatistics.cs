namespace Vae.MLNet;

/// <summary>Rank statistics for scores against measurements or labels.</summary>
public static class RankStatistics
{
    /// <summary>Ranks from 1, tied values sharing the average of theirs.</summary>
    /// <param name="values">Values; none may be NaN.</param>
    /// <returns>One rank a value.</returns>
    /// <exception cref="ArgumentException">A value is NaN.</exception>
    public static double[] Ranks(ReadOnlySpan<double> values)
    {
        double[] sorted = values.ToArray();
        foreach (double value in sorted)
        {
            if (double.IsNaN(value))
                throw Check.Argument(nameof(values), "A value is not a number; it has no rank.");
        }
        int[] order = [.. Enumerable.Range(0, sorted.Length)];
        Array.Sort(sorted, order);
        var ranks = new double[sorted.Length];
        for (int start = 0, end; start < sorted.Length; start = end)
        {
            for (end = start + 1; end < sorted.Length && sorted[end] == sorted[start];)
                end++;
            for (int i = start; i < end; i++)
                ranks[order[i]] = (start + 1 + end) / 2.0;
        }
        return ranks;
    }

    /// <summary>Spearman's rank correlation: Pearson's correlation of the ranks, ties averaged.</summary>
    /// <param name="x">Values.</param>
    /// <param name="y">As many values.</param>
    /// <returns>From -1 to 1; NaN where all values of one side are equal.</returns>
    /// <exception cref="ArgumentException">There are fewer than two values, the numbers differ, or one is NaN.</exception>
    public static double Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        SameLength(x.Length, y.Length);
        return Pearson(Ranks(x), Ranks(y));
    }

    /// <summary>Pearson's correlation.</summary>
    /// <param name="x">Values.</param>
    /// <param name="y">As many values.</param>
    /// <returns>From -1 to 1; NaN where all values of one side are equal.</returns>
    /// <exception cref="ArgumentException">There are fewer than two values or the numbers differ.</exception>
    public static double Pearson(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        SameLength(x.Length, y.Length);
        double meanX = 0, meanY = 0;
        for (int i = 0; i < x.Length; i++)
        {
            meanX += x[i];
            meanY += y[i];
        }
        meanX /= x.Length;
        meanY /= x.Length;
        double xx = 0, yy = 0, xy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double dx = x[i] - meanX, dy = y[i] - meanY;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }
        return xx == 0 || yy == 0 ? double.NaN : Math.Clamp(xy / Math.Sqrt(xx * yy), -1, 1);
    }

    /// <summary>
    /// Area under the receiver operating characteristic: the probability that a positive has a higher score than a negative, ties counting one half
    /// (the Mann-Whitney U statistic over the number of pairs).
    /// </summary>
    /// <param name="scores">Scores; higher means positive.</param>
    /// <param name="positive">As many labels, of both kinds.</param>
    /// <returns>From 0 to 1.</returns>
    /// <exception cref="ArgumentException">The numbers differ, a score is NaN, or one kind of label is missing.</exception>
    public static double RocAuc(ReadOnlySpan<double> scores, ReadOnlySpan<bool> positive)
    {
        SameLength(scores.Length, positive.Length);
        double[] ranks = Ranks(scores);
        double sum = 0;
        long positives = 0;
        for (int i = 0; i < ranks.Length; i++)
        {
            if (positive[i])
            {
                sum += ranks[i];
                positives++;
            }
        }
        long negatives = ranks.Length - positives;
        if (positives == 0 || negatives == 0)
            throw Check.Argument(nameof(positive), Check.Invariant($"There are {positives} positive and {negatives} negative labels; some of both are expected."));
        return (sum - positives * (positives + 1) / 2.0) / ((double)positives * negatives);
    }

    private static void SameLength(int x, int y)
    {
        if (x != y || x < 2)
            throw new ArgumentException(Check.Invariant($"{x} and {y} values are given; the same number of at least two is expected."));
    }
}
