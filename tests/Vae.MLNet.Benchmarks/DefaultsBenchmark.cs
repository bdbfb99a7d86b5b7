using System.Globalization;
using System.IO.Compression;
using Microsoft.ML;
using Microsoft.ML.Data;
using nietras.SeparatedValues;
using Spectre.Console;
using Vae.MLNet.Data;

namespace Vae.MLNet.Benchmarks;

/// <summary>
/// What the defaults give on data of every kind, a fifth of the rows held out: the options that the data chose, the explained share of training rows and of those held
/// out, and how far drawn rows are from the data.
/// </summary>
internal static class DefaultsBenchmark
{
    private sealed class Row
    {
        public float[] Features { get; set; } = [];
    }

    private sealed record Set(string Name, float[][] Rows, string[]? Names = null, int Dimensions = 0);

    /// <param name="args">"elbo" for what the command-line tool trains on tables; JSON options otherwise, such as {"epochs": 50}. Names of sets in between choose some.</param>
    public static void Run(string[] args)
    {
        var options = new VaeTrainer.Options { ValidationFraction = 0.2f };
        if (args.Contains("elbo"))
            options = options with { Likelihood = Likelihood.Gaussian, Beta = 1 };
        if (args.FirstOrDefault(arg => arg.StartsWith('{')) is { } json)
            options = VaeTrainer.Options.FromJson(json) with { ValidationFraction = 0.2f };
        string[] wanted = [.. args.Where(arg => arg != "elbo" && !arg.StartsWith('{'))];
        var table = new Table { Border = TableBorder.Markdown };
        table.AddColumns("data", "rows x columns", "scaling", "hidden layers", "epochs", "fit, s", "explained", "held out", "least explained", "KL, nats", "prior distance", "worst marginal (KS)", "warnings");
        foreach (var set in Sets().Where(set => wanted.Length == 0 || wanted.Any(name => set.Name.Contains(name, StringComparison.OrdinalIgnoreCase))))
        {
            VaeTransformer? model = null;
            double seconds = Paired.Seconds(() => model = Fit(set, args.Contains("elbo") ? options with { EarlyStopping = new() { Patience = Patience(set.Rows.Length) } } : options));
            var (history, settled) = (model!.History!, model.Model.Options);
            var check = history.SelfCheck!;
            int least = check.ExplainedShares.ToList().IndexOf(check.ExplainedShares.Min()), worst = check.SampleDistances.ToList().IndexOf(check.SampleDistances.Max());
            table.AddRow(new[]
            {
                set.Name, string.Create(CultureInfo.InvariantCulture, $"{set.Rows.Length} x {set.Rows[0].Length}"), $"{settled.Scaling}", string.Join(" ", settled.HiddenLayers!),
                history.StoppedEarly ? $"{history.BestEpoch} of {settled.Epochs}" : $"{settled.Epochs}", F(seconds, 1), F(check.ExplainedShare, 3), F(check.ValidationExplainedShare!.Value, 3),
                $"{check.Features[least]} {F(check.ExplainedShares[least], 2)}", F(check.KlPerDimension.Sum(), 1), F(check.PriorDistance, 2), $"{check.Features[worst]} {F(check.SampleDistances[worst], 2)}",
                $"{check.Findings.Count}",
            }.Select(text => Markup.Escape(text)).ToArray());
            Console.Error.WriteLine($"{set.Name}: {check}");
            foreach (string finding in check.Findings)
                Console.Error.WriteLine($"  {finding}");
            model.Dispose();
        }
        AnsiConsole.Profile.Width = 400;
        AnsiConsole.Write(table);

        static string F(double value, int digits) => value.ToString("F" + digits, CultureInfo.InvariantCulture);
    }

    /// <summary>The command-line tool's: 20 epochs, and of few rows as many as have 500 steps.</summary>
    private static int Patience(int rows) => Math.Max(20, 500 / Math.Max(1, (rows + 127) / 128));

    private static VaeTransformer Fit(Set set, VaeTrainer.Options options)
    {
        var context = new MLContext(seed: 1);
        var definition = SchemaDefinition.Create(typeof(Row));
        definition["Features"].ColumnType = new VectorDataViewType(NumberDataViewType.Single, set.Rows[0].Length);
        if (set.Names is { } names)
            definition["Features"].AddAnnotation("SlotNames", new VBuffer<ReadOnlyMemory<char>>(names.Length, [.. names.Select(name => name.AsMemory())]), new VectorDataViewType(TextDataViewType.Instance, names.Length));
        IDataView data = context.Data.LoadFromEnumerable(set.Rows.Select(row => new Row { Features = row }), definition);
        string column = "Features";
        if (set.Dimensions > 0)
        {
            column = "Aligned";
            data = context.Vae.CenterConformations("Centered", "Features", set.Dimensions)
                .Append(context.Vae.AlignPrincipalAxes(column, "Centered", set.Dimensions)).Fit(data).Transform(data);
        }
        return context.Vae.VariationalAutoencoder("Latent", column, options).Fit(data);
    }

