using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tool;

/// <summary>The rows that a model takes.</summary>
/// <param name="Model">The model, as errors call it.</param>
/// <param name="Column">The pipeline's input column.</param>
/// <param name="Shape">Size of a row's array.</param>
/// <param name="Names">A name for each number, where the model knows them.</param>
/// <param name="TakesMissing">Whether NaN stands for a missing value that the model fills in.</param>
internal sealed record ModelInput(string Model, string Column, IReadOnlyList<int> Shape, IReadOnlyList<string>? Names, bool TakesMissing = false)
{
    public int Features => DataFile.Product(Shape);

    public string ShapeText => string.Join(" x ", Shape);
}

/// <summary>How the columns of a table are matched with what a model was trained on.</summary>
internal enum ColumnMatching
{
    Name,

    Position,
}

/// <summary>How a file of rows is read.</summary>
/// <param name="Array">The array of a .npz file.</param>
/// <param name="Columns">The columns of a table, by name or place.</param>
/// <param name="Table">How the text of a table is read.</param>
/// <param name="Matching">How columns are matched with a model's.</param>
/// <param name="Ignored">Names of columns of a table to leave out.</param>
internal sealed record RowSettings(string? Array, IReadOnlyList<string>? Columns, TableSettings Table, ColumnMatching Matching, IReadOnlyList<string>? Ignored = null);

/// <summary>Rows from a file: .npz or .npy as NumPy writes them, or a table of numbers in text.</summary>
/// <param name="Path">The file.</param>
/// <param name="View">The rows, in the column <see cref="Column"/>.</param>
/// <param name="Column">The column.</param>
/// <param name="Shape">Size of a row's array: [24], or [12, 2].</param>
/// <param name="Names">Names of a table's columns, where it has them.</param>
internal sealed record DataFile(string Path, IDataView View, string Column, IReadOnlyList<int> Shape, IReadOnlyList<string>? Names)
{
    /// <summary>The column that a file's rows are loaded into for training.</summary>
    public const string TrainingColumn = "Input";

    /// <summary>How errors call a column of a table.</summary>
    private Func<int, string> _label = place => Invariant($"number {place}");

    private List<int>? _lines;
    private long _firstRow;

    public int Features => Product(Shape);

    public long Rows => View.GetRowCount() ?? View.GetColumn<float[]>(Column).LongCount();

    public static int Product(IReadOnlyList<int> shape) => shape.Aggregate(1, (product, size) => checked(product * size));

    /// <summary>Reads rows to train on.</summary>
    public static DataFile Load(MLContext context, string path, RowSettings settings, Terminal terminal, CancellationToken cancellationToken) =>
        Load(context, path, settings, null, terminal, cancellationToken);

    /// <summary>Reads rows for a model: columns of a table by name, or by their number where names are missing, arrays by shape.</summary>
    public static DataFile Load(MLContext context, string path, RowSettings settings, ModelInput? model, Terminal terminal, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            throw Directory.Exists(path) ? new UsageException($"'{path}' is a folder; a file of rows is expected.") : new FileNotFoundException($"There is no file '{path}'.");
        if (IsArray(path))
        {
            return settings.Columns is null ? Array(path, settings, model, terminal)
                : throw new UsageException($"--columns chooses among the columns of a table; '{path}' is an array.");
        }
        return settings.Array is null ? Table(context, path, settings, model, terminal, cancellationToken)
            : throw new UsageException($"--array names an array of a .npz file; '{path}' is a table.");
    }

