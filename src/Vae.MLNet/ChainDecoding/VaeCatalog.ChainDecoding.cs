using Microsoft.ML;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>
    /// Trains a decoder of chains beside an autoencoder of conformations: shapes that follow the latent vector and are physical in
    /// detail.
    /// </summary>
    /// <param name="model">A trained autoencoder of centred and aligned conformations; it stays as it is.</param>
    /// <param name="data">The conformations it was trained on, in the column that it was trained on; they are held in memory.</param>
    /// <param name="dimensions">Coordinates of a bead: 2 or 3.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <returns>The decoder, to be exported.</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The column is missing or of another type, the features are not three beads or more, or an option is out of its range.
    /// </exception>
    /// <exception cref="ArgumentException">The model's likelihood is not one of coordinates.</exception>
    /// <exception cref="InvalidOperationException">There are fewer than twenty rows, or a number is not finite.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ChainDecoder FitChainDecoder(VaeTransformer model, IDataView data, int dimensions, ChainDecoderOptions? options = null) =>
        ChainDecoder.Fit(Check.NotNull(model), Check.NotNull(data), dimensions, (options ?? new()).Validate());
}
