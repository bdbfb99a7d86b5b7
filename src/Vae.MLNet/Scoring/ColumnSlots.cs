using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Scoring;

/// <summary>Slot names of input columns.</summary>
internal static class ColumnSlots
{
    private const string Kind = "SlotNames";

    /// <summary>The slot names of a column, or null where it has none.</summary>
    public static string[]? Names(DataViewSchema.Column column)
    {
        if (!column.HasSlotNames())
            return null;
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }

    /// <summary>Whether a column of a shape has slot names.</summary>
    public static bool HasNames(SchemaShape shape, string column) =>
        shape.Any(found => found.Name == column && found.Annotations.Any(annotation => annotation.Name == Kind));
}
