using Microsoft.ML;
using Vae.MLNet.Evaluation;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>Evaluates a fitted transform: evidence lower bound, importance-weighted log-likelihood, KL divergences, active units, reconstruction error.</summary>
    /// <param name="data">Data with the transform's input column; it is read once, in constant memory.</param>
    /// <param name="model">The fitted transform.</param>
    /// <param name="options">Options.</param>
    /// <returns>The metrics.</returns>
    /// <remarks>
    /// <para>
    /// Choosing the size of the latent space and Beta: hold rows out, train each candidate on the others, and take the one whose held-out ELBO is highest; where
    /// several are within a standard error of it, the one with the fewest latent dimensions. The loss of a training does not serve, because Beta scales it; the ELBO is
    /// of Beta 1 for every candidate. With a fixed or shared noise, or mean squared error, it judges the noise along with the rest.
    /// </para>
    /// <code>
    /// var candidates = from latent in new[] { 1, 2, 4 }
    ///                  from beta in new[] { 0.1f, 1f }
    ///                  select new VaeTrainer.Options { LatentDimension = latent, Beta = beta, Likelihood = Likelihood.Gaussian };
    /// var folds = ml.Data.CrossValidationSplit(data, numberOfFolds: 3);
    /// var best = candidates.MaxBy(options =&gt; folds.Average(fold =&gt;
    /// {
    ///     using var model = ml.Vae.VariationalAutoencoder("Latent", "Features", options).Fit(fold.TrainSet);
    ///     return ml.Vae.Evaluate(fold.TestSet, model).Elbo;
    /// }));
    /// </code>
    /// <para>Behind other transforms, evaluate on transformed data: <c>ml.Vae.Evaluate(chain.Transform(fold.TestSet), chain.LastTransformer)</c>.</para>
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or has a wrong type or size, or an option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There are no rows, a number is not finite, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public VaeMetrics Evaluate(IDataView data, VaeTransformer model, VaeEvaluationOptions? options = null) =>
        Evaluate(data, Check.NotNull(model).Model, model.InputColumnName, options);

    /// <summary>Evaluates a model; see <see cref="Evaluate(IDataView, VaeTransformer, VaeEvaluationOptions?)"/>.</summary>
    /// <param name="data">Data with the feature column; it is read once, in constant memory.</param>
    /// <param name="model">The model.</param>
    /// <param name="featureColumnName">Column of features: a vector of Single of the model's size.</param>
    /// <param name="options">Options.</param>
    /// <returns>The metrics.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The feature column is missing or has a wrong type or size, or an option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There are no rows, a number is not finite, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public VaeMetrics Evaluate(IDataView data, VaeModel model, string featureColumnName = "Features", VaeEvaluationOptions? options = null) =>
        VaeEvaluator.Evaluate(Check.NotNull(data), Check.NotNull(model), Check.ColumnName(featureColumnName), options ?? new());
}
