using Vae.MLNet.Inference;

namespace DecoderService.Models;

/// <summary>An encoder of rows of numbers or of sequences.</summary>
internal interface IRowEncoder : IDisposable
{
    /// <summary>Numbers in a row that is read.</summary>
    int InputSize { get; }

    /// <summary>A name for each of them; empty where some have none.</summary>
    IReadOnlyList<string> InputNames { get; }

    /// <summary>Whether a row may be given as an aligned sequence, and only so where it has no numbers of its own.</summary>
    (bool Allowed, bool Only) Sequences { get; }

    /// <summary>The numbers of an aligned sequence.</summary>
    /// <exception cref="ArgumentException">The sequence has another length or a character of another alphabet.</exception>
    void Read(string sequence, Span<float> row);

    /// <summary>For each row the posterior's mean and then its standard deviation.</summary>
    void Posteriors(ReadOnlySpan<float> features, Span<float> outputs);
}

internal static class RowEncoders
{
    /// <summary>Loads the encoder that goes with a decoder.</summary>
    /// <exception cref="InvalidDataException">The file is broken, or does not belong to the decoder.</exception>
    public static IRowEncoder Load(byte[] bytes, string file, VaeDecoder decoder, ModelRows rows)
    {
        // A model of sequences has an encoder of tokens, or of one-hot rows as other models.
        if (rows.Layout is { } layout && OfTokens(bytes, file) is { } tokens)
        {
            if (tokens.LatentDimension == decoder.LatentDimension && tokens.Layout.Length == layout.Length && tokens.Layout.Alphabet.Equals(layout.Alphabet))
                return new OfSequences(tokens);
            tokens.Dispose();
            throw new InvalidDataException($"'{file}': the encoder is of other sequences than the decoder.");
        }
        var encoder = VaeEncoder.Load(bytes, new() { Name = file });
        if (Problem(encoder, file, decoder, rows) is { } problem)
        {
            encoder.Dispose();
            throw new InvalidDataException(problem);
        }
        return new OfNumbers(encoder, rows.Layout);
    }

    private static SequenceEncoder? OfTokens(byte[] bytes, string file)
    {
        try
        {
            return SequenceEncoder.Load(bytes, new() { Name = file });
        }
        catch (InvalidDataException)
        {
            // What is wrong with a file that is neither is said of the other kind.
            return null;
        }
    }

    private static string? Problem(VaeEncoder encoder, string file, VaeDecoder decoder, ModelRows rows)
    {
        if (!encoder.HasStandardDeviation)
            return $"'{file}': the pipeline was exported without the posterior's standard deviation (PipelineExportOptions.StandardDeviation).";
        // A pipeline may make its features out of more or fewer numbers; sequences may be read with symbols that are not written.
        bool pipeline = encoder.Metadata.GetValueOrDefault("vae.kind") == "pipeline";
        int size = rows.Layout is { } layout ? layout.Length * layout.Alphabet.InputSymbolCount : decoder.FeatureCount;
        return encoder.LatentDimension == decoder.LatentDimension && (encoder.FeatureCount == size || pipeline)
            ? null
            : $"'{file}': the encoder takes {encoder.FeatureCount} features to {encoder.LatentDimension} latents, the decoder goes from {decoder.LatentDimension} to {decoder.FeatureCount}.";
    }

    private static void Interleave(float[] means, float[] deviations, int latent, Span<float> outputs)
    {
        for (int row = 0; row < means.Length / latent; row++)
        {
            means.AsSpan(row * latent, latent).CopyTo(outputs[(2 * row * latent)..]);
            deviations.AsSpan(row * latent, latent).CopyTo(outputs[((2 * row + 1) * latent)..]);
        }
    }

    private sealed class OfNumbers(VaeEncoder encoder, SequenceLayout? layout) : IRowEncoder
    {
        public int InputSize => encoder.FeatureCount;

        public IReadOnlyList<string> InputNames { get; } = ModelRows.Usable(encoder.InputNames);

        public (bool Allowed, bool Only) Sequences => (layout is not null && encoder.FeatureCount == layout.Length * layout.Alphabet.InputSymbolCount, false);

        public void Read(string sequence, Span<float> row) => layout!.OneHot(layout.Encode(sequence)).CopyTo(row);

        public void Posteriors(ReadOnlySpan<float> features, Span<float> outputs)
        {
            float[] means = new float[outputs.Length / 2], deviations = new float[outputs.Length / 2];
            encoder.Encode(features, means, deviations);
            Interleave(means, deviations, encoder.LatentDimension, outputs);
        }

        public void Dispose() => encoder.Dispose();
    }

    /// <summary>Tokens travel through the batches as numbers.</summary>
    private sealed class OfSequences(SequenceEncoder encoder) : IRowEncoder
    {
        public int InputSize => encoder.Layout.Length;

        public IReadOnlyList<string> InputNames => [];

        public (bool Allowed, bool Only) Sequences => (true, true);

        public void Read(string sequence, Span<float> row)
        {
            byte[] tokens = encoder.Layout.Encode(sequence);
            for (int i = 0; i < tokens.Length; i++)
                row[i] = tokens[i];
        }

        public void Posteriors(ReadOnlySpan<float> features, Span<float> outputs)
        {
            var tokens = new byte[features.Length];
            for (int i = 0; i < tokens.Length; i++)
                tokens[i] = (byte)features[i];
            float[] means = new float[outputs.Length / 2], deviations = new float[outputs.Length / 2];
            encoder.Encode(tokens, means, deviations);
            Interleave(means, deviations, encoder.LatentDimension, outputs);
        }

        public void Dispose() => encoder.Dispose();
    }
}
