using TorchSharp;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static TorchSharp.torch;

namespace Vae.MLNet.Tests.Training;

[TestClass]
public sealed class AdamOptimizerTests
{
    // No multiple of a vector, and parts that end within the decayed numbers and behind them.
    private const int Count = 10_003, Decayed = 7_001, Steps = 20;

    [TestMethod]
    [DataRow(0f, 0f)]
    [DataRow(0.1f, 0f)]
    [DataRow(0.1f, 0.5f)]
    public void Step_FusedAgreesWithTorchOperations(float weightDecay, float clip)
    {
        float[] fused = Run(weightDecay, clip, fused: true), plain = Run(weightDecay, clip, fused: false);
        for (int i = 0; i < Count; i++)
            Assert.AreEqual(plain[i], fused[i], 1e-6, $"parameter {i}");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Step_AgreesWithTorchSharpsAdamW(bool fused)
    {
        const float WeightDecay = 0.1f;
        using var scope = NewDisposeScope();
        var start = Start();
        var decayed = nn.Parameter(start.narrow(0, 0, Decayed).clone());
        var spared = nn.Parameter(start.narrow(0, Decayed, Count - Decayed).clone());
        using var with = optim.AdamW([decayed], 1e-2, weight_decay: WeightDecay);
        using var without = optim.AdamW([spared], 1e-2, weight_decay: 0);
        for (int step = 0; step < Steps; step++)
        {
            var gradient = Gradient(step);
            decayed.grad = gradient.narrow(0, 0, Decayed).clone();
            spared.grad = gradient.narrow(0, Decayed, Count - Decayed).clone();
            with.step();
            without.step();
        }
        float[] expected = cat([decayed, spared]).detach().data<float>().ToArray(), found = Run(WeightDecay, 0, fused);
        for (int i = 0; i < Count; i++)
            Assert.AreEqual(expected[i], found[i], 2e-6, $"parameter {i}");
    }

    [TestMethod]
    [DataRow(2, 0f)]
    [DataRow(2, 0.5f)]
    [DataRow(3, 0f)]
    public void Step_GradientInParts(int parts, float clip)
    {
        float[] whole = Run(0.1f, clip, fused: true), added = Run(0.1f, clip, fused: true, parts: parts);
        for (int i = 0; i < Count; i++)
            Assert.AreEqual(whole[i], added[i], 2e-6, $"parameter {i}");
        CollectionAssert.AreEqual(added, Run(0.1f, clip, fused: true, parts: parts));
    }

    [TestMethod]
    public void Restore_GoesOnToTheSameBytes()
    {
        float[] whole = Run(0.1f, 0.5f, fused: true), halves = Run(0.1f, 0.5f, fused: true, restoreAt: Steps / 2);
        CollectionAssert.AreEqual(whole, halves);
    }

    private static Tensor Start()
    {
        using var generator = new Generator(1, CPU);
        return randn(Count, generator: generator);
    }

    private static Tensor Gradient(int step)
    {
        using var generator = new Generator((ulong)step + 2, CPU);
        return randn(Count, generator: generator) * 0.1 * (step + 1);
    }

    /// <summary>A gradient as the sum of several.</summary>
    private static Tensor[] Parts(Tensor gradient, int parts) =>
        [.. Enumerable.Range(0, parts).Select(i => i < parts - 1 ? gradient * 0.25 : gradient * (1 - 0.25 * (parts - 1)))];

    private static float[] Run(float weightDecay, float clip, bool fused, int restoreAt = -1, int parts = 1)
    {
        using var scope = NewDisposeScope();
        using var threads = parts > 1 ? new SliceThreads(parts) : null;
        Tensor parameters = Start(), gradient = zeros(Count);
        var optimizer = new AdamOptimizer(parameters, Decayed, weightDecay, clip, fused, threads);
        for (int step = 0; step < Steps; step++)
        {
            if (step == restoreAt)
            {
                var (first, second) = optimizer.ReadMoments();
                long steps = optimizer.Steps;
                optimizer.Dispose();
                optimizer = new AdamOptimizer(parameters, Decayed, weightDecay, clip, fused, threads);
                optimizer.Restore(steps, first, second);
            }
            gradient.copy_(Gradient(step));
            optimizer.Step(Parts(gradient, parts), 1e-2);
        }
        optimizer.Dispose();
        return parameters.data<float>().ToArray();
    }
}
