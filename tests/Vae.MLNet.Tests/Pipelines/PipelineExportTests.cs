using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.Transforms;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;
using Vae.MLNet.Pipelines;
using Vae.MLNet.Tests.Onnx;

namespace Vae.MLNet.Tests.Pipelines;

[TestClass]
public sealed class PipelineExportTests
{
    private static readonly VaeTrainer.Options Small = new() { LatentDimension = 3, HiddenLayers = [16, 8], Epochs = 1, BatchSize = 64, Threads = 1 };

    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    public void ExportPipeline_AgreesWithTheChain()
    {
        var data = Data();
        var chain = _context.Transforms.NormalizeMeanVariance("Scaled", "Wide")
            .Append(_context.Transforms.NormalizeMinMax("Single", "Number"))
            .Append(_context.Transforms.CopyColumns("Again", "Scaled"))
            .Append(_context.Transforms.Concatenate("Features", "Single", "Again", "Number", "Again"))
            .Append(_context.Vae.VariationalAutoencoder("First", "Features", Small with { Scaling = InputScaling.Standardize, ReconstructionColumnName = "Back" }))
            .Append(_context.Transforms.DropColumns("Scaled", "Again"))
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Back", Small with { HiddenLayers = [8], ScoreColumnName = "Oddness" }))
            .Append(_context.Transforms.SelectColumns("Latent", "Oddness", "First")).Fit(data);
        var options = new PipelineExportOptions { StandardDeviation = true, Reconstruction = true, Score = true, Columns = ["First"] };
        var loaded = SaveAndLoad(chain, data.Schema);
        foreach (ITransformer model in new ITransformer[] { chain, loaded, _context.Vae.Rehydrate(loaded) })
        {
            var (file, report) = PipelineExport.Create(_context, model, data.Schema, options);
            Assert.IsLessThan(1e-5, report.LargestError!.Value);
            OnnxChecker.AssertValid(file);
            var graph = ModelProto.Parser.ParseFrom(file).Graph;
            Assert.AreEqual("Number, Wide", string.Join(", ", graph.Input.Select(input => input.Name).Order()));
            Assert.AreEqual("Latent, LatentSigma, Reconstruction, Oddness, First", string.Join(", ", graph.Output.Select(output => output.Name)));
            var results = Run(file, data, "Wide", "Number");
            var transformed = chain.Transform(data);
            AssertSame([.. transformed.GetColumn<float[]>("Latent")], results["Latent"], 3);
            AssertSame([.. transformed.GetColumn<float[]>("First")], results["First"], 3);
            AssertSame([.. transformed.GetColumn<float>("Oddness").Select(value => new[] { value })], results["Oddness"], 1);
            Assert.IsTrue(results["LatentSigma"].All(value => value > 0));

            // With the decoder in it, the last autoencoder can be read back.
            var last = chain.OfType<VaeTransformer>().Last().Model;
            VaeModelOnnxTests.AssertSame(last, VaeModel.FromOnnx(file));
            var metadata = OnnxWire.Metadata(file, "file");
            Assert.AreEqual("pipeline", metadata["vae.kind"]);
            Assert.Contains("VaeTransformer", metadata["vae.pipeline"]);
            Assert.Contains("\"position\":\"7\"", metadata["vae.pipeline"]);
        }
    }

