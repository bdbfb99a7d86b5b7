using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Spectre.Console;

namespace Vae.MLNet.Benchmarks;

/// <summary>
/// One epoch over rows that are made as they are read. <c>streaming</c> trains on 10 million of 24 numbers (wrap it in <c>/usr/bin/time -v</c> for the peak of resident
/// memory); <c>streaming rates</c> measures the rate against training in memory, in turn, on as many rows as fit.
/// </summary>
internal static class StreamingBenchmark
{
    private const int Features = 24;

    public static void Run(string[] args)
    {
        if (args is ["rates", .. var rest])
        {
            Rates(rest.Length > 0 ? int.Parse(rest[0], CultureInfo.InvariantCulture) : 200_000);
            return;
        }
        int rows = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 10_000_000;
        long start = Stopwatch.GetTimestamp();
        double seconds = Epoch(rows, new(), Wide);
        using var process = Process.GetCurrentProcess();
        AnsiConsole.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{rows:#,0} rows streamed: epoch {seconds:0.0} s, {rows / seconds:#,0} rows/s; all of the Fit {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s; peak resident {process.PeakWorkingSet64 / 1048576.0:0} MiB"));
    }

    /// <summary>A network small and batches large enough that reading is a good part of the work, and the flagship's.</summary>
    private static void Rates(int rows)
    {
        foreach (var (name, options, share) in new[] { ("64-64, batches of 1024", Wide, 5), ("256-256-256, batches of 128", new VaeTrainer.Options { HiddenLayers = [256, 256, 256], Scaling = InputScaling.None }, 1) })
        {
            int count = rows * share;
            Paired.Run($"One epoch of {count} rows of {Features}, {name}", "row", count, rounds: 5,
                new("in memory", () => Epoch(count, null, options)),
                new("streamed", () => Epoch(count, new(), options)));
        }
    }

    private static VaeTrainer.Options Wide { get; } = new() { HiddenLayers = [64, 64], BatchSize = 1024, LatentDimension = 4 };

    /// <summary>Seconds of an epoch: for streamed rows their reading is part of it, for rows in memory it is not.</summary>
    private static double Epoch(int rows, StreamingOptions? streaming, VaeTrainer.Options options)
    {
        var context = new MLContext(seed: 1);
        var definition = SchemaDefinition.Create(typeof(FeatureRow));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Features);
        var data = context.Data.LoadFromEnumerable(Rows(rows), definition);
        using var model = context.Vae.VariationalAutoencoder("Latent", "Features", options with { Epochs = 1, Streaming = streaming }).Fit(data);
        return model.History!.Epochs[0].Seconds;
    }

    private static IEnumerable<FeatureRow> Rows(int rows)
    {
        // Rows of a small table with a shift each: cheap to make, and no two alike.
        float[][] table = SyntheticRows.Make(1024, Features);
        for (int i = 0; i < rows; i++)
        {
            float[] pattern = table[i & 1023], row = new float[Features];
            float shift = i * 1e-8f;
            for (int j = 0; j < Features; j++)
                row[j] = pattern[j] + shift;
            yield return new FeatureRow { Features = row };
        }
    }
}
