

namespace Vae.MLNet.Inference.Tests;

[TestClass]
public sealed class VaeDecoderSampleTests
{
    [TestMethod]
    public void Sample_IsTheDecodedPrior()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var samples = decoder.Sample(2000, seed: 3);
        Assert.AreEqual(2000, samples.Count);
        Assert.AreEqual(4000, samples.Latents.Length);
        Assert.AreEqual(48000, samples.Outputs.Length);
        double[] latents = TestModels.Doubles(samples.Latents.Span);
        Assert.AreEqual(0, latents.Average(), 4 / Math.Sqrt(4000));
        Assert.AreEqual(1, latents.Average(z => z * z), 4 * Math.Sqrt(2.0 / 4000));
        foreach (int row in new[] { 0, 255, 256, 1999 })
            TestModels.AssertClose(TestModels.Doubles(decoder.Decode(samples.Latent(row))), samples.Output(row), 1e-6);
        CollectionAssert.AreEqual(samples.Output(7).ToArray(), samples.OutputArrays()[7]);
        CollectionAssert.AreEqual(samples.Latent(7).ToArray(), samples.LatentArrays()[7]);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => samples.Latent(2000));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => samples.Output(-1));
    }

    [TestMethod]
    public void Sample_DependsOnTheSeedAlone()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var first = decoder.Sample(10, seed: 3, new() { Noise = true });
        var again = decoder.Sample(10, seed: 3, new() { Noise = true });
        CollectionAssert.AreEqual(first.Outputs.ToArray(), again.Outputs.ToArray());
        CollectionAssert.AreEqual(first.Latents.ToArray(), decoder.Sample(30, seed: 3).Latents[..20].ToArray());
        CollectionAssert.AreNotEqual(first.Latents.ToArray(), decoder.Sample(10, seed: 4).Latents.ToArray());
    }

    [TestMethod]
    public void Sample_Temperature_ScalesTheLatents()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        float[] full = decoder.Sample(10, seed: 3).Latents.ToArray();
        TestModels.AssertClose([.. full.Select(z => 0.5 * z)], decoder.Sample(10, seed: 3, new() { Temperature = 0.5f }).Latents.Span, 1e-6);
        Assert.IsTrue(decoder.Sample(2, seed: 3, new() { Temperature = 0 }).Latents.ToArray().All(z => z == 0));
    }

    [TestMethod]
    public void Sample_GaussianNoise_HasTheModelsDeviation()
    {
        const int Count = 4000;
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var plain = decoder.Sample(Count, seed: 3);
        var noisy = decoder.Sample(Count, seed: 3, new() { Noise = true });
        for (int j = 0; j < 24; j += 23)
        {
            double squares = 0;
            for (int i = 0; i < Count; i++)
                squares += Math.Pow(noisy.Output(i)[j] - plain.Output(i)[j], 2);
            double expected = decoder.Noise[j];
            Assert.AreEqual(expected, Math.Sqrt(squares / Count), 4 * expected / Math.Sqrt(2 * Count));
        }
    }

    [TestMethod]
    public void Sample_SharedNoise_ServesAllFeatures()
    {
        var model = TestModels.Create(new() { HiddenLayers = [8], Likelihood = MLNet.Likelihood.Gaussian, GaussianNoise = GaussianNoise.LearnedShared });
        using var decoder = VaeDecoder.Load(TestModels.Decoder(model));
        Assert.HasCount(1, decoder.Noise);
        var plain = decoder.Sample(500, seed: 3);
        var noisy = decoder.Sample(500, seed: 3, new() { Noise = true });
        double squares = plain.Outputs.ToArray().Zip(noisy.Outputs.ToArray(), (x, y) => Math.Pow(y - x, 2)).Average();
        Assert.AreEqual(decoder.Noise[0], Math.Sqrt(squares), 0.03 * decoder.Noise[0]);
    }

    [TestMethod]
    public void Sample_BernoulliNoise_IsZerosAndOnesByProbability()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder(TestModels.Create(new() { HiddenLayers = [8], Likelihood = MLNet.Likelihood.Bernoulli })));
        var plain = decoder.Sample(4000, seed: 3);
        var drawn = decoder.Sample(4000, seed: 3, new() { Noise = true });
        Assert.IsTrue(drawn.Outputs.ToArray().All(x => x is 0 or 1));
        Assert.AreEqual(plain.Outputs.ToArray().Average(), drawn.Outputs.ToArray().Average(), 4 * 0.5 / Math.Sqrt(96000));
    }

    [TestMethod]
    public void Sample_CategoricalNoise_IsOneHotByProbability()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder(TestModels.Create(new() { HiddenLayers = [8], Likelihood = MLNet.Likelihood.Categorical, GroupSize = 4 })));
        var plain = decoder.Sample(4000, seed: 3);
        var drawn = decoder.Sample(4000, seed: 3, new() { Noise = true });
        Assert.IsTrue(drawn.Outputs.ToArray().Chunk(4).All(group => group.Sum() == 1 && group.Count(x => x == 1) == 1));
        for (int j = 0; j < 24; j++)
        {
            double expected = 0, found = 0;
            for (int i = 0; i < 4000; i++)
            {
                expected += plain.Output(i)[j];
                found += drawn.Output(i)[j];
            }
            Assert.AreEqual(expected / 4000, found / 4000, 4 * 0.5 / Math.Sqrt(4000));
        }
    }

    [TestMethod]
    public void Sample_NoiseThatTheFileLacks_Throws()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder(TestModels.Create(scale: TestModels.Scale(InputScaling.RobustAsinh))));
        Assert.IsEmpty(decoder.Noise);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => decoder.Sample(1, 1, new() { Noise = true })).Message, "vae.noise");
        Assert.AreEqual(1, decoder.Sample(1, 1).Count);
    }

    [TestMethod]
    public void Sample_OddArguments()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        Assert.AreEqual(0, decoder.Sample(0, 1).Count);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Sample(-1, 1));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Sample(int.MaxValue, 1));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Sample(1, 1, new() { Temperature = float.NaN }));
    }
}
