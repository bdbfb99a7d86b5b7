using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>Numbers of different sizes that follow one hidden quantity.</summary>
internal sealed class Measurement
{
    [VectorType(3)]
    public float[] Features { get; set; } = [];

    public static Measurement[] Draw(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            double t = random.NextDouble();
            double Noise() => 0.02 * (random.NextDouble() - 0.5);
            double[] features = [10 * t + Noise(), 100 * t * t + Noise(), Math.Sin(3 * t) + Noise()];
            return new Measurement { Features = [.. features.Select(value => (float)value)] };
        })];
    }
}

/// <summary>An autoencoder of a table: schedules, validation, streaming, what the training says of itself, evaluation.</summary>
internal static class Tables
{
    public static void Run(MLContext ml)
    {
        IDataView rows = ml.Data.LoadFromEnumerable(Measurement.Draw(400, seed: 1));
        IDataView held = ml.Data.LoadFromEnumerable(Measurement.Draw(100, seed: 2));
        var options = new VaeTrainer.Options
        {
            LatentDimension = 1,
            HiddenLayers = [16],
            Likelihood = Likelihood.Gaussian,
            Beta = 1,
            BetaSchedule = BetaSchedule.WarmUp(epochs: 5),
            Scaling = InputScaling.Standardize,
            LearningRate = 0.01f,
            Epochs = 30,
            EarlyStopping = new EarlyStopping { Patience = 30 },
            Seed = 1,
        };
        var trainer = ml.Vae.VariationalAutoencoder("Latent", "Features", options);
        Expect.That(trainer.GetOutputSchema(RowShape.Of<Measurement>(ml)).Any(column => column.Name == "Latent"),
            "the trainer promises its column");
        using var model = trainer.Fit(rows, held);
        var history = model.History!;
        Expect.That(history is { TrainingRows: 400, ValidationRows: 100 } && history.Epochs[^1].Loss < history.Epochs[0].Loss,
            "the training gets better");

        // What the training says of itself, also in words.
        var check = history.SelfCheck!;
        Expect.That(check.ExplainedShare > 0.8, $"one number explains most of the rows ({check})");
        Expect.That(check.LeastExplainedFeature.StartsWith("slot ", StringComparison.Ordinal), "the least explained feature is named");
        Expect.That(check.WorstSampledFeature.StartsWith("slot ", StringComparison.Ordinal), "the worst sampled feature is named");
        // An application tests what it does with a poor training without training one.
        var poor = new VaeSelfCheck
        {
            Rows = 1,
            Features = ["a"],
            ExplainedShares = [0],
            ExplainedShare = 0,
            ValidationExplainedShare = null,
            KlPerDimension = [0],
            ActiveUnits = 0,
            PriorDistance = 0,
            SampleDistances = [1],
            Findings = ["The latent is not used."],
        };
        Expect.That(poor.Equals(poor with { Findings = ["The latent is not used."] }) && !poor.Equals(check),
            "self checks are compared by what they hold");

        // Held-out rows tell how good a model is, in nats, and whichever way it is given.
        var metrics = ml.Vae.Evaluate(held, model);
        var again = ml.Vae.Evaluate(held, model.Model, "Features", new VaeEvaluationOptions { Samples = 16, Seed = 0 });
        Expect.That(metrics.Rows == 100 && metrics.Elbo == again.Elbo, "transform and model are evaluated alike");
        Expect.Near(metrics.Elbo, metrics.ReconstructionLogLikelihood - metrics.Kl, 1e-6, "the ELBO");

        // Rows that do not fit in memory are read once an epoch.
        using var streamed = ml.Vae.VariationalAutoencoder("Latent", "Features", options with
        {
            BetaSchedule = BetaSchedule.Cyclical(cycles: 2),
            EarlyStopping = null,
            Epochs = 4,
            Streaming = new StreamingOptions { ShufflePoolRows = 128 },
            WarmStart = model.Model,
        }).Fit(rows);
        Expect.That(ml.Vae.Evaluate(held, streamed).Elbo > metrics.Elbo - 5, "streaming goes on where the first model was");
    }
}
