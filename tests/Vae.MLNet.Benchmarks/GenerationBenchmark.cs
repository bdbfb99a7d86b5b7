using System.Diagnostics;
using System.Text.Json;
using Microsoft.ML;

namespace Vae.MLNet.Benchmarks;

/// <summary>
/// Pair correlations, the catalytic triad and distances from the training set of generated S1A serine proteases: latents from the prior against the aggregate posterior,
/// against a site-independent generator and against natural sequences themselves.
/// </summary>
internal static class GenerationBenchmark
{
    private const int Samples = 3000;

    public static void Run(string[] args)
    {
        var vae = new MLContext(1).Vae;
        var all = vae.LoadAlignment(VariantBenchmark.RealData("S1A_serine_proteases.an"),
            new() { ReferenceName = "gi|62738027|pdb|1T8O|A", AnnotationStart = "__", AnnotationSeparator = "|" });
        // A fifth at random: what pair correlations are compared with has to be drawn as what was trained on.
        var (train, held) = all.Split(0.2, seed: 1);
        var weighted = train.WithSequenceWeights();
        var statistics = new SequenceStatisticsOptions { UseWeights = false };
        Console.WriteLine($"{all.Count} x {all.Length}, {train.Count} trained on, {Samples} samples; pair correlations r with those trained on and those held out, slope, triad, nearest");
        void Row(string name, SequenceAlignment set)
        {
            var known = SequenceStatistics.ComparePairs(train, set, statistics);
            double unknown = SequenceStatistics.ComparePairs(held, set, statistics).Pearson, triad = SequenceStatistics.Conservation(set, (57, 'H'), (102, 'D'), (195, 'S')).All;
            double nearest = set == train ? 1 : SequenceStatistics.NearestIdentities(set, train).Average(value => value.Identity);
            Console.WriteLine(Check.Invariant($"  {name,-45} {known.Pearson:F3}  {unknown:F3}  {known.Slope:F2}  {triad:P1}  {nearest:P1}"));
        }
        Row("natural, trained on", train);
        Row("site-independent", SiteIndependentModel.Fit(weighted).Sample(Samples, 1));
        foreach (string configuration in args.DefaultIfEmpty("{}"))
        {
            var watch = Stopwatch.StartNew();
            using var fitted = vae.SequenceAutoencoder(options: JsonSerializer.Deserialize<SequenceVaeTrainer.Options>(configuration, VariantBenchmark.Json)! with { Seed = 1 }).Fit(weighted);
            Console.WriteLine(Check.Invariant($" {configuration} ({watch.Elapsed.TotalSeconds:F0} s)"));
            void Sample(string name, SequenceGenerationOptions options) => Row(name, vae.SampleSequences(fitted.Model, Samples, options));
            Sample("prior", new());
            Sample("prior, most probable symbols", new() { Selection = Inference.SymbolSelection.MostProbable });
            Sample("aggregate posterior", new() { AggregatePosterior = train });
            Sample("aggregate posterior, temperature 0.5", new() { AggregatePosterior = train, Temperature = 0.5f });
            Sample("aggregate posterior, most probable symbols", new() { AggregatePosterior = train, Selection = Inference.SymbolSelection.MostProbable });
        }
    }
}
