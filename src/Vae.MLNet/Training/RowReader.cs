using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Training;

/// <summary>
/// One pass over the feature column, and the weight column where there is one, of a data view. Rows of weight 0 are passed over, neither read nor checked; all others
/// are checked as they are copied.
/// </summary>
internal sealed class RowReader : IDisposable
{
    /// <summary>Garbage that a streamed source may leave on the reading thread before it is collected.</summary>
    private const long Garbage = 48 << 20;

    private readonly string _featureColumn;
    private readonly VaeTrainer.Options _options;
    private readonly bool _allowMissing;
    private readonly DataViewRowCursor _cursor;
    private readonly ValueGetter<VBuffer<float>> _features;
    private readonly ValueGetter<float>? _weight;
    private VBuffer<float> _buffer;
    private long _collectAt;
    private double _total;

    /// <summary>Sums of weights times losses and squares are held in single precision.</summary>
    private const double LargestTotal = 1e18;

    /// <param name="data">The data.</param>
    /// <param name="featureColumn">A vector column of <see cref="float"/> of known size.</param>
    /// <param name="options">What the likelihood asks of the numbers, and the name of the weight column.</param>
    /// <param name="size">Size that the vectors have to have, where it is known.</param>
    /// <param name="allowMissing">Whether NaN may stand for a missing number.</param>
    public RowReader(IDataView data, string featureColumn, VaeTrainer.Options options, int? size, bool allowMissing = false)
    {
        _featureColumn = featureColumn;
        _options = options;
        _allowMissing = allowMissing;
        (int column, Features) = Check.FloatVector(data.Schema, featureColumn, nameof(data), size);
        var weightColumn = WeightColumn(data.Schema, options.ExampleWeightColumnName);
        _cursor = data.GetRowCursor(weightColumn is { } w ? [data.Schema[column], w] : [data.Schema[column]]);
        _features = _cursor.GetGetter<VBuffer<float>>(data.Schema[column]);
        _weight = weightColumn is { } active ? _cursor.GetGetter<float>(active) : null;
    }

    /// <summary>Numbers in a row.</summary>
    public int Features { get; }

    /// <summary>Place of the current row in the data, rows of weight 0 counted.</summary>
    public long Index { get; private set; } = -1;

    /// <summary>Weight of the current row; 1 without a weight column.</summary>
    public float Weight { get; private set; } = 1;

    public bool HasWeights => _weight is not null;

    /// <summary>Goes to the next row of positive weight.</summary>
    public bool Next()
    {
        while (_cursor.MoveNext())
        {
            Index++;
            if ((Index & 0xFFF) == 0)
                Pause();
            if (_weight is null)
                return true;
            float weight = 0;
            _weight(ref weight);
            if (!(weight >= 0) || !float.IsFinite(weight))
                throw new InvalidOperationException(Check.Invariant($"Column '{_options.ExampleWeightColumnName}' holds {weight} in row {Index}; weights are finite and not negative."));
            _total += weight;
            CheckTotal(_total, _options.ExampleWeightColumnName, Index);
            Weight = weight;
            if (weight > 0)
                return true;
        }
        return false;
    }

    /// <summary>Throws where the weights of a column add up to more than sums of losses can hold.</summary>
    public static void CheckTotal(double total, string? column, long row)
    {
        if (total > LargestTotal)
        {
            throw new InvalidOperationException(Check.Invariant($"Column '{column}' adds up to {total:G3} by row {row}; at most {LargestTotal:G3} is expected. ")
                + "Divide the weights: only their ratios count.");
        }
    }

    private void Pause()
    {
        _options.CancellationToken.ThrowIfCancellationRequested();
        if (_options.Streaming is null)
            return;
        // A source that makes objects for each row leaves gigabytes of garbage in a pass, and the runtime lets it grow to a multiple of the last-level cache, hundreds
        // of megabytes on servers, before it collects. All of it is dead by now, so that collecting the youngest generation takes next to no time and keeps the
        // promise that streaming makes.
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        if (allocated < _collectAt)
            return;
        if (_collectAt > 0)
            GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        _collectAt = allocated + Garbage;
    }

    /// <summary>Copies and checks the features of the current row.</summary>
    public void CopyTo(Span<float> row)
    {
        _features(ref _buffer);
        if (_buffer.Length != Features)
            throw Check.SchemaMismatch("data", _featureColumn, Check.Invariant($"vectors of {Features}"), Check.Invariant($"a vector of {_buffer.Length} in row {Index}"));
        if (_buffer.IsDense)
            _buffer.GetValues().CopyTo(row);
        else
            _buffer.CopyTo(row);
        TrainingData.CheckRow(row, _featureColumn, Index, _options, _allowMissing);
    }

    /// <summary>The error for data without any row that counts.</summary>
    public InvalidOperationException NoRows(string task = "Training") => Index < 0
        ? Check.NoRows($"{task} on column '{_featureColumn}'")
        : new InvalidOperationException($"Column '{_options.ExampleWeightColumnName}' is zero in every row; at least one row has to count.");

    private static DataViewSchema.Column? WeightColumn(DataViewSchema schema, string? name)
    {
        if (name is null)
            return null;
        var column = schema.GetColumnOrNull(name) ?? throw Check.SchemaMismatch("data", name, "Single", "no such column");
        if (column.Type != NumberDataViewType.Single)
            throw Check.TypeMismatch("data", column, "Single", NumberDataViewType.Single, wantsVector: false);
        return column;
    }

    public void Dispose() => _cursor.Dispose();
}
