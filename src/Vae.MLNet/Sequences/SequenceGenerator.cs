using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Sequences;

/// <summary>New sequences of a trained model: latents of the prior or of the aggregate posterior, decoded.</summary>
internal static class SequenceGenerator
{
    /// <summary>Beside the streams of the decoder's latents, noise and symbols, which have the same seed.</summary>
    private const uint PosteriorStream = 3;

    public static SequenceAlignment Sample(SequenceVaeModel model, int count, SequenceGenerationOptions options)
    {
        var layout = model.Layout;
        if (options.AggregatePosterior is { } rows)
            RequireFit(layout, rows, nameof(options.AggregatePosterior));
        var tokens = new byte[checked(count * layout.Length)];
        for (int m = 0; m < model.Members.Count; m++)
        {
            int own = (count - m + model.Members.Count - 1) / model.Members.Count, seed = SeedStream.ToSeed(SeedStream.Derive(options.Seed, Purpose.Sample, m));
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

    /// <summary>An alignment that a model is applied to has its columns and alphabet.</summary>
    public static void RequireFit(SequenceLayout layout, SequenceAlignment alignment, string name)
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
        var random = new SeededRandom(seed, PosteriorStream);
        double[] cumulative = new double[alignment.Count];
        double sum = 0;
        for (int row = 0; row < cumulative.Length; row++)
            cumulative[row] = sum += alignment.HasWeights ? alignment.Weights.Span[row] : 1;
        var tokens = new byte[count * alignment.Length];
        for (int i = 0; i < count; i++)
        {
            int found = Array.BinarySearch(cumulative, random.NextUniform() * sum);
            alignment.Row(Math.Min(found < 0 ? ~found : found + 1, alignment.Count - 1)).CopyTo(tokens.AsSpan(i * alignment.Length));
        }
        using var encoder = model.CreateEncoder(member);
        float[] latents = new float[count * model.LatentDimension], deviations = new float[latents.Length];
        encoder.Encode(tokens, latents, deviations);
        for (int i = 0; i < latents.Length; i++)
            latents[i] += deviations[i] * (float)random.NextNormal();
        return latents;
    }
}
