using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Vae.MLNet.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Sequences;

/// <summary>What a file holds, before filters: all rows and columns as tokens.</summary>
internal sealed class RawAlignment
{
    public required int Columns { get; init; }

    public required List<string> Names { get; init; }

    public required List<string> Headers { get; init; }

    /// <summary>Row-major; only the first Names.Count · Columns bytes count.</summary>
    public required byte[] Tokens { get; init; }

    public required int ReferenceRow { get; init; }

    /// <summary>The reference's row as it stands in the file, insertions included.</summary>
    public required byte[] ReferenceText { get; init; }

    /// <summary>Name of the reference as it stands in the file.</summary>
    public required string ReferenceName { get; init; }

    /// <summary>Whether lower case and '.' in <see cref="ReferenceText"/> are insertions.</summary>
    public required bool Insertions { get; init; }

    /// <summary>Columns of the file that are columns of the alignment, ascending; null for all of them.</summary>
    public int[]? MatchColumns { get; init; }

    /// <summary>Number of names that were made unique.</summary>
    public int RepeatedNames { get; init; }

    /// <summary>Number of alignments behind the first one.</summary>
    public int AlignmentsSkipped { get; set; }

    /// <summary>Rows that annotate columns and are no sequences.</summary>
    public List<AlignmentAnnotationRow> AnnotationRows { get; } = [];

    /// <summary>Stockholm's annotations: a feature's text by row; null where there is none.</summary>
    public SortedDictionary<string, Dictionary<int, string>> Features { get; } = new(StringComparer.Ordinal);
}

/// <summary>Parses FASTA, A2M, A3M and Stockholm over bytes, plain or gzipped.</summary>
internal sealed class AlignmentReader
{
    // Codes of the reading table above every token.
    private const byte Invalid = SequenceAlphabet.Invalid, Space = 254, Insertion = 253, Ambiguous = 252, FirstCode = 252;

    private const int MaxHeader = 1 << 16, MaxFeatures = 256;

    private readonly string _path;
    private readonly SequenceAlignmentOptions _options;
    private readonly ByteLineReader _lines;
    private readonly byte[] _table = new byte[256];
    private readonly bool _insertions;
    private readonly bool _formatGiven;
    private readonly List<string> _names = [];
    private readonly List<string> _headers = [];
    private readonly Dictionary<string, int> _countOfName = new(StringComparer.Ordinal);
    private readonly bool _hhSuite;
    private string? _setAside;
    private byte[] _tokens = [];
    private int _length;

    private AlignmentReader(string path, SequenceAlignmentOptions options, ByteLineReader lines, AlignmentFormat format)
    {
        _path = path;
        _options = options;
        _lines = lines;
        _formatGiven = options.Format != AlignmentFormat.Auto;
        _insertions = format is AlignmentFormat.A2M or AlignmentFormat.A3M;
        _hhSuite = !options.KeepAnnotationRows;
        var alphabet = options.Alphabet;
        alphabet.Table.CopyTo(_table);
        _table[' '] = _table['\t'] = Space;
        if (options.AmbiguousLetters == AmbiguousLetterTreatment.Error)
            _table.AsSpan().Replace((byte)alphabet.UnknownToken, Ambiguous);
        if (_insertions)
        {
            for (char c = 'a'; c <= 'z'; c++)
            {
                if (_table[c] != Invalid)
                    _table[c] = Insertion;
            }
            _table['.'] = Insertion;
        }
    }

