using System.Text;

namespace Vae.MLNet.Inference.Loading;

/// <summary>
/// Walks through an ONNX file's messages before native code sees it, and refuses what a model of this library never has: tensors that live in other files
/// (OnnxRuntime would open any path relative to the working directory), tensors that claim more than the file holds, loops (which may not end), functions (a few
/// that call each other unfold into millions of nodes), broken or absurdly nested messages, and whatever OnnxRuntime could read differently than it is read here
/// (see <see cref="ProtobufReader"/>). It reads the metadata on its way. Field numbers as in the ONNX IR specification, https://onnx.ai/onnx/repo-docs/IR.html.
/// </summary>
internal sealed class OnnxScan
{
    private const int MaximumDepth = 32;

    // What is not UTF-8 throws.
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly HashSet<string> _operators = new(StringComparer.Ordinal);
    private readonly Func<string, Exception> _bad;
    private readonly string _file;

    private OnnxScan(string file)
    {
        _file = file;
        _bad = Bad;
    }

    /// <summary>Checks a file and gives its metadata_props; of a key that stands there twice, the last.</summary>
    public static Dictionary<string, string> Check(ModelBytes model) => Check(model, out _);

    /// <summary>As <see cref="Check(ModelBytes)"/>, with the types of all nodes, however deep in the graph.</summary>
    public static Dictionary<string, string> Check(ModelBytes model, out IReadOnlySet<string> operators)
    {
        if (model.Bytes.Length == 0)
            throw Guard.BadFile(model.Name, "the file is empty; an ONNX model is expected.");
        var scan = new OnnxScan(model.Name);
        ProtobufReader.CheckFormat(model.Bytes, scan._bad);
        if (!scan.Walk(model.Bytes, Message.Model, 0))
            throw Guard.BadFile(model.Name, "the file holds no graph; an ONNX model is expected.");
        operators = scan._operators;
        return scan._metadata;
    }

    private enum Message
    {
        Other,
        Model,
        Graph,
        Node,
        Attribute,
        Function,
        Tensor,
        SparseTensor,
        Metadata,
    }

    /// <summary>What a field of a message holds, as far as it matters here.</summary>
    private static Message Child(Message parent, int field) => (parent, field) switch
    {
        (Message.Model, 7) => Message.Graph,
        (Message.Model, 14) => Message.Metadata,
        (Message.Model, 25) => Message.Function,
        (Message.Function, 7) => Message.Node,
        (Message.Function, 11) => Message.Attribute,
        (Message.Graph, 1) => Message.Node,
        (Message.Graph, 5) => Message.Tensor,
        (Message.Graph, 15) => Message.SparseTensor,
        (Message.Node, 5) => Message.Attribute,
        (Message.Attribute, 5 or 10) => Message.Tensor,
        (Message.Attribute, 6 or 11) => Message.Graph,
        (Message.Attribute, 22 or 23) => Message.SparseTensor,
        (Message.SparseTensor, 1 or 2) => Message.Tensor,
        _ => Message.Other,
    };

    /// <summary>Of the messages above, those that stand once in their parent.</summary>
    private static bool IsSingular(Message parent, int field) => (parent, field) switch
    {
        (Message.Model, 7) => true,
        (Message.Attribute, 5 or 6 or 22) => true,
        (Message.SparseTensor, 1 or 2) => true,
        _ => false,
    };

    /// <summary>Walks through one message; says whether it is a model with a graph.</summary>
    private bool Walk(ReadOnlySpan<byte> bytes, Message message, int depth)
    {
        if (depth > MaximumDepth)
            throw Bad("its messages are nested too deeply");
        bool hasGraph = false, hasOperator = false;
        double elements = 1;
        ulong once = 0;
        string key = "", value = "";
        var reader = new ProtobufReader(bytes, _bad);
        while (!reader.AtEnd)
        {
            var (field, wire) = reader.ReadTag();
            switch (wire)
            {
                case ProtobufReader.Number:
                    ulong number = reader.ReadNumber();
                    if (message == Message.Tensor && field == 1)
                        Dimension(number, ref elements);
                    else if (message == Message.Tensor && field == 14 && number != 0)
                        throw External();
                    break;
                case ProtobufReader.Content:
                    var content = reader.ReadContent();
                    var child = Child(message, field);
                    hasGraph |= child == Message.Graph;
                    if (child != Message.Other)
                    {
                        Walk(content, child, depth + 1);
                        if (IsSingular(message, field))
                            reader.Once(ref once, field);
                    }
                    else if (message == Message.Metadata && field == 1)
                    {
                        key = Text(content);
                    }
                    else if (message == Message.Metadata && field == 2)
                    {
                        value = Text(content);
                    }
                    else if (message == Message.Tensor && field == 1)
                    {
                        PackedDimensions(content, ref elements);
                    }
                    else if (message == Message.Tensor && field == 13)
                    {
                        throw External();
                    }
                    else if (message == Message.Node && field == 4)
                    {
                        Operator(content);
                        hasOperator = true;
                    }
                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }
        if (message == Message.Node && !hasOperator)
            throw Bad("it has a node without an operator");
        if (message == Message.Function)
            throw Bad("it defines a function; files of this library have none");
        if (message == Message.Metadata)
            _metadata[key] = value;
        // The smallest element types take half a byte. A product that is no number has overflowed.
        if (message == Message.Tensor && !(elements <= 2.0 * bytes.Length))
            throw Bad(Guard.Invariant($"a tensor claims {elements:R} numbers but has {bytes.Length} bytes"));
        return hasGraph;
    }

    private void Operator(ReadOnlySpan<byte> content)
    {
        // SequenceMap is a function of ONNX with a loop in it.
        if (content.SequenceEqual("Loop"u8) || content.SequenceEqual("Scan"u8) || content.SequenceEqual("SequenceMap"u8))
            throw Bad($"it has a {Encoding.ASCII.GetString(content)} node; files of this library have no loops");
        _operators.Add(Encoding.UTF8.GetString(content));
    }

    private string Text(ReadOnlySpan<byte> content)
    {
        try
        {
            return Utf8.GetString(content);
        }
        catch (DecoderFallbackException)
        {
            throw Bad("a text in its metadata is not UTF-8");
        }
    }

    private void PackedDimensions(ReadOnlySpan<byte> content, ref double elements)
    {
        var reader = new ProtobufReader(content, _bad);
        while (!reader.AtEnd)
            Dimension(reader.ReadNumber(), ref elements);
    }

    private void Dimension(ulong size, ref double elements)
    {
        if (size > long.MaxValue)
            throw Bad(Guard.Invariant($"a tensor has a dimension of {(long)size}"));
        elements *= size;
    }

    private InvalidDataException External() =>
        Guard.BadFile(_file, "a tensor of the model lives in another file (external data); files of this library are whole, and no other file is opened.");

    private InvalidDataException Bad(string problem) => Guard.BadFile(_file, $"the file is not a valid ONNX model or is truncated: {problem}.");
}
