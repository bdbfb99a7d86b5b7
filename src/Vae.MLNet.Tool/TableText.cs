using System.Globalization;
using System.Text;
using nietras.SeparatedValues;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tool;

/// <summary>Whether the first row of a table holds the names of its columns.</summary>
internal enum HeaderMode
{
    /// <summary>What the row says, told on the error stream; an error where it does not say.</summary>
    Auto,

    Yes,

    No,
}

/// <summary>How a table is read.</summary>
/// <param name="Header">What the first row is.</param>
/// <param name="Separator">Between fields; a space stands for any run of blanks. Null: found from the text.</param>
/// <param name="MaxBytes">Memory that the rows may take; 0 for the default.</param>
internal sealed record TableSettings(HeaderMode Header, char? Separator, long MaxBytes = 0)
{
    /// <summary>The option that says <see cref="MaxBytes"/>.</summary>
    public const string MaxBytesOption = "--max-bytes";
}

/// <summary>A table in text: .csv, .tsv, what numpy.savetxt writes, and the same in .gz. It is read as numbers, of which a missing one is NaN, or as the text of its fields.</summary>
internal sealed class TableText
{
    /// <summary>Letters from which the separator is found.</summary>
    private const int HeadLength = 1 << 16;

    /// <summary>Rows from which separator and header are found.</summary>
    private const int FirstRows = 50;

    private static readonly string[] MissingMarkers = ["na", "n/a", "nan", "-nan", "null", "none", "?", "<na>", "#n/a"];

    private static readonly (string Word, char Separator)[] Separators =
        [("comma", ','), ("semicolon", ';'), ("tab", '\t'), ("\\t", '\t'), ("pipe", '|'), ("blanks", ' '), ("blank", ' '), ("space", ' ')];

    /// <summary>Memory of a row besides its numbers: the objects that hold them, their places in lists that grow, and the line.</summary>
    private const int RowBytes = 80;

    private readonly string _path;
    private readonly char _separator;

    /// <summary>The text of fields, each kept once; null where numbers are read.</summary>
    private readonly Dictionary<string, string>? _pool;

    private long _mostRows;
    private (int Line, string Text)? _comma, _point;

    private TableText(string path, char separator, bool asText)
    {
        _path = path;
        _separator = separator;
        _pool = asText ? new(StringComparer.Ordinal) : null;
    }

    /// <summary>Names of all columns of the file; null without a header.</summary>
    public IReadOnlyList<string>? Header { get; private set; }

    /// <summary>Places of the columns that were read, in their order.</summary>
    public required IReadOnlyList<int> Columns { get; init; }

    public List<float[]> Rows { get; } = [];

    /// <summary>The fields of the rows where they are read as text, empty where the value is missing.</summary>
    public List<string[]> Texts { get; } = [];

    /// <summary>Lines of the file where the rows start, from 1.</summary>
    public List<int> Lines { get; } = [];

    /// <summary>How errors call a column.</summary>
    public string Label(int column) => Label(Header, column);

    /// <summary>A separator in words, as <c>--separator</c> takes it; null where it is none.</summary>
    public static char? ParseSeparator(string text)
    {
        foreach (var (word, separator) in Separators)
        {
            if (text.Equals(word, StringComparison.OrdinalIgnoreCase))
                return separator;
        }
        return text is [var letter] && (letter is '\t' || letter is >= ' ' and <= '~' && !char.IsAsciiLetterOrDigit(letter) && letter is not ('"' or '#' or '.' or '-' or '+')) ? letter : null;
    }

    /// <summary>Names with commas between, quoted where they hold one.</summary>
    public static string[] ParseNames(string text)
    {
        using var reader = Reader(new TableCleaner("--columns", text, TextReader.Null, ',', partial: false), ',');
        return reader.MoveNext() ? Fields(reader.Current) : [""];
    }

