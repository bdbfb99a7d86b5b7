namespace Vae.MLNet.Model;

/// <summary>
/// Which rows of a batch are left out of its gradient: those with the largest loss, by <see cref="VaeTrainer.Options.TrimmedFraction"/>.
/// </summary>
internal static class RowTrimming
{
    /// <summary>How many of a number of rows stay.</summary>
    public static int Kept(int rows, float fraction) => Math.Max(1, rows - (int)(rows * fraction));

    /// <summary>
    /// Shares of weighted rows after trimming; they add up to one. What is left out is a share of the weight, not of the rows: a row of
    /// weight two is two rows, one of weight zero none, and the row at the cut keeps the rest of its weight. By rows, the least
    /// difference between two losses at the cut, rounding included, would exchange a heavy row for a light one.
    /// </summary>
    /// <param name="losses">Loss of each row.</param>
    /// <param name="weights">Weight of each row.</param>
    /// <param name="fraction">Share of the weight to leave out.</param>
    public static float[] Shares(float[] losses, float[] weights, float fraction)
    {
        int rows = weights.Count(weight => weight > 0);
        double total = weights.Sum(weight => (double)weight);
        // Where there is nothing to choose from, nothing is trimmed.
        if (rows == 0 || !double.IsFinite(total))
            return weights;
        double kept = total * Kept(rows, fraction) / rows, left = kept;
        int[] order = [.. Enumerable.Range(0, losses.Length)];
        // What is no number counts as worst, as for unweighted rows.
        Array.Sort(order, (a, b) => (float.IsNaN(losses[a]), losses[a], a).CompareTo((float.IsNaN(losses[b]), losses[b], b)));
        var shares = new float[weights.Length];
        foreach (int i in order)
        {
            double taken = Math.Min(left, weights[i]);
            shares[i] = (float)(taken / kept);
            left -= taken;
        }
        return shares;
    }
}
