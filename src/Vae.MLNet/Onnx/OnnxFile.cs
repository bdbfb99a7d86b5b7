using System.Buffers;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Onnx;

/// <summary>An ONNX model of this library, read from anywhere and not trusted: everything is checked before it is believed, and nothing is allocated on a file's word.</summary>
internal sealed class OnnxFile
{
    /// <summary>What this library's graphs are made of, or may be: arithmetic and shapes. No loops, no functions, no custom operators.</summary>
    private static readonly HashSet<string> Operators = [.. (
        "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Cast Ceil Clip Concat ConstantOfShape Cos Cosh CumSum Div Elu Equal Erf Exp Expand Flatten Floor " +
        "Gather GatherElements GatherND Gemm Greater GreaterOrEqual Identity If IsInf IsNaN LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max Min Mod Mul Neg Not " +
        "OneHot Or Pow Range Reciprocal ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Shape Sigmoid " +
        "Sign Sin Sinh Slice Softmax Softplus Split Sqrt Squeeze Sub Sum Tan Tanh TopK Transpose Unsqueeze Where Xor").Split(' ')];

    private readonly Dictionary<string, TensorProto> _initializers = new(StringComparer.Ordinal);

    private OnnxFile(string name, ModelProto model, IReadOnlyDictionary<string, string> metadata)
    {
        Name = name;
        Model = model;
        Metadata = metadata;
    }

    /// <summary>Where it came from, for error messages.</summary>
    public string Name { get; }

