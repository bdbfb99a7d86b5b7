using Google.Protobuf;
using Microsoft.ML;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Tests.Onnx;

[TestClass]
public sealed class VaeModelOnnxTests
{
    [TestMethod]
    public void FromOnnx_GivesTheModelBack()
    {
        foreach (var options in OnnxTestModels.Variants)
        {
            var model = OnnxTestModels.Create(options);
            var read = VaeModel.FromOnnx(model.ToOnnx());
            AssertSame(model, read);
            Assert.AreSequenceEqual(model.ToOnnx(), read.ToOnnx(), "Writing again gives the same bytes.");
            Assert.AreSequenceEqual(model.ToDecoderOnnx(), read.ToDecoderOnnx());
        }
    }

    [TestMethod]
    public void FromOnnx_DecoderInTheMetadata()
    {
        // Only the latent is a column: the decoder's parameters are no part of the graph.
        foreach (var options in OnnxTestModels.Variants)
        {
            var model = OnnxTestModels.Create(options);
            byte[] file = VaeGraphs.ModelFile(model, "x", "z", new(), forSaving: true);
            Assert.IsFalse(ModelProto.Parser.ParseFrom(file).Graph.Initializer.Any(tensor => tensor.Name == "/vae/output.weight"));
            AssertSame(model, VaeModel.FromOnnx(file));
        }
    }

    [TestMethod]
    public void FromOnnx_FileAndStream()
    {
        string path = Path.Combine(Path.GetTempPath(), $"vae-{Guid.NewGuid():N}.onnx");
        try
        {
            var model = OnnxTestModels.Create();
            model.Save(path);
            AssertSame(model, VaeModel.FromOnnx(path));
            using (var stream = File.OpenRead(path))
                AssertSame(model, VaeModel.FromOnnx(stream));
            File.WriteAllBytes(path, model.ToOnnx()[..^100]);
            var error = Assert.ThrowsExactly<InvalidDataException>(() => VaeModel.FromOnnx(path));
            Assert.Contains(path, error.Message);
            Assert.Contains("truncated", error.Message);
        }
        finally
        {
            File.Delete(path);
        }
        Assert.ThrowsExactly<FileNotFoundException>(() => VaeModel.FromOnnx(path));
    }

