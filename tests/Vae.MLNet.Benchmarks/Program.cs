using Vae.MLNet.Benchmarks;
using Vae.MLNet.Benchmarks.Anomaly;

// Each benchmark is a ratio against a named baseline, both measured in turn in one process.
var benchmarks = new SortedDictionary<string, (string What, Action<string[]> Run)>(StringComparer.Ordinal)
{
    ["anomaly"] = ("ROC AUC on labelled tables, against RandomizedPca, PCA, isolation forest and ablations", AnomalyBenchmark.Run),
    ["inference"] = ("decoding one latent and many with Vae.MLNet.Inference, against raw OnnxRuntime", InferenceBenchmark.Run),
    ["defaults"] = ("what the defaults give on data of every kind: defaults [elbo] [NAME ...] [JSON-OPTIONS]", DefaultsBenchmark.Run),
    ["training"] = ("an epoch of the flagship network, against the plain TorchSharp loop with optim.Adam", TrainingBenchmark.Run),
    ["conformance"] = ("a file of every kind with inputs and outputs, for eng/conformance.sh to run on other runtimes: conformance FOLDER", ConformanceFiles.Run),
    ["export"] = ("size, load time and error of exported files in single and half precision", ExportBenchmark.Run),
    ["fuzz"] = ("damaged files through every reader of untrusted files: fuzz CASES [DECODER-CASES] [SEED]", FuzzBenchmark.Run),
    ["scoring"] = ("rows a second and microseconds a prediction, against ML.NET's OnnxTransformer and raw OnnxRuntime", ScoringBenchmark.Run),
    ["service"] = ("requests a second and p99 of the decoder service, against a bare OnnxRuntime endpoint; model replaced under load", ServiceBenchmark.Run),
    ["sequences"] = ("loading an alignment and sequence weights, against strings and a one-hot matrix product; sequences training: a default training on 100,000", SequenceBenchmark.Run),
    ["streaming"] = ("an epoch over 10 million rows made as they are read; 'rates' sets it against training in memory", StreamingBenchmark.Run),
    ["generation"] = ("statistics of generated serine proteases (real data), by how latents are drawn: generation [JSON-OPTIONS ...]", GenerationBenchmark.Run),
    ["variants"] = ("held-out likelihood and variant effects of sequence models, against the site-independent one: variants [FAMILY,...] [JSON-OPTIONS ...]", VariantBenchmark.Run),
};

if (args.Length == 0 || !benchmarks.TryGetValue(args[0], out var benchmark))
{
    Console.Error.WriteLine("Usage: dotnet run -c Release --project tests/Vae.MLNet.Benchmarks -- BENCHMARK");
    foreach (var (name, (what, _)) in benchmarks)
        Console.Error.WriteLine($"  {name,-12} {what}");
    return args.Length == 0 ? 0 : 2;
}
benchmark.Run(args[1..]);
return 0;
