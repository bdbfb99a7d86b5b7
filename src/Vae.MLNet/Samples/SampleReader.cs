using System.Globalization;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Scoring;

namespace Vae.MLNet.Samples;

/// <summary>Reads tables that are to be compared, their columns matched by name.</summary>
internal static class SampleReader
{
    /// <summary>Rows between two looks at the cancellation token.</summary>
    private const int Stride = 1024;

    /// <summary>The options' names, for errors.</summary>
    private const string Ignored = "IgnoredColumns", Trained = "Training";

    private static readonly MethodInfo KeyTextsMethod = typeof(SampleReader).GetMethod(nameof(KeyTexts), BindingFlags.NonPublic | BindingFlags.Static)!;

    /// <param name="real">Real rows.</param>
    /// <param name="generated">Generated rows, with the same columns.</param>
    /// <param name="training">Rows trained on, with those columns and perhaps others, or null.</param>
    /// <param name="ignoredColumns">Columns that are left out.</param>
    /// <param name="operation">What the rows are read for; the start of an error's message.</param>
    /// <param name="token">Cancels.</param>
    public static (SampleTable Real, SampleTable Generated, SampleTable? Training) Read(
        IDataView real, IDataView generated, IDataView? training, IReadOnlyList<string> ignoredColumns, string operation, CancellationToken token)
    {
        Layout[] expected = Layouts(real, ignoredColumns, nameof(real));
        foreach (string ignored in ignoredColumns)
        {
            if (real.Schema.GetColumnOrNull(ignored) is null && generated.Schema.GetColumnOrNull(ignored) is null)
            {
                throw new ArgumentOutOfRangeException(Ignored,
                    $"There is no column '{ignored}' to leave out; the columns are {List(Visible(real.Schema).Select(column => column.Name))}.");
            }
        }
        if (expected.Length == 0)
            throw new ArgumentOutOfRangeException(nameof(real), "There are no columns to compare.");
        Layout[] found = Match(expected, generated, ignoredColumns, nameof(generated), exact: true);
        Layout[]? trained = training is null ? null : Match(expected, training, ignoredColumns, Trained, exact: false);
        return (Table(real, expected, nameof(real), operation, token), Table(generated, found, nameof(generated), operation, token),
            training is null ? null : Table(training, trained!, Trained, operation, token));
    }

    /// <summary>Reads one table's columns by the names that they had when others of its kind were read, slots as columns.</summary>
    /// <param name="view">The rows.</param>
    /// <param name="columns">The columns to read, each a column or a slot of one.</param>
    /// <param name="parameter">Name of the parameter, for errors.</param>
    /// <param name="token">Cancels.</param>
    public static SampleTable Read(IDataView view, IReadOnlyList<SampleInput> columns, string parameter, CancellationToken token)
    {
        var visible = Visible(view.Schema).ToDictionary(column => column.Name, StringComparer.Ordinal);
        string[] missing = [.. columns.Select(input => input.Name).Where(name => !visible.ContainsKey(name))];
        if (missing.Length > 0)
        {
            throw new ArgumentOutOfRangeException(parameter,
                $"The rows need the columns {List(columns.Select(input => input.Name))}. They lack {List(missing)}.");
        }
        Layout[] layouts = [.. columns.Select(input => Layout.Of(visible[input.Name], parameter).Arranged(input, parameter))];
        return Table(view, layouts, parameter, null, token);
    }

    /// <summary>The columns of a table, as they are to be found again in others.</summary>
    public static IReadOnlyList<SampleInput> Inputs(IDataView view, IReadOnlyList<string> ignoredColumns, string parameter) =>
        [.. Layouts(view, ignoredColumns, parameter).Select(layout => layout.Input())];

    private static IEnumerable<DataViewSchema.Column> Visible(DataViewSchema schema) => schema.Where(column => !column.IsHidden);

    private static Layout[] Layouts(IDataView view, IReadOnlyList<string> ignored, string parameter) =>
        [.. Visible(view.Schema).Where(column => !ignored.Contains(column.Name)).Select(column => Layout.Of(column, parameter))];

    /// <summary>The columns of another table in the order of the real one's, their slots too.</summary>
    private static Layout[] Match(Layout[] expected, IDataView view, IReadOnlyList<string> ignored, string parameter, bool exact)
    {
        var columns = Visible(view.Schema).Where(column => !ignored.Contains(column.Name)).ToDictionary(column => column.Name, StringComparer.Ordinal);
        string[] missing = [.. expected.Select(layout => layout.Name).Where(name => !columns.ContainsKey(name))];
        string[] surplus = exact ? [.. columns.Keys.Except(expected.Select(layout => layout.Name), StringComparer.Ordinal)] : [];
        if (missing.Length + surplus.Length > 0)
        {
            string lacks = missing.Length > 0 ? $" They lack {List(missing)}." : "", has = surplus.Length > 0 ? $" They have {List(surplus)} besides." : "";
            throw new ArgumentOutOfRangeException(parameter,
                $"The {Rows(parameter)} need the columns of the real ones, which are {List(expected.Select(layout => layout.Name))}.{lacks}{has} IgnoredColumns leaves columns out.");
        }
        return [.. expected.Select(layout => Layout.Of(columns[layout.Name], parameter).Arranged(layout, parameter))];
    }

