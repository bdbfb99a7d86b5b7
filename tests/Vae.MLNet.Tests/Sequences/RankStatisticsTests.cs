namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class RankStatisticsTests
{
    [TestMethod]
    public void Ranks_AverageTies() =>
        CollectionAssert.AreEqual(new[] { 3.5, 1, 3.5, 2, 5 }, RankStatistics.Ranks([7, -1, 7, 0, double.PositiveInfinity]));

    [TestMethod]
    public void Spearman_KnownValues()
    {
        Assert.AreEqual(1, RankStatistics.Spearman([1, 2, 3], [1, 10, 100]), 1e-15);
        Assert.AreEqual(-1, RankStatistics.Spearman([1, 2, 3], [5, 4, -100]), 1e-15);
        // A textbook example (IQ and hours of television): -29 / 165.
        Assert.AreEqual(-29 / 165.0, RankStatistics.Spearman([106, 86, 100, 101, 99, 103, 97, 113, 112, 110], [7, 0, 27, 50, 28, 29, 20, 12, 6, 17]), 1e-12);
        Assert.AreEqual(double.NaN, RankStatistics.Spearman([1, 1, 1], [1, 2, 3]));
        // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: sqrt(0.9).
        Assert.AreEqual(Math.Sqrt(0.9), RankStatistics.Spearman([1, 2, 2, 3], [1, 2, 3, 4]), 1e-12);
    }

    [TestMethod]
    public void RocAuc_CountsPairsAndHalvesTies()
    {
        double[] scores = [0.1, 0.4, 0.4, 0.8, 0.8, 0.9];
        bool[] labels = [false, false, true, true, false, true];
        double pairs = 0;
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 6; j++)
                pairs += labels[i] && !labels[j] ? scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0 : 0;
        }
        Assert.AreEqual(pairs / 9, RankStatistics.RocAuc(scores, labels), 1e-15);
    }

    [TestMethod]
    public void Input_IsChecked()
    {
        Assert.ThrowsExactly<ArgumentException>(() => RankStatistics.Spearman([1, 2], [1]));
        Assert.ThrowsExactly<ArgumentException>(() => RankStatistics.Spearman([1, double.NaN], [1, 2]));
        Assert.ThrowsExactly<ArgumentException>(() => RankStatistics.RocAuc([1, 2], [true, true]));
    }
}
