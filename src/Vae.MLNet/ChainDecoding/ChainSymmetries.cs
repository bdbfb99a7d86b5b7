namespace Vae.MLNet;

/// <summary>What leaves a chain as likely as it was.</summary>
[Flags]
public enum ChainSymmetries
{
    /// <summary>Nothing but turning and moving it.</summary>
    None = 0,

    /// <summary>Its mirror image: chains in the plane without sides, chains in space without handedness.</summary>
    Mirror = 1,

    /// <summary>Counting its beads from the other end: chains of beads that are all alike.</summary>
    Direction = 2,
}
