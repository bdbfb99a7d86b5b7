using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;

namespace Vae.MLNet.Model;

/// <summary>
/// Equality of records by what they hold. What the compiler writes compares lists and arrays by reference, so that two records of the same
/// numbers differ. A record with such a member calls it from <c>Equals</c> and <c>GetHashCode</c>.
/// </summary>
internal static class RecordContent
{
    /// <summary>Most values of a list that its hash code is made of.</summary>
    private const int MostHashed = 16;

    private static readonly ConcurrentDictionary<Type, FieldInfo[]> Fields = new();

    /// <summary>Whether two records hold the same; lists are the same where their values are, in their order.</summary>
    public static bool Same<T>(T record, T? other)
        where T : class => ReferenceEquals(record, other)
        || other is not null && FieldsOf(typeof(T)).All(field => SameValue(field.GetValue(record), field.GetValue(other)));

    /// <summary>A hash code that is the same for records that are.</summary>
    public static int Hash<T>(T record)
        where T : class => FieldsOf(typeof(T)).Aggregate(0, (hash, field) => HashCode.Combine(hash, HashOf(field.GetValue(record))));

    private static FieldInfo[] FieldsOf(Type type) =>
        Fields.GetOrAdd(type, of => of.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic));

    private static bool SameValue(object? left, object? right)
    {
        if (left is null || right is null)
            return left is null && right is null;
        if (Values(left) is not { } values)
            return left.Equals(right);
        return Values(right) is { } others && (left, right) switch
        {
            (IDictionary first, IDictionary second) => first.Count == second.Count
                && first.Keys.Cast<object>().All(key => second.Contains(key) && SameValue(first[key], second[key])),
            _ => values.Cast<object?>().SequenceEqual(others.Cast<object?>(), Content.Instance),
        };
    }

    private static int HashOf(object? value) => value is null ? 0
        : Values(value) is not { } values ? value.GetHashCode()
        // The order of a dictionary's keys is nobody's.
        : value is IDictionary dictionary ? dictionary.Count
        : values.Cast<object?>().Take(MostHashed).Aggregate(0, (hash, item) => HashCode.Combine(hash, HashOf(item)));

    /// <summary>The values of a list; null where a value is none.</summary>
    private static IEnumerable? Values(object value) => value switch
    {
        string => null,
        ReadOnlyMemory<float> memory => memory.ToArray(),
        ReadOnlyMemory<double> memory => memory.ToArray(),
        ReadOnlyMemory<int> memory => memory.ToArray(),
        ReadOnlyMemory<byte> memory => memory.ToArray(),
        _ => value as IEnumerable,
    };

    private sealed class Content : IEqualityComparer<object?>
    {
        public static readonly Content Instance = new();

        bool IEqualityComparer<object?>.Equals(object? x, object? y) => SameValue(x, y);

        int IEqualityComparer<object?>.GetHashCode(object? obj) => HashOf(obj);
    }
}
