using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference.Running;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

namespace Vae.MLNet.Pipelines;

/// <summary>
/// Any saved transform of this library that is one graph from a float vector to float vectors and scalars, run in blocks.
/// </summary>
internal sealed class OnnxFittedTransformer : FittedTransformer
{
    private readonly byte[] _model;
    private readonly int _inputSize;
    private readonly SharedSession _session;

    public OnnxFittedTransformer(MLContext context, byte[] model, string kind, string inputColumnName, int inputSize, IReadOnlyList<OutputColumn> outputs, DataViewSchema fitSchema,
        IReadOnlyList<string> inputNames)
        : base(context, inputColumnName, outputs, fitSchema)
    {
        _model = model;
        _inputSize = inputSize;
        Kind = kind;
        InputNames = inputNames;
        _session = OnnxBlockScorer.Open(model);
    }

    /// <summary>What the file says it is.</summary>
    public string Kind { get; }

    /// <summary>Coordinates of a bead, where the transform is one of conformations.</summary>
    public int Dimensions { get; init; } = 1;

    private protected override VectorDataViewType InputType => new(NumberDataViewType.Single, _inputSize);

    private protected override int CheckInput(DataViewSchema inputSchema) => CheckFeatures(inputSchema, _inputSize);

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) => new OnnxBlockScorer(
        _session, CheckInput(inputSchema), InputColumnName, _inputSize,
        [.. OutputColumns.Select(output => output.TensorName)], [.. OutputColumns.Select(output => output.Size)], capacity);

    internal override byte[] CreateSavedModel() => _model;

    private protected override void Dispose(bool disposing) => _session.Dispose();
}
