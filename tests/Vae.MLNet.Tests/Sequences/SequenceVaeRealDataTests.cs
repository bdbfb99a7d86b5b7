using System.Diagnostics;
using Microsoft.ML;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class SequenceVaeRealDataTests
{
    public TestContext TestContext { get; set; } = null!;

    /// <summary>Clinical labels of TP53 against the score, beside the site-independent baseline (0.980 on these labels).</summary>
    [TestMethod]
    public void ScoreVariants_TellsPathogenicTp53()
    {
        string[][] labels = [.. File.ReadAllLines(RealData.Path("proteins/P53_ClinVar_labels.csv")).Skip(1).Select(line => line.Split(','))];
        var vae = new MLContext(1).Vae;
        var alignment = vae.LoadAlignment(RealData.Path("proteins/P53_HUMAN_b0.1.a2m")).WithSequenceWeights();
        var watch = Stopwatch.StartNew();
        using var fitted = vae.SequenceAutoencoder(options: Options(2)).Fit(alignment);
        double trained = watch.Elapsed.TotalSeconds;
        string[] variants = [.. labels.Select(VariantName)];
        watch.Restart();
        var scores = vae.ScoreVariants(fitted.Model, variants);
        var baseline = SiteIndependentModel.Fit(alignment).ScoreVariants(variants);
        double Auc(IReadOnlyList<VariantScore> values)
        {
            int[] usable = [.. Enumerable.Range(0, variants.Length).Where(i => values[i].Score is not null)];
            return RankStatistics.RocAuc([.. usable.Select(i => -values[i].Score!.Value)], [.. usable.Select(i => IsPathogenic(labels[i]))]);
        }
        double model = Auc(scores), site = Auc(baseline);
        TestContext.WriteLine(Check.Invariant(
            $"{scores.Count(score => score.Score is not null)} usable; AUC {model:F4}, site-independent {site:F4}; validation {fitted.Histories[0].Epochs.Min(epoch => epoch.ValidationLoss):F2} nats at epoch {fitted.Histories[0].BestEpoch} of {fitted.Histories[0].Epochs.Count}; trained in {trained:F1} s, scored in {watch.Elapsed.TotalSeconds:F1} s"));
        // On these labels conservation alone says nearly all there is to say; the model has to come near it.
        Assert.IsGreaterThan(0.9, model);
    }

    /// <summary>Samples keep pair correlations and the catalytic triad of serine proteases, which a site-independent model cannot.</summary>
    [TestMethod]
    public void SampleSequences_KeepsS1AStatistics()
    {
        var vae = new MLContext(1).Vae;
        var all = vae.LoadAlignment(RealData.Path("proteins/S1A_serine_proteases.an"), new() { ReferenceName = "gi|62738027|pdb|1T8O|A", AnnotationStart = "__", AnnotationSeparator = "|" });
        var natural = all.WithSequenceWeights();
        using var fitted = vae.SequenceAutoencoder(options: Options(1)).Fit(natural);
        var statistics = new SequenceStatisticsOptions { UseWeights = false };
        double Measure(string name, SequenceAlignment sampled)
        {
            double pairs = SequenceStatistics.ComparePairs(all, sampled, statistics).Pearson, weighted = SequenceStatistics.ComparePairs(natural, sampled).Pearson;
            var triad = SequenceStatistics.Conservation(sampled, (57, 'H'), (102, 'D'), (195, 'S'));
            TestContext.WriteLine(Check.Invariant(
                $"{name}: pair r {pairs:F3} unweighted, {weighted:F3} weighted; triad {string.Join(", ", triad.Sites.Select(site => Check.Invariant($"{site.Share:P1}")))}, all {triad.All:P1}"));
            return pairs;
        }
        Measure("natural", all);
        double site = Measure("site-independent", SiteIndependentModel.Fit(natural).Sample(3000, 1));
        Measure("prior", vae.SampleSequences(fitted.Model, 3000));
        double aggregate = Measure("aggregate posterior", vae.SampleSequences(fitted.Model, 3000, new() { AggregatePosterior = all }));
        Measure("aggregate posterior, temperature 0.5", vae.SampleSequences(fitted.Model, 3000, new() { AggregatePosterior = all, Temperature = 0.5f }));
        Measure("aggregate posterior, most probable", vae.SampleSequences(fitted.Model, 3000, new() { AggregatePosterior = all, Selection = Inference.SymbolSelection.MostProbable }));
        TestContext.WriteLine(Check.Invariant($"best validation {fitted.Histories[0].Epochs.Min(epoch => epoch.ValidationLoss):F1} at {fitted.Histories[0].BestEpoch} of {fitted.Histories[0].Epochs.Count}, {fitted.Histories[0].ActiveUnits} active"));
        Assert.IsLessThan(0.2, site);
        Assert.IsGreaterThan(0.7, aggregate);
    }

    /// <summary>Fewer members than by default, for time's sake.</summary>
    private static SequenceVaeTrainer.Options Options(int members) => new() { Seed = 1, EnsembleMembers = members };

    private static string VariantName(string[] row) => row.First(cell => Variant.TryParse(cell, out _, out _));

    private static bool IsPathogenic(string[] row) => row[^1].StartsWith('1');
}
