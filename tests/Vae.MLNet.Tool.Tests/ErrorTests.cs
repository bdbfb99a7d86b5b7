using Microsoft.ML;

namespace Vae.MLNet.Tool.Tests;

[TestClass]
public sealed class ErrorTests
{
    [TestMethod]
    public void Usage_NothingRuns()
    {
        using var sandbox = new Sandbox();
        string data = sandbox.Conformations("chains.npz", 20, 1);
        Usage(sandbox, "Required", "train");
        Usage(sandbox, "--latent has to be at least 1; it is '0'.", "train", data, "-o", sandbox.Path("m"), "--latent", "0");
        Usage(sandbox, "--hidden has to be numbers with commas between; it is '3;4'.", "train", data, "-o", sandbox.Path("m"), "--hidden", "3;4");
        Usage(sandbox, "--beta has to be a number of at least 0; it is 'x'.", "train", data, "-o", sandbox.Path("m"), "--beta", "x");
        Usage(sandbox, "'4d'", "train", data, "-o", sandbox.Path("m"), "--align", "4d");
        Usage(sandbox, "--patience needs rows held out", "train", data, "-o", sandbox.Path("m"), "--patience", "3");
        Usage(sandbox, "--mirror and --chain-direction belong to --align", "train", data, "-o", sandbox.Path("m"), "--mirror");
        Usage(sandbox, "'frobnicate'", "frobnicate");
        Assert.HasCount(1, Directory.GetFileSystemEntries(Path.GetDirectoryName(data)!), "Nothing was left.");
    }

    private static void Usage(Sandbox sandbox, string message, params string[] arguments)
    {
        var run = sandbox.Run(arguments);
        Assert.AreEqual(ExitCodes.Usage, run.Code, run.Error);
        StringAssert.Contains(run.Error, message);
        Assert.AreEqual("", run.Output);
    }

    [TestMethod]
    public void Help_HasExamples()
    {
        using var sandbox = new Sandbox();
        foreach (string command in new[] { "train", "encode", "synthesize", "detect", "impute", "sample", "interpolate", "optimize", "evaluate", "compare", "inspect" })
        {
            var run = sandbox.Run(command, "--help");
            Assert.AreEqual(ExitCodes.Done, run.Code);
            StringAssert.Contains(run.Output, $"vae-mlnet {command} ");
        }
        StringAssert.Contains(sandbox.Run("--help").Output, "Exit codes");
    }

    [TestMethod]
    public void Train_BadDataIsNamedAndTheEarlierModelStays()
    {
        using var sandbox = new Sandbox();
        string model = sandbox.Model("model", sandbox.Conformations("chains.npz", 60, 1));
        byte[] before = File.ReadAllBytes(Path.Combine(model, "decoder.onnx"));

        string bad = sandbox.Conformations("bad.npz", 60, 1, badRow: 17);
        Failure(sandbox, "row 17", "train", bad, "-o", model, "--epochs", "1");
        string truncated = sandbox.Path("truncated.npz");
        File.WriteAllBytes(truncated, File.ReadAllBytes(bad)[..500]);
        Failure(sandbox, "truncated.npz", "train", truncated, "-o", model);
        Failure(sandbox, "no file", "train", sandbox.Path("nowhere.npz"), "-o", model);
        Failure(sandbox, "--align 3d takes rows of beads in 3 dimensions", "train", bad, "--align", "3d", "-o", model);
        string ragged = sandbox.Path("ragged.csv");
        File.WriteAllText(ragged, "a,b\n1,2\n3\n");
        Failure(sandbox, "row 1, line 3: 2 fields are expected, 1 was found", "train", ragged, "-o", model);
        File.WriteAllText(ragged, "a,b\n1,2\n3,x\n");
        Failure(sandbox, "row 1, line 3, column 'b': a number is expected, 'x' was found", "train", ragged, "--as", "vector", "-o", model);
        File.WriteAllText(ragged, "");
        Failure(sandbox, "is empty", "train", ragged, "-o", model);

        CollectionAssert.AreEqual(before, File.ReadAllBytes(Path.Combine(model, "decoder.onnx")));
        Assert.HasCount(0, Directory.GetDirectories(Path.GetDirectoryName(model)!, ".*"), "No half-written folder is left.");
    }

