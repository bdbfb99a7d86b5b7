using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.Transforms;
using Vae.MLNet.Data;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;
using Vae.MLNet.Scoring;
using static Vae.MLNet.Onnx.Proto.AttributeProto.Types;

namespace Vae.MLNet.Pipelines;

/// <summary>Composes the graphs of a chain's transforms into one, by the columns that connect them.</summary>
internal sealed class PipelineExport
{
    /// <summary>Largest difference between the graph and the chain, relative to the largest value of the output.</summary>
    public const double Tolerance = 1e-4;

    private const string ScoreName = "Score";

    private readonly GraphProto _graph = new() { Name = "pipeline" };
    private readonly Dictionary<string, PipelineValue> _columns = new(StringComparer.Ordinal);
    private readonly List<StageDescription> _stages = [];
    private readonly DataViewSchema _given;
    private DataViewSchema _schema;
    private IReadOnlyList<StringStringEntryProto> _lastMetadata = [];
    private (VaeTransformer Transformer, int Leaf, string Prefix, PipelineValue Latent, PipelineValue Sigma, PipelineValue Reconstruction, PipelineValue Score)? _vae;
    private IReadOnlyList<(string Name, PipelineValue Value)> _lastOutputs = [];
    private IReadOnlyList<(string Name, PipelineValue Value)> _outputs = [];
    private int _unique;

    /// <summary>The transforms one after another, chains taken apart.</summary>
    private readonly List<ITransformer> _leaves = [];

    /// <summary>Rows for the columns of the data to compare on, and who knows what a column looks like: models before normalisers, which know less.</summary>
    private readonly Dictionary<string, double[][]> _rows = new(StringComparer.Ordinal);
    private readonly List<(PipelineValue Value, Func<double[][]> Rows)> _models = [], _normalizers = [];
    private readonly SeededRandom _random = new(20173);

    /// <summary>Columns of the data whose missing values a transform replaces: the rows to compare on have some.</summary>
    private readonly HashSet<string> _gaps = new(StringComparer.Ordinal);

    private PipelineExport(DataViewSchema schema)
    {
        _given = _schema = schema;
        foreach (var column in schema)
        {
            var item = (column.Type as VectorDataViewType)?.ItemType ?? column.Type;
            long[]? dims = column.Type is VectorDataViewType { IsKnownSize: true } vector ? [vector.Size] : column.Type is VectorDataViewType ? null : [1];
            if (column.IsHidden || dims is null || item != NumberDataViewType.Single && item != NumberDataViewType.Int64)
                _columns.Remove(column.Name);
            else
                _columns[column.Name] = new PipelineValue(null, dims, item == NumberDataViewType.Single ? OnnxType.Float : OnnxType.Int64)
                {
                    Root = column.Name,
                    Suggest = rows => _rows.TryAdd(column.Name, rows),
                    Gaps = () => _gaps.Add(column.Name),
                };
        }
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
        var rehydration = new Rehydration(context) { AnyOrder = true };
        try
        {
            var export = new PipelineExport(inputSchema);
            export.Add(rehydration.Apply(model), "");
            byte[] file = export.Finish(options).ToByteArray();
            double tolerance = options.WeightType == OnnxWeightType.Float16 ? ExportCheck.HalfTolerance : Tolerance;
            return (file, new(file.LongLength, export.Compare(context, model, inputSchema, file, tolerance), tolerance));
        }
        finally
        {
            foreach (var created in rehydration.Created)
                created.Dispose();
        }
    }

