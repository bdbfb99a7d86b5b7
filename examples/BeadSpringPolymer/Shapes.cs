namespace BeadSpringPolymer;

/// <summary>Distances within conformations of a chain in the plane, [beads · 2] numbers each.</summary>
internal static class Shapes
{
    public const int Dimensions = 2;

    public static double RadiusOfGyration(ReadOnlySpan<float> shape)
    {
        int beads = shape.Length / Dimensions;
        double x = 0, y = 0, squares = 0;
        for (int i = 0; i < beads; i++)
        {
            x += shape[2 * i];
            y += shape[2 * i + 1];
        }
        x /= beads;
        y /= beads;
        for (int i = 0; i < beads; i++)
            squares += (shape[2 * i] - x) * (shape[2 * i] - x) + (shape[2 * i + 1] - y) * (shape[2 * i + 1] - y);
        return Math.Sqrt(squares / beads);
    }

    public static double EndToEnd(ReadOnlySpan<float> shape) => Distance(shape, 0, shape.Length / Dimensions - 1);

    public static double Distance(ReadOnlySpan<float> shape, int i, int j) =>
        Math.Sqrt((shape[2 * i] - shape[2 * j]) * (shape[2 * i] - shape[2 * j]) + (shape[2 * i + 1] - shape[2 * j + 1]) * (shape[2 * i + 1] - shape[2 * j + 1]));

    public static IEnumerable<double> Bonds(float[] shape) => Enumerable.Range(0, shape.Length / Dimensions - 1).Select(i => Distance(shape, i, i + 1));

    public static IEnumerable<double> NonBonded(float[] shape)
    {
        int beads = shape.Length / Dimensions;
        for (int i = 0; i < beads; i++)
        {
            for (int j = i + 2; j < beads; j++)
                yield return Distance(shape, i, j);
        }
    }

    /// <summary>Quantile of sorted values, linear between neighbours.</summary>
    public static double Quantile(double[] sorted, double q)
    {
        double at = q * (sorted.Length - 1);
        int low = (int)at;
        return low + 1 < sorted.Length ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
    }
}

/// <summary>
/// What counts as physical: every bond length and every non-bonded distance of a shape within the 0.1 and 99.9 percentiles of the training shapes' bond lengths and
/// non-bonded distances.
/// </summary>
internal sealed record PhysicalRanges(double BondMinimum, double BondMaximum, double NonBondedMinimum, double NonBondedMaximum)
{
    public static PhysicalRanges Of(IReadOnlyList<float[]> shapes)
    {
        double[] bonds = [.. shapes.SelectMany(Shapes.Bonds)], others = [.. shapes.SelectMany(Shapes.NonBonded)];
        Array.Sort(bonds);
        Array.Sort(others);
        return new(Shapes.Quantile(bonds, 0.001), Shapes.Quantile(bonds, 0.999), Shapes.Quantile(others, 0.001), Shapes.Quantile(others, 0.999));
    }

    public bool IsPhysical(float[] shape) =>
        Shapes.Bonds(shape).All(length => length >= BondMinimum && length <= BondMaximum) &&
        Shapes.NonBonded(shape).All(distance => distance >= NonBondedMinimum && distance <= NonBondedMaximum);

    public double Share(IEnumerable<float[]> shapes) => shapes.Average(shape => IsPhysical(shape) ? 1.0 : 0.0);
}

/// <summary>Nearest-neighbour regression: does a place in the latent space tell a property?</summary>
internal static class NearestNeighbours
{
    /// <summary>R² of the mean of the nearest neighbours' values on held-out points.</summary>
    public static double RSquared(IReadOnlyList<float[]> points, IReadOnlyList<double> values, IReadOnlyList<float[]> held, IReadOnlyList<double> truth, int neighbours = 10)
    {
        var predicted = new double[held.Count];
        Parallel.For(0, held.Count, i =>
        {
            var best = new PriorityQueue<int, double>();
            for (int j = 0; j < points.Count; j++)
            {
                double distance = 0;
                for (int d = 0; d < points[j].Length; d++)
                    distance += (points[j][d] - held[i][d]) * (double)(points[j][d] - held[i][d]);
                // The queue gives the smallest priority first: of the negative distance, the farthest.
                if (best.Count < neighbours)
                    best.Enqueue(j, -distance);
                else
                    best.EnqueueDequeue(j, -distance);
            }
            predicted[i] = best.UnorderedItems.Average(item => values[item.Element]);
        });
        double mean = truth.Average();
        return 1 - predicted.Zip(truth, (p, t) => (p - t) * (p - t)).Sum() / truth.Sum(t => (t - mean) * (t - mean));
    }
}