    public ModelProto Model { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public string Kind => Required(VaeMetadata.Kind);

    /// <exception cref="InvalidDataException">It is not a valid file of this library.</exception>
    public static OnnxFile Read(string path) => Parse(ReadBytes(path), path);

    /// <summary>All bytes of a file, unless it is larger than any model may be.</summary>
    public static byte[] ReadBytes(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using var stream = File.OpenRead(path);
        return ReadBytes(stream, path);
    }

    /// <summary>The rest of a stream, read as it comes: a length is not believed.</summary>
    public static byte[] ReadBytes(Stream stream, string name)
    {
        Check.NotNull(stream);
        if (stream.CanSeek && stream.Length - stream.Position > OnnxWire.MaximumBytes)
            throw TooLarge(name, stream.Length - stream.Position);
        var bytes = new MemoryStream();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        try
        {
            int read;
            while ((read = stream.Read(buffer)) > 0)
            {
                if (bytes.Length + read > OnnxWire.MaximumBytes)
                    throw TooLarge(name, bytes.Length + read);
                bytes.Write(buffer, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        return bytes.ToArray();
    }

    /// <exception cref="InvalidDataException">It is not a valid file of this library.</exception>
    public static OnnxFile Parse(byte[] bytes, string name)
    {
        Check.NotNull(bytes);
        if (bytes.LongLength > OnnxWire.MaximumBytes)
            throw TooLarge(name, bytes.LongLength);
        if (bytes.Length == 0)
            throw Check.BadFile(name, "the file is empty; an ONNX model is expected.");
        OnnxWire.Check(bytes, name);
        // The version comes first: a file of another format may differ in everything else.
        var metadata = OnnxWire.Metadata(bytes, name);
        if (!metadata.TryGetValue(VaeMetadata.Format, out string? format))
            throw Check.BadFile(name, $"the ONNX model was not written by this library: its metadata has no '{VaeMetadata.Format}'.");
        if (format != VaeMetadata.FormatVersion)
            throw Check.BadFile(name, $"the model has format version '{Shown(format)}'; version '{VaeMetadata.FormatVersion}' is expected. A newer version of this library may read it.");
        ModelProto model;
        try
        {
            using var coded = CodedInputStream.CreateWithLimits(new MemoryStream(bytes, writable: false), int.MaxValue, 64);
            model = ModelProto.Parser.WithDiscardUnknownFields(true).ParseFrom(coded);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Check.BadFile(name, "not an ONNX model, or damaged: " + e.Message, e);
        }
        var file = new OnnxFile(name, model, metadata);
        file.Validate();
        return file;
    }

    /// <summary>A metadata value that has to be there.</summary>
    public string Required(string key) =>
        Metadata.TryGetValue(key, out string? value) ? value : throw Check.BadFile(Name, $"its metadata has no '{key}'.");

    /// <summary>Whether there is an initialiser for a parameter of that name.</summary>
    public bool HasParameter(string name) => Parameter(name) is not null;

    /// <summary>The numbers of a parameter in single precision; null where there is none of that name.</summary>
    public float[]? Floats(string name, ReadOnlySpan<long> shape)
    {
        if (Parameter(name) is not { } tensor)
            return null;
        if (!tensor.Dims.SequenceEqual(shape.ToArray()))
            throw Check.BadFile(Name, $"initialiser '{Shown(name)}' has shape [{Dims(tensor)}]; [{string.Join(", ", shape.ToArray())}] is expected.");
        var raw = tensor.RawData.Span;
        switch ((OnnxType)tensor.DataType)
        {
            case OnnxType.Float:
                return MemoryMarshal.Cast<byte, float>(raw).ToArray();
            case OnnxType.Float16:
                var halves = MemoryMarshal.Cast<byte, Half>(raw);
                var floats = new float[halves.Length];
                System.Numerics.Tensors.TensorPrimitives.ConvertToSingle(halves, floats);
                return floats;
            default:
                throw Check.BadFile(Name, Check.Invariant($"initialiser '{Shown(name)}' has data type {tensor.DataType}; {(int)OnnxType.Float} (float) or {(int)OnnxType.Float16} (float16) is expected."));
        }
    }

    /// <summary>A text of a file as it may stand in a message.</summary>
    public static string Shown(string text) => text.Length <= 60 ? text : text[..60] + "…";

    /// <summary>Parameters are in the space of the graph's own names; earlier files hold them under their plain names.</summary>
    private TensorProto? Parameter(string name) => _initializers.GetValueOrDefault(OnnxGraph.Internal(name)) ?? _initializers.GetValueOrDefault(name);

    private void Validate()
    {
        if (Model.Graph is not { } graph)
            throw Check.BadFile(Name, "the ONNX model has no graph.");
        if (Model.IrVersion is < 3 or > OnnxGraph.IrVersion)
            throw Check.BadFile(Name, Check.Invariant($"IR version {Model.IrVersion}; {OnnxGraph.IrVersion} is expected."));
        bool standard = false;
        foreach (var import in Model.OpsetImport)
        {
            int expected = import.Domain switch
            {
                "" => OnnxGraph.Opset,
                "ai.onnx.ml" => OnnxGraph.MlOpset,
                _ => throw Check.BadFile(Name, $"it imports operators of the domain '{Shown(import.Domain)}'; only ai.onnx and ai.onnx.ml are expected."),
            };
            if (import.Version != expected)
                throw Check.BadFile(Name, Check.Invariant($"opset {import.Version} of '{(import.Domain.Length == 0 ? "ai.onnx" : import.Domain)}'; {expected} is expected."));
            standard |= import.Domain.Length == 0;
        }
        if (!standard)
            throw Check.BadFile(Name, "it imports no opset of ai.onnx.");
        foreach (var tensor in graph.Initializer)
        {
            if (!_initializers.TryAdd(tensor.Name, tensor))
                throw Check.BadFile(Name, $"the initialiser '{Shown(tensor.Name)}' comes twice.");
        }
        Validate(graph);
    }

    private void Validate(GraphProto graph)
    {
        foreach (var tensor in graph.Initializer)
            Validate(tensor);
        foreach (var node in graph.Node)
        {
            bool known = node.Domain switch
            {
                "" or "ai.onnx" => Operators.Contains(node.OpType),
                "ai.onnx.ml" => node.OpType == "LabelEncoder",
                _ => false,
            };
            if (!known)
                throw Check.BadFile(Name, $"the operator '{Shown(node.OpType)}' of the domain '{(node.Domain.Length == 0 ? "ai.onnx" : Shown(node.Domain))}' is none that this library uses.");
            foreach (var attribute in node.Attribute)
            {
                if (attribute.T is { } tensor)
                    Validate(tensor);
                if (attribute.G is { } branch)
                    Validate(branch);
            }
        }
    }

    /// <summary>The numbers have to be in the file, and as many as the dimensions say.</summary>
    private void Validate(TensorProto tensor)
    {
        string name = Shown(tensor.Name);
        if (tensor.DataLocation != 0 || tensor.ExternalData.Count > 0)
            throw Check.BadFile(Name, $"the tensor '{name}' refers to an external file; this library reads only what is in the model itself.");
        long count = 1;
        foreach (long dim in tensor.Dims)
        {
            if (dim < 0 || dim > 0 && count > OnnxWire.MaximumBytes / dim)
                throw Check.BadFile(Name, $"the tensor '{name}' has the impossible shape [{Dims(tensor)}].");
            count *= dim;
        }
        long found, expected;
        switch ((OnnxType)tensor.DataType)
        {
            case OnnxType.String:
                (found, expected) = (tensor.StringData.Count, count);
                break;
            case OnnxType.Float or OnnxType.Int32:
                (found, expected) = (tensor.RawData.Length, count * 4);
                break;
            case OnnxType.Int64 or OnnxType.Double:
                (found, expected) = (tensor.RawData.Length, count * 8);
                break;
            case OnnxType.Float16:
                (found, expected) = (tensor.RawData.Length, count * 2);
                break;
            case OnnxType.Bool:
                (found, expected) = (tensor.RawData.Length, count);
                break;
            default:
                throw Check.BadFile(Name, Check.Invariant($"the tensor '{name}' has the unknown data type {tensor.DataType}."));
        }
        if (found != expected || tensor.FloatData.Count + tensor.Int32Data.Count + tensor.Int64Data.Count > 0)
        {
            string unit = (OnnxType)tensor.DataType == OnnxType.String ? "strings" : "bytes of raw data";
            throw Check.BadFile(Name, Check.Invariant($"the tensor '{name}' of shape [{Dims(tensor)}] holds {found} {unit}; {expected} are expected."));
        }
    }

    private static string Dims(TensorProto tensor) => string.Join(", ", tensor.Dims.Take(8)) + (tensor.Dims.Count > 8 ? ", …" : "");

    private static InvalidDataException TooLarge(string name, long bytes) =>
        Check.BadFile(name, Check.Invariant($"{bytes} bytes; a model has at most {OnnxWire.MaximumBytes}."));
}
