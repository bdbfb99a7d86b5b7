using System.Globalization;
using System.Runtime.CompilerServices;

namespace Vae.MLNet.Inference;

/// <summary>
/// Checks arguments and words the errors of both packages: what is wrong, what was expected, what was found. Vae.MLNet adds what is said of
/// columns (its <c>Check</c>).
/// </summary>
internal static class Guard
{
    public static int AtLeast(int value, int minimum, [CallerArgumentExpression(nameof(value))] string name = "") =>
        value >= minimum ? value : throw OutOfRange(name, value, Invariant($"at least {minimum}"));

    /// <summary>A finite number of at least zero.</summary>
    public static float NotNegative(float value, [CallerArgumentExpression(nameof(value))] string name = "") =>
        value >= 0 && float.IsFinite(value) ? value : throw OutOfRange(name, value, "finite and at least 0");

    /// <summary>A finite number above zero.</summary>
    public static float Positive(float value, [CallerArgumentExpression(nameof(value))] string name = "") =>
        value > 0 && float.IsFinite(value) ? value : throw OutOfRange(name, value, "positive and finite");

    public static T Defined<T>(T value, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : struct, Enum =>
        Enum.IsDefined(value) ? value : throw OutOfRange(name, value, "one of " + string.Join(", ", Enum.GetNames<T>()));

    /// <summary>Exactly one row of a known size.</summary>
    public static void Row(int length, int size, string name, string what)
    {
        if (length != size)
            throw new ArgumentException(Invariant($"{name} has to hold {size} numbers ({what}); it holds {length}."), name);
    }

    /// <summary>Any number of rows of a known size; gives how many.</summary>
    public static int Rows(int length, int size, string name, string what)
    {
        int rows = length / size;
        if (rows * size != length)
            throw new ArgumentException(Invariant($"{name} has to hold whole rows of {size} numbers ({what}); it holds {length} numbers."), name);
        return rows;
    }

    /// <summary>Room for exactly the given rows.</summary>
    public static void Destination(int length, int rows, int size, string name)
    {
        if (length != (long)rows * size)
            throw new ArgumentException(Invariant($"{name} has to hold {rows} x {size} = {(long)rows * size} numbers; it holds {length}."), name);
    }

    /// <summary>Numbers that one array can hold.</summary>
    public static int ArrayLength(int rows, int size, string name)
    {
        long length = (long)rows * size;
        return length <= Array.MaxLength
            ? (int)length
            : throw OutOfRange(name, rows, Invariant($"at most {Array.MaxLength / size} for rows of {size} numbers"));
    }

    public static void Finite(ReadOnlySpan<float> values, string name)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
                throw new ArgumentException(Invariant($"{name} has to be finite; number {i} of it is {values[i]}."), name);
        }
    }

    public static ArgumentOutOfRangeException OutOfRange(string name, object? value, string expected)
    {
        name = ShortName(name);
        return new(name, value, Invariant($"{name} has to be {expected}; it is {value ?? "null"}."));
    }

    /// <summary>"options.Beta" reads better as "Beta".</summary>
    public static string ShortName(string name) => name[(name.LastIndexOf('.') + 1)..];

    /// <summary>A file that is not what it has to be.</summary>
    public static InvalidDataException BadFile(string file, string problem, Exception? inner = null) => new($"'{file}': {problem}", inner);

    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