    private static string Rows(string parameter) => parameter == Trained ? "training rows" : $"{parameter} rows";

    private static string List(IEnumerable<string> names)
    {
        const int Most = 20;
        string[] all = [.. names];
        string list = string.Join(", ", all.Take(Most).Select(name => $"'{name}'"));
        return all.Length <= Most ? list : Check.Invariant($"{list}, … ({all.Length} in all)");
    }

    private static SampleTable Table(IDataView view, Layout[] layouts, string parameter, string? operation, CancellationToken cancellationToken)
    {
        using var cursor = view.GetRowCursor(layouts.Select(layout => layout.Column));
        Reader[] readers = [.. layouts.Select(layout => MakeReader(cursor, layout))];
        for (long row = 0; cursor.MoveNext(); row++)
        {
            if (row % Stride == 0)
                cancellationToken.ThrowIfCancellationRequested();
            foreach (var reader in readers)
                reader.Read();
        }
        var table = new SampleTable([.. readers.SelectMany(reader => reader.Columns())]);
        if (operation is not null)
            table.RequireRows(operation, Rows(parameter));
        return table;
    }

    private static Reader MakeReader(DataViewRow row, Layout layout)
    {
        var item = layout.Item;
        if (item is TextDataViewType)
            return new CategoryReader<ReadOnlyMemory<char>>(row, layout, value => value);
        if (item is BooleanDataViewType)
            return new CategoryReader<bool>(row, layout, value => (value ? "True" : "False").AsMemory());
        if (item is KeyDataViewType)
        {
            var texts = Texts(layout.Column);
            return item.RawType == typeof(byte) ? new CategoryReader<byte>(row, layout, value => Key(value, texts))
                : item.RawType == typeof(ushort) ? new CategoryReader<ushort>(row, layout, value => Key(value, texts))
                : item.RawType == typeof(uint) ? new CategoryReader<uint>(row, layout, value => Key(value, texts))
                : new CategoryReader<ulong>(row, layout, value => Key(value, texts));
        }
        return item.RawType == typeof(float) ? new NumberReader<float>(row, layout, value => value)
            : item.RawType == typeof(double) ? new NumberReader<double>(row, layout, value => (float)value)
            : item.RawType == typeof(sbyte) ? new NumberReader<sbyte>(row, layout, value => value)
            : item.RawType == typeof(byte) ? new NumberReader<byte>(row, layout, value => value)
            : item.RawType == typeof(short) ? new NumberReader<short>(row, layout, value => value)
            : item.RawType == typeof(ushort) ? new NumberReader<ushort>(row, layout, value => value)
            : item.RawType == typeof(int) ? new NumberReader<int>(row, layout, value => value)
            : item.RawType == typeof(uint) ? new NumberReader<uint>(row, layout, value => value)
            : item.RawType == typeof(long) ? new NumberReader<long>(row, layout, value => value)
            : item.RawType == typeof(ulong) ? new NumberReader<ulong>(row, layout, value => value)
            : item.RawType == typeof(TimeSpan) ? new NumberReader<TimeSpan>(row, layout, value => (float)value.TotalSeconds)
            : item.RawType == typeof(DateTime) ? new NumberReader<DateTime>(row, layout, value => (float)(value - DateTime.UnixEpoch).TotalDays)
            : new NumberReader<DateTimeOffset>(row, layout, value => (float)(value - DateTimeOffset.UnixEpoch).TotalDays);
    }

    /// <summary>What a key stands for, or its number; empty where it is missing.</summary>
    private static ReadOnlyMemory<char> Key(ulong key, string[]? texts) =>
        key == 0 ? default
        : texts is null ? key.ToString(CultureInfo.InvariantCulture).AsMemory()
        : key <= (ulong)texts.Length ? texts[key - 1].AsMemory()
        : default;

    private static string[]? Texts(DataViewSchema.Column column) =>
        column.Annotations.Schema.GetColumnOrNull("KeyValues")?.Type is VectorDataViewType { ItemType: var item }
            ? (string[])KeyTextsMethod.MakeGenericMethod(item.RawType).Invoke(null, [column])! : null;

