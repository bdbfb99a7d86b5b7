using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.Tests.Anomaly;

namespace Vae.MLNet.Tests.Imputation;

[TestClass]
public sealed class VaeImputerTests
{
    private const int Features = AnomalyRows.Features;

    private static readonly VaeTrainer.Options Training = new()
    {
        LatentDimension = 3,
        HiddenLayers = [32],
        Likelihood = Likelihood.Gaussian,
        Beta = 0.1f,
        Scaling = InputScaling.Standardize,
        InputMasking = 0.25f,
        LearningRate = 3e-3f,
        Epochs = 30,
    };

    [TestMethod]
    public void Fit_KeepsTheContract()
    {
        float[][] rows = TestRows.Curved(300, 6);
        for (int i = 0; i < rows.Length; i += 4)
            rows[i][i / 4 % 6] = float.NaN;
        EstimatorContract.Run(context => context.Vae.ImputeMissing("Whole", EstimatorContract.Input, new() { Training = Training with { Epochs = 2 }, Refinements = 1 }), rows, takesMissing: true);
    }

    [TestMethod]
    public void Fit_CancelledKeepsTheBest()
    {
        var context = new MLContext();
        float[][] rows = TestRows.Curved(200, 6);
        rows[3][2] = float.NaN;
        using var cancellation = new CancellationTokenSource();
        int epochs = 0;
        var training = Training with
        {
            OnCancellation = CancellationBehavior.KeepBest,
            CancellationToken = cancellation.Token,
            Progress = new EpochCounter(() =>
            {
                if (++epochs == 4)
                    cancellation.Cancel();
            }),
        };
        using var model = context.Vae.ImputeMissing("Whole", EstimatorContract.Input, new() { Training = training, Refinements = 2 }).Fit(EstimatorContract.Load(context, rows));
        Assert.AreEqual(4, epochs, "No refinement was begun.");
    }

    private sealed class EpochCounter(Action action) : IProgress<VaeTrainingProgress>
    {
        public void Report(VaeTrainingProgress value) => action();
    }

    [TestMethod]
    public void Fit_ImputesFromTheOtherFeatures()
    {
        var context = new MLContext(seed: 1);
        var whole = AnomalyRows.Make(1000, share: 0);
        var holes = Holes(whole, 0.15);
        using var model = context.Vae.ImputeMissing("Whole", "Features", new() { Training = Training with { Epochs = 60, BatchSize = 64 } }).Fit(AnomalyRows.View(context, holes));
        var completed = model.Transform(AnomalyRows.View(context, holes)).GetColumn<float[]>("Whole").ToArray();
        double ours = 0, means = 0, nearest = 0;
        for (int j = 0; j < Features; j++)
        {
            double mean = holes.Select(row => (double)row.Features[j]).Where(value => !double.IsNaN(value)).Average(), unit = Math.Pow(8, j);
            for (int i = 0; i < whole.Length; i++)
            {
                if (float.IsNaN(holes[i].Features[j]))
                {
                    ours += Math.Pow((completed[i][j] - whole[i].Features[j]) / unit, 2);
                    means += Math.Pow((mean - whole[i].Features[j]) / unit, 2);
                    nearest += Math.Pow((Nearest(holes, i, j) - whole[i].Features[j]) / unit, 2);
                }
                else
                {
                    Assert.AreEqual(BitConverter.SingleToInt32Bits(whole[i].Features[j]), BitConverter.SingleToInt32Bits(completed[i][j]), "What was there stays bit for bit.");
                }
            }
        }
        // Two factors carry eight features, and a hundredth of the variance is noise: given the others, little is left to guess (measured: 0.035; the most similar row 0.052).
        Assert.IsLessThan(0.1 * means, ours, "The mean knows nothing of the rest of the row.");
        Assert.IsLessThan(nearest, ours, "Better than the same feature of the most similar row.");
    }

