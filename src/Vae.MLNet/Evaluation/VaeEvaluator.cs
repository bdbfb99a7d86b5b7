using Microsoft.ML;
using TorchSharp;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Training;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Vae.MLNet.Evaluation;

/// <summary>Evaluates a model on rows that are read once, a block at a time.</summary>
internal static class VaeEvaluator
{
    /// <summary>Most rows times samples computed together.</summary>
    private const int BlockRows = 4096;

    /// <summary>σ of a mean-squared-error model for a feature that training met without an error, in scaled units.</summary>
    private const float SmallestResidual = 1e-6f;

    private static readonly double LogTwoPi = Math.Log(2 * Math.PI);

    public static VaeMetrics Evaluate(IDataView data, VaeModel model, string featureColumn, VaeEvaluationOptions options)
    {
        options.Validate();
        if (!options.IgnoreSlotNames && !model.Options.IgnoreSlotNames)
            ColumnSlots.RequireSame(data.Schema[Check.FloatVector(data.Schema, featureColumn, nameof(data), model.FeatureCount).Index], model.InputNames, nameof(data));
        TorchRuntime.EnsureLoaded();
        // What the reader needs to know of a training's options.
        var reading = model.Options with { ExampleWeightColumnName = options.ExampleWeightColumnName, CancellationToken = options.CancellationToken };
        using var reader = new RowReader(data, featureColumn, reading, model.FeatureCount);
        using var loan = TorchThreads.Borrow(TorchThreads.Default);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)SeedStream.Torch(options.Seed, Purpose.Evaluation), CPU);
        using var network = new VaeNetwork(model.Architecture, CPU, model.Parameters, trainable: false);

        int features = model.FeatureCount, latent = model.LatentDimension;
        int block = Math.Max(1, BlockRows / options.Samples);
        float[] rows = new float[block * features], weights = new float[block];
        var sums = new Sums(latent);
        int filled = 0;
        while (reader.Next())
        {
            reader.CopyTo(rows.AsSpan(filled * features, features));
            weights[filled++] = reader.Weight;
            if (filled == block)
                Flush();
        }
        if (filled > 0)
            Flush();
        return sums.Rows == 0 ? throw reader.NoRows("Evaluation") : sums.Metrics(options.Samples);

        void Flush()
        {
            options.CancellationToken.ThrowIfCancellationRequested();
            Block(network, model, rows.AsSpan(0, filled * features), weights.AsSpan(0, filled), generator, options.Samples, sums);
            filled = 0;
        }
    }

    private static void Block(VaeNetwork network, VaeModel model, ReadOnlySpan<float> values, ReadOnlySpan<float> weights, Generator generator, int samples, Sums sums)
    {
        using var scope = NewDisposeScope();
        int count = weights.Length, features = model.FeatureCount, latent = model.LatentDimension;
        var data = tensor(values.ToArray(), [count, features]);
        var x = model.Scale.Apply(data);
        var (mean, sigma, logSigma) = network.Encode(x);
        var noise = randn(count, samples, latent, generator: generator);
        var z = mean.unsqueeze(1) + sigma.unsqueeze(1) * noise;
        var output = network.Decode(z.view(-1, latent));
        var target = x.unsqueeze(1).expand(count, samples, features).reshape(-1, features);

        // [N, K], with the logarithm of the scaling's Jacobian.
        var logP = LogDensity(model, target, output).view(count, samples) + LogJacobian(model, data).unsqueeze(1);
        // log p(z) - log q(z|x): the terms with 2π cancel.
        var ratio = (noise.Squared() - z.Squared()).to(ScalarType.Float64).Times(0.5).sum([2]) + logSigma.to(ScalarType.Float64).sum([1]).unsqueeze(1);
        var importance = (logP + ratio).logsumexp(1).Plus(-Math.Log(samples));
        var kl = VaeNetwork.Kl(mean, sigma, logSigma).to(ScalarType.Float64);
        var reconstruction = logP.mean([1]);
        var squares = (data - ExportCheck.Mean(model, network.Decode(mean))).to(ScalarType.Float64).Squared().mean([1]);
        // The row is finite; what overflowed on the way is a density of zero, not an unknown one.
        sums.Add(weights, Known(reconstruction, double.NegativeInfinity), Known(importance, double.NegativeInfinity), Known(kl, double.PositiveInfinity),
            Known(mean.to(ScalarType.Float64), 0), Known(squares, double.PositiveInfinity));

        static double[] Known(Tensor values, double unknown) =>
            Numbers(values.nan_to_num(unknown, double.PositiveInfinity, double.NegativeInfinity));
    }

    /// <summary>log p(x|z) of scaled rows, [N], in double precision.</summary>
    private static Tensor LogDensity(VaeModel model, Tensor target, Tensor output)
    {
        switch (model.Options.Likelihood)
        {
            case Likelihood.MeanSquaredError:
                return Normal(tensor(model.Residual).AtLeast(SmallestResidual).log().to(ScalarType.Float64));
            case Likelihood.Gaussian:
                return Normal(tensor(model.Parameter("noise.logSigma").ToArray()).to(ScalarType.Float64));
            case Likelihood.Bernoulli:
                return -F.binary_cross_entropy_with_logits(output, target, reduction: nn.Reduction.None).to(ScalarType.Float64).sum([1]);
            case Likelihood.Categorical:
                int group = model.Options.GroupSize, features = model.FeatureCount;
                return (target * F.log_softmax(output.view(-1, features / group, group), -1).view(-1, features)).to(ScalarType.Float64).sum([1]);
            default:
                throw Check.OutOfRange(nameof(model.Options.Likelihood), model.Options.Likelihood, "a known likelihood");
        }

        Tensor Normal(Tensor logSigma)
        {
            var ratio = (target - output).to(ScalarType.Float64) / logSigma.exp();
            return (ratio.Squared().Times(0.5) + logSigma).sum([1]).Plus(model.FeatureCount * 0.5 * LogTwoPi).neg();
        }
    }

    /// <summary>Σ log |d scaled / d x| of each row, [N].</summary>
    private static Tensor LogJacobian(VaeModel model, Tensor data)
    {
        if (model.Scale.Kind == InputScaling.None)
            return zeros(data.shape[0], ScalarType.Float64);
        var factor = tensor(model.Scale.Factor).to(ScalarType.Float64);
        var constant = factor.abs().log().sum();
        if (model.Scale.Kind == InputScaling.Standardize)
            return constant.expand(data.shape[0]);
        // d asinh(u) / du = 1 / √(1 + u²)
        var linear = (data.to(ScalarType.Float64) - tensor(model.Scale.Offset)) * factor;
        return constant - linear.Squared().Plus(1).log().Times(0.5).sum([1]);
    }

    private static double[] Numbers(Tensor tensor) => tensor.contiguous().data<double>().ToArray();

    /// <summary>Weighted sums over the rows.</summary>
    private sealed class Sums(int latent)
    {
        private const double ActiveVariance = 0.01;

        private readonly double[] _kl = new double[latent], _mean = new double[latent], _spread = new double[latent];
        private double _weight, _squaredWeight, _elbo, _elboSpread, _likelihood, _reconstruction, _squares;

        private bool _impossible;

        public long Rows { get; private set; }

        public void Add(ReadOnlySpan<float> weights, double[] reconstruction, double[] importance, double[] kl, double[] mean, double[] squares)
        {
            for (int i = 0; i < weights.Length; i++)
            {
                Rows++;
                double weight = weights[i], elbo = reconstruction[i];
                _weight += weight;
                _squaredWeight += weight * weight;
                for (int j = 0; j < latent; j++)
                {
                    elbo -= kl[i * latent + j];
                    _kl[j] += weight * kl[i * latent + j];
                    Moments(mean[i * latent + j], weight, ref _mean[j], ref _spread[j]);
                }
                // One row of density zero decides on the mean.
                _impossible |= double.IsInfinity(elbo);
                if (!_impossible)
                    Moments(elbo, weight, ref _elbo, ref _elboSpread);
                _likelihood += weight * importance[i];
                _reconstruction += weight * reconstruction[i];
                _squares += weight * squares[i];
            }
        }

        public VaeMetrics Metrics(int samples)
        {
            // The number of equally weighted rows that would be as informative (Kish 1965).
            double effective = _weight * _weight / _squaredWeight;
            double error = effective > 1 ? Math.Sqrt(_elboSpread / _weight / (effective - 1)) : 0;
            var (elbo, uncertainty) = _impossible ? (double.NegativeInfinity, double.PositiveInfinity) : (_elbo, error);
            return new(Rows, samples, elbo, uncertainty, _likelihood / _weight, _reconstruction / _weight, [.. _kl.Select(sum => sum / _weight)],
                _spread.Count(sum => sum / _weight > ActiveVariance), _squares / _weight);
        }

        /// <summary>Mean and sum of squared deviations in one pass (Welford 1962, West 1979).</summary>
        private void Moments(double value, double weight, ref double mean, ref double spread)
        {
            double before = value - mean;
            mean += before * weight / _weight;
            spread += weight * before * (value - mean);
        }
    }
}
