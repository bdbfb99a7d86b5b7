using Vae.MLNet.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet;

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
    /// Writes a member's decoder: <c>Latent</c> [N, latent] to <c>Reconstruction</c> [N, L · symbols] (probabilities that sum to one at each position) and <c>Logits</c>,
    /// with the layout in the metadata (<c>vae.sequence_layout</c>). <see cref="SequenceDecoder"/> reads it.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="withGradient">Whether the file also holds the vector-Jacobian product that optimising in latent space needs.</param>
    /// <param name="member">Which member.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportDecoder(string path, bool withGradient = false, int member = 0) => AtomicFile.WriteAllBytes(path, Member(member).ToDecoderOnnx(withGradient));

    /// <summary>
    /// Writes a member's encoder: int64 <c>Tokens</c> [N, L] to <c>Latent</c> (posterior mean) and <c>LatentSigma</c> (posterior standard deviation), both [N, latent],
    /// with the layout in the metadata. <see cref="SequenceEncoder"/> reads it.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="member">Which member.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportEncoder(string path, int member = 0) => AtomicFile.WriteAllBytes(path, Member(member).ToEncoderOnnx());

    /// <summary>A member's decoder, ready to run on OnnxRuntime.</summary>
    /// <param name="member">Which member.</param>
    /// <param name="withGradient">Whether it can optimise in latent space.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member.</exception>
    public SequenceDecoder CreateDecoder(int member = 0, bool withGradient = false) => SequenceDecoder.Load(Member(member).ToDecoderOnnx(withGradient));

    /// <summary>A member's encoder, ready to run on OnnxRuntime.</summary>
    /// <param name="member">Which member.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such member.</exception>
    public SequenceEncoder CreateEncoder(int member = 0) => SequenceEncoder.Load(Member(member).ToEncoderOnnx());

    private VaeModel Member(int member) => Members[Check.InRange(member, 0, Members.Count - 1)];
}
