using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Vae.MLNet.Data;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>
/// How generated rows differ from real ones; what <see cref="VaeCatalog.CompareSamples(Microsoft.ML.IDataView, Microsoft.ML.IDataView, CompareSamplesOptions?)"/> found.
/// What is called noise is what the same figure comes to, in the mean, where there is no difference and rows of both tables are mixed at random.
/// </summary>
/// <param name="RealRows">Real rows.</param>
/// <param name="GeneratedRows">Generated rows.</param>
/// <param name="Auc">
/// Area under the ROC curve of boosted trees that tell real from generated rows, judged on rows that they have not seen: the mean over the folds. 0.5: they cannot; 1:
/// always. Clearly below 0.5: rows stand in both tables, so that a fold's trees learn the wrong side for them.
/// </param>
/// <param name="AucStandardError">
/// Standard error of <paramref name="Auc"/>: from the spread of the folds, or from the ranks within them where that is larger, both with the correlation of folds that
/// learn from the same rows (Nadeau and Bengio 2003).
/// </param>
/// <param name="ClassifierRows">Rows of each table that the classifier saw, those it was judged on among them.</param>
/// <param name="RealAuc">The same area for two halves of the real rows; null where they are few or it was not asked for.</param>
/// <param name="RealAucStandardError">Standard error of <paramref name="RealAuc"/>.</param>
/// <param name="Columns">The columns in their order, vectors slot by slot.</param>
/// <param name="MarginalError">
/// Total variation distance of histograms, from 0 to 1, the mean over the columns: of categories as they are, of numbers in ten bins of as many real rows each, and
/// missing values.
/// </param>
/// <param name="MarginalNoise">Noise of <paramref name="MarginalError"/>.</param>
/// <param name="Pairs">Pairs of columns that were compared.</param>
/// <param name="PairError">The same distance of joint histograms of pairs of columns, the mean over the pairs; null where there are none.</param>
/// <param name="PairNoise">Noise of <paramref name="PairError"/>.</param>
/// <param name="WorstPairs">The pairs whose distance is the most above its noise, up to ten.</param>
/// <param name="Discrepancy">
/// Squared maximum mean discrepancy of whole rows, unbiased: about 0, also below it, where there is no difference (Gretton et al. 2012). Of up to 1,000 rows of each
/// table.
/// </param>
/// <param name="DiscrepancyPValue">Share of permutations of the rows with a discrepancy as large, from 0.002 to 1.</param>
/// <param name="Copies">How near rows are to those trained on; null where those were not given.</param>
public sealed record SampleComparison(
    long RealRows,
    long GeneratedRows,
    double Auc,
    double AucStandardError,
    int ClassifierRows,
    double? RealAuc,
    double? RealAucStandardError,
    IReadOnlyList<ColumnDifference> Columns,
    double MarginalError,
    double MarginalNoise,
    int Pairs,
    double? PairError,
    double? PairNoise,
    IReadOnlyList<PairDifference> WorstPairs,
    double Discrepancy,
    double DiscrepancyPValue,
    CopyTest? Copies)
{
    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(SampleComparison? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    /// <summary>Standard errors from which on a difference is told as one.</summary>
    private const double Certain = 3;

    /// <summary>Most columns and pairs of the text.</summary>
    private const int MostColumns = 30, MostPairs = 5;

    private static readonly JsonSerializerOptions JsonOptions = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>All of it in one sentence.</summary>
    public string Verdict => $"{Distinction()}{CopyClause()}.";

    /// <summary>Whether the classifier tells generated from real rows beyond its noise, three standard errors from 0.5.</summary>
    public bool IsDistinguishable => Auc - 0.5 > Certain * AucStandardError;

    /// <summary>The figures as JSON, with the verdict; infinite ones as text.</summary>
    /// <returns>A JSON object.</returns>
    public string ToJson() => JsonSerializer.Serialize(this, JsonOptions);

    /// <summary>Writes <see cref="ToJson"/> to a file, whole or not at all.</summary>
    /// <param name="path">The file; one of that name is replaced.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SaveJson(string path) => AtomicFile.WriteAllText(Check.NotNull(path), ToJson() + "\n");

    /// <summary>The figures as a table for people, the columns that tell the most first.</summary>
    /// <returns>Several lines.</returns>
    public override string ToString()
    {
        var text = new StringBuilder();
        Line($"{RealRows} real rows, {GeneratedRows} generated rows, {Columns.Count} {(Columns.Count == 1 ? "column" : "columns")}");
        Line($"{Verdict}");
        Line($"");
        string halves = RealAuc is null ? "" : Check.Invariant($"real halves {RealAuc:F3} ± {RealAucStandardError:F3}, ");
        Line($"classifier AUC   {Auc:F3} ± {AucStandardError:F3}   {halves}{ClassifierRows} rows of each");
        Line($"marginal error   {MarginalError:F4}          noise {MarginalNoise:F4}");
        if (PairError is not null)
            Line($"pair error       {PairError:F4}          noise {PairNoise:F4}, {Pairs} {(Pairs == 1 ? "pair" : "pairs")}");
        Line($"discrepancy      {Discrepancy:F5}         p = {DiscrepancyPValue:F3}");
        if (Copies is { } copies)
        {
            Line($"nearest training row   mean distance {copies.GeneratedDistance:G4}, of real rows {copies.RealDistance:G4}: ratio {copies.DistanceRatio:F3}");
            Line($"                       nearer than a real row {100 * copies.NearerShare:F1} % (z = {copies.ZScore:F1})");
            Line($"exact copies           {100 * copies.GeneratedCopies:F2} %, of real rows {100 * copies.RealCopies:F2} %");
        }
        Line($"");
        var columns = Columns.OrderByDescending(column => column.Importance).ThenByDescending(column => column.Distance - column.Noise).Take(MostColumns).ToArray();
        Func<ColumnDifference, string>[] cells =
        [
            column => Shown(column.Name),
            column => column.IsCategory ? "TV" : "KS",
            column => Check.Invariant($"{column.Distance:F4}"),
            column => Check.Invariant($"{column.Noise:F4}"),
            column => Check.Invariant($"{100 * column.MissingReal:F1} %"),
            column => Check.Invariant($"{100 * column.MissingGenerated:F1} %"),
            column => Check.Invariant($"{100 * column.Importance:F1} %"),
        ];
        Table(["column", "", "distance", "noise", "missing: real", "generated", "importance"],
            [.. columns.Select(column => cells.Select(cell => cell(column)).ToArray())], leftmost: 2);
        if (Columns.Count > columns.Length)
            Line($"… and {Columns.Count - columns.Length} more columns");
        if (WorstPairs.Count > 0)
        {
            Line($"");
            Table(["pair of columns", "distance", "noise"], [.. WorstPairs.Take(MostPairs).Select(pair => (string[])
                [$"{Shown(pair.Left)} and {Shown(pair.Right)}", Check.Invariant($"{pair.Distance:F4}"), Check.Invariant($"{pair.Noise:F4}")])], leftmost: 1);
        }
        return text.ToString().TrimEnd();

        void Line(FormattableString line) => text.Append(Check.Invariant(line).TrimEnd()).Append('\n');

        void Table(string[] head, string[][] rows, int leftmost)
        {
            int[] widths = [.. head.Select((name, i) => rows.Select(row => row[i].Length).Append(name.Length).Max())];
            foreach (string[] row in rows.Prepend(head))
                Line($"{string.Join("  ", row.Select((cell, i) => i < leftmost ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i])))}");
        }
    }

    private static string Shown(string name)
    {
        const int Longest = 40;
        string line = string.Concat(name.Select(letter => char.IsControl(letter) ? ' ' : letter));
        return line.Length <= Longest ? line : line[..Longest] + "…";
    }

    private string Distinction()
    {
        string auc = Check.Invariant($"AUC {Auc:F3} ± {AucStandardError:F3}");
        if (IsDistinguishable)
        {
            string how = Auc < 0.55 ? "rarely" : Auc < 0.65 ? "sometimes" : Auc < 0.8 ? "often" : Auc < 0.95 ? "mostly" : "nearly always";
            string[] telling = [.. Columns.Where(column => column.Importance > 0).OrderByDescending(column => column.Importance).Take(3).Select(column => $"'{Shown(column.Name)}'")];
            return $"A classifier {how} tells generated from real rows ({auc}), above all by {string.Join(", ", telling)}";
        }
        if (0.5 - Auc > Certain * AucStandardError)
            return $"A classifier does worse than chance ({auc}), as it does where rows stand in both tables";
        var apart = Columns.Where(column => column.Distance > 3 * column.Noise).MaxBy(column => column.Distance - column.Noise);
        if (apart is not null && apart.Distance - apart.Noise > 0.02)
        {
            return $"A classifier cannot tell generated from real rows ({auc}), yet the column '{Shown(apart.Name)}' is distributed otherwise "
                + Check.Invariant($"({apart.Distance:F3}, noise {apart.Noise:F3})");
        }
        if (DiscrepancyPValue < 0.01)
            return Check.Invariant($"A classifier cannot tell generated from real rows ({auc}), yet the mean discrepancy can (p = {DiscrepancyPValue:F3})");
        return $"Nothing tells generated from real rows ({auc})";
    }

    private string CopyClause()
    {
        if (Copies is not { } copies)
            return "";
        if (copies.RealCopies > 0.9)
            return ", and the real rows stand among those trained on, so that nothing can be said of copies";
        if (copies.ZScore > Certain)
            return Check.Invariant($", and generated rows are nearer to those trained on than real ones (distance ratio {copies.DistanceRatio:F2}): they are partly copies");
        return ", and generated rows are no nearer to those trained on than real ones";
    }
}

/// <summary>How a column of generated rows differs from that of real rows.</summary>
/// <param name="Name">Name of the column, with that of the slot or its number where it is one of a vector.</param>
/// <param name="IsCategory">Whether it holds categories; otherwise numbers.</param>
/// <param name="Distance">
/// Of numbers, Kolmogorov and Smirnov's distance of those that are not missing, or the difference of the shares of missing ones where that is larger. Of categories,
/// the total variation distance, with missing as one of them. From 0 to 1.
/// </param>
/// <param name="Noise">What the distance comes to, in the mean, where rows of both tables are mixed at random.</param>
/// <param name="Importance">Share of the column in what the classifier's trees gained by their splits; all add up to 1. Means little where the AUC is 0.5.</param>
/// <param name="RealValues">Real values that are not missing.</param>
/// <param name="GeneratedValues">Generated values that are not missing.</param>
/// <param name="MissingReal">Share of real rows in which the value is missing.</param>
/// <param name="MissingGenerated">Share of generated rows in which the value is missing.</param>
public sealed record ColumnDifference(
    string Name,
    bool IsCategory,
    double Distance,
    double Noise,
    double Importance,
    long RealValues,
    long GeneratedValues,
    double MissingReal,
    double MissingGenerated)
{
    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>How the joint distribution of two columns differs.</summary>
/// <param name="Left">Name of one column.</param>
/// <param name="Right">Name of the other.</param>
/// <param name="Distance">Total variation distance of the joint histograms, from 0 to 1.</param>
/// <param name="Noise">The same for rows of both tables mixed at random.</param>
public sealed record PairDifference(string Left, string Right, double Distance, double Noise)
{
    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>
/// How near generated rows are to the rows trained on, measured by real rows that were not trained on. Distances are those of up to 2,000 rows of each table to their nearest
/// among up to 50,000 training rows: numbers in standard deviations of the real ones, and 2 in the square for each category that differs.
/// </summary>
/// <param name="TrainingRows">Rows trained on.</param>
/// <param name="RealDistance">Mean distance of real rows to their nearest training row.</param>
/// <param name="GeneratedDistance">Mean distance of generated rows to their nearest training row.</param>
/// <param name="DistanceRatio">The second over the first: below 1 where rows were copied, above 1 where generated rows lie outside of the data.</param>
/// <param name="NearerShare">Share of pairs of a generated and a real row in which the generated one is nearer to its training row, ties counted half; 0.5 without copies.</param>
/// <param name="ZScore">By how many standard errors that share is above 0.5 (Mann and Whitney).</param>
/// <param name="RealCopies">Share of all real rows that equal a training row in every column.</param>
/// <param name="GeneratedCopies">Share of all generated rows that equal a training row in every column.</param>
public sealed record CopyTest(
    long TrainingRows,
    double RealDistance,
    double GeneratedDistance,
    double DistanceRatio,
    double NearerShare,
    double ZScore,
    double RealCopies,
    double GeneratedCopies)
{
    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
