using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.Transforms;
using Vae.MLNet.Data;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;
using static Vae.MLNet.Onnx.Proto.AttributeProto.Types;

namespace Vae.MLNet.Pipelines;

/// <summary>Composes the graphs of a chain's transforms into one, by the columns that connect them.</summary>
internal sealed class PipelineExport
{
    /// <summary>Largest difference between the graph and the chain, relative to the largest value of the output.</summary>
    public const double Tolerance = 1e-4;

    private const int CheckedRows = 16;

    private const string ScoreName = "Score";

    private readonly GraphProto _graph = new() { Name = "pipeline" };
    private readonly Dictionary<string, Value> _columns = new(StringComparer.Ordinal);
    private readonly List<StageDescription> _stages = [];
    private DataViewSchema _schema;
    private IReadOnlyList<StringStringEntryProto> _lastMetadata = [];
    private (VaeTransformer Transformer, string Prefix, Value Latent, Value Sigma, Value Reconstruction, Value Score)? _vae;
    private IReadOnlyList<(string Name, Value Value)> _lastOutputs = [];
    private int _unique;

    private PipelineExport(DataViewSchema schema)
    {
        _schema = schema;
        foreach (var column in schema)
        {
            var item = (column.Type as VectorDataViewType)?.ItemType ?? column.Type;
            long[]? dims = column.Type is VectorDataViewType { IsKnownSize: true } vector ? [vector.Size] : column.Type is VectorDataViewType ? null : [1];
            if (column.IsHidden || dims is null || item != NumberDataViewType.Single && item != NumberDataViewType.Int64)
                _columns.Remove(column.Name);
            else
                _columns[column.Name] = new Value(null, dims, item == NumberDataViewType.Single ? OnnxType.Float : OnnxType.Int64) { Root = column.Name };
        }
    }

    /// <summary>A column as a tensor [N, dims]; without a tensor yet where it is a column of the data that nothing has read.</summary>
    private sealed class Value(string? tensor, long[] dims, OnnxType type)
    {
        public string? Tensor { get; set; } = tensor;

        public long[] Dims { get; set; } = dims;

        public OnnxType Type { get; } = type;

        /// <summary>Column of the data that it is.</summary>
        public string? Root { get; init; }

        public long Size => Dims.Aggregate(1L, (product, dim) => product * dim);
    }

    private sealed record StageDescription(string Position, string Transform, string[] Inputs, string[] Outputs);

    public static OnnxExportReport Write(MLContext context, ITransformer model, DataViewSchema inputSchema, string path, PipelineExportOptions options)
    {
        var (file, report) = Create(context, model, inputSchema, options);
        AtomicFile.WriteAllBytes(path, file);
        return report;
    }

    public static (byte[] File, OnnxExportReport Report) Create(MLContext context, ITransformer model, DataViewSchema inputSchema, PipelineExportOptions options)
    {
        Check.NotNull(model);
        Check.NotNull(inputSchema);
        Check.NotNull(options).Validate();
        // The chain's own errors about a schema that does not fit come first.
        model.GetOutputSchema(inputSchema);
        var rehydration = new Rehydration(context);
        try
        {
            var export = new PipelineExport(inputSchema);
            export.Add(rehydration.Apply(model), "");
            byte[] file = export.Finish(options).ToByteArray();
            bool half = options.WeightType == OnnxWeightType.Float16;
            double tolerance = half ? ExportCheck.HalfTolerance : Tolerance;
            return (file, new(file.LongLength, export.Compare(model, inputSchema, file, tolerance), tolerance));
        }
        finally
        {
            foreach (var created in rehydration.Created)
                created.Dispose();
        }
    }