    /// <summary>Throws where a number is missing or infinite, naming row, line and column.</summary>
    public void CheckFinite(CancellationToken cancellationToken)
    {
        long row = _firstRow;
        foreach (float[] values in View.GetColumn<float[]>(Column))
        {
            cancellationToken.ThrowIfCancellationRequested();
            int bad = System.Array.FindIndex(values, value => !float.IsFinite(value));
            if (bad >= 0)
            {
                string place = Invariant($"'{Path}', row {row}{(_lines is null ? "" : Invariant($", line {_lines[(int)row]}"))}, {_label(bad)}");
                throw _lines is not null && float.IsNaN(values[bad])
                    ? new NotNumbersException($"{place}: a number is expected, the value is missing. Fill it in, leave the row out, or leave the column out with --columns.")
                    : new InvalidDataException(Invariant($"{place}: a finite number is expected, {values[bad]} was found."));
            }
            row++;
        }
    }

    /// <summary>One row alone.</summary>
    /// <param name="context">Makes the view.</param>
    /// <param name="row">Its place, from 0.</param>
    /// <param name="option">The option that asks for it.</param>
    public DataFile TakeRow(MLContext context, long row, string option)
    {
        if (row >= Rows)
            throw new UsageException(Invariant($"{option}: '{Path}' has no row {row}; it has {Rows} rows, counted from 0."));
        // SkipRows takes no 0.
        var view = context.Data.TakeRows(row == 0 ? View : context.Data.SkipRows(View, row), 1);
        return this with { View = view, _firstRow = row };
    }

    /// <summary>Whether a file is NumPy's.</summary>
    public static bool IsArray(string path)
    {
        string ending = System.IO.Path.GetExtension(path).ToLowerInvariant();
        if (ending is ".npy" or ".npz" or ".csv" or ".tsv" or ".txt")
            return ending is ".npy" or ".npz";
        using var stream = File.OpenRead(path);
        if (!stream.CanSeek)
            return false;
        Span<byte> start = stackalloc byte[6];
        int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        return start[..read].StartsWith("PK"u8) || start[..read].StartsWith(NumPyHeader.Magic);
    }

    private static DataFile Array(string path, RowSettings settings, ModelInput? model, Terminal terminal)
    {
        NumPyArray array;
        try
        {
            array = NumPyFile.Read(path, [settings.Array], settings.Table.MaxBytes, TableSettings.MaxBytesOption)[0];
        }
        catch (ArgumentException e)
        {
            throw new UsageException($"--array: {e.Message.Replace(" (Parameter 'arrayName')", "", StringComparison.Ordinal)}");
        }
        if (array.Shape is not [var rows, .. { Length: > 0 } shape] || shape.Contains(0))
            throw new InvalidDataException($"'{path}': an array [n, d] or [n, beads, d] is expected, rows of numbers; its shape is [{string.Join(", ", array.Shape)}].");
        if (rows == 0)
            throw new InvalidDataException($"'{path}' has no rows.");
        if (model is not null)
        {
            // Where either side is flat, the order of the numbers is that of the other's array.
            bool same = shape.SequenceEqual(model.Shape), flat = shape.Length == 1 || model.Shape.Count == 1;
            if (!same && !(flat && Product(shape) == model.Features))
            {
                throw new InvalidDataException(Invariant(
                    $"'{model.Model}' takes rows of {model.ShapeText} numbers{(model.Names is null ? "" : $" ({TableText.List(model.Names)})")}; '{path}' has rows of {string.Join(" x ", shape)}."));
            }
            if (model.Names is not null)
                terminal.Note($"'{path}' has no names: its {model.Features} numbers are taken as {TableText.List(model.Names)}.");
            array = array with { Shape = [rows, .. model.Shape] };
        }
        string column = model?.Column ?? TrainingColumn;
        return new(path, new NumPyDataView([(column, array)]), column, model?.Shape ?? shape, null);
    }

