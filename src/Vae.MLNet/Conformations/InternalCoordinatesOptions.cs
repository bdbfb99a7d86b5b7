namespace Vae.MLNet;

/// <summary>How internal coordinates of chains are written as numbers; the two directions have to agree in it.</summary>
public sealed record InternalCoordinatesOptions
{
    /// <summary>
    /// Whether every periodic angle (turning angles in the plane, torsions in space) is given as its sine and its cosine; default false: as
    /// the angle itself, in radians above -π up to π. An angle jumps by a full turn where it passes π, which neither a mean squared error
    /// nor a normal distribution can follow; sine and cosine do not. Bends in space lie between 0 and π and stay angles.
    /// </summary>
    /// <remarks>On the way back the angle of a pair (s, c) is atan2(s, c), so a pair need not be of length 1; one no longer than 1e-12 has
    /// no direction and stands for 0.</remarks>
    public bool AsSineCosine { get; init; }
}
