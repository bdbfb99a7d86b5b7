using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.Runtime;
using Vae.MLNet.Imputation;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Training;

namespace Vae.MLNet;

/// <summary>
/// Completes rows with missing values (NaN) by iterated reconstruction with a variational autoencoder (Rezende et al. 2014, with posterior means in the place of draws).
/// </summary>
/// <remarks>
/// <para>Starting from decode(0) in the missing places, each pass sets <c>x ← where(isnan(x₀), decode(mean of encode(x)), x₀)</c>; all passes stand in one ONNX graph. What
/// was there comes out bit for bit.</para>
/// <para>Without a given model one is trained on the incomplete rows: missing values start as the feature's median, and every refinement completes
/// them by the model so far and trains on. Scaling constants come from the values that are there. Masking inputs while training
/// (<see cref="VaeTrainer.Options.InputMasking"/>) makes the network fill gaps rather than copy.</para>
/// <para>A trainer that passes over the data several times behind the imputer wants <c>AppendCacheCheckpoint</c> between the two.</para>
/// <para>The completed row is a most plausible value, not a draw: the spread of an imputed feature is smaller than that of an observed one.</para>
///
/// | | |
/// |---|---|
/// | Machine learning task | Replacing missing values |
/// | Is normalization required? | No: it is part of the model |
/// | Is caching required? | No: the data is read once |
/// | Required NuGet in addition to Microsoft.ML | Vae.MLNet, and TorchSharp-cpu (or a CUDA package) in the application that trains |
/// | Required NuGet where a saved model is used | Microsoft.ML.OnnxTransformer |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed partial class VaeImputer : IEstimator<VaeImputingTransformer>
{
    private readonly MLContext _context;
    private readonly string _outputColumn, _inputColumn;
    private readonly Options _options;

    internal VaeImputer(MLContext context, string outputColumnName, string inputColumnName, Options? options)
    {
        _context = context;
        _outputColumn = Check.GraphColumnName(outputColumnName);
        _inputColumn = Check.GraphColumnName(inputColumnName);
        if (_outputColumn == _inputColumn)
            throw Check.Argument(nameof(outputColumnName), $"The column name '{_outputColumn}' is used twice; input and output columns need names of their own.");
        _options = (options ?? new()).Validate();
    }

    /// <summary>Trains a model on rows that may have missing values, or takes the one given.</summary>
    /// <param name="input">The data; it is read once, and not at all where a model is given.</param>
    /// <returns>The fitted transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or is not a vector of Single of the size of the model.</exception>
    /// <exception cref="InvalidOperationException">There are no rows, a number is infinite, a feature is missing in every row, the loss diverged, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public VaeImputingTransformer Fit(IDataView input)
    {
        Check.NotNull(input);
        var (column, features) = Check.FloatVector(input.Schema, _inputColumn, nameof(input), _options.Model?.FeatureCount);
        IReadOnlyList<string> names = ColumnSlots.Known(input.Schema[column]);
        IReadOnlyList<string> former = (_options.Model ?? _options.Training?.WarmStart) is { } given && given.FeatureCount == features ? given.InputNames : [];
        if (!(_options.Model?.Options ?? _options.TrainingFor(features)).IgnoreSlotNames)
            ColumnSlots.RequireSame(input.Schema[column], former, nameof(input));
        var model = _options.Model ?? Train(input, features);
        // What a given model was trained with goes before what it is used on.
        model = model.WithInputNames(names.Count == 0 || _options.Model is not null && former.Count > 0 ? former : names);
        if (model.BeadDimensions == 0)
            model = model.WithBeadDimensions(ColumnBeads.Dimensions(input.Schema[column]));
        return new VaeImputingTransformer(_context, model, _inputColumn, _outputColumn, _options.Iterations, ColumnSlots.Names(input.Schema[column]), input.Schema);
    }

    /// <summary>The columns that the fitted transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Check.NotNull(inputSchema);
        ColumnShapes.RequireFloatVector(inputSchema, _inputColumn);
        return ColumnShapes.Append(_context, inputSchema, [new OutputColumn(_outputColumn, 1, SlotNames: ColumnSlots.HasNames(inputSchema, _inputColumn) ? [""] : null)]);
    }

    private VaeModel Train(IDataView input, int features)
    {
        TorchRuntime.EnsureLoaded();
        var host = ((IHostEnvironment)_context).Register(nameof(VaeImputer));
        using var channel = host.Start("Training");
        var options = _options.TrainingFor(features).SettleByModel() with { SelfCheck = false };
        var data = TrainingData.Read(input, _inputColumn, options, features, options.CancellationToken, allowMissing: true);

        var (medians, scale) = Observed(data, features, options.Scaling);
        options = options.SettleByData(data.Rows, scale.Kind);
        float[] filled = [.. data.Features];
        int missing = 0;
        for (int i = 0; i < filled.Length; i++)
        {
            if (float.IsNaN(filled[i]))
            {
                filled[i] = medians[i % features];
                missing++;
            }
        }
        channel.Info(MessageSensitivity.None, Check.Invariant($"{missing} of {filled.Length} values in {data.Rows} rows are missing."));
        // A model of fresh weights carries the scaling of the values that are there into the training.
        var architecture = new VaeArchitecture(features, options);
        var start = options.WarmStart ?? new VaeModel(architecture, VaeNetwork.Initialize(architecture, options.Seed), scale, [], "{}");
        var trained = VaeTraining.Run(options with { WarmStart = start }, features, data with { Features = filled }, null);
        for (int round = 1; round <= _options.Refinements && missing > 0; round++)
        {
            // Cancelled in the round before, which kept the best it had.
            if (options.OnCancellation == CancellationBehavior.KeepBest && options.CancellationToken.IsCancellationRequested)
                break;
            Complete(trained.Model, data.Features, filled, features);
            trained = VaeTraining.Run(options with { WarmStart = trained.Model, Seed = unchecked(options.Seed + round) }, features, data with { Features = filled }, null);
        }
        var last = trained.History.Epochs[^1];
        channel.Info(MessageSensitivity.None, Check.Invariant($"Trained: loss {last.Loss:G6}, reconstruction {last.Reconstruction:G6}, KL {last.Kl:G6}."));
        return trained.Model;
    }

    /// <summary>Median of each feature and its scaling constants, from the values that are there.</summary>
    private (float[] Medians, InputScale Scale) Observed(TrainingData data, int features, InputScaling kind)
    {
        var medians = new float[features];
        var columns = new float[features][];
        var values = new List<float>(data.Rows);
        for (int j = 0; j < features; j++)
        {
            values.Clear();
            for (int i = j; i < data.Features.Length; i += features)
            {
                if (!float.IsNaN(data.Features[i]))
                    values.Add(data.Features[i]);
            }
            if (values.Count == 0)
                throw new InvalidOperationException(Check.Invariant($"Column '{_inputColumn}', slot {j} is missing in all {data.Rows} rows; at least one value is expected."));
            columns[j] = [.. values];
            Array.Sort(columns[j]);
            medians[j] = (float)InputScale.Quantile(columns[j], 0.5);
        }
        if (kind == InputScaling.Auto)
            kind = InputScale.Choose(columns);
        if (kind == InputScaling.None)
            return (medians, InputScale.None);
        var scales = columns.Select(column => InputScale.Fit(kind, column, 1)).ToArray();
        return (medians, new(kind, [.. scales.Select(scale => scale.Offset[0])], [.. scales.Select(scale => scale.Factor[0])]));
    }

    /// <summary>Completes the rows by a model, into <paramref name="filled"/>.</summary>
    private void Complete(VaeModel model, float[] rows, float[] filled, int features)
    {
        using var session = new InferenceSession(ImputationGraph.Create(model, _inputColumn, _outputColumn, _options.Iterations, null));
        int count = rows.Length / features;
        for (int start = 0; start < count; start += FittedTransformer.BlockSize)
        {
            int size = Math.Min(FittedTransformer.BlockSize, count - start);
            var block = new DenseTensor<float>(rows.AsMemory(start * features, size * features), [size, features]);
            using var outputs = session.Run([NamedOnnxValue.CreateFromTensor(_inputColumn, block)], [_outputColumn]);
            ((DenseTensor<float>)outputs[0].Value).Buffer.Span.CopyTo(filled.AsSpan(start * features));
        }
    }
}
