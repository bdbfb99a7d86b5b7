using Vae.MLNet.Inference.Randomness;

namespace Vae.MLNet.Inference;

/// <summary>
/// The decoder of a sequence autoencoder, loaded from the ONNX file that Vae.MLNet exports: latents to sequences and to probabilities of the symbols at each position.
/// Immutable and safe to use from many threads at once.
/// </summary>
public sealed class SequenceDecoder : IDisposable
{
    private const int Block = 256;

    private readonly int _symbols;

    private SequenceDecoder(VaeDecoder decoder)
    {
        Decoder = decoder;
        try
        {
            if (!decoder.Metadata.TryGetValue("vae.sequence_layout", out string? json))
                throw new InvalidDataException("The decoder has no 'vae.sequence_layout' in its metadata: it is no model of sequences.");
            Layout = SequenceLayout.FromJson(json);
            _symbols = Layout.Alphabet.OutputSymbolCount;
            if (decoder.Likelihood != DecoderLikelihood.Categorical || decoder.GroupSize != _symbols || decoder.FeatureCount != _symbols * Layout.Length)
            {
                throw new InvalidDataException(Guard.Invariant(
                    $"The decoder gives {decoder.FeatureCount} numbers in groups of {decoder.GroupSize}; its layout says {Layout.Length} positions of {_symbols} symbols."));
            }
        }
        catch
        {
            decoder.Dispose();
            throw;
        }
    }

    /// <summary>The decoder underneath: probabilities as numbers, and <see cref="VaeDecoder.Optimize"/> for objectives over them.</summary>
    public VaeDecoder Decoder { get; }

    /// <summary>Alphabet, reference and column map.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>Numbers in a latent.</summary>
    public int LatentDimension => Decoder.LatentDimension;

    /// <summary>Symbols at each position: the letters, and the gap where the alphabet treats it as one.</summary>
    public int SymbolCount => _symbols;

    /// <summary>Loads a decoder from a file, which is closed before this returns.</summary>
    /// <param name="path">ONNX file made by <c>ExportDecoder</c> of a sequence model.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The file is not a decoder of sequences of this library, is broken, or is larger than the options allow.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    public static SequenceDecoder Load(string path, VaeSessionOptions? options = null) => new(VaeDecoder.Load(path, options));

    /// <summary>Loads a decoder from a stream, which is read to its end and left open.</summary>
    /// <param name="stream">Stream over an ONNX file made by <c>ExportDecoder</c> of a sequence model.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not a decoder of sequences of this library, is broken, or is larger than the options allow.</exception>
    public static SequenceDecoder Load(Stream stream, VaeSessionOptions? options = null) => new(VaeDecoder.Load(stream, options));

    /// <summary>Loads a decoder from memory, which is not used after this returns.</summary>
    /// <param name="model">Bytes of an ONNX file made by <c>ExportDecoder</c> of a sequence model.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not a decoder of sequences of this library, is broken, or is larger than the options allow.</exception>
    public static SequenceDecoder Load(ReadOnlyMemory<byte> model, VaeSessionOptions? options = null) => new(VaeDecoder.Load(model, options));

    /// <summary>The probabilities of the symbols at every position.</summary>
    /// <param name="latent"><see cref="LatentDimension"/> numbers.</param>
    /// <returns>Position after position, <see cref="SymbolCount"/> probabilities each, in the order of the alphabet's tokens.</returns>
    /// <exception cref="ArgumentException">The latent has another length.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public float[] Probabilities(ReadOnlySpan<float> latent) => Decoder.Decode(latent);

    /// <summary>The sequence of the most probable symbols.</summary>
    /// <param name="latent"><see cref="LatentDimension"/> numbers.</param>
    /// <returns>The aligned sequence.</returns>
    /// <exception cref="ArgumentException">The latent has another length.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public string MostProbable(ReadOnlySpan<float> latent)
    {
        Guard.Row(latent.Length, LatentDimension, nameof(latent), "the latent dimension");
        return Decode(latent, 0, new() { Selection = SymbolSelection.MostProbable }).Sequences[0];
    }

    /// <summary>Makes one sequence of each latent.</summary>
    /// <param name="latents">Latents, one after another: n x <see cref="LatentDimension"/> numbers.</param>
    /// <param name="seed">Seed of the symbols drawn.</param>
    /// <param name="options">How symbols are chosen; null for the defaults.</param>
    /// <returns>n sequences.</returns>
    /// <exception cref="ArgumentException">The latents are not whole rows.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public DecodedSequences Decode(ReadOnlySpan<float> latents, int seed, SequenceSampleOptions? options = null)
    {
        options = (options ?? new()).Validate();
        int rows = Guard.Rows(latents.Length, LatentDimension, nameof(latents), "the latent dimension"), features = Decoder.FeatureCount, length = Layout.Length;
        var tokens = new byte[Guard.ArrayLength(rows, length, nameof(latents))];
        var kept = options.KeepProbabilities ? new float[Guard.ArrayLength(rows, features, nameof(latents))] : [];
        var logits = new float[Math.Min(rows, Block) * features];
        // A stream of its own, so that latents and symbols of one seed do not go together.
        var random = new SeededRandom(seed, stream: 2);
        for (int done = 0; done < rows; done += Block)
        {
            int block = Math.Min(Block, rows - done);
            var values = logits.AsSpan(0, block * features);
            Decoder.DecodeLogits(latents.Slice(done * LatentDimension, block * LatentDimension), values);
            for (int i = 0; i < block * length; i++)
            {
                var position = values.Slice(i * _symbols, _symbols);
                Softmax(position, options.Temperature);
                tokens[done * length + i] = (byte)(options.Selection == SymbolSelection.MostProbable ? Largest(position) : Draw(position, random.NextUniform()));
            }
            if (options.KeepProbabilities)
                values.CopyTo(kept.AsSpan(done * features));
        }
        return new(Layout, tokens, latents.ToArray(), kept);
    }

