using System.CommandLine;
using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Vae.MLNet.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

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
    public const string PipelineName = "model.zip", EncoderName = "encoder.onnx", DecoderName = "decoder.onnx", GraphName = "pipeline.onnx",
        TableName = "table.onnx", SamplerName = "sampler.onnx", RecordName = "training.json";

    private readonly string _path;
    private readonly bool _folder;
    private readonly bool _isTable;
    private readonly TrainedRows? _rows;

    private ModelSource(string path, bool folder)
    {
        _path = path;
        _folder = folder;
        if (folder && File.Exists(Path.Combine(path, RecordName)))
            (_rows, _isTable) = ReadRecord(Path.Combine(path, RecordName));
        else if (!folder)
            _isTable = HoldsTable(path, IsGraph);
    }

    public static ModelSource Of(string path)
    {
        // Where folders cannot be exchanged at once, one that a killed training was replacing may be missing.
        if (!Path.Exists(path))
            AtomicFolder.Recover(path);
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

    /// <summary>Whether this is the model of a table of typed columns, rather than of vectors.</summary>
    public bool IsTable => _isTable;

    /// <summary>The model of a table. The caller disposes it.</summary>
    public TableVaeTransformer LoadTable(MLContext context)
    {
        if (!_isTable)
            throw new UsageException($"'{_path}' is a model of vectors; this command takes the model of a table, which 'vae-mlnet train --as table' makes.");
        if (IsGraph)
            return TableVaeTransformer.Read(context, OnnxFile.Read(_path)) ?? throw new InvalidDataException($"'{_path}' does not name its columns; a file that 'train' wrote is expected.");
        var (pipeline, _) = LoadPipeline(context);
        if (pipeline is TableVaeTransformer table)
            return table;
        (pipeline as IDisposable)?.Dispose();
        throw new InvalidDataException($"'{_path}' has other steps beside the model of a table; the model alone is expected.");
    }

    /// <summary>How the model's rows look in files.</summary>
    public RowFormat Format(MLContext context, int features)
    {
        var rows = KnownRows(context, features);
        return RowFormat.Of(features, rows?.Shape, rows?.Names);
    }

    /// <summary>The rows that a pipeline takes.</summary>
    public ModelInput Input(ITransformer pipeline, DataViewSchema schema)
    {
        RequireVectors();
        DataViewSchema.Column[] columns = [.. schema.Where(column => !column.IsHidden)];
        if (columns is not [{ Type: VectorDataViewType { IsKnownSize: true } type } column] || type.ItemType != NumberDataViewType.Single)
        {
            throw new InvalidDataException(
                $"'{_path}' is a pipeline of {columns.Length} input columns ({string.Join(", ", columns.Select(column => $"{column.Name}: {column.Type}"))}); one vector column of Single is expected.");
        }
        var rows = _rows?.Features == type.Size ? _rows : OfSchema(schema);
        return new(_path, column.Name, rows?.Shape ?? [.. type.Dimensions], rows?.Names, Steps(pipeline).Any(step => step is VaeImputingTransformer or MissingValueReplacingTransformer));
    }

    /// <summary>The rows that a graph takes.</summary>
    public ModelInput Input(VaeEncoder encoder)
    {
        var rows = GraphRows(encoder.FeatureCount);
        // A record beside the graph knows the shape too; the graph itself knows the names.
        return new(_path, DataFile.TrainingColumn, rows?.Shape ?? [encoder.FeatureCount], rows?.Names ?? (encoder.InputNames is { Count: > 0 } names ? names : null));
    }

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
            // ML.NET says no more than "Error during class instantiation" itself.
            throw new InvalidDataException($"'{path}': {e.GetBaseException().Message}; a saved pipeline of ML.NET is expected.", e);
        }
        return (context.Vae.Rehydrate(loaded), schema);
    }

    /// <summary>The decoder, with its gradient where the file has it.</summary>
    public VaeDecoder LoadDecoder()
    {
        RequireVectors();
        if (_folder)
            return VaeDecoder.Load(Path.Combine(_path, DecoderName));
        return IsGraph ? VaeDecoder.Load(_path) : VaeDecoder.Load(VaeModel.FromPipeline(_path).ToDecoderOnnx(withGradient: true));
    }

    /// <summary>Rows of a file as a pipeline takes them: every command that reads rows for a pipeline reads them here.</summary>
    public DataFile LoadRows(MLContext context, ITransformer pipeline, DataViewSchema schema, string path, RowSettings settings, Terminal terminal, CancellationToken cancellationToken) =>
        DataFile.Load(context, path, settings, Input(pipeline, schema), terminal, cancellationToken);

    /// <summary>The latent column of a pipeline: its autoencoder's.</summary>
    public static string LatentColumn(ITransformer pipeline) => Steps(pipeline).OfType<VaeTransformer>().LastOrDefault()?.LatentColumnName ?? "Latent";

    /// <summary>What is known of the rows that the model was trained on.</summary>
    private TrainedRows? KnownRows(MLContext context, int features)
    {
        if (_folder)
            return _rows;
        if (IsGraph)
            return GraphRows(features);
        var (pipeline, schema) = LoadPipeline(context);
        using (pipeline as IDisposable)
            return OfSchema(schema);
    }

    /// <summary>A graph's rows, from the record that <c>train</c> wrote beside it.</summary>
    private TrainedRows? GraphRows(int features)
    {
        string record = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(_path))!, RecordName);
        if (!File.Exists(record))
            return null;
        try
        {
            return ReadRecord(record).Rows is { } rows && rows.Features == features ? rows : null;
        }
        catch (InvalidDataException)
        {
            // A file of that name, of somebody else.
            return null;
        }
    }

    /// <summary>The rows of a saved pipeline: its one input column, whose slot names are the training column's.</summary>
    private static TrainedRows? OfSchema(DataViewSchema schema)
    {
        DataViewSchema.Column[] columns = [.. schema.Where(column => !column.IsHidden)];
        if (columns is not [{ Type: VectorDataViewType { IsKnownSize: true } type } column])
            return null;
        string[]? names = ColumnSlots.Names(column);
        return new([.. type.Dimensions], names?.Length == type.Size && names.Distinct().Count() == names.Length ? names : null);
    }

    private static IEnumerable<ITransformer> Steps(ITransformer pipeline) => pipeline is IEnumerable<ITransformer> chain ? chain.SelectMany(Steps) : [pipeline];

    private void RequireVectors()
    {
        if (_isTable)
            throw new UsageException($"'{_path}' is the model of a table, for which there are 'synthesize', 'detect', 'impute', 'encode' and 'inspect'; this command takes a model of vectors.");
    }

    private static bool HoldsTable(string path, bool graph)
    {
        try
        {
            return graph ? OnnxFile.Read(path).Kind == VaeMetadata.TableKind : PipelineArchive.Read(path).Any(entry => entry.Kind == VaeMetadata.TableKind);
        }
        catch (InvalidDataException)
        {
            // What the file is will be said by whoever reads it for its use.
            return false;
        }
    }

    private static (TrainedRows? Rows, bool IsTable) ReadRecord(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            if (root.TryGetProperty("kind", out var kind) && kind.ValueKind == JsonValueKind.String && kind.GetString() == TableRecord.TableKind)
                return (null, true);
            int[] shape = [.. root.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];
            string[]? names = root.TryGetProperty("names", out var found) ? [.. found.EnumerateArray().Select(name => name.GetString() ?? "")] : null;
            return (new(shape, names), false);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new InvalidDataException($"'{path}' is damaged: {e.Message}", e);
        }
    }
}

/// <summary>What is known of the rows that a model was trained on.</summary>
/// <param name="Shape">Size of a row's array.</param>
/// <param name="Names">A name for each number, where there are any.</param>
internal sealed record TrainedRows(IReadOnlyList<int> Shape, IReadOnlyList<string>? Names)
{
    public int Features => DataFile.Product(Shape);
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