    /// <summary>Reads a table.</summary>
    /// <param name="path">The file.</param>
    /// <param name="settings">What the user said about it.</param>
    /// <param name="expected">Names that the table should have, where they are known: a row with all of them is a header.</param>
    /// <param name="choose">The columns to read, from the names (null without a header) and the number of all columns.</param>
    /// <param name="note">Told what was taken for granted.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <param name="asText">Whether fields are read as text rather than as numbers.</param>
    public static TableText Read(string path, TableSettings settings, IReadOnlyList<string>? expected, Func<IReadOnlyList<string>?, int, int[]> choose, Action<string> note,
        CancellationToken cancellationToken, bool asText = false)
    {
        try
        {
            using var text = new TextFile(path, settings.MaxBytes);
            var (head, whole) = text.ReadHead(HeadLength);
            char? named = SeparatorLine(ref head);
            char separator = settings.Separator ?? named ?? FindSeparator(path, head, whole, note);
            var table = Read(path, text.MaxBytes, separator, settings.Header, expected, choose, note, new TableCleaner(path, head, text.Reader, separator, partial: false), cancellationToken, asText);
            if (text.ForeignBytes)
                note($"'{path}' is not UTF-8 throughout; bytes that are not are read as Latin-1.");
            return table;
        }
        catch (Exception e) when (e is NotSupportedException or ArgumentException or OverflowException || e is InvalidDataException && !e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"'{path}': {e.Message}", e);
        }
    }

    private static TableText Read(string path, long maxBytes, char separator, HeaderMode mode, IReadOnlyList<string>? expected, Func<IReadOnlyList<string>?, int, int[]> choose, Action<string> note,
        TableCleaner cleaner, CancellationToken cancellationToken, bool asText)
    {
        using var reader = Reader(cleaner, separator);
        var first = new List<(string[] Fields, int Line)>();
        int blankLines = 0;
        bool begun = false;
        while (first.Count < FirstRows && reader.MoveNext())
        {
            // Without a header of its own, Sep gives the end of its first row for the start.
            int line = begun ? reader.Current.LineNumberFrom : 1;
            begun = true;
            if (IsBlank(reader.Current))
            {
                blankLines++;
                continue;
            }
            if (first.Count > 0 && first[0].Fields.Length == 1)
                first.AddRange(Enumerable.Range(0, blankLines).Select(i => (new[] { "" }, line - blankLines + i)));
            blankLines = 0;
            first.Add((Fields(reader.Current), line));
        }
        if (first.Count == 0)
            throw new InvalidDataException($"'{path}' is empty; a table of numbers is expected.");

        int width = first[0].Fields.Length;
        string[]? header = null;
        string[]? commentNames = CommentNames(cleaner.LeadingComment, separator, width);
        if (mode == HeaderMode.Yes && commentNames is not null && first[0].Fields.All(field => IsNumber(field, separator)))
        {
            header = commentNames;
            note($"'{path}': the comment before the first row is taken as the header: {List(header)}.");
        }
        else if (IsHeader(path, separator, mode, expected, first, note, commentNames))
        {
            header = first[0].Fields;
            first.RemoveAt(0);
        }
        int[] columns = choose(header, width);
        var table = new TableText(path, separator, asText) { Columns = columns, Header = header };
        // Of text a row holds references to what each value is kept as once.
        table._mostRows = maxBytes / (RowBytes + (asText ? IntPtr.Size : sizeof(float)) * columns.Length);
        foreach (var (fields, start) in first)
            table.Add(fields, start, width);
        first.Clear();
        for (int count = 0; reader.MoveNext(); count++)
        {
            if (count % 1024 == 0)
                cancellationToken.ThrowIfCancellationRequested();
            var row = reader.Current;
            if (IsBlank(row))
            {
                blankLines++;
                continue;
            }
            // In a table of one column, an empty line between others is a missing value.
            for (; blankLines > 0; blankLines--)
            {
                if (width == 1)
                    table.Add([""], row.LineNumberFrom - blankLines, width);
            }
            table.Add(row, width);
        }
        if (table.Lines.Count == 0)
            throw new InvalidDataException($"'{path}' has a header and no rows.");
        if (cleaner.LaterComments > 0)
        {
            note(Invariant($"'{path}': lines behind the first row that start with # are left out as comments: {cleaner.LaterComments}, ")
                + Invariant($"the first at line {cleaner.FirstLaterComment}. Quotes around the first field make a row of such a line."));
        }
        if (table._comma is not null)
            note($"'{path}': the comma is read as the decimal sign.");
        return table;
    }

    private void Add(SepReader.Row row, int width)
    {
        int line = row.LineNumberFrom;
        CheckWidth(row.ColCount, line, width);
        Lines.Add(line);
        if (_pool is not null)
        {
            var texts = new string[Columns.Count];
            for (int i = 0; i < texts.Length; i++)
                texts[i] = Pooled(row[Columns[i]].Span);
            Texts.Add(texts);
            return;
        }
        var values = new float[Columns.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = Parse(row[Columns[i]].Span, line, Columns[i]);
        Rows.Add(values);
    }

    private void Add(string[] fields, int line, int width)
    {
        CheckWidth(fields.Length, line, width);
        Lines.Add(line);
        if (_pool is not null)
            Texts.Add([.. Columns.Select(column => Pooled(fields[column]))]);
        else
            Rows.Add([.. Columns.Select(column => Parse(fields[column], line, column))]);
    }

    private string Pooled(ReadOnlySpan<char> field)
    {
        field = field.Trim();
        if (IsMissing(field))
            return "";
        var pool = _pool!.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!pool.TryGetValue(field, out string? text))
            pool[field] = text = TableCleaner.Restore(field.ToString());
        return text;
    }

    /// <summary>A column that was read as text, with points for decimal commas where it holds numbers alone.</summary>
    /// <param name="column">Place among <see cref="Columns"/>.</param>
    public IEnumerable<string> Cells(int column)
    {
        var cells = Texts.Select(row => row[column]);
        return _separator != ',' && cells.Any(cell => cell.Contains(',')) && Numbers(column) is not null ? cells.Select(cell => cell.Replace(',', '.')) : cells;
    }

    /// <summary>Whether a field is a number, as this file writes them.</summary>
    public bool IsNumber(string field) => TryNumber(field, _separator, out _);

    /// <summary>A column that was read as text, as numbers; null where it holds anything else. Missing ones are NaN.</summary>
    /// <param name="column">Place among <see cref="Columns"/>.</param>
    public float[]? Numbers(int column)
    {
        var numbers = new float[Texts.Count];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (Texts[i][column].Length == 0)
                numbers[i] = float.NaN;
            else if (!TryNumber(Texts[i][column], _separator, out numbers[i]))
                return null;
        }
        return numbers;
    }

    private void CheckWidth(int found, int line, int width)
    {
        if (Lines.Count >= _mostRows)
        {
            throw new InvalidDataException(Invariant(
                $"'{_path}': in memory its rows take more than {TableSettings.MaxBytesOption} allows, {_mostRows} rows of {Columns.Count} numbers. A larger {TableSettings.MaxBytesOption} reads it."));
        }
        if (found == width)
            return;
        string hint = Header is not null && Lines.Count == 0 && found == width + 1
            ? " R's write.table gives the names of rows no name in the header: "
                + "row.names = FALSE leaves them out, col.names = NA names them."
            : "";
        throw new InvalidDataException(
            Invariant($"{Place(line)}: {width} {(width == 1 ? "field is" : "fields are")} expected, ")
            + Invariant($"{found} {(found == 1 ? "was" : "were")} found, separated by {Name(_separator)}.{hint}"));
    }

    private string Place(int line) => Invariant($"'{_path}', row {Math.Max(Rows.Count, Texts.Count)}, line {line}");

    private float Parse(ReadOnlySpan<char> field, int line, int column)
    {
        field = field.Trim();
        if (IsMissing(field))
            return float.NaN;
        if (!TryNumber(field, _separator, out float value))
        {
            throw new NotNumbersException(
                $"{Place(line)}, {Label(column)}: a number is expected, '{Short(TableCleaner.Restore(field.ToString()))}' was found. --columns chooses the columns to read.");
        }
        if (float.IsInfinity(value) && char.IsAsciiDigit(field[^1]))
            throw new InvalidDataException(Invariant($"{Place(line)}, {Label(column)}: numbers up to {float.MaxValue} are expected, '{Short(field.ToString())}' was found."));
        if (_comma is null && field.Contains(','))
            _comma = (line, field.ToString());
        if (_point is null && field.Contains('.'))
            _point = (line, field.ToString());
        if (_comma is { } comma && _point is { } point)
        {
            throw new InvalidDataException(Invariant(
                $"'{_path}': one decimal sign is expected, a comma or a point; line {comma.Line} has '{Short(comma.Text)}', line {point.Line} has '{Short(point.Text)}'."));
        }
        return value;
    }

    /// <summary>Whether the first row holds names. Told in a note, and an error where the row may be either.</summary>
    private static bool IsHeader(string path, char separator, HeaderMode mode, IReadOnlyList<string>? expected, List<(string[] Fields, int Line)> rows, Action<string> note, string[]? comment)
    {
        string[] first = rows[0].Fields;
        if (mode != HeaderMode.Auto)
            return mode == HeaderMode.Yes;
        bool names = expected is { Count: > 0 } && expected.All(first.Contains);
        if (!names)
        {
            int numbers = first.Count(field => IsNumber(field, separator)), missing = first.Count(field => IsMissing(field)), doubtful = first.Count(IsDoubtful);
            if (numbers == first.Length)
            {
                if (first.Select((field, i) => field == i.ToString(CultureInfo.InvariantCulture)).All(same => same))
                    throw Undecidable(path, first, "it counts from 0, as the names of an array's columns do");
                note($"'{path}' has no header: its first row is read as numbers ({(comment is null ? "--header yes reads it as names" : $"--header yes takes the names from the comment before it: {List(comment)}")}).");
                return false;
            }
            if (numbers > 0 || doubtful > 0)
                throw Undecidable(path, first, $"it mixes numbers with {(missing > 0 ? "missing values" : "text")}");
            if (missing > 0)
            {
                // Names of columns stand above numbers; text of a row stands above text.
                bool above = Enumerable.Range(0, first.Length).Any(i => !IsMissing(first[i]) && rows.Skip(1).Any(row => i < row.Fields.Length && IsNumber(row.Fields[i], separator)));
                if (!above)
                    throw Undecidable(path, first, "it has missing values, and no text above numbers");
            }
        }
        note($"'{path}': the first row is taken as the header: {List(first)} (--header no reads it as numbers).");
        return true;
    }

    /// <summary>
    /// Excel names the separator in a line before the table, sep=; for instance. The line is taken away, its end stays, so that lines keep
    /// their numbers.
    /// </summary>
    private static char? SeparatorLine(ref string head)
    {
        int end = head.AsSpan().IndexOfAny('\r', '\n');
        if (end != 5 || !head.StartsWith("sep=", StringComparison.OrdinalIgnoreCase) || ParseSeparator(head[4..5]) is not { } separator)
            return null;
        head = head[end..];
        return separator;
    }

    private static UsageException Undecidable(string path, string[] first, string why) =>
        new($"'{path}': the first row ({List(first)}) may be a header or a row of the table: {why}. Say --header yes or --header no.");

    /// <summary>The separator that makes the most fields of the first rows numbers, in rows of one length.</summary>
    private static char FindSeparator(string path, string head, bool whole, Action<string> note)
    {
        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        char? usual = Path.GetExtension(name).ToLowerInvariant() switch
        {
            ".csv" => ',',
            ".tsv" or ".tab" => '\t',
            _ => null,
        };
        char[] candidates = [.. new[] { usual ?? '\t', '\t', ';', ',', '|', ' ' }.Distinct()];
        var scores = candidates.Select(candidate => (Separator: candidate, Score: Score(path, head, whole, candidate))).ToArray();
        // Behind those with rows of one length those that at least part the first row; a table of one column has none.
        var best = scores.MaxBy(item => item.Score);
        char found = best.Score > 0 ? best.Separator : usual ?? ',';
        if (best.Score > 0 && found != usual)
            note($"'{path}': the fields are separated by {Name(found)} (--separator says otherwise).");
        return found;
    }

    /// <summary>0: does not part the first row. Up to 1: rows of several lengths. From 2 to 3: rows of one length, with the share of numbers.</summary>
    private static double Score(string path, string head, bool whole, char separator)
    {
        var counts = new List<int>();
        double numbers = 0, fields = 0;
        try
        {
            using var reader = Reader(new TableCleaner(path, head, TextReader.Null, separator, partial: !whole), separator);
            var rows = new List<string[]>();
            while (rows.Count <= FirstRows && reader.MoveNext())
            {
                if (!IsBlank(reader.Current))
                    rows.Add(Fields(reader.Current));
            }
            // The last one may be cut off.
            if (!whole && rows.Count is > 1 and <= FirstRows)
                rows.RemoveAt(rows.Count - 1);
            counts.AddRange(rows.Select(row => row.Length));
            foreach (string[] row in rows.Count > 1 ? rows.Skip(1) : rows)
            {
                fields += row.Length;
                numbers += row.Count(field => IsMissing(field) || IsNumber(field, separator));
            }
        }
        catch (Exception e) when (e is InvalidDataException or NotSupportedException)
        {
            // With this separator the text is no table.
            return 0;
        }
        if (counts.Count == 0 || counts[0] < 2)
            return 0;
        double share = fields > 0 ? numbers / fields : 0;
        return counts.All(count => count == counts[0]) ? 2 + share : 0.1 + 0.9 * share;
    }

    private static string[]? CommentNames(string comment, char separator, int width)
    {
        if (comment.Length == 0)
            return null;
        using var reader = Reader(new TableCleaner("", comment, TextReader.Null, separator, partial: true), separator);
        string[] names = reader.MoveNext() ? Fields(reader.Current) : [];
        return names.Length == width && names.All(name => name.Length > 0 && !IsNumber(name, separator)) ? names : null;
    }

    private static SepReader Reader(TextReader text, char separator) =>
        new Sep(TableCleaner.SeparatorOfCleaned(separator)).Reader(options => options with { HasHeader = false, Unescape = true, DisableColCountCheck = true, Trim = SepTrim.Outer }).From(text);

    private static string[] Fields(SepReader.Row row)
    {
        var fields = new string[row.ColCount];
        for (int i = 0; i < fields.Length; i++)
            fields[i] = TableCleaner.Restore(row[i].ToString());
        return fields;
    }

    private static bool IsBlank(SepReader.Row row) => row.ColCount <= 1 && row.Span.Trim(' ').IsEmpty;

    private static bool IsMissing(ReadOnlySpan<char> field)
    {
        field = field.Trim();
        if (field.IsEmpty)
            return true;
        // Longer than any marker.
        if (field.Length > 5)
            return false;
        foreach (string marker in MissingMarkers)
        {
            if (field.Equals(marker, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static bool IsNumber(string field, char separator) => !IsMissing(field) && TryNumber(field.AsSpan().Trim(), separator, out _);

    /// <summary>Text of digits and signs, such as 1,234 or 2020-01-01: hardly a name.</summary>
    private static bool IsDoubtful(string field) => field.Any(char.IsAsciiDigit) && !field.Any(letter => char.IsLetter(letter) && letter is not ('e' or 'E'));

    private static bool TryNumber(ReadOnlySpan<char> field, char separator, out float value)
    {
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (float.TryParse(field, Style, CultureInfo.InvariantCulture, out value))
            return true;
        bool negative = field is ['-', ..];
        var unsigned = field is ['-' or '+', ..] ? field[1..] : field;
        if (unsigned.Equals("inf", StringComparison.OrdinalIgnoreCase) || unsigned.Equals("infinity", StringComparison.OrdinalIgnoreCase))
        {
            value = negative ? float.NegativeInfinity : float.PositiveInfinity;
            return true;
        }
        int comma = field.IndexOf(',');
        if (comma < 0 || separator == ',' || field.Length > 64 || field.Contains('.') || field[(comma + 1)..].Contains(','))
            return false;
        Span<char> point = stackalloc char[field.Length];
        field.CopyTo(point);
        point[comma] = '.';
        return float.TryParse(point, Style, CultureInfo.InvariantCulture, out value);
    }

    private static string Label(IReadOnlyList<string>? header, int column) =>
        header is null ? Invariant($"column {column} (from 0)") : header[column].Length > 0 ? $"column '{header[column]}'" : Invariant($"column {column} (from 0, without a name)");

    /// <summary>Names for a message.</summary>
    public static string List(IEnumerable<string> names)
    {
        const int Most = 20;
        string[] all = [.. names];
        return string.Join(", ", all.Take(Most).Select(name => name.Length == 0 || name.AsSpan().IndexOfAny(',', '\n', '\r') >= 0 ? $"'{Short(name)}'" : Short(name))) + (all.Length > Most ? Invariant($", ... ({all.Length} in all)") : "");
    }

    private static string Name(char separator) => separator switch
    {
        ' ' => "blanks",
        '\t' => "tabs",
        _ => $"'{separator}'",
    };

    private static string Short(string text) => text.Length <= 40 ? text : text[..40] + "...";

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    /// <summary>A text file, plain or compressed, in UTF-8, in UTF-16 with a byte order mark, or in Latin-1.</summary>
    private sealed class TextFile : IDisposable
    {
        private readonly Latin1Fallback _fallback = new();

        public TextFile(string path, long maxBytes)
        {
            Stream stream = File.OpenRead(path);
            MaxBytes = maxBytes > 0 ? maxBytes : NumPyFile.DefaultMaxBytes(stream.CanSeek ? stream.Length : 0);
            if (IsCompressed(stream, path))
                stream = GzipFile.Decompress(stream, path);
            var encoding = (Encoding)new UTF8Encoding(false).Clone();
            encoding.DecoderFallback = _fallback;
            Reader = new StreamReader(stream, encoding, detectEncodingFromByteOrderMarks: true, bufferSize: 1 << 16);
        }

        public StreamReader Reader { get; }

        /// <summary>Memory that the rows may take.</summary>
        public long MaxBytes { get; }

        public bool ForeignBytes => _fallback.Used;

        /// <summary>The start of the text, and whether it is all.</summary>
        public (string Head, bool Whole) ReadHead(int length)
        {
            var buffer = new char[length];
            int read = Reader.ReadBlock(buffer);
            return (new(buffer, 0, read), read < length);
        }

        public void Dispose() => Reader.Dispose();

        private static bool IsCompressed(Stream stream, string path)
        {
            // Pipes cannot be looked into.
            if (!stream.CanSeek)
                return path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
            return GzipFile.IsCompressed(stream);
        }
    }

    /// <summary>Bytes that are not UTF-8, as Latin-1.</summary>
    private sealed class Latin1Fallback : DecoderFallback
    {
        public bool Used { get; private set; }

        public override int MaxCharCount => 4;

        public override DecoderFallbackBuffer CreateFallbackBuffer() => new Buffer(this);

        private sealed class Buffer(Latin1Fallback fallback) : DecoderFallbackBuffer
        {
            private byte[] _bytes = [];
            private int _next;

            public override int Remaining => _bytes.Length - _next;

            public override bool Fallback(byte[] bytesUnknown, int index)
            {
                fallback.Used = true;
                _bytes = [.. bytesUnknown];
                _next = 0;
                return true;
            }

            public override char GetNextChar() => _next < _bytes.Length ? (char)_bytes[_next++] : '\0';

            public override bool MovePrevious()
            {
                if (_next == 0)
                    return false;
                _next--;
                return true;
            }
        }
    }
}
