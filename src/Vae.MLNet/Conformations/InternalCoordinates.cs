using Microsoft.ML;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;

namespace Vae.MLNet;

/// <summary>
/// Describes chains by their bonds and angles instead of coordinates: what is the same wherever a chain lies and however it is turned.
/// </summary>
/// <remarks>
/// <para>In the plane a chain of n beads gives n - 1 bond lengths and n - 2 turning angles: the angle from one bond to the next, 0 where
/// the chain goes straight on, positive to the left. In space it gives n - 1 bond lengths, n - 2 bends (the same angle, without a sign: 0
/// to π) and n - 3 torsions. Angles are in radians, periodic ones above -π up to π. The groups follow each other, each in the order of the
/// chain; slots are named, beads counted from 1: <c>bond 1-2</c>, <c>angle 1-2-3</c>, <c>torsion 1-2-3-4</c>, and with <see
/// cref="InternalCoordinatesOptions.AsSineCosine"/> <c>sin torsion 1-2-3-4</c>, after all sines <c>cos torsion 1-2-3-4</c>.</para>
/// <para>Angles are those of polymer physics (Flory, Statistical Mechanics of Chain Molecules, 1969): the stretched chain, a flat zigzag in
/// space, has zeros. A chemist's bond angle is π minus the bend, a chemist's (IUPAC) torsion is the torsion plus π, in the same sense of
/// rotation: 0 here is trans.</para>
/// <para>A chain is open: a bond between the last bead and the first is not described, and a ring given as a chain comes back open by the
/// error of a model. Mirror images have turning angles, or torsions, of the opposite sign.</para>
/// <para><b>Degenerate chains</b> come out finite and always the same. A bond without length goes on in the direction of the bond before,
/// at the start of the chain in that of the first bond that has a length. Three beads in a line (to 1e-5 of a radian) span no plane: the
/// torsion about their bonds is 0, and the next torsion is told from the plane before. A fold back onto the bond before is an angle of π. A
/// coordinate that is NaN or infinite makes the whole row NaN. The computation is in double precision.</para>
///
/// | | |
/// |---|---|
/// | Does this estimator need to look at the data to train its parameters? | No |
/// | Input column data type | Vector of Single: [beads, dimensions] or flat, bead by bead; at least three beads |
/// | Output column data type | Vector of Single, with slot names |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed class InternalCoordinatesEstimator : IEstimator<InternalCoordinatesTransformer>
{
    private readonly ConformationColumns _columns;
    private readonly InternalCoordinatesOptions _options;

    internal InternalCoordinatesEstimator(
        MLContext context, string outputColumnName, string inputColumnName, int dimensions, InternalCoordinatesOptions? options)
    {
        _columns = new(context, outputColumnName, inputColumnName, dimensions, (2, 3), null, scalar: false);
        _options = options ?? new();
    }

    /// <summary>Checks the input column; no data is read.</summary>
    /// <param name="input">Data with the input column.</param>
    /// <returns>The transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The input column is missing, is not a vector of Single of known size, does not fit the dimensions, or has fewer than three beads.
    /// </exception>
    public InternalCoordinatesTransformer Fit(IDataView input)
    {
        var beads = _columns.Layout(input);
        if (beads.Beads < InternalLayout.FewestBeads)
        {
            throw Check.SchemaMismatch(nameof(input), _columns.Input,
                Check.Invariant($"at least {InternalLayout.FewestBeads} beads of {beads.Dimensions} coordinates, which have an angle"),
                Check.TypeName(input.Schema[_columns.Input].Type));
        }
        return new(_columns, _options, beads, new(beads.Beads, beads.Dimensions, _options.AsSineCosine), input.Schema);
    }

    /// <summary>The columns that the transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _columns.Shape(inputSchema, named: true);
}

/// <summary>The transform of <see cref="InternalCoordinatesEstimator"/>.</summary>
public sealed class InternalCoordinatesTransformer : ConformationTransformer
{
    internal InternalCoordinatesTransformer(
        ConformationColumns columns, InternalCoordinatesOptions options, BeadLayout beads, InternalLayout layout, DataViewSchema fitSchema)
        : base(columns.Context, new(columns.Output, layout.Size, SlotNames: layout.Names()), columns.Input, beads.Size, beads, fitSchema)
    {
        Options = options;
        Internal = layout;
    }

    /// <summary>How the numbers are written.</summary>
    public InternalCoordinatesOptions Options { get; }

    internal InternalLayout Internal { get; }

    /// <summary>The way back, for one row.</summary>
    internal void Inverted(ReadOnlySpan<float> numbers, Span<float> beads) => InternalKernels.ToCartesian(Internal, numbers, beads);

    private protected override void Compute(ReadOnlySpan<float> input, Span<float> output) =>
        InternalKernels.ToInternal(Internal, input, output);

    internal override string AddTo(OnnxGraph graph, string input, string? output) =>
        InternalGraphs.AddInternal(graph, input, Internal, output);
}
