namespace Vae.MLNet.Inference;

/// <summary>How a model is loaded and run.</summary>
public sealed record VaeSessionOptions
{
    /// <summary>
    /// Threads that one call uses within a matrix product. Default 1: the networks are small, and a service is parallel over its requests. 0 lets OnnxRuntime
    /// take one for each core.
    /// </summary>
    public int Threads { get; init; } = 1;

    /// <summary>Largest file that is read, in bytes; a larger one is refused before any of it is. Default 1 GiB.</summary>
    public long MaximumFileSize { get; init; } = 1L << 30;

    /// <summary>What errors call a model that is loaded from memory or from a stream, as the file it came from. Default null: "model in memory", or the stream's own name.</summary>
    public string? Name { get; init; }

    internal VaeSessionOptions Validate()
    {
        if (Threads is < 0 or > 4096)
            throw Guard.OutOfRange(nameof(Threads), Threads, "between 0 and 4096");
        if (MaximumFileSize is < 1 or > int.MaxValue)
            throw Guard.OutOfRange(nameof(MaximumFileSize), MaximumFileSize, Guard.Invariant($"between 1 and {int.MaxValue}"));
        return this;
    }
}