    /// <summary>Draws latents from the prior and makes one sequence of each.</summary>
    /// <param name="count">How many; 0 or more.</param>
    /// <param name="seed">Seed; the first sequences do not depend on how many are drawn.</param>
    /// <param name="options">How symbols are chosen; null for the defaults.</param>
    /// <returns>The sequences.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The count is negative or too large, or an option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public DecodedSequences Sample(int count, int seed, SequenceSampleOptions? options = null)
    {
        options = (options ?? new()).Validate();
        Guard.AtLeast(count, 0);
        var latents = new float[Guard.ArrayLength(count, LatentDimension, nameof(count))];
        var random = new SeededRandom(seed);
        for (int i = 0; i < latents.Length; i++)
            latents[i] = (float)(options.LatentTemperature * random.NextNormal());
        return Decode(latents, seed, options);
    }

    /// <summary>Sequences on the way from one latent to another, both ends included.</summary>
    /// <param name="from">First latent.</param>
    /// <param name="to">Last latent.</param>
    /// <param name="steps">Number of points, at least 2.</param>
    /// <param name="mode">Which way.</param>
    /// <param name="seed">Seed of the symbols, where they are drawn.</param>
    /// <param name="options">How symbols are chosen; null for the most probable ones.</param>
    /// <returns><paramref name="steps"/> sequences.</returns>
    /// <exception cref="ArgumentException">A latent has another length or is not finite, or the two point in opposite directions on a spherical way.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than two steps, or an option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public DecodedSequences Interpolate(ReadOnlySpan<float> from, ReadOnlySpan<float> to, int steps, InterpolationMode mode = InterpolationMode.Linear, int seed = 0,
        SequenceSampleOptions? options = null) =>
        Decode(Decoder.Interpolate(from, to, steps, mode).Latents.Span, seed, options ?? new() { Selection = SymbolSelection.MostProbable });

    /// <summary>
    /// Searches for a latent whose probabilities make an objective small, by gradient descent: see <see cref="SequenceObjective"/> for objectives, and
    /// <see cref="LatentOptimizationOptions.PriorWeight"/> for what keeps the latent where the family is.
    /// </summary>
    /// <param name="objective">Function of the probabilities (position after position, <see cref="SymbolCount"/> each).</param>
    /// <param name="start">Where to start: <see cref="LatentDimension"/> numbers, such as the posterior mean of a natural sequence.</param>
    /// <param name="options">How to descend; null for the defaults.</param>
    /// <param name="cancellationToken">Stops the descent.</param>
    /// <returns>The way, and the most probable sequence at its best point.</returns>
    /// <exception cref="InvalidOperationException">The decoder was exported without gradient.</exception>
    /// <exception cref="ArgumentException">The start has another length or is not finite, or the objective does not fit the decoder.</exception>
    /// <exception cref="OperationCanceledException">The descent was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public SequenceOptimization Optimize(LatentObjective objective, ReadOnlySpan<float> start, LatentOptimizationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var descent = Decoder.Optimize(objective, start, options, cancellationToken);
        return new(descent, MostProbable(descent.BestLatent));
    }

    /// <summary>Where the probability of a letter stands among those that <see cref="Probabilities"/> gives.</summary>
    /// <param name="referencePosition">Position in the reference's numbering.</param>
    /// <param name="letter">The letter; <c>-</c> is the gap where the alphabet has it as a symbol.</param>
    /// <returns>The index.</returns>
    /// <exception cref="ArgumentException">The position is not modelled, or the letter is not one of the symbols.</exception>
    public int IndexOf(int referencePosition, char letter) => SequenceObjective.Index(Layout, referencePosition, letter, nameof(letter));

    /// <summary>Frees the model once the calls in flight have ended; later calls throw.</summary>
    public void Dispose() => Decoder.Dispose();

    private static void Softmax(Span<float> values, float temperature)
    {
        float largest = float.NegativeInfinity, sum = 0;
        foreach (float value in values)
            largest = MathF.Max(largest, value);
        foreach (ref float value in values)
            sum += value = MathF.Exp((value - largest) / temperature);
        foreach (ref float value in values)
            value /= sum;
    }

    private static int Largest(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best])
                best = i;
        }
        return best;
    }

    private static int Draw(ReadOnlySpan<float> probabilities, double u)
    {
        for (int i = 0; i < probabilities.Length - 1; i++)
        {
            u -= probabilities[i];
            if (u < 0)
                return i;
        }
        return probabilities.Length - 1;
    }
}
