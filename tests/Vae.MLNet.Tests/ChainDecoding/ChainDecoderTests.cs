using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.ChainDecoding;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Tests.ChainDecoding;

[TestClass]
public sealed class ChainDecoderTests
{
    private sealed class Row
    {
        public float[] Shape { get; set; } = [];
    }

    /// <summary>Chains with bonds near one, angles that bend one way or the other by turns, and no two beads nearer than 0.8.</summary>
    private static float[][] Chains(int count, int beads, int dimensions, int seed = 3, bool rigid = false)
    {
        var random = new Random(seed);
        var shapes = new List<float[]>();
        while (shapes.Count < count)
        {
            var shape = new float[beads * dimensions];
            double[] way = [1, 0, 0];
            bool apart = true;
            for (int i = 1; i < beads && apart; i++)
            {
                for (int c = 0; c < dimensions; c++)
                    way[c] += 0.9 * (random.NextDouble() - 0.5) * 2;
                double norm = Math.Sqrt(way.Take(dimensions).Sum(x => x * x)), bond = rigid ? 1 : 0.95 + 0.1 * random.NextDouble();
                for (int c = 0; c < dimensions; c++)
                {
                    way[c] /= norm;
                    shape[i * dimensions + c] = shape[(i - 1) * dimensions + c] + (float)(bond * way[c]);
                }
                for (int j = 0; j < i - 1; j++)
                    apart &= Distance(shape, i, j, dimensions) > 0.8;
            }
            if (apart)
                shapes.Add(shape);
        }
        return [.. shapes];
    }

    private static double Distance(ReadOnlySpan<float> shape, int i, int j, int d)
    {
        double sum = 0;
        for (int c = 0; c < d; c++)
            sum += (shape[i * d + c] - shape[j * d + c]) * (shape[i * d + c] - shape[j * d + c]);
        return Math.Sqrt(sum);
    }

    private static (VaeTransformer Model, IDataView Data) Train(float[][] chains, int dimensions, int epochs = 3)
    {
        var ml = new MLContext(1);
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, chains[0].Length);
        var data = ml.Data.LoadFromEnumerable(chains.Select(shape => new Row { Shape = shape }), definition);
        var centered = ml.Vae.CenterConformations("Centered", "Shape", dimensions).Append(ml.Vae.AlignPrincipalAxes("Aligned", "Centered", dimensions)).Fit(data).Transform(data);
        var model = ml.Vae.VariationalAutoencoder("Latent", "Aligned", new VaeTrainer.Options
        {
            LatentDimension = 2,
            HiddenLayers = [32],
            Scaling = InputScaling.None,
            Beta = 0.01f,
            Epochs = epochs,
            Seed = 1,
        }).Fit(centered);
        return (model, centered);
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Export_GraphDrawsWhatTheKernelDraws(int dimensions)
    {
        var (model, data) = Train(Chains(200, 7, dimensions), dimensions);
        using var owner = model;
        var decoder = new MLContext().Vae.FitChainDecoder(model, data, dimensions, new() { Steps = 40, BatchSize = 32, Seed = 2 });
        using var sampler = ChainSampler.Load(decoder.ToOnnx());
        Assert.AreEqual(7, sampler.Beads);
        Assert.AreEqual(decoder.Parts.Shape.NoiseSize, sampler.NoiseSize);

        const int Count = 300;
        var drawn = sampler.Sample(Count, 5);
        using var means = VaeDecoder.Load(VaeGraphs.DecoderFile(model.Model, false));
        var ghosts = new float[Count * sampler.FeatureCount];
        means.Decode(drawn.Latents.ToArray(), ghosts);
        float[] expected = ChainReference.Sample(decoder.Parts, drawn.Latents.ToArray(), ghosts, sampler.Noise(Count, 5));
        int same = Enumerable.Range(0, Count).Count(row => Enumerable.Range(0, sampler.FeatureCount)
            .All(k => Math.Abs(expected[row * sampler.FeatureCount + k] - drawn.Output(row)[k]) < 1e-3));
        // A place within rounding of the border between two candidates may fall to either.
        Assert.IsGreaterThan(Count * 97 / 100, same, $"{same} of {Count}");
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Symmetries_ImagesHaveTheSameDistances(int dimensions)
    {
        float[] chain = Chains(1, 5, dimensions)[0];
        var all = ChainSymmetry.Images(ChainSymmetries.Mirror | ChainSymmetries.Direction, chain, chain.Length, dimensions).Chunk(chain.Length).ToArray();
        Assert.HasCount(4, all);
        Assert.AreSequenceEqual(chain, all[0]);
        for (int i = 0; i < 5; i++)
        {
            for (int j = 0; j < i; j++)
            {
                double distance = Distance(chain, i, j, dimensions);
                Assert.AreEqual(distance, Distance(all[1], i, j, dimensions), 1e-6);
                Assert.AreEqual(distance, Distance(all[2], 4 - i, 4 - j, dimensions), 1e-6);
                Assert.AreEqual(distance, Distance(all[3], 4 - i, 4 - j, dimensions), 1e-6);
            }
        }
        Assert.AreNotEqual(chain[dimensions + 1], all[1][dimensions + 1] + (dimensions == 2 ? 0 : 1));
        Assert.AreSequenceEqual(chain[^dimensions..], all[2][..dimensions]);
        Assert.AreSequenceEqual(chain, ChainSymmetry.Images(ChainSymmetries.None, chain, chain.Length, dimensions));
    }

    /// <summary>Of few chains more is learned where each is seen from both ends and in the mirror.</summary>
    [TestMethod]
    public void Symmetries_OfFewChainsMoreIsLearned()
    {
        var (model, data) = Train(Chains(240, 8, 2), 2, epochs: 20);
        using var owner = model;
        double loss(ChainSymmetries symmetries) => new MLContext().Vae.FitChainDecoder(model, data, 2, new()
        {
            Steps = 500,
            Seed = 2,
            ValidationFraction = 0.5f,
            Symmetries = symmetries,
        }).Checks.Min(check => check.NegativeLogLikelihood);
        Assert.IsLessThan(loss(ChainSymmetries.None), loss(ChainSymmetries.Mirror | ChainSymmetries.Direction));
        Assert.Contains("Symmetries", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => loss((ChainSymmetries)4)).Message);
    }

