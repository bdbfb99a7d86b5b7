using Microsoft.ML;
using TorchSharp;

namespace Vae.MLNet.Tests.Training;

/// <summary>Native tensors are counted process-wide, so nothing else may run meanwhile.</summary>
[TestClass]
[DoNotParallelize]
public sealed class VaeTrainerMemoryTests
{
    [TestMethod]
    [DataRow(Likelihood.MeanSquaredError, 1)]
    [DataRow(Likelihood.Gaussian, 2)]
    [DataRow(Likelihood.Bernoulli, 2)]
    public void Fit_LeavesNoTensorBehind(Likelihood likelihood, int threads)
    {
        var context = new MLContext();
        float[][] rows = [.. TestRows.Curved(300, 6).Select(row => row.Select(value => Math.Clamp((value + 1) / 2, 0, 1)).ToArray())];
        var data = EstimatorContract.Load(context, rows);
        var trainer = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, new()
        {
            HiddenLayers = [16, 16],
            Epochs = 3,
            BatchSize = 64,
            Threads = threads,
            Likelihood = likelihood,
            ValidationFraction = 0.2f,
            TrimmedFraction = 0.1f,
            GradientClip = 1,
            Dropout = 0.1f,
            WeightDecay = 0.01f,
            EarlyStopping = new(),
        });
        trainer.Fit(data).Dispose();
        long before = torch.Tensor.TotalCount;
        using var model = trainer.Fit(data);
        byte[] decoder = model.Model.ToDecoderOnnx(withGradient: true);
        EstimatorContract.ReadAll(model.Transform(data));
        Assert.AreEqual(before, torch.Tensor.TotalCount);
        Assert.IsNotEmpty(decoder);
    }
}
