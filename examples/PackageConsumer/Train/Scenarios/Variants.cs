using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>Variants of a protein, read and checked against the reference, scored by the baseline of columns on their own.</summary>
internal static class Variants
{
    public static void Run(MLContext ml)
    {
        var alignment = Family.Alignment(300, seed: 1);

        // What is written as A1W, in objects.
        var variant = Variant.Parse("a1w:I3V");
        Expect.That(variant.Equals(new Variant([new Substitution('A', 1, 'W'), new Substitution('I', 3, 'V')])),
            "a variant is its substitutions");
        Expect.That(!Variant.TryParse("A1", out _, out string? problem) && problem.Contains("A1", StringComparison.Ordinal),
            "what is no variant is said");

        var resolver = new VariantResolver(alignment.Layout);
        Expect.That(resolver.Reference.SequenceEqual(alignment.Row(0)), "the reference is the layout's");
        Expect.That(resolver.Resolve("C1W").Status == VariantStatus.ReferenceMismatch, "another letter than the reference's is found");
        var tokens = new byte[resolver.Layout.Length];
        resolver.Apply(resolver.Resolve(variant), tokens);
        Expect.That(alignment.Layout.Decode(tokens) == "WKVEKIHKILKI", "both substitutions are applied");
        Expect.That(resolver.AllSubstitutions().Count() == 12 * 19, "each position has nineteen substitutions");

        // The baseline: each column on its own.
        var model = SiteIndependentModel.Fit(alignment, new SiteIndependentOptions { Pseudocount = 1 });
        Expect.That(model.SymbolCount == 21, "twenty amino acids and the gap are symbols");
        Expect.Near(model.Frequencies(0)[0], 302.0 / 322, 1e-6,
            "the share of A in a column of 301 of them, with a pseudocount of one a symbol");
        Expect.Near(model.LogProbability(alignment.Row(0)), Enumerable.Range(0, 12).Sum(i => Math.Log(Frequency(i))), 1e-6,
            "the reference's log-probability");
        double Frequency(int column) => model.Frequencies(column)[alignment.Row(0)[column]];
        var scores = model.ScoreVariants(["I3V", "A1W", "A1"]);
        Expect.That(scores[0].Score > scores[1].Score && scores[2].Status == VariantStatus.Malformed,
            "a usual letter scores above one never seen");

        var estimator = ml.Vae.SiteIndependent("LogP");
        Expect.That(estimator.GetOutputSchema(RowShape.Of<TokenRow>(ml)).Any(column => column.Name == "LogP"),
            "the baseline promises its column");
        using var transformer = estimator.Fit(alignment);
        float[] logs = [.. transformer.Transform(alignment).GetColumn<float>("LogP")];
        Expect.Near(logs[0], transformer.Model.LogProbability(alignment.Row(0)), 1e-4, "the column's log-probability of the reference");

        // How scores are held against measurements.
        double[] predicted = [1, 2, 3, 4, 5], measured = [2, 1, 4, 8, 16];
        Expect.That(RankStatistics.Ranks(measured) is [2, 1, 3, 4, 5], "ranks count from one");
        Expect.Near(RankStatistics.Spearman(predicted, measured), 0.9, 1e-9, "the rank correlation");
        Expect.Near(RankStatistics.Pearson(predicted, predicted), 1, 1e-9, "the correlation of a series with itself");
        Expect.Near(RankStatistics.RocAuc(predicted, [false, true, false, true, true]), 5.0 / 6, 1e-9, "the area under the curve");
    }
}

internal sealed class TokenRow
{
    [VectorType(12)]
    public long[] Tokens { get; set; } = [];
}
