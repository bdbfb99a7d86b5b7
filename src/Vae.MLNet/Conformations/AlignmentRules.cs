namespace Vae.MLNet.Conformations;

/// <summary>
/// Relative thresholds that kernel and graph share. Turning a shape in single precision moves its coordinates by about 1e-7 of its size; a decision that such a move
/// could change is left to the next rule.
/// </summary>
internal static class AlignmentRules
{
    /// <summary>
    /// Two eigenvalues whose difference is at most this part of the greater one are taken as equal: the axis would turn by about 1e-7 divided by this part, and beyond
    /// 1e-5 the output would no longer be independent of the input's orientation. Of 2,048 frames of a soft polymer none comes within 5e-2.
    /// </summary>
    public const double EqualEigenvalues = 1e-2;

    /// <summary>Moments up to this part of their scale are taken as zero.</summary>
    public const double ZeroMoment = 1e-5;

    /// <summary>Coordinates up to this part of the radius of gyration are taken as zero.</summary>
    public const double ZeroCoordinate = 5e-6;

    /// <summary>Components of a unit vector up to this are taken as zero.</summary>
    public const double ZeroComponent = 1e-6;

    /// <summary>The index-weighted vector gives a direction where its square is at least this part of its scale's: a shorter one would turn with the noise.</summary>
    public const double ClearChainVector = 0.1;

    /// <summary>A bead gives a direction where its squared distance from the centre is at least this part of the mean one; some bead always is that far.</summary>
    public const double ClearBead = 0.25;

    /// <summary>
    /// Squarings of a matrix of trace 1 that leave only its dominant eigenvector: (1 - <see cref="EqualEigenvalues"/> / 2) to the power 2^14 is below 1e-35.
    /// </summary>
    public const int Squarings = 14;

    /// <summary>Squarings between two normalisations of the trace, which a squaring lowers to a third of its square at least.</summary>
    public const int NormalizeEvery = 7;

    /// <summary>A diagonal element of a rank-one projector in three dimensions that is large enough; at least one is a third.</summary>
    public const double LargeDiagonal = 0.33;

    public const double Tiny = 1e-280;
}
