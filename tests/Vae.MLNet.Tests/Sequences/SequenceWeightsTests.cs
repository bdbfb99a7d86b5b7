using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class SequenceWeightsTests
{
    /// <summary>Families of mutated copies, with gaps and unknown letters, so that pairs fall on both sides of any threshold.</summary>
    internal static SequenceAlignment Mutants(int count, int length, int seed)
    {
        var random = new Random(seed);
        var tokens = new byte[count * length];
        for (int n = 0; n < count; n++)
        {
            var row = tokens.AsSpan(n * length, length);
            if (n % 7 == 0)
                random.NextBytes(row);
            else
                tokens.AsSpan((n - 1) * length, length).CopyTo(row);
            double rate = random.NextDouble() * 0.3;
            for (int i = 0; i < length; i++)
                row[i] = (byte)((random.NextDouble() < rate ? random.Next(256) : row[i]) % 22);
        }
        return SequenceAlignment.FromTokens(SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, new string('A', length)), tokens);
    }

    private static int[] Naive(SequenceAlignment a, double identity, IdentityMeasure measure)
    {
        var result = new int[a.Count];
        for (int n = 0; n < a.Count; n++)
        {
            int letters = a.Row(n).ToArray().Count(t => t < 20);
            for (int m = 0; m < a.Count && letters > 0; m++)
            {
                int same = 0;
                for (int i = 0; i < a.Length; i++)
                    same += a.Row(n)[i] == a.Row(m)[i] && a.Row(n)[i] < (measure == IdentityMeasure.Residues ? 20 : 21) ? 1 : 0;
                if (m == n || (double)same / (measure == IdentityMeasure.Residues ? letters : a.Length) >= identity)
                    result[n]++;
            }
        }
        return result;
    }

    [TestMethod]
    [DataRow(0.8, IdentityMeasure.Residues, 150, 70)]
    [DataRow(0.8, IdentityMeasure.Columns, 150, 70)]
    [DataRow(0.5, IdentityMeasure.Residues, 200, 5)]
    [DataRow(0.62, IdentityMeasure.Columns, 130, 128)]
    [DataRow(1.0, IdentityMeasure.Residues, 100, 3)]
    public void Neighbours_AreThoseOfTheDefinition(double identity, IdentityMeasure measure, int count, int length)
    {
        var a = Mutants(count, length, seed: length);
        var weights = new MLContext(0).Vae.SequenceWeights(a, options: new SequenceWeightOptions { Identity = identity, Measure = measure });
        int[] expected = Naive(a, identity, measure);
        CollectionAssert.AreEqual(expected, weights.Neighbours.ToArray());
        Assert.IsTrue(expected.Max() > 1, "Some sequences have neighbours.");
        Assert.AreEqual(expected.Sum(n => n == 0 ? 0 : 1.0 / n), weights.EffectiveCount, 1e-9);
    }

    [TestMethod]
    public void Identity_ThresholdItselfCounts()
    {
        // 4 of 5 is 0.8.
        var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "ACDEF");
        var a = SequenceAlignment.FromSequences(layout, ["ACDEF", "ACDEG", "ACDGG"]);
        CollectionAssert.AreEqual(new[] { 2, 3, 2 }, new MLContext(0).Vae.SequenceWeights(a).Neighbours.ToArray());
        CollectionAssert.AreEqual(new[] { 0.5f, 1 / 3f, 0.5f }, a.WithSequenceWeights().Weights.ToArray());
    }

    [TestMethod]
    public void Residues_AreCountedOnTheSequencesOwnLetters()
    {
        // The fragment's letters are all in the whole one, but not the reverse; a row without letters has the weight 0.
        var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "ACDEF");
        var weights = new MLContext(0).Vae.SequenceWeights(SequenceAlignment.FromSequences(layout, ["ACDEF", "A----", "-----"]));
        CollectionAssert.AreEqual(new[] { 1, 2, 0 }, weights.Neighbours.ToArray());
        CollectionAssert.AreEqual(new[] { 1, 0.5f, 0 }, weights.Values.ToArray());
        Assert.AreEqual(1.5, weights.EffectiveCount);
    }

    [TestMethod]
    public void Threads_DoNotChangeTheResult()
    {
        var ml = new MLContext(0);
        var a = Mutants(700, 90, 3);
        var one = ml.Vae.SequenceWeights(a, options: new SequenceWeightOptions { Threads = 1 });
        var four = ml.Vae.SequenceWeights(a, options: new SequenceWeightOptions { Threads = 4 });
        Assert.IsTrue(one.Values.Span.SequenceEqual(four.Values.Span));
    }

    [TestMethod]
    public void AddSequenceWeights_WorksOnAnyView()
    {
        var ml = new MLContext(0);
        var a = Mutants(60, 40, 1);
        var view = ml.Transforms.CopyColumns("Copy", "Tokens").Fit(a).Transform(a);
        var added = ml.Vae.AddSequenceWeights(view, "W", "Copy");
        CollectionAssert.AreEqual(a.WithSequenceWeights().Weights.ToArray(), added.GetColumn<float>("W").ToArray());
        CollectionAssert.AreEqual(a.Names.ToArray(), added.GetColumn<string>("Name").ToArray());
        Assert.IsInstanceOfType<SequenceAlignment>(ml.Vae.AddSequenceWeights(a));
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.AddSequenceWeights(view, "W", "Name"));
        Assert.Contains("'Name'", e.Message);
    }

    [TestMethod]
    public void Options_AreChecked()
    {
        var ml = new MLContext(0);
        var a = Mutants(10, 10, 1);
        foreach (var options in new SequenceWeightOptions[] { new() { Identity = 0 }, new() { Identity = 1.1 }, new() { Identity = double.NaN }, new() { Threads = -1 }, new() { Measure = (IdentityMeasure)5 } })
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.SequenceWeights(a, options: options));
    }
}
