using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Data;

/// <summary>Arrays in memory as rows: one column an array, each value held once. Immutable, so any number of cursors may read at once.</summary>
internal sealed class NumPyDataView : IDataView
{
    /// <summary>Rows that a set of cursors hands out in turn.</summary>
    private const int BatchRows = 128;

    private readonly float[][] _values;
    private readonly int _rows;

    /// <param name="columns">Names, and arrays with at least one dimension, the first of which counts the rows.</param>
    public NumPyDataView(IReadOnlyList<(string Name, NumPyArray Array)> columns)
    {
        var builder = new DataViewSchema.Builder();
        foreach (var (name, array) in columns)
        {
            builder.AddColumn(name, array.Shape.Length == 1
                ? NumberDataViewType.Single
                : new VectorDataViewType(NumberDataViewType.Single, array.Shape[1..]));
        }
        Schema = builder.ToSchema();
        _values = [.. columns.Select(column => column.Array.Values)];
        _rows = columns[0].Array.Shape[0];
    }

    public bool CanShuffle => true;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => _rows;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new Cursor(this, Active(columnsNeeded), Order(rand), 0, 1);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        bool[] active = Active(columnsNeeded);
        int[]? order = Order(rand);
        int batches = Math.Max(1, (int)((_rows + (long)BatchRows - 1) / BatchRows));
        int count = Math.Clamp(n > 0 ? n : Environment.ProcessorCount, 1, batches);
        return [.. Enumerable.Range(0, count).Select(i => new Cursor(this, active, order, i, count))];
    }

    private bool[] Active(IEnumerable<DataViewSchema.Column> columnsNeeded)
    {
        var active = new bool[Schema.Count];
        foreach (var column in columnsNeeded)
            active[column.Index] = true;
        return active;
    }

    private int[]? Order(Random? rand)
    {
        if (rand is null)
            return null;
        var order = new int[_rows];
        for (int i = 0; i < order.Length; i++)
            order[i] = i;
        rand.Shuffle(order);
        return order;
    }

    /// <summary>Of the batches in order the ones whose number leaves <paramref name="part"/> when divided by <paramref name="parts"/>.</summary>
    private sealed class Cursor(NumPyDataView view, bool[] active, int[]? order, int part, int parts) : DataViewRowCursor
    {
        private long _next = (long)part * BatchRows;
        private long _position = -1;
        private long _batch = part;
        private int _row = -1;
        private bool _ended;

        public override DataViewSchema Schema => view.Schema;

        public override long Position => _position;

        public override long Batch => _batch;

        public override bool MoveNext()
        {
            if (_ended || _next >= view._rows)
            {
                _ended = true;
                _position = -1;
                _row = -1;
                return false;
            }
            _position++;
            _batch = _next / BatchRows;
            _row = order is null ? (int)_next : order[_next];
            _next++;
            if (_next % BatchRows == 0)
                _next += (long)(parts - 1) * BatchRows;
            return true;
        }

        /// <summary>The row's place in the file, also when shuffled.</summary>
        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new((ulong)Row(), 0);

        public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Check.ActiveColumn(column, active);
            float[] values = view._values[column.Index];
            Delegate getter;
            if (view.Schema[column.Index].Type is VectorDataViewType vector)
            {
                int width = vector.Size;
                getter = (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
                {
                    var row = values.AsSpan(Row() * width, width);
                    var editor = VBufferEditor.Create(ref value, width);
                    row.CopyTo(editor.Values);
                    value = editor.Commit();
                });
            }
            else
            {
                getter = (ValueGetter<float>)((ref float value) => value = values[Row()]);
            }
            return getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
                $"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}' was asked for, '{column.Type.RawType}' is there.");
        }

        private int Row() =>
            _row >= 0 ? _row : throw new InvalidOperationException("The cursor is not on a row: call MoveNext first, and stop when it returns false.");

        protected override void Dispose(bool disposing)
        {
            _ended = true;
            _row = -1;
            _position = -1;
            base.Dispose(disposing);
        }
    }
}
