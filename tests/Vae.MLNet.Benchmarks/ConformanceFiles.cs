using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Onnx;
using Vae.MLNet.Tests.Onnx;

namespace Vae.MLNet.Benchmarks;

/// <summary>
/// Writes one file of every kind that the library exports, with inputs and what OnnxRuntime of this process makes of them, into a folder: eng/conformance.sh runs them on
/// other runtimes. <c>manifest.json</c> lists them, with the error that the export measured against TorchSharp or ML.NET where it measures one.
/// </summary>
internal sealed class ConformanceFiles(string folder)
{
    private const int Rows = 7, Beads = 12;

    private readonly MLContext _context = new(seed: 1);
    private readonly SeededRandom _random = new(29);
    private readonly List<Entry> _entries = [];

    private sealed record Tensor(string Name, string Type, long[] Dims, byte[] Data);

    private sealed record Case(Tensor[] Inputs, Tensor[] Outputs);

    private sealed record Entry(string File, string Kind, double? Reference, Case[] Cases);

    public static void Run(string[] args)
    {
        if (args.Length != 1)
            throw new ArgumentException("Usage: conformance FOLDER");
        Directory.CreateDirectory(args[0]);
        var files = new ConformanceFiles(args[0]);
        files.Networks();
        files.Pipelines();
        files.Transforms();
        files.Sequences();
        File.WriteAllText(Path.Combine(args[0], "manifest.json"), JsonSerializer.Serialize(files._entries, JsonSerializerOptions.Web));
        double reference = files._entries.Max(entry => entry.Reference is { } error && !entry.File.Contains("half", StringComparison.Ordinal) ? error : 0);
        Console.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{files._entries.Count} files of {files._entries.Select(entry => entry.Kind).Distinct().Count()} kinds in {args[0]}; in single precision at most {reference:0.0e0} from TorchSharp or ML.NET"));
    }

    /// <summary>Encoders, decoders and whole models of every likelihood, scaling, activation and posterior; random weights do for that.</summary>
    private void Networks()
    {
        string path = Path.Combine(folder, "export.tmp");
        int number = 0;
        foreach (var options in OnnxTestModels.Variants)
        {
            string name = $"{number++}-{options.Likelihood}-{options.Posterior}-{options.Scaling}-{options.Activation}".ToLowerInvariant();
            var model = OnnxTestModels.Create(options);
            Add("encoder", $"encoder-{name}", model.ExportEncoder(path, new OnnxExportOptions()), path);
            Add("decoder", $"decoder-{name}", model.ExportDecoder(path, new OnnxExportOptions { WithGradient = false }), path);
            var report = model.ExportDecoder(path, new OnnxExportOptions());
            Add("decoder with gradient", $"gradient-{name}", report, path);
            Add("decoder with gradient", $"gradient-joined-{name}", GradientGraph.Join(File.ReadAllBytes(path)), report.LargestError);
            Add("whole model", $"model-{name}", model.ToOnnx());
            Add("whole model", $"score-{name}",
                VaeGraphs.ModelFile(model, "Features", "Latent", new() { StandardDeviation = "Deviation", Reconstruction = "Back", Score = "Score" }, forSaving: true));
        }
        var flagship = OnnxTestModels.Create(OnnxTestModels.Flagship, features: 24);
        var half = new OnnxExportOptions { WeightType = OnnxWeightType.Float16, WithGradient = true };
        Add("half precision", "half-encoder", flagship.ExportEncoder(path, half), path);
        Add("half precision", "half-decoder", flagship.ExportDecoder(path, half), path);
        File.Delete(path);
    }

