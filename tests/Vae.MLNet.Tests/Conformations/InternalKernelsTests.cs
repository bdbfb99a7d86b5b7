using CsCheck;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.ChainDecoding;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;
using Vae.MLNet.Tests.Onnx;

namespace Vae.MLNet.Tests.Conformations;

[TestClass]
public sealed class InternalKernelsTests
{
    [TestMethod]
    public void ToInternal_KnownChains()
    {
        // A step ahead, one to the left, one ahead again, and back.
        AssertClose([1, 2, 1, 0.5f, MathF.PI / 2, -MathF.PI / 2, MathF.PI], ToInternal([0, 0, 1, 0, 1, 2, 2, 2, 1.5f, 2], 2));
        // Corners of a cube: all bends right angles, the last bond up or down from the plane of the first two.
        AssertClose([1, 1, 1, MathF.PI / 2, MathF.PI / 2, MathF.PI / 2], ToInternal([0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, -1], 3));
        AssertClose([1, 1, 1, MathF.PI / 2, MathF.PI / 2, -MathF.PI / 2], ToInternal([0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1], 3));
        // A flat zigzag is stretched out (trans); a flat bow (cis) has half a turn.
        AssertClose([1, 1, 1, MathF.PI / 2, MathF.PI / 2, 0], ToInternal([0, 0, 0, 1, 0, 0, 1, 1, 0, 2, 1, 0], 3));
        AssertClose([1, 1, 1, MathF.PI / 2, MathF.PI / 2, MathF.PI], ToInternal([0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0], 3));
        AssertClose([1, 1, 1, MathF.PI / 2, MathF.PI / 2, 1, 0], ToInternal([0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, -1], 3, pairs: true));
    }

