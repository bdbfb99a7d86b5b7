using Google.Protobuf;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Tests.Onnx;

/// <summary>Damages valid files: bytes flipped, cut, repeated, moved and replaced by telling ones, and fields of the model set to what no honest file has.</summary>
internal sealed class Mutations(int seed)
{
    private static readonly long[] Numbers = [-1, 0, 1, 7, 255, 65536, int.MaxValue, (long)int.MaxValue + 1, long.MaxValue, long.MinValue, 1L << 40, 0x4000_0000];
    private static readonly string[] Texts = ["", "Loop", "If", "vae", "pipeline", "decoder", "NaN", "-1", "1e999", "{}", "[]", "null", "{\"latentDimension\":2147483647}", "ai.onnx.ml", "../../etc/passwd", "\0", "9999999999", "[1e39]"];

    private readonly Random _random = new(seed);

    public byte[] Bytes(byte[] valid)
    {
        byte[] bytes = [.. valid];
        for (int count = 1 + _random.Next(4); count > 0 && bytes.Length > 0; count--)
        {
            int at = _random.Next(bytes.Length), length = Math.Min(1 + _random.Next(64), bytes.Length - at);
            switch (_random.Next(8))
            {
                case 0: bytes[at] ^= (byte)(1 << _random.Next(8)); break;
                case 1: bytes[at] = (byte)_random.Next(256); break;
                case 2: bytes = bytes[..at]; break;
                case 3: bytes = [.. bytes[..at], .. bytes[(at + length)..]]; break;
                case 4: bytes = [.. bytes[..at], .. bytes[at..(at + length)], .. bytes[at..]]; break;
                case 5: bytes.AsSpan(at, length).Fill((byte)(_random.Next(2) * 255)); break;
                case 6: _random.NextBytes(bytes.AsSpan(at, length)); break;
                // A varint of any size where a length or a number may stand.
                default: BitConverter.TryWriteBytes(bytes.AsSpan(at), Numbers[_random.Next(Numbers.Length)] | 0x8080808080); break;
            }
        }
        return bytes;
    }

    public byte[] Fields(ModelProto valid)
    {
        var model = valid.Clone();
        for (int count = 1 + _random.Next(3); count > 0; count--)
            Field(model);
        return model.ToByteArray();
    }

    private void Field(ModelProto model)
    {
        var graph = model.Graph;
        var tensor = graph.Initializer[_random.Next(graph.Initializer.Count)];
        var node = graph.Node[_random.Next(graph.Node.Count)];
        var entry = model.MetadataProps[_random.Next(model.MetadataProps.Count)];
        switch (_random.Next(16))
        {
            case 0: tensor.Dims.Add(Number()); break;
            case 1 when tensor.Dims.Count > 0: tensor.Dims[_random.Next(tensor.Dims.Count)] = Number(); break;
            case 2: tensor.DataType = (int)Number(); break;
            case 3: tensor.RawData = ByteString.CopyFrom(tensor.RawData.Span[.._random.Next(tensor.RawData.Length + 1)]); break;
            case 4: tensor.DataLocation = 1; break;
            case 5: tensor.Name = Text(); break;
            case 6: node.OpType = Text(); break;
            case 7: node.Domain = Text(); break;
            case 8: node.Attribute.Add(new AttributeProto { Name = "body", G = graph.Clone(), Type = AttributeProto.Types.AttributeType.Graph }); break;
            case 9: entry.Value = Text(); break;
            case 10: entry.Value = new string([.. Bytes(System.Text.Encoding.ASCII.GetBytes(entry.Value[..Math.Min(entry.Value.Length, 2000)])).Select(value => (char)(value & 0x7F))]); break;
            case 11: entry.Key = Text(); break;
            case 12: model.MetadataProps.Remove(entry); break;
            case 13: graph.Initializer.Remove(tensor); graph.Initializer.Add(new TensorProto { Name = "last", Dims = { 0 }, DataType = 1 }); break;
            case 14: model.OpsetImport.Add(new OperatorSetIdProto { Domain = Text(), Version = Number() }); break;
            default: entry.Value = entry.Value.Replace("16", Number().ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal); break;
        }
        // The metadata must not run out: the next change takes one.
        if (model.MetadataProps.Count == 0)
            model.MetadataProps.Add(new StringStringEntryProto { Key = "vae.format", Value = "1" });
    }

    private long Number() => Numbers[_random.Next(Numbers.Length)];

    private string Text() => Texts[_random.Next(Texts.Length)];
}
