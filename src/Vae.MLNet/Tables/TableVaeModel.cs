using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Data;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Tables;

namespace Vae.MLNet;

/// <summary>A trained autoencoder of a table. Immutable; it needs no native library of TorchSharp.</summary>
public sealed class TableVaeModel
{
    /// <summary>Rows that are drawn together.</summary>
    private const int BlockSize = 1024;

    internal TableVaeModel(TableSchema schema, float[] parameters)
    {
        Schema = schema;
        Parameters = parameters;
    }

    internal TableSchema Schema { get; }

    internal float[] Parameters { get; }

    /// <summary>The columns of the training data, those left out too.</summary>
    public IReadOnlyList<TableColumn> Columns => Schema.Columns;

    /// <summary>Dimensions of the latent space.</summary>
    public int LatentDimension => Schema.Latent;

    /// <summary>Score that the wanted share of the training rows exceeds (<see cref="TableVaeTrainer.Options.Contamination"/>).</summary>
    public float Threshold => Schema.Threshold;

    /// <summary>How the training went.</summary>
    public TableTrainingHistory History => Schema.History;

    /// <summary>Draws new rows.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">Seed: the same one gives the same rows on one machine.</param>
    /// <param name="where">
    /// Values that columns have to have, by name, as text, number or bool; null as the value stands for a missing cell. The other columns are drawn beside them; null for no
    /// conditions.
    /// </param>
    /// <param name="excluded">
    /// Rows that must not come again, cell for cell, as those that the model was trained on; with at least the model's columns. Copies are drawn anew. Null for none.
    /// </param>
    /// <param name="critic">
    /// A critic of this model's rows (<see cref="VaeCatalog.FitCritic"/>): rows are kept in proportion to how real they look, and others drawn
    /// in place of those that are not. Null for none.
    /// </param>
    /// <returns>Rows with the columns of the table that the model has, of the same types, in memory.</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="count"/> is negative, a column of <paramref name="excluded"/> is missing or of another type, or the critic needs a column
    /// that the model does not have.
    /// </exception>
    /// <exception cref="ArgumentException">A condition names no column of the model, or a value that it cannot have.</exception>
    /// <exception cref="InvalidOperationException">
    /// Nearly all rows that the model draws are among the excluded ones, or are dropped by the critic.
    /// </exception>
    public IDataView Synthesize(
        int count,
        int seed = 1,
        IReadOnlyDictionary<string, object>? where = null,
        IDataView? excluded = null,
        SampleCritic? critic = null)
    {
        Check.AtLeast(count, 0);
        var copies = excluded is null ? null : Rows(Read(excluded, CancellationToken.None));
        if (count == 0)
            return new Drawn(Schema, 0).ToView();
        var (given, asked) = where is { Count: > 0 } ? Conditions(where) : (null, null);
        var random = new SeededRandom(seed);
        using var session = Open(TableGraphs.Sampler(Schema, Parameters, conditional: given is not null, typed: false, neverMissing: false));
        // A stream of its own says which rows are kept.
        var choice = new SeededRandom(seed, stream: 1);
        var output = Draw(count);
        if (copies is null)
            return output;
        // As many again as were copies, until none is.
        const int MostRounds = 100;
        int[] left = Copies(output);
        for (int round = 0; left.Length > 0; round++)
        {
            if (round == MostRounds)
            {
                throw new InvalidOperationException(Check.Invariant(
                    $"Of {count} rows {left.Length} are among the excluded ones still after they have been drawn anew {MostRounds} times: the model has hardly any others."));
            }
            var more = Draw(left.Length);
            for (int c = 0; c < output.Columns.Count; c++)
            {
                for (int k = 0; k < left.Length; k++)
                    output.Columns[c].Set(left[k], more.Columns[c], k);
            }
            left = [.. Copies(more).Select(k => left[k])];
        }
        return output;

        TableDataView Draw(int rows)
        {
            if (critic is null)
                return DrawAny(rows);
            // As many as would do if half of them were kept, and some tries for those that hardly are.
            const int FewestRows = 64, MostTries = 1000;
            var kept = new Drawn(Schema, rows).ToView(asked);
            int done = 0;
            for (long tries = 0; done < rows;)
            {
                if (tries >= (long)rows * MostTries)
                {
                    throw new InvalidOperationException(Check.Invariant(
                        $"Of {tries} rows that the model drew the critic kept {done}; {rows} are wanted. Was it trained on this model's rows?"));
                }
                var some = DrawAny(Math.Clamp(2 * (rows - done), FewestRows, Math.Max(FewestRows, 16 * BlockSize)));
                float[] ratios = critic.LogRatios(some);
                for (int row = 0; row < ratios.Length && done < rows; row++)
                {
                    tries++;
                    if (choice.NextUniform() >= critic.KeepProbability(ratios[row]))
                        continue;
                    for (int c = 0; c < kept.Columns.Count; c++)
                        kept.Columns[c].Set(done, some.Columns[c], row);
                    done++;
                }
            }
            return kept;
        }

        TableDataView DrawAny(int rows)
        {
            var drawn = new Drawn(Schema, rows);
            for (int start = 0; start < rows; start += BlockSize)
            {
                int block = Math.Min(BlockSize, rows - start);
                drawn.Take(session, start, block, random, given is null ? null : [.. Enumerable.Repeat(given, block).SelectMany(part => part)]);
            }
            // Numbers are given as bins; the very values that were asked for stand in the rows.
            return drawn.ToView(asked);
        }

        int[] Copies(TableDataView rows) => [.. Keys(rows.Columns).Select((key, row) => (key, row)).Where(item => copies.Contains(item.key)).Select(item => item.row)];
    }

