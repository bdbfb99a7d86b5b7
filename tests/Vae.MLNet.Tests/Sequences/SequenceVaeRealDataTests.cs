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
        using var fitted = vae.SequenceAutoencoder(options: Options()).Fit(alignment);
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
        Assert.IsGreaterThan(0.95, model);
    }

    private static SequenceVaeTrainer.Options Options() => new() { Seed = 1 };

    private static string VariantName(string[] row) => row.First(cell => Variant.TryParse(cell, out _, out _));

    private static bool IsPathogenic(string[] row) => row[^1].StartsWith('1');
}
