using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>What was left out when an alignment was loaded.</summary>
/// <param name="SequencesRead">Sequences in the file.</param>
/// <param name="ColumnsRead">Columns in the file (match columns for A2M and A3M, and for Stockholm with <c>#=GC RF</c>).</param>
/// <param name="SequencesDroppedForGaps">Sequences with too many gaps.</param>
/// <param name="ColumnsDropped">Columns with too many gaps or, where asked for, without residue of the reference.</param>
/// <param name="SequencesDroppedForLetters">Sequences with ambiguous letters, where <see cref="AmbiguousLetterTreatment.DropSequence"/> is asked for.</param>
public sealed record SequenceAlignmentFiltering(int SequencesRead, int ColumnsRead, int SequencesDroppedForGaps, int ColumnsDropped, int SequencesDroppedForLetters)
{
    /// <summary>Alignments behind the first one in the file, which alone is read.</summary>
    public int AlignmentsSkipped { get; init; }

    /// <summary>Sequences whose name an earlier one has, and whose <c>Name</c> got a number for it.</summary>
    public int RepeatedNames { get; init; }

    /// <summary>Rows of the file that annotate columns (see <see cref="SequenceAlignment.AnnotationRows"/>).</summary>
    public int AnnotationRows { get; init; }
}

/// <summary>A row of an alignment file that says something about columns and is no sequence.</summary>
/// <param name="Name">Its name, such as <c>ss_pred</c>, or <c>RF</c> for <c>#=GC RF</c>.</param>
/// <param name="Text">Its text without blanks; in a file of one length, one character for each column of the file (<see cref="SequenceColumn.SourceColumn"/>).</param>
public sealed record AlignmentAnnotationRow(string Name, string Text);

/// <summary>
/// Aligned sequences: N rows of L tokens, packed as bytes, with names, annotations and the layout of the columns. It is an
/// <see cref="IDataView"/>, so it goes into ML.NET pipelines as it is.
/// </summary>
/// <remarks>
/// <para>Columns of the view: <c>Name</c> (text), <c>Header</c> (text, the whole header), <c>Sequence</c> (text, one character for each modelled
/// column), <c>Tokens</c> (Vector&lt;Int64, L&gt;, widened from the packed bytes only where it is read; int64 because that is what the exported
/// graphs gather with), one text column for each annotation, and <c>Weight</c> (Single) where there are weights. The layout (alphabet,
/// reference, column map) goes with the annotations of column <c>Tokens</c>; <see cref="TryGetLayout"/> reads it back.</para>
/// <para>Immutable and safe to use from many threads.</para>
/// </remarks>
public sealed class SequenceAlignment : IDataView
{
    /// <summary>Names of the view's columns.</summary>
    public const string NameColumn = "Name", HeaderColumn = "Header", SequenceColumn = "Sequence", TokensColumn = "Tokens", WeightColumn = "Weight";

    private readonly string[] _names;
    private readonly string[] _headers;
    private readonly IReadOnlyList<(string Name, string[] Values)> _annotations;
    private readonly byte[] _tokens;
    private readonly float[]? _weights;

    internal SequenceAlignment(SequenceLayout layout, string[] names, string[] headers, IReadOnlyList<(string Name, string[] Values)> annotations, byte[] tokens,
        float[]? weights, SequenceAlignmentFiltering filtering)
    {
        Layout = layout;
        _names = names;
        _headers = headers;
        _annotations = annotations;
        _tokens = tokens;
        _weights = weights;
        Filtering = filtering;
        ReferenceRow = Array.IndexOf(names, layout.ReferenceName);
        var builder = new DataViewSchema.Builder();
        builder.AddColumn(NameColumn, TextDataViewType.Instance);
        builder.AddColumn(HeaderColumn, TextDataViewType.Instance);
        builder.AddColumn(SequenceColumn, TextDataViewType.Instance);
        builder.AddColumn(TokensColumn, new VectorDataViewType(NumberDataViewType.Int64, layout.Length), TokenColumns.Annotations(layout));
        foreach (var (name, _) in annotations)
            builder.AddColumn(name, TextDataViewType.Instance);
        if (weights is not null)
            builder.AddColumn(WeightColumn, NumberDataViewType.Single);
        Schema = builder.ToSchema();
    }

    /// <summary>Number of sequences, N.</summary>
    public int Count => _names.Length;

    /// <summary>Number of modelled columns, L.</summary>
    public int Length => Layout.Length;

    /// <summary>Alphabet, reference and column map.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>The alphabet.</summary>
    public SequenceAlphabet Alphabet => Layout.Alphabet;

