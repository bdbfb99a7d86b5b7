using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Pipelines;

/// <summary>An output of an exported pipeline and the column that it has to agree with, of the pipeline or of its first transforms.</summary>
/// <param name="Name">Name of the output.</param>
/// <param name="Value">The value that it is.</param>
/// <param name="Pipeline">The transforms that give the column.</param>
/// <param name="Column">Name of the column.</param>
internal sealed record CheckedOutput(string Name, PipelineValue Value, ITransformer Pipeline, string Column)
{
    /// <summary>Of a label, the transforms and the column that give its score.</summary>
    public (ITransformer Pipeline, string Column)? Score { get; init; }
}

/// <summary>
/// Compares every output of an exported graph with the pipeline, on every row. A transform with jumps, as an alignment at a shape without a longest axis or a label at
/// the threshold, may fall on either side by rounding: there the pipeline has to give what the graph gives for a row that differs by no more than rounding.
/// </summary>
internal sealed class PipelineCheck : IDisposable
{
    /// <summary>Size of the moves, relative to a number and to its column's spread, by which rows beside a jump are found.</summary>
    private const double Rounding = 1e-6;

    /// <summary>Moves tried at a row that does not agree: enough for every side of a few ties at once.</summary>
    private const int Moves = 64;

    private readonly DataViewSchema _schema;
    private readonly IReadOnlyDictionary<string, double[][]> _rows;
    private readonly Dictionary<string, double[]> _spread;
    private readonly Dictionary<ITransformer, PipelineReader> _readers = new(ReferenceEqualityComparer.Instance);

    private PipelineCheck(DataViewSchema schema, IReadOnlyDictionary<string, double[][]> rows, IReadOnlyList<CheckedOutput> outputs)
    {
        _schema = schema;
        _rows = rows;
        _spread = rows.ToDictionary(column => column.Key, column => Spread(column.Value));
        var wanted = outputs.Select(output => (output.Pipeline, output.Column)).Concat(outputs.Select(output => output.Score).OfType<(ITransformer, string)>());
        foreach (var group in wanted.GroupBy(item => item.Item1, item => item.Item2, ReferenceEqualityComparer.Instance))
            _readers.Add((ITransformer)group.Key!, new PipelineReader((ITransformer)group.Key!, schema, [.. group.Distinct()]));
    }

    /// <param name="model">The exported graph.</param>
    /// <param name="schema">Schema of the pipeline's data.</param>
    /// <param name="rows">Rows of the data, by column.</param>
    /// <param name="outputs">All outputs of the graph.</param>
    /// <param name="tolerance">Largest relative difference.</param>
    /// <returns>The largest relative difference found.</returns>
    /// <exception cref="InvalidOperationException">An output differs, or cannot be compared.</exception>
    public static double Run(byte[] model, DataViewSchema schema, IReadOnlyDictionary<string, double[][]> rows, IReadOnlyList<CheckedOutput> outputs, double tolerance)
    {
        var found = Graph(model, rows);
        using var check = new PipelineCheck(schema, rows, outputs);
        var columns = check._readers.ToDictionary(reader => reader.Key, reader => new Dictionary<string, double[][]>(), (IEqualityComparer<ITransformer>)ReferenceEqualityComparer.Instance);
        foreach (var (pipeline, reader) in check._readers)
        {
            foreach (string column in reader.Columns)
                columns[pipeline].Add(column, new double[PipelineRows.Count][]);
            for (int i = 0; i < PipelineRows.Count; i++)
            {
                foreach (var (column, values) in reader.Read(check.Row(i)))
                    columns[pipeline][column][i] = values;
            }
        }
        double largest = 0;
        foreach (var output in outputs)
        {
            double[][] expected = columns[output.Pipeline][output.Column];
            double error = output.Value.Threshold is { } threshold
                ? Labels(output, found[output.Name], expected, columns[output.Score!.Value.Pipeline][output.Score.Value.Column], threshold, tolerance)
                : check.Numbers(output, found[output.Name], expected, tolerance);
            largest = Math.Max(largest, error);
        }
        return largest;
    }

    public void Dispose()
    {
        foreach (var reader in _readers.Values)
            reader.Dispose();
    }

    private Dictionary<string, double[]> Row(int row) => _rows.ToDictionary(column => column.Key, column => column.Value[row]);