    private static HashSet<string> Rows(RawColumn[] columns) => new(Keys(columns), StringComparer.Ordinal);

    /// <summary>A text for each row that only rows of the same cells have.</summary>
    private static IEnumerable<string> Keys(IReadOnlyList<RawColumn> columns)
    {
        var key = new System.Text.StringBuilder();
        for (int row = 0; row < columns[0].Rows; row++)
        {
            key.Clear();
            foreach (var column in columns)
            {
                if (column.Numbers is { } numbers)
                    key.Append(System.Globalization.CultureInfo.InvariantCulture, $"{numbers[row]:R}\n");
                else if (column.Codes![row] is >= 0 and int code)
                    key.Append(System.Globalization.CultureInfo.InvariantCulture, $"{column.Texts![code].Length}:{column.Texts[code]}\n");
                else
                    key.Append('\n');
            }
            yield return key.ToString();
        }
    }

    /// <summary>Tokens of what is given, -1 where a cell is to be drawn, and the cells that were asked for.</summary>
    private (long[] Given, Dictionary<string, RawColumn> Asked) Conditions(IReadOnlyDictionary<string, object> where)
    {
        foreach (string name in where.Keys)
        {
            if (!Schema.Codecs.Any(codec => codec.Name == name))
                throw Check.Argument(nameof(where), $"The model has no column '{name}'; it has {string.Join(", ", Schema.Codecs.Select(codec => codec.Name))}.");
        }
        // One row of conditions, encoded as any other row would be.
        RawColumn[] row1 = [.. Schema.Codecs.Select(codec => Condition(codec, where))];
        long[] givenRow = Given(new TableDataView(row1, 1), CancellationToken.None);
        int at = 0;
        foreach (var codec in Schema.Codecs)
        {
            // What was not asked for is to be drawn: a boolean or a whole number that was left open has no gap to tell so.
            if (!where.ContainsKey(codec.Name))
                givenRow.AsSpan(at, codec.HasLeaves ? 2 : 1).Fill(-1);
            // A missing cell that is asked for is a condition, not a gap.
            if (where.TryGetValue(codec.Name, out object? asked))
            {
                if (asked is null or "" && codec.HasMissing)
                    givenRow[at] = codec.MissingState;
                if (givenRow[at] < 0)
                    throw Check.Argument(nameof(where), $"The column '{codec.Name}' never had the value '{asked}'{(codec.Values.Count > 0 ? $"; it had {string.Join(", ", codec.Values.Take(20))}" : "")}.");
            }
            at += codec.HasLeaves ? 2 : 1;
        }
        return (givenRow, row1.Where(column => where.ContainsKey(column.Name)).ToDictionary(column => column.Name, StringComparer.Ordinal));
    }