    [TestMethod]
    public void ExportPipeline_AnomalyDetector_InMemoryAndLoaded()
    {
        var data = Data();
        var chain = _context.Transforms.NormalizeMeanVariance("Scaled", "Wide")
            .Append(_context.Transforms.Concatenate("Features", "Scaled", "Number"))
            .Append(_context.Vae.AnomalyDetector("Features", new() { Members = 2, Steps = 30, Contamination = 0.3f, ContributionsColumnName = "Why" })).Fit(data);
        var transformed = chain.Transform(data);
        float[][] scores = [.. transformed.GetColumn<float>("Score").Select(value => new[] { value })], why = [.. transformed.GetColumn<float[]>("Why")];
        bool[] labels = [.. transformed.GetColumn<bool>("PredictedLabel")];
        Assert.IsTrue(labels.Contains(true) && labels.Contains(false));
        var loaded = SaveAndLoad(chain, data.Schema);
        foreach (ITransformer model in new ITransformer[] { chain, loaded, _context.Vae.Rehydrate(loaded) })
        {
            var (file, report) = PipelineExport.Create(_context, model, data.Schema, new());
            Assert.IsLessThan(1e-4, report.LargestError!.Value);
            OnnxChecker.AssertValid(file);
            Assert.AreEqual("Why, Score", string.Join(", ", ModelProto.Parser.ParseFrom(file).Graph.Output.Select(output => output.Name)));
            var results = Run(file, data, "Wide", "Number");
            AssertSame(scores, results["Score"], 1);
            AssertSame(why, results["Why"], why[0].Length);
            Assert.AreEqual(chain.LastTransformer.Threshold, float.Parse(OnnxWire.Metadata(file, "file")["vae.threshold"], System.Globalization.CultureInfo.InvariantCulture));

            // The label, too, where it is wanted.
            (file, _) = PipelineExport.Create(_context, model, data.Schema, new() { Columns = ["PredictedLabel"] });
            OnnxChecker.AssertValid(file);
            var label = ModelProto.Parser.ParseFrom(file).Graph.Output.Single(output => output.Name == "PredictedLabel");
            Assert.AreEqual((int)OnnxType.Bool, label.Type.TensorType.ElemType);
            bool[] found = Labels(file, data);
            for (int i = 0; i < labels.Length; i++)
            {
                // Beside the threshold, rounding decides.
                if (Math.Abs(scores[i][0] - chain.LastTransformer.Threshold) > 1e-3 * scores[i][0])
                    Assert.AreEqual(labels[i], found[i]);
            }
        }
    }

    [TestMethod]
    public void ExportPipeline_ImputerBeforeADetector_Loaded()
    {
        var data = Data();
        var chain = _context.Vae.ImputeMissing("Whole", "Wide", new() { Training = Small with { HiddenLayers = [8] }, Iterations = 2 })
            .Append(_context.Vae.AnomalyDetector("Whole", new() { Members = 1, Steps = 10 })).Fit(data);
        foreach (var model in new ITransformer[] { chain, SaveAndLoad(chain, data.Schema) })
        {
            var (file, _) = PipelineExport.Create(_context, model, data.Schema, new() { Columns = ["Whole"] });
            var results = Run(file, data, "Wide");
            var transformed = chain.Transform(data);
            AssertSame([.. transformed.GetColumn<float>("Score").Select(value => new[] { value })], results["Score"], 1);
        }
    }

    [TestMethod]
    [DataRow(MissingValueReplacingEstimator.ReplacementMode.DefaultValue)]
    [DataRow(MissingValueReplacingEstimator.ReplacementMode.Mean)]
    [DataRow(MissingValueReplacingEstimator.ReplacementMode.Minimum)]
    [DataRow(MissingValueReplacingEstimator.ReplacementMode.Maximum)]
    [DataRow(MissingValueReplacingEstimator.ReplacementMode.Mode)]
    public void ExportPipeline_ReplacedMissingValues(MissingValueReplacingEstimator.ReplacementMode mode)
    {
        var random = new Random(7);
        var rows = TestRows.Curved(200, 6).Select(row => new Row
        {
            Wide = [.. row.Select(value => random.Next(5) == 0 ? float.NaN : value)],
            Number = random.Next(4) == 0 ? float.NaN : 3 + random.Next(5),
        }).ToArray();
        var data = _context.Data.Cache(_context.Data.LoadFromEnumerable(rows));
        foreach (bool bySlot in new[] { true, false })
        {
            var chain = _context.Transforms.ReplaceMissingValues("Filled", "Wide", mode, bySlot)
                .Append(_context.Transforms.ReplaceMissingValues("Number", "Number", mode))
                .Append(_context.Transforms.Concatenate("Features", "Filled", "Number"))
                .Append(_context.Vae.VariationalAutoencoder("Latent", "Features", Small)).Fit(data);
            foreach (var model in new[] { chain, SaveAndLoad(chain, data.Schema) })
            {
                var compared = PipelineExport.Rows(_context, model, data.Schema);
                Assert.IsTrue(compared["Wide"].Any(row => row.Any(double.IsNaN)) && compared["Number"].Any(row => double.IsNaN(row[0])));
                var (file, _) = PipelineExport.Create(_context, model, data.Schema, new() { Columns = ["Filled"] });
                OnnxChecker.AssertValid(file);
                var results = Run(file, data, "Wide", "Number");
                var transformed = chain.Transform(data);
                AssertSame([.. transformed.GetColumn<float[]>("Latent")], results["Latent"], 3);
                AssertSame([.. transformed.GetColumn<float[]>("Filled")], results["Filled"], 6);
                Assert.IsTrue(results["Latent"].All(float.IsFinite));
            }
        }
    }

