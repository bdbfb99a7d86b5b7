using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>Options and results with lists are equal where the lists hold the same, whoever made them.</summary>
internal static class Records
{
    public static void Run(MLContext ml)
    {
        var trainer = new VaeTrainer.Options { HiddenLayers = [8], LatentDimension = 1, Epochs = 1, Threads = 1 };
        Expect.That(trainer.Equals(trainer with { HiddenLayers = [8] }) && !trainer.Equals(trainer with { HiddenLayers = [9] }),
            "options of a trainer are their values");
        var detector = new VaeAnomalyTrainer.Options { HiddenLayers = [8] };
        Expect.That(detector.Equals(detector with { HiddenLayers = [8] }), "options of a detector are their values");
        var sequences = new SequenceVaeTrainer.Options { HiddenLayers = [8] };
        Expect.That(sequences.Equals(sequences with { HiddenLayers = [8] }), "options of a sequence model are their values");
        var alignment = new PrincipalAxisOptions { Masses = [1, 2] };
        Expect.That(alignment.Equals(alignment with { Masses = [1, 2] }), "options of an alignment of axes are their values");
        var export = new PipelineExportOptions { Columns = ["Rg"] };
        Expect.That(export.Equals(export with { Columns = ["Rg"] }), "options of an export are their values");
        var loading = new SequenceAlignmentOptions();
        Expect.That(loading.Equals(loading with { }), "options of reading an alignment are their values");
        var comparing = new CompareSamplesOptions { IgnoredColumns = ["id"], Folds = 2, Trees = 5, ClassifierRows = 100, Seed = 1 };
        Expect.That(comparing.Equals(comparing with { IgnoredColumns = ["id"] }), "options of a comparison are their values");

        var rows = ml.Data.LoadFromEnumerable(Enumerable.Range(0, 120).Select(i => new Point { Values = [i % 7, i % 5, i % 3] }));
        using var model = ml.Vae.VariationalAutoencoder("Latent", "Values", trainer).Fit(rows);
        var history = model.History!;
        Expect.That(history.Equals(history with { Epochs = [.. history.Epochs] }), "a training is what happened in it");
        var epoch = history.Epochs[0];
        Expect.That(epoch.Equals(epoch with { KlPerDimension = [.. epoch.KlPerDimension] }), "an epoch is its figures");
        var metrics = ml.Vae.Evaluate(rows, model);
        Expect.That(metrics.Equals(ml.Vae.Evaluate(rows, model)), "one evaluation is as the other");
        var difference = ml.Vae.CompareSamples(rows, rows, comparing with { IgnoredColumns = [] });
        Expect.That(difference.ToJson().Contains("\"auc\"", StringComparison.OrdinalIgnoreCase), "a comparison is written as JSON");
        Expect.That(difference.Equals(difference with { Columns = [.. difference.Columns] }), "a comparison is its figures");

        var agreement = new StatisticAgreement(1, 1, 2, [(0.5f, 0.5f)]);
        Expect.That(agreement.Equals(agreement with { Points = [(0.5f, 0.5f)] }), "an agreement is its figures");
        var sites = new SiteConservation([(1, 'A', 1)], 1);
        Expect.That(sites.Equals(sites with { Sites = [(1, 'A', 1)] }), "conservation is its sites");
        var resolver = new VariantResolver(Family.Alignment(10, seed: 1).Layout);
        Expect.That(resolver.Resolve("A1W").Equals(resolver.Resolve("A1W")), "a variant resolved twice is the same");
    }

    private sealed class Point
    {
        [VectorType(3)]
        public float[] Values { get; set; } = [];
    }
}
