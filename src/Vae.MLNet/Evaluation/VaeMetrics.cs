using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>How <see cref="VaeCatalog.Evaluate(Microsoft.ML.IDataView, VaeTransformer, VaeEvaluationOptions?)"/> evaluates.</summary>
public sealed record VaeEvaluationOptions
{
    /// <summary>Latents drawn for each row, K of the importance-weighted bound. Default 16.</summary>
    public int Samples { get; init; } = 16;

    /// <summary>Seed of the latents drawn: the same seed, data and model give the same figures. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Name of a column of example weights (Single, not negative). Default null: all rows weigh the same.</summary>
    public string? ExampleWeightColumnName { get; init; }

    /// <summary>
    /// Whether features are taken by their position where the data's slot names differ from those of the training. By default (false) such
    /// data is refused, unless the model was trained with <see cref="VaeTrainer.Options.IgnoreSlotNames"/>.
    /// </summary>
    public bool IgnoreSlotNames { get; init; }

    /// <summary>Stops the evaluation. Default none.</summary>
    public CancellationToken CancellationToken { get; init; }

    internal VaeEvaluationOptions Validate()
    {
        Check.InRange(Samples, 1, 1 << 20);
        if (ExampleWeightColumnName is not null)
            Check.ColumnName(ExampleWeightColumnName);
        return this;
    }

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>
/// How well a model describes data; all figures are means over the rows. Densities are those of the data as it stands in the column: a
/// scaling inside the model adds the logarithm of its Jacobian, so that models with different scalings compare.
/// </summary>
/// <param name="Rows">Rows evaluated, those of weight 0 left out.</param>
/// <param name="Samples">Latents drawn for each row, K.</param>
/// <param name="Elbo">
/// Evidence lower bound in nats, E_q[log p(x|z)] - KL(q(z|x) ‖ p(z)) (Kingma and Welling 2014), whatever the Beta of the training. Higher
/// is better.
/// </param>
/// <param name="ElboStandardError">Standard error of <paramref name="Elbo"/> from its spread over the rows, in nats; 0 for a single
/// row.</param>
/// <param name="LogLikelihood">
/// Importance-weighted estimate of log p(x) in nats, log 1/K Σ p(x|z_k) p(z_k) / q(z_k|x) (Burda et al. 2016): at least the ELBO in the
/// mean, and nearer to the truth the larger K is.
/// </param>
/// <param name="ReconstructionLogLikelihood">E_q[log p(x|z)] in nats, the first term of the ELBO.</param>
/// <param name="KlPerDimension">KL divergence of each latent dimension from the prior, in nats.</param>
/// <param name="ActiveUnits">Latent dimensions whose posterior mean varies over the rows by more than 0.01 (variance; Burda et al.
/// 2016).</param>
/// <param name="MeanSquaredError">
/// Squared difference of the row and the decoded posterior mean in units of the data, averaged over the features; for Bernoulli and
/// categorical likelihoods of probabilities (Brier 1950).
/// </param>
/// <remarks>
/// A model of <see cref="Likelihood.MeanSquaredError"/> has no density of its own. It is evaluated as a normal distribution around the
/// decoded value whose standard deviation is, feature by feature, the root mean square of its training residuals: the decoder noise that
/// its exported files state.
/// </remarks>
public sealed record VaeMetrics(
    long Rows,
    int Samples,
    double Elbo,
    double ElboStandardError,
    double LogLikelihood,
    double ReconstructionLogLikelihood,
    IReadOnlyList<double> KlPerDimension,
    int ActiveUnits,
    double MeanSquaredError)
{
    /// <summary>KL divergence of the posterior from the prior in nats, all dimensions summed.</summary>
    public double Kl => KlPerDimension.Sum();

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(VaeMetrics? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
