using TorchSharp;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static TorchSharp.torch;

namespace Vae.MLNet.Tables;

/// <summary>Settings of a training, all settled.</summary>
internal sealed record TableTrainingSettings
{
    public required int Seed { get; init; }

    public int Steps { get; init; } = 4000;

    public int BatchSize { get; init; } = 256;

    public float LearningRate { get; init; } = 2e-3f;

    public float WeightDecay { get; init; } = 0.01f;

    /// <summary>Share of hidden units that are left out in each step.</summary>
    public float Dropout { get; init; } = 0.1f;

    /// <summary>Share of earlier cells that the decoder does not see in training.</summary>
    public float CellDropout { get; init; } = 0.05f;

    /// <summary>Nats that the latent vector may carry at no cost.</summary>
    public float FreeNats { get; init; } = 4;

    /// <summary>Share of each batch whose rows have a random set of columns given.</summary>
    public float GivenShare { get; init; } = 0.5f;

    /// <summary>Share of rows that the decoder has to tell without a latent vector.</summary>
    public float WithoutLatentShare { get; init; } = 0.5f;

    public float ValidationShare { get; init; } = 0.1f;

    /// <summary>Steps between looks at the validation rows.</summary>
    public int CheckEvery { get; init; } = 200;

    /// <summary>Looks without an improvement after which training ends.</summary>
    public int Patience { get; init; } = 8;

    public int Threads { get; init; }
}

/// <summary>Trains the network of a table.</summary>
internal sealed class TableTraining
{
    private readonly TableShape _shape;
    private readonly byte[] _tokens;
    private readonly byte[] _counts;
    private readonly float[] _smooth, _frequencies;
    private readonly TableTrainingSettings _settings;
    private readonly int _rows;

    /// <param name="shape">Sizes.</param>
    /// <param name="tokens">States of all tokens of all rows, [rows, tokens].</param>
    /// <param name="counts">1 where a token says something, 0 where it is settled by those before it, [rows, tokens].</param>
    /// <param name="smooth">Smooth functions of states, [tokens, widest, 4].</param>
    /// <param name="settings">Settings.</param>
    public TableTraining(TableShape shape, byte[] tokens, byte[] counts, float[] smooth, TableTrainingSettings settings)
    {
        _shape = shape;
        _tokens = tokens;
        _counts = counts;
        _smooth = smooth;
        _settings = settings;
        _rows = tokens.Length / shape.Tokens;
        _frequencies = Frequencies();
    }

    /// <summary>The looks at validation rows.</summary>
    public List<TableTrainingCheck> Checks { get; } = [];

    public int StepsDone { get; private set; }

    /// <returns>Flat parameters, those of the best look.</returns>
    public float[] Run(Action<TableTrainingCheck>? report, CancellationToken cancellationToken)
    {
        TorchRuntime.EnsureLoaded();
        using var loan = TorchThreads.Borrow(TorchThreads.Of(_settings.Threads));
        using var outer = NewDisposeScope();
        long total = _shape.Parameters.Sum(parameter => parameter.Shape.Aggregate(1L, (product, dim) => product * dim));
        long decayed = _shape.Parameters.Where(parameter => parameter.Decays).Sum(parameter => parameter.Shape.Aggregate(1L, (product, dim) => product * dim));
        // A tensor over a managed array lies where that does; one of its own is aligned, so that sums round alike every time.
        var flat = tensor(Initial()).clone();
        var average = flat.clone();
        using var network = new TableNetwork(_shape, _smooth, flat);
        using var averaged = new TableNetwork(_shape, _smooth, average);
        using var optimizer = new AdamOptimizer(flat, (int)decayed, _settings.WeightDecay, 5, fused: true);
        int validation = (int)Math.Round(_rows * _settings.ValidationShare);
        long[] split = SeedStream.Permutation(_rows, _settings.Seed, Purpose.Split);
        long[] held = split[..validation], rows = split[validation..];
        float[]? best = null;
        double bestLoss = double.PositiveInfinity;
        int worse = 0, at = rows.Length, epoch = 0, batch = Math.Min(_settings.BatchSize, rows.Length);
        var order = rows;
        using var generator = new Generator((ulong)SeedStream.Torch(_settings.Seed, Purpose.Noise), CPU);
        for (int step = 1; step <= _settings.Steps; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using (var scope = NewDisposeScope())
            {
                if (at + batch > rows.Length)
                {
                    order = [.. SeedStream.Permutation(rows.Length, _settings.Seed, Purpose.Order, epoch++).Select(place => rows[place])];
                    at = 0;
                }
                var (tokens, counts) = Batch(order.AsSpan(at, batch));
                at += batch;
                var (loss, _, _) = Loss(network, tokens, counts, generator, training: true);
                loss.backward();
                var gradient = cat([.. network.Parameters.Select(parameter => parameter.grad!.view(-1))]);
                foreach (var parameter in network.Parameters)
                    parameter.grad = null;
                // Up in a short time, then down along half a cosine.
                double progress = (double)step / _settings.Steps;
                double rate = _settings.LearningRate * Math.Min(1, step / (0.02 * _settings.Steps + 20)) * (0.5 * (1 + Math.Cos(Math.PI * progress)) * 0.98 + 0.02);
                optimizer.Step([gradient], rate);
                using (no_grad())
                    average.TowardsInPlace(flat, Math.Max(0.002, 1.0 / (step + 1)));
            }
            StepsDone = step;
            if (step % _settings.CheckEvery != 0 && step != _settings.Steps)
                continue;
            if (validation == 0)
                continue;
            var check = Validate(averaged, held, step);
            Checks.Add(check);
            report?.Invoke(check);
            double measure = check.NegativeLogLikelihood + check.GivenLoss;
            if (measure < bestLoss)
            {
                bestLoss = measure;
                best = average.data<float>().ToArray();
                worse = 0;
            }
            else if (++worse >= _settings.Patience)
            {
                break;
            }
        }
        return best ?? average.data<float>().ToArray();
    }

