namespace BeadSpringPolymer.Simulation;

/// <summary>Lays out a chain before it is equilibrated.</summary>
internal static class ChainLayout
{
    private const int TriesPerBead = 50;
    private const int TriesPerChain = 1000;

    /// <summary>
    /// Writes a start to <paramref name="positions"/> (x0, y0, x1, y1, ...). A self-avoiding walk keeps beads two or more apart at least sigma away from each other;
    /// where none is found, which takes a sigma near the bond length, the chain is a rod.
    /// </summary>
    public static void Fill(BeadSpringOptions options, ref SplitMix64 random, Span<double> positions)
    {
        if (options.Start == ChainStart.SelfAvoidingWalk)
        {
            for (int attempt = 0; attempt < TriesPerChain; attempt++)
            {
                if (TryWalk(options, ref random, positions))
                    return;
            }
        }
        for (int i = 0; i < positions.Length; i += 2)
            (positions[i], positions[i + 1]) = (i / 2 * options.BondLength, 0);
    }

    private static bool TryWalk(BeadSpringOptions options, ref SplitMix64 random, Span<double> positions)
    {
        double closest2 = options.LennardJonesEpsilon > 0 ? options.LennardJonesSigma * options.LennardJonesSigma : 0;
        double direction = 2 * Math.PI * random.NextDouble();
        (positions[0], positions[1]) = (0, 0);
        for (int i = 2; i < positions.Length; i += 2)
        {
            bool placed = false;
            for (int attempt = 0; attempt < TriesPerBead && !placed; attempt++)
            {
                double angle = direction + (i > 2 ? TurningAngle(options, ref random) : 0);
                double length = BondLength(options, ref random);
                positions[i] = positions[i - 2] + length * Math.Cos(angle);
                positions[i + 1] = positions[i - 1] + length * Math.Sin(angle);
                placed = IsFree(positions[..(i + 2)], closest2);
                if (placed)
                    direction = angle;
            }
            if (!placed)
                return false;
        }
        return true;
    }

    private static bool IsFree(ReadOnlySpan<double> positions, double closest2)
    {
        double x = positions[^2], y = positions[^1];
        for (int j = 0; j < positions.Length - 4; j += 2)
        {
            double dx = positions[j] - x, dy = positions[j + 1] - y;
            if (dx * dx + dy * dy < closest2)
                return false;
        }
        return true;
    }

    // Uniform where bending is free; a normal deviate beyond +-pi is drawn again.
    private static double TurningAngle(BeadSpringOptions options, ref SplitMix64 random)
    {
        double deviation = Math.Sqrt(options.Temperature / options.BendingStiffness);
        if (deviation > 10)
            return Math.PI * (2 * random.NextDouble() - 1);
        while (true)
        {
            double angle = deviation * random.NextGaussian();
            if (Math.Abs(angle) <= Math.PI)
                return angle;
        }
    }

    private static double BondLength(BeadSpringOptions options, ref SplitMix64 random)
    {
        double deviation = Math.Sqrt(options.Temperature / Math.Max(options.BondStiffness, options.Temperature));
        while (true)
        {
            double length = options.BondLength + deviation * random.NextGaussian();
            if (length > 0)
                return length;
        }
    }
}
