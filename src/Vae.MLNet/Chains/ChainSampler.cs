using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Chains;

internal sealed class ChainSampler(ChainShape shape, ChainCoordinates coordinates, float farthest, float[] network, float[] tables, float[] first)
{
    /// <summary>Numbers of noise a shape: normal ones for the first bead, then for each bead the shifts of the grid and the place among candidates.</summary>
    public int Noise => shape.Dimensions + shape.Positions * (shape.Dimensions + 1);

    public float[] Sample(float[] latents, float[] ghosts, float[] noise)
    {
        using var outer = NewDisposeScope();
        using var noGrad = no_grad();
        int count = latents.Length / shape.Latent, d = shape.Dimensions, width = shape.ContextOutputs;
        float[] effective = ChainTraining.Effective(shape, tables);
        using var net = new ChainNetwork(shape, tensor(network));
        var chains = new float[count * shape.Size];
        for (int row = 0; row < count; row++)
        {
            for (int c = 0; c < d; c++)
            {
                float sum = 0;
                for (int e = 0; e <= c; e++)
                    sum += first[c * d + e] * noise[row * Noise + e];
                chains[row * shape.Size + c] = ghosts[row * shape.Size + c] + sum;
            }
        }
        var features = new float[count * shape.Inputs];
        var local = new ThreadLocal<ChainKernel>(() => new(shape, coordinates, farthest, ChainTraining.FineGrid(d)));
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
                var own = noise.AsSpan(row * Noise + d + (bead - 1) * (d + 1), d + 1);
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
