using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Anomaly;
using Vae.MLNet.Inference.Running;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

namespace Vae.MLNet;

/// <summary>
/// A trained anomaly detector: <c>PredictedLabel</c> (bool) and <c>Score</c> (Single, higher is more anomalous) for each row and, on request, the contribution of each
/// feature to the score. It runs on OnnxRuntime; saved, it loads in any ML.NET application that references Microsoft.ML.OnnxTransformer.
/// </summary>
/// <remarks>
/// <para>A row with NaN or infinity scores NaN and is not labelled, as with ML.NET's built-in detectors.</para>
/// <para>Rows are computed when they are asked for: a trainer that passes over the data several times behind this transform wants <c>AppendCacheCheckpoint</c> between
/// the two. A saved detector is this transform again after <see cref="VaeCatalog.Rehydrate(Microsoft.ML.ITransformer)"/>, with its threshold.</para>
/// </remarks>
public sealed class VaeAnomalyTransformer : FittedTransformer
{
    internal const string ScoreColumn = "Score", PredictedLabelColumn = "PredictedLabel";

    private readonly byte[] _graph;
    private readonly int _features;
    private readonly string[]? _slotNames;
    private readonly DataViewSchema _fitSchema;
    private readonly SharedSession _session;

    internal VaeAnomalyTransformer(MLContext context, byte[] graph, float threshold, string inputColumnName, int features, string? contributions, string[]? slotNames, DataViewSchema fitSchema,
        IReadOnlyList<string> inputNames, bool ignoreSlotNames)
        : base(context, inputColumnName, Outputs(contributions, features, slotNames), fitSchema)
    {
        _graph = graph;
        _features = features;
        _slotNames = slotNames;
        _fitSchema = fitSchema;
        InputNames = inputNames;
        IgnoreSlotNames = ignoreSlotNames;
        Threshold = threshold;
        ContributionsColumnName = contributions;
        _session = OnnxBlockScorer.Open(graph);
    }

    /// <summary>Score above which a row is labelled an anomaly.</summary>
    public float Threshold { get; }

    /// <summary>Numbers in a row of features.</summary>
    public int FeatureCount => _features;

    /// <summary>Column of each feature's contribution to the score; null where there is none.</summary>
    public string? ContributionsColumnName { get; }

    /// <summary>The same detector with another threshold; this one stays as it is.</summary>
    /// <param name="threshold">Score above which a row is labelled an anomaly.</param>
    /// <returns>A new transform, to be disposed on its own.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threshold"/> is not finite.</exception>
    /// <exception cref="ObjectDisposedException">The transform has been disposed.</exception>
    public VaeAnomalyTransformer ChangeThreshold(float threshold)
    {
        ThrowIfDisposed();
        if (!float.IsFinite(threshold))
            throw Check.OutOfRange(nameof(threshold), threshold, "finite");
        return new((MLContext)Environment, _graph, threshold, InputColumnName, _features, ContributionsColumnName, _slotNames, _fitSchema, InputNames, IgnoreSlotNames);
    }

    /// <summary>The output columns in the order of a loaded model: the label comes before the score.</summary>
    internal static OutputColumn[] Outputs(string? contributions, int features, string[]? slotNames)
    {
        OutputColumn[] scores = [new(PredictedLabelColumn, 1, IsScalar: true) { IsLabel = true }, new(ScoreColumn, 1, IsScalar: true)];
        return contributions is null ? scores : [new(contributions, features, SlotNames: slotNames), .. scores];
    }

    private protected override VectorDataViewType InputType => new(NumberDataViewType.Single, _features);

    private protected override int CheckInput(DataViewSchema inputSchema) => CheckFeatures(inputSchema, _features);

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity)
    {
        string score = OutputColumn.VectorName(ScoreColumn);
        var onnx = ContributionsColumnName is { } contributions
            ? new OnnxBlockScorer(_session, CheckInput(inputSchema), InputColumnName, _features, [contributions, score], [_features, 1], capacity)
            : new OnnxBlockScorer(_session, CheckInput(inputSchema), InputColumnName, _features, [score], [1], capacity);
        return new LabelScorer(onnx, OutputColumns.Count - 2, Threshold, capacity);
    }

    internal override byte[] CreateSavedModel() => AnomalyGraph.WithThreshold(_graph, Threshold);

    // The identity model behind the graph writes PredictedLabel and Score itself.
    private protected override ITransformer CreateSavedTransformer()
    {
        string score = OutputColumn.VectorName(ScoreColumn);
        return new TransformerChain<ITransformer>(
            OnnxTransform(CreateSavedModel()), ScalarColumns.Identity(Context, score, Threshold), ScalarColumns.Drop(Context, score));
    }

    private protected override void Dispose(bool disposing) => _session.Dispose();

    /// <summary>Puts the label, computed from the score, before the score.</summary>
    private sealed class LabelScorer(OnnxBlockScorer onnx, int labelColumn, float threshold, int capacity) : BlockScorer
    {
        private readonly float[] _labels = new float[capacity];

        public override Action<int> CreateReader(DataViewRow row) => onnx.CreateReader(row);

        public override void Run(int rows)
        {
            onnx.Run(rows);
            var scores = onnx.Output(labelColumn);
            for (int i = 0; i < rows; i++)
                _labels[i] = scores[i] > threshold ? 1 : 0;
        }

        public override ReadOnlySpan<float> Output(int column) =>
            column < labelColumn ? onnx.Output(column) : column == labelColumn ? _labels : onnx.Output(labelColumn);

        public override void Dispose() => onnx.Dispose();
    }
}