    /// <summary>
    /// The torsion of a chemist: seen along the middle bond, by how much the far bond is turned clockwise from the near one. 0 is cis.
    /// </summary>
    [TestMethod]
    public void ToInternal_TorsionIsTheChemistsPlusHalfATurn()
    {
        foreach (double degrees in new[] { 60.0, -60, 90, 170, -5 })
        {
            double angle = degrees * Math.PI / 180;
            // Looking along +x: up is y, and clockwise from y leads to z.
            float[] chain = [0, 1, 0, 0, 0, 0, 1, 0, 0, 1, (float)Math.Cos(angle), (float)Math.Sin(angle)];
            double torsion = ToInternal(chain, 3)[5] + Math.PI;
            Assert.AreEqual(angle, Math.IEEERemainder(torsion, 2 * Math.PI), 1e-6);
        }
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void ToInternal_AgreesWithTheChainDecoder(int dimensions)
    {
        var random = new Random(3);
        Span<float> frame = stackalloc float[9], own = stackalloc float[3];
        for (int round = 0; round < 300; round++)
        {
            int beads = random.Next(3, 14);
            float[] chain = new Shape("walk", dimensions, Shapes.Walk(dimensions, beads, random)).Floats;
            float[] found = ToInternal(chain, dimensions);
            for (int i = 1; i < beads; i++)
            {
                ChainCoordinates.Frame(chain, i, dimensions, frame);
                ChainCoordinates.Internal(chain, i, dimensions, frame, own);
                Assert.AreEqual(own[0], found[i - 1], 1e-5f);
                if (i > 1)
                    Assert.AreEqual(own[1], found[beads - 1 + i - 2], 1e-3f);
                if (i > 2 && dimensions == 3)
                    Assert.AreEqual(0, Math.IEEERemainder(own[2] - found[beads - 1 + beads - 2 + i - 3], 2 * Math.PI), 1e-2f);
            }
        }
    }

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void ToInternal_IsIndependentOfPositionAndOrientation(int dimensions, bool pairs)
    {
        var random = new Random(11);
        for (int round = 0; round < 1000; round++)
        {
            var shape = new Shape("walk", dimensions, Shapes.Walk(dimensions, random.Next(3, 20), random));
            double[] shift = [.. Enumerable.Range(0, dimensions).Select(_ => 3 * Shapes.Normal(random))];
            var moved = shape.Moved(Shapes.Rotation(dimensions, random), shift);
            var layout = new InternalLayout(shape.Beads, dimensions, pairs);
            AssertSameChain(layout, ToInternal(shape.Floats, dimensions, pairs), ToInternal(moved.Floats, dimensions, pairs), 1e-3);
            // The mirror image turns the other way.
            float[] mirrored = ToInternal(shape.Mirrored().Floats, dimensions, pairs);
            for (int k = layout.FirstTurn; k < layout.FirstTurn + layout.Turns; k++)
                mirrored[k] = -mirrored[k];
            AssertSameChain(layout, ToInternal(shape.Floats, dimensions, pairs), mirrored, 1e-3);
        }
    }

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void ToCartesian_GivesTheChainBack(int dimensions, bool pairs) => Shapes.Any(dimensions).Sample(
        shape =>
        {
            if (shape.Beads < 3)
                return;
            float[] beads = shape.Floats, numbers = ToInternal(beads, dimensions, pairs);
            Assert.IsTrue(numbers.All(float.IsFinite));
            float[] back = ToCartesian(numbers, shape.Beads, dimensions, pairs);
            Assert.IsTrue(back.All(float.IsFinite));
            // Angles in single precision turn the rest of the chain; torsions that were left out of straight pieces turn it by 2e-5 each.
            double reach = Enumerable.Range(0, shape.Beads - 1).Sum(k => (double)numbers[k]);
            double off = Difference(Distances(beads, dimensions), Distances(back, dimensions));
            Assert.IsLessThanOrEqualTo((dimensions == 2 ? 2e-6 : 1e-4) * reach + 1e-44, off, shape.Kind);
            Assert.IsTrue(back[..dimensions].All(value => value == 0), "The first bead is at the origin.");
            Assert.IsTrue(back[dimensions] >= 0, "The second is on the first axis.");
            Assert.IsTrue(back[(dimensions + 1)..(2 * dimensions)].All(value => value == 0), "The second is on the first axis.");
            if (dimensions == 3)
                Assert.IsTrue(back[7] >= -1e-6 * reach && back[8] == 0, "The third bead is in the half plane y >= 0.");
        },
        iter: 5_000, threads: 1);

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void ToCartesian_KeepsLeftAndRight(int dimensions)
    {
        var random = new Random(5);
        for (int round = 0; round < 300; round++)
        {
            var shape = new Shape("walk", dimensions, Shapes.Walk(dimensions, 12, random));
            float[] back = ToCartesian(ToInternal(shape.Floats, dimensions), 12, dimensions);
            // Both are turned onto their axes by a proper rotation.
            var options = new PrincipalAxisOptions();
            float[] expected = Aligned(shape.Floats), found = Aligned(back);
            Assert.IsLessThanOrEqualTo(1e-4 * shape.Size, Difference(expected, found));

            float[] Aligned(float[] beads)
            {
                var aligned = new float[beads.Length];
                ConformationKernels.Align(new(12, dimensions), options, beads, aligned);
                return aligned;
            }
        }
    }

    [TestMethod]
    public void ToInternal_DegenerateChains()
    {
        // All beads in one place.
        AssertClose([0, 0, 0, 0, 0], ToInternal([5, 5, 5, 5, 5, 5, 5, 5], 2));
        AssertClose([0, 0, 0, 0, 0, 0], ToInternal([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3], 3));
        AssertClose([0, 0, 0, 1], ToInternal([5, 5, 5, 5, 5, 5], 2, pairs: true));
        // A bead doubled: the bond after it is told from the one before it.
        AssertClose([1, 0, 1, 0, MathF.PI / 2], ToInternal([0, 0, 1, 0, 1, 0, 1, 1], 2));
        // Beads doubled at the start: the first bond that there is gives the direction.
        AssertClose([0, 0, 1, 2, 0, 0, -MathF.PI / 2], ToInternal([0, 0, 0, 0, 0, 0, 0, 1, 2, 1], 2));
        // A rod, and one folded back.
        AssertClose([1, 1, 1, 0, 0, 0], ToInternal([0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0], 3));
        AssertClose([1, 1, 1, MathF.PI, MathF.PI, 0], ToInternal([0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0], 3));
        // A straight piece in a flat zigzag: the plane is that of before, and a zigzag has no torsion.
        float[] numbers = ToInternal([0, 0, 0, 1, 1, 0, 2, 0, 0, 3, -1, 0, 4, -2, 0, 5, -1, 0, 6, -2, 0], 3);
        Assert.IsTrue(numbers[^4..].All(torsion => Math.Abs(torsion) < 1e-6 || Math.Abs(Math.Abs(torsion) - Math.PI) < 1e-6));
        AssertClose(ToInternal(ToCartesian(numbers, 7, 3), 3), numbers, 1e-5);
        // Not a number anywhere makes the whole row so.
        Assert.IsTrue(ToInternal([0, 0, 1, 0, float.NaN, 1, 2, 1], 2).All(float.IsNaN));
        Assert.IsTrue(ToCartesian([1, 1, float.PositiveInfinity], 3, 3).All(float.IsNaN));
    }

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void Graphs_AgreeWithKernels(int dimensions, bool pairs)
    {
        foreach (int beads in new[] { 3, 4, 5, 12, 70 })
        {
            var layout = new InternalLayout(beads, dimensions, pairs);
            var random = new Random(beads);
            float[][] chains = [.. Enumerable.Range(0, 400).Select(i => Chain(i, beads, dimensions, random))];
            byte[] file = File(beads * dimensions, (graph, x) => InternalGraphs.AddInternal(graph, x, layout, "Y"), layout.Size);
            OnnxChecker.AssertValid(file);
            float[][] found = Run(file, chains);
            float[][] expected = [.. chains.Select(chain => ToInternal(chain, dimensions, pairs))];
            for (int i = 0; i < chains.Length; i++)
                AssertSameChain(layout, expected[i], found[i], 1e-6);

            // Numbers that no chain has, too.
            float[] Anything() => [.. Enumerable.Range(0, layout.Size).Select(_ => (float)(3 * Shapes.Normal(random)))];
            float[] nothing = [.. Enumerable.Repeat(float.NaN, layout.Size)];
            float[][] numbers = [.. expected, .. Enumerable.Range(0, 50).Select(_ => Anything()), new float[layout.Size], nothing];
            byte[] inverse = File(layout.Size, (graph, x) => InternalGraphs.AddCartesian(graph, x, layout, "Y").Output, beads * dimensions);
            OnnxChecker.AssertValid(inverse);
            float[][] back = Run(inverse, numbers);
            for (int i = 0; i < numbers.Length; i++)
            {
                float[] wanted = ToCartesian(numbers[i], beads, dimensions, pairs);
                double reach = Math.Max(1, wanted.Max(MathF.Abs));
                for (int k = 0; k < wanted.Length; k++)
                {
                    bool same = float.IsNaN(wanted[k]) ? float.IsNaN(back[i][k]) : Math.Abs(wanted[k] - back[i][k]) <= 1e-6 * reach;
                    Assert.IsTrue(same, $"row {i}, {k}: {wanted[k]}, {back[i][k]}");
                }
            }
            Assert.IsTrue(back[^1].All(float.IsNaN));
        }
    }

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void PullBack_IsTheDerivative(int dimensions, bool pairs)
    {
        foreach (int beads in new[] { 3, 4, 9 })
        {
            var layout = new InternalLayout(beads, dimensions, pairs);
            var random = new Random(beads);
            for (int round = 0; round < 20; round++)
            {
                var shape = new Shape("walk", dimensions, Shapes.Walk(dimensions, beads, random));
                float[] numbers = ToInternal(shape.Floats, dimensions, pairs);
                for (int k = 0; pairs && k < numbers.Length; k++)
                    numbers[k] *= 0.7f;
                double[] cotangent = [.. Enumerable.Range(0, beads * dimensions).Select(_ => Shapes.Normal(random))];
                var found = new double[layout.Size];
                InternalKernels.PullBack(layout, numbers, cotangent, found);
                const float Step = 1.0f / 256;
                for (int k = 0; k < layout.Size; k++)
                {
                    // Fourth order: in single precision a step has to be long.
                    double Value(float step)
                    {
                        float[] moved = [.. numbers];
                        moved[k] += step;
                        return ToCartesian(moved, beads, dimensions, pairs).Zip(cotangent, (x, c) => x * c).Sum();
                    }
                    double slope = (8 * (Value(Step) - Value(-Step)) - (Value(2 * Step) - Value(-2 * Step))) / (12 * Step);
                    Assert.AreEqual(slope, found[k], 2e-3 * Math.Max(1, Math.Abs(slope)), $"{beads} beads, number {k}");
                }
            }
        }
    }

    /// <summary>Walks, and every kind of degenerate chain.</summary>
    private static float[] Chain(int i, int beads, int dimensions, Random random)
    {
        double[] walk = Shapes.Walk(dimensions, beads, random);
        float[] chain = new Shape("walk", dimensions, walk).Floats;
        switch (i % 8)
        {
            case 1:
                // Beads that lie where the one before does.
                for (int bead = 1; bead < beads; bead++)
                {
                    if (random.Next(2) == 0)
                        chain.AsSpan((bead - 1) * dimensions, dimensions).CopyTo(chain.AsSpan(bead * dimensions));
                }
                return chain;
            case 2:
                // On a grid: straight pieces, folds and right angles.
                var place = new int[dimensions];
                for (int bead = 0; bead < beads; bead++)
                {
                    place[random.Next(dimensions)] += random.Next(-1, 2);
                    for (int d = 0; d < dimensions; d++)
                        chain[bead * dimensions + d] = place[d];
                }
                return chain;
            case 3:
                return [.. chain.Select((_, k) => (float)(k / dimensions * (k % dimensions + 1)))];
            case 4:
                return new float[beads * dimensions];
            case 5:
                return [.. chain.Select(value => value * 1e-20f)];
            case 6:
                return [.. chain.Select((value, k) => k == i % chain.Length ? i % 16 == 6 ? float.NaN : float.NegativeInfinity : value)];
            default:
                return chain;
        }
    }

    /// <summary>Internal coordinates of the same chain: angles but for whole turns.</summary>
    private static void AssertSameChain(InternalLayout layout, float[] expected, float[] found, double tolerance)
    {
        Assert.HasCount(expected.Length, found);
        double size = Math.Max(1e-30, expected[..layout.Bonds].Max());
        for (int k = 0; k < expected.Length; k++)
        {
            bool turn = !layout.Pairs && k >= layout.FirstTurn;
            double off = turn ? Math.IEEERemainder(expected[k] - found[k], 2 * Math.PI) : expected[k] - (double)found[k];
            bool same = float.IsNaN(expected[k]) ? float.IsNaN(found[k]) : Math.Abs(off) <= tolerance * (k < layout.Bonds ? size : Math.PI);
            Assert.IsTrue(same, $"number {k}: {expected[k]}, {found[k]}");
        }
    }

    private static byte[] File(int size, Func<OnnxGraph, string, string> add, int outputs)
    {
        var graph = new OnnxGraph("test");
        string x = graph.Input("X", OnnxType.Float, OnnxGraph.Batch, size);
        graph.Output(add(graph, x), OnnxType.Float, OnnxGraph.Batch, outputs);
        return graph.ToBytes();
    }

    private static float[][] Run(byte[] file, float[][] rows)
    {
        using var session = new InferenceSession(file);
        var values = new DenseTensor<float>(rows.SelectMany(row => row).ToArray(), [rows.Length, rows[0].Length]);
        using var outputs = session.Run([NamedOnnxValue.CreateFromTensor("X", values)]);
        float[] all = [.. outputs[0].AsTensor<float>()];
        return [.. all.Chunk(all.Length / rows.Length)];
    }

    private static float[] ToInternal(float[] beads, int dimensions, bool pairs = false)
    {
        var layout = new InternalLayout(beads.Length / dimensions, dimensions, pairs);
        var numbers = new float[layout.Size];
        InternalKernels.ToInternal(layout, beads, numbers);
        return numbers;
    }

    private static float[] ToCartesian(float[] numbers, int beads, int dimensions, bool pairs = false)
    {
        var chain = new float[beads * dimensions];
        InternalKernels.ToCartesian(new(beads, dimensions, pairs), numbers, chain);
        return chain;
    }

    private static float[] Distances(float[] x, int dimensions)
    {
        int beads = x.Length / dimensions;
        return [.. from i in Enumerable.Range(0, beads)
                   from j in Enumerable.Range(0, i)
                   let square = Enumerable.Range(0, dimensions).Sum(d => Math.Pow((double)x[i * dimensions + d] - x[j * dimensions + d], 2))
                   select (float)Math.Sqrt(square)];
    }

    private static double Difference(float[] expected, float[] found) => expected.Zip(found, (a, b) => Math.Abs((double)a - b)).Max();

    private static void AssertClose(float[] expected, float[] found, double tolerance = 1e-6)
    {
        Assert.HasCount(expected.Length, found);
        Assert.IsLessThanOrEqualTo(tolerance, Difference(expected, found), string.Join(", ", found));
    }
}
