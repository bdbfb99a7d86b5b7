using Microsoft.ML;
using Vae.MLNet.Evaluation;
using Vae.MLNet.Samples;

namespace Vae.MLNet.Tool;

/// <summary>Files of rows that are compared with each other: arrays, or tables of numbers and text.</summary>
internal static class ComparedTables
{
    /// <summary>Reads the files. A column of tables holds numbers where all that stands in it is one, in every file, and categories otherwise.</summary>
    /// <param name="context">Makes the views of arrays.</param>
    /// <param name="paths">The real rows first.</param>
    /// <param name="settings">How the files are read.</param>
    /// <param name="ignored">Names of columns that are left out.</param>
    /// <param name="terminal">Told what was taken for granted.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static SampleTable[] Load(MLContext context, IReadOnlyList<string> paths, RowSettings settings, IReadOnlyList<string> ignored, Terminal terminal, CancellationToken cancellationToken)
    {
        foreach (string path in paths)
        {
            if (!File.Exists(path))
                throw Directory.Exists(path) ? new UsageException($"'{path}' is a folder; a file of rows is expected.") : new FileNotFoundException($"There is no file '{path}'.");
        }
        string? array = paths.FirstOrDefault(DataFile.IsArray), table = paths.FirstOrDefault(path => !DataFile.IsArray(path));
        if (array is not null && table is not null)
            throw new InvalidDataException($"Files of one kind are expected: '{array}' is an array, '{table}' is a table.");
        return table is null ? Arrays(context, paths, settings, ignored, terminal, cancellationToken) : Tables(paths, settings, ignored, terminal, cancellationToken);
    }

    private static SampleTable[] Arrays(MLContext context, IReadOnlyList<string> paths, RowSettings settings, IReadOnlyList<string> ignored, Terminal terminal, CancellationToken cancellationToken)
    {
        if (ignored.Count > 0)
            throw new UsageException($"--ignore leaves out columns of tables; '{paths[0]}' is an array.");
        DataFile[] files = [.. paths.Select(path => DataFile.Load(context, path, settings, terminal, cancellationToken))];
        foreach (var file in files)
        {
            if (file.Features != files[0].Features)
            {
                throw new InvalidDataException(
                    $"'{file.Path}' has rows of {string.Join(" x ", file.Shape)} numbers; '{files[0].Path}' has rows of {string.Join(" x ", files[0].Shape)}.");
            }
        }
        var (real, generated, training) = SampleReader.Read(
            files[0].View, files[1].View, files.Length > 2 ? files[2].View : null, [], nameof(VaeCatalog.CompareSamples), cancellationToken);
        return training is null ? [real, generated] : [real, generated, training];
    }

    private static SampleTable[] Tables(IReadOnlyList<string> paths, RowSettings settings, IReadOnlyList<string> ignored, Terminal terminal, CancellationToken cancellationToken)
    {
        if (settings.Array is not null)
            throw new UsageException($"--array names an array of a .npz file; '{paths[0]}' is a table.");
        var unknown = ignored.ToHashSet(StringComparer.Ordinal);
        var files = new List<(TableText Text, string[] Names)>();
        foreach (string path in paths)
        {
            string[] names = [];
            var text = TableText.Read(path, settings.Table, files.Count > 0 ? files[0].Names : null, (header, count) =>
            {
                string[] all = header is not null ? [.. header] : files.Count > 0 && files[0].Names.Length == count ? files[0].Names : RowFormat.DefaultNames(count);
                if (header is null && files.Count > 0)
                    terminal.Note($"'{path}' has no names: its columns are taken as {TableText.List(all)}.");
                int[] chosen = [.. DataFile.Choose(path, header, count, settings.Columns).Where(place => !ignored.Contains(all[place]))];
                unknown.ExceptWith(all);
                names = [.. chosen.Select(place => all[place])];
                if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
                    throw new InvalidDataException($"'{path}': several columns are called '{twice.Key}'. The columns are {TableText.List(all)}; --columns chooses among them by their places from 0.");
                DataFile.WarnOfIndex(path, header, chosen, terminal);
                return chosen;
            }, terminal.Note, cancellationToken, asText: true);
            files.Add((text, names));
        }
        if (unknown.Count > 0)
            throw new UsageException($"--ignore: there is no column {TableText.List(unknown)}; '{paths[0]}' has {TableText.List(files[0].Text.Header ?? files[0].Names)}.");
        string[] columns = files[0].Names;
        if (columns.Length == 0)
            throw new UsageException($"--ignore leaves no column of '{paths[0]}'.");
        for (int i = 1; i < files.Count; i++)
            RequireSame(paths[0], columns, paths[i], files[i].Names, exact: i == 1);

        var tables = files.Select(_ => new List<SampleColumn>()).ToArray();
        var words = new List<string>();
        foreach (string column in columns)
        {
            int[] places = [.. files.Select(file => Array.IndexOf(file.Names, column))];
            float[]?[] numbers = [.. files.Select((file, i) => file.Text.Numbers(places[i]))];
            bool isNumber = Array.TrueForAll(numbers, found => found is not null) && numbers.Any(found => !found!.All(float.IsNaN));
            if (!isNumber)
                words.Add(column);
            for (int i = 0; i < files.Count; i++)
                tables[i].Add(isNumber ? SampleColumn.OfNumbers(column, numbers[i]!) : SampleColumn.OfCategories(column, files[i].Text.Texts.Select(row => row[places[i]])));
        }
        if (words.Count > 0)
            terminal.Note($"as categories are taken {TableText.List(words)}; the other columns are numbers.");
        return [.. tables.Select(table => new SampleTable(table))];
    }

    private static void RequireSame(string realPath, string[] expected, string path, string[] found, bool exact)
    {
        string[] missing = [.. expected.Except(found, StringComparer.Ordinal)], surplus = exact ? [.. found.Except(expected, StringComparer.Ordinal)] : [];
        if (missing.Length + surplus.Length == 0)
            return;
        string lacks = missing.Length > 0 ? $" It lacks {TableText.List(missing)}." : "", has = surplus.Length > 0 ? $" It has {TableText.List(surplus)} besides." : "";
        throw new InvalidDataException($"'{path}' has to have the columns of '{realPath}', which are {TableText.List(expected)}.{lacks}{has} --ignore leaves columns out.");
    }
}
