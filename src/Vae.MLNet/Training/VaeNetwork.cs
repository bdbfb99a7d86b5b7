using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Vae.MLNet.Training;

/// <summary>
/// The networks in TorchSharp. All parameters are views of one flat tensor and all gradients views of another, so that the optimiser makes one pass over each
/// instead of many small ones. The same formulas stand in <see cref="Onnx.VaeGraphs"/>.
/// </summary>
internal sealed class VaeNetwork : IDisposable
{
    public const float SigmaFloor = 1e-6f, LogVarianceMinimum = -30, LogVarianceMaximum = 20, LeakySlope = 0.01f;

    private const double LogTwoPi = 1.8378770664093453;

    private readonly VaeArchitecture _architecture;
    private readonly Dictionary<string, Tensor> _views = [];

    public VaeNetwork(VaeArchitecture architecture, Device device, ReadOnlySpan<float> parameters, bool trainable)
    {
        _architecture = architecture;
        using var scope = NewDisposeScope();
        Flat = tensor(parameters.ToArray(), device: device).MoveToOuterDisposeScope();
        Gradient = trainable ? zeros_like(Flat).MoveToOuterDisposeScope() : null;
        foreach (var slot in architecture.Slots)
        {
            var view = Flat.narrow(0, slot.Offset, slot.Length).view(slot.Shape).detach();
            if (Gradient is not null && IsTrained(slot))
            {
                view.requires_grad_(true);
                view.grad = Gradient.narrow(0, slot.Offset, slot.Length).view(slot.Shape);
            }
            _views.Add(slot.Name, view.MoveToOuterDisposeScope());
        }
        Flat.DetachFromDisposeScope();
        Gradient?.DetachFromDisposeScope();
        foreach (var view in _views.Values)
            view.DetachFromDisposeScope();
    }

    public Tensor Flat { get; }

    public Tensor? Gradient { get; }

    /// <summary>Draws the parameters of a fresh network: weights and biases uniform in ±1/√inputs, as torch.nn.Linear does; log σ as the options say.</summary>
    public static float[] Initialize(VaeArchitecture architecture, int seed)
    {
        var parameters = new float[architecture.ParameterCount];
        using var generator = new Generator((ulong)SeedStream.Torch(seed, Purpose.Weights), CPU);
        foreach (var slot in architecture.Slots)
        {
            var target = parameters.AsSpan(slot.Offset, slot.Length);
            if (slot.FanIn == 0)
            {
                target.Fill(MathF.Log(architecture.Options.NoiseStandardDeviation));
                continue;
            }
            using var uniform = rand(slot.Length, generator: generator);
            uniform.data<float>().CopyTo(target);
            float bound = 1 / MathF.Sqrt(slot.FanIn);
            foreach (ref float value in target)
                value = (2 * value - 1) * bound;
        }
        return parameters;
    }

    /// <summary>Posterior of scaled rows [N, features]: mean, σ and log σ, each [N, latent].</summary>
    public (Tensor Mean, Tensor Sigma, Tensor LogSigma) Encode(Tensor x, Generator? dropout = null)
    {
        for (int i = 0; i < _architecture.EncoderLayers; i++)
            x = Drop(Activate(Linear(x, Check.Invariant($"encoder.{i}"))), dropout);
        var statistics = Linear(x, "posterior");
        int latent = _architecture.Latent;
        var mean = statistics.narrow(1, 0, latent);
        var raw = statistics.narrow(1, latent, latent);
        if (_architecture.Options.Posterior == PosteriorParameterization.Softplus)
        {
            var sigma = F.softplus(raw).add(SigmaFloor);
            return (mean, sigma, sigma.log());
        }
        var logSigma = raw.clamp(LogVarianceMinimum, LogVarianceMaximum).mul(0.5);
        return (mean, logSigma.exp(), logSigma);
    }

    /// <summary>The network's output for latents [N, latent]: scaled means or logits, [N, features].</summary>
    public Tensor Decode(Tensor z, Generator? dropout = null)
    {
        for (int i = 0; i < _architecture.DecoderLayers; i++)
            z = Drop(Activate(Linear(z, Check.Invariant($"decoder.{i}"))), dropout);
        return Linear(z, "output");
    }

    /// <summary>KL divergence from the prior for each row and dimension in nats, [N, latent]: -1/2 (1 + log σ² - μ² - σ²) (Kingma and Welling 2014, appendix B).</summary>
    public static Tensor Kl(Tensor mean, Tensor sigma, Tensor logSigma) => (mean.square() + sigma.square() - logSigma.mul(2) - 1).mul(0.5);

    /// <summary>Reconstruction term of each row, [N].</summary>
    public Tensor Reconstruction(Tensor target, Tensor output)
    {
        var options = _architecture.Options;
        switch (options.Likelihood)
        {
            case Likelihood.MeanSquaredError:
                return (target - output).square().mean([1]);
            case Likelihood.Gaussian:
                var logSigma = _views["noise.logSigma"];
                return (((target - output) / logSigma.exp()).square().mul(0.5) + logSigma).sum(1) + _architecture.Features * 0.5 * LogTwoPi;
            case Likelihood.Bernoulli:
                return F.binary_cross_entropy_with_logits(output, target, reduction: nn.Reduction.None).sum(1);
            case Likelihood.Categorical:
                int group = options.GroupSize;
                return -(target * F.log_softmax(output.view(-1, _architecture.Features / group, group), -1).view(-1, _architecture.Features)).sum(1);
            default:
                throw Check.OutOfRange(nameof(options.Likelihood), options.Likelihood, "a known likelihood");
        }
    }

    public float[] ReadParameters()
    {
        using var cpu = Flat.detach().to(CPU);
        return cpu.data<float>().ToArray();
    }

    public void Dispose()
    {
        foreach (var view in _views.Values)
        {
            view.grad = null;
            view.Dispose();
        }
        Gradient?.Dispose();
        Flat.Dispose();
    }

    private bool IsTrained(ParameterSlot slot) => slot.FanIn > 0 || _architecture.Options.GaussianNoise != GaussianNoise.Fixed;

    private Tensor Linear(Tensor x, string layer) => F.linear(x, _views[layer + ".weight"], _views[layer + ".bias"]);

    private Tensor Activate(Tensor x) => _architecture.Options.Activation switch
    {
        Activation.ReLU => x.relu(),
        Activation.SiLU => F.silu(x),
        Activation.Tanh => x.tanh(),
        Activation.ELU => F.elu(x, 1),
        Activation.LeakyReLU => F.leaky_relu(x, LeakySlope),
        Activation.GELU => F.gelu(x),
        Activation.Softplus => F.softplus(x),
        var unknown => throw Check.OutOfRange(nameof(Activation), unknown, "a known activation"),
    };

    /// <summary>Dropout with a generator of our own: the global one belongs to the application.</summary>
    private Tensor Drop(Tensor x, Generator? generator)
    {
        float share = _architecture.Options.Dropout;
        if (generator is null || share == 0)
            return x;
        return x * rand(x.shape, device: x.device, generator: generator).ge(share).to(ScalarType.Float32).div_(1 - share);
    }
}
