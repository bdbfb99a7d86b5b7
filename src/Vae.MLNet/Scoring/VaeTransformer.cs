using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

namespace Vae.MLNet;

/// <summary>
/// A trained variational autoencoder as an ML.NET transform: the posterior mean of each row as a vector column and, on request, posterior standard deviation,
/// reconstruction and score. It runs on OnnxRuntime; TorchSharp plays no part in it.
/// </summary>
/// <remarks>
/// A row with NaN or infinity gives NaN, as ML.NET's built-in transforms do; the trainer refuses such rows. Rows are computed in blocks of 256, which is many times
/// faster than one by one; a trainer that passes over the data several times behind this transform wants <c>AppendCacheCheckpoint</c> between the two.
/// </remarks>
public sealed class VaeTransformer : FittedTransformer
{
    private readonly SharedSession _session;
    private readonly VaeOutputColumns _columns;

    internal VaeTransformer(MLContext context, VaeModel model, VaeTrainingHistory? history, string inputColumnName, string latentColumnName, VaeOutputColumns columns, DataViewSchema fitSchema)
        : base(context, inputColumnName, Outputs(latentColumnName, columns, model.LatentDimension, model.FeatureCount), fitSchema)
    {
        Model = model;
        History = history;
        LatentColumnName = latentColumnName;
        _columns = columns;
        _session = new SharedSession(CreateGraph(forSaving: false));
    }

    /// <summary>The trained model.</summary>
    public VaeModel Model { get; }

    /// <summary>How the training went; null for a model that was read back from a file.</summary>
    public VaeTrainingHistory? History { get; }

    /// <summary>Column of the posterior mean.</summary>
    public string LatentColumnName { get; }

    /// <summary>Writes the decoder to an ONNX file; see <see cref="VaeModel.ExportDecoder"/>.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="withGradient">Whether the file also holds the vector-Jacobian product that gradient descent in latent space needs.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportDecoder(string path, bool withGradient = false) => Model.ExportDecoder(path, withGradient);

    /// <summary>Writes the encoder to an ONNX file; see <see cref="VaeModel.ExportEncoder"/>.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportEncoder(string path) => Model.ExportEncoder(path);

    /// <summary>The output columns: vectors first, the scalar score last, as a saved model lists them.</summary>
    internal static OutputColumn[] Outputs(string latent, VaeOutputColumns columns, int latentDimension, int features)
    {
        string[] slots = [.. Enumerable.Range(0, latentDimension).Select(i => Check.Invariant($"z{i}"))];
        var outputs = new List<OutputColumn> { new(latent, latentDimension, SlotNames: slots) };
        if (columns.StandardDeviation is { } deviation)
            outputs.Add(new(deviation, latentDimension, SlotNames: slots));
        if (columns.Reconstruction is { } reconstruction)
            outputs.Add(new(reconstruction, features));
        if (columns.Score is { } score)
            outputs.Add(new(score, 1, IsScalar: true));
        return [.. outputs];
    }

    private protected override VectorDataViewType InputType => new(NumberDataViewType.Single, Model.FeatureCount);

    private protected override int CheckInput(DataViewSchema inputSchema) =>
        Check.FloatVector(inputSchema, InputColumnName, nameof(inputSchema), Model.FeatureCount).Index;

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) => new OnnxBlockScorer(
        _session, CheckInput(inputSchema), InputColumnName, Model.FeatureCount,
        [.. OutputColumns.Select(TensorName)], [.. OutputColumns.Select(output => output.Size)], capacity);

    internal override byte[] CreateSavedModel() => CreateGraph(forSaving: true);

    private static string TensorName(OutputColumn output) => output.IsScalar ? ScalarColumns.VectorName(output.Name) : output.Name;

    private byte[] CreateGraph(bool forSaving)
    {
        var graph = new OnnxGraph("vae");
        string x = graph.Input(InputColumnName, OnnxType.Float, OnnxGraph.Batch, Model.FeatureCount);
        VaeGraphs.AddTo(graph, Model, x, new VaeGraphs.Wanted(
            LatentColumnName, _columns.StandardDeviation, _columns.Reconstruction, _columns.Score is { } score ? ScalarColumns.VectorName(score) : null));
        foreach (var output in OutputColumns)
        {
            graph.Output(TensorName(output), OnnxType.Float, OnnxGraph.Batch, output.Size);
            if (forSaving && output.SlotNames is { } names)
                graph.SlotNames(output.Name, names);
        }
        if (forSaving)
        {
            VaeMetadata.Write(graph, Model, VaeMetadata.VaeKind);
            VaeMetadata.WriteUnusedParameters(graph, Model);
        }
        return graph.ToBytes();
    }

    private protected override void Dispose(bool disposing) => _session.Dispose();
}
