using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class SequenceSplitTests
{
    /// <summary>Forty founders that share a quarter of their letters, each with some near copies.</summary>
    private static SequenceAlignment Clusters(int length = 60, int founders = 40, double drift = 0.05)
    {
        var random = new Random(3);
        var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, new string('A', length));
        var tokens = new List<byte>();
        for (int f = 0; f < founders; f++)
        {
            byte[] founder = [.. Enumerable.Range(0, length).Select(i => (byte)(i < length / 4 ? 3 : random.Next(20)))];
            for (int copies = 1 + random.Next(12); copies > 0; copies--)
                tokens.AddRange(founder.Select(letter => random.NextDouble() < drift ? (byte)random.Next(20) : letter));
        }
        return SequenceAlignment.FromTokens(layout, tokens.ToArray());
    }

    private static double Identity(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int same = 0;
        for (int i = 0; i < a.Length; i++)
            same += a[i] == b[i] ? 1 : 0;
        return (double)same / a.Length;
    }

    [TestMethod]
    public void Split_KeepsNeighboursTogether()
    {
        var family = Clusters().WithSequenceWeights();
        var (train, held) = family.Split(0.2, seed: 1, identity: 0.6);
        Assert.AreEqual(family.Count, train.Count + held.Count);
        for (int i = 0; i < held.Count; i++)
        {
            for (int j = 0; j < train.Count; j++)
                Assert.IsLessThan(0.6, Identity(held.Row(i), train.Row(j)), $"{held.Names[i]} and {train.Names[j]}");
        }
        double share = held.Weights.ToArray().Sum() / family.Weights.ToArray().Sum();
        Assert.IsTrue(share is >= 0.2 and <= 0.3, $"{share:P1} of the weight is held out.");
        // The same seed, the same split; rows drawn one by one do have neighbours on the other side.
        Assert.AreSequenceEqual(held.Names.ToArray(), family.Split(0.2, seed: 1, identity: 0.6).Test.Names.ToArray());
        Assert.AreNotEqual(string.Join(' ', held.Names), string.Join(' ', family.Split(0.2, seed: 2, identity: 0.6).Test.Names));
        var (others, single) = family.Split(0.2, seed: 1);
        Assert.IsTrue(Enumerable.Range(0, single.Count).Any(i => Enumerable.Range(0, others.Count).Any(j => Identity(single.Row(i), others.Row(j)) > 0.8)));
    }

    [TestMethod]
    public void Split_SplitsFamiliesThatAreAllAlike()
    {
        // No neighbourhood at 60 % is smaller than the family: the threshold rises, and where all sequences are the same they are drawn one by one.
        var alike = Clusters(founders: 1, drift: 0);
        var many = SequenceAlignment.FromTokens(alike.Layout, [.. Enumerable.Repeat(alike.Row(0).ToArray(), 50).SelectMany(row => row)]);
        var (train, held) = many.Split(0.2, seed: 1, identity: 0.6);
        Assert.AreEqual(10, held.Count);
        Assert.AreEqual(40, train.Count);
        var random = new Random(1);
        var close = SequenceAlignment.FromTokens(alike.Layout,
            [.. Enumerable.Range(0, 200).SelectMany(_ => alike.Row(0).ToArray().Select(letter => random.NextDouble() < 0.15 ? (byte)random.Next(20) : letter))]);
        (train, held) = close.Split(0.2, seed: 1, identity: 0.6);
        Assert.IsTrue(held.Count is >= 20 and <= 60, $"{held.Count} of 200 are held out.");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => close.Split(0.2, 1, identity: 0));
    }
}
