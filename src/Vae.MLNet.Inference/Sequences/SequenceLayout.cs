using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Vae.MLNet.Inference;

/// <summary>One modelled column of an alignment.</summary>
/// <param name="SourceColumn">Column of the alignment file, counted from 0; for A2M and A3M among the match columns.</param>
/// <param name="ReferencePosition">Number of the reference's residue in this column; null where the reference has a gap or its residue has no number.</param>
/// <param name="ReferenceLetter">Letter of the reference in this column; <c>-</c> where it has a gap.</param>
public readonly record struct SequenceColumn(int SourceColumn, int? ReferencePosition, char ReferenceLetter);

/// <summary>
/// What the columns of a sequence model are: the alphabet, the reference sequence, and the map from modelled columns to alignment columns and
/// to positions in the reference. It goes with the data, and from there into every exported model.
/// </summary>
/// <remarks>Immutable and safe to use from many threads.</remarks>
public sealed class SequenceLayout
{
    private const int Version = 1;

    private readonly int[] _sources;
    private readonly int[] _residues;
    private readonly int[] _numbers;
    private readonly byte[] _referenceTokens;
    private readonly SequenceColumn[] _columns;
    private readonly Dictionary<int, int> _columnOfPosition = [];
    private readonly Dictionary<int, int> _residueOfPosition = [];

