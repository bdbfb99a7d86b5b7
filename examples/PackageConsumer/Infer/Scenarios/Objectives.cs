using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>What a decoded chain is wanted to be: ready-made, combined, and of one's own.</summary>
internal static class Objectives
{
    // Three beads in the plane, one after another at distance 1: the outer two are the root of 2 apart.
    private static readonly float[] Corner = [0, 0, 1, 0, 1, 1];

    public static void Run(string folder)
    {
        Expect.Near(LatentObjective.BondLengths(2, 0.5f, 0.9f).Evaluate(Corner), 2 * 0.01, 1e-6, "the penalty on two bonds 0.1 too long");
        Expect.Near(LatentObjective.BondLengths(2, [0.5f, 1.1f], [1.5f, 1.5f]).Evaluate(Corner), 0.01, 1e-6,
            "the penalty on one bond 0.1 too short");
        double overlap = Math.Pow(2 - Math.Sqrt(2), 2);
        Expect.Near(LatentObjective.NonBondedDistances(2, 2).Evaluate(Corner), overlap, 1e-6, "the penalty on an overlap");
        Expect.Near(LatentObjective.NonBondedDistances(2, [2]).Evaluate(Corner), overlap, 1e-6,
            "the penalty on an overlap with a distance a pair");

        // Weighted sums, and objectives of one's own by a function or by deriving.
        var first = LatentObjective.Create(static (output, gradient) =>
        {
            gradient[0] = 1;
            return output[0];
        });
        LatentObjective norm = new SquaredNorm();
        var mixed = 2 * norm + first * 3 - norm - (-first);
        float[] point = [2, -1], derivative = new float[2];
        Expect.Near(mixed.Evaluate(point, derivative), 5 + 4 * 2, 1e-6, "the mixed objective");
        Expect.Near(derivative, [2 * 2 + 4, -2], 1e-6, "the mixed objective's derivative");
        Expect.Near(first.Target(5).Evaluate(point), 4.5, 1e-6, "half the squared distance from a target");

        // A chain of a given size that keeps its bonds.
        using var decoder = VaeDecoder.Load(Path.Combine(folder, "decoder.onnx"));
        var wanted = LatentObjective.RadiusOfGyration(2).Target(1.2) + 0.1 * LatentObjective.BondLengths(2, 0.8f, 1.2f);
        var found = decoder.Optimize(wanted, [0.1f, 0.1f], new LatentOptimizationOptions { Steps = 50, PriorWeight = 0.001f });
        Expect.That(found.BestValue <= wanted.Evaluate(decoder.Decode([0.1f, 0.1f])), "the best point is no worse than the start");
        Expect.Near(decoder.Decode(found.BestLatent), found.BestOutput, 1e-5, "a number that the best latent decodes to");
    }

    private sealed class SquaredNorm : LatentObjective
    {
        protected override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient)
        {
            double sum = 0;
            for (int i = 0; i < output.Length; i++)
            {
                sum += output[i] * output[i];
                gradient[i] = 2 * output[i];
            }
            return sum;
        }
    }
}
