using System.Text.Json;

namespace Vae.MLNet.Inference;

/// <summary>
/// The letters of sequences and their tokens: letters are 0 to K-1 in the order of <see cref="Letters"/>, the gap is K and the unknown letter
/// K+1, whatever the treatment of gaps, so that a token array is read the same way everywhere.
/// </summary>
/// <remarks>
/// <para>Reading is by these rules. Letters are taken in upper and lower case. <c>-</c> and <c>.</c> are gaps. A synonym is read as the letter
/// it stands for. An ambiguous letter becomes the unknown token, which is missing in every sense: zero input, no part in a loss or a
/// statistic. Anything else is an error.</para>
/// <para>Amino acids: <c>X</c> (any), <c>B</c> (D or N), <c>Z</c> (E or Q) and <c>J</c> (I or L) are ambiguous; the two rare amino acids are
/// read as the common ones that they replace: <c>U</c> (selenocysteine) as <c>C</c>, <c>O</c> (pyrrolysine) as <c>K</c>. DNA: <c>U</c> is
/// read as <c>T</c>; RNA: <c>T</c> as <c>U</c>; the other IUPAC codes (N, R, Y, S, W, K, M, B, D, H, V) are ambiguous.</para>
/// <para>Immutable and safe to use from many threads.</para>
/// </remarks>
public sealed class SequenceAlphabet : IEquatable<SequenceAlphabet>
{
    /// <summary>The most letters that an alphabet can have.</summary>
    public const int MaxLetters = 64;

    /// <summary>In the reading tables: not a character of the alphabet.</summary>
    internal const byte Invalid = 255;

    private readonly byte[] _tokens;

    private SequenceAlphabet(string name, string letters, GapTreatment gaps, string ambiguous, IReadOnlyDictionary<char, char> synonyms)
    {
        Name = name;
        Letters = letters;
        Gaps = gaps;
        AmbiguousLetters = ambiguous;
        Synonyms = synonyms;
        _tokens = new byte[256];
        Array.Fill(_tokens, Invalid);
        for (int i = 0; i < letters.Length; i++)
            Set(letters[i], (byte)i);
        foreach (char letter in ambiguous)
            Set(letter, (byte)UnknownToken);
        foreach (var (from, to) in synonyms)
            Set(from, (byte)letters.IndexOf(to));
        _tokens['-'] = _tokens['.'] = (byte)GapToken;

        void Set(char letter, byte token)
        {
            _tokens[letter] = token;
            _tokens[char.ToLowerInvariant(letter)] = token;
        }
    }

    /// <summary>The 20 amino acids in alphabetical order of their letters, the gap as a 21st symbol.</summary>
    public static SequenceAlphabet AminoAcids { get; } =
        Create("AminoAcids", "ACDEFGHIKLMNPQRSTVWY", GapTreatment.Symbol, "XBZJ", new Dictionary<char, char> { ['U'] = 'C', ['O'] = 'K' });

    /// <summary>A, C, G, T, the gap as a fifth symbol.</summary>
    public static SequenceAlphabet Dna { get; } =
        Create("DNA", "ACGT", GapTreatment.Symbol, "NRYSWKMBDHV", new Dictionary<char, char> { ['U'] = 'T' });

    /// <summary>A, C, G, U, the gap as a fifth symbol.</summary>
    public static SequenceAlphabet Rna { get; } =
        Create("RNA", "ACGU", GapTreatment.Symbol, "NRYSWKMBDHV", new Dictionary<char, char> { ['T'] = 'U' });

    /// <summary>Name of the alphabet.</summary>
    public string Name { get; }

    /// <summary>The letters; the place of a letter is its token.</summary>
    public string Letters { get; }

    /// <summary>What a gap is to a model.</summary>
    public GapTreatment Gaps { get; }

    /// <summary>Letters that are read as unknown; the first is what an unknown token is written as ('?' where there is none).</summary>
    public string AmbiguousLetters { get; }