    /// <summary>Names of the sequences.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>Whole headers of the sequences.</summary>
    public IReadOnlyList<string> Headers => _headers;

    /// <summary>Names of the annotations.</summary>
    public IReadOnlyList<string> AnnotationNames => [.. _annotations.Select(annotation => annotation.Name)];

    /// <summary>Weights of the sequences; empty where none were given.</summary>
    public ReadOnlyMemory<float> Weights => _weights;

    /// <summary>Whether the sequences have weights.</summary>
    public bool HasWeights => _weights is not null;

    /// <summary>Row of the reference; -1 where it is not among the sequences (after a split).</summary>
    public int ReferenceRow { get; }

    /// <summary>What was left out when the alignment was loaded.</summary>
    public SequenceAlignmentFiltering Filtering { get; }

    /// <summary>
    /// Rows of the file that annotate columns, in its order: HH-suite's secondary structure and accessibility (<c>&gt;ss_pred</c> and so on) and Stockholm's <c>#=GC</c> lines.
    /// Empty where there are none.
    /// </summary>
    public IReadOnlyList<AlignmentAnnotationRow> AnnotationRows { get; internal init; } = [];

    /// <summary>All tokens, row-major, N · L bytes.</summary>
    public ReadOnlyMemory<byte> Tokens => _tokens;

    /// <summary>The tokens of one sequence.</summary>
    /// <param name="row">Row, counted from 0.</param>
    /// <returns><see cref="Length"/> tokens.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public ReadOnlySpan<byte> Row(int row)
    {
        Check.InRange(row, 0, Count - 1);
        return _tokens.AsSpan(row * Length, Length);
    }

    /// <summary>The text of one sequence.</summary>
    /// <param name="row">Row, counted from 0.</param>
    /// <returns>One character for each modelled column; gaps are <c>-</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public string Sequence(int row) => Alphabet.Decode(Row(row));

    /// <summary>The values of an annotation.</summary>
    /// <param name="name">Name of the annotation.</param>
    /// <returns>One text a sequence; empty where there is none.</returns>
    /// <exception cref="ArgumentException">There is no such annotation.</exception>
    public IReadOnlyList<string> Annotation(string name)
    {
        Check.NotNull(name);
        foreach (var (key, values) in _annotations)
        {
            if (key == name)
                return values;
        }
        throw Check.Argument(nameof(name), $"There is no annotation '{name}'; there is {(_annotations.Count == 0 ? "none" : string.Join(", ", AnnotationNames))}.");
    }

