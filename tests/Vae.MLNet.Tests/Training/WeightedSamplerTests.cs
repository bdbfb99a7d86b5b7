using TorchSharp;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static TorchSharp.torch;

namespace Vae.MLNet.Tests.Training;

[TestClass]
public sealed class WeightedSamplerTests
{
    private static int[] Count(WeightedSampler rows, int epoch, int batch, int expected)
    {
        var counts = new int[expected];
        using var scope = NewDisposeScope();
        using var batches = rows.Shuffled(epoch, batch);
        while (batches.TryNext(out var found))
        {
            Assert.IsNull(found.Weights);
            foreach (byte token in found.Features.data<byte>().ToArray())
                counts[token]++;
        }
        return counts;
    }

    [TestMethod]
    public void Shuffled_DrawsByWeight()
    {
        TorchRuntime.EnsureLoaded();
        float[] weights = [1, 0, 0.5f, 2.5f, 0.25f, 0];
        using var rows = new WeightedSampler(new TokenData([0, 1, 2, 3, 4, 5], 6, weights), 1, draws: 640, seed: 3, CPU);
        Assert.AreEqual(4.25, rows.Weight);
        for (int epoch = 1; epoch <= 3; epoch++)
        {
            int[] counts = Count(rows, epoch, 64, 6);
            Assert.AreEqual(640, counts.Sum());
            for (int row = 0; row < 6; row++)
                Assert.AreEqual(640 * weights[row] / 4.25, counts[row], 1.0001, $"row {row}");
            Assert.AreSequenceEqual(counts, Count(rows, epoch, 64, 6));
        }
    }

    [TestMethod]
    public void Shuffled_WithoutWeightsIsAPermutation()
    {
        TorchRuntime.EnsureLoaded();
        using var rows = new WeightedSampler(new TokenData([.. Enumerable.Range(0, 100).Select(i => (byte)i)], 100, null), 1, draws: 100, seed: 3, CPU);
        Assert.AreSequenceEqual(Enumerable.Repeat(1, 100).ToArray(), Count(rows, 1, 32, 100));
    }
}
