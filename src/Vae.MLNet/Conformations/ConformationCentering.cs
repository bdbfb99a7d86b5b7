using Microsoft.ML;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;

namespace Vae.MLNet;

/// <summary>Moves conformations so that their centre, the (optionally mass-weighted) mean of the beads, lies at the origin.</summary>
/// <remarks>
/// <para>x'_i = x_i - Σ m_j x_j / Σ m_j, in double precision inside. A coordinate that is NaN or infinite makes the whole row NaN.</para>
///
/// | | |
/// |---|---|
/// | Does this estimator need to look at the data to train its parameters? | No |
/// | Input column data type | Vector of Single: [beads, dimensions] or flat, bead by bead |
/// | Output column data type | Vector of Single of the same size |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed class ConformationCenteringEstimator : IEstimator<ConformationCenteringTransformer>
{
    private readonly ConformationColumns _columns;

    internal ConformationCenteringEstimator(MLContext context, string outputColumnName, string inputColumnName, int dimensions, IReadOnlyList<float>? masses) =>
        _columns = new(context, outputColumnName, inputColumnName, dimensions, (1, int.MaxValue), masses, scalar: false);

    /// <summary>Checks the input column; no data is read.</summary>
    /// <param name="input">Data with the input column.</param>
    /// <returns>The transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing, is not a vector of Single of known size, or does not fit dimensions and masses.</exception>
    public ConformationCenteringTransformer Fit(IDataView input) => new(_columns, _columns.Layout(input), input.Schema);

    /// <summary>The columns that the transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _columns.Shape(inputSchema);
}

/// <summary>The transform of <see cref="ConformationCenteringEstimator"/>.</summary>
public sealed class ConformationCenteringTransformer : ConformationTransformer
{
    internal ConformationCenteringTransformer(ConformationColumns columns, BeadLayout layout, DataViewSchema fitSchema)
        : base(columns.Context, columns.Output, columns.Input, layout, columns.Scalar, fitSchema)
    {
    }

    private protected override void Compute(ReadOnlySpan<float> input, Span<float> output) => ConformationKernels.Center(Layout, input, output);

    internal override string AddTo(OnnxGraph graph, string input, string? output) => ConformationGraphs.AddCentering(graph, input, Layout, output);
}