    /// <summary>An alignment from sequences in memory, such as sampled ones.</summary>
    /// <param name="layout">The layout of the columns.</param>
    /// <param name="tokens">Tokens, row-major; a multiple of the layout's length. The array is copied.</param>
    /// <param name="names">Names, all different; <c>sequence1</c>, <c>sequence2</c>, … where none are given.</param>
    /// <returns>The alignment, without filters or annotations.</returns>
    /// <exception cref="ArgumentException">Sizes do not agree, a token is not one of the alphabet, or two names are equal.</exception>
    public static SequenceAlignment FromTokens(SequenceLayout layout, ReadOnlySpan<byte> tokens, IEnumerable<string>? names = null)
    {
        Check.NotNull(layout);
        if (tokens.Length == 0 || tokens.Length % layout.Length != 0)
            throw Check.Argument(nameof(tokens), Check.Invariant($"{tokens.Length} tokens are not a positive multiple of the layout's {layout.Length} columns."));
        int bad = tokens.IndexOfAnyInRange((byte)(layout.Alphabet.UnknownToken + 1), byte.MaxValue);
        if (bad >= 0)
            throw Check.Argument(nameof(tokens), Check.Invariant($"Token {tokens[bad]} in row {bad / layout.Length}, column {bad % layout.Length} is not one of the alphabet (0 to {layout.Alphabet.UnknownToken})."));
        int count = tokens.Length / layout.Length;
        string[] list = names?.ToArray() ?? [.. Enumerable.Range(1, count).Select(i => Check.Invariant($"sequence{i}"))];
        if (list.Length != count)
            throw Check.Argument(nameof(names), Check.Invariant($"{list.Length} names are given for {count} sequences."));
        if (list.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw Check.Argument(nameof(names), $"Two sequences are named '{twice.Key}'; names have to differ.");
        return new SequenceAlignment(layout, list, list, [], tokens.ToArray(), null, new SequenceAlignmentFiltering(count, layout.Length, 0, 0, 0));
    }

    /// <summary>An alignment from texts in memory.</summary>
    /// <param name="layout">The layout of the columns.</param>
    /// <param name="sequences">Sequences of the layout's length.</param>
    /// <param name="names">Names, all different; <c>sequence1</c>, <c>sequence2</c>, … where none are given.</param>
    /// <returns>The alignment, without filters or annotations.</returns>
    /// <exception cref="ArgumentException">A sequence has a wrong length or a character that is not of the alphabet, or two names are equal.</exception>
    public static SequenceAlignment FromSequences(SequenceLayout layout, IEnumerable<string> sequences, IEnumerable<string>? names = null)
    {
        Check.NotNull(layout);
        var tokens = new List<byte>();
        foreach (string sequence in Check.NotNull(sequences))
            tokens.AddRange(layout.Encode(sequence));
        return FromTokens(layout, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(tokens), names);
    }

    /// <summary>Reads the layout from the schema of any data that has a tokens column of this library.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="columnName">Name of the tokens column.</param>
    /// <param name="layout">The layout.</param>
    /// <returns>Whether the column is there and carries a layout.</returns>
    public static bool TryGetLayout(DataViewSchema schema, string columnName, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SequenceLayout? layout)
    {
        Check.NotNull(schema);
        Check.ColumnName(columnName);
        layout = schema.GetColumnOrNull(columnName) is { } column ? TokenColumns.Layout(column) : null;
        return layout is not null;
    }

    /// <summary>Some of the sequences, in a given order.</summary>
    /// <param name="rows">Rows, each at most once.</param>
    /// <returns>A new alignment with the same layout.</returns>
    /// <exception cref="ArgumentException">No row is given, or one twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public SequenceAlignment Select(IEnumerable<int> rows)
    {
        int[] list = [.. Check.NotNull(rows)];
        if (list.Length == 0)
            throw Check.Argument(nameof(rows), "No row is given; at least one is expected.");
        var tokens = new byte[(long)list.Length * Length];
        var seen = new HashSet<int>(list.Length);
        for (int i = 0; i < list.Length; i++)
        {
            if (!seen.Add(list[i]))
                throw Check.Argument(nameof(rows), Check.Invariant($"Row {list[i]} is given twice."));
            Row(list[i]).CopyTo(tokens.AsSpan(i * Length));
        }
        return new SequenceAlignment(Layout, Pick(_names), Pick(_headers), [.. _annotations.Select(a => (a.Name, Pick(a.Values)))], tokens,
            _weights is null ? null : Pick(_weights), Filtering)
        {
            AnnotationRows = AnnotationRows,
        };

        T[] Pick<T>(T[] values) => [.. list.Select(row => values[row])];
    }

    /// <summary>Splits the sequences at random into those to train with and those held out.</summary>
    /// <param name="testShare">Share of sequences held out (of their weight where an identity is given), above 0 and below 1; at least one sequence is on each side.</param>
    /// <param name="seed">Seed of the split.</param>
    /// <param name="identity">
    /// Sequences that are at least this identical to one drawn are held out with it (above 0, at most 1), so that those held out are no near duplicates of those
    /// trained on. The default, null, draws sequences one by one.
    /// </param>
    /// <returns>Both parts, each in the order of this alignment. Weights are passed on as they are.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The share or the identity is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There are fewer than two sequences.</exception>
    public (SequenceAlignment Train, SequenceAlignment Test) Split(double testShare, int seed, double? identity = null)
    {
        if (!(testShare > 0 && testShare < 1))
            throw Check.OutOfRange(nameof(testShare), testShare, "above 0 and below 1");
        if (identity is { } threshold && !(threshold > 0 && threshold <= 1))
            throw Check.OutOfRange(nameof(identity), threshold, "above 0 and at most 1");
        if (Count < 2)
            throw new InvalidOperationException("A split needs at least two sequences.");
        if (identity is not null)
        {
            var (train, held) = SequenceSplit.Run(_tokens, _weights, Layout, testShare, identity, Count - 1, seed);
            return (Select(train.Select(row => (int)row)), Select(held.Select(row => (int)row)));
        }
        int[] order = [.. Enumerable.Range(0, Count)];
        new Random(seed).Shuffle(order);
        int test = Math.Clamp((int)Math.Round(testShare * Count), 1, Count - 1);
        return (Select(order.Skip(test).Order()), Select(order.Take(test).Order()));
    }

    /// <summary>The same sequences with weights.</summary>
    /// <param name="weights">One finite weight a sequence, at least 0; not all 0. Copied.</param>
    /// <returns>A new alignment whose view has column <c>Weight</c>.</returns>
    /// <exception cref="ArgumentException">The number of weights is wrong, or a weight is.</exception>
    public SequenceAlignment WithWeights(ReadOnlySpan<float> weights)
    {
        if (weights.Length != Count)
            throw Check.Argument(nameof(weights), Check.Invariant($"{weights.Length} weights are given for {Count} sequences."));
        bool any = false;
        foreach (float weight in weights)
        {
            if (!float.IsFinite(weight) || weight < 0)
                throw Check.Argument(nameof(weights), Check.Invariant($"A weight is {weight}; finite numbers of at least 0 are expected."));
            any |= weight > 0;
        }
        if (!any)
            throw Check.Argument(nameof(weights), "All weights are 0.");
        return new SequenceAlignment(Layout, _names, _headers, _annotations, _tokens, weights.ToArray(), Filtering) { AnnotationRows = AnnotationRows };
    }

    /// <summary>The same sequences with weights against redundancy (see <see cref="VaeCatalog.SequenceWeights"/>).</summary>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>A new alignment whose view has column <c>Weight</c>.</returns>
    public SequenceAlignment WithSequenceWeights(SequenceWeightOptions? options = null) =>
        WithWeights(SequenceWeights.Compute(_tokens, Count, Length, Alphabet, options).Values.Span);

    /// <summary>Writes the sequences as FASTA under their headers; gzipped where the name ends in <c>.gz</c>. The file is written whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="lineWidth">Characters a line; 0 for one line a sequence.</param>
    public void SaveFasta(string path, int lineWidth = 80) =>
        FastaFile.Write(path, Enumerable.Range(0, Count).Select(row => (_headers[row], Sequence(row))), lineWidth);

    internal static bool IsOwnColumn(string name) => name is NameColumn or HeaderColumn or SequenceColumn or TokensColumn or WeightColumn;

    /// <inheritdoc/>
    public bool CanShuffle => true;

    /// <inheritdoc/>
    public DataViewSchema Schema { get; }

    /// <inheritdoc/>
    public long? GetRowCount() => Count;

    /// <inheritdoc/>
    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = new bool[Schema.Count];
        foreach (var column in Check.NotNull(columnsNeeded))
            active[column.Index] = true;
        int[]? order = null;
        if (rand is not null)
        {
            order = [.. Enumerable.Range(0, Count)];
            rand.Shuffle(order);
        }
        return new Cursor(this, active, order);
    }

