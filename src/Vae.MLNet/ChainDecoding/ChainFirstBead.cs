namespace Vae.MLNet.ChainDecoding;

/// <summary>
/// Where the first bead lies beside the mean shape's, given the latent vector: as in a frame whose latent vector is near, chosen by its
/// nearness, and a little beside it. All later beads are drawn beside the mean shape, so an offset of the wrong size or direction shows in
/// all of them.
/// </summary>
/// <param name="Latents">Latent vectors of some frames, in units of <see cref="Scale"/>, [frames, latent].</param>
/// <param name="Offsets">Their first beads, less the mean shapes', [frames, dimensions].</param>
/// <param name="Scale">What a latent vector is multiplied by, [latent]: nearness is normal in these units.</param>
/// <param name="Root">A lower triangular root of the covariance of what is added, [dimensions, dimensions].</param>
internal sealed record ChainFirstBead(float[] Latents, float[] Offsets, float[] Scale, float[] Root)
{
    /// <summary>Frames that are kept, and others that the widths are chosen by.</summary>
    private const int MostFrames = 1024, MostHeld = 512;

    /// <summary>Widths that are tried, as shares of the standard deviations.</summary>
    private static readonly double[] LatentWidths = [0.03, 0.06, 0.12, 0.25, 0.5, 1, 4, 1000], OffsetWidths = [0.05, 0.1, 0.2, 0.4, 0.7, 1];

    public int Frames => Latents.Length / Scale.Length;

    /// <param name="draws">Draws of the posterior, [rows, latent], in an order of chance.</param>
    /// <param name="offsets">The first beads less the mean shapes', [rows, dimensions].</param>
    /// <param name="latent">Numbers in a latent vector.</param>
    /// <param name="dimensions">Coordinates of a bead.</param>
    public static ChainFirstBead Fit(float[] draws, float[] offsets, int latent, int dimensions)
    {
        int rows = draws.Length / latent, frames = Math.Min(MostFrames, (rows + 1) / 2), held = Math.Min(MostHeld, rows - frames);
        double[] deviation = new double[latent];
        for (int k = 0; k < latent; k++)
        {
            double mean = Enumerable.Range(0, rows).Average(row => draws[row * latent + k]);
            deviation[k] = Math.Sqrt(Enumerable.Range(0, rows).Average(row => Math.Pow(draws[row * latent + k] - mean, 2)));
        }
        double[,] root = Covariance(offsets, dimensions);
        var best = (Loss: double.PositiveInfinity, Latent: LatentWidths[^1], Offset: OffsetWidths[^1]);
        double[] nearness = new double[frames * held], misfit = new double[frames * held];
        for (int h = 0; h < held; h++)
        {
            for (int f = 0; f < frames; f++)
            {
                double sum = 0;
                for (int k = 0; k < latent; k++)
                {
                    double difference = (draws[(frames + h) * latent + k] - draws[f * latent + k]) / Math.Max(deviation[k], 1e-12);
                    sum += difference * difference;
                }
                nearness[h * frames + f] = sum;
                misfit[h * frames + f] = Solve(root, offsets.AsSpan((frames + h) * dimensions), offsets.AsSpan(f * dimensions), dimensions);
            }
        }
        foreach (double wide in LatentWidths)
        {
            double[] weights = new double[frames];
            double[] losses = new double[OffsetWidths.Length];
            for (int h = 0; h < held; h++)
            {
                var own = nearness.AsSpan(h * frames, frames);
                double least = double.PositiveInfinity, total = 0;
                foreach (double square in own)
                    least = Math.Min(least, square);
                for (int f = 0; f < frames; f++)
                    total += weights[f] = Math.Exp(-0.5 * (own[f] - least) / (wide * wide));
                for (int w = 0; w < losses.Length; w++)
                {
                    double width = OffsetWidths[w], density = 0;
                    for (int f = 0; f < frames; f++)
                        density += weights[f] * Math.Exp(-0.5 * misfit[h * frames + f] / (width * width));
                    losses[w] -= Math.Log(density / total + 1e-300) - dimensions * Math.Log(width);
                }
            }
            for (int w = 0; w < losses.Length; w++)
            {
                if (losses[w] < best.Loss)
                    best = (losses[w], wide, OffsetWidths[w]);
            }
        }
        float[] scale = [.. deviation.Select(value => (float)(1 / (best.Latent * Math.Max(value, 1e-12))))];
        float[] latents = draws[..(frames * latent)];
        for (int i = 0; i < latents.Length; i++)
            latents[i] *= scale[i % latent];
        return new(latents, offsets[..(frames * dimensions)], scale, [.. root.Cast<double>().Select(value => (float)(best.Offset * value))]);
    }

    /// <summary>A lower triangular root of the covariance of offsets, never quite nothing.</summary>
    private static double[,] Covariance(float[] offsets, int d)
    {
        int rows = offsets.Length / d;
        double[] mean = [.. Enumerable.Range(0, d).Select(c => Enumerable.Range(0, rows).Average(row => (double)offsets[row * d + c]))];
        double[,] covariance = new double[d, d], root = new double[d, d];
        for (int row = 0; row < rows; row++)
        {
            for (int c = 0; c < d; c++)
            {
                for (int e = 0; e <= c; e++)
                    covariance[c, e] += (offsets[row * d + c] - mean[c]) * (offsets[row * d + e] - mean[e]) / rows;
            }
        }
        double size = Enumerable.Range(0, d).Max(c => covariance[c, c]);
        for (int c = 0; c < d; c++)
        {
            for (int e = 0; e <= c; e++)
            {
                double sum = covariance[c, e];
                for (int k = 0; k < e; k++)
                    sum -= root[c, k] * root[e, k];
                root[c, e] = c == e ? Math.Sqrt(Math.Max(sum, 1e-12 * size + 1e-30)) : sum / root[e, e];
            }
        }
        return root;
    }

    /// <summary>Square of the distance of two offsets in units of the covariance.</summary>
    private static double Solve(double[,] root, ReadOnlySpan<float> first, ReadOnlySpan<float> second, int d)
    {
        Span<double> solved = stackalloc double[3];
        double square = 0;
        for (int c = 0; c < d; c++)
        {
            double sum = (double)first[c] - second[c];
            for (int e = 0; e < c; e++)
                sum -= root[c, e] * solved[e];
            solved[c] = sum / root[c, c];
            square += solved[c] * solved[c];
        }
        return square;
    }
}
