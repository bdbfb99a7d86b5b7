using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
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

    /// <summary>Whether lower case and '.' in <see cref="ReferenceText"/> are insertions.</summary>
    public required bool Insertions { get; init; }

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
    private readonly Dictionary<string, long> _lineOfName = new(StringComparer.Ordinal);
    private byte[] _tokens = [];
    private int _length;

    private AlignmentReader(string path, SequenceAlignmentOptions options, ByteLineReader lines, AlignmentFormat format)
    {
        _path = path;
        _options = options;
        _lines = lines;
        _formatGiven = options.Format != AlignmentFormat.Auto;
        _insertions = format is AlignmentFormat.A2M or AlignmentFormat.A3M;
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
        Span<byte> magic = stackalloc byte[2];
        int got = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false);
        file.Position = 0;
        bool zipped = got == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
        using Stream stream = zipped ? new GZipStream(file, CompressionMode.Decompress) : file;
        try
        {
            var lines = new ByteLineReader(stream, path, options.MaxBytes);
            var alignment = Read(path, options, lines, zipped ? 0 : file.Length);
            if (zipped)
                CheckWhole(path, file, lines.ReadToEnd());
            return alignment;
        }
        catch (InvalidDataException e) when (zipped && !e.Message.StartsWith('\''))
        {
            throw Check.BadFile(path, "the gzip data is damaged: " + e.Message, e);
        }
    }

    /// <summary>
    /// A gzip file that was cut off decompresses without complaint up to the cut. It ends with the number of bytes that were compressed, modulo 2^32 (RFC 1952, section
    /// 2.3.1); of a file of several members that is the last one's.
    /// </summary>
    private static void CheckWhole(string path, FileStream file, long bytes)
    {
        Span<byte> size = stackalloc byte[sizeof(uint)];
        file.Position = file.Length - size.Length;
        file.ReadExactly(size);
        if (BinaryPrimitives.ReadUInt32LittleEndian(size) != (uint)bytes && !HasAnotherMember(file))
            throw Check.BadFile(path, Check.Invariant($"the gzip file is cut off: it does not end with the number of its {bytes} bytes."));
    }

    private static bool HasAnotherMember(FileStream file)
    {
        ReadOnlySpan<byte> header = [0x1F, 0x8B, 0x08];
        byte[] buffer = new byte[1 << 16];
        // The first member's own header is passed over; parts overlap, so that none is missed.
        for (long start = 1; start < file.Length; start += buffer.Length - header.Length + 1)
        {
            file.Position = start;
            int count = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            if (buffer.AsSpan(0, count).IndexOf(header) >= 0)
                return true;
        }
        return false;
    }

    private static RawAlignment Read(string path, SequenceAlignmentOptions options, ByteLineReader lines, long sizeHint)
    {
        ReadOnlySpan<byte> line;
        do
        {
            if (!lines.TryRead(out line))
                throw Check.BadFile(path, "the file has no sequences; an alignment is expected.");
        }
        while (line.Trim((byte)' ').IsEmpty);
        var format = options.Format;
        if (format == AlignmentFormat.Auto)
        {
            string name = Path.GetFileName(path);
            if (name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
                name = name[..^3];
            format = line.StartsWith("# STOCKHOLM"u8) ? AlignmentFormat.Stockholm
                : Path.GetExtension(name).ToLowerInvariant() is ".a2m" or ".a3m" ? AlignmentFormat.A2M
                : AlignmentFormat.Fasta;
        }
        var reader = new AlignmentReader(path, options, lines, format);
        return format == AlignmentFormat.Stockholm ? reader.ReadStockholm(line) : reader.ReadFasta(line, sizeHint);
    }

    private RawAlignment ReadFasta(ReadOnlySpan<byte> line, long sizeHint)
    {
        if (line[0] != '>')
            throw Bad(_lines.LineNumber, 1, $"a header that starts with '>' is expected; found {Show(line[0])}.");
        // A file's size is not trusted further than this; the buffer grows where it has to.
        _tokens = new byte[Math.Clamp(sizeHint, 1 << 16, 1 << 28)];
        int columns = -1, rowStart = 0, referenceRow = -1;
        long headerLine = 0;
        byte[]? referenceText = null;
        var text = new List<byte>();
        bool keepText = false;
        do
        {
            if (line.IsEmpty)
                continue;
            if (line[0] == '>')
            {
                if (_names.Count > 0)
                    EndRow();
                BeginRow(line);
            }
            else
            {
                if (keepText)
                    text.AddRange(line);
                Append(line, 0, columns < 0 ? null : rowStart + (long)columns, rowStart + (long)_options.MaxColumns, headerLine);
            }
        }
        while (_lines.TryRead(out line));
        EndRow();
        if (referenceText is null)
            throw NoReference();
        return new RawAlignment
        {
            Columns = columns,
            Names = _names,
            Headers = _headers,
            Tokens = _tokens,
            ReferenceRow = referenceRow,
            ReferenceText = referenceText,
            Insertions = _insertions,
        };

        void BeginRow(ReadOnlySpan<byte> header)
        {
            headerLine = _lines.LineNumber;
            var (name, text) = Name(header[1..], headerLine);
            AddName(name, text, headerLine);
            rowStart = _length;
            keepText = _options.ReferenceName is { } wanted ? name == wanted : _names.Count == 1;
        }

        void EndRow()
        {
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

    private RawAlignment ReadStockholm(ReadOnlySpan<byte> line)
    {
        if (!line.StartsWith("# STOCKHOLM"u8))
            throw Bad(_lines.LineNumber, 1, "'# STOCKHOLM 1.0' is expected at the start.");
        var rows = new List<RowBuilder>();
        var rowOfName = new Dictionary<string, int>(StringComparer.Ordinal);
        var features = new SortedDictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        int block = 0;
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
            if (ended)
                throw Bad(_lines.LineNumber, 1, "something stands behind the end of the first alignment ('//'); one alignment a file is expected.");
            if (line.SequenceEqual("//"u8))
            {
                ended = true;
                continue;
            }
            if (line[0] == '#')
            {
                if (line.StartsWith("#=GS"u8))
                    ReadFeature(line, features);
                continue;
            }
            inBlock = true;
            int nameEnd = line.IndexOfAny((byte)' ', (byte)'\t');
            if (nameEnd <= 0)
                throw Bad(_lines.LineNumber, 1, "a name, spaces and an aligned sequence are expected.");
            if (nameEnd > MaxHeader)
                throw Bad(_lines.LineNumber, 1, Check.Invariant($"the name has more than {MaxHeader} bytes."));
            string name = Encoding.UTF8.GetString(line[..nameEnd]);
            if (!rowOfName.TryGetValue(name, out int index))
            {
                index = rows.Count;
                rowOfName.Add(name, index);
                AddName(name, name, _lines.LineNumber);
                rows.Add(new RowBuilder { Line = _lines.LineNumber, Block = block, KeepText = _options.ReferenceName is { } wanted ? name == wanted : index == 0 });
            }
            else if (rows[index].Block == block)
            {
                throw Bad(_lines.LineNumber, 1, $"a second sequence is named '{name}' (the first is in line {_lineOfName[name]}); names have to differ.");
            }
            var row = rows[index];
            row.Block = block;
            (_tokens, _length) = (row.Tokens, row.Length);
            Append(line, nameEnd, null, _options.MaxColumns, row.Line);
            (row.Tokens, row.Length) = (_tokens, _length);
            if (row.KeepText)
                row.Text.AddRange(line[nameEnd..]);
        }
        if (rows.Count == 0)
            throw Check.BadFile(_path, "the file has no sequences; an alignment is expected.");
        if (!ended)
            throw Bad(_lines.LineNumber, 1, "the file ends without '//'; it may be cut off.");
        int columns = rows[0].Length;
        for (int i = 0; i < rows.Count; i++)
        {
            if (rows[i].Length != columns)
                throw Ragged(rows[i].Line, _names[i], rows[i].Length, columns);
        }
        int reference = rows.FindIndex(row => row.KeepText);
        if (reference < 0)
            throw NoReference();
        long size = (long)rows.Count * columns;
        if (size > Array.MaxLength)
            throw TooLarge();
        byte[] tokens = new byte[size];
        for (int i = 0; i < rows.Count; i++)
            rows[i].Tokens.AsSpan(0, columns).CopyTo(tokens.AsSpan(i * columns));
        var result = new RawAlignment
        {
            Columns = columns,
            Names = _names,
            Headers = _headers,
            Tokens = tokens,
            ReferenceRow = reference,
            ReferenceText = [.. rows[reference].Text],
            Insertions = false,
        };
        foreach (var (feature, texts) in features)
        {
            var byRow = new Dictionary<int, string>();
            foreach (var (name, text) in texts)
            {
                if (rowOfName.TryGetValue(name, out int row))
                    byRow.Add(row, text);
            }
            result.Features.Add(feature, byRow);
        }
        return result;
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

    private void AddName(string name, string header, long line)
    {
        if (name.Length == 0)
            throw Bad(line, 2, "the sequence has no name; one is expected.");
        if (_names.Count == _options.MaxSequences)
            throw Bad(line, 1, Check.Invariant($"more than {_options.MaxSequences} sequences, which MaxSequences forbids."));
        if (!_lineOfName.TryAdd(name, line))
            throw Bad(line, 2, $"a second sequence is named '{name}' (the first is in line {_lineOfName[name]}); names have to differ.");
        _names.Add(name);
        _headers.Add(header);
    }

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

    private string Hint() => _formatGiven || _insertions ? "" : " (for A2M or A3M, where lower case and '.' are insertions, set Format)";

    private InvalidDataException NoReference() =>
        Check.BadFile(_path, $"no sequence is named '{_options.ReferenceName}', which ReferenceName asks for; the first one is '{_names[0]}'.");

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
        public bool KeepText;
        public readonly List<byte> Text = [];
    }
}
