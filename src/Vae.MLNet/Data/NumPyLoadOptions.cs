namespace Vae.MLNet;

/// <summary>How a NumPy file is loaded.</summary>
public sealed record NumPyLoadOptions
{
    internal const long DefaultMaxBytes = 2L << 30;

    /// <summary>
    /// Most bytes that the values of the loaded arrays may take in memory together, 4 for each element, whatever the file's own type is. A compressed file of one
    /// megabyte can stand for gigabytes; a file with more than this is refused before memory is taken for it. Default 0: 2 GiB, or 16 times the size of the
    /// file where that is more.
    /// </summary>
    public long MaxBytes { get; init; }

    internal void Validate() => Check.AtLeast(MaxBytes, 0);
}
