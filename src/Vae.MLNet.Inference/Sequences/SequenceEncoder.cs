using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Running;

namespace Vae.MLNet.Inference;

/// <summary>
/// The encoder of a sequence autoencoder, loaded from the ONNX file that Vae.MLNet exports: aligned sequences to the posterior of the latent. Immutable and safe to use
/// from many threads at once; disposing while calls are running is safe.
/// </summary>
public sealed class SequenceEncoder : IDisposable
{
    private const string TokensName = "Tokens", LatentName = "Latent", SigmaName = "LatentSigma";

    /// <summary>Rows run at once: what is gathered for each, positions times hidden units, has to stay in the cache.</summary>
    private const int LargestBlock = 32;

    private readonly ModelSession _session;
    private readonly RunPlan _encode;

    private SequenceEncoder(ModelBytes model, VaeSessionOptions options)
    {
        SequenceLayout? layout = null;
        _session = ModelSession.Load(model, options, typeof(SequenceEncoder), [ModelHeader.EncoderKind], Plans, out var header, out var plans);
        _encode = plans[0];
        Layout = layout!;
        LatentDimension = header.LatentDimension;
        Metadata = header.Metadata;

        RunPlan[] Plans(ModelHeader header, InferenceSession session)
        {
            layout = header.ReadLayout();
            header.CheckTensor(session.InputMetadata, "input", TokensName, layout.Length, TensorElementType.Int64);
            header.CheckTensor(session.OutputMetadata, "output", LatentName, header.LatentDimension);
            header.CheckTensor(session.OutputMetadata, "output", SigmaName, header.LatentDimension);
            return [new([new(TokensName, layout.Length, IsTokens: true)], [new(LatentName, header.LatentDimension), new(SigmaName, header.LatentDimension)])];
        }
    }

    /// <summary>Alphabet, reference and column map.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>Numbers in a latent.</summary>
    public int LatentDimension { get; }

    /// <summary>All that the file says of itself (keys <c>vae.*</c>).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Loads an encoder from a file, which is closed before this returns.</summary>
    /// <param name="path">ONNX file made by <c>ExportEncoder</c> of a sequence model.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The file is not an encoder of sequences of this library, is broken, or is larger than the options allow.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    public static SequenceEncoder Load(string path, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromFile(path, options), options);
    }

    /// <summary>Loads an encoder from a stream, which is read to its end and left open.</summary>
    /// <param name="stream">Stream over an ONNX file made by <c>ExportEncoder</c> of a sequence model.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not an encoder of sequences of this library, is broken, or is larger than the options allow.</exception>
    public static SequenceEncoder Load(Stream stream, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromStream(stream, options), options);
    }

    /// <summary>Loads an encoder from memory, which is not used after this returns.</summary>
    /// <param name="model">Bytes of an ONNX file made by <c>ExportEncoder</c> of a sequence model.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not an encoder of sequences of this library, is broken, or is larger than the options allow.</exception>
    public static SequenceEncoder Load(ReadOnlyMemory<byte> model, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromMemory(model, options), options);
    }

    /// <summary>Encodes one aligned sequence.</summary>
    /// <param name="sequence">One character for each modelled column; gaps are <c>-</c>.</param>
    /// <returns>The posterior.</returns>
    /// <exception cref="ArgumentException">The sequence has another length or a character that is not of the alphabet.</exception>
    /// <exception cref="ObjectDisposedException">The encoder has been disposed.</exception>
    public LatentPosterior Encode(ReadOnlySpan<char> sequence)
    {
        var posterior = new LatentPosterior(new float[LatentDimension], new float[LatentDimension]);
        Encode(Layout.Encode(sequence), posterior.Mean, posterior.StandardDeviation);
        return posterior;
    }

    /// <summary>Encodes sequences given as tokens, into memory of the caller's.</summary>
    /// <param name="tokens">Tokens, sequence after sequence: n x the layout's length.</param>
    /// <param name="means">Takes the posteriors' means: n x <see cref="LatentDimension"/> numbers.</param>
    /// <param name="standardDeviations">Takes their standard deviations: n x <see cref="LatentDimension"/> numbers.</param>
    /// <returns>The number of sequences, n.</returns>
    /// <exception cref="ArgumentException">The tokens are not whole sequences or not all of the alphabet, or a destination has not exactly the room.</exception>
    /// <exception cref="ObjectDisposedException">The encoder has been disposed.</exception>
    public int Encode(ReadOnlySpan<byte> tokens, Span<float> means, Span<float> standardDeviations)
    {
        int length = Layout.Length, rows = Guard.Rows(tokens.Length, length, nameof(tokens), "the layout's length");
        Guard.Destination(means.Length, rows, LatentDimension, nameof(means));
        Guard.Destination(standardDeviations.Length, rows, LatentDimension, nameof(standardDeviations));
        // A number that is no token would look up another position's row.
        int bad = tokens.IndexOfAnyInRange((byte)Layout.Alphabet.TokenCount, byte.MaxValue);
        if (bad >= 0)
            throw new ArgumentException(Guard.Invariant($"Token {tokens[bad]} at place {bad} is not one of the alphabet (0 to {Layout.Alphabet.UnknownToken})."), nameof(tokens));
        using var run = _session.Rent(_encode, rows);
        int most = Math.Min(run.Capacity, LargestBlock);
        for (int done = 0; done < rows; done += most)
        {
            int block = Math.Min(rows - done, most);
            var input = run.TokenInput(0);
            for (int i = 0; i < block * length; i++)
                input[i] = tokens[done * length + i];
            run.Run(block);
            run.Output(0)[..(block * LatentDimension)].CopyTo(means[(done * LatentDimension)..]);
            run.Output(1)[..(block * LatentDimension)].CopyTo(standardDeviations[(done * LatentDimension)..]);
        }
        return rows;
    }

    /// <summary>Frees the model once the calls in flight have ended; later calls throw.</summary>
    public void Dispose() => _session.Dispose();
}
