namespace Vae.MLNet.Inference.Randomness;

/// <summary>Draws rows until enough of them are kept.</summary>
internal static class KeptRows
{
    /// <summary>Rows drawn together.</summary>
    private const int FewestRows = 64, MostRows = 4096;

    /// <summary>The stream of a seed that says which rows are kept.</summary>
    private const uint Stream = 3;

    /// <param name="count">Rows that are wanted.</param>
    /// <param name="seed">Seed of the choice.</param>
    /// <param name="options">The critic, the rule and the most tries.</param>
    /// <param name="latentDimension">Numbers in a latent.</param>
    /// <param name="featureCount">Numbers in an output.</param>
    /// <param name="draw">Draws the next so many rows: latents and outputs.</param>
    public static DecodedLatents Fill(
        int count, int seed, SampleOptions options, int latentDimension, int featureCount, Func<int, (float[] Latents, float[] Outputs)> draw)
    {
        if (options.Critic is null && options.Keep is null)
        {
            var all = draw(count);
            return new(all.Latents, all.Outputs, latentDimension, featureCount);
        }
        if (options.Critic is { } judge)
            RequireSize(judge, featureCount, nameof(options));
        var latents = new float[Guard.ArrayLength(count, latentDimension, nameof(count))];
        var outputs = new float[Guard.ArrayLength(count, featureCount, nameof(count))];
        var random = new SeededRandom(seed, Stream);
        long drawn = 0, most = (long)count * options.MaximumTries;
        int kept = 0;
        while (kept < count)
        {
            if (drawn >= most)
            {
                throw new InvalidOperationException(Guard.Invariant(
                    $"Of {drawn} rows drawn {kept} were kept, {count} are wanted; {nameof(SampleOptions.MaximumTries)} ({options.MaximumTries}) a row allows no more."));
            }
            // As many as would do if every other one were kept.
            int rows = (int)Math.Min(Math.Clamp(2L * (count - kept), FewestRows, MostRows), most - drawn);
            var (z, x) = draw(rows);
            var ratios = new float[options.Critic is null ? 0 : rows];
            options.Critic?.LogRatios(x, ratios);
            for (int row = 0; row < rows && kept < count; row++)
            {
                drawn++;
                var output = x.AsSpan(row * featureCount, featureCount);
                bool keep = options.Critic is not { } critic || random.NextUniform() < critic.KeepProbability(ratios[row]);
                if (!keep || options.Keep is { } rule && !rule(output))
                    continue;
                z.AsSpan(row * latentDimension, latentDimension).CopyTo(latents.AsSpan(kept * latentDimension));
                output.CopyTo(outputs.AsSpan(kept * featureCount));
                kept++;
            }
        }
        return new(latents, outputs, latentDimension, featureCount) { Drawn = drawn };
    }

    /// <summary>Throws where a critic judges rows of another length.</summary>
    public static void RequireSize(VaeCritic critic, int featureCount, string parameter)
    {
        if (critic.FeatureCount != featureCount)
        {
            throw new ArgumentException(
                Guard.Invariant($"The critic judges rows of {critic.FeatureCount} numbers; the model's have {featureCount}."), parameter);
        }
    }
}