    /// <summary>The rows that a pipeline is compared on, by columns of its data.</summary>
    internal static IReadOnlyDictionary<string, double[][]> Rows(MLContext context, ITransformer model, DataViewSchema inputSchema)
    {
        var rehydration = new Rehydration(context) { AnyOrder = true };
        try
        {
            var export = new PipelineExport(inputSchema);
            export.Add(rehydration.Apply(model), "");
            export.DrawRows();
            return export._rows;
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
                MapColumns(transformer, position, (_, sources) => sources.Length == 1 ? Column(sources[0].Name) : null);
                break;
            case ColumnConcatenatingTransformer:
                Concatenate(transformer, position);
                break;
            case ColumnSelectingTransformer:
                break;
            case NormalizingTransformer normalizer:
                Normalize(normalizer, position);
                break;
            case MissingValueReplacingTransformer:
                ReplaceMissing(transformer, position);
                break;
            default:
                throw NoGraph(transformer, position, "");
        }
        _leaves.Add(transformer);
        _schema = transformer.GetOutputSchema(_schema);
        // What a transform dropped or hid is gone.
        foreach (string gone in _columns.Keys.Where(name => _schema.GetColumnOrNull(name) is null).ToArray())
            _columns.Remove(gone);
    }

    private static ArgumentException NoGraph(ITransformer transformer, string position, string reason) => Check.Argument("model",
        $"Transform {position} of the pipeline, {TypeName(transformer)}, has no ONNX graph{reason}. Those of Vae.MLNet have one, and ML.NET's CopyColumns, Concatenate, SelectColumns, DropColumns, ReplaceMissingValues and linear normalisers.");

    private static string TypeName(ITransformer transformer) => transformer.GetType().Name.Split('`')[0];

    private PipelineValue? Column(string name) => _columns.GetValueOrDefault(name);

    /// <summary>Columns that the last autoencoder could give but does not: names that no column has.</summary>
    private const string UnnamedSigma = Check.GraphSpace + "unnamed/sigma", UnnamedReconstruction = Check.GraphSpace + "unnamed/reconstruction", UnnamedScore = Check.GraphSpace + "unnamed/score";

    private void Fitted(FittedTransformer fitted, string position)
    {
        if (fitted is TableVaeTransformer)
        {
            throw new NotSupportedException($"{TypeName(fitted)} at {position} reads many typed columns, which an exported pipeline of one vector does not have: " +
                "write its graphs with Model.Save and Model.ExportSampler.");
        }
        string prefix = $"{Check.GraphSpace}{position}/";
        var vae = fitted as VaeTransformer;
        byte[] file = fitted.CreateSavedModel();
        VaeOutputColumns? columns = null;
        if (vae is not null)
        {
            // Everything the model can give; what is not wanted in the end is pruned.
            columns = Everything(vae);
            file = vae.CreateGraph(columns);
        }
        var input = Column(fitted.InputColumnName);
        var rows = Rows(fitted, file);
        var (tensors, metadata) = Merge(file, prefix, position, fitted);
        if (rows is not null)
            _models.Add((input!, fitted is VaeImputingTransformer ? () => PipelineRows.WithGaps(rows.Value, _random) : () => rows.Value));

        double Spread(int feature) => PipelineRows.Spread(rows!.Value, feature);
        PipelineValue Output(string column, string tensor, Func<int, double>? unit = null, bool mixes = true, Action<double[][]>? suggest = null) =>
            new(tensors[tensor].Tensor, tensors[tensor].Dims, tensors[tensor].Type) { Source = (_leaves.Count, column), Unit = unit, Mixes = mixes, Suggest = suggest };
        PipelineValue Score(string column) => Output(column, OutputColumn.VectorName(column), _ => ScoreUnit);

        var given = new Dictionary<string, PipelineValue>(StringComparer.Ordinal);
        if (vae is not null)
        {
            given.Add(vae.LatentColumnName, Output(vae.LatentColumnName, vae.LatentColumnName, _ => 1));
            given.Add(columns!.StandardDeviation!, Output(columns.StandardDeviation!, columns.StandardDeviation!));
            given.Add(columns.Reconstruction!, Output(columns.Reconstruction!, columns.Reconstruction!, Spread, mixes: false));
            given.Add(columns.Score!, Score(columns.Score!));
            _vae = (vae, _leaves.Count, prefix, given[vae.LatentColumnName], given[columns.StandardDeviation!], given[columns.Reconstruction!], given[columns.Score!]);
        }
        var named = new List<(string Name, PipelineValue Value)>();
        foreach (var output in fitted.OutputColumns)
        {
            if (!given.TryGetValue(output.Name, out var value) && tensors.ContainsKey(output.TensorName))
            {
                bool completes = Completes(fitted)
                    && (output.Size == input!.Size || fitted is InternalCoordinatesTransformer or CartesianCoordinatesTransformer);
                value = output.IsScalar
                    ? Score(output.Name)
                    : Output(output.Name, output.TensorName, rows is not null && completes ? Spread : null, mixes: !(fitted is VaeImputingTransformer), completes ? BackThrough(fitted, input!) : null);
            }
            if (value is not null)
            {
                _columns[output.Name] = value;
                named.Add((output.Name, value));
            }
            else if (fitted is VaeAnomalyTransformer detector && output.IsLabel)
            {
                // Given on request: the label is no output of the saved graph.
                string score = tensors[OutputColumn.VectorName(VaeAnomalyTransformer.ScoreColumn)].Tensor!;
                _columns[output.Name] = new(Node("Greater", [score, Floats([detector.Threshold])]), [1], OnnxType.Bool) { Threshold = detector.Threshold, Source = (_leaves.Count, output.Name) };
            }
            else
            {
                _columns.Remove(output.Name);
            }
        }
        _lastMetadata = metadata;
        _lastOutputs = named;
        _stages.Add(new(position, TypeName(fitted), [fitted.InputColumnName], [.. fitted.OutputColumns.Select(output => output.Name)]));
    }

