using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests;

/// <summary>Every public record of both packages says what it holds, never the names of types.</summary>
[TestClass]
public sealed class RecordTextTests
{
    private static readonly Type[] Records = [.. ((Assembly[])[typeof(VaeTrainer).Assembly, typeof(VaeDecoder).Assembly])
        .SelectMany(assembly => assembly.GetExportedTypes())
        // A record that writes itself otherwise, as a substitution does (A1C), says all in that.
        .Where(type => !type.IsAbstract && type.GetMethod("ToString", Type.EmptyTypes)!.IsDefined(typeof(CompilerGeneratedAttribute)) && type.GetMethod("PrintMembers", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly) is not null)];

    public static IEnumerable<object[]> Names => Records.Select(type => new object[] { type.FullName! });

    [TestMethod]
    public void Records_AreFound() => Assert.IsGreaterThan(30, Records.Length);

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void ToString_NamesMembersAndNoTypes(string name)
    {
        var type = Records.Single(type => type.FullName == name);
        foreach (int count in (int[])[0, 3, 1000])
        {
            object record = Filled(type, count);
            string text = record.ToString()!;
            foreach (string foreign in (string[])["System.", "<>", "`", "Vae.MLNet.", "ReadOnlyMemory", "List`"])
                Assert.DoesNotContain(foreign, text);
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite))
                Assert.Contains($"{property.Name} = ", text);
            Assert.IsLessThan(3000, text.Length, text);
        }
    }

    [TestMethod]
    public void ToString_ShortListsAreShown_LongOnesCounted()
    {
        var culture = CultureInfo.CurrentCulture;
        var commas = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        commas.NumberFormat.NumberDecimalSeparator = ",";
        CultureInfo.CurrentCulture = commas;
        try
        {
            var metrics = new VaeMetrics(10, 1, -4.5, 0.25, -4, -3, [0.5, 1.25], 2, 0.125);
            Assert.AreEqual(
                "VaeMetrics { Rows = 10, Samples = 1, Elbo = -4.5, ElboStandardError = 0.25, LogLikelihood = -4, ReconstructionLogLikelihood = -3, KlPerDimension = [0.5, 1.25], "
                + "ActiveUnits = 2, MeanSquaredError = 0.125, Kl = 1.75 }", metrics.ToString());
            StringAssert.Contains((metrics with { KlPerDimension = new double[64] }).ToString(), "KlPerDimension = [64 values]");
            StringAssert.Contains((metrics with { KlPerDimension = new List<double> { 1 } }).ToString(), "KlPerDimension = [1]");
            Assert.AreEqual("LatentPosterior { Mean = [0.5, -1], StandardDeviation = [1, 2] }", new LatentPosterior([0.5f, -1], [1, 2]).ToString());
            Assert.AreEqual("LatentPosterior { Mean = [64 values], StandardDeviation = [] }", new LatentPosterior(new float[64], []).ToString());
            StringAssert.Contains(new SiteConservation([(3, 'H', 0.5)], 0.25).ToString(), "Sites = [(3, H, 0.5)]");
            StringAssert.Contains(new VaeTrainer.Options { HiddenLayers = [64, 32] }.ToString(), "[64, 32]");
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    /// <summary>Records, of both packages, with a member that is a list or an array.</summary>
    public static IEnumerable<object[]> NamesOfRecordsWithLists => ((Assembly[])[typeof(VaeTrainer).Assembly, typeof(VaeDecoder).Assembly])
        .SelectMany(assembly => assembly.GetExportedTypes())
        .Where(type => type.GetMethod("<Clone>$") is not null && Lists(type).Any())
        .Select(type => new object[] { type });

    /// <summary>Two records of the same numbers are equal, whoever made the lists; one number or value less, and they are not.</summary>
    [TestMethod]
    [DynamicData(nameof(NamesOfRecordsWithLists))]
    public void Equals_ComparesWhatListsHold(Type type)
    {
        object one = Filled(type, 3), same = WithLists(one, 3), none = WithLists(one, 0);
        Assert.AreEqual(one, same);
        Assert.AreEqual(one.GetHashCode(), same.GetHashCode());
        Assert.AreNotEqual(one, none);
        Assert.AreEqual(none, WithLists(one, 0));
        foreach (var property in Lists(type))
        {
            object changed = WithLists(one, 3);
            property.SetValue(changed, Value(property.PropertyType, 2));
            Assert.AreNotEqual(one, changed, property.Name);
            property.SetValue(changed, Value(property.PropertyType, 3));
            Assert.AreEqual(one, changed, property.Name);
            if (!property.PropertyType.IsValueType)
            {
                property.SetValue(changed, null);
                Assert.AreNotEqual(one, changed, property.Name);
                Assert.AreNotEqual(changed, one, property.Name);
                _ = changed.GetHashCode();
            }
        }
    }

    [TestMethod]
    public void Equals_TakesAnyListOfTheSameNumbers()
    {
        var metrics = new VaeMetrics(10, 1, -4.5, 0.25, -4, -3, [0.5, double.NaN], 2, 0.125);
        var other = metrics with { KlPerDimension = new List<double> { 0.5, double.NaN } };
        Assert.AreEqual(metrics, other);
        Assert.IsTrue(metrics == other);
        Assert.AreEqual(metrics.GetHashCode(), other.GetHashCode());
        Assert.AreNotEqual(metrics, metrics with { KlPerDimension = [double.NaN, 0.5] });
        Assert.AreNotEqual(metrics, metrics with { Rows = 11 });
        Assert.HasCount(1, new HashSet<VaeMetrics> { metrics, other });
        // Through records in records.
        var epochs = new VaeTrainer.Options { HiddenLayers = [64, 32] };
        Assert.AreEqual(epochs, epochs with { HiddenLayers = new List<int> { 64, 32 } });
        Assert.AreEqual(new VaeImputer.Options { Training = epochs }, new VaeImputer.Options { Training = epochs with { HiddenLayers = [64, 32] } });
    }

    private static IEnumerable<PropertyInfo> Lists(Type type) => type.GetProperties().Where(property => property.CanWrite && IsList(property.PropertyType));

    /// <summary>A copy with lists of its own.</summary>
    private static object WithLists(object record, int count)
    {
        object copy = record.GetType().GetMethod("<Clone>$")!.Invoke(record, null)!;
        foreach (var property in Lists(record.GetType()))
            property.SetValue(copy, Value(property.PropertyType, count));
        return copy;
    }

    private static bool IsList(Type type) => type != typeof(string) && typeof(IEnumerable).IsAssignableFrom(type)
        || type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ReadOnlyMemory<>);

    private static object Filled(Type type, int count)
    {
        object record;
        if (type.GetConstructors().OrderByDescending(constructor => constructor.GetParameters().Length).FirstOrDefault() is { } constructor)
            record = constructor.Invoke([.. constructor.GetParameters().Select(parameter => Value(parameter.ParameterType, count))]);
        else
            record = RuntimeHelpers.GetUninitializedObject(type);
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite))
            property.SetValue(record, Value(property.PropertyType, count));
        return record;
    }

    private static object? Value(Type type, int count)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
            return Value(inner, count);
        if (type == typeof(string))
            return "text";
        if (type.IsArray)
            return Array(type.GetElementType()!, count);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ReadOnlyMemory<>))
            return Activator.CreateInstance(type, Array(type.GetGenericArguments()[0], count));
        if (type.IsGenericType && type.IsInterface && type.GetGenericArguments() is [var key, var value] && key == typeof(string))
        {
            var dictionary = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(key, value))!;
            for (int i = 0; i < count; i++)
                dictionary[$"key{i}"] = Value(value, count);
            return dictionary;
        }
        if (type.IsInterface && typeof(IEnumerable).IsAssignableFrom(type))
            return Array(type.GetGenericArguments()[0], count);
        if (type == typeof(CancellationToken))
            return new CancellationToken(canceled: false);
        if (typeof(Delegate).IsAssignableFrom(type) || type.IsInterface)
            return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IProgress<>) ? Activator.CreateInstance(typeof(Progress<>).MakeGenericType(type.GetGenericArguments())) : null;
        if (Records.Contains(type))
            return Filled(type, count);
        if (type == typeof(SequenceAlphabet))
            return SequenceAlphabet.AminoAcids;
        if (type == typeof(Variant))
            return Variant.Parse("A1C");
        if (type.IsAbstract || type.GetConstructor(Type.EmptyTypes) is null && !type.IsValueType)
            return type.IsAbstract ? null : RuntimeHelpers.GetUninitializedObject(type);
        return Activator.CreateInstance(type);
    }

    private static Array Array(Type item, int count)
    {
        var array = System.Array.CreateInstance(item, count);
        for (int i = 0; i < count; i++)
            array.SetValue(Value(item, count), i);
        return array;
    }
}