    [TestMethod]
    public void Train_ReplacesAModelAndNothingElse()
    {
        using var sandbox = new Sandbox();
        string data = sandbox.Conformations("chains.npz", 60, 1), model = sandbox.Model("model", data);
        byte[] before = File.ReadAllBytes(Path.Combine(model, "decoder.onnx"));
        sandbox.Model("model", data, "--beta", "0.5");
        File.WriteAllText(Path.Combine(model, "notes.txt"), "mine");
        Directory.CreateDirectory(Path.Combine(model, "figures"));
        sandbox.Model("model", data, "--beta", "0.2");
        Assert.AreEqual("mine", File.ReadAllText(Path.Combine(model, "notes.txt")), "What was put beside the model stays.");
        Assert.IsTrue(Directory.Exists(Path.Combine(model, "figures")));
        CollectionAssert.AreNotEqual(before, File.ReadAllBytes(Path.Combine(model, "decoder.onnx")));

        string other = sandbox.Path("thesis");
        Directory.CreateDirectory(other);
        File.WriteAllText(Path.Combine(other, "chapter.txt"), "1");
        var run = sandbox.Run("train", data, "--epochs", "1", "-o", other);
        Assert.AreEqual(ExitCodes.Usage, run.Code);
        StringAssert.Contains(run.Error, "it is left alone");
        Assert.IsTrue(File.Exists(Path.Combine(other, "chapter.txt")));
    }

    [TestMethod]
    public async Task Train_CancelledLeavesNothing()
    {
        using var sandbox = new Sandbox();
        string data = sandbox.Conformations("chains.npz", 2000, 1);
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
        var run = await sandbox.RunAsync(cancellation.Token, "train", data, "--epochs", "100000", "-o", sandbox.Path("model"));
        Assert.AreEqual(ExitCodes.Cancelled, run.Code, run.Error);
        Assert.HasCount(1, Directory.GetFileSystemEntries(Path.GetDirectoryName(data)!));
    }

    [TestMethod]
    public void Models_WrongOnesAreNamed()
    {
        using var sandbox = new Sandbox();
        string data = sandbox.Conformations("chains.npz", 60, 1), model = sandbox.Model("model", data), output = sandbox.Path("out.npy");
        string hostile = sandbox.Path("hostile.onnx");
        File.WriteAllBytes(hostile, File.ReadAllBytes(Path.Combine(model, "decoder.onnx"))[..1000]);
        Failure(sandbox, "hostile.onnx", "sample", hostile, "-o", output);
        Failure(sandbox, "hostile.onnx", "inspect", hostile);
        Failure(sandbox, "encoder", "sample", Path.Combine(model, "encoder.onnx"), "-o", output);
        string zip = sandbox.Path("hostile.zip");
        File.WriteAllBytes(zip, File.ReadAllBytes(Path.Combine(model, "model.zip"))[..2000]);
        Failure(sandbox, "hostile.zip", "encode", zip, data, "-o", output);
        Failure(sandbox, "row 4", "encode", model, sandbox.Conformations("bad.npz", 10, 1, badRow: 4), "-o", output);
        string table = sandbox.Table("table.csv", 10, 1);
        Failure(sandbox, "takes rows of 6 x 2 numbers", "encode", model, table, "-o", output);
        Failure(sandbox, "training.json", "sample", Damaged(sandbox, model), "-o", output);
        Assert.AreEqual(ExitCodes.Usage, sandbox.Run("encode", model, data, "-o", sandbox.Path("out.txt")).Code);
        Assert.AreEqual(ExitCodes.Usage, sandbox.Run("encode", model, data, "--outputs", "Latent,Sigma", "-o", output).Code);
        Assert.AreEqual(ExitCodes.Usage, sandbox.Run("encode", model, data, "--outputs", "Nothing", "-o", output).Code);
        Assert.AreEqual(ExitCodes.Usage, sandbox.Run("interpolate", model, "--from", "1", "--to", "1,2", "-o", output).Code);
        Assert.AreEqual(ExitCodes.Usage, sandbox.Run("interpolate", model, "--from-row", $"{data}:60", "--to", "1,2", "-o", output).Code);
        Assert.AreEqual(ExitCodes.Usage, sandbox.Run("optimize", model, "--objective", "feature:x99", "--start", "1,2", "-o", output).Code);
        Assert.AreEqual(ExitCodes.Usage, sandbox.Run("evaluate", Path.Combine(model, "encoder.onnx"), data).Code);
        Assert.IsFalse(File.Exists(output));
    }

