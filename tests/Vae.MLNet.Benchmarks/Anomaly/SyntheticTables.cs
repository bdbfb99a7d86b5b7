using Vae.MLNet.Model;


namespace Vae.MLNet.Benchmarks.Anomaly;

/// <summary>
/// Tables made up so that what makes a row odd is known: anomalies that are local, global, clustered or break dependencies (the four kinds of Han et al. 2022, ADBench,
/// section 3.2), on clusters, factors and curves, with heavy tails, discrete columns and columns without any information.
/// </summary>
internal static class SyntheticTables
{
    private const int Rows = 3000;

    /// <summary>All tables, the same at every call.</summary>
    public static LabelledTable[] All() =>
    [
        Make("local", 0.05, Mixture(8, 4, 1), spread: 2.5),
        Make("global", 0.05, Mixture(10, 3, 2), Box(Mixture(10, 3, 2), 1.1, 12)),
        Make("clustered", 0.05, Mixture(8, 4, 3), Shifted(Mixture(8, 4, 3), 2.2, 13)),
        Make("dependency", 0.05, Factors(12, 3, 0.3, 4, heavy: false), Shuffled(Factors(12, 3, 0.3, 4, heavy: false))),
        Make("heavy tails", 0.05, Factors(16, 4, 0.4, 5, heavy: true), Shifted(Factors(16, 4, 0.4, 5, heavy: true), 1.3, 15)),
        Make("irrelevant", 0.05, WithNoise(Mixture(6, 3, 6), 30), WithNoise(Box(Mixture(6, 3, 6), 1.0, 16), 30)),
        Make("discrete", 0.08, Counts(10, 0, 7), Counts(10, 0.8, 7)),
        Make("curved", 0.05, Curved(9, 0, 8), Curved(9, 0.6, 8)),
        Make("few features", 0.03, Skewed(4, 1, 9), Skewed(4, 2, 9)),
        Make("rare cluster", 0.02, Warped(16, 9, 0, 10), Warped(16, 9, 1, 10)),
        Make("wide", 0.1, Factors(60, 6, 0.5, 11, heavy: false), Partial(Factors(60, 6, 0.5, 11, heavy: false), 6)),
        Make("uniform scales", 0.05, Scaled(Mixture(7, 2, 14)), Scaled(Box(Mixture(7, 2, 14), 0.9, 18))),
    ];

    /// <summary>Rows by a sampler; odd ones by another, or by the same with a larger spread around the row's own centre.</summary>
    private delegate double[] Sampler(Random random, double spread);

    private static LabelledTable Make(string name, double share, Sampler ordinary, Sampler? odd = null, double spread = 1)
    {
        var random = new Random(unchecked((int)SeedStream.Mix((ulong)name.Length * 131 + name[0])));
        var labels = new bool[Rows];
        var rows = new float[Rows][];
        for (int i = 0; i < Rows; i++)
        {
            labels[i] = random.NextDouble() < share;
            rows[i] = [.. (labels[i] ? (odd ?? ordinary)(random, spread) : ordinary(random, 1)).Select(value => (float)value)];
        }
        return new(name, rows, labels);
    }

    /// <summary>Clusters of unequal size and shape.</summary>
    private static Sampler Mixture(int features, int clusters, int seed)
    {
        var shape = new Random(seed);
        var centres = Enumerable.Range(0, clusters).Select(_ => Vector(shape, features, 3)).ToArray();
        var axes = Enumerable.Range(0, clusters).Select(_ => Enumerable.Range(0, features).Select(_ => Vector(shape, features, 1 / Math.Sqrt(features))).ToArray()).ToArray();
        return (random, spread) =>
        {
            int cluster = (int)(clusters * Math.Pow(random.NextDouble(), 1.5));
            double[] z = Vector(random, features, spread);
            return [.. centres[cluster].Select((centre, j) => centre + axes[cluster][j].Zip(z, (a, b) => a * b).Sum())];
        };
    }

    /// <summary>Uniform in the box of 500 rows of another sampler, made larger.</summary>
    private static Sampler Box(Sampler of, double size, int seed)
    {
        var random = new Random(seed);
        var rows = Enumerable.Range(0, 500).Select(_ => of(random, 1)).ToArray();
        var (low, high) = (rows[0].Select((_, j) => rows.Min(row => row[j])).ToArray(), rows[0].Select((_, j) => rows.Max(row => row[j])).ToArray());
        return (uniform, _) => [.. low.Select((a, j) => (a + high[j]) / 2 + size * (high[j] - a) * (uniform.NextDouble() - 0.5))];
    }

    /// <summary>Rows of another sampler, narrower and moved as a whole.</summary>
    private static Sampler Shifted(Sampler of, double shift, int seed)
    {
        var shape = new Random(seed);
        double[]? direction = null;
        return (random, _) =>
        {
            double[] row = of(random, 0.7);
            direction ??= Vector(shape, row.Length, shift);
            return [.. row.Select((value, j) => value + direction[j])];
        };
    }

