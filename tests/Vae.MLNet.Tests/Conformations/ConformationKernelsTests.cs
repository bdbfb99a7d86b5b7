using CsCheck;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Tests.Conformations;

[TestClass]
public sealed class ConformationKernelsTests
{
    /// <summary>Relative to the size of the shape.</summary>
    private const double Tolerance = 1e-5;

    private static readonly PrincipalAxisOptions[] AllOptions =
    [
        .. from sign in new[] { PrincipalAxisSign.ThirdMoment, PrincipalAxisSign.FirstBead }
           from mirror in new[] { false, true }
           from direction in new[] { false, true }
           select new PrincipalAxisOptions { Sign = sign, Mirror = mirror, ChainDirection = direction },
    ];

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Align_IsIndependentOfPositionAndOrientation(int dimensions)
    {
        int samples = 0, borders = 0;
        var generator = from shape in Shapes.Any(dimensions) from option in Gen.Int[0, AllOptions.Length - 1] from seed in Gen.Int[0, int.MaxValue - 1] select (shape, option, seed);
        generator.Sample(Examine, iter: 20_000, threads: 1);
        Assert.IsLessThanOrEqualTo(samples / 1000, borders, "Borders are rare.");

        void Examine((Shape Shape, int Option, int Seed) sample)
        {
            var (shape, option, seed) = sample;
            var random = new Random(seed);
            Interlocked.Increment(ref samples);
            float[] aligned = Align(shape, AllOptions[option]);
            Assert.IsTrue(aligned.All(float.IsFinite));
            double size = shape.Size;
            double[] rotation = Shapes.Rotation(dimensions, random);
            var turned = shape.Moved(rotation, new double[dimensions]);
            var moved = shape.Moved(rotation, [.. Enumerable.Range(0, dimensions).Select(_ => 3 * size * Shapes.Normal(random))]);
            // Shifting costs the input digits: single precision is relative to the coordinates, not to the shape.
            double turn = Difference(aligned, Align(turned, AllOptions[option])) / (Tolerance * size + Epsilon(shape, turned));
            double move = Difference(aligned, Align(moved, AllOptions[option])) / (Tolerance * Math.Max(size, moved.Coordinates.Max(Math.Abs)) + Epsilon(shape, moved));
            if (turn <= 1 && move <= 1)
                return;
            Interlocked.Increment(ref borders);
            // Where eigenvalues are nearly equal, an axis turns by twice the rounding over the shape's radius and their distance, and beads lie within three radii.
            if (Math.Max(turn, move) * Tolerance <= 6 * Math.Pow(2, -24) / AlignmentRules.EqualEigenvalues)
                return;
            // The one other excuse is a border of the rules, where the output jumps: then noise of the size of single precision's makes it jump too.
            Assert.IsTrue(IsBorder(shape, moved, AllOptions[option], random), $"{shape.Kind}, {AllOptions[option]}, seed {seed}: off by {turn} (turned) and {move} (moved) tolerances.");
        }
    }

    /// <summary>
    /// Whether noise of the size of single precision's makes the output jump: the outputs then fall into groups far apart, where an ill-conditioned but smooth output
    /// would fill the distances between.
    /// </summary>
    private static bool IsBorder(Shape shape, Shape moved, PrincipalAxisOptions options, Random random)
    {
        double noise = 2e-7 * Math.Max(shape.Size, moved.Coordinates.Max(Math.Abs));
        var outputs = Enumerable.Range(0, 200).Select(_ => Align(shape.Noisy(random, noise), options)).ToArray();
        double[] distances = [.. outputs.Select(output => Difference(output, outputs[0])).Order()];
        double gap = distances.Zip(distances.Skip(1), (near, far) => far - near).Max();
        return gap > 0.5 * distances[^1] && gap > Tolerance * shape.Size;
    }