    /// <inheritdoc/>
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(SequenceAlignment alignment, bool[] active, int[]? order) : DataViewRowCursor
    {
        private long _position = -1;
        private bool _ended;

        public override DataViewSchema Schema => alignment.Schema;

        public override long Position => _position;

        public override long Batch => 0;

        public override bool MoveNext()
        {
            if (_ended)
                return false;
            if (++_position < alignment.Count)
                return true;
            _ended = true;
            _position = -1;
            return false;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)Row(), 0);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (column.Index >= active.Length || !active[column.Index])
                throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' was not asked for when the cursor was made.");
            return Getter(column) as ValueGetter<TValue> ?? throw new InvalidOperationException(
                $"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}' was asked for, '{column.Type.RawType}' is there.");
        }

        private Delegate Getter(DataViewSchema.Column column)
        {
            switch (column.Index)
            {
                case 0:
                    return Text(alignment._names);
                case 1:
                    return Text(alignment._headers);
                case 2:
                    return (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = alignment.Sequence(Row()).AsMemory());
                case 3:
                    int length = alignment.Length;
                    return (ValueGetter<VBuffer<long>>)((ref VBuffer<long> value) =>
                    {
                        var source = alignment._tokens.AsSpan(Row() * length, length);
                        var editor = VBufferEditor.Create(ref value, length);
                        var target = editor.Values[..length];
                        for (int i = 0; i < target.Length; i++)
                            target[i] = source[i];
                        value = editor.Commit();
                    });
                default:
                    int annotation = column.Index - 4;
                    return annotation < alignment._annotations.Count
                        ? Text(alignment._annotations[annotation].Values)
                        : (ValueGetter<float>)((ref float value) => value = alignment._weights![Row()]);
            }
        }

        private ValueGetter<ReadOnlyMemory<char>> Text(string[] values) => (ref ReadOnlyMemory<char> value) => value = values[Row()].AsMemory();

        private int Row()
        {
            if (_position < 0)
                throw new InvalidOperationException("The cursor is not on a row: call MoveNext first, and stop when it returns false.");
            return order is null ? (int)_position : order[_position];
        }
    }
}
