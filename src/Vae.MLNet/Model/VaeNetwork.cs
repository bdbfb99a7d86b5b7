using TorchSharp;
using Vae.MLNet.Onnx;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Vae.MLNet.Model;

/// <summary>
/// The networks in TorchSharp. All parameters are views of one flat tensor and all gradients views of another, so that the optimiser makes one pass over each
/// instead of many small ones. The same formulas stand in <see cref="Onnx.VaeGraphs"/>.
/// </summary>
internal sealed class VaeNetwork : IDisposable
{
    public const float SigmaFloor = 1e-6f, LogVarianceMinimum = -30, LogVarianceMaximum = 20, LeakySlope = 0.01f;

    private const double LogTwoPi = 1.8378770664093453;

    /// <summary>Rows that a slice of a batch has at least: fewer do not fill a core.</summary>
    private const int SmallestSlice = 32;

    private readonly VaeArchitecture _architecture;
    private readonly DisposeScope _scope;
    private readonly Slice[] _slices;
    private readonly SliceThreads? _threads;
    private readonly Tensor? _logSigma;

    /// <param name="architecture">Shapes and options.</param>
    /// <param name="device">Where the tensors live.</param>
    /// <param name="parameters">Starting values, laid out as the architecture says.</param>
    /// <param name="trainable">Whether gradients are wanted.</param>
    /// <param name="threads">On the processor, the number of slices that a batch is cut into, each worked on by a thread of its own.</param>
    public VaeNetwork(VaeArchitecture architecture, Device device, ReadOnlySpan<float> parameters, bool trainable, int threads = 1)
    {
        _architecture = architecture;
        _scope = NewDisposeScope();
        // A tensor made from an array lies in the array, wherever the collector put it, and products round differently by alignment: libtorch's own memory is aligned.
        Flat = tensor(parameters.ToArray(), device: device).clone();
        if (architecture.Options.Likelihood == Likelihood.Gaussian)
            _logSigma = View(Flat, architecture["noise.logSigma"]);
        int count = trainable && device.type == DeviceType.CPU ? Math.Clamp(threads, 1, Math.Max(1, architecture.Options.BatchSize / SmallestSlice)) : 1;
        _slices = [.. Enumerable.Range(0, count).Select(_ => new Slice(architecture, Flat, _logSigma, trainable ? zeros_like(Flat) : null))];
        // The matrix library keeps its number of threads by calling thread: one that was never told takes every core for each product, and slices fight over them.
        int inner = Math.Max(1, threads / count);
        _threads = count > 1 ? new SliceThreads(count, () => set_num_threads(inner)) : null;
    }

    private int _used;

    /// <summary>The gradients of the latest step, to be added up: one for each slice that the batch was cut into.</summary>
    public IEnumerable<Tensor> Gradients => _slices.Take(_used).Select(slice => slice.Gradient!);

    /// <summary>The threads that slices are worked on, or null where there is but one slice.</summary>
    public SliceThreads? Threads => _threads;

    /// <summary>Slices that a batch is cut into.</summary>
    public int Slices => _slices.Length;