    /// <summary>Raw coordinates to all that an autoencoder gives, in the plane and in space.</summary>
    private void Pipelines()
    {
        string path = Path.Combine(folder, "export.tmp");
        foreach (int dimensions in (int[])[2, 3])
        {
            foreach (var alignment in (PrincipalAxisOptions[])[new(), new() { Sign = PrincipalAxisSign.FirstBead, Mirror = true, ChainDirection = true }])
            {
                var data = Table(200, Beads * dimensions);
                var model = _context.Vae.RadiusOfGyration("Rg", "Features", dimensions)
                    .Append(_context.Vae.CenterConformations("Centered", "Features", dimensions))
                    .Append(_context.Vae.AlignPrincipalAxes("Aligned", "Centered", dimensions, alignment))
                    .Append(_context.Transforms.NormalizeMeanVariance("Scaled", "Aligned"))
                    .Append(_context.Vae.VariationalAutoencoder("Latent", "Scaled", new() { HiddenLayers = [32], Epochs = 1, Threads = 1, Scaling = InputScaling.Standardize })).Fit(data);
                foreach (var type in Enum.GetValues<OnnxWeightType>())
                {
                    var report = _context.Vae.ExportPipeline(model, data.Schema, path,
                        new() { StandardDeviation = true, Reconstruction = true, Score = true, Columns = ["Aligned", "Rg"], WeightType = type });
                    string kind = type == OnnxWeightType.Float16 ? "half" : "single";
                    Add($"pipeline, {dimensions}D", $"pipeline-{dimensions}d-{alignment.Sign}-{kind}".ToLowerInvariant(), report, path);
                }
                model.LastTransformer.Dispose();
            }
        }
        InternalCoordinates(path);
        File.Delete(path);
    }

    /// <summary>Bonds and angles, the way back, and decoders that give coordinates.</summary>
    private void InternalCoordinates(string path)
    {
        foreach (int dimensions in (int[])[2, 3])
        {
            foreach (bool pairs in (bool[])[false, true])
            {
                string name = $"{dimensions}d-{(pairs ? "pairs" : "angles")}";
                var options = new InternalCoordinatesOptions { AsSineCosine = pairs };
                var data = Table(200, Beads * dimensions);
                using var there = _context.Vae.InternalCoordinates("Internal", "Features", dimensions, options).Fit(data);
                var numbers = there.Transform(data);
                using var back = _context.Vae.CartesianCoordinates("Back", "Internal", dimensions, options).Fit(numbers);
                Add("internal coordinates", $"internal-{name}", there.CreateSavedModel());
                Add("internal coordinates", $"cartesian-{name}", back.CreateSavedModel());
                var training = new VaeTrainer.Options { HiddenLayers = [32], Epochs = 1, Threads = 1 };
                using var model = _context.Vae.VariationalAutoencoder("Latent", "Internal", training).Fit(numbers);
                var report = _context.Vae.ExportCartesianDecoder(model.Model, path, dimensions, options);
                Add("internal coordinates", $"cartesian-decoder-{name}", report, path);
                Add("internal coordinates", $"cartesian-gradient-{name}", GradientGraph.Join(File.ReadAllBytes(path)), report.LargestError);
            }
        }
    }

    /// <summary>Transforms as they stand in a saved ML.NET pipeline, and as a pipeline's export gives them.</summary>
    private void Transforms()
    {
        string path = Path.Combine(folder, "export.tmp");
        var data = Table(200, 8);
        using (var model = _context.Vae.AnomalyDetector("Features", new() { Members = 2, Steps = 20, LatentDimension = 2, Threads = 1, ContributionsColumnName = "Why" }).Fit(data))
        {
            Add("anomaly", "anomaly-saved", model.CreateSavedModel());
            Add("anomaly", "anomaly-pipeline", _context.Vae.ExportPipeline(model, data.Schema, path), path);
        }
        var training = new VaeTrainer.Options { LatentDimension = 2, HiddenLayers = [16], Likelihood = Likelihood.Gaussian, Scaling = InputScaling.Standardize, Epochs = 1, Threads = 1 };
        using (var model = _context.Vae.ImputeMissing("Whole", "Features", new() { Training = training, Refinements = 1 }).Fit(data))
        {
            Add("imputation", "imputer-saved", model.CreateSavedModel());
            Add("imputation", "imputer-holes", model.CreateSavedModel(), holes: true);
        }
        File.Delete(path);
    }

