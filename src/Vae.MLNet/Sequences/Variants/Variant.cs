using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Vae.MLNet.Inference;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>One substitution: the letter of the reference, its position, the new letter.</summary>
/// <param name="From">Letter of the reference, upper case.</param>
/// <param name="Position">Position in the reference, in its own numbering.</param>
/// <param name="To">New letter, upper case.</param>
public readonly record struct Substitution(char From, int Position, char To)
{
    /// <summary>The substitution in the usual notation, such as <c>R175H</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Check.Invariant($"{From}{Position}{To}");
}

/// <summary>A variant: one substitution or several at once.</summary>
public sealed class Variant : IEquatable<Variant>
{
    /// <summary>A variant of substitutions.</summary>
    /// <param name="substitutions">At least one, at different positions.</param>
    /// <exception cref="ArgumentException">There is none, or two are at one position.</exception>
    public Variant(IEnumerable<Substitution> substitutions)
    {
        Substitutions = [.. Check.NotNull(substitutions)];
        if (Problem(Substitutions) is { } problem)
            throw Check.Argument(nameof(substitutions), problem);
    }

    /// <summary>The substitutions, in the order given.</summary>
    public IReadOnlyList<Substitution> Substitutions { get; }

    /// <summary>Reads <c>R175H</c>, or several joined by <c>:</c> or <c>,</c>, such as <c>R175H:A20C</c>.</summary>
    /// <param name="text">The text; letters in either case.</param>
    /// <returns>The variant.</returns>
    /// <exception cref="FormatException">The text is not a variant.</exception>
    public static Variant Parse(string text) => TryParse(Check.NotNull(text), out var variant, out string? problem) ? variant : throw new FormatException(problem);

    /// <summary>Reads <c>R175H</c>, or several joined by <c>:</c> or <c>,</c>.</summary>
    /// <param name="text">The text; letters in either case.</param>
    /// <param name="variant">The variant.</param>
    /// <param name="problem">What is wrong with the text.</param>
    /// <returns>Whether the text is a variant.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Variant? variant, [NotNullWhen(false)] out string? problem)
    {
        variant = null;
        problem = null;
        if (string.IsNullOrWhiteSpace(text))
        {
            problem = "The variant is empty; letter, position and letter, such as R175H, are expected.";
            return false;
        }
        var list = new List<Substitution>();
        foreach (string part in text.Split((char[])[':', ','], StringSplitOptions.TrimEntries))
        {
            if (part.Length < 3 || !IsLetter(part[0]) || !IsLetter(part[^1])
                || !int.TryParse(part.AsSpan(1, part.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out int position) || position < 1)
            {
                problem = $"'{part}' is not a substitution; letter, position and letter, such as R175H, are expected.";
                return false;
            }
            list.Add(new Substitution(char.ToUpperInvariant(part[0]), position, char.ToUpperInvariant(part[^1])));
        }
        problem = Problem(list);
        if (problem is not null)
            return false;
        variant = new Variant(list);
        return true;

        static bool IsLetter(char c) => c is > ' ' and <= '~' && !char.IsAsciiDigit(c);
    }

    private static string? Problem(IReadOnlyCollection<Substitution> substitutions)
    {
        if (substitutions.Count == 0)
            return "A variant has no substitution; at least one is expected.";
        var seen = new HashSet<int>();
        foreach (var substitution in substitutions)
        {
            if (!seen.Add(substitution.Position))
                return Check.Invariant($"Position {substitution.Position} is substituted twice in one variant.");
        }
        return null;
    }

    /// <summary>Whether another variant has the same substitutions in the same order.</summary>
    /// <param name="other">Another variant.</param>
    /// <returns>True where both are equal.</returns>
    public bool Equals(Variant? other) => other is not null && Substitutions.SequenceEqual(other.Substitutions);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Variant);

    /// <inheritdoc/>
    public override int GetHashCode() => Substitutions.Aggregate(0, HashCode.Combine);

    /// <summary>The variant in the usual notation, substitutions joined by <c>:</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => string.Join(':', Substitutions);
}

/// <summary>Whether a variant can be scored, and if not, why.</summary>
public enum VariantStatus
{
    /// <summary>The variant can be scored.</summary>
    Valid,

    /// <summary>The text is not a variant.</summary>
    Malformed,

    /// <summary>A position is not one of the reference.</summary>
    OutsideReference,

    /// <summary>A position is in the reference, but not among the modelled columns.</summary>
    OutsideColumns,

    /// <summary>The letter given for the reference is not the reference's.</summary>
    ReferenceMismatch,

    /// <summary>A new letter is not one of the alphabet.</summary>
    UnknownLetter,
}

