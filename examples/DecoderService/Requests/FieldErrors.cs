using System.Globalization;

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