    private void Sequences()
    {
        const string reference = "MKHDSAWC";
        foreach (var gaps in Enum.GetValues<GapTreatment>())
        {
            var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids.WithGaps(gaps), reference, firstPosition: 1);
            var family = SequenceAlignment.FromSequences(layout, [.. Enumerable.Range(0, 60).Select(i => i % 3 == 0 ? reference : i % 3 == 1 ? "LRHDSGFC" : "MRH-SAWT")]);
            using var model = _context.Vae.SequenceAutoencoder("Latent", "Tokens", new() { HiddenLayers = [16], LatentDimension = 3, MaximumSteps = 20, Threads = 1 }).Fit(family);
            var network = model.Model.Members[0];
            int tokens = layout.Alphabet.TokenCount;
            string name = gaps.ToString().ToLowerInvariant();
            Add("sequence encoder", $"sequence-encoder-{name}", network.ToEncoderOnnx(), tokens: tokens);
            Add("sequence decoder", $"sequence-decoder-{name}", network.ToDecoderOnnx(withGradient: true));
            Add("sequence transform", $"sequence-saved-{name}", model.CreateSavedModel(), tokens: tokens);
            Add("sequence transform", $"sequence-evidence-{name}", VaeGraphs.EvidenceFile(network, withMasks: false), tokens: tokens);
            using var site = _context.Vae.SiteIndependent("Score", "Tokens").Fit(family);
            Add("sequence transform", $"site-independent-{name}", site.CreateSavedModel(), tokens: tokens);
        }
    }

    private void Add(string kind, string name, OnnxExportReport report, string path) => Add(kind, name, File.ReadAllBytes(path), report.LargestError);

    private void Add(string kind, string name, byte[] file, double? reference = null, int tokens = 0, bool holes = false)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        options.AddSessionConfigEntry("session.strict_shape_type_inference", "1");
        using var session = new InferenceSession(file, options);
        File.WriteAllBytes(Path.Combine(folder, name + ".onnx"), file);
        _entries.Add(new(name + ".onnx", kind, reference, [Compute(session, 1, tokens, holes), Compute(session, Rows, tokens, holes)]));
    }

    private Case Compute(InferenceSession session, int rows, int tokens, bool holes)
    {
        Tensor[] inputs = [.. session.InputMetadata.Select(input => Random(input.Key, input.Value, rows, tokens, holes))];
        OrtValue[] values = [.. inputs.Select(input => input.Type == "int64"
            ? OrtValue.CreateTensorValueFromMemory(MemoryMarshal.Cast<byte, long>(input.Data).ToArray(), input.Dims)
            : OrtValue.CreateTensorValueFromMemory(MemoryMarshal.Cast<byte, float>(input.Data).ToArray(), input.Dims))];
        try
        {
            using var options = new RunOptions();
            using var results = session.Run(options, [.. inputs.Select(input => input.Name)], values, session.OutputNames);
            return new(inputs, [.. session.OutputNames.Zip(results, Output)]);
        }
        finally
        {
            foreach (var value in values)
                value.Dispose();
        }
    }

    private static Tensor Output(string name, OrtValue value)
    {
        var info = value.GetTensorTypeAndShape();
        byte[] data = info.ElementDataType switch
        {
            TensorElementType.Float => MemoryMarshal.AsBytes(value.GetTensorDataAsSpan<float>()).ToArray(),
            TensorElementType.Int64 => MemoryMarshal.AsBytes(value.GetTensorDataAsSpan<long>()).ToArray(),
            TensorElementType.Bool => MemoryMarshal.AsBytes(value.GetTensorDataAsSpan<bool>()).ToArray(),
            _ => throw new InvalidOperationException($"The output '{name}' is {info.ElementDataType}."),
        };
        return new(name, info.ElementDataType.ToString().ToLowerInvariant(), info.Shape, data);
    }

    private Tensor Random(string name, NodeMetadata input, int rows, int tokens, bool holes)
    {
        long[] dims = [.. input.Dimensions.Select(dim => dim < 0 ? rows : (long)dim)];
        int count = (int)dims.Aggregate(1L, (product, dim) => product * dim);
        if (input.ElementDataType == TensorElementType.Int64)
        {
            long[] values = [.. Enumerable.Range(0, count).Select(_ => (long)(_random.NextUniform() * tokens))];
            return new(name, "int64", dims, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
        }
        float[] numbers = [.. Enumerable.Range(0, count).Select(i => holes && i % 3 == 0 ? float.NaN : (float)_random.NextNormal())];
        return new(name, "float", dims, MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray());
    }

    private IDataView Table(int rows, int features)
    {
        var definition = SchemaDefinition.Create(typeof(FeatureRow));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, features);
        return _context.Data.LoadFromEnumerable(SyntheticRows.Make(rows, features).Select(row => new FeatureRow { Features = row }).ToArray(), definition);
    }
}
