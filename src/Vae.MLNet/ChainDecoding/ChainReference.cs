using static TorchSharp.torch;

namespace Vae.MLNet.ChainDecoding;

/// <summary>Draws shapes on TorchSharp and the kernel: what the exported graph is held against.</summary>
internal static class ChainReference
{
    public static float[] Sample(ChainParts parts, float[] latents, float[] ghosts, float[] noise)
    {
        var shape = parts.Shape;
        int size = parts.NoiseSize;
        using var outer = NewDisposeScope();
        using var noGrad = no_grad();
        int count = latents.Length / shape.Latent, d = shape.Dimensions, width = shape.ContextOutputs;
        float[] effective = ChainTraining.Effective(shape, parts.Tables);
        using var net = new ChainNetwork(shape, tensor(parts.Network).clone());
        var chains = new float[count * shape.Size];
        for (int row = 0; row < count; row++)
        {
            for (int c = 0; c < d; c++)
            {
                float sum = 0;
                for (int e = 0; e <= c; e++)
                    sum += parts.First[c * d + e] * noise[row * size + e];
                chains[row * shape.Size + c] = ghosts[row * shape.Size + c] + sum;
            }
        }
        var features = new float[count * shape.Inputs];
        using var local = new ThreadLocal<ChainKernel>(() => new(shape, parts.Coordinates, parts.Farthest, parts.Grid));
        for (int i = 1; i < shape.Beads; i++)
        {
            int bead = i;
            Parallel.For(0, count, row => local.Value!.Features(chains.AsSpan(row * shape.Size, shape.Size), ghosts.AsSpan(row * shape.Size, shape.Size),
                latents.AsSpan(row * shape.Latent, shape.Latent), bead, features.AsSpan(row * shape.Inputs, shape.Inputs)));
            float[] context;
            using (NewDisposeScope())
                context = net.Forward(tensor(features, [count, shape.Inputs])).data<float>().ToArray();
            Parallel.For(0, count, row =>
            {
                var kernel = local.Value!;
                var chain = chains.AsSpan(row * shape.Size, shape.Size);
                var own = noise.AsSpan(row * size + d + (bead - 1) * (d + 1), d + 1);
                kernel.Evaluate(chain, ghosts.AsSpan(row * shape.Size, shape.Size), bead, own[..d], context.AsSpan(row * width, width), effective);
                kernel.Normalize();
                float place = own[d];
                int c = 0;
                while (c < kernel.Candidates - 1 && place >= kernel.Energies[c])
                    place -= kernel.Energies[c++];
                kernel.Candidate(c, chain[(bead * d)..]);
            });
        }
        return chains;
    }
}