    private void Add(ITransformer transformer, string position)
    {
        if (Chains.AsChain(transformer) is { } chain)
        {
            int index = 0;
            foreach (var item in chain.GetModelFor(TransformerScope.Scoring))
            {
                index++;
                Add(item, position.Length == 0 ? Check.Invariant($"{index}") : Check.Invariant($"{position}.{index}"));
            }
            return;
        }
        if (position.Length == 0)
            position = "1";
        switch (transformer)
        {
            case FittedTransformer fitted:
                Fitted(fitted, position);
                break;
            case ColumnCopyingTransformer:
                MapColumns(transformer, position, sources => sources.Count == 1 ? Column(sources[0]) : null);
                break;
            case ColumnConcatenatingTransformer:
                Concatenate(transformer, position);
                break;
            case ColumnSelectingTransformer:
                break;
            case NormalizingTransformer normalizer:
                Normalize(normalizer, position);
                break;
            default:
                throw NoGraph(transformer, position, "");
        }
        _schema = transformer.GetOutputSchema(_schema);
        // What a transform dropped or hid is gone.
        foreach (string gone in _columns.Keys.Where(name => _schema.GetColumnOrNull(name) is null).ToArray())
            _columns.Remove(gone);
    }

    private static ArgumentException NoGraph(ITransformer transformer, string position, string reason) => Check.Argument("model",
        $"Transform {position} of the pipeline, {TypeName(transformer)}, has no ONNX graph{reason}. Those of Vae.MLNet have one, and ML.NET's CopyColumns, Concatenate, SelectColumns, DropColumns and linear normalisers.");

    private static string TypeName(ITransformer transformer) => transformer.GetType().Name.Split('`')[0];

    private Value? Column(string name) => _columns.GetValueOrDefault(name);

    private void Fitted(FittedTransformer fitted, string position)
    {
        string prefix = position + "/";
        var vae = fitted as VaeTransformer;
        byte[] file = fitted.CreateSavedModel();
        VaeOutputColumns? columns = null;
        if (vae is not null)
        {
            // Everything the model can give; what is not wanted in the end is pruned.
            columns = new()
            {
                StandardDeviation = vae.Columns.StandardDeviation ?? "/sigma",
                Reconstruction = vae.Columns.Reconstruction ?? "/reconstruction",
                Score = vae.Columns.Score ?? "/score",
            };
            file = vae.CreateGraph(columns);
        }
        var (outputs, metadata) = Merge(file, prefix, position, fitted);
        var named = new List<(string Name, Value Value)>();
        foreach (var output in fitted.OutputColumns)
        {
            if (outputs.TryGetValue(output.TensorName, out var value))
            {
                _columns[output.Name] = value;
                named.Add((output.Name, value));
            }
            else if (fitted is VaeAnomalyTransformer detector && output.IsLabel)
            {
                // Given on request: the label is no output of the saved graph.
                string score = outputs[OutputColumn.VectorName(VaeAnomalyTransformer.ScoreColumn)].Tensor!;
                _columns[output.Name] = new Value(Node("Greater", [score, Floats([detector.Threshold])]), [1], OnnxType.Bool);
            }
            else
            {
                _columns.Remove(output.Name);
            }
        }
        _lastMetadata = metadata;
        _lastOutputs = named;
        if (vae is not null)
            _vae = (vae, prefix, outputs[vae.LatentColumnName], outputs[columns!.StandardDeviation!], outputs[columns.Reconstruction!], outputs[OutputColumn.VectorName(columns.Score!)]);
        _stages.Add(new(position, TypeName(fitted), [fitted.InputColumnName], [.. fitted.OutputColumns.Select(output => output.Name)]));
    }