    /// <summary>What single precision itself loses where a shape is far from the origin for its size.</summary>
    private static double Epsilon(params ReadOnlySpan<Shape> shapes)
    {
        double largest = 0;
        foreach (var shape in shapes)
            largest = Math.Max(largest, shape.Coordinates.Max(Math.Abs));
        return 2.5e-7 * largest;
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Align_AgreesWithTextbookJacobi(int dimensions)
    {
        var random = new Random(1);
        int compared = 0;
        foreach (bool weighted in new[] { false, true })
        {
            for (int i = 0; i < 1000; i++)
            {
                int beads = random.Next(4, 16);
                float[] masses = [.. Enumerable.Range(0, beads).Select(_ => weighted ? 0.5f + 2 * random.NextSingle() : 1)];
                var shape = new Shape("walk", dimensions, Shapes.Walk(dimensions, beads, random));
                float[] x = shape.Floats;
                var (projected, eigenvalues) = JacobiReference.Project([.. x.Select(value => (double)value)], dimensions, [.. masses.Select(mass => (double)mass)]);
                bool apart = Enumerable.Range(1, dimensions - 1).All(d => eigenvalues[d - 1] - eigenvalues[d] > 0.01 * eigenvalues[d - 1]);
                double[] third = [.. Enumerable.Range(0, dimensions).Select(d => Enumerable.Range(0, beads).Sum(b => masses[b] * Math.Pow(projected[b * dimensions + d], 3)))];
                if (!apart || third.Any(value => Math.Abs(value) < 1e-3))
                    continue;
                // Proper: the last sign follows. Jacobi's own axes may be left-handed, which the first chiral pair or triple of beads shows.
                double[] signs = [.. third.Select(value => (double)Math.Sign(value))];
                double[] expected = [.. projected.Select((value, k) => value * signs[k % dimensions])];
                if (Handedness(expected, dimensions) * Handedness(shape.Coordinates, dimensions) < 0)
                    expected = [.. expected.Select((value, k) => k % dimensions == dimensions - 1 ? -value : value)];
                float[] aligned = Align(x, dimensions, new PrincipalAxisOptions { Sign = PrincipalAxisSign.ThirdMoment, Masses = weighted ? masses : null });
                Assert.IsLessThanOrEqualTo(Tolerance * shape.Size, Difference(expected, aligned), $"shape {i}");
                compared++;
            }
        }
        Assert.IsGreaterThan(1500, compared);
    }

    /// <summary>Signed area or volume of the first bonds.</summary>
    private static double Handedness(double[] x, int dimensions)
    {
        double Bond(int i, int d) => x[(i + 1) * dimensions + d] - x[i * dimensions + d];
        return dimensions == 2
            ? Bond(0, 0) * Bond(1, 1) - Bond(0, 1) * Bond(1, 0)
            : Bond(0, 0) * (Bond(1, 1) * Bond(2, 2) - Bond(1, 2) * Bond(2, 1))
                - Bond(0, 1) * (Bond(1, 0) * Bond(2, 2) - Bond(1, 2) * Bond(2, 0))
                + Bond(0, 2) * (Bond(1, 0) * Bond(2, 1) - Bond(1, 1) * Bond(2, 0));
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Align_IsAProperRotationUnlessMirrorIsAllowed(int dimensions)
    {
        (from shape in Shapes.Any(dimensions) from option in Gen.Int[0, AllOptions.Length - 1] select (shape, option)).Sample(
            sample =>
            {
                var (shape, option) = sample;
                var options = AllOptions[option];
                double[] aligned = [.. Align(shape, options).Select(value => (double)value)];
                double[] x = [.. shape.Floats.Select(value => (double)value)];
                double size = shape.Size;
                if (options.ChainDirection && Distances(shape.Reversed().Floats.Select(v => (double)v).ToArray(), dimensions) is var backwards
                    && Difference(backwards, Distances(aligned, dimensions)) < Difference(Distances(x, dimensions), Distances(aligned, dimensions)))
                    x = [.. shape.Reversed().Floats.Select(value => (double)value)];
                Assert.IsLessThanOrEqualTo(Tolerance * size + Epsilon(shape), Difference(Distances(x, dimensions), Distances(aligned, dimensions)), "Distances between beads stay.");
                if (!options.Mirror && !options.ChainDirection && shape.Beads > dimensions && Math.Abs(Handedness(x, dimensions)) > 1e-3 * Math.Pow(size, dimensions))
                    Assert.IsGreaterThan(0, Handedness(x, dimensions) / Math.Pow(size, dimensions) * Handedness(aligned, dimensions) / Math.Pow(size, dimensions), "No reflection.");
            },
            iter: 5_000, threads: 1);
    }

    private static double[] Distances(double[] x, int dimensions)
    {
        int beads = x.Length / dimensions;
        var distances = new double[beads * beads];
        for (int i = 0; i < beads; i++)
        {
            for (int j = 0; j < i; j++)
            {
                double square = 0;
                for (int d = 0; d < dimensions; d++)
                    square += Math.Pow(x[i * dimensions + d] - x[j * dimensions + d], 2);
                distances[i * beads + j] = Math.Sqrt(square);
            }
        }
        return distances;
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Align_MirrorAndChainDirectionMakeTwinsEqual(int dimensions)
    {
        var random = new Random(5);
        var mirror = new PrincipalAxisOptions { Mirror = true };
        var direction = new PrincipalAxisOptions { Sign = PrincipalAxisSign.FirstBead, ChainDirection = true };
        for (int i = 0; i < 500; i++)
        {
            var shape = new Shape("walk", dimensions, Shapes.Walk(dimensions, 12, random));
            Assert.IsLessThanOrEqualTo(Tolerance * shape.Size, Difference(Align(shape, mirror), Align(shape.Mirrored(), mirror)));
            float[] aligned = Align(shape, direction);
            Assert.IsLessThanOrEqualTo(Tolerance * shape.Size, Difference(aligned, Align(shape.Reversed(), direction)));
            Assert.IsGreaterThanOrEqualTo(aligned[^dimensions..].Sum(value => value * value) - 1e-3f, aligned[..dimensions].Sum(value => value * value), "The first bead is the far end.");
            Assert.IsGreaterThanOrEqualTo(0, aligned[0], "The first bead is on +x.");
        }
    }

    [TestMethod]
    public void Align_KnownShapes()
    {
        // Three on a line, askew: variances 2:0, the lone bead on the far side decides the sign.
        AssertClose([2.8284f, 0, -1.4142f, 0, -1.4142f, 0], Align([2, 2, -1, -1, -1, -1], 2, new()), 1e-4);
        AssertClose([1, 0, -1, 0], Align([5, 5, 5, 7], 2, new()), 1e-6, flip: true);
        AssertClose([0, 0, 0, 0, 0, 0], Align([7, 8, 9, 7, 8, 9], 3, new()), 0);
        AssertClose([0, 0, 0], Align([7, 8, 9], 3, new()), 0);
        AssertClose([3, 0, 0, -3, 0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 1, 0, 0, -1], Align([0, 0, 3, 0, 0, -3, 2, 0, 0, -2, 0, 0, 0, 1, 0, 0, -1, 0], 3, new() { Sign = PrincipalAxisSign.FirstBead }), 1e-6);
        // Without a rule the sign is the input's: a half turn shows.
        var none = new PrincipalAxisOptions { Sign = PrincipalAxisSign.None };
        float[] askew = [2, 0.5f, -1, 0, -1, -0.5f];
        float[] upright = Align(askew, 2, none);
        Assert.IsGreaterThan(0, upright[0]);
        AssertClose([.. upright.Select(value => -value)], Align([.. askew.Select(value => -value)], 2, none), 1e-6);
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Kernels_NotFiniteMakesTheRowNaN(int dimensions)
    {
        var layout = new BeadLayout(4, dimensions);
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            float[] x = [.. Enumerable.Range(0, layout.Size).Select(i => i == 3 ? bad : i * i)];
            var output = new float[layout.Size];
            ConformationKernels.Align(layout, new(), x, output);
            Assert.IsTrue(output.All(float.IsNaN));
            ConformationKernels.Center(layout, x, output);
            Assert.IsTrue(output.All(float.IsNaN));
            Assert.IsTrue(float.IsNaN(ConformationKernels.RadiusOfGyration(layout, x)));
            foreach (var (graph, size) in Graphs(layout, new()))
                Assert.IsTrue(RunGraph(graph, [x], size)[0].All(float.IsNaN));
        }
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Graphs_AgreeWithTheKernels(int dimensions)
    {
        var options = AllOptions.Append(new PrincipalAxisOptions { Sign = PrincipalAxisSign.None }).ToArray();
        var random = new Random(9);
        // Graphs are for a number of beads: shapes are sorted by it.
        var shapes = new List<Shape>();
        Shapes.Any(dimensions).Sample(shape => shapes.Add(shape), iter: 4000, threads: 1);
        foreach (var group in shapes.GroupBy(shape => shape.Beads))
        {
            foreach (bool weighted in new[] { false, true })
            {
                float[]? masses = weighted ? [.. Enumerable.Range(0, group.Key).Select(i => 1 + Math.Min(i, group.Key - 1 - i) % 3 * 0.7f)] : null;
                var layout = Layout(group.Key, dimensions, masses);
                var option = options[random.Next(options.Length)] with { Masses = masses };
                var inputs = group.Select(shape => shape.Moved(Shapes.Rotation(dimensions, random), [.. Shapes.Cloud(dimensions, 1, random).Select(x => x * shape.Size)])).ToArray();
                var graphs = Graphs(layout, option).ToArray();
                for (int kind = 0; kind < graphs.Length; kind++)
                {
                    float[][] found = RunGraph(graphs[kind].Model, [.. inputs.Select(shape => shape.Floats)], graphs[kind].Size);
                    for (int i = 0; i < inputs.Length; i++)
                    {
                        float[] x = inputs[i].Floats;
                        var expected = new float[graphs[kind].Size];
                        switch (kind)
                        {
                            case 0:
                                ConformationKernels.Center(layout, x, expected);
                                break;
                            case 1:
                                expected[0] = ConformationKernels.RadiusOfGyration(layout, x);
                                break;
                            default:
                                ConformationKernels.Align(layout, option, x, expected);
                                break;
                        }
                        Assert.IsLessThanOrEqualTo(1e-6 * inputs[i].Size + Epsilon(inputs[i]), Difference(expected, found[i]), $"graph {kind}, {inputs[i].Kind}, {option}");
                    }
                }
            }
        }
    }

    [TestMethod]
    public void Center_AndRadiusOfGyration_KnownNumbers()
    {
        var plain = new BeadLayout(2, 2);
        var output = new float[4];
        ConformationKernels.Center(plain, [1, 2, 3, 6], output);
        AssertClose([-1, -2, 1, 2], output, 0);
        Assert.AreEqual(Math.Sqrt(5), ConformationKernels.RadiusOfGyration(plain, [1, 2, 3, 6]), 1e-6);

        var heavy = Layout(2, 2, [3, 1]);
        ConformationKernels.Center(heavy, [0, 0, 4, 8], output);
        AssertClose([-1, -2, 3, 6], output, 0);
        // (3·5 + 1·45) / 4 = 15
        Assert.AreEqual(Math.Sqrt(15), ConformationKernels.RadiusOfGyration(heavy, [0, 0, 4, 8]), 1e-6);
        Assert.AreEqual(0, ConformationKernels.RadiusOfGyration(new BeadLayout(3, 1), [0.1f, 0.1f, 0.1f]), 1e-15);
    }

    [TestMethod]
    public void Align_AllocatesNothing()
    {
        var layout = new BeadLayout(12, 3);
        var options = new PrincipalAxisOptions();
        float[] x = new Shape("walk", 3, Shapes.Walk(3, 12, new Random(2))).Floats;
        var output = new float[layout.Size];
        ConformationKernels.Align(layout, options, x, output);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            ConformationKernels.Align(layout, options, x, output);
            ConformationKernels.Center(layout, x, output);
            ConformationKernels.RadiusOfGyration(layout, x);
        }
        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static BeadLayout Layout(int beads, int dimensions, float[]? masses) => new(beads, dimensions, BeadLayout.CheckMasses(masses, "masses"));

    private static float[] Align(Shape shape, PrincipalAxisOptions options) => Align(shape.Floats, shape.Dimensions, options);

    private static float[] Align(float[] x, int dimensions, PrincipalAxisOptions options)
    {
        var output = new float[x.Length];
        ConformationKernels.Align(Layout(x.Length / dimensions, dimensions, options.Masses?.ToArray()), options, x, output);
        return output;
    }

    private static IEnumerable<(byte[] Model, int Size)> Graphs(BeadLayout layout, PrincipalAxisOptions options)
    {
        foreach (int kind in new[] { 0, 1, 2 })
        {
            var graph = new OnnxGraph("test");
            string x = graph.Input("x", OnnxType.Float, OnnxGraph.Batch, layout.Size);
            string y = kind switch
            {
                0 => ConformationGraphs.AddCentering(graph, x, layout, "y"),
                1 => ConformationGraphs.AddRadiusOfGyration(graph, x, layout, "y"),
                _ => ConformationGraphs.AddAlignment(graph, x, layout, options, "y"),
            };
            int size = kind == 1 ? 1 : layout.Size;
            graph.Output(y, OnnxType.Float, OnnxGraph.Batch, size);
            yield return (graph.ToBytes(), size);
        }
    }

    private static float[][] RunGraph(byte[] model, float[][] rows, int outputSize)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        using var session = new InferenceSession(model, options);
        using var input = OrtValue.CreateTensorValueFromMemory<float>([.. rows.SelectMany(row => row)], [rows.Length, rows[0].Length]);
        using var run = new RunOptions();
        using var outputs = session.Run(run, ["x"], [input], ["y"]);
        return [.. outputs[0].GetTensorDataAsSpan<float>().ToArray().Chunk(outputSize)];
    }

    private static void AssertClose(float[] expected, float[] found, double tolerance, bool flip = false)
    {
        double difference = Difference(expected, found);
        if (flip)
            difference = Math.Min(difference, Difference([.. expected.Select(value => -value)], found));
        Assert.IsLessThanOrEqualTo(tolerance, difference, $"[{string.Join(", ", found)}]");
    }

    private static double Difference(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Abs((double)x - y)).DefaultIfEmpty().Max();

    private static double Difference(double[] a, float[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).DefaultIfEmpty().Max();

    private static double Difference(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).DefaultIfEmpty().Max();
}
