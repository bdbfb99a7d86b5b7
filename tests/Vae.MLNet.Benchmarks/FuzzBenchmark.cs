using System.Diagnostics;
using System.Globalization;
using Vae.MLNet.Tests.Onnx;

namespace Vae.MLNet.Benchmarks;

/// <summary>Damaged files by the hundred thousand; ends with an exception where a reader does anything but succeed or refuse.</summary>
internal static class FuzzBenchmark
{
    private const int Chunk = 5_000;

    public static void Run(string[] args)
    {
        int cases = Argument(0, 100_000), decoders = Argument(1, 10_000), seed = Argument(2, 100);
        var fuzz = new FuzzCases();
        Report("models and saved pipelines", cases, (from, count) => fuzz.Readers(from, count), fuzz, seed);
        Report("decoders, as far as OnnxRuntime", decoders, (from, count) => fuzz.Decoders(from, count), fuzz, seed);

        int Argument(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;
    }

    private static void Report(string what, int cases, Action<int, int> run, FuzzCases fuzz, int seed)
    {
        var (accepted, refused) = (fuzz.Accepted, fuzz.Refused);
        var watch = Stopwatch.StartNew();
        double slowest = 0;
        for (int done = 0; done < cases; done += Chunk)
        {
            long start = Stopwatch.GetTimestamp();
            run(seed++, Math.Min(Chunk, cases - done));
            slowest = Math.Max(slowest, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}: {cases} cases in {watch.Elapsed.TotalSeconds:0.0} s, {fuzz.Refused - refused} refused, {fuzz.Accepted - accepted} harmless; slowest {Chunk} {slowest:0.0} s; most memory a case allocated {fuzz.LargestAllocation / 1e6:0.0} MB"));
    }
}
