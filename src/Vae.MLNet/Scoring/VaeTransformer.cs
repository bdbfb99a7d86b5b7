using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference.Running;
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
        : base(context, inputColumnName, columns.WithLatent(latentColumnName, model.LatentDimension, model.FeatureCount), fitSchema)
    {
        Model = model;
        History = history;
        InputNames = model.InputNames;
        IgnoreSlotNames = model.Options.IgnoreSlotNames;
        LatentColumnName = latentColumnName;
        _columns = columns;
        _session = OnnxBlockScorer.Open(CreateGraph(columns, forSaving: false));
    }

    /// <summary>The trained model.</summary>
    public VaeModel Model { get; }

    /// <summary>How the training went; null for a model that was read back from a file.</summary>
    public VaeTrainingHistory? History { get; }

    /// <summary>Column of the posterior mean.</summary>
    public string LatentColumnName { get; }

    /// <summary>The columns beside the latent.</summary>
    internal VaeOutputColumns Columns => _columns;

    /// <summary>Writes the decoder to an ONNX file; see <see cref="VaeModel.ExportDecoder(string, bool)"/>.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="withGradient">Whether the file also holds the vector-Jacobian product that gradient descent in latent space needs.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportDecoder(string path, bool withGradient = true) => Model.ExportDecoder(path, withGradient);

    /// <summary>Writes the decoder to an ONNX file; see <see cref="VaeModel.ExportDecoder(string, OnnxExportOptions)"/>.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="options">Precision of the weights, and whether to add the vector-Jacobian product.</param>
    /// <returns>Size and measured error.</returns>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public OnnxExportReport ExportDecoder(string path, OnnxExportOptions options) => Model.ExportDecoder(path, options);

    /// <summary>Writes the encoder to an ONNX file; see <see cref="VaeModel.ExportEncoder(string)"/>.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportEncoder(string path) => Model.ExportEncoder(path);

    /// <summary>Writes the encoder to an ONNX file; see <see cref="VaeModel.ExportEncoder(string, OnnxExportOptions)"/>.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="options">Precision of the weights.</param>
    /// <returns>Size and measured error.</returns>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public OnnxExportReport ExportEncoder(string path, OnnxExportOptions options) => Model.ExportEncoder(path, options);

    private protected override VectorDataViewType InputType => new(NumberDataViewType.Single, Model.FeatureCount);

    private protected override int CheckInput(DataViewSchema inputSchema) => CheckFeatures(inputSchema, Model.FeatureCount);

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) => new OnnxBlockScorer(
        _session, CheckInput(inputSchema), InputColumnName, Model.FeatureCount,
        [.. OutputColumns.Select(output => output.TensorName)], [.. OutputColumns.Select(output => output.Size)], capacity);

    internal override byte[] CreateSavedModel() => CreateGraph(_columns, forSaving: true);

    /// <summary>The graph with other columns than the transform has.</summary>
    internal byte[] CreateGraph(VaeOutputColumns columns) => CreateGraph(columns, forSaving: false);

    private byte[] CreateGraph(VaeOutputColumns columns, bool forSaving) => VaeGraphs.ModelFile(Model, InputColumnName, LatentColumnName, columns, forSaving);

    private protected override void Dispose(bool disposing) => _session.Dispose();
}