    /// <summary>The feature in the row that is nearest in the features that both have.</summary>
    private static double Nearest(AnomalyRows.Row[] rows, int row, int feature)
    {
        var (best, value) = (double.PositiveInfinity, 0.0);
        for (int i = 0; i < rows.Length; i++)
        {
            if (i == row || float.IsNaN(rows[i].Features[feature]))
                continue;
            double distance = 0;
            int shared = 0;
            for (int j = 0; j < Features; j++)
            {
                double difference = (rows[i].Features[j] - (double)rows[row].Features[j]) / Math.Pow(8, j);
                if (!double.IsNaN(difference))
                {
                    distance += difference * difference;
                    shared++;
                }
            }
            if (shared > 2 && distance / shared < best)
                (best, value) = (distance / shared, rows[i].Features[feature]);
        }
        return value;
    }

    [TestMethod]
    public void Fit_DefaultOptions()
    {
        var context = new MLContext(seed: 1);
        var holes = Holes(AnomalyRows.Make(200, share: 0), 0.1);
        using var model = context.Vae.ImputeMissing("Whole", "Features").Fit(AnomalyRows.View(context, holes));
        Assert.AreEqual(4, model.Model.LatentDimension);
        Assert.IsTrue(model.Transform(AnomalyRows.View(context, holes)).GetColumn<float[]>("Whole").All(row => row.All(float.IsFinite)));
    }

    [TestMethod]
    [DataRow(InputScaling.None)]
    [DataRow(InputScaling.RobustAsinh)]
    public void Transform_IsIteratedReconstruction(InputScaling scaling)
    {
        const int Iterations = 3;
        var context = new MLContext(seed: 1);
        var whole = AnomalyRows.Make(200, share: 0);
        foreach (var row in whole)
            row.Features = [.. row.Features.Select((value, j) => value / MathF.Pow(8, j))];
        var options = Training with { Epochs = 5, Scaling = scaling, ReconstructionColumnName = "Reconstruction" };
        using var vae = context.Vae.VariationalAutoencoder("Latent", "Features", options).Fit(AnomalyRows.View(context, whole));
        var holes = Holes(whole, 0.3);
        using var model = context.Vae.ImputeMissing("Whole", "Features", new() { Model = vae.Model, Iterations = Iterations }).Fit(AnomalyRows.View(context, holes));

        float[] center;
        using (var session = new InferenceSession(vae.Model.ToDecoderOnnx()))
        using (var outputs = session.Run([NamedOnnxValue.CreateFromTensor("Latent", new DenseTensor<float>([1, 3]))]))
            center = [.. outputs[0].AsTensor<float>()];
        float[][] current = [.. holes.Select(row => row.Features.Select((value, j) => float.IsNaN(value) ? center[j] : value).ToArray())];
        for (int k = 0; k < Iterations; k++)
        {
            var next = vae.Transform(AnomalyRows.View(context, current.Select(row => new AnomalyRows.Row { Features = row }))).GetColumn<float[]>("Reconstruction").ToArray();
            current = [.. holes.Select((row, i) => row.Features.Select((value, j) => float.IsNaN(value) ? next[i][j] : value).ToArray())];
        }
        var found = model.Transform(AnomalyRows.View(context, holes)).GetColumn<float[]>("Whole").ToArray();
        for (int i = 0; i < found.Length; i++)
        {
            // Scaling there and back between the passes costs a few units in the last place.
            for (int j = 0; j < Features; j++)
                Assert.AreEqual(current[i][j], found[i][j], 1e-4 * Math.Max(1, Math.Abs(current[i][j])));
        }
    }

    [TestMethod]
    public void Save_LoadsWithSlotNames()
    {
        var context = new MLContext(seed: 1);
        string[] names = [.. Enumerable.Range(0, Features).Select(j => $"f{j}")];
        var holes = Holes(AnomalyRows.Make(300, share: 0), 0.2);
        var data = AnomalyRows.View(context, holes, names);
        var estimator = context.Vae.ImputeMissing("Whole", "Features", new() { Training = Training with { Epochs = 3 } });
        using var model = estimator.Fit(data);
        var view = model.Transform(data);
        var loaded = AnomalyRows.Reload(context, model, data.Schema).Transform(AnomalyRows.View(new MLContext(), holes));
        Assert.AreEqual(view.Schema["Whole"].Type, loaded.Schema["Whole"].Type);
        Assert.AreEqual("f0,f1,f2,f3,f4,f5,f6,f7", AnomalyRows.SlotNames(view.Schema["Whole"]));
        Assert.AreEqual("f0,f1,f2,f3,f4,f5,f6,f7", AnomalyRows.SlotNames(loaded.Schema["Whole"]));
        foreach (var (expected, found) in view.GetColumn<float[]>("Whole").Zip(loaded.GetColumn<float[]>("Whole")))
        {
            for (int j = 0; j < Features; j++)
                Assert.AreEqual(expected[j], found[j], 1e-5 * Math.Max(Math.Pow(8, j), Math.Abs(expected[j])));
        }
    }

