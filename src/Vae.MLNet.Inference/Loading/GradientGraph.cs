namespace Vae.MLNet.Inference.Loading;

/// <summary>
/// A decoder's vector-Jacobian product: nodes that belong at the end of the decoder's graph, with an input <c>Cotangent</c> and an output
/// <c>LatentGradient</c>. They stand beside the graph, in the metadata, because ONNX has no input that may be left out without OnnxRuntime
/// warning of it at every load, and some bindings cannot give such an input at all. The weights are the decoder's own.
/// </summary>
internal static class GradientGraph
{
    /// <summary>Key of the nodes in a file's metadata: a GraphProto in base64.</summary>
    public const string Key = "vae.gradient_graph";

    private const int Graph = 7;

    /// <summary>A decoder's file with the gradient that stands in its metadata.</summary>
    /// <exception cref="InvalidDataException">The file has no gradient, or is broken.</exception>
    public static byte[] Join(byte[] decoder)
    {
        var model = new ModelBytes("decoder", decoder);
        var header = ModelHeader.Read(model.Name, OnnxScan.Check(model), [ModelHeader.DecoderKind]);
        return header.GradientGraph is { } graph
            ? Join(model, graph).Bytes
            : throw Guard.BadFile(model.Name, $"its metadata have no '{Key}'.");
    }

    /// <summary>The model with the nodes, inputs, outputs and constants of a graph added to its own: what protobuf calls merging.</summary>
    /// <param name="model">A checked model, with one graph.</param>
    /// <param name="graph">What is added; it may use the values of the model's graph.</param>
    /// <exception cref="InvalidDataException">Together they are not a model that may be loaded.</exception>
    public static ModelBytes Join(ModelBytes model, byte[] graph)
    {
        var joined = new MemoryStream(model.Bytes.Length + graph.Length + 16);
        var reader = new ProtobufReader(model.Bytes, problem => Guard.BadFile(model.Name, problem));
        while (!reader.AtEnd)
        {
            var field = reader.Left;
            var (number, wire) = reader.ReadTag();
            if (number == Graph && wire == ProtobufReader.Content)
            {
                var content = reader.ReadContent();
                joined.WriteByte(Graph << 3 | ProtobufReader.Content);
                uint length = checked((uint)(content.Length + graph.Length));
                for (; length >= 0x80; length >>= 7)
                    joined.WriteByte((byte)(length | 0x80));
                joined.WriteByte((byte)length);
                joined.Write(content);
                joined.Write(graph);
            }
            else
            {
                reader.Skip(wire);
                joined.Write(field[..^reader.Left.Length]);
            }
        }
        var whole = new ModelBytes(model.Name, joined.ToArray());
        OnnxScan.Check(whole);
        return whole;
    }
}
