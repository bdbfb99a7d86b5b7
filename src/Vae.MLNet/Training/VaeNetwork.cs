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
    private readonly DisposeScope _scope;
    private readonly DenseLayers _encoder, _decoder;
    private readonly Tensor? _logSigma;

    public VaeNetwork(VaeArchitecture architecture, Device device, ReadOnlySpan<float> parameters, bool trainable)
    {
        _architecture = architecture;
        _scope = NewDisposeScope();
        Flat = tensor(parameters.ToArray(), device: device);
        Gradient = trainable ? zeros_like(Flat) : null;
        _encoder = Layers([.. Names("encoder", architecture.EncoderLayers), "posterior"]);
        _decoder = Layers([.. Names("decoder", architecture.DecoderLayers), "output"]);
        if (architecture.Options.Likelihood == Likelihood.Gaussian)
        {
            _logSigma = View(Flat, architecture["noise.logSigma"]);
            if (Gradient is not null && architecture.Options.GaussianNoise != GaussianNoise.Fixed)
            {
                _logSigma.requires_grad_(true);
                _logSigma.grad = View(Gradient, architecture["noise.logSigma"]);
            }
        }

        DenseLayers Layers(string[] names) => new([.. names.Select(Layer)], architecture.Options.Activation, architecture.Options.Dropout);

        DenseLayers.Layer Layer(string name)
        {
            var (weight, bias) = (architecture[name + ".weight"], architecture[name + ".bias"]);
            return new(View(Flat, weight), View(Flat, bias), Gradient is null ? null : View(Gradient, weight), Gradient is null ? null : View(Gradient, bias));
        }
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
    public (Tensor Mean, Tensor Sigma, Tensor LogSigma) Encode(Tensor x) => Posterior(_encoder.Forward(x));

    /// <summary>The network's output for latents [N, latent]: scaled means or logits, [N, features].</summary>
    public Tensor Decode(Tensor z) => _decoder.Forward(z);

    /// <summary>Forward and backward pass of a batch; the gradient of every parameter stands in <see cref="Gradient"/> afterwards.</summary>
    /// <param name="input">Scaled rows [N, features], with noise or masks where the options ask for them.</param>
    /// <param name="target">The rows to reconstruct.</param>
    /// <param name="generator">Source of ε and of dropout.</param>
    /// <param name="weigh">Weights of the rows that sum to one, or null for the plain mean, from each row's reconstruction and KL terms.</param>
    /// <param name="beta">Weight of the KL term.</param>
    public BatchTerms Step(Tensor input, Tensor target, Generator generator, Func<Tensor, Tensor, Tensor?> weigh, double beta)
    {
        var options = _architecture.Options;
        var dropout = options.Dropout > 0 ? generator : null;
        Tensor statistics, output;
        using (no_grad())
            statistics = _encoder.Forward(input, dropout, trace: true);
        statistics.requires_grad_(true);
        var (mean, sigma, logSigma) = Posterior(statistics);
        var z = mean + sigma * randn(mean.shape, device: mean.device, generator: generator);
        using (no_grad())
            output = _decoder.Forward(z.detach(), dropout, trace: true);
        output.requires_grad_(true);

        var reconstructionOfRows = Reconstruction(target, output);
        var klOfRows = Kl(mean, sigma, logSigma);
        var weights = weigh(reconstructionOfRows, klOfRows);
        var terms = Reduce(reconstructionOfRows, klOfRows, weights, beta, options);
        // The reconstruction depends on the output alone and the KL term on the posterior alone; the decoder's part of the chain stands between the two.
        _logSigma?.grad?.zero_();
        terms.Reconstruction.backward();
        Tensor latentGradient;
        using (no_grad())
            latentGradient = _decoder.Backward(output.grad!, inputGradient: true)!;
        (terms.Kl * beta + (z * latentGradient).sum()).backward();
        using (no_grad())
            _encoder.Backward(statistics.grad!, inputGradient: false);
        return terms;
    }

    /// <summary>The terms of a batch without gradients and dropout, z drawn from the posterior.</summary>
    public BatchTerms Evaluate(Tensor rows, Tensor? weights, Generator generator, double beta)
    {
        var (mean, sigma, logSigma) = Encode(rows);
        var z = mean + sigma * randn(mean.shape, device: mean.device, generator: generator);
        var normalized = weights is null ? null : weights / weights.sum();
        return Reduce(Reconstruction(rows, Decode(z)), Kl(mean, sigma, logSigma), normalized, beta, _architecture.Options);
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
                return (((target - output) / _logSigma!.exp()).square().mul(0.5) + _logSigma).sum(1) + _architecture.Features * 0.5 * LogTwoPi;
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
        using var cpu = Flat.cpu();
        return cpu.data<float>().ToArray();
    }

    public void Dispose()
    {
        if (_logSigma is not null)
            _logSigma.grad = null;
        _scope.Dispose();
    }

    private (Tensor Mean, Tensor Sigma, Tensor LogSigma) Posterior(Tensor statistics)
    {
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

    private static BatchTerms Reduce(Tensor reconstruction, Tensor kl, Tensor? weights, double beta, VaeTrainer.Options options)
    {
        var meanReconstruction = weights is null ? reconstruction.mean() : (reconstruction * weights).sum();
        var perDimension = weights is null ? kl.mean([0]) : (kl * weights.unsqueeze(1)).sum(0);
        var free = options.FreeBits > 0 ? perDimension.clamp_min(options.FreeBits) : perDimension;
        var reduced = options.SumKl ? free.sum() : free.mean();
        return new(meanReconstruction, reduced, perDimension, meanReconstruction.item<float>() + beta * reduced.item<float>());
    }

    private static Tensor View(Tensor flat, ParameterSlot slot) => flat.narrow(0, slot.Offset, slot.Length).view(slot.Shape).detach();

    private static IEnumerable<string> Names(string stem, int count) => Enumerable.Range(0, count).Select(i => Check.Invariant($"{stem}.{i}"));
}

/// <summary>The terms of a batch's loss: reconstruction, KL reduced as the options say, KL of each latent dimension, and the whole.</summary>
internal sealed record BatchTerms(Tensor Reconstruction, Tensor Kl, Tensor KlPerDimension, double Loss);
