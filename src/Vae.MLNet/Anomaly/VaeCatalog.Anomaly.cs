namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>A trainer of an anomaly detector: an ensemble of small variational autoencoders over an ordinary table of numbers, which need not be scaled.</summary>
    /// <param name="featureColumnName">Column of features: a vector of Single of known size.</param>
    /// <param name="options">Options; the defaults suit tables of a few to some hundred columns.</param>
    /// <returns>The estimator; its fitted transform gives <c>PredictedLabel</c> (bool) and <c>Score</c> (Single, higher is more anomalous).</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <remarks>A trainer that passes over the data several times behind it wants <c>AppendCacheCheckpoint</c> between the two: rows are computed when they are asked for.</remarks>
    public VaeAnomalyTrainer AnomalyDetector(string featureColumnName = "Features", VaeAnomalyTrainer.Options? options = null) =>
        new(Context, featureColumnName, options);
}