    private TableTrainingCheck Validate(TableNetwork network, long[] held, int step)
    {
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)SeedStream.Torch(_settings.Seed, Purpose.Validation), CPU);
        double nats = 0, bound = 0, divergence = 0, given = 0;
        int batch = 512, used = Math.Min(held.Length, 4096);
        for (int start = 0; start < used; start += batch)
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(batch, used - start);
            var (tokens, counts) = Batch(held.AsSpan(start, count));
            var (elbo, kl, _) = Loss(network, tokens, counts, generator, training: false, givenShare: 0, withoutLatentShare: 0);
            bound += elbo.item<float>() * count;
            divergence += kl.item<float>() * count;
            var (_, _, plain) = Loss(network, tokens, counts, generator, training: false, givenShare: 0, withoutLatentShare: 1);
            nats += plain.item<float>() * count;
            var (_, _, conditional) = Loss(network, tokens, counts, generator, training: false, givenShare: 1, withoutLatentShare: 1);
            given += conditional.item<float>() * count;
        }
        return new(step, nats / used, bound / used, divergence / used, given / used);
    }

    /// <summary>The loss of a batch; without training it is minus the evidence lower bound itself.</summary>
    private (Tensor Loss, Tensor Divergence, Tensor Cells) Loss(TableNetwork network, Tensor tokens, Tensor counts, Generator generator, bool training, float? givenShare = null,
        float? withoutLatentShare = null)
    {
        long rows = tokens.shape[0];
        long given = (long)Math.Round(rows * (givenShare ?? _settings.GivenShare)), free = rows - given;
        var table = network.EmbeddingTable();
        var embedded = network.Embed(tokens, table);
        var columnOf = tensor(_shape.Columns.Select(column => (long)column).ToArray());
        Tensor? known = null;
        var encoded = embedded;
        if (given > 0)
        {
            // The share of given columns is uniform for each row, then each column is given or not.
            var share = rand(given, 1, generator: generator);
            known = rand(given, _shape.ColumnCount, generator: generator).lt(share).to_type(ScalarType.Float32).index_select(1, columnOf).unsqueeze(-1);
            known = embedded.narrow(0, free, given) * known;
            encoded = free > 0 ? cat([embedded.narrow(0, 0, free), known]) : known;
        }
        Func<Tensor, Tensor>? dropout = null;
        if (training && _settings.Dropout > 0)
        {
            float keep = 1 - _settings.Dropout;
            dropout = x => x * rand(x.shape, generator: generator).IsBelow(keep).to_type(ScalarType.Float32).DividedByInPlace(keep);
        }
        var (mean, sigma) = network.Encode(encoded, dropout);
        var z = mean.Plus(sigma * randn(mean.shape, generator: generator));
        float without = withoutLatentShare ?? _settings.WithoutLatentShare;
        if (without > 0)
            z = without < 1 ? z * rand(rows, 1, generator: generator).IsAtLeast(without).to_type(ScalarType.Float32) : z.Times(0);
        var divergence = mean.Squared().Plus(sigma.Squared()).Plus(-1).Plus(sigma.log().Times(-2)).sum(1).Times(0.5);
        var context = embedded;
        if (training && _settings.CellDropout > 0)
            context = embedded * rand(rows, _shape.ColumnCount, generator: generator).IsAtLeast(_settings.CellDropout).to_type(ScalarType.Float32).index_select(1, columnOf).unsqueeze(-1);
        var logs = network.LogProbabilities(z, context, known, dropout);
        var own = logs.gather(2, tokens.transpose(0, 1).unsqueeze(-1)).squeeze(-1).transpose(0, 1);
        var cells = -(own * counts).sum(1);
        var klMean = divergence.mean();
        if (!training)
            return (cells.mean().Plus(klMean), klMean, cells.mean());
        return (cells.mean().Plus(klMean.Plus(-_settings.FreeNats).relu()), klMean, cells.mean());
    }

    private (Tensor Tokens, Tensor Counts) Batch(ReadOnlySpan<long> rows)
    {
        int width = _shape.Tokens;
        var tokens = new long[rows.Length * width];
        var counts = new float[rows.Length * width];
        for (int i = 0; i < rows.Length; i++)
        {
            for (int k = 0; k < width; k++)
            {
                tokens[i * width + k] = _tokens[rows[i] * width + k];
                counts[i * width + k] = _counts[rows[i] * width + k];
            }
        }
        return (tensor(tokens, [rows.Length, width]), tensor(counts, [rows.Length, width]));
    }

    /// <summary>How often each state comes, with half a row added to each, [tokens, widest].</summary>
    private float[] Frequencies()
    {
        int width = _shape.Tokens, widest = _shape.Widest;
        var sums = new double[width * widest];
        for (int row = 0; row < _rows; row++)
        {
            for (int k = 0; k < width; k++)
                sums[k * widest + _tokens[(long)row * width + k]] += _counts[(long)row * width + k];
        }
        var shares = new float[sums.Length];
        for (int k = 0; k < width; k++)
        {
            double sum = 0.5 * _shape.States[k];
            for (int state = 0; state < _shape.States[k]; state++)
                sum += sums[k * widest + state];
            for (int state = 0; state < _shape.States[k]; state++)
                shares[k * widest + state] = (float)((sums[k * widest + state] + 0.5) / sum);
        }
        return shares;
    }

    /// <summary>Training starts at the columns' own frequencies, each by itself.</summary>
    private float[] Initial()
    {
        var random = new Random((int)(SeedStream.Derive(_settings.Seed, Purpose.Weights) >> 33));
        var values = new List<float>();
        foreach (var (name, dims, _) in _shape.Parameters)
        {
            long size = dims.Aggregate(1L, (product, dim) => product * dim);
            double scale = name switch
            {
                "embedding.table" => 0.3,
                "embedding.smooth" => 0.5,
                "first.weight" => 1 / Math.Sqrt(_shape.Tokens * _shape.Embedding / 2.0),
                "first.latent" => 0.5 / Math.Sqrt(_shape.Latent),
                "second.weight" => 1 / Math.Sqrt(_shape.Hidden),
                "output.weight" or "output.smooth" => 0.1 / Math.Sqrt(_shape.Hidden),
                "encoder.0.weight" => 1 / Math.Sqrt(_shape.Tokens * _shape.Embedding),
                "encoder.1.weight" or "encoder.mean.weight" => 1 / Math.Sqrt(_shape.EncoderHidden),
                _ => 0,
            };
            for (long i = 0; i < size; i++)
            {
                float value = scale == 0 ? 0 : (float)(scale * Gaussian(random));
                if (name is ("first.weight" or "first.latent") && i % _shape.Units >= _shape.Hidden)
                    value *= 0.1f;
                if (name == "output.smooth" && i / TableShape.Smooth % _shape.Units - _shape.Hidden is >= 0 and < TableShape.Smooth and var unit)
                    value = i % TableShape.Smooth == unit ? 1 : 0;
                if (name == "output.bias")
                    value = MathF.Log(Math.Max(_frequencies[i], 1e-9f));
                if (name == "encoder.sigma.bias")
                    value = 0.54f;
                values.Add(value);
            }
        }
        return [.. values];
    }

    private static double Gaussian(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
