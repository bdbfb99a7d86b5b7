using Microsoft.ML;
using Microsoft.ML.Data;
using TorchSharp;
using Vae.MLNet.Anomaly;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static TorchSharp.torch;

namespace Vae.MLNet.Tests.Anomaly;

[TestClass]
public sealed class VaeAnomalyTrainerTests
{
    private static readonly string[] Names = [.. Enumerable.Range(0, AnomalyRows.Features).Select(j => j == 3 ? "pressure, bar" : $"f{j}")];

    private static readonly VaeAnomalyTrainer.Options Small = new() { Members = 2, Steps = 150, LatentDimension = 2, ContributionsColumnName = "Why" };

    private sealed class Result
    {
        public float Score { get; set; }

        public bool PredictedLabel { get; set; }
    }

    [TestMethod]
    public void Fit_KeepsTheContract() => EstimatorContract.Run(
        context => context.Vae.AnomalyDetector(EstimatorContract.Input, Small with { Steps = 20, ContributionsColumnName = "Why" }), TestRows.Curved(300, 6), tolerance: 1e-4);

    [TestMethod]
    [DataRow("31_satimage-2", 0.99)]
    [DataRow("18_Ionosphere", 0.88)]
    [DataRow("6_cardio", 0.85)]
    public void RealData_AreaUnderRocCurve(string name, double least)
    {
        var context = new MLContext(seed: 1);
        var split = context.Data.TrainTestSplit(context.Vae.LoadNumPy(RealData.Path($"anomaly/{name}.npz"), ("Features", "X"), ("Label", "y")), testFraction: 0.3, seed: 1);
        using var model = context.Vae.AnomalyDetector().Fit(split.TrainSet);
        var metrics = context.AnomalyDetection.Evaluate(model.Transform(split.TestSet));
        Assert.IsGreaterThan(least, metrics.AreaUnderRocCurve);
    }

