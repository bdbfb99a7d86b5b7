using Microsoft.ML;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;

namespace Vae.MLNet;

/// <summary>Computes the radius of gyration of conformations: how far the beads are from their centre, as a root mean square.</summary>
/// <remarks>
/// <para>Rg = √(Σ m_i |x_i - c|² / Σ m_i) with c = Σ m_i x_i / Σ m_i, in the units of the coordinates and in double precision inside. A coordinate that is NaN or
/// infinite gives NaN.</para>
///
/// | | |
/// |---|---|
/// | Does this estimator need to look at the data to train its parameters? | No |
/// | Input column data type | Vector of Single: [beads, dimensions] or flat, bead by bead |
/// | Output column data type | Single |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed class RadiusOfGyrationEstimator : IEstimator<RadiusOfGyrationTransformer>
{
    private readonly ConformationColumns _columns;

    internal RadiusOfGyrationEstimator(MLContext context, string outputColumnName, string inputColumnName, int dimensions, IReadOnlyList<float>? masses) =>
        _columns = new(context, outputColumnName, inputColumnName, dimensions, (1, int.MaxValue), masses, scalar: true);

    /// <summary>Checks the input column; no data is read.</summary>
    /// <param name="input">Data with the input column.</param>
    /// <returns>The transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing, is not a vector of Single of known size, or does not fit dimensions and masses.</exception>
    public RadiusOfGyrationTransformer Fit(IDataView input) => new(_columns, _columns.Layout(input), input.Schema);

    /// <summary>The columns that the transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _columns.Shape(inputSchema);
}

/// <summary>The transform of <see cref="RadiusOfGyrationEstimator"/>.</summary>
public sealed class RadiusOfGyrationTransformer : ConformationTransformer
{
    internal RadiusOfGyrationTransformer(ConformationColumns columns, BeadLayout layout, DataViewSchema fitSchema)
        : base(columns.Context, columns.Output, columns.Input, layout, columns.Scalar, fitSchema)
    {
    }

    private protected override void Compute(ReadOnlySpan<float> input, Span<float> output) => output[0] = ConformationKernels.RadiusOfGyration(Layout, input);

    internal override string AddTo(OnnxGraph graph, string input, string? output) => ConformationGraphs.AddRadiusOfGyration(graph, input, Layout, output);
}
