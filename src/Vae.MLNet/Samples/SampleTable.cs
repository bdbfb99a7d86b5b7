using System.Runtime.InteropServices;

namespace Vae.MLNet.Samples;

/// <summary>A column of rows to compare: numbers, or categories.</summary>
internal sealed class SampleColumn
{
    private SampleColumn(string name, float[]? numbers, int[]? codes, IReadOnlyList<string> values)
    {
        Name = name;
        Numbers = numbers;
        Codes = codes;
        Values = values;
    }

    public string Name { get; }

    public bool IsCategory => Codes is not null;

    public int Rows => Numbers?.Length ?? Codes!.Length;

    /// <summary>One for each row, NaN where missing; null for categories.</summary>
    public float[]? Numbers { get; }

    /// <summary>Places in <see cref="Values"/>, -1 where missing; null for numbers.</summary>
    public int[]? Codes { get; }

    /// <summary>Each value once.</summary>
    public IReadOnlyList<string> Values { get; }

    /// <summary>A column of numbers; NaN is a missing one.</summary>
    public static SampleColumn OfNumbers(string name, float[] numbers) => new(name, numbers, null, []);

    /// <summary>A column of categories; null and empty text are missing ones.</summary>
    public static SampleColumn OfCategories(string name, IEnumerable<string?> categories)
    {
        var builder = new CategoryBuilder();
        foreach (string? category in categories)
            builder.Add(category);
        return builder.Column(name);
    }

    /// <summary>Collects categories, each kept once.</summary>
    public sealed class CategoryBuilder
    {
        private readonly List<int> _codes = [];
        private readonly List<string> _values = [];
        private readonly Dictionary<string, int> _places = new(StringComparer.Ordinal);

        /// <summary>Adds a value; empty text is a missing one.</summary>
        public void Add(ReadOnlySpan<char> value)
        {
            int code = -1;
            if (!value.IsEmpty)
            {
                ref int place = ref CollectionsMarshal.GetValueRefOrAddDefault(_places.GetAlternateLookup<ReadOnlySpan<char>>(), value, out bool known);
                if (!known)
                {
                    place = _values.Count;
                    _values.Add(value.ToString());
                }
                code = place;
            }
            _codes.Add(code);
        }

        public SampleColumn Column(string name) => new(name, null, [.. _codes], _values);
    }
}

/// <summary>A column of rows, as it is to be found again in other rows.</summary>
/// <param name="Name">Its name.</param>
/// <param name="RawType">Type of a value.</param>
/// <param name="IsKey">Whether the values are keys, which are read as what they stand for.</param>
/// <param name="Size">Slots of a vector; null for a single value.</param>
/// <param name="Slots">Names of the slots; null where there are none.</param>
internal sealed record SampleInput(string Name, Type RawType, bool IsKey, int? Size, string[]? Slots)
{
    public bool IsCategory => IsKey || RawType == typeof(ReadOnlyMemory<char>) || RawType == typeof(bool);
}

/// <summary>Rows to compare, column by column.</summary>
internal sealed class SampleTable
{
    public SampleTable(IReadOnlyList<SampleColumn> columns)
    {
        Columns = columns;
        Rows = columns.Count == 0 ? 0 : columns[0].Rows;
        foreach (var column in columns)
        {
            if (column.Rows != Rows)
                throw Check.Argument(nameof(columns), Check.Invariant($"Column '{column.Name}' has {column.Rows} rows, '{columns[0].Name}' has {Rows}; all have to be of one length."));
        }
    }

    /// <summary>Fewest rows of a table to compare.</summary>
    public const int FewestRows = 10;

    public IReadOnlyList<SampleColumn> Columns { get; }

    public int Rows { get; }

    /// <summary>Throws where there are too few rows.</summary>
    /// <param name="operation">What they are needed for.</param>
    /// <param name="what">What the rows are called.</param>
    public void RequireRows(string operation, string what)
    {
        if (Rows < FewestRows)
            throw new InvalidOperationException(Check.Invariant($"{operation}: the {what} are {Rows}; at least {FewestRows} are needed."));
    }

    /// <summary>A table of numbers from rows, such as the distances of conformations.</summary>
    /// <param name="rows">The rows, all of the length of <paramref name="names"/>.</param>
    /// <param name="names">Names of the columns.</param>
    public static SampleTable OfRows(IReadOnlyList<float[]> rows, IReadOnlyList<string> names)
    {
        var columns = names.Select(_ => new float[rows.Count]).ToArray();
        for (int i = 0; i < rows.Count; i++)
        {
            if (rows[i].Length != names.Count)
                throw Check.Argument(nameof(rows), Check.Invariant($"Row {i} has {rows[i].Length} numbers; {names.Count} are expected."));
            for (int j = 0; j < names.Count; j++)
                columns[j][i] = rows[i][j];
        }
        return new([.. names.Zip(columns, SampleColumn.OfNumbers)]);
    }
}