    [TestMethod]
    public void Fit_WithTrainersBehindIt()
    {
        var context = new MLContext(seed: 1);
        var data = AnomalyRows.View(context, Holes(AnomalyRows.Make(200), 0.1));
        var pipeline = context.Vae.ImputeMissing("Whole", "Features", new() { Training = Training with { Epochs = 3 } })
            .Append(context.Vae.AnomalyDetector("Whole", new() { Steps = 10, Members = 1 }));
        var model = pipeline.Fit(data);
        var loaded = AnomalyRows.Reload(context, model, data.Schema);
        float[] expected = [.. model.Transform(data).GetColumn<float>("Score")], found = [.. loaded.Transform(data).GetColumn<float>("Score")];
        for (int i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], found[i], 1e-3 * expected[i]);
    }

    [TestMethod]
    public void Fit_WrongValuesAreNamed()
    {
        var context = new MLContext(seed: 1);
        VaeImputer.Options quick = new() { Training = Training with { Epochs = 1 } };
        var rows = AnomalyRows.Make(10);
        rows[4].Features[1] = float.PositiveInfinity;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => context.Vae.ImputeMissing("Whole", "Features", quick).Fit(AnomalyRows.View(context, rows)));
        Assert.Contains("row 4, slot 1", error.Message);

        rows = AnomalyRows.Make(10);
        foreach (var row in rows)
            row.Features[6] = float.NaN;
        error = Assert.ThrowsExactly<InvalidOperationException>(() => context.Vae.ImputeMissing("Whole", "Features", quick).Fit(AnomalyRows.View(context, rows)));
        Assert.Contains("slot 6", error.Message);

        error = Assert.ThrowsExactly<InvalidOperationException>(() => context.Vae.VariationalAutoencoder("Latent", "Features", Training).Fit(AnomalyRows.View(context, rows)));
        Assert.Contains("row 0, slot 6", error.Message, "The trainer itself takes no missing values.");
    }

    [TestMethod]
    public void Options_Contradictions()
    {
        var context = new MLContext(seed: 1);
        using var vae = context.Vae.VariationalAutoencoder("Latent", "Features", Training with { Epochs = 1 }).Fit(AnomalyRows.View(context, AnomalyRows.Make(20)));
        Assert.ThrowsExactly<ArgumentException>(() => context.Vae.ImputeMissing("Same", "Same"));
        Assert.ThrowsExactly<ArgumentException>(() => context.Vae.ImputeMissing("Whole", "Features", new() { Model = vae.Model, Training = Training }));
        Assert.ThrowsExactly<ArgumentException>(() => context.Vae.ImputeMissing("Whole", "Features", new() { Training = Training with { Likelihood = Likelihood.Categorical, GroupSize = 4, Scaling = InputScaling.None } }));
        Assert.ThrowsExactly<ArgumentException>(() => context.Vae.ImputeMissing("Whole", "Features", new() { Training = Training with { ValidationFraction = 0.1f } }));
        Assert.ThrowsExactly<ArgumentException>(() => context.Vae.ImputeMissing("Whole", "Features", new() { Training = Training with { CheckpointFolder = "checkpoints" } }));
        Assert.ThrowsExactly<ArgumentException>(() => context.Vae.ImputeMissing("Whole", "Features", new() { Training = Training with { Streaming = new() } }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => context.Vae.ImputeMissing("Whole", "Features", new() { Iterations = 0 }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => context.Vae.ImputeMissing("Whole", "Features", new() { Refinements = -1 }));
    }

    /// <summary>A copy of the rows with a share of the values missing.</summary>
    private static AnomalyRows.Row[] Holes(AnomalyRows.Row[] rows, double share)
    {
        var random = new Random(5);
        return [.. rows.Select(row => new AnomalyRows.Row { Features = [.. row.Features.Select(value => random.NextDouble() < share ? float.NaN : value)] })];
    }
}
