using Microsoft.ML;
using Vae.MLNet.Data;
using Vae.MLNet.Pipelines;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>
    /// Saves a fitted model or pipeline in ML.NET's own format, as <c>ml.Model.Save</c> does, but whole or not at all: a process that is killed while it writes leaves the
    /// earlier file as it was, where <c>ml.Model.Save</c> leaves a broken one.
    /// </summary>
    /// <param name="model">Any fitted model, of this library or not.</param>
    /// <param name="inputSchema">Schema of the data that the model is applied to; null where it is not to be saved.</param>
    /// <param name="path">File to write; it is replaced whole or left as it is. <c>ml.Model.Load</c> reads it.</param>
    /// <exception cref="IOException">The file cannot be written; its folder has to exist.</exception>
    public void SaveModel(ITransformer model, DataViewSchema? inputSchema, string path)
    {
        Check.NotNull(model);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        AtomicFile.Write(path, stream => Context.Model.Save(model, inputSchema, stream));
    }

    /// <summary>
    /// Writes a whole fitted pipeline as one ONNX file that needs no ML.NET: input tensors named as the columns of the data, outputs for what the last autoencoder of the
    /// chain gives or, without one, for what the last transform of this library gives.
    /// </summary>
    /// <param name="model">
    /// The fitted pipeline, in memory or loaded: transforms of this library and ML.NET's CopyColumns, Concatenate, SelectColumns, DropColumns,
    /// ReplaceMissingValues (of Single) and linear normalisers.
    /// </param>
    /// <param name="inputSchema">Schema of the data that the pipeline is applied to.</param>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="options">Outputs and precision of the weights.</param>
    /// <returns>Size, and the error against the pipeline in ML.NET.</returns>
    /// <remarks>
    /// Every output is compared with the pipeline before the file is written, on 256 rows drawn around what the transforms were fitted to, and every row has to agree.
    /// Where a transform jumps, as an alignment does at a shape with two equal axes, rounding may decide: such a row has to agree with what the pipeline gives for a row
    /// that differs by no more than rounding. A label may differ where its score is at the threshold. An output that cannot be compared is not written.
    /// </remarks>
    /// <exception cref="ArgumentException">The chain has a transform without an ONNX graph, which the message names with its position, or no transform of this library.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The schema does not fit the pipeline.</exception>
    /// <exception cref="InvalidOperationException">The graph does not agree with the pipeline, or an output cannot be compared with it; nothing was written.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public OnnxExportReport ExportPipeline(ITransformer model, DataViewSchema inputSchema, string path, PipelineExportOptions? options = null) =>
        PipelineExport.Write(Context, model, inputSchema, path, options ?? new());
}
