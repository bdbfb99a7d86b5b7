namespace Vae.MLNet.Inference;

/// <summary>Latent points with their decoded outputs, row by row: samples, an interpolation, the path of an optimisation.</summary>
public sealed class DecodedLatents
{
    private readonly float[] _latents, _outputs;

    internal DecodedLatents(float[] latents, float[] outputs, int latentDimension, int featureCount)
    {
        _latents = latents;
        _outputs = outputs;
        LatentDimension = latentDimension;
        FeatureCount = featureCount;
        Count = latents.Length / latentDimension;
        Drawn = Count;
    }

    /// <summary>Number of rows.</summary>
    public int Count { get; }

    /// <summary>
    /// Rows that were drawn so that <see cref="Count"/> were kept (<see cref="SampleOptions.Critic"/>, <see cref="SampleOptions.Keep"/>);
    /// as many, where none was dropped.
    /// </summary>
    public long Drawn { get; internal init; }

    /// <summary>Share of the rows drawn that were kept; 1 where there are none.</summary>
    public double Acceptance => Drawn == 0 ? 1 : (double)Count / Drawn;

    /// <summary>Numbers in a latent.</summary>
    public int LatentDimension { get; }

    /// <summary>Numbers in an output.</summary>
    public int FeatureCount { get; }

    /// <summary>All latents, row after row: <see cref="Count"/> x <see cref="LatentDimension"/> numbers.</summary>
    public ReadOnlyMemory<float> Latents => _latents;

    /// <summary>All outputs, row after row: <see cref="Count"/> x <see cref="FeatureCount"/> numbers in units of the data.</summary>
    public ReadOnlyMemory<float> Outputs => _outputs;

    /// <summary>The latent of a row.</summary>
    /// <param name="row">Row, from 0.</param>
    /// <returns><see cref="LatentDimension"/> numbers.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public ReadOnlySpan<float> Latent(int row) => _latents.AsSpan(Checked(row) * LatentDimension, LatentDimension);

    /// <summary>The output of a row.</summary>
    /// <param name="row">Row, from 0.</param>
    /// <returns><see cref="FeatureCount"/> numbers in units of the data.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public ReadOnlySpan<float> Output(int row) => _outputs.AsSpan(Checked(row) * FeatureCount, FeatureCount);

    /// <summary>The latents as arrays, one a row.</summary>
    /// <returns>Copies.</returns>
    public float[][] LatentArrays() => Split(_latents, LatentDimension);

    /// <summary>The outputs as arrays, one a row.</summary>
    /// <returns>Copies.</returns>
    public float[][] OutputArrays() => Split(_outputs, FeatureCount);

    private float[][] Split(float[] values, int size)
    {
        var rows = new float[Count][];
        for (int i = 0; i < rows.Length; i++)
            rows[i] = values.AsSpan(i * size, size).ToArray();
        return rows;
    }

    private int Checked(int row) =>
        (uint)row < (uint)Count ? row : throw Guard.OutOfRange(nameof(row), row, Guard.Invariant($"at least 0 and below {Count}"));
}
