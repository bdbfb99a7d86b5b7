using System.Runtime.InteropServices;
using Google.Protobuf;
using Vae.MLNet.Onnx.Proto;
using static Vae.MLNet.Onnx.Proto.AttributeProto.Types;

namespace Vae.MLNet.Onnx;

/// <summary>Element types of ONNX tensors that this library uses (numbers as in TensorProto.DataType).</summary>
internal enum OnnxType
{
    Float = 1,
    Int32 = 6,
    Int64 = 7,
    String = 8,
    Bool = 9,
    Float16 = 10,
    Double = 11,
}

/// <summary>
/// Builds an ONNX graph node by node. Every method that adds a value returns its name; names are unique in the graph. Inputs and outputs are called as they are asked
/// to be, by the names of columns; everything else is in a space that no column can reach.
/// A shape is a list of dimensions, where -1 stands for the batch ("N").
/// </summary>
internal sealed class OnnxGraph
{
    /// <summary>Opset and IR version of every file of ours: accepted by OnnxRuntime 1.13 and later and by onnxruntime-web.</summary>
    public const int Opset = 17, IrVersion = 8, MlOpset = 2;

    public const int Batch = -1;

    private readonly GraphProto _graph = new();
    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names;
    private readonly Dictionary<string, string> _scalars = [];
    private readonly OnnxGraph? _outer;
    private bool _usesMl;

    public OnnxGraph(string name)
        : this(name, null)
    {
    }

    private OnnxGraph(string name, OnnxGraph? outer)
    {
        _graph.Name = name;
        _outer = outer;
        _names = outer?._names ?? new(StringComparer.Ordinal);
    }

    /// <summary>A graph for a branch of an If node; it may use every value of the outer graph.</summary>
    public OnnxGraph Branch(string name) => new(name, this);

    /// <summary>Put before the names of a network's parameters, so that one graph can hold several networks.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>The name, as it stands in a graph, of a parameter or an intermediate value.</summary>
    public static string Internal(string name) => Check.GraphSpace + name;

    /// <summary>Whether the graph has a constant, or another value of its own, of that name; never true for a column.</summary>
    public bool Has(string name) => _names.Contains(Internal(name));

    public string Input(string name, OnnxType type, params ReadOnlySpan<long> shape)
    {
        Claim(name);
        _graph.Input.Add(Value(name, type, shape));
        return name;
    }

    /// <summary>A float input [rows, columns] whose number of rows is not that of the batch but has a name of its own.</summary>
    public string InputOfNamedRows(string name, string rows, long columns)
    {
        Claim(name);
        var value = Value(name, OnnxType.Float, [Batch, columns]);
        value.Type.TensorType.Shape.Dim[0].DimParam = rows;
        _graph.Input.Add(value);
        return name;
    }

    /// <summary>Declares a value to be an output under its own name.</summary>
    public void Output(string value, OnnxType type, params ReadOnlySpan<long> shape) => _graph.Output.Add(Value(value, type, shape));

