using Google.Protobuf;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Inference.Tests.Loading;

/// <summary>Writes protobuf by hand, also as no writer would.</summary>
internal static class Wire
{
    /// <summary>A number in the fewest bytes, or padded to as many as asked for.</summary>
    public static byte[] Varint(ulong value, int length = 1)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80 || bytes.Count + 1 < length; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
        return [.. bytes];
    }

    public static byte[] Field(int number, ReadOnlySpan<byte> content) => [.. Varint((ulong)number << 3 | 2), .. Varint((ulong)content.Length), .. content];
}

/// <summary>
/// Small models in all encodings of protobuf that there are, honest and not: padded and overlong tags, lengths and numbers, messages in two parts, fields that stand twice, groups, unknown
/// fields, and bytes changed at random.
/// </summary>
internal sealed class ScanFuzzer
{
    /// <summary>The number in a file that no model may open.</summary>
    public const float External = 7654.321f;

    private static readonly string[] Types = ["Loop", "Scan", "If", "Neg", "Abs", "Identity", "Sin", "Exp", "Relu", "Constant"];

    private readonly Random _random;
    private readonly byte[][] _models;

    public ScanFuzzer(int seed, string data)
    {
        _random = new Random(seed);
        _models = [Plain(), Branching(), Looping(), Plain(data)];
    }

    public byte[] Next()
    {
        byte[] model = _models[_random.Next(_models.Length)];
        // How often each field is written in an odd way.
        double odd = _random.Next(4) switch { 0 => 0, 1 => 0.3, 2 => 1, _ => 3 };
        byte[] bytes = Encode(model, Kind.Model, odd / 100);
        if (_random.Next(4) == 0)
        {
            for (int edits = 1 + _random.Next(2); edits > 0; edits--)
            {
                int at = _random.Next(bytes.Length);
                bytes = _random.Next(4) switch
                {
                    0 => [.. bytes[..at], (byte)_random.Next(256), .. bytes[at..]],
                    1 => [.. bytes[..at], .. bytes[(at + 1)..]],
                    2 => [.. bytes[..at], (byte)(bytes[at] ^ 1 << _random.Next(8)), .. bytes[(at + 1)..]],
                    _ => [.. bytes[..at], (byte)_random.Next(256), .. bytes[(at + 1)..]],
                };
            }
        }
        return bytes;
    }

