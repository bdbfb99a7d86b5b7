using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet;

/// <summary>Checks arguments, columns and their types; what both packages check is worded in <see cref="Guard"/>.</summary>
internal static partial class Check
{
    public static T NotNull<T>([NotNull] T? value, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : class
    {
        ArgumentNullException.ThrowIfNull(value, name);
        return value;
    }

    public static string ColumnName([NotNull] string? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(value, name);
        return value;
    }

    /// <summary>What the names of a graph's own values start with: parameters and intermediate values, all that is no column.</summary>
    public const string GraphSpace = "/vae/";

    /// <summary>A column that becomes a value of a graph: any name that a file can hold and that is none of the graph's own.</summary>
    public static string GraphColumnName([NotNull] string? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        ColumnName(value, name);
        if (value.Contains('\0', StringComparison.Ordinal))
            throw Argument(name, $"A column may not be called '{value.Replace("\0", "\\0", StringComparison.Ordinal)}': a name in a model's file ends at a NUL character.");
        if (value.StartsWith(GraphSpace, StringComparison.Ordinal))
            throw Argument(name, $"A column may not be called '{value}': names that start with '{GraphSpace}' are those of parameters and intermediate values in a model's file.");
        for (int i = 0; i < value.Length; i++)
        {
            if (char.IsSurrogatePair(value, i))
                i++;
            else if (char.IsSurrogate(value[i]))
                throw Argument(name, Invariant($"A column may not be called '{value}': half a character (U+{(int)value[i]:X4}) at {i} cannot be written to a model's file."));
        }
        return value;
    }

    /// <summary>An option that has to be a finite number in a range; the message gives name, range and value.</summary>
    public static T InRange<T>(T value, T min, T max, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : IComparable<T>
    {
        // A NaN compares below everything, so it fails the first test.
        if (!(value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0))
            throw OutOfRange(name, value, Invariant($"between {min} and {max}"));
        return value;
    }

    public static T AtLeast<T>(T value, T min, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : IComparable<T>
    {
        if (!(value.CompareTo(min) >= 0) || value is float f && !float.IsFinite(f) || value is double d && !double.IsFinite(d))
            throw OutOfRange(name, value, Invariant($"at least {min}"));
        return value;
    }

    public static float Positive(float value, [CallerArgumentExpression(nameof(value))] string name = "") => Guard.Positive(value, name);

    public static T Defined<T>(T value, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : struct, Enum => Guard.Defined(value, name);

    public static ArgumentOutOfRangeException OutOfRange(string name, object? value, string expected) => Guard.OutOfRange(name, value, expected);

    public static ArgumentException Argument(string name, string message) => new(message, Guard.ShortName(name));

    /// <summary>Finds a column and checks that it is a vector of <see cref="float"/> of known size; gives its index and size.</summary>
    public static (int Index, int Size) FloatVector(DataViewSchema schema, string column, string parameter, int? size = null)
    {
        if (schema.GetColumnOrNull(column) is not { } found)
            throw SchemaMismatch(parameter, column, Expected(size), "no such column");
        if (found.Type is not VectorDataViewType { ItemType: var item } vector || item != NumberDataViewType.Single)
            throw TypeMismatch(parameter, found, Expected(size), NumberDataViewType.Single, wantsVector: true);
        if (!vector.IsKnownSize || size is { } wanted && vector.Size != wanted)
            throw TypeMismatch(parameter, found, Expected(size), NumberDataViewType.Single, wantsVector: true);
        return (found.Index, vector.Size);

        static string Expected(int? size) => size is { } n ? Invariant($"Vector<Single, {n}>") : "Vector<Single> of known size";
    }

    /// <summary>A cursor's column that was asked for.</summary>
    public static void ActiveColumn(DataViewSchema.Column column, bool[] active)
    {
        if (column.Index >= active.Length || !active[column.Index])
            throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' is not active in this row.");
    }

    /// <summary>The exception that ML.NET itself throws where a schema does not fit.</summary>
    public static ArgumentOutOfRangeException SchemaMismatch(string parameter, string column, string expected, string found) =>
        new(parameter, $"Schema mismatch for input column '{column}': expected {expected}, got {found}{(found.EndsWith('.') ? "" : ".")}");

    /// <summary>A value that is not finite, named by column, row and slot.</summary>
    public static InvalidOperationException NotFinite(string column, long row, int slot, float value) =>
        new(Invariant($"Column '{column}' holds {value} in row {row}, slot {slot}; finite numbers are expected."));

    public static InvalidOperationException NoRows(string what) =>
        new($"{what}: the data has no rows; at least one is expected.");

    /// <summary>A file that is not what it has to be.</summary>
    public static InvalidDataException BadFile(string file, string problem, Exception? inner = null) => Guard.BadFile(file, problem, inner);

    public static string Invariant(FormattableString text) => Guard.Invariant(text);
}