    /// <summary>Below this, differences of a score are rounding: what it is a sum of is of the size of one.</summary>
    private const double ScoreUnit = 1e-2;

    private static VaeOutputColumns Everything(VaeTransformer vae) => new()
    {
        StandardDeviation = vae.Columns.StandardDeviation ?? UnnamedSigma,
        Reconstruction = vae.Columns.Reconstruction ?? UnnamedReconstruction,
        Score = vae.Columns.Score ?? UnnamedScore,
    };

    /// <summary>Whether the output is rows of the kind of the input: completed, centred, aligned.</summary>
    private static bool Completes(FittedTransformer fitted) => fitted is VaeImputingTransformer or ConformationTransformer or OnnxFittedTransformer { Kind: VaeMetadata.TransformKind or VaeMetadata.ImputerKind };

    private Action<double[][]>? BackThrough(FittedTransformer fitted, PipelineValue input)
    {
        if (input.Suggest is not { } suggest)
            return null;
        switch (fitted)
        {
            case InternalCoordinatesTransformer chains:
                return rows =>
                    suggest(PipelineRows.Turned(PipelineRows.Mapped(rows, chains.InputSize, chains.Inverted), chains.Dimensions, _random));
            case CartesianCoordinatesTransformer numbers:
                return rows => suggest(PipelineRows.Mapped(rows, numbers.InputSize, numbers.Inverted));
        }
        int? dimensions = fitted switch
        {
            ConformationTransformer conformation => conformation.Dimensions,
            OnnxFittedTransformer { Kind: VaeMetadata.TransformKind } loaded => loaded.Dimensions,
            _ => null,
        };
        return dimensions is { } number ? rows => suggest(PipelineRows.Turned(rows, number, _random)) : suggest;
    }

    /// <summary>Rows as the transform was fitted to; null where it does not know.</summary>
    private Lazy<double[][]>? Rows(FittedTransformer fitted, byte[] file)
    {
        return fitted switch
        {
            VaeTransformer vae => Model(() => vae.Model),
            VaeImputingTransformer imputer => Model(() => imputer.Model),
            SequenceVaeTransformer sequences => Model(() => sequences.Model.Members[0]),
            SiteIndependentTransformer site => new(() => PipelineRows.From(site.Model, _random)),
            VaeAnomalyTransformer when Scaling(file) is { } scale => new(() => PipelineRows.Around(scale.Offset, Array.ConvertAll(scale.Factor, factor => 1 / factor), _random)),
            OnnxFittedTransformer { Kind: VaeMetadata.VaeKind or VaeMetadata.ImputerKind or VaeMetadata.SequenceKind } => Model(() => VaeModelReader.Read(OnnxFile.Parse(file, "OnnxTransformer"))),
            OnnxFittedTransformer { Kind: VaeMetadata.AnomalyKind } when Scaling(file) is { } scale =>
                new(() => PipelineRows.Around(scale.Offset, Array.ConvertAll(scale.Factor, factor => 1 / factor), _random)),
            _ => null,
        };

        Lazy<double[][]> Model(Func<VaeModel> model) => new(() => PipelineRows.From(model(), _random));

        static (float[] Offset, float[] Factor)? Scaling(byte[] file)
        {
            var read = OnnxFile.Parse(file, "OnnxTransformer");
            int features = VaeModelReader.Integer(read, VaeMetadata.Features);
            return read.Floats(VaeMetadata.Offset, [features]) is { } offset && read.Floats(VaeMetadata.Factor, [features]) is { } factor ? (offset, factor) : null;
        }
    }

