using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class VariantTests
{
    // Reference MACG, numbers 10 to 13; column 0 is A11, column 1 a gap of the reference, column 2 G13. M10 and C12 are not modelled.
    private static readonly SequenceLayout Layout = new(SequenceAlphabet.AminoAcids, "ref", "MACG", [10, 11, 12, 13], [0, 1, 3], [1, -1, 3]);

    [TestMethod]
    [DataRow("R175H", "R175H")]
    [DataRow("r175h : A20c", "R175H:A20C")]
    [DataRow("R175H,A20C", "R175H:A20C")]
    public void Parse_ReadsOneAndSeveral(string text, string expected)
    {
        var variant = Variant.Parse(text);
        Assert.AreEqual(expected, variant.ToString());
        Assert.AreEqual(variant, Variant.Parse(expected));
        Assert.AreEqual(variant.GetHashCode(), Variant.Parse(expected).GetHashCode());
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("R175")]
    [DataRow("175H")]
    [DataRow("R-5H")]
    [DataRow("R0H")]
    [DataRow("R99999999999H")]
    [DataRow("R175H:")]
    [DataRow("R175H:R175C")]
    [DataRow("R 175H")]
    public void Parse_RefusesOtherText(string text)
    {
        Assert.IsFalse(Variant.TryParse(text, out _, out string? problem));
        Assert.IsNotEmpty(problem!);
        Assert.ThrowsExactly<FormatException>(() => Variant.Parse(text));
    }

    [TestMethod]
    [DataRow("A11C", VariantStatus.Valid, null)]
    [DataRow("A11C:G13W", VariantStatus.Valid, null)]
    [DataRow("A11A", VariantStatus.Valid, null)]
    [DataRow("C12D", VariantStatus.OutsideColumns, "not among the modelled columns")]
    [DataRow("D12C", VariantStatus.ReferenceMismatch, "the reference has C at position 12, not D")]
    [DataRow("A14C", VariantStatus.OutsideReference, "not in the reference 'ref' (10 to 13)")]
    [DataRow("A11X", VariantStatus.UnknownLetter, "X is not a letter")]
    [DataRow("A11C:C12D", VariantStatus.OutsideColumns, "C12D")]
    [DataRow("what", VariantStatus.Malformed, "is not a substitution")]
    public void Resolve_ReportsStatusAndReason(string text, VariantStatus status, string? reason)
    {
        var resolved = new VariantResolver(Layout).Resolve(text);
        Assert.AreEqual(status, resolved.Status);
        Assert.AreEqual(text, resolved.Text);
        Assert.AreEqual(status == VariantStatus.Valid, resolved.Reason is null && resolved.Changes.Count > 0);
        if (reason is not null)
            Assert.Contains(reason, resolved.Reason!);
    }

    [TestMethod]
    public void Apply_GivesTheWholeSequence()
    {
        var resolver = new VariantResolver(Layout);
        var tokens = new byte[3];
        resolver.Apply(resolver.Resolve("A11C:G13W"), tokens);
        Assert.AreEqual("C-W", Layout.Decode(tokens));
        Assert.ThrowsExactly<ArgumentException>(() => resolver.Apply(resolver.Resolve("A14C"), new byte[3]));
    }

    [TestMethod]
    public void Resolver_TakesAnotherReference()
    {
        var resolver = new VariantResolver(Layout, "TTT");
        Assert.AreEqual(VariantStatus.Valid, resolver.Resolve("T11A").Status);
        Assert.AreEqual(VariantStatus.ReferenceMismatch, resolver.Resolve("A11T").Status);
        Assert.ThrowsExactly<ArgumentException>(() => new VariantResolver(Layout, "TT"));
    }

    [TestMethod]
    public void AllSubstitutions_AreNineteenAPosition()
    {
        var resolver = new VariantResolver(Layout);
        string[] all = [.. resolver.AllSubstitutions().Select(v => v.ToString())];
        Assert.HasCount(2 * 19, all.Distinct().ToArray());
        Assert.AreEqual("A11C", all[0]);
        Assert.IsTrue(all.All(text => resolver.Resolve(text).Status == VariantStatus.Valid));
    }
}