    /// <summary>
    /// What takes several columns has no place in a command that reads rows of numbers; every one says so in the same words.
    /// </summary>
    [TestMethod]
    public void Models_OfSeveralColumns_AreRefusedWithTheirNames()
    {
        using var sandbox = new Sandbox();
        var context = new MLContext(1);
        var data = context.Data.LoadFromEnumerable(Enumerable.Range(0, 40).Select(i => new Parts { Left = [i % 7, i % 3], Right = i % 5 }));
        var options = new VaeTrainer.Options { LatentDimension = 2, HiddenLayers = [4], Epochs = 1, Threads = 1 };
        var chain = context.Transforms.Concatenate("Both", "Left", "Right")
            .Append(context.Vae.VariationalAutoencoder("Latent", "Both", options)).Fit(data);
        string zip = sandbox.Path("parts.zip"), graph = sandbox.Path("parts.onnx"), output = sandbox.Path("out.csv");
        string table = sandbox.Table("t.csv", 10, 1);
        context.Vae.SaveModel(chain, data.Schema, zip);
        context.Vae.ExportPipeline(chain, data.Schema, graph, new() { Reconstruction = true });
        foreach (string[] arguments in (string[][])[
            ["encode", zip, table, "-o", output], ["evaluate", zip, table], ["encode", graph, table, "-o", output],
            ["interpolate", zip, "--from-row", $"{table}:0", "--to", "0,0", "-o", output],
            ["optimize", zip, "--objective", "feature:0", "--start-row", $"{table}:0", "-o", output]])
        {
            var run = sandbox.Run(arguments);
            Assert.AreEqual(ExitCodes.Failed, run.Code, run.Error);
            foreach (string expected in new[] { Path.GetFileName(arguments[1]), "2 input columns", "Left", "Right", "one vector column" })
                StringAssert.Contains(run.Error, expected, string.Join(' ', arguments));
        }
        Assert.IsFalse(File.Exists(output));
        // What needs no rows works, and so does looking at it.
        Assert.AreEqual(ExitCodes.Done, sandbox.Run("sample", zip, "--count", "3", "-o", output).Code);
        Assert.AreEqual(ExitCodes.Done, sandbox.Run("interpolate", zip, "--from", "0,0", "--to", "1,1", "-o", output).Code);
        Assert.AreEqual(ExitCodes.Done, sandbox.Run("inspect", zip).Code);
        Assert.AreEqual(ExitCodes.Done, sandbox.Run("inspect", graph).Code);
    }

    /// <summary>Of rows from an array and a table, --array chooses in the one and --columns in the other.</summary>
    [TestMethod]
    public void Rows_OfAnArrayAndATable_GoTogether()
    {
        using var sandbox = new Sandbox();
        string table = sandbox.Table("table.csv", 60, 1), output = sandbox.Path("out.csv");
        string[] quick = ["--latent", "2", "--hidden", "8", "--epochs", "2"];
        var train = sandbox.Run(["train", table, "--columns", "width,sum", .. quick, "-o", sandbox.Path("m")]);
        Assert.AreEqual(ExitCodes.Done, train.Code, train.Error);
        string model = sandbox.Path("m"), samples = sandbox.Path("s.npz");
        Assert.AreEqual(ExitCodes.Done, sandbox.Run("sample", model, "--count", "4", "-o", samples).Code);
        using var archive = System.IO.Compression.ZipFile.OpenRead(samples);
        string array = archive.Entries.First(entry => !entry.Name.StartsWith("latent", StringComparison.OrdinalIgnoreCase)).Name[..^4];
        string[] both = ["interpolate", model, "--from-row", $"{samples}:1", "--to-row", $"{table}:2", "-o", output];
        var run = sandbox.Run([.. both, "--array", array, "--columns", "width,sum"]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        foreach (string[] unused in (string[][])[["--array", array], ["--columns", "width"]])
        {
            run = sandbox.Run(["interpolate", model, "--from", "0,0", "--to", "1,1", "-o", output, .. unused]);
            Assert.AreEqual(ExitCodes.Usage, run.Code, run.Error);
            StringAssert.Contains(run.Error, unused[0]);
        }
        run = sandbox.Run("interpolate", model, "--from-row", $"{table}:1", "--to-row", $"{table}:2", "--array", array, "-o", output);
        Assert.AreEqual(ExitCodes.Usage, run.Code, run.Error);
        StringAssert.Contains(run.Error, "is a table");
    }

    private sealed class Parts
    {
        [Microsoft.ML.Data.VectorType(2)]
        public float[] Left { get; set; } = [];

        public float Right { get; set; }
    }

    private static string Damaged(Sandbox sandbox, string model)
    {
        string copy = sandbox.Path("damaged");
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(model))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(copy, "training.json"), "{ \"shape\": ");
        return copy;
    }

    private static void Failure(Sandbox sandbox, string message, params string[] arguments)
    {
        var run = sandbox.Run(arguments);
        Assert.AreEqual(ExitCodes.Failed, run.Code, run.Error);
        StringAssert.Contains(run.Error, message);
        Assert.AreEqual("", run.Output);
        Assert.HasCount(1, run.Error.Trim().Split('\n').Where(line => !line.StartsWith("note: ", StringComparison.Ordinal)).ToArray(), run.Error);
    }
}
