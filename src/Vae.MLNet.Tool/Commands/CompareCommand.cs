using System.CommandLine;
using Spectre.Console;
using Vae.MLNet.Data;
using Vae.MLNet.Evaluation;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Tells how well generated rows pass for real ones.</summary>
internal sealed class CompareCommand : ToolCommand
{
    private const string ReportName = "report.json", TextName = "report.txt", DifferencesName = "differences.png", ColumnsName = "columns.png";

    /// <summary>Columns of the table on the screen; the report has all.</summary>
    private const int MostColumns = 20;

    private readonly Argument<string> _real, _generated;
    private readonly RowOptions _rows;
    private readonly Option<string?> _training, _ignore, _output;
    private readonly Option<int> _most, _seed;

    public CompareCommand()
        : base("compare", "Compare generated rows with real ones: can a classifier tell them apart, which columns and pairs of columns differ, are they copies of the rows trained on.",
            "compare held-out.csv generated.csv --training train.csv -o report/",
            "compare people.csv generated.csv --ignore id,name --json",
            "compare frames.npz samples.npz")
    {
        _real = Register(new Argument<string>("real") { Description = "Real rows, best such as the generator was not trained on: a table (.csv, .tsv, .txt, also in .gz; text is welcome), or .npz or .npy." });
        _generated = Register(new Argument<string>("generated") { Description = "Generated rows, with the same columns in any order." });
        _training = Text("--training", "Rows that the generator was trained on; with them, generated rows are looked at for copies.", "file");
        _ignore = Text("--ignore", "Columns of tables to leave out, by name.", "a,b,...");
        _most = Integer("--rows", "Most rows of each file that the classifier sees.", 10_000, minimum: 10);
        _seed = Integer("--seed", "Seed of all that is drawn: the same one gives the same report.", 0);
        _output = Register(new Option<string?>("--output", "-o") { Description = $"Folder for {ReportName}, {TextName} and pictures ({DifferencesName}, {ColumnsName}).", HelpName = "folder" });
        _rows = new(this, forModel: false);
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string real = arguments.GetRequiredValue(_real), generated = arguments.GetRequiredValue(_generated);
        using var target = arguments.GetValue(_output) is { } folder ? new NewFolder(Path.GetFullPath(folder), ReportName, "a report of 'vae-mlnet compare'") : null;
        string[] paths = arguments.GetValue(_training) is { } training ? [real, generated, training] : [real, generated];
        string[] ignored = arguments.GetValue(_ignore) is { } names ? TableText.ParseNames(names) : [];
        var tables = ComparedTables.Load(terminal.Context(), paths, _rows.Read(arguments), ignored, terminal, cancellationToken);
        var found = terminal.Track("Comparing", 1, report => SampleComparer.Compare(tables[0], tables[1], tables.ElementAtOrDefault(2), new()
        {
            ClassifierRows = arguments.GetValue(_most),
            Seed = arguments.GetValue(_seed),
            Progress = new Reporter<CompareSamplesProgress>(progress => report(progress.Done, progress.Total, progress.Step)),
            CancellationToken = cancellationToken,
        }));
        if (target is not null)
        {
            found.SaveJson(target.File(ReportName));
            AtomicFile.WriteAllText(target.File(TextName), found.ToString() + "\n");
            ComparisonPictures.Differences(target.File(DifferencesName), found);
            ComparisonPictures.Columns(target.File(ColumnsName), found, tables[0], tables[1]);
            target.Complete();
        }
        terminal.Result(found, Facts(found, $"{Path.GetFileName(generated)} against {Path.GetFileName(real)}"), Columns(found));
    }

    private static Table Facts(SampleComparison found, string title)
    {
        var rows = new List<(string, string)>
        {
            ("verdict", found.Verdict),
            ("rows", Invariant($"{found.RealRows} real, {found.GeneratedRows} generated; {found.ClassifierRows} of each for the classifier")),
            ("AUC of the classifier", Invariant($"{found.Auc:F3} (standard error {found.AucStandardError:F3}); 0.5 is perfect")),
        };
        if (found.RealAuc is { } halves)
            rows.Add(("AUC of real halves", Invariant($"{halves:F3} (standard error {found.RealAucStandardError:F3})")));
        rows.Add(("error of columns", Invariant($"{found.MarginalError:F4}, noise {found.MarginalNoise:F4}")));
        if (found.PairError is { } pairs)
            rows.Add(("error of pairs", Invariant($"{pairs:F4}, noise {found.PairNoise:F4}; worst '{found.WorstPairs[0].Left}' and '{found.WorstPairs[0].Right}'")));
        rows.Add(("mean discrepancy", Invariant($"{found.Discrepancy:F5} (p = {found.DiscrepancyPValue:F3})")));
        if (found.Copies is { } copies)
        {
            rows.Add(("distance to training rows", Invariant($"{copies.GeneratedDistance:G4}, of real rows {copies.RealDistance:G4}: ratio {copies.DistanceRatio:F3} (z = {copies.ZScore:F1})")));
            rows.Add(("exact copies", Invariant($"{100 * copies.GeneratedCopies:F2} %, of real rows {100 * copies.RealCopies:F2} %")));
        }
        return Terminal.Facts(title, [.. rows]);
    }

    private static Table Columns(SampleComparison found)
    {
        var table = new Table().AddColumns("column", "kind", "distance", "noise", "missing: real", "generated", "importance");
        foreach (var column in found.Columns.OrderByDescending(column => column.Importance).ThenByDescending(column => column.Distance - column.Noise).Take(MostColumns))
        {
            table.AddRow([.. ((string[])[column.Name, column.IsCategory ? "categories" : "numbers", Invariant($"{column.Distance:F4}"), Invariant($"{column.Noise:F4}"),
                Invariant($"{100 * column.MissingReal:F1} %"), Invariant($"{100 * column.MissingGenerated:F1} %"), Invariant($"{100 * column.Importance:F1} %")]).Select(Markup.Escape)]);
        }
        return found.Columns.Count <= MostColumns ? table : table.AddRow(Markup.Escape(Invariant($"... {found.Columns.Count - MostColumns} more")));
    }
}
