using System.CommandLine;
using Microsoft.ML;
using Vae.MLNet.Tables;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Fills the gaps of a table.</summary>
internal sealed class ImputeCommand : ToolCommand
{
    private readonly ModelArgument _model;
    private readonly DataArgument _data;
    private readonly Option<int> _draws, _seed;
    private readonly Option<string> _output;

    public ImputeCommand()
        : base("impute", "Fill the gaps of a table with what its model expects beside the cells that are there.",
            "impute model/ gaps.csv -o full.csv",
            "impute model/ gaps.csv --draws 1 --seed 3 -o full-3.csv")
    {
        _model = new ModelArgument(this, "A folder that 'train' wrote for a table, its model.zip or its table.onnx.");
        _data = new DataArgument(this, forModel: true);
        _draws = Integer("--draws", "Draws of each row with gaps: numbers get their mean, texts the most frequent value. 1 gives a random filling, for multiple imputation.", 16, minimum: 1);
        _seed = Integer("--seed", "Seed: the same one gives the same cells.", 0);
        _output = OutputFile("File to write: .csv, .tsv or .txt, with all columns of the table in their order.");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        char separator = ResultFile.CheckTable(output, terminal);
        var source = _model.Open(arguments);
        var context = terminal.Context();
        using var model = source.LoadTable(context);
        var data = TypedTable.Load(_data.Path(arguments), _data.Settings(arguments), model.Model, source.Location, terminal, cancellationToken);
        var full = (TableDataView)model.Model.Impute(data.View, arguments.GetValue(_draws), arguments.GetValue(_seed), cancellationToken);
        var filled = full.Columns.ToDictionary(column => column.Name);
        RawColumn[] columns = [.. data.Columns.Select(column => filled.GetValueOrDefault(column.Name, column))];
        context.Vae.SaveTable(new TableDataView(columns, data.Rows), output, separator, cancellationToken);
        var gaps = data.Columns.Zip(columns).Select(pair => (pair.First.Name, Before: Gaps(pair.First), After: Gaps(pair.Second))).ToArray();
        terminal.Result(
            new { file = output, rows = data.Rows, filled = gaps.Sum(gap => gap.Before - gap.After), columns = gaps.Select(gap => new { gap.Name, filled = gap.Before - gap.After, left = gap.After }) },
            Terminal.Facts(output, [("rows", Invariant($"{data.Rows}")), .. gaps.Where(gap => gap.Before > 0)
                .Select(gap => (gap.Name, Invariant($"{gap.Before - gap.After} cells filled{(gap.After > 0 ? Invariant($", {gap.After} left as they are: the model has left this column out") : "")}")))]));
    }

    private static int Gaps(RawColumn column) => column.Numbers?.Count(double.IsNaN) ?? column.Codes!.Count(code => code < 0);
}
