using Vae.MLNet.Model;


namespace Vae.MLNet.Inference.Tests;

[TestClass]
public sealed class VaeDecoderTests
{
    public static IEnumerable<object[]> Models()
    {
        foreach (var activation in Enum.GetValues<Activation>())
            yield return [activation, MLNet.Likelihood.MeanSquaredError, InputScaling.None];
        foreach (var scaling in new[] { InputScaling.None, InputScaling.Standardize, InputScaling.RobustAsinh })
            yield return [Activation.Tanh, MLNet.Likelihood.Gaussian, scaling];
        yield return [Activation.Tanh, MLNet.Likelihood.Bernoulli, InputScaling.None];
        yield return [Activation.SiLU, MLNet.Likelihood.Categorical, InputScaling.None];
    }

    private static VaeModel Model(Activation activation, MLNet.Likelihood likelihood, InputScaling scaling) => TestModels.Create(
        new()
        {
            HiddenLayers = [12, 20],
            LatentDimension = 3,
            Activation = activation,
            Likelihood = likelihood,
            GroupSize = likelihood == MLNet.Likelihood.Categorical ? 4 : 0,
        },
        scale: scaling == InputScaling.None ? InputScale.None : TestModels.Scale(scaling));

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void Decode_AgreesWithTheReference(Activation activation, MLNet.Likelihood likelihood, InputScaling scaling)
    {
        var model = Model(activation, likelihood, scaling);
        using var decoder = VaeDecoder.Load(TestModels.Decoder(model, withGradient: true));
        for (int row = 0; row < 5; row++)
        {
            float[] z = TestModels.Normals(3, seed: row);
            TestModels.AssertClose(TestModels.ReferenceDecode(model, TestModels.Doubles(z)), decoder.Decode(z), 1e-5);
            if (decoder.HasLogits)
                TestModels.AssertClose(TestModels.ReferenceOutput(model, TestModels.Doubles(z)), decoder.DecodeLogits(z), 1e-5);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void Gradient_AgreesWithFiniteDifferences(Activation activation, MLNet.Likelihood likelihood, InputScaling scaling)
    {
        const double Step = 1e-6;
        const int Rows = 3;
        var model = Model(activation, likelihood, scaling);
        using var decoder = VaeDecoder.Load(TestModels.Decoder(model, withGradient: true));
        float[] z = TestModels.Normals(3 * Rows), cotangents = TestModels.Normals(24 * Rows, seed: 2), gradients = new float[3 * Rows];
        Assert.AreEqual(Rows, decoder.Gradient(z, cotangents, gradients));
        for (int row = 0; row < Rows; row++)
        {
            var expected = new double[3];
            for (int i = 0; i < 3; i++)
            {
                double[] point = TestModels.Doubles(z.AsSpan(3 * row, 3));
                point[i] += Step;
                double[] above = TestModels.ReferenceDecode(model, point);
                point[i] -= 2 * Step;
                double[] below = TestModels.ReferenceDecode(model, point);
                for (int j = 0; j < 24; j++)
                    expected[i] += cotangents[24 * row + j] * (above[j] - below[j]) / (2 * Step);
            }
            // The differences are good to about 1e-9; single precision rules.
            TestModels.AssertClose(expected, gradients.AsSpan(3 * row, 3), 2e-5, $"row {row}");
        }
    }

    [TestMethod]
    public void Decode_ManyRows_AreTheRowsOneByOne()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        foreach (int rows in new[] { 0, 1, 2, 3, 255, 256, 257, 700, 5 })
        {
            float[] latents = TestModels.Normals(2 * rows, seed: rows), outputs = new float[24 * rows];
            Assert.AreEqual(rows, decoder.Decode(latents, outputs));
            for (int row = 0; row < rows; row++)
                TestModels.AssertClose(TestModels.Doubles(decoder.Decode(latents.AsSpan(2 * row, 2))), outputs.AsSpan(24 * row, 24), 1e-6);
        }
    }

    [TestMethod]
    public void Gradient_ManyRows_AreTheRowsOneByOne()
    {
        const int Rows = 300;
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        float[] latents = TestModels.Normals(2 * Rows), cotangents = TestModels.Normals(24 * Rows, seed: 4), gradients = new float[2 * Rows], one = new float[2];
        decoder.Gradient(latents, cotangents, gradients);
        for (int row = 0; row < Rows; row += 37)
        {
            decoder.Gradient(latents.AsSpan(2 * row, 2), cotangents.AsSpan(24 * row, 24), one);
            TestModels.AssertClose(TestModels.Doubles(one), gradients.AsSpan(2 * row, 2), 1e-5);
        }
    }

    [TestMethod]
    public void Decode_IntoSpan_AllocatesNothing()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        foreach (int rows in new[] { 1, 256, 300 })
        {
            float[] latents = TestModels.Normals(2 * rows), outputs = new float[24 * rows], gradients = new float[2 * rows];
            decoder.Decode(latents, outputs);
            decoder.Gradient(latents, outputs, gradients);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                decoder.Decode(latents, outputs);
                decoder.Gradient(latents, outputs, gradients);
            }
            Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before, $"{rows} rows");
        }
    }

    [TestMethod]
    public void Decode_WrongLengths_NameThem()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => decoder.Decode([1, 2, 3])).Message, "latent has to hold 2 numbers (the latent dimension); it holds 3");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => decoder.Decode([1, 2, 3], new float[24])).Message, "whole rows of 2");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => decoder.Decode([1, 2], new float[25])).Message, "1 x 24 = 24 numbers; it holds 25");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => decoder.Gradient([1, 2], new float[23], new float[2])).Message, "cotangents");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => decoder.Gradient([1, 2], new float[24], new float[3])).Message, "gradients");
        var shared = new float[26];
        Assert.ThrowsExactly<ArgumentException>(() => decoder.Decode(shared.AsSpan(0, 2), shared.AsSpan(1, 24)));
        decoder.Decode(shared.AsSpan(0, 2), shared.AsSpan(2, 24));
    }

    [TestMethod]
    public void Decode_NotFinite_GivesNotFinite()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        Assert.IsTrue(decoder.Decode([float.NaN, 0]).All(float.IsNaN));
    }

    [TestMethod]
    public void DecodeLogits_ForOtherLikelihoods_Throws()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => decoder.DecodeLogits([1, 2])).Message, "MeanSquaredError");
    }

    [TestMethod]
    public void Gradient_WithoutOne_SaysHowToExport()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder(withGradient: false));
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => decoder.Gradient([1, 2], new float[24], new float[2])).Message, "withGradient: true");
        StringAssert.Contains(
            Assert.ThrowsExactly<InvalidOperationException>(() => decoder.Optimize(LatentObjective.RadiusOfGyration(2), [1, 2])).Message, "withGradient: true");
    }
}
