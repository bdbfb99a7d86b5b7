using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Pipelines;

namespace Vae.MLNet.Tests.Pipelines;

/// <summary>An exported pipeline as an encoder of raw data.</summary>
[TestClass]
public sealed class PipelineEncoderTests
{
    private const int Beads = 6;

    private readonly MLContext _context = new(seed: 1);

    private sealed class Row
    {
        public float[] Conformation { get; set; } = [];

        public float Temperature { get; set; }
    }

    [TestMethod]
    public void Load_Pipeline_EncodesRawCoordinates()
    {
        var data = Data(rows: 300);
        var model = Pipeline().Fit(data);
        byte[] file = PipelineExport.Create(_context, model, data.Schema, new() { StandardDeviation = true, Reconstruction = true, Score = true }).File;
        using var encoder = VaeEncoder.Load(file);
        Assert.AreEqual((2 * Beads, 3, true), (encoder.FeatureCount, encoder.LatentDimension, encoder.HasStandardDeviation));

        float[][] raw = [.. data.GetColumn<float[]>("Conformation")], latents = [.. model.Transform(data).GetColumn<float[]>("Code")];
        var means = new float[raw.Length * 3];
        var deviations = new float[raw.Length * 3];
        Assert.AreEqual(raw.Length, encoder.Encode([.. raw.SelectMany(row => row)], means, deviations));
        for (int i = 0; i < raw.Length; i++)
        {
            for (int k = 0; k < 3; k++)
                Assert.AreEqual(latents[i][k], means[3 * i + k], 1e-4f, $"row {i}");
        }
        var one = encoder.EncodePosterior(raw[7]);
        for (int k = 0; k < 3; k++)
        {
            Assert.AreEqual(means[21 + k], one.Mean[k], 1e-5f);
            Assert.AreEqual(deviations[21 + k], one.StandardDeviation[k], 1e-5f);
            Assert.IsGreaterThan(0, one.StandardDeviation[k]);
        }
        // Alignment is in the file: a turned chain has the same latent, which an encoder of aligned data would not give.
        float[] turned = [.. raw[7].Chunk(2).SelectMany(bead => new[] { 0.6f * bead[0] - 0.8f * bead[1] + 5, 0.8f * bead[0] + 0.6f * bead[1] - 3 })];
        float[] again = encoder.Encode(turned);
        for (int k = 0; k < 3; k++)
            Assert.AreEqual(one.Mean[k], again[k], 1e-3f);
    }

    [TestMethod]
    public void Load_PipelineWithoutDeviation_EncodesMeans()
    {
        var data = Data(rows: 60);
        var model = Pipeline().Fit(data);
        using var encoder = VaeEncoder.Load(PipelineExport.Create(_context, model, data.Schema, new() { WeightType = OnnxWeightType.Float16 }).File);
        Assert.IsFalse(encoder.HasStandardDeviation);
        float[] raw = data.GetColumn<float[]>("Conformation").First(), expected = model.Transform(data).GetColumn<float[]>("Code").First(), found = encoder.Encode(raw);
        for (int k = 0; k < 3; k++)
            Assert.AreEqual(expected[k], found[k], 1e-2f);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => encoder.EncodePosterior(raw)).Message, "StandardDeviation");
        Assert.ThrowsExactly<InvalidOperationException>(() => encoder.Encode(raw, new float[3], new float[3]));
    }

    [TestMethod]
    public void Load_PipelineThatIsNoEncoder_SaysWhy()
    {
        var data = Data(rows: 60);
        var model = Pipeline().Fit(data);
        Refused(PipelineExport.Create(_context, model, data.Schema, new() { Latent = false, Score = true }).File, "without its latent");

        var joined = _context.Transforms.Concatenate("Features", "Conformation", "Temperature")
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Features", new() { HiddenLayers = [8], Epochs = 1, Threads = 1 })).Fit(data);
        Refused(PipelineExport.Create(_context, joined, data.Schema, new()).File, "Conformation, Temperature");

        var centred = _context.Vae.CenterConformations("Centered", "Conformation", 2).Fit(data);
        Refused(PipelineExport.Create(_context, centred, data.Schema, new() { Latent = false }).File, "vae.latent");
        Refused(joined.LastTransformer.Model.ToDecoderOnnx(), "'encoder' or 'pipeline'");

        static void Refused(byte[] file, string expected)
        {
            string message = Assert.ThrowsExactly<InvalidDataException>(() => VaeEncoder.Load(file, new() { Name = "my.onnx" })).Message;
            StringAssert.StartsWith(message, "'my.onnx': ");
            StringAssert.Contains(message, expected);
        }
    }

    private IEstimator<TransformerChain<VaeTransformer>> Pipeline() => _context.Vae.CenterConformations("Centered", "Conformation", 2)
        .Append(_context.Vae.AlignPrincipalAxes("Aligned", "Centered", 2))
        .Append(_context.Transforms.NormalizeMeanVariance("Scaled", "Aligned"))
        .Append(_context.Vae.VariationalAutoencoder("Code", "Scaled", new() { LatentDimension = 3, HiddenLayers = [16], Epochs = 1, Threads = 1 }));

    /// <summary>Random walks in the plane.</summary>
    private IDataView Data(int rows)
    {
        var random = new Random(5);
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[nameof(Row.Conformation)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 2 * Beads);
        return _context.Data.LoadFromEnumerable(Enumerable.Range(0, rows).Select(_ =>
        {
            double x = 0, y = 0;
            return new Row
            {
                Temperature = random.NextSingle(),
                Conformation = [.. Enumerable.Range(0, Beads).SelectMany(_ => new[] { (float)(x += random.NextDouble()), (float)(y += random.NextDouble() - 0.5) })],
            };
        }).ToArray(), definition);
    }
}
