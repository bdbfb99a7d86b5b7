using Google.Protobuf;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Onnx;

/// <summary>
/// Walks the protobuf encoding of an ONNX model without building objects, so that the size of what a parse would allocate is known before it: a few bytes of
/// an empty message cost a hundred bytes of memory, and a hostile file has millions of them.
/// </summary>
internal static class OnnxWire
{
    /// <summary>Largest model that is read: single precision weights of the largest architecture, in base64 at worst.</summary>
    public const long MaximumBytes = 3L << 29;

    /// <summary>Most protobuf fields in a model; the largest graphs this library writes have some ten thousand.</summary>
    private const int MaximumFields = 500_000;

    /// <summary>Most bytes of numbers packed as varints, each of which takes eight bytes once read.</summary>
    private const int MaximumPacked = 1 << 20;

    /// <summary>Nested messages; a branch of an If within a branch takes six.</summary>
    private const int MaximumDepth = 32;

    private enum Message
    {
        Model,
        Graph,
        Node,
        Attribute,
        Tensor,
        ValueInfo,
        Type,
        TensorType,
        Shape,
        Leaf,
    }

    /// <summary>Checks that the bytes are well-formed protobuf of moderate structure.</summary>
    /// <exception cref="InvalidDataException">They are not.</exception>
    public static void Check(ReadOnlySpan<byte> model, string file)
    {
        var bad = Words(file);
        ProtobufReader.CheckFormat(model, bad);
        int fields = 0;
        Scan(model, Message.Model, 0, ref fields, file, bad);
    }

    /// <summary>The metadata of a model, read without parsing the rest.</summary>
    /// <exception cref="InvalidDataException">The bytes are not protobuf, or a key comes twice.</exception>
    public static IReadOnlyDictionary<string, string> Metadata(ReadOnlySpan<byte> model, string file)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var bad = Words(file);
        var reader = new ProtobufReader(model, bad);
        while (!reader.AtEnd)
        {
            var (number, wire) = reader.ReadTag();
            if (number != 14 || wire != ProtobufReader.Content)
            {
                reader.Skip(wire);
                continue;
            }
            StringStringEntryProto entry;
            try
            {
                entry = StringStringEntryProto.Parser.ParseFrom(reader.ReadContent());
            }
            catch (InvalidProtocolBufferException e)
            {
                throw Bad(file, e.Message, e);
            }
            if (!metadata.TryAdd(entry.Key, entry.Value))
                throw MLNet.Check.BadFile(file, $"the metadata key '{entry.Key}' comes twice; once is expected.");
            if (metadata.Count > 10_000)
                throw MLNet.Check.BadFile(file, "the model has more than 10000 metadata entries.");
        }
        return metadata;
    }

    private static void Scan(ReadOnlySpan<byte> data, Message message, int depth, ref int fields, string file, Func<string, Exception> bad)
    {
        if (depth > MaximumDepth)
            throw MLNet.Check.BadFile(file, MLNet.Check.Invariant($"messages are nested more than {MaximumDepth} deep."));
        var reader = new ProtobufReader(data, bad);
        ulong once = 0;
        while (!reader.AtEnd)
        {
            if (++fields > MaximumFields)
                throw MLNet.Check.BadFile(file, MLNet.Check.Invariant($"the model has more than {MaximumFields} fields."));
            var (number, wire) = reader.ReadTag();
            if (wire != ProtobufReader.Content)
            {
                reader.Skip(wire);
                continue;
            }
            var body = reader.ReadContent();
            if (Child(message, number) is { } child)
            {
                Scan(body, child, depth + 1, ref fields, file, bad);
                if (IsSingular(message, number))
                    reader.Once(ref once, number);
            }
            else if (IsPacked(message, number) && body.Length > MaximumPacked)
            {
                throw MLNet.Check.BadFile(file, MLNet.Check.Invariant($"{body.Length} bytes of packed numbers in one field; at most {MaximumPacked} are expected."));
            }
        }
    }

    private static Message? Child(Message message, int number) => (message, number) switch
    {
        (Message.Model, 7) => Message.Graph,
        (Message.Model, 8 or 14) => Message.Leaf,
        (Message.Graph, 1) => Message.Node,
        (Message.Graph, 5) => Message.Tensor,
        (Message.Graph, 11 or 12 or 13) => Message.ValueInfo,
        (Message.Node, 5) => Message.Attribute,
        (Message.Attribute, 5) => Message.Tensor,
        (Message.Attribute, 6) => Message.Graph,
        (Message.Tensor, 13) => Message.Leaf,
        (Message.ValueInfo, 2) => Message.Type,
        (Message.Type, 1) => Message.TensorType,
        (Message.TensorType, 2) => Message.Shape,
        (Message.Shape, 1) => Message.Leaf,
        _ => null,
    };

    private static bool IsPacked(Message message, int number) => message switch
    {
        Message.Attribute => number is 7 or 8,
        Message.Tensor => number is 1 or 4 or 5 or 7,
        _ => false,
    };

    /// <summary>Of the messages above, those that stand once in their parent.</summary>
    private static bool IsSingular(Message message, int number) => (message, number) switch
    {
        (Message.Model, 7) => true,
        (Message.Attribute, 5 or 6) => true,
        (Message.ValueInfo, 2) => true,
        (Message.Type, 1) => true,
        (Message.TensorType, 2) => true,
        _ => false,
    };

    private static Func<string, Exception> Words(string file) => found => Bad(file, found);

    private static InvalidDataException Bad(string file, string found, Exception? inner = null) =>
        MLNet.Check.BadFile(file, $"not an ONNX model, truncated or damaged: {found}.", inner);
}
