using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tables;

/// <summary>Reads scalar columns of a view into memory.</summary>
internal static class RawTable
{
    /// <summary>Whether a column of that type can be a column of a table.</summary>
    public static bool Takes(DataViewType type) => type is TextDataViewType or BooleanDataViewType or DateTimeDataViewType
        || type is NumberDataViewType && (type == NumberDataViewType.Single || type == NumberDataViewType.Double || type == NumberDataViewType.Int32 || type == NumberDataViewType.Int64);

    public static string TypeName(DataViewType type) => type is TextDataViewType ? "Text" : type.RawType.Name;

    public static DataViewType TypeOf(string name) => name switch
    {
        "Single" => NumberDataViewType.Single,
        "Double" => NumberDataViewType.Double,
        "Int32" => NumberDataViewType.Int32,
        "Int64" => NumberDataViewType.Int64,
        "Boolean" => BooleanDataViewType.Instance,
        "DateTime" => DateTimeDataViewType.Instance,
        "Text" => TextDataViewType.Instance,
        _ => throw new InvalidDataException($"'{OnnxShown(name)}' is no type of a table's column."),
    };

    private static string OnnxShown(string text) => Onnx.OnnxFile.Shown(text);

    /// <summary>The named columns, in that order.</summary>
    public static RawColumn[] Read(IDataView view, IReadOnlyList<string> names, CancellationToken cancellationToken)
    {
        DataViewSchema.Column[] columns = [.. names.Select(name => view.Schema[name])];
        using var cursor = view.GetRowCursor(columns);
        Reader[] readers = [.. columns.Select(column => Reader.Of(cursor, column))];
        long rows = 0;
        while (cursor.MoveNext())
        {
            if (rows++ % 1024 == 0)
                cancellationToken.ThrowIfCancellationRequested();
            foreach (var reader in readers)
                reader.Read();
        }
        return [.. readers.Select(reader => reader.Finish())];
    }

    private abstract class Reader
    {
        public static Reader Of(DataViewRow row, DataViewSchema.Column column)
        {
            if (column.Type is TextDataViewType)
                return new Texts(row, column);
            if (column.Type is BooleanDataViewType)
                return new Numbers<bool>(row, column, value => value ? 1 : 0);
            if (column.Type is DateTimeDataViewType)
                return new Numbers<DateTime>(row, column, RawColumn.OfDate);
            if (column.Type == NumberDataViewType.Single)
                return new Numbers<float>(row, column, value => value);
            if (column.Type == NumberDataViewType.Double)
                return new Numbers<double>(row, column, value => value);
            if (column.Type == NumberDataViewType.Int32)
                return new Numbers<int>(row, column, value => value);
            return new Numbers<long>(row, column, value => value);
        }

        public abstract void Read();

        public abstract RawColumn Finish();
    }

    private sealed class Numbers<T>(DataViewRow row, DataViewSchema.Column column, Func<T, double> convert) : Reader
    {
        private readonly ValueGetter<T> _getter = row.GetGetter<T>(column);
        private readonly List<double> _values = [];
        private T _value = default!;

        public override void Read()
        {
            _getter(ref _value);
            _values.Add(convert(_value));
        }

        public override RawColumn Finish() => RawColumn.OfNumbers(column.Name, column.Type, [.. _values]);
    }

    private sealed class Texts(DataViewRow row, DataViewSchema.Column column) : Reader
    {
        private readonly ValueGetter<ReadOnlyMemory<char>> _getter = row.GetGetter<ReadOnlyMemory<char>>(column);
        private readonly List<int> _codes = [];
        private readonly List<string> _texts = [];
        private readonly Dictionary<string, int> _places = new(StringComparer.Ordinal);
        private ReadOnlyMemory<char> _value;

        public override void Read()
        {
            _getter(ref _value);
            if (_value.IsEmpty)
            {
                _codes.Add(-1);
                return;
            }
            var lookup = _places.GetAlternateLookup<ReadOnlySpan<char>>();
            if (!lookup.TryGetValue(_value.Span, out int place))
            {
                place = _texts.Count;
                _texts.Add(_value.ToString());
                _places[_texts[^1]] = place;
            }
            _codes.Add(place);
        }

        public override RawColumn Finish() => RawColumn.OfTexts(column.Name, column.Type, [.. _codes], _texts);
    }
}
