namespace Vae.MLNet.Inference.Tests.Sequences;

[TestClass]
public sealed class SequenceLayoutTests
{
    [TestMethod]
    public void Json_ReadsBack()
    {
        var alphabet = SequenceAlphabet.Create("own", "HP\"", GapTreatment.Masked, "?", new Dictionary<char, char> { ['Q'] = 'P' });
        var layout = new SequenceLayout(alphabet, "näme \"x\"", "HPH\"", [5, 0, 9, 10], [2, 3, 7], [0, -1, 2]);
        var back = SequenceLayout.FromJson(layout.ToJson());
        Assert.AreEqual(alphabet, back.Alphabet);
        Assert.AreEqual(layout.ToJson(), back.ToJson());
        CollectionAssert.AreEqual(layout.Columns.ToArray(), back.Columns.ToArray());
        CollectionAssert.AreEqual(new[] { "H5", "-4", "H9" }, back.ColumnNames());
        Assert.AreEqual((5, 10), back.ReferenceRange);
        Assert.IsFalse(back.TryGetColumn(10, out _));
        CollectionAssert.AreEqual(new byte[] { 0, 3, 0 }, back.ReferenceTokens.ToArray());
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("{}")]
    [DataRow("[1]")]
    [DataRow("{\"version\":99}")]
    [DataRow("{\"version\":1,\"alphabet\":{\"name\":\"x\",\"letters\":\"AB\",\"gaps\":\"Symbol\",\"ambiguous\":\"\",\"synonyms\":{}},\"reference\":{\"name\":\"r\",\"sequence\":\"A\",\"numbers\":[1]},\"columns\":{\"source\":[0],\"residue\":[5]}}")]
    public void FromJson_RefusesOtherText(string json) => Assert.ThrowsExactly<InvalidDataException>(() => SequenceLayout.FromJson(json));

    [TestMethod]
    public void Encode_AndDecodeItsLength()
    {
        var layout = SequenceLayout.FromReference(SequenceAlphabet.Dna, "AC-G");
        Assert.AreEqual("AC-G", layout.Decode(layout.Encode("ac.g")));
        CollectionAssert.AreEqual(new int?[] { 1, 2, null, 3 }, layout.Columns.Select(c => c.ReferencePosition).ToArray());
        Assert.ThrowsExactly<ArgumentException>(() => layout.Encode("ACG"));
        Assert.ThrowsExactly<ArgumentException>(() => layout.Decode([0, 1]));
    }
}