    private double Numbers(CheckedOutput output, double[][] found, double[][] expected, double tolerance)
    {
        int size = expected[0].Length;
        if (expected.Concat(found).FirstOrDefault(row => row.Length != size) is { } other)
            throw Refused(output, Check.Invariant($"has rows of {size} and of {other.Length} numbers"));
        if (expected.Count(row => row.All(double.IsFinite)) is var finite && finite < PipelineRows.Count / 2)
            throw Refused(output, Check.Invariant($"cannot be compared: the pipeline gives finite numbers for {finite} of {PipelineRows.Count} rows"));

        // What a number is usually: a small one among such is told from its neighbours, not from zero.
        double[] typical = [.. Enumerable.Range(0, size).Select(j => Math.Max(Median(expected.Select(row => Math.Abs(row[j]))), output.Value.Unit?.Invoke(j) ?? 0))];
        double typicalRow = output.Value.Mixes ? Median(expected.Select(Largest)) : 0;
        double largest = 0;
        for (int i = 0; i < PipelineRows.Count; i++)
        {
            double error = Error(expected[i], found[i]);
            if (!(error <= tolerance))
                error = Beside(i, error);
            largest = Math.Max(largest, error);
        }
        return largest;

        double Error(double[] wanted, double[] got)
        {
            double row = output.Value.Mixes ? Math.Max(typicalRow, Largest(wanted)) : 0, worst = 0;
            for (int j = 0; j < size; j++)
            {
                if (wanted[j].Equals(got[j]))
                    continue;
                double difference = Math.Abs(wanted[j] - got[j]) / Math.Max(Math.Max(Math.Abs(wanted[j]), typical[j]), Math.Max(row, double.Epsilon));
                worst = Math.Max(worst, double.IsNaN(difference) ? double.PositiveInfinity : difference);
            }
            return worst;
        }

        // The least difference from what the pipeline gives for the row moved by rounding.
        double Beside(int row, double error)
        {
            double least = error;
            var random = new Random(row);
            for (int move = 0; move < Moves && !(least <= tolerance); move++)
                least = Math.Min(least, Error(_readers[output.Pipeline].Read(Moved(row, random))[output.Column], found[row]));
            return least <= tolerance ? least : throw Refused(output, Check.Invariant(
                $"differs from the pipeline's column '{output.Column}' by {error:G4} of its size in row {row} of {PipelineRows.Count}; at most {tolerance} is allowed"));
        }
    }

    /// <summary>A label may differ where the score is at the threshold.</summary>
    private static double Labels(CheckedOutput output, double[][] found, double[][] expected, double[][] scores, float threshold, double tolerance)
    {
        double largest = 0, typical = Median(scores.Select(score => Math.Abs(score[0])));
        for (int i = 0; i < PipelineRows.Count; i++)
        {
            if (expected[i][0].Equals(found[i][0]))
                continue;
            double distance = Math.Abs(scores[i][0] - threshold) / Math.Max(Math.Max(Math.Abs(scores[i][0]), typical), double.Epsilon);
            if (!(distance <= tolerance))
            {
                throw Refused(output, Check.Invariant(
                    $"differs from the pipeline's label in row {i} of {PipelineRows.Count}, whose score of {scores[i][0]:G6} is not at the threshold of {threshold:G6}"));
            }
            largest = Math.Max(largest, distance);
        }
        return largest;
    }

    private static InvalidOperationException Refused(CheckedOutput output, string problem) =>
        new($"The exported graph does not agree with the pipeline: output '{output.Name}' {problem}. Nothing was written.");

    private Dictionary<string, double[]> Moved(int row, Random random)
    {
        var moved = Row(row);
        foreach (var (name, values) in moved.ToArray())
        {
            if (Item(_schema[name].Type) == NumberDataViewType.Single)
                moved[name] = [.. values.Select((value, j) => value + Rounding * Math.Max(Math.Abs(value), _spread[name][j]) * (2 * random.NextDouble() - 1))];
        }
        return moved;
    }

    private static DataViewType Item(DataViewType type) => (type as VectorDataViewType)?.ItemType ?? type;

    private static double[] Spread(double[][] rows) => [.. Enumerable.Range(0, rows[0].Length).Select(j =>
    {
        double[] values = [.. rows.Select(row => row[j]).Where(double.IsFinite)];
        double mean = values.Length > 0 ? values.Average() : 0;
        return values.Length > 0 ? Math.Sqrt(values.Average(value => (value - mean) * (value - mean))) : 0;
    })];

    private static double Largest(double[] row) => row.Length == 0 ? 0 : row.Max(Math.Abs);

