using Microsoft.ML;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>Takes the decoder out of a pipeline that ML.NET saved and writes it to an ONNX file.</summary>
    /// <param name="pipelinePath">A file written by <c>mlContext.Model.Save</c> that holds one <see cref="VaeTransformer"/>, in whatever place of its chains.</param>
    /// <param name="decoderPath">File to write; it is replaced whole or left as it is.</param>
    /// <param name="options">Precision of the weights, and whether to add the vector-Jacobian product.</param>
    /// <returns>Size and measured error.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or it holds no autoencoder or several; <see cref="ExtractModels"/> gives all.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public OnnxExportReport ExtractDecoder(string pipelinePath, string decoderPath, OnnxExportOptions? options = null) =>
        VaeModel.FromPipeline(pipelinePath).ExportDecoder(decoderPath, options ?? new());

    /// <summary>Reads the autoencoders of a pipeline that ML.NET saved, in the order of its chain.</summary>
    /// <param name="pipelinePath">A file written by <c>mlContext.Model.Save</c>.</param>
    /// <returns>The models; at least one.</returns>
    /// <exception cref="InvalidDataException">The file is damaged or holds no autoencoder.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public IReadOnlyList<VaeModel> ExtractModels(string pipelinePath) => VaeModel.AllFromPipeline(pipelinePath);
}