    private static DataFile Table(MLContext context, string path, RowSettings settings, ModelInput? model, Terminal terminal, CancellationToken cancellationToken)
    {
        string[]? names = null;
        var warnOfIndex = () => { };
        var table = TableText.Read(path, settings.Table, settings.Matching == ColumnMatching.Name ? model?.Names : null, (header, count) =>
        {
            int[] chosen = [.. Choose(path, header, count, settings.Columns).Where(place => settings.Ignored?.Contains(NameOf(header, place)) != true)];
            CheckIgnored(path, header, count, settings.Ignored);
            if (model is not null)
                return Match(path, header, count, chosen, settings, model, terminal);
            names = header is null ? null : [.. chosen.Select(place => header[place])];
            if (names?.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            {
                throw new InvalidDataException(
                    $"'{path}': several columns are called '{twice.Key}', so that a model could not tell them apart. The columns are {TableText.List(header!)}; --columns chooses among them.");
            }
            warnOfIndex = () => WarnOfIndex(path, header, chosen, terminal);
            return chosen;
        }, terminal.Note, cancellationToken);
        // Said once all cells are numbers; where one is none, a table of typed columns may be read instead, which leaves the index out.
        warnOfIndex();

        string column = model?.Column ?? TrainingColumn;
        int[] shape = model is null ? [table.Columns.Count] : [.. model.Shape];
        var definition = SchemaDefinition.Create(typeof(TableRow));
        definition[0].ColumnName = column;
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, shape);
        // A model's rows have its names, also where those of the file were overruled.
        if ((model is null ? names : model.Names) is { } slots)
            definition[0].AddAnnotation("SlotNames", new VBuffer<ReadOnlyMemory<char>>(slots.Count, [.. slots.Select(name => name.AsMemory())]), new VectorDataViewType(TextDataViewType.Instance, slots.Count));
        var view = context.Data.LoadFromEnumerable(table.Rows.ConvertAll(values => new TableRow { Values = values }), definition);
        return new(path, view, column, shape, names) { _lines = table.Lines, _label = place => table.Label(table.Columns[place]) };
    }

    /// <summary>A column's name: its place, where there is no header.</summary>
    private static string NameOf(IReadOnlyList<string>? header, int place) => header?[place] ?? Invariant($"{place}");

    /// <summary>Fails where a column that is to be left out is not there, or none is left.</summary>
    public static void CheckIgnored(string path, IReadOnlyList<string>? header, int count, IReadOnlyList<string>? ignored)
    {
        string[] names = [.. Enumerable.Range(0, count).Select(place => NameOf(header, place))];
        if (ignored?.FirstOrDefault(name => !names.Contains(name)) is { } unknown)
            throw new UsageException($"--ignore: there is no column '{unknown}'; '{path}' has {(header is null ? Invariant($"{count} columns without names, counted from 0") : TableText.List(header))}.");
        if (ignored is not null && names.All(ignored.Contains))
            throw new UsageException($"--ignore leaves no column of '{path}'.");
    }

    /// <summary>Places of the columns asked for: names where there is a header, or numbers that count from 0.</summary>
    public static int[] Choose(string path, IReadOnlyList<string>? header, int count, IReadOnlyList<string>? columns)
    {
        if (columns is null)
            return [.. Enumerable.Range(0, count)];
        int[] chosen = [.. columns.Select(name =>
        {
            int[] found = header is null ? [] : Places(header, name);
            if (found.Length > 1)
                throw new UsageException($"--columns: '{path}' has {found.Length} columns called '{name}', at {string.Join(", ", found)}; choose by these numbers.");
            if (found.Length == 1)
                return found[0];
            return int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < count ? number
                : throw new UsageException($"--columns: '{path}' has no column '{name}'; it has {(header is null ? Invariant($"{count} columns without names, counted from 0") : TableText.List(header))}.");
        })];
        return chosen.Distinct().Count() == chosen.Length ? chosen : throw new UsageException($"--columns names a column twice: {string.Join(", ", columns)}.");
    }

