using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Onnx;

namespace Vae.MLNet.Tests.Pipelines;

[TestClass]
public sealed class RehydrateTests
{
    private static readonly VaeTrainer.Options Small = new() { LatentDimension = 3, HiddenLayers = [16, 8], Epochs = 1, BatchSize = 64, Threads = 1 };

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Rehydrate_SameColumnsSameNumbers(bool score)
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(700, 6));
        var options = Small with { StandardDeviationColumnName = "Deviation", ReconstructionColumnName = "Back", ScoreColumnName = score ? "Oddness" : null };
        var chain = context.Transforms.NormalizeMinMax("Scaled", EstimatorContract.Input)
            .Append(context.Vae.VariationalAutoencoder("Latent", "Scaled", options))
            .Append(context.Clustering.Trainers.KMeans("Latent", numberOfClusters: 3)).Fit(data);
        var nested = new TransformerChain<ITransformer>([context.Transforms.CopyColumns("Copy", EstimatorContract.Input).Fit(data), chain], [TransformerScope.Training, TransformerScope.Everything]);
        var loaded = SaveAndLoad(context, nested, data.Schema);

        var rehydrated = (TransformerChain<ITransformer>)context.Vae.Rehydrate(loaded);
        var inner = (TransformerChain<ITransformer>)rehydrated.Last();
        var vae = inner.OfType<VaeTransformer>().Single();
        Assert.IsFalse(inner.OfType<OnnxTransformer>().Any());
        Assert.AreEqual(chain.ElementAt(1) is VaeTransformer original ? original.Model.Options.ToJson() : "", vae.Model.Options.ToJson());
        Assert.AreEqual("Latent", vae.LatentColumnName);
        Assert.IsNull(rehydrated.Transform(data).Schema.GetColumnOrNull("Copy"), "Scopes stay: the copy is for training only.");
        Assert.IsNotNull(rehydrated.Transform(data, TransformerScope.Training).Schema.GetColumnOrNull("Copy"));

        var (before, after) = (loaded.Transform(data), rehydrated.Transform(data));
        Assert.AreEqual(Describe(before.Schema), Describe(after.Schema));
        var drop = context.Transforms.DropColumns("PredictedLabel");
        EstimatorContract.AssertSame(EstimatorContract.ReadAll(drop.Fit(before).Transform(before)), EstimatorContract.ReadAll(drop.Fit(after).Transform(after)), 1e-5, "the rehydrated model");
        Assert.AreSequenceEqual(before.GetColumn<uint>("PredictedLabel").ToArray(), after.GetColumn<uint>("PredictedLabel").ToArray());

        // It can be saved again, and what has nothing of ours is left alone.
        var again = SaveAndLoad(context, rehydrated, data.Schema);
        Assert.AreEqual(Describe(before.Schema), Describe(again.Transform(data).Schema));
        Assert.AreSame(rehydrated, context.Vae.Rehydrate(rehydrated));
        var foreign = context.Transforms.NormalizeMinMax("Scaled", EstimatorContract.Input).Fit(data);
        Assert.AreSame(foreign, context.Vae.Rehydrate(foreign));
    }

    [TestMethod]
    public void Rehydrate_ScoreBesideAScoreOfTheData()
    {
        // The saved chain puts the data's own Score aside: it stays a chain, and only the graph in it is batched.
        var context = new MLContext(seed: 1);
        var rows = EstimatorContract.Load(context, TestRows.Curved(300, 6));
        var data = context.Transforms.CopyColumns("Score", EstimatorContract.Input).Fit(rows).Transform(rows);
        using var model = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { ScoreColumnName = "Oddness" }).Fit(data);
        var loaded = SaveAndLoad(context, model, data.Schema);
        var rehydrated = context.Vae.Rehydrate(loaded);
        Assert.AreNotSame(loaded, rehydrated);
        Assert.IsTrue(((TransformerChain<ITransformer>)rehydrated).OfType<FittedTransformer>().Any());
        Assert.AreEqual(Describe(loaded.Transform(data).Schema), Describe(rehydrated.Transform(data).Schema));
        EstimatorContract.AssertSame(EstimatorContract.ReadAll(loaded.Transform(data)), EstimatorContract.ReadAll(rehydrated.Transform(data)), 1e-5, "the rehydrated model");
    }

    [TestMethod]
    [DataRow(null)]
    [DataRow("Why")]
    public void Rehydrate_AnomalyDetector(string? contributions)
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(700, 6));
        var options = new VaeAnomalyTrainer.Options { Members = 2, Steps = 20, ContributionsColumnName = contributions };
        using var model = context.Vae.AnomalyDetector("Scaled", options).Fit(context.Transforms.NormalizeMinMax("Scaled", EstimatorContract.Input).Fit(data).Transform(data));
        foreach (float threshold in new[] { model.Threshold, 12.25f, 0f, -1.5f })
        {
            using var changed = model.ChangeThreshold(threshold);
            var chain = context.Transforms.NormalizeMinMax("Scaled", EstimatorContract.Input).Fit(data).Append(changed);
            var loaded = SaveAndLoad(context, new TransformerChain<ITransformer>(chain), data.Schema);
            var rehydrated = context.Vae.Rehydrate(loaded);
            var inner = (TransformerChain<ITransformer>)((TransformerChain<ITransformer>)rehydrated).Last();
            using var detector = (VaeAnomalyTransformer)inner.Last();
            Assert.AreEqual(threshold, detector.Threshold);
            Assert.AreEqual(contributions, detector.ContributionsColumnName);
            Assert.AreEqual(6, detector.FeatureCount);
            Assert.AreEqual(Describe(loaded.Transform(data).Schema), Describe(rehydrated.Transform(data).Schema));
            // The same graph in the same blocks: the same bits as before saving.
            EstimatorContract.AssertSame(EstimatorContract.ReadAll(chain.Transform(data)), EstimatorContract.ReadAll(rehydrated.Transform(data)), 0, "the rehydrated detector");
            var again = context.Vae.Rehydrate(SaveAndLoad(context, rehydrated, data.Schema));
            EstimatorContract.AssertSame(EstimatorContract.ReadAll(chain.Transform(data)), EstimatorContract.ReadAll(again.Transform(data)), 0, "the detector saved once more");
        }
    }

    [TestMethod]
    public void Rehydrate_ThresholdChangedInMlNet()
    {
        // Somebody without this library changes the threshold of the saved model: what it says is not what it does any more.
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(300, 6));
        using var model = context.Vae.AnomalyDetector(EstimatorContract.Input, new() { Members = 1, Steps = 20 }).Fit(data);
        var items = ((TransformerChain<ITransformer>)SaveAndLoad(context, model, data.Schema)).ToArray();
        var binary = context.BinaryClassification.ChangeModelThreshold((BinaryPredictionTransformer<Microsoft.ML.Trainers.LinearBinaryModelParameters>)items[1], 9.125f);
        var changed = new TransformerChain<ITransformer>(items[0], binary, items[2]);
        using var detector = (VaeAnomalyTransformer)context.Vae.Rehydrate(changed);
        Assert.AreEqual(9.125f, detector.Threshold);
        Assert.AreSequenceEqual(changed.Transform(data).GetColumn<bool>("PredictedLabel").ToArray(), detector.Transform(data).GetColumn<bool>("PredictedLabel").ToArray());

        // A chain that does something else behind the graph stays a chain, with the graph in blocks.
        var other = new TransformerChain<ITransformer>(items[0], binary, context.Transforms.CopyColumns("Twin", "Score").Fit(changed.Transform(data)), items[2]);
        var kept = (TransformerChain<ITransformer>)context.Vae.Rehydrate(other);
        Assert.IsInstanceOfType<FittedTransformer>(kept.First());
        Assert.AreEqual(Describe(other.Transform(data).Schema), Describe(kept.Transform(data).Schema));
        foreach (var disposable in kept.OfType<FittedTransformer>())
            disposable.Dispose();
    }

    [TestMethod]
    public void Rehydrate_Imputer()
    {
        var context = new MLContext(seed: 1);
        float[][] rows = TestRows.Curved(700, 6);
        for (int i = 0; i < rows.Length; i++)
            rows[i][i % 6] = i % 3 == 0 ? float.NaN : rows[i][i % 6];
        var data = EstimatorContract.Load(context, rows);
        using var model = context.Vae.ImputeMissing("Whole", EstimatorContract.Input, new() { Training = Small, Refinements = 1 }).Fit(data);
        var detector = context.Vae.AnomalyDetector("Whole", new() { Members = 1, Steps = 10 }).Fit(model.Transform(data));
        var chain = new TransformerChain<ITransformer>(model, detector);
        var loaded = SaveAndLoad(context, chain, data.Schema);
        var rehydrated = (TransformerChain<ITransformer>)context.Vae.Rehydrate(loaded);
        using var imputer = (VaeImputingTransformer)rehydrated.First();
        Assert.AreEqual("Whole", imputer.OutputColumnName);
        Assert.AreEqual(model.Model.Options.ToJson(), imputer.Model.Options.ToJson());
        Assert.AreSequenceEqual(model.Model.Parameters, imputer.Model.Parameters);
        Assert.AreEqual(Describe(loaded.Transform(data).Schema), Describe(rehydrated.Transform(data).Schema));
        var keep = context.Transforms.DropColumns("PredictedLabel");
        var (before, after) = (chain.Transform(data), rehydrated.Transform(data));
        EstimatorContract.AssertSame(EstimatorContract.ReadAll(keep.Fit(before).Transform(before)), EstimatorContract.ReadAll(keep.Fit(after).Transform(after)), 0, "the rehydrated imputer and detector");
    }

    [TestMethod]
    [DataRow(GaussianNoise.Fixed, InputScaling.None)]
    [DataRow(GaussianNoise.LearnedShared, InputScaling.Standardize)]
    [DataRow(GaussianNoise.LearnedPerFeature, InputScaling.Standardize)]
    [DataRow(GaussianNoise.LearnedPerFeature, InputScaling.RobustAsinh)]
    public void Rehydrate_ImputerOfANormalLikelihood(GaussianNoise noise, InputScaling scaling)
    {
        var options = Small with { Likelihood = Likelihood.Gaussian, GaussianNoise = noise, Scaling = scaling, Beta = 0.1f, LearningRate = 1e-2f, Epochs = 3 };
        AssertImputerComesBack(new() { Training = options, Iterations = 3, Refinements = 1 });
    }

    [TestMethod]
    public void Rehydrate_ImputerOfDefaults() => AssertImputerComesBack(new() { Refinements = 0, Iterations = 1 });

    [TestMethod]
    public void Rehydrate_ImputerOfAGivenModel()
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(300, 6));
        var options = Small with { Likelihood = Likelihood.Gaussian, GaussianNoise = GaussianNoise.LearnedPerFeature };
        using var vae = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, options).Fit(data);
        AssertImputerComesBack(new() { Model = vae.Model });
    }

    /// <summary>Saved, loaded and rehydrated, twice over, an imputer has its whole model and gives the same numbers.</summary>
    private static void AssertImputerComesBack(VaeImputer.Options options)
    {
        var context = new MLContext(seed: 1);
        float[][] rows = TestRows.Curved(300, 6);
        for (int i = 0; i < rows.Length; i += 3)
            rows[i][i % 6] = float.NaN;
        var data = EstimatorContract.Load(context, rows);
        using var model = context.Vae.ImputeMissing("Whole", EstimatorContract.Input, options).Fit(data);
        using var once = (VaeImputingTransformer)context.Vae.Rehydrate(SaveAndLoad(context, model, data.Schema));
        using var twice = (VaeImputingTransformer)context.Vae.Rehydrate(SaveAndLoad(context, once, data.Schema));
        foreach (var found in new[] { once, twice })
        {
            Assert.AreSequenceEqual(model.Model.Parameters, found.Model.Parameters);
            Assert.AreEqual(model.Model.Options.ToJson(), found.Model.Options.ToJson());
            EstimatorContract.AssertSame(EstimatorContract.ReadAll(model.Transform(data)), EstimatorContract.ReadAll(found.Transform(data)), 0, "the rehydrated imputer");
        }
        // And it is whole: its decoder, which carries the noise, is the same file.
        Assert.AreSequenceEqual(model.Model.ToDecoderOnnx(), once.Model.ToDecoderOnnx());
    }

    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, false)]
    [DataRow(3, true)]
    public void Rehydrate_RadiusOfGyration(int dimensions, bool scoreInData)
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(300, 6));
        if (scoreInData)
            data = context.Transforms.CopyColumns("Score", EstimatorContract.Input).Fit(data).Transform(data);
        float[] masses = [.. Enumerable.Range(1, 6 / dimensions).Select(i => (float)i)];
        using var rg = context.Vae.RadiusOfGyration("Rg", EstimatorContract.Input, dimensions, masses).Fit(data);
        using var vae = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small).Fit(data);
        var chain = new TransformerChain<ITransformer>(rg, context.Transforms.CopyColumns("Copy", "Rg").Fit(rg.Transform(data)), vae);
        var alone = SaveAndLoad(context, rg, data.Schema);
        var whole = SaveAndLoad(context, chain, data.Schema);
        var once = context.Vae.Rehydrate(whole);
        var again = context.Vae.Rehydrate(SaveAndLoad(context, once, data.Schema));
        if (!scoreInData)
        {
            // One transform again, which gives a scalar.
            using var one = (FittedTransformer)context.Vae.Rehydrate(alone);
            Assert.AreEqual(NumberDataViewType.Single, one.Transform(data).Schema["Rg"].Type);
            Assert.AreEqual(4, ((IEnumerable<ITransformer>)once).Count() + 1);
        }
        foreach (var loaded in new[] { whole, once, again })
        {
            Assert.AreEqual(Describe(whole.Transform(data).Schema), Describe(loaded.Transform(data).Schema));
            float[] expected = [.. chain.Transform(data).GetColumn<float>("Rg")];
            float[] found = [.. loaded.Transform(data).GetColumn<float>("Rg")];
            for (int i = 0; i < expected.Length; i++)
                Assert.AreEqual(expected[i], found[i], 1e-6);
            string path = Path.GetTempFileName();
            try
            {
                var report = context.Vae.ExportPipeline(loaded, data.Schema, path, new() { Columns = ["Rg", "Copy"] });
                Assert.IsLessThan(1e-5, report.LargestError!.Value);
                var results = PipelineExportTests.Run(File.ReadAllBytes(path), data, EstimatorContract.Input);
                PipelineExportTests.AssertSame([.. expected.Select(value => new[] { value })], results["Rg"], 1);
                PipelineExportTests.AssertSame([.. expected.Select(value => new[] { value })], results["Copy"], 1);
            }
            finally
            {
                File.Delete(path);
            }
        }
        // Alone, it can be exported too.
        string file = Path.GetTempFileName();
        context.Vae.ExportPipeline(alone, data.Schema, file);
        Assert.HasCount(300, PipelineExportTests.Run(File.ReadAllBytes(file), data, EstimatorContract.Input)["Rg"]);
        File.Delete(file);
    }

    /// <summary>
    /// A score of the data under the name of ML.NET's own is put aside by the saved pipeline, which can be exported all the same.
    /// </summary>
    [TestMethod]
    public void Export_LoadedScoreBesideAScoreOfTheData()
    {
        var context = new MLContext(seed: 1);
        var rows = EstimatorContract.Load(context, TestRows.Curved(300, 6));
        var data = context.Transforms.CopyColumns("Score", EstimatorContract.Input).Fit(rows).Transform(rows);
        using var model = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { ScoreColumnName = "Oddness" }).Fit(data);
        var loaded = SaveAndLoad(context, model, data.Schema);
        string path = Path.GetTempFileName();
        var report = context.Vae.ExportPipeline(loaded, data.Schema, path, new() { Score = true });
        Assert.IsLessThan(1e-4, report.LargestError!.Value);
        var results = PipelineExportTests.Run(File.ReadAllBytes(path), data, EstimatorContract.Input);
        var expected = model.Transform(data).GetColumn<float>("Oddness");
        PipelineExportTests.AssertSame([.. expected.Select(value => new[] { value })], results["Oddness"], 1);
        File.Delete(path);
    }

    private static ITransformer SaveAndLoad(MLContext context, ITransformer model, DataViewSchema schema)
    {
        using var stream = new MemoryStream();
        context.Model.Save(model, schema, stream);
        stream.Position = 0;
        return new MLContext(seed: 1).Model.Load(stream, out _);
    }

    private static string Describe(DataViewSchema schema) => string.Join("; ", schema.Where(column => !column.IsHidden).Select(column => $"{column.Name}: {column.Type} {column.HasSlotNames()}"));
}