    /// <summary>Adds the nodes of a stage under names of its own and connects its inputs.</summary>
    private (Dictionary<string, PipelineValue> Outputs, IReadOnlyList<StringStringEntryProto> Metadata) Merge(byte[] file, string prefix, string position, ITransformer transformer)
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
        var outputs = graph.Output.ToDictionary(output => output.Name, output => new PipelineValue(Own(output.Name), Dims(output), (OnnxType)output.Type.TensorType.ElemType));
        OnnxGraphs.RenameAll(graph, name => connected.GetValueOrDefault(name) ?? Own(name));
        foreach (var node in graph.Node)
            node.Name = Own(node.Name);
        _graph.Initializer.Add(graph.Initializer);
        _graph.Node.Add(graph.Node);
        return (outputs, model.MetadataProps);

        string Own(string name) => OwnName(prefix, name);
    }

    /// <summary>A name inside a stage: columns of the stage in a space of their own beside its internal values.</summary>
    private static string OwnName(string prefix, string name) =>
        name.StartsWith(Check.GraphSpace, StringComparison.Ordinal) ? prefix + name[Check.GraphSpace.Length..] : prefix + "column/" + name;

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

    private string Shaped(PipelineValue value, long[] dims)
    {
        string tensor = Materialized(value, dims);
        return value.Dims.SequenceEqual(dims) ? tensor : Node("Reshape", [tensor, Ints([-1, .. dims])]);
    }

    /// <summary>The tensor of a value; a column of the data becomes an input of the graph in the shape in which it is first wanted.</summary>
    private string Materialized(PipelineValue value, long[] dims)
    {
        if (value.Tensor is null)
        {
            Check.GraphColumnName(value.Root, "inputSchema");
            var shape = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "N" } } };
            shape.Dim.Add(dims.Select(dim => new TensorShapeProto.Types.Dimension { DimValue = dim }));
            _graph.Input.Add(new ValueInfoProto { Name = value.Root!, Type = new TypeProto { TensorType = new() { ElemType = (int)value.Type, Shape = shape } } });
            value.Tensor = value.Root;
            value.Dims = dims;
        }
        return value.Tensor!;
    }

    private string Flat(PipelineValue value) => Shaped(value, [value.Size]);

    /// <summary>
    /// The columns that a transform adds and that can be read by their names. ML.NET puts one that overwrites another directly behind it and hides the other; so a name
    /// that comes more often than before is that of a new column.
    /// </summary>
    private static DataViewSchema.Column[] NewColumns(DataViewSchema before, DataViewSchema after)
    {
        var earlier = before.CountBy(column => column.Name).ToDictionary(StringComparer.Ordinal);
        var later = after.CountBy(column => column.Name).ToDictionary(StringComparer.Ordinal);
        return [.. after.Where(column => !column.IsHidden && later[column.Name] > earlier.GetValueOrDefault(column.Name))];
    }

    /// <summary>The new columns of an ML.NET transform, each made from the columns it depends on.</summary>
    private void MapColumns(ITransformer transformer, string position, Func<DataViewSchema.Column, DataViewSchema.Column[], PipelineValue?> make)
    {
        var mapper = transformer.GetRowToRowMapper(_schema);
        var made = new List<(string Name, PipelineValue? Value)>();
        var read = new List<string>();
        foreach (var column in NewColumns(_schema, mapper.OutputSchema))
        {
            DataViewSchema.Column[] sources = [.. mapper.GetDependencies([column])];
            read.AddRange(sources.Select(source => source.Name));
            made.Add((column.Name, make(column, sources)));
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
        MapColumns(transformer, position, (column, sources) =>
        {
            if (column.Type is not VectorDataViewType { ItemType: var item } || item != NumberDataViewType.Single || sources.Any(source => Column(source.Name)?.Type != OnnxType.Float))
                return null;
            var starts = new Dictionary<int, int>();
            int total = 0;
            foreach (var source in sources)
            {
                starts[source.Index] = total;
                total += Size(source.Type);
            }
            float[] numbers = Transformed(mapper, column, source => starts.TryGetValue(source.Index, out int start) ? [.. Enumerable.Range(start, Size(source.Type)).Select(number => (float)number)] : null);
            var parts = new List<PipelineValue>();
            for (int at = 0; at < numbers.Length;)
            {
                var part = Column(sources.Single(source => Size(source.Type) > 0 && starts[source.Index] == numbers[at]).Name)!;
                parts.Add(part);
                at += (int)part.Size;
            }
            return parts.Count == 1 ? parts[0] : Joined(parts);
        });
    }

    private static int Size(DataViewType type) => type is VectorDataViewType vector ? vector.Size : 1;

    private PipelineValue Joined(IReadOnlyList<PipelineValue> parts)
    {
        int[] starts = [.. parts.Select((_, i) => parts.Take(i).Sum(part => (int)part.Size))];
        return new(Node("Concat", [.. parts.Select(Flat)], ("axis", 1)), [parts.Sum(part => part.Size)], OnnxType.Float)
        {
            Suggest = rows =>
            {
                for (int i = 0; i < parts.Count; i++)
                    parts[i].Suggest?.Invoke([.. rows.Select(row => row.AsSpan(starts[i], (int)parts[i].Size).ToArray())]);
            },
            Gaps = () =>
            {
                foreach (var part in parts)
                    part.Gaps?.Invoke();
            },
            Mixes = parts.All(part => part.Mixes),
            Unit = j =>
            {
                int part = Array.FindLastIndex(starts, start => start <= j);
                return parts[part].Unit?.Invoke(j - starts[part]) ?? 0;
            },
        };
    }

    /// <summary>What a transform makes of values of its input columns.</summary>
    private float[] Transformed(IRowToRowMapper mapper, DataViewSchema.Column column, Func<DataViewSchema.Column, float[]?> values)
    {
        var probe = new ProbeRow(_schema, values);
        probe.Next();
        using var row = mapper.GetRow(probe, [column]);
        if (column.Type is not VectorDataViewType)
        {
            float number = 0;
            row.GetGetter<float>(column)(ref number);
            return [number];
        }
        VBuffer<float> found = default;
        row.GetGetter<VBuffer<float>>(column)(ref found);
        return [.. found.DenseValues()];
    }

    /// <summary>y = (x - offset) · scale.</summary>
    private void Normalize(NormalizingTransformer normalizer, string position)
    {
        var mapper = ((ITransformer)normalizer).GetRowToRowMapper(_schema);
        // ML.NET numbers the parameters in the order of the estimator's columns, which a schema with overwritten columns does not tell.
        (float[] Scale, float[] Offset)?[] parameters = [.. Enumerable.Range(0, mapper.OutputSchema.Count - _schema.Count).Select(Parameters)];
        MapColumns(normalizer, position, (column, sources) =>
        {
            if (sources is not [var source] || Column(source.Name) is not { Type: OnnxType.Float } value)
                return null;
            int best = -1;
            double least = double.PositiveInfinity;
            for (int i = 0; i < parameters.Length; i++)
            {
                if (parameters[i] is { } candidate && candidate.Scale.Length == value.Size && Mismatch(mapper, column, source, candidate) is var mismatch && mismatch < least)
                    (best, least) = (i, mismatch);
            }
            if (!(least <= 1e-5))
                throw NoGraph(normalizer, position, $" for a normalisation that is not linear, as that of the column '{column.Name}'");
            var (scale, offset) = parameters[best]!.Value;
            string x = Flat(value);
            if (offset.Length > 0)
                x = Node("Sub", [x, Floats(offset)]);
            double Offset(int j) => offset.Length > 0 ? offset[j] : 0;
            _normalizers.Add((value, () => PipelineRows.Around([.. scale.Select((_, j) => (float)Offset(j))], Array.ConvertAll(scale, factor => factor == 0 ? 0 : 1 / factor), _random)));
            return new(Node("Mul", [x, Floats(scale)]), [value.Size], OnnxType.Float)
            {
                Suggest = value.Suggest is { } suggest ? rows => suggest([.. rows.Select(row => row.Select((y, j) => scale[j] == 0 ? Offset(j) : y / scale[j] + Offset(j)).ToArray())]) : null,
                Unit = value.Unit is { } unit ? j => unit(j) * Math.Abs(scale[j]) : null,
                Gaps = value.Gaps,
            };
        });

        (float[], float[])? Parameters(int index) => normalizer.GetNormalizerModelParameters(index) switch
        {
            NormalizingTransformer.AffineNormalizerModelParameters<ImmutableArray<float>> vector => ([.. vector.Scale], vector.Offset.IsDefault ? [] : [.. vector.Offset]),
            NormalizingTransformer.AffineNormalizerModelParameters<float> scalar => ([scalar.Scale], [scalar.Offset]),
            _ => null,
        };
    }

    /// <summary>What stands for a missing value is found by sending a row of them through the transform.</summary>
    private void ReplaceMissing(ITransformer transformer, string position)
    {
        var mapper = transformer.GetRowToRowMapper(_schema);
        MapColumns(transformer, position, (column, sources) =>
        {
            if (sources is not [var source] || Column(source.Name) is not { Type: OnnxType.Float } value)
                throw NoGraph(transformer, position, $" for other columns than those of Single, as that of the column '{column.Name}'");
            float[] gaps = new float[value.Size];
            Array.Fill(gaps, float.NaN);
            float[] replacements = Transformed(mapper, column, other => other.Index == source.Index ? gaps : null);
            string x = Flat(value);
            value.Gaps?.Invoke();
            return new(Node("Where", [Node("IsNaN", [x]), Floats(replacements), x]), [value.Size], OnnxType.Float)
            {
                Suggest = value.Suggest,
                Unit = value.Unit,
                Gaps = value.Gaps,
            };
        });
    }

    /// <summary>How far the values that a normaliser gives a column are from those of parameters that might be the column's, relative to their size.</summary>
    private double Mismatch(IRowToRowMapper mapper, DataViewSchema.Column column, DataViewSchema.Column source, (float[] Scale, float[] Offset) parameters)
    {
        double worst = 0;
        foreach (float at in (ReadOnlySpan<float>)[0, 1, -2.5f, 40])
        {
            float[] x = [.. parameters.Scale.Select((scale, j) => Offset(j) + (scale == 0 ? at : at / scale))];
            float[] found = Transformed(mapper, column, other => other.Index == source.Index ? x : null);
            for (int j = 0; j < x.Length; j++)
            {
                double difference = Math.Abs((x[j] - Offset(j)) * parameters.Scale[j] - found[j]) / Math.Max(1, Math.Abs(found[j]));
                worst = Math.Max(worst, double.IsNaN(difference) ? double.PositiveInfinity : difference);
            }
        }
        return worst;

        float Offset(int j) => parameters.Offset.Length > 0 ? parameters.Offset[j] : 0;
    }

    private ModelProto Finish(PipelineExportOptions options)
    {
        if (_lastOutputs.Count == 0 && _vae is null)
            throw Check.Argument("model", "The pipeline has no transform of Vae.MLNet; there is nothing to export.");
        var outputs = new List<(string Name, PipelineValue Value)>();
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
        _outputs = outputs;
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
            foreach (string name in last.Transformer.Model.Architecture.Slots.Select(slot => slot.Name).Concat([VaeMetadata.Offset, VaeMetadata.Factor]).Select(OnnxGraph.Internal))
                renamed[OwnName(last.Prefix, name)] = name;
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
        // The file reads the pipeline's columns, not the autoencoder's, whose names stand beside them for reading it back.
        if (metadata.Remove(VaeMetadata.InputNames, out string? features))
            metadata[VaeMetadata.FeatureNames] = features;
        if (_graph.Input is [{ Name: var input }] && _given.GetColumnOrNull(input) is { } only && ColumnSlots.Known(only) is { Length: > 0 } names)
            metadata[VaeMetadata.InputNames] = JsonSerializer.Serialize(names);
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

    /// <summary>Compares every output with the pipeline, on rows that its transforms were fitted to.</summary>
    /// <returns>The largest difference relative to the size of the output.</returns>
    private double Compare(MLContext context, ITransformer model, DataViewSchema schema, byte[] file, double tolerance)
    {
        DrawRows();

        // Transforms for training alone may be such as change the rows' number.
        var whole = model.IsRowToRowMapper ? model : Chains.AsChain(model)!.GetModelFor(TransformerScope.Scoring);
        var last = whole.GetOutputSchema(schema);
        using var everything = _vae is { } vae && _outputs.Any(output => output.Value.Source?.Column.StartsWith(Check.GraphSpace, StringComparison.Ordinal) == true)
            ? new VaeTransformer(context, vae.Transformer.Model, null, vae.Transformer.InputColumnName, vae.Transformer.LatentColumnName, Everything(vae.Transformer), schema)
            : null;
        var parts = new Dictionary<int, ITransformer>();
        var outputs = new List<CheckedOutput>();
        foreach (var (name, value) in _outputs)
        {
            var (pipeline, column) = ReferenceEquals(Column(name), value) && last.GetColumnOrNull(name) is not null ? (whole, name)
                : value.Source is { } source ? (UpTo(source.Leaf), source.Column)
                : throw new InvalidOperationException($"The output '{name}' is no column of the pipeline and cannot be compared. Nothing was written.");
            outputs.Add(new(name, value, pipeline, column) { Score = value.Threshold is null ? null : (UpTo(value.Source!.Value.Leaf), VaeAnomalyTransformer.ScoreColumn) });
        }
        return PipelineCheck.Run(file, schema, _rows, outputs, tolerance);

        ITransformer UpTo(int leaf)
        {
            if (!parts.TryGetValue(leaf, out var part))
            {
                parts.Add(leaf, part = new TransformerChain<ITransformer>([.. _leaves.Take(leaf + 1).Select((transformer, i) => i == _vae?.Leaf ? everything ?? transformer : transformer)]));
            }
            return part;
        }
    }

    private void DrawRows()
    {
        foreach (var (value, rows) in _models.Concat(_normalizers))
        {
            // Not drawn where nothing would take them.
            if (value.Suggest is { } suggest)
                suggest(rows());
        }
        foreach (var input in _graph.Input)
        {
            float[] zeros = new float[Dims(input).Aggregate(1L, (product, dim) => product * dim)];
            if ((OnnxType)input.Type.TensorType.ElemType == OnnxType.Float)
                _rows.TryAdd(input.Name, PipelineRows.Around(zeros, Array.ConvertAll(zeros, _ => 1f), _random));
            else
                _rows.TryAdd(input.Name, [.. Enumerable.Range(0, PipelineRows.Count).Select(_ => zeros.Select(_ => (double)_random.NextIndex(2)).ToArray())]);
        }
        foreach (string column in _gaps)
        {
            if (_rows.TryGetValue(column, out var rows))
                _rows[column] = PipelineRows.WithGaps(rows, _random);
        }
    }

    private string Node(string op, string[] inputs, params (string Name, long Value)[] attributes)
    {
        string output = OnnxGraph.Internal(Check.Invariant($"{op.ToLowerInvariant()}.{_unique++}"));
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
        string name = OnnxGraph.Internal(Check.Invariant($"constant.{_unique++}"));
        _graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes), Dims = { length } });
        return name;
    }
}
