using System.Runtime.ExceptionServices;
using Vae.MLNet.Model;
using Vae.MLNet.Samples;

namespace Vae.MLNet.Evaluation;

/// <summary>Boosted trees that tell two tables apart, judged on rows that they have not seen.</summary>
internal static class SampleClassifier
{
    /// <summary>Numbers a category may take part with on its own; of many columns of categories each has fewer.</summary>
    private const int MostOneHot = 100, LeastOneHot = 10, AllOneHot = 1000;

    /// <summary>The share of repeated numbers from which on it counts how often a number occurs.</summary>
    private const double Repeated = 0.05;

    /// <summary>Stands for infinity, which has no place among the trees' bins.</summary>
    private const float Huge = 1e30f;

    /// <param name="first">A table.</param>
    /// <param name="second">A table of the same columns; it may be the same one.</param>
    /// <param name="firstRows">Rows of the first, in random order.</param>
    /// <param name="secondRows">As many rows of the second, in random order.</param>
    /// <param name="options">Folds, trees, seed and cancellation.</param>
    /// <param name="step">Told at the start of each fold how many were begun before, one at a time.</param>
    public static ClassifierResult CrossValidate(
        SampleTable first, SampleTable second, int[] firstRows, int[] secondRows, CompareSamplesOptions options, Action<int> step)
    {
        int side = firstRows.Length, folds = Math.Min(options.Folds, side / 2);
        var (features, columns) = Features(first, second, firstRows, secondRows);
        var gains = new double[folds][];
        var tests = new RankTest[folds];
        int begun = 0;
        try
        {
            // Each fold's trees take one thread, and their result does not depend on what runs beside them.
            Parallel.For(0, folds, new ParallelOptions { CancellationToken = options.CancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, fold =>
            {
                lock (tests)
                    step(begun++);
                gains[fold] = new double[first.Columns.Count];
                tests[fold] = columns.Length == 0 ? RankTest.Of([0], [0]) : Fold(features, columns, side, fold, folds, options, gains[fold]);
            });
        }
        catch (AggregateException e) when (e.InnerException is { } inner)
        {
            ExceptionDispatchInfo.Throw(inner);
        }
        double[] gained = [.. Enumerable.Range(0, first.Columns.Count).Select(column => gains.Sum(fold => fold[column]))];
        double auc = tests.Average(test => test.Auc), sum = gained.Sum();
        // Folds share most of the rows that they learn from: two of them are correlated by about 1 / folds, the share of rows that one is judged on (Nadeau and Bengio
        // 2003), without which tables of one distribution seem to differ too often. They vary by the ranks of the rows held out, and also because their trees do.
        double ranks = tests.Average(test => test.Variance) / folds * (1 + (folds - 1.0) / folds);
        double spread = tests.Sum(test => (test.Auc - auc) * (test.Auc - auc)) / (folds - 1) * (1.0 / folds + 1 / (folds - 1.0));
        return new(auc, Math.Sqrt(Math.Max(spread, ranks)), side, [.. gained.Select(gain => sum > 0 ? gain / sum : 0)]);
    }

    private static RankTest Fold(float[][] features, int[] columns, int side, int fold, int folds, CompareSamplesOptions options, double[] gains)
    {
        int[] trained = [.. Enumerable.Range(0, features.Length).Where(i => i % side % folds != fold)];
        int[] held = [.. Enumerable.Range(0, features.Length).Where(i => i % side % folds == fold)];
        var trees = BoostedTrees.Fit([.. trained.Select(i => features[i])], [.. trained.Select(i => i < side)], options.Trees, 0.1,
            SeedStream.ToSeed(SeedStream.Derive(options.Seed, Purpose.Comparison, fold)));
        for (int feature = 0; feature < columns.Length; feature++)
            gains[columns[feature]] += trees.Gains[feature];
        float[] scores = [.. held.Select(i => (float)trees.Score(features[i], trees.Trees.Count))];
        return RankTest.Of([.. scores.Where((_, i) => held[i] < side)], [.. scores.Where((_, i) => held[i] >= side)]);
    }

    /// <summary>
    /// Numbers for the trees, and of which column each is. What is counted is counted over both tables together, so that nothing tells of the table that a row is from.
    /// </summary>
    private static (float[][] Features, int[] Columns) Features(SampleTable first, SampleTable second, int[] firstRows, int[] secondRows)
    {
        int count = firstRows.Length + secondRows.Length, categories = first.Columns.Count(column => column.IsCategory);
        int oneHot = categories == 0 ? 0 : Math.Clamp(AllOneHot / categories, LeastOneHot, MostOneHot);
        var slots = new List<float[]>();
        var columns = new List<int>();
        for (int i = 0; i < first.Columns.Count; i++)
        {
            SampleColumn left = first.Columns[i], right = second.Columns[i];
            var made = left.IsCategory ? OfCategories(left, right, firstRows, secondRows, oneHot)
                : OfNumbers([.. firstRows.Select(row => left.Numbers![row]), .. secondRows.Select(row => right.Numbers![row])]);
            foreach (float[] slot in made.Where(slot => slot.AsSpan().ContainsAnyExcept(slot[0])))
            {
                slots.Add(slot);
                columns.Add(i);
            }
        }
        var features = new float[count][];
        for (int row = 0; row < count; row++)
        {
            features[row] = new float[slots.Count];
            for (int slot = 0; slot < slots.Count; slot++)
                features[row][slot] = slots[slot][row];
        }
        return (features, [.. columns]);
    }

    /// <summary>The number, how often it occurs where numbers do occur more than once, and whether it is missing.</summary>
    private static IEnumerable<float[]> OfNumbers(float[] numbers)
    {
        float[] present = [.. numbers.Where(number => !float.IsNaN(number)).Order()];
        float middle = present.Length == 0 ? 0 : present[present.Length / 2];
        yield return [.. numbers.Select(number => float.IsNaN(number) ? Clamp(middle) : Clamp(number))];
        if (present.Length < numbers.Length)
            yield return [.. numbers.Select(number => float.IsNaN(number) ? 1f : 0)];
        // Rounded numbers recur and drawn ones do not, whatever their size.
        var counts = present.CountBy(number => number).ToDictionary();
        if (counts.Values.Where(times => times > 1).Sum() > Repeated * present.Length)
            yield return [.. numbers.Select(number => float.IsNaN(number) ? 0 : MathF.Log2(1 + counts[number]))];

        static float Clamp(float number) => Math.Clamp(number, -Huge, Huge);
    }

    /// <summary>Each of the most frequent values for itself, how often a value occurs, and of more values than those a place in the order of their text.</summary>
    private static IEnumerable<float[]> OfCategories(SampleColumn left, SampleColumn right, int[] leftRows, int[] rightRows, int oneHot)
    {
        string?[] values = [.. leftRows.Select(row => Value(left, row)), .. rightRows.Select(row => Value(right, row))];
        var counts = values.CountBy(value => value ?? "", StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        // Ties go by the text: the order of appearance would tell the tables apart.
        string[] frequent = [.. counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).Take(oneHot).Select(pair => pair.Key)];
        foreach (string value in frequent)
            yield return [.. values.Select(found => (found ?? "") == value ? 1f : 0)];
        yield return [.. values.Select(value => MathF.Log2(1 + counts[value ?? ""]))];
        if (counts.Count > frequent.Length)
        {
            var places = counts.Keys.Order(StringComparer.Ordinal).Select((value, place) => KeyValuePair.Create(value, place)).ToDictionary(StringComparer.Ordinal);
            yield return [.. values.Select(value => (float)places[value ?? ""])];
        }

        // Empty text is a missing value, and no other value is empty.
        static string? Value(SampleColumn column, int row) => column.Codes![row] < 0 ? null : column.Values[column.Codes[row]];
    }
}

/// <summary>What a classifier found.</summary>
/// <param name="Auc">Area under the ROC curve, the mean over the folds.</param>
/// <param name="StandardError">Its standard error.</param>
/// <param name="Rows">Rows of each side.</param>
/// <param name="Importance">Share of each column in what the trees gained.</param>
internal sealed record ClassifierResult(double Auc, double StandardError, int Rows, double[] Importance);