    /// <summary>The columns that a model takes, in its order.</summary>
    private static int[] Match(string path, IReadOnlyList<string>? header, int count, int[] chosen, RowSettings settings, ModelInput model, Terminal terminal)
    {
        string[] there = header is null ? [] : [.. chosen.Select(place => header[place])];
        if (header is not null && settings.Matching == ColumnMatching.Name)
        {
            // Names that the tool gives to numbers without any are known again.
            var expected = model.Names ?? RowFormat.DefaultNames(model.Features);
            string[] missing = [.. expected.Where(name => !there.Contains(name))], doubled = [.. expected.Where(name => there.Count(found => found == name) > 1)];
            if (missing.Length == 0 && doubled.Length == 0)
            {
                int[] places = [.. expected.Select(name => chosen[System.Array.IndexOf(there, name)])];
                WarnOfIndex(path, header, places, terminal);
                return places;
            }
            if (model.Names is not null)
            {
                string problem = string.Join(" and ", new[]
                {
                    missing.Length > 0 ? $"'{path}' has no {(missing.Length == 1 ? "column" : "columns")} {TableText.List(missing)}" : null,
                    doubled.Length > 0 ? $"'{path}' has more than one column {TableText.List(doubled)}" : null,
                }.OfType<string>());
                throw new InvalidDataException(
                    $"{problem}. '{model.Model}' takes {TableText.List(expected)}; the file has {TableText.List(there)}{(there.Length == header.Count ? "" : $" of {TableText.List(header)}")}. "
                    + "--match position takes the columns in their order.");
            }
        }
        if (chosen.Length != model.Features)
        {
            throw new InvalidDataException(Invariant(
                $"'{model.Model}' takes rows of {model.ShapeText} numbers{(model.Names is null ? "" : $" ({TableText.List(model.Names)})")}; '{path}' has {(chosen.Length == count ? "" : $"{chosen.Length} chosen of ")}{count} columns{(header is null ? " without names" : $" ({TableText.List(there)})")}. --columns chooses among them."));
        }
        string what = header is null ? $"'{path}' has no names" : model.Names is null ? $"'{model.Model}' knows no names" : "--match position";
        terminal.Note(Invariant($"{what}: the {chosen.Length} columns{(header is null ? "" : $" of '{path}' ({TableText.List(there)})")} are taken in their order{(model.Names is null ? "" : $" as {TableText.List(model.Names)}")}."));
        WarnOfIndex(path, header, chosen, terminal);
        return chosen;
    }

    /// <summary>pandas writes its index as a first column without a name, and calls it 'Unnamed: 0' when it has read and written it once more.</summary>
    public static void WarnOfIndex(string path, IReadOnlyList<string>? header, int[] chosen, Terminal terminal)
    {
        if (header is not { Count: > 1 } || header[0] is not ("" or "Unnamed: 0"))
            return;
        terminal.Warning($"'{path}': the first column {(header[0].Length == 0 ? "has no name" : $"is called '{header[0]}'")}, as the index that pandas writes. "
            + (chosen.Contains(0) ? "It is used as one of the numbers; --columns leaves it out, as does index=False in to_csv." : "It is not used."));
    }

    private static int[] Places(IReadOnlyList<string> header, string name) => [.. Enumerable.Range(0, header.Count).Where(place => header[place] == name)];

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private sealed class TableRow
    {
        public float[] Values { get; set; } = [];
    }
}

/// <summary>The options that say how a file of rows is read; every command that reads one has them.</summary>
internal sealed class RowOptions
{
    private readonly Option<string?> _array = new("--array") { Description = "Name of the array in a .npz file that holds several.", HelpName = "name" };

    private readonly Option<string?> _columns = new("--columns") { Description = "Columns of a table to use, by name or by place from 0. Default: those that the model was trained on; all in training.", HelpName = "a,b,..." };

    private readonly Choice<HeaderMode> _header = new("--header", "Whether the first row of a table holds the names of its columns; auto tells what it takes, and fails where that cannot be told.", HeaderMode.Auto);

    private readonly Option<string?> _separator = new("--separator") { Description = "What separates the fields of a table: ',', ';', tab, blanks or another sign. Found from the text by default.", HelpName = "sign" };

