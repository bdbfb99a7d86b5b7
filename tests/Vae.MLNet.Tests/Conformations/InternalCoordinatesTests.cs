using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Onnx;
using Vae.MLNet.Pipelines;
using Vae.MLNet.Tests.Onnx;
using Vae.MLNet.Tests.Pipelines;

namespace Vae.MLNet.Tests.Conformations;

[TestClass]
public sealed class InternalCoordinatesTests
{
    private const string Input = EstimatorContract.Input;

    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void InternalCoordinates_KeepsTheContract(int dimensions, bool pairs) => EstimatorContract.Run(
        context => context.Vae.InternalCoordinates("Output", Input, dimensions, new() { AsSineCosine = pairs }),
        Rows(300, 12, dimensions), needsRows: false);

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void CartesianCoordinates_KeepsTheContract(int dimensions, bool pairs)
    {
        var data = EstimatorContract.Load(_context, Rows(300, 12, dimensions));
        using var there = Internal("Internal", Input, dimensions, new() { AsSineCosine = pairs }).Fit(data);
        float[][] numbers = [.. there.Transform(data).GetColumn<float[]>("Internal")];
        var options = new InternalCoordinatesOptions { AsSineCosine = pairs };
        EstimatorContract.Run(context => context.Vae.CartesianCoordinates("Output", Input, dimensions, options), numbers, needsRows: false);
    }

    [TestMethod]
    public void InternalCoordinates_NamesItsSlots()
    {
        Assert.AreSequenceEqual(["bond 1-2", "bond 2-3", "bond 3-4", "angle 1-2-3", "angle 2-3-4"], Names(4, 2, false));
        Assert.AreSequenceEqual(
            ["bond 1-2", "bond 2-3", "bond 3-4", "sin angle 1-2-3", "sin angle 2-3-4", "cos angle 1-2-3", "cos angle 2-3-4"],
            Names(4, 2, true));
        Assert.AreSequenceEqual(["bond 1-2", "bond 2-3", "bond 3-4", "angle 1-2-3", "angle 2-3-4", "torsion 1-2-3-4"], Names(4, 3, false));
        Assert.AreSequenceEqual(
            ["bond 1-2", "bond 2-3", "bond 3-4", "angle 1-2-3", "angle 2-3-4", "sin torsion 1-2-3-4", "cos torsion 1-2-3-4"],
            Names(4, 3, true));
        Assert.AreSequenceEqual(["bond 1-2", "bond 2-3", "angle 1-2-3"], Names(3, 3, true));

        string[] Names(int beads, int dimensions, bool pairs)
        {
            using var model = Internal("Output", Input, dimensions, new() { AsSineCosine = pairs })
                .Fit(EstimatorContract.Load(_context, [], beads * dimensions));
            Assert.AreEqual(beads, model.BeadCount);
            Assert.AreEqual(dimensions, model.Dimensions);
            Assert.AreEqual(pairs, model.Options.AsSineCosine);
            VBuffer<ReadOnlyMemory<char>> names = default;
            model.GetOutputSchema(EstimatorContract.Load(_context, [], beads * dimensions).Schema)["Output"].GetSlotNames(ref names);
            return [.. names.DenseValues().Select(name => name.ToString())];
        }
    }

