using System.CommandLine;
using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.OnnxRuntime;
using Spectre.Console;
using Vae.MLNet.Inference.Loading;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Tells what a model file holds.</summary>
internal sealed class InspectCommand : ToolCommand
{
    /// <summary>Weights kept in the metadata, longer than anybody reads.</summary>
    private const int LongestValue = 400;

    private readonly ModelArgument _model;

    public InspectCommand()
        : base("inspect", "Tell what a model is: inputs and outputs with their sizes, architecture and options, how it was trained, file sizes.",
            "inspect decoder.onnx",
            "inspect model/ --json") => _model = new ModelArgument(this);

    private sealed record TensorInfo(string Name, string Type, string[] Shape);

    private sealed record GraphInfo(string File, long Bytes, string? Kind, IReadOnlyList<TensorInfo> Inputs, IReadOnlyList<TensorInfo> Outputs, IReadOnlyDictionary<string, object> Metadata);

    private sealed record PipelineInfo(string File, long Bytes, IReadOnlyList<TensorInfo> Columns, int? LatentDimension, int? Features, int? Parameters);

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string path = _model.Path(arguments);
        if (Directory.Exists(path))
        {
            var source = _model.Open(arguments);
            GraphInfo[] graphs = [.. Directory.GetFiles(path, "*.onnx").Order(StringComparer.Ordinal).Select(Graph)];
            var pipeline = Pipeline(System.IO.Path.Combine(path, ModelSource.PipelineName));
            string record = System.IO.Path.Combine(path, ModelSource.RecordName);
            JsonElement? training = File.Exists(record) ? JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(record)) : null;
            Table[] tables = [Shown(pipeline), .. graphs.Select(graph => Shown(graph, whole: false))];
            if (source.IsTable)
            {
                using var table = source.LoadTable(terminal.Context());
                tables = [TableTrainer.Columns(table.Model), Terminal.Facts("training", [.. TableTrainer.Facts(table.Model)]), .. tables];
            }
            terminal.Result(new { folder = path, pipeline, graphs, training }, tables);
        }
        else if (_model.Open(arguments).IsGraph)
        {
            var graph = Graph(path);
            terminal.Result(graph, Shown(graph, whole: true));
        }
        else
        {
            var pipeline = Pipeline(path);
            terminal.Result(pipeline, Shown(pipeline));
        }
    }

    private static GraphInfo Graph(string path)
    {
        // Checked before native code sees it.
        var model = ModelBytes.FromFile(path, new Inference.VaeSessionOptions());
        var properties = OnnxScan.Check(model);
        try
        {
            using var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            options.AddSessionConfigEntry("session.load_model_format", "ONNX");
            using var session = new InferenceSession(model.Bytes, options);
            var metadata = properties.OrderBy(pair => pair.Key, StringComparer.Ordinal).Where(pair => pair.Key is not ("vae.kind" or "vae.table")).ToDictionary(pair => pair.Key, pair => Value(pair.Value));
            return new(System.IO.Path.GetFileName(path), model.Bytes.Length, properties.GetValueOrDefault("vae.kind"),
                Tensors(session.InputMetadata), Tensors(session.OutputMetadata), metadata);
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidDataException($"'{path}': OnnxRuntime cannot load the model: {e.Message}", e);
        }
    }

    private static PipelineInfo Pipeline(string path)
    {
        var context = new MLContext();
        var (pipeline, schema) = ModelSource.Of(path).LoadPipeline(context);
        using (pipeline as IDisposable)
        {
            var columns = pipeline.GetOutputSchema(schema).Where(column => !column.IsHidden)
                .Select(column => new TensorInfo(column.Name, column.Type.ToString()!, column.Type is Microsoft.ML.Data.VectorDataViewType vector ? [.. vector.Dimensions.Select(size => Invariant($"{size}"))] : []));
            VaeModel? model = null;
            try
            {
                model = VaeModel.FromPipeline(path);
            }
            catch (InvalidDataException)
            {
                // A pipeline without an autoencoder is still one.
            }
            return new(System.IO.Path.GetFileName(path), new FileInfo(path).Length, [.. columns], model?.LatentDimension, model?.FeatureCount, model?.ParameterCount);
        }
    }

    private static TensorInfo[] Tensors(IReadOnlyDictionary<string, NodeMetadata> tensors) => [.. tensors.Select(pair => new TensorInfo(pair.Key, pair.Value.ElementDataType.ToString(),
        [.. pair.Value.Dimensions.Select((size, i) => size >= 0 ? Invariant($"{size}") : pair.Value.SymbolicDimensions[i] is { Length: > 0 } symbol ? symbol : "?")]))];

    /// <summary>JSON as JSON, all else as text.</summary>
    private static object Value(string text)
    {
        if (text.StartsWith('{') || text.StartsWith('['))
        {
            try
            {
                return JsonSerializer.Deserialize<JsonElement>(text);
            }
            catch (JsonException)
            {
                // Then it is text.
            }
        }
        return text.Length <= LongestValue ? text : Invariant($"{text[..40]}... ({text.Length} characters)");
    }

    private static Table Shown(GraphInfo graph, bool whole)
    {
        var rows = new List<(string, string)> { ("size", Size(graph.Bytes)), ("kind", graph.Kind ?? "not of this library") };
        rows.AddRange(graph.Inputs.Select(tensor => ($"input {tensor.Name}", Text(tensor))));
        rows.AddRange(graph.Outputs.Select(tensor => ($"output {tensor.Name}", Text(tensor))));
        if (whole)
            rows.AddRange(graph.Metadata.Select(pair => (pair.Key, pair.Value is JsonElement json ? Short(json) : (string)pair.Value)));
        return Terminal.Facts(graph.File, [.. rows]);
    }

    /// <summary>JSON for people: objects as names with values, many numbers as their range.</summary>
    private static string Short(JsonElement json)
    {
        const int Many = 8;
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                return string.Join(", ", json.EnumerateObject().Select(property => $"{property.Name} {Short(property.Value)}"));
            case JsonValueKind.Array when json.GetArrayLength() > Many && json.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number):
                double[] numbers = [.. json.EnumerateArray().Select(item => item.GetDouble())];
                return Invariant($"{numbers.Length} numbers from {numbers.Min():G4} to {numbers.Max():G4}");
            case JsonValueKind.Array:
                return $"[{string.Join(", ", json.EnumerateArray().Select(Short))}]";
            case JsonValueKind.Number:
                return json.TryGetInt64(out long whole) ? Invariant($"{whole}") : Invariant($"{json.GetDouble():G5}");
            default:
                return json.ToString();
        }
    }

    private static Table Shown(PipelineInfo pipeline)
    {
        var rows = new List<(string, string)> { ("size", Size(pipeline.Bytes)) };
        if (pipeline.LatentDimension is { } latent)
            rows.Add(("autoencoder", Invariant($"{pipeline.Features} features, {latent} latent dimensions, {pipeline.Parameters} parameters")));
        rows.AddRange(pipeline.Columns.Select(column => ($"column {column.Name}", column.Type)));
        return Terminal.Facts(pipeline.File, [.. rows]);
    }

    private static string Text(TensorInfo tensor) => $"{tensor.Type} [{string.Join(", ", tensor.Shape)}]";

    private static string Size(long bytes) => bytes < 1 << 20 ? Invariant($"{bytes / 1024.0:F1} KiB") : Invariant($"{bytes / 1048576.0:F1} MiB");
}
