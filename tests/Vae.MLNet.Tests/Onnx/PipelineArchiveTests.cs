using System.Buffers.Binary;
using System.IO.Compression;
using Microsoft.ML;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Tests.Onnx;

[TestClass]
public sealed class PipelineArchiveTests
{
    private static readonly VaeTrainer.Options Small = new() { HiddenLayers = [8], Epochs = 1, BatchSize = 32, Threads = 1 };

    [TestMethod]
    public void ExtractDecoder_FromNestedChains()
    {
        string folder = Directory.CreateTempSubdirectory("vae-mlnet-").FullName;
        try
        {
            var context = new MLContext(seed: 1);
            var data = EstimatorContract.Load(context, TestRows.Curved(100, 6));
            var inner = context.Transforms.NormalizeMinMax("Scaled", EstimatorContract.Input).Append(context.Vae.VariationalAutoencoder("Latent", "Scaled", Small with { ScoreColumnName = "Score" })).Fit(data);
            var model = new Microsoft.ML.Data.TransformerChain<ITransformer>(context.Transforms.CopyColumns("Copy", EstimatorContract.Input).Fit(data), inner);
            string zip = Path.Combine(folder, "pipeline.zip"), decoder = Path.Combine(folder, "decoder.onnx");
            context.Model.Save(model, data.Schema, zip);

            VaeModelOnnxTests.AssertSame(inner.LastTransformer.Model, VaeModel.FromPipeline(zip));
            Assert.HasCount(1, context.Vae.ExtractModels(zip));
            var report = context.Vae.ExtractDecoder(zip, decoder, new() { WithGradient = true });
            Assert.AreSequenceEqual(inner.LastTransformer.Model.ToDecoderOnnx(withGradient: true), File.ReadAllBytes(decoder));
            Assert.IsLessThan(1e-5, report.LargestError!.Value);

            // Alone, not in a chain.
            context.Model.Save(inner.LastTransformer, inner.Transform(data).Schema, zip);
            VaeModelOnnxTests.AssertSame(inner.LastTransformer.Model, VaeModel.FromPipeline(zip));

            context.Model.Save(new Microsoft.ML.Data.TransformerChain<ITransformer>(inner, context.Vae.VariationalAutoencoder("Second", "Latent", Small with { HiddenLayers = [4] }).Fit(inner.Transform(data))), data.Schema, zip);
            Assert.HasCount(2, context.Vae.ExtractModels(zip));
            Assert.Contains("holds 2 autoencoders", Assert.ThrowsExactly<InvalidDataException>(() => context.Vae.ExtractDecoder(zip, decoder)).Message);

            context.Model.Save(context.Transforms.CopyColumns("Copy", EstimatorContract.Input).Fit(data), data.Schema, zip);
            var error = Assert.ThrowsExactly<InvalidDataException>(() => VaeModel.FromPipeline(zip));
            Assert.Contains("no ONNX model", error.Message);
            Assert.Contains(zip, error.Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestMethod]
    public void Read_Bomb()
    {
        var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var entry = zip.CreateEntry("Model/OnnxModel").Open();
            var block = new byte[1 << 20];
            BinaryPrimitives.WriteInt32LittleEndian(block, (64 << 20) - 4);
            for (int i = 0; i < 64; i++)
            {
                entry.Write(block);
                block.AsSpan().Clear();
            }
        }
        Assert.IsLessThan(100_000L, bytes.Length);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => PipelineArchive.Read(bytes, "bomb.zip"));
        Assert.Contains("unpack to more than", error.Message);
        Assert.Contains("bomb.zip: Model/OnnxModel", error.Message);
        Assert.IsLessThan(100_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    [DataRow("text", "no zip archive")]
    [DataRow("length", "not a length and a model of that length")]
    [DataRow("short", "not a length and a model of that length")]
    [DataRow("directory", "directory")]
    [DataRow("zip64", "zip64")]
    [DataRow("damaged", "damaged")]
    public void Read_Hostile(string what, string expected)
    {
        byte[] model = OnnxTestModels.Create().ToOnnx();
        byte[] file = what switch
        {
            "text" => System.Text.Encoding.UTF8.GetBytes("no archive"),
            "length" => FuzzCases.Zip(model.Length + 7, model),
            "short" => FuzzCases.Zip(null, [1, 2]),
            _ => FuzzCases.Zip(model.Length, model),
        };
        int end = file.AsSpan().LastIndexOf("PK\u0005\u0006"u8);
        switch (what)
        {
            case "directory": BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(end + 16), 0x7FFFFFFF); break;
            case "zip64": BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(end + 16), uint.MaxValue); break;
            case "damaged": file.AsSpan(60, 2000).Fill(0x55); break;
        }
        var error = Assert.ThrowsExactly<InvalidDataException>(() => PipelineArchive.Read(new MemoryStream(file), "file.zip"));
        Assert.Contains(expected, error.Message);
        Assert.Contains("file.zip", error.Message);
    }
}
