namespace Vae.MLNet;

/// <summary>Names of the columns that a <see cref="VaeTransformer"/> adds beside the latent; null for a column that is not wanted.</summary>
public sealed record VaeOutputColumns
{
    /// <summary>Posterior standard deviation, a vector of the latent dimension.</summary>
    public string? StandardDeviation { get; init; }

    /// <summary>Decoded posterior mean, a vector of the size of the features and in their units.</summary>
    public string? Reconstruction { get; init; }

    /// <summary>Negative ELBO of the row with the reconstruction taken at the posterior mean, a Single.</summary>
    public string? Score { get; init; }
}
