namespace Vae.MLNet.Inference.Tests;

[TestClass]
public sealed class VaeDecoderInterpolateTests
{
    [TestMethod]
    public void Interpolate_Linear_GoesInEqualSteps()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var path = decoder.Interpolate([-1, 2], [3, 0.1f], 5);
        Assert.AreEqual(5, path.Count);
        CollectionAssert.AreEqual(new float[] { -1, 2 }, path.Latent(0).ToArray());
        CollectionAssert.AreEqual(new float[] { 3, 0.1f }, path.Latent(4).ToArray());
        TestModels.AssertClose([1, 1.05], path.Latent(2), 1e-6);
        for (int i = 0; i < 5; i++)
            TestModels.AssertClose(TestModels.Doubles(decoder.Decode(path.Latent(i))), path.Output(i), 1e-6);
        Assert.AreEqual(2, decoder.Interpolate([-1, 2], [3, 0.1f], 2).Count);
    }

    [TestMethod]
    public void Interpolate_Spherical_TurnsEvenlyAndKeepsBetweenTheLengths()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var path = decoder.Interpolate([2, 0], [0, 1], 4, InterpolationMode.Spherical);
        CollectionAssert.AreEqual(new float[] { 2, 0 }, path.Latent(0).ToArray());
        CollectionAssert.AreEqual(new float[] { 0, 1 }, path.Latent(3).ToArray());
        for (int i = 0; i < 4; i++)
        {
            var z = path.Latent(i);
            Assert.AreEqual(2 - i / 3.0, Math.Sqrt(z[0] * z[0] + z[1] * z[1]), 1e-6);
            Assert.AreEqual(i * Math.PI / 6, Math.Atan2(z[1], z[0]), 1e-6);
        }
    }

    [TestMethod]
    public void Interpolate_SphericalWithoutAnAngle_IsLinear()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        TestModels.AssertClose([0.5, 1], decoder.Interpolate([0, 0], [1, 2], 3, InterpolationMode.Spherical).Latent(1), 1e-6);
        TestModels.AssertClose([2, 4], decoder.Interpolate([1, 2], [3, 6], 3, InterpolationMode.Spherical).Latent(1), 1e-6);
        TestModels.AssertClose([1, 2], decoder.Interpolate([1, 2], [1, 2], 3, InterpolationMode.Spherical).Latent(1), 1e-6);
        TestModels.AssertClose([0, 0], decoder.Interpolate([0, 0], [0, 0], 3, InterpolationMode.Spherical).Latent(1), 1e-6);
    }

    [TestMethod]
    public void Interpolate_SphericalBetweenOpposites_Throws()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => decoder.Interpolate([1, 2], [-2, -4], 3, InterpolationMode.Spherical)).Message, "opposite");
        TestModels.AssertClose([-0.5, -1], decoder.Interpolate([1, 2], [-2, -4], 3).Latent(1), 1e-6);
    }

    [TestMethod]
    public void Interpolate_WrongArguments_NameThem()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        Assert.AreEqual("from", Assert.ThrowsExactly<ArgumentException>(() => decoder.Interpolate([1], [1, 2], 3)).ParamName);
        Assert.AreEqual("to", Assert.ThrowsExactly<ArgumentException>(() => decoder.Interpolate([1, 2], [1, float.NaN], 3)).ParamName);
        Assert.AreEqual("steps", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Interpolate([1, 2], [1, 2], 1)).ParamName);
        Assert.AreEqual("mode", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Interpolate([1, 2], [1, 2], 3, (InterpolationMode)9)).ParamName);
    }
}
