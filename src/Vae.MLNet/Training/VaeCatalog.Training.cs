namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>A trainer of a variational autoencoder.</summary>
    /// <param name="outputColumnName">Column for the posterior mean, a vector of the latent dimension.</param>
    /// <param name="featureColumnName">Column of features: a vector of Single of known size.</param>
    /// <param name="options">Options; the defaults are those of the bead-spring polymer course.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice, or options contradict each other.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <remarks>A trainer that passes over the data several times behind it wants <c>AppendCacheCheckpoint</c> between the two: rows are computed when they are asked for.</remarks>
    public VaeTrainer VariationalAutoencoder(string outputColumnName, string featureColumnName = "Features", VaeTrainer.Options? options = null) =>
        new(Context, outputColumnName, featureColumnName, options);
}
