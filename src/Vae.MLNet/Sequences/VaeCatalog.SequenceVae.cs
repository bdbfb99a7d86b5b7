using Vae.MLNet.Inference;
using Vae.MLNet.Sequences;
using Vae.MLNet.Training;

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
        return Score(model, resolver, [.. Check.NotNull(variants).Select(resolver.Resolve)], options);
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
        return Score(model, resolver, [.. resolver.AllSubstitutions().Select(resolver.Resolve)], options);
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
        Fits(model.Layout, Check.NotNull(alignment), nameof(alignment));
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
    public SequenceAlignment SampleSequences(SequenceVaeModel model, int count, SequenceGenerationOptions? options = null)
    {
        Check.NotNull(model);
        Check.AtLeast(count, 1);
        options = (options ?? new()).Validate();
        var layout = model.Layout;
        if (options.AggregatePosterior is { } rows)
            Fits(layout, rows, nameof(options.AggregatePosterior));
        var tokens = new byte[checked(count * layout.Length)];
        for (int m = 0; m < model.Members.Count; m++)
        {
            int own = (count - m + model.Members.Count - 1) / model.Members.Count, seed = (int)(SeedStream.Derive(options.Seed, Purpose.Sample, m) >> 33);
            if (own == 0)
                continue;
            var how = new SequenceSampleOptions { Selection = options.Selection, Temperature = options.Temperature };
            using var decoder = model.CreateDecoder(m);
            var sampled = options.AggregatePosterior is { } alignment
                ? decoder.Decode(Latents(model, m, alignment, own, seed), seed, how)
                : decoder.Sample(own, seed, how);
            for (int i = 0; i < own; i++)
                sampled.Tokens.Slice(i * layout.Length, layout.Length).Span.CopyTo(tokens.AsSpan((i * model.Members.Count + m) * layout.Length));
        }
        return SequenceAlignment.FromTokens(layout, tokens);
    }

    private static void Fits(SequenceLayout layout, SequenceAlignment alignment, string name)
    {
        if (alignment.Length != layout.Length || !alignment.Alphabet.Equals(layout.Alphabet))
        {
            throw Check.Argument(name, Check.Invariant(
                $"{name} has {alignment.Length} columns of alphabet {alignment.Alphabet}; the model has {layout.Length} of alphabet {layout.Alphabet}."));
        }
    }

    /// <summary>Draws from the posteriors of sequences drawn by weight.</summary>
    private static float[] Latents(SequenceVaeModel model, int member, SequenceAlignment alignment, int count, int seed)
    {
        var random = new Random(seed);
        double[] cumulative = new double[alignment.Count];
        double sum = 0;
        for (int row = 0; row < cumulative.Length; row++)
            cumulative[row] = sum += alignment.HasWeights ? alignment.Weights.Span[row] : 1;
        var tokens = new byte[count * alignment.Length];
        for (int i = 0; i < count; i++)
        {
            int found = Array.BinarySearch(cumulative, random.NextDouble() * sum);
            alignment.Row(Math.Min(found < 0 ? ~found : found + 1, alignment.Count - 1)).CopyTo(tokens.AsSpan(i * alignment.Length));
        }
        using var encoder = model.CreateEncoder(member);
        float[] latents = new float[count * model.LatentDimension], deviations = new float[latents.Length];
        encoder.Encode(tokens, latents, deviations);
        for (int i = 0; i < latents.Length; i++)
            latents[i] += deviations[i] * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return latents;
    }

    private static IReadOnlyList<VariantScore> Score(SequenceVaeModel model, VariantResolver resolver, ResolvedVariant[] variants, VariantScoringOptions options)
    {
        ResolvedVariant[] valid = [.. variants.Where(variant => variant.Status == VariantStatus.Valid)];
        int length = model.Layout.Length;
        double[] bounds = [];
        if (valid.Length > 0)
        {
            // The reference comes first.
            var tokens = new byte[checked((valid.Length + 1) * length)];
            resolver.Reference.CopyTo(tokens);
            for (int i = 0; i < valid.Length; i++)
                resolver.Apply(valid[i], tokens.AsSpan((i + 1) * length, length));
            using var scorer = new VariantScorer(model, options);
            bounds = scorer.Bounds(tokens);
        }
        int next = 1;
        return [.. variants.Select(variant =>
            new VariantScore(variant.Text, variant.Status == VariantStatus.Valid ? bounds[next++] - bounds[0] : null, variant.Status, variant.Reason))];
    }
}
