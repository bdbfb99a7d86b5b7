using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Tests.Onnx;

namespace Vae.MLNet.Tests.Conformations;

[TestClass]
public sealed class CartesianDecoderTests
{
    private const int Beads = 7;

    private static readonly float[] Odd = [0, 1, 0, 1, 0, 1, 1];

    private readonly MLContext _context = new(seed: 1);
    private readonly string _file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");

    [TestCleanup]
    public void Clean() => File.Delete(_file);

    [TestMethod]
    [DataRow(2, false, InputScaling.None)]
    [DataRow(3, false, InputScaling.Standardize)]
    [DataRow(2, true, InputScaling.Auto)]
    [DataRow(3, true, InputScaling.RobustAsinh)]
    public void ExportCartesianDecoder_GivesChainsAndTheirGradient(int dimensions, bool pairs, InputScaling scaling)
    {
        var options = new InternalCoordinatesOptions { AsSineCosine = pairs };
        var (model, data) = Train(dimensions, options, scaling);
        var report = _context.Vae.ExportCartesianDecoder(model.Model, _file, dimensions, options);
        Assert.IsLessThan(report.Tolerance, report.LargestError!.Value);
        Assert.AreEqual(new FileInfo(_file).Length, report.Bytes);
        OnnxChecker.AssertValid(File.ReadAllBytes(_file));

        using var decoder = VaeDecoder.Load(_file);
        Assert.AreEqual(Beads * dimensions, decoder.FeatureCount);
        Assert.IsTrue(decoder.SupportsGradient);
        Assert.AreEqual(dimensions.ToString(), decoder.Metadata["vae.dimensions"]);

        // What the plain decoder gives, built by the transform.
        using var plain = VaeDecoder.Load(model.Model.ToDecoderOnnx());
        float[][] latents = [.. Enumerable.Range(0, 20).Select(i => new[] { MathF.Sin(i), MathF.Cos(2 * i) })];
        float[][] numbers = [.. latents.Select(z => plain.Decode(z))];
        var internals = EstimatorContract.Load(_context, numbers);
        using var build = _context.Vae.CartesianCoordinates("Shape", EstimatorContract.Input, dimensions, options).Fit(internals);
        float[][] expected = [.. build.Transform(internals).GetColumn<float[]>("Shape")];
        EstimatorContract.AssertSame(expected, [.. latents.Select(z => decoder.Decode(z))], 1e-5, "decoded chains");

        AssertGradient(decoder, latents, dimensions);
        var radius = LatentObjective.RadiusOfGyration(dimensions);
        var compact = decoder.Optimize(radius, latents[3], new() { Steps = 50 });
        Assert.IsLessThan(compact.Values[0], compact.BestValue);
        Assert.AreEqual(30, decoder.Sample(30, seed: 1).Count);
        // Noise about bonds and angles is none about coordinates.
        Assert.IsEmpty(decoder.Noise);
        Assert.ThrowsExactly<InvalidOperationException>(() => decoder.Sample(1, 1, new() { Noise = true }));
    }

    /// <summary>Against differences of fourth order, in steps long enough for single precision.</summary>
    private static void AssertGradient(VaeDecoder decoder, float[][] latents, int dimensions)
    {
        var random = new Random(7);
        float[] cotangent = [.. Enumerable.Range(0, Beads * dimensions).Select(_ => (float)Shapes.Normal(random))];
        const float Step = 1.0f / 64;
        foreach (float[] z in latents)
        {
            var gradient = new float[z.Length];
            decoder.Gradient(z, cotangent, gradient);
            for (int k = 0; k < z.Length; k++)
            {
                double Value(float step)
                {
                    float[] moved = [.. z];
                    moved[k] += step;
                    return decoder.Decode(moved).Zip(cotangent, (x, c) => (double)x * c).Sum();
                }
                double slope = (8 * (Value(Step) - Value(-Step)) - (Value(2 * Step) - Value(-2 * Step))) / (12 * Step);
                Assert.AreEqual(slope, gradient[k], 2e-3 * Math.Max(1, gradient.Max(MathF.Abs)), $"z = {string.Join(", ", z)}, number {k}");
            }
        }
    }

