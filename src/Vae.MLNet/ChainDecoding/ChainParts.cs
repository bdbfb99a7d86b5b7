namespace Vae.MLNet.ChainDecoding;

/// <summary>All that a chain decoder is made of, besides the autoencoder whose mean shapes it follows.</summary>
internal sealed record ChainParts(
    ChainShape Shape, ChainCoordinates Coordinates, float Farthest, int[] Grid, float[] Network, float[] Tables, float[] First, LatentMixture Prior)
{
    /// <summary>Numbers of noise a shape: standard normal ones for the first bead, then for each bead the shifts of the grid and the place among candidates, uniform.</summary>
    public int NoiseSize => Shape.Dimensions + Shape.Positions * (Shape.Dimensions + 1);
}
