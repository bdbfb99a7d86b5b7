using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tests.Scoring;

[TestClass]
public sealed class VaeTransformerTests
{
    private static readonly VaeTrainer.Options Small = new() { LatentDimension = 3, HiddenLayers = [16, 8], Epochs = 2, BatchSize = 64, Threads = 1 };

    [TestMethod]
    [DataRow(InputScaling.None, PosteriorParameterization.Softplus)]
    [DataRow(InputScaling.Standardize, PosteriorParameterization.LogVariance)]
    [DataRow(InputScaling.RobustAsinh, PosteriorParameterization.Softplus)]
    public void AllColumns_KeepTheContract(InputScaling scaling, PosteriorParameterization posterior) => EstimatorContract.Run(
        context => context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with
        {
            Scaling = scaling,
            Posterior = posterior,
            StandardDeviationColumnName = "Deviation",
            ReconstructionColumnName = "Reconstruction",
            ScoreColumnName = "Score",
        }), TestRows.Curved(600, 12));

    [TestMethod]
    public void LatentAlone_KeepsTheContract() => EstimatorContract.Run(context => context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small), TestRows.Curved(300, 6));

    [TestMethod]
    public void Save_ScoreColumnOfTheDataSurvives()
    {
        var context = new MLContext(seed: 1);
        var data = context.Transforms.CopyColumns("Score", EstimatorContract.Input).Append(context.Transforms.CopyColumns("PredictedLabel", EstimatorContract.Input))
            .Fit(EstimatorContract.Load(context, TestRows.Curved(300, 6))).Transform(EstimatorContract.Load(context, TestRows.Curved(300, 6)));
        using var model = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { ScoreColumnName = "Oddness" }).Fit(data);
        using var stream = new MemoryStream();
        context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var loaded = new MLContext().Model.Load(stream, out _).Transform(data);
        Assert.AreEqual(6, ((VectorDataViewType)loaded.Schema["Score"].Type).Size, "The data's own Score column is a vector of 6.");
        Assert.AreEqual(6, ((VectorDataViewType)loaded.Schema["PredictedLabel"].Type).Size);
        Assert.AreEqual(NumberDataViewType.Single, loaded.Schema["Oddness"].Type);
        // In blocks and row by row the same sums are rounded differently.
        EstimatorContract.AssertSame([model.Transform(data).GetColumn<float>("Oddness").ToArray()], [loaded.GetColumn<float>("Oddness").ToArray()], 1e-6, "the loaded model");
    }

    [TestMethod]
    public void Predict_VectorOfAnotherLength()
    {
        var context = new MLContext(seed: 1);
        using var model = context.Vae.VariationalAutoencoder("Latent", "Features", Small).Fit(
            context.Data.LoadFromEnumerable(TestRows.Curved(100, 4).Select(row => new FourNumbers { Features = row })));
        using var engine = context.Model.CreatePredictionEngine<FourNumbers, ThreeNumbers>(model, new PredictionEngineOptions { OwnsTransformer = false });
        float[] expected = engine.Predict(new() { Features = [1, 2, 3, 4] }).Latent;
        // Neither may be completed by what the last prediction has left.
        foreach (float[]? wrong in new float[]?[] { [1, 2], [1, 2, 3, 4, 5], null })
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => engine.Predict(new() { Features = wrong! }));
            Assert.Contains($"'Features': expected vectors of 4, got a vector of {wrong?.Length ?? 0}", error.Message);
        }
        Assert.AreSequenceEqual(expected, engine.Predict(new() { Features = [1, 2, 3, 4] }).Latent);
    }

    private sealed class FourNumbers
    {
        [VectorType(4)]
        public float[] Features { get; set; } = [];
    }

    private sealed class ThreeNumbers
    {
        [VectorType(3)]
        public float[] Latent { get; set; } = [];
    }

    [TestMethod]
    public void Transform_TrainersBehindIt()
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(400, 6));
        var pipeline = context.Transforms.NormalizeMinMax("Scaled", EstimatorContract.Input)
            .Append(context.Vae.VariationalAutoencoder("Latent", "Scaled", Small))
            .AppendCacheCheckpoint(context)
            .Append(context.Clustering.Trainers.KMeans("Latent", numberOfClusters: 3));
        var model = pipeline.Fit(data);
        using var stream = new MemoryStream();
        context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var loaded = new MLContext().Model.Load(stream, out _);
        Assert.AreSequenceEqual(model.Transform(data).GetColumn<uint>("PredictedLabel").ToArray(), loaded.Transform(data).GetColumn<uint>("PredictedLabel").ToArray());
    }

    [TestMethod]
    public void Transform_ManyThreads_SameNumbers()
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(2000, 6));
        using var model = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small).Fit(data);
        float[][] expected = EstimatorContract.ReadAll(model.Transform(data));
        Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 16 }, _ => EstimatorContract.AssertSame(expected, EstimatorContract.ReadAll(model.Transform(data)), 0, "a thread"));
    }

    [TestMethod]
    public void Dispose_WhileInUse_Throws()
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(5000, 6));
        for (int round = 0; round < 5; round++)
        {
            var model = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { Epochs = 1 }).Fit(context.Data.TakeRows(data, 100));
            using var started = new CountdownEvent(4);
            var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                started.Signal();
                while (true)
                    EstimatorContract.ReadAll(model.Transform(data));
            })).ToArray();
            started.Wait();
            model.Dispose();
            model.Dispose();
            foreach (var reader in readers)
                Assert.ThrowsExactly<ObjectDisposedException>(() => reader.GetAwaiter().GetResult());
            Assert.ThrowsExactly<ObjectDisposedException>(() => EstimatorContract.ReadAll(model.Transform(data)));
        }
    }

    [TestMethod]
    public void PredictionEngine_BeforeAndAfterSaving()
    {
        var context = new MLContext(seed: 1);
        float[][] rows = TestRows.Curved(300, 4);
        var data = context.Data.LoadFromEnumerable(rows.Select(row => new Example { Input = row }));
        var model = context.Vae.VariationalAutoencoder("Latent", "Input", Small with { LatentDimension = 2, ScoreColumnName = "Score" }).Fit(data);
        using var stream = new MemoryStream();
        context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var loaded = new MLContext().Model.Load(stream, out _);
        using var before = context.Model.CreatePredictionEngine<Example, Prediction>(model);
        using var after = context.Model.CreatePredictionEngine<Example, Prediction>(loaded);
        foreach (float[] row in rows.Take(20))
        {
            var (own, other) = (before.Predict(new Example { Input = row }), after.Predict(new Example { Input = row }));
            Assert.HasCount(2, own.Latent);
            Assert.AreSequenceEqual(own.Latent, other.Latent);
            Assert.AreEqual(own.Score, other.Score);
            Assert.AreNotEqual(0, own.Score);
        }
    }

    private sealed class Example
    {
        [VectorType(4)]
        public float[] Input { get; set; } = [];
    }

    private sealed class Prediction
    {
        public float[] Latent { get; set; } = [];

        public float Score { get; set; }
    }
}
