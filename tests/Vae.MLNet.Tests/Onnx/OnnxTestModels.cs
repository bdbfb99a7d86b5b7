using Vae.MLNet.Model;


namespace Vae.MLNet.Tests.Onnx;

/// <summary>Models with random weights, without any training.</summary>
internal static class OnnxTestModels
{
    public static VaeTrainer.Options Small { get; } = new() { LatentDimension = 3, HiddenLayers = [16, 8], DecoderHiddenLayers = [12], Activation = Activation.SiLU, Scaling = InputScaling.None };

    public static VaeTrainer.Options Flagship { get; } = new() { HiddenLayers = [256, 256, 256], Epochs = 150, Scaling = InputScaling.None };

    public static VaeModel Create(VaeTrainer.Options? options = null, int features = 12, int seed = 3)
    {
        options ??= Small;
        var architecture = new VaeArchitecture(features, options);
        var random = new Random(seed);
        var parameters = new float[architecture.ParameterCount];
        foreach (var slot in architecture.Slots)
        {
            double spread = slot.FanIn > 0 ? 1 / Math.Sqrt(slot.FanIn) : 0.3;
            for (int i = 0; i < slot.Length; i++)
                parameters[slot.Offset + i] = (float)(spread * (2 * random.NextDouble() - 1) * 1.7);
        }
        var scale = options.Scaling == InputScaling.None ? InputScale.None : new InputScale(options.Scaling,
            [.. Enumerable.Range(0, features).Select(j => 0.25f * j - 1)], [.. Enumerable.Range(0, features).Select(j => 0.5f + 0.125f * j)]);
        float[] residual = options.Likelihood == Likelihood.MeanSquaredError ? [.. Enumerable.Range(0, features).Select(j => 0.1f + 0.01f * j)] : [];
        return new VaeModel(architecture, parameters, scale, residual, """{"rows":100,"epochs":2}""");
    }

    /// <summary>Every likelihood with what goes with it.</summary>
    public static IEnumerable<VaeTrainer.Options> Variants =>
    [
        Small,
        Small with { Scaling = InputScaling.Standardize, Posterior = PosteriorParameterization.LogVariance, Beta = 0.5f, BetaSchedule = BetaSchedule.WarmUp(3) },
        Small with { Scaling = InputScaling.RobustAsinh, Likelihood = Likelihood.Gaussian, Beta = 1, Activation = Activation.GELU, EarlyStopping = new() { Patience = 3 }, ValidationFraction = 0.1f },
        Small with { Likelihood = Likelihood.Gaussian, GaussianNoise = GaussianNoise.LearnedShared, HiddenLayers = [], DecoderHiddenLayers = null, Activation = Activation.Tanh },
        Small with { Likelihood = Likelihood.Bernoulli, Activation = Activation.ELU },
        Small with { Likelihood = Likelihood.Categorical, GroupSize = 4, Activation = Activation.LeakyReLU, BetaSchedule = BetaSchedule.Cyclical(2) },
        Small with { Activation = Activation.Softplus, Seed = 42, InputMasking = 0.25f, Streaming = new() { ShufflePoolRows = 5000 } },
    ];
}
