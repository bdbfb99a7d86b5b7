using System.Globalization;
using System.Text;

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

    /// <summary>
    /// Keeps rows in proportion to how real they look to a critic of this very model, and draws others in place of those it drops
    /// (discriminator rejection sampling, Azadi et al. 2019). Default null: every row drawn is kept.
    /// </summary>
    public VaeCritic? Critic { get; init; }

    /// <summary>A rule of yours: a row, in units of the data, is kept where it says true. Default null.</summary>
    public Func<ReadOnlySpan<float>, bool>? Keep { get; init; }

    /// <summary>Rows drawn at most for each one that is wanted, with a critic or a rule. Default 1,000.</summary>
    public int MaximumTries { get; init; } = 1000;

    private bool PrintMembers(StringBuilder builder)
    {
        builder.Append(CultureInfo.InvariantCulture, $"Noise = {Noise}, Temperature = {Temperature}, Critic = {Critic}, ")
            .Append(CultureInfo.InvariantCulture, $"Keep = {(Keep is null ? "" : "given")}, MaximumTries = {MaximumTries}");
        return true;
    }

    internal SampleOptions Validate()
    {
        Guard.AtLeast(MaximumTries, 1);
        Guard.NotNegative(Temperature);
        return this;
    }
}
