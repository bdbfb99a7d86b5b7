using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Sequences;

/// <summary>What every transform over tokens shares: the layout in a column's annotations, checks, and reading rows back into packed bytes.</summary>
internal static class TokenColumns
{
    /// <summary>Kind of the annotation that carries the layout as JSON text.</summary>
    public const string LayoutAnnotation = "SequenceLayout";

    public static DataViewSchema.Annotations Annotations(SequenceLayout layout)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        string json = layout.ToJson();
        string[] names = layout.ColumnNames();
        ValueGetter<ReadOnlyMemory<char>> text = (ref ReadOnlyMemory<char> value) => value = json.AsMemory();
        ValueGetter<VBuffer<ReadOnlyMemory<char>>> slots = (ref VBuffer<ReadOnlyMemory<char>> value) =>
        {
            var editor = VBufferEditor.Create(ref value, names.Length);
            for (int i = 0; i < names.Length; i++)
                editor.Values[i] = names[i].AsMemory();
            value = editor.Commit();
        };
        builder.Add("SlotNames", new VectorDataViewType(TextDataViewType.Instance, names.Length), slots);
        builder.Add(LayoutAnnotation, TextDataViewType.Instance, text);
        return builder.ToAnnotations();
    }

    /// <summary>The layout of a column, or null.</summary>
    public static SequenceLayout? Layout(DataViewSchema.Column column)
    {
        if (column.Annotations.Schema.GetColumnOrNull(LayoutAnnotation) is not { Type: TextDataViewType })
            return null;
        ReadOnlyMemory<char> text = default;
        column.Annotations.GetValue(LayoutAnnotation, ref text);
        return SequenceLayout.FromJson(text.ToString());
    }

    /// <summary>Finds a column and checks that it is a vector of <see cref="long"/> of known size; gives its index and size.</summary>
    public static (int Index, int Size) Find(DataViewSchema schema, string column, string parameter, int? size = null)
    {
        string expected = size is { } n ? Check.Invariant($"Vector<Int64, {n}>") : "Vector<Int64> of known size";
        if (schema.GetColumnOrNull(column) is not { } found)
            throw Check.SchemaMismatch(parameter, column, expected, "no such column");
        if (found.Type is not VectorDataViewType { ItemType: var item } vector || item != NumberDataViewType.Int64)
            throw Check.TypeMismatch(parameter, found, expected, NumberDataViewType.Int64, wantsVector: true);
        if (!vector.IsKnownSize || size is { } wanted && vector.Size != wanted)
            throw Check.SchemaMismatch(parameter, column, expected, Check.TypeName(found.Type));
        return (found.Index, vector.Size);
    }

    /// <summary>Finds a tokens column together with the layout that it has to carry.</summary>
    public static (int Index, SequenceLayout Layout) FindWithLayout(DataViewSchema schema, string column, string parameter)
    {
        var (index, size) = Find(schema, column, parameter);
        var layout = Layout(schema[index])
            ?? throw Check.SchemaMismatch(parameter, column, "a tokens column with a sequence layout (as LoadAlignment makes)", "a column without layout");
        if (layout.Length != size)
            throw Check.SchemaMismatch(parameter, column, Check.Invariant($"Vector<Int64, {layout.Length}> as its layout says"), Check.TypeName(schema[index].Type));
        return (index, layout);
    }

    public static void Require(SchemaShape shape, string column)
    {
        foreach (var found in shape)
        {
            if (found.Name != column)
                continue;
            if (found.Kind != SchemaShape.Column.VectorKind.Vector || found.ItemType != NumberDataViewType.Int64 || found.IsKey)
                throw Check.TypeMismatch("inputSchema", found, "Vector<Int64> of known size", NumberDataViewType.Int64, wantsVector: true);
            return;
        }
        throw Check.SchemaMismatch("inputSchema", column, "Vector<Int64> of known size", "no such column");
    }

    /// <summary>All rows as packed bytes, row-major, with weights where a column of them is named.</summary>
    public static (byte[] Tokens, int Count, float[]? Weights) Read(IDataView data, string column, SequenceLayout layout, string? weightColumn)
    {
        var (index, size) = Find(data.Schema, column, nameof(column), layout.Length);
        DataViewSchema.Column? weights = null;
        if (weightColumn is not null)
        {
            weights = data.Schema.GetColumnOrNull(weightColumn) ?? throw Check.SchemaMismatch(nameof(weightColumn), weightColumn, "Single", "no such column");
            if (weights.Value.Type != NumberDataViewType.Single)
                throw Check.TypeMismatch(nameof(weightColumn), weights.Value, "Single", NumberDataViewType.Single, wantsVector: false);
        }
        var tokens = new byte[Math.Max(1, Math.Min(data.GetRowCount() ?? 1024, Array.MaxLength / size)) * size];
        var values = new List<float>();
        int count = 0;
        using var cursor = data.GetRowCursor(weights is { } w ? [data.Schema[index], w] : [data.Schema[index]]);
        var getter = cursor.GetGetter<VBuffer<long>>(data.Schema[index]);
        var weightGetter = weights is { } found ? cursor.GetGetter<float>(found) : null;
        VBuffer<long> buffer = default;
        while (cursor.MoveNext())
        {
            if ((long)(count + 1) * size > tokens.Length)
                Array.Resize(ref tokens, (int)Math.Min(2L * tokens.Length, Array.MaxLength / size * size));
            getter(ref buffer);
            Pack(buffer, tokens.AsSpan(count * size, size), column, count, layout.Alphabet);
            if (weightGetter is not null)
            {
                float weight = 0;
                weightGetter(ref weight);
                if (!float.IsFinite(weight) || weight < 0)
                    throw new InvalidOperationException(Check.Invariant($"Column '{weightColumn}' holds {weight} in row {count}; a finite number of at least 0 is expected."));
                values.Add(weight);
            }
            count++;
        }
        if (count == 0)
            throw Check.NoRows($"Column '{column}'");
        Array.Resize(ref tokens, count * size);
        return (tokens, count, weightGetter is null ? null : [.. values]);
    }

    /// <summary>One row as bytes; a number that is no token is an error that names the place.</summary>
    public static void Pack(in VBuffer<long> row, Span<byte> target, string column, long rowIndex, SequenceAlphabet alphabet)
    {
        target.Clear();
        var values = row.GetValues();
        var indices = row.IsDense ? default : row.GetIndices();
        for (int i = 0; i < values.Length; i++)
        {
            int slot = row.IsDense ? i : indices[i];
            if ((ulong)values[i] > (ulong)alphabet.UnknownToken)
                throw new InvalidOperationException(Check.Invariant($"Column '{column}' holds {values[i]} in row {rowIndex}, slot {slot}; a token from 0 to {alphabet.UnknownToken} is expected."));
            target[slot] = (byte)values[i];
        }
    }
}