    /// <summary>Letters that are read as another one.</summary>
    public IReadOnlyDictionary<char, char> Synonyms { get; }

    /// <summary>Number of letters, K.</summary>
    public int LetterCount => Letters.Length;

    /// <summary>The token of a gap: the number of letters.</summary>
    public int GapToken => Letters.Length;

    /// <summary>The token of an unknown letter: the number of letters plus one.</summary>
    public int UnknownToken => Letters.Length + 1;

    /// <summary>Number of different tokens: letters, gap and unknown.</summary>
    public int TokenCount => Letters.Length + 2;

    /// <summary>Number of symbols that an encoder reads; tokens from here on are zero input.</summary>
    public int InputSymbolCount => Gaps == GapTreatment.Missing ? Letters.Length : Letters.Length + 1;

    /// <summary>Number of symbols that a decoder gives probabilities for; tokens from here on have no part in a loss.</summary>
    public int OutputSymbolCount => Gaps == GapTreatment.Symbol ? Letters.Length + 1 : Letters.Length;

    /// <summary>An alphabet of one's own.</summary>
    /// <param name="name">Name, kept with models.</param>
    /// <param name="letters">Two to <see cref="MaxLetters"/> different characters: printable ASCII, no lower case, none of <c>-</c>, <c>.</c>, <c>&gt;</c>, <c>#</c>, <c>/</c>.</param>
    /// <param name="gaps">What a gap is to a model.</param>
    /// <param name="ambiguousLetters">Characters to be read as unknown.</param>
    /// <param name="synonyms">Characters to be read as a letter.</param>
    /// <returns>The alphabet.</returns>
    /// <exception cref="ArgumentException">A character is not allowed or is given two meanings, or there are too few or too many.</exception>
    public static SequenceAlphabet Create(string name, string letters, GapTreatment gaps = GapTreatment.Symbol, string ambiguousLetters = "",
        IReadOnlyDictionary<char, char>? synonyms = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(letters);
        ArgumentNullException.ThrowIfNull(ambiguousLetters);
        if (!Enum.IsDefined(gaps))
            throw new ArgumentOutOfRangeException(nameof(gaps), gaps, $"Gaps has to be one of {string.Join(", ", Enum.GetNames<GapTreatment>())}; it is {(int)gaps}.");
        if (letters.Length is < 2 or > MaxLetters)
            throw new ArgumentException($"An alphabet has 2 to {MaxLetters} letters; '{name}' has {letters.Length}.", nameof(letters));
        var ordered = new SortedDictionary<char, char>(synonyms?.ToDictionary() ?? []);
        var seen = new HashSet<char>();
        foreach (char c in letters.Concat(ambiguousLetters).Concat(ordered.Keys))
        {
            if (c is <= ' ' or > '~' or '-' or '.' or '>' or '#' or '/' || char.IsAsciiLetterLower(c))
                throw new ArgumentException($"'{c}' cannot be a character of an alphabet: printable ASCII without lower case, '-', '.', '>', '#' and '/' is expected.", nameof(letters));
            if (!seen.Add(c))
                throw new ArgumentException($"'{c}' has two meanings in alphabet '{name}'; one is expected.", nameof(letters));
        }
        foreach (var (from, to) in ordered)
        {
            if (!letters.Contains(to))
                throw new ArgumentException($"'{from}' is a synonym of '{to}', which is not a letter of alphabet '{name}'.", nameof(synonyms));
        }
        return new SequenceAlphabet(name, letters, gaps, ambiguousLetters, ordered);
    }

    /// <summary>The same letters with another treatment of gaps.</summary>
    /// <param name="gaps">What a gap is to a model.</param>
    /// <returns>The alphabet.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The treatment is not defined.</exception>
    public SequenceAlphabet WithGaps(GapTreatment gaps) => Create(Name, Letters, gaps, AmbiguousLetters, Synonyms);

