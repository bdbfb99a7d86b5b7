using System.Globalization;
using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using nietras.SeparatedValues;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tables;

/// <summary>Tables in text files with a header: comma, semicolon or tab between fields, quotes as in RFC 4180, plain or compressed by gzip.</summary>
internal static class TableFile
{
    /// <param name="path">The file.</param>
    /// <param name="separator">Between fields; null takes the one that the header has most of.</param>
    /// <param name="types">Types of columns, by name, where they are known.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public static TableDataView Read(string path, char? separator, IReadOnlyDictionary<string, string> types, CancellationToken cancellationToken)
    {
        using var file = File.OpenRead(path);
        using Stream stream = GzipFile.IsCompressed(file) ? GzipFile.Decompress(file, path) : file;
        using var text = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: false), detectEncodingFromByteOrderMarks: true, 1 << 16);
        string first = text.ReadLine() ?? throw Check.BadFile(path, "the file is empty; a table with a header is expected.");
        char found = separator ?? Separator(first);
        using var reader = new Sep(found).Reader(options => options with { HasHeader = false, Unescape = true, DisableColCountCheck = true })
            .From(new Rest(first, text));
        if (!reader.MoveNext())
            throw Check.BadFile(path, "the file has no header; a table with a header is expected.");
        string[] names = Fields(reader.Current);
        for (int i = 0; i < names.Length; i++)
        {
            if (string.IsNullOrWhiteSpace(names[i]))
                throw Check.BadFile(path, Check.Invariant($"column {i} (from 0) has no name in the header ({string.Join(", ", names.Take(20))})."));
        }
        if (names.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw Check.BadFile(path, $"the header names the column '{twice.Key}' twice.");
        var columns = names.Select(_ => new CellTexts()).ToArray();
        var lines = new List<int>();
        int rows = 0;
        while (reader.MoveNext())
        {
            var row = reader.Current;
            if (row.ColCount == 1 && row.Span.Trim().IsEmpty && names.Length > 1)
                continue;
            if (row.ColCount != names.Length)
                throw Check.BadFile(path, Check.Invariant($"row {rows + 1} (line {row.LineNumberFrom}) has {row.ColCount} fields; the header has {names.Length}."));
            for (int i = 0; i < names.Length; i++)
                columns[i].Add(row[i].Span.Trim());
            lines.Add(row.LineNumberFrom);
            if (rows++ % 4096 == 0)
                cancellationToken.ThrowIfCancellationRequested();
        }
        if (rows == 0)
            throw Check.BadFile(path, "the table has a header but no rows.");
        return new([.. columns.Select((column, i) => column.Finish(names[i], types.GetValueOrDefault(names[i]),
            row => Check.Invariant($"'{path}', row {row} (from 0), line {lines[row]}, column '{names[i]}'")))], rows);
    }

    /// <summary>Writes scalar columns; numbers so that they are read back as they are, a missing cell as nothing.</summary>
    public static void Write(IDataView view, string path, char separator, CancellationToken cancellationToken)
    {
        DataViewSchema.Column[] columns = [.. view.Schema.Where(column => !column.IsHidden)];
        foreach (var column in columns)
        {
            if (!RawTable.Takes(column.Type))
                throw Check.SchemaMismatch(nameof(view), column.Name, "a Single, Double, Int32, Int64, Boolean, DateTime or Text", column.Type.ToString()!);
        }
        var raw = RawTable.Read(view, [.. columns.Select(column => column.Name)], cancellationToken);
        var text = new StringBuilder();
        text.AppendJoin(separator, columns.Select(column => Quoted(column.Name, separator))).Append('\n');
        string[] dates = [.. raw.Select(DateFormat)];
        for (int row = 0; row < (raw.Length == 0 ? 0 : raw[0].Rows); row++)
        {
            for (int c = 0; c < raw.Length; c++)
            {
                if (c > 0)
                    text.Append(separator);
                text.Append(Cell(raw[c], row, separator, dates[c]));
            }
            text.Append('\n');
        }
        AtomicFile.WriteAllBytes(path, Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>The shortest format that loses nothing of a column's dates; empty for other columns.</summary>
    private static string DateFormat(RawColumn column)
    {
        if (column.Type is not DateTimeDataViewType)
            return "";
        double[] ticks = [.. column.Numbers!.Where(double.IsFinite)];
        return Array.TrueForAll(ticks, value => value % TimeSpan.TicksPerDay == 0) ? "yyyy-MM-dd"
            : Array.TrueForAll(ticks, value => value % TimeSpan.TicksPerSecond == 0) ? "yyyy-MM-dd HH:mm:ss" : "yyyy-MM-dd HH:mm:ss.FFFFFFF";
    }

    /// <summary>A cell as text, empty where it is missing.</summary>
    public static string Cell(RawColumn column, int row) =>
        column.Texts is { } texts ? column.Codes![row] is >= 0 and int code ? texts[code] : "" : Cell(column, row, '\0', DateFormat(column));

    private static string Cell(RawColumn column, int row, char separator, string dateFormat)
    {
        if (column.Texts is { } texts)
            return column.Codes![row] is >= 0 and int code ? Quoted(texts[code], separator) : "";
        double number = column.Numbers![row];
        if (column.Type is BooleanDataViewType)
            return number != 0 ? "True" : "False";
        if (double.IsNaN(number))
            return "";
        if (dateFormat.Length > 0)
            return RawColumn.ToDate(number).ToString(dateFormat, CultureInfo.InvariantCulture);
        // Shortest text that gives the same number again.
        return column.Type == NumberDataViewType.Single ? ((float)number).ToString("R", CultureInfo.InvariantCulture) : number.ToString("R", CultureInfo.InvariantCulture);
    }

    /// <summary>What begins with # would be a comment where it begins a line.</summary>
    private static string Quoted(string text, char separator) =>
        text.AsSpan().IndexOfAny(separator, '"', '\n') >= 0 || text.Contains('\r') || text.StartsWith('#')
            || text.Length > 0 && (char.IsWhiteSpace(text[0]) || char.IsWhiteSpace(text[^1]))
            ? "\"" + text.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"" : text;

    /// <summary>The separator that parts the header most often; a quoted name is not parted.</summary>
    private static char Separator(string header)
    {
        const string Candidates = ",;\t|";
        int[] counts = new int[Candidates.Length];
        bool quoted = false;
        foreach (char letter in header)
        {
            quoted ^= letter == '"';
            if (!quoted && Candidates.IndexOf(letter) is >= 0 and int candidate)
                counts[candidate]++;
        }
        return Candidates[Array.IndexOf(counts, counts.Max())];
    }

    private static string[] Fields(SepReader.Row row)
    {
        var fields = new string[row.ColCount];
        for (int i = 0; i < fields.Length; i++)
            fields[i] = row[i].ToString().Trim();
        return fields;
    }

    /// <summary>The first line, and what comes after it.</summary>
    private sealed class Rest(string first, TextReader after) : TextReader
    {
        private readonly string _first = first + "\n";
        private int _at;

        public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

        public override int Read(Span<char> buffer)
        {
            if (_at == _first.Length)
                return after.Read(buffer);
            int count = Math.Min(buffer.Length, _first.Length - _at);
            _first.AsSpan(_at, count).CopyTo(buffer);
            _at += count;
            return count;
        }

        public override int Read() => _at < _first.Length ? _first[_at++] : after.Read();

        public override int Peek() => _at < _first.Length ? _first[_at] : after.Peek();
    }
}
