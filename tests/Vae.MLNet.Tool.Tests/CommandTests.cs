using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool.Tests;

/// <summary>The commands one after another on one model, each compared with the library.</summary>
[TestClass]
public sealed class CommandTests
{
    private static Sandbox _sandbox = null!;
    private static string _data = null!, _model = null!;

    [ClassInitialize]
    public static void Train(TestContext _)
    {
        _sandbox = new Sandbox();
        _data = _sandbox.Conformations("chains.npz", 300, 1);
        _model = _sandbox.Model("model", _data, "--validation", "0.2");
    }

    [ClassCleanup]
    public static void Delete() => _sandbox.Dispose();

    [TestMethod]
    public void Train_WritesEverything()
    {
        CollectionAssert.AreEqual(new[] { "decoder.onnx", "encoder.onnx", "model.zip", "pipeline.onnx", "training.json" },
            Directory.GetFiles(_model).Select(Path.GetFileName).Order(StringComparer.Ordinal).ToArray());
        var record = JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(Path.Combine(_model, "training.json")));
        Assert.AreEqual(4, record.GetProperty("epochs").GetArrayLength());
        Assert.AreEqual(240, record.GetProperty("trainingRows").GetInt32());
        Assert.AreEqual(60, record.GetProperty("validationRows").GetInt32());
        Assert.AreEqual("2d", record.GetProperty("alignment").GetString());
        Assert.IsGreaterThan(record.GetProperty("epochs")[3].GetProperty("loss").GetDouble(), record.GetProperty("epochs")[0].GetProperty("loss").GetDouble());
        Assert.HasCount(0, Directory.GetDirectories(Path.GetDirectoryName(_model)!, ".*"));
    }

    [TestMethod]
    public void Train_TellsTheSameAsTheLibrary()
    {
        var context = new MLContext(3);
        var data = context.Vae.LoadNumPy(_data, "Input");
        var expected = context.Vae.CenterConformations("Centered", "Input", 2)
            .Append(context.Vae.AlignPrincipalAxes("Features", "Centered", 2))
            .Append(context.Vae.VariationalAutoencoder("Latent", "Features", new VaeTrainer.Options { LatentDimension = 2, HiddenLayers = [16], Epochs = 4, Seed = 3, ValidationFraction = 0.2f }))
            .Fit(data).Transform(data).GetColumn<float[]>("Latent").ToArray();
        string file = _sandbox.Path("latent.npy");
        var result = _sandbox.Json("encode", _model, _data, "-o", file);
        Assert.AreEqual(300, result.GetProperty("rows").GetInt32());
        float[][] found = Sandbox.Read(file);
        for (int i = 0; i < expected.Length; i++)
        {
            for (int d = 0; d < 2; d++)
                Assert.AreEqual(expected[i][d], found[i][d], 1e-4f, $"row {i}");
        }
    }

    [TestMethod]
    public void Train_SameSeedSameBytes()
    {
        string again = _sandbox.Model("again", _data, "--validation", "0.2");
        foreach (string name in new[] { "decoder.onnx", "encoder.onnx", "pipeline.onnx", "training.json" })
            CollectionAssert.AreEqual(File.ReadAllBytes(Path.Combine(_model, name)), File.ReadAllBytes(Path.Combine(again, name)), name);
    }

    [TestMethod]
    public void Encode_ColumnsAsTable()
    {
        string file = _sandbox.Path("encoded.csv");
        _sandbox.Json("encode", _model, _data, "--outputs", "latent,SIGMA,Score", "-o", file);
        string[] lines = File.ReadAllLines(file);
        Assert.HasCount(301, lines);
        Assert.AreEqual("Latent.z0,Latent.z1,Sigma.z0,Sigma.z1,Score.Score", lines[0]);
        Assert.HasCount(5, lines[1].Split(','));
        string arrays = _sandbox.Path("encoded.npz");
        _sandbox.Json("encode", _model, _data, "--outputs", "Latent,Reconstruction", "-o", arrays);
        Assert.HasCount(300, Sandbox.Read(arrays, "Latent"));
        Assert.AreEqual(2, Sandbox.Read(arrays, "Latent")[0].Length);
        Assert.AreEqual(12, Sandbox.Read(arrays, "Reconstruction")[0].Length);
    }

    [TestMethod]
    public void Encode_GraphsTakeAlignedAndRawRows()
    {
        string aligned = _sandbox.Path("aligned.npz"), direct = _sandbox.Path("direct.npy"), whole = _sandbox.Path("whole.npy");
        _sandbox.Json("encode", _model, _data, "--outputs", "Features,Latent", "-o", aligned);
        _sandbox.Json("encode", Path.Combine(_model, "encoder.onnx"), aligned, "--array", "Features", "-o", direct);
        float[][] expected = Sandbox.Read(aligned, "Latent"), found = Sandbox.Read(direct);
        _sandbox.Json("encode", Path.Combine(_model, "pipeline.onnx"), _data, "-o", whole);
        float[][] raw = Sandbox.Read(whole);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(expected[i][0], found[i][0], 1e-4f);
            Assert.AreEqual(expected[i][0], raw[i][0], 1e-4f);
        }
    }

    [TestMethod]
    public void Sample_IsTheDecoders()
    {
        string file = _sandbox.Path("samples.npz");
        var result = _sandbox.Json("sample", _model, "--count", "7", "--seed", "5", "--temperature", "0.5", "-o", file);
        Assert.AreEqual(7, result.GetProperty("rows").GetInt32());
        using var decoder = VaeDecoder.Load(Path.Combine(_model, "decoder.onnx"));
        var expected = decoder.Sample(7, 5, new() { Temperature = 0.5f });
        float[][] latents = Sandbox.Read(file, "Latent"), outputs = Sandbox.Read(file, "Output");
        for (int i = 0; i < 7; i++)
        {
            CollectionAssert.AreEqual(expected.LatentArrays()[i], latents[i]);
            CollectionAssert.AreEqual(expected.OutputArrays()[i], outputs[i]);
        }
        // Conformations stay conformations.
        Assert.AreEqual("6,2", string.Join(',', ((VectorDataViewType)new MLContext().Vae.LoadNumPy(file, "X", "Output").Schema["X"].Type).Dimensions));
    }

    [TestMethod]
    public void Interpolate_FromARowToAPoint()
    {
        string file = _sandbox.Path("film.npz"), latent = _sandbox.Path("codes.npy");
        _sandbox.Json("encode", _model, _data, "-o", latent);
        var result = _sandbox.Json("interpolate", _model, "--from-row", $"{_data}:12", "--to", "0.5,-1e-1", "--steps", "5", "-o", file);
        float[][] path = Sandbox.Read(file, "Latent");
        Assert.HasCount(5, path);
        float[] code = Sandbox.Read(latent)[12];
        Assert.AreEqual(code[0], path[0][0], 1e-4f);
        Assert.AreEqual(code[1], path[0][1], 1e-4f);
        Assert.AreEqual(0.5f, path[4][0], 1e-6f);
        Assert.AreEqual(-0.1f, path[4][1], 1e-6f);
        Assert.AreEqual((code[0] + 0.5f) / 2, path[2][0], 1e-4f);
        Assert.AreEqual(0.5f, result.GetProperty("to")[0].GetSingle());
    }

    [TestMethod]
    public void Optimize_LowersTheRadiusOfGyration()
    {
        string file = _sandbox.Path("path.csv");
        var result = _sandbox.Json("optimize", _model, "--objective", "rg", "--start", "0.3,0.3", "--steps", "50", "-o", file);
        double before = result.GetProperty("startValue").GetDouble(), after = result.GetProperty("value").GetDouble();
        Assert.IsLessThan(before, after);
        Assert.HasCount(result.GetProperty("steps").GetInt32() + 2, File.ReadAllLines(file));
        float[] best = [.. result.GetProperty("latent").EnumerateArray().Select(value => value.GetSingle())];
        using var decoder = VaeDecoder.Load(Path.Combine(_model, "decoder.onnx"));
        Assert.AreEqual(LatentObjective.RadiusOfGyration(2).Evaluate(decoder.Decode(best)), after, 1e-5);
    }

    [TestMethod]
    public void Optimize_TargetAndMaximumOfAFeature()
    {
        string table = _sandbox.Table("table.csv", 300, 1), model = _sandbox.Path("table-model"), file = _sandbox.Path("feature.npy");
        var trained = _sandbox.Run("train", table, "--columns", "sum,width", "--latent", "1", "--hidden", "16", "--epochs", "60", "--learning-rate", "0.01", "--scaling", "standardize", "-o", model);
        Assert.AreEqual(ExitCodes.Done, trained.Code, trained.Error);
        var target = _sandbox.Json("optimize", model, "--objective", "feature:sum", "--target", "1", "--start", "1", "--steps", "200", "-o", file);
        Assert.AreEqual(1, target.GetProperty("value").GetDouble(), 0.01);
        var most = _sandbox.Json("optimize", model, "--objective", "feature:0", "--maximize", "--start", "0", "--steps", "20", "-o", file);
        Assert.IsGreaterThan(most.GetProperty("startValue").GetDouble(), most.GetProperty("value").GetDouble());
        Assert.AreEqual("sum", most.GetProperty("objective").GetString());
        string samples = _sandbox.Path("rows.csv");
        _sandbox.Json("sample", model, "--count", "2", "-o", samples);
        Assert.AreEqual("z0,sum,width", File.ReadLines(samples).First().Replace("latent0", "z0", StringComparison.Ordinal));
    }

    [TestMethod]
    public void Evaluate_IsTheLibrarys()
    {
        var result = _sandbox.Json("evaluate", _model, _data, "--samples", "20", "--seed", "9");
        var context = new MLContext();
        var data = context.Vae.LoadNumPy(_data, "Input");
        var aligned = context.Vae.CenterConformations("Centered", "Input", 2).Append(context.Vae.AlignPrincipalAxes("Features", "Centered", 2)).Fit(data).Transform(data);
        var expected = context.Vae.Evaluate(aligned, VaeModel.FromPipeline(Path.Combine(_model, "model.zip")), "Features", new() { Samples = 20, Seed = 9 });
        Assert.AreEqual(expected.Elbo, result.GetProperty("elbo").GetDouble(), 1e-6 * Math.Abs(expected.Elbo));
        Assert.AreEqual(expected.LogLikelihood, result.GetProperty("logLikelihood").GetDouble(), 1e-6 * Math.Abs(expected.LogLikelihood));
        Assert.AreEqual(2, result.GetProperty("klPerDimension").GetArrayLength());
        Assert.AreEqual(300, result.GetProperty("rows").GetInt32());
    }

    [TestMethod]
    public void Inspect_FolderFileAndPipeline()
    {
        var folder = _sandbox.Json("inspect", _model);
        Assert.AreEqual(3, folder.GetProperty("graphs").GetArrayLength());
        Assert.AreEqual(12, folder.GetProperty("pipeline").GetProperty("features").GetInt32());
        Assert.AreEqual(300, folder.GetProperty("training").GetProperty("rows").GetInt32());
        var decoder = _sandbox.Json("inspect", Path.Combine(_model, "decoder.onnx"));
        Assert.AreEqual("decoder", decoder.GetProperty("kind").GetString());
        Assert.AreEqual("2", decoder.GetProperty("inputs")[0].GetProperty("shape")[1].GetString());
        Assert.AreEqual(16, decoder.GetProperty("metadata").GetProperty("vae.options").GetProperty("hiddenLayers")[0].GetInt32());
        var table = _sandbox.Run("inspect", Path.Combine(_model, "model.zip"));
        Assert.AreEqual(ExitCodes.Done, table.Code);
        StringAssert.Contains(table.Output, "12 features, 2 latent dimensions");
    }

    [TestMethod]
    public void Program_WritesOneDocumentAndExitsWithTheCode()
    {
        var start = new System.Diagnostics.ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in new[] { typeof(CommandLine).Assembly.Location, "inspect", Path.Combine(_model, "encoder.onnx"), "--json" })
            start.ArgumentList.Add(argument);
        using var process = System.Diagnostics.Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode, error.Result);
        Assert.AreEqual("encoder", JsonSerializer.Deserialize<JsonElement>(output).GetProperty("kind").GetString());
        Assert.AreEqual("", error.Result);
    }
}
