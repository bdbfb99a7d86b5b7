namespace Vae.MLNet.Tests.Onnx;

[TestClass]
public sealed class FuzzTests
{
    // The benchmark 'fuzz' runs as many cases as it is told.
    [TestMethod]
    public void Readers_DamagedFiles()
    {
        var fuzz = new FuzzCases();
        fuzz.Readers(seed: 1, cases: 8_000);
        Assert.IsGreaterThan(100, fuzz.Accepted, "Some damage does not matter.");
        Assert.IsGreaterThan(4_000, fuzz.Refused);
        Assert.IsLessThan(16_000_000, fuzz.LargestAllocation, "No damaged file of some kilobytes costs much memory.");
    }

    [TestMethod]
    public void Decoders_DamagedFiles()
    {
        var fuzz = new FuzzCases();
        fuzz.Decoders(seed: 2, cases: 400);
        Assert.IsGreaterThan(200, fuzz.Refused);
    }
}