    public Tensor Flat { get; }

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
        if (architecture.Tokens is { } tokens)
            TokenLayer.ClearUnread(parameters.AsSpan(architecture[architecture.InputLayer + ".weight"].Offset, architecture[architecture.InputLayer + ".weight"].Length), tokens);
        return parameters;
    }

    /// <summary>Posterior of scaled rows [N, features], or of tokens [N, positions] (Byte): mean, σ and log σ, each [N, latent].</summary>
    public (Tensor Mean, Tensor Sigma, Tensor LogSigma) Encode(Tensor x) => Posterior(_slices[0].Encoder.Forward(x));

    /// <summary>The network's output for latents [N, latent]: scaled means or logits, [N, features].</summary>
    public Tensor Decode(Tensor z) => _slices[0].Decoder.Forward(z);

    /// <summary>Forward and backward pass of a batch; the gradient of every parameter is the sum of <see cref="Gradients"/> afterwards.</summary>
    /// <param name="input">Scaled rows [N, features], with noise or masks where the options ask for them.</param>
    /// <param name="target">The rows to reconstruct.</param>
    /// <param name="weights">Weights of the rows, [N], or null where all weigh the same.</param>
    /// <param name="generator">Source of ε and of dropout.</param>
    /// <param name="beta">Weight of the KL term.</param>
    public BatchTerms Step(Tensor input, Tensor target, Tensor? weights, Generator generator, double beta)
    {
        using var noGrad = no_grad();
        var options = _architecture.Options;
        int count = (int)input.shape[0];
        var noise = randn(count, _architecture.Latent, device: input.device, generator: generator);
        // What couples the rows of a batch is done on the whole of it.
        bool coupled = options.TrimmedFraction > 0 || options.FreeBits > 0;
        int slices = coupled ? 1 : Math.Min(_slices.Length, Math.Max(1, count / SmallestSlice));
        double total = weights?.sum().item<float>() ?? count;
        _used = 1;
        if (slices == 1)
            return _slices[0].Step(this, input, target, weights, noise, generator, beta, total);

        // Threads cannot share a generator: each slice's dropout has one of its own, seeded by the batch's.
        using var seeds = options.Dropout > 0 ? randint(long.MaxValue, slices, ScalarType.Int64, generator: generator) : null;
        long[] streams = seeds?.data<long>().ToArray() ?? [];
        var terms = new BatchTerms?[slices];
        _threads!.Run(slices, i =>
        {
            using var scope = NewDisposeScope();
            using var quiet = no_grad();
            int start = (int)((long)count * i / slices), length = (int)((long)count * (i + 1) / slices) - start;
            using var own = seeds is null ? null : new Generator((ulong)streams[i]);
            terms[i] = _slices[i].Step(this, input.narrow(0, start, length), target.narrow(0, start, length), weights?.narrow(0, start, length),
                noise.narrow(0, start, length), own ?? generator, beta, total);
        });
        _used = slices;
        // Always added in the same order, so that the same number of threads gives the same bytes.
        return terms.Aggregate((sum, term) => sum!.Plus(term!))!;
    }

    /// <summary>The terms of a batch without gradients and dropout, z drawn from the posterior.</summary>
    public BatchTerms Evaluate(Tensor rows, Tensor? weights, Generator generator, double beta)
    {
        var (mean, sigma, logSigma) = Encode(rows);
        var z = mean.Plus(sigma * randn(mean.shape, device: mean.device, generator: generator));
        var share = weights is null ? null : weights / weights.sum();
        double reconstruction = Mean(Reconstruction(rows, Decode(z)), share, (int)rows.shape[0]);
        return new(reconstruction, PerDimension(Kl(mean, sigma, logSigma), share, (int)rows.shape[0]), beta, _architecture.Options);
    }

    /// <summary>KL divergence from the prior for each row and dimension in nats, [N, latent]: -1/2 (1 + log σ² - μ² - σ²) (Kingma and Welling 2014, appendix B).</summary>
    public static Tensor Kl(Tensor mean, Tensor sigma, Tensor logSigma) => (mean.Squared().PlusInPlace(sigma.Squared()) - logSigma.Times(2)).PlusInPlace(-1).TimesInPlace(0.5);

    /// <summary>Reconstruction term of each row, [N].</summary>
    public Tensor Reconstruction(Tensor target, Tensor output)
    {
        var options = _architecture.Options;
        switch (options.Likelihood)
        {
            case Likelihood.MeanSquaredError:
                return (target - output).Squared().mean([1]);
            case Likelihood.Gaussian:
                return (((target - output) / _logSigma!.exp()).Squared().TimesInPlace(0.5).Plus(_logSigma)).sum([1]).PlusInPlace(_architecture.Features * 0.5 * LogTwoPi);
            case Likelihood.Bernoulli:
                return F.binary_cross_entropy_with_logits(output, target, reduction: nn.Reduction.None).sum([1]);
            case Likelihood.Categorical:
                int group = options.GroupSize;
                if (_architecture.Tokens is not null)
                    return TokenLikelihood.Negative(target, output, group);
                return -(target * F.log_softmax(output.view(-1, _architecture.Features / group, group), -1).view(-1, _architecture.Features)).sum([1]);
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
        foreach (var slice in _slices)
        {
            slice.Encoder.Dispose();
            slice.Decoder.Dispose();
        }
        _threads?.Dispose();
        _scope.Dispose();
    }

    private (Tensor Mean, Tensor Sigma, Tensor LogSigma) Posterior(Tensor statistics)
    {
        int latent = _architecture.Latent;
        var mean = statistics.narrow(1, 0, latent);
        var raw = statistics.narrow(1, latent, latent);
        if (_architecture.Options.Posterior == PosteriorParameterization.Softplus)
        {
            var sigma = raw.Softplus().Plus(SigmaFloor);
            return (mean, sigma, sigma.log());
        }
        var logSigma = raw.Between(LogVarianceMinimum, LogVarianceMaximum).TimesInPlace(0.5);
        return (mean, logSigma.exp(), logSigma);
    }

    /// <summary>Mean of [N] by weights that sum to one, or over <paramref name="count"/> rows.</summary>
    private static double Mean(Tensor rows, Tensor? share, double count) =>
        share is null ? rows.sum().item<float>() / count : (rows * share).sum().item<float>();

    private static double[] PerDimension(Tensor kl, Tensor? share, double count)
    {
        var sums = share is null ? kl.sum([0]).DividedByInPlace(count) : (kl * share.unsqueeze(1)).sum([0]);
        return [.. sums.cpu().data<float>().ToArray().Select(value => (double)value)];
    }

    private static Tensor View(Tensor flat, ParameterSlot slot) => flat.narrow(0, slot.Offset, slot.Length).view(slot.Shape).detach();

    private static IEnumerable<string> Names(string stem, int count) => Enumerable.Range(0, count).Select(i => Check.Invariant($"{stem}.{i}"));

    /// <summary>One thread's part of a batch: the shared parameters, and a gradient of its own.</summary>
    private sealed class Slice
    {
        private readonly VaeArchitecture _architecture;
        private readonly Tensor? _logSigma, _logSigmaGradient;

        public Slice(VaeArchitecture architecture, Tensor flat, Tensor? logSigma, Tensor? gradient)
        {
            _architecture = architecture;
            _logSigma = logSigma;
            Gradient = gradient;
            if (logSigma is not null && gradient is not null && architecture.Options.GaussianNoise != GaussianNoise.Fixed)
                _logSigmaGradient = View(gradient, architecture["noise.logSigma"]);
            Encoder = Layers([.. Names("encoder", architecture.EncoderLayers), "posterior"]);
            Decoder = Layers([.. Names("decoder", architecture.DecoderLayers), "output"]);

            DenseLayers Layers(string[] names) => new([.. names.Select(Layer)], architecture.Options.Activation, architecture.Options.Dropout);

            DenseLayers.Layer Layer(string name)
            {
                var (weight, bias) = (architecture[name + ".weight"], architecture[name + ".bias"]);
                Tensor? weightGradient = gradient is null ? null : View(gradient, weight), biasGradient = gradient is null ? null : View(gradient, bias);
                return architecture.IsTokenLayer(name)
                    ? new TokenLayer(View(flat, weight), View(flat, bias), weightGradient, biasGradient, architecture.Tokens!)
                    : new DenseLayers.Layer(View(flat, weight), View(flat, bias), weightGradient, biasGradient);
            }
        }

        public Tensor? Gradient { get; }

        public DenseLayers Encoder { get; }

        public DenseLayers Decoder { get; }

        /// <param name="network">The owner.</param>
        /// <param name="input">Rows to encode.</param>
        /// <param name="target">Rows to reconstruct.</param>
        /// <param name="weights">Their weights, or null.</param>
        /// <param name="noise">ε for each row.</param>
        /// <param name="generator">Source of dropout masks.</param>
        /// <param name="beta">Weight of the KL term.</param>
        /// <param name="total">Sum of the weights of the whole batch.</param>
        public BatchTerms Step(VaeNetwork network, Tensor input, Tensor target, Tensor? weights, Tensor noise, Generator generator, double beta, double total)
        {
            var options = _architecture.Options;
            int latent = _architecture.Latent;
            var dropout = options.Dropout > 0 ? generator : null;

            var statistics = Encoder.Forward(input, dropout, trace: true);
            var (mean, sigma, logSigma) = network.Posterior(statistics);
            var output = Decoder.Forward(mean.Plus(sigma * noise), dropout, trace: true);
            var reconstruction = network.Reconstruction(target, output);
            var kl = Kl(mean, sigma, logSigma);

            var share = weights?.DividedBy(total);
            if (options.TrimmedFraction > 0)
                share = Trimmed(reconstruction, kl, beta, share);
            var terms = new BatchTerms(Mean(reconstruction, share, total), PerDimension(kl, share, total), beta, options);

            // The share of each row in the mean, as a column or a number.
            var column = share?.unsqueeze(1);
            Tensor Shared(Tensor gradient, double factor = 1) => column is null ? gradient.TimesInPlace(factor / total) : gradient.mul_(column).TimesInPlace(factor);

            var latentGradient = Decoder.Backward(OutputGradient(target, output, Shared), inputGradient: true)!;

            // dKL/dμ = μ and dKL/dσ = σ - 1/σ, for dimensions above the free bits, on top of what comes through z = μ + σ ε.
            double weight = options.SumKl ? beta : beta / latent;
            var meanGradient = Shared(mean.clone(), weight);
            var sigmaGradient = Shared(sigma - (-logSigma).exp_(), weight);
            if (options.FreeBits > 0)
            {
                var pushed = tensor([.. terms.KlPerDimension.Select(value => value > options.FreeBits ? 1f : 0f)], device: mean.device);
                meanGradient.mul_(pushed);
                sigmaGradient.mul_(pushed);
            }
            meanGradient.PlusInPlace(latentGradient);
            sigmaGradient.PlusInPlace(latentGradient.mul_(noise));
            // dσ/ds of the parameterisation.
            var raw = statistics.narrow(1, latent, latent);
            if (options.Posterior == PosteriorParameterization.Softplus)
                sigmaGradient.mul_(raw.sigmoid());
            else
                sigmaGradient.mul_(sigma).TimesInPlace(0.5).mul_(raw.IsAtLeast(LogVarianceMinimum).logical_and_(raw.IsAtMost(LogVarianceMaximum)));
            Encoder.Backward(cat([meanGradient, sigmaGradient], 1), inputGradient: false);
            return terms;
        }

        /// <summary>Gradient of the reconstruction term with respect to the network's output; that of log σ goes to its place.</summary>
        private Tensor OutputGradient(Tensor target, Tensor output, Func<Tensor, double, Tensor> shared)
        {
            var options = _architecture.Options;
            switch (options.Likelihood)
            {
                case Likelihood.MeanSquaredError:
                    return shared(output - target, 2.0 / _architecture.Features);
                case Likelihood.Gaussian:
                    var sigma = _logSigma!.exp();
                    var residual = (output - target).div_(sigma);
                    if (_logSigmaGradient is not null)
                    {
                        var perRow = shared(residual.Squared().neg_().PlusInPlace(1), 1);
                        _logSigmaGradient.copy_(_logSigmaGradient.NumberOfElements == 1 ? perRow.sum().unsqueeze(0) : perRow.sum([0]));
                    }
                    return shared(residual.div_(sigma), 1);
                case Likelihood.Bernoulli:
                    return shared(output.sigmoid().sub_(target), 1);
                case Likelihood.Categorical:
                    int group = options.GroupSize;
                    if (_architecture.Tokens is not null)
                        return shared(TokenLikelihood.Gradient(target, output, group), 1);
                    var groups = target.view(-1, _architecture.Features / group, group);
                    // A missing symbol, all zeros, has no gradient.
                    var present = groups.sum(-1, keepdim: true);
                    return shared(output.view(groups.shape).softmax(-1).mul_(present).sub_(groups).view(target.shape), 1);
                default:
                    throw Check.OutOfRange(nameof(options.Likelihood), options.Likelihood, "a known likelihood");
            }
        }

        /// <summary>Shares of a batch's rows without the worst ones.</summary>
        private Tensor Trimmed(Tensor reconstruction, Tensor kl, double beta, Tensor? share)
        {
            var options = _architecture.Options;
            int count = (int)reconstruction.shape[0];
            var row = reconstruction.Plus((options.SumKl ? kl.sum([1]) : kl.mean([1])).Times(beta));
            if (share is not null)
            {
                float[] shares = RowTrimming.Shares(row.cpu().data<float>().ToArray(), share.cpu().data<float>().ToArray(), options.TrimmedFraction);
                return tensor(shares, device: row.device);
            }
            int kept = RowTrimming.Kept(count, options.TrimmedFraction);
            var (_, indexes) = row.topk(kept, largest: false, sorted: false);
            var trimmed = zeros(count, device: row.device).index_copy_(0, indexes, ones(kept, device: row.device));
            return trimmed.DividedByInPlace(kept);
        }
    }
}

/// <summary>The terms of a batch's loss, each a mean over its rows.</summary>
internal sealed class BatchTerms(double reconstruction, double[] klPerDimension, double beta, VaeTrainer.Options options)
{
    public double Reconstruction => reconstruction;

    /// <summary>KL divergence of each latent dimension in nats.</summary>
    public double[] KlPerDimension => klPerDimension;

    /// <summary>KL divergence above the free bits, reduced as the options say.</summary>
    public double Kl
    {
        get
        {
            double sum = klPerDimension.Sum(value => Math.Max(value, options.FreeBits));
            return options.SumKl ? sum : sum / klPerDimension.Length;
        }
    }

    public double Loss => reconstruction + beta * Kl;

    /// <summary>The terms of two parts of a batch, each already divided by the size of the whole.</summary>
    public BatchTerms Plus(BatchTerms other) =>
        new(reconstruction + other.Reconstruction, [.. klPerDimension.Zip(other.KlPerDimension, (a, b) => a + b)], beta, options);
}
