using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.OnnxRuntime;
using Spectre.Console;

namespace Vae.MLNet.Benchmarks;

/// <summary>Files of the flagship network, 24-256-256-256-2-256-256-256-24: how large they are, how long OnnxRuntime takes to load them, and what half precision costs.</summary>
internal static class ExportBenchmark
{
    private const int Features = 24, Loads = 30;

    public static void Run(string[] args)
    {
        var context = new MLContext(seed: 1);
        var definition = Microsoft.ML.Data.SchemaDefinition.Create(typeof(FeatureRow));
        definition[0].ColumnType = new Microsoft.ML.Data.VectorDataViewType(Microsoft.ML.Data.NumberDataViewType.Single, Features);
        var data = context.Data.LoadFromEnumerable(SyntheticRows.Make(5000, Features).Select(row => new FeatureRow { Features = row }), definition);
        // Twelve beads in the plane: centred, turned onto the principal axis, encoded.
        var pipeline = context.Vae.CenterConformations("Centered", "Features", dimensions: 2)
            .Append(context.Vae.AlignPrincipalAxes("Aligned", "Centered", dimensions: 2))
            .Append(context.Vae.VariationalAutoencoder("Latent", "Aligned", new() { HiddenLayers = [256, 256, 256], Scaling = InputScaling.None, Epochs = 5, Threads = 1 })).Fit(data);
        using var transformer = pipeline.LastTransformer;
        var model = transformer.Model;
        string path = Path.GetTempFileName();
        var table = new Table().Title("Exported files of the flagship network").AddColumns("file", "weights", "KiB", $"load ms (median of {Loads})", "largest error");
        try
        {
            foreach (var type in Enum.GetValues<OnnxWeightType>())
            {
                Row("decoder", type, model.ExportDecoder(path, new OnnxExportOptions { WeightType = type, WithGradient = false }));
                Row("decoder with gradient", type, model.ExportDecoder(path, new OnnxExportOptions { WeightType = type }));
                Row("encoder", type, model.ExportEncoder(path, new OnnxExportOptions { WeightType = type, WithGradient = false }));
                Row("pipeline, latent", type, context.Vae.ExportPipeline(pipeline, data.Schema, path, new() { WeightType = type }));
                Row("pipeline, all outputs", type, context.Vae.ExportPipeline(pipeline, data.Schema, path, new() { WeightType = type, StandardDeviation = true, Reconstruction = true, Score = true }));
            }
            model.Save(path);
            Row("whole model", OnnxWeightType.Float32, new OnnxExportReport(new FileInfo(path).Length, null, 0));
        }
        finally
        {
            File.Delete(path);
        }
        AnsiConsole.Write(table);

        byte[] whole = model.ToOnnx();
        Paired.Run("Reading the whole model back", "file", 1, rounds: Loads,
            new("OnnxRuntime session", () => Paired.Seconds(() => Load(whole))),
            new("VaeModel.FromOnnx", () => Paired.Seconds(() => VaeModel.FromOnnx(whole))));

        void Row(string file, OnnxWeightType type, OnnxExportReport report)
        {
            byte[] bytes = File.ReadAllBytes(path);
            Load(bytes);
            double[] seconds = [.. Enumerable.Range(0, Loads).Select(_ => Paired.Seconds(() => Load(bytes))).Order()];
            table.AddRow(file, type.ToString(), (report.Bytes / 1024.0).ToString("#,0", CultureInfo.InvariantCulture),
                (seconds[Loads / 2] * 1e3).ToString("0.0", CultureInfo.InvariantCulture),
                report.LargestError is { } error ? error.ToString("0.0e0", CultureInfo.InvariantCulture) : "");
        }
    }

    private static void Load(byte[] model)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        using var session = new InferenceSession(model, options);
    }
}
