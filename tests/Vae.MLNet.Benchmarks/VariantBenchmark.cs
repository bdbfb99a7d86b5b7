using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML;
using SerineProteases.Simulation;

namespace Vae.MLNet.Benchmarks;

/// <summary>
/// What options of a sequence autoencoder are worth: the evidence lower bound of held-out sequences (neighbours held out together), by which defaults are chosen, and
/// beside it what it is meant to stand for: rank correlation with the true effects of all substitutions of a simulated family's reference, or ROC AUC on clinical labels.
/// </summary>
internal static class VariantBenchmark
{
    private sealed record Family(string Name, SequenceAlignment Alignment, Func<Func<IEnumerable<string>, IReadOnlyList<VariantScore>>, double>? Judge);

    internal static readonly JsonSerializerOptions Json = new() { PropertyNameCaseInsensitive = true, Converters = { new JsonStringEnumConverter() } };

    public static void Run(string[] args)
    {
        string[] wanted = args.Length > 0 && !args[0].StartsWith('{') ? args[0].Split(',') : ["sim100", "sim60", "sim150", "tp53", "s1a"];
        string[] configurations = [.. args.SkipWhile(text => !text.StartsWith('{')).DefaultIfEmpty("{}")];
        var vae = new MLContext(1).Vae;
        foreach (var family in wanted.Select(name => Load(vae, name)))
        {
            var natural = family.Alignment.WithSequenceWeights();
            var (train, held) = natural.Split(0.15, seed: 7, identity: 0.6);
            var site = SiteIndependentModel.Fit(train);
            double Mean(Func<int, double> score)
            {
                double sum = 0, total = 0;
                for (int row = 0; row < held.Count; row++)
                {
                    sum += held.Weights.Span[row] * score(row);
                    total += held.Weights.Span[row];
                }
                return sum / total / natural.Length;
            }
            string Judged(Func<IEnumerable<string>, IReadOnlyList<VariantScore>> score) => family.Judge is { } judge ? judge(score).ToString("F4", CultureInfo.InvariantCulture) : "-";
            double effective = 0;
            foreach (float weight in natural.Weights.Span)
                effective += weight;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{family.Name}: {natural.Count} x {natural.Length}, effective {effective:F0}; {held.Count} held out; site-independent: {Mean(row => site.LogProbability(held.Row(row))):F4} nats a position, judged {Judged(text => site.ScoreVariants(text))}"));
            foreach (string configuration in configurations)
            {
                var options = JsonSerializer.Deserialize<SequenceVaeTrainer.Options>(configuration, Json)!;
                var watch = Stopwatch.StartNew();
                using var fitted = vae.SequenceAutoencoder(options: options with { Seed = 1 }).Fit(train);
                double seconds = watch.Elapsed.TotalSeconds;
                var bounds = vae.ScoreSequences(fitted.Model, held, new() { SampleDropout = false });
                var first = new SequenceVaeModel(fitted.Model.Layout, [fitted.Model.Members[0]]);
                watch.Restart();
                string judged = Judged(text => vae.ScoreVariants(fitted.Model, text));
                double scoring = watch.Elapsed.TotalSeconds;
                string whole = Judged(text => vae.ScoreVariants(fitted.Model, text, new() { SampleDropout = false })), alone = Judged(text => vae.ScoreVariants(first, text));
                Console.WriteLine(Check.Invariant($"  {Mean(row => bounds[row]):F4} nats a position; judged {judged}, without dropout masks {whole}, first member alone {alone}; trained in {seconds:F0} s, scored in {scoring:F0} s  {configuration}"));
                foreach (var history in fitted.Histories)
                {
                    var best = history.Epochs[history.BestEpoch - 1];
                    Console.WriteLine(Check.Invariant(
                        $"    epoch {history.BestEpoch} of {history.Epochs.Count}: validation {best.ValidationLoss / natural.Length:F4} nats a position, KL {best.ValidationKl:F1} nats, {history.ActiveUnits} active"));
                }
            }
        }
    }

    private static Family Load(VaeCatalog vae, string name)
    {
        switch (name)
        {
            case "tp53":
                string[][] labels = [.. File.ReadAllLines(RealData("P53_ClinVar_labels.csv")).Skip(1).Select(line => line.Split(','))];
                string[] variants = [.. labels.Select(row => row.First(cell => Variant.TryParse(cell, out _, out _)))];
                return new(name, vae.LoadAlignment(RealData("P53_HUMAN_b0.1.a2m")), score =>
                {
                    var scores = score(variants);
                    int[] usable = [.. Enumerable.Range(0, variants.Length).Where(i => scores[i].Score is not null)];
                    return RankStatistics.RocAuc([.. usable.Select(i => -scores[i].Score!.Value)], [.. usable.Select(i => labels[i][^1].StartsWith('1'))]);
                });
            case "s1a":
                return new(name, vae.LoadAlignment(RealData("S1A_serine_proteases.an"),
                    new() { ReferenceName = "gi|62738027|pdb|1T8O|A", AnnotationStart = "__", AnnotationSeparator = "|" }), null);
            default:
                return Simulated(vae, name);
        }
    }

    private static Family Simulated(VaeCatalog vae, string name)
    {
        var family = FamilySimulator.Simulate(name switch
        {
            "sim100" => new() { Seed = 1 },
            "sim60" => new() { Seed = 2, Length = 60, Sequences = 4000, ContactsPerSite = 4, CouplingStrength = 0.8, BranchLength = 1.5, Subfamilies = 6 },
            "sim150" => new() { Seed = 3, Length = 150, Sequences = 2500, ContactsPerSite = 3, CouplingStrength = 1, Subfamilies = 6, SpecificityPositions = 12 },
            _ => throw new ArgumentException($"There is no family '{name}'; there are sim100, sim60, sim150, tp53, s1a."),
        });
        string path = Path.Combine(Path.GetTempPath(), $"vae-mlnet-benchmark-{Environment.ProcessId}-{name}.fasta");
        family.Save(path);
        try
        {
            var alignment = vae.LoadAlignment(path, new SequenceAlignmentOptions { AnnotationStart = "|", AnnotationSeparator = "|", AnnotationNames = SimulatedFamily.AnnotationNames });
            return new(name, alignment, score =>
            {
                var effects = family.SubstitutionEffects().ToArray();
                var scored = score(effects.Select(effect => effect.Variant)).Zip(effects, (found, effect) => (found.Score, effect.Fitness)).Where(pair => pair.Score is not null).ToArray();
                return RankStatistics.Spearman([.. scored.Select(pair => pair.Score!.Value)], [.. scored.Select(pair => pair.Fitness)]);
            });
        }
        finally
        {
            File.Delete(path);
        }
    }

    internal static string RealData(string file) => Path.Combine(
        Environment.GetEnvironmentVariable("VAE_MLNET_DATA") ?? throw new InvalidOperationException("Set VAE_MLNET_DATA to the folder of real data for this family."), "proteins", file);
}
