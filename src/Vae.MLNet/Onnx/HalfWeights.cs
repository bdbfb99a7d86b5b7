using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Vae.MLNet.Onnx.Proto;
using static Vae.MLNet.Onnx.Proto.AttributeProto.Types;

namespace Vae.MLNet.Onnx;

/// <summary>Stores the weight matrices of a graph in half precision and casts them back in the graph.</summary>
internal static class HalfWeights
{
    private const string Suffix = ".weight", Cast = ".single";

    public static byte[] Apply(byte[] file)
    {
        var model = ModelProto.Parser.ParseFrom(file);
        Apply(model);
        return model.ToByteArray();
    }

    public static void Apply(ModelProto model)
    {
        var graph = model.Graph;
        var renamed = new Dictionary<string, string>(StringComparer.Ordinal);
        int at = 0;
        foreach (var tensor in graph.Initializer)
        {
            if (tensor.DataType != (int)OnnxType.Float || tensor.Dims.Count != 2 || !tensor.Name.EndsWith(Suffix, StringComparison.Ordinal))
                continue;
            var values = MemoryMarshal.Cast<byte, float>(tensor.RawData.Span);
            var halves = new Half[values.Length];
            TensorPrimitives.ConvertToHalf(values, halves);
            if (Array.FindIndex(halves, half => !Half.IsFinite(half)) is >= 0 and var bad)
            {
                throw new InvalidOperationException(Check.Invariant(
                    $"The weight {values[bad]} in '{tensor.Name}' is beyond half precision, whose largest number is {Half.MaxValue}: export with WeightType Float32."));
            }
            tensor.RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(halves.AsSpan()));
            tensor.DataType = (int)OnnxType.Float16;
            string single = tensor.Name + Cast;
            renamed.Add(tensor.Name, single);
            var cast = new NodeProto { OpType = "Cast", Name = single + ".node", Input = { tensor.Name }, Output = { single } };
            cast.Attribute.Add(new AttributeProto { Name = "to", Type = AttributeType.Int, I = (long)OnnxType.Float });
            graph.Node.Insert(at++, cast);
        }
        OnnxGraphs.RenameInputs(graph, at, name => renamed.GetValueOrDefault(name, name));
        model.MetadataProps.Add(new StringStringEntryProto { Key = VaeMetadata.WeightType, Value = nameof(OnnxWeightType.Float16) });
    }
}

/// <summary>Rewriting of graphs.</summary>
internal static class OnnxGraphs
{
    /// <summary>Renames the values that nodes read, from a node on, those in branches included.</summary>
    public static void RenameInputs(GraphProto graph, int start, Func<string, string> rename)
    {
        for (int n = start; n < graph.Node.Count; n++)
        {
            var node = graph.Node[n];
            Rename(node.Input, rename);
            foreach (var branch in Branches(node))
                RenameInputs(branch, 0, rename);
        }
    }

    /// <summary>The model with one value called otherwise.</summary>
    public static byte[] Renamed(byte[] file, string name, string other)
    {
        var model = ModelProto.Parser.ParseFrom(file);
        RenameAll(model.Graph, found => found == name ? other : found);
        return model.ToByteArray();
    }

    /// <summary>Renames every value and node of a graph, those in branches included.</summary>
    public static void RenameAll(GraphProto graph, Func<string, string> rename)
    {
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo))
            value.Name = rename(value.Name);
        foreach (var tensor in graph.Initializer)
            tensor.Name = rename(tensor.Name);
        foreach (var node in graph.Node)
        {
            Rename(node.Input, rename);
            Rename(node.Output, rename);
            foreach (var branch in Branches(node))
                RenameAll(branch, rename);
        }
    }

    /// <summary>Values of the surrounding graph, or any value, that a node reads, itself or in its branches.</summary>
    public static IEnumerable<string> Reads(NodeProto node) =>
        node.Input.Concat(Branches(node).SelectMany(branch => branch.Node.SelectMany(Reads).Concat(branch.Output.Select(output => output.Name)))).Where(name => name.Length > 0);

    /// <summary>Keeps the nodes and initialisers that the outputs depend on.</summary>
    public static void Prune(GraphProto graph)
    {
        var needed = graph.Output.Select(output => output.Name).ToHashSet(StringComparer.Ordinal);
        for (int i = graph.Node.Count - 1; i >= 0; i--)
        {
            if (graph.Node[i].Output.Any(needed.Contains))
                needed.UnionWith(Reads(graph.Node[i]));
            else
                graph.Node.RemoveAt(i);
        }
        for (int i = graph.Initializer.Count - 1; i >= 0; i--)
        {
            if (!needed.Contains(graph.Initializer[i].Name))
                graph.Initializer.RemoveAt(i);
        }
    }

    public static IEnumerable<GraphProto> Branches(NodeProto node) => node.Attribute.Where(attribute => attribute.G is not null).Select(attribute => attribute.G);

    private static void Rename(Google.Protobuf.Collections.RepeatedField<string> names, Func<string, string> rename)
    {
        for (int i = 0; i < names.Count; i++)
        {
            if (names[i].Length > 0)
                names[i] = rename(names[i]);
        }
    }
}
