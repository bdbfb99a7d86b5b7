using System.Collections;
using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Vae.MLNet.Model;

/// <summary>
/// The members of a record as people read them. What the compiler writes gives the type's name for a list or an array; here short ones are
/// shown and long ones counted. A record calls it from <c>PrintMembers</c>.
/// </summary>
internal static class RecordText
{
    /// <summary>Most values of a list that are shown.</summary>
    private const int MostShown = 10;

    private static readonly ConcurrentDictionary<Type, PropertyInfo[]> Properties = new();

    public static bool Print(StringBuilder builder, object record)
    {
        var properties = Properties.GetOrAdd(record.GetType(), type =>
            [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.GetIndexParameters().Length == 0)]);
        for (int i = 0; i < properties.Length; i++)
            builder.Append(i == 0 ? "" : ", ").Append(properties[i].Name).Append(" = ").Append(Text(properties[i].GetValue(record)));
        return properties.Length > 0;
    }

    private static string Text(object? value) => value switch
    {
        null => "",
        string text => text,
        ReadOnlyMemory<float> memory => List(memory.ToArray()),
        ReadOnlyMemory<double> memory => List(memory.ToArray()),
        ReadOnlyMemory<int> memory => List(memory.ToArray()),
        ReadOnlyMemory<byte> memory => List(memory.ToArray()),
        IEnumerable values => List(values),
        // A tuple writes its items in the culture of the machine.
        ITuple tuple => $"({string.Join(", ", Enumerable.Range(0, tuple.Length).Select(i => Text(tuple[i])))})",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        CancellationToken token => token.CanBeCanceled ? "can be cancelled" : "None",
        Delegate => "given",
        _ => value.ToString() is { } text && text != value.GetType().ToString() ? text : Name(value.GetType()),
    };

    private static string List(IEnumerable values)
    {
        var shown = new List<object?>(values.Cast<object?>());
        // Records in a list would be written out whole, each with all that it holds.
        bool plain = shown.TrueForAll(value => value is null or string or IFormattable or ITuple or bool or char);
        return plain && shown.Count <= MostShown ? $"[{string.Join(", ", shown.Select(Text))}]"
            : string.Create(CultureInfo.InvariantCulture, $"[{shown.Count} {(shown.Count == 1 ? "value" : "values")}]");
    }

    private static string Name(Type type) => type.Name.Split('`')[0];
}
