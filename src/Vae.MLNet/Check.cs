using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet;

/// <summary>The one place that checks arguments and words the errors: what is wrong, what was expected, what was found.</summary>
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

    /// <summary>A column that becomes a value of a network's graph: it may not have the name of one of the graph's parameters, by which files are read back.</summary>
    public static string GraphColumnName([NotNull] string? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        ColumnName(value, name);
        return !ParameterName().IsMatch(value) ? value
            : throw Argument(name, $"A column may not be called '{value}': that is the name of a parameter in the model's file.");
    }

    [GeneratedRegex(@"^((encoder|decoder)\.\d+|posterior|output)\.(weight|bias)$|^noise\.logSigma$|^scaling\.(offset|factor)$")]
    private static partial Regex ParameterName();

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

    public static float Positive(float value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value > 0) || !float.IsFinite(value))
            throw OutOfRange(name, value, "positive and finite");
        return value;
    }

    public static T Defined<T>(T value, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
            throw OutOfRange(name, value, "one of " + string.Join(", ", Enum.GetNames<T>()));
        return value;
    }

    public static ArgumentOutOfRangeException OutOfRange(string name, object? value, string expected) =>
        new(ShortName(name), value, Invariant($"{ShortName(name)} has to be {expected}; it is {value ?? "null"}."));

    public static ArgumentException Argument(string name, string message) => new(message, ShortName(name));

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
    public static InvalidDataException BadFile(string file, string problem, Exception? inner = null) =>
        new($"'{file}': {problem}", inner);

    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    // "options.Beta" reads better as "Beta".
    private static string ShortName(string name) => name[(name.LastIndexOf('.') + 1)..];
}