    public static RawAlignment Read(string path, SequenceAlignmentOptions options)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        bool zipped = GzipFile.IsCompressed(file);
        using Stream stream = zipped ? GzipFile.Decompress(file, path) : file;
        var lines = new ByteLineReader(stream, path, options.MaxBytes);
        var alignment = Read(path, options, lines, zipped ? 0 : file.Length);
        // Whether a compressed file is whole shows at its end.
        if (zipped)
            lines.ReadToEnd();
        return alignment;
    }

    private static RawAlignment Read(string path, SequenceAlignmentOptions options, ByteLineReader lines, long sizeHint)
    {
        ReadOnlySpan<byte> line;
        while (true)
        {
            if (lines.TryRead(out line))
            {
                if (!line.Trim(" \t"u8).IsEmpty)
                    break;
            }
            else if (!lines.TryNextPart())
            {
                throw NoSequences(path);
            }
        }
        var format = options.Format;
        if (format == AlignmentFormat.Auto)
        {
            string name = Path.GetFileName(path);
            if (name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
                name = name[..^3];
            format = line.StartsWith("# STOCKHOLM"u8) ? AlignmentFormat.Stockholm
                : Path.GetExtension(name).ToLowerInvariant() is ".a2m" or ".a3m" || IsChainsLine(line) ? AlignmentFormat.A3M
                : AlignmentFormat.Fasta;
        }
        var reader = new AlignmentReader(path, options, lines, format);
        var alignment = format == AlignmentFormat.Stockholm ? reader.ReadStockholm(line) : reader.ReadFasta(line, sizeHint);
        alignment.AlignmentsSkipped += reader.SkipAlignments();
        return alignment;
    }

    /// <summary>The first line of ColabFold's A3M files: lengths and copies of the chains, such as <c>#8,120⇥1,2</c>.</summary>
    private static bool IsChainsLine(ReadOnlySpan<byte> line)
    {
        line = line.TrimEnd(" \t"u8);
        int tab = line.IndexOf((byte)'\t');
        return line.StartsWith("#"u8) && tab > 1 && tab < line.Length - 1
            && line[1..tab].IndexOfAnyExcept("0123456789,"u8) < 0 && line[(tab + 1)..].IndexOfAnyExcept("0123456789,"u8) < 0;
    }

    /// <summary>Counts the alignments behind the first one, each behind a NUL. Anything else behind a NUL is damage.</summary>
    private int SkipAlignments()
    {
        int skipped = 0;
        while (true)
        {
            while (_lines.TryRead(out _))
            {
            }
            var (nulLine, nulColumn) = (_lines.NulLine, _lines.NulColumn);
            if (!_lines.TryNextPart())
                return skipped;
            ReadOnlySpan<byte> line = default;
            bool found = false;
            while (!found && _lines.TryRead(out line))
                found = !line.Trim(" \t"u8).IsEmpty;
            if (!found)
                continue;
            if (line[0] is not ((byte)'>' or (byte)'#'))
                throw Bad(nulLine, nulColumn, $"{Show(0)} stands before {Show(line[0])}; behind it another alignment ('>' or '#') or the end of the file is expected.");
            skipped++;
        }
    }

    private RawAlignment ReadFasta(ReadOnlySpan<byte> line, long sizeHint)
    {
        // A part of comments alone is no alignment: what is behind its NUL is.
        while (line.Trim(" \t"u8).IsEmpty || line[0] == '#')
        {
            while (!_lines.TryRead(out line))
            {
                if (!_lines.TryNextPart())
                    throw NoSequences(_path);
            }
        }
        if (line[0] != '>')
            throw Bad(_lines.LineNumber, 1, $"a header that starts with '>' is expected; found {Show(line[0])}.");
        // A file's size is not trusted further than this; the buffer grows where it has to.
        _tokens = new byte[Math.Clamp(sizeHint, 1 << 16, 1 << 28)];
        int columns = -1, rowStart = 0, referenceRow = -1;
        long headerLine = 0;
        byte[]? referenceText = null;
        var text = new List<byte>();
        var annotations = new List<AlignmentAnnotationRow>();
        string? annotation = null;
        bool inRow = false, keepText = false;
        do
        {
            if (line.IsEmpty || line[0] == '#')
                continue;
            if (line[0] == '>')
            {
                EndRow();
                BeginRow(line);
            }
            else
            {
                if (keepText || annotation is not null)
                    text.AddRange(line);
                if (annotation is null)
                    Append(line, 0, columns < 0 ? null : rowStart + (long)columns, rowStart + (long)_options.MaxColumns, headerLine);
            }
        }
        while (_lines.TryRead(out line));
        EndRow();
        if (_names.Count == 0)
            throw Check.BadFile(_path, Check.Invariant($"the file has no sequences, only {annotations.Count} rows of annotation such as '{_setAside}'; an alignment is expected."));
        if (referenceText is null)
            throw NoReference();
        string referenceName = _names[referenceRow];
        int repeated = MakeUnique();
        var result = new RawAlignment
        {
            Columns = columns,
            Names = _names,
            Headers = _headers,
            Tokens = _tokens,
            ReferenceRow = referenceRow,
            ReferenceName = referenceName,
            ReferenceText = referenceText,
            Insertions = _insertions,
            RepeatedNames = repeated,
        };
        result.AnnotationRows.AddRange(annotations);
        return result;

        void BeginRow(ReadOnlySpan<byte> header)
        {
            headerLine = _lines.LineNumber;
            text.Clear();
            inRow = true;
            var (name, whole) = Name(header[1..], headerLine);
            if (_hhSuite && IsAnnotation(header[1..]))
            {
                if (annotations.Count == MaxFeatures)
                    throw Bad(headerLine, 1, Check.Invariant($"more than {MaxFeatures} rows are named like annotations ('{name}'); where they are sequences, set KeepAnnotationRows."));
                annotation = name;
                _setAside ??= name;
                return;
            }
            // HMMs' and folding programs' queries often have none.
            if (name.Length == 0)
                name = _names.Count == 0 ? "query" : Check.Invariant($"sequence{_names.Count + 1}");
            rowStart = _length;
            keepText = AddName(name, whole.Length == 0 ? name : whole, headerLine);
        }

        void EndRow()
        {
            if (!inRow)
                return;
            inRow = false;
            if (annotation is not null)
            {
                annotations.Add(new AlignmentAnnotationRow(annotation, Text(text)));
                annotation = null;
                return;
            }
            int length = _length - rowStart;
            if (columns < 0)
            {
                if (length == 0)
                    throw Bad(headerLine, 1, $"sequence '{_names[0]}' is empty; columns are expected.");
                columns = length;
            }
            else if (length != columns)
            {
                throw Ragged(headerLine, _names[^1], length, columns);
            }
            if (keepText)
            {
                referenceText = [.. text];
                referenceRow = _names.Count - 1;
                keepText = false;
            }
        }
    }

    /// <summary>
    /// Whether a header is one of HH-suite's rows of annotation, by its rules: the beginning of the line decides, in this case. In aligned FASTA only the names that
    /// HH-suite itself gives count, since others of this beginning may well be sequences there.
    /// </summary>
    private bool IsAnnotation(ReadOnlySpan<byte> header) =>
        header.StartsWith("ss_pred"u8) || header.StartsWith("ss_conf"u8) || header.StartsWith("ss_dssp"u8) || header.StartsWith("sa_dssp"u8) || header.StartsWith("sa_pred"u8)
        || _insertions && (header.StartsWith("ss_"u8) || header.StartsWith("sa_"u8) || header.StartsWith("aa_"u8));

    private static string Text(List<byte> bytes)
    {
        var text = new StringBuilder(bytes.Count);
        foreach (byte value in bytes)
        {
            if (value is not ((byte)' ' or (byte)'\t'))
                text.Append((char)value);
        }
        return text.ToString();
    }

    /// <summary>Counts the alignments from the second one's first line on.</summary>
    private int SkipStockholm()
    {
        int skipped = 1;
        while (_lines.TryRead(out var line))
        {
            if (line.StartsWith("# STOCKHOLM"u8))
                skipped++;
        }
        return skipped;
    }

    private RawAlignment ReadStockholm(ReadOnlySpan<byte> line)
    {
        if (!line.StartsWith("# STOCKHOLM"u8))
            throw Bad(_lines.LineNumber, 1, "'# STOCKHOLM 1.0' is expected at the start.");
        var rows = new List<RowBuilder>();
        var rowsOfName = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        var features = new SortedDictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        var columnLines = new Dictionary<string, StringBuilder>(StringComparer.Ordinal);
        var columnNames = new List<string>();
        long rfLine = 0, repeatedLine = 0;
        string repeatedName = "";
        int block = 0, further = 0;
        bool inBlock = false, ended = false;
        while (_lines.TryRead(out line))
        {
            line = line.TrimEnd(" \t"u8);
            if (line.IsEmpty)
            {
                if (inBlock)
                    block++;
                inBlock = false;
                continue;
            }
            bool begins = line.StartsWith("# STOCKHOLM"u8);
            if (ended)
            {
                if (!begins)
                {
                    throw Bad(_lines.LineNumber, 1,
                        "something stands behind the end of the first alignment ('//'); another alignment ('# STOCKHOLM 1.0') or the end of the file "
                        + "is expected.");
                }
                further = SkipStockholm();
                break;
            }
            // As a comment it would let the rows of one alignment go on in another's.
            if (begins)
                throw Bad(_lines.LineNumber, 1, "a second alignment begins before the first one ends; '//' is expected before it.");
            if (line.SequenceEqual("//"u8))
            {
                ended = true;
                continue;
            }
            if (line[0] == '#')
            {
                if (line.StartsWith("#=GS"u8))
                    ReadFeature(line, features);
                else if (line.StartsWith("#=GC"u8))
                    ReadColumnLine(line, columnLines, columnNames, ref rfLine);
                continue;
            }
            inBlock = true;
            int nameEnd = line.IndexOfAny((byte)' ', (byte)'\t');
            if (nameEnd <= 0)
                throw Bad(_lines.LineNumber, 1, "a name, spaces and an aligned sequence are expected.");
            if (nameEnd > MaxHeader)
                throw Bad(_lines.LineNumber, 1, Check.Invariant($"the name has more than {MaxHeader} bytes."));
            string name = Encoding.UTF8.GetString(line[..nameEnd]);
            if (!rowsOfName.TryGetValue(name, out var sameName))
                rowsOfName.Add(name, sameName = []);
            // A block has each row once; of rows of one name the first in each block go together, the second, and so on.
            var first = sameName.Count > 0 ? rows[sameName[0]] : null;
            if (first is not null && first.Block != block)
                (first.Block, first.Seen) = (block, 0);
            int occurrence = first?.Seen ?? 0;
            if (occurrence == sameName.Count)
            {
                if (occurrence > 0 && repeatedLine == 0)
                    (repeatedLine, repeatedName) = (_lines.LineNumber, name);
                sameName.Add(rows.Count);
                bool keep = AddName(name, name, _lines.LineNumber);
                rows.Add(new RowBuilder { Line = _lines.LineNumber, Block = block, KeepText = keep });
            }
            rows[sameName[0]].Seen = occurrence + 1;
            var row = rows[sameName[occurrence]];
            (_tokens, _length) = (row.Tokens, row.Length);
            Append(line, nameEnd, null, _options.MaxColumns, row.Line);
            (row.Tokens, row.Length) = (_tokens, _length);
            if (row.KeepText)
                row.Text.AddRange(line[nameEnd..]);
        }
        if (rows.Count == 0)
            throw NoSequences(_path);
        if (!ended)
            throw Bad(_lines.LineNumber, 1, "the file ends without '//'; it may be cut off.");
        // Names that all stand there equally often are one alignment in blocks without a line between, or nobody knows what.
        if (repeatedLine > 0 && rowsOfName.Values.All(list => list.Count == rowsOfName.Values.First().Count))
        {
            throw Bad(repeatedLine, 1, Check.Invariant(
                $"a second sequence is named '{repeatedName}', as every one is named {rowsOfName.Values.First().Count} times in a block; names that differ, or empty lines between blocks, are expected."));
        }
        int columns = rows[0].Length;
        for (int i = 0; i < rows.Count; i++)
        {
            if (rows[i].Length != columns)
                throw Ragged(rows[i].Line, _names[i], rows[i].Length, columns);
        }
        int reference = rows.FindLastIndex(row => row.KeepText);
        if (reference < 0)
            throw NoReference();
        int[]? match = _options.UseRfColumns && columnLines.TryGetValue("RF", out var rf) ? MatchColumns(rf, columns, rfLine) : null;
        int width = match?.Length ?? columns;
        long size = (long)rows.Count * width;
        if (size > Array.MaxLength)
            throw TooLarge();
        byte[] tokens = new byte[size];
        for (int i = 0; i < rows.Count; i++)
        {
            var target = tokens.AsSpan(i * width, width);
            if (match is null)
            {
                rows[i].Tokens.AsSpan(0, columns).CopyTo(target);
                continue;
            }
            byte[] source = rows[i].Tokens;
            for (int c = 0; c < target.Length; c++)
                target[c] = source[match[c]];
        }
        string referenceName = _names[reference];
        int repeated = MakeUnique();
        var result = new RawAlignment
        {
            Columns = width,
            Names = _names,
            Headers = _headers,
            Tokens = tokens,
            ReferenceRow = reference,
            ReferenceName = referenceName,
            ReferenceText = [.. rows[reference].Text],
            Insertions = false,
            MatchColumns = match,
            RepeatedNames = repeated,
            AlignmentsSkipped = further,
        };
        foreach (string name in columnNames)
            result.AnnotationRows.Add(new AlignmentAnnotationRow(name, columnLines[name].ToString()));
        foreach (var (feature, texts) in features)
        {
            var byRow = new Dictionary<int, string>();
            foreach (var (name, text) in texts)
            {
                if (!rowsOfName.TryGetValue(name, out var named))
                    continue;
                foreach (int row in named)
                    byRow.Add(row, text);
            }
            result.Features.Add(feature, byRow);
        }
        return result;
    }

    /// <summary>#=GC name text, one character a column</summary>
    private void ReadColumnLine(ReadOnlySpan<byte> line, Dictionary<string, StringBuilder> texts, List<string> names, ref long rfLine)
    {
        var rest = line[4..].Trim(" \t"u8);
        int end = rest.IndexOfAny((byte)' ', (byte)'\t');
        if (line.Length > 4 && line[4] is not ((byte)' ' or (byte)'\t') || end <= 0)
            throw Bad(_lines.LineNumber, 1, "'#=GC', a name and a text of one character a column are expected.");
        if (end > MaxHeader)
            throw Bad(_lines.LineNumber, 1, Check.Invariant($"the name has more than {MaxHeader} bytes."));
        string name = Encoding.UTF8.GetString(rest[..end]);
        if (!texts.TryGetValue(name, out var text))
        {
            if (names.Count == MaxFeatures)
                throw Bad(_lines.LineNumber, 1, Check.Invariant($"more than {MaxFeatures} different names of '#=GC'."));
            names.Add(name);
            texts.Add(name, text = new StringBuilder());
        }
        if (name == "RF")
            rfLine = _lines.LineNumber;
        foreach (byte value in rest[end..])
        {
            if (value is not ((byte)' ' or (byte)'\t'))
                text.Append((char)value);
        }
        if (text.Length > _options.MaxColumns)
            throw Bad(_lines.LineNumber, 1, Check.Invariant($"more than {_options.MaxColumns} columns, which MaxColumns forbids."));
    }

    /// <summary>The columns that RF marks with anything but a gap or a sign of what is no residue, as HMMER and Infernal do.</summary>
    private int[] MatchColumns(StringBuilder rf, int columns, long line)
    {
        string text = rf.ToString();
        if (text.Length != columns)
            throw Bad(line, 1, Check.Invariant($"'#=GC RF' has {text.Length} columns; the sequences have {columns}, and one character for each column is expected (to pass over it, set UseRfColumns to false)."));
        int[] match = [.. Enumerable.Range(0, columns).Where(c => text[c] is not ('.' or '-' or '_' or '~' or '*'))];
        return match.Length > 0 ? match
            : throw Bad(line, 1, Check.Invariant($"'#=GC RF' marks none of {columns} columns; at least one is expected (to take all of them, set UseRfColumns to false)."));
    }

    /// <summary>#=GS name feature text</summary>
    private void ReadFeature(ReadOnlySpan<byte> line, SortedDictionary<string, Dictionary<string, string>> features)
    {
        if (line.Length > MaxHeader)
            throw Bad(_lines.LineNumber, 1, Check.Invariant($"the annotation has more than {MaxHeader} bytes."));
        string[] parts = Encoding.UTF8.GetString(line[4..]).Split((char[])[' ', '\t'], 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (parts.Length < 2)
            throw Bad(_lines.LineNumber, 1, "'#=GS', a name, a feature and a text are expected.");
        if (!features.TryGetValue(parts[1], out var texts))
        {
            if (features.Count == MaxFeatures)
                throw Bad(_lines.LineNumber, 1, Check.Invariant($"more than {MaxFeatures} different features of '#=GS'."));
            features.Add(parts[1], texts = new(StringComparer.Ordinal));
        }
        string text = parts.Length > 2 ? parts[2] : "";
        ref string? value = ref CollectionsMarshal.GetValueRefOrAddDefault(texts, parts[0], out bool exists);
        // A feature goes on in further lines, each of which is copied here: the length is held down, so that this stays cheap.
        if (exists && value!.Length + text.Length > MaxHeader)
            throw Bad(_lines.LineNumber, 1, Check.Invariant($"feature '{parts[1]}' of '{parts[0]}' has more than {MaxHeader} characters."));
        value = exists ? value + " " + text : text;
    }

    private (string Name, string Header) Name(ReadOnlySpan<byte> header, long line)
    {
        if (header.Length > MaxHeader)
            throw Bad(line, 1, Check.Invariant($"the header has more than {MaxHeader} bytes."));
        string text = Encoding.UTF8.GetString(header).Trim();
        int start = _options.AnnotationStart is { } mark ? text.IndexOf(mark, StringComparison.Ordinal) : -1;
        int end = start >= 0 ? start : text.AsSpan().IndexOfAny(' ', '\t');
        return ((end < 0 ? text : text[..end]).Trim(), text);
    }

    /// <summary>Adds a row's name; true where it is the reference. A row of the name that is wanted goes before one that only gets it because its own is repeated.</summary>
    private bool AddName(string name, string header, long line)
    {
        if (_names.Count == _options.MaxSequences)
            throw Bad(line, 1, Check.Invariant($"more than {_options.MaxSequences} sequences, which MaxSequences forbids."));
        int count = ++CollectionsMarshal.GetValueRefOrAddDefault(_countOfName, name, out _);
        _names.Add(name);
        _headers.Add(header);
        if (_options.ReferenceName is not { } wanted)
            return _names.Count == 1;
        if (name == wanted)
            return count == 1;
        return count > 1 && wanted.Length > name.Length && !_countOfName.ContainsKey(wanted) && wanted == Numbered(name, count);
    }

    /// <summary>
    /// Makes names differ: the first row of a name keeps it, the second is called <c>name#2</c>, and so on; a number whose name stands in the file is passed over.
    /// </summary>
    private int MakeUnique()
    {
        if (_countOfName.Count == _names.Count)
            return 0;
        int repeated = 0;
        var last = new Dictionary<string, int>(StringComparer.Ordinal);
        var given = new HashSet<string>(StringComparer.Ordinal);
        for (int row = 0; row < _names.Count; row++)
        {
            string name = _names[row];
            ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(last, name, out bool seen);
            if (!seen)
            {
                number = 1;
                continue;
            }
            do
                _names[row] = Numbered(name, ++number);
            while (_countOfName.ContainsKey(_names[row]) || !given.Add(_names[row]));
            repeated++;
        }
        return repeated;
    }

    private static string Numbered(string name, int number) => Check.Invariant($"{name}#{number}");

    /// <summary>
    /// Adds the tokens of a line from a place on. A row that grows beyond the first one, or beyond what is allowed, is found here, while reading, so that
    /// a file cannot make it endless.
    /// </summary>
    private void Append(ReadOnlySpan<byte> line, int from, long? firstRowEnd, long allowedEnd, long rowLine)
    {
        if (_tokens.Length - _length < line.Length)
        {
            long wanted = Math.Max(2L * _tokens.Length, (long)_length + line.Length);
            if ((long)_length + line.Length > Array.MaxLength)
                throw TooLarge();
            Array.Resize(ref _tokens, (int)Math.Min(wanted, Array.MaxLength));
        }
        byte[] table = _table;
        int length = _length;
        var target = _tokens.AsSpan(0, length + line.Length);
        for (int i = from; i < line.Length; i++)
        {
            byte token = table[line[i]];
            if (token < FirstCode)
                target[length++] = token;
            else if (token is not (Space or Insertion))
                throw BadLetter(line[i], i + 1, token == Ambiguous);
        }
        _length = length;
        if (length > firstRowEnd)
            throw Bad(_lines.LineNumber, line.Length, $"sequence '{_names[^1]}' is longer than the first one, '{_names[0]}'; rows of one length are expected{Hint()}.");
        if (length > allowedEnd)
            throw Bad(rowLine, 1, Check.Invariant($"more than {_options.MaxColumns} columns, which MaxColumns forbids."));
    }

    private InvalidDataException BadLetter(byte letter, int column, bool ambiguous) =>
        Bad(_lines.LineNumber, column, ambiguous
            ? $"{Show(letter)} is an ambiguous letter, which AmbiguousLetters = Error forbids."
            : $"{Show(letter)} is not a letter of alphabet {_options.Alphabet.Name} ({_options.Alphabet.Letters}, ambiguous: {_options.Alphabet.AmbiguousLetters}, gaps: '-' and '.').");

    private InvalidDataException Ragged(long line, string name, int found, int expected) =>
        Bad(line, 1, Check.Invariant($"sequence '{name}' has {found} columns; the first one, '{_names[0]}', has {expected}, and rows of one length are expected{Hint()}."));

    private string Hint() => _lines.NulLine > 0 ? Check.Invariant($" (the alignment ends at byte 0x00 in line {_lines.NulLine}, column {_lines.NulColumn})")
        : _formatGiven || _insertions ? "" : " (for A2M or A3M, where lower case and '.' are insertions, set Format)";

    private InvalidDataException NoReference() =>
        Check.BadFile(_path, $"no sequence is named '{_options.ReferenceName}', which ReferenceName asks for; the first one is '{_names[0]}'"
            + (_setAside == null ? "." : $" (rows of annotation such as '{_setAside}' are no sequences; where they are, set KeepAnnotationRows)."));

    private static InvalidDataException NoSequences(string path) => Check.BadFile(path, "the file has no sequences; an alignment is expected.");

    private InvalidDataException TooLarge() => Check.BadFile(_path, Check.Invariant($"more than {Array.MaxLength} characters of sequence; what fits in memory as one array is expected."));

    private InvalidDataException Bad(long line, int column, string problem) =>
        Check.BadFile(_path, Check.Invariant($"line {line}, column {column}: ") + problem);

    private static string Show(byte letter) =>
        letter is > 32 and < 127 ? $"'{(char)letter}'" : "byte 0x" + letter.ToString("X2", CultureInfo.InvariantCulture);

    private sealed class RowBuilder
    {
        public byte[] Tokens = [];
        public int Length;
        public long Line;
        public int Block;
        public int Seen;
        public bool KeepText;
        public readonly List<byte> Text = [];
    }
}
