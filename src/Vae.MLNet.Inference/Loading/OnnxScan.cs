using System.Text;

namespace Vae.MLNet.Inference.Loading;

/// <summary>
/// Walks through an ONNX file's messages before native code sees it, and refuses what a model of this library never has: tensors that live in other files
/// (OnnxRuntime would open any path relative to the working directory), tensors that claim more than the file holds, loops (which may not end), broken or
/// absurdly nested messages. It reads the metadata on its way. Field numbers as in the ONNX IR specification, https://onnx.ai/onnx/repo-docs/IR.html.
/// </summary>
internal sealed class OnnxScan
{
    private const int MaximumDepth = 32;

    // What is not UTF-8 throws.
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly string _file;

    private OnnxScan(string file) => _file = file;

    /// <summary>Checks a file and gives its metadata_props; of a key that stands there twice, the last.</summary>
    public static Dictionary<string, string> Check(ModelBytes model)
    {
        if (model.Bytes.Length == 0)
            throw Guard.BadFile(model.Name, "the file is empty; an ONNX model is expected.");
        var scan = new OnnxScan(model.Name);
        if (!scan.Walk(model.Bytes, Message.Model, 0))
            throw Guard.BadFile(model.Name, "the file holds no graph; an ONNX model is expected.");
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

    /// <summary>Walks through one message; says whether it is a model with a graph.</summary>
    private bool Walk(ReadOnlySpan<byte> bytes, Message message, int depth)
    {
        if (depth > MaximumDepth)
            throw Bad("its messages are nested too deeply");
        int length = bytes.Length;
        bool hasGraph = false;
        double elements = 1;
        string key = "", value = "";
        while (!bytes.IsEmpty)
        {
            ulong tag = Varint(ref bytes);
            int field = (int)Math.Min(tag >> 3, int.MaxValue);
            if (field == 0)
                throw Bad("a field has the number 0");
            switch (tag & 7)
            {
                case 0:
                    ulong number = Varint(ref bytes);
                    if (message == Message.Tensor && field == 1)
                        Dimension(number, ref elements);
                    else if (message == Message.Tensor && field == 14 && number != 0)
                        throw External();
                    break;
                case 1:
                    Take(ref bytes, sizeof(ulong));
                    break;
                case 2:
                    var content = Take(ref bytes, Varint(ref bytes));
                    var child = Child(message, field);
                    hasGraph |= child == Message.Graph;
                    if (child != Message.Other)
                        Walk(content, child, depth + 1);
                    else if (message == Message.Metadata && field == 1)
                        key = Text(content);
                    else if (message == Message.Metadata && field == 2)
                        value = Text(content);
                    else if (message == Message.Tensor && field == 1)
                        PackedDimensions(content, ref elements);
                    else if (message == Message.Tensor && field == 13)
                        throw External();
                    else if (message == Message.Node && field == 4 && (content.SequenceEqual("Loop"u8) || content.SequenceEqual("Scan"u8)))
                        throw Bad($"it has a {Encoding.ASCII.GetString(content)} node; files of this library have no loops");
                    break;
                case 5:
                    Take(ref bytes, sizeof(uint));
                    break;
                default:
                    throw Bad("a field has an unknown wire type");
            }
        }
        if (message == Message.Metadata)
            _metadata[key] = value;
        // The smallest element types take half a byte.
        if (message == Message.Tensor && elements > 2.0 * length)
            throw Bad(Guard.Invariant($"a tensor claims {elements:R} numbers but has {length} bytes"));
        return hasGraph;
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
        while (!content.IsEmpty)
            Dimension(Varint(ref content), ref elements);
    }

    private void Dimension(ulong size, ref double elements)
    {
        if (size > long.MaxValue)
            throw Bad(Guard.Invariant($"a tensor has a dimension of {(long)size}"));
        elements *= size;
    }

    private ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, ulong count)
    {
        if (count > (ulong)bytes.Length)
            throw Bad(Guard.Invariant($"a field of {count} bytes stands where only {bytes.Length} are left"));
        var taken = bytes[..(int)count];
        bytes = bytes[(int)count..];
        return taken;
    }

    private ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int i = 0; i < 10 && i < bytes.Length; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << 7 * i;
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return value;
            }
        }
        throw Bad("a number in it does not end");
    }

    private InvalidDataException External() =>
        Guard.BadFile(_file, "a tensor of the model lives in another file (external data); files of this library are whole, and no other file is opened.");

    private InvalidDataException Bad(string problem) => Guard.BadFile(_file, $"the file is not a valid ONNX model or is truncated: {problem}.");
}