    [TestMethod]
    public void ExportPipeline_LatentAlone_HasNoDecoder()
    {
        var data = Data();
        using var model = _context.Vae.VariationalAutoencoder("Latent", "Wide", Small with { ScoreColumnName = "Score" }).Fit(data);
        var (file, _) = PipelineExport.Create(_context, model, data.Schema, new());
        OnnxChecker.AssertValid(file);
        var graph = ModelProto.Parser.ParseFrom(file).Graph;
        Assert.IsFalse(graph.Initializer.Any(tensor => tensor.Name.Contains("decoder", StringComparison.Ordinal)));
        Assert.AreEqual("Latent", string.Join(", ", graph.Output.Select(output => output.Name)));
        Assert.Contains("holds no decoder", Assert.ThrowsExactly<InvalidDataException>(() => VaeModel.FromOnnx(file)).Message);

        var (half, report) = PipelineExport.Create(_context, model, data.Schema, new() { Reconstruction = true, WeightType = OnnxWeightType.Float16 });
        OnnxChecker.AssertValid(half);
        Assert.AreEqual(1e-2, report.Tolerance);
        Assert.IsTrue(report.LargestError is > 1e-7 and < 5e-3, $"{report.LargestError}");
        var read = VaeModel.FromOnnx(half);
        for (int i = 0; i < read.Parameters.Length; i++)
            Assert.AreEqual(model.Model.Parameters[i], read.Parameters[i], 5e-4f * Math.Abs(model.Model.Parameters[i]) + 1e-7f);
    }

    [TestMethod]
    public void ExportPipeline_TransformWithoutGraph_NamedWithItsPosition()
    {
        var data = Data();
        string path = Path.Combine(Path.GetTempPath(), $"vae-{Guid.NewGuid():N}.onnx");
        var chain = _context.Transforms.CopyColumns("Copy", "Wide")
            .Append(_context.Transforms.NormalizeLpNorm("Filled", "Copy"))
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Filled", Small)).Fit(data);
        var error = Assert.ThrowsExactly<ArgumentException>(() => _context.Vae.ExportPipeline(chain, data.Schema, path));
        Assert.Contains("Transform 2 of the pipeline, LpNormNormalizingTransformer, has no ONNX graph", error.Message);

        var nested = new TransformerChain<ITransformer>(_context.Transforms.CopyColumns("Other", "Wide").Fit(data), chain);
        Assert.Contains("Transform 2.2 of the pipeline", Assert.ThrowsExactly<ArgumentException>(() => _context.Vae.ExportPipeline(nested, data.Schema, path)).Message);

        var binned = _context.Transforms.NormalizeBinning("Binned", "Wide").Append(_context.Vae.VariationalAutoencoder("Latent", "Binned", Small)).Fit(data);
        Assert.Contains("Transform 1 of the pipeline, NormalizingTransformer, has no ONNX graph for a normalisation that is not linear",
            Assert.ThrowsExactly<ArgumentException>(() => _context.Vae.ExportPipeline(binned, data.Schema, path)).Message);

        var plain = _context.Transforms.CopyColumns("Copy", "Wide").Fit(data);
        Assert.Contains("no transform of Vae.MLNet", Assert.ThrowsExactly<ArgumentException>(() => _context.Vae.ExportPipeline(plain, data.Schema, path)).Message);
        using var vae = _context.Vae.VariationalAutoencoder("Latent", "Wide", Small).Fit(data);
        Assert.Contains("'Wide'", Assert.ThrowsExactly<ArgumentException>(() => _context.Vae.ExportPipeline(vae, data.Schema, path, new() { Columns = ["Wide"] })).Message);
        Assert.Contains("'Missing'", Assert.ThrowsExactly<ArgumentException>(() => _context.Vae.ExportPipeline(vae, data.Schema, path, new() { Columns = ["Missing"] })).Message);
        Assert.ThrowsExactly<ArgumentException>(() => _context.Vae.ExportPipeline(vae, data.Schema, path, new() { Latent = false }));
        Assert.IsFalse(File.Exists(path));
        Assert.IsGreaterThan(1000, _context.Vae.ExportPipeline(vae, data.Schema, path).Bytes);
        Assert.IsTrue(File.Exists(path));
        File.Delete(path);
    }

