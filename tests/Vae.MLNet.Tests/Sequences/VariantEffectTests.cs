using Microsoft.ML;
using SerineProteases.Simulation;

namespace Vae.MLNet.Tests.Sequences;

/// <summary>What variant scores are for: predicting measured effects. A simulated family has a deep mutational scan that is true by construction.</summary>
[TestClass]
public sealed class VariantEffectTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void ScoreVariants_BeatsTheSiteIndependentModel()
    {
        using var files = new TemporaryFolder();
        var family = FamilySimulator.Simulate(new() { Seed = 5, Length = 40, Sequences = 600, ContactsPerSite = 3, FragmentShare = 0 });
        family.Save(files["family.fasta"]);
        var vae = new MLContext(1).Vae;
        var alignment = vae.LoadAlignment(files["family.fasta"], new() { AnnotationStart = "|", AnnotationSeparator = "|", AnnotationNames = SimulatedFamily.AnnotationNames }).WithSequenceWeights();
        using var fitted = vae.SequenceAutoencoder(options: new() { EnsembleMembers = 2, Seed = 1, Threads = 1, MaximumSteps = 800 }).Fit(alignment);

        var effects = family.SubstitutionEffects().ToArray();
        Assert.HasCount(40 * 19, effects);
        double Rank(IEnumerable<VariantScore> scores) => RankStatistics.Spearman([.. scores.Select(score => score.Score!.Value)], [.. effects.Select(effect => effect.Fitness)]);
        double site = Rank(SiteIndependentModel.Fit(alignment).ScoreVariants(effects.Select(effect => effect.Variant)));
        double model = Rank(vae.ScoreVariants(fitted.Model, effects.Select(effect => effect.Variant), new() { Samples = 50 }));
        TestContext.WriteLine(Check.Invariant($"Rank correlation {model:F4}, site-independent {site:F4}; best epochs {string.Join(", ", fitted.Histories.Select(h => Check.Invariant($"{h.BestEpoch} of {h.Epochs.Count}")))}"));
        Assert.IsGreaterThan(site + 0.03, model);
    }
}
