namespace Vae.MLNet.ChainDecoding;

/// <summary>All that a chain decoder is made of, besides the autoencoder whose mean shapes it follows.</summary>
/// <param name="Shape">Sizes.</param>
/// <param name="Coordinates">Quantile functions of internal coordinates.</param>
/// <param name="Farthest">Distance of the tables' last knot.</param>
/// <param name="Network">Parameters of the context network.</param>
/// <param name="Tables">Tables, those of pairs with those of separations added.</param>
/// <param name="First">Where the first bead lies beside the mean shape's.</param>
/// <param name="Prior">What latent vectors are drawn from.</param>
internal sealed record ChainParts(
    ChainShape Shape,
    ChainCoordinates Coordinates,
    float Farthest,
    float[] Network,
    float[] Tables,
    ChainFirstBead First,
    LatentMixture Prior);
