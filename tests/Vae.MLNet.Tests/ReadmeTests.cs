using System.Text.RegularExpressions;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests;

/// <summary>The code of the README, compiled and run; the README has to show it line by line.</summary>
[TestClass]
public sealed partial class ReadmeTests
{
    [TestMethod]
    public void Code_RunsAndStandsInTheReadme()
    {
        string folder = Directory.CreateTempSubdirectory("vae-readme").FullName;
        string before = Environment.CurrentDirectory;
        try
        {
            WriteFrames(Path.Combine(folder, "paths.npz"));
            Train(folder, epochs: 2);
            Use(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        Assert.AreEqual(before, Environment.CurrentDirectory);

        string root = Root(), readme = File.ReadAllText(Path.Combine(root, "README.md"));
        string[] blocks = [.. Blocks(File.ReadAllLines(Path.Combine(root, "tests", "Vae.MLNet.Tests", "ReadmeTests.cs")))];
        Assert.HasCount(2, blocks);
        foreach (string block in blocks.Select(Shown))
            Assert.Contains(block, readme, "The README shows other code than the tested one.");
    }

    private static void Train(string folder, int epochs)
    {
        string In(string name) => Path.Combine(folder, name);

        // README
        var ml = new MLContext(seed: 1);
        IDataView frames = ml.Vae.LoadNumPy(In("paths.npz"), "Conformation");           // [n, 12, 2]

        var pipeline = ml.Vae.CenterConformations("Centered", "Conformation", dimensions: 2)
            .Append(ml.Vae.AlignPrincipalAxes("Features", "Centered", dimensions: 2))
            .Append(ml.Vae.VariationalAutoencoder("Latent", "Features", new VaeTrainer.Options
            {
                LatentDimension = 2,
                HiddenLayers = [256, 256, 256],
                Scaling = InputScaling.None,                                            // coordinates of one unit
                Beta = 0.01f,
                Epochs = epochs,
            }));

        var model = pipeline.Fit(frames);                                               // TorchSharp, once
        IDataView latent = model.Transform(frames);                                     // OnnxRuntime, in blocks
        ml.Vae.SaveModel(model, frames.Schema, In("polymer.zip"));                      // a plain ML.NET model
        model.LastTransformer.ExportDecoder(In("decoder.onnx"));                        // for production
        ml.Vae.ExportPipeline(model, frames.Schema, In("pipeline.onnx"));               // raw coordinates to latent
        // end

        Assert.AreEqual(64, latent.GetRowCount());
        Assert.HasCount(2, latent.GetColumn<float[]>("Latent").First());
        Assert.HasCount(4, Directory.GetFiles(folder));
    }

    private static void Use(string folder)
    {
        string In(string name) => Path.Combine(folder, name);
        float[] from = [-1, 0], to = [1, 0.5f];

        // README
        using var decoder = VaeDecoder.Load(In("decoder.onnx"));                        // Vae.MLNet.Inference alone
        float[] shape = decoder.Decode([0.3f, -1.2f]);                                  // 24 coordinates
        var samples = decoder.Sample(count: 100, seed: 7);
        var film = decoder.Interpolate(from, to, steps: 20);
        var compact = decoder.Optimize(LatentObjective.RadiusOfGyration(dimensions: 2), from, new() { Steps = 200 });
        // end

        Assert.HasCount(24, shape);
        Assert.AreEqual(100, samples.Count);
        Assert.AreEqual(20, film.Count);
        Assert.IsLessThan(compact.Values[0], compact.BestValue);
    }

    private static void WriteFrames(string path)
    {
        var random = new Random(1);
        var context = new MLContext();
        var definition = SchemaDefinition.Create(typeof(Frame));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 12, 2);
        var frames = Enumerable.Range(0, 64).Select(_ => new Frame { Conformation = [.. Enumerable.Range(0, 24).Select(i => i / 2 + random.NextSingle())] });
        context.Vae.SaveNumPy(context.Data.LoadFromEnumerable(frames, definition), path, "Conformation");
    }

    /// <summary>The code between the marks, without its indentation.</summary>
    private static IEnumerable<string> Blocks(string[] lines)
    {
        for (int start = Array.FindIndex(lines, IsMark); start >= 0; start = Array.FindIndex(lines, start + 1, IsMark))
        {
            int end = Array.FindIndex(lines, start, line => line.Trim() == "// end");
            yield return string.Join('\n', lines[(start + 1)..end].Select(line => line.Length > 8 ? line[8..] : line.TrimEnd()));
        }

        static bool IsMark(string line) => line.Trim() == "// README";
    }

    /// <summary>As the README shows it: files by their plain names, comments in their place, the course's number of epochs.</summary>
    private static string Shown(string block) => string.Join('\n', block.Replace("Epochs = epochs,", "Epochs = 150,", StringComparison.Ordinal).Split('\n').Select(line =>
    {
        string plain = FileName().Replace(line, "$1");
        int comment = plain.IndexOf("//", StringComparison.Ordinal);
        return comment < 0 ? plain : plain.Insert(comment, new string(' ', line.Length - plain.Length));
    }));

    [GeneratedRegex("""In\(("[^"]+")\)""")]
    private static partial Regex FileName();

    internal static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Vae.MLNet.sln")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("The tests do not lie within the repository.");
    }

    private sealed class Frame
    {
        public float[] Conformation { get; set; } = [];
    }
}