/// <summary>A variant brought onto the columns of a model.</summary>
/// <param name="Text">The text as given.</param>
/// <param name="Variant">The variant; null where the text is malformed.</param>
/// <param name="Status">Whether it can be scored.</param>
/// <param name="Reason">Why it cannot be scored; null where it can.</param>
public sealed record ResolvedVariant(string Text, Variant? Variant, VariantStatus Status, string? Reason)
{
    /// <summary>Modelled columns and new tokens; empty where the variant cannot be scored.</summary>
    public IReadOnlyList<(int Column, byte Token)> Changes { get; init; } = [];

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(ResolvedVariant? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>A variant with its score.</summary>
/// <param name="Text">The text as given.</param>
/// <param name="Score">The score; null where the variant cannot be scored.</param>
/// <param name="Status">Whether it could be scored.</param>
/// <param name="Reason">Why it could not be scored; null where it could.</param>
public sealed record VariantScore(string Text, double? Score, VariantStatus Status, string? Reason);

/// <summary>Brings variants onto the columns of a model, checking every position and letter against the reference.</summary>
public sealed class VariantResolver
{
    private readonly byte[] _reference;

    /// <summary>A resolver for a layout and a reference.</summary>
    /// <param name="layout">Alphabet, columns and the reference that numbers them.</param>
    /// <param name="reference">
    /// An aligned sequence to take instead of the layout's reference, one character for each modelled column; positions are still those of the
    /// layout's reference. Null for the layout's reference.
    /// </param>
    /// <exception cref="ArgumentException">The reference has a wrong length or a character that is not of the alphabet.</exception>
    public VariantResolver(SequenceLayout layout, string? reference = null)
    {
        Layout = Check.NotNull(layout);
        _reference = reference is null ? layout.ReferenceTokens.ToArray() : layout.Encode(reference);
        HasOwnReference = reference is not null;
    }

    /// <summary>The layout.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>Tokens of the reference in the modelled columns.</summary>
    public ReadOnlySpan<byte> Reference => _reference;

    private bool HasOwnReference { get; }

    /// <summary>Reads a variant and brings it onto the columns; a problem is reported in the result.</summary>
    /// <param name="text">Such as <c>R175H</c> or <c>R175H:A20C</c>.</param>
    /// <returns>The variant with its status.</returns>
    public ResolvedVariant Resolve(string text)
    {
        Check.NotNull(text);
        return Variant.TryParse(text, out var variant, out string? problem)
            ? Resolve(variant, text)
            : new ResolvedVariant(text, null, VariantStatus.Malformed, problem);
    }

    /// <summary>Brings a variant onto the columns; a problem is reported in the result.</summary>
    /// <param name="variant">The variant.</param>
    /// <returns>The variant with its status.</returns>
    public ResolvedVariant Resolve(Variant variant) => Resolve(Check.NotNull(variant), variant.ToString());

    private ResolvedVariant Resolve(Variant variant, string text)
    {
        var alphabet = Layout.Alphabet;
        var changes = new List<(int, byte)>(variant.Substitutions.Count);
        foreach (var substitution in variant.Substitutions)
        {
            var (from, position, to) = substitution;
            if (!Layout.TryGetReferenceLetter(position, out char letter))
            {
                var (first, last) = Layout.ReferenceRange;
                return No(VariantStatus.OutsideReference, $"{substitution}: position {position} is not in the reference '{Layout.ReferenceName}' ({first} to {last}).");
            }
            bool modelled = Layout.TryGetColumn(position, out int column);
            if (modelled && HasOwnReference)
                letter = alphabet.LetterOf(_reference[column]);
            if (!SameLetter(from, letter))
                return No(VariantStatus.ReferenceMismatch, $"{substitution}: the reference has {letter} at position {position}, not {from}.");
            if (!modelled)
                return No(VariantStatus.OutsideColumns, $"{substitution}: position {position} of the reference is not among the modelled columns.");
            if (!alphabet.TryGetToken(to, out int token) || token >= alphabet.LetterCount)
                return No(VariantStatus.UnknownLetter, $"{substitution}: {to} is not a letter of alphabet {alphabet.Name} ({alphabet.Letters}).");
            changes.Add((column, (byte)token));
        }
        return new ResolvedVariant(text, variant, VariantStatus.Valid, null) { Changes = changes };

        ResolvedVariant No(VariantStatus status, FormattableString reason) => new(text, variant, status, Check.Invariant(reason));

        bool SameLetter(char a, char b) => a == b || alphabet.TryGetToken(a, out int ta) && alphabet.TryGetToken(b, out int tb) && ta == tb;
    }

    /// <summary>The tokens of a variant's whole sequence.</summary>
    /// <param name="variant">A valid variant.</param>
    /// <param name="tokens">As many bytes as there are columns.</param>
    /// <exception cref="ArgumentException">The variant is not valid, or the number of bytes is wrong.</exception>
    public void Apply(ResolvedVariant variant, Span<byte> tokens)
    {
        Check.NotNull(variant);
        if (variant.Status != VariantStatus.Valid)
            throw Check.Argument(nameof(variant), variant.Reason!);
        if (tokens.Length != _reference.Length)
            throw Check.Argument(nameof(tokens), Check.Invariant($"{tokens.Length} bytes are given; {_reference.Length} are expected."));
        _reference.CopyTo(tokens);
        foreach (var (column, token) in variant.Changes)
            tokens[column] = token;
    }

    /// <summary>Every single substitution of every modelled position: (K - 1) · L for K letters and L positions with a letter and a number.</summary>
    /// <returns>The variants, ordered by position, then by letter.</returns>
    public IEnumerable<Variant> AllSubstitutions()
    {
        var alphabet = Layout.Alphabet;
        for (int c = 0; c < Layout.Length; c++)
        {
            if (Layout.Columns[c].ReferencePosition is not { } position || _reference[c] >= alphabet.LetterCount)
                continue;
            for (int token = 0; token < alphabet.LetterCount; token++)
            {
                if (token != _reference[c])
                    yield return new Variant([new Substitution(alphabet.LetterOf(_reference[c]), position, alphabet.LetterOf(token))]);
            }
        }
    }
}
