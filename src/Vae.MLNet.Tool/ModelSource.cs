using System.CommandLine;
using System.Text.Json;
using Microsoft.ML;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool;

/// <summary>What <c>train</c> writes beside the models.</summary>
internal sealed record TrainingRecord
{
    public required string Data { get; init; }

    public required long Rows { get; init; }

    public required IReadOnlyList<int> Shape { get; init; }

    public IReadOnlyList<string>? Names { get; init; }

    public required string Alignment { get; init; }

    public required int LatentDimension { get; init; }

    public required int Parameters { get; init; }

    public required object Options { get; init; }

    public required long TrainingRows { get; init; }

    public required long ValidationRows { get; init; }

    public required int BestEpoch { get; init; }

    public required bool StoppedEarly { get; init; }

    public required int ActiveUnits { get; init; }

    public VaeSelfCheck? SelfCheck { get; init; }

    public required IReadOnlyList<EpochRecord> Epochs { get; init; }
}

/// <summary>Losses of one epoch.</summary>
internal sealed record EpochRecord(int Epoch, double Loss, double Reconstruction, double Kl, double? ValidationLoss, double? ValidationReconstruction, double? ValidationKl);

/// <summary>A folder that <c>train</c> made, a saved ML.NET pipeline (.zip) or an exported model (.onnx).</summary>
internal sealed class ModelSource
{
    public const string PipelineName = "model.zip", EncoderName = "encoder.onnx", DecoderName = "decoder.onnx", GraphName = "pipeline.onnx", RecordName = "training.json";

    private readonly string _path;
    private readonly bool _folder;

    private ModelSource(string path, bool folder)
    {
        _path = path;
        _folder = folder;
        if (folder && File.Exists(Path.Combine(path, RecordName)))
            (Shape, Names) = ReadRecord(Path.Combine(path, RecordName));
    }

    public static ModelSource Of(string path)
    {
        if (Directory.Exists(path))
        {
            return File.Exists(Path.Combine(path, PipelineName)) ? new(path, folder: true)
                : throw new InvalidDataException($"The folder '{path}' holds no {PipelineName}; a folder that 'vae-mlnet train' wrote is expected.");
        }
        return File.Exists(path) ? new(path, folder: false) : throw new FileNotFoundException($"There is no file or folder '{path}'.");
    }

    /// <summary>Whether this is a single exported graph, without a pipeline.</summary>
    public bool IsGraph => !_folder && Path.GetExtension(_path).Equals(".onnx", StringComparison.OrdinalIgnoreCase);

    public string Location => _path;

    public IReadOnlyList<int>? Shape { get; }

    public IReadOnlyList<string>? Names { get; }

    public RowFormat Format(int features) => RowFormat.Of(features, Shape, Names);

    /// <summary>The whole pipeline, scoring in blocks, and its input column. The caller disposes it where it is disposable.</summary>
    public (ITransformer Pipeline, DataViewSchema Schema) LoadPipeline(MLContext context)
    {
        if (IsGraph)
            throw new UsageException($"'{_path}' is a graph; this command needs the whole pipeline: a folder that 'vae-mlnet train' wrote, or a .zip of ML.NET.");
        string path = _folder ? Path.Combine(_path, PipelineName) : _path;
        ITransformer loaded;
        DataViewSchema schema;
        try
        {
            loaded = context.Model.Load(path, out schema);
        }
        catch (Exception e) when (e is not (IOException or UnauthorizedAccessException))
        {
            throw new InvalidDataException($"'{path}': {e.Message}; a saved pipeline of ML.NET is expected.", e);
        }
        return (context.Vae.Rehydrate(loaded), schema);
    }

    /// <summary>The decoder, with its gradient where the file has it.</summary>
    public VaeDecoder LoadDecoder()
    {
        if (_folder)
            return VaeDecoder.Load(Path.Combine(_path, DecoderName));
        return IsGraph ? VaeDecoder.Load(_path) : VaeDecoder.Load(VaeModel.FromPipeline(_path).ToDecoderOnnx(withGradient: true));
    }

    /// <summary>Gives a file's rows the name that the pipeline's input has.</summary>
    public IDataView Fit(MLContext context, DataViewSchema schema, IDataView rows)
    {
        string[] names = [.. schema.Where(column => !column.IsHidden).Select(column => column.Name)];
        if (names is not [var name])
            throw new InvalidDataException($"'{_path}' is a pipeline of {names.Length} input columns ({string.Join(", ", names)}); one vector column is expected.");
        return name == DataFile.Column ? rows : context.Transforms.CopyColumns(name, DataFile.Column).Fit(rows).Transform(rows);
    }

    private static (IReadOnlyList<int>? Shape, IReadOnlyList<string>? Names) ReadRecord(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            int[] shape = [.. root.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];
            string[]? names = root.TryGetProperty("names", out var found) ? [.. found.EnumerateArray().Select(name => name.GetString() ?? "")] : null;
            return (shape, names);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"'{path}' is damaged: {e.Message}", e);
        }
    }
}

/// <summary>The argument that names a model.</summary>
internal sealed class ModelArgument
{
    private readonly Argument<string> _path;

    public ModelArgument(Command command, string description = "A folder that 'train' wrote, a saved ML.NET pipeline (.zip) or an exported graph (.onnx).")
    {
        _path = new Argument<string>("model") { Description = description };
        command.Add(_path);
    }

    public ModelSource Open(ParseResult arguments) => ModelSource.Of(arguments.GetRequiredValue(_path));

    public string Path(ParseResult arguments) => arguments.GetRequiredValue(_path);
}