    /// <summary>The token of a character.</summary>
    /// <param name="letter">A letter in either case, a synonym, an ambiguous letter, <c>-</c> or <c>.</c>.</param>
    /// <param name="token">The token.</param>
    /// <returns>Whether the character belongs to the alphabet.</returns>
    public bool TryGetToken(char letter, out int token)
    {
        token = letter < 256 ? _tokens[letter] : Invalid;
        return token != Invalid;
    }

    /// <summary>The character of a token: a letter, <c>-</c>, or the first ambiguous letter.</summary>
    /// <param name="token">0 to <see cref="UnknownToken"/>.</param>
    /// <returns>The character.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The token is not one of this alphabet.</exception>
    public char LetterOf(int token)
    {
        if ((uint)token < (uint)Letters.Length)
            return Letters[token];
        if (token == GapToken)
            return '-';
        if (token == UnknownToken)
            return AmbiguousLetters.Length > 0 ? AmbiguousLetters[0] : '?';
        throw new ArgumentOutOfRangeException(nameof(token), token, $"Tokens of alphabet '{Name}' are 0 to {UnknownToken}; this one is {token}.");
    }

    /// <summary>The tokens of a text, character by character.</summary>
    /// <param name="text">A sequence, aligned or not.</param>
    /// <returns>As many tokens as characters.</returns>
    /// <exception cref="ArgumentException">A character does not belong to the alphabet.</exception>
    public byte[] Encode(ReadOnlySpan<char> text)
    {
        var tokens = new byte[text.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            if (!TryGetToken(text[i], out int token))
                throw new ArgumentException($"'{text[i]}' at position {i + 1} is not a character of alphabet '{Name}' ({Letters}, ambiguous: {AmbiguousLetters}).", nameof(text));
            tokens[i] = (byte)token;
        }
        return tokens;
    }

    /// <summary>The text of tokens.</summary>
    /// <param name="tokens">Tokens of this alphabet.</param>
    /// <returns>As many characters as tokens.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A token is not one of this alphabet.</exception>
    public string Decode(ReadOnlySpan<byte> tokens)
    {
        Span<char> text = tokens.Length <= 1024 ? stackalloc char[tokens.Length] : new char[tokens.Length];
        for (int i = 0; i < text.Length; i++)
            text[i] = LetterOf(tokens[i]);
        return new string(text);
    }

    /// <summary>Token by byte, <see cref="Invalid"/> where there is none.</summary>
    internal ReadOnlySpan<byte> Table => _tokens;

    internal void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", Name);
        json.WriteString("letters", Letters);
        json.WriteString("gaps", Gaps.ToString());
        json.WriteString("ambiguous", AmbiguousLetters);
        json.WriteStartObject("synonyms");
        foreach (var (from, to) in Synonyms)
            json.WriteString(from.ToString(), to.ToString());
        json.WriteEndObject();
        json.WriteEndObject();
    }

    internal static SequenceAlphabet Read(JsonElement json)
    {
        var synonyms = new Dictionary<char, char>();
        foreach (var pair in json.GetProperty("synonyms").EnumerateObject())
            synonyms.Add(pair.Name.Single(), pair.Value.GetString()!.Single());
        return Create(json.GetProperty("name").GetString()!, json.GetProperty("letters").GetString()!,
            Enum.Parse<GapTreatment>(json.GetProperty("gaps").GetString()!), json.GetProperty("ambiguous").GetString()!, synonyms);
    }

    /// <summary>Whether another alphabet reads and treats every character alike.</summary>
    /// <param name="other">Another alphabet.</param>
    /// <returns>True where both are equal.</returns>
    public bool Equals(SequenceAlphabet? other) =>
        other is not null && Name == other.Name && Letters == other.Letters && Gaps == other.Gaps && AmbiguousLetters == other.AmbiguousLetters
        && Synonyms.SequenceEqual(other.Synonyms);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SequenceAlphabet);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, Letters, Gaps, AmbiguousLetters);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Letters}, gap: {Gaps})";
}
