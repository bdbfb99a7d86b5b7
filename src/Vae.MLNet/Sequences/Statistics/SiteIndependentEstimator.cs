using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>
/// Fits a <see cref="SiteIndependentModel"/> and scores sequences with it: the baseline that every other sequence model has to be read against.
/// </summary>
/// <remarks>
/// | | |
/// |---|---|
/// | Input | Vector&lt;Int64, L&gt; of tokens with a sequence layout, as <see cref="VaeCatalog.LoadAlignment"/> makes |
/// | Output | Single: log-probability in nats, higher for sequences more like the family |
/// | Needs caching | no: one pass |
/// | Saved model | an ordinary ONNX transform |
/// </remarks>
public sealed class SiteIndependentEstimator : IEstimator<SiteIndependentTransformer>
{
    private readonly IHostEnvironment _environment;
    private readonly string _output;
    private readonly string _input;
    private readonly SiteIndependentOptions _options;

    internal SiteIndependentEstimator(IHostEnvironment environment, string outputColumnName, string inputColumnName, SiteIndependentOptions options)
    {
        _environment = environment;
        _output = Check.GraphColumnName(outputColumnName);
        _input = Check.GraphColumnName(inputColumnName);
        if (_output == _input)
            throw Check.Argument(nameof(outputColumnName), $"Output and input cannot both be '{_input}': the saved graph needs two names.");
        _options = options;
        options.Validate();
    }

    /// <summary>Counts symbols in one pass over the data.</summary>
    /// <param name="input">Data with the tokens column.</param>
    /// <returns>The fitted transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The tokens column or the weight column is missing or has a wrong type.</exception>
    /// <exception cref="InvalidOperationException">The data has no rows, or a token or weight is not valid.</exception>
    public SiteIndependentTransformer Fit(IDataView input)
    {
        Check.NotNull(input);
        var (_, layout) = TokenColumns.FindWithLayout(input.Schema, _input, nameof(input));
        string? weightColumn = _options.WeightColumnName
            ?? (input.Schema.GetColumnOrNull(SequenceAlignment.WeightColumn)?.Type == NumberDataViewType.Single ? SequenceAlignment.WeightColumn : null);
        var (tokens, _, weights) = TokenColumns.Read(input, _input, layout, weightColumn);
        return new SiteIndependentTransformer(_environment, _output, _input, SiteIndependentModel.Fit(layout, tokens, weights, _options.Pseudocount), input.Schema);
    }

    /// <summary>The shape of the output: the input's columns and the score.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>The output's shape.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The tokens column is missing or has a wrong type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Check.NotNull(inputSchema);
        TokenColumns.Require(inputSchema, _input);
        return ColumnShapes.Append(_environment as MLContext ?? new MLContext(0), inputSchema, [SiteIndependentTransformer.Output(_output)]);
    }
}
