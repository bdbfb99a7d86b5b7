using System.CommandLine;
using Microsoft.ML;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Draws new rows of a table.</summary>
internal sealed class SynthesizeCommand : ToolCommand
{
    private readonly ModelArgument _model;
    private readonly Option<int> _count, _seed;
    private readonly Option<string[]?> _where;
    private readonly Option<string> _output;
    private readonly Option<string?> _exclude, _critic;

    public SynthesizeCommand()
        : base("synthesize", "Draw new rows of a table, with its columns and types.",
            "synthesize model/ --count 1000 --seed 7 -o new.csv",
            "synthesize model/ --count 1000 --exclude people.csv -o new.csv",
            "synthesize model/ --count 1000 --critic people.csv -o new.csv",
            "synthesize model/ --count 1000 --where \"income=>50K\" --where sex=Female -o new.csv")
    {
        _model = new ModelArgument(this, "A folder that 'train' wrote for a table, its model.zip or its table.onnx.");
        _count = Integer("--count", "Rows to draw.", 1000, minimum: 1);
        _seed = Integer("--seed", "Seed: the same one gives the same rows.", 0);
        _where = Register(new Option<string[]?>("--where")
        {
            Description = "A value that a column has to have, column=value; nothing behind the sign stands for a missing cell. May be given for several columns.",
            HelpName = "column=value",
        });
        _exclude = Text("--exclude", "Table whose rows must not come again, cell for cell, as the one that the model was trained on.", "file");
        _critic = Text("--critic", "Table of real rows, as the one that the model was trained on: a critic learns what gives drawn rows away beside "
            + "them, and those that look least real are drawn anew.", "file");
        _output = OutputFile("File to write: .csv, .tsv or .txt.");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        char separator = ResultFile.CheckTable(output, terminal);
        var context = terminal.Context();
        var source = _model.Open(arguments);
        using var model = source.LoadTable(context);
        var excluded = arguments.GetValue(_exclude) is { } path ? Load(path) : null;
        var critic = arguments.GetValue(_critic) is { } real
            ? FitCritic(context, model, Load(real), arguments.GetValue(_seed), terminal, cancellationToken) : null;
        var where = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (string condition in arguments.GetValue(_where) ?? [])
        {
            // Names may hold the sign; the one with the longest name that is a column parts the two.
            var column = model.Model.Columns.Where(column => condition.StartsWith(column.Name + "=", StringComparison.Ordinal)).MaxBy(column => column.Name.Length)
                ?? throw new UsageException($"--where has to be column=value; it is '{condition}', and the columns are {TableText.List(model.Model.Columns.Select(column => column.Name))}.");
            if (column.Kind == ColumnKind.Ignored)
                throw new UsageException($"--where: the model has left out the column '{column.Name}' ({column.Reason}).");
            if (!where.TryAdd(column.Name, condition[(column.Name.Length + 1)..]))
                throw new UsageException($"--where names the column '{column.Name}' twice.");
        }
        IDataView rows;
        try
        {
            rows = model.Synthesize(arguments.GetValue(_count), arguments.GetValue(_seed), where, excluded, critic);
        }
        catch (ArgumentException e) when (e.ParamName == "where")
        {
            throw new UsageException($"--where: {e.Message.Replace(" (Parameter 'where')", "", StringComparison.Ordinal)}");
        }
        context.Vae.SaveTable(rows, output, separator, cancellationToken);
        string[] columns = [.. rows.Schema.Select(column => column.Name)];
        List<(string, string)> facts = [("rows", Invariant($"{arguments.GetValue(_count)}")), ("columns", string.Join(", ", columns))];
        if (critic is not null)
        {
            string found = critic.Auc > 0.5
                ? Invariant($"told rows apart with AUC {critic.Auc:F3} (0.5: not at all)")
                : Invariant($"could not tell rows apart (AUC {critic.Auc:F3})");
            facts.Add(("critic", Invariant($"{found}; about {critic.Acceptance:P0} of the rows drawn were kept")));
        }
        terminal.Result(new { file = output, rows = arguments.GetValue(_count), columns, criticAuc = critic?.Auc, criticAcceptance = critic?.Acceptance },
            Terminal.Facts(output, [.. facts]));

        IDataView Load(string file) => TypedTable.Load(
            file, new(null, null, new(HeaderMode.Auto, null), ColumnMatching.Name), model.Model, source.Location, terminal, cancellationToken).View;
    }

    /// <summary>A critic of the model's rows beside real ones.</summary>
    private static SampleCritic FitCritic(
        MLContext context, TableVaeTransformer model, IDataView real, int seed, Terminal terminal, CancellationToken cancellationToken)
    {
        // Twice as many drawn rows as real ones, within what is worth the time.
        const int FewestRows = 2000, MostRows = 40_000;
        string[] own = [.. model.Model.Columns.Where(column => column.Kind != ColumnKind.Ignored).Select(column => column.Name)];
        string[] others = [.. real.Schema.Where(column => !column.IsHidden).Select(column => column.Name).Except(own, StringComparer.Ordinal)];
        int rows = (int)Math.Min(real.GetRowCount() ?? MostRows, MostRows);
        return terminal.Track("Critic: learning what gives drawn rows away", 1, report =>
        {
            // Rows of a seed of their own: those that are asked for are not among them.
            var drawn = model.Synthesize(Math.Clamp(2 * rows, FewestRows, MostRows), unchecked(seed + 7919));
            return context.Vae.FitCritic(context.Data.TakeRows(real, MostRows), drawn, new()
            {
                Seed = seed,
                IgnoredColumns = others,
                Progress = new Reporter<CriticProgress>(progress => report(progress.Done, progress.Total, "critic")),
                CancellationToken = cancellationToken,
            });
        });
    }
}
