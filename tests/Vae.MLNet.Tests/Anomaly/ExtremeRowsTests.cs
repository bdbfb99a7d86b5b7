using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tests.Anomaly;

/// <summary>Numbers at the edge of single precision, as nodata sentinels are.</summary>
[TestClass]
public sealed class ExtremeRowsTests
{
    private static float[] Scores(ITransformer model, MLContext context, IEnumerable<float[]> rows) =>
        [.. model.Transform(AnomalyRows.View(context, rows.Select(features => new AnomalyRows.Row { Features = features }))).GetColumn<float>("Score")];

    [TestMethod]
    [DataRow(1f)]
    [DataRow(1e-30f)]
    [DataRow(1e30f)]
    public void Score_AnyFiniteRow_IsNotNaN_AndMoreExtremeIsNotLessAnomalous(float unit)
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(400).Select(row => new AnomalyRows.Row { Features = [.. row.Features.Select(value => value * unit)] }).ToArray();
        var data = AnomalyRows.View(context, rows);
        using var model = context.Vae.AnomalyDetector("Features", new() { Members = 2, Steps = 200 }).Fit(data);
        var loaded = AnomalyRows.Reload(context, model, data.Schema);
        float[] training = Scores(model, context, rows.Select(row => row.Features));
        float highest = training.Max(), median = training.Order().ElementAt(training.Length / 2);
        for (int j = 0; j < AnomalyRows.Features; j++)
        {
            float low = rows.Min(row => row.Features[j]), high = rows.Max(row => row.Features[j]), span = high - low;
            foreach (int side in new[] { -1, 1 })
            {
                // Outwards from the end of the training range to the largest number there is.
                float[] values = [.. new[] { 0f, 0.1f, 1, 10, 1e3f, 1e6f, 1e12f, 1e25f }.Select(spans => (side > 0 ? high : low) + side * span * spans).Append(side * 1e38f).Append(side * 3.4e38f)
                    .Where(float.IsFinite).Order()];
                if (side < 0)
                    Array.Reverse(values);
                foreach (var transformer in new ITransformer[] { model, loaded })
                {
                    float[] scores = Scores(transformer, context, values.Select(value =>
                    {
                        float[] row = [.. rows[j * 7].Features];
                        row[j] = value;
                        return row;
                    }));
                    Assert.DoesNotContain(float.IsNaN, scores);
                    for (int i = 1; i < scores.Length; i++)
                        Assert.IsGreaterThanOrEqualTo(scores[i - 1] * (1 - 1e-5f), scores[i], $"feature {j}, {values[i - 1]} to {values[i]}");
                    // A sentinel that is no more than 1e8 spans away need not be above rows that are odd in every feature.
                    Assert.IsGreaterThan(unit > 1 ? median : highest, scores[^1]);
                }
            }
        }
    }

    [TestMethod]
    public void Score_AllFeaturesExtreme_IsAboveEveryTrainingRow()
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(300);
        using var model = context.Vae.AnomalyDetector("Features", new() { Members = 1, Steps = 50, ContributionsColumnName = "Why" }).Fit(AnomalyRows.View(context, rows));
        float highest = Scores(model, context, rows.Select(row => row.Features)).Max();
        foreach (float value in new[] { float.MaxValue, float.MinValue, 1e30f, -1e30f })
            Assert.IsGreaterThan(highest, Scores(model, context, [[.. Enumerable.Repeat(value, AnomalyRows.Features)]])[0]);
    }

    [TestMethod]
    [DataRow(InputScaling.None)]
    [DataRow(InputScaling.Standardize)]
    [DataRow(InputScaling.RobustAsinh)]
    public void Evaluate_FarOutRow_GivesNoNaN(InputScaling scaling)
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(200);
        using var model = context.Vae.VariationalAutoencoder("Latent", "Features", new() { Scaling = scaling, HiddenLayers = [8], Epochs = 3, Threads = 1 }).Fit(AnomalyRows.View(context, rows));
        foreach (float value in new[] { 1e20f, 3.4e38f })
        {
            rows[5].Features[2] = value;
            var metrics = context.Vae.Evaluate(AnomalyRows.View(context, rows), model);
            Assert.IsFalse(double.IsNaN(metrics.Elbo), $"{metrics}");
            Assert.IsFalse(double.IsNaN(metrics.LogLikelihood), $"{metrics}");
        }
    }

    [TestMethod]
    [DataRow(1e38f)]
    [DataRow(3e37f)]
    public void Fit_WeightsThatOverflow_AreRefusedAtTheStart(float weight)
    {
        var rows = Training.LifeCycleRows.Make(50);
        foreach (var row in rows)
            row.Weight = weight;
        int epochs = 0;
        var options = Training.LifeCycleRows.Options with { ExampleWeightColumnName = "Weight", Progress = new Training.LifeCycleRows.Reports(_ => epochs++) };
        foreach (var one in new[] { options, options with { Streaming = new() } })
        {
            string message = Assert.ThrowsExactly<InvalidOperationException>(() => Training.LifeCycleRows.Fit(one, rows)).Message;
            Assert.Contains("'Weight'", message);
            Assert.Contains("row 0", message);
        }
        Assert.AreEqual(0, epochs);
    }
}
