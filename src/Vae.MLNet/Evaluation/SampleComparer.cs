using Vae.MLNet.Model;
using Vae.MLNet.Samples;

namespace Vae.MLNet.Evaluation;

/// <summary>Compares tables that are in memory: whatever has columns of numbers and categories.</summary>
internal static class SampleComparer
{
    /// <summary>Fewest rows of each half of the real ones that are told apart.</summary>
    private const int FewestHalves = 50;

    /// <summary>Rows of each side for the maximum mean discrepancy, and permutations for its p-value.</summary>
    private const int DiscrepancyRows = 1000, Permutations = 499;

    /// <summary>Rows of each side whose nearest training row is looked for, and training rows to look among.</summary>
    private const int CopyQueries = 2000, CopyTraining = 50_000;

    private const int WorstPairs = 10;

    /// <param name="real">Real rows.</param>
    /// <param name="generated">Generated rows, of the same columns in the same order.</param>
    /// <param name="training">The rows trained on, of the same columns in the same order, or null.</param>
    /// <param name="options">Options; their <see cref="CompareSamplesOptions.Training"/> and <see cref="CompareSamplesOptions.IgnoredColumns"/> are not looked at.</param>
    public static SampleComparison Compare(SampleTable real, SampleTable generated, SampleTable? training, CompareSamplesOptions options)
    {
        options.Validate();
        foreach (var (table, name) in new[] { (real, "real rows"), (generated, "generated rows"), (training ?? real, "training rows") })
            RequireSame(real, table, name);

        var token = options.CancellationToken;
        int half = Math.Min(options.ClassifierRows, real.Rows / 2);
        bool halves = options.RealHalves && half >= FewestHalves;
        int done = 0, steps = 2 + options.Folds * (halves ? 2 : 1) + (training is null ? 0 : 1);
        Step("columns and pairs");
        var statistics = new SampleStatistics(real, generated, options.Seed, token);
        var pairs = statistics.Pairs(options.Pairs);

        done++;
        Step("maximum mean discrepancy");
        var distances = new RowDistances(real, generated, training, options.Seed, token);
        var (discrepancy, pValue) = distances.Discrepancy(DiscrepancyRows, Permutations);
        done++;
        CopyTest? copies = null;
        if (training is not null)
        {
            Step("copies");
            copies = distances.Copies(CopyQueries, CopyTraining);
            done++;
        }

        int side = Math.Min(options.ClassifierRows, Math.Min(real.Rows, generated.Rows)), before = done;
        var classifier = SampleClassifier.CrossValidate(real, generated, RowDistances.Draw(real.Rows, side, options.Seed, ComparisonDraw.ClassifierReal),
            RowDistances.Draw(generated.Rows, side, options.Seed, ComparisonDraw.ClassifierGenerated), options, fold => Fold(fold, "classifier"));
        before += options.Folds;
        ClassifierResult? floor = null;
        if (halves)
        {
            int[] rows = RowDistances.Draw(real.Rows, 2 * half, options.Seed, ComparisonDraw.Halves);
            floor = SampleClassifier.CrossValidate(real, real, rows[..half], rows[half..], options, fold => Fold(fold, "classifier of real halves"));
        }
        done = steps;
        Step("");

        return new(
            real.Rows, generated.Rows, classifier.Auc, classifier.StandardError, classifier.Rows, floor?.Auc, floor?.StandardError,
            [.. statistics.Columns.Select((column, i) => new ColumnDifference(
                real.Columns[i].Name, real.Columns[i].IsCategory, column.Distance, column.Noise, classifier.Importance[i],
                Present(real, column.MissingReal), Present(generated, column.MissingGenerated), column.MissingReal, column.MissingGenerated))],
            statistics.Columns.Average(column => column.Histogram), statistics.Columns.Average(column => column.HistogramNoise),
            pairs.Length, pairs.Length == 0 ? null : pairs.Average(pair => pair.Distance), pairs.Length == 0 ? null : pairs.Average(pair => pair.Noise),
            [.. pairs.OrderByDescending(pair => pair.Distance - pair.Noise).Take(WorstPairs)
                .Select(pair => new PairDifference(real.Columns[pair.Left].Name, real.Columns[pair.Right].Name, pair.Distance, pair.Noise))],
            discrepancy, pValue, copies);

        void Step(string step)
        {
            token.ThrowIfCancellationRequested();
            options.Progress?.Report(new(done, steps, step));
        }

        void Fold(int fold, string step)
        {
            done = before + fold;
            Step(step);
        }
    }

    private static int Present(SampleTable table, double missing) => table.Rows - (int)Math.Round(missing * table.Rows);

    private static void RequireSame(SampleTable real, SampleTable other, string name)
    {
        other.RequireRows(nameof(VaeCatalog.CompareSamples), name);
        string[] expected = [.. real.Columns.Select(Described)], found = [.. other.Columns.Select(Described)];
        if (!expected.SequenceEqual(found))
        {
            throw Check.Argument(name,
                $"The {name} have the columns {string.Join(", ", found)}; expected are those of the real rows, {string.Join(", ", expected)}.");
        }

        static string Described(SampleColumn column) => $"'{column.Name}' ({(column.IsCategory ? "categories" : "numbers")})";
    }
}
