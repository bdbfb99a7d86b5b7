using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;

namespace Vae.MLNet.Tables;

/// <summary>Typed cells of some rows as tensors [rows, 1], one a column.</summary>
internal sealed class TableTensors(int[] columns, int capacity)
{
    private readonly Array[] _cells = new Array[columns.Length];

    /// <summary>A column without rows.</summary>
    public static RawColumn Empty(string name, DataViewType type) => type is TextDataViewType ? RawColumn.OfTexts(name, type, [], []) : RawColumn.OfNumbers(name, type, []);

    /// <summary>A delegate that copies the current row into the given slot.</summary>
    public Action<int> CreateReader(DataViewRow row)
    {
        Action<int>[] readers = [.. columns.Select((column, i) => Reader(row, row.Schema[column], i))];
        return slot =>
        {
            foreach (var reader in readers)
                reader(slot);
        };
    }

    private Action<int> Reader(DataViewRow row, DataViewSchema.Column column, int place)
    {
        if (column.Type is TextDataViewType)
        {
            var cells = new string[capacity];
            // A tensor of strings takes no null.
            Array.Fill(cells, "");
            _cells[place] = cells;
            var getter = row.GetGetter<ReadOnlyMemory<char>>(column);
            ReadOnlyMemory<char> value = default;
            return slot =>
            {
                getter(ref value);
                cells[slot] = value.IsEmpty ? "" : value.ToString();
            };
        }
        if (column.Type is BooleanDataViewType)
            return Read<bool>(row, column, place);
        if (column.Type is DateTimeDataViewType)
        {
            var cells = new long[capacity];
            _cells[place] = cells;
            var getter = row.GetGetter<DateTime>(column);
            DateTime value = default;
            return slot =>
            {
                getter(ref value);
                cells[slot] = value.Ticks;
            };
        }
        if (column.Type == NumberDataViewType.Single)
            return Read<float>(row, column, place);
        if (column.Type == NumberDataViewType.Double)
            return Read<double>(row, column, place);
        return column.Type == NumberDataViewType.Int32 ? Read<int>(row, column, place) : Read<long>(row, column, place);
    }

    private Action<int> Read<T>(DataViewRow row, DataViewSchema.Column column, int place)
    {
        var cells = new T[capacity];
        _cells[place] = cells;
        var getter = row.GetGetter<T>(column);
        return slot => getter(ref cells[slot]);
    }

    /// <summary>The first rows as OnnxRuntime takes them, to be disposed.</summary>
    public Block Inputs(int rows) => new([.. _cells.Select(cells => Tensor(cells, rows))]);

    private static OrtValue Tensor(Array cells, int rows)
    {
        long[] shape = [rows, 1];
        switch (cells)
        {
            case string[] texts:
                var tensor = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
                for (int row = 0; row < rows; row++)
                    tensor.StringTensorSetElementAt(texts[row].AsSpan(), row);
                return tensor;
            case bool[] flags:
                return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, flags.AsMemory(0, rows), shape);
            case float[] numbers:
                return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, numbers.AsMemory(0, rows), shape);
            case double[] numbers:
                return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, numbers.AsMemory(0, rows), shape);
            case int[] numbers:
                return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, numbers.AsMemory(0, rows), shape);
            default:
                return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, ((long[])cells).AsMemory(0, rows), shape);
        }
    }

    /// <summary>Tensors that are disposed together.</summary>
    public sealed class Block(OrtValue[] values) : IDisposable
    {
        public OrtValue[] Values => values;

        public void Dispose()
        {
            foreach (var value in values)
                value.Dispose();
        }
    }
}
