using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Tests.Anomaly;

namespace Vae.MLNet.Tests.Scoring;

/// <summary>Features are matched by position, so columns whose slots are named otherwise than at the training are refused.</summary>
[TestClass]
public sealed class SlotNameTests
{
    private static readonly string[] Trained = [.. Enumerable.Range(0, AnomalyRows.Features).Select(i => $"n{i}")];

    private static readonly VaeTrainer.Options Small = new() { HiddenLayers = [8], Epochs = 1, Threads = 1 };

    private readonly MLContext _context = new(seed: 1);

    private IDataView View(params string[]? names) => AnomalyRows.View(_context, AnomalyRows.Make(60), names);

    private ITransformer Fit(string kind, bool ignore) => kind switch
    {
        "autoencoder" => _context.Vae.VariationalAutoencoder("Latent", "Features", Small with { IgnoreSlotNames = ignore }).Fit(View(Trained)),
        "detector" => _context.Vae.AnomalyDetector("Features", new() { Members = 1, Steps = 5, IgnoreSlotNames = ignore }).Fit(View(Trained)),
        _ => _context.Vae.ImputeMissing("Whole", "Features", new() { Refinements = 0, Training = Small with { IgnoreSlotNames = ignore } }).Fit(View(Trained)),
    };

    private ITransformer Reload(ITransformer model)
    {
        string path = Path.GetTempFileName();
        try
        {
            _context.Vae.SaveModel(model, View(Trained).Schema, path);
            return _context.Vae.Rehydrate(_context.Model.Load(path, out _));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    [DataRow("autoencoder")]
    [DataRow("detector")]
    [DataRow("imputer")]
    public void Transform_OtherNames_AreRefusedByTheFirstDifference(string kind)
    {
        var model = Fit(kind, ignore: false);
        string[] swapped = [.. Trained];
        (swapped[1], swapped[3]) = (swapped[3], swapped[1]);
        foreach (var one in new[] { model, Reload(model) })
        {
            string message = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => one.Transform(View(swapped))).Message;
            foreach (string word in new[] { "slot 1", "'n3'", "'n1'", "another order", "IgnoreSlotNames" })
                Assert.Contains(word, message);
            Assert.Contains("'other'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => one.Transform(View(["other", .. Trained[1..]]))).Message);
            // The same names, or none.
            _ = one.Transform(View(Trained));
            _ = one.Transform(View(null));
        }
    }

    [TestMethod]
    [DataRow("autoencoder")]
    [DataRow("detector")]
    [DataRow("imputer")]
    public void Transform_IgnoreSlotNames_MatchesByPosition(string kind)
    {
        var model = Fit(kind, ignore: true);
        foreach (var one in new[] { model, Reload(model) })
            Assert.AreEqual(60, one.Transform(View([.. Trained.Reverse()])).Preview(100).RowView.Length);
    }

    [TestMethod]
    public void Fit_ValidationOrWarmStartOfOtherNames_IsRefused()
    {
        string[] other = [.. Trained.Reverse()];
        var trainer = _context.Vae.VariationalAutoencoder("Latent", "Features", Small);
        Assert.Contains("slot 0", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainer.Fit(View(Trained), View(other))).Message);
        using var model = trainer.Fit(View(Trained), View(Trained));
        var warm = Small with { WarmStart = model.Model };
        Assert.Contains("slot 0", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Vae.VariationalAutoencoder("Latent", "Features", warm).Fit(View(other))).Message);
        using var nameless = _context.Vae.VariationalAutoencoder("Latent", "Features", warm).Fit(View(null));
        CollectionAssert.AreEqual(Trained, nameless.InputNames.ToArray());
    }