    /// <summary>A layout from its parts.</summary>
    /// <param name="alphabet">The alphabet.</param>
    /// <param name="referenceName">Name of the reference.</param>
    /// <param name="reference">The whole reference without gaps, insertions included.</param>
    /// <param name="numbers">Number of each residue of the reference, ascending; 0 for a residue without number.</param>
    /// <param name="sources">Alignment column of each modelled column.</param>
    /// <param name="residues">Index in <paramref name="reference"/> of each modelled column; -1 for a gap.</param>
    internal SequenceLayout(SequenceAlphabet alphabet, string referenceName, string reference, int[] numbers, int[] sources, int[] residues)
    {
        if (numbers.Length != reference.Length)
            throw new ArgumentException($"The reference '{referenceName}' has {reference.Length} residues, but {numbers.Length} numbers are given.", nameof(numbers));
        if (sources.Length == 0 || sources.Length != residues.Length)
            throw new ArgumentException($"{sources.Length} columns and {residues.Length} reference residues do not make a layout.", nameof(residues));
        Alphabet = alphabet;
        ReferenceName = referenceName;
        Reference = reference;
        _numbers = numbers;
        _sources = sources;
        _residues = residues;
        byte[] tokens = alphabet.Encode(reference);
        int last = 0;
        for (int i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] == 0)
                continue;
            if (numbers[i] <= last)
                throw new ArgumentException($"Numbers of reference residues have to be positive and to ascend (0 for none); residue {i + 1} has {numbers[i]} after {last}.", nameof(numbers));
            last = numbers[i];
            _residueOfPosition.Add(last, i);
        }
        _referenceTokens = new byte[sources.Length];
        _columns = new SequenceColumn[sources.Length];
        for (int c = 0; c < sources.Length; c++)
        {
            int residue = residues[c];
            if (residue < -1 || residue >= reference.Length)
                throw new ArgumentException($"Column {c} stands for residue {residue} of a reference of {reference.Length}.", nameof(residues));
            int? position = residue >= 0 && numbers[residue] != 0 ? numbers[residue] : null;
            _referenceTokens[c] = residue >= 0 ? tokens[residue] : (byte)alphabet.GapToken;
            _columns[c] = new SequenceColumn(sources[c], position, alphabet.LetterOf(_referenceTokens[c]));
            if (position is { } number && !_columnOfPosition.TryAdd(number, c))
                throw new ArgumentException($"Position {number} of the reference is in two columns.", nameof(residues));
        }
    }

    /// <summary>A layout where every letter of a reference is a column.</summary>
    /// <param name="alphabet">The alphabet.</param>
    /// <param name="reference">The reference: letters and, for columns without position, gaps.</param>
    /// <param name="referenceName">Name of the reference.</param>
    /// <param name="firstPosition">Number of the first letter; at least 1.</param>
    /// <returns>The layout.</returns>
    /// <exception cref="ArgumentException">The reference is empty or a character does not belong to the alphabet.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The first position is not positive.</exception>
    public static SequenceLayout FromReference(SequenceAlphabet alphabet, string reference, string referenceName = "reference", int firstPosition = 1)
    {
        ArgumentNullException.ThrowIfNull(alphabet);
        ArgumentException.ThrowIfNullOrWhiteSpace(reference);
        ArgumentException.ThrowIfNullOrWhiteSpace(referenceName);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(firstPosition);
        byte[] tokens = alphabet.Encode(reference);
        var letters = new StringBuilder();
        var residues = new int[tokens.Length];
        for (int c = 0; c < tokens.Length; c++)
        {
            residues[c] = tokens[c] == alphabet.GapToken ? -1 : letters.Length;
            if (residues[c] >= 0)
                letters.Append(alphabet.LetterOf(tokens[c]));
        }
        return new SequenceLayout(alphabet, referenceName, letters.ToString(), [.. Enumerable.Range(firstPosition, letters.Length)],
            [.. Enumerable.Range(0, tokens.Length)], residues);
    }

    /// <summary>The alphabet.</summary>
    public SequenceAlphabet Alphabet { get; }

    /// <summary>Number of modelled columns, L.</summary>
    public int Length => _columns.Length;

    /// <summary>Name of the reference sequence.</summary>
    public string ReferenceName { get; }

    /// <summary>The whole reference sequence without gaps, including what lies outside the modelled columns.</summary>
    public string Reference { get; }

    /// <summary>The modelled columns in order.</summary>
    public IReadOnlyList<SequenceColumn> Columns => _columns;

    /// <summary>Tokens of the reference in the modelled columns.</summary>
    public ReadOnlySpan<byte> ReferenceTokens => _referenceTokens;

    /// <summary>The modelled column of a position in the reference.</summary>
    /// <param name="referencePosition">Number of a residue of the reference.</param>
    /// <param name="column">The column, counted from 0.</param>
    /// <returns>Whether the position is modelled.</returns>
    public bool TryGetColumn(int referencePosition, out int column) => _columnOfPosition.TryGetValue(referencePosition, out column);

    /// <summary>The letter of the reference at a position, modelled or not.</summary>
    /// <param name="referencePosition">Number of a residue of the reference.</param>
    /// <param name="letter">The letter.</param>
    /// <returns>Whether the reference has a residue of this number.</returns>
    public bool TryGetReferenceLetter(int referencePosition, out char letter)
    {
        bool found = _residueOfPosition.TryGetValue(referencePosition, out int residue);
        letter = found ? Reference[residue] : default;
        return found;
    }

    /// <summary>The least and the greatest number of a residue of the reference; (0, 0) where none has a number.</summary>
    public (int First, int Last) ReferenceRange => _residueOfPosition.Count == 0 ? (0, 0) : (_residueOfPosition.Keys.Min(), _residueOfPosition.Keys.Max());

    /// <summary>The tokens of an aligned sequence.</summary>
    /// <param name="sequence">One character for each modelled column.</param>
    /// <returns><see cref="Length"/> tokens.</returns>
    /// <exception cref="ArgumentException">The length is not <see cref="Length"/> or a character does not belong to the alphabet.</exception>
    public byte[] Encode(ReadOnlySpan<char> sequence)
    {
        if (sequence.Length != Length)
            throw new ArgumentException($"A sequence of {Length} characters is expected (one for each modelled column); this one has {sequence.Length}.", nameof(sequence));
        return Alphabet.Encode(sequence);
    }

    /// <summary>Sequences as one-hot groups, for encoders that were exported to read numbers instead of tokens.</summary>
    /// <param name="tokens">Tokens, sequence after sequence: n x <see cref="Length"/>.</param>
    /// <returns>
    /// n x <see cref="Length"/> x <see cref="SequenceAlphabet.InputSymbolCount"/> numbers: 1 at the token's place in its group, and groups of zeros for tokens that encoders
    /// do not read.
    /// </returns>
    /// <exception cref="ArgumentException">The tokens are not whole sequences or not all of the alphabet.</exception>
    public float[] OneHot(ReadOnlySpan<byte> tokens)
    {
        int rows = Guard.Rows(tokens.Length, Length, nameof(tokens), "the layout's length"), symbols = Alphabet.InputSymbolCount;
        int bad = tokens.IndexOfAnyInRange((byte)Alphabet.TokenCount, byte.MaxValue);
        if (bad >= 0)
            throw new ArgumentException(Guard.Invariant($"Token {tokens[bad]} at place {bad} is not one of the alphabet (0 to {Alphabet.UnknownToken})."), nameof(tokens));
        var values = new float[Guard.ArrayLength(rows, Length * symbols, nameof(tokens))];
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] < symbols)
                values[i * symbols + tokens[i]] = 1;
        }
        return values;
    }

    /// <summary>The text of a sequence.</summary>
    /// <param name="tokens"><see cref="Length"/> tokens.</param>
    /// <returns>One character for each modelled column; gaps are <c>-</c>.</returns>
    /// <exception cref="ArgumentException">The number of tokens is not <see cref="Length"/>.</exception>
    public string Decode(ReadOnlySpan<byte> tokens)
    {
        if (tokens.Length != Length)
            throw new ArgumentException($"{Length} tokens are expected (one for each modelled column); these are {tokens.Length}.", nameof(tokens));
        return Alphabet.Decode(tokens);
    }

    /// <summary>Names of the columns for people: letter and position of the reference, as in <c>H57</c>; <c>-</c> and the alignment column where the reference has no position.</summary>
    /// <returns><see cref="Length"/> names, all different.</returns>
    public string[] ColumnNames() =>
        [.. _columns.Select(column => column.ReferencePosition is { } position ? $"{column.ReferenceLetter}{position}" : $"-{column.SourceColumn + 1}")];

    /// <summary>The layout as JSON, as it stands in the metadata of exported models.</summary>
    /// <returns>The text; <see cref="FromJson"/> reads it.</returns>
    public string ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("version", Version);
            json.WritePropertyName("alphabet");
            Alphabet.Write(json);
            json.WriteStartObject("reference");
            json.WriteString("name", ReferenceName);
            json.WriteString("sequence", Reference);
            WriteNumbers(json, "numbers", _numbers);
            json.WriteEndObject();
            json.WriteStartObject("columns");
            WriteNumbers(json, "source", _sources);
            WriteNumbers(json, "residue", _residues);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <returns>The layout.</returns>
    /// <exception cref="InvalidDataException">The text is not a layout.</exception>
    public static SequenceLayout FromJson(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            int version = root.GetProperty("version").GetInt32();
            if (version != Version)
                throw new InvalidDataException($"The sequence layout has version {version}; {Version} is expected.");
            var reference = root.GetProperty("reference");
            var columns = root.GetProperty("columns");
            return new SequenceLayout(SequenceAlphabet.Read(root.GetProperty("alphabet")), reference.GetProperty("name").GetString()!,
                reference.GetProperty("sequence").GetString()!, ReadNumbers(reference, "numbers"), ReadNumbers(columns, "source"), ReadNumbers(columns, "residue"));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException or FormatException or NullReferenceException)
        {
            throw new InvalidDataException($"The text is not a sequence layout: {e.Message}", e);
        }
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, int[] values)
    {
        json.WriteStartArray(name);
        foreach (int value in values)
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static int[] ReadNumbers(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];
}
