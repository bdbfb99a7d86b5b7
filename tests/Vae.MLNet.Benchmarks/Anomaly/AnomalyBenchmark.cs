using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Spectre.Console;
using TorchSharp;
using Vae.MLNet.Anomaly;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Benchmarks.Anomaly;

/// <summary>
/// ROC AUC of anomaly detectors on labelled tables: rows shuffled, 70 % to train on without labels, 30 % to test on, mean of three seeds. Every method sees the same
/// rows; none sees a label.
/// </summary>
internal static class AnomalyBenchmark
{
    private const int Seeds = 3;

    /// <summary>A detector: fits on training rows and gives a function that scores rows.</summary>
    private sealed record Method(string Name, Func<float[][], int, Func<float[][], float[]>> Fit);

    private static Method[] Methods(bool clean) =>
    [
        // Told what the rows are; then told the other.
        new("Vae.MLNet", (rows, seed) => Detector(rows, new() { Seed = seed, TrainingRows = clean ? AnomalyTrainingRows.Clean : AnomalyTrainingRows.Contaminated })),
        new(clean ? "told contaminated" : "told clean",
            (rows, seed) => Detector(rows, new() { Seed = seed, TrainingRows = clean ? AnomalyTrainingRows.Contaminated : AnomalyTrainingRows.Clean })),
        new("neighbour term in both", (rows, seed) => Detector(rows, new() { Seed = seed, IncludeNeighborTerm = true })),
        new("without marginal term", (rows, seed) => Detector(rows, new() { Seed = seed, IncludeMarginalTerm = false })),
        new("half the steps", (rows, seed) => Detector(rows, new() { Seed = seed, Steps = 400 })),
        new("one member", (rows, seed) => Detector(rows, new() { Seed = seed, Members = 1 })),
        new("marginal score, no network", (rows, _) => Marginal(rows)),
        new("IsolationForest", IsolationForest),
        new("kNN (k = 5)", (rows, _) => Neighbors(rows)),
        new("PCA residual", (rows, _) => PcaResidual(rows)),
        new("RandomizedPca", (rows, seed) => RandomizedPca(rows, seed, normalize: false)),
        new("RandomizedPca, standardised", (rows, seed) => RandomizedPca(rows, seed, normalize: true)),
    ];

    /// <param name="args">Folder of .npz files with X [n, features] and y [n]; by default the folder anomaly of VAE_MLNET_DATA. Or "synthetic" for tables made up here.</param>
    public static void Run(string[] args)
    {
        bool clean = args is ["clean", ..];
        if (clean)
            args = args[1..];
        if (args is ["synthetic"])
        {
            Run(SyntheticTables.All(), clean);
            return;
        }
        string folder = args.Length > 0 ? args[0] : Path.Combine(
            Environment.GetEnvironmentVariable("VAE_MLNET_DATA") ?? throw new InvalidOperationException("Give a folder of .npz files or set VAE_MLNET_DATA."), "anomaly");
        Run(Directory.GetFiles(folder, "*.npz").Order(StringComparer.Ordinal).Select(LabelledTable.Load).ToArray(), clean);
    }

    private static void Run(LabelledTable[] tables, bool clean)
    {
        var methods = Methods(clean);
        var auc = new double[methods.Length, tables.Length];
        var seconds = new double[methods.Length];
        // Native libraries load and code compiles before anything is timed.
        foreach (var method in methods)
            method.Fit(tables[0].Rows[..64], 0)(tables[0].Rows[..64]);
        for (int t = 0; t < tables.Length; t++)
        {
            for (int seed = 0; seed < Seeds; seed++)
            {
                var order = SeedStream.Permutation(tables[t].Rows.Length, seed, Purpose.Split);
                int split = (int)(0.7 * order.Length);
                float[][] training = [.. order[..split].Where(i => !clean || !tables[t].Labels[i]).Select(i => tables[t].Rows[i])], test = [.. order[split..].Select(i => tables[t].Rows[i])];
                bool[] labels = [.. order[split..].Select(i => tables[t].Labels[i])];
                for (int m = 0; m < methods.Length; m++)
                {
                    Func<float[][], float[]> score = null!;
                    seconds[m] += Paired.Seconds(() => score = methods[m].Fit(training, seed));
                    float[] scores = score(test);
                    if (scores.Any(float.IsNaN))
                        Console.Error.WriteLine($"{methods[m].Name} gives {scores.Count(float.IsNaN)} scores of NaN on {tables[t].Name}.");
                    auc[m, t] += 100 * RocAuc(scores, labels) / Seeds;
                }
            }
        }
        Report(methods, tables, auc, seconds, clean);
    }

