using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Imputation;
using Vae.MLNet.Inference.Running;
using Vae.MLNet.Scoring;

namespace Vae.MLNet;

/// <summary>
/// Rows with their missing values (NaN) completed by iterated reconstruction, as a vector column of the size of the input. It runs on OnnxRuntime; saved, it loads in
/// any ML.NET application that references Microsoft.ML.OnnxTransformer.
/// </summary>
/// <remarks>
/// <para>Values that are there come out bit for bit. An infinite one makes the row's imputed values NaN.</para>
/// <para>Rows are computed when they are asked for: a trainer that passes over the data several times behind this transform wants <c>AppendCacheCheckpoint</c> between
/// the two.</para>
/// </remarks>
public sealed class VaeImputingTransformer : FittedTransformer
{
    private readonly byte[] _graph;
    private readonly SharedSession _session;

    internal VaeImputingTransformer(MLContext context, VaeModel model, string inputColumnName, string outputColumnName, int iterations, string[]? slotNames, DataViewSchema fitSchema)
        : this(context, model, ImputationGraph.Create(model, inputColumnName, outputColumnName, iterations, slotNames), inputColumnName, outputColumnName, slotNames, fitSchema)
    {
    }

    /// <summary>From a graph that was made or read before.</summary>
    internal VaeImputingTransformer(MLContext context, VaeModel model, byte[] graph, string inputColumnName, string outputColumnName, string[]? slotNames, DataViewSchema fitSchema)
        : base(context, inputColumnName, [new(outputColumnName, model.FeatureCount, SlotNames: slotNames)], fitSchema)
    {
        Model = model;
        InputNames = model.InputNames;
        IgnoreSlotNames = model.Options.IgnoreSlotNames;
        OutputColumnName = outputColumnName;
        _graph = graph;
        _session = OnnxBlockScorer.Open(_graph);
    }

    /// <summary>The model that completes the rows.</summary>
    public VaeModel Model { get; }

    /// <summary>Column of the completed rows.</summary>
    public string OutputColumnName { get; }

    private protected override VectorDataViewType InputType => new(NumberDataViewType.Single, Model.FeatureCount);

    private protected override int CheckInput(DataViewSchema inputSchema) => CheckFeatures(inputSchema, Model.FeatureCount);

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) => new OnnxBlockScorer(
        _session, CheckInput(inputSchema), InputColumnName, Model.FeatureCount, [OutputColumnName], [Model.FeatureCount], capacity);

    internal override byte[] CreateSavedModel() => _graph;

    private protected override void Dispose(bool disposing) => _session.Dispose();
}