    /// <summary>A parameter or another constant: its name in the graph is <see cref="Internal"/> of the given one.</summary>
    public string Constant(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        Add(name, OnnxType.Float, MemoryMarshal.AsBytes(values), shape);

    /// <summary>A constant of whole numbers: its name in the graph is <see cref="Internal"/> of the given one.</summary>
    public string Constant(string name, ReadOnlySpan<long> values, params ReadOnlySpan<long> shape) =>
        Add(name, OnnxType.Int64, MemoryMarshal.AsBytes(values), shape);

    /// <summary>A scalar constant; equal ones are stored once.</summary>
    public string Scalar(float value)
    {
        string key = "f" + BitConverter.SingleToInt32Bits(value).ToString("x8", System.Globalization.CultureInfo.InvariantCulture);
        if (!_scalars.TryGetValue(key, out string? name))
            _scalars[key] = name = Shared("scalar." + key, OnnxType.Float, MemoryMarshal.AsBytes<float>([value]), []);
        return name;
    }

    /// <summary>A scalar constant in double precision; equal ones are stored once.</summary>
    public string DoubleScalar(double value)
    {
        string key = "d" + BitConverter.DoubleToInt64Bits(value).ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
        if (!_scalars.TryGetValue(key, out string? name))
            _scalars[key] = name = Shared("scalar." + key, OnnxType.Double, MemoryMarshal.AsBytes<double>([value]), []);
        return name;
    }

    /// <summary>A constant in double precision under a name made unique.</summary>
    public string DoubleConstant(string stem, ReadOnlySpan<double> values, params ReadOnlySpan<long> shape) =>
        Shared(stem, OnnxType.Double, MemoryMarshal.AsBytes(values), shape);

    /// <summary>A scalar int64 constant under a name made unique.</summary>
    public string LongConstant(string stem, long value) => Shared(stem, OnnxType.Int64, MemoryMarshal.AsBytes<long>([value]), []);

    /// <summary>A one-dimensional int64 constant, as shapes and axes are given to nodes; equal ones are stored once.</summary>
    public string Ints(params ReadOnlySpan<long> values)
    {
        string key = "ints." + string.Join("_", values.ToArray());
        if (!_scalars.TryGetValue(key, out string? name))
            _scalars[key] = name = Shared(key, OnnxType.Int64, MemoryMarshal.AsBytes(values), [values.Length]);
        return name;
    }

    /// <summary>Adds a node with one output, called as it is given, as a column; where it is not, it gets a name of the graph's own.</summary>
    public string Node(string op, ReadOnlySpan<string> inputs, string? output = null, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        string name = output is null ? Unique(op.ToLowerInvariant()) : Claim(output);
        AddNode(op, inputs, [name], "", attributes);
        return name;
    }

    /// <summary>Adds a node with several outputs.</summary>
    public string[] Nodes(string op, ReadOnlySpan<string> inputs, int outputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        var names = new string[outputs];
        for (int i = 0; i < outputs; i++)
            names[i] = Unique(op.ToLowerInvariant());
        AddNode(op, inputs, names, "", attributes);
        return names;
    }

    /// <summary>
    /// Looks each element up in a list; what is not in it becomes the default. Keys and values are arrays of string, of long or of float.
    /// </summary>
    public string Lookup(string x, Array keys, Array values, object otherwise) => MlNode("LabelEncoder", [x],
        ("keys_" + Suffix(keys), keys), ("values_" + Suffix(values), values), ("default_" + Suffix(values)[..^1], otherwise));

    /// <summary>Adds a node of ONNX's operators for classical models, with one output.</summary>
    public string MlNode(string op, ReadOnlySpan<string> inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        string name = Unique(op.ToLowerInvariant());
        AddNode(op, inputs, [name], "ai.onnx.ml", attributes);
        (_outer ?? this)._usesMl = true;
        return name;
    }

    public string Add(string a, string b) => Node("Add", [a, b]);

    public string Subtract(string a, string b) => Node("Sub", [a, b]);

    public string Multiply(string a, string b) => Node("Mul", [a, b]);

    public string Divide(string a, string b) => Node("Div", [a, b]);

    public string Square(string a) => Node("Mul", [a, a]);

    /// <summary>y = x Wᵀ + b with W of shape [outputs, inputs], as TorchSharp stores it.</summary>
    public string Linear(string x, string weight, string bias, string? output = null) =>
        Node("Gemm", [x, weight, bias], output, ("transB", 1L));

    /// <summary>Sum over the given axes.</summary>
    public string Sum(string x, long axis, bool keep = true) =>
        Node("ReduceSum", [x, Ints(axis)], null, ("keepdims", keep ? 1L : 0L));

    public string Mean(string x, long axis, bool keep = true) =>
        Node("ReduceMean", [x], null, ("axes", new[] { axis }), ("keepdims", keep ? 1L : 0L));

    /// <summary>Columns [start, end) of a two-dimensional value.</summary>
    public string Columns(string x, long start, long end) => Slice(x, 1, start, end);

    public string Slice(string x, long axis, long start, long end) =>
        Node("Slice", [x, Ints(start), Ints(end), Ints(axis)]);

    public string Reshape(string x, params ReadOnlySpan<long> shape) => Node("Reshape", [x, Ints(shape)]);

    /// <summary>
    /// Slot names of an output column, where ML.NET's OnnxTransformer looks for them: a LabelEncoder node with a name agreed on, fed by a
    /// dummy string, its output unused.
    /// </summary>
    public void SlotNames(string column, IReadOnlyList<string> names)
    {
        string nodeName = $"mlnet.{column}.SlotNames";
        string dummy = Unique("slotnames.dummy");
        var tensor = new TensorProto { Name = dummy, DataType = (int)OnnxType.String };
        tensor.Dims.Add(1);
        tensor.StringData.Add(ByteString.CopyFromUtf8(""));
        _graph.Initializer.Add(tensor);
        var node = AddNode("LabelEncoder", [dummy], [Unique("slotnames")], "ai.onnx.ml",
            ("keys_strings", names.ToArray()), ("values_int64s", Enumerable.Range(0, names.Count).Select(i => (long)i).ToArray()));
        node.Name = nodeName;
        (_outer ?? this)._usesMl = true;
    }

    public void Metadata(string key, string value) => _metadata[key] = value;

    /// <summary>The graph itself, for the branch of an If node.</summary>
    public GraphProto Proto => _graph;

    public ModelProto Build()
    {
        var model = new ModelProto
        {
            IrVersion = IrVersion,
            ProducerName = "Vae.MLNet",
            ProducerVersion = LibraryVersion.Text,
            Graph = _graph,
        };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = Opset });
        if (_usesMl)
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx.ml", Version = MlOpset });
        foreach (var (key, value) in _metadata)
            model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        return model;
    }

    public byte[] ToBytes() => Build().ToByteArray();

    private static string Suffix(Array values) => values is string[]? "strings" : values is float[]? "floats" : "int64s";

    private string Shared(string stem, OnnxType type, ReadOnlySpan<byte> bytes, ReadOnlySpan<long> shape)
    {
        string name = Unique(stem);
        _graph.Initializer.Add(Tensor(name, type, bytes, shape));
        return name;
    }

    private string Add(string stem, OnnxType type, ReadOnlySpan<byte> bytes, ReadOnlySpan<long> shape)
    {
        string name = Claim(Internal(stem));
        _graph.Initializer.Add(Tensor(name, type, bytes, shape));
        return name;
    }

    private static TensorProto Tensor(string name, OnnxType type, ReadOnlySpan<byte> bytes, ReadOnlySpan<long> shape)
    {
        // raw_data is little-endian by definition; so is every platform that .NET's OnnxRuntime runs on.
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        foreach (long dim in shape)
            tensor.Dims.Add(dim);
        return tensor;
    }

    private static ValueInfoProto Value(string name, OnnxType type, ReadOnlySpan<long> shape)
    {
        var tensor = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = new TensorShapeProto() };
        foreach (long dim in shape)
        {
            tensor.Shape.Dim.Add(dim == Batch
                ? new TensorShapeProto.Types.Dimension { DimParam = "N" }
                : new TensorShapeProto.Types.Dimension { DimValue = dim });
        }
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = tensor } };
    }

    private NodeProto AddNode(string op, ReadOnlySpan<string> inputs, ReadOnlySpan<string> outputs, string domain,
        params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        var node = new NodeProto { OpType = op, Name = outputs[0] + ".node", Domain = domain };
        foreach (string input in inputs)
            node.Input.Add(input);
        foreach (string output in outputs)
            node.Output.Add(output);
        foreach (var (name, value) in attributes)
            node.Attribute.Add(Attribute(name, value));
        _graph.Node.Add(node);
        return node;
    }

    private static AttributeProto Attribute(string name, object value)
    {
        var attribute = new AttributeProto { Name = name };
        switch (value)
        {
            case long number:
                attribute.Type = AttributeType.Int;
                attribute.I = number;
                break;
            case float number:
                attribute.Type = AttributeType.Float;
                attribute.F = number;
                break;
            case long[] numbers:
                attribute.Type = AttributeType.Ints;
                attribute.Ints.Add(numbers);
                break;
            case float[] numbers:
                attribute.Type = AttributeType.Floats;
                attribute.Floats.Add(numbers);
                break;
            case string[] texts:
                attribute.Type = AttributeType.Strings;
                attribute.Strings.Add(texts.Select(ByteString.CopyFromUtf8));
                break;
            case string text:
                attribute.Type = AttributeType.String;
                attribute.S = ByteString.CopyFromUtf8(text);
                break;
            case GraphProto graph:
                attribute.Type = AttributeType.Graph;
                attribute.G = graph;
                break;
            default:
                throw new ArgumentException($"An attribute of type {value.GetType()} is not supported.", nameof(value));
        }
        return attribute;
    }

    private string Claim(string name)
    {
        if (string.IsNullOrEmpty(name) || !_names.Add(name))
            throw new ArgumentException($"The name '{name}' is empty or already used in the graph.", nameof(name));
        return name;
    }

    private string Unique(string stem)
    {
        string name = Internal(stem);
        for (int i = 1; !_names.Add(name); i++)
            name = Internal(Check.Invariant($"{stem}.{i}"));
        return name;
    }
}