    private readonly Option<long> _maxBytes = new(TableSettings.MaxBytesOption)
    {
        Description = "Memory that the rows may take, in bytes. Default 0: 2 GiB, or 16 times the size of the file where that is more; a compressed file may stand for any amount.",
    };

    private readonly bool _ignorable;

    private readonly Option<string?> _ignore = new("--ignore") { Description = "Columns of a table to leave out, by name.", HelpName = "a,b,..." };

    private readonly Choice<ColumnMatching>? _matching;

    /// <param name="command">The command that gets the options.</param>
    /// <param name="forModel">Whether the rows are matched with a model.</param>
    /// <param name="ignorable">Whether columns can be left out by name.</param>
    public RowOptions(Command command, bool forModel, bool ignorable = false)
    {
        _ignorable = ignorable;
        if (ignorable)
            command.Add(_ignore);
        _separator.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && TableText.ParseSeparator(token.Value) is null)
                result.AddError($"--separator has to be ',', ';', tab, blanks or another sign; it is '{token.Value}'.");
        });
        command.Add(_array);
        command.Add(_columns);
        command.Add(_header.Option);
        command.Add(_separator);
        _maxBytes.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValueOrDefault<long>() < 0)
                result.AddError($"{TableSettings.MaxBytesOption} has to be at least 0; it is '{result.Tokens[0].Value}'.");
        });
        command.Add(_maxBytes);
        if (!forModel)
            return;
        _matching = new("--match", "How the columns of a table are matched with those that the model was trained on.", ColumnMatching.Name);
        command.Add(_matching.Option);
    }

    /// <summary>
    /// How one file of several is read: --array chooses in the arrays among them, --columns in the tables. Where none of them is of the
    /// kind, the option is refused for the file, as it is for a file alone.
    /// </summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="path">The file.</param>
    /// <param name="all">All files of rows that the command reads.</param>
    public RowSettings Read(ParseResult arguments, string path, IEnumerable<string> all)
    {
        var settings = Read(arguments);
        if (!File.Exists(path))
            return settings;
        bool array = DataFile.IsArray(path);
        if (!all.Where(File.Exists).Any(other => DataFile.IsArray(other) != array))
            return settings;
        return array ? settings with { Columns = null } : settings with { Array = null };
    }

    /// <summary>Refuses options about a file where the command line names none.</summary>
    public void CheckUnused(ParseResult arguments)
    {
        foreach (Option option in (Option[])[_array, _columns])
        {
            if (arguments.GetResult(option) is { Implicit: false })
                throw new UsageException($"{option.Name} says how a file of rows is read; no row of a file is asked for.");
        }
    }

    public RowSettings Read(ParseResult arguments) => new(
        arguments.GetValue(_array),
        arguments.GetValue(_columns) is { } columns ? TableText.ParseNames(columns) : null,
        new(_header.Read(arguments), arguments.GetValue(_separator) is { } separator ? TableText.ParseSeparator(separator) : null, arguments.GetValue(_maxBytes)),
        _matching?.Read(arguments) ?? ColumnMatching.Name,
        _ignorable && arguments.GetValue(_ignore) is { } ignored ? TableText.ParseNames(ignored) : null);
}

/// <summary>The argument that names a file of rows, and its options.</summary>
internal sealed class DataArgument
{
    private readonly Argument<string> _path = new("data") { Description = "Rows: .npz or .npy ([n, d] or [n, beads, dimensions]), or a table (.csv, .tsv, .txt, also in .gz)." };

    private readonly RowOptions _options;

    public DataArgument(Command command, bool forModel, bool ignorable = false)
    {
        command.Add(_path);
        _options = new(command, forModel, ignorable);
    }

    public string Path(ParseResult arguments) => arguments.GetRequiredValue(_path);

    public RowSettings Settings(ParseResult arguments) => _options.Read(arguments);
}