    private static IEnumerable<Set> Sets()
    {
        if (Environment.GetEnvironmentVariable("VAE_MLNET_DATA") is { Length: > 0 } folder)
        {
            foreach (string file in Directory.GetFiles(Path.Combine(folder, "tables")).Order(StringComparer.Ordinal))
            {
                if (NumericColumns(file) is { } set)
                    yield return set;
            }
            foreach (string file in Directory.GetFiles(Path.Combine(folder, "anomaly"), "*.npz").Order(StringComparer.Ordinal))
                yield return new(Path.GetFileNameWithoutExtension(file), Array(file, "X"));
            yield return new("muller_4x", Array(Path.Combine(folder, "conformations", "muller_4x.npz")));
            yield return new("polymer (2D)", Array(Path.Combine(folder, "polymer", "dmol_paths.npz")), Dimensions: 2);
            yield return new("alanine dipeptide (3D)", Array(Path.Combine(folder, "conformations", "ala2_heavy_atoms.npz"), "xyz"), Dimensions: 3);
            yield return new("Fs peptide (3D)", Array(Path.Combine(folder, "conformations", "fs_peptide_ca_100.npz")), Dimensions: 3);
        }
        else
        {
            Console.Error.WriteLine("VAE_MLNET_DATA is not set: only made-up data.");
        }
        yield return new("digits made up, 16 x 16", Digits(3000));
        yield return new("factors made up, 300 rows", Factors(300));
        yield return new("factors made up, 300,000 rows", Factors(300_000));
    }

    private static float[][] Array(string file, string? name = null)
    {
        var array = NumPyFile.Read(file).First(array => name is null || array.Name == name);
        float[][] rows = [.. array.Values.Chunk(array.Values.Length / array.Shape[0])];
        // Four runs of rows, one after another.
        return array.Shape.Length == 3 && array.Shape[2] == 2 && array.Shape[0] == 4 ? [.. array.Values.Chunk(2)] : rows;
    }

    /// <summary>The columns of a table that hold numbers; rows with a gap in them are left out. Null where there are fewer than two.</summary>
    private static Set? NumericColumns(string file)
    {
        using Stream stream = file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(File.OpenRead(file), CompressionMode.Decompress) : File.OpenRead(file);
        using var reader = Sep.Reader(options => options with { Unescape = true, DisableColCountCheck = true }).From(stream);
        var cells = new List<string[]>();
        foreach (var row in reader)
        {
            var texts = new string[reader.Header.ColNames.Count];
            for (int j = 0; j < texts.Length; j++)
                texts[j] = row[j].ToString();
            cells.Add(texts);
        }
        string[] names = [.. reader.Header.ColNames];
        int[] numeric = [.. Enumerable.Range(0, names.Length).Where(j =>
            cells.Count(row => row[j].Length > 0) is var filled && filled > cells.Count / 2 && cells.Count(row => TryNumber(row[j], out _)) == filled)];
        if (numeric.Length < 2)
            return null;
        float[][] rows = [.. cells.Where(row => numeric.All(j => row[j].Length > 0)).Select(row => numeric.Select(j => TryNumber(row[j], out float value) ? value : float.NaN).ToArray())];
        return new(Path.GetFileName(file).Split('.')[0], rows, [.. numeric.Select(j => names[j])]);

        static bool TryNumber(string text, out float value) => float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && float.IsFinite(value);
    }

    /// <summary>Segments of a digital clock's digits, moved, slanted and with noise.</summary>
    private static float[][] Digits(int count)
    {
        const int Size = 16;
        string[] segments = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"];
        var ends = new Dictionary<char, (double X1, double Y1, double X2, double Y2)>
        {
            ['a'] = (0, 0, 1, 0),
            ['b'] = (1, 0, 1, 1),
            ['c'] = (1, 1, 1, 2),
            ['d'] = (0, 2, 1, 2),
            ['e'] = (0, 1, 0, 2),
            ['f'] = (0, 0, 0, 1),
            ['g'] = (0, 1, 1, 1),
        };
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            double left = 3 + 3 * random.NextDouble(), top = 2 + 2 * random.NextDouble(), width = 4 + 2 * random.NextDouble(), height = 4 + random.NextDouble(), slant = 1.5 * random.NextDouble();
            var image = new float[Size * Size];
            foreach (char segment in segments[random.Next(10)])
            {
                var (x1, y1, x2, y2) = ends[segment];
                for (double t = 0; t <= 1; t += 0.05)
                {
                    double y = top + height * (y1 + t * (y2 - y1)), x = left + width * (x1 + t * (x2 - x1)) + slant * (1 - y / Size);
                    for (int i = Math.Max(0, (int)y - 1); i < Math.Min(Size, (int)y + 3); i++)
                    {
                        for (int j = Math.Max(0, (int)x - 1); j < Math.Min(Size, (int)x + 3); j++)
                            image[i * Size + j] = Math.Max(image[i * Size + j], (float)Math.Exp(-((i - y) * (i - y) + (j - x) * (j - x))));
                    }
                }
            }
            return image;
        })];
    }

    /// <summary>Ten columns of very different units, made from three factors.</summary>
    private static float[][] Factors(int count)
    {
        var random = new Random(2);
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            double a = Normal(), b = Normal(), c = Normal();
            double[] clean = [a, b, a + b, a - c, Math.Sin(2 * a), a * b, Math.Exp(c), c * c, Math.Tanh(b + c), b];
            return clean.Select((value, j) => (float)(Math.Pow(10, j - 4) * (value + 0.2 * Normal()) + 10 * j)).ToArray();
        })];
    }
}