    [TestMethod]
    public void Evaluate_OtherNames_AreRefusedUnlessIgnored()
    {
        using var model = (VaeTransformer)Fit("autoencoder", ignore: false);
        string[] other = [.. Trained.Reverse()];
        Assert.Contains("IgnoreSlotNames", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Vae.Evaluate(View(other), model)).Message);
        Assert.AreEqual(60, _context.Vae.Evaluate(View(other), model, new() { IgnoreSlotNames = true }).Rows);
    }

    [TestMethod]
    [DataRow("autoencoder")]
    [DataRow("detector")]
    [DataRow("imputer")]
    public void Rehydrate_IgnoringSlotNames_MatchesByPosition(string kind)
    {
        var model = Fit(kind, ignore: false);
        string path = Path.GetTempFileName();
        try
        {
            _context.Vae.SaveModel(model, View(Trained).Schema, path);
            var loose = _context.Vae.Rehydrate(_context.Model.Load(path, out _), ignoreSlotNames: true);
            Assert.AreEqual(60, loose.Transform(View([.. Trained.Reverse()])).Preview(100).RowView.Length);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    [DataRow("{}")]
    [DataRow("[1,2]")]
    [DataRow("[\"only one\"]")]
    [DataRow("[")]
    public void InputNames_Malformed_AreRefusedByName(string json)
    {
        using var model = (VaeTransformer)Fit("autoencoder", ignore: false);
        var file = Vae.MLNet.Onnx.Proto.ModelProto.Parser.ParseFrom(model.Model.ToOnnx());
        file.MetadataProps.Single(entry => entry.Key == "vae.input_names").Value = json;
        byte[] bytes = Google.Protobuf.MessageExtensions.ToByteArray(file);
        Assert.Contains("vae.input_names", Assert.ThrowsExactly<InvalidDataException>(() => VaeModel.FromOnnx(bytes)).Message);
    }

    [TestMethod]
    public void InputNames_StandInExportedFiles()
    {
        using var model = (VaeTransformer)Fit("autoencoder", ignore: false);
        CollectionAssert.AreEqual(Trained, model.InputNames.ToArray());
        using var encoder = VaeEncoder.Load(model.Model.ToEncoderOnnx());
        CollectionAssert.AreEqual(Trained, encoder.InputNames.ToArray());
        using var nameless = _context.Vae.VariationalAutoencoder("Latent", "Features", Small).Fit(View(null));
        using var plain = VaeEncoder.Load(nameless.Model.ToEncoderOnnx());
        Assert.IsEmpty(plain.InputNames);
    }

    /// <summary>An exported pipeline has the names of its own column, and for reading the model back those of the autoencoder's.</summary>
    [TestMethod]
    [DataRow(OnnxWeightType.Float32)]
    [DataRow(OnnxWeightType.Float16)]
    public void InputNames_ComeBackFromAnExportedPipeline(OnnxWeightType weights)
    {
        var whole = new PipelineExportOptions { Reconstruction = true, WeightType = weights };
        foreach (var chain in Pipelines())
        {
            string path = Path.GetTempFileName();
            try
            {
                var model = _context.Vae.Rehydrate(Reload(chain));
                foreach (var exported in new[] { chain, model })
                {
                    _context.Vae.ExportPipeline(exported, View(Trained).Schema, path, whole);
                    var read = VaeModel.FromOnnx(path);
                    var original = chain.OfType<VaeTransformer>().Single();
                    CollectionAssert.AreEqual(original.InputNames.ToArray(), read.InputNames.ToArray());
                    Assert.HasCount(read.FeatureCount, read.InputNames);
                    using var pipeline = VaeEncoder.Load(path);
                    CollectionAssert.AreEqual(Trained, pipeline.InputNames.ToArray());
                    using var encoder = VaeEncoder.Load(read.ToEncoderOnnx());
                    CollectionAssert.AreEqual(original.InputNames.ToArray(), encoder.InputNames.ToArray());
                }
                // What is read back refuses other names, as the original does.
                var back = VaeModel.FromOnnx(path);
                string column = chain.OfType<VaeTransformer>().Single().InputColumnName;
                var trained = chain.Transform(View(Trained));
                _ = _context.Vae.Evaluate(trained, back, column);
                string[] other = [.. Enumerable.Range(0, back.FeatureCount).Select(i => $"other{i}")];
                if (column == "Features")
                    Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _context.Vae.Evaluate(View(other), back, column));
            }
            finally
            {
                File.Delete(path);
            }
        }

        IEnumerable<TransformerChain<ITransformer>> Pipelines()
        {
            yield return new((VaeTransformer)Fit("autoencoder", ignore: false));
            // Features of several columns, named by where they come from.
            var join = _context.Transforms.Concatenate("Both", "Features", "Features").Fit(View(Trained));
            yield return new(join, _context.Vae.VariationalAutoencoder("Latent", "Both", Small).Fit(join.Transform(View(Trained))));
            var scale = _context.Transforms.NormalizeMinMax("Scaled", "Features").Fit(View(Trained));
            yield return new(scale, _context.Vae.VariationalAutoencoder("Latent", "Scaled", Small).Fit(scale.Transform(View(Trained))));
        }
    }

    [TestMethod]
    public void SaveModel_IsWholeOrNothing()
    {
        var model = Fit("autoencoder", ignore: false);
        string folder = Directory.CreateTempSubdirectory("vae-save-").FullName, path = Path.Combine(folder, "m.zip");
        try
        {
            _context.Vae.SaveModel(model, View(Trained).Schema, path);
            byte[] before = File.ReadAllBytes(path);
            // A model that fails half-way leaves the earlier file and nothing else.
            var failing = _context.Transforms.CustomMapping<Empty, Empty>((_, _) => { }, contractName: null).Fit(View(Trained));
            Assert.Throws<Exception>(() => _context.Vae.SaveModel(failing, View(Trained).Schema, path));
            CollectionAssert.AreEqual(before, File.ReadAllBytes(path));
            Assert.HasCount(1, Directory.GetFileSystemEntries(folder));
            Assert.IsNotNull(_context.Model.Load(path, out var schema));
            Assert.AreEqual(AnomalyRows.Features, ((VectorDataViewType)schema["Features"].Type).Size);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed class Empty;
}
