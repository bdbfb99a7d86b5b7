using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.Data;
using ScottPlot;
using Spectre.Console;
using Vae.MLNet.Data;
using Vae.MLNet.Tables;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Scores the rows of a table, and says why the oddest are odd.</summary>
internal sealed class DetectCommand : ToolCommand
{
    /// <summary>Rows of the table on the screen, and rows whose reasons are looked for.</summary>
    private const int MostShown = 10, MostExplained = 1000;

    private readonly Argument<string[]> _paths;
    private readonly RowOptions _rows;
    private readonly Option<int> _explain, _seed, _threads;
    private readonly Option<float> _contamination;
    private readonly Option<string> _output;
    private readonly Option<string?> _picture, _kinds;

    public DetectCommand()
        : base("detect", "Score the rows of a table, and say which are odd and why. Without a model one is trained on the rows themselves.",
            "detect data.csv -o scores.csv --explain 3",
            "detect model/ new.csv -o scores.csv --explain 3 --picture scores.png")
    {
        _paths = Register(new Argument<string[]>("[model] data")
        {
            Description = "A model that 'train' wrote for a table (or none), and rows: a table (.csv, .tsv, .txt, also in .gz).",
            Arity = new(1, 2),
        });
        _rows = new(this, forModel: true, ignorable: true);
        _explain = Integer("--explain", Invariant($"Columns to name as reasons for each row that is labelled, at most {MostExplained} rows."), 0);
        _contamination = Real("--contamination", "Share of the rows trained on that are labelled; of a model that is given, its threshold holds unless this is said: then it is the share of these rows.", TableTrainer.DefaultContamination);
        _kinds = Text("--kinds", "Without a model: kinds of columns set by hand, name=kind; number, category, boolean, date or ignored.", "a=kind,...");
        _seed = Integer("--seed", "Seed of a training and of the draws behind what is expected.", 0);
        _threads = Integer("--threads", "Threads of a training; 0 takes one for each core.", 0);
        _output = OutputFile("File to write, .csv, .tsv or .txt: row (from 0), Score, PredictedLabel, and reasons.");
        _picture = Text("--picture", "Picture of the scores to write: .png.", "file");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        char separator = ResultFile.CheckTable(output, terminal);
        string? picture = arguments.GetValue(_picture);
        if (picture is not null && !picture.EndsWith(".png", StringComparison.OrdinalIgnoreCase))
            throw new UsageException($"--picture has to end in .png; it is '{picture}'.");
        float contamination = arguments.GetValue(_contamination);
        if (contamination is not (> 0 and < 1))
            throw new UsageException(Invariant($"--contamination has to be above 0 and below 1; it is {contamination}."));
        string[] paths = arguments.GetRequiredValue(_paths);
        var settings = _rows.Read(arguments);
        var context = terminal.Context();
        TableVaeTransformer model;
        TypedTable data;
        bool asked = arguments.GetResult(_contamination) is { Implicit: false };
        if (paths is [var path])
        {
            (model, data) = TableTrainer.Train(new(path, settings, TypedTable.ParseKinds(arguments.GetValue(_kinds)), TableTrainer.DefaultLatent, 0.1f, contamination, 0,
                arguments.GetValue(_seed), arguments.GetValue(_threads)), terminal, cancellationToken);
        }
        else
        {
            if (arguments.GetValue(_kinds) is not null || settings.Ignored is not null)
                throw new UsageException("--kinds and --ignore are for a training, and there is a model.");
            var source = ModelSource.Of(paths[0]);
            model = source.LoadTable(context);
            data = TypedTable.Load(paths[1], settings, model.Model, source.Location, terminal, cancellationToken);
        }
        using (model)
        {
            float[] scores = [.. model.Transform(data.View).GetColumn<float>(model.ScoreColumnName)];
            float threshold = asked && paths.Length > 1 ? Quantile(scores, 1 - contamination) : model.Model.Threshold;
            int[] order = [.. Enumerable.Range(0, scores.Length).OrderByDescending(row => scores[row]).ThenBy(row => row)];
            int[] labelled = [.. order.TakeWhile(row => scores[row] > threshold)];
            int[] shown = [.. order.Take(MostShown)];
            int reasons = arguments.GetValue(_explain);
            int[] why = reasons == 0 ? [] : [.. shown.Union(labelled).Take(MostExplained)];
            var explained = why.Length == 0 ? []
                : terminal.Track("Explaining", 1, _ => model.Model.Explain(Rows(data.View, why), reasons, arguments.GetValue(_seed), cancellationToken)).ToDictionary(row => why[row.Row]);
            context.Vae.SaveTable(Table(scores, threshold, explained, reasons), output, separator, cancellationToken);
            if (picture is not null)
                Picture(picture, scores, threshold);
            if (reasons > 0 && labelled.Length > MostExplained)
                terminal.Note(Invariant($"{labelled.Length} rows are labelled; reasons are given for the {MostExplained} oddest."));
            terminal.Result(
                new
                {
                    file = output,
                    rows = scores.Length,
                    threshold,
                    labelled = labelled.Length,
                    top = shown.Select(row => new { row, score = scores[row], labelled = scores[row] > threshold, reasons = explained.GetValueOrDefault(row)?.Reasons }),
                },
                Terminal.Facts(output, ("rows", Invariant($"{scores.Length}, of which {labelled.Length} score above {threshold:F2}")),
                    ("scores", Invariant($"median {Quantile(scores, 0.5):F2}, 99 % below {Quantile(scores, 0.99):F2}, largest {scores.Max():F2}"))),
                Top(shown, scores, threshold, explained));
        }
    }

