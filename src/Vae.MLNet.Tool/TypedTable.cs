using Vae.MLNet.Tables;

namespace Vae.MLNet.Tool;

/// <summary>A table of numbers, texts, booleans and dates, with gaps, from a file.</summary>
/// <param name="Path">The file.</param>
/// <param name="View">Its columns.</param>
internal sealed record TypedTable(string Path, TableDataView View)
{
    /// <summary>A text among so many numbers is rather a slip than a value of a category.</summary>
    private const double SlipShare = 0.05;

    private const int LeastForSlips = 20;

    public IReadOnlyList<RawColumn> Columns => View.Columns;

    public int Rows => (int)View.GetRowCount()!.Value;

    /// <summary>Reads a table to train on.</summary>
    /// <param name="path">The file.</param>
    /// <param name="settings">How it is read.</param>
    /// <param name="kinds">Kinds set by hand.</param>
    /// <param name="terminal">Told what was taken for granted.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static TypedTable Load(string path, RowSettings settings, IReadOnlyDictionary<string, ColumnKind> kinds, Terminal terminal, CancellationToken cancellationToken)
    {
        var (text, names) = Read(path, settings, null, terminal, cancellationToken);
        return new(path, new([.. names.Select((name, i) =>
        {
            CheckSlips(path, text, i, name, kinds);
            return Cells(text, i).Finish(name, null, _ => "");
        })], text.Texts.Count));
    }

    /// <summary>Reads a table for a model: its columns by name and of its types, and all others of the file as they come.</summary>
    /// <param name="path">The file.</param>
    /// <param name="settings">How it is read.</param>
    /// <param name="model">The model.</param>
    /// <param name="modelPath">How errors call it.</param>
    /// <param name="terminal">Told what was taken for granted.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static TypedTable Load(string path, RowSettings settings, TableVaeModel model, string modelPath, Terminal terminal, CancellationToken cancellationToken)
    {
        var wanted = model.Columns.Where(column => column.Kind != ColumnKind.Ignored).ToDictionary(column => column.Name, column => column.Type);
        var (text, names) = Read(path, settings, model, terminal, cancellationToken);
        string[] missing = [.. wanted.Keys.Except(names)];
        if (missing.Length > 0)
        {
            throw new InvalidDataException($"'{path}' has no {(missing.Length == 1 ? "column" : "columns")} {TableText.List(missing)}. "
                + $"'{modelPath}' takes {TableText.List(wanted.Keys)}; the file has {TableText.List(names)}.");
        }
        return new(path, new([.. names.Select((name, i) => Cells(text, i).Finish(name, wanted.GetValueOrDefault(name),
            row => Invariant($"'{path}', row {row}, line {text.Lines[row]}, column '{name}'")))], text.Texts.Count));
    }

    /// <summary>Words of <c>--kinds</c>: name=kind, with commas between.</summary>
    public static Dictionary<string, ColumnKind> ParseKinds(string? text)
    {
        var kinds = new Dictionary<string, ColumnKind>(StringComparer.Ordinal);
        foreach (string part in text is null ? [] : TableText.ParseNames(text))
        {
            int at = part.LastIndexOf('=');
            if (at <= 0 || !Enum.TryParse(part[(at + 1)..], ignoreCase: true, out ColumnKind kind) || !Enum.IsDefined(kind))
            {
                throw new UsageException($"--kinds has to be name=kind with commas between, of the kinds {string.Join(", ", Enum.GetNames<ColumnKind>().Select(name => name.ToLowerInvariant()))}; "
                    + $"it has '{part}'.");
            }
            if (!kinds.TryAdd(part[..at], kind))
                throw new UsageException($"--kinds names the column '{part[..at]}' twice.");
        }
        return kinds;
    }

