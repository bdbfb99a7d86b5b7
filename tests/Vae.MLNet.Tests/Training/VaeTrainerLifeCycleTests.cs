using TorchSharp;
using Vae.MLNet.Model;
using static Vae.MLNet.Tests.Training.LifeCycleRows;

namespace Vae.MLNet.Tests.Training;

[TestClass]
public sealed class VaeTrainerLifeCycleTests
{
    [TestMethod]
    public void Fit_SameSeedSameBytes_OtherSeedOthers()
    {
        var rows = Make(100);
        var options = Options with { Dropout = 0.1f, InputNoise = 0.1f, InputMasking = 0.1f, ValidationFraction = 0.2f };
        using var first = Fit(options, rows);
        using var second = Fit(options, rows);
        using var other = Fit(options with { Seed = 8 }, rows);
        SameBytes(first, second);
        Assert.IsFalse(first.Model.Parameters.SequenceEqual(other.Model.Parameters));
    }

    [TestMethod]
    public void Fit_EarlyStopping_RestoresTheBestWeights()
    {
        // Few rows and a network that learns them by heart: the validation loss turns.
        var rows = Make(24);
        var validation = Make(200, seed: 5);
        var options = Options with { Epochs = 400, LearningRate = 1e-2f, HiddenLayers = [64], BatchSize = 8, EarlyStopping = new() { Patience = 15 } };
        using var stopped = Fit(options, rows, validation);
        var history = stopped.History!;
        Assert.IsTrue(history.StoppedEarly);
        Assert.IsTrue(history.Epochs.Count < options.Epochs);
        Assert.AreEqual(history.Epochs.Count - 15, history.BestEpoch);
        Assert.AreEqual(history.Epochs.MinBy(epoch => epoch.ValidationLoss)!.Epoch, history.BestEpoch);

        // Steps do not depend on the number of epochs planned, so a training of just the best epoch's length ends with the weights restored.
        using var exact = Fit(options with { Epochs = history.BestEpoch, EarlyStopping = null }, rows, validation);
        CollectionAssert.AreEqual(exact.Model.Parameters, stopped.Model.Parameters);
    }