    /// <summary>Each feature from a row of its own: ordinary values that do not belong together.</summary>
    private static Sampler Shuffled(Sampler of) => (random, spread) =>
    {
        int features = of(random, spread).Length;
        return [.. Enumerable.Range(0, features).Select(j => of(random, spread)[j])];
    };

    /// <summary>A few features from other rows.</summary>
    private static Sampler Partial(Sampler of, int count) => (random, spread) =>
    {
        double[] row = of(random, spread);
        for (int i = 0; i < count; i++)
        {
            int j = random.Next(row.Length);
            row[j] = 1.5 * of(random, spread)[j];
        }
        return row;
    };

    /// <summary>Linear in a few factors, with noise; heavy-tailed and skewed on request.</summary>
    private static Sampler Factors(int features, int factors, double noise, int seed, bool heavy)
    {
        var shape = new Random(seed);
        var loadings = Enumerable.Range(0, features).Select(_ => Vector(shape, factors, 1)).ToArray();
        return (random, _) =>
        {
            double tail = heavy ? Math.Sqrt(3 / (Square(Normal(random)) + Square(Normal(random)) + Square(Normal(random)))) : 1;
            double[] z = Vector(random, factors, tail);
            return [.. loadings.Select((loading, j) =>
            {
                double value = loading.Zip(z, (a, b) => a * b).Sum() + noise * tail * Normal(random);
                return heavy && j % 3 == 0 ? Math.Exp(0.7 * Math.Clamp(value, -8, 8)) : value;
            })];
        };
    }

    private static Sampler WithNoise(Sampler of, int features) => (random, spread) => [.. of(random, spread), .. Vector(random, features, 1)];

    /// <summary>Counts and flags that follow two factors; odd rows have other rates.</summary>
    private static Sampler Counts(int features, double odd, int seed)
    {
        var shape = new Random(seed);
        var loadings = Enumerable.Range(0, features).Select(_ => Vector(shape, 2, 0.6)).ToArray();
        double[] shift = Vector(shape, features, odd);
        return (random, _) =>
        {
            double[] z = Vector(random, 2, 1);
            return [.. loadings.Select((loading, j) =>
            {
                double value = loading[0] * z[0] + loading[1] * z[1] + shift[j];
                return j % 2 == 0 ? Poisson(random, Math.Exp(value + 0.5)) : random.NextDouble() < 1 / (1 + Math.Exp(2.5 - 2 * value)) ? 1 : 0;
            })];
        };
    }

    /// <summary>A curve and its noise; odd rows lie off it.</summary>
    private static Sampler Curved(int features, double off, int seed)
    {
        var shape = new Random(seed);
        var phases = Enumerable.Range(0, features).Select(_ => (Frequency: 0.5 + 2 * shape.NextDouble(), Phase: 6.28 * shape.NextDouble())).ToArray();
        return (random, _) =>
        {
            double t = 4 * random.NextDouble() - 2;
            return [.. phases.Select(phase => Math.Sin(phase.Frequency * t + phase.Phase) + 0.4 * t + (0.1 + off) * Normal(random))];
        };
    }

    /// <summary>Log-normal features that go together; odd rows are large in some.</summary>
    private static Sampler Skewed(int features, double size, int seed)
    {
        var shape = new Random(seed);
        double[] widths = [.. Enumerable.Range(0, features).Select(_ => 0.4 + 0.5 * shape.NextDouble())];
        return (random, _) =>
        {
            double common = Normal(random);
            return [.. widths.Select(width => Math.Exp(width * (0.6 * common + 0.8 * Normal(random)) + (size > 1 ? width * 1.2 * size * random.NextDouble() : 0)))];
        };
    }

    /// <summary>Clusters on a warped surface; the odd rows are one more cluster among them.</summary>
    private static Sampler Warped(int features, int clusters, int odd, int seed)
    {
        var shape = new Random(seed);
        const int Plane = 4;
        var centres = Enumerable.Range(0, clusters + 1).Select(_ => Vector(shape, Plane, 1.5)).ToArray();
        var loadings = Enumerable.Range(0, features).Select(_ => Vector(shape, Plane, 0.8)).ToArray();
        return (random, _) =>
        {
            double[] centre = centres[odd == 1 ? clusters : random.Next(clusters)];
            double[] z = [.. centre.Select(value => value + 0.35 * Normal(random))];
            return [.. loadings.Select(loading => 50 + 50 * Math.Tanh(0.7 * loading.Zip(z, (a, b) => a * b).Sum()) + 3 * Normal(random))];
        };
    }

    /// <summary>Units a million times apart.</summary>
    private static Sampler Scaled(Sampler of) => (random, spread) => [.. of(random, spread).Select((value, j) => value * Math.Pow(10, j - 3))];

    private static int Poisson(Random random, double rate)
    {
        double limit = Math.Exp(-Math.Min(rate, 50)), product = random.NextDouble();
        int count = 0;
        for (; product > limit; count++)
            product *= random.NextDouble();
        return count;
    }

    private static double[] Vector(Random random, int size, double scale) => [.. Enumerable.Range(0, size).Select(_ => scale * Normal(random))];

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static double Square(double value) => value * value;
}
