using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Scoring;

/// <summary>
/// A lazy view that computes the produced columns in blocks. One cursor reads a block of rows, keeping the active columns of each, has the
/// block computed at once, and then hands the rows out.
/// </summary>
internal sealed class BlockDataView : IDataView
{
    private readonly FittedTransformer _transformer;
    private readonly IDataView _input;
    private readonly IReadOnlyList<int> _inputColumns;

    public BlockDataView(FittedTransformer transformer, IDataView input)
    {
        _transformer = transformer;
        _input = input;
        _inputColumns = transformer.CheckInputColumns(input.Schema);
        Schema = transformer.GetOutputSchema(input.Schema);
    }

    public bool CanShuffle => _input.CanShuffle;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => _input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var (active, inputs, produces) = Needed(columnsNeeded);
        return Wrap(_input.GetRowCursor(inputs, rand), active, produces);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        var (active, inputs, produces) = Needed(columnsNeeded);
        return [.. _input.GetRowCursorSet(inputs, n, rand).Select(cursor => Wrap(cursor, active, produces))];
    }

    private (bool[] Active, IEnumerable<DataViewSchema.Column> Inputs, bool Produces) Needed(IEnumerable<DataViewSchema.Column> columnsNeeded)
    {
        var active = new bool[Schema.Count];
        var inputs = new SortedSet<int>();
        bool produces = false;
        foreach (var column in columnsNeeded)
        {
            active[column.Index] = true;
            produces |= column.Index >= _input.Schema.Count;
            inputs.UnionWith(column.Index < _input.Schema.Count ? [column.Index] : _inputColumns);
        }
        return (active, inputs.Select(index => _input.Schema[index]), produces);
    }

    private DataViewRowCursor Wrap(DataViewRowCursor cursor, bool[] active, bool produces)
    {
        if (!produces)
            return new PassThroughCursor(cursor, Schema, active);
        try
        {
            return new BlockCursor(cursor, Schema, active, _transformer);
        }
        catch
        {
            cursor.Dispose();
            throw;
        }
    }

    /// <summary>No produced column is asked for, so nothing is computed or kept.</summary>
    private sealed class PassThroughCursor(DataViewRowCursor input, DataViewSchema schema, bool[] active) : DataViewRowCursor
    {
        public override DataViewSchema Schema => schema;

        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override bool MoveNext() => input.MoveNext();

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Check.ActiveColumn(column, active);
            return input.GetGetter<TValue>(input.Schema[column.Index]);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                input.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class BlockCursor : DataViewRowCursor
    {
        private readonly DataViewRowCursor _input;
        private readonly FittedTransformer _transformer;
        private readonly bool[] _active;
        private readonly BlockScorer _scorer;
        private readonly Action<int> _read;
        private readonly ColumnBuffer?[] _buffers;
        private readonly ColumnBuffer[] _filled;
        private readonly ValueGetter<DataViewRowId> _idGetter;
        private readonly DataViewRowId[] _ids = new DataViewRowId[FittedTransformer.BlockSize];
        private readonly long[] _batches = new long[FittedTransformer.BlockSize];
        private long _position = -1;
        private int _current = -1;
        private int _count;
        private bool _ended, _disposed;

        public BlockCursor(DataViewRowCursor input, DataViewSchema schema, bool[] active, FittedTransformer transformer)
        {
            _input = input;
            _transformer = transformer;
            _active = active;
            Schema = schema;
            _idGetter = input.GetIdGetter();
            _buffers = new ColumnBuffer?[input.Schema.Count];
            for (int i = 0; i < _buffers.Length; i++)
            {
                if (active[i])
                    _buffers[i] = ColumnBuffer.Create(input, input.Schema[i], FittedTransformer.BlockSize);
            }
            _filled = [.. _buffers.OfType<ColumnBuffer>()];
            _scorer = transformer.NewScorer(input.Schema, FittedTransformer.BlockSize);
            try
            {
                _read = _scorer.CreateReader(input);
            }
            catch
            {
                _scorer.Dispose();
                throw;
            }
        }

        public override DataViewSchema Schema { get; }

        public override long Position => _position;

        public override long Batch => _current >= 0 ? _batches[_current] : _input.Batch;

        public override bool MoveNext()
        {
            if (_ended || _disposed)
                return false;
            if (++_current >= _count && !Fill())
            {
                _ended = true;
                _position = -1;
                _current = -1;
                return false;
            }
            _position++;
            return true;
        }

        private bool Fill()
        {
            _count = 0;
            while (_count < FittedTransformer.BlockSize && _input.MoveNext())
            {
                _read(_count);
                foreach (var buffer in _filled)
                    buffer.Read(_count);
                _idGetter(ref _ids[_count]);
                _batches[_count] = _input.Batch;
                _count++;
            }
            if (_count == 0)
                return false;
            _scorer.Run(_count);
            _current = 0;
            return true;
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = _ids[Current()];

        public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Check.ActiveColumn(column, _active);
            if (column.Index < _buffers.Length)
                return _buffers[column.Index]!.Getter<TValue>(column, Current);
            int output = column.Index - _buffers.Length;
            return BlockGetters.Produced<TValue>(_transformer.OutputColumns[output], _scorer, output, Current);
        }

        private int Current() =>
            _current >= 0 && !_disposed ? _current : throw new InvalidOperationException("The cursor is not on a row: call MoveNext first, and stop when it returns false.");

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_disposed)
            {
                _disposed = true;
                _scorer.Dispose();
                _input.Dispose();
            }
            base.Dispose(disposing);
        }
    }

    /// <summary>Keeps the values of one column for the rows of a block.</summary>
    private abstract class ColumnBuffer
    {
        public abstract void Read(int slot);

        public abstract Delegate CreateGetter(Func<int> current);

        public ValueGetter<TValue> Getter<TValue>(DataViewSchema.Column column, Func<int> current) =>
            CreateGetter(current) as ValueGetter<TValue> ?? throw new InvalidOperationException(
                $"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}' was asked for, '{column.Type.RawType}' is there.");

        public static ColumnBuffer Create(DataViewRow row, DataViewSchema.Column column, int capacity)
        {
            var type = column.Type is VectorDataViewType vector
                ? typeof(VectorBuffer<>).MakeGenericType(vector.ItemType.RawType)
                : typeof(ScalarBuffer<>).MakeGenericType(column.Type.RawType);
            return (ColumnBuffer)Activator.CreateInstance(type, row, column, capacity)!;
        }
    }

    private sealed class ScalarBuffer<T>(DataViewRow row, DataViewSchema.Column column, int capacity) : ColumnBuffer
    {
        private readonly T[] _values = new T[capacity];
        private readonly ValueGetter<T> _getter = row.GetGetter<T>(column);

        public override void Read(int slot) => _getter(ref _values[slot]);

        public override Delegate CreateGetter(Func<int> current) => (ValueGetter<T>)((ref T value) => value = _values[current()]);
    }

    private sealed class VectorBuffer<T>(DataViewRow row, DataViewSchema.Column column, int capacity) : ColumnBuffer
    {
        private readonly VBuffer<T>[] _values = new VBuffer<T>[capacity];
        private readonly ValueGetter<VBuffer<T>> _getter = row.GetGetter<VBuffer<T>>(column);

        public override void Read(int slot) => _getter(ref _values[slot]);

        public override Delegate CreateGetter(Func<int> current) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => _values[current()].CopyTo(ref value));
    }
}