    [TestMethod]
    public void Evaluate_InMemoryAndLoaded()
    {
        var context = new MLContext(seed: 1);
        var test = AnomalyRows.View(context, AnomalyRows.Make(1000, seed: 2));
        using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 400 }).Fit(AnomalyRows.View(context, AnomalyRows.Make(1500)));
        var loaded = AnomalyRows.Reload(context, model, test.Schema);
        var scored = model.Transform(test);
        var rescored = loaded.Transform(AnomalyRows.View(new MLContext(), AnomalyRows.Make(1000, seed: 2)));

        var metrics = context.AnomalyDetection.Evaluate(scored, "Label", "Score", "PredictedLabel", falsePositiveCount: 50);
        // As many steps as by default: 150 leave trimmed training at 0.93. A coin gives 0.5, and 0.05 at fifty false positives.
        Assert.IsGreaterThan(0.95, metrics.AreaUnderRocCurve);
        Assert.IsGreaterThan(0.8, metrics.DetectionRateAtFalsePositiveCount);
        var again = new MLContext().AnomalyDetection.Evaluate(rescored, "Label", "Score", "PredictedLabel", falsePositiveCount: 50);
        Assert.AreEqual(metrics.AreaUnderRocCurve, again.AreaUnderRocCurve, 1e-6);
        using var rehydrated = (VaeAnomalyTransformer)context.Vae.Rehydrate(loaded);
        var batched = context.AnomalyDetection.Evaluate(rehydrated.Transform(test), falsePositiveCount: 50);
        Assert.AreEqual(metrics.AreaUnderRocCurve, batched.AreaUnderRocCurve, "The same graph in the same blocks.");
        Assert.AreEqual(metrics.DetectionRateAtFalsePositiveCount, batched.DetectionRateAtFalsePositiveCount);

        string[] expected = ["Features", "Label", "Why", "PredictedLabel", "Score"];
        foreach (var schema in new[] { scored.Schema, rescored.Schema })
        {
            Assert.AreSequenceEqual(expected, schema.Where(column => !column.IsHidden).Select(column => column.Name).ToArray());
            Assert.AreEqual(BooleanDataViewType.Instance, schema["PredictedLabel"].Type);
            Assert.AreEqual(NumberDataViewType.Single, schema["Score"].Type);
            Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 1, AnomalyRows.Features), schema["Why"].Type);
        }
        // One row at a time against blocks: the order of sums may differ.
        AssertClose(Read(context, scored), Read(context, rescored));
    }

    [TestMethod]
    public void Predict_OneRow()
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(400);
        var data = AnomalyRows.View(context, rows);
        using var model = context.Vae.AnomalyDetector("Features", Small).Fit(data);
        var expected = Read(context, model.Transform(data));
        var definition = SchemaDefinition.Create(typeof(AnomalyRows.Row));
        definition["Features"].ColumnType = new VectorDataViewType(NumberDataViewType.Single, AnomalyRows.Features);
        var engine = context.Model.CreatePredictionEngine<AnomalyRows.Row, Result>(model, ignoreMissingColumns: false, inputSchemaDefinition: definition);
        AssertClose(expected[..20], [.. rows[..20].Select(engine.Predict)]);
    }

    [TestMethod]
    [DataRow(0.02f)]
    [DataRow(0.25f)]
    public void Contamination_IsTheShareLabelled(float contamination)
    {
        var context = new MLContext(seed: 1);
        var data = AnomalyRows.View(context, AnomalyRows.Make(500));
        using var model = context.Vae.AnomalyDetector("Features", Small with { Contamination = contamination, Steps = 50 }).Fit(data);
        double share = Read(context, model.Transform(data)).Count(row => row.PredictedLabel) / 500.0;
        Assert.AreEqual(contamination, share, 2 / 500.0);
    }

    [TestMethod]
    public void ChangeThreshold_InMemoryAndLoaded()
    {
        var context = new MLContext(seed: 1);
        var data = AnomalyRows.View(context, AnomalyRows.Make(500));
        using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 50, Threshold = 12.5f }).Fit(data);
        Assert.AreEqual(12.5f, model.Threshold);
        float median = Read(context, model.Transform(data)).Select(row => row.Score).Order().ElementAt(250);
        using var changed = model.ChangeThreshold(median);
        Assert.AreEqual(12.5f, model.Threshold, "The detector it came from stays as it is.");
        // The threshold of a loaded detector changes in the same way, once it is this library's transform again.
        using var rehydrated = (VaeAnomalyTransformer)context.Vae.Rehydrate(AnomalyRows.Reload(context, model, data.Schema));
        Assert.AreEqual(12.5f, rehydrated.Threshold);
        using var changedLater = rehydrated.ChangeThreshold(median);
        foreach (var transformer in new[] { changed, AnomalyRows.Reload(context, changed, data.Schema), changedLater, AnomalyRows.Reload(context, changedLater, data.Schema) })
        {
            var rows = Read(context, transformer.Transform(data));
            // The loaded model computes row by row; a row at the threshold itself may fall on either side.
            Assert.AreEqual(249, rows.Count(row => row.PredictedLabel), 1);
            foreach (var row in rows)
                Assert.AreEqual(row.Score > median, row.PredictedLabel);
        }
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => model.ChangeThreshold(float.NaN));
    }

    [TestMethod]
    public void Contributions_SumToTheScoreAndNameTheOddFeature()
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(1000, share: 0);
        using var model = context.Vae.AnomalyDetector("Features", Small).Fit(AnomalyRows.View(context, rows, Names));
        var odd = rows[..50].Select(row => new AnomalyRows.Row { Features = [.. row.Features] }).ToArray();
        foreach (var row in odd)
            row.Features[3] += 4 * MathF.Pow(8, 3);
        var view = model.Transform(AnomalyRows.View(context, odd, Names));
        Assert.AreEqual(string.Join(",", Names), AnomalyRows.SlotNames(view.Schema["Why"]));
        var why = view.GetColumn<float[]>("Why").ToArray();
        float[] scores = [.. view.GetColumn<float>("Score")];
        int found = 0;
        for (int i = 0; i < why.Length; i++)
        {
            Assert.AreEqual(scores[i], why[i].Sum(), 1e-4 * scores[i]);
            Assert.IsTrue(why[i].All(value => value >= 0));
            found += Array.IndexOf(why[i], why[i].Max()) == 3 ? 1 : 0;
        }
        Assert.IsGreaterThan(40, found, "The feature that was changed contributes most.");
        var loaded = AnomalyRows.Reload(context, model, view.Schema).Transform(AnomalyRows.View(context, odd));
        Assert.AreEqual(string.Join(",", Names), AnomalyRows.SlotNames(loaded.Schema["Why"]));
    }

    [TestMethod]
    public void Contributions_WithoutSlotNames()
    {
        var context = new MLContext(seed: 1);
        var data = AnomalyRows.View(context, AnomalyRows.Make(100));
        using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 5 }).Fit(data);
        Assert.IsFalse(model.Transform(data).Schema["Why"].HasSlotNames());
    }

    [TestMethod]
    public void Contributions_WithRepeatedSlotNames()
    {
        var context = new MLContext(seed: 1);
        string[] names = ["", "", "a", "a", "b", "", "c", "d"];
        var data = AnomalyRows.View(context, AnomalyRows.Make(100), names);
        using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 5 }).Fit(data);
        var loaded = AnomalyRows.Reload(context, model, data.Schema);
        foreach (var transformer in new[] { model, loaded })
            Assert.AreEqual(string.Join(",", names), AnomalyRows.SlotNames(transformer.Transform(data).Schema["Why"]));
    }

    [TestMethod]
    public void Score_IsTheFormula()
    {
        const int Rows = 300, Features = AnomalyRows.Features;
        var options = Small.Validate();
        float[] flat = [.. AnomalyRows.Make(Rows).SelectMany(row => row.Features)];
        var data = new TrainingData(flat, Rows, null);
        VaeModel[] models = [.. Enumerable.Range(0, 2).Select(i => VaeTraining.Run(options.Training(Features, i), Features, data, null).Model)];
        float[] s = AnomalyMember.Sample(data, models[0].Scale);
        var range = AnomalyRange.Of(s, Features);
        var members = models.Select(trained => AnomalyMember.From(trained, s, range)).ToArray();
        var marginal = AnomalyMarginal.From(s, Features, [.. Enumerable.Range(0, Rows).Select(i => (members[0].Terms[i] + members[1].Terms[i]) / 2)]);

        var first = new double[Rows];
        using (NewDisposeScope())
        using (no_grad())
        {
            foreach (var one in models)
            {
                using var network = new VaeNetwork(one.Architecture, CPU, one.Parameters, trainable: false);
                var scaled = one.Scale.Apply(tensor(flat, [Rows, Features]));
                var back = network.Decode(network.Encode(scaled).Mean);
                float[] r = (scaled - back.minimum(scaled.amax([0])).maximum(scaled.amin([0]))).contiguous().data<float>().ToArray();
                for (int j = 0; j < Features; j++)
                {
                    double spread = Math.Max(0.1, Quantile([.. Enumerable.Range(0, Rows).Select(i => Math.Abs((double)r[i * Features + j]))], 0.682689));
                    for (int i = 0; i < Rows; i++)
                        first[i] += Math.Log(1 + Math.Pow(r[i * Features + j] / spread, 2) / 3);
                }
            }
        }
        var second = new double[Rows];
        for (int j = 0; j < Features; j++)
        {
            double[] column = [.. Enumerable.Range(0, Rows).Select(i => (double)s[i * Features + j])];
            double upper = Math.Max(0.5, Quantile(column, 0.841345)), lower = Math.Max(0.5, -Quantile(column, 0.158655));
            Assert.AreEqual(0, Quantile(column, 0.5), 1e-5, "The median of a scaled feature is zero.");
            for (int i = 0; i < Rows; i++)
                second[i] += 2 * Math.Log(1 + Math.Pow(column[i] / (column[i] > 0 ? upper : lower), 2) / 3);
        }
        double weight = (Quantile(first, 0.75) - Quantile(first, 0.25)) / (Quantile(second, 0.75) - Quantile(second, 0.25));
        Assert.AreEqual(weight, marginal.Weight, 1e-3 * weight);
        double[] expected = [.. first.Zip(second, (a, b) => a + weight * b)];

        var context = new MLContext(seed: 1);
        byte[] graph = AnomalyGraph.Create([.. members.Select(member => member.Member)], range, "Features", marginal, null, null);
        var view = AnomalyRows.View(context, AnomalyRows.Make(Rows));
        using var model = new VaeAnomalyTransformer(context, graph, 0, "Features", Features, null, null, view.Schema, [], false);
        float[] scores = [.. model.Transform(view).GetColumn<float>("Score")];
        for (int i = 0; i < Rows; i++)
            Assert.AreEqual(expected[i], scores[i], 1e-3 * expected[i]);

        static double Quantile(double[] values, double q)
        {
            double[] sorted = [.. values.Order()];
            double at = q * (sorted.Length - 1);
            int low = (int)at;
            return low + 1 < sorted.Length ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
        }
    }

    [TestMethod]
    public void Marginal_SkewedAndConstantFeatures()
    {
        // An exponential feature, a constant and a rare flag: each side has its own spread, and none of them is zero.
        const int Rows = 2000;
        var random = new Random(3);
        float[] scaled = [.. Enumerable.Range(0, Rows).SelectMany(i => new[] { (float)(-Math.Log(1 - random.NextDouble()) - Math.Log(2)), 0, i % 20 == 0 ? 4f : 0 })];
        var marginal = AnomalyMarginal.From(scaled, 3, []);
        Assert.AreEqual(Math.Log(1 / 0.158655) - Math.Log(2), marginal.Upper[0], 0.1);
        Assert.AreEqual(Math.Log(2) - Math.Log(1 / 0.841345), marginal.Lower[0], 0.05);
        Assert.AreSequenceEqual(new[] { AnomalyMarginal.SmallestSpread, AnomalyMarginal.SmallestSpread }, marginal.Upper[1..]);
        Assert.AreSequenceEqual(new[] { AnomalyMarginal.SmallestSpread, AnomalyMarginal.SmallestSpread }, marginal.Lower[1..]);
        Assert.AreEqual(1, marginal.Weight);
        // A term that never differs between rows has no range to compare with; one that hardly does is not blown up.
        float[] terms = [.. Enumerable.Range(0, Rows).Select(i => (float)i)];
        Assert.AreEqual(1, AnomalyMarginal.From(new float[Rows], 1, terms).Weight);
        Assert.AreEqual(AnomalyMarginal.LargestWeight, AnomalyMarginal.From([.. terms.Select(term => term / Rows - 0.5f)], 1, terms).Weight);
    }

    [TestMethod]
    public void Score_DoesNotDependOnUnits()
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(300);
        // Powers of two keep every bit of the scaled features.
        var turned = rows.Select(row => new AnomalyRows.Row { Features = [.. row.Features.Select((value, j) => value * MathF.Pow(2, 3 * j - 10))] });
        float[] Scores(IEnumerable<AnomalyRows.Row> data)
        {
            var view = AnomalyRows.View(context, data);
            using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 30 }).Fit(view);
            return [.. model.Transform(view).GetColumn<float>("Score")];
        }
        float[] expected = Scores(rows), found = Scores(turned);
        for (int i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], found[i], 1e-3 * expected[i]);
    }

    [TestMethod]
    public void Fit_SameSeedSameScores()
    {
        var context = new MLContext(seed: 1);
        var data = AnomalyRows.View(context, AnomalyRows.Make(300));
        float[] Scores(int seed)
        {
            using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 30, Seed = seed }).Fit(data);
            return [.. model.Transform(data).GetColumn<float>("Score")];
        }
        float[] first = Scores(1);
        Assert.AreSequenceEqual(first, Scores(1));
        Assert.IsFalse(first.SequenceEqual(Scores(2)));
        Assert.IsFalse(first.SequenceEqual(Scores(-1)));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(50)]
    public void Fit_ConstantFeaturesAndFewRows(int count)
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(count);
        foreach (var row in rows)
            row.Features[2] = 1e20f;
        var data = AnomalyRows.View(context, rows);
        using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 20 }).Fit(data);
        Assert.IsTrue(model.Transform(data).GetColumn<float>("Score").All(float.IsFinite));
    }

    [TestMethod]
    public void Fit_MissingValueIsNamed()
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(20);
        rows[7].Features[5] = float.NaN;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => context.Vae.AnomalyDetector("Features").Fit(AnomalyRows.View(context, rows)));
        Assert.Contains("row 7, slot 5", error.Message);
    }

    [TestMethod]
    public void Transform_MissingValueScoresNaN()
    {
        var context = new MLContext(seed: 1);
        var rows = AnomalyRows.Make(20);
        using var model = context.Vae.AnomalyDetector("Features", Small with { Steps = 5, Threshold = 0 }).Fit(AnomalyRows.View(context, rows));
        rows[7].Features[5] = float.NaN;
        var data = AnomalyRows.View(context, rows);
        foreach (var transformer in new[] { model, AnomalyRows.Reload(context, model, data.Schema) })
        {
            var results = Read(context, transformer.Transform(data));
            Assert.IsTrue(float.IsNaN(results[7].Score));
            Assert.IsFalse(results[7].PredictedLabel);
            Assert.IsTrue(results[8].PredictedLabel);
        }
    }

    [TestMethod]
    [DataRow(AnomalyTrainingRows.Contaminated)]
    [DataRow(AnomalyTrainingRows.Clean)]
    public void TrainingRows_ContributionsAddUp_AndAHoleIsFound(AnomalyTrainingRows kind)
    {
        // A ring with nothing in its middle, which is an ordinary value of each feature.
        var context = new MLContext(seed: 1);
        var random = new Random(4);
        AnomalyRows.Row[] rows = [.. Enumerable.Range(0, 600).Select(_ =>
        {
            double angle = 2 * Math.PI * random.NextDouble();
            return new AnomalyRows.Row
            {
                Features = [.. Enumerable.Range(0, AnomalyRows.Features).Select(j => (float)(Math.Cos(angle + j) + 0.05 * AnomalyRows.Normal(random)))],
            };
        })];
        var options = Small with { TrainingRows = kind, IncludeNeighborTerm = true, LatentDimension = 6 };
        var test = AnomalyRows.View(context, rows.Take(50).Append(new() { Features = new float[AnomalyRows.Features] }));
        using var model = context.Vae.AnomalyDetector("Features", options).Fit(AnomalyRows.View(context, rows));
        foreach (var transformer in new[] { model, AnomalyRows.Reload(context, model, test.Schema) })
        {
            IDataView scored = transformer.Transform(test);
            float[] scores = [.. scored.GetColumn<float>("Score")];
            float[][] why = [.. scored.GetColumn<float[]>("Why")];
            for (int i = 0; i < scores.Length; i++)
                Assert.AreEqual(scores[i], why[i].Sum(), 1e-4 * scores[i]);
            if (kind == AnomalyTrainingRows.Clean)
                Assert.AreEqual(scores.Max(), scores[^1], "The middle is far from every row.");
        }
        // The neighbour term alone makes the difference between both detectors of the same networks.
        using var without = context.Vae.AnomalyDetector("Features", options with { IncludeNeighborTerm = false }).Fit(AnomalyRows.View(context, rows));
        Assert.IsLessThan(model.Transform(test).GetColumn<float>("Score").Last(), without.Transform(test).GetColumn<float>("Score").Last());
    }

    [TestMethod]
    public void Options_OutOfRange()
    {
        var catalog = new MLContext().Vae;
        void Refused<T>(VaeAnomalyTrainer.Options options, string word)
            where T : ArgumentException => Assert.Contains(word, Assert.ThrowsExactly<T>(() => catalog.AnomalyDetector("Features", options)).Message);
        Refused<ArgumentOutOfRangeException>(new() { Contamination = 0 }, "Contamination");
        Refused<ArgumentOutOfRangeException>(new() { Contamination = float.NaN }, "Contamination");
        Refused<ArgumentOutOfRangeException>(new() { Threshold = float.NaN }, "Threshold");
        Refused<ArgumentOutOfRangeException>(new() { Members = 0 }, "Members");
        Refused<ArgumentOutOfRangeException>(new() { TrainingRows = (AnomalyTrainingRows)7 }, "TrainingRows");
        Refused<ArgumentOutOfRangeException>(new() { Steps = 0 }, "Steps");
        Refused<ArgumentOutOfRangeException>(new() { LearningRate = 0 }, "LearningRate");
        Refused<ArgumentException>(new() { ContributionsColumnName = "Score" }, "Score");
    }

    private static Result[] Read(MLContext context, IDataView view) => [.. context.Data.CreateEnumerable<Result>(view, reuseRowObject: false)];

    private static void AssertClose(Result[] expected, Result[] found)
    {
        Assert.HasCount(expected.Length, found);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(expected[i].Score, found[i].Score, 1e-4 * expected[i].Score);
            Assert.AreEqual(expected[i].PredictedLabel, found[i].PredictedLabel);
        }
    }
}
