using System.Globalization;

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
        {
            throw new InvalidOperationException(
                string.Create(CultureInfo.InvariantCulture, $"{what}: expected {expected} within {tolerance}, found {found}."));
        }
    }

    public static void Near(ReadOnlySpan<float> found, ReadOnlySpan<float> expected, double tolerance, string what)
    {
        That(found.Length == expected.Length, $"there are {expected.Length} numbers, not {found.Length} ({what})");
        for (int i = 0; i < found.Length; i++)
            Near(found[i], expected[i], tolerance, what);
    }
}
