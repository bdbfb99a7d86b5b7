using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>How variants are scored with a sequence autoencoder.</summary>
public sealed record VariantScoringOptions
{
    /// <summary>Draws from the posterior for each sequence, shared out among the members of an ensemble (rounded up) and made in pairs of opposite noise. Default 100.</summary>
    public int Samples { get; init; } = 100;

    /// <summary>Seed of the noise, which is the same for all sequences. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>
    /// Whether the decoder of a model trained with dropout has a dropout mask of its own in each draw, the same ones for all sequences: an average over the approximate
    /// posterior of the weights that such a training amounts to (Gal and Ghahramani 2016), in the place of the one that DeepSequence and EVE train. It orders variants a
    /// little better; the bounds themselves are lower than those of the whole network. Default true.
    /// </summary>
    public bool SampleDropout { get; init; } = true;

    /// <summary>An aligned sequence to compare with instead of the layout's reference, one character for each column. Default null: the layout's reference.</summary>
    public string? Reference { get; init; }

    /// <summary>Threads; 0 for one a processor. The scores do not depend on it. Default 0.</summary>
    public int Threads { get; init; }

    /// <summary>Stops the scoring with an <see cref="OperationCanceledException"/>. Default none.</summary>
    public CancellationToken CancellationToken { get; init; }

    internal VariantScoringOptions Validate()
    {
        Check.InRange(Samples, 1, 1_000_000);
        Check.InRange(Threads, 0, 4096);
        return this;
    }

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>How sequences are made with a sequence autoencoder.</summary>
public sealed record SequenceGenerationOptions
{
    /// <summary>How a position's symbol is chosen from its probabilities. Default drawn.</summary>
    public Inference.SymbolSelection Selection { get; init; } = Inference.SymbolSelection.Sample;

    /// <summary>Divides the logits before symbols are drawn: below 1 likelier symbols, above 1 more even ones. Default 1.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>
    /// Sequences whose posteriors latents are drawn from, one at random for each sample, by weight where there are weights: the aggregate posterior. Default null: latents
    /// come from the prior.
    /// </summary>
    public SequenceAlignment? AggregatePosterior { get; init; }

    /// <summary>Seed. Default 0.</summary>
    public int Seed { get; init; }

    internal SequenceGenerationOptions Validate()
    {
        Check.Defined(Selection);
        Check.Positive(Temperature);
        return this;
    }

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
