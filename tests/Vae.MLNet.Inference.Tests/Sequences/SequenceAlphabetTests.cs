namespace Vae.MLNet.Inference.Tests.Sequences;

[TestClass]
public sealed class SequenceAlphabetTests
{
    [TestMethod]
    public void Tokens_DoNotDependOnTheTreatmentOfGaps()
    {
        foreach (var gaps in Enum.GetValues<GapTreatment>())
        {
            var alphabet = SequenceAlphabet.AminoAcids.WithGaps(gaps);
            CollectionAssert.AreEqual(new byte[] { 0, 19, 20, 20, 21, 1, 8 }, alphabet.Encode("AY-.XUO"));
            Assert.AreEqual("AY--XCK", alphabet.Decode(alphabet.Encode("AY-.XUO")));
            Assert.AreEqual(22, alphabet.TokenCount);
        }
    }

    [TestMethod]
    [DataRow(GapTreatment.Symbol, 21, 21)]
    [DataRow(GapTreatment.Missing, 20, 20)]
    [DataRow(GapTreatment.Masked, 21, 20)]
    public void Symbols_FollowTheTreatmentOfGaps(GapTreatment gaps, int input, int output)
    {
        var alphabet = SequenceAlphabet.AminoAcids.WithGaps(gaps);
        Assert.AreEqual(input, alphabet.InputSymbolCount);
        Assert.AreEqual(output, alphabet.OutputSymbolCount);
        Assert.AreNotEqual(gaps == GapTreatment.Symbol, !alphabet.Equals(SequenceAlphabet.AminoAcids));
    }

    [TestMethod]
    public void Create_RefusesWhatCannotBeRead()
    {
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlphabet.Create("x", "A"));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlphabet.Create("x", "AA"));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlphabet.Create("x", "A-"));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlphabet.Create("x", "Ab"));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlphabet.Create("x", "AB", GapTreatment.Symbol, "B"));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlphabet.Create("x", "AB", GapTreatment.Symbol, "", new Dictionary<char, char> { ['C'] = 'D' }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => SequenceAlphabet.Create("x", "AB", (GapTreatment)7));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceAlphabet.Dna.Encode("ACGE"));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => SequenceAlphabet.Dna.Decode([6]));
    }
}