    /// <summary>Adds a tensor, which lies in another file where one is named.</summary>
    private static byte[] Plain(string? data = null)
    {
        var graph = new OnnxGraph("plain");
        string x = graph.Input("x", OnnxType.Float, 4);
        string sum = graph.Add(graph.Node("Neg", [graph.Node("Abs", [x])]), graph.Constant("w", [1f, 2, 3, 4], 4));
        graph.Node("Identity", [sum], "y");
        graph.Output("y", OnnxType.Float, 4);
        var model = ModelProto.Parser.ParseFrom(graph.ToBytes());
        if (data is not null)
        {
            var tensor = model.Graph.Initializer[0];
            tensor.RawData = ByteString.Empty;
            tensor.DataLocation = 1;
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = data });
        }
        byte[] bytes = model.ToByteArray();
        return bytes;
    }

    /// <summary>A node of a kind that is nowhere else, within a branch of an If.</summary>
    public static byte[] Branching()
    {
        var model = ModelProto.Parser.ParseFrom(Plain());
        model.Graph.Initializer.Add(new TensorProto { Name = "choice", DataType = 9, RawData = ByteString.CopyFrom(1) });
        var node = new NodeProto { OpType = "If", Name = "if", Input = { "choice" }, Output = { "z" } };
        node.Attribute.Add(Branch("then_branch", "Sin"));
        node.Attribute.Add(Branch("else_branch", "Exp"));
        model.Graph.Node.Add(node);
        model.Graph.Output.Add(Value("z", 1, 4));
        return model.ToByteArray();

        static AttributeProto Branch(string name, string type) => new()
        {
            Name = name,
            Type = AttributeProto.Types.AttributeType.Graph,
            G = new() { Name = name, Node = { new NodeProto { OpType = type, Input = { "x" }, Output = { name + "_out" } } }, Output = { Value(name + "_out", 1, 4) } },
        };
    }

    /// <summary>Three turns of a loop.</summary>
    private static byte[] Looping()
    {
        var model = ModelProto.Parser.ParseFrom(Plain());
        model.Graph.Initializer.Add(new TensorProto { Name = "trips", DataType = 7, RawData = ByteString.CopyFrom(BitConverter.GetBytes(3L)) });
        model.Graph.Initializer.Add(new TensorProto { Name = "go", DataType = 9, RawData = ByteString.CopyFrom(1) });
        var body = new GraphProto { Name = "body" };
        body.Input.Add(Value("turn", 7));
        body.Input.Add(Value("before", 9));
        body.Input.Add(Value("state", 1, 4));
        body.Node.Add(new NodeProto { OpType = "Identity", Input = { "before" }, Output = { "after" } });
        body.Node.Add(new NodeProto { OpType = "Sin", Input = { "state" }, Output = { "next" } });
        body.Output.Add(Value("after", 9));
        body.Output.Add(Value("next", 1, 4));
        var node = new NodeProto { OpType = "Loop", Name = "loop", Input = { "trips", "go", "x" }, Output = { "z" } };
        node.Attribute.Add(new AttributeProto { Name = "body", Type = AttributeProto.Types.AttributeType.Graph, G = body });
        model.Graph.Node.Add(node);
        model.Graph.Output.Add(Value("z", 1, 4));
        return model.ToByteArray();
    }

    private static ValueInfoProto Value(string name, int type, params int[] shape)
    {
        var dims = new TensorShapeProto();
        foreach (int size in shape)
            dims.Dim.Add(new TensorShapeProto.Types.Dimension { DimValue = size });
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = type, Shape = dims } } };
    }

    private enum Kind
    {
        Leaf,
        Model,
        Graph,
        Node,
        Attribute,
        Tensor,
        Other,
    }

    private static Kind Child(Kind parent, int field) => (parent, field) switch
    {
        (Kind.Model, 7) => Kind.Graph,
        (Kind.Model, 8) => Kind.Other,
        (Kind.Graph, 1) => Kind.Node,
        (Kind.Graph, 5) => Kind.Tensor,
        (Kind.Graph, 11 or 12) => Kind.Other,
        (Kind.Node, 5) => Kind.Attribute,
        (Kind.Attribute, 5) => Kind.Tensor,
        (Kind.Attribute, 6) => Kind.Graph,
        (Kind.Tensor, 13) => Kind.Other,
        _ => Kind.Leaf,
    };

    /// <summary>Writes a sound message anew, some of its fields in an odd way.</summary>
    private byte[] Encode(ReadOnlySpan<byte> message, Kind kind, double odd)
    {
        var input = new CodedInputStream(message.ToArray());
        var output = new List<byte>();
        while (input.ReadTag() is not 0 and var tag)
        {
            int number = (int)(tag >> 3), wire = (int)(tag & 7);
            byte[] value;
            switch (wire)
            {
                case 0:
                    value = Number(input.ReadUInt64(), odd);
                    break;
                case 1:
                    value = BitConverter.GetBytes(input.ReadFixed64());
                    break;
                case 5:
                    value = BitConverter.GetBytes(input.ReadFixed32());
                    break;
                default:
                    byte[] content = input.ReadBytes().ToByteArray();
                    var child = Child(kind, number);
                    if (child != Kind.Leaf)
                        content = Encode(content, child, odd);
                    else if (kind == Kind.Node && number == 4 && _random.NextDouble() < odd)
                        content = System.Text.Encoding.ASCII.GetBytes(Types[_random.Next(Types.Length)]);
                    if (child is not (Kind.Leaf or Kind.Other) && _random.NextDouble() < odd)
                    {
                        // In two parts, which are merged where the field is singular. Where the cut lies within a field, the file is broken.
                        int cut = Cut(content);
                        output.AddRange([.. Tag(tag, odd), .. Length(cut, odd), .. content[..cut]]);
                        content = content[cut..];
                    }
                    value = [.. Length(content.Length, odd), .. content];
                    break;
            }
            byte[] field = [.. Tag(tag, odd), .. value];
            if (_random.NextDouble() < odd)
                field = Around(field, kind, number, wire);
            output.AddRange(field);
        }
        return [.. output];
    }

    /// <summary>A place between two fields.</summary>
    private int Cut(byte[] content)
    {
        var places = new List<int> { 0 };
        try
        {
            var input = new CodedInputStream(content);
            while (input.ReadTag() != 0)
            {
                input.SkipLastField();
                places.Add((int)input.Position);
            }
        }
        catch (InvalidProtocolBufferException)
        {
        }
        return places[_random.Next(places.Count)];
    }

    private byte[] Around(byte[] field, Kind kind, int number, int wire) => _random.Next(7) switch
    {
        // Another value before it, which the last one overrides.
        0 when kind == Kind.Node && number == 4 => [.. Wire.Field(4, System.Text.Encoding.ASCII.GetBytes(Types[_random.Next(Types.Length)])), .. field],
        // And behind it, under a tag that some readers take for it.
        1 when kind == Kind.Node && number == 4 => [.. field, .. Tag(34, 1), .. Length(4, 0), .. "Loop"u8],
        2 when kind == Kind.Tensor => [.. field, .. Tag(14 << 3, 1), (byte)_random.Next(2)],
        // Unknown fields of every wire type.
        0 or 1 or 2 => [.. Wire.Varint(900 << 3 | 0), .. Number(5, 1), .. Wire.Varint(901 << 3 | 1), .. new byte[8], .. Wire.Varint(902 << 3 | 5), .. new byte[4], .. Wire.Field(903, [1, 2, 3]), .. field],
        3 => [.. Wire.Varint(904 << 3 | 3), .. field, .. Wire.Varint(904 << 3 | 4)],
        4 => [.. field, .. field],
        5 => [0, .. field],
        // The same bytes under another wire type, or nothing.
        _ => wire == 2 ? [] : [(byte)(number << 3 | 2), .. field[1..]],
    };

    private byte[] Tag(uint tag, double odd)
    {
        if (_random.NextDouble() >= odd)
            return Wire.Varint(tag);
        return _random.Next(3) switch
        {
            0 => Wire.Varint(tag, 2 + _random.Next(4)),
            1 => Wire.Varint(tag, 6 + _random.Next(5)),
            // Bits above the 32nd, in the fifth byte or beyond it.
            _ => Wire.Varint(tag | (ulong)(1 + _random.Next(7)) << (32 + 7 * _random.Next(3) * _random.Next(2))),
        };
    }

    private byte[] Length(int length, double odd)
    {
        if (_random.NextDouble() >= odd)
            return Wire.Varint((ulong)length);
        return _random.Next(4) switch
        {
            0 => Wire.Varint((ulong)length, 6 + _random.Next(5)),
            1 => Wire.Varint((ulong)(uint)length | 1UL << (31 + _random.Next(30))),
            _ => Wire.Varint((ulong)length, 2 + _random.Next(4)),
        };
    }

    private byte[] Number(ulong value, double odd)
    {
        if (_random.NextDouble() >= odd)
            return Wire.Varint(value);
        byte[] bytes = Wire.Varint(value, 2 + _random.Next(10));
        if (bytes.Length == 10 && _random.Next(2) == 0)
            bytes[9] |= 0x02;
        return _random.Next(3) == 0 ? Wire.Varint(value | 1UL << (32 + _random.Next(32))) : bytes;
    }
}
