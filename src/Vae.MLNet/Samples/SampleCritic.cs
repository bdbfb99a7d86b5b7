using Microsoft.ML;
using Vae.MLNet.Data;
using Vae.MLNet.Samples;

namespace Vae.MLNet;

/// <summary>
/// A learned density ratio of real rows to generated ones: where it is small, a generated row gives itself away. Keeping rows in proportion
/// to it brings what is generated nearer to the real rows (discriminator rejection sampling, Azadi et al. 2019). Immutable and safe to use
/// from many threads at once.
/// </summary>
/// <remarks>
/// Boosted trees (Microsoft.ML.FastTree) learn to tell the two apart on all rows but a part, and are judged on that part, which settles how
/// many trees are taken and how sure they may be (Platt's scaling, 1999); so the rows that the figures come from were never trained on. For
/// balanced classes the classifier's odds are the ratio of densities.
/// </remarks>
public sealed class SampleCritic
{
    private readonly IReadOnlyList<SampleInput> _inputs;
    private readonly CriticFeatures _features;
    private readonly CriticTraining _training;
    private readonly int _dimensions;

    private SampleCritic(IReadOnlyList<SampleInput> inputs, CriticFeatures features, CriticTraining training, int dimensions)
    {
        _inputs = inputs;
        _features = features;
        _training = training;
        _dimensions = dimensions;
    }

    /// <summary>
    /// Area under the ROC curve with which rows held out were told apart: 0.5 says that the generated rows pass already, and that the critic
    /// has nothing to say.
    /// </summary>
    public double Auc => _training.Auc;

    /// <summary>Standard error of <see cref="Auc"/>.</summary>
    public double AucStandardError => _training.StandardError;

    /// <summary>Share of generated rows that are kept, judged on rows held out.</summary>
    public double Acceptance => _training.Acceptance;

    /// <summary>The ratio's logarithm, in nats, from which on a row is kept for certain.</summary>
    public float CertainLogRatio => (float)_training.Bound;

    /// <summary>The logarithm of the density of real rows over that of generated ones.</summary>
    /// <param name="rows">Rows with at least the columns that the critic was trained on, of the same types.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>A number of nats for each row.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public float[] LogRatios(IDataView rows, CancellationToken cancellationToken = default)
    {
        var table = SampleReader.Read(Check.NotNull(rows), _inputs, nameof(rows), cancellationToken);
        float[][] features = _features.Rows(table);
        var ratios = new float[features.Length];
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount };
        Parallel.For(0, ratios.Length, options, row => ratios[row] = _training.LogRatio(features[row]));
        return ratios;
    }

    /// <summary>Probability with which a generated row is kept: its ratio as a share of that from which on rows are kept for certain.</summary>
    /// <param name="logRatio">The row's ratio, as <see cref="LogRatios"/> gives it.</param>
    /// <returns>A number from 0 to 1; 0 for NaN.</returns>
    public double KeepProbability(float logRatio) => float.IsNaN(logRatio) ? 0 : Math.Exp(Math.Min(0, logRatio - (double)CertainLogRatio));

    /// <summary>
    /// Writes the critic to an ONNX file: an input for each column, under its name, [N, slots] or [N, 1], and the output <c>LogRatio</c>
    /// [N, 1]. Of vectors of Single alone, <c>VaeCritic</c> of Vae.MLNet.Inference loads it; OnnxRuntime does in any case. Text and keys are
    /// strings; Boolean, Single, Double, Int32 and Int64 are themselves, other numbers Double, dates Double in days since 1970 and durations
    /// Double in seconds.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Export(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        AtomicFile.WriteAllBytes(path, ToOnnx());
    }

    internal byte[] ToOnnx() => CriticGraph.File(_inputs, _features, _training, _dimensions);

    internal static SampleCritic Fit(IDataView real, IDataView generated, CriticOptions options)
    {
        const string Operation = nameof(VaeCatalog.FitCritic);
        var (first, second, _) = SampleReader.Read(real, generated, null, options.IgnoredColumns, Operation, options.CancellationToken);
        var inputs = SampleReader.Inputs(real, options.IgnoredColumns, nameof(real));
        if (options.Dimensions > 0)
            RequireConformation(inputs, first, second, options.Dimensions);
        if (Math.Min(first.Rows, second.Rows) < 2 * options.Folds)
        {
            throw new InvalidOperationException(Check.Invariant(
                $"{Operation}: {options.Folds} parts need {2 * options.Folds} rows of each kind; ")
                + Check.Invariant($"there are {first.Rows} real and {second.Rows} generated ones."));
        }
        var features = CriticFeatures.Of(first, second, options.Dimensions);
        return new(inputs, features, CriticTraining.Fit(features.Rows(first), features.Rows(second), options), options.Dimensions);
    }

    private static void RequireConformation(IReadOnlyList<SampleInput> inputs, SampleTable real, SampleTable generated, int dimensions)
    {
        if (inputs is not [{ IsCategory: false, Size: { } size }] || size % dimensions != 0 || size < 2 * dimensions)
        {
            throw new ArgumentOutOfRangeException(nameof(CriticOptions.Dimensions),
                $"With Dimensions = {dimensions} the rows have to be one vector of beads' coordinates, of two beads or more; they have "
                + string.Join(", ", inputs.Select(input => $"'{input.Name}' ({Slots(input)})"))
                + ". IgnoredColumns leaves columns out.");
        }
        foreach (var (table, what) in new[] { (real, "real"), (generated, "generated") })
        {
            foreach (var column in table.Columns)
            {
                int row = Array.FindIndex(column.Numbers!, number => !float.IsFinite(number));
                if (row >= 0)
                {
                    throw new InvalidOperationException(Check.Invariant(
                        $"Column '{column.Name}' of the {what} rows holds {column.Numbers![row]} in row {row}; a coordinate is a finite number."));
                }
            }
        }

        static string Slots(SampleInput input) => input.Size is { } slots ? Check.Invariant($"{slots} slots") : "a single value";
    }
}
