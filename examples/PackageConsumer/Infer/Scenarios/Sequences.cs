using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>A protein family's encoder and decoder: probabilities, new sequences, ways between two, and design.</summary>
internal static class Sequences
{
    public static void Run(string folder)
    {
        string encoderFile = Path.Combine(folder, "sequence-encoder.onnx"), decoderFile = Path.Combine(folder, "sequence-decoder.onnx");
        var encoder = SequenceEncoder.Load(encoderFile, new VaeSessionOptions { Threads = 1 });
        var decoder = SequenceDecoder.Load(decoderFile, new VaeSessionOptions { Threads = 1 });
        string reference = decoder.Layout.Reference;
        float[] latent = encoder.Encode(reference).Mean, means = new float[2], deviations = new float[2];
        Expect.That(encoder.Encode(encoder.Layout.Encode(reference), means, deviations) == 1 && deviations.All(deviation => deviation > 0),
            "tokens are encoded");
        Expect.Near(means, latent, 1e-5, "a mean from tokens");

        // What stands where with which probability.
        float[] probabilities = decoder.Probabilities(latent);
        Expect.That(decoder is { LatentDimension: 2, SymbolCount: 21 } && probabilities.Length == 12 * 21,
            "each position has 21 probabilities");
        Expect.That(probabilities[decoder.IndexOf(1, 'A')] > 0.8, "the letter that never changes is the probable one");
        Expect.That(decoder.MostProbable(latent)[0] == 'A', "and comes first in the most probable sequence");
        var numbers = decoder.Decoder;
        float[] logits = numbers.DecodeLogits(latent), many = new float[2 * logits.Length];
        Expect.That(numbers.HasLogits && numbers.DecodeLogits([.. latent, .. latent], many) == 2, "the decoder of numbers gives logits");
        Expect.Near(many.AsSpan(logits.Length), logits, 1e-4, "a logit decoded with others");
        Expect.Near(Math.Exp(logits[0] - logits[1]), probabilities[0] / probabilities[1], 1e-2 * probabilities[0] / probabilities[1],
            "the ratio of two probabilities");

        // New sequences: of given latents, of the prior, on the way between two.
        var options = new SequenceSampleOptions { Selection = SymbolSelection.Sample, KeepProbabilities = true };
        var drawn = decoder.Decode(latent, seed: 1, options);
        Expect.Near(drawn.Probabilities.Span, probabilities, 1e-5, "a probability that was kept");
        Expect.That(drawn.Latents.Span.SequenceEqual(latent) && decoder.Layout.Decode(drawn.Tokens.Span) == drawn.Sequences[0],
            "latents, tokens and texts belong together");
        Expect.That(decoder.Sample(20, seed: 1).Sequences.Count(sequence => sequence[0] == 'A') > 15, "samples are like the family");
        Expect.That(decoder.Interpolate([-1, 0], [1, 0], steps: 5).Sequences.Count == 5, "a way has its steps");

        // Design: negative, near a natural sequence, with a letter that has to be there.
        var charge = SequenceObjective.Expected(decoder.Layout, letter => letter is 'K' or 'R' ? 1 : letter is 'D' or 'E' ? -1 : 0);
        var natural = SequenceObjective.Sequence(decoder.Layout, reference);
        var wanted = charge + 0.01 * natural + SequenceObjective.Letters(decoder.Layout, (4, 'E'));
        var designed = decoder.Optimize(wanted, latent, new LatentOptimizationOptions { Steps = 100 });
        Expect.That(charge.Evaluate(designed.Descent.BestOutput) < charge.Evaluate(probabilities) - 0.5, "the charge goes down");
        encoder.Dispose();
        decoder.Dispose();

        // Streams and memory do as well as files.
        using var encoderStream = File.OpenRead(encoderFile);
        using var decoderStream = File.OpenRead(decoderFile);
        using var streamedEncoder = SequenceEncoder.Load(encoderStream);
        using var heldEncoder = SequenceEncoder.Load(File.ReadAllBytes(encoderFile));
        using var streamedDecoder = SequenceDecoder.Load(decoderStream);
        using var heldDecoder = SequenceDecoder.Load(File.ReadAllBytes(decoderFile));
        Expect.Near(streamedEncoder.Encode(reference).Mean, latent, 1e-5, "a number from a stream's encoder");
        Expect.Near(heldEncoder.Encode(reference).Mean, latent, 1e-5, "a number from an encoder in memory");
        Expect.Near(streamedDecoder.Probabilities(latent), probabilities, 1e-5, "a probability from a stream's decoder");
        Expect.Near(heldDecoder.Probabilities(latent), probabilities, 1e-5, "a probability from a decoder in memory");
    }
}