    [TestMethod]
    public void Fit_EarlyStoppingWithoutValidation_IsRefused()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => Fit(Options with { EarlyStopping = new() }, Make(10)));
        StringAssert.Contains(error.Message, "ValidationFraction");
    }

    [TestMethod]
    public void Fit_RowsOfWeightZero_AreAsIfTheyWereNotThere()
    {
        var rows = Make(90);
        for (int i = 0; i < rows.Length; i++)
            rows[i].Weight = i % 3 == 0 ? 0 : 1 + i % 2;
        // What is left out is not read, so it may be anything.
        rows[3].Features[2] = float.NaN;
        var options = Options with { ExampleWeightColumnName = "Weight", Scaling = InputScaling.Standardize };
        using var all = Fit(options, rows);
        using var counted = Fit(options, rows.Where(row => row.Weight > 0));
        SameBytes(counted, all);
    }

    [TestMethod]
    public void Fit_RowOfWeightTwo_CountsAsTwoRows()
    {
        // With a posterior as narrow as it gets, the noise ε, which differs between the two batches, plays no part.
        var architecture = new VaeArchitecture(Features, Options);
        float[] parameters = VaeNetwork.Initialize(architecture, 1);
        int latent = Options.LatentDimension, hidden = Options.EncoderLayers[^1];
        Array.Clear(parameters, architecture["posterior.weight"].Offset + latent * hidden, latent * hidden);
        Array.Fill(parameters, -40, architecture["posterior.bias"].Offset + latent, latent);
        using var scope = torch.NewDisposeScope();
        var rows = Make(10);
        var x = torch.tensor(rows.SelectMany(row => row.Features).ToArray(), [10, Features]);
        var weights = torch.ones(10);
        weights[4] = 2;
        var doubled = torch.cat([x, x.narrow(0, 4, 1)], 0);
        var (weightedLoss, weightedGradient) = Step(x, weights);
        var (doubledLoss, doubledGradient) = Step(doubled, null);
        Assert.AreEqual(doubledLoss, weightedLoss, 1e-5);
        for (int i = 0; i < weightedGradient.Length; i++)
            Assert.AreEqual(doubledGradient[i], weightedGradient[i], 1e-5, $"parameter {i}");

        (double Loss, float[] Gradient) Step(torch.Tensor batch, torch.Tensor? weights)
        {
            using var network = new VaeNetwork(architecture, torch.CPU, parameters, trainable: true);
            using var generator = new torch.Generator(1, torch.CPU);
            var terms = network.Step(batch, batch, weights, generator, beta: 1e-3);
            return (terms.Loss, network.Gradients.Single().data<float>().ToArray());
        }

        // And through the front door: weights 2 everywhere are the same as no weights, in the losses of the history as well.
        foreach (var row in rows)
            row.Weight = 2;
        using var plain = Fit(Options, rows);
        using var twice = Fit(Options with { ExampleWeightColumnName = "Weight" }, rows);
        for (int i = 0; i < plain.Model.Parameters.Length; i++)
            Assert.AreEqual(plain.Model.Parameters[i], twice.Model.Parameters[i], 1e-5);
        Assert.AreEqual(plain.History!.Epochs[^1].Loss, twice.History!.Epochs[^1].Loss, 1e-5);
    }

    [TestMethod]
    public void Fit_NegativeWeight_IsNamedWithItsRow()
    {
        var rows = Make(10);
        rows[6].Weight = -1;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Fit(Options with { ExampleWeightColumnName = "Weight" }, rows));
        StringAssert.Contains(error.Message, "'Weight' holds -1 in row 6");
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    public void Fit_RowThatIsNotFinite_IsNamedWithRowAndSlot(float value)
    {
        foreach (var streaming in new[] { null, new StreamingOptions() })
        {
            var rows = Make(50);
            rows[41].Features[3] = value;
            var error = Assert.ThrowsExactly<InvalidOperationException>(() => Fit(Options with { Streaming = streaming }, rows));
            StringAssert.Contains(error.Message, "'Features'");
            StringAssert.Contains(error.Message, "row 41, slot 3");
        }
    }

    [TestMethod]
    public void Fit_Cancelled_Throws()
    {
        using var cancellation = new CancellationTokenSource();
        int reported = 0;
        var options = Options with
        {
            Epochs = 100_000,
            CancellationToken = cancellation.Token,
            Progress = new Reports(progress =>
            {
                reported = progress.Latest.Epoch;
                if (reported == 3)
                    cancellation.Cancel();
            }),
        };
        Assert.ThrowsExactly<OperationCanceledException>(() => Fit(options, Make(100)));
        Assert.AreEqual(3, reported);
    }

    [TestMethod]
    public void Fit_CancelledWithKeepBest_GivesTheBestSoFar()
    {
        using var cancellation = new CancellationTokenSource();
        var options = Options with
        {
            Epochs = 100_000,
            CancellationToken = cancellation.Token,
            OnCancellation = CancellationBehavior.KeepBest,
            Progress = new Reports(progress =>
            {
                if (progress.Latest.Epoch == 5)
                    cancellation.Cancel();
            }),
        };
        var rows = Make(100);
        var validation = Make(50, seed: 3);
        using var kept = Fit(options, rows, validation);
        Assert.IsTrue(kept.History!.StoppedEarly);
        Assert.AreEqual(5, kept.History.Epochs.Count);
        Assert.AreEqual(kept.History.Epochs.MinBy(epoch => epoch.ValidationLoss)!.Epoch, kept.History.BestEpoch);
        using var exact = Fit(Options with { Epochs = kept.History.BestEpoch }, rows, validation);
        CollectionAssert.AreEqual(exact.Model.Parameters, kept.Model.Parameters);
    }

    [TestMethod]
    public void Fit_CancelledBeforeTheFirstEpoch_ThrowsInAnyCase()
    {
        var options = Options with { CancellationToken = new CancellationToken(true), OnCancellation = CancellationBehavior.KeepBest };
        Assert.ThrowsExactly<OperationCanceledException>(() => Fit(options, Make(100)));
    }

    [TestMethod]
    public void Fit_WarmStart_GoesOnFromTheModel()
    {
        var rows = Make(400);
        var options = Options with { Epochs = 30, Scaling = InputScaling.Standardize };
        using var first = Fit(options, rows);
        // Another seed, and data of another scale: the weights and the scaling are the model's all the same.
        using var second = Fit(options with { Epochs = 1, Seed = 9, WarmStart = first.Model }, Make(400, seed: 2));
        CollectionAssert.AreEqual(first.Model.Scale.Factor, second.Model.Scale.Factor);
        Assert.IsTrue(second.History!.Epochs[0].Loss < 0.5 * first.History!.Epochs[0].Loss);
        // With a learning rate next to nothing the weights stay where they were.
        using var still = Fit(options with { Epochs = 1, LearningRate = 1e-12f, WarmStart = first.Model }, rows);
        for (int i = 0; i < first.Model.Parameters.Length; i++)
            Assert.AreEqual(first.Model.Parameters[i], still.Model.Parameters[i], 1e-7);
    }

    [TestMethod]
    public void Fit_WarmStartOfAnotherShapeOrScaling_IsRefused()
    {
        using var first = Fit(Options with { Epochs = 1 }, Make(20));
        var shape = Assert.ThrowsExactly<ArgumentException>(() => Fit(Options with { LatentDimension = 3, WarmStart = first.Model }, Make(20)));
        StringAssert.Contains(shape.Message, "3 latent dimensions");
        var scaling = Assert.ThrowsExactly<ArgumentException>(() => Fit(Options with { Scaling = InputScaling.Standardize, WarmStart = first.Model }, Make(20)));
        StringAssert.Contains(scaling.Message, "Scaling");
    }

    [TestMethod]
    public void Fit_ValidationFraction_HoldsOutTheLastRowsOnRequest()
    {
        var rows = Make(100);
        var options = Options with { ValidationFraction = 0.2f, ValidationSelection = ValidationSelection.LastRows };
        using var split = Fit(options, rows);
        using var given = Fit(Options, rows[..80], rows[80..]);
        Assert.AreEqual(80, split.History!.TrainingRows);
        Assert.AreEqual(20, split.History.ValidationRows);
        CollectionAssert.AreEqual(given.Model.Parameters, split.Model.Parameters);
        Assert.AreEqual(given.History!.Epochs[^1].ValidationLoss, split.History.Epochs[^1].ValidationLoss);
    }
}
