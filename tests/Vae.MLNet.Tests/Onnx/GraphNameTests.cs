using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;
using Vae.MLNet.Pipelines;
using Vae.MLNet.Tests.Pipelines;

namespace Vae.MLNet.Tests.Onnx;

/// <summary>Columns may be called what they like: a graph's own names are where no column's name can be.</summary>
[TestClass]
public sealed class GraphNameTests
{
    private static readonly VaeTrainer.Options Small = new() { LatentDimension = 2, HiddenLayers = [8], Epochs = 2, BatchSize = 64, Threads = 1, Scaling = InputScaling.Standardize };

    private readonly MLContext _context = new(seed: 1);

    /// <summary>Former names of parameters and intermediate values, what nodes are called, and names of odd characters.</summary>
    public static IEnumerable<object[]> Names => new[]
    {
        "scaling.offset", "encoder.0.weight", "noise.logSigma", "member.0.spread", "marginal.upper", "tokens.starts", "/sigma", "/relu.1", "1/encoder.0.weight", "ints.0",
        "Score.Vector", "Score.Scalar", "mlnet.Latent.SlotNames", "/vae", " blanks in it, and at the ends ", "a\r\nb\tc", "größe 列🦆", "\"'back\\slash{%s}#=", "N",
    }.Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void FeatureColumn_OfAnyName_SameNumbersEverywhere(string name)
    {
        var (plain, odd) = (Data("Features"), Data(name));
        var detector = new VaeAnomalyTrainer.Options { Members = 2, Steps = 10, ContributionsColumnName = "Why" };
        var imputer = new VaeImputer.Options { Training = Small, Iterations = 2 };
        Same(_context.Vae.VariationalAutoencoder("Latent", "Features", Full("Deviation", "Back", "Oddness")), _context.Vae.VariationalAutoencoder("Latent", name, Full("Deviation", "Back", "Oddness")),
            plain, odd, ["Latent", "Deviation", "Back", "Oddness"], name, new() { Columns = ["Deviation", "Back", "Oddness"] });
        Same(_context.Vae.AnomalyDetector("Features", detector), _context.Vae.AnomalyDetector(name, detector), plain, odd, ["Score", "Why"], name, new());
        Same(_context.Vae.ImputeMissing("Whole", "Features", imputer), _context.Vae.ImputeMissing("Whole", name, imputer), plain, odd, ["Whole"], name, new());
        Same(_context.Vae.AlignPrincipalAxes("Aligned", "Features", 2), _context.Vae.AlignPrincipalAxes("Aligned", name, 2), plain, odd, ["Aligned"], name, new());
        Same(_context.Vae.RadiusOfGyration("Rg", "Features", 2), _context.Vae.RadiusOfGyration("Rg", name, 2), plain, odd, ["Rg"], name, new());
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void OutputColumns_OfAnyName_SameNumbersEverywhere(string name)
    {
        var data = Data("Features");
        string[] plain = ["Latent", "Deviation", "Back", "Oddness"];
        for (int i = 0; i < 4; i++)
        {
            string[] odd = [.. plain];
            odd[i] = name;
            Same(_context.Vae.VariationalAutoencoder("Latent", "Features", Full("Deviation", "Back", "Oddness")), _context.Vae.VariationalAutoencoder(odd[0], "Features", Full(odd[1], odd[2], odd[3])),
                data, data, plain, "Features", new() { Columns = odd[1..] }, odd);
        }
        var detector = new VaeAnomalyTrainer.Options { Members = 1, Steps = 10, ContributionsColumnName = "Why" };
        Same(_context.Vae.AnomalyDetector("Features", detector), _context.Vae.AnomalyDetector("Features", Contributions(name)), data, data, ["Score", "Why"], "Features", new(), ["Score", name]);
        var imputer = new VaeImputer.Options { Training = Small, Iterations = 2 };
        Same(_context.Vae.ImputeMissing("Whole", "Features", imputer), _context.Vae.ImputeMissing(name, "Features", imputer), data, data, ["Whole"], "Features", new(), [name]);
        Same(_context.Vae.RadiusOfGyration("Rg", "Features", 2), _context.Vae.RadiusOfGyration(name, "Features", 2), data, data, ["Rg"], "Features", new(), [name]);

        static VaeAnomalyTrainer.Options Contributions(string name) => new() { Members = 1, Steps = 10, ContributionsColumnName = name };
    }

    [TestMethod]
    [DataRow("tokens.starts")]
    [DataRow("score.0")]
    [DataRow("member.1.encoder.0.weight")]
    [DataRow("log_probabilities")]
    [DataRow("starts")]
    [DataRow("a\n列. b")]
    public void TokenColumn_OfAnyName_SameNumbersEverywhere(string name)
    {
        var (plain, odd) = (Tokens("Tokens"), Tokens(name));
        var options = new SequenceVaeTrainer.Options { LatentDimension = 2, HiddenLayers = [8], MaximumSteps = 2, StepsPerEpoch = 1, EnsembleMembers = 2, Threads = 1, ScoreColumnName = "Oddness", ValidationFraction = 0, EarlyStopping = null };
        Same(_context.Vae.SequenceAutoencoder("Latent", "Tokens", options), _context.Vae.SequenceAutoencoder("Latent", name, options), plain, odd, ["Latent", "Oddness"], name, null);
        Same(_context.Vae.SiteIndependent("P", "Tokens"), _context.Vae.SiteIndependent("P", name), plain, odd, ["P"], name, null);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow(" ")]
    [DataRow("a\0b")]
    [DataRow("\0")]
    [DataRow("/vae/encoder.0.weight")]
    [DataRow("/vae/")]
    [DataRow("half HIGH")]
    [DataRow("LOW half")]
    public void NamesThatAFileCannotHold_AreRefusedByEveryEstimator(string name)
    {
        // Halves of a character do not reach a test as data.
        name = name.Replace("HIGH", "\ud83e", StringComparison.Ordinal).Replace("LOW", "\udd86", StringComparison.Ordinal);
        var vae = _context.Vae;
        var training = new VaeImputer.Options { Training = Small };
        Action[] all =
        [
            () => vae.VariationalAutoencoder("Latent", name, Small),
            () => vae.VariationalAutoencoder(name, "Features", Small),
            () => vae.VariationalAutoencoder("Latent", "Features", Small with { StandardDeviationColumnName = name }),
            () => vae.VariationalAutoencoder("Latent", "Features", Small with { ReconstructionColumnName = name }),
            () => vae.VariationalAutoencoder("Latent", "Features", Small with { ScoreColumnName = name }),
            () => vae.AnomalyDetector(name),
            () => vae.AnomalyDetector("Features", new() { ContributionsColumnName = name }),
            () => vae.ImputeMissing(name, "Features", training),
            () => vae.ImputeMissing("Whole", name, training),
            () => vae.CenterConformations(name, "Features", 2),
            () => vae.CenterConformations("Centred", name, 2),
            () => vae.AlignPrincipalAxes(name, "Features", 2),
            () => vae.AlignPrincipalAxes("Aligned", name, 2),
            () => vae.RadiusOfGyration(name, "Features", 2),
            () => vae.RadiusOfGyration("Rg", name, 2),
            () => vae.SequenceAutoencoder(name, "Tokens"),
            () => vae.SequenceAutoencoder("Latent", name),
            () => vae.SequenceAutoencoder("Latent", "Tokens", new() { ScoreColumnName = name }),
            () => vae.SiteIndependent(name, "Tokens"),
            () => vae.SiteIndependent("P", name),
        ];
        foreach (var act in all)
        {
            var error = Assert.ThrowsExactly<ArgumentException>(act);
            if (name.StartsWith("/vae/", StringComparison.Ordinal))
                Assert.Contains($"'{name}'", error.Message);
        }
    }

    [TestMethod]
    public void ExportPipeline_ColumnOfTheData_ThatAFileCannotHold_IsRefused()
    {
        foreach (string name in new[] { "/vae/1/encoder.0.weight", "a\0b" })
        {
            var data = Data(name);
            var model = _context.Transforms.CopyColumns("Features", name).Append(_context.Vae.VariationalAutoencoder("Latent", "Features", Small)).Fit(data);
            Assert.Contains("may not be called", Assert.ThrowsExactly<ArgumentException>(() => PipelineExport.Create(_context, model, data.Schema, new())).Message);
        }
    }

    [TestMethod]
    public void SavedModel_LeavesColumnsOfTheDataAlone()
    {
        // What makes scalars of the graph's scores has helper columns, which may not hide or drop any of the data.
        foreach (string name in new[] { "Oddness.Vector", "Oddness.Scalar", "Score.Aside", "Score.Vector", "Score" })
        {
            var data = _context.Transforms.CopyColumns(name, "Other").Fit(Data("Features")).Transform(Data("Features"));
            using var model = _context.Vae.VariationalAutoencoder("Latent", "Features", Full("Deviation", "Back", "Oddness")).Fit(data);
            var loaded = SaveAndLoad(model, data.Schema);
            Assert.AreSequenceEqual(data.GetColumn<float>("Other").ToArray(), loaded.Transform(data).GetColumn<float>(name).ToArray());
        }
    }

    [TestMethod]
    public void EarlierFiles_WithPlainParameterNames_AreReadAsBefore()
    {
        var data = Data("Features");
        using var vae = _context.Vae.VariationalAutoencoder("Latent", "Features", Full("Deviation", "Back", "Oddness")).Fit(data);
        byte[] former = Former(vae.Model.ToOnnx());
        Assert.IsTrue(ModelProto.Parser.ParseFrom(former).Graph.Initializer.Any(tensor => tensor.Name == "encoder.0.weight"));
        VaeModelOnnxTests.AssertSame(vae.Model, VaeModel.FromOnnx(former));

        var sequences = _context.Vae.SequenceAutoencoder("Latent", "Tokens", new() { LatentDimension = 2, HiddenLayers = [8], MaximumSteps = 2, StepsPerEpoch = 1, EnsembleMembers = 2, Threads = 1, ValidationFraction = 0, EarlyStopping = null })
            .Fit(Tokens("Tokens")).Model;
        var read = SequenceVaeModel.FromOnnx(Former(sequences.ToOnnx()));
        Assert.AreSequenceEqual(sequences.Members[1].Parameters, read.Members[1].Parameters);
    }

    [TestMethod]
    public void EarlierPipeline_WithADetector_IsRehydratedAndExported()
    {
        // As it was saved before: the graph's score under its former name, then the identity and what drops the graph's score.
        var data = Data("Features");
        var detector = _context.Vae.AnomalyDetector("Features", new() { Members = 2, Steps = 10, Contamination = 0.2f, ContributionsColumnName = "Why" }).Fit(data);
        const string score = "Score.Vector";
        using var stream = new MemoryStream(OnnxGraphs.Renamed(Former(detector.CreateSavedModel()), OutputColumn.VectorName("Score"), score));
        var onnx = _context.Transforms.ApplyOnnxModel(["Why", score], ["Features"], stream).Fit(data);
        var earlier = new TransformerChain<ITransformer>(onnx, MLNet.Scoring.ScalarColumns.Identity(_context, score, detector.Threshold), MLNet.Scoring.ScalarColumns.Drop(_context, score));
        var rehydrated = (VaeAnomalyTransformer)_context.Vae.Rehydrate(SaveAndLoad(earlier, data.Schema));
        Assert.AreEqual(detector.Threshold, rehydrated.Threshold);
        var expected = detector.Transform(data);
        foreach (var model in new ITransformer[] { rehydrated, SaveAndLoad(rehydrated, data.Schema) })
        {
            var found = model.Transform(data);
            AssertSame(expected, "Score", found, "Score");
            AssertSame(expected, "Why", found, "Why");
            Assert.AreSequenceEqual(expected.GetColumn<bool>("PredictedLabel").ToArray(), found.GetColumn<bool>("PredictedLabel").ToArray());
            Assert.IsLessThan(1e-4, PipelineExport.Create(_context, model, data.Schema, new() { Columns = ["PredictedLabel"] }).Report.LargestError!.Value);
        }
    }

    /// <summary>The file as it was before a graph's own names had a space of their own.</summary>
    private static byte[] Former(byte[] file)
    {
        var model = ModelProto.Parser.ParseFrom(file);
        OnnxGraphs.RenameAll(model.Graph, name => name.StartsWith("/vae/vector/", StringComparison.Ordinal) || !name.StartsWith("/vae/", StringComparison.Ordinal) ? name : name["/vae/".Length..]);
        return Google.Protobuf.MessageExtensions.ToByteArray(model);
    }

    private static VaeTrainer.Options Full(string deviation, string reconstruction, string score) =>
        Small with { StandardDeviationColumnName = deviation, ReconstructionColumnName = reconstruction, ScoreColumnName = score };

    /// <summary>The same estimator under other names gives the same numbers: fitted, saved and loaded, rehydrated, and exported.</summary>
    private void Same<T>(IEstimator<T> plain, IEstimator<T> odd, IDataView plainData, IDataView oddData, string[] columns, string input, PipelineExportOptions? export, string[]? oddColumns = null)
        where T : FittedTransformer
    {
        oddColumns ??= columns;
        using var expectedModel = plain.Fit(plainData);
        using var model = odd.Fit(oddData);
        var expected = expectedModel.Transform(plainData);
        var loaded = SaveAndLoad(model, oddData.Schema);
        var rehydrated = _context.Vae.Rehydrate(loaded);
        // A scalar of a conformation stays ML.NET's chain.
        if (model is not RadiusOfGyrationTransformer)
            Assert.IsInstanceOfType<FittedTransformer>(rehydrated);
        foreach (var version in new ITransformer[] { model, loaded, rehydrated })
        {
            var found = version.Transform(oddData);
            for (int i = 0; i < columns.Length; i++)
                AssertSame(expected, columns[i], found, oddColumns[i]);
            // What ML.NET loads of a scalar cannot be exported.
            if (export is null || model is RadiusOfGyrationTransformer && !ReferenceEquals(version, model))
                continue;
            var (file, report) = PipelineExport.Create(_context, version, oddData.Schema, export);
            OnnxChecker.AssertValid(file);
            Assert.IsLessThan(1e-4, report.LargestError!.Value);
            var results = PipelineExportTests.Run(file, oddData, input);
            for (int i = 0; i < columns.Length; i++)
                PipelineExportTests.AssertSame(Rows(expected, columns[i]), results[oddColumns[i]], Rows(expected, columns[i])[0].Length);
        }
    }

    private static void AssertSame(IDataView expected, string expectedColumn, IDataView found, string foundColumn) =>
        EstimatorContract.AssertSame(Rows(expected, expectedColumn), Rows(found, foundColumn), 1e-5, foundColumn);

    private static float[][] Rows(IDataView data, string column) => data.Schema[column].Type is VectorDataViewType
        ? [.. data.GetColumn<float[]>(column)]
        : [.. data.GetColumn<float>(column).Select(value => new[] { value })];

    private ITransformer SaveAndLoad(ITransformer model, DataViewSchema schema)
    {
        using var stream = new MemoryStream();
        _context.Model.Save(model, schema, stream);
        stream.Position = 0;
        return new MLContext(seed: 1).Model.Load(stream, out _);
    }

    private IDataView Data(string name)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[nameof(Row.Values)].ColumnName = name;
        return _context.Data.LoadFromEnumerable(TestRows.Curved(120, 6).Select((row, i) => new Row { Values = row, Other = i }).ToArray(), definition);
    }

    private IDataView Tokens(string name)
    {
        var random = new Random(6);
        var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "ACDEFG");
        var definition = SchemaDefinition.Create(typeof(Sequence));
        definition[0].ColumnName = name;
        definition[0].AddAnnotation(MLNet.Sequences.TokenColumns.LayoutAnnotation, layout.ToJson().AsMemory(), TextDataViewType.Instance);
        return _context.Data.LoadFromEnumerable(Enumerable.Range(0, 60).Select(_ => new Sequence { Values = [.. Enumerable.Range(0, 6).Select(_ => (long)random.Next(20))] }).ToArray(), definition);
    }

    private sealed class Row
    {
        [VectorType(6)]
        public float[] Values { get; set; } = [];

        public float Other { get; set; }
    }

    private sealed class Sequence
    {
        [VectorType(6)]
        public long[] Values { get; set; } = [];
    }
}
