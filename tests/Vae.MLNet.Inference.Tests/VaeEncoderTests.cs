namespace Vae.MLNet.Inference.Tests;

[TestClass]
public sealed class VaeEncoderTests
{
    [TestMethod]
    public void Encode_AgreesWithTheReference()
    {
        var model = TestModels.Create();
        using var encoder = VaeEncoder.Load(TestModels.Encoder(model));
        Assert.AreEqual(2, encoder.LatentDimension);
        Assert.AreEqual(24, encoder.FeatureCount);
        Assert.AreEqual("encoder", encoder.Metadata["vae.kind"]);
        foreach (int rows in new[] { 0, 1, 3, 300 })
        {
            float[] x = TestModels.Normals(24 * rows, seed: rows), means = new float[2 * rows], sigmas = new float[2 * rows], alone = new float[2 * rows];
            Assert.AreEqual(rows, encoder.Encode(x, means, sigmas));
            Assert.AreEqual(rows, encoder.Encode(x, alone));
            CollectionAssert.AreEqual(means, alone);
            for (int row = 0; row < rows; row++)
            {
                var own = x.AsSpan(24 * row, 24);
                var (mean, sigma) = TestModels.ReferenceEncode(model, TestModels.Doubles(own));
                TestModels.AssertClose(mean, means.AsSpan(2 * row, 2), 1e-5);
                TestModels.AssertClose(sigma, sigmas.AsSpan(2 * row, 2), 1e-5);
                TestModels.AssertClose(mean, encoder.Encode(own), 1e-5);
                var posterior = encoder.EncodePosterior(own);
                TestModels.AssertClose(mean, posterior.Mean, 1e-5);
                TestModels.AssertClose(sigma, posterior.StandardDeviation, 1e-5);
            }
        }
    }

    [TestMethod]
    public void Encode_IntoSpan_AllocatesNothing()
    {
        using var encoder = VaeEncoder.Load(TestModels.Encoder());
        float[] x = TestModels.Normals(24 * 10), means = new float[20], sigmas = new float[20];
        encoder.Encode(x, means, sigmas);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            encoder.Encode(x, means, sigmas);
        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void Encode_WrongLengths_NameThem()
    {
        using var encoder = VaeEncoder.Load(TestModels.Encoder());
        Assert.AreEqual("features", Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode(new float[23])).ParamName);
        Assert.AreEqual("features", Assert.ThrowsExactly<ArgumentException>(() => encoder.EncodePosterior(new float[25])).ParamName);
        Assert.AreEqual("features", Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode(new float[25], new float[2])).ParamName);
        Assert.AreEqual("means", Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode(new float[48], new float[2])).ParamName);
        Assert.AreEqual("standardDeviations", Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode(new float[48], new float[4], [])).ParamName);
        var shared = new float[100];
        Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode(shared.AsSpan(0, 24), shared.AsSpan(23, 2)));
        Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode(shared.AsSpan(0, 24), shared.AsSpan(30, 2), shared.AsSpan(31, 2)));
    }

    [TestMethod]
    public void Dispose_MakesLaterCallsThrow()
    {
        var encoder = VaeEncoder.Load(TestModels.Encoder());
        encoder.Dispose();
        encoder.Dispose();
        Assert.AreEqual(typeof(VaeEncoder).FullName, Assert.ThrowsExactly<ObjectDisposedException>(() => encoder.Encode(new float[24])).ObjectName);
    }
}
