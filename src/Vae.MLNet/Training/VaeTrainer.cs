using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Vae.MLNet.Model;
using Vae.MLNet.Scoring;
using Vae.MLNet.Training;

namespace Vae.MLNet;

/// <summary>
/// Trains a variational autoencoder (Kingma and Welling 2014, Rezende et al. 2014) on a vector column: an encoder gives a normal posterior over a latent space for
/// each row, a decoder gives the row back from a latent.
/// </summary>
/// <remarks>
/// <para>The loss of a batch is <c>reconstruction + Beta · KL</c>.</para>
/// <para>KL = -1/2 (1 + log σ² - μ² - σ²) for each row and latent dimension, averaged over the batch, and averaged or summed over the dimensions by
/// <see cref="Options.KlReduction"/>. The reconstruction term of a row is the squared error averaged over the features (<see cref="Likelihood.MeanSquaredError"/>) or
/// -log p(x|z) in nats summed over the features, with one z = μ + σ ε drawn for each row and step; it is averaged over the batch. The ELBO is the negative loss with a
/// likelihood in nats, Beta 1 and a summed KL.</para>
///
/// | | |
/// |---|---|
/// | Machine learning task | Dimensionality reduction, generative modelling, anomaly detection |
/// | Is normalization required? | No: the model scales its features as the data needs; see <see cref="Options.Scaling"/> |
/// | Is caching required? | No: the data is read once; with <see cref="Options.Streaming"/> once an epoch, so that a slow source wants it |
/// | Required NuGet in addition to Microsoft.ML | Vae.MLNet, and TorchSharp-cpu (or a CUDA package) in the application that trains |
/// | Required NuGet where a saved model is used | Microsoft.ML.OnnxTransformer |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed partial class VaeTrainer : IEstimator<VaeTransformer>
{
    private readonly MLContext _context;
    private readonly string _outputColumn, _featureColumn;
    private readonly Options _options;

    internal VaeTrainer(MLContext context, string outputColumnName, string featureColumnName, Options? options)
    {
        _context = context;
        _outputColumn = Check.GraphColumnName(outputColumnName);
        _featureColumn = Check.GraphColumnName(featureColumnName);
        _options = (options ?? new()).Validate();
        string[] names = [.. new[] { _outputColumn, _options.StandardDeviationColumnName, _options.ReconstructionColumnName, _options.ScoreColumnName }.OfType<string>()];
        if (names.Append(_featureColumn).GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw Check.Argument(nameof(options), $"The column name '{twice.Key}' is used twice; input and output columns need names of their own.");
    }

    /// <summary>Trains a model.</summary>
    /// <param name="input">Training data; it is read once, unless <see cref="Options.Streaming"/> is on.</param>
    /// <returns>The fitted transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The feature column is missing, is not a vector of Single of known size, or has slots named otherwise than those of a
    /// <see cref="Options.WarmStart"/> or of the validation data.</exception>
    /// <exception cref="InvalidOperationException">There are no rows, a number is not finite, the loss diverged, <see cref="Options.CheckpointFolder"/> belongs to another
    /// training, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public VaeTransformer Fit(IDataView input) => Fit(input, null);

    /// <summary>Trains a model with separate validation data.</summary>
    /// <param name="input">Training data; it is read once, unless <see cref="Options.Streaming"/> is on.</param>
    /// <param name="validation">Validation data with the same columns; it takes the place of <see cref="Options.ValidationFraction"/>.</param>
    /// <returns>The fitted transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The feature column is missing, is not a vector of Single of known size, or has slots named otherwise than those of a
    /// <see cref="Options.WarmStart"/> or of the validation data.</exception>
    /// <exception cref="InvalidOperationException">There are no rows, a number is not finite, the loss diverged, <see cref="Options.CheckpointFolder"/> belongs to another
    /// training, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public VaeTransformer Fit(IDataView input, IDataView? validation)
    {
        Check.NotNull(input);
        var (column, features) = Check.FloatVector(input.Schema, _featureColumn, nameof(input));
        if (validation is null && _options.ValidationFraction == 0 && _options.EarlyStopping is not null)
            throw Check.Argument(nameof(Options.EarlyStopping), "EarlyStopping needs validation rows: give a ValidationFraction or validation data.");
        IReadOnlyList<string> names = ColumnSlots.Known(input.Schema[column]);
        IReadOnlyList<string> former = _options.WarmStart is { } start && start.FeatureCount == features ? start.InputNames : [];
        if (!_options.IgnoreSlotNames)
        {
            ColumnSlots.RequireSame(input.Schema[column], former, nameof(input));
            if (validation is not null)
                ColumnSlots.RequireSame(validation.Schema[Check.FloatVector(validation.Schema, _featureColumn, nameof(validation), features).Index], names, nameof(validation));
        }
        TorchRuntime.EnsureLoaded();

        var host = ((IHostEnvironment)_context).Register(nameof(VaeTrainer));
        using var channel = host.Start("Training");
        var log = new TrainingLog(
            message => channel.Info(MessageSensitivity.None, message),
            message => channel.Warning(MessageSensitivity.None, message),
            names);
        var trained = Train(input, validation, features, log);

        var last = trained.History.Epochs[^1];
        channel.Info(MessageSensitivity.None, Check.Invariant(
            $"Trained {last.Epoch} epochs: loss {last.Loss:G6}, reconstruction {last.Reconstruction:G6}, KL {last.Kl:G6}, {trained.History.ActiveUnits} of {_options.LatentDimension} latent dimensions active."));
        foreach (string finding in trained.History.SelfCheck?.Findings ?? [])
            channel.Warning(MessageSensitivity.None, finding);
        // What a warm start was trained on is known where the column does not say it.
        int dimensions = ColumnBeads.Dimensions(input.Schema[column]);
        if (dimensions == 0 && _options.WarmStart is { } known && known.FeatureCount == features)
            dimensions = known.BeadDimensions;
        var model = trained.Model.WithInputNames(names.Count > 0 ? names : former).WithBeadDimensions(dimensions);
        return new VaeTransformer(_context, model, trained.History, _featureColumn, _outputColumn, Columns(_options), input.Schema);
    }

    private TrainedVae Train(IDataView input, IDataView? validation, int features, TrainingLog log)
    {
        if (_options.Streaming is not null)
        {
            log.Info(Check.Invariant($"Training on streamed rows of {features} features."));
            return VaeTraining.Run(_options, features, _featureColumn, input, validation, log);
        }
        var training = TrainingData.Read(input, _featureColumn, _options, features, _options.CancellationToken);
        TrainingData? held = null;
        if (validation is not null)
            held = TrainingData.Read(validation, _featureColumn, _options, features, _options.CancellationToken);
        else if (_options.ValidationFraction > 0)
            (training, held) = Split(training, features);
        log.Info(Check.Invariant($"Training on {training.Rows} rows of {features} features, {held?.Rows ?? 0} held out."));
        return VaeTraining.Run(_options, features, training, held, log);
    }

    /// <summary>The columns that the fitted transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The feature column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Check.NotNull(inputSchema);
        ColumnShapes.RequireFloatVector(inputSchema, _featureColumn);
        return ColumnShapes.Append(_context, inputSchema, Columns(_options).WithLatent(_outputColumn, _options.LatentDimension, features: 1));
    }

    private static VaeOutputColumns Columns(Options options) => new()
    {
        StandardDeviation = options.StandardDeviationColumnName,
        Reconstruction = options.ReconstructionColumnName,
        Score = options.ScoreColumnName,
    };

    private (TrainingData Training, TrainingData Validation) Split(TrainingData data, int features)
    {
        int held = (int)Math.Round(data.Rows * (double)_options.ValidationFraction);
        if (held < 1 || held >= data.Rows)
        {
            throw Check.Argument(nameof(Options.ValidationFraction), Check.Invariant(
                $"ValidationFraction {_options.ValidationFraction} of {data.Rows} rows holds out {held}; at least one row has to be on either side."));
        }
        long[] order = _options.ValidationSelection == ValidationSelection.LastRows
            ? [.. Enumerable.Range(0, data.Rows).Select(row => (long)row)]
            : SeedStream.Permutation(data.Rows, _options.Seed, Purpose.Split);
        return (data.Select(order.AsSpan(0, data.Rows - held), features), data.Select(order.AsSpan(data.Rows - held), features));
    }
}