    private static void Report(Method[] methods, LabelledTable[] tables, double[,] auc, double[] seconds, bool clean)
    {
        var table = new Table().Title($"ROC AUC, mean of {Seeds} seeds, {(clean ? "trained on ordinary rows alone" : "contaminated training rows")}; minus: the first method's difference from it and its standard error").AddColumn("method");
        foreach (var set in tables)
            table.AddColumn(set.Name, column => column.RightAligned());
        foreach (string name in new[] { "mean", "mean rank", "minus", "fit s" })
            table.AddColumn(name, column => column.RightAligned());
        for (int m = 0; m < methods.Length; m++)
        {
            int method = m;
            var own = Enumerable.Range(0, tables.Length).Select(t => auc[method, t]).ToArray();
            double rank = Enumerable.Range(0, tables.Length).Average(t => 1 + Enumerable.Range(0, methods.Length).Count(other => auc[other, t] > auc[method, t]));
            table.AddRow([methods[m].Name, .. own.Select(value => Text(value, "0.0")), Text(own.Average(), "0.0"), Text(rank, "0.0"), Difference(auc, method), Text(seconds[m] / (Seeds * tables.Length), "0.000")]);
        }
        AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, 240);
        AnsiConsole.Write(table);
    }

    /// <summary>What the first method has more, table by table: mean and standard error.</summary>
    private static string Difference(double[,] auc, int method)
    {
        double[] differences = [.. Enumerable.Range(0, auc.GetLength(1)).Select(t => auc[0, t] - auc[method, t])];
        double mean = differences.Average();
        double error = Math.Sqrt(differences.Sum(value => (value - mean) * (value - mean)) / Math.Max(1, differences.Length - 1) / differences.Length);
        return method == 0 ? "" : Text(mean, "+0.0;-0.0") + " ± " + Text(error, "0.0");
    }

    /// <summary>Probability that an anomaly scores above an ordinary row, ties counting half (Mann and Whitney).</summary>
    private static double RocAuc(float[] scores, bool[] labels)
    {
        int[] order = [.. Enumerable.Range(0, scores.Length).OrderBy(i => scores[i])];
        double rankSum = 0;
        long positives = labels.Count(label => label);
        for (int start = 0; start < order.Length;)
        {
            int end = start + 1;
            while (end < order.Length && scores[order[end]] == scores[order[start]])
                end++;
            double rank = (start + 1 + end) / 2.0;
            for (int i = start; i < end; i++)
                rankSum += labels[order[i]] ? rank : 0;
            start = end;
        }
        return (rankSum - positives * (positives + 1) / 2.0) / (positives * (labels.Length - positives));
    }

    private static Func<float[][], float[]> Detector(float[][] rows, VaeAnomalyTrainer.Options options)
    {
        var context = new MLContext(seed: 1);
        var model = context.Vae.AnomalyDetector("Features", options).Fit(View(context, rows));
        return test =>
        {
            using (model)
                return [.. model.Transform(View(context, test)).GetColumn<float>("Score")];
        };
    }

    /// <summary>The marginal term alone.</summary>
    private static Func<float[][], float[]> Marginal(float[][] rows)
    {
        var scale = InputScale.Fit(InputScaling.RobustAsinh, rows.SelectMany(row => row).ToArray(), rows[0].Length);
        var marginal = AnomalyMarginal.From(rows.SelectMany(Scaled).ToArray(), rows[0].Length, []);
        return test => [.. test.Select(row => marginal.Term(Scaled(row)))];

        float[] Scaled(float[] row) => [.. row.Select((value, j) => (float)Math.Asinh((value - scale.Offset[j]) * scale.Factor[j]))];
    }

    private static Func<float[][], float[]> IsolationForest(float[][] rows, int seed)
    {
        var forest = new IsolationForest(rows, seed);
        return test => [.. test.Select(forest.Score)];
    }

    /// <summary>Mean distance to the five nearest training rows, features standardised.</summary>
    private static Func<float[][], float[]> Neighbors(float[][] rows)
    {
        const int Count = 5;
        int features = rows[0].Length;
        float[] flat = [.. rows.SelectMany(row => row)];
        var scale = InputScale.Fit(InputScaling.Standardize, flat, features);
        return test =>
        {
            using var scope = NewDisposeScope();
            var known = scale.Apply(tensor(flat, [rows.Length, features]));
            var x = scale.Apply(tensor(test.SelectMany(row => row).ToArray(), [test.Length, features]));
            return cdist(x, known).topk(Count, dim: 1, largest: false).values.mean([1]).data<float>().ToArray();
        };
    }

    /// <summary>Squared residual of the projection on as many principal components as the autoencoder has latent dimensions, features standardised.</summary>
    private static Func<float[][], float[]> PcaResidual(float[][] rows)
    {
        int features = rows[0].Length;
        float[] flat = [.. rows.SelectMany(row => row)];
        var scale = InputScale.Fit(InputScaling.Standardize, flat, features);
        float[] axes;
        using (NewDisposeScope())
        {
            var x = scale.Apply(tensor(flat, [rows.Length, features]));
            var (_, vectors) = linalg.eigh(x.t().mm(x));
            int kept = Components(features);
            axes = vectors.narrow(1, features - kept, kept).contiguous().data<float>().ToArray();
        }
        return test =>
        {
            using var scope = NewDisposeScope();
            var x = scale.Apply(tensor(test.SelectMany(row => row).ToArray(), [test.Length, features]));
            var v = tensor(axes, [features, axes.Length / features]);
            return (x - x.mm(v).mm(v.t())).square().sum(1).data<float>().ToArray();
        };
    }

    private static Func<float[][], float[]> RandomizedPca(float[][] rows, int seed, bool normalize)
    {
        var context = new MLContext(seed: 1);
        var data = View(context, rows);
        IEstimator<ITransformer> trainer = context.AnomalyDetection.Trainers.RandomizedPca("Features", rank: Components(rows[0].Length), seed: seed);
        ITransformer model = normalize
            ? context.Transforms.NormalizeMeanVariance("Features", fixZero: false).Append(trainer).Fit(data)
            : trainer.Fit(data);
        return test => [.. model.Transform(View(context, test)).GetColumn<float>("Score")];
    }

    private static int Components(int features) => (features + 3) / 4;

    private static IDataView View(MLContext context, float[][] rows)
    {
        var definition = SchemaDefinition.Create(typeof(FeatureRow));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, rows[0].Length);
        return context.Data.LoadFromEnumerable(rows.Select(row => new FeatureRow { Features = row }), definition);
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
