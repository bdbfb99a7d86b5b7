namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>Moves conformations so that their centre lies at the origin.</summary>
    /// <param name="outputColumnName">Column to add; a vector of the size of the input, bead by bead.</param>
    /// <param name="inputColumnName">Column of coordinates: a vector of Single, [beads, dimensions] or flat, bead by bead.</param>
    /// <param name="dimensions">Coordinates of a bead, at least 1.</param>
    /// <param name="masses">Masses of the beads for the centre, one for each bead and positive; null for equal ones.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> or a mass is out of its range.</exception>
    public ConformationCenteringEstimator CenterConformations(string outputColumnName, string inputColumnName, int dimensions, IReadOnlyList<float>? masses = null) =>
        new(Context, outputColumnName, inputColumnName, dimensions, masses);

    /// <summary>Moves conformations to the origin and rotates them onto their principal axes.</summary>
    /// <param name="outputColumnName">Column to add; a vector of the size of the input, bead by bead.</param>
    /// <param name="inputColumnName">Column of coordinates: a vector of Single, [beads, dimensions] or flat, bead by bead.</param>
    /// <param name="dimensions">Coordinates of a bead: 2 or 3.</param>
    /// <param name="options">How the axes are settled; null for the defaults.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice, or options contradict each other.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> or an option is out of its range.</exception>
    public PrincipalAxisAlignmentEstimator AlignPrincipalAxes(string outputColumnName, string inputColumnName, int dimensions, PrincipalAxisOptions? options = null) =>
        new(Context, outputColumnName, inputColumnName, dimensions, options);

    /// <summary>Computes the radius of gyration of conformations.</summary>
    /// <param name="outputColumnName">Column to add, a Single in the units of the coordinates.</param>
    /// <param name="inputColumnName">Column of coordinates: a vector of Single, [beads, dimensions] or flat, bead by bead.</param>
    /// <param name="dimensions">Coordinates of a bead, at least 1.</param>
    /// <param name="masses">Masses of the beads, one for each bead and positive; null for equal ones.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> or a mass is out of its range.</exception>
    public RadiusOfGyrationEstimator RadiusOfGyration(string outputColumnName, string inputColumnName, int dimensions, IReadOnlyList<float>? masses = null) =>
        new(Context, outputColumnName, inputColumnName, dimensions, masses);
}
