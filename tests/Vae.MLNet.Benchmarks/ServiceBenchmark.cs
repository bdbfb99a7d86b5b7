using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using DecoderService;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Spectre.Console;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;
using SessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Vae.MLNet.Benchmarks;

/// <summary>
/// The decoder service against the least that a web endpoint on OnnxRuntime can be (one run a request, no checks), both in this process on the loopback, with
/// the same clients in a closed loop, in turn.
/// </summary>
internal static class ServiceBenchmark
{
    private const int Rounds = 5;
    private static readonly TimeSpan Span = TimeSpan.FromSeconds(2);

    private sealed record DecodeBody(float[][] Latents);

    public static void Run(string[] args) => RunAsync().GetAwaiter().GetResult();

    private static async Task RunAsync()
    {
        string folder = Directory.CreateTempSubdirectory("service-benchmark-").FullName;
        try
        {
            string file = Path.Combine(folder, "decoder.onnx");
            File.WriteAllBytes(file, Decoder(seed: 1));
            using var session = new InferenceSession(file, new SessionOptions { IntraOpNumThreads = 1 });
            await using var bare = Bare(session);
            await using var service = DecoderApp.Create(["--model", file, "--urls", "http://127.0.0.1:0", "--poll-milliseconds", "20", "--Logging:LogLevel:Default", "Warning"]);
            await bare.StartAsync();
            await service.StartAsync();
            foreach (int clients in (int[])[1, 16, 64])
                await CompareAsync(clients, new Uri(bare.Urls.First()), new Uri(service.Urls.First()));
            await SwapAsync(file, new Uri(service.Urls.First()));
            await service.StopAsync();
            await bare.StopAsync();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task CompareAsync(int clients, Uri bare, Uri service)
    {
        (string Name, Uri Address)[] ways = [("bare OnnxRuntime endpoint", bare), ("decoder service", service)];
        var rates = ways.Select(_ => new double[Rounds]).ToArray();
        var latencies = ways.Select(_ => new double[Rounds]).ToArray();
        int errors = 0;
        foreach (var way in ways)
            await LoadAsync(way.Address, clients, TimeSpan.FromSeconds(1));
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < ways.Length; i++)
            {
                var (times, failed, seconds) = await LoadAsync(ways[i].Address, clients, Span);
                errors += failed;
                rates[i][round] = times.Length / seconds;
                latencies[i][round] = times[(int)(0.99 * (times.Length - 1))];
            }
        }
        var table = new Table().Title($"{clients} clients, one latent a request, errors: {errors}").AddColumns("way", "requests/s", "p99 ms", "rate, times the first (min … max)");
        for (int i = 0; i < ways.Length; i++)
        {
            double[] ratios = [.. rates[i].Zip(rates[0], (own, first) => own / first)];
            table.AddRow(ways[i].Name, Text($"{Paired.Median(rates[i]):#,0}"), Text($"{1e3 * Paired.Median(latencies[i]):0.00}"), Text($"{Paired.Median(ratios):0.00} ({ratios.Min():0.00} … {ratios.Max():0.00})"));
        }
        AnsiConsole.Write(table);
    }

    private static async Task SwapAsync(string file, Uri address)
    {
        using var stop = new CancellationTokenSource();
        int swaps = 0;
        var swapping = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                File.WriteAllBytes(file + ".new", Decoder(seed: 2 + swaps++));
                File.Move(file + ".new", file, overwrite: true);
                await Task.Delay(200);
            }
        });
        var versions = new ConcurrentDictionary<string, int>();
        var (times, failed, seconds) = await LoadAsync(address, 16, TimeSpan.FromSeconds(6), versions);
        await stop.CancelAsync();
        await swapping;
        AnsiConsole.WriteLine(Text(
            $"Model file replaced {swaps} times under load of 16 clients: {versions.Count} versions answered, {times.Length / seconds:#,0} requests/s, p99 {1e3 * times[(int)(0.99 * (times.Length - 1))]:0.00} ms, {failed} failed of {times.Length + failed}."));
    }

    private static async Task<(double[] Sorted, int Failed, double Seconds)> LoadAsync(Uri address, int clients, TimeSpan span, ConcurrentDictionary<string, int>? versions = null)
    {
        using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = clients }) { BaseAddress = address };
        byte[] body = Encoding.UTF8.GetBytes("""{"latents":[[0.25,-1.25]]}""");
        var all = new List<double>[clients];
        int failed = 0;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(i => Task.Run(async () =>
        {
            var times = all[i] = [];
            while (Stopwatch.GetElapsedTime(start) < span)
            {
                long sent = Stopwatch.GetTimestamp();
                using var content = new ByteArrayContent(body);
                content.Headers.ContentType = new("application/json");
                try
                {
                    using var answer = await client.PostAsync("/decode", content);
                    byte[] text = await answer.Content.ReadAsByteArrayAsync();
                    if (!answer.IsSuccessStatusCode)
                    {
                        Interlocked.Increment(ref failed);
                        continue;
                    }
                    times.Add(Stopwatch.GetElapsedTime(sent).TotalSeconds);
                    // {"model":"…32 digits…"
                    versions?.TryAdd(Encoding.ASCII.GetString(text, 10, 32), 0);
                }
                catch (HttpRequestException)
                {
                    Interlocked.Increment(ref failed);
                }
            }
        })));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return ([.. all.SelectMany(times => times).Order()], failed, seconds);
    }

    private static WebApplication Bare(InferenceSession session)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapPost("/decode", (DecodeBody body) =>
        {
            var outputs = new float[body.Latents.Length][];
            using var options = new RunOptions();
            for (int i = 0; i < outputs.Length; i++)
            {
                using var latent = OrtValue.CreateTensorValueFromMemory(body.Latents[i], [1, body.Latents[i].Length]);
                using var results = session.Run(options, ["Latent"], [latent], ["Reconstruction"]);
                outputs[i] = results[0].GetTensorDataAsSpan<float>().ToArray();
            }
            return TypedResults.Ok(new { outputs });
        });
        return app;
    }

    /// <summary>The flagship's decoder, 2 → 256 → 256 → 256 → 24, with random weights.</summary>
    private static byte[] Decoder(int seed)
    {
        var architecture = new VaeArchitecture(24, new VaeTrainer.Options { LatentDimension = 2, HiddenLayers = [256, 256, 256], Scaling = InputScaling.None });
        var random = new SeededRandom(seed);
        var parameters = new float[architecture.ParameterCount];
        foreach (var slot in architecture.Slots)
        {
            for (int i = 0; i < slot.Length; i++)
                parameters[slot.Offset + i] = (float)(random.NextNormal() / Math.Sqrt(Math.Max(1, slot.FanIn)));
        }
        var model = new VaeModel(architecture, parameters, InputScale.None, [.. Enumerable.Repeat(0.1f, 24)], "{}");
        return VaeGraphs.DecoderFile(model, true);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
