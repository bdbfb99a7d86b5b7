namespace Vae.MLNet.Inference;

/// <summary>How a position's symbol is chosen from its probabilities.</summary>
public enum SymbolSelection
{
    /// <summary>Drawn, each position on its own given the latent.</summary>
    Sample,

    /// <summary>The most probable one.</summary>
    MostProbable,
}

/// <summary>How sequences are made from latents.</summary>
public sealed record SequenceSampleOptions
{
    /// <summary>How a position's symbol is chosen. Default drawn.</summary>
    public SymbolSelection Selection { get; init; } = SymbolSelection.Sample;

    /// <summary>Divides the logits before symbols are drawn: below 1 likelier symbols, above 1 more even ones. Default 1.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Standard deviation of latents drawn from the prior. Default 1.</summary>
    public float LatentTemperature { get; init; } = 1;

    /// <summary>Whether the probabilities that symbols were chosen by are kept. Default false.</summary>
    public bool KeepProbabilities { get; init; }

    internal SequenceSampleOptions Validate()
    {
        Guard.Defined(Selection);
        Guard.Positive(Temperature);
        Guard.NotNegative(LatentTemperature);
        return this;
    }
}

/// <summary>Sequences made from latents.</summary>
public sealed class DecodedSequences
{
    private readonly byte[] _tokens;
    private readonly float[] _latents, _probabilities;

    internal DecodedSequences(SequenceLayout layout, byte[] tokens, float[] latents, float[] probabilities)
    {
        Layout = layout;
        _tokens = tokens;
        _latents = latents;
        _probabilities = probabilities;
        Sequences = [.. Enumerable.Range(0, tokens.Length / layout.Length).Select(i => layout.Decode(tokens.AsSpan(i * layout.Length, layout.Length)))];
    }

    /// <summary>Alphabet, reference and column map.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>The aligned sequences, one character for each modelled column; gaps are <c>-</c>.</summary>
    public IReadOnlyList<string> Sequences { get; }

    /// <summary>The tokens of all sequences, one after another.</summary>
    public ReadOnlyMemory<byte> Tokens => _tokens;

    /// <summary>The latents they were made from, one after another.</summary>
    public ReadOnlyMemory<float> Latents => _latents;

    /// <summary>For each sequence the probabilities of the symbols at every position, row-major; empty unless they were asked for.</summary>
    public ReadOnlyMemory<float> Probabilities => _probabilities;
}
