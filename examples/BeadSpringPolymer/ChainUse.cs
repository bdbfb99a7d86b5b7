using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace BeadSpringPolymer;

/// <summary>What the exported chain decoder is asked for: samples, films between frames, compact shapes; and how well its samples pass for frames of the simulation.</summary>
internal sealed class ChainUse(ChainSampler sampler, PhysicalRanges physical, int seed, CancellationToken cancellationToken)
{
    /// <summary>Films between pairs of latent vectors.</summary>
    public float[][][] Films(IEnumerable<(float[] From, float[] To)> pairs, int steps) =>
        [.. pairs.Select((pair, i) => sampler.Interpolate(pair.From, pair.To, steps, seed + i).OutputArrays())];

    /// <summary>
    /// Compact shapes: from each start a random walk in latent vector and noise, of which only steps to physical shapes of smaller Rg are taken. Noise stays noise: normal
    /// numbers move along an ellipse and uniform ones around a circle, so that whatever is reached is a draw that the decoder could have made.
    /// </summary>
    public float[][] Design(float[][] starts, int steps)
    {
        int count = starts.Length, width = sampler.LatentDimension, size = sampler.FeatureCount, noiseSize = sampler.NoiseSize;
        var random = new Random(seed);
        float[] latents = [.. starts.SelectMany(start => start)], noise = sampler.Noise(count, seed), shapes = new float[count * size];
        sampler.Decode(latents, noise, shapes);
        float[] tried = new float[latents.Length], triedNoise = new float[noise.Length], triedShapes = new float[shapes.Length];
        for (int step = 0; step < steps; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (int i = 0; i < count; i++)
            {
                // Large moves and small ones by turns.
                double move = 0.3 * Math.Pow(0.1, random.NextDouble() * 1.5), stay = Math.Sqrt(1 - move * move);
                for (int k = 0; k < width; k++)
                    tried[i * width + k] = latents[i * width + k] + (float)(0.5 * move * Normal());
                for (int k = 0; k < noiseSize; k++)
                {
                    float now = noise[i * noiseSize + k];
                    double next = k < sampler.Dimensions ? stay * now + move * Normal() : now + move * (random.NextDouble() - 0.5);
                    triedNoise[i * noiseSize + k] = k < sampler.Dimensions ? (float)next : Math.Clamp((float)(next - Math.Floor(next)), 0, MathF.BitDecrement(1));
                }
            }
            sampler.Decode(tried, triedNoise, triedShapes);
            for (int i = 0; i < count; i++)
            {
                float[] now = shapes[(i * size)..((i + 1) * size)], next = triedShapes[(i * size)..((i + 1) * size)];
                bool better = physical.IsPhysical(next)
                    && (!physical.IsPhysical(now) || Shapes.RadiusOfGyration(next) < Shapes.RadiusOfGyration(now));
                if (!better)
                    continue;
                Array.Copy(tried, i * width, latents, i * width, width);
                Array.Copy(triedNoise, i * noiseSize, noise, i * noiseSize, noiseSize);
                next.CopyTo(shapes, i * size);
            }
        }
        return [.. Enumerable.Range(0, count).Select(i => shapes[(i * size)..((i + 1) * size)])];

        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    /// <summary>Boosted trees on all distances, judged by cross-validation: 0.5 says that samples and frames cannot be told apart.</summary>
    public static SampleComparison Compare(IReadOnlyList<float[]> real, IReadOnlyList<float[]> sampled, CancellationToken cancellationToken)
    {
        var context = new MLContext();
        return context.Vae.CompareSamples(View(real), View(sampled), new() { Pairs = 0, RealHalves = false, CancellationToken = cancellationToken });

        IDataView View(IReadOnlyList<float[]> shapes)
        {
            var definition = SchemaDefinition.Create(typeof(Distances));
            definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Of(shapes[0]).Length);
            return context.Data.LoadFromEnumerable(shapes.Select(shape => new Distances { Value = Of(shape) }), definition);
        }

        static float[] Of(float[] shape) =>
            [.. Enumerable.Range(0, shape.Length / Shapes.Dimensions).SelectMany(i => Enumerable.Range(0, i).Select(j => (float)Shapes.Distance(shape, i, j)))];
    }

    /// <summary>The largest difference between two distributions (Kolmogorov and Smirnov).</summary>
    public static double KolmogorovSmirnov(IEnumerable<double> one, IEnumerable<double> other)
    {
        double[] a = [.. one.Order()], b = [.. other.Order()];
        double worst = 0;
        for (int i = 0, j = 0; i < a.Length && j < b.Length;)
        {
            double at = Math.Min(a[i], b[j]);
            while (i < a.Length && a[i] <= at)
                i++;
            while (j < b.Length && b[j] <= at)
                j++;
            worst = Math.Max(worst, Math.Abs((double)i / a.Length - (double)j / b.Length));
        }
        return worst;
    }

    private sealed class Distances
    {
        public float[] Value { get; set; } = [];
    }
}
