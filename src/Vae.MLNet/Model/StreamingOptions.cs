namespace Vae.MLNet;

/// <summary>
/// Training that reads the data in passes: one before the training, which counts and checks the rows and takes the scaling constants, and one an epoch (two with
/// validation rows). A thread of its own reads ahead while the network trains. Memory does not grow with the number of rows: it is the shuffle pool and the sample,
/// <c>(ShufflePoolRows + 2 · SampleRows) · features · 4</c> bytes, beside the network.
/// </summary>
/// <remarks>
/// <para>
/// The data has to give the same rows in the same order at every pass, as files and cached views do; another number of rows is an error. The same seed and data give
/// the same bytes, however the reading and the training happened to overlap.
/// </para>
/// <para>
/// A row moves on average by the size of the pool. Data that is sorted (by label, by time) over longer stretches is better shuffled beforehand.
/// <see cref="VaeTrainer.Options.ValidationFraction"/> with random selection holds a row out by a hash of its place, so that the share is met in the mean.
/// </para>
/// </remarks>
public sealed record StreamingOptions
{
    /// <summary>Rows that are shuffled together: each row read takes the place of a random row of the pool, which goes to the network. Default 65536.</summary>
    public int ShufflePoolRows { get; init; } = 1 << 16;

    /// <summary>
    /// Rows, drawn evenly from all (Vitter 1985, algorithm R), that stand for the data where a quantity is not taken in passing: the quantiles of
    /// <see cref="InputScaling.RobustAsinh"/>, the noise of the residuals and the number of active units. Default 65536.
    /// </summary>
    public int SampleRows { get; init; } = 1 << 16;

    internal void Validate()
    {
        Check.AtLeast(ShufflePoolRows, 1);
        Check.AtLeast(SampleRows, 2);
    }
}
