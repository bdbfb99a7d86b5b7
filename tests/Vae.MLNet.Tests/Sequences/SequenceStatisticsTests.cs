using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class SequenceStatisticsTests
{
    private static (SequenceAlignment Natural, SequenceAlignment Generated) Sets() =>
        (SequenceWeightsTests.Mutants(120, 9, 1).WithSequenceWeights(), SequenceWeightsTests.Mutants(90, 9, 2));

    private static double F(SequenceAlignment a, int symbols, int[] columns, int[] letters, int[]? among = null)
    {
        // Share of the weight with these letters, among rows that have symbols in all of the columns concerned.
        double sum = 0, hit = 0;
        for (int n = 0; n < a.Count; n++)
        {
            var row = a.Row(n).ToArray();
            if ((among ?? columns).Any(c => row[c] >= symbols))
                continue;
            double weight = a.HasWeights ? a.Weights.Span[n] : 1;
            sum += weight;
            if (columns.Zip(letters).All(pair => row[pair.First] == pair.Second))
                hit += weight;
        }
        return hit / sum;
    }

    private static double C2(SequenceAlignment a, int q, int i, int j, int x, int y) =>
        F(a, q, [i, j], [x, y]) - F(a, q, [i], [x], [i, j]) * F(a, q, [j], [y], [i, j]);

    [TestMethod]
    [DataRow(true, 21)]
    [DataRow(false, 20)]
    public void PairCorrelations_AreThoseOfTheDefinition(bool gaps, int symbols)
    {
        var a = Sets().Natural;
        double[,] c = SequenceStatistics.PairCorrelations(a, 2, 5, new SequenceStatisticsOptions { IncludeGaps = gaps });
        Assert.AreEqual(symbols, c.GetLength(0));
        for (int x = 0; x < symbols; x++)
        {
            for (int y = 0; y < symbols; y++)
                Assert.AreEqual(C2(a, symbols, 2, 5, x, y), c[x, y], 1e-12);
        }
    }

    [TestMethod]
    public void ComparePairs_IsPearsonOverAllEntries()
    {
        var (natural, generated) = Sets();
        var x = new List<double>();
        var y = new List<double>();
        for (int i = 0; i < 9; i++)
        {
            for (int j = i + 1; j < 9; j++)
            {
                double[,] cx = SequenceStatistics.PairCorrelations(natural, i, j), cy = SequenceStatistics.PairCorrelations(generated, i, j);
                x.AddRange(cx.Cast<double>());
                y.AddRange(cy.Cast<double>());
            }
        }
        var result = SequenceStatistics.ComparePairs(natural, generated);
        Assert.AreEqual(36 * 441, result.Count);
        Assert.AreEqual(RankStatistics.Pearson([.. x], [.. y]), result.Pearson, 1e-9);
        Assert.IsEmpty(result.Points);

        var one = SequenceStatistics.ComparePairs(natural, generated, new SequenceStatisticsOptions { Threads = 1, MaxPoints = 500 });
        var two = SequenceStatistics.ComparePairs(natural, generated, new SequenceStatisticsOptions { Threads = 2, MaxPoints = 500 });
        Assert.AreEqual(one.Pearson, two.Pearson);
        CollectionAssert.AreEqual(one.Points.ToArray(), two.Points.ToArray());
        Assert.IsTrue(one.Points.Count is > 400 and < 600, $"{one.Points.Count} points");
        Assert.HasCount(36 * 441, SequenceStatistics.ComparePairs(natural, generated, new SequenceStatisticsOptions { MaxPoints = int.MaxValue }).Points);
    }

    [TestMethod]
    public void Compare_WithItselfIsPerfect()
    {
        var natural = Sets().Natural;
        foreach (var agreement in new[] { SequenceStatistics.CompareSingleSites(natural, natural), SequenceStatistics.ComparePairs(natural, natural), SequenceStatistics.CompareTriples(natural, natural) })
        {
            Assert.AreEqual(1, agreement.Pearson, 1e-9);
            Assert.AreEqual(1, agreement.Slope, 1e-9);
        }
    }

    [TestMethod]
    public void CompareTriples_IsPearsonOverTheDefinition()
    {
        // DNA, so that all entries of all triples can be computed by the definition.
        var random = new Random(3);
        var layout = SequenceLayout.FromReference(SequenceAlphabet.Dna, "AAAA");
        SequenceAlignment Draw(int count)
        {
            var tokens = new byte[count * 4];
            for (int n = 0; n < count; n++)
            {
                int parity = random.Next(2);
                for (int i = 0; i < 4; i++)
                    tokens[n * 4 + i] = (byte)(random.NextDouble() < 0.2 ? random.Next(6) : (parity + i * random.Next(2)) % 4);
            }
            return SequenceAlignment.FromTokens(layout, tokens);
        }
        var natural = Draw(80);
        var generated = Draw(60);
        var x = new List<double>();
        var y = new List<double>();
        foreach (var (i, j, k) in new[] { (0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3) })
        {
            for (int entry = 0; entry < 125; entry++)
            {
                x.Add(C3(natural, i, j, k, entry / 25, entry / 5 % 5, entry % 5));
                y.Add(C3(generated, i, j, k, entry / 25, entry / 5 % 5, entry % 5));
            }
        }
        var result = SequenceStatistics.CompareTriples(natural, generated);
        Assert.AreEqual(500, result.Count);
        Assert.AreEqual(RankStatistics.Pearson([.. x], [.. y]), result.Pearson, 1e-9);

        static double C3(SequenceAlignment s, int i, int j, int k, int a, int b, int c)
        {
            int[] all = [i, j, k];
            double fi = F(s, 5, [i], [a], all), fj = F(s, 5, [j], [b], all), fk = F(s, 5, [k], [c], all);
            return F(s, 5, all, [a, b, c]) - F(s, 5, [i, j], [a, b], all) * fk - F(s, 5, [i, k], [a, c], all) * fj - F(s, 5, [j, k], [b, c], all) * fi + 2 * fi * fj * fk;
        }
    }

    [TestMethod]
    [DataRow(TripleSelection.Random)]
    [DataRow(TripleSelection.Strongest)]
    public void CompareTriples_TakesAsManyAsAsked(TripleSelection selection)
    {
        var (natural, generated) = Sets();
        var result = SequenceStatistics.CompareTriples(natural, generated, new SequenceStatisticsOptions { Triples = 10, TripleSelection = selection });
        Assert.AreEqual(10 * 21 * 21 * 21, result.Count);
        var rare = SequenceStatistics.CompareTriples(natural, generated, new SequenceStatisticsOptions { Triples = 10, TripleSelection = selection, MinFrequency = 0.01 });
        Assert.IsTrue(rare.Count > 0 && rare.Count < result.Count);
    }

    [TestMethod]
    public void NearestIdentities_FindTheFirstOfTheNearest()
    {
        var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "ACDEF");
        var natural = SequenceAlignment.FromSequences(layout, ["GGGGG", "ACDEG", "ACDE-"]);
        var nearest = SequenceStatistics.NearestIdentities(SequenceAlignment.FromSequences(layout, ["ACDEF", "GGGGG", "ACDE-", "-----", "YYYYY"]), natural);
        CollectionAssert.AreEqual(new NearestSequence[] { new(0.8, 1), new(1, 0), new(1, 1), new(0, -1), new(0, 0) }, nearest);
        Assert.AreEqual(new NearestSequence(1, 2), SequenceStatistics.NearestIdentities(SequenceAlignment.FromSequences(layout, ["ACDE-"]), natural, IdentityMeasure.Columns)[0]);
    }

    [TestMethod]
    public void Conservation_CountsSitesAndAllTogether()
    {
        var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "HDS", firstPosition: 57);
        var a = SequenceAlignment.FromSequences(layout, ["HDS", "HDA", "HES", "HDS"]);
        var c = SequenceStatistics.Conservation(a, (57, 'H'), (58, 'D'), (59, 'S'));
        CollectionAssert.AreEqual(new[] { 1, 0.75, 0.75 }, c.Sites.Select(s => s.Share).ToArray());
        Assert.AreEqual(0.5, c.All);
        Assert.ThrowsExactly<ArgumentException>(() => SequenceStatistics.Conservation(a, (60, 'H')));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceStatistics.Conservation(a, (57, 'X')));
    }

    [TestMethod]
    public void Sets_HaveToAgree()
    {
        var (natural, _) = Sets();
        Assert.ThrowsExactly<ArgumentException>(() => SequenceStatistics.ComparePairs(natural, SequenceWeightsTests.Mutants(10, 8, 1)));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => SequenceStatistics.ComparePairs(natural, natural, new SequenceStatisticsOptions { MinFrequency = 2 }));
    }
}