    [TestMethod]
    public void Chain_SavedLoadedRehydratedAndInAPredictionEngine()
    {
        var data = _context.Data.LoadFromEnumerable(Rows(40, 5, 3).Select(row => new Frame { Conformation = row }));
        var options = new InternalCoordinatesOptions { AsSineCosine = true };
        var model = Internal("Internal", "Conformation", dimensions: 3, options)
            .Append(Cartesian("Back", "Internal", dimensions: 3, options))
            .Append(_context.Vae.RadiusOfGyration("Rg", "Back", dimensions: 3)).Fit(data);
        var expected = Results(_context, model.Transform(data));
        Assert.IsTrue(expected.Zip(data.GetColumn<float[]>("Conformation")).All(pair => SameShape(pair.First.Back, pair.Second, 3, 1e-5)));

        using var stream = new MemoryStream();
        _context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var fresh = new MLContext();
        var loaded = fresh.Model.Load(stream, out _);
        var rehydrated = fresh.Vae.Rehydrate(loaded);
        using var engine = fresh.Model.CreatePredictionEngine<Frame, Result>(loaded);
        var (plain, again) = (Results(fresh, loaded.Transform(data)), Results(fresh, rehydrated.Transform(data)));
        float[][] frames = [.. data.GetColumn<float[]>("Conformation")];
        for (int i = 0; i < expected.Length; i++)
        {
            float[][] numbers = [expected[i].Internal, expected[i].Back];
            var single = engine.Predict(new Frame { Conformation = frames[i] });
            EstimatorContract.AssertSame(numbers, [plain[i].Internal, plain[i].Back], 1e-6, "loaded");
            EstimatorContract.AssertSame(numbers, [again[i].Internal, again[i].Back], 1e-6, "rehydrated");
            EstimatorContract.AssertSame(numbers, [single.Internal, single.Back], 1e-6, "a prediction engine");
        }

        static Result[] Results(MLContext context, IDataView view) =>
            [.. context.Data.CreateEnumerable<Result>(view, reuseRowObject: false)];
    }

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, true)]
    public void ExportPipeline_CoordinatesToLatentAndBack(int dimensions, bool pairs)
    {
        var options = new InternalCoordinatesOptions { AsSineCosine = pairs };
        var data = EstimatorContract.Load(_context, Rows(300, 7, dimensions));
        var model = Internal("Internal", Input, dimensions, options)
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Internal", Small() with { ReconstructionColumnName = "Decoded" }))
            .Append(Cartesian("Shape", "Decoded", dimensions, options)).Fit(data);
        var (file, report) = PipelineExport.Create(_context, model, data.Schema, new() { Columns = ["Internal", "Shape"] });
        OnnxChecker.AssertValid(file);
        Assert.IsLessThan(1e-4, report.LargestError!.Value);
        var found = PipelineExportTests.Run(file, data, Input);
        var transformed = model.Transform(data);
        foreach (string column in new[] { "Internal", "Latent", "Shape" })
        {
            float[][] expected = [.. transformed.GetColumn<float[]>(column)];
            EstimatorContract.AssertSame(expected, [.. found[column].Chunk(expected[0].Length)], 1e-4, column);
        }
        string[] names = [.. model.OfType<InternalCoordinatesTransformer>().Single().OutputColumns[0].SlotNames!];
        Assert.AreSequenceEqual(names, model.OfType<VaeTransformer>().Single().InputNames.ToArray(), "The autoencoder knows the names.");
    }

    [TestMethod]
    public void Fit_SaysWhatDoesNotFit()
    {
        Refused(() => Internal("O", "I", 1), "dimensions", "between 2 and 3");
        Refused(() => Cartesian("O", "I", 4), "dimensions", "4");
        Refused(() => Internal("O", Input, 2).Fit(Data(4)), Input, "at least 3 beads", "4");
        Refused(() => Internal("O", Input, 3).Fit(Data(6)), Input, "at least 3 beads", "6");
        Refused(() => Internal("O", Input, 2).Fit(Data(9)), "multiple of dimensions = 2", "9");
        Refused(() => Cartesian("O", Input, 2).Fit(Data(4)), "n - 1 bonds and n - 2 angles", "at least 3", "4");
        Refused(() => Cartesian("O", Input, 2).Fit(Data(1)), "at least 3", "1");
        Refused(() => Cartesian("O", Input, 3).Fit(Data(7)), "n - 3 torsions", "7");
        Refused(() => Cartesian("O", Input, 3, new() { AsSineCosine = true }).Fit(Data(6)), "n - 3 cosines", "6");
        Assert.Contains("'Same'", Assert.ThrowsExactly<ArgumentException>(() => Internal("Same", "Same", 2)).Message);

        // Five beads as bonds and angles are as many numbers as four beads with sines and cosines; the names tell them apart.
        using var five = Internal("Internal", Input, 2).Fit(Data(10));
        var numbers = five.Transform(Data(10));
        var pairs = new InternalCoordinatesOptions { AsSineCosine = true };
        Refused(() => Cartesian("O", "Internal", 2, pairs).Fit(numbers), "'sin angle 1-2-3' in slot 3", "'bond 4-5'");
        using var back = Cartesian("O", "Internal", 2).Fit(numbers);
        Assert.AreEqual(5, back.BeadCount);
        using var four = Internal("Internal", Input, 2, pairs).Fit(Data(8));
        Refused(() => back.Transform(four.Transform(Data(8))).GetRowCursor([]), "'bond 4-5'", "'sin angle 1-2-3'");

        IDataView Data(int size) => EstimatorContract.Load(_context, [], size);

        static void Refused(Action action, params string[] words)
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(action);
            foreach (string word in words)
                Assert.Contains(word, error.Message);
        }
    }

    /// <summary>Real chains, there and back: ten heavy atoms in space, in the order of the file, and twelve beads in the plane.</summary>
    [TestMethod]
    [DataRow("conformations/ala2_heavy_atoms.npz", "xyz", 3, false)]
    [DataRow("conformations/ala2_heavy_atoms.npz", "xyz", 3, true)]
    [DataRow("polymer/dmol_paths.npz", null, 2, false)]
    [DataRow("polymer/dmol_paths.npz", null, 2, true)]
    public void InternalCoordinates_OfRealChainsThereAndBack(string file, string? array, int dimensions, bool pairs)
    {
        var options = new InternalCoordinatesOptions { AsSineCosine = pairs };
        var data = _context.Data.TakeRows(_context.Vae.LoadNumPy(RealData.Path(file), "Conformation", array), 5000);
        var model = Internal("Internal", "Conformation", dimensions, options)
            .Append(Cartesian("Back", "Internal", dimensions, options)).Fit(data);
        var transformed = model.Transform(data);
        float[][] frames = [.. data.GetColumn<float[]>("Conformation")], back = [.. transformed.GetColumn<float[]>("Back")];
        float[][] numbers = [.. transformed.GetColumn<float[]>("Internal")];
        Assert.IsGreaterThan(1000, frames.Length);
        Assert.IsTrue(numbers.All(row => row.All(float.IsFinite)));
        for (int i = 0; i < frames.Length; i++)
            Assert.IsTrue(SameShape(frames[i], back[i], dimensions, 2e-6), $"frame {i}");

        // The graph agrees with the kernel on all of them.
        var found = PipelineExportTests.Run(PipelineExport.Create(_context, model, data.Schema, new()).File, data, "Conformation");
        EstimatorContract.AssertSame(back, [.. found["Back"].Chunk(back[0].Length)], 1e-5, file);
    }

    private InternalCoordinatesEstimator Internal(
        string output, string input, int dimensions, InternalCoordinatesOptions? options = null) =>
        _context.Vae.InternalCoordinates(output, input, dimensions, options);

    private CartesianCoordinatesEstimator Cartesian(
        string output, string input, int dimensions, InternalCoordinatesOptions? options = null) =>
        _context.Vae.CartesianCoordinates(output, input, dimensions, options);

    internal static VaeTrainer.Options Small() =>
        new() { LatentDimension = 2, HiddenLayers = [32, 32], Epochs = 3, BatchSize = 64, Threads = 1, Seed = 1 };

    /// <summary>Whether all distances agree to a part of the largest.</summary>
    internal static bool SameShape(float[] a, float[] b, int dimensions, double tolerance)
    {
        double worst = 0, largest = 0;
        for (int i = 0; i < a.Length; i += dimensions)
        {
            for (int j = 0; j < i; j += dimensions)
            {
                double one = Distance(a, i, j), other = Distance(b, i, j);
                worst = Math.Max(worst, Math.Abs(one - other));
                largest = Math.Max(largest, one);
            }
        }
        return worst <= tolerance * largest;

        double Distance(float[] x, int i, int j) =>
            Math.Sqrt(Enumerable.Range(0, dimensions).Sum(d => Math.Pow((double)x[i + d] - x[j + d], 2)));
    }

    /// <summary>Chains with bonds near one, bent up to a right angle or so.</summary>
    internal static float[][] Rows(int count, int beads, int dimensions)
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, count).Select(_ => new Shape("walk", dimensions, Shapes.Walk(dimensions, beads, random)).Floats)];
    }

    private sealed class Frame
    {
        [VectorType(5, 3)]
        public float[] Conformation { get; set; } = [];
    }

    private sealed class Result
    {
        [VectorType(13)]
        public float[] Internal { get; set; } = [];

        [VectorType(15)]
        public float[] Back { get; set; } = [];

        public float Rg { get; set; }
    }
}
