using Microsoft.ML;
using Vae.MLNet.Model;
using Vae.MLNet.Tests.Training;
using static Vae.MLNet.Tests.Training.LifeCycleRows;

namespace Vae.MLNet.Tests.Evaluation;

[TestClass]
public sealed class VaeEvaluatorTests
{
    private const int Wide = 1;

    private const float Slope = 1.5f, Noise = 0.5f;

    /// <summary>x = 1.5 z + 0.5 ε with its true posterior: the bound is tight and log p(x) is a normal density.</summary>
    private static VaeModel Exact(InputScale? scale = null, float widen = 1)
    {
        var options = new VaeTrainer.Options
        {
            LatentDimension = 1,
            HiddenLayers = [],
            Likelihood = Likelihood.Gaussian,
            GaussianNoise = GaussianNoise.Fixed,
            NoiseStandardDeviation = Noise,
            Posterior = PosteriorParameterization.LogVariance,
            Scaling = scale?.Kind ?? InputScaling.None,
        };
        var architecture = new VaeArchitecture(Wide, options);
        var parameters = new float[architecture.ParameterCount];
        float variance = 1 / (1 + Slope * Slope / (Noise * Noise));
        parameters[architecture["posterior.weight"].Offset] = variance * Slope / (Noise * Noise);
        parameters[architecture["posterior.bias"].Offset + 1] = MathF.Log(variance * widen);
        parameters[architecture["output.weight"].Offset] = Slope;
        parameters[architecture["noise.logSigma"].Offset] = MathF.Log(Noise);
        return new VaeModel(architecture, parameters, scale ?? InputScale.None, [], "{}");
    }

