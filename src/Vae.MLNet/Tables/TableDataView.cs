using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tables;

/// <summary>Columns in memory as a view with types of their own.</summary>
internal sealed class TableDataView : IDataView
{
    private readonly IReadOnlyList<RawColumn> _columns;
    private readonly int _rows;

    public TableDataView(IReadOnlyList<RawColumn> columns, int rows)
    {
        _columns = columns;
        _rows = rows;
        var builder = new DataViewSchema.Builder();
        foreach (var column in columns)
            builder.AddColumn(column.Name, column.Type);
        Schema = builder.ToSchema();
    }

    public IReadOnlyList<RawColumn> Columns => _columns;

    public bool CanShuffle => true;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => _rows;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) => new Cursor(this, columnsNeeded, rand, 0, 1);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        DataViewSchema.Column[] needed = [.. columnsNeeded];
        // Batches of rows go round among the cursors, as ML.NET wants it to put them together again.
        return n <= 1 || rand is not null ? [GetRowCursor(needed, rand)] : [.. Enumerable.Range(0, n).Select(part => new Cursor(this, needed, null, part, n))];
    }

    private sealed class Cursor : DataViewRowCursor
    {
        private const int BatchRows = 256;

        private readonly TableDataView _owner;
        private readonly bool[] _active;
        private readonly int[]? _order;
        private readonly int _part, _parts;
        private long _position = -1;
        private int _row = -1;

        public Cursor(TableDataView owner, IEnumerable<DataViewSchema.Column> needed, Random? random, int part, int parts)
        {
            _owner = owner;
            _part = part;
            _parts = parts;
            _active = new bool[owner.Schema.Count];
            foreach (var column in needed)
                _active[column.Index] = true;
            if (random is not null)
            {
                _order = [.. Enumerable.Range(0, owner._rows)];
                random.Shuffle(_order);
            }
        }

        public override DataViewSchema Schema => _owner.Schema;

        public override long Position => _position;

        public override long Batch => _row < 0 ? 0 : _row / BatchRows;

        private int Row => _order is null ? _row : _order[_row];

        public override bool MoveNext()
        {
            int next = _row + 1;
            if (_row < 0)
                next = _part * BatchRows;
            else if (next % BatchRows == 0)
                next += (_parts - 1) * BatchRows;
            if (next >= _owner._rows)
            {
                _row = _owner._rows;
                _position = -1;
                return false;
            }
            _row = next;
            _position++;
            return true;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = new((ulong)Row, 0);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Check.ActiveColumn(column, _active);
            var data = _owner._columns[column.Index];
            Delegate getter;
            if (data.Texts is { } texts)
                getter = (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = data.Codes![Row] is >= 0 and int code ? texts[code].AsMemory() : default);
            else if (data.Type is BooleanDataViewType)
                getter = (ValueGetter<bool>)((ref bool value) => value = data.Numbers![Row] != 0);
            else if (data.Type is DateTimeDataViewType)
                getter = (ValueGetter<DateTime>)((ref DateTime value) => value = RawColumn.ToDate(data.Numbers![Row]));
            else if (data.Type == NumberDataViewType.Single)
                getter = (ValueGetter<float>)((ref float value) => value = (float)data.Numbers![Row]);
            else if (data.Type == NumberDataViewType.Double)
                getter = (ValueGetter<double>)((ref double value) => value = data.Numbers![Row]);
            else if (data.Type == NumberDataViewType.Int32)
                getter = (ValueGetter<int>)((ref int value) => value = (int)data.Numbers![Row]);
            else
                getter = (ValueGetter<long>)((ref long value) => value = (long)data.Numbers![Row]);
            return getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
                $"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}' was asked for, '{column.Type.RawType}' is there.");
        }
    }
}
