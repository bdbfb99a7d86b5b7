using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Microsoft.ML.Transforms.Onnx;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;
using Vae.MLNet.Sequences;

namespace Vae.MLNet.Pipelines;

/// <summary>Replaces ML.NET's OnnxTransformers that carry transforms of this library by those transforms, which run in blocks.</summary>
internal sealed class Rehydration(MLContext context, bool ignoreSlotNames = false)
{
    private readonly List<FittedTransformer> _created = [];

    /// <summary>
    /// Whether columns may come in another order than in the saved pipeline. A saved transform with a scalar, on data that has a column
    /// called Score, puts that one behind its own.
    /// </summary>
    public bool AnyOrder { get; init; }

    /// <summary>Transforms that were made and that somebody has to dispose.</summary>
    public IReadOnlyList<FittedTransformer> Created => _created;

    /// <summary>The transform with everything of this library rehydrated; the same one where there is nothing.</summary>
    public ITransformer Apply(ITransformer transformer)
    {
        if (transformer is OnnxTransformer onnx)
            return Replace(onnx) ?? transformer;
        if (Chains.AsChain(transformer) is not { } chain)
            return transformer;
        var items = Chains.Items(chain);
        if (Collapse(chain, items) is { } whole)
            return whole;
        ITransformer[] replaced = [.. items.Select(item => Apply(item.Transformer))];
        return replaced.Zip(items).All(pair => ReferenceEquals(pair.First, pair.Second.Transformer))
            ? transformer
            : new TransformerChain<ITransformer>(replaced, items.Select(item => item.Scope));
    }

    /// <summary>The model in a transform of one graph: saved alone to memory, it is the one entry.</summary>
    private PipelineArchive.Entry Read(ITransformer transformer)
    {
        using var stream = new MemoryStream();
        context.Model.Save(transformer, null, stream);
        stream.Position = 0;
        return PipelineArchive.Read(stream, "OnnxTransformer").Single();
    }

    private FittedTransformer? Replace(OnnxTransformer onnx)
    {
        var entry = Read(onnx);
        if (entry.Kind is not { } kind)
            return null;
        if (HasModel(kind) && Modelled(entry) is { } made && !made.OutputColumns.Any(output => output.IsScalar))
        {
            if (SameColumns(onnx, made, InputSchema(made)))
                return Keep(made);
            made.Dispose();
        }
        if (kind == VaeMetadata.ImputerKind && Imputer(onnx, entry) is { } imputer)
            return imputer;
        return Generic(onnx, entry, kind);
    }

    private static bool HasModel(string kind) => kind is VaeMetadata.VaeKind or VaeMetadata.TableKind or VaeMetadata.SequenceKind or VaeMetadata.SiteIndependentKind;

    private VaeImputingTransformer? Imputer(OnnxTransformer onnx, PipelineArchive.Entry entry)
    {
        if (Shape(onnx, entry) is not ({ } input, var size, [var output]))
            return null;
        var model = VaeModelReader.Read(OnnxFile.Parse(entry.Model, "OnnxTransformer"));
        return Keep(new VaeImputingTransformer(context, model, entry.Model, input, output.Name, output.SlotNames?.ToArray(), Schema(input, size))
        {
            IgnoreSlotNames = ignoreSlotNames || model.Options.IgnoreSlotNames,
        });
    }

    /// <summary>What has a score was saved as a chain of its graph and what makes a scalar of the score; it becomes one transform again.</summary>
    private FittedTransformer? Collapse(ITransformer chain, IReadOnlyList<(ITransformer Transformer, TransformerScope Scope)> items)
    {
        // A table's dates are made numbers before the graph, which is in blocks already where this was tried before and the order of columns stood in the way.
        var rest = items.SkipWhile(item => item.Transformer is TypeConvertingTransformer).ToArray();
        if (items.Count < 2 || rest is not [{ Transformer: (OnnxTransformer or OnnxFittedTransformer) and var onnx }, ..]
            || !rest.Skip(1).All(item => IsFinish(item.Transformer)))
        {
            return null;
        }
        var entry = Read(onnx);
        if (entry.Kind == VaeMetadata.AnomalyKind)
            return Detector(chain, onnx, entry, items);
        if (entry.Kind is not { } kind)
            return null;
        if (HasModel(kind) && Modelled(entry) is { } made)
        {
            if (made.OutputColumns.Any(output => output.IsScalar) && SameColumns(chain, made, InputSchema(made)))
                return Keep(made);
            made.Dispose();
        }
        return Scalars(chain, onnx, entry, kind, items);

        static bool IsFinish(ITransformer transformer) => transformer is ColumnCopyingTransformer or ColumnSelectingTransformer || IsPrediction(transformer);
    }

