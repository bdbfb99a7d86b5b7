using System.Globalization;

namespace Vae.MLNet.Inference;

/// <summary>Values of records as people read them, where the compiler would write the type's name.</summary>
internal static class ValueText
{
    /// <summary>Most values that are shown.</summary>
    private const int MostShown = 10;

    /// <summary>Short arrays whole, of long ones the count.</summary>
    public static string List(float[] values) => values is null ? ""
        : values.Length <= MostShown ? $"[{string.Join(", ", values.Select(value => value.ToString(CultureInfo.InvariantCulture)))}]"
        : string.Create(CultureInfo.InvariantCulture, $"[{values.Length} values]");
}
