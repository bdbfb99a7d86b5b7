using Vae.MLNet.Data;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;


namespace Vae.MLNet;

public sealed partial class VaeModel
{
    private static readonly VaeOutputColumns AllColumns = new() { StandardDeviation = VaeGraphs.Sigma, Reconstruction = VaeGraphs.Reconstruction };

    /// <summary>Reads a model back from an ONNX file of this library that holds encoder and decoder: architecture, weights, scaling, noise and options.</summary>
    /// <param name="path">A file written by <see cref="Save"/>, or the ONNX model out of a saved pipeline.</param>
    /// <returns>The model, ready for a warm start, for export or for scoring.</returns>
    /// <remarks>The file is not trusted: what it says is compared with what is in it before memory is allocated, and references to other files are refused.</remarks>
    /// <exception cref="InvalidDataException">The file is damaged, is not of this library or of another format version, or holds an encoder or decoder alone.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static VaeModel FromOnnx(string path) => VaeModelReader.Read(OnnxFile.Read(path));

    /// <summary>Reads a model back from a stream; see <see cref="FromOnnx(string)"/>.</summary>
    /// <param name="stream">An ONNX model from the stream's position to its end.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InvalidDataException">It is damaged, is not of this library or of another format version, or holds an encoder or decoder alone.</exception>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public static VaeModel FromOnnx(Stream stream)
    {
        string name = (Check.NotNull(stream) as FileStream)?.Name ?? "ONNX stream";
        return VaeModelReader.Read(OnnxFile.Parse(OnnxFile.ReadBytes(stream, name), name));
    }

    /// <summary>Reads a model back from bytes; see <see cref="FromOnnx(string)"/>.</summary>
    /// <param name="model">An ONNX model.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InvalidDataException">It is damaged, is not of this library or of another format version, or holds an encoder or decoder alone.</exception>
    public static VaeModel FromOnnx(byte[] model) => VaeModelReader.Read(OnnxFile.Parse(model, "ONNX bytes"));

    /// <summary>Reads the one model of this library out of a pipeline that ML.NET saved.</summary>
    /// <param name="path">A file written by <c>mlContext.Model.Save</c>.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or it holds no autoencoder or several; <see cref="VaeCatalog.ExtractModels"/> gives all.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static VaeModel FromPipeline(string path)
    {
        var models = AllFromPipeline(path);
        return models.Count == 1 ? models[0] : throw Check.BadFile(path, Check.Invariant($"it holds {models.Count} autoencoders; one is expected. ExtractModels gives all of them."));
    }

    internal static IReadOnlyList<VaeModel> AllFromPipeline(string path)
    {
        var entries = PipelineArchive.Read(path);
        VaeModel[] models = [.. entries.Where(entry => entry.Kind == VaeMetadata.VaeKind).Select(entry => FromEntry(path, entry))];
        if (models.Length > 0)
            return models;
        string kinds = string.Join(", ", entries.Select(entry => OnnxFile.Shown(entry.Kind ?? "not of this library")).Distinct());
        throw Check.BadFile(path, entries.Count == 0
            ? "it holds no ONNX model at all; a saved pipeline with a VaeTransformer is expected."
            : Check.Invariant($"none of its {entries.Count} ONNX models is an autoencoder; found: {kinds}."));
    }

    private static VaeModel FromEntry(string path, PipelineArchive.Entry entry) =>
        VaeModelReader.Read(OnnxFile.Parse(entry.Model, PipelineArchive.Name(path, entry.Name)));

    /// <summary>
    /// The whole model as one ONNX file: <c>Features</c> [N, features] to <c>Latent</c>, <c>LatentSigma</c> (both [N, latent]) and <c>Reconstruction</c> [N, features].
    /// <see cref="FromOnnx(byte[])"/> reads it back.
    /// </summary>
    /// <returns>An ONNX model.</returns>
    public byte[] ToOnnx() => VaeGraphs.ModelFile(this, VaeGraphs.Features, VaeGraphs.Latent, AllColumns, forSaving: true);

