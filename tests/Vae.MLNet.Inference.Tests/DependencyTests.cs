
namespace Vae.MLNet.Inference.Tests;

[TestClass]
public sealed class DependencyTests
{
    [TestMethod]
    public void Assembly_ReferencesOnnxRuntimeAndTheFrameworkAlone()
    {
        string[] references = [.. typeof(VaeDecoder).Assembly.GetReferencedAssemblies().Select(name => name.Name!)];
        CollectionAssert.Contains(references, "Microsoft.ML.OnnxRuntime");
        string[] others = [.. references.Where(name => name != "Microsoft.ML.OnnxRuntime" && !name.StartsWith("System.", StringComparison.Ordinal))];
        CollectionAssert.AreEqual(Array.Empty<string>(), others, string.Join(", ", others));
        // System.Numerics.Tensors is a package, not a part of the framework.
        CollectionAssert.DoesNotContain(references, "System.Numerics.Tensors");
    }

    [TestMethod]
    public void PublicApi_LeavesTensorTypesOut()
    {
        // What callers see are spans, arrays and types of our own, so that OnnxRuntime may change beneath.
        var foreign = typeof(VaeDecoder).Assembly.GetExportedTypes()
            .SelectMany(type => type.GetMethods().SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType)))
            .Where(type => type.Assembly.GetName().Name == "Microsoft.ML.OnnxRuntime");
        Assert.IsEmpty(foreign);
    }
}
