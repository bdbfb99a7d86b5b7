using Vae.MLNet.Inference;
using Vae.MLNet.Model;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>A trainer of a variational autoencoder on aligned sequences.</summary>
    /// <param name="outputColumnName">Column for the posterior mean, a vector of the latent dimension.</param>
    /// <param name="tokensColumnName">Column of tokens, Vector&lt;Int64, L&gt; with a sequence layout, as <see cref="LoadAlignment"/> makes.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice, or options contradict each other.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public SequenceVaeTrainer SequenceAutoencoder(string outputColumnName = "Latent", string tokensColumnName = SequenceAlignment.TokensColumn,
        SequenceVaeTrainer.Options? options = null) =>
        new(Context, outputColumnName, tokensColumnName, options);

    /// <summary>
    /// Scores variants by the evidence lower bound of the variant minus that of the reference (Riesselman et al. 2018, Frazer et al. 2021), averaged over posterior draws
    /// and members: lower is less like the family, that is, more likely to be damaging.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="variants">Such as <c>R175H</c> or <c>R175H:A20C</c>, in the numbering of the layout's reference.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>One result a variant, in order; those that cannot be scored say why.</returns>
    /// <exception cref="ArgumentException">The reference does not fit the layout.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public IReadOnlyList<VariantScore> ScoreVariants(SequenceVaeModel model, IEnumerable<string> variants, VariantScoringOptions? options = null)
    {
        Check.NotNull(model);
        options = (options ?? new()).Validate();
        var resolver = new VariantResolver(model.Layout, options.Reference);
        return VariantScorer.Differences(model, resolver, [.. Check.NotNull(variants).Select(resolver.Resolve)], options);
    }

    /// <summary>Scores every single substitution of every modelled position that has a residue in the reference; see <see cref="ScoreVariants"/>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>(K - 1) · L results for K letters and L positions, ordered by position, then by letter.</returns>
    /// <exception cref="ArgumentException">The reference does not fit the layout.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public IReadOnlyList<VariantScore> ScoreAllSubstitutions(SequenceVaeModel model, VariantScoringOptions? options = null)
    {
        Check.NotNull(model);
        options = (options ?? new()).Validate();
        var resolver = new VariantResolver(model.Layout, options.Reference);
        return VariantScorer.Differences(model, resolver, [.. resolver.AllSubstitutions().Select(resolver.Resolve)], options);
    }

    /// <summary>
    /// Evidence lower bounds of whole sequences in nats, averaged over posterior draws and members: how well each one fits the family, which held-out sequences tell
    /// without any labels.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="alignment">The sequences.</param>
    /// <param name="options">Options, whose reference plays no part; the defaults where null.</param>
    /// <returns>One bound a sequence; lower is less like the family.</returns>
    /// <exception cref="ArgumentException">The alignment has another length or alphabet than the model.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public IReadOnlyList<double> ScoreSequences(SequenceVaeModel model, SequenceAlignment alignment, VariantScoringOptions? options = null)
    {
        Check.NotNull(model);
        SequenceGenerator.RequireFit(model.Layout, Check.NotNull(alignment), nameof(alignment));
        using var scorer = new VariantScorer(model, (options ?? new()).Validate());
        return scorer.Bounds(alignment.Tokens.ToArray());
    }

    /// <summary>Makes new sequences; the members of an ensemble take turns.</summary>
    /// <param name="model">The model.</param>
    /// <param name="count">How many; at least 1.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The sequences as an alignment, which <see cref="SequenceAlignment.SaveFasta"/> writes.</returns>
    /// <exception cref="ArgumentException">The alignment of the aggregate posterior has another length or alphabet than the model.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The count is not positive, or an option is out of its range.</exception>
    public SequenceAlignment SampleSequences(SequenceVaeModel model, int count, SequenceGenerationOptions? options = null) =>
        SequenceGenerator.Sample(Check.NotNull(model), Check.AtLeast(count, 1), (options ?? new()).Validate());
}
