using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace Vae.MLNet.Tests.Anomaly;

/// <summary>One number far outside what the training rows showed makes a row an anomaly, whatever the rest of it says; a rare category counts its rarity.</summary>
[TestClass]
public sealed class GrossErrorTests
{
    private static readonly double[] Gaps = [1, 10, 1e6];

    private static readonly VaeAnomalyTrainer.Options Small = new() { Members = 1, Steps = 100, ContributionsColumnName = "Why" };

    private sealed class Row
    {
        public float[] Features { get; set; } = [];
    }

    private static IDataView View(MLContext context, IEnumerable<float[]> rows, int features)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, features);
        return context.Data.LoadFromEnumerable(rows.Select(row => new Row { Features = row }), definition);
    }

    private static float[] Scores(ITransformer model, IDataView data) => [.. model.Transform(data).GetColumn<float>("Score")];

    /// <summary>The score that 99.9 % of the rows stay below.</summary>
    private static double Top(float[] scores)
    {
        double[] sorted = [.. scores.Select(score => (double)score).Order()];
        double at = 0.999 * (sorted.Length - 1);
        int low = (int)at;
        return low + 1 < sorted.Length ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
    }

    /// <summary>Every feature, on both sides, by 1, 10 and a million ranges, set into the most ordinary row and into others.</summary>
    private static void Check(float[][] rows, VaeAnomalyTrainer.Options options)
    {
        var context = new MLContext(seed: 1);
        int features = rows[0].Length;
        using var model = context.Vae.AnomalyDetector("Features", options).Fit(View(context, rows, features));
        float[] training = Scores(model, View(context, rows, features));
        double top = Top(training);
        int[] bases = [Array.IndexOf(training, training.Min()), 0, rows.Length / 2];
        var made = new List<float[]>();
        for (int j = 0; j < features; j++)
        {
            double low = rows.Min(row => row[j]), high = rows.Max(row => row[j]), span = high > low ? high - low : Math.Max(Math.Abs(low), 1);
            foreach (int at in bases)
            {
                foreach (int side in new[] { -1, 1 })
                {
                    foreach (double gap in Gaps)
                    {
                        float[] row = [.. rows[at]];
                        row[j] = (float)((side < 0 ? low : high) + side * gap * span);
                        if (float.IsFinite(row[j]))
                            made.Add(row);
                    }
                }
            }
        }
        Assert.HasCount(features * bases.Length * 2 * Gaps.Length, made);
        float[] scores = Scores(model, View(context, made, features));
        for (int i = 0; i < scores.Length; i++)
        {
            int feature = i / (bases.Length * 2 * Gaps.Length);
            Assert.IsTrue(float.IsFinite(scores[i]) && scores[i] > top, $"feature {feature} at {made[i][feature]}: {scores[i]}, training rows {top}");
            if (i % Gaps.Length > 0)
                Assert.IsGreaterThan(scores[i - 1], scores[i], $"feature {feature}, {made[i - 1][feature]} to {made[i][feature]}");
        }
        float[][] contributions = [.. model.Transform(View(context, made, features)).GetColumn<float[]>("Why")];
        for (int i = 0; i < scores.Length; i++)
        {
            Assert.AreEqual(scores[i], contributions[i].Sum(value => (double)value), 1e-4 * scores[i]);
            int feature = i / (bases.Length * 2 * Gaps.Length);
            if (i % Gaps.Length == Gaps.Length - 1)
                Assert.AreEqual(feature, Array.IndexOf(contributions[i], contributions[i].Max()), "The feature that is wrong is to blame.");
        }
    }

    /// <summary>Features of many shapes: normal, exponential, log-normal, counts that are mostly zero, flags, a rare flag, a constant, whole numbers, heavy tails, tiny units.</summary>
    private static float[][] Mixed(int rows, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows).Select(i =>
        {
            double a = AnomalyRows.Normal(random), b = AnomalyRows.Normal(random);
            return new[]
            {
                (float)a, (float)(2 * a + 0.3 * b), (float)-Math.Log(1 - random.NextDouble()), (float)Math.Exp(2 * b), random.NextDouble() < 0.9 ? 0 : (float)Math.Exp(5 + 2 * a),
                random.Next(2), i % 50 == 3 ? 1 : 0, 7, random.Next(1, 6), (float)(a / Math.Max(0.05, Math.Abs(AnomalyRows.Normal(random)))), (float)(1e-12 * b), 0,
            };
        })];
    }

    [TestMethod]
    [DataRow(30)]
    [DataRow(400)]
    [DataRow(3000)]
    public void Score_FeatureFarOutside_IsAboveTrainingRows(int rows) => Check(Mixed(rows, rows), Small);

    [TestMethod]
    public void Score_FeatureFarOutside_WithoutMarginalTerm() => Check(Mixed(300, 1), Small with { IncludeMarginalTerm = false, Members = 2 });

    [TestMethod]
    public void Score_FeatureFarOutside_Defaults() => Check([.. AnomalyRows.Make(500).Select(row => row.Features)], new() { ContributionsColumnName = "Why" });

    [TestMethod]
    [DataRow("12_fault")]
    [DataRow("18_Ionosphere")]
    [DataRow("23_mammography")]
    [DataRow("28_pendigits")]
    [DataRow("2_annthyroid")]
    [DataRow("31_satimage-2")]
    [DataRow("43_WDBC")]
    [DataRow("6_cardio")]
    public void RealData_FeatureFarOutside_IsAboveTrainingRows(string name) =>
        Check([.. new MLContext().Vae.LoadNumPy(RealData.Path($"anomaly/{name}.npz"), ("Features", "X"), ("Label", "y")).GetColumn<float[]>("Features")], Small);

    [TestMethod]
    public void Score_GrossErrorInTraining_IsAboveTheOthers()
    {
        var context = new MLContext(seed: 1);
        float[][] rows = Mixed(400, 2);
        foreach (int j in new[] { 0, 2, 8 })
        {
            float[][] spoilt = [.. rows.Select(row => row.ToArray())];
            spoilt[17][j] = 1e6f;
            float[] scores;
            using (var model = context.Vae.AnomalyDetector("Features", Small).Fit(View(context, spoilt, rows[0].Length)))
                scores = Scores(model, View(context, spoilt, rows[0].Length));
            Assert.AreEqual(17, Array.IndexOf(scores, scores.Max()), $"feature {j}");
        }
    }

    [TestMethod]
    public void Contributions_RareFlag_IsItsRarity()
    {
        var context = new MLContext(seed: 1);
        var random = new Random(5);
        // Three slots of a category that nothing tells: 90 %, 8 % and 2 %.
        float[][] rows = [.. Enumerable.Range(0, 1000).Select(i =>
        {
            int category = i % 100 < 90 ? 0 : i % 100 < 98 ? 1 : 2;
            return new[] { (float)AnomalyRows.Normal(random), category == 0 ? 1f : 0, category == 1 ? 1f : 0, category == 2 ? 1f : 0 };
        })];
        using var model = context.Vae.AnomalyDetector("Features", Small with { Members = 2 }).Fit(View(context, rows, 4));
        float[][] why = [.. model.Transform(View(context, rows, 4)).GetColumn<float[]>("Why")];
        double[] shares = [0, 0.9, 0.08, 0.02];
        foreach (var (row, slot) in new[] { (0, 1), (95, 2), (99, 3) })
        {
            // What the network foresaw counts less; slots that are not set say nothing more.
            float sum = why[row][1..].Sum();
            Assert.IsLessThanOrEqualTo(-Math.Log(shares[slot]) + 1e-3, sum);
            Assert.AreEqual(why[row][slot], sum, 1e-5);
            if (slot > 1)
                Assert.IsGreaterThan(-0.4 * Math.Log(shares[slot]), sum, $"slot {slot}");
        }
        // A category that was never seen is rarer than the rarest.
        float unseen = model.Transform(View(context, [[0, 0, 0, 0]], 4)).GetColumn<float[]>("Why").Single()[1..].Sum();
        Assert.AreEqual(Math.Log(1000), unseen, 1e-3);
    }

    private sealed class Passenger
    {
        [LoadColumn(2)]
        public string Sex { get; set; } = "";

        [LoadColumn(3)]
        public float Age { get; set; }

        [LoadColumn(4)]
        public float Siblings { get; set; }

        [LoadColumn(5)]
        public float Parents { get; set; }

        [LoadColumn(6)]
        public float Fare { get; set; }

        [LoadColumn(8)]
        public string Class { get; set; } = "";

        [LoadColumn(9)]
        public string Who { get; set; } = "";

        [LoadColumn(12)]
        public string Town { get; set; } = "";
    }

    [TestMethod]
    public void Titanic_ImpossibleNumbersComeFirst()
    {
        var context = new MLContext(seed: 1);
        IDataView data = context.Data.LoadFromTextFile<Passenger>(RealData.Path("tables/titanic.csv"), separatorChar: ',', hasHeader: true);
        Passenger[] passengers = [.. context.Data.CreateEnumerable<Passenger>(data, reuseRowObject: false)];
        var pipeline = context.Transforms.Categorical.OneHotEncoding([.. new[] { "Sex", "Class", "Who", "Town" }.Select(name => new InputOutputColumnPair(name + "Slots", name))])
            .Append(context.Transforms.ReplaceMissingValues([new("Age"), new("Fare")], MissingValueReplacingEstimator.ReplacementMode.Mean))
            .Append(context.Transforms.Concatenate("Features", "Age", "Siblings", "Parents", "Fare", "SexSlots", "ClassSlots", "WhoSlots", "TownSlots"))
            .Append(context.Vae.AnomalyDetector("Features", new() { ContributionsColumnName = "Why" }));
        using var model = pipeline.Fit(data);
        IDataView scored = model.Transform(data);
        float[] training = [.. scored.GetColumn<float>("Score")];
        double top = Top(training);

        Passenger man = passengers.First(passenger => passenger is { Who: "man", Town: "Southampton", Age: 35 });
        float Score(Action<Passenger> change)
        {
            var changed = new Passenger
            {
                Sex = man.Sex,
                Age = man.Age,
                Siblings = man.Siblings,
                Parents = man.Parents,
                Fare = man.Fare,
                Class = man.Class,
                Who = man.Who,
                Town = man.Town,
            };
            change(changed);
            return Scores(model, context.Data.LoadFromEnumerable([changed])).Single();
        }
        float usual = Score(_ => { });
        Assert.IsLessThan(top, usual);
        float old = Score(passenger => passenger.Age = 200), older = Score(passenger => passenger.Age = 1e6f);
        Assert.IsGreaterThan(top, old);
        Assert.IsGreaterThan(old, older);
        Assert.IsGreaterThan(top, Score(passenger => passenger.Fare = -50));
        Assert.IsGreaterThan(top, Score(passenger => passenger.Siblings = 40));

        float[][] why = [.. scored.GetColumn<float[]>("Why")];
        // Two rare slots, as children from Queenstown have, count what both categories are worth, not 18 each.
        int[] children = [.. Enumerable.Range(0, training.Length).Where(i => passengers[i] is { Who: "child", Town: "Queenstown" })];
        Assert.IsNotEmpty(children);
        foreach (int child in children)
        {
            Assert.IsLessThan(10, why[child][4..].Sum());
        }
        // No slot counts more than a category is worth that one row has.
        Assert.IsLessThan(Math.Log(891), why.Max(row => row[4..].Max()));
    }
}