    private static string[] KeyTexts<T>(DataViewSchema.Column column)
    {
        VBuffer<T> values = default;
        column.GetKeyValues(ref values);
        return [.. values.DenseValues().Select(value => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")];
    }

    /// <summary>A column and how its slots are read.</summary>
    /// <param name="Column">The column.</param>
    /// <param name="Item">Type of a slot.</param>
    /// <param name="Order">Slots in the order of the real rows; null for a single value.</param>
    /// <param name="Slots">Names of the slots; null where there are none.</param>
    private sealed record Layout(DataViewSchema.Column Column, DataViewType Item, int[]? Order, string[]? Slots)
    {
        public string Name => Column.Name;

        public bool IsCategory => Item is TextDataViewType or BooleanDataViewType or KeyDataViewType;

        private string Kind => Check.Invariant($"{(IsCategory ? "categories" : "numbers")}{(Order is null ? "" : $" in {Order.Length} slots")} ({Check.TypeName(Column.Type)})");

        public static Layout Of(DataViewSchema.Column column, string parameter)
        {
            var vector = column.Type as VectorDataViewType;
            var item = vector?.ItemType ?? column.Type;
            bool known = item is TextDataViewType or BooleanDataViewType or KeyDataViewType or NumberDataViewType or TimeSpanDataViewType or DateTimeDataViewType
                or DateTimeOffsetDataViewType && vector is not { IsKnownSize: false };
            if (!known || vector is { IsKnownSize: false })
            {
                throw new ArgumentOutOfRangeException(parameter, $"Schema mismatch for input column '{column.Name}': expected numbers, text, keys or Boolean, or a vector of them of known "
                    + $"size, got {Check.TypeName(column.Type)}. IgnoredColumns leaves it out.");
            }
            string[]? slots = vector is null ? null : ColumnSlots.Names(column);
            bool unique = slots is not null && slots.All(name => name.Length > 0) && slots.Distinct(StringComparer.Ordinal).Count() == slots.Length;
            return new(column, item, vector is null ? null : [.. Enumerable.Range(0, vector.Size)], unique ? slots : null);
        }

        public SampleInput Input() => new(Name, Item.RawType, Item is KeyDataViewType, Order?.Length, Slots);

        /// <summary>The same column as another's, its slots in that one's order and under its names.</summary>
        public Layout Arranged(SampleInput real, string parameter) => Arranged(
            new Layout(Column, real.IsCategory ? TextDataViewType.Instance : NumberDataViewType.Single,
                real.Size is { } size ? [.. Enumerable.Range(0, size)] : null, real.Slots), parameter);

        /// <summary>The same column as another's, its slots in that one's order and under its names.</summary>
        public Layout Arranged(Layout real, string parameter)
        {
            if (IsCategory != real.IsCategory || Order is null != real.Order is null || Order?.Length != real.Order?.Length)
                throw Check.SchemaMismatch(parameter, Name, $"{real.Kind} as in the real rows", Kind);
            if (Slots is null || real.Slots is null)
                return this with { Slots = real.Slots };
            string[] lacking = [.. real.Slots.Except(Slots, StringComparer.Ordinal)], besides = [.. Slots.Except(real.Slots, StringComparer.Ordinal)];
            if (lacking.Length > 0)
                throw Check.SchemaMismatch(parameter, Name, $"the slots of the real rows, of which {List(lacking)} are missing", $"{List(besides)} in their place");
            return this with { Order = [.. real.Slots.Select(name => Array.IndexOf(Slots, name))], Slots = real.Slots };
        }

        public string[] Names() => Order is null ? [Name] : Slots is not null ? [.. Slots.Select(slot => $"{Name}.{slot}")]
            : [.. Enumerable.Range(0, Order.Length).Select(i => Check.Invariant($"{Name}[{i}]"))];
    }

    /// <summary>Reads one column, row after row.</summary>
    private abstract class Reader
    {
        public abstract void Read();

        public abstract IEnumerable<SampleColumn> Columns();
    }

    private abstract class Reader<T>(DataViewRow row, Layout layout) : Reader
    {
        private readonly ValueGetter<T>? _scalar = layout.Order is null ? row.GetGetter<T>(layout.Column) : null;
        private readonly ValueGetter<VBuffer<T>>? _vector = layout.Order is null ? null : row.GetGetter<VBuffer<T>>(layout.Column);
        private readonly T[] _values = new T[layout.Order?.Length ?? 1];
        private VBuffer<T> _buffer;

        protected string[] Names { get; } = layout.Names();

        public override void Read()
        {
            if (_scalar is not null)
            {
                _scalar(ref _values[0]);
                Add(0, _values[0]);
                return;
            }
            _vector!(ref _buffer);
            _buffer.CopyTo(_values);
            for (int i = 0; i < _values.Length; i++)
                Add(i, _values[layout.Order![i]]);
        }

        protected abstract void Add(int slot, T value);
    }

    private sealed class NumberReader<T>(DataViewRow row, Layout layout, Func<T, float> convert) : Reader<T>(row, layout)
    {
        private readonly List<float>[] _numbers = [.. layout.Names().Select(_ => new List<float>())];

        protected override void Add(int slot, T value) => _numbers[slot].Add(convert(value));

        public override IEnumerable<SampleColumn> Columns() => Names.Select((name, i) => SampleColumn.OfNumbers(name, [.. _numbers[i]]));
    }

    private sealed class CategoryReader<T>(DataViewRow row, Layout layout, Func<T, ReadOnlyMemory<char>> convert) : Reader<T>(row, layout)
    {
        private readonly SampleColumn.CategoryBuilder[] _categories = [.. layout.Names().Select(_ => new SampleColumn.CategoryBuilder())];

        protected override void Add(int slot, T value) => _categories[slot].Add(convert(value).Span);

        public override IEnumerable<SampleColumn> Columns() => Names.Select((name, i) => _categories[i].Column(name));
    }
}
