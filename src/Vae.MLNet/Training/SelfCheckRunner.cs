using Vae.MLNet.Model;
using Vae.MLNet.Onnx;
using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>Looks at a trained model on rows of its training, and words what is wrong.</summary>
internal static class SelfCheckRunner
{
    private const int MostRows = 2000, FewestRows = 100, MostNumbers = 1 << 21, LargestCovariance = 512;

    /// <summary>
    /// Figures above (or below) which something is said. They are wide: what is within them need not be good, what is beyond is bad.
    /// </summary>
    private const double UnequalSize = 10, PoorShare = 0.5, LittleShare = 0.3, FarPrior = 0.5, FarMarginal = 0.3, Overfit = 0.15;

    public static VaeSelfCheck Run(
        VaeModel model, IRowSource training, IRowSource? validation, Device device, IReadOnlyList<string> names, int activeUnits)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)SeedStream.Torch(model.Options.Seed, Purpose.SelfCheck), device);
        using var network = new VaeNetwork(model.Architecture, device, model.Parameters, trainable: false);
        int most = Math.Clamp(MostNumbers / model.FeatureCount, FewestRows, MostRows);
        var x = Take(training, most);
        int rows = (int)x.shape[0];
        string[] features = [.. Enumerable.Range(0, model.FeatureCount)
            .Select(j => j < names.Count && names[j].Length > 0 ? names[j] : Check.Invariant($"slot {j}"))];

        var (mean, sigma, logSigma) = network.Encode(x);
        double[] kl = Numbers(VaeNetwork.Kl(mean, sigma, logSigma).to(ScalarType.Float64).mean([0]));
        var output = network.Decode(mean);
        var (shares, deviations) = Explained(model, x, output);
        double? held = null;
        if (validation is not null)
        {
            var other = Take(validation, most);
            held = ExplainedTogether(model, other, network.Decode(network.Encode(other).Mean));
        }
        var z = randn(rows, model.LatentDimension, device: device, generator: generator);
        double[] distances = Distances(x, Draw(model, network.Decode(z), generator));

        var check = new VaeSelfCheck
        {
            Rows = rows,
            Features = features,
            ExplainedShares = shares,
            ExplainedShare = ExplainedTogether(model, x, output),
            ValidationExplainedShare = held,
            KlPerDimension = kl,
            ActiveUnits = activeUnits,
            PriorDistance = PriorDistance(mean.to(ScalarType.Float64), sigma.to(ScalarType.Float64)),
            SampleDistances = distances,
            Findings = [],
        };
        return check with { Findings = [.. Findings(check, model.Options, deviations)] };
    }

    /// <summary>Scaled rows, spread evenly over those in memory; the first of those that are streamed.</summary>
    private static Tensor Take(IRowSource source, int most)
    {
        long stride = source is MemoryRows ? Math.Max(1, (source.Count + most - 1) / most) : 1, seen = 0;
        var parts = new List<Tensor>();
        int taken = 0;
        using var batches = source.InOrder();
        while (taken < most && batches.TryNext(out var batch))
        {
            // The first multiple of the stride in this block.
            long first = (stride - seen % stride) % stride;
            if (first < batch.Count)
            {
                long count = Math.Min(most - taken, (batch.Count - first + stride - 1) / stride);
                parts.Add(batch.Features.index_select(0, arange(first, first + count * stride, stride, device: batch.Features.device)[..(int)count]));
                taken += (int)count;
            }
            seen += batch.Count;
        }
        return cat(parts);
    }

    private static bool IsContinuous(VaeModel model) => model.Options.Likelihood is Likelihood.MeanSquaredError or Likelihood.Gaussian;

    /// <summary>Explained share of each feature, and its standard deviation, in units of the data.</summary>
    private static (double[] Shares, double[] Deviations) Explained(VaeModel model, Tensor scaled, Tensor output)
    {
        var x = (IsContinuous(model) ? ExportCheck.Mean(model, scaled.cpu()) : scaled.cpu()).to(ScalarType.Float64);
        double[] errors = Numbers((x - ExportCheck.Mean(model, output.cpu()).to(ScalarType.Float64)).Squared().mean([0]));
        // Of a constant, a mean differs from its values by rounding.
        double[] variances = Numbers((x - x.mean([0])).Squared().mean([0]) * x.amax([0]).ne(x.amin([0])));
        return ([.. variances.Select((value, j) => value > 0 ? 1 - errors[j] / value : 1)], [.. variances.Select(Math.Sqrt)]);
    }

    /// <summary>Explained share of all features together, in the units that the model works in.</summary>
    private static double ExplainedTogether(VaeModel model, Tensor scaled, Tensor output)
    {
        var x = scaled.cpu().to(ScalarType.Float64);
        var mean = (IsContinuous(model) ? output.cpu() : ExportCheck.Mean(model, output.cpu())).to(ScalarType.Float64);
        double variance = (x - x.mean([0])).Squared().sum().item<double>();
        return variance > 0 ? 1 - (x - mean).Squared().sum().item<double>() / variance : 1;
    }

    /// <summary>Rows drawn from p(x|z), in scaled units.</summary>
    private static Tensor Draw(VaeModel model, Tensor output, Generator generator)
    {
        switch (model.Options.Likelihood)
        {
            case Likelihood.Bernoulli:
                return rand(output.shape, device: output.device, generator: generator).lt(output.sigmoid()).to(ScalarType.Float32);
            case Likelihood.Categorical:
                // The largest of logits with Gumbel noise is a draw from their softmax (Gumbel 1954).
                int group = model.Options.GroupSize;
                var noise = rand(output.shape, device: output.device, generator: generator).clamp_(1e-20, 1 - 1e-7).log_().neg_().log_().neg_();
                var drawn = (output + noise).view(-1, model.FeatureCount / group, group).argmax(-1);
                return nn.functional.one_hot(drawn, group).view(-1, model.FeatureCount).to(ScalarType.Float32);
            default:
                var sigma = model.Options.Likelihood == Likelihood.Gaussian ? tensor(model.Parameter("noise.logSigma").ToArray()).exp() : tensor(model.Residual);
                return output + randn(output.shape, device: output.device, generator: generator) * sigma.to(output.device);
        }
    }

    /// <summary>
    /// Kolmogorov and Smirnov's distance, feature by feature. A scaling keeps the order of values, so the scaled ones serve as well.
    /// </summary>
    private static double[] Distances(Tensor real, Tensor drawn)
    {
        float[] a = [.. real.cpu().t().contiguous().data<float>()], b = [.. drawn.cpu().t().contiguous().data<float>()];
        int rows = (int)real.shape[0], features = (int)real.shape[1];
        var distances = new double[features];
        for (int j = 0; j < features; j++)
        {
            Span<float> first = a.AsSpan(j * rows, rows), second = b.AsSpan(j * rows, rows);
            first.Sort();
            second.Sort();
            int at = 0, beside = 0;
            while (at < rows && beside < rows)
            {
                float value = Math.Min(first[at], second[beside]);
                while (at < rows && first[at] <= value)
                    at++;
                while (beside < rows && second[beside] <= value)
                    beside++;
                distances[j] = Math.Max(distances[j], Math.Abs(at - beside) / (double)rows);
            }
        }
        return distances;
    }

    private static double PriorDistance(Tensor mean, Tensor sigma)
    {
        var center = mean.mean([0]);
        var within = sigma.Squared().mean([0]);
        var around = mean - center;
        double quadratic = center.Squared().sum().item<double>();
        if (mean.shape[1] > LargestCovariance)
        {
            var variance = around.Squared().mean([0]) + within;
            return 0.5 * ((variance - variance.log()).sum().item<double>() + quadratic - mean.shape[1]);
        }
        var covariance = around.t().matmul(around).DividedBy(mean.shape[0]) + diag(within);
        return 0.5 * (covariance.trace().item<double>() + quadratic - mean.shape[1] - linalg.slogdet(covariance).Item2.item<double>());
    }

    private static IEnumerable<string> Findings(VaeSelfCheck check, VaeTrainer.Options options, double[] deviations)
    {
        int latent = options.LatentDimension;
        if (check.ActiveUnits * 2 < latent)
        {
            yield return Check.Invariant($"The posterior collapsed: {check.ActiveUnits} of {latent} latent dimensions are active. ")
                + Check.Invariant($"Likely cures: a smaller Beta (now {options.Beta}), a BetaSchedule that warms up, FreeBits, ")
                + "fewer latent dimensions.";
        }
        int least = check.ExplainedShares.Index().MinBy(share => share.Item).Index;
        int[] varying = [.. Enumerable.Range(0, deviations.Length).Where(j => deviations[j] > 0)];
        bool unscaled = false;
        bool continuous = options.Likelihood is Likelihood.MeanSquaredError or Likelihood.Gaussian;
        if (continuous && options.Scaling == InputScaling.None && varying.Length > 1)
        {
            int widest = varying.MaxBy(j => deviations[j]), narrowest = varying.MinBy(j => deviations[j]);
            unscaled = !InputScale.IsPicture(deviations, deviations[widest]) && deviations[widest] > UnequalSize * deviations[narrowest] && check.ExplainedShares[least] < PoorShare;
            if (unscaled)
            {
                yield return "The features are of different size and Scaling is None: "
                    + Check.Invariant($"'{check.Features[widest]}' has a standard deviation of {deviations[widest]:G3}, ")
                    + Check.Invariant($"'{check.Features[narrowest]}' of {deviations[narrowest]:G3}, so that the wide ones rule the loss; ")
                    + Check.Invariant($"of '{check.Features[least]}' {check.ExplainedShares[least]:P0} is explained. Set Scaling to Auto or Standardize.");
            }
        }
        if (check.ExplainedShare < LittleShare && !unscaled)
        {
            yield return Check.Invariant($"The reconstructions explain {check.ExplainedShare:P0} of the features' variance, ")
                + Check.Invariant($"least of '{check.Features[least]}' ({check.ExplainedShares[least]:P0}). ")
                + Check.Invariant($"Likely cures: more latent dimensions (now {latent}), a smaller Beta (now {options.Beta}), more Epochs (now {options.Epochs}).");
        }
        if (check.ValidationExplainedShare is { } held && check.ExplainedShare - held > Overfit)
        {
            yield return Check.Invariant($"The model is overfitted: it explains {check.ExplainedShare:P0} of the training rows' variance and {held:P0} ")
                + Check.Invariant($"of the validation rows'. Likely cures: EarlyStopping, fewer Epochs (now {options.Epochs}), ")
                + "narrower HiddenLayers, Dropout or WeightDecay, more rows.";
        }
        int worst = check.SampleDistances.Index().MaxBy(distance => distance.Item).Index;
        bool farPrior = check.PriorDistance > FarPrior * latent, farMarginal = check.SampleDistances[worst] > FarMarginal;
        if (!farPrior && !farMarginal)
            yield break;
        string cause = farPrior
            ? Check.Invariant($"the posterior is far from the prior ({check.PriorDistance:F1} nats over {latent} latent dimensions)")
            : "the decoder's noise or shape does not fit the data";
        string cure = farPrior && options.Likelihood == Likelihood.MeanSquaredError
            ? Check.Invariant($"a larger Beta (now {options.Beta}), or the ELBO: Likelihood Gaussian with Beta 1")
            : farPrior ? Check.Invariant($"a larger Beta (now {options.Beta}), more Epochs (now {options.Epochs})")
            : "more latent dimensions or Epochs; whole numbers and categories want a likelihood of their own";
        yield return $"Rows drawn from the prior will not look like the data: {cause}, and the worst feature is '{check.Features[worst]}' "
            + Check.Invariant($"(Kolmogorov and Smirnov's distance {check.SampleDistances[worst]:F2}). ")
            + $"Encoding and reconstruction do not suffer from it. Likely cures for sampling: {cure}.";
    }

    private static double[] Numbers(Tensor tensor) => [.. tensor.cpu().contiguous().data<double>()];
}
