using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tests.Training;

/// <summary>What a training tells its user.</summary>
[TestClass]
public sealed class VaeTrainerMessagesTests
{
    private static readonly VaeTrainer.Options Small = new() { LatentDimension = 2, HiddenLayers = [8], Epochs = 2, BatchSize = 32, Scaling = InputScaling.None };

    [TestMethod]
    public void Fit_LossDiverges_NamesEpochAndBatchAndCures()
    {
        var context = new MLContext();
        float[][] rows = [.. TestRows.Curved(64, 4).Select(row => row.Select(value => value * 1e25f).ToArray())];
        var trainer = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small);
        string message = Assert.ThrowsExactly<InvalidOperationException>(() => trainer.Fit(EstimatorContract.Load(context, rows))).Message;
        Assert.Contains("epoch 1, batch 1", message);
        Assert.Contains("LearningRate", message);
        Assert.Contains("GradientClip", message);
        Assert.Contains("Scaling", message);
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.NegativeInfinity)]
    public void Fit_NotFinite_NamesColumnRowAndSlot(float bad)
    {
        var context = new MLContext();
        float[][] rows = TestRows.Curved(64, 4);
        rows[41][3] = bad;
        var trainer = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small);
        string message = Assert.ThrowsExactly<InvalidOperationException>(() => trainer.Fit(EstimatorContract.Load(context, rows))).Message;
        Assert.Contains(EstimatorContract.Input, message);
        Assert.Contains("row 41", message);
        Assert.Contains("slot 3", message);
    }

    [TestMethod]
    [DataRow("/vae/encoder.0.weight")]
    [DataRow("/vae/")]
    public void Columns_InTheSpaceOfInternalNames_AreRefused(string name)
    {
        var catalog = new MLContext().Vae;
        Assert.Contains(name, Assert.ThrowsExactly<ArgumentException>(() => catalog.VariationalAutoencoder("Latent", name, Small)).Message);
        Assert.Contains(name, Assert.ThrowsExactly<ArgumentException>(() => catalog.VariationalAutoencoder(name, "Features", Small)).Message);
        Assert.Contains(name, Assert.ThrowsExactly<ArgumentException>(() => catalog.VariationalAutoencoder("Latent", "Features", Small with { ScoreColumnName = name })).Message);
    }

    [TestMethod]
    public void Fit_PosteriorCollapses_Warns()
    {
        var context = new MLContext();
        var messages = new List<string>();
        context.Log += (_, entry) => messages.Add(entry.Message);
        var random = new Random(1);
        float[][] noise = [.. Enumerable.Range(0, 200).Select(_ => Enumerable.Range(0, 4).Select(_ => random.NextSingle() - 0.5f).ToArray())];
        using var model = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { Beta = 100, Epochs = 40, LearningRate = 1e-2f }).Fit(EstimatorContract.Load(context, noise));
        Assert.AreEqual(0, model.History!.ActiveUnits);
        Assert.Contains(message => message.Contains("The posterior collapsed: 0 of 2", StringComparison.Ordinal), messages);
    }

    [TestMethod]
    public void Fit_HealthyPosterior_DoesNotWarn()
    {
        var context = new MLContext();
        var messages = new List<string>();
        context.Log += (_, entry) => messages.Add(entry.Message);
        using var model = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { Beta = 0.001f, Epochs = 40, LearningRate = 1e-2f }).Fit(EstimatorContract.Load(context, TestRows.Curved(400, 6)));
        Assert.AreEqual(2, model.History!.ActiveUnits);
        Assert.DoesNotContain(message => message.Contains("collapsed", StringComparison.Ordinal), messages);
    }

    [TestMethod]
    public void Options_ListsOfTheCallerMayChangeAfterwards()
    {
        var context = new MLContext();
        List<int> encoder = [8], decoder = [6];
        var trainer = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { HiddenLayers = encoder, DecoderHiddenLayers = decoder });
        encoder[0] = -5;
        decoder.Clear();
        using var model = trainer.Fit(EstimatorContract.Load(context, TestRows.Curved(64, 4)));
        Assert.AreEqual(8, model.Model.Options.HiddenLayers!.Single());
        Assert.AreEqual(6, model.Model.Options.DecoderHiddenLayers!.Single());
    }

    [TestMethod]
    public void Options_BlankColumnName_NamesTheOption()
    {
        var context = new MLContext();
        var error = Assert.ThrowsExactly<ArgumentException>(() => context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, Small with { ScoreColumnName = " " }));
        Assert.AreEqual(nameof(VaeTrainer.Options.ScoreColumnName), error.ParamName);
    }

    [TestMethod]
    public void Options_Contradictions_AreRefusedAtOnce()
    {
        var context = new MLContext();
        void Refused<T>(VaeTrainer.Options options, params string[] words)
            where T : Exception
        {
            string message = Assert.ThrowsExactly<T>(() => context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, options)).Message;
            foreach (string word in words)
                Assert.Contains(word, message);
        }
        Refused<ArgumentOutOfRangeException>(Small with { LatentDimension = 0 }, "LatentDimension", "0");
        Refused<ArgumentOutOfRangeException>(Small with { HiddenLayers = [8, 0] }, "HiddenLayers");
        Refused<ArgumentOutOfRangeException>(Small with { Beta = float.NaN }, "Beta", "NaN");
        Refused<ArgumentOutOfRangeException>(Small with { LearningRate = 0 }, "LearningRate");
        Refused<ArgumentOutOfRangeException>(Small with { Dropout = 1 }, "Dropout");
        Refused<ArgumentOutOfRangeException>(Small with { Epochs = -1 }, "Epochs");
        Refused<ArgumentOutOfRangeException>(Small with { Activation = (Activation)99 }, "Activation", "ReLU");
        Refused<ArgumentException>(Small with { GroupSize = 3 }, "GroupSize", "categorical");
        Refused<ArgumentException>(Small with { Likelihood = Likelihood.Bernoulli, Scaling = InputScaling.Standardize }, "Scaling");
        Refused<ArgumentException>(Small with { ScoreColumnName = EstimatorContract.Input }, EstimatorContract.Input, "twice");
    }
}