    /// <summary>
    /// Any graph with scalar columns, as a radius of gyration: what makes scalars of its vectors of one has to be the identity.
    /// </summary>
    private OnnxFittedTransformer? Scalars(
        ITransformer chain, ITransformer onnx, PipelineArchive.Entry entry, string kind,
        IReadOnlyList<(ITransformer Transformer, TransformerScope Scope)> items)
    {
        if (Shape(onnx, entry) is not ({ } input, var size, { } tensors))
            return null;
        OutputColumn[] outputs = [.. tensors.Select(tensor =>
            tensor.Size == 1 && OutputColumn.ColumnName(tensor.Name) is { } name ? new OutputColumn(name, 1, IsScalar: true) : tensor)];
        string[] scalars = [.. tensors.Zip(outputs).Where(pair => pair.Second.IsScalar).Select(pair => pair.First.Name)];
        ITransformer[] predictions = [.. items.Select(item => item.Transformer).Where(IsPrediction)];
        if (scalars.Length == 0 || scalars.Length != predictions.Length
            || predictions.Zip(scalars).Any(pair => Threshold(pair.First, pair.Second) is null))
        {
            return null;
        }
        byte[] model = entry.Model;
        foreach (var (tensor, output) in tensors.Zip(outputs).Where(pair => pair.First.Name != pair.Second.TensorName))
            model = OnnxGraphs.Renamed(model, tensor.Name, output.TensorName);
        var made = new OnnxFittedTransformer(context, model, kind, input, size, outputs, Schema(input, size), Names(entry, size))
        {
            IgnoreSlotNames = IgnoresSlotNames(entry),
            Dimensions = Dimensions(entry, size),
        };
        if (SameColumns(chain, made, Schema(input, size)))
            return Keep(made);
        made.Dispose();
        return null;
    }

    private static bool IsPrediction(ITransformer transformer) =>
        transformer.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(BinaryPredictionTransformer<>);

    /// <summary>A detector is its graph, the identity that makes label and score, and what drops the graph's own score.</summary>
    private VaeAnomalyTransformer? Detector(ITransformer chain, ITransformer onnx, PipelineArchive.Entry entry, IReadOnlyList<(ITransformer Transformer, TransformerScope Scope)> items)
    {
        if (items.Count != 3 || !IsPrediction(items[1].Transformer) || items[2].Transformer is not ColumnSelectingTransformer || Shape(onnx, entry) is not ({ } input, var size, { } outputs))
            return null;
        string wanted = OutputColumn.VectorName(VaeAnomalyTransformer.ScoreColumn), former = OutputColumn.FormerVectorName(VaeAnomalyTransformer.ScoreColumn);
        string score = outputs.Any(output => output.Name == wanted) ? wanted : former;
        var contributions = outputs.Where(output => output.Name != score).ToArray();
        if (contributions.Length > 1 || contributions.Length == outputs.Count || Threshold(items[1].Transformer, score) is not { } threshold)
            return null;
        byte[] model = score == wanted ? entry.Model : OnnxGraphs.Renamed(entry.Model, former, wanted);
        var detector = new VaeAnomalyTransformer(context, model, threshold, input, size,
            contributions.FirstOrDefault()?.Name, contributions.FirstOrDefault()?.SlotNames?.ToArray(), Schema(input, size),
            Names(entry, size), IgnoresSlotNames(entry));
        if (SameColumns(chain, detector, Schema(input, size)))
            return Keep(detector);
        detector.Dispose();
        return null;
    }

