using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.Trainers.FastTree;
using Vae.MLNet.Inference;
using Vae.MLNet.Samples;

namespace Vae.MLNet.Tests.Samples;

/// <summary>Critics against ratios of densities that are known, and their graphs against the critics.</summary>
[TestClass]
public sealed class SampleCriticTests
{
    private static readonly MLContext Ml = new(1);

    private static readonly string[] Texts = ["red", "green", "blue", "", "a\nb"];

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>Normal numbers, of which the first has another mean among real rows.</summary>
    private static float[][] Points(int count, int seed, double shift, int size = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
            Enumerable.Range(0, size).Select(k => (float)(Normal(random) + (k == 0 ? shift : 0))).ToArray())];
    }

    private static IDataView View(IReadOnlyList<float[]> rows, int? size = null)
    {
        var definition = SchemaDefinition.Create(typeof(Point));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, size ?? rows[0].Length);
        return Ml.Data.LoadFromEnumerable(rows.Select(row => new Point { Value = row }).ToArray(), definition);
    }

    private static Mixed[] Table(int count, int seed, bool real)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            int text = random.Next(4) == 0 ? random.Next(Texts.Length) : real ? 0 : 1;
            return new Mixed
            {
                Age = real && random.Next(3) == 0 ? 40 : random.Next(18, 90),
                Height = random.Next(10) == 0 ? float.NaN : (float)(170 + 10 * Normal(random)),
                Salary = random.NextDouble() * 1000,
                Colour = Texts[text],
                Member = random.Next(10) < (real ? 7 : 4),
            };
        })];
    }

    [TestMethod]
    public void LogRatios_OfShiftedNormalNumbersAreTheKnownOnes()
    {
        const double Shift = 0.8;
        var critic = Ml.Vae.FitCritic(View(Points(6000, 1, Shift)), View(Points(9000, 2, 0)));
        float[][] fresh = Points(2000, 3, 0);
        float[] found = critic.LogRatios(View(fresh));
        double[] known = [.. fresh.Select(row => Shift * row[0] - Shift * Shift / 2)];
        Assert.IsLessThan(0.15, found.Zip(known, (a, b) => Math.Abs(a - b)).Average());
        // P(real scores higher) of normal numbers that are Shift apart is Phi(Shift / sqrt 2).
        Assert.AreEqual(0.714, critic.Auc, 0.02);
        Assert.IsTrue(critic.AucStandardError is > 0.002 and < 0.02);

        // What is kept looks like the real rows, and so large a share of the rows as was said.
        var random = new Random(4);
        float[][] kept = [.. fresh.Where((_, i) => random.NextDouble() < critic.KeepProbability(found[i]))];
        Assert.AreEqual(critic.Acceptance, (double)kept.Length / fresh.Length, 0.04);
        Assert.IsGreaterThan(0.55 * Shift, kept.Average(row => row[0]));
        Assert.AreEqual(0, kept.Average(row => row[1]), 0.12);
    }

    [TestMethod]
    public void Fit_OfRowsThatCannotBeToldApartSaysNothing()
    {
        var critic = Ml.Vae.FitCritic(View(Points(2000, 1, 0)), View(Points(2000, 2, 0)));
        Assert.AreEqual(0.5, critic.Auc, 0.04);
        Assert.IsLessThan(0.12, critic.LogRatios(View(Points(500, 3, 0))).Average(MathF.Abs));
        Assert.IsGreaterThan(0.75, critic.Acceptance);

        // Columns that are the same for all rows tell nothing at all.
        float[][] constant = [.. Enumerable.Range(0, 50).Select(_ => new float[] { 1, 2 })];
        var none = Ml.Vae.FitCritic(View(constant), View(constant));
        Assert.AreSequenceEqual(new float[50], none.LogRatios(View(constant)));
        Assert.AreEqual(1, none.Acceptance);
        Assert.AreEqual(0.5, none.Auc);
        using var loaded = VaeCritic.Load(none.ToOnnx());
        var ratios = new float[2];
        loaded.LogRatios([1, float.NaN, 3, 4], ratios);
        Assert.AreSequenceEqual(new float[2], ratios);
    }

    [TestMethod]
    public void Fit_OneSeedOneCritic()
    {
        IDataView real = View(Points(400, 1, 1)), generated = View(Points(700, 2, 0));
        byte[] fit(int seed) => Ml.Vae.FitCritic(real, generated, new() { Seed = seed, Trees = 40 }).ToOnnx();
        Assert.AreSequenceEqual(fit(3), fit(3));
        Assert.AreNotEqual(Convert.ToBase64String(fit(3)), Convert.ToBase64String(fit(4)));
    }

    [TestMethod]
    public void Export_OfTypedColumnsGivesTheSameRatios()
    {
        var critic = Ml.Vae.FitCritic(View(Table(1500, 1, true)), View(Table(2500, 2, false)), new() { Trees = 60 });
        Assert.IsGreaterThan(0.7, critic.Auc);
        // Texts that were never seen, numbers far outside, and gaps.
        Mixed[] rows = [.. Table(300, 3, false), .. Table(300, 4, true)];
        rows[0].Colour = "never seen";
        rows[1].Height = float.PositiveInfinity;
        rows[2].Salary = -1e300;
        rows[3].Age = int.MaxValue;
        float[] expected = critic.LogRatios(View(rows));
        using var session = new InferenceSession(critic.ToOnnx());
        int[] shape = [rows.Length, 1];
        using var results = session.Run(
        [
            NamedOnnxValue.CreateFromTensor("Age", new DenseTensor<int>(rows.Select(row => row.Age).ToArray(), shape)),
            NamedOnnxValue.CreateFromTensor("Height", new DenseTensor<float>(rows.Select(row => row.Height).ToArray(), shape)),
            NamedOnnxValue.CreateFromTensor("Salary", new DenseTensor<double>(rows.Select(row => row.Salary).ToArray(), shape)),
            NamedOnnxValue.CreateFromTensor("Colour", new DenseTensor<string>(rows.Select(row => row.Colour).ToArray(), shape)),
            NamedOnnxValue.CreateFromTensor("Member", new DenseTensor<bool>(rows.Select(row => row.Member).ToArray(), shape)),
        ]);
        float[] found = [.. ((DenseTensor<float>)results[0].Value).Buffer.Span];
        for (int row = 0; row < rows.Length; row++)
            Assert.AreEqual(expected[row], found[row], 1e-4f, $"row {row}");
        Assert.IsGreaterThan(1, expected.Max() - expected.Min());

        // A critic of several columns is none for rows of one vector.
        Assert.Contains("5 columns", Assert.ThrowsExactly<InvalidDataException>(() => VaeCritic.Load(critic.ToOnnx())).Message);
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void LogRatios_OfConformationsDependOnDistancesAlone(int dimensions)
    {
        // Beads of real chains are never nearer than 0.6; which two are does not matter.
        float[][] real = Chains(1500, 1, dimensions, 0.6), generated = Chains(2000, 2, dimensions, 0);
        var critic = Ml.Vae.FitCritic(View(real), View(generated), new() { Dimensions = dimensions, Trees = 60 });
        float[][] fresh = Chains(300, 3, dimensions, 0);
        float[] ratios = critic.LogRatios(View(fresh));
        double of(bool near) => ratios.Where((_, i) => Nearest(fresh[i], dimensions) < 0.55 == near).Average();
        Assert.IsGreaterThan(of(true) + 1, of(false));

        float[][] turned = [.. fresh.Select(shape => Turned(shape, dimensions))];
        float[] again = critic.LogRatios(View(turned));
        Assert.IsGreaterThan(280, ratios.Zip(again).Count(pair => Math.Abs(pair.First - pair.Second) < 1e-3));

        using var loaded = VaeCritic.Load(critic.ToOnnx());
        var found = new float[fresh.Length];
        Assert.AreEqual(fresh.Length, loaded.LogRatios(fresh.SelectMany(row => row).ToArray(), found));
        Assert.IsGreaterThan(295, ratios.Zip(found).Count(pair => Math.Abs(pair.First - pair.Second) < 1e-4));
        Assert.AreEqual(critic.CertainLogRatio, loaded.CertainLogRatio);
        Assert.AreEqual(critic.KeepProbability(-1), loaded.KeepProbability(-1));
        Assert.AreEqual(0, loaded.KeepProbability(float.NaN));
        Assert.AreEqual("critic", loaded.Metadata["vae.kind"]);
    }

    [TestMethod]
    public void Fit_BadInputIsNamed()
    {
        IDataView real = View(Points(100, 1, 1)), generated = View(Points(100, 2, 0));
        Assert.Contains("'Value'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Ml.Vae.FitCritic(real, View(Table(100, 1, true)))).Message);
        Assert.Contains("FitCritic: the generated rows are 3", Assert.ThrowsExactly<InvalidOperationException>(() => Ml.Vae.FitCritic(real, View(Points(3, 1, 0)))).Message);
        Assert.Contains("3 slots", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Ml.Vae.FitCritic(real, generated, new() { Dimensions = 2 })).Message);
        Assert.Contains("Dimensions", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Ml.Vae.FitCritic(real, generated, new() { Dimensions = 4 })).Message);
        float[][] broken = Points(100, 1, 1, 4);
        broken[7][2] = float.NaN;
        Assert.Contains("'Value[2]' of the real rows holds NaN in row 7", Assert.ThrowsExactly<InvalidOperationException>(
            () => Ml.Vae.FitCritic(View(broken), View(Points(100, 2, 0, 4)), new() { Dimensions = 2 })).Message);
        Assert.Contains("25 parts", Assert.ThrowsExactly<InvalidOperationException>(
            () => Ml.Vae.FitCritic(View(Points(49, 1, 0)), generated, new() { Folds = 25 })).Message);
        var critic = Ml.Vae.FitCritic(real, generated, new() { Trees = 5 });
        Assert.Contains("'Value'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => critic.LogRatios(View(Table(3, 1, true)))).Message);
        Assert.Contains("4 slots", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => critic.LogRatios(View(Points(3, 1, 0, 4)))).Message);
        Assert.IsEmpty(critic.LogRatios(View([], 3)));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => Ml.Vae.FitCritic(real, generated, new() { CancellationToken = cancelled.Token }));
    }

    [TestMethod]
    public void Sample_KeepsRowsOfPlainSamplingInTheirOrder()
    {
        float[][] rows = Points(500, 1, 0, 2);
        using var model = Ml.Vae.VariationalAutoencoder("Latent", "Value", new VaeTrainer.Options { LatentDimension = 2, HiddenLayers = [8], Epochs = 3, Seed = 1 })
            .Fit(View(rows));
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        try
        {
            model.ExportDecoder(path, withGradient: false);
            using var decoder = VaeDecoder.Load(path);
            var plain = decoder.Sample(4000, 5, new() { Noise = true });
            Assert.AreEqual(1, plain.Acceptance);
            Assert.AreEqual(4000, plain.Drawn);

            var ruled = decoder.Sample(100, 5, new() { Noise = true, Keep = row => row[0] > 0.5f });
            float[][] expected = [.. plain.OutputArrays().Where(row => row[0] > 0.5f).Take(100)];
            Assert.AreSequenceEqual(expected.SelectMany(row => row).ToArray(), ruled.Outputs.ToArray());
            Assert.IsGreaterThan(100, (int)ruled.Drawn);
            Assert.AreEqual(100.0 / ruled.Drawn, ruled.Acceptance);

            // Real rows lie to the right: so do those that are kept.
            float[][] right = [.. decoder.Sample(3000, 6, new() { Noise = true }).OutputArrays().Where(row => row[0] > 0)];
            var trained = Ml.Vae.FitCritic(View(right), View(decoder.Sample(3000, 7, new() { Noise = true }).OutputArrays()));
            trained.Export(path);
            using var critic = VaeCritic.Load(path);
            var kept = decoder.Sample(1000, 8, new() { Noise = true, Critic = critic });
            Assert.IsGreaterThan(980, kept.OutputArrays().Count(row => row[0] > 0));
            Assert.AreEqual(trained.Acceptance, kept.Acceptance, 0.05);
            Assert.IsLessThan(plain.OutputArrays().Average(row => row[0] > 0 ? 1.0 : 0), kept.Acceptance);
            Assert.AreSequenceEqual(kept.Outputs.ToArray(), decoder.Sample(1000, 8, new() { Noise = true, Critic = critic }).Outputs.ToArray());

            Assert.Contains("0 were kept", Assert.ThrowsExactly<InvalidOperationException>(
                () => decoder.Sample(3, 1, new() { Keep = _ => false, MaximumTries = 20 })).Message);
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Sample(3, 1, new() { MaximumTries = 0 }));
            Ml.Vae.FitCritic(View(Points(100, 1, 1)), View(Points(100, 2, 0)), new() { Trees = 5 }).Export(path);
            using var other = VaeCritic.Load(path);
            Assert.Contains("3 numbers", Assert.ThrowsExactly<ArgumentException>(() => decoder.Sample(3, 1, new() { Critic = other })).Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void BoostedTrees_ScoreAsFastTreeDoes()
    {
        float[][] rows = [.. Points(300, 1, 1), .. Points(300, 2, 0)];
        bool[] labels = [.. rows.Select((_, i) => i < 300)];
        var trees = BoostedTrees.Fit(rows, labels, 20, 0.1, 5);
        var definition = SchemaDefinition.Create(typeof(Labelled));
        definition["Features"].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 3);
        var data = new MLContext(0).Data.LoadFromEnumerable(rows.Select((row, i) => new Labelled { Features = row, Label = labels[i] }).ToArray(), definition);
        var model = new MLContext(0).BinaryClassification.Trainers.FastTree(new FastTreeBinaryTrainer.Options
        {
            NumberOfTrees = 20,
            NumberOfLeaves = 20,
            LearningRate = 0.1,
            MaximumBinCountPerFeature = 127,
            NumberOfThreads = 1,
            Seed = 5,
        }).Fit(data);
        float[] expected = [.. model.Transform(data).GetColumn<float>("Score")];
        for (int row = 0; row < rows.Length; row++)
            Assert.AreEqual(expected[row], trees.Score(rows[row], 20), 1e-5);
        Assert.IsGreaterThan(trees.Gains[1] + trees.Gains[2], trees.Gains[0]);
    }

    /// <summary>Random walks of six beads whose beads keep apart.</summary>
    private static float[][] Chains(int count, int seed, int dimensions, double apart)
    {
        var random = new Random(seed);
        var chains = new List<float[]>();
        while (chains.Count < count)
        {
            var chain = new float[6 * dimensions];
            for (int at = dimensions; at < chain.Length; at++)
                chain[at] = chain[at - dimensions] + (float)(0.7 * Normal(random));
            if (Nearest(chain, dimensions) >= apart)
                chains.Add(chain);
        }
        return [.. chains];
    }

    private static double Nearest(float[] chain, int dimensions)
    {
        double least = double.PositiveInfinity;
        for (int i = 0; i < chain.Length; i += dimensions)
        {
            for (int j = 0; j < i; j += dimensions)
                least = Math.Min(least, Math.Sqrt(Enumerable.Range(0, dimensions).Sum(c => Math.Pow(chain[i + c] - chain[j + c], 2))));
        }
        return least;
    }

    private static float[] Turned(float[] chain, int dimensions)
    {
        float[] turned = [.. chain];
        var (sin, cos) = MathF.SinCos(0.7f);
        for (int at = 0; at < turned.Length; at += dimensions)
            (turned[at], turned[at + 1]) = (cos * chain[at] - sin * chain[at + 1] + 3, sin * chain[at] + cos * chain[at + 1] - 2);
        return turned;
    }

    private static IDataView View(Mixed[] rows) => Ml.Data.LoadFromEnumerable(rows);

    private sealed class Point
    {
        public float[] Value { get; set; } = [];
    }

    private sealed class Labelled
    {
        public float[] Features { get; set; } = [];

        public bool Label { get; set; }
    }

    private sealed class Mixed
    {
        public int Age { get; set; }

        public float Height { get; set; }

        public double Salary { get; set; }

        public string Colour { get; set; } = "";

        public bool Member { get; set; }
    }
}
