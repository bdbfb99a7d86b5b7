using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace BeadSpringPolymer;

/// <summary>
/// What the exported chain decoder is asked for: samples, films between frames, compact shapes; and how well its samples pass for frames
/// of the simulation.
/// </summary>
internal sealed class ChainUse(ChainSampler sampler, VaeCritic critic, PhysicalRanges physical, int seed, CancellationToken cancellationToken)
{
    /// <summary>Films between pairs of latent vectors.</summary>
    public float[][][] Films(IEnumerable<(float[] From, float[] To)> pairs, int steps) =>
        [.. pairs.Select((pair, i) => sampler.Interpolate(pair.From, pair.To, steps, seed + i, critic: critic).OutputArrays())];

    /// <summary>
    /// Compact shapes: from each start a random walk in latent vector and noise, of which only steps to physical shapes of smaller Rg are
    /// taken. Noise stays noise: normal numbers move along an ellipse and uniform ones around a circle, so that whatever is reached is a
    /// draw that the decoder could have made.
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
                    triedNoise[i * noiseSize + k] = k < sampler.Dimensions
                        ? (float)(stay * now + move * Normal())
                        : (now + (float)(move * (random.NextDouble() - 0.5)) + 1) % 1;
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

    /// <summary>
    /// Boosted trees on all distances, judged by cross-validation: 0.5 says that samples and frames cannot be told apart; and whether samples
    /// are nearer to the frames trained on than fresh frames are.
    /// </summary>
    public static SampleComparison Compare(
        IReadOnlyList<float[]> real,
        IReadOnlyList<float[]> sampled,
        IReadOnlyList<float[]> training,
        CancellationToken cancellationToken)
    {
        var context = new MLContext();
        return context.Vae.CompareSamples(View(context, real, Distances), View(context, sampled, Distances), new()
        {
            Pairs = 0,
            RealHalves = false,
            Training = View(context, training, Distances),
            CancellationToken = cancellationToken,
        });

        static float[] Distances(float[] shape) =>
        [
            .. Enumerable.Range(0, shape.Length / Shapes.Dimensions)
                .SelectMany(i => Enumerable.Range(0, i).Select(j => (float)Shapes.Distance(shape, i, j))),
        ];
    }

    /// <summary>Kolmogorov and Smirnov's distance of the distributions of Rg, and of the end-to-end distance.</summary>
    public static (double Rg, double EndToEnd) CompareSizes(IReadOnlyList<float[]> real, IReadOnlyList<float[]> sampled)
    {
        var context = new MLContext();
        // The classifier has no part in these.
        var options = new CompareSamplesOptions { Pairs = 0, RealHalves = false, Trees = 1, Folds = 2, ClassifierRows = 100 };
        var columns = context.Vae.CompareSamples(View(context, real, Sizes), View(context, sampled, Sizes), options).Columns;
        return (Of(0), Of(1));

        double Of(int slot) => columns.Single(column => column.Name == $"{nameof(Numbers.Value)}[{slot}]").Distance;

        static float[] Sizes(float[] shape) => [(float)Shapes.RadiusOfGyration(shape), (float)Shapes.EndToEnd(shape)];
    }

    public static IDataView View(MLContext context, IReadOnlyList<float[]> shapes) => View(context, shapes, shape => shape);

    private static IDataView View(MLContext context, IReadOnlyList<float[]> shapes, Func<float[], float[]> numbers)
    {
        var definition = SchemaDefinition.Create(typeof(Numbers));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, numbers(shapes[0]).Length);
        return context.Data.LoadFromEnumerable(shapes.Select(shape => new Numbers { Value = numbers(shape) }), definition);
    }

    private sealed class Numbers
    {
        public float[] Value { get; set; } = [];
    }
}
