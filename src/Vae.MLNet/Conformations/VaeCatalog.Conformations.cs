using Vae.MLNet.Conformations;
using Vae.MLNet.Data;

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

    /// <summary>
    /// Describes chains by bond lengths and angles: n - 1 bonds and n - 2 turning angles in the plane; n - 1 bonds, n - 2 bends and n - 3
    /// torsions in space.
    /// </summary>
    /// <param name="outputColumnName">
    /// Column to add; a vector with a named slot for each bond and angle, in the units of the coordinates and radians.
    /// </param>
    /// <param name="inputColumnName">
    /// Column of coordinates: a vector of Single, [beads, dimensions] or flat, bead by bead; at least three beads of an open chain.
    /// </param>
    /// <param name="dimensions">Coordinates of a bead: 2 or 3.</param>
    /// <param name="options">How angles are written; null for the defaults.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> is out of its range.</exception>
    public InternalCoordinatesEstimator InternalCoordinates(
        string outputColumnName, string inputColumnName, int dimensions, InternalCoordinatesOptions? options = null) =>
        new(Context, outputColumnName, inputColumnName, dimensions, options);

    /// <summary>
    /// Builds chains from bond lengths and angles: the inverse of <see cref="InternalCoordinates"/>, with the first bead at the origin.
    /// </summary>
    /// <param name="outputColumnName">Column to add; a vector of beads · dimensions coordinates, bead by bead.</param>
    /// <param name="inputColumnName">Column of bonds and angles, as <see cref="InternalCoordinates"/> gives them.</param>
    /// <param name="dimensions">Coordinates of a bead: 2 or 3.</param>
    /// <param name="options">How angles are written, as at <see cref="InternalCoordinates"/>; null for the defaults.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> is out of its range.</exception>
    public CartesianCoordinatesEstimator CartesianCoordinates(
        string outputColumnName, string inputColumnName, int dimensions, InternalCoordinatesOptions? options = null) =>
        new(Context, outputColumnName, inputColumnName, dimensions, options);

    /// <summary>
    /// Writes the decoder of an autoencoder of internal coordinates with <see cref="CartesianCoordinates"/> behind it: <c>Latent</c> [N,
    /// latent] to <c>Reconstruction</c> [N, beads · dimensions], the chain built from the mean of p(x|z), and its vector-Jacobian product,
    /// for <c>VaeDecoder</c> of Vae.MLNet.Inference.
    /// </summary>
    /// <remarks>
    /// The autoencoder has to read what <see cref="InternalCoordinates"/> gives as it stands; units are a matter of <see
    /// cref="VaeTrainer.Options.Scaling"/>. Behind a normaliser of ML.NET its decoder would give normalised bonds and angles, of which no
    /// chain can be built. Noise about bonds and angles is none about coordinates, so the file has none; the mean alone can be sampled.
    /// </remarks>
    /// <param name="model">The autoencoder, as <see cref="VaeTransformer.Model"/> or <see cref="VaeModel.FromPipeline"/> give it.</param>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="dimensions">Coordinates of a bead: 2 or 3.</param>
    /// <param name="coordinates">How angles are written, as at <see cref="InternalCoordinates"/>; null for the defaults.</param>
    /// <param name="options">Precision of the weights, and whether to add the vector-Jacobian product; null for the defaults.</param>
    /// <returns>Size and measured error.</returns>
    /// <exception cref="ArgumentException">
    /// The features of the model are not internal coordinates of a chain, by their number or their names, or its likelihood is not one of
    /// numbers.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> is out of its range.</exception>
    /// <exception cref="InvalidOperationException">
    /// The graph does not agree with the network and the geometry within the tolerance; nothing was written.
    /// </exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public OnnxExportReport ExportCartesianDecoder(
        VaeModel model, string path, int dimensions, InternalCoordinatesOptions? coordinates = null, OnnxExportOptions? options = null)
    {
        Check.NotNull(path);
        var (file, report) = CartesianDecoder.Create(
            Check.NotNull(model), Check.InRange(dimensions, 2, 3), (coordinates ?? new()).AsSineCosine, (options ?? new()).Validate());
        AtomicFile.WriteAllBytes(path, file);
        return report;
    }
}
