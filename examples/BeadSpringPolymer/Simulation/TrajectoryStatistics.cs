namespace BeadSpringPolymer.Simulation;

/// <summary>What tells whether a trajectory covers the chain's shapes and its frames are independent.</summary>
/// <param name="RadiusOfGyration">Of every frame.</param>
/// <param name="MeanRadiusOfGyration">Mean over frames.</param>
/// <param name="DeviationRadiusOfGyration">Standard deviation over frames.</param>
/// <param name="MinimumRadiusOfGyration">Smallest of all frames.</param>
/// <param name="MaximumRadiusOfGyration">Largest of all frames.</param>
/// <param name="Autocorrelation">Correlation of the radius of gyration between a frame and the next one of the same chain; NaN where chains have one frame.</param>
/// <param name="MeanBondLength">Mean over frames and bonds.</param>
public sealed record TrajectoryStatistics(
    float[] RadiusOfGyration,
    double MeanRadiusOfGyration,
    double DeviationRadiusOfGyration,
    double MinimumRadiusOfGyration,
    double MaximumRadiusOfGyration,
    double Autocorrelation,
    double MeanBondLength)
{
    /// <summary>Computes them all.</summary>
    /// <exception cref="ArgumentException">There are no frames.</exception>
    public static TrajectoryStatistics Of(Trajectory trajectory)
    {
        ArgumentNullException.ThrowIfNull(trajectory);
        if (trajectory.Count == 0)
            throw new ArgumentException("The trajectory has no frames.", nameof(trajectory));

        var radii = new float[trajectory.Count];
        double bonds = 0;
        for (int f = 0; f < radii.Length; f++)
        {
            ReadOnlySpan<float> frame = trajectory.Frame(f);
            radii[f] = (float)Radius(frame);
            for (int i = 2; i < frame.Length; i += 2)
                bonds += double.Hypot(frame[i] - frame[i - 2], frame[i + 1] - frame[i - 1]);
        }

        double mean = radii.Average(r => (double)r);
        double variance = radii.Average(r => (r - mean) * (r - mean));
        double product = 0;
        int pairs = 0;
        for (int f = 0; f + 1 < radii.Length; f++)
        {
            if ((f + 1) % trajectory.FramesPerChain == 0)
                continue;
            product += (radii[f] - mean) * (radii[f + 1] - mean);
            pairs++;
        }
        return new TrajectoryStatistics(radii, mean, Math.Sqrt(variance), radii.Min(), radii.Max(),
            pairs == 0 ? double.NaN : product / pairs / variance, bonds / ((double)radii.Length * (trajectory.Beads - 1)));
    }

    /// <summary>Root mean square distance of the beads from their mean; <paramref name="frame"/> is x0, y0, x1, y1, ...</summary>
    public static double Radius(ReadOnlySpan<float> frame)
    {
        double x = 0, y = 0;
        for (int i = 0; i < frame.Length; i += 2)
        {
            x += frame[i];
            y += frame[i + 1];
        }
        int beads = frame.Length / 2;
        x /= beads;
        y /= beads;
        double sum = 0;
        for (int i = 0; i < frame.Length; i += 2)
            sum += (frame[i] - x) * (frame[i] - x) + (frame[i + 1] - y) * (frame[i + 1] - y);
        return Math.Sqrt(sum / beads);
    }
}
