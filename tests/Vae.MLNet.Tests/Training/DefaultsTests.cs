using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Model;

namespace Vae.MLNet.Tests.Training;

/// <summary>What the default options make of data that nobody prepared.</summary>
[TestClass]
public sealed class DefaultsTests
{
    private const string Features = "Features";

    private sealed class Row
    {
        public float[] Features { get; set; } = [];
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>Columns of very different units that depend on two factors.</summary>
    private static float[][] Columns(int rows, double[] units, double[] offsets, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows).Select(_ =>
        {
            double a = Normal(random), b = Normal(random);
            return units.Select((unit, j) => (float)(offsets[j] + unit * (Math.Cos(j) * a + Math.Sin(j) * b + 0.1 * Normal(random)))).ToArray();
        })];
    }

    private static (VaeTransformer Model, List<string> Warnings) Fit(float[][] rows, VaeTrainer.Options? options = null, string[]? names = null, float[][]? validation = null)
    {
        var context = new MLContext(seed: 1);
        var warnings = new List<string>();
        context.Log += (_, entry) =>
        {
            if (entry.Kind == Microsoft.ML.Runtime.ChannelMessageKind.Warning)
                warnings.Add(entry.Message);
        };
        var trainer = context.Vae.VariationalAutoencoder("Latent", Features, options);
        return (trainer.Fit(View(context, rows, names), validation is null ? null : View(context, validation, names)), warnings);
    }

    private static IDataView View(MLContext context, float[][] rows, string[]? names)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[Features].ColumnType = new VectorDataViewType(NumberDataViewType.Single, rows[0].Length);
        if (names is not null)
            definition[Features].AddAnnotation("SlotNames", new VBuffer<ReadOnlyMemory<char>>(names.Length, [.. names.Select(name => name.AsMemory())]), new VectorDataViewType(TextDataViewType.Instance, names.Length));
        return context.Data.LoadFromEnumerable(rows.Select(row => new Row { Features = row }), definition);
    }

    [TestMethod]
    [DataRow(new[] { 1000.0, 0.001, 3 }, new[] { 5.0, 0, -2 })]
    [DataRow(new[] { 8.0, 2, 100, 40, 850, 2.7 }, new[] { 23.0, 5.5, 194, 104, 2977, 15.5 })]
    [DataRow(new[] { 1.0, 1, 1, 1 }, new[] { 0.0, 1e6, -1e5, 3 })]
    [DataRow(new[] { 1e-6, 2e-6, 3e-6 }, new[] { 0.0, 0, 0 })]
    public void Fit_ColumnsOfAnySize_EachIsReconstructed(double[] units, double[] offsets)
    {
        var (model, _) = Fit(Columns(400, units, offsets));
        using (model)
        {
            Assert.AreEqual(InputScaling.Standardize, model.Model.Options.Scaling);
            Assert.AreEqual(InputScaling.Standardize, model.History!.Scaling);
            Assert.IsGreaterThan(0.8, model.History.SelfCheck!.ExplainedShares.Min(), model.History.SelfCheck.ToString());
        }
    }

    [TestMethod]
    public void Fit_CoordinatesOfOneUnit_AreLeftAsTheyAre()
    {
        var (model, _) = Fit(TestRows.Curved(200, 8), new() { Epochs = 2 });
        using (model)
            Assert.AreEqual(InputScaling.None, model.Model.Options.Scaling);
    }

    [TestMethod]
    public void Fit_GreyLevels_AreLeftAsTheyAre()
    {
        var random = new Random(1);
        // A border pixel that hardly ever lights up beside pixels that do.
        float[][] rows = [.. Enumerable.Range(0, 300).Select(i => Enumerable.Range(0, 64).Select(j => j == 0 ? (i == 7 ? 0.5f : 0) : random.NextSingle()).ToArray())];
        var (model, _) = Fit(rows, new() { Epochs = 2 });
        using (model)
            Assert.AreEqual(InputScaling.None, model.Model.Options.Scaling);
    }

    [TestMethod]
    public void Fit_FewSharesOfUnlikeSize_AreStandardised()
    {
        var random = new Random(1);
        float[][] rows = [.. Enumerable.Range(0, 300).Select(_ => new[] { random.NextSingle(), 0.01f * random.NextSingle(), random.NextSingle(), random.NextSingle() })];
        var (model, _) = Fit(rows, new() { Epochs = 2 });
        using (model)
            Assert.AreEqual(InputScaling.Standardize, model.Model.Options.Scaling);
    }

    [TestMethod]
    public void Fit_FarOutValues_AreScaledRobustly()
    {
        float[][] rows = Columns(500, [1, 20, 3], [0, 0, 0]);
        rows[17][1] = 1e6f;
        var (model, _) = Fit(rows, new() { Epochs = 2 });
        using (model)
            Assert.AreEqual(InputScaling.RobustAsinh, model.Model.Options.Scaling);
    }

    [TestMethod]
    public void Fit_Streamed_DecidesAsInMemory()
    {
        foreach (float[][] rows in new[] { Columns(300, [1, 500], [0, 3]), TestRows.Curved(300, 4) })
        {
            var (memory, _) = Fit(rows, new() { Epochs = 2 });
            var (streamed, _) = Fit(rows, new() { Epochs = 2, Streaming = new() });
            using (memory)
            using (streamed)
            {
                Assert.AreEqual(memory.Model.Options.Scaling, streamed.Model.Options.Scaling);
                CollectionAssert.AreEqual(memory.Model.Options.HiddenLayers!.ToArray(), streamed.Model.Options.HiddenLayers!.ToArray());
                Assert.AreEqual(300, streamed.History!.SelfCheck!.Rows);
            }
        }
    }

    [TestMethod]
    [DataRow(Likelihood.Bernoulli)]
    [DataRow(Likelihood.Categorical)]
    public void Fit_LikelihoodsOfPlainFeatures_AreNotScaled(Likelihood likelihood)
    {
        float[][] rows = [.. Enumerable.Range(0, 200).Select(i => new float[] { i % 3 == 0 ? 1 : 0, i % 3 == 0 ? 0 : 1, i % 100 == 0 ? 1 : 0, i % 100 == 0 ? 0 : 1 })];
        var (model, _) = Fit(rows, new() { Likelihood = likelihood, GroupSize = likelihood == Likelihood.Categorical ? 2 : 0, Beta = 0.1f, Epochs = 60 });
        using (model)
        {
            Assert.AreEqual(InputScaling.None, model.Model.Options.Scaling);
            Assert.IsLessThan(0.15, model.History!.SelfCheck!.SampleDistances.Max());
        }
    }

    [TestMethod]
    [DataRow(100, 128, 400, "64 64")]
    [DataRow(100, 1, 120, "64 64")]
    [DataRow(2_000, 128, 400, "128 128")]
    [DataRow(10_000, 128, 152, "256 256 256")]
    [DataRow(300_000, 128, 10, "256 256 256")]
    public void Settle_NothingGiven_EpochsAndWidthsGoByRows(int rows, int batch, int epochs, string widths)
    {
        var options = new VaeTrainer.Options { BatchSize = batch }.SettleByData(rows, InputScaling.None);
        Assert.AreEqual(epochs, options.Epochs);
        Assert.AreEqual(widths, string.Join(' ', options.HiddenLayers!));
        var given = new VaeTrainer.Options { HiddenLayers = [7], Epochs = 3 }.SettleByData(rows, InputScaling.None);
        Assert.AreEqual(3, given.Epochs);
        Assert.AreEqual(7, given.HiddenLayers!.Single());
    }

    [TestMethod]
    public void Fit_ColumnsOfUnlikeSizeUnscaled_NamesThemAndTheCure()
    {
        var (model, warnings) = Fit(Columns(300, [0.01, 900], [0, 0]), new() { Scaling = InputScaling.None, Epochs = 20 }, ["age", "income"]);
        using (model)
        {
            string warning = warnings.Single(text => text.Contains("Scaling is None", StringComparison.Ordinal));
            foreach (string word in new[] { "'age'", "'income'", "Auto", "Standardize" })
                Assert.Contains(word, warning);
            CollectionAssert.Contains(model.History!.SelfCheck!.Findings.ToArray(), warning[(warning.IndexOf("The features", StringComparison.Ordinal))..]);
        }
    }

    [TestMethod]
    public void Fit_PosteriorFarFromThePrior_SaysThatSamplesWillNotResembleTheData()
    {
        var (model, warnings) = Fit(Columns(400, [1, 1, 1, 1], [0, 0, 0, 0]), new() { Beta = 0, Epochs = 60 });
        using (model)
        {
            Assert.IsGreaterThan(1, model.History!.SelfCheck!.PriorDistance);
            Assert.Contains(text => text.Contains("far from the prior", StringComparison.Ordinal) && text.Contains("Beta", StringComparison.Ordinal), warnings);
        }
    }

    [TestMethod]
    public void Fit_Overfitted_SaysSo()
    {
        // Nothing to learn but the rows themselves.
        var random = new Random(3);
        float[][] Noise(int count) => [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, 6).Select(_ => (float)Normal(random)).ToArray())];
        float[][] rows = Noise(24), held = Noise(200);
        var (model, warnings) = Fit(rows, new() { LatentDimension = 4, HiddenLayers = [128, 128], Beta = 0, Epochs = 600, BatchSize = 8 }, validation: held);
        using (model)
        {
            Assert.IsGreaterThan(model.History!.SelfCheck!.ValidationExplainedShare!.Value, model.History.SelfCheck.ExplainedShare);
            Assert.Contains(text => text.Contains("overfitted", StringComparison.Ordinal) && text.Contains("EarlyStopping", StringComparison.Ordinal), warnings);
        }
    }

    [TestMethod]
    public void Fit_GoodModel_FindsNothing_AndTheFiguresAreThoseOfTheData()
    {
        float[][] rows = Columns(1000, [1, 50, 0.02], [0, 100, 0]);
        var options = new VaeTrainer.Options { Likelihood = Likelihood.Gaussian, Beta = 1, ReconstructionColumnName = "Back", Epochs = 150 };
        var (model, warnings) = Fit(rows, options, ["a", "b", "c"]);
        using (model)
        {
            var check = model.History!.SelfCheck!;
            Assert.IsEmpty(warnings, string.Join('\n', warnings));
            Assert.IsEmpty(check.Findings);
            Assert.AreEqual(1000, check.Rows);
            float[][] back = [.. model.Transform(View(new MLContext(), rows, ["a", "b", "c"])).GetColumn<float[]>("Back")];
            for (int j = 0; j < 3; j++)
            {
                double mean = rows.Average(row => row[j]);
                double expected = 1 - rows.Zip(back, (x, y) => Math.Pow(x[j] - y[j], 2)).Sum() / rows.Sum(row => Math.Pow(row[j] - mean, 2));
                Assert.AreEqual(expected, check.ExplainedShares[j], 1e-4);
            }
            Assert.IsLessThan(0.2, check.SampleDistances.Max(), check.ToString());
            Assert.IsLessThan(0.3, check.PriorDistance);
            Assert.AreEqual("a", check.Features[0]);
        }
    }

    [TestMethod]
    public void Fit_SelfCheck_SameSeedSameFigures_AndTheModelIsTheSameWithout()
    {
        float[][] rows = Columns(200, [1, 30], [0, 0]);
        var (first, _) = Fit(rows, new() { Epochs = 3 });
        var (second, _) = Fit(rows, new() { Epochs = 3 });
        var (without, _) = Fit(rows, new() { Epochs = 3, SelfCheck = false });
        using (first)
        using (second)
        using (without)
        {
            Assert.AreEqual(first.History!.SelfCheck, second.History!.SelfCheck);
            Assert.IsNull(without.History!.SelfCheck);
            LifeCycleRows.SameBytes(first, without);
        }
    }

    [TestMethod]
    [DataRow(0.1f)]
    [DataRow(1e6f)]
    [DataRow(-7.3e-9f)]
    public void Fit_ConstantBesideOthers_IsNoScaleOfItsOwn(float constant)
    {
        float[][] rows = [.. Columns(300, [1, 1], [0, 0]).Select(row => (float[])[.. row, constant])];
        foreach (var scaling in new[] { InputScaling.Auto, InputScaling.Standardize, InputScaling.RobustAsinh })
        {
            var (model, _) = Fit(rows, new() { Epochs = 30, Scaling = scaling });
            using (model)
            {
                if (model.Model.Scale.Kind != InputScaling.None)
                    Assert.AreEqual(1, model.Model.Scale.Factor[2]);
                Assert.AreEqual(scaling == InputScaling.Auto ? Math.Abs(constant) <= 10 ? InputScaling.None : InputScaling.Standardize : scaling, model.Model.Scale.Kind);
                Assert.AreEqual(1, model.History!.SelfCheck!.ExplainedShares[2]);
            }
        }
    }

    [TestMethod]
    public void Fit_CancelledWithStreamedValidation_KeepsTheBest()
    {
        using var source = new CancellationTokenSource();
        var options = new VaeTrainer.Options
        {
            HiddenLayers = [8],
            Epochs = 50,
            Streaming = new(),
            ValidationFraction = 0.3f,
            OnCancellation = CancellationBehavior.KeepBest,
            CancellationToken = source.Token,
            Progress = new LifeCycleRows.Reports(report =>
            {
                if (report.Latest.Epoch == 3)
                    source.Cancel();
            }),
        };
        var (model, _) = Fit(Columns(6000, [1, 30], [0, 0]), options);
        using (model)
        {
            Assert.IsTrue(model.History!.StoppedEarly);
            Assert.IsNull(model.History.SelfCheck!.ValidationExplainedShare);
        }
    }

    [TestMethod]
    public void Fit_WarmStart_TakesTheDecodersLayersToo()
    {
        float[][] rows = TestRows.Curved(100, 4);
        var (first, _) = Fit(rows, new() { HiddenLayers = [12], DecoderHiddenLayers = [6, 5], Epochs = 1 });
        var (second, _) = Fit(rows, new() { WarmStart = first.Model, Epochs = 1 });
        using (first)
        using (second)
            CollectionAssert.AreEqual(new[] { 6, 5 }, second.Model.Options.DecoderHiddenLayers!.ToArray());
    }

    [TestMethod]
    public void Fit_WarmStart_TakesWhatTheModelHas()
    {
        float[][] rows = Columns(300, [1, 300], [0, 0]);
        var (first, _) = Fit(rows, new() { HiddenLayers = [12], Epochs = 2 });
        float[] before = [.. first.Model.Parameters];
        var (second, _) = Fit(TestRows.Curved(50, 2), new() { WarmStart = first.Model, Epochs = 2 });
        using (first)
        using (second)
        {
            Assert.AreEqual(InputScaling.Standardize, second.Model.Options.Scaling);
            Assert.AreEqual(12, second.Model.Options.HiddenLayers!.Single());
            CollectionAssert.AreEqual(before, first.Model.Parameters);
        }
    }

    [TestMethod]
    public void Fit_MilesPerGallon_EveryColumnIsExplained()
    {
        string[] lines = File.ReadAllLines(RealData.Path("tables/mpg.csv"));
        float[][] rows = [.. lines.Skip(1).Select(line => line.Split(',')[..6]).Where(cells => cells.All(cell => cell.Length > 0))
            .Select(cells => cells.Select(cell => float.Parse(cell, System.Globalization.CultureInfo.InvariantCulture)).ToArray())];
        var (model, _) = Fit(rows, names: lines[0].Split(',')[..6]);
        using (model)
            Assert.IsGreaterThan(0.85, model.History!.SelfCheck!.ExplainedShares.Min(), model.History.SelfCheck.ToString());
    }
}
