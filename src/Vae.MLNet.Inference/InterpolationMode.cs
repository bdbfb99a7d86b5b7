namespace Vae.MLNet.Inference;

/// <summary>The way from one latent point to another.</summary>
public enum InterpolationMode
{
    /// <summary>The straight line, in equal steps.</summary>
    Linear,

    /// <summary>
    /// The direction turns at a constant rate along the great circle (slerp, Shoemake 1985) while the length goes linearly from the one to the other, so that
    /// the way does not cut through the thinly populated centre of a high-dimensional prior (White 2016). Where one end is the origin or both point the same
    /// way it is the straight line.
    /// </summary>
    Spherical,
}
