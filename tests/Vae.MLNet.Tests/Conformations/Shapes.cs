using CsCheck;

namespace Vae.MLNet.Tests.Conformations;

/// <summary>A conformation for tests, with what it is called.</summary>
internal sealed record Shape(string Kind, int Dimensions, double[] Coordinates)
{
    public int Beads => Coordinates.Length / Dimensions;

    public float[] Floats => [.. Coordinates.Select(x => (float)x)];

    /// <summary>The root-mean-square distance from the centre.</summary>
    public double Size
    {
        get
        {
            double sum = 0;
            for (int d = 0; d < Dimensions; d++)
            {
                double mean = Enumerable.Range(0, Beads).Average(i => Coordinates[i * Dimensions + d]);
                sum += Enumerable.Range(0, Beads).Sum(i => Math.Pow(Coordinates[i * Dimensions + d] - mean, 2));
            }
            return Math.Sqrt(sum / Beads);
        }
    }

    /// <summary>Rotated (by a matrix in row-major order) and moved.</summary>
    public Shape Moved(double[] rotation, double[] shift)
    {
        var moved = new double[Coordinates.Length];
        for (int i = 0; i < Beads; i++)
        {
            for (int d = 0; d < Dimensions; d++)
            {
                double x = shift[d];
                for (int e = 0; e < Dimensions; e++)
                    x += rotation[d * Dimensions + e] * Coordinates[i * Dimensions + e];
                moved[i * Dimensions + d] = x;
            }
        }
        return this with { Coordinates = moved };
    }

    public Shape Mirrored() => this with { Coordinates = [.. Coordinates.Select((x, i) => i % Dimensions == 0 ? -x : x)] };

    public Shape Reversed() => this with { Coordinates = [.. Enumerable.Range(0, Beads).Reverse().SelectMany(i => Coordinates.Skip(i * Dimensions).Take(Dimensions))] };

    public Shape Noisy(Random random, double amount) =>
        this with { Coordinates = [.. Coordinates.Select(x => x + amount * (2 * random.NextDouble() - 1))] };
}

/// <summary>Random and degenerate shapes.</summary>
internal static class Shapes
{
    /// <summary>Shapes of all kinds: random ones, those with equal eigenvalues or vanishing third moments, and ones a little off.</summary>
    public static Gen<Shape> Any(int dimensions) =>
        from kind in Gen.Int[0, 13]
        from seed in Gen.Int[0, int.MaxValue - 1]
        select Make(dimensions, kind, new Random(seed));

    private static Shape Make(int dimensions, int kind, Random random)
    {
        int beads = random.Next(3, 20);
        switch (kind)
        {
            case 0:
                return new("cloud", dimensions, Cloud(dimensions, beads, random));
            case 1:
                return new("walk", dimensions, Walk(dimensions, beads, random));
            case 2:
                return new("point", dimensions, [.. Enumerable.Repeat(Direction(dimensions, random), beads).SelectMany(x => x)]);
            case 3:
                return new("pair", dimensions, [.. Direction(dimensions, random), .. Direction(dimensions, random)]);
            case 4:
                return new("one bead", dimensions, Direction(dimensions, random));
            case 5:
                double[] along = Direction(dimensions, random);
                return new("line", dimensions, [.. Enumerable.Range(0, beads).SelectMany(_ => Scaled(along, Normal(random)))]);
            case 6:
                along = Direction(dimensions, random);
                return new("even rod", dimensions, [.. Enumerable.Range(0, beads).SelectMany(i => Scaled(along, i))]);
            case 7:
                return new("regular polygon", dimensions, Polygon(dimensions, beads));
            case 8:
                // Every bead has its opposite, at the other end of the chain: all odd moments vanish.
                double[] half = Cloud(dimensions, beads / 2 + 1, random);
                return new("point-symmetric", dimensions, [.. half, .. new Shape("", dimensions, half).Reversed().Coordinates.Select(x => -x)]);
            case 9:
                // The chain folded back on itself: moments with antisymmetric weights vanish.
                half = Cloud(dimensions, beads / 2 + 1, random);
                return new("palindrome", dimensions, [.. half, .. new Shape("", dimensions, half).Reversed().Coordinates]);
            case 10:
                // Corners of a square, cube, or a double pyramid.
                return new("corners", dimensions, dimensions == 2
                    ? [1, 1, -1, 1, -1, -1, 1, -1]
                    : random.Next(3) switch
                    {
                        0 => [1, 1, 1, -1, 1, 1, -1, -1, 1, 1, -1, 1, 1, 1, -1, -1, 1, -1, -1, -1, -1, 1, -1, -1],
                        1 => [1, 1, 1, 1, -1, -1, -1, 1, -1, -1, -1, 1],
                        _ => [1, 0, 0, 0, 1, 0, -1, 0, 0, 0, -1, 0, 0, 0, 2, 0, 0, -2],
                    });
            case 11:
                var symmetric = Make(dimensions, random.Next(7, 11), random);
                return symmetric.Noisy(random, Math.Pow(10, -1 - 8 * random.NextDouble())) with { Kind = "almost " + symmetric.Kind };
            case 12:
                // Thin to needle-like.
                double thin = Math.Pow(10, -7 * random.NextDouble());
                return new("thin", dimensions, [.. Cloud(dimensions, beads, random).Select((x, i) => i % dimensions == 0 ? x : x * thin)]);
            default:
                var scaled = Make(dimensions, random.Next(0, 2), random);
                double factor = Math.Pow(10, 40 * random.NextDouble() - 20);
                return scaled with { Kind = "scaled " + scaled.Kind, Coordinates = Scaled(scaled.Coordinates, factor) };
        }
    }

    public static double[] Cloud(int dimensions, int beads, Random random) => [.. Enumerable.Range(0, beads * dimensions).Select(_ => Normal(random))];

    public static double[] Walk(int dimensions, int beads, Random random)
    {
        var walk = new double[beads * dimensions];
        for (int i = 1; i < beads; i++)
        {
            double[] step = Direction(dimensions, random);
            for (int d = 0; d < dimensions; d++)
                walk[i * dimensions + d] = walk[(i - 1) * dimensions + d] + step[d];
        }
        return walk;
    }

    private static double[] Polygon(int dimensions, int beads) => [.. Enumerable.Range(0, beads).SelectMany<int, double>(i => dimensions == 2
        ? [Math.Cos(2 * Math.PI * i / beads), Math.Sin(2 * Math.PI * i / beads)]
        : [Math.Cos(2 * Math.PI * i / beads), Math.Sin(2 * Math.PI * i / beads), 0])];

    private static double[] Scaled(double[] x, double factor) => [.. x.Select(value => value * factor)];

    public static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    public static double[] Direction(int dimensions, Random random)
    {
        double[] x = Cloud(dimensions, 1, random);
        return Scaled(x, 1 / Math.Sqrt(x.Sum(value => value * value)));
    }

    /// <summary>A random rotation matrix, row-major: a turn in the plane, or a unit quaternion's.</summary>
    public static double[] Rotation(int dimensions, Random random)
    {
        if (dimensions == 2)
        {
            double angle = 2 * Math.PI * random.NextDouble();
            return [Math.Cos(angle), -Math.Sin(angle), Math.Sin(angle), Math.Cos(angle)];
        }
        double[] q = Direction(4, random);
        double w = q[0], x = q[1], y = q[2], z = q[3];
        return
        [
            1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
        ];
    }
}
