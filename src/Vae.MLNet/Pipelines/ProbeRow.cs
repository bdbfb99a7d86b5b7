using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Pipelines;

/// <summary>
/// A row with values of its own choice in the float and long columns of any schema, for finding out what a transform does with them. Everything else is default.
/// </summary>
internal sealed class ProbeRow(DataViewSchema schema, Func<DataViewSchema.Column, float[]?> values, Func<DataViewSchema.Column, long[]?>? integers = null) : DataViewRow
{
    private long _position = -1;

    public override DataViewSchema Schema => schema;

    public override long Position => _position;

    public override long Batch => 0;

    /// <summary>Goes to the next row: getters ask for values anew.</summary>
    public void Next() => _position++;

    public override bool IsColumnActive(DataViewSchema.Column column) => true;

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)_position, 0);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (typeof(TValue) != column.Type.RawType)
            throw new InvalidOperationException($"Column '{column.Name}' is of {column.Type.RawType}; {typeof(TValue)} was asked for.");
        int size = column.Type is VectorDataViewType vector ? vector.Size : 1;
        ValueGetter<float> scalar = (ref float value) => value = values(column) is { } found ? found[0] : 0;
        ValueGetter<long> integer = (ref long value) => value = integers?.Invoke(column) is { } found ? found[0] : 0;
        ValueGetter<VBuffer<float>> floats = (ref VBuffer<float> value) => Fill(ref value, values(column) ?? new float[size]);
        ValueGetter<VBuffer<long>> longs = (ref VBuffer<long> value) => Fill(ref value, integers?.Invoke(column) ?? new long[size]);
        ValueGetter<TValue> nothing = (ref TValue value) => value = default!;
        return scalar as ValueGetter<TValue> ?? integer as ValueGetter<TValue> ?? floats as ValueGetter<TValue> ?? longs as ValueGetter<TValue> ?? nothing;
    }

    private static void Fill<T>(ref VBuffer<T> buffer, T[] values)
    {
        var editor = VBufferEditor.Create(ref buffer, values.Length);
        values.CopyTo(editor.Values);
        buffer = editor.Commit();
    }
}