    /// <summary>Adds the nodes of a stage under names of its own and connects its inputs.</summary>
    private (Dictionary<string, Value> Outputs, IReadOnlyList<StringStringEntryProto> Metadata) Merge(byte[] file, string prefix, string position, ITransformer transformer)
    {
        var model = ModelProto.Parser.ParseFrom(file);
        var graph = model.Graph;
        foreach (var import in model.OpsetImport)
        {
            if (import.Version != (import.Domain switch { "" => OnnxGraph.Opset, "ai.onnx.ml" => OnnxGraph.MlOpset, _ => -1 }))
                throw NoGraph(transformer, position, Check.Invariant($" of opset {OnnxGraph.Opset}: it has version {import.Version} of '{import.Domain}'"));
        }
        var initial = graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        var connected = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var input in graph.Input.Where(input => !initial.Contains(input.Name)))
            connected.Add(input.Name, Feed(input.Name, Dims(input), (OnnxType)input.Type.TensorType.ElemType, position, transformer));
        var outputs = graph.Output.ToDictionary(output => output.Name, output => new Value(prefix + output.Name, Dims(output), (OnnxType)output.Type.TensorType.ElemType));
        OnnxGraphs.RenameAll(graph, name => connected.GetValueOrDefault(name) ?? prefix + name);
        foreach (var node in graph.Node)
            node.Name = prefix + node.Name;
        _graph.Initializer.Add(graph.Initializer);
        _graph.Node.Add(graph.Node);
        return (outputs, model.MetadataProps);
    }

    private static long[] Dims(ValueInfoProto value) => [.. value.Type.TensorType.Shape.Dim.Skip(1).Select(dim => dim.DimValue)];

    /// <summary>The tensor of a column in the shape that a stage wants it.</summary>
    private string Feed(string column, long[] dims, OnnxType type, string position, ITransformer transformer)
    {
        if (Column(column) is not { } value)
        {
            throw Check.Argument("model", $"Transform {position} of the pipeline, {TypeName(transformer)}, reads the column '{column}', " +
                (_schema.GetColumnOrNull(column) is { } found ? $"which is {Check.TypeName(found.Type)} and cannot be a tensor; Single or Int64 is expected." : "which is not there."));
        }
        if (value.Type != type)
            throw Check.Argument("model", $"Transform {position} of the pipeline, {TypeName(transformer)}, reads the column '{column}' as {type}; it is {value.Type}.");
        return Shaped(value, dims);
    }

    private string Shaped(Value value, long[] dims)
    {
        string tensor = Materialized(value, dims);
        return value.Dims.SequenceEqual(dims) ? tensor : Node("Reshape", [tensor, Ints([-1, .. dims])]);
    }

    /// <summary>The tensor of a value; a column of the data becomes an input of the graph in the shape in which it is first wanted.</summary>
    private string Materialized(Value value, long[] dims)
    {
        if (value.Tensor is null)
        {
            var shape = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "N" } } };
            shape.Dim.Add(dims.Select(dim => new TensorShapeProto.Types.Dimension { DimValue = dim }));
            _graph.Input.Add(new ValueInfoProto { Name = value.Root!, Type = new TypeProto { TensorType = new() { ElemType = (int)value.Type, Shape = shape } } });
            value.Tensor = value.Root;
            value.Dims = dims;
        }
        return value.Tensor!;
    }

    private string Flat(Value value) => Shaped(value, [value.Size]);

    /// <summary>The new columns of an ML.NET transform, each made from the columns it depends on.</summary>
    private void MapColumns(ITransformer transformer, string position, Func<IReadOnlyList<string>, Value?> make)
    {
        var mapper = transformer.GetRowToRowMapper(_schema);
        var made = new List<(string Name, Value? Value)>();
        var read = new List<string>();
        foreach (var column in mapper.OutputSchema.Skip(_schema.Count))
        {
            string[] sources = [.. mapper.GetDependencies([column]).Select(source => source.Name)];
            read.AddRange(sources);
            made.Add((column.Name, make(sources)));
        }
        // All are read before any is replaced.
        foreach (var (name, value) in made)
        {
            if (value is null)
                _columns.Remove(name);
            else
                _columns[name] = value;
        }
        _stages.Add(new(position, TypeName(transformer), [.. read.Distinct()], [.. made.Select(column => column.Name)]));
    }

    /// <summary>The order of the parts is found by sending numbered values through the transform.</summary>
    private void Concatenate(ITransformer transformer, string position)
    {
        var mapper = transformer.GetRowToRowMapper(_schema);
        var starts = new Dictionary<int, int>();
        int total = 0;
        foreach (var column in _schema)
        {
            starts[column.Index] = total;
            total += column.Type is VectorDataViewType vector ? vector.Size : 1;
        }
        var values = new Dictionary<string, Value?>();
        foreach (var column in mapper.OutputSchema.Skip(_schema.Count))
        {
            var sources = mapper.GetDependencies([column]).ToArray();
            if (column.Type is not VectorDataViewType { ItemType: var item } || item != NumberDataViewType.Single || sources.Any(source => Column(source.Name)?.Type != OnnxType.Float))
            {
                values[column.Name] = null;
                continue;
            }
            var probe = new ProbeRow(_schema, source => [.. Enumerable.Range(starts[source.Index], source.Type is VectorDataViewType vector ? vector.Size : 1).Select(number => (float)number)]);
            probe.Next();
            using var row = mapper.GetRow(probe, [column]);
            VBuffer<float> found = default;
            row.GetGetter<VBuffer<float>>(column)(ref found);
            float[] numbers = [.. found.DenseValues()];
            var parts = new List<Value>();
            for (int at = 0; at < numbers.Length;)
            {
                var source = sources.Single(source => starts[source.Index] == numbers[at]);
                var part = Column(source.Name)!;
                parts.Add(part);
                at += (int)part.Size;
            }
            long size = parts.Sum(part => part.Size);
            values[column.Name] = parts.Count == 1
                ? parts[0]
                : new Value(Node("Concat", [.. parts.Select(Flat)], ("axis", 1)), [size], OnnxType.Float);
        }
        var queue = new Queue<Value?>(mapper.OutputSchema.Skip(_schema.Count).Select(column => values[column.Name]));
        MapColumns(transformer, position, _ => queue.Dequeue());
    }

    /// <summary>y = (x - offset) · scale.</summary>
    private void Normalize(NormalizingTransformer normalizer, string position)
    {
        int index = 0;
        MapColumns(normalizer, position, sources =>
        {
            var (scale, offset) = normalizer.GetNormalizerModelParameters(index++) switch
            {
                NormalizingTransformer.AffineNormalizerModelParameters<ImmutableArray<float>> vector => ([.. vector.Scale], vector.Offset.IsDefault ? [] : vector.Offset.ToArray()),
                NormalizingTransformer.AffineNormalizerModelParameters<float> scalar => ((float[])[scalar.Scale], (float[])[scalar.Offset]),
                _ => throw NoGraph(normalizer, position, " for a normalisation that is not linear"),
            };
            if (Column(sources[0]) is not { Type: OnnxType.Float } value)
                return null;
            string x = Flat(value);
            if (offset.Length > 0)
                x = Node("Sub", [x, Floats(offset)]);
            return new Value(Node("Mul", [x, Floats(scale)]), [value.Size], OnnxType.Float);
        });
    }

    private ModelProto Finish(PipelineExportOptions options)
    {
        if (_lastOutputs.Count == 0 && _vae is null)
            throw Check.Argument("model", "The pipeline has no transform of Vae.MLNet; there is nothing to export.");
        var outputs = new List<(string Name, Value Value)>();
        if (_vae is { } vae)
        {
            if (options.Latent)
                outputs.Add((vae.Transformer.LatentColumnName, vae.Latent));
            if (options.StandardDeviation)
                outputs.Add((vae.Transformer.Columns.StandardDeviation ?? VaeGraphs.Sigma, vae.Sigma));
            if (options.Reconstruction)
                outputs.Add((vae.Transformer.Columns.Reconstruction ?? VaeGraphs.Reconstruction, vae.Reconstruction));
            if (options.Score)
                outputs.Add((vae.Transformer.Columns.Score ?? ScoreName, vae.Score));
        }
        else
        {
            if (options.StandardDeviation || options.Reconstruction || options.Score)
                throw Check.Argument(nameof(options), "StandardDeviation, Reconstruction and Score are outputs of an autoencoder; the pipeline has none. Columns gives any of its columns.");
            outputs.AddRange(_lastOutputs);
        }
        foreach (string column in options.Columns)
        {
            if (outputs.Any(output => output.Name == column))
                continue;
            outputs.Add((column, Column(column) ?? throw Check.Argument(nameof(options.Columns), $"The pipeline gives no column '{column}' that can be a tensor.")));
        }
        if (outputs.Count == 0)
            throw Check.Argument(nameof(options), "No output is wanted; at least one is expected.");

        var renamed = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in outputs)
        {
            string tensor = Materialized(value, value.Dims);
            if (outputs.Count(output => output.Name == name) > 1 || _graph.Input.Any(input => input.Name == name))
                throw Check.Argument(nameof(options), $"Two tensors of the exported graph would be called '{name}': an output has the name of an input or of another output. Rename a column with CopyColumns.");
            if (value.Root is not null || !renamed.TryAdd(tensor, name))
                renamed.Add(Node("Identity", [tensor]), name);
            var info = new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new() { ElemType = (int)value.Type, Shape = new() { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "N" } } } } } };
            info.Type.TensorType.Shape.Dim.Add(value.Dims.Select(dim => new TensorShapeProto.Types.Dimension { DimValue = dim }));
            _graph.Output.Add(info);
        }
        // The last autoencoder's parameters keep their names, by which it can be read back.
        if (_vae is { } last)
        {
            string[] names = [.. last.Transformer.Model.Architecture.Slots.Select(slot => slot.Name), VaeMetadata.Offset, VaeMetadata.Factor];
            foreach (string name in names.Where(name => _graph.Input.All(input => input.Name != name) && outputs.All(output => output.Name != name)))
                renamed[last.Prefix + name] = name;
        }
        OnnxGraphs.RenameAll(_graph, name => renamed.GetValueOrDefault(name, name));
        OnnxGraphs.Prune(_graph);

        var model = new ModelProto { IrVersion = OnnxGraph.IrVersion, ProducerName = "Vae.MLNet", ProducerVersion = LibraryVersion.Text, Graph = _graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = OnnxGraph.Opset });
        if (_graph.Node.Any(node => node.Domain == "ai.onnx.ml"))
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx.ml", Version = OnnxGraph.MlOpset });
        foreach (var (key, value) in Metadata(options))
            model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        if (options.WeightType == OnnxWeightType.Float16)
            HalfWeights.Apply(model);
        return model;
    }

    private SortedDictionary<string, string> Metadata(PipelineExportOptions options)
    {
        var metadata = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (_vae is { } vae)
        {
            var scratch = new OnnxGraph("metadata");
            VaeMetadata.Write(scratch, vae.Transformer.Model, VaeMetadata.PipelineKind);
            _lastMetadata = scratch.Build().MetadataProps;
        }
        foreach (var entry in _lastMetadata)
        {
            if (!entry.Key.StartsWith(VaeMetadata.Parameters, StringComparison.Ordinal) && entry.Key != VaeMetadata.Columns)
                metadata[entry.Key] = entry.Value;
        }
        metadata[VaeMetadata.Format] = VaeMetadata.FormatVersion;
        metadata[VaeMetadata.Kind] = VaeMetadata.PipelineKind;
        metadata[VaeMetadata.Version] = LibraryVersion.Text;
        // Who reads the file finds the outputs by what they are.
        if (_vae is { } last && options.Latent)
        {
            var columns = last.Transformer.Columns;
            metadata[VaeMetadata.Columns] = new VaeColumnNames(last.Transformer.LatentColumnName,
                options.StandardDeviation ? columns.StandardDeviation ?? VaeGraphs.Sigma : null,
                options.Reconstruction ? columns.Reconstruction ?? VaeGraphs.Reconstruction : null,
                options.Score ? columns.Score ?? ScoreName : null).ToJson();
        }
        metadata[VaeMetadata.Pipeline] = JsonSerializer.Serialize(_stages, JsonSerializerOptions.Web);
        return metadata;
    }

    /// <summary>Sends random rows through the chain and through the graph.</summary>
    /// <returns>The largest difference relative to the largest value of the output; null where the chain cannot be run row by row.</returns>
    private double? Compare(ITransformer model, DataViewSchema schema, byte[] file, double tolerance)
    {
        using var quiet = ExportCheck.QuietOptions();
        using var session = new InferenceSession(file, quiet);
        var random = new Random(20173);
        var inputs = _graph.Input.ToDictionary(input => input.Name, input =>
        {
            var values = new float[CheckedRows * Dims(input).Aggregate(1L, (product, dim) => product * dim)];
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
            return values;
        });
        var tensors = new List<OrtValue>();
        try
        {
            foreach (var input in _graph.Input)
            {
                long[] shape = [CheckedRows, .. Dims(input)];
                tensors.Add((OnnxType)input.Type.TensorType.ElemType == OnnxType.Float
                    ? OrtValue.CreateTensorValueFromMemory(inputs[input.Name], shape)
                    : OrtValue.CreateTensorValueFromMemory(new long[inputs[input.Name].Length], shape));
            }
            using var options = new RunOptions();
            string[] names = [.. _graph.Output.Select(output => output.Name)];
            using var results = session.Run(options, [.. _graph.Input.Select(input => input.Name)], tensors, names);
            if (!model.IsRowToRowMapper)
                return null;
            return Compare(model, schema, inputs, _graph.Output.Zip(results), tolerance);
        }
        finally
        {
            foreach (var tensor in tensors)
                tensor.Dispose();
        }
    }

    private static double Compare(ITransformer model, DataViewSchema schema, Dictionary<string, float[]> inputs, IEnumerable<(ValueInfoProto Info, OrtValue Value)> results, double tolerance)
    {
        int current = -1;
        var probe = new ProbeRow(schema, column => inputs.TryGetValue(column.Name, out float[]? values)
            ? values.AsSpan(current * (values.Length / CheckedRows), values.Length / CheckedRows).ToArray()
            : null);
        var mapper = model.GetRowToRowMapper(schema);
        var compared = results
            .Where(result => mapper.OutputSchema.GetColumnOrNull(result.Info.Name) is { } column && IsFloat(column.Type))
            .Select(result => (Column: mapper.OutputSchema[result.Info.Name], Got: result.Value.GetTensorDataAsSpan<float>().ToArray(), Expected: new List<float>()))
            .ToArray();
        using var row = mapper.GetRow(probe, compared.Select(output => output.Column));
        var getters = compared.Select(output => Getter(row, output.Column)).ToArray();
        for (current = 0; current < CheckedRows; current++)
        {
            probe.Next();
            for (int i = 0; i < compared.Length; i++)
                compared[i].Expected.AddRange(getters[i]());
        }
        double largest = 0;
        foreach (var (column, got, expected) in compared)
        {
            // The score of a random row may be astronomical for one and small for another: rows are compared with their own size.
            int size = expected.Count / CheckedRows;
            var errors = new double[CheckedRows];
            for (int i = 0; i < CheckedRows; i++)
            {
                double scale = 1e-3;
                for (int j = i * size; j < (i + 1) * size; j++)
                {
                    scale = Math.Max(scale, Math.Abs((double)expected[j]));
                    double difference = Math.Abs((double)expected[j] - got[j]);
                    errors[i] = Math.Max(errors[i], double.IsNaN(difference) ? double.IsNaN(expected[j]) && double.IsNaN(got[j]) ? 0 : double.PositiveInfinity : difference);
                }
                errors[i] /= Math.Max(scale, 1);
            }
            Array.Sort(errors);
            double error = errors[^2];
            if (!(error <= tolerance))
            {
                throw new InvalidOperationException(Check.Invariant(
                    $"The exported graph does not agree with the pipeline: column '{column.Name}' differs by {error} of its size; at most {tolerance} is allowed. Nothing was written."));
            }
            largest = Math.Max(largest, error);
        }
        return largest;

        static bool IsFloat(DataViewType type) => ((type as VectorDataViewType)?.ItemType ?? type) == NumberDataViewType.Single;

        static Func<float[]> Getter(DataViewRow row, DataViewSchema.Column column)
        {
            if (column.Type is VectorDataViewType)
            {
                var vector = row.GetGetter<VBuffer<float>>(column);
                VBuffer<float> values = default;
                return () =>
                {
                    vector(ref values);
                    return [.. values.DenseValues()];
                };
            }
            var scalar = row.GetGetter<float>(column);
            float value = 0;
            return () =>
            {
                scalar(ref value);
                return [value];
            };
        }
    }

    private string Node(string op, string[] inputs, params (string Name, long Value)[] attributes)
    {
        string output = Check.Invariant($"/{op.ToLowerInvariant()}.{_unique++}");
        var node = new NodeProto { OpType = op, Name = output + ".node", Output = { output } };
        node.Input.Add(inputs);
        foreach (var (name, value) in attributes)
            node.Attribute.Add(new AttributeProto { Name = name, Type = AttributeType.Int, I = value });
        _graph.Node.Add(node);
        return output;
    }

    private string Floats(ReadOnlySpan<float> values) => Constant(OnnxType.Float, MemoryMarshal.AsBytes(values), values.Length);

    private string Ints(ReadOnlySpan<long> values) => Constant(OnnxType.Int64, MemoryMarshal.AsBytes(values), values.Length);

    private string Constant(OnnxType type, ReadOnlySpan<byte> bytes, int length)
    {
        string name = Check.Invariant($"/constant.{_unique++}");
        _graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes), Dims = { length } });
        return name;
    }
}
