using TorchSharp;
using Vae.MLNet.ChainDecoding;
using static TorchSharp.torch;

namespace Vae.MLNet.Tests.ChainDecoding;

/// <summary>Draws shapes on TorchSharp and the kernel that trains: what the exported graph is held against.</summary>
internal static class ChainReference
{
    public static float[] Sample(ChainParts parts, float[] latents, float[] ghosts, float[] noise)
    {
        using var outer = NewDisposeScope();
        using var noGrad = no_grad();
        var shape = parts.Shape;
        int count = latents.Length / shape.Latent, d = shape.Dimensions, width = shape.ContextOutputs, size = shape.NoiseSize;
        using var net = new ChainNetwork(shape, tensor(parts.Network).clone());
        var kernel = new ChainKernel(shape, parts.Coordinates, parts.Farthest);
        var chains = new float[count * shape.Size];
        var features = new float[count * shape.Inputs];
        for (int bead = 0; bead < shape.Beads; bead++)
        {
            float[] context = [];
            if (bead > 0)
            {
                for (int row = 0; row < count; row++)
                    kernel.Features(Row(chains, row), Row(ghosts, row), latents.AsSpan(row * shape.Latent, shape.Latent), bead, features.AsSpan(row * shape.Inputs, shape.Inputs));
                context = net.Forward(tensor(features, [count, shape.Inputs])).data<float>().ToArray();
            }
            for (int row = 0; row < count; row++)
            {
                var chain = chains.AsSpan(row * shape.Size, shape.Size);
                if (bead == 0)
                {
                    int frame = Near(parts.First, latents.AsSpan(row * shape.Latent, shape.Latent), noise[row * size + d]);
                    for (int c = 0; c < d; c++)
                    {
                        chain[c] = ghosts[row * shape.Size + c] + parts.First.Offsets[frame * d + c]
                            + Enumerable.Range(0, c + 1).Sum(e => parts.First.Root[c * d + e] * noise[row * size + e]);
                    }
                    continue;
                }
                var own = noise.AsSpan(row * size + bead * (d + 1), d + 1);
                kernel.Evaluate(chain, Row(ghosts, row), bead, own[..d], context.AsSpan(row * width, width), parts.Tables);
                kernel.Normalize();
                float place = own[d];
                int taken = 0;
                while (taken < kernel.Candidates - 1 && place >= kernel.Energies[taken])
                    place -= kernel.Energies[taken++];
                kernel.Candidate(taken, chain[(bead * d)..]);
            }
        }
        return chains;

        static int Near(ChainFirstBead first, ReadOnlySpan<float> latent, float uniform)
        {
            double[] weights = new double[first.Frames];
            for (int f = 0; f < weights.Length; f++)
            {
                double square = 0;
                for (int k = 0; k < latent.Length; k++)
                    square += Math.Pow(latent[k] * (double)first.Scale[k] - first.Latents[f * latent.Length + k], 2);
                weights[f] = Math.Exp(-0.5 * square);
            }
            double place = uniform * weights.Sum();
            int taken = 0;
            while (taken < weights.Length - 1 && place >= weights[taken])
                place -= weights[taken++];
            return taken;
        }

        ReadOnlySpan<float> Row(float[] all, int row) => all.AsSpan(row * shape.Size, shape.Size);
    }
}