    private static Row[] Numbers(int count = 500)
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, count).Select(_ => new Row { Features = [3 * random.NextSingle() - 1] })];
    }

    private static double LogNormal(double x, double sigma) => -0.5 * x * x / (sigma * sigma) - Math.Log(sigma) - 0.5 * Math.Log(2 * Math.PI);

    [TestMethod]
    public void Evaluate_LinearGaussian_GivesTheTrueLogLikelihood()
    {
        var context = new MLContext(seed: 1);
        var rows = Numbers();
        double sigma = Math.Sqrt(Slope * Slope + Noise * Noise), expected = rows.Average(row => LogNormal(row.Features[0], sigma));
        var metrics = context.Vae.Evaluate(View(context, rows, Wide), Exact());
        // With the true posterior p(x|z) p(z) / q(z|x) = p(x) for every z.
        Assert.AreEqual(expected, metrics.LogLikelihood, 1e-5);
        // The ELBO is as tight in the mean; 500 · 16 draws of log p(x|z) spread by about 0.7 nats.
        Assert.AreEqual(expected, metrics.Elbo, 5 * 0.7 / Math.Sqrt(500 * 16));
        Assert.AreEqual(metrics.Elbo, metrics.ReconstructionLogLikelihood - metrics.Kl, 1e-9);
        Assert.AreEqual(500, metrics.Rows);
        Assert.AreEqual(1, metrics.ActiveUnits);
        float variance = 1 / (1 + Slope * Slope / (Noise * Noise)), gain = variance * Slope / (Noise * Noise);
        double kl = rows.Average(row => 0.5 * (Math.Pow(gain * row.Features[0], 2) + variance - Math.Log(variance) - 1));
        Assert.AreEqual(kl, metrics.KlPerDimension.Single(), 1e-5);
        Assert.AreEqual(rows.Average(row => Math.Pow(row.Features[0] * (1 - Slope * gain), 2)), metrics.MeanSquaredError, 1e-6);
    }

    [TestMethod]
    public void Evaluate_MoreSamples_ApproachTheTruthFromBelow()
    {
        var context = new MLContext(seed: 1);
        var data = View(context, Numbers(), Wide);
        double sigma = Math.Sqrt(Slope * Slope + Noise * Noise), truth = Numbers().Average(row => LogNormal(row.Features[0], sigma));
        // A posterior that is too wide: the bound is loose by KL(q ‖ true), here 1/2 (4 - 1 - ln 4) nats.
        var model = Exact(widen: 4);
        var one = context.Vae.Evaluate(data, model, options: new() { Samples = 1 });
        var many = context.Vae.Evaluate(data, model, options: new() { Samples = 256 });
        Assert.AreEqual(truth - 0.5 * (3 - Math.Log(4)), many.Elbo, 0.05);
        Assert.IsTrue(one.LogLikelihood < many.LogLikelihood && many.LogLikelihood < truth + 0.01);
        Assert.AreEqual(truth, many.LogLikelihood, 0.02);
    }

    [TestMethod]
    [DataRow(InputScaling.Standardize)]
    [DataRow(InputScaling.RobustAsinh)]
    public void Evaluate_Scaling_AddsTheJacobian(InputScaling kind)
    {
        var context = new MLContext(seed: 1);
        var rows = Numbers();
        const float Offset = 0.3f, Factor = 2.5f;
        double sigma = Math.Sqrt(Slope * Slope + Noise * Noise);
        double expected = rows.Average(row =>
        {
            double u = (row.Features[0] - Offset) * (double)Factor;
            return kind == InputScaling.Standardize
                ? LogNormal(u, sigma) + Math.Log(Factor)
                : LogNormal(Math.Asinh(u), sigma) + Math.Log(Factor) - 0.5 * Math.Log(1 + u * u);
        });
        var metrics = context.Vae.Evaluate(View(context, rows, Wide), Exact(new(kind, [Offset], [Factor])));
        Assert.AreEqual(expected, metrics.LogLikelihood, 1e-5);
    }

    [TestMethod]
    [DataRow(Likelihood.MeanSquaredError)]
    [DataRow(Likelihood.Gaussian)]
    [DataRow(Likelihood.Bernoulli)]
    [DataRow(Likelihood.Categorical)]
    public void Evaluate_EveryLikelihood(Likelihood likelihood)
    {
        var context = new MLContext(seed: 1);
        var rows = Make(300);
        foreach (var row in rows)
        {
            for (int j = 0; j < Features && likelihood is Likelihood.Bernoulli or Likelihood.Categorical; j++)
                row.Features[j] = row.Features[j] > 0 ? 1 : 0;
            for (int j = 0; j < Features && likelihood == Likelihood.Categorical; j += 2)
                row.Features[j + 1] = 1 - row.Features[j];
        }
        var options = Options with { Epochs = 30, Likelihood = likelihood, GroupSize = likelihood == Likelihood.Categorical ? 2 : 0, Beta = 1, KlReduction = KlReduction.Sum };
        using var model = Fit(options, rows);
        var data = View(context, rows);
        var metrics = context.Vae.Evaluate(data, model);
        Assert.AreEqual(metrics, context.Vae.Evaluate(data, model) with { KlPerDimension = metrics.KlPerDimension }, "The same seed gives the same figures.");
        Assert.IsTrue(metrics.LogLikelihood > metrics.Elbo);
        Assert.IsTrue(metrics.ElboStandardError > 0);
        Assert.IsTrue(metrics.MeanSquaredError is > 0 and < 0.6);
        Assert.AreEqual(model.History!.ActiveUnits, metrics.ActiveUnits);
        if (likelihood == Likelihood.MeanSquaredError)
            return;
        // In nats with Beta 1 the training's loss is the negative ELBO; the last epoch's mean lags a little behind its end.
        Assert.AreEqual(-model.History.Epochs[^1].Loss, metrics.Elbo, 0.15 * Math.Abs(metrics.Elbo) + 0.1);
    }

    [TestMethod]
    public void Evaluate_WeightTwo_IsTheRowTwice_AndZeroNone()
    {
        var context = new MLContext(seed: 1);
        var rows = Numbers(60);
        for (int i = 0; i < rows.Length; i++)
            rows[i].Weight = i % 3;
        rows[0].Features[0] = float.NaN;
        var weighted = context.Vae.Evaluate(View(context, rows, Wide), Exact(), options: new() { ExampleWeightColumnName = "Weight" });
        var repeated = context.Vae.Evaluate(View(context, rows.SelectMany(row => Enumerable.Repeat(row, (int)row.Weight)), Wide), Exact());
        Assert.AreEqual(40, weighted.Rows);
        Assert.AreEqual(repeated.LogLikelihood, weighted.LogLikelihood, 1e-6);
        Assert.AreEqual(repeated.Kl, weighted.Kl, 1e-6);
        Assert.AreEqual(repeated.MeanSquaredError, weighted.MeanSquaredError, 1e-9);
    }

    [TestMethod]
    public void Evaluate_ChoosesTheLatentSizeByCrossValidation()
    {
        // Rows on a surface of two dimensions: one latent dimension is too few.
        var context = new MLContext(seed: 1);
        var data = View(context, Make(600));
        var folds = context.Data.CrossValidationSplit(data, numberOfFolds: 2);
        var candidates = new[] { 1, 3 }.Select(latent => Options with
        {
            LatentDimension = latent,
            HiddenLayers = [32],
            Epochs = 40,
            Beta = 1,
            Likelihood = Likelihood.Gaussian,
            NoiseStandardDeviation = 0.3f,
            Threads = 0,
        });
        var best = candidates.MaxBy(options => folds.Average(fold =>
        {
            using var model = context.Vae.VariationalAutoencoder("Latent", "Features", options).Fit(fold.TrainSet);
            return context.Vae.Evaluate(fold.TestSet, model).Elbo;
        }));
        Assert.AreEqual(3, best!.LatentDimension);
    }

    [TestMethod]
    public void Evaluate_BadInput_IsNamed()
    {
        var context = new MLContext(seed: 1);
        var none = Assert.ThrowsExactly<InvalidOperationException>(() => context.Vae.Evaluate(View(context, [], Wide), Exact()));
        StringAssert.Contains(none.Message, "no rows");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => context.Vae.Evaluate(View(context, Make(3)), Exact()));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => context.Vae.Evaluate(View(context, Numbers(), Wide), Exact(), options: new() { Samples = 0 }));
        var rows = Numbers(20);
        rows[13].Features[0] = float.NaN;
        var bad = Assert.ThrowsExactly<InvalidOperationException>(() => context.Vae.Evaluate(View(context, rows, Wide), Exact()));
        StringAssert.Contains(bad.Message, "row 13, slot 0");
    }
}
