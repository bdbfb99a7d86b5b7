using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>A detector without labels: each number of the odd row is ordinary, together they are not.</summary>
internal static class Anomalies
{
    public static void Run(MLContext ml, string folder)
    {
        var measurements = Measurement.Draw(500, seed: 4);
        IDataView rows = ml.Data.LoadFromEnumerable(measurements);
        var trainer = ml.Vae.AnomalyDetector("Features", new VaeAnomalyTrainer.Options
        {
            Members = 1,
            HiddenLayers = [16],
            Steps = 300,
            Contamination = 0.05f,
            TrainingRows = AnomalyTrainingRows.Contaminated,
            IncludeNeighborTerm = true,
            ContributionsColumnName = "Contributions",
        });
        Expect.That(trainer.GetOutputSchema(RowShape.Of<Measurement>(ml)).Any(column => column.Name == "PredictedLabel"),
            "the detector promises a label");
        using var detector = trainer.Fit(rows);
        Expect.That(detector is { FeatureCount: 3, ContributionsColumnName: "Contributions" }, "the detector knows its columns");
        Expect.Near(detector.Transform(rows).GetColumn<bool>("PredictedLabel").Count(label => label), 25, 3,
            "labels on 500 rows at a contamination of 0.05");

        // The hidden quantity is near 1 in the first two numbers and near 0 in the third.
        IDataView odd = ml.Data.LoadFromEnumerable([measurements[0], new Measurement { Features = [9.8f, 96, 0.03f] }]);
        Expect.That(detector.Transform(odd).GetColumn<bool>("PredictedLabel").Last(), "the odd row is labelled");
        float score = detector.Transform(odd).GetColumn<float>("Score").Last();
        Expect.Near(detector.Transform(odd).GetColumn<float[]>("Contributions").Last().Sum(), score, 1e-3 * score,
            "the sum of the contributions");
        using (var strict = detector.ChangeThreshold(score + 1))
            Expect.That(!strict.Transform(odd).GetColumn<bool>("PredictedLabel").Last(), "nothing is labelled below the threshold");

        string file = Path.Combine(folder, "anomalies.zip");
        ml.Vae.SaveModel(detector, rows.Schema, file);
        Expect.Near(ml.Model.Load(file, out _).Transform(odd).GetColumn<float>("Score").Last(), score, 1e-3 * score,
            "the loaded detector's score");
    }
}
