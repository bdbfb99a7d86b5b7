using Microsoft.ML;
using Vae.MLNet.Evaluation;
using Vae.MLNet.Samples;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>Tells how well generated rows pass for real ones: two-sample tests, column by column and on whole rows, and a look for copies.</summary>
    /// <param name="real">Real rows that the generator was not trained on.</param>
    /// <param name="generated">Generated rows, with the same columns.</param>
    /// <param name="options">Options; the rows trained on are among them.</param>
    /// <returns>The figures, with a sentence that sums them up.</returns>
    /// <remarks>
    /// <para>
    /// Columns are matched by name, slots of vectors by their names where both sides have them. Numbers of every type (as Single), dates and durations are numbers; text,
    /// keys (as what they stand for) and Boolean are categories; vectors of a known size are as many columns as they have slots. NaN, empty text and the missing key are
    /// missing values, which are a state of their own.
    /// </para>
    /// <para>
    /// Boosted trees (Microsoft.ML.FastTree) are trained to tell real from generated rows and judged by cross-validation on rows that they have not seen: an area under
    /// the ROC curve of 0.5 says that they cannot (Lopez-Paz and Oquab 2017). Kolmogorov and Smirnov's distance and the total variation distance compare columns one by
    /// one, histograms of pairs see what columns have to do with each other, and the maximum mean discrepancy (Gretton et al. 2012) compares whole rows. Beside each
    /// stands what it gives where there is no difference. The page CompareSamples.md says how each is computed and how to read it.
    /// </para>
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The tables have different columns, a column has different types or one that cannot be compared, or an option is out of its range.
    /// </exception>
    /// <exception cref="InvalidOperationException">A table has fewer than ten rows.</exception>
    /// <exception cref="OperationCanceledException">The comparison was cancelled.</exception>
    public SampleComparison CompareSamples(IDataView real, IDataView generated, CompareSamplesOptions? options = null)
    {
        options = (options ?? new()).Validate();
        var tables = SampleReader.Read(
            Check.NotNull(real), Check.NotNull(generated), options.Training, options.IgnoredColumns, nameof(CompareSamples), options.CancellationToken);
        return SampleComparer.Compare(tables.Real, tables.Generated, tables.Training, options);
    }
}
