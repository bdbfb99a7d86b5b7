using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Vae.MLNet.Tests.Model;

/// <summary>The backward pass that is written out, held to autograd on the loss as the documentation states it.</summary>
[TestClass]
public sealed class VaeNetworkGradientTests
{
    private const int Rows = 70, Features = 6, Latent = 3;

    private const double Beta = 0.7;

    /// <summary>Largest difference of a gradient, relative to the largest gradient: single precision summed in another order.</summary>
    private const double Tolerance = 2e-5;

    private static VaeTrainer.Options Options { get; } = new() { LatentDimension = Latent, HiddenLayers = [9, 8], BatchSize = 128 };

    [TestMethod]
    [DataRow(Activation.ReLU)]
    [DataRow(Activation.SiLU)]
    [DataRow(Activation.Tanh)]
    [DataRow(Activation.ELU)]
    [DataRow(Activation.LeakyReLU)]
    [DataRow(Activation.GELU)]
    [DataRow(Activation.Softplus)]
    public void Step_Activation(Activation activation)
    {
        foreach (var posterior in Enum.GetValues<PosteriorParameterization>())
            Compare(Options with { Activation = activation, Posterior = posterior });
    }

    [TestMethod]
    [DataRow(Likelihood.MeanSquaredError)]
    [DataRow(Likelihood.Gaussian)]
    [DataRow(Likelihood.Bernoulli)]
    [DataRow(Likelihood.Categorical)]
    public void Step_Likelihood(Likelihood likelihood)
    {
        foreach (var posterior in Enum.GetValues<PosteriorParameterization>())
        {
            foreach (var reduction in Enum.GetValues<KlReduction>())
                Compare(Options with { Likelihood = likelihood, Posterior = posterior, KlReduction = reduction, GroupSize = likelihood == Likelihood.Categorical ? 3 : 0 });
        }
    }

    [TestMethod]
    [DataRow(GaussianNoise.Fixed)]
    [DataRow(GaussianNoise.LearnedShared)]
    [DataRow(GaussianNoise.LearnedPerFeature)]
    public void Step_GaussianNoise(GaussianNoise noise) =>
        Compare(Options with { Likelihood = Likelihood.Gaussian, GaussianNoise = noise, NoiseStandardDeviation = 0.6f });

    [TestMethod]
    public void Step_ExampleWeights() => Compare(Options, weighted: true);

    [TestMethod]
    public void Step_FreeBits() => Compare(Options with { FreeBits = 0.05f, KlReduction = KlReduction.Sum });

    [TestMethod]
    public void Step_Dropout() => Compare(Options with { Dropout = 0.3f });

    [TestMethod]
    public void Step_TrimmedFraction()
    {
        Compare(Options with { TrimmedFraction = 0.2f });
        Compare(Options with { TrimmedFraction = 0.2f }, weighted: true);
    }

    [TestMethod]
    public void Step_LinearNetworks() => Compare(Options with { HiddenLayers = [] });

    private static void Compare(VaeTrainer.Options options, bool weighted = false)
    {
        foreach (int threads in new[] { 1, 2 })
        {
            using var scope = NewDisposeScope();
            var architecture = new VaeArchitecture(Features, options.Validate());
            float[] parameters = VaeNetwork.Initialize(architecture, 11);
            var rows = Data(options);
            var weights = weighted ? tensor(Enumerable.Range(0, Rows).Select(i => i % 4 * 0.5f).ToArray()) : null;

            using var network = new VaeNetwork(architecture, CPU, parameters, trainable: true, threads);
            using var first = new Generator(5, CPU);
            var terms = network.Step(rows, rows, weights, first, Beta);
            float[] found = network.Gradients.Aggregate((sum, part) => sum + part).data<float>().ToArray();

            using var second = new Generator(5, CPU);
            var (loss, expected) = Autograd(architecture, parameters, rows, weights, second, network.Gradients.Count());

            Assert.AreEqual(loss, terms.Loss, 1e-5 * Math.Max(1, Math.Abs(loss)), $"{options} threads {threads}");
            float largest = expected.Max(MathF.Abs);
            Assert.IsTrue(largest > 1e-3f, "The gradient says nothing.");
            for (int i = 0; i < found.Length; i++)
                Assert.AreEqual(expected[i], found[i], Tolerance * largest, $"parameter {i}, {options}, threads {threads}");
        }
    }

    private static Tensor Data(VaeTrainer.Options options)
    {
        var random = new Random(3);
        var values = new float[Rows * Features];
        for (int i = 0; i < values.Length; i++)
            values[i] = options.Likelihood == Likelihood.Bernoulli ? random.NextSingle() : 2 * random.NextSingle() - 1;
        if (options.Likelihood == Likelihood.Categorical)
        {
            Array.Clear(values);
            for (int start = 0; start < values.Length; start += options.GroupSize)
            {
                // Every seventh symbol is missing.
                if (start / options.GroupSize % 7 != 0)
                    values[start + random.Next(options.GroupSize)] = 1;
            }
        }
        return tensor(values, [Rows, Features]);
    }

