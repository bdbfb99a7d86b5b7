using System.Globalization;
using Microsoft.ML;

namespace PackageConsumer;

/// <summary>What a scenario expects; the program ends with a message where it does not hold.</summary>
internal static class Expect
{
    public static void That(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException($"Expected that {what}.");
    }

    public static void Near(double found, double expected, double tolerance, string what)
    {
        if (!(Math.Abs(found - expected) <= tolerance))
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"Expected {what} {expected} within {tolerance}, found {found}."));
    }

    public static void Near(ReadOnlySpan<float> found, ReadOnlySpan<float> expected, double tolerance, string what)
    {
        That(found.Length == expected.Length, $"{what} has {expected.Length} numbers, not {found.Length}");
        for (int i = 0; i < found.Length; i++)
            Near(found[i], expected[i], tolerance, what);
    }

    public static void FileIsThere(string path) => That(new FileInfo(path) is { Exists: true, Length: > 0 }, $"'{path}' was written");

    /// <summary>The shape of rows, which a chain hands from estimator to estimator before anything is fitted.</summary>
    public static SchemaShape ShapeOf<TRow>(MLContext ml) where TRow : class, new() =>
        ml.Transforms.CustomMapping<Nothing, TRow>((_, _) => { }, contractName: null).GetOutputSchema(new SchemaShape([]));

    private sealed class Nothing;
}
