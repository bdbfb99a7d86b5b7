using System.Text;
using Vae.MLNet.Inference;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>How an alignment is written down.</summary>
public enum AlignmentFormat
{
    /// <summary>
    /// Stockholm where the content starts with <c># STOCKHOLM</c>; A2M or A3M where the file name says so (<c>.a2m</c>, <c>.a3m</c>, also with
    /// <c>.gz</c> behind) or the first line is ColabFold's (lengths and copies of chains, such as <c>#8</c>, a tab and <c>1</c>); FASTA otherwise.
    /// </summary>
    Auto,

    /// <summary>Aligned FASTA: rows of one length, <c>-</c> and <c>.</c> are gaps, lower case is the same as upper case.</summary>
    Fasta,

    /// <summary>A2M: lower case letters and <c>.</c> are insertions, which are no columns.</summary>
    A2M,

    /// <summary>A3M: A2M without the dots. Both are read by one rule.</summary>
    A3M,

    /// <summary>
    /// Stockholm 1.0, in one block or several; rows of one length, <c>-</c> and <c>.</c> are gaps, lower case is the same as upper case; <c>#=GS</c> lines become annotations,
    /// and <c>#=GC RF</c> says which columns are match columns (<see cref="SequenceAlignmentOptions.UseRfColumns"/>).
    /// </summary>
    Stockholm,
}

/// <summary>What to do with ambiguous letters (X, B, Z, J for amino acids; see <see cref="SequenceAlphabet"/>).</summary>
public enum AmbiguousLetterTreatment
{
    /// <summary>The position is unknown: zero input, no part in a loss or a statistic.</summary>
    Unknown,

    /// <summary>A sequence with an ambiguous letter in a modelled column is left out, as DeepSequence and EVE do; the reference stays.</summary>
    DropSequence,

    /// <summary>An ambiguous letter in a column of the file is an error.</summary>
    Error,
}

/// <summary>How <see cref="VaeCatalog.LoadAlignment"/> reads a file.</summary>
public sealed record SequenceAlignmentOptions
{
    /// <summary>Format of the file. The default finds it out.</summary>
    public AlignmentFormat Format { get; init; } = AlignmentFormat.Auto;

    /// <summary>The alphabet. The default is <see cref="SequenceAlphabet.AminoAcids"/> with the gap as a 21st symbol.</summary>
    public SequenceAlphabet Alphabet { get; init; } = SequenceAlphabet.AminoAcids;

    /// <summary>What to do with ambiguous letters. The default is <see cref="AmbiguousLetterTreatment.Unknown"/>.</summary>
    public AmbiguousLetterTreatment AmbiguousLetters { get; init; } = AmbiguousLetterTreatment.Unknown;

    /// <summary>Name of the sequence that numbers the columns; of several of this name the first. The default, null, is the first sequence.</summary>
    public string? ReferenceName { get; init; }

    /// <summary>
    /// Takes the match columns that a Stockholm file marks in a line <c>#=GC RF</c> (as HMMER and Infernal write it) as the alignment's columns: what is marked with
    /// <c>.</c>, <c>-</c>, <c>_</c>, <c>~</c> or <c>*</c> there is an insertion, as lower case is in A2M. Without such a line all columns are taken. The default is true;
    /// false takes all columns of the file.
    /// </summary>
    public bool UseRfColumns { get; init; } = true;

    /// <summary>
    /// Reads HH-suite's rows of annotation as sequences. The default, false, sets them aside (<see cref="SequenceAlignment.AnnotationRows"/>): in A2M and A3M headers that
    /// start with <c>ss_</c>, <c>sa_</c> or <c>aa_</c>, in aligned FASTA those that start with <c>ss_pred</c>, <c>ss_conf</c>, <c>ss_dssp</c>, <c>sa_dssp</c> or <c>sa_pred</c>,
    /// all in lower case and right behind the <c>&gt;</c>.
    /// </summary>
    public bool KeepAnnotationRows { get; init; }

    /// <summary>
    /// Number of the reference's first residue. The default, null, takes it from a name that ends in <c>/first-last</c> where that range has as
    /// many numbers as the reference has residues, and is 1 otherwise.
    /// </summary>
    public int? FirstReferencePosition { get; init; }