    /// <summary>
    /// The largest score that a saved detector does not label, asked of it: ML.NET keeps the threshold to itself, and it may have been changed since the
    /// model was made. Null where the transform is not the identity.
    /// </summary>
    private static float? Threshold(ITransformer prediction, string scoreColumn)
    {
        float value = 0;
        var schema = Schema(scoreColumn, 1);
        var probe = new ProbeRow(schema, _ => [value]);
        var mapper = prediction.GetRowToRowMapper(schema);
        var (label, score) = (mapper.OutputSchema[VaeAnomalyTransformer.PredictedLabelColumn], mapper.OutputSchema[VaeAnomalyTransformer.ScoreColumn]);
        using var row = mapper.GetRow(probe, [label, score]);
        var (getLabel, getScore) = (row.GetGetter<bool>(label), row.GetGetter<float>(score));

        // Bits of floats, those of negative ones turned round, are in the order of the numbers.
        int low = Order(float.MinValue), high = Order(float.MaxValue);
        if (Ask(low) is not false || Ask(high) is not true)
            return null;
        while (high - (long)low > 1)
        {
            int middle = (int)(((long)low + high) >> 1);
            if (Ask(middle) is not { } labelled)
                return null;
            if (labelled)
                high = middle;
            else
                low = middle;
        }
        return FromOrder(low);

        bool? Ask(int at)
        {
            value = FromOrder(at);
            probe.Next();
            bool labelled = false;
            float scored = 0;
            getLabel(ref labelled);
            getScore(ref scored);
            return scored == value ? labelled : null;
        }

        static int Order(float number) => BitConverter.SingleToInt32Bits(number) is var bits && bits >= 0 ? bits : int.MinValue - bits;

        static float FromOrder(int order) => BitConverter.Int32BitsToSingle(order >= 0 ? order : int.MinValue - order);
    }

    private T Keep<T>(T transformer)
        where T : FittedTransformer
    {
        _created.Add(transformer);
        return transformer;
    }

    private static VaeColumnNames? Names(PipelineArchive.Entry entry) =>
        entry.Metadata.TryGetValue(VaeMetadata.Columns, out string? text) ? VaeColumnNames.FromJson(text) : null;

    /// <summary>The transform whose model a file of one input holds; null where it says too little.</summary>
    private FittedTransformer? Modelled(PipelineArchive.Entry entry)
    {
        var file = OnnxFile.Parse(entry.Model, "OnnxTransformer");
        if (entry.Kind == VaeMetadata.TableKind)
            return TableVaeTransformer.Read(context, file);
        if (file.Model.Graph.Input.Count != 1)
            return null;
        string input = file.Model.Graph.Input[0].Name;
        if (entry.Kind == VaeMetadata.SiteIndependentKind)
        {
            var site = SiteIndependentTransformer.Read(file);
            return OutputColumn.ColumnName(file.Model.Graph.Output[0].Name) is { } score
                ? new SiteIndependentTransformer(context, score, input, site, Schema(input, site.Layout.Length, NumberDataViewType.Int64))
                : null;
        }
        if (Names(entry) is not { } names)
            return null;
        if (entry.Kind == VaeMetadata.SequenceKind)
        {
            var sequences = SequenceModelReader.Read(file);
            return new SequenceVaeTransformer(context, sequences, [], input, names.Latent, names.Others, Schema(input, sequences.Layout.Length, NumberDataViewType.Int64));
        }
        var model = VaeModelReader.Read(file);
        return new VaeTransformer(context, model, null, input, names.Latent, names.Others, Schema(input, model.FeatureCount))
        {
            IgnoreSlotNames = ignoreSlotNames || model.Options.IgnoreSlotNames,
        };
    }

    private OnnxFittedTransformer? Generic(OnnxTransformer onnx, PipelineArchive.Entry entry, string kind) =>
        Shape(onnx, entry) is ({ } input, var size, { } outputs)
            ? Keep(new OnnxFittedTransformer(context, entry.Model, kind, input, size, outputs, Schema(input, size), Names(entry, size))
            {
                IgnoreSlotNames = IgnoresSlotNames(entry),
                Dimensions = Dimensions(entry, size),
            })
            : null;

    /// <summary>Coordinates of a bead, where rows are conformations; earlier files do not say them.</summary>
    private static int Dimensions(PipelineArchive.Entry entry, int size) =>
        entry.Metadata.TryGetValue(VaeMetadata.Dimensions, out string? text) && int.TryParse(text, out int dimensions)
            && dimensions > 0 && size % dimensions == 0
            ? dimensions
            : size % 2 == 0 ? 2 : size % 3 == 0 ? 3 : 1;

    private static string[] Names(PipelineArchive.Entry entry, int size) => VaeModelReader.InputNames("OnnxTransformer", entry.Metadata, size);

