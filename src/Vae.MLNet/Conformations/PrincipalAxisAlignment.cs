using Microsoft.ML;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;

namespace Vae.MLNet;

/// <summary>
/// Removes position and orientation from conformations: moves the centre to the origin and rotates, so that the axis of the largest variance lies on +x and (3D) that
/// of the second largest on +y.
/// </summary>
/// <remarks>
/// <para>The axes are the eigenvectors of Σ m_i x_i x_iᵀ about the centre Σ m_i x_i / Σ m_i, by descending eigenvalue. <see cref="PrincipalAxisOptions.Sign"/> settles which
/// way an axis points. In 2D both axes turn together and in 3D z follows from x and y, so the map is a proper rotation; with <see cref="PrincipalAxisOptions.Mirror"/> the last
/// axis gets its own sign.</para>
/// <para><b>What is promised.</b> With a rule for the sign, turning or shifting the input changes no coordinate of the output by more than 1e-5 of the shape's size,
/// as far as single precision keeps the input itself: a shape that lies 1,000 sizes off the origin has lost three digits before it comes here. No rule can be continuous
/// over all shapes. Where a third moment (or a first coordinate) passes through zero, or two eigenvalues become equal, the output jumps; shapes within about 1e-7
/// of such a border can come out on either side of it. These are one in millions for shapes drawn from a continuous distribution, and symmetric shapes, which lie on a border
/// exactly, are handled by the next rule instead:</para>
/// <list type="bullet">
/// <item>sign: the third moment; where it is below 1e-5 of its scale, Σ (i - (n-1)/2) x_i; where that is too, the first bead off the centre along the axis;</item>
/// <item>no longest axis (the eigenvalues differ by at most 1 % of the greater one): the vector Σ (i - (n-1)/2) x_i takes the axis' place, or where it is
/// short, the first bead at least half the root-mean-square distance off the centre; in 3D it is projected into the plane of the equal eigenvalues first;</item>
/// <item>all beads in one place: zeros.</item>
/// </list>
/// <para>A coordinate that is NaN or infinite makes the whole row NaN. The computation is in double precision.</para>
///
/// | | |
/// |---|---|
/// | Does this estimator need to look at the data to train its parameters? | No |
/// | Input column data type | Vector of Single: [beads, dimensions] or flat, bead by bead |
/// | Output column data type | Vector of Single of the same size |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed class PrincipalAxisAlignmentEstimator : IEstimator<PrincipalAxisAlignmentTransformer>
{
    private readonly ConformationColumns _columns;
    private readonly PrincipalAxisOptions _options;

    internal PrincipalAxisAlignmentEstimator(MLContext context, string outputColumnName, string inputColumnName, int dimensions, PrincipalAxisOptions? options)
    {
        _options = (options ?? new()).Validate();
        _columns = new(context, outputColumnName, inputColumnName, dimensions, (2, 3), _options.Masses, scalar: false);
    }

    /// <summary>Checks the input column; no data is read.</summary>
    /// <param name="input">Data with the input column.</param>
    /// <returns>The transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing, is not a vector of Single of known size, or does not fit dimensions and masses.</exception>
    public PrincipalAxisAlignmentTransformer Fit(IDataView input) => new(_columns, _options, _columns.Layout(input), input.Schema);

    /// <summary>The columns that the transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _columns.Shape(inputSchema);
}

/// <summary>The transform of <see cref="PrincipalAxisAlignmentEstimator"/>.</summary>
public sealed class PrincipalAxisAlignmentTransformer : ConformationTransformer
{
    internal PrincipalAxisAlignmentTransformer(ConformationColumns columns, PrincipalAxisOptions options, BeadLayout layout, DataViewSchema fitSchema)
        : base(columns.Context, columns.Output, columns.Input, layout, columns.Scalar, fitSchema)
    {
        Options = options;
    }

    /// <summary>How the axes are settled.</summary>
    public PrincipalAxisOptions Options { get; }

    private protected override void Compute(ReadOnlySpan<float> input, Span<float> output) => ConformationKernels.Align(Layout, Options, input, output);

    internal override string AddTo(OnnxGraph graph, string input, string? output) => ConformationGraphs.AddAlignment(graph, input, Layout, Options, output);
}
