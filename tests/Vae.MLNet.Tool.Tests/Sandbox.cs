using System.Globalization;
using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;

[assembly: DoNotParallelize]

namespace Vae.MLNet.Tool.Tests;

/// <summary>A folder of its own and the tool in it, run in this process.</summary>
internal sealed class Sandbox : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vae-mlnet-tool");

    public string Path(string name) => System.IO.Path.Combine(_folder.FullName, name);

    /// <summary>Runs a command line.</summary>
    public ToolRun Run(params string[] arguments) => RunAsync(default, arguments).GetAwaiter().GetResult();

    public async Task<ToolRun> RunAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        using StringWriter output = new(CultureInfo.InvariantCulture), error = new(CultureInfo.InvariantCulture);
        int code = await CommandLine.RunAsync(arguments, new Terminal(output, error, interactive: false), cancellationToken);
        return new(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs a command that has to succeed, with --json.</summary>
    public JsonElement Json(params string[] arguments)
    {
        var run = Run([.. arguments, "--json"]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        return JsonSerializer.Deserialize<JsonElement>(run.Output);
    }

    /// <summary>Conformations of six beads in the plane, [n, 6, 2], as a .npz file.</summary>
    public string Conformations(string name, int count, int seed, int? badRow = null)
    {
        var random = new Random(seed);
        var rows = Enumerable.Range(0, count).Select(row =>
        {
            var beads = new float[12];
            double angle = 2 * Math.PI * random.NextDouble(), bend = random.NextDouble() - 0.5;
            for (int i = 1; i < 6; i++)
            {
                beads[2 * i] = beads[2 * (i - 1)] + (float)Math.Cos(angle);
                beads[2 * i + 1] = beads[2 * (i - 1) + 1] + (float)Math.Sin(angle);
                angle += bend;
            }
            if (row == badRow)
                beads[5] = float.NaN;
            return new Chain { Beads = beads };
        });
        var definition = SchemaDefinition.Create(typeof(Chain));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 6, 2);
        var context = new MLContext(1);
        string path = Path(name);
        context.Vae.SaveNumPy(context.Data.LoadFromEnumerable([.. rows], definition), path, "Beads");
        return path;
    }

    /// <summary>A table of three columns, the third the sum of the others and noise.</summary>
    public string Table(string name, int rows, int seed)
    {
        var random = new Random(seed);
        using var writer = new StreamWriter(Path(name));
        writer.WriteLine("width,\"height, mm\",sum");
        for (int i = 0; i < rows; i++)
        {
            double width = random.NextDouble(), height = random.NextDouble();
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{width},{height},{width + height + 0.1 * random.NextDouble()}"));
        }
        return Path(name);
    }

    /// <summary>Trains a small model on conformations.</summary>
    public string Model(string name, string data, params string[] more)
    {
        var run = Run(["train", data, "--align", "2d", "--latent", "2", "--hidden", "16", "--epochs", "4", "--seed", "3", "-o", Path(name), .. more]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        return Path(name);
    }

    public static float[][] Read(string path, string? array = null)
    {
        var context = new MLContext();
        return [.. context.Vae.LoadNumPy(path, "X", array).GetColumn<float[]>("X")];
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private sealed class Chain
    {
        public float[] Beads { get; set; } = [];
    }
}

/// <summary>What a run of the tool gave.</summary>
internal sealed record ToolRun(int Code, string Output, string Error);