    private bool IgnoresSlotNames(PipelineArchive.Entry entry) => ignoreSlotNames || VaeModelReader.IgnoresSlotNames(entry.Metadata);

    /// <summary>Input and outputs of a graph; null where it is not rows of floats to rows of floats, all that the block scorer runs.</summary>
    private static (string Input, int Size, IReadOnlyList<OutputColumn> Outputs)? Shape(ITransformer onnx, PipelineArchive.Entry entry)
    {
        var graph = ModelProto.Parser.ParseFrom(entry.Model).Graph;
        var initial = graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        var inputs = graph.Input.Where(input => !initial.Contains(input.Name)).ToArray();
        if (inputs.Length != 1 || RowSize(inputs[0]) is not { } size)
            return null;
        var schema = Schema(inputs[0].Name, size);
        var outputs = new List<OutputColumn>();
        foreach (var column in onnx.GetOutputSchema(schema).Skip(schema.Count))
        {
            if (graph.Output.FirstOrDefault(output => output.Name == column.Name) is not { } output || RowSize(output) is not { } width)
                return null;
            var found = new OutputColumn(column.Name, width, SlotNames: SlotNames(column));
            if (!found.Type.Equals(column.Type))
                return null;
            outputs.Add(found);
        }
        return (inputs[0].Name, size, outputs);
    }

    /// <summary>k of a float tensor [N, k]; null for any other.</summary>
    private static int? RowSize(ValueInfoProto value) =>
        value.Type?.TensorType is { Shape.Dim: { Count: 2 } dims } tensor && tensor.ElemType == (int)OnnxType.Float && dims[0].DimParam.Length > 0 && dims[1].DimValue is > 0 and <= int.MaxValue
            ? (int)dims[1].DimValue
            : null;

    private static string[]? SlotNames(DataViewSchema.Column column)
    {
        if (!column.HasSlotNames())
            return null;
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }

    private static DataViewSchema Schema(string column, int size, NumberDataViewType? type = null)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumn(column, new VectorDataViewType(type ?? NumberDataViewType.Single, size));
        return builder.ToSchema();
    }

    private static DataViewSchema InputSchema(FittedTransformer made) => made switch
    {
        SequenceVaeTransformer sequences => Schema(made.InputColumnName, sequences.Model.Layout.Length, NumberDataViewType.Int64),
        SiteIndependentTransformer site => Schema(made.InputColumnName, site.Model.Layout.Length, NumberDataViewType.Int64),
        TableVaeTransformer table => table.TableSchema(),
        VaeTransformer vae => Schema(made.InputColumnName, vae.Model.FeatureCount),
        _ => throw Check.OutOfRange(nameof(made), made.GetType().Name, "a transform with a model"),
    };

    /// <summary>
    /// Whether two transforms add the same visible columns, in the same order unless any will do, to data that has just the input.
    /// </summary>
    private bool SameColumns(ITransformer saved, FittedTransformer made, DataViewSchema schema)
    {
        try
        {
            return Visible(saved, schema).SequenceEqual(Visible(made, schema));
        }
        catch (ArgumentOutOfRangeException)
        {
            // The saved chain asks for more columns than the transform: it puts aside columns of its data.
            return AnyOrder && SameColumnsBeside(saved, made, schema);
        }
    }

    private static bool SameColumnsBeside(ITransformer saved, FittedTransformer made, DataViewSchema schema)
    {
        foreach (string[] aside in (string[][])[["Score"], ["PredictedLabel"], ["Score", "PredictedLabel"]])
        {
            var builder = new DataViewSchema.Builder();
            builder.AddColumns(schema);
            foreach (string name in aside)
                builder.AddColumn(name, NumberDataViewType.Single);
            var wider = builder.ToSchema();
            try
            {
                return Visible(saved, wider).OrderBy(column => column.Name, StringComparer.Ordinal)
                    .SequenceEqual(Visible(made, wider).OrderBy(column => column.Name, StringComparer.Ordinal));
            }
            catch (ArgumentOutOfRangeException)
            {
                // It asks for other columns.
            }
        }
        return false;
    }

    private static IEnumerable<(string Name, DataViewType Type)> Visible(ITransformer transformer, DataViewSchema schema) =>
        transformer.GetOutputSchema(schema).Where(column => !column.IsHidden).Select(column => (column.Name, column.Type));
}