    /// <summary>
    /// Number of each residue of the reference, for numbering that is not consecutive: ascending, 0 for a residue without a number (such as one
    /// with an insertion code). The default is null: numbers are consecutive from <see cref="FirstReferencePosition"/>.
    /// </summary>
    public IReadOnlyList<int>? ReferenceNumbers { get; init; }

    /// <summary>
    /// Sequences with a greater share of gaps are left out; the share is taken over the columns where the reference has a residue. The reference
    /// itself stays. From 0 to 1; 1 keeps all. The default is 0.5, as in EVE.
    /// </summary>
    public double MaxSequenceGapShare { get; init; } = 0.5;

    /// <summary>
    /// Columns with a greater share of gaps among the sequences kept are left out. From 0 to 1; 1 keeps all. The default is 0.3, as in EVE.
    /// </summary>
    public double MaxColumnGapShare { get; init; } = 0.3;

    /// <summary>Leaves out columns where the reference has a gap, as EVE does. The default is false: such columns have no reference position, but are modelled.</summary>
    public bool ReferenceColumnsOnly { get; init; }

    /// <summary>
    /// Splits headers into annotation columns at this text. The default, null, makes no annotation columns. A separator at the end of the header
    /// does not start another field.
    /// </summary>
    public string? AnnotationSeparator { get; init; }

    /// <summary>
    /// Annotation fields begin behind the first occurrence of this text, and the name ends before it. The default, null, splits the whole
    /// header, and the name is its first word.
    /// </summary>
    public string? AnnotationStart { get; init; }

    /// <summary>
    /// Names of the annotation columns. Headers with fewer fields get empty ones; with more, the last column keeps the rest as it
    /// stands. The default, null, names them <c>Annotation1</c>, <c>Annotation2</c>, … up to the greatest number found.
    /// </summary>
    public IReadOnlyList<string>? AnnotationNames { get; init; }

    /// <summary>The most bytes to read, after decompression. The default is 4 GiB.</summary>
    public long MaxBytes { get; init; } = 4L << 30;

    /// <summary>The most sequences to read. The default is 10 million.</summary>
    public int MaxSequences { get; init; } = 10_000_000;

    /// <summary>The most columns to read. The default is 100,000.</summary>
    public int MaxColumns { get; init; } = 100_000;

    internal void Validate()
    {
        Check.Defined(Format);
        Check.NotNull(Alphabet);
        Check.Defined(AmbiguousLetters);
        Check.InRange(MaxSequenceGapShare, 0, 1);
        Check.InRange(MaxColumnGapShare, 0, 1);
        Check.AtLeast(MaxBytes, 1);
        Check.AtLeast(MaxSequences, 1);
        Check.AtLeast(MaxColumns, 1);
        if (FirstReferencePosition is { } first)
            Check.AtLeast(first, 1, nameof(FirstReferencePosition));
        if (FirstReferencePosition is not null && ReferenceNumbers is not null)
            throw Check.Argument(nameof(ReferenceNumbers), "FirstReferencePosition and ReferenceNumbers cannot both be given: one numbering is expected.");
        if (AnnotationSeparator is "")
            throw Check.Argument(nameof(AnnotationSeparator), "AnnotationSeparator is empty; a text or null is expected.");
        if (AnnotationStart is "")
            throw Check.Argument(nameof(AnnotationStart), "AnnotationStart is empty; a text or null is expected.");
        if (AnnotationNames is { } names)
        {
            if (names.Count == 0)
                throw Check.Argument(nameof(AnnotationNames), "AnnotationNames is empty; at least one name or null is expected.");
            foreach (string name in names)
            {
                if (string.IsNullOrWhiteSpace(name) || SequenceAlignment.IsOwnColumn(name))
                    throw Check.Argument(nameof(AnnotationNames), $"An annotation cannot be named '{name}': a name that is not one of every alignment's columns is expected.");
            }
            if (names.Distinct().Count() != names.Count)
                throw Check.Argument(nameof(AnnotationNames), "Two annotations have one name: " + string.Join(", ", names));
        }
        if (AnnotationNames is not null && AnnotationSeparator is null)
            throw Check.Argument(nameof(AnnotationNames), "AnnotationNames is given without AnnotationSeparator.");
    }

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(SequenceAlignmentOptions? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
