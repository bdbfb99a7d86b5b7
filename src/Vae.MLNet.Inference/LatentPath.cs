namespace Vae.MLNet.Inference;

/// <summary>The points of an interpolation.</summary>
internal static class LatentPath
{
    /// <summary>Below this sine of the angle two directions count as the same or as opposite; above it the formula loses few digits.</summary>
    private const double Parallel = 1e-6;

    public static void Fill(Span<float> latents, ReadOnlySpan<float> from, ReadOnlySpan<float> to, int steps, InterpolationMode mode)
    {
        int size = from.Length;
        double fromLength = Length(from), toLength = Length(to), angle = 0, sine = 0;
        bool turn = mode == InterpolationMode.Spherical && fromLength > 0 && toLength > 0;
        if (turn)
        {
            // By the half-angle formula, which keeps its digits where the cosine has none (Kahan).
            double difference = 0, sum = 0;
            for (int i = 0; i < size; i++)
            {
                double u = from[i] / fromLength, v = to[i] / toLength;
                difference += (u - v) * (u - v);
                sum += (u + v) * (u + v);
            }
            angle = 2 * Math.Atan2(Math.Sqrt(difference), Math.Sqrt(sum));
            sine = Math.Sin(angle);
            turn = sine > Parallel;
            if (!turn && angle > 1)
            {
                throw new ArgumentException(
                    "The two latents point in opposite directions, between which there are many great circles; interpolate by way of a third latent or linearly.", nameof(to));
            }
        }
        for (int step = 0; step < steps; step++)
        {
            double t = (double)step / (steps - 1), a = 1 - t, b = t;
            if (turn)
            {
                double length = a * fromLength + b * toLength;
                a = length * Math.Sin((1 - t) * angle) / (sine * fromLength);
                b = length * Math.Sin(t * angle) / (sine * toLength);
            }
            var point = latents.Slice(step * size, size);
            for (int i = 0; i < size; i++)
                point[i] = (float)(a * from[i] + b * to[i]);
        }
        // The ends are exactly what was given.
        from.CopyTo(latents);
        to.CopyTo(latents[((steps - 1) * size)..]);
    }

    private static double Length(ReadOnlySpan<float> vector)
    {
        double sum = 0;
        foreach (float value in vector)
            sum += (double)value * value;
        return Math.Sqrt(sum);
    }
}