    private static (TableText Text, string[] Names) Read(string path, RowSettings settings, TableVaeModel? model, Terminal terminal, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            throw Directory.Exists(path) ? new UsageException($"'{path}' is a folder; a file of rows is expected.") : new FileNotFoundException($"There is no file '{path}'.");
        if (DataFile.IsArray(path))
            throw new InvalidDataException($"'{path}' is an array of numbers; a table in text is expected (.csv, .tsv, .txt, also in .gz).");
        if (settings.Array is not null)
            throw new UsageException($"--array names an array of a .npz file; '{path}' is a table.");
        string[] names = [];
        string[]? expected = model is null ? null : [.. model.Columns.Where(column => column.Kind != ColumnKind.Ignored).Select(column => column.Name)];
        var text = TableText.Read(path, settings.Table, settings.Matching == ColumnMatching.Name ? expected : null, (header, count) =>
        {
            int[] chosen = DataFile.Choose(path, header, count, settings.Columns);
            DataFile.CheckIgnored(path, header, count, settings.Ignored);
            names = header is not null && settings.Matching == ColumnMatching.Name ? [.. chosen.Select(place => header[place])] : ByPlace(path, header, chosen, model, terminal);
            if (model is null)
            {
                chosen = [.. chosen.Where((_, i) => settings.Ignored?.Contains(names[i]) != true)];
                names = [.. names.Where(name => settings.Ignored?.Contains(name) != true)];
            }
            if (Array.FindIndex(names, string.IsNullOrWhiteSpace) is >= 0 and int nameless)
            {
                if (settings.Columns is not null || names.All(string.IsNullOrWhiteSpace))
                {
                    throw new InvalidDataException(
                        Invariant($"'{path}': column {chosen[nameless]} (from 0) has no name in the header ({TableText.List(header!)}). ")
                        + "Give it one, or choose others with --columns.");
                }
                string places = string.Join(", ", chosen.Where((_, i) => string.IsNullOrWhiteSpace(names[i])));
                terminal.Warning(
                    $"'{path}': column {places} (from 0) has no name in the header ({TableText.List(header!)}), "
                    + "as the index that pandas writes. It is left out.");
                chosen = [.. chosen.Where((_, i) => !string.IsNullOrWhiteSpace(names[i]))];
                names = [.. names.Where(name => !string.IsNullOrWhiteSpace(name))];
            }
            else if (model is null)
            {
                DataFile.WarnOfIndex(path, header, chosen, terminal);
            }
            if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
                throw new InvalidDataException($"'{path}': several columns are called '{twice.Key}'. The columns are {TableText.List(names)}; --columns chooses among them by their places from 0.");
            return chosen;
        }, terminal.Note, cancellationToken, asText: true);
        return (text, names);
    }

    /// <summary>Names of columns that have none, or whose own are not to be used.</summary>
    private static string[] ByPlace(string path, IReadOnlyList<string>? header, int[] chosen, TableVaeModel? model, Terminal terminal)
    {
        if (model is null)
            return RowFormat.DefaultNames(chosen.Length);
        string[] used = [.. model.Columns.Where(column => column.Kind != ColumnKind.Ignored).Select(column => column.Name)], all = [.. model.Columns.Select(column => column.Name)];
        string[] names = chosen.Length == used.Length ? used : chosen.Length == all.Length ? all
            : throw new InvalidDataException(Invariant($"The model takes {used.Length} columns ({TableText.List(used)}); '{path}' has {chosen.Length} {(header is null ? "without names" : "chosen")}. --columns chooses among them."));
        terminal.Note(Invariant($"{(header is null ? $"'{path}' has no names" : "--match position")}: its {names.Length} columns are taken in their order as {TableText.List(names)}."));
        return names;
    }

    private static CellTexts Cells(TableText text, int column)
    {
        var cells = new CellTexts();
        foreach (string cell in text.Cells(column))
            cells.Add(cell);
        return cells;
    }

    /// <summary>A column of numbers but for a few texts is refused, rather than taken for a category of many values.</summary>
    private static void CheckSlips(string path, TableText text, int column, string name, IReadOnlyDictionary<string, ColumnKind> kinds)
    {
        if (kinds.ContainsKey(name))
            return;
        int numbers = 0, texts = 0, first = -1;
        for (int row = 0; row < text.Texts.Count; row++)
        {
            string cell = text.Texts[row][column];
            if (cell.Length == 0)
                continue;
            if (text.IsNumber(cell))
            {
                numbers++;
            }
            else
            {
                texts++;
                first = first < 0 ? row : first;
            }
        }
        if (texts == 0 || numbers + texts < LeastForSlips || texts > SlipShare * (numbers + texts))
            return;
        throw new InvalidDataException(Invariant(
            $"'{path}', row {first}, line {text.Lines[first]}, column '{name}': a number is expected, as in {numbers} other rows; '{text.Texts[first][column]}' was found ({texts} texts in all). Mend it, or say --kinds {name}=category."));
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
