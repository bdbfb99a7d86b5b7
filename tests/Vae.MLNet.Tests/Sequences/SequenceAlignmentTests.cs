using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class SequenceAlignmentTests
{
    private static readonly SequenceLayout Layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "ACDEF", "ref", 10);

    private static SequenceAlignment Small() => SequenceAlignment.FromSequences(Layout, ["ACDEF", "ACD-F", "GGGGG", "XCDEF"], ["ref", "b", "c", "d"]);

    [TestMethod]
    public void View_HasTheColumnsAndTheLayout()
    {
        var a = Small().WithWeights([1, 0.5f, 0.25f, 0]);
        CollectionAssert.AreEqual(new[] { "Name", "Header", "Sequence", "Tokens", "Weight" }, a.Schema.Select(c => c.Name).ToArray());
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Int64, 5), a.Schema["Tokens"].Type);
        Assert.IsTrue(SequenceAlignment.TryGetLayout(a.Schema, "Tokens", out var layout));
        Assert.AreEqual(Layout.ToJson(), layout.ToJson());
        Assert.IsFalse(SequenceAlignment.TryGetLayout(a.Schema, "Sequence", out _));
        Assert.IsFalse(SequenceAlignment.TryGetLayout(a.Schema, "none", out _));
        VBuffer<ReadOnlyMemory<char>> slots = default;
        a.Schema["Tokens"].GetSlotNames(ref slots);
        Assert.AreEqual("A10", slots.GetItemOrDefault(0).ToString());

        CollectionAssert.AreEqual(new[] { "ref", "b", "c", "d" }, a.GetColumn<string>("Name").ToArray());
        CollectionAssert.AreEqual(new[] { "ACDEF", "ACD-F", "GGGGG", "XCDEF" }, a.GetColumn<string>("Sequence").ToArray());
        CollectionAssert.AreEqual(new[] { 1, 0.5f, 0.25f, 0 }, a.GetColumn<float>("Weight").ToArray());
        CollectionAssert.AreEqual(new long[] { 0, 1, 2, 20, 4 }, a.GetColumn<long[]>("Tokens").ElementAt(1));
        CollectionAssert.AreEqual(new long[] { 21, 1, 2, 3, 4 }, a.GetColumn<long[]>("Tokens").ElementAt(3));
    }

    [TestMethod]
    public void View_WorksWithMlNetsOwnOperations()
    {
        var ml = new MLContext(1);
        var a = Small();
        Assert.AreEqual(2, ml.Data.TakeRows(a, 2).GetColumn<string>("Name").Count());
        CollectionAssert.AreEquivalent(a.Names.ToArray(), ml.Data.ShuffleRows(a, 3).GetColumn<string>("Name").ToArray());
        var split = ml.Data.TrainTestSplit(a, 0.5, seed: 1);
        Assert.AreEqual(4, split.TrainSet.GetColumn<string>("Name").Concat(split.TestSet.GetColumn<string>("Name")).Distinct().Count());
        Assert.IsTrue(SequenceAlignment.TryGetLayout(split.TrainSet.Schema, "Tokens", out _), "The layout goes through ML.NET's views.");
        Assert.IsTrue(SequenceAlignment.TryGetLayout(ml.Data.Cache(a).Schema, "Tokens", out _));
        var copied = ml.Transforms.CopyColumns("Copy", "Tokens").Fit(a).Transform(a);
        Assert.IsTrue(SequenceAlignment.TryGetLayout(copied.Schema, "Copy", out _), "A copied column keeps the layout.");
    }

    [TestMethod]
    public void Cursor_RefusesWrongUse()
    {
        var a = Small();
        using var cursor = a.GetRowCursor([a.Schema["Name"]]);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cursor.GetGetter<VBuffer<long>>(a.Schema["Tokens"]));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(a.Schema["Name"]));
        var getter = cursor.GetGetter<ReadOnlyMemory<char>>(a.Schema["Name"]);
        ReadOnlyMemory<char> value = default;
        Assert.ThrowsExactly<InvalidOperationException>(() => getter(ref value));
        while (cursor.MoveNext())
            getter(ref value);
        Assert.IsFalse(cursor.MoveNext());
        Assert.ThrowsExactly<InvalidOperationException>(() => getter(ref value));
    }

    [TestMethod]
    public void Split_IsSeededAndCoversAll()
    {
        var a = SequenceAlignment.FromSequences(Layout, Enumerable.Repeat("ACDEF", 50));
        var (train, test) = a.Split(0.2, 3);
        Assert.AreEqual(10, test.Count);
        Assert.AreEqual(50, train.Names.Concat(test.Names).Distinct().Count());
        CollectionAssert.AreEqual(test.Names.ToArray(), a.Split(0.2, 3).Test.Names.ToArray());
        CollectionAssert.AreNotEqual(test.Names.ToArray(), a.Split(0.2, 4).Test.Names.ToArray());
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => a.Split(0, 1));
    }

    [TestMethod]
    public void Select_KeepsWeightsAndReference()
    {
        var a = Small().WithWeights([1, 2, 3, 4]).Select([2, 0]);
        CollectionAssert.AreEqual(new[] { "c", "ref" }, a.Names.ToArray());
        CollectionAssert.AreEqual(new[] { 3f, 1f }, a.Weights.ToArray());
        Assert.AreEqual(1, a.ReferenceRow);
        Assert.AreEqual("GGGGG", a.Sequence(0));
        Assert.ThrowsExactly<ArgumentException>(() => a.Select([0, 0]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => a.Select([2]));
    }

    [TestMethod]
    public void Construction_IsChecked()
    {
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlignment.FromTokens(Layout, new byte[4]));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlignment.FromTokens(Layout, new byte[] { 0, 1, 2, 22, 0 }));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlignment.FromSequences(Layout, ["ACD"]));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlignment.FromSequences(Layout, ["ACDEF", "ACDEF"], ["a", "a"]));
        Assert.ThrowsExactly<ArgumentException>(() => Small().WithWeights([1, 1, 1]));
        Assert.ThrowsExactly<ArgumentException>(() => Small().WithWeights([1, 1, 1, float.NaN]));
        Assert.ThrowsExactly<ArgumentException>(() => Small().WithWeights([0, 0, 0, 0]));
    }

    [TestMethod]
    [DataRow("out.fasta", 3)]
    [DataRow("out.fasta.gz", 0)]
    public void SaveFasta_ReadsBack(string name, int width)
    {
        using var files = new TemporaryFolder();
        var a = Small();
        a.SaveFasta(files[name], width);
        var back = new MLContext(0).Vae.LoadAlignment(files[name], new SequenceAlignmentOptions { MaxColumnGapShare = 1, MaxSequenceGapShare = 1, FirstReferencePosition = 10 });
        CollectionAssert.AreEqual(a.Names.ToArray(), back.Names.ToArray());
        Assert.IsTrue(a.Tokens.Span.SequenceEqual(back.Tokens.Span));
    }

    [TestMethod]
    public void FastaFile_FailedWriteLeavesTheOldFile()
    {
        using var files = new TemporaryFolder();
        string path = files.Write("a.fasta", "old");
        Assert.ThrowsExactly<ArgumentException>(() => FastaFile.Write(path, [("good", "AC"), ("bad\nheader", "AC")]));
        Assert.ThrowsExactly<ArgumentException>(() => FastaFile.Write(path, [("a", "A>C")]));
        Assert.AreEqual("old", File.ReadAllText(path));
        Assert.HasCount(1, Directory.GetFiles(files.Folder));
        FastaFile.Write(path, [("a b", "ACDEF")], 2);
        Assert.AreEqual(">a b\nAC\nDE\nF\n", File.ReadAllText(path));
    }

    [TestMethod]
    public void SaveFasta_WritesAnyView()
    {
        using var files = new TemporaryFolder();
        var ml = new MLContext(0);
        ml.Vae.SaveFasta(ml.Data.TakeRows(Small(), 2), files["a.fasta"]);
        Assert.AreEqual(">ref\nACDEF\n>b\nACD-F\n", File.ReadAllText(files["a.fasta"]));
        Assert.Contains("'Tokens'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.SaveFasta(Small(), files["b.fasta"], "Tokens")).Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.SaveFasta(Small(), files["b.fasta"], "none"));
        Assert.IsFalse(File.Exists(files["b.fasta"]));
    }
}
