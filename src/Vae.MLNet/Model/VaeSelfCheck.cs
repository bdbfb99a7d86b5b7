using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>
/// A look at a model right after its training, on up to 2,000 rows that it was trained on: what it keeps of each feature, what its latent
/// carries, and how far rows drawn from the prior are from the data. Every row counts once, whatever its weight.
/// </summary>
/// <remarks>
/// See <see cref="VaeTrainingHistory.SelfCheck"/> and, for rows that were not trained on,
/// <see cref="VaeCatalog.Evaluate(Microsoft.ML.IDataView, VaeTransformer, VaeEvaluationOptions?)"/>.
/// </remarks>
public sealed record VaeSelfCheck
{
    /// <summary>Rows looked at.</summary>
    public required int Rows { get; init; }

    /// <summary>Names of the features: the slot names of the training column, "slot 0" and so on where it has none.</summary>
    public required IReadOnlyList<string> Features { get; init; }

    /// <summary>
    /// Share of each feature's variance that the decoded posterior mean explains, 1 - Σ(x - x̂)² / Σ(x - x̄)² in units of the data: 1 is
    /// perfect, 0 is no better than the mean, negative is worse. 1 for a constant feature.
    /// </summary>
    public required IReadOnlyList<double> ExplainedShares { get; init; }

    /// <summary>
    /// Share of the variance of all features together that is explained, in the units that the model works in (after its scaling): features
    /// that hardly vary hardly count.
    /// </summary>
    public required double ExplainedShare { get; init; }

    /// <summary>The same share on rows held out for validation; null where there are none.</summary>
    public required double? ValidationExplainedShare { get; init; }

    /// <summary>KL divergence of each latent dimension's posterior from the prior in nats, mean over the rows.</summary>
    public required IReadOnlyList<double> KlPerDimension { get; init; }

    /// <summary>Latent dimensions whose posterior mean varies over the rows by more than 0.01 (variance; Burda et al. 2016).</summary>
    public required int ActiveUnits { get; init; }

    /// <summary>
    /// Distance of the aggregate posterior from the prior in nats: the KL divergence of the normal distribution with its mean and
    /// covariance from the standard normal one (of its mean and variances above 512 latent dimensions). Rows drawn from the prior resemble
    /// the data only where it is small.
    /// </summary>
    public required double PriorDistance { get; init; }

    /// <summary>
    /// Kolmogorov and Smirnov's distance between each feature of the data and of as many rows drawn from the model, latents from the prior
    /// and with the decoder's noise: 0 for the same distribution, 1 for two that do not overlap.
    /// </summary>
    public required IReadOnlyList<double> SampleDistances { get; init; }

    /// <summary>What is wrong, in plain words with the cure; each was logged as a warning. Empty where all is well.</summary>
    public required IReadOnlyList<string> Findings { get; init; }

    /// <summary>The feature that the model explains least.</summary>
    public string LeastExplainedFeature => Features.Count == 0 ? "" : Features[ExplainedShares.Index().MinBy(share => share.Item).Index];

    /// <summary>The feature whose drawn values are farthest from the data.</summary>
    public string WorstSampledFeature => Features.Count == 0 ? "" : Features[SampleDistances.Index().MaxBy(distance => distance.Item).Index];

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(VaeSelfCheck? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
