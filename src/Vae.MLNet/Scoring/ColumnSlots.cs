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

    /// <summary>The slot names of a column; empty where it has none or all are empty.</summary>
    public static string[] Known(DataViewSchema.Column column) => Names(column) is { } names && names.Any(name => name.Length > 0) ? names : [];

    /// <summary>
    /// Features are matched by position, so slots that are named have to be named as those trained on. Where either side has no name, nothing can be compared.
    /// </summary>
    /// <param name="column">The column, of the size of <paramref name="trained"/> where that is not empty.</param>
    /// <param name="trained">Names of the slots that a model was trained on; empty where they are unknown.</param>
    /// <param name="parameter">Parameter that the data came in.</param>
    /// <exception cref="ArgumentOutOfRangeException">A name differs.</exception>
    public static void RequireSame(DataViewSchema.Column column, IReadOnlyList<string> trained, string parameter)
    {
        if (trained.Count == 0 || Names(column) is not { } names)
            return;
        for (int i = 0; i < names.Length; i++)
        {
            if (names[i].Length == 0 || trained[i].Length == 0 || names[i] == trained[i])
                continue;
            bool reordered = names.Order(StringComparer.Ordinal).SequenceEqual(trained.Order(StringComparer.Ordinal));
            throw new ArgumentOutOfRangeException(parameter, Check.Invariant($"Schema mismatch for input column '{column.Name}': ")
                + Check.Invariant($"slot {i} is named '{Shown(names[i])}', the model was trained with '{Shown(trained[i])}' there{(reordered ? " (the names are the same, in another order)" : "")}. ")
                + $"Trained with: {List(trained)}; found: {List(names)}. Put the columns into the trained order, or set IgnoreSlotNames to match them by position.");
        }

        static string List(IReadOnlyList<string> names)
        {
            const int Most = 12;
            string list = string.Join(", ", names.Take(Most).Select(Shown));
            return names.Count <= Most ? list : Check.Invariant($"{list}, … ({names.Count} in all)");
        }

        static string Shown(string name)
        {
            const int Longest = 40;
            return name.Length <= Longest ? name : name[..Longest] + "…";
        }
    }

    /// <summary>Whether a column of a shape has slot names.</summary>
    public static bool HasNames(SchemaShape shape, string column) =>
        shape.Any(found => found.Name == column && found.Annotations.Any(annotation => annotation.Name == Kind));
}
