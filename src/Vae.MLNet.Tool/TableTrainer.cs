using Microsoft.ML;
using Spectre.Console;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tool;

/// <summary>What was asked of the training of a table's model.</summary>
/// <param name="Path">The file of rows.</param>
/// <param name="Settings">How it is read.</param>
/// <param name="Kinds">Kinds of columns set by hand.</param>
/// <param name="LatentDimension">Dimensions of the latent space.</param>
/// <param name="Validation">Share of rows held out.</param>
/// <param name="Contamination">Share of rows above the threshold.</param>
/// <param name="Steps">Most steps; 0 goes by the number of rows.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Threads">Threads; 0 for one a core.</param>
internal sealed record TableTrainingRequest(string Path, RowSettings Settings, IReadOnlyDictionary<string, ColumnKind> Kinds, int LatentDimension, float Validation, float Contamination, int Steps, int Seed, int Threads);

/// <summary>Trains the model of a table, and writes what can be done with it into a folder.</summary>
internal static class TableTrainer
{
    public const int DefaultLatent = 16;

    public const float DefaultContamination = 0.01f;

    /// <summary>The column of each column's part of the score.</summary>
    public const string ContributionsColumn = "Contributions";

    public static (TableVaeTransformer Model, TypedTable Data) Train(TableTrainingRequest request, Terminal terminal, CancellationToken cancellationToken)
    {
        var data = TypedTable.Load(request.Path, request.Settings, request.Kinds, terminal, cancellationToken);
        var options = new TableVaeTrainer.Options
        {
            LatentDimension = request.LatentDimension,
            ValidationFraction = request.Validation,
            Contamination = request.Contamination,
            Steps = request.Steps,
            Seed = request.Seed,
            Threads = request.Threads,
            ContributionsColumnName = ContributionsColumn,
            CancellationToken = cancellationToken,
        };
        foreach (var (name, kind) in request.Kinds)
        {
            if (data.View.Schema.GetColumnOrNull(name) is null)
                throw new UsageException($"--kinds: there is no column '{name}'; '{data.Path}' has {TableText.List(data.Columns.Select(column => column.Name))}.");
            options.Columns[name] = kind;
        }
        foreach (string name in (string[])[options.LatentColumnName, options.ScoreColumnName, ContributionsColumn])
        {
            if (data.View.Schema.GetColumnOrNull(name) is not null)
                throw new InvalidDataException($"'{data.Path}' has a column '{name}', as the model calls its own; give it another name, or leave it out with --ignore.");
        }
        int most = TableVaeTrainer.MostSteps(data.Rows, options);
        try
        {
            return (terminal.Track("Training", most, report =>
            {
                options.Progress = new Reporter<TableTrainingCheck>(check => report(check.Step, most, FormattableString.Invariant($"held-out loss {check.NegativeLogLikelihood:F2} nats")));
                return terminal.Context(request.Seed).Vae.TableAutoencoder(options).Fit(data.View);
            }), data);
        }
        catch (ArgumentException e) when (e.ParamName == "options")
        {
            throw new UsageException($"--kinds: {e.Message.Replace(" (Parameter 'options')", "", StringComparison.Ordinal)}");
        }
    }

    public static void Run(TableTrainingRequest request, string output, Terminal terminal, CancellationToken cancellationToken)
    {
        string folder = System.IO.Path.GetFullPath(output);
        using var target = new NewFolder(folder);
        var (model, data) = Train(request, terminal, cancellationToken);
        using (model)
        {
            var context = terminal.Context();
            context.Vae.SaveModel(model, data.View.Schema, target.File(ModelSource.PipelineName));
            model.Model.Save(target.File(ModelSource.TableName));
            model.Model.ExportSampler(target.File(ModelSource.SamplerName));
            var record = new TableRecord
            {
                Data = System.IO.Path.GetFileName(data.Path),
                Rows = data.Rows,
                Columns = model.Model.Columns,
                LatentDimension = model.Model.LatentDimension,
                Threshold = model.Model.Threshold,
                Seed = request.Seed,
                History = model.Model.History,
            };
            AtomicFile.WriteAllText(target.File(ModelSource.RecordName), Terminal.Serialize(record) + "\n");
            target.Complete();
            terminal.Result(
                new
                {
                    folder,
                    record.Kind,
                    record.Data,
                    record.Rows,
                    record.Columns,
                    record.LatentDimension,
                    record.Threshold,
                    record.History.TrainingRows,
                    record.History.ValidationRows,
                    record.History.Steps,
                    record.History.StoppedEarly,
                    record.History.Best,
                },
                Columns(model.Model), Terminal.Facts($"Model in {output}", [.. Facts(model.Model)]));
        }
    }

    /// <summary>What each column was taken for.</summary>
    public static Table Columns(TableVaeModel model)
    {
        var table = new Table().AddColumns("column", "type", "taken for", "why", "missing", "values");
        foreach (var column in model.Columns)
        {
            table.AddRow([.. ((string[])[column.Name, column.Type, column.Kind.ToString().ToLowerInvariant(), column.Reason,
                column.Kind == ColumnKind.Ignored ? "" : FormattableString.Invariant($"{100 * column.MissingShare:F1} %"), Values(column)]).Select(Markup.Escape)]);
        }
        return table;
    }

    private static string Values(TableColumn column)
    {
        if (column.Earliest is { } earliest)
            return FormattableString.Invariant($"{earliest:yyyy-MM-dd HH:mm} to {column.Latest:yyyy-MM-dd HH:mm}");
        if (double.IsFinite(column.Minimum))
            return FormattableString.Invariant($"{column.Minimum:G6} to {column.Maximum:G6}");
        const int Most = 4;
        return string.Join(", ", column.Values.Take(Most).Select(value => value.Length <= 20 ? value : value[..20] + "...")) + (column.Values.Count > Most ? ", ..." : "");
    }

    public static IEnumerable<(string, string)> Facts(TableVaeModel model)
    {
        var history = model.History;
        yield return ("rows", FormattableString.Invariant($"{history.TrainingRows} trained on, {history.ValidationRows} held out"));
        yield return ("steps", FormattableString.Invariant($"{history.Steps}{(history.StoppedEarly ? ", stopped as the held-out loss no longer fell" : "")}"));
        if (history.Best is { } best)
        {
            yield return ("held-out loss", FormattableString.Invariant($"{best.NegativeLogLikelihood:F2} nats a row at step {best.Step}, {best.GivenLoss:F2} with columns given"));
            yield return ("latent vector", FormattableString.Invariant($"{model.LatentDimension} dimensions, which carry {best.Kl:F1} nats"));
        }
        yield return ("threshold", FormattableString.Invariant($"{model.Threshold:F2}: scores above are labelled as anomalies"));
    }
}

/// <summary>What <c>train</c> writes beside the model of a table.</summary>
internal sealed record TableRecord
{
    /// <summary>By which the record of a table is known.</summary>
    public const string TableKind = "table";

    public string Kind { get; init; } = TableKind;

    public required string Data { get; init; }

    public required long Rows { get; init; }

    public required IReadOnlyList<TableColumn> Columns { get; init; }

    public required int LatentDimension { get; init; }

    public required float Threshold { get; init; }

    public required int Seed { get; init; }

    public required TableTrainingHistory History { get; init; }
}
