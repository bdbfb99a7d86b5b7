namespace Vae.MLNet.Inference;

/// <summary>How samples are drawn.</summary>
public sealed record SampleOptions
{
    /// <summary>
    /// Whether x is drawn from p(x|z) rather than taken to be its mean: normal noise of <see cref="VaeDecoder.Noise"/>, zeros and ones for a Bernoulli
    /// likelihood, one-hot groups for a categorical one. Default false. The latents of a seed are the same with and without.
    /// </summary>
    public bool Noise { get; init; }

    /// <summary>Standard deviation of the latents drawn, where the prior's is 1. Default 1; 0 gives the origin alone.</summary>
    public float Temperature { get; init; } = 1;

    internal SampleOptions Validate()
    {
        Guard.NotNegative(Temperature);
        return this;
    }
}
