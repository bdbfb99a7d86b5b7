using Vae.MLNet.Model;

namespace Vae.MLNet.Tests.Model;

[TestClass]
public sealed class RowTrimmingTests
{
    private static readonly float[] Fractions = [0.05f, 0.1f, 0.15f, 0.2f, 0.25f, 0.3f, 0.35f, 0.4f, 0.45f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f, 0.99f];

    /// <summary>
    /// Weight left out of the worst rows, in double precision and another way: from the worst end, one row after another.
    /// </summary>
    public static double[] Reference(double[] losses, double[] weights, float fraction)
    {
        int rows = weights.Count(weight => weight > 0), dropped = Math.Min(rows - 1, (int)(rows * fraction));
        double drop = weights.Sum() * dropped / rows;
        double[] shares = [.. weights];
        foreach (int i in Enumerable.Range(0, losses.Length).OrderByDescending(i => losses[i]).ThenByDescending(i => i))
        {
            double gone = Math.Min(drop, shares[i]);
            (shares[i], drop) = (shares[i] - gone, drop - gone);
        }
        double sum = shares.Sum();
        return [.. shares.Select(value => value / sum)];
    }

    [TestMethod]
    public void Shares_AgreeWithDoublePrecision()
    {
        var random = new Random(1);
        for (int check = 0; check < 10_000; check++)
        {
            int rows = random.Next(1, 140);
            float fraction = Fractions[random.Next(Fractions.Length)];
            float[] losses = [.. Enumerable.Range(0, rows).Select(_ => check % 3 == 0 ? random.Next(5) : 10 * random.NextSingle())];
            float[] weights = [.. Enumerable.Range(0, rows).Select(i => (check % 4) switch
            {
                0 => 1,
                1 => i % 4 * 0.5f,
                2 => random.NextSingle(),
                _ => MathF.Exp(16 * random.NextSingle() - 8),
            })];
            weights[random.Next(rows)] = 1;
            float[] found = RowTrimming.Shares(losses, weights, fraction);
            double[] expected = Reference([.. losses.Select(value => (double)value)], [.. weights.Select(value => (double)value)], fraction);
            for (int i = 0; i < rows; i++)
                Assert.AreEqual(expected[i], found[i], 1e-6, $"check {check}, row {i} of {rows}, fraction {fraction}");
        }
    }

    /// <summary>Equal weights are no weights.</summary>
    [TestMethod]
    public void Shares_OfEqualWeights_LeaveOutWholeRows()
    {
        var random = new Random(2);
        foreach (float fraction in Fractions)
        {
            for (int rows = 1; rows < 130; rows++)
            {
                float[] losses = [.. Enumerable.Range(0, rows).Select(_ => random.NextSingle())];
                float[] shares = RowTrimming.Shares(losses, [.. Enumerable.Repeat(0.25f, rows)], fraction);
                int kept = RowTrimming.Kept(rows, fraction);
                float cut = losses.Order().ElementAt(kept - 1);
                for (int i = 0; i < rows; i++)
                    Assert.AreEqual(losses[i] <= cut ? 1.0 / kept : 0, shares[i], 1e-6);
            }
        }
    }

    /// <summary>The loss of a batch moves little where rounding exchanges two rows at the cut, however unlike their weights.</summary>
    [TestMethod]
    public void Shares_NextToATie_HardlyDiffer()
    {
        float[] losses = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], weights = [1, 1, 1, 1, 1, 1, 0.01f, 40, 0.01f, 1];
        for (int light = 0; light < losses.Length; light++)
        {
            (float[] a, float[] b) = ([.. losses], [.. losses]);
            a[light] = MathF.BitIncrement(8);
            b[light] = MathF.BitDecrement(8);
            double loss(float[] shares) => shares.Select((share, i) => (double)share * losses[i]).Sum();
            double moved = Math.Abs(loss(RowTrimming.Shares(a, weights, 0.3f)) - loss(RowTrimming.Shares(b, weights, 0.3f)));
            Assert.IsLessThan(light == 7 ? 1e-9 : 0.3, moved, $"row {light}");
        }
    }

    [TestMethod]
    public void Shares_ARowOfWeightTwo_IsTwoRows_AndOneOfZeroIsNone()
    {
        float[] losses = [3, 1, 4, 1.5f, 9, 2.6f, 5, 3.5f, 8, 9.7f];
        float[] shares = RowTrimming.Shares(losses, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 0.3f);
        // The two far-out rows weigh nothing, and so do not use up what may be trimmed.
        float[] more = RowTrimming.Shares([.. losses, 100, 200], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], 0.3f);
        Assert.AreSequenceEqual((float[])[.. shares, 0, 0], more);
        // Of nine rows, one of which weighs two, a third of the weight goes: the three worst and a third of the weight of one from the
        // fourth.
        float[] joined = RowTrimming.Shares([3, 1, 4, 1.5f, 9, 2.6f, 5, 8, 9.7f], [1, 1, 1, 1, 1, 1, 2, 1, 1], 0.34f);
        double kept = 10 - 10 / 3.0;
        Assert.AreEqual(0, joined[4] + joined[7] + joined[8]);
        Assert.AreEqual((2 - 1 / 3.0) / kept, joined[6], 1e-6);
        Assert.AreEqual(1 / kept, joined[0], 1e-6);
        Assert.AreEqual(1, joined.Sum(), 1e-6);
    }
}
