using System.Globalization;
using DecoderService.Models;

namespace DecoderService.Requests;

/// <summary>What is wrong with a request, by the field's name as it stands in the JSON.</summary>
internal sealed class FieldErrors
{
    private readonly Dictionary<string, string[]> _errors = [];

    public bool Any => _errors.Count > 0;

    public IResult Result() => TypedResults.ValidationProblem(_errors, title: "The request is not valid.");

    public static IResult Result(string field, string problem)
    {
        var errors = new FieldErrors();
        errors.Add(field, problem);
        return errors.Result();
    }

    /// <summary>Keeps the first problem of each field.</summary>
    public void Add(string field, string problem) => _errors.TryAdd(field, [problem]);

    public void Range(int value, int minimum, int maximum, string field)
    {
        if (value < minimum || value > maximum)
            Add(field, Text($"has to be from {minimum} to {maximum}; it is {value}."));
    }

    public void Range(float value, float minimum, float maximum, string field)
    {
        if (!(value >= minimum && value <= maximum))
            Add(field, Text($"has to be from {minimum} to {maximum}; it is {value}."));
    }

    public T OneOf<T>(string? text, string field)
        where T : struct, Enum
    {
        foreach (T value in Enum.GetValues<T>())
        {
            if (string.Equals(value.ToString(), text, StringComparison.OrdinalIgnoreCase))
                return value;
        }
        Add(field, $"has to be one of {string.Join(", ", Enum.GetNames<T>().Select(name => char.ToLowerInvariant(name[0]) + name[1..]))}; it is '{text}'.");
        return default;
    }

    /// <summary>One row of a known size whose numbers are within bounds.</summary>
    public void Row(float[]? row, int size, float limit, string field)
    {
        if (row is null)
        {
            Add(field, Text($"is needed: {size} numbers."));
            return;
        }
        if (row.Length != size)
            Add(field, Text($"has to hold {size} numbers; it holds {row.Length}."));
        for (int i = 0; i < row.Length; i++)
        {
            if (!(MathF.Abs(row[i]) <= limit))
            {
                Add(Text($"{field}[{i}]"), Text($"has to be from {-limit} to {limit}; it is {row[i]}."));
                return;
            }
        }
    }

    /// <summary>At least one row, each of a known size, as one array; null with an error added where they are not.</summary>
    public float[]? Rows(float[][]? rows, int size, int maximum, float limit, string field)
    {
        if (rows is null || rows.Length == 0 || rows.Length > maximum)
        {
            Add(field, Text($"has to hold from 1 to {maximum} rows of {size} numbers; it {(rows is null ? "is missing" : $"holds {rows.Length}")}."));
            return null;
        }
        var flat = new float[rows.Length * size];
        for (int i = 0; i < rows.Length; i++)
        {
            Row(rows[i], size, limit, Text($"{field}[{i}]"));
            if (Any)
                return null;
            rows[i].CopyTo(flat, i * size);
        }
        return flat;
    }

    /// <summary>
    /// Rows of data as one array, whatever they were given as; null with an error added where they do not fit the encoder.
    /// </summary>
    public float[]? Rows(FeatureRows? given, IRowEncoder encoder, int maximum, string field)
    {
        int size = encoder.InputSize;
        var (sequences, only) = encoder.Sequences;
        string what = only ? Text($"an aligned sequence of {size} letters") : Text($"{size} numbers");
        if (given is null || given.Rows.Count == 0 || given.Rows.Count > maximum)
        {
            Add(field, Text($"has to hold from 1 to {maximum} rows of {what}; it {(given is null ? "is missing" : Text($"holds {given.Rows.Count}"))}."));
            return null;
        }
        var flat = new float[given.Rows.Count * size];
        for (int i = 0; i < given.Rows.Count; i++)
        {
            var (numbers, named, sequence) = given.Rows[i];
            string row = Text($"{field}[{i}]");
            var place = flat.AsSpan(i * size, size);
            if (sequence is not null && !sequences)
                Add(row, $"is a text; {what} are expected.");
            else if (sequence is not null)
                Sequence(sequence, encoder, row, place);
            else if (only)
                Add(row, $"has to be {what}.");
            else if (named is not null)
                Named(named, encoder.InputNames, row, place);
            else
                Row(numbers, size, float.MaxValue, row);
            if (Any)
                return null;
            numbers?.CopyTo(place);
        }
        return flat;
    }

    private void Sequence(string sequence, IRowEncoder encoder, string field, Span<float> row)
    {
        try
        {
            encoder.Read(sequence, row);
        }
        catch (ArgumentException e)
        {
            Add(field, $"does not fit: {e.Message.Split(" (Parameter")[0]}");
        }
    }

    private void Named(Dictionary<string, float> given, IReadOnlyList<string> names, string field, Span<float> row)
    {
        if (names.Count == 0)
        {
            Add(field, Text($"is given by names; the model's columns have none. An array of {row.Length} numbers is expected."));
            return;
        }
        string[] missing = [.. names.Where(name => !given.ContainsKey(name))], unknown = [.. given.Keys.Except(names, StringComparer.Ordinal)];
        if (missing.Length > 0 || unknown.Length > 0)
        {
            Add(field, $"has to have each of the model's columns once. Missing: {List(missing)}. Unknown: {List(unknown)}. The columns: {List(names)}.");
            return;
        }
        for (int j = 0; j < row.Length; j++)
        {
            row[j] = given[names[j]];
            if (!float.IsFinite(row[j]))
                Add(Member(field, names[j]), Text($"has to be from {-float.MaxValue} to {float.MaxValue}; it is {row[j]}."));
        }
    }

    /// <summary>Names can be asked for where there are some.</summary>
    public void Names(bool? wanted, ModelRows rows, string field)
    {
        if (wanted == true && rows.Names.Count == 0)
            Add(field, "has to be false; the model's columns have no names.");
    }

    /// <summary>Names as they are listed in a message.</summary>
    public static string List(IReadOnlyList<string> names)
    {
        const int Most = 40;
        string list = string.Join(", ", names.Take(Most).Select(name => $"'{Short(name)}'"));
        return names.Count == 0 ? "none" : names.Count <= Most ? list : Text($"{list}, … ({names.Count} in all)");
    }

    /// <summary>The path of a member of an object.</summary>
    public static string Member(string path, string name) =>
        name.Length is > 0 and <= 40 && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_') ? $"{path}.{name}" : $"{path}['{Short(name)}']";

    private static string Short(string name) => name.Length <= 40 ? name : name[..40] + "…";

    /// <summary>Cuts outputs into rows; null with an error added where a row is not finite, which JSON cannot say.</summary>
    public float[][]? Split(ReadOnlySpan<float> values, int size, string field)
    {
        var rows = new float[values.Length / size][];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = values.Slice(i * size, size).ToArray();
            foreach (float value in rows[i])
            {
                if (!float.IsFinite(value))
                {
                    Add(Text($"{field}[{i}]"), "gives numbers that are not finite; it is too far from the data.");
                    return null;
                }
            }
        }
        return rows;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