    [TestMethod]
    public void FromOnnx_WarmStart()
    {
        var context = new MLContext(seed: 1);
        var data = EstimatorContract.Load(context, TestRows.Curved(200, 6));
        var options = new VaeTrainer.Options { HiddenLayers = [8], Epochs = 2, BatchSize = 32, Threads = 1 };
        using var first = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, options).Fit(data);
        var read = VaeModel.FromOnnx(first.Model.ToOnnx());
        using var fromMemory = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, options with { WarmStart = first.Model }).Fit(data);
        using var fromFile = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, options with { WarmStart = read }).Fit(data);
        Assert.AreSequenceEqual(fromMemory.Model.Parameters, fromFile.Model.Parameters);
        Assert.AreSequenceEqual(first.Model.Residual, read.Residual);
    }

    [TestMethod]
    public void FromOnnx_HalfAModel()
    {
        var model = OnnxTestModels.Create();
        Refused(model.ToDecoderOnnx(), "holds no encoder");
        Refused(model.ToEncoderOnnx(), "holds no decoder");
    }

    [TestMethod]
    [DataRow("format", "version '7'", "'1' is expected")]
    [DataRow("no format", "not written by this library", "vae.format")]
    [DataRow("kind", "no decoder", "pipeline")]
    [DataRow("features", "'vae.features' is '99999999999999'", "whole number")]
    [DataRow("options", "vae.options", "options")]
    [DataRow("latent", "latent", "3")]
    [DataRow("huge network", "parameters", "options")]
    [DataRow("wide layer", "shape", "expected")]
    [DataRow("dims", "impossible shape", "9223372036854775807")]
    [DataRow("long dims", "holds", "are expected")]
    [DataRow("external", "external file", "output.weight")]
    [DataRow("operator", "'Loop'", "none that this library uses")]
    [DataRow("domain", "com.microsoft", "'Gemm'")]
    [DataRow("imported domain", "com.evil", "ai.onnx")]
    [DataRow("opset", "opset 99", "17 is expected")]
    [DataRow("nan", "NaN", "finite")]
    [DataRow("base64", "base64", "576 bytes")]
    [DataRow("twice", "comes twice", "vae.kind")]
    [DataRow("residual", "vae.residual", "finite")]
    [DataRow("training", "vae.training", "JSON")]
    [DataRow("no graph", "no graph", "ONNX")]
    public void FromOnnx_Hostile(string what, string expected, string also)
    {
        var model = ModelProto.Parser.ParseFrom(VaeGraphs.ModelFile(OnnxTestModels.Create(), "x", "z", new() { Reconstruction = "r" }, forSaving: true));
        var output = model.Graph.Initializer.Single(tensor => tensor.Name == "/vae/output.weight");
        switch (what)
        {
            case "format": Metadata("vae.format", "7"); break;
            case "no format": model.MetadataProps.Remove(model.MetadataProps.Single(entry => entry.Key == "vae.format")); break;
            case "kind": Metadata("vae.kind", "pipeline"); model.Graph.Initializer.Remove(output); break;
            case "features": Metadata("vae.features", "99999999999999"); break;
            case "options": Metadata("vae.options", "{\"hiddenLayers\":null}"); break;
            case "latent": Metadata("vae.latent", "4"); break;
            case "huge network": Metadata("vae.options", Option("\"hiddenLayers\":[16,8]", "\"hiddenLayers\":[1048576,1048576]")); break;
            case "wide layer": Metadata("vae.options", Option("\"hiddenLayers\":[16,8]", "\"hiddenLayers\":[16000,8000]")); break;
            case "dims": output.Dims.Clear(); output.Dims.Add([long.MaxValue, long.MaxValue]); break;
            case "long dims": output.Dims.Clear(); output.Dims.Add([12, 1 << 24]); break;
            case "external": output.DataLocation = 1; output.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "/etc/passwd" }); break;
            case "operator": model.Graph.Node[0].OpType = "Loop"; break;
            case "domain": model.Graph.Node[0].Domain = "com.microsoft"; break;
            case "imported domain": model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.evil", Version = 1 }); break;
            case "opset": model.OpsetImport[0].Version = 99; break;
            case "nan":
                byte[] bytes = output.RawData.ToByteArray();
                BitConverter.TryWriteBytes(bytes.AsSpan(8), float.NaN);
                output.RawData = ByteString.CopyFrom(bytes);
                break;
            case "base64":
                model.Graph.Initializer.Remove(output);
                model.MetadataProps.Add(new StringStringEntryProto { Key = "vae.parameters.output.weight", Value = new string('!', 12 * 12 * 4 / 3 * 4) });
                break;
            case "twice": model.MetadataProps.Add(new StringStringEntryProto { Key = "vae.kind", Value = "vae" }); break;
            case "residual": Metadata("vae.residual", "[1,2]"); break;
            case "training": Metadata("vae.training", "{"); break;
            case "no graph": model.Graph = null; break;
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Refused(model.ToByteArray(), expected);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Contains(also, message);
        Assert.IsLessThan(4_000_000, allocated, "A refused file costs little memory.");

        void Metadata(string key, string value) => model.MetadataProps.Single(entry => entry.Key == key).Value = value;

        string Option(string found, string replacement)
        {
            string json = model.MetadataProps.Single(entry => entry.Key == "vae.options").Value;
            Assert.Contains(found, json);
            return json.Replace(found, replacement);
        }
    }

    [TestMethod]
    public void FromOnnx_ManyEmptyMessages()
    {
        // Two bytes each, a hundred in memory.
        byte[] graph = new byte[4_000_000];
        for (int i = 0; i < graph.Length; i += 2)
            graph[i] = 0x0A;
        var stream = new MemoryStream();
        var coded = new CodedOutputStream(stream, leaveOpen: true);
        coded.WriteTag(7, WireFormat.WireType.LengthDelimited);
        coded.WriteBytes(ByteString.CopyFrom(graph));
        coded.Flush();
        long before = GC.GetAllocatedBytesForCurrentThread();
        byte[] file = stream.ToArray();
        Refused(file, "more than 500000 fields");
        Assert.IsLessThan(20_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
        Refused([], "empty");
        Refused(System.Text.Encoding.UTF8.GetBytes("this is no model at all, but a text"), "ONNX");
    }

    [TestMethod]
    public void Exports_AreValid()
    {
        foreach (var options in OnnxTestModels.Variants)
        {
            var model = OnnxTestModels.Create(options);
            OnnxChecker.AssertValid(model.ToOnnx());
            OnnxChecker.AssertValid(model.ToEncoderOnnx());
            OnnxChecker.AssertValid(model.ToDecoderOnnx());
            OnnxChecker.AssertValid(model.ToDecoderOnnx(withGradient: true));
            OnnxChecker.AssertValid(VaeGraphs.ModelFile(model, "x", "z", new() { StandardDeviation = "s", Reconstruction = "r", Score = "t" }, forSaving: true));
            OnnxChecker.AssertValid(HalfWeights.Apply(model.ToDecoderOnnx(withGradient: true)));
            OnnxChecker.AssertValid(HalfWeights.Apply(model.ToEncoderOnnx()));
        }
    }

    [TestMethod]
    public void Export_HalfPrecision()
    {
        string path = Path.Combine(Path.GetTempPath(), $"vae-{Guid.NewGuid():N}.onnx");
        try
        {
            var model = OnnxTestModels.Create(OnnxTestModels.Flagship, 24);
            var full = model.ExportDecoder(path, new OnnxExportOptions { WithGradient = false });
            Assert.AreEqual(new FileInfo(path).Length, full.Bytes);
            Assert.IsLessThan(1e-5, full.LargestError!.Value);
            var half = model.ExportDecoder(path, new OnnxExportOptions { WeightType = OnnxWeightType.Float16, WithGradient = false });
            Assert.AreEqual(new FileInfo(path).Length, half.Bytes);
            Assert.IsLessThan(0.52, (double)half.Bytes / full.Bytes);
            Assert.IsGreaterThan(1e-6, half.LargestError!.Value, "Rounding to half precision shows.");
            Assert.IsLessThan(2e-3, half.LargestError.Value);
            Assert.AreEqual(1e-2, half.Tolerance);
            Assert.AreEqual("Float16", OnnxWire.Metadata(File.ReadAllBytes(path), path)["vae.weightType"]);
            var gradient = model.ExportDecoder(path, new OnnxExportOptions { WeightType = OnnxWeightType.Float16 });
            Assert.IsLessThan(0.1, gradient.LargestError!.Value);
            Assert.IsLessThan(2e-3, model.ExportEncoder(path, new OnnxExportOptions { WeightType = OnnxWeightType.Float16 }).LargestError!.Value);

            model.Parameters[0] = 1e6f;
            File.Delete(path);
            Assert.Contains("beyond half precision", Assert.ThrowsExactly<InvalidOperationException>(() => model.ExportEncoder(path, new OnnxExportOptions { WeightType = OnnxWeightType.Float16 })).Message);
            Assert.IsFalse(File.Exists(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    public static void AssertSame(VaeModel expected, VaeModel found)
    {
        Assert.AreSequenceEqual(expected.Parameters, found.Parameters);
        Assert.AreEqual(expected.Options.ToJson(), found.Options.ToJson());
        Assert.AreEqual(expected.FeatureCount, found.FeatureCount);
        Assert.AreEqual(expected.Scale.Kind, found.Scale.Kind);
        Assert.AreSequenceEqual(expected.Scale.Offset, found.Scale.Offset);
        Assert.AreSequenceEqual(expected.Scale.Factor, found.Scale.Factor);
        Assert.AreSequenceEqual(expected.Residual, found.Residual);
        Assert.AreSequenceEqual(expected.Noise, found.Noise);
        Assert.AreEqual(expected.TrainingJson, found.TrainingJson);
    }

    private static string Refused(byte[] file, string expected)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => VaeModel.FromOnnx(file));
        Assert.Contains(expected, error.Message);
        Assert.StartsWith("'ONNX bytes", error.Message);
        return error.Message;
    }
}