    /// <summary>The middle one of the finite values; 0 without any.</summary>
    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Where(double.IsFinite).Order()];
        return sorted.Length == 0 ? 0 : sorted[sorted.Length / 2];
    }

    private static Dictionary<string, double[][]> Graph(byte[] model, IReadOnlyDictionary<string, double[][]> rows)
    {
        using var quiet = ExportCheck.QuietOptions();
        using var session = new InferenceSession(model, quiet);
        var graph = ModelProto.Parser.ParseFrom(model).Graph;
        var tensors = new List<OrtValue>();
        try
        {
            foreach (var input in graph.Input)
            {
                long[] shape = [PipelineRows.Count, .. input.Type.TensorType.Shape.Dim.Skip(1).Select(dim => dim.DimValue)];
                var numbers = rows[input.Name].SelectMany(row => row);
                tensors.Add((OnnxType)input.Type.TensorType.ElemType == OnnxType.Float
                    ? OrtValue.CreateTensorValueFromMemory(numbers.Select(value => (float)value).ToArray(), shape)
                    : OrtValue.CreateTensorValueFromMemory(numbers.Select(value => (long)value).ToArray(), shape));
            }
            using var options = new RunOptions();
            using var results = session.Run(options, [.. graph.Input.Select(input => input.Name)], tensors, [.. graph.Output.Select(output => output.Name)]);
            var found = new Dictionary<string, double[][]>();
            foreach (var (output, result) in graph.Output.Zip(results))
            {
                double[] numbers = (OnnxType)output.Type.TensorType.ElemType switch
                {
                    OnnxType.Float => [.. result.GetTensorDataAsSpan<float>().ToArray().Select(value => (double)value)],
                    OnnxType.Int64 => [.. result.GetTensorDataAsSpan<long>().ToArray().Select(value => (double)value)],
                    OnnxType.Bool => [.. result.GetTensorDataAsSpan<bool>().ToArray().Select(value => value ? 1.0 : 0.0)],
                    var type => throw new InvalidOperationException($"The output '{output.Name}' of the exported graph is {type} and cannot be compared. Nothing was written."),
                };
                found.Add(output.Name, [.. numbers.Chunk(Math.Max(1, numbers.Length / PipelineRows.Count))]);
            }
            return found;
        }
        finally
        {
            foreach (var tensor in tensors)
                tensor.Dispose();
        }
    }
}

/// <summary>Sends rows of numbers through transforms, one by one, and reads columns of what comes out.</summary>
internal sealed class PipelineReader : IDisposable
{
    private readonly ProbeRow _probe;
    private readonly DataViewRow _row;
    private readonly Dictionary<string, Func<double[]>> _getters = [];
    private IReadOnlyDictionary<string, double[]> _current = new Dictionary<string, double[]>();

    /// <exception cref="InvalidOperationException">A column is none that can be read as numbers.</exception>
    public PipelineReader(ITransformer pipeline, DataViewSchema schema, IReadOnlyList<string> columns)
    {
        Columns = columns;
        _probe = new ProbeRow(schema,
            column => Values(column) is { } values ? Array.ConvertAll(values, value => (float)value) : null,
            column => Values(column) is { } values ? Array.ConvertAll(values, value => (long)value) : null);
        var mapper = pipeline.GetRowToRowMapper(schema);
        DataViewSchema.Column[] wanted = [.. columns.Select(name => mapper.OutputSchema[name])];
        _row = mapper.GetRow(_probe, wanted);
        foreach (var column in wanted)
            _getters.Add(column.Name, Getter(_row, column));

        // A hidden column of the same name is not the one that transforms read.
        double[]? Values(DataViewSchema.Column column) => column.IsHidden ? null : _current.GetValueOrDefault(column.Name);
    }

    public IReadOnlyList<string> Columns { get; }

    /// <summary>Values of all columns for one row of the data; columns of the data that are not given are default.</summary>
    public IReadOnlyDictionary<string, double[]> Read(IReadOnlyDictionary<string, double[]> row)
    {
        _current = row;
        _probe.Next();
        return _getters.ToDictionary(getter => getter.Key, getter => getter.Value());
    }

    public void Dispose() => _row.Dispose();

    private static Func<double[]> Getter(DataViewRow row, DataViewSchema.Column column) => column.Type switch
    {
        VectorDataViewType { ItemType: var item } when item == NumberDataViewType.Single => Vector<float>(row, column, value => value),
        VectorDataViewType { ItemType: var item } when item == NumberDataViewType.Int64 => Vector<long>(row, column, value => value),
        var type when type == NumberDataViewType.Single => Scalar<float>(row, column, value => value),
        var type when type == NumberDataViewType.Int64 => Scalar<long>(row, column, value => value),
        var type when type == BooleanDataViewType.Instance => Scalar<bool>(row, column, value => value ? 1 : 0),
        var type => throw new InvalidOperationException($"The column '{column.Name}' of the pipeline is {type} and cannot be compared. Nothing was written."),
    };

    private static Func<double[]> Vector<T>(DataViewRow row, DataViewSchema.Column column, Converter<T, double> number)
    {
        var getter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> values = default;
        return () =>
        {
            getter(ref values);
            return [.. values.DenseValues().Select(value => number(value))];
        };
    }

    private static Func<double[]> Scalar<T>(DataViewRow row, DataViewSchema.Column column, Converter<T, double> number)
        where T : struct
    {
        var getter = row.GetGetter<T>(column);
        T value = default;
        return () =>
        {
            getter(ref value);
            return [number(value)];
        };
    }
}
