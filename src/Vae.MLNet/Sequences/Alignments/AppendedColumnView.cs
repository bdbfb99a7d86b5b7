using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Sequences;

/// <summary>A view with a column of numbers added that belong to the rows in their order, which is why it does not shuffle.</summary>
internal sealed class AppendedColumnView : IDataView
{
    private readonly IDataView _input;
    private readonly ReadOnlyMemory<float> _values;

    public AppendedColumnView(IDataView input, string name, ReadOnlyMemory<float> values)
    {
        _input = input;
        _values = values;
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input.Schema);
        builder.AddColumn(name, NumberDataViewType.Single);
        Schema = builder.ToSchema();
    }

    public bool CanShuffle => false;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => _values.Length;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = new bool[Schema.Count];
        foreach (var column in Check.NotNull(columnsNeeded))
            active[column.Index] = true;
        return new Cursor(_input.GetRowCursor(_input.Schema.Where(column => active[column.Index])), this, active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded)];

    private sealed class Cursor(DataViewRowCursor input, AppendedColumnView view, bool[] active) : DataViewRowCursor
    {
        public override DataViewSchema Schema => view.Schema;

        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override bool MoveNext()
        {
            bool moved = input.MoveNext();
            if (moved && input.Position >= view._values.Length)
                throw new InvalidOperationException(Check.Invariant($"The data has more than the {view._values.Length} rows that were weighed; data that does not change is expected."));
            return moved;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (column.Index >= active.Length || !active[column.Index])
                throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' was not asked for when the cursor was made.");
            if (column.Index < view._input.Schema.Count)
                return input.GetGetter<TValue>(view._input.Schema[column.Index]);
            ValueGetter<float> getter = (ref float value) => value = view._values.Span[checked((int)input.Position)];
            return getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
                $"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}' was asked for, '{typeof(float)}' is there.");
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                input.Dispose();
            base.Dispose(disposing);
        }
    }
}
