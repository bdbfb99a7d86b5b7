namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>A transform that replaces missing values (NaN) by what a variational autoencoder makes of the rest of the row.</summary>
    /// <param name="outputColumnName">Column for the completed rows.</param>
    /// <param name="inputColumnName">Column with missing values: a vector of Single of known size.</param>
    /// <param name="options">Options: a model that is already trained, or how to train one on the incomplete rows.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice, or options contradict each other.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <remarks>A trainer that passes over the data several times behind it wants <c>AppendCacheCheckpoint</c> between the two: rows are computed when they are asked for.</remarks>
    public VaeImputer ImputeMissing(string outputColumnName, string inputColumnName, VaeImputer.Options? options = null) =>
        new(Context, outputColumnName, inputColumnName, options);
}