    /// <summary>
    /// Fills missing cells: NaN in columns of Single and Double, empty texts. Rows are drawn <paramref name="draws"/> times beside the cells that are there; a number becomes
    /// the mean of its draws, rounded as the column's values are, and a category the value that came most often.
    /// </summary>
    /// <param name="rows">Rows with at least the model's columns; read into memory.</param>
    /// <param name="draws">Draws of each row; 1 gives a random filling, as multiple imputation wants it, each with a seed of its own.</param>
    /// <param name="seed">Seed: the same one gives the same cells on one machine.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The model's columns with no cell missing, in memory.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type, or <paramref name="draws"/> is below 1.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IDataView Impute(IDataView rows, int draws = 16, int seed = 1, CancellationToken cancellationToken = default)
    {
        Check.NotNull(rows);
        Check.InRange(draws, 1, 1000);
        var raw = Read(rows, cancellationToken);
        int count = raw[0].Rows, width = Schema.Shape.Tokens;
        if (count == 0)
            return new TableDataView(raw, 0);
        long[] given = Given(new TableDataView(raw, count), cancellationToken);
        // Only rows with gaps are drawn.
        int[] gaps = [.. Enumerable.Range(0, count).Where(row => raw.Any(column => column.Numbers is { } numbers ? double.IsNaN(numbers[row]) : column.Codes![row] < 0))];
        var random = new SeededRandom(seed);
        var drawn = new Drawn[draws];
        using (var session = Open(TableGraphs.Sampler(Schema, Parameters, conditional: true, typed: false, neverMissing: true)))
        {
            for (int draw = 0; draw < draws; draw++)
            {
                drawn[draw] = new(Schema, gaps.Length);
                for (int start = 0; start < gaps.Length; start += BlockSize)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    int[] part = gaps[start..Math.Min(start + BlockSize, gaps.Length)];
                    drawn[draw].Take(session, start, part.Length, random, [.. part.SelectMany(row => given[(row * width)..((row + 1) * width)])]);
                }
            }
        }
        return new TableDataView([.. raw.Select((column, c) => Fill(column, Schema.Codecs[c], gaps, [.. drawn.Select(draw => draw.Columns[c])]))], count);
    }

    /// <summary>
    /// Tells why rows score as they do: the columns with the largest parts of the score, and what the model expects in their place beside the row's other cells.
    /// </summary>
    /// <param name="rows">Rows with at least the model's columns: those that somebody wants to know about, since each reason is drawn for.</param>
    /// <param name="reasons">Columns to name for each row.</param>
    /// <param name="seed">Seed of the draws behind what is expected: the same one gives the same answer on one machine.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>An explanation of each row, in their order.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type, or <paramref name="reasons"/> is below 1.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<TableExplanation> Explain(IDataView rows, int reasons = 3, int seed = 1, CancellationToken cancellationToken = default)
    {
        const int Draws = 32;
        Check.NotNull(rows);
        Check.AtLeast(reasons, 1);
        var raw = Read(rows, cancellationToken);
        int count = raw[0].Rows, width = Schema.Shape.Tokens, columns = raw.Length;
        if (count == 0)
            return [];
        var view = new TableDataView(raw, count);
        var (scores, parts) = Contributions(view, cancellationToken);
        long[] tokens = Given(view, cancellationToken);
        int[][] worst = [.. Enumerable.Range(0, count).Select(row =>
            Enumerable.Range(0, columns).OrderByDescending(column => parts[row * columns + column]).ThenBy(column => column).Take(reasons).ToArray())];
        var expected = new string[count * columns];
        var random = new SeededRandom(seed);
        using var sampler = Open(TableGraphs.Sampler(Schema, Parameters, conditional: true, typed: false, neverMissing: true));
        int at = 0;
        for (int c = 0; c < columns; c++)
        {
            int own = Schema.Codecs[c].HasLeaves ? 2 : 1;
            int[] asked = [.. Enumerable.Range(0, count).Where(row => worst[row].Contains(c))];
            foreach (int[] part in asked.Chunk(BlockSize / Draws))
            {
                cancellationToken.ThrowIfCancellationRequested();
                long[] given = [.. part.SelectMany(row => tokens[(row * width)..((row + 1) * width)])];
                for (int i = 0; i < part.Length; i++)
                    given.AsSpan(i * width + at, own).Fill(-1);
                var drawn = new Drawn(Schema, part.Length * Draws);
                drawn.Take(sampler, 0, part.Length * Draws, random, Repeat(given, width, Draws));
                for (int i = 0; i < part.Length; i++)
                    expected[part[i] * columns + c] = Middle(drawn.Columns[c], Schema.Codecs[c], i * Draws, Draws);
            }
            at += own;
        }
        return [.. Enumerable.Range(0, count).Select(row => new TableExplanation(row, scores[row],
            [.. worst[row].Select(c => new TableReason(raw[c].Name, TableFile.Cell(raw[c], row), expected[row * columns + c], parts[row * columns + c]))]))];

        static T[] Repeat<T>(T[] values, int width, int times) => [.. values.Chunk(width).SelectMany(row => Enumerable.Repeat(row, times).SelectMany(part => part))];
    }

    /// <summary>The median of drawn numbers, the most frequent of other values.</summary>
    private static string Middle(RawColumn column, ColumnCodec codec, int start, int draws)
    {
        int[] places = [.. Enumerable.Range(start, draws)];
        if (column.Numbers is { } numbers && codec.IsNumber && codec.Kind != ColumnKind.Category)
            places = [.. places.OrderBy(place => numbers[place])];
        else
            places = [.. places.GroupBy(place => TableFile.Cell(column, place)).MaxBy(group => group.Count())!];
        return TableFile.Cell(column, places[places.Length / 2]);
    }

    /// <summary>Score and each column's part of it, [rows] and [rows, columns].</summary>
    private (float[] Scores, float[] Parts) Contributions(TableDataView rows, CancellationToken cancellationToken)
    {
        var names = new TableColumnNames("Latent", "Score", "Contributions");
        string[] inputs = [.. Enumerable.Range(0, Schema.Codecs.Count).Select(i => OnnxGraph.Internal(Check.Invariant($"cell/{i}")))];
        var scores = new List<float>();
        var parts = new List<float>();
        using var session = Open(TableGraphs.Rows(Schema, Parameters, names with { Latent = OnnxGraph.Internal("latent"), Contributions = OnnxGraph.Internal("parts") }, inputs));
        Blocks(rows, session, inputs, [OutputColumn.VectorName(names.Score), OnnxGraph.Internal("parts")], (_, results) =>
        {
            scores.AddRange(results[0].GetTensorDataAsSpan<float>());
            parts.AddRange(results[1].GetTensorDataAsSpan<float>());
        }, cancellationToken);
        return ([.. scores], [.. parts]);
    }

    /// <summary>Scores of rows with the model's columns.</summary>
    internal float[] Scores(TableDataView rows, CancellationToken cancellationToken) => Contributions(rows, cancellationToken).Scores;

    /// <summary>The model's columns of some rows, in memory.</summary>
    private RawColumn[] Read(IDataView rows, CancellationToken cancellationToken)
    {
        foreach (var codec in Schema.Codecs)
        {
            string type = Columns.Single(column => column.Name == codec.Name).Type;
            if (rows.Schema.GetColumnOrNull(codec.Name) is not { } found)
                throw Check.SchemaMismatch(nameof(rows), codec.Name, type, "no such column");
            if (!found.Type.Equals(RawTable.TypeOf(type)))
                throw Check.SchemaMismatch(nameof(rows), codec.Name, type, found.Type.ToString()!);
        }
        return RawTable.Read(rows, [.. Schema.Codecs.Select(codec => codec.Name)], cancellationToken);
    }

    private static RawColumn Fill(RawColumn column, ColumnCodec codec, int[] gaps, RawColumn[] draws)
    {
        if (column.Numbers is { } numbers)
        {
            double[] filled = [.. numbers];
            for (int i = 0; i < gaps.Length; i++)
            {
                if (!double.IsNaN(filled[gaps[i]]))
                    continue;
                double mean = draws.Average(draw => draw.Numbers![i]);
                double scale = Math.Pow(10, Math.Max(codec.Decimals, 0));
                filled[gaps[i]] = codec.Kind == ColumnKind.Category ? draws.GroupBy(draw => draw.Numbers![i]).MaxBy(group => group.Count())!.Key
                    : codec.Step > 0 ? Math.Round(mean / codec.Step) * codec.Step
                    : codec.Decimals >= 0 ? Math.Round(mean * scale) / scale : mean;
            }
            return RawColumn.OfNumbers(column.Name, column.Type, filled);
        }
        int[] codes = [.. column.Codes!];
        List<string> texts = [.. column.Texts!];
        var places = texts.Select((text, place) => (text, place)).ToDictionary(pair => pair.text, pair => pair.place, StringComparer.Ordinal);
        for (int i = 0; i < gaps.Length; i++)
        {
            if (codes[gaps[i]] >= 0)
                continue;
            // Ties go to the more frequent value, which comes first.
            var most = draws.Select(draw => draw.Codes![i]).Where(code => code >= 0).GroupBy(code => code).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).FirstOrDefault();
            if (most is null)
                continue;
            string text = draws[0].Texts![most.Key];
            if (!places.TryGetValue(text, out int place))
            {
                places[text] = place = texts.Count;
                texts.Add(text);
            }
            codes[gaps[i]] = place;
        }
        return RawColumn.OfTexts(column.Name, column.Type, codes, texts);
    }

    /// <summary>
    /// Writes the graph that draws rows: <c>Noise</c> [N, tokens + columns], uniform between 0 and 1, to one output [N, 1] for each column, of its own type. OnnxRuntime
    /// alone runs it.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">A column is called Noise, as the graph's input is.</exception>
    public void ExportSampler(string path) => AtomicFile.WriteAllBytes(path, ToSamplerOnnx());

    /// <summary>The file that <see cref="ExportSampler"/> writes, as bytes.</summary>
    /// <returns>An ONNX model.</returns>
    /// <exception cref="InvalidOperationException">A column is called Noise, as the graph's input is.</exception>
    public byte[] ToSamplerOnnx() => TableGraphs.Sampler(Schema, Parameters, conditional: false, typed: true, neverMissing: false);

    /// <summary>
    /// Writes the graph of rows: each column as an input [N, 1] of its own type to <c>Latent</c> [N, latent], <c>Score</c> (under the name that
    /// ML.NET's scalar columns have in files, [N, 1]) and <c>Contributions</c> [N, columns]. <see cref="FromOnnx(string)"/> reads the model back.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.WriteAllBytes(path, ToOnnx());

    /// <summary>The file that <see cref="Save"/> writes, as bytes.</summary>
    /// <returns>An ONNX model.</returns>
    public byte[] ToOnnx() => TableGraphs.Rows(Schema, Parameters, new("Latent", "Score", "Contributions"));

    /// <summary>Reads a model back.</summary>
    /// <param name="path">A file written by <see cref="Save"/>, or the ONNX model out of a saved pipeline.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no table's model of this library and format version.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static TableVaeModel FromOnnx(string path) => Read(OnnxFile.Read(path));

    /// <summary>Reads a model back from bytes; see <see cref="FromOnnx(string)"/>.</summary>
    /// <param name="model">An ONNX model.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InvalidDataException">It is damaged, or holds no table's model of this library and format version.</exception>
    public static TableVaeModel FromOnnx(byte[] model) => Read(OnnxFile.Parse(model, "ONNX bytes"));

    /// <summary>Reads the one table's model out of a pipeline that ML.NET saved.</summary>
    /// <param name="path">A file written by <c>mlContext.Model.Save</c>.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or it holds no table's model or several.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static TableVaeModel FromPipeline(string path)
    {
        PipelineArchive.Entry[] found = [.. PipelineArchive.Read(path).Where(entry => entry.Kind == VaeMetadata.TableKind)];
        return found.Length == 1
            ? Read(OnnxFile.Parse(found[0].Model, PipelineArchive.Name(path, found[0].Name)))
            : throw Check.BadFile(path, Check.Invariant($"it holds {found.Length} autoencoders of tables; one is expected."));
    }

    internal static TableVaeModel Read(OnnxFile file)
    {
        if (file.Kind != VaeMetadata.TableKind)
            throw Check.BadFile(file.Name, $"it holds '{OnnxFile.Shown(file.Kind)}'; '{VaeMetadata.TableKind}' is expected.");
        var schema = TableSchema.FromJson(file.Required(VaeMetadata.Table), file.Name);
        var parameters = new List<float>();
        foreach (var (name, shape, _) in schema.Shape.Parameters)
        {
            // How wide the posterior is matters in the training alone, and is not in the file.
            float[]? found = file.Floats(name, shape);
            if (found is null && name.StartsWith("encoder.sigma", StringComparison.Ordinal))
                found = new float[shape.Aggregate(1L, (product, dim) => product * dim)];
            parameters.AddRange(found ?? throw Check.BadFile(file.Name, $"the parameter '{name}' is missing."));
        }
        return new(schema, [.. parameters]);
    }

    private RawColumn Condition(ColumnCodec codec, IReadOnlyDictionary<string, object> where)
    {
        var type = RawTable.TypeOf(Columns.Single(column => column.Name == codec.Name).Type);
        where.TryGetValue(codec.Name, out object? asked);
        if (type is TextDataViewType)
        {
            string text = asked as string ?? Convert.ToString(asked, System.Globalization.CultureInfo.InvariantCulture) ?? "";
            return RawColumn.OfTexts(codec.Name, type, [text.Length > 0 ? 0 : -1], [text]);
        }
        double number = asked switch
        {
            null or "" => double.NaN,
            DateTime date when type is DateTimeDataViewType => RawColumn.OfDate(date),
            string text when type is DateTimeDataViewType && CellTexts.TryDate(text, out var date) => RawColumn.OfDate(date),
            _ when type is DateTimeDataViewType => throw Check.Argument(nameof(where), $"The column '{codec.Name}' holds dates; '{asked}' is none as yyyy-MM-dd, with or without a time HH:mm:ss."),
            bool flag => flag ? 1 : 0,
            string text when bool.TryParse(text, out bool flag) => flag ? 1 : 0,
            string text when double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out double parsed) => parsed,
            IConvertible value and not string => value.ToDouble(System.Globalization.CultureInfo.InvariantCulture),
            _ => throw Check.Argument(nameof(where), $"The column '{codec.Name}' is of type {type}; '{asked}' is no value of it."),
        };
        return RawColumn.OfNumbers(codec.Name, type, [number]);
    }

    /// <summary>Tokens that are given, [rows, tokens]; -1 where a cell is missing.</summary>
    private long[] Given(TableDataView rows, CancellationToken cancellationToken)
    {
        int width = Schema.Shape.Tokens;
        var tokens = new long[(int)rows.GetRowCount()!.Value * width];
        // The columns of a table may be called as the graph's own output.
        string[] inputs = [.. Enumerable.Range(0, Schema.Codecs.Count).Select(i => OnnxGraph.Internal(Check.Invariant($"cell/{i}")))];
        using var session = Open(TableGraphs.Given(Schema, Parameters, inputs));
        Blocks(rows, session, inputs, [TableGraphs.TokensOutput],
            (start, results) => results[0].GetTensorDataAsSpan<long>().CopyTo(tokens.AsSpan(start * width)), cancellationToken);
        return tokens;
    }

    /// <summary>Runs a graph of typed columns over all rows, block by block.</summary>
    private void Blocks(TableDataView rows, InferenceSession session, string[] inputNames, string[] outputNames, Action<int, IReadOnlyList<OrtValue>> take, CancellationToken cancellationToken)
    {
        var tensors = new TableTensors([.. Enumerable.Range(0, Schema.Codecs.Count)], BlockSize);
        using var cursor = rows.GetRowCursor(rows.Schema);
        var read = tensors.CreateReader(cursor);
        int filled = 0, start = 0;
        while (cursor.MoveNext())
        {
            read(filled++);
            if (filled == BlockSize)
                Run();
        }
        if (filled > 0)
            Run();

        void Run()
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var inputs = tensors.Inputs(filled);
            using var options = new RunOptions();
            using var results = session.Run(options, inputNames, inputs.Values, outputNames);
            take(start, results);
            start += filled;
            filled = 0;
        }
    }

    private static InferenceSession Open(byte[] model)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        options.AddSessionConfigEntry("session.load_model_format", "ONNX");
        return new(model, options);
    }

    private static void FillUniform(SeededRandom random, Span<float> values)
    {
        // Rounded to single precision a number close to one would become one.
        for (int i = 0; i < values.Length; i++)
            values[i] = Math.Min((float)random.NextUniform(), 1 - 1f / (1 << 24));
    }

    /// <summary>Drawn rows.</summary>
    private sealed class Drawn
    {
        private readonly TableSchema _schema;
        private readonly int _rows;

        public Drawn(TableSchema schema, int rows)
        {
            _schema = schema;
            _rows = rows;
            Columns = [.. schema.Codecs.Select(codec =>
            {
                var type = RawTable.TypeOf(schema.Columns.Single(column => column.Name == codec.Name).Type);
                return type is TextDataViewType
                    ? RawColumn.OfTexts(codec.Name, type, new int[rows], [.. codec.Values, .. codec.Pooled.Select(item => item.Value)])
                    : RawColumn.OfNumbers(codec.Name, type, new double[rows]);
            })];
        }

        public RawColumn[] Columns { get; }

        public TableDataView ToView(IReadOnlyDictionary<string, RawColumn>? fixedCells = null) => new([.. Columns.Select(column =>
            fixedCells is not null && fixedCells.TryGetValue(column.Name, out var cell) ? cell.Select(new int[_rows]) : column)], _rows);

        /// <summary>Draws rows, beside given cells where there are any.</summary>
        public void Take(InferenceSession session, int start, int rows, SeededRandom random, long[]? given = null)
        {
            int width = _schema.Shape.Tokens + _schema.Codecs.Count;
            var noise = new float[rows * width];
            FillUniform(random, noise);
            using var cells = OrtValue.CreateTensorValueFromMemory(noise, [rows, width]);
            using var tokens = given is null ? null : OrtValue.CreateTensorValueFromMemory(given, [rows, _schema.Shape.Tokens]);
            using var options = new RunOptions();
            using var results = session.Run(options, tokens is null ? [TableGraphs.CellNoise] : [TableGraphs.CellNoise, TableGraphs.GivenInput], tokens is null ? [cells] : [cells, tokens],
                [.. Enumerable.Range(0, Columns.Length).Select(TableGraphs.DrawnName)]);
            for (int c = 0; c < Columns.Length; c++)
                Copy(results[c], Columns[c], start, rows);
        }

        private static void Copy(OrtValue value, RawColumn column, int start, int rows)
        {
            if (column.Codes is { } codes)
            {
                var places = value.GetTensorDataAsSpan<long>();
                for (int row = 0; row < rows; row++)
                    codes[start + row] = (int)places[row];
                return;
            }
            var numbers = column.Numbers.AsSpan(start, rows);
            if (column.Type is BooleanDataViewType)
                Convert(value.GetTensorDataAsSpan<bool>(), numbers, flag => flag ? 1 : 0);
            else if (column.Type == NumberDataViewType.Single)
                Convert(value.GetTensorDataAsSpan<float>(), numbers, number => number);
            else if (column.Type == NumberDataViewType.Double)
                value.GetTensorDataAsSpan<double>().CopyTo(numbers);
            else if (column.Type == NumberDataViewType.Int32)
                Convert(value.GetTensorDataAsSpan<int>(), numbers, number => number);
            else if (column.Type is DateTimeDataViewType)
                Convert(value.GetTensorDataAsSpan<long>(), numbers, ticks => ticks == 0 ? double.NaN : ticks);
            else
                Convert(value.GetTensorDataAsSpan<long>(), numbers, number => number);

            static void Convert<T>(ReadOnlySpan<T> from, Span<double> to, Func<T, double> convert)
            {
                for (int i = 0; i < to.Length; i++)
                    to[i] = convert(from[i]);
            }
        }
    }
}