    /// <summary>The documented loss, written plainly.</summary>
    private static (double Loss, float[] Gradient) Autograd(VaeArchitecture architecture, float[] parameters, Tensor x, Tensor? weights, Generator generator, int slices)
    {
        var options = architecture.Options;
        var flat = tensor(parameters).requires_grad_(true);
        Tensor Parameter(string name) => flat.narrow(0, architecture[name].Offset, architecture[name].Length).view(architecture[name].Shape);

        var noise = randn(Rows, Latent, generator: generator);
        // Each slice of a batch draws its masks from a generator of its own.
        long[] seeds = options.Dropout > 0 && slices > 1 ? randint(long.MaxValue, slices, ScalarType.Int64, generator: generator).data<long>().ToArray() : [];
        Generator[] generators = seeds.Length == 0 ? [generator] : [.. seeds.Select(seed => new Generator((ulong)seed))];
        var statistics = Network(x, "encoder", architecture.EncoderLayers, "posterior");
        var mean = statistics[.., ..Latent];
        var raw = statistics[.., Latent..];
        var sigma = options.Posterior == PosteriorParameterization.Softplus ? F.softplus(raw) + VaeNetwork.SigmaFloor : (raw / 2).exp();
        var output = Network(mean + sigma * noise, "decoder", architecture.DecoderLayers, "output");

        var reconstruction = options.Likelihood switch
        {
            Likelihood.MeanSquaredError => (x - output).pow(2).mean([1]),
            Likelihood.Gaussian => -distributions.Normal(output, Parameter("noise.logSigma").exp().expand(output.shape)).log_prob(x).sum([1]),
            Likelihood.Bernoulli => -(x * F.logsigmoid(output) + (1 - x) * F.logsigmoid(-output)).sum([1]),
            _ => -(x.view(Rows, -1, options.GroupSize) * output.view(Rows, -1, options.GroupSize).log_softmax(2)).sum([1, 2]),
        };
        var kl = -0.5 * (1 + sigma.pow(2).log() - mean.pow(2) - sigma.pow(2));
        var share = weights is null ? ones(Rows) : weights;
        if (options.TrimmedFraction > 0)
        {
            bool sums = options.KlReduction == KlReduction.Sum || options.KlReduction == KlReduction.Auto && options.Likelihood != Likelihood.MeanSquaredError;
            var row = reconstruction + Beta * (sums ? kl.sum([1]) : kl.mean([1]));
            double[] shares = RowTrimmingTests.Reference(
                [.. row.detach().data<float>().ToArray().Select(value => (double)value)],
                [.. share.data<float>().ToArray().Select(value => (double)value)], options.TrimmedFraction);
            share = tensor(shares.Select(value => (float)value).ToArray());
        }
        share = share / share.sum();
        var perDimension = (kl * share.unsqueeze(1)).sum([0]);
        if (options.FreeBits > 0)
            perDimension = perDimension.clamp_min(options.FreeBits);
        bool sum = options.KlReduction == KlReduction.Sum || options.KlReduction == KlReduction.Auto && options.Likelihood != Likelihood.MeanSquaredError;
        var loss = (reconstruction * share).sum() + Beta * (sum ? perDimension.sum() : perDimension.mean());
        loss.backward();
        float[] gradient = flat.grad!.data<float>().ToArray();
        if (options.Likelihood == Likelihood.Gaussian && options.GaussianNoise == GaussianNoise.Fixed)
            Array.Clear(gradient, architecture["noise.logSigma"].Offset, 1);
        return (loss.item<float>(), gradient);

        Tensor Network(Tensor x, string stem, int layers, string last)
        {
            for (int i = 0; i < layers; i++)
            {
                x = Activate(F.linear(x, Parameter($"{stem}.{i}.weight"), Parameter($"{stem}.{i}.bias")));
                if (options.Dropout > 0)
                    x = x * Uniform(x.shape[1]).ge(options.Dropout).to(ScalarType.Float32) / (1 - options.Dropout);
            }
            return F.linear(x, Parameter(last + ".weight"), Parameter(last + ".bias"));
        }

        Tensor Uniform(long width) => cat([.. generators.Select((own, i) =>
            rand([(long)Rows * (i + 1) / generators.Length - (long)Rows * i / generators.Length, width], generator: own))], 0);

        Tensor Activate(Tensor x) => options.Activation switch
        {
            Activation.ReLU => F.relu(x),
            Activation.SiLU => F.silu(x),
            Activation.Tanh => x.tanh(),
            Activation.ELU => F.elu(x, 1),
            Activation.LeakyReLU => F.leaky_relu(x, 0.01),
            Activation.GELU => F.gelu(x),
            _ => F.softplus(x),
        };
    }
}