    private static TableDataView Rows(TableDataView view, int[] rows) => new([.. view.Columns.Select(column => column.Select(rows))], rows.Length);

    private static float Quantile(float[] scores, double share)
    {
        float[] sorted = [.. scores.Order()];
        return sorted[Math.Clamp((int)Math.Ceiling(sorted.Length * share) - 1, 0, sorted.Length - 1)];
    }

    private static TableDataView Table(float[] scores, float threshold, Dictionary<int, TableExplanation> explained, int reasons)
    {
        int[] all = [.. Enumerable.Range(0, scores.Length)];
        var columns = new List<RawColumn>
        {
            RawColumn.OfNumbers("row", NumberDataViewType.Int64, [.. all.Select(row => (double)row)]),
            RawColumn.OfNumbers("Score", NumberDataViewType.Single, [.. scores.Select(score => (double)score)]),
            RawColumn.OfNumbers("PredictedLabel", BooleanDataViewType.Instance, [.. scores.Select(score => score > threshold ? 1.0 : 0)]),
        };
        for (int k = 0; k < reasons; k++)
        {
            string[] texts = [.. all.Select(row => explained.GetValueOrDefault(row)?.Reasons.ElementAtOrDefault(k)?.ToString() ?? "")];
            columns.Add(RawColumn.OfTexts(Invariant($"reason {k + 1}"), TextDataViewType.Instance, [.. all.Select(row => texts[row].Length > 0 ? row : -1)], texts));
        }
        return new([.. columns], scores.Length);
    }

    private static Spectre.Console.Table Top(int[] shown, float[] scores, float threshold, Dictionary<int, TableExplanation> explained)
    {
        var table = new Spectre.Console.Table().AddColumns("row", "score", "label", explained.Count > 0 ? "reasons" : "");
        foreach (int row in shown)
        {
            table.AddRow([.. ((string[])[Invariant($"{row}"), Invariant($"{scores[row]:F2}"), scores[row] > threshold ? "odd" : "",
                string.Join("; ", explained.GetValueOrDefault(row)?.Reasons.Select(reason => reason.ToString()) ?? [])]).Select(Markup.Escape)]);
        }
        return table;
    }

    private static void Picture(string path, float[] scores, float threshold)
    {
        const int Bins = 60;
        double low = scores.Min(), width = Math.Max((scores.Max() - low) / Bins, 1e-6);
        var counts = new double[Bins];
        foreach (float score in scores)
            counts[Math.Clamp((int)((score - low) / width), 0, Bins - 1)]++;
        using var plot = new Plot();
        plot.Title(Invariant($"{scores.Length} rows, {scores.Count(score => score > threshold)} above the threshold of {threshold:F2}"));
        plot.XLabel("score, nats");
        plot.YLabel("rows, 1 + logarithm");
        // Few rows are odd: on a linear axis nobody would see them.
        for (int i = 0; i < Bins; i++)
        {
            double start = low + i * width;
            if (counts[i] > 0)
            {
                plot.Add.Bar(new Bar
                {
                    Position = start + width / 2,
                    Value = 1 + Math.Log10(counts[i]),
                    Size = width,
                    LineWidth = 0,
                    FillColor = ScottPlot.Color.FromHex(start + width / 2 > threshold ? "#dd6b20" : "#2b6cb0"),
                });
            }
        }
        var line = plot.Add.VerticalLine(threshold, 2, ScottPlot.Color.FromHex("#718096"));
        line.LegendText = "threshold";
        plot.Axes.Left.SetTicks([.. Enumerable.Range(0, 8).Select(power => 1.0 + power)], [.. Enumerable.Range(0, 8).Select(power => Invariant($"{Math.Pow(10, power):N0}"))]);
        plot.YLabel("rows");
        plot.Axes.SetLimitsY(0, 1.1 * (1 + Math.Log10(counts.Max())));
        plot.ShowLegend(Alignment.UpperRight);
        AtomicFile.WriteAllBytes(path, plot.GetImage(900, 500).GetImageBytes(ScottPlot.ImageFormat.Png));
    }
}