    /// <summary>Writes the whole model to an ONNX file, as <see cref="ToOnnx"/> gives it; <see cref="FromOnnx(string)"/> reads it back.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.WriteAllBytes(path, ToOnnx());

    /// <summary>Writes the decoder: <c>Latent</c> [N, latent] to <c>Reconstruction</c> [N, features], the mean of p(x|z) in units of the data.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="withGradient">
    /// Whether the file also holds the decoder's vector-Jacobian product, which gradient descent in latent space needs. It stands in the
    /// file's metadata, so that any runtime decodes with nothing but the latent; see <see cref="OnnxExportOptions.WithGradient"/>.
    /// </param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportDecoder(string path, bool withGradient = true) => AtomicFile.WriteAllBytes(path, ToDecoderOnnx(withGradient));

    /// <summary>Writes the decoder, with weights in the precision that the options give.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="options">Precision of the weights, and whether to add the vector-Jacobian product.</param>
    /// <returns>Size and measured error.</returns>
    /// <exception cref="InvalidOperationException">The graph does not agree with the network within the tolerance; nothing was written.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public OnnxExportReport ExportDecoder(string path, OnnxExportOptions options)
    {
        var (bytes, report) = Decoder(Check.NotNull(options).Validate());
        AtomicFile.WriteAllBytes(path, bytes);
        return report;
    }

    /// <summary>Writes the encoder: <c>Features</c> [N, features] to <c>Latent</c> (posterior mean) and <c>LatentSigma</c> (posterior standard deviation), both [N, latent].</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportEncoder(string path) => AtomicFile.WriteAllBytes(path, ToEncoderOnnx());

    /// <summary>Writes the encoder, with weights in the precision that the options give.</summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="options">Precision of the weights.</param>
    /// <returns>Size and measured error.</returns>
    /// <exception cref="InvalidOperationException">The graph does not agree with the network within the tolerance; nothing was written.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public OnnxExportReport ExportEncoder(string path, OnnxExportOptions options)
    {
        var (bytes, report) = Encoder(Check.NotNull(options).Validate());
        AtomicFile.WriteAllBytes(path, bytes);
        return report;
    }

    /// <summary>The decoder's file as bytes; see <see cref="ExportDecoder(string, bool)"/>.</summary>
    /// <param name="withGradient">Whether to add the vector-Jacobian product.</param>
    /// <returns>An ONNX model.</returns>
    public byte[] ToDecoderOnnx(bool withGradient = true) => Decoder(new() { WithGradient = withGradient }).File;

    /// <summary>The encoder's file as bytes; see <see cref="ExportEncoder(string)"/>.</summary>
    /// <returns>An ONNX model.</returns>
    public byte[] ToEncoderOnnx() => Encoder(new()).File;

    internal (byte[] File, OnnxExportReport Report) Decoder(OnnxExportOptions options)
    {
        bool half = options.WeightType == OnnxWeightType.Float16;
        byte[] bytes = VaeGraphs.DecoderFile(this, options.WithGradient, half);
        double tolerance = !half ? ExportCheck.Tolerance : options.WithGradient ? ExportCheck.HalfGradientTolerance : ExportCheck.HalfTolerance;
        return (bytes, new(bytes.LongLength, CanCheck ? ExportCheck.Decoder(this, bytes, options.WithGradient, half) : null, tolerance));
    }

    private (byte[] File, OnnxExportReport Report) Encoder(OnnxExportOptions options)
    {
        bool half = options.WeightType == OnnxWeightType.Float16;
        byte[] bytes = VaeGraphs.EncoderFile(this);
        if (half)
            bytes = HalfWeights.Apply(bytes);
        return (bytes, new(bytes.LongLength, CanCheck ? ExportCheck.Encoder(this, bytes, half) : null, half ? ExportCheck.HalfTolerance : ExportCheck.Tolerance));
    }

    /// <summary>A model that was read back may be exported where TorchSharp's native library is not installed; then there is nothing to compare with.</summary>
    private static bool CanCheck => TorchRuntime.IsAvailable;
}