    /// <summary>
    /// Rows to compare on are turned and reflected, so that another alignment, or none, does not pass for the pipeline's.
    /// </summary>
    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(2, true)]
    [DataRow(3, true)]
    public void ExportPipeline_OtherAlignment_IsCaught(int dimensions, bool load)
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(400, 12));
        var options = Small with { Epochs = 30, Scaling = InputScaling.None };
        var chain = context.Vae.AlignPrincipalAxes("Aligned", EstimatorContract.Input, dimensions)
            .Append(context.Vae.VariationalAutoencoder("Latent", "Aligned", options)).Fit(data);
        ITransformer whole = load ? SaveAndLoad(chain, data.Schema) : chain;
        var rows = PipelineExport.Rows(context, whole, data.Schema);
        var vae = chain.LastTransformer;
        var value = new PipelineValue("Latent", [3], OnnxType.Float);
        CheckedOutput[] outputs = [new("Latent", value, whole, "Latent")];
        Assert.IsLessThan(1e-4, PipelineCheck.Run(With(new()), data.Schema, rows, outputs, 1e-4));

        foreach (var other in (PrincipalAxisOptions?[])[null, new() { Mirror = true }, new() { Sign = PrincipalAxisSign.FirstBead }])
        {
            byte[] file = With(other);
            Assert.ThrowsExactly<InvalidOperationException>(() => PipelineCheck.Run(file, data.Schema, rows, outputs, 1e-4), $"{other}");
        }

        byte[] With(PrincipalAxisOptions? alignment)
        {
            ITransformer first = alignment is null
                ? context.Vae.CenterConformations("Aligned", EstimatorContract.Input, dimensions).Fit(data)
                : context.Vae.AlignPrincipalAxes("Aligned", EstimatorContract.Input, dimensions, alignment).Fit(data);
            return PipelineExport.Create(context, new TransformerChain<ITransformer>(first, vae), data.Schema, new()).File;
        }
    }

    private IDataView Data()
    {
        var random = new Random(4);
        var rows = TestRows.Curved(400, 6).Select(row => new Row { Wide = row, Number = (float)random.NextDouble() * 5, Name = "row" });
        return _context.Data.Cache(_context.Data.LoadFromEnumerable(rows));
    }

    private ITransformer SaveAndLoad(ITransformer model, DataViewSchema schema)
    {
        using var stream = new MemoryStream();
        _context.Model.Save(model, schema, stream);
        stream.Position = 0;
        return new MLContext(seed: 1).Model.Load(stream, out _);
    }

    public static Dictionary<string, float[]> Run(byte[] file, IDataView data, params string[] inputs) => RunOnly(file, data, null, inputs);

    public static Dictionary<string, float[]> RunOnly(byte[] file, IDataView data, string[]? outputs, params string[] inputs)
    {
        using var session = new InferenceSession(file);
        var values = inputs.Select(name =>
        {
            float[][] rows = data.Schema[name].Type is VectorDataViewType ? [.. data.GetColumn<float[]>(name)] : [.. data.GetColumn<float>(name).Select(value => new[] { value })];
            return NamedOnnxValue.CreateFromTensor(name, new DenseTensor<float>(rows.SelectMany(row => row).ToArray(), [rows.Length, rows[0].Length]));
        });
        using var results = session.Run([.. values], outputs ?? [.. session.OutputMetadata.Keys]);
        return results.ToDictionary(result => result.Name, result => result.AsTensor<float>().ToArray());
    }

    private static bool[] Labels(byte[] file, IDataView data)
    {
        using var session = new InferenceSession(file);
        float[][] wide = [.. data.GetColumn<float[]>("Wide")];
        float[] number = [.. data.GetColumn<float>("Number")];
        using var results = session.Run([
            NamedOnnxValue.CreateFromTensor("Wide", new DenseTensor<float>(wide.SelectMany(row => row).ToArray(), [wide.Length, 6])),
            NamedOnnxValue.CreateFromTensor("Number", new DenseTensor<float>(number, [number.Length, 1]))], ["PredictedLabel"]);
        return [.. results[0].AsTensor<bool>()];
    }

    public static void AssertSame(float[][] expected, float[] found, int size) =>
        EstimatorContract.AssertSame(expected, [.. found.Chunk(size)], 1e-4, "the exported pipeline");

    private sealed class Row
    {
        [VectorType(6)]
        public float[] Wide { get; set; } = [];

        public float Number { get; set; }

        public string Name { get; set; } = "";
    }
}
