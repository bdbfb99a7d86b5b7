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