    [TestMethod]
    public void ExportCartesianDecoder_TakesTheExportsOptions()
    {
        var (model, _) = Train(2, new(), InputScaling.Standardize);
        var options = new OnnxExportOptions { WeightType = OnnxWeightType.Float16, WithGradient = false };
        var half = _context.Vae.ExportCartesianDecoder(model.Model, _file, 2, null, options);
        Assert.IsGreaterThan(1e-5, half.Tolerance);
        using var decoder = VaeDecoder.Load(_file);
        Assert.IsFalse(decoder.SupportsGradient);
        Assert.HasCount(2 * Beads, decoder.Decode([0, 0]));
        var whole = _context.Vae.ExportCartesianDecoder(model.Model, _file, 2);
        Assert.IsLessThan(whole.Bytes, half.Bytes);
        Assert.IsTrue(model.Model.ToDecoderOnnx().AsSpan().SequenceEqual(model.Model.ToDecoderOnnx()));

        // From a saved pipeline as well.
        string zip = _file + ".zip";
        try
        {
            var data = EstimatorContract.Load(_context, [], 2 * Beads);
            using var there = _context.Vae.InternalCoordinates("Internal", EstimatorContract.Input, 2).Fit(data);
            _context.Model.Save(there.Append(model), data.Schema, zip);
            byte[] before = File.ReadAllBytes(_file);
            _context.Vae.ExportCartesianDecoder(VaeModel.FromPipeline(zip), _file, 2);
            Assert.IsTrue(before.AsSpan().SequenceEqual(File.ReadAllBytes(_file)));
        }
        finally
        {
            File.Delete(zip);
        }
    }

    [TestMethod]
    public void ExportCartesianDecoder_SaysWhatDoesNotFit()
    {
        var (model, _) = Train(2, new(), InputScaling.None);
        Refused<ArgumentException>(() => _context.Vae.ExportCartesianDecoder(model.Model, _file, 3), "11 features", "n - 3 torsions");
        var pairs = new InternalCoordinatesOptions { AsSineCosine = true };
        Refused<ArgumentException>(() => _context.Vae.ExportCartesianDecoder(model.Model, _file, 2, pairs), "11 features", "cosines");
        Refused<ArgumentOutOfRangeException>(() => _context.Vae.ExportCartesianDecoder(model.Model, _file, 4), "dimensions", "4");
        // Seven numbers: five beads with angles, or four with sines and cosines.
        var five = EstimatorContract.Load(_context, InternalCoordinatesTests.Rows(100, 5, 2));
        var named = _context.Vae.InternalCoordinates("Internal", EstimatorContract.Input, 2)
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Internal", InternalCoordinatesTests.Small())).Fit(five)
            .LastTransformer.Model;
        Refused<ArgumentException>(
            () => _context.Vae.ExportCartesianDecoder(named, _file, 2, pairs), "feature 3", "'bond 4-5'", "'sin angle 1-2-3'");
        var zeros = EstimatorContract.Load(_context, [.. Enumerable.Range(0, 100).Select(i => Array.ConvertAll(Odd, j => (i + j) % 2))]);
        var bits = _context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input,
            InternalCoordinatesTests.Small() with { Likelihood = Likelihood.Bernoulli, Scaling = InputScaling.None }).Fit(zeros).Model;
        Refused<ArgumentException>(() => _context.Vae.ExportCartesianDecoder(bits, _file, 2), "Bernoulli");
        Assert.IsFalse(File.Exists(_file), "Nothing was written.");

        static void Refused<T>(Action action, params string[] words)
            where T : Exception
        {
            var error = Assert.ThrowsExactly<T>(action);
            foreach (string word in words)
                Assert.Contains(word, error.Message);
        }
    }

    private (VaeTransformer Model, IDataView Data) Train(int dimensions, InternalCoordinatesOptions options, InputScaling scaling)
    {
        var data = EstimatorContract.Load(_context, InternalCoordinatesTests.Rows(500, Beads, dimensions));
        var numbers = _context.Vae.InternalCoordinates("Internal", EstimatorContract.Input, dimensions, options).Fit(data).Transform(data);
        var trainer = InternalCoordinatesTests.Small() with { Scaling = scaling, Activation = Activation.SiLU, Beta = 0.001f, Epochs = 10 };
        return (_context.Vae.VariationalAutoencoder("Latent", "Internal", trainer).Fit(numbers), data);
    }
}