    [TestMethod]
    public void Sample_KeepsWhatARuleAndACriticKeep()
    {
        var ml = new MLContext(1);
        var (model, data) = Train(Chains(300, 6, 2), 2);
        using var owner = model;
        using var sampler = ChainSampler.Load(ml.Vae.FitChainDecoder(model, data, 2, new() { Steps = 60, BatchSize = 32 }).ToOnnx());
        var plain = sampler.Sample(600, 4);
        bool wide(ReadOnlySpan<float> shape) => Distance(shape, 0, 5, 2) > 4.2;
        var ruled = sampler.Sample(50, 4, new() { Keep = wide });
        float[] expected = [.. plain.OutputArrays().Where(shape => wide(shape)).Take(50).SelectMany(shape => shape)];
        // Blocks of other sizes may take a place on the border of two candidates for the one or the other.
        Assert.IsGreaterThan(expected.Length * 95 / 100, expected.Zip(ruled.Outputs.ToArray()).Count(pair => Math.Abs(pair.First - pair.Second) < 1e-3));
        Assert.IsGreaterThan(50, (int)ruled.Drawn);

        IDataView view(IEnumerable<float[]> shapes)
        {
            var definition = SchemaDefinition.Create(typeof(Row));
            definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 12);
            return ml.Data.LoadFromEnumerable(shapes.Select(shape => new Row { Shape = shape }).ToArray(), definition);
        }
        float[][] drawn = sampler.Sample(1500, 9).OutputArrays();
        using var critic = VaeCritic.Load(ml.Vae.FitCritic(view(drawn.Where(shape => wide(shape))), view(drawn), new() { Dimensions = 2, Trees = 60 }).ToOnnx());
        var kept = sampler.Sample(200, 11, new() { Critic = critic });
        double share(DecodedLatents shapes) => shapes.OutputArrays().Average(shape => wide(shape) ? 1.0 : 0);
        Assert.IsGreaterThan(0.85, share(kept));
        Assert.IsLessThan(0.75, share(plain));
        Assert.IsLessThan(1, kept.Acceptance);
        // The mean of a mixture without spread is one of its means.
        Assert.IsLessThanOrEqualTo(40, sampler.Sample(300, 2, new() { Temperature = 0 }).LatentArrays().Select(z => (z[0], z[1])).Distinct().Count());
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Samples_KeepBondsAndDistancesAndFollowTheLatentVector(int dimensions)
    {
        float[][] chains = Chains(1000, 8, dimensions);
        var (model, data) = Train(chains, dimensions, epochs: 40);
        using var owner = model;
        var decoder = new MLContext().Vae.FitChainDecoder(model, data, dimensions, new() { Steps = dimensions == 2 ? 400 : 300, Seed = 2 });
        Assert.IsNotEmpty(decoder.Checks);
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        decoder.Export(path);
        using var sampler = ChainSampler.Load(path);
        File.Delete(path);
        var drawn = sampler.Sample(500, 1);
        int bonds = 0, near = 0, contacts = 0;
        double meanRg = 0, drawnRg = 0;
        for (int row = 0; row < 500; row++)
        {
            var shape = drawn.Output(row);
            for (int i = 1; i < 8; i++)
            {
                Assert.IsTrue(Distance(shape, i, i - 1, dimensions) is > 0.9 and < 1.1);
                bonds++;
                for (int j = 0; j < i - 1; j++)
                {
                    contacts++;
                    near += Distance(shape, i, j, dimensions) < 0.78 ? 1 : 0;
                }
            }
            drawnRg += End(shape);
        }
        foreach (float[] chain in chains)
            meanRg += End(chain) / 2;
        Assert.AreEqual(500 * 7, bonds);
        Assert.IsLessThan(contacts / 100, near, "Beads overlap.");
        Assert.AreEqual(1, drawnRg / meanRg, 0.1, "Chains are as long from end to end.");

        double End(ReadOnlySpan<float> shape) => Distance(shape, 0, 7, dimensions);
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Fit_RigidBondsAndStraightChains_GivesShapesOfThatKind(int dimensions)
    {
        float[][] chains = Chains(100, 6, dimensions, rigid: true);
        // Some chains are straight, so that angles are all alike there.
        for (int row = 0; row < 30; row++)
        {
            for (int i = 0; i < chains[row].Length; i++)
                chains[row][i] = i % dimensions == 0 ? i / dimensions : 0;
        }
        var (model, data) = Train(chains, dimensions);
        using var owner = model;
        var decoder = new MLContext().Vae.FitChainDecoder(model, data, dimensions, new() { Steps = 40, Seed = 2 });
        Assert.IsTrue(decoder.Checks.All(check => double.IsFinite(check.NegativeLogLikelihood)));
        using var sampler = ChainSampler.Load(decoder.ToOnnx());
        foreach (float[] shape in sampler.Sample(100, 1).OutputArrays())
        {
            for (int i = 1; i < 6; i++)
                Assert.AreEqual(1, Distance(shape, i, i - 1, dimensions), 0.01);
        }
    }

    [TestMethod]
    public void Fit_SameSeedGivesTheSameBytes()
    {
        var (model, data) = Train(Chains(120, 6, 2), 2);
        using var owner = model;
        var ml = new MLContext();
        byte[] first = ml.Vae.FitChainDecoder(model, data, 2, new() { Steps = 30, Seed = 4, Threads = 2 }).ToOnnx();
        byte[] second = ml.Vae.FitChainDecoder(model, data, 2, new() { Steps = 30, Seed = 4, Threads = 2 }).ToOnnx();
        byte[] other = ml.Vae.FitChainDecoder(model, data, 2, new() { Steps = 30, Seed = 5, Threads = 2 }).ToOnnx();
        Assert.AreSequenceEqual(first, second);
        Assert.IsFalse(first.SequenceEqual(other));
        using var sampler = ChainSampler.Load(first);
        Assert.AreSequenceEqual(sampler.Sample(20, 3).Outputs.ToArray(), sampler.Sample(20, 3).Outputs.ToArray());
        var film = sampler.Interpolate(sampler.Sample(1, 1).Latents.Span, sampler.Sample(1, 2).Latents.Span, 5, seed: 9);
        Assert.AreEqual(5, film.Count);
    }

    [TestMethod]
    public void Fit_RefusesWhatItCannotUse()
    {
        var ml = new MLContext();
        var (model, data) = Train(Chains(60, 6, 2), 2);
        using var owner = model;
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.FitChainDecoder(model, data, 4)).Message, "dimensions");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.FitChainDecoder(model, data, 2, new() { Steps = 0 })).Message, "Steps");
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => ml.Vae.FitChainDecoder(model, ml.Data.TakeRows(data, 5), 2)).Message, "20 rows");
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => ml.Vae.FitChainDecoder(model, data, 2, new() { CancellationToken = source.Token }));
        byte[] bytes = ml.Vae.FitChainDecoder(model, data, 2, new() { Steps = 5 }).ToOnnx();
        Assert.ThrowsExactly<InvalidDataException>(() => VaeDecoder.Load(bytes));
        Assert.ThrowsExactly<InvalidDataException>(() => ChainSampler.Load(bytes.AsMemory(0, bytes.Length / 2)));
        using var sampler = ChainSampler.Load(new MemoryStream(bytes));
        float[] noise = sampler.Noise(1, 1);
        noise[^1] = 1.5f;
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => sampler.Decode(new float[2], noise, new float[12])).Message, "1.5");
        StringAssert.Contains(
            Assert.ThrowsExactly<InvalidOperationException>(() => ml.Vae.FitChainDecoder(model, data, 2, new() { Steps = 40, LearningRate = 1e30f })).Message,
            "LearningRate");
        Assert.ThrowsExactly<ArgumentException>(() => sampler.Decode(new float[2], new float[3], new float[12]));
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(3e38f)]
    public void Decode_LatentThatIsNoNumberOrFarOut_GivesNoNumberOrACompleteShape(float value)
    {
        var (model, data) = Train(Chains(60, 6, 2), 2);
        using var owner = model;
        using var sampler = ChainSampler.Load(new MLContext().Vae.FitChainDecoder(model, data, 2, new() { Steps = 20 }).ToOnnx());
        float[] shapes = new float[24], noise = sampler.Noise(2, 1);
        sampler.Decode([value, 0, 0.1f, 0.2f], noise, shapes);
        float[] alone = new float[12];
        sampler.Decode([0.1f, 0.2f], noise.AsSpan(sampler.NoiseSize), alone);
        for (int k = 0; k < 12; k++)
        {
            Assert.AreEqual(alone[k], shapes[12 + k], 1e-3f, "The row beside it is what it is alone.");
            Assert.AreEqual(float.IsFinite(shapes[0]), float.IsFinite(shapes[k]), "A shape is whole or none.");
        }
        if (!float.IsFinite(value))
            Assert.IsFalse(float.IsFinite(shapes[0]));
    }

    [TestMethod]
    public void Fit_SlotNamesInAnotherOrder_Refused()
    {
        float[][] chains = Chains(60, 3, 2);
        var ml = new MLContext(1);
        string[] names = ["ax", "ay", "bx", "by", "cx", "cy"];
        IDataView Named(string[] order)
        {
            var definition = SchemaDefinition.Create(typeof(Row));
            definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 6);
            definition[0].AddAnnotation("SlotNames", new VBuffer<ReadOnlyMemory<char>>(6, [.. order.Select(name => name.AsMemory())]), new VectorDataViewType(TextDataViewType.Instance, 6));
            return ml.Data.LoadFromEnumerable(chains.Select(shape => new Row { Shape = shape }), definition);
        }
        using var model = ml.Vae.VariationalAutoencoder("Latent", "Shape", new VaeTrainer.Options { HiddenLayers = [8], Epochs = 1, Scaling = InputScaling.None }).Fit(Named(names));
        ml.Vae.FitChainDecoder(model, Named(names), 2, new() { Steps = 2 });
        string[] swapped = ["cx", "ay", "bx", "by", "ax", "cy"];
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.FitChainDecoder(model, Named(swapped), 2)).Message, "cx");
    }

    [TestMethod]
    public void Coordinates_PlaceAndValueAreInverse()
    {
        foreach (int dimensions in new[] { 2, 3 })
        {
            float[] flat = [.. Chains(300, 6, dimensions).SelectMany(shape => shape)];
            var coordinates = ChainCoordinates.Fit(flat, 6, dimensions);
            for (int bead = 1; bead < 6; bead++)
            {
                for (int c = 0; c < dimensions; c++)
                {
                    for (float place = 0.01f; place < 1; place += 0.013f)
                        Assert.AreEqual(place, coordinates.Place(bead, c, coordinates.Value(bead, c, place), out _), 0.002f);
                }
            }
        }
    }
}
