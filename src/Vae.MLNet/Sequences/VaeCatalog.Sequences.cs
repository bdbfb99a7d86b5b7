using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>
    /// Loads an alignment: FASTA, A2M, A3M or Stockholm, plain or gzipped. The format and the compression are found out by default.
    /// </summary>
    /// <remarks>
    /// <para>In this order: sequences with too many gaps are left out, then columns, then (where asked for) sequences with ambiguous letters. What was left
    /// out is in <see cref="SequenceAlignment.Filtering"/> and in the context's log. Reading is over bytes: 100,000 sequences of 300 columns take well under a second.</para>
    /// <para>Lines of FASTA, A2M and A3M that start with <c>#</c> are comments. Where NUL bytes divide a file into several alignments (as ColabFold's server does), the first one
    /// is read and the others are counted. HH-suite's rows of secondary structure and the like are set aside (<see cref="SequenceAlignment.AnnotationRows"/>).</para>
    /// <para>Names are the first words of headers. Several sequences may have one name, such as several hits in one protein: the first keeps it, the next are called
    /// <c>name#2</c>, <c>name#3</c>, … in column <c>Name</c>; column <c>Header</c> holds what is in the file. A first sequence without a name is called <c>query</c>, another
    /// one by its place, such as <c>sequence7</c>.</para>
    /// </remarks>
    /// <param name="path">The file.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The alignment, which is an <see cref="IDataView"/>.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not an alignment: it is empty or damaged, has rows of different lengths, a letter that is not
    /// of the alphabet, or nothing but the reference that passes the filters. The message names file, line and column.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">Options contradict one another or the file.</exception>
    public SequenceAlignment LoadAlignment(string path, SequenceAlignmentOptions? options = null)
    {
        options ??= new SequenceAlignmentOptions();
        options.Validate();
        var alignment = AlignmentBuilder.Build(path, options, AlignmentReader.Read(path, options));
        var f = alignment.Filtering;
        using var channel = Environment.Register(nameof(LoadAlignment)).Start("Load");
        channel.Info(MessageSensitivity.None, Check.Invariant(
            $"{alignment.Count} of {f.SequencesRead} sequences ({f.SequencesDroppedForGaps} dropped for gaps, {f.SequencesDroppedForLetters} for ambiguous letters), {alignment.Length} of {f.ColumnsRead} columns."));
        if (f.AnnotationRows > 0)
            channel.Info(MessageSensitivity.None, Check.Invariant($"{f.AnnotationRows} rows of annotation set aside: {string.Join(", ", alignment.AnnotationRows.Select(row => row.Name).Distinct())}."));
        if (f.RepeatedNames > 0)
            channel.Info(MessageSensitivity.None, Check.Invariant($"{f.RepeatedNames} sequences have the name of an earlier one; they are numbered ('name#2')."));
        if (f.AlignmentsSkipped > 0)
        {
            string more = f.AlignmentsSkipped == 1 ? "1 more alignment behind the first one; it is" : Check.Invariant(
                $"{f.AlignmentsSkipped} more alignments behind the first one; they are");
            channel.Warning(MessageSensitivity.None, $"The file holds {more} not read.");
        }
        return alignment;
    }

    /// <summary>Weights against redundancy for the sequences of any data with a tokens column (see <see cref="MLNet.SequenceWeights"/>).</summary>
    /// <param name="data">Data with a tokens column that carries a sequence layout.</param>
    /// <param name="inputColumnName">Name of the tokens column.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The weights in the order of the rows, neighbours, and the effective number of sequences.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or has a wrong type, or an option is out of its range.</exception>
    public SequenceWeights SequenceWeights(IDataView data, string inputColumnName = SequenceAlignment.TokensColumn, SequenceWeightOptions? options = null)
    {
        Check.NotNull(data);
        Check.ColumnName(inputColumnName);
        SequenceWeights result;
        if (data is SequenceAlignment alignment && inputColumnName == SequenceAlignment.TokensColumn)
        {
            result = MLNet.SequenceWeights.Compute(alignment.Tokens.Span, alignment.Count, alignment.Length, alignment.Alphabet, options);
        }
        else
        {
            var (_, layout) = TokenColumns.FindWithLayout(data.Schema, inputColumnName, nameof(data));
            var (tokens, count, _) = TokenColumns.Read(data, inputColumnName, layout, weightColumn: null);
            result = MLNet.SequenceWeights.Compute(tokens, count, layout.Length, layout.Alphabet, options);
        }
        using var channel = Environment.Register(nameof(SequenceWeights)).Start("Weights");
        channel.Info(MessageSensitivity.None, Check.Invariant($"{result.Values.Length} sequences, effective number {result.EffectiveCount:F1}."));
        return result;
    }

    /// <summary>
    /// Adds a column of weights against redundancy to data: each row's weight is 1 / number of rows at the identity given or above, itself included.
    /// </summary>
    /// <remarks>
    /// Weights belong to the rows as they are now, so this is an operation on data, like those of <c>mlContext.Data</c>, not an estimator: a transform
    /// fitted to some rows could not weigh others. The tokens are read once, at the call; the view that comes back is read in order (it does not shuffle).
    /// For an <see cref="SequenceAlignment"/> it is the same as <see cref="SequenceAlignment.WithSequenceWeights"/> where the output is <c>Weight</c>.
    /// </remarks>
    /// <param name="data">Data with a tokens column that carries a sequence layout.</param>
    /// <param name="outputColumnName">Name of the column to add.</param>
    /// <param name="inputColumnName">Name of the tokens column.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The data with the column added.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or has a wrong type, or an option is out of its range.</exception>
    public IDataView AddSequenceWeights(IDataView data, string outputColumnName = SequenceAlignment.WeightColumn, string inputColumnName = SequenceAlignment.TokensColumn,
        SequenceWeightOptions? options = null)
    {
        Check.ColumnName(outputColumnName);
        var weights = SequenceWeights(data, inputColumnName, options);
        return data is SequenceAlignment alignment && outputColumnName == SequenceAlignment.WeightColumn
            ? alignment.WithWeights(weights.Values.Span)
            : new AppendedColumnView(data, outputColumnName, weights.Values);
    }

    /// <summary>
    /// The site-independent baseline as an estimator: weighted frequencies with a pseudocount; the output is the log-probability of each sequence in nats.
    /// </summary>
    /// <param name="outputColumnName">Name of the score column (Single).</param>
    /// <param name="inputColumnName">Name of the tokens column, Vector&lt;Int64, L&gt; with a sequence layout.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public SiteIndependentEstimator SiteIndependent(string outputColumnName = "Score", string inputColumnName = SequenceAlignment.TokensColumn,
        SiteIndependentOptions? options = null) =>
        new(Environment, outputColumnName, inputColumnName, options ?? new SiteIndependentOptions());


    /// <summary>Writes sequences of any data as FASTA; gzipped where the name ends in <c>.gz</c>. The file is written whole or not at all.</summary>
    /// <param name="data">Data with text columns of headers and sequences, such as an <see cref="SequenceAlignment"/> or sampled sequences.</param>
    /// <param name="path">The file.</param>
    /// <param name="headerColumnName">Name of the column of headers.</param>
    /// <param name="sequenceColumnName">Name of the column of sequences.</param>
    /// <param name="lineWidth">Characters a line; 0 for one line a sequence.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or is not text.</exception>
    /// <exception cref="ArgumentException">A header or a sequence cannot be written as FASTA.</exception>
    public void SaveFasta(IDataView data, string path, string headerColumnName = SequenceAlignment.NameColumn, string sequenceColumnName = SequenceAlignment.SequenceColumn,
        int lineWidth = 80)
    {
        Check.NotNull(data);
        var header = TextColumn(headerColumnName, nameof(headerColumnName));
        var sequence = TextColumn(sequenceColumnName, nameof(sequenceColumnName));
        FastaFile.Write(path, Rows(), lineWidth);

        DataViewSchema.Column TextColumn(string name, string parameter)
        {
            Check.ColumnName(name, parameter);
            var column = data.Schema.GetColumnOrNull(name) ?? throw Check.SchemaMismatch(parameter, name, "Text", "no such column");
            return column.Type is TextDataViewType ? column : throw Check.TypeMismatch(parameter, column, "Text", TextDataViewType.Instance, wantsVector: false);
        }

        IEnumerable<(string, string)> Rows()
        {
            using var cursor = data.GetRowCursor([header, sequence]);
            var headers = cursor.GetGetter<ReadOnlyMemory<char>>(header);
            var sequences = cursor.GetGetter<ReadOnlyMemory<char>>(sequence);
            ReadOnlyMemory<char> name = default, text = default;
            while (cursor.MoveNext())
            {
                headers(ref name);
                sequences(ref text);
                yield return (name.ToString(), text.ToString());
            }
        }
    }
}
