using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.VisualBasic.FileIO;

namespace Vae.MLNet.Tool;

/// <summary>Rows from a file: .npz or .npy as NumPy writes them, or a table of numbers in text, .csv or .tsv.</summary>
/// <param name="View">The rows, in the column <see cref="Column"/>.</param>
/// <param name="Shape">Size of a row's array: [24], or [12, 2].</param>
/// <param name="Names">Names of a table's columns, where it has them.</param>
internal sealed record DataFile(IDataView View, IReadOnlyList<int> Shape, IReadOnlyList<string>? Names)
{
    /// <summary>The column that a file's rows are loaded into.</summary>
    public const string Column = "Input";

    public int Features => Shape.Aggregate(1, (product, size) => product * size);

    public static DataFile Load(MLContext context, string path, string? array, string? columns)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no file '{path}'.");
        string ending = Path.GetExtension(path).ToLowerInvariant();
        if (ending is ".csv" or ".tsv" or ".txt")
        {
            return array is null ? Table(context, path, ending == ".csv" ? "," : "\t", columns)
                : throw new UsageException($"--array names an array of a .npz file; '{path}' is a table.");
        }
        if (columns is not null)
            throw new UsageException($"--columns chooses among the columns of a .csv or .tsv file; '{path}' is neither.");
        var view = context.Vae.LoadNumPy(path, Column, array);
        return view.Schema[Column].Type switch
        {
            VectorDataViewType { IsKnownSize: true } vector => new(view, vector.Dimensions, null),
            _ => throw new InvalidDataException($"'{path}': the array has one dimension; rows of several numbers are expected, an array [n, d] or [n, beads, d]."),
        };
    }

    /// <summary>Throws where a number is NaN or infinite, naming row and place.</summary>
    public void CheckFinite(string path, CancellationToken cancellationToken)
    {
        long row = 0;
        foreach (float[] values in View.GetColumn<float[]>(Column))
        {
            cancellationToken.ThrowIfCancellationRequested();
            int bad = Array.FindIndex(values, value => !float.IsFinite(value));
            if (bad >= 0)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"'{path}', row {row}, {(Names is null ? "number" : "column")} {Names?[bad] ?? bad.ToString(CultureInfo.InvariantCulture)}: a finite number is expected, {values[bad]} was found."));
            row++;
        }
    }

    /// <summary>Row of the file, as the encoder of a model sees it.</summary>
    public IDataView TakeRow(MLContext context, long row)
    {
        var one = context.Data.TakeRows(context.Data.SkipRows(View, row), 1);
        using var cursor = one.GetRowCursor([]);
        return cursor.MoveNext() ? one : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"There is no row {row}: rows count from 0."));
    }

    private static DataFile Table(MLContext context, string path, string separator, string? columns)
    {
        using var parser = new TextFieldParser(path) { Delimiters = [separator], HasFieldsEnclosedInQuotes = true, TrimWhiteSpace = true };
        string[] first = Fields(parser, path) ?? throw new InvalidDataException($"'{path}' is empty; a table of numbers is expected.");
        bool header = !first.All(field => TryNumber(field, out _));
        int[] chosen = Choose(path, header ? first : null, first.Length, columns);
        var rows = new List<TableRow>();
        for (string[]? fields = header ? Fields(parser, path) : first; fields is not null; fields = Fields(parser, path))
        {
            if (fields.Length != first.Length)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"'{path}', row {rows.Count}: {first.Length} fields are expected, {fields.Length} were found."));
            var values = new float[chosen.Length];
            for (int i = 0; i < chosen.Length; i++)
            {
                if (!TryNumber(fields[chosen[i]], out values[i]))
                {
                    throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                        $"'{path}', row {rows.Count}, column {(header ? $"'{first[chosen[i]]}'" : chosen[i].ToString(CultureInfo.InvariantCulture))}: a number is expected, '{fields[chosen[i]]}' was found."));
                }
            }
            rows.Add(new TableRow { Input = values });
        }
        if (rows.Count == 0)
            throw new InvalidDataException($"'{path}' has a header and no rows.");
        string[]? names = header ? [.. chosen.Select(i => first[i])] : null;
        return new(ToView(context, rows, [chosen.Length], names), [chosen.Length], names);
    }

    private static IDataView ToView(MLContext context, List<TableRow> rows, int[] shape, string[]? names)
    {
        var definition = SchemaDefinition.Create(typeof(TableRow));
        definition[Column].ColumnType = new VectorDataViewType(NumberDataViewType.Single, shape);
        if (names is not null)
        {
            var slots = new VBuffer<ReadOnlyMemory<char>>(names.Length, [.. names.Select(name => name.AsMemory())]);
            definition[Column].AddAnnotation("SlotNames", slots, new VectorDataViewType(TextDataViewType.Instance, names.Length));
        }
        return context.Data.LoadFromEnumerable(rows, definition);
    }

    private static string[]? Fields(TextFieldParser parser, string path)
    {
        try
        {
            return parser.ReadFields();
        }
        catch (MalformedLineException e)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"'{path}', line {e.LineNumber}: the quotes do not close."), e);
        }
    }

    /// <summary>Places of the columns asked for: names where there is a header, or numbers that count from 0.</summary>
    private static int[] Choose(string path, string[]? header, int count, string? columns)
    {
        if (columns is null)
            return [.. Enumerable.Range(0, count)];
        return [.. columns.Split(',', StringSplitOptions.TrimEntries).Select(name =>
        {
            int at = header is null ? -1 : Array.IndexOf(header, name);
            if (at < 0 && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < count)
                at = number;
            return at >= 0 ? at : throw new UsageException($"--columns: '{path}' has no column '{name}'; it has {(header is null ? $"{count} columns without names" : string.Join(", ", header))}.");
        })];
    }

    private static bool TryNumber(string field, out float value) => float.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out value);

    private sealed class TableRow
    {
        public float[] Input { get; set; } = [];
    }
}

/// <summary>The argument and the options that say which rows a command reads.</summary>
internal sealed class DataArgument
{
    private readonly Argument<string> _path = new("data") { Description = "Rows: .npz or .npy ([n, d] or [n, beads, dimensions]), .csv or .tsv." };

    private readonly Option<string?> _array = new("--array") { Description = "Name of the array in a .npz file that holds several.", HelpName = "name" };

    private readonly Option<string?> _columns = new("--columns") { Description = "Columns of a table to use, by name or by place from 0; all by default.", HelpName = "a,b,..." };

    public DataArgument(Command command)
    {
        command.Add(_path);
        command.Add(_array);
        command.Add(_columns);
    }

    public string Path(ParseResult arguments) => arguments.GetRequiredValue(_path);

    public DataFile Load(MLContext context, ParseResult arguments) => DataFile.Load(context, Path(arguments), arguments.GetValue(_array), arguments.GetValue(_columns));
}
