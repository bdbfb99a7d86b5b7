using Microsoft.ML;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;

namespace Vae.MLNet;

/// <summary>
/// Builds chains from their bonds and angles: the inverse of <see cref="InternalCoordinatesEstimator"/>, up to where a chain lies and how
/// it is turned.
/// </summary>
/// <remarks>
/// <para>The first bead lies at the origin and the second on the first axis; in space the third lies in the plane of the first two axes, on
/// the side y ≥ 0 for a bend between 0 and π. Each further bead is placed in the axes of the bond before it (the natural extension
/// reference frame: Parsons, Holmes, Rojas, Tsai and Strauss, Journal of Computational Chemistry 26, 2005; the rotations from bond to bond
/// are those of Flory, 1969). What is the input of <see cref="InternalCoordinatesEstimator"/> and what comes back differ by a translation
/// and a proper rotation: all distances agree, and left stays left. Where the orientation matters, append <c>AlignPrincipalAxes</c>.</para>
/// <para>The order of the numbers, the angles and their units are those of <see cref="InternalCoordinatesEstimator"/>. Any finite numbers
/// make a finite chain: a model's output may have bends below zero or above π and lengths below zero, which are taken as they are. Where
/// the input column has slot names, they have to be those of <see cref="InternalCoordinatesEstimator"/>. A number that is NaN or infinite
/// makes the whole row NaN. The computation is in double precision.</para>
///
/// | | |
/// |---|---|
/// | Does this estimator need to look at the data to train its parameters? | No |
/// | Input column data type | Vector of Single: as <see cref="InternalCoordinatesEstimator"/> gives it |
/// | Output column data type | Vector of Single: beads · dimensions, bead by bead |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed class CartesianCoordinatesEstimator : IEstimator<CartesianCoordinatesTransformer>
{
    private readonly ConformationColumns _columns;
    private readonly InternalCoordinatesOptions _options;

    internal CartesianCoordinatesEstimator(
        MLContext context, string outputColumnName, string inputColumnName, int dimensions, InternalCoordinatesOptions? options)
    {
        _columns = new(context, outputColumnName, inputColumnName, dimensions, (2, 3), null, scalar: false);
        _options = options ?? new();
    }

    /// <summary>Checks the input column; no data is read.</summary>
    /// <param name="input">Data with the input column.</param>
    /// <returns>The transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The input column is missing, is not a vector of Single of known size, does not hold the internal coordinates of a whole number of
    /// beads, at least three, or has slots of other names.
    /// </exception>
    public CartesianCoordinatesTransformer Fit(IDataView input)
    {
        Check.NotNull(input);
        var layout = InternalLayout.FromSchema(input.Schema, _columns.Input, _columns.Dimensions, _options.AsSineCosine, nameof(input));
        return new(_columns, _options, layout, input.Schema);
    }

    /// <summary>The columns that the transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _columns.Shape(inputSchema);
}

/// <summary>The transform of <see cref="CartesianCoordinatesEstimator"/>.</summary>
public sealed class CartesianCoordinatesTransformer : ConformationTransformer
{
    internal CartesianCoordinatesTransformer(
        ConformationColumns columns, InternalCoordinatesOptions options, InternalLayout layout, DataViewSchema fitSchema)
        : this(columns, options, layout, new BeadLayout(layout.Beads, layout.Dimensions), fitSchema)
    {
    }

    private CartesianCoordinatesTransformer(
        ConformationColumns columns, InternalCoordinatesOptions options, InternalLayout layout, BeadLayout beads, DataViewSchema fitSchema)
        : base(columns.Context, new(columns.Output, beads.Size) { BeadDimensions = beads.Dimensions }, columns.Input, layout.Size, beads, fitSchema)
    {
        Options = options;
        Internal = layout;
    }

    /// <summary>How the numbers are written.</summary>
    public InternalCoordinatesOptions Options { get; }

    internal InternalLayout Internal { get; }

    private protected override int CheckInput(DataViewSchema inputSchema)
    {
        int index = base.CheckInput(inputSchema);
        Internal.RequireNames(inputSchema[index], nameof(inputSchema));
        return index;
    }

    /// <summary>The way back, for one row.</summary>
    internal void Inverted(ReadOnlySpan<float> beads, Span<float> numbers) => InternalKernels.ToInternal(Internal, beads, numbers);

    private protected override void Compute(ReadOnlySpan<float> input, Span<float> output) =>
        InternalKernels.ToCartesian(Internal, input, output);

    internal override string AddTo(OnnxGraph graph, string input, string? output) =>
        InternalGraphs.AddCartesian(graph, input, Internal, output).Output;
}
