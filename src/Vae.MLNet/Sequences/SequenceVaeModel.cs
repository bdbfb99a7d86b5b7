using Vae.MLNet.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>What an exported encoder of sequences reads.</summary>
public enum SequenceInput
{
    /// <summary>Int64 tokens, one a position.</summary>
    Tokens,

    /// <summary>Single-precision one-hot groups, one a position.</summary>
    OneHot,
}

/// <summary>A trained autoencoder of sequences, or an ensemble of them, with the layout of the columns. Immutable; it needs no native library of TorchSharp.</summary>
public sealed class SequenceVaeModel
{
    internal SequenceVaeModel(SequenceLayout layout, IReadOnlyList<VaeModel> members)
    {
        Layout = layout;
        Members = [.. members];
    }

    /// <summary>Alphabet, reference and column map.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>The members of the ensemble; one where none was asked for. Each has a latent space of its own.</summary>
    public IReadOnlyList<VaeModel> Members { get; }

    /// <summary>Dimensions of each latent space.</summary>
    public int LatentDimension => Members[0].LatentDimension;

    /// <summary>
    /// Writes all members to one ONNX file: int64 <c>Tokens</c> [N, L] to the first member's <c>Latent</c> and <c>LatentSigma</c>, and to <c>Score</c>, the mean over all
    /// members of the negative evidence lower bound with the latent at the posterior mean. <see cref="FromOnnx(string)"/> reads them back.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.WriteAllBytes(path, ToOnnx());

    /// <summary>The file that <see cref="Save"/> writes, as bytes.</summary>
    /// <returns>An ONNX model.</returns>
    public byte[] ToOnnx() => VaeGraphs.SequenceFile(Members, VaeGraphs.Tokens, VaeGraphs.Latent, new() { StandardDeviation = VaeGraphs.Sigma, Score = "Score" });

    /// <summary>Reads a model with all its members back.</summary>
    /// <param name="path">A file written by <see cref="Save"/>, or the ONNX model out of a saved pipeline.</param>
    /// <returns>The model: it scores variants and gives samples as the one that was saved.</returns>
    /// <remarks>The file is not trusted: what it says is compared with what is in it before memory is allocated, and references to other files are refused.</remarks>
    /// <exception cref="InvalidDataException">The file is damaged, or is no sequence model of this library and format version.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SequenceVaeModel FromOnnx(string path) => SequenceModelReader.Read(OnnxFile.Read(path));

    /// <summary>Reads a model back from bytes; see <see cref="FromOnnx(string)"/>.</summary>
    /// <param name="model">An ONNX model.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InvalidDataException">It is damaged, or is no sequence model of this library and format version.</exception>
    public static SequenceVaeModel FromOnnx(byte[] model) => SequenceModelReader.Read(OnnxFile.Parse(model, "ONNX bytes"));

    /// <summary>Reads the one sequence model out of a pipeline that ML.NET saved.</summary>
    /// <param name="path">A file written by <c>mlContext.Model.Save</c>.</param>
    /// <returns>The model with all its members.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or it holds no sequence model or several.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SequenceVaeModel FromPipeline(string path)
    {
        PipelineArchive.Entry[] found = [.. PipelineArchive.Read(path).Where(entry => entry.Kind == VaeMetadata.SequenceKind)];
        return found.Length == 1
            ? SequenceModelReader.Read(OnnxFile.Parse(found[0].Model, PipelineArchive.Name(path, found[0].Name)))
            : throw Check.BadFile(path, Check.Invariant($"it holds {found.Length} autoencoders of sequences; one is expected."));
    }

    /// <summary>
    /// Writes a member's decoder: <c>Latent</c> [N, latent] to <c>Reconstruction</c> [N, L · symbols] (probabilities that sum to one at each position) and <c>Logits</c>,
    /// with the layout in the metadata (<c>vae.sequence_layout</c>). <see cref="SequenceDecoder"/> reads it.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="withGradient">Whether the file also holds the vector-Jacobian product that optimising in latent space needs.</param>
    /// <param name="member">Which member.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportDecoder(string path, bool withGradient = true, int member = 0) => AtomicFile.WriteAllBytes(path, Member(member).ToDecoderOnnx(withGradient));

    /// <summary>
    /// Writes a member's encoder: int64 <c>Tokens</c> [N, L] to <c>Latent</c> (posterior mean) and <c>LatentSigma</c> (posterior standard deviation), both [N, latent],
    /// with the layout in the metadata. <see cref="SequenceEncoder"/> reads it. With <see cref="SequenceInput.OneHot"/> the input is float <c>Features</c>
    /// [N, L · K] instead, one group of K numbers a position (<see cref="SequenceAlphabet.InputSymbolCount"/>; all zeros for a letter that is not known), as
    /// <see cref="SequenceLayout.OneHot"/> makes; <see cref="VaeEncoder"/> reads it, and any runtime that has no int64.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="member">Which member.</param>
    /// <param name="input">What goes in.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member or input.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportEncoder(string path, int member = 0, SequenceInput input = SequenceInput.Tokens) =>
        AtomicFile.WriteAllBytes(path, Check.Defined(input) == SequenceInput.OneHot ? VaeGraphs.OneHotEncoderFile(Member(member)) : Member(member).ToEncoderOnnx());

    /// <summary>A member's decoder, ready to run on OnnxRuntime.</summary>
    /// <param name="member">Which member.</param>
    /// <param name="withGradient">Whether it can optimise in latent space.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member.</exception>
    public SequenceDecoder CreateDecoder(int member = 0, bool withGradient = true) => SequenceDecoder.Load(Member(member).ToDecoderOnnx(withGradient));

    /// <summary>A member's encoder, ready to run on OnnxRuntime.</summary>
    /// <param name="member">Which member.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member.</exception>
    public SequenceEncoder CreateEncoder(int member = 0) => SequenceEncoder.Load(Member(member).ToEncoderOnnx());

    private VaeModel Member(int member) => Members[Check.InRange(member, 0, Members.Count - 1)];
}
