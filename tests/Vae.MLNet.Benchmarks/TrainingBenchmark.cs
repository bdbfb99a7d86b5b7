using Microsoft.ML;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Vae.MLNet.Benchmarks;

/// <summary>Epochs of the flagship network, 24-256-256-256-2-256-256-256-24 on 10,000 rows in batches of 128.</summary>
internal static class TrainingBenchmark
{
    private const int Rows = 10_000, Features = 24, Batch = 128, Epochs = 30;

    public static void Run(string[] args)
    {
        int threads = args.Length > 0 ? int.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture) : get_num_threads();
        set_num_threads(threads);
        var rows = SyntheticRows.Make(Rows, Features);
        Paired.Run($"Training, {threads} threads, {Epochs} epochs of {Rows} rows", "epoch", Epochs, rounds: 3,
            new("plain TorchSharp loop, optim.Adam", () => Paired.Seconds(() => PlainLoop(rows))),
            new("VaeTrainer", () => Library(rows, threads)));
    }

    /// <summary>What one would write from the course: modules, autograd, optim.Adam.</summary>
    private static void PlainLoop(float[][] rows)
    {
        using var scope = NewDisposeScope();
        var x = tensor(rows.SelectMany(row => row).ToArray(), [Rows, Features]);
        var encoder = nn.Sequential(nn.Linear(Features, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU());
        var mean = nn.Linear(256, 2);
        var spread = nn.Linear(256, 2);
        var decoder = nn.Sequential(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, Features));
        using var optimizer = optim.Adam([.. encoder.parameters(), .. mean.parameters(), .. spread.parameters(), .. decoder.parameters()], 1e-3);
        for (int epoch = 0; epoch < Epochs; epoch++)
        {
            using var epochScope = NewDisposeScope();
            var order = randperm(Rows);
            for (int start = 0; start < Rows; start += Batch)
            {
                using var batchScope = NewDisposeScope();
                var batch = x.index_select(0, order.narrow(0, start, Math.Min(Batch, Rows - start)));
                var hidden = encoder.forward(batch);
                var mu = mean.forward(hidden);
                var sigma = nn.functional.softplus(spread.forward(hidden));
                var output = decoder.forward(mu + sigma * randn_like(mu));
                var kl = -0.5 * (1 + 2 * sigma.log() - mu.square() - sigma.square()).mean();
                var loss = nn.functional.mse_loss(output, batch) + 0.01 * kl;
                optimizer.zero_grad();
                loss.backward();
                optimizer.step();
                if (!float.IsFinite(loss.item<float>()))
                    throw new InvalidOperationException("The loss is not finite.");
            }
        }
    }

    private static double Library(float[][] rows, int threads)
    {
        var context = new MLContext(seed: 1);
        var definition = SchemaDefinition.Create(typeof(FeatureRow));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Features);
        var data = context.Data.LoadFromEnumerable(rows.Select(row => new FeatureRow { Features = row }), definition);
        using var model = context.Vae.VariationalAutoencoder("Latent", "Features", new()
        {
            HiddenLayers = [256, 256, 256],
            Scaling = InputScaling.None,
            SelfCheck = false,
            Epochs = Epochs,
            BatchSize = Batch,
            Threads = threads,
        }).Fit(data);
        return model.History!.Epochs.Sum(epoch => epoch.Seconds);
    }
}

internal sealed class FeatureRow
{
    public float[] Features { get; set; } = [];
}

internal static class SyntheticRows
{
    /// <summary>Rows on a curved two-dimensional surface with a little noise: something a small VAE can learn.</summary>
    public static float[][] Make(int rows, int features, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows).Select(_ =>
        {
            double phase = random.NextDouble() * 6, frequency = random.NextDouble();
            return Enumerable.Range(0, features).Select(j => (float)(Math.Sin(phase + j * frequency) + 0.05 * random.NextDouble())).ToArray();
        })];
    }
}
