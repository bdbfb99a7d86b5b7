using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>Scaled rows [n, features], or tokens [n, positions], on the training device and their weights [n] where there are any. Valid until the next batch is asked for.</summary>
internal readonly record struct RowBatch(Tensor Features, Tensor? Weights, int Count)
{
    /// <summary>Sum of the weights.</summary>
    public double Weight => Weights?.sum().item<float>() ?? Count;
}

/// <summary>One pass over rows in batches.</summary>
internal interface IRowBatches : IDisposable
{
    /// <summary>Gives the next batch; what it makes belongs to the caller's dispose scope.</summary>
    bool TryNext(out RowBatch batch);
}

/// <summary>Where a training's rows come from.</summary>
internal interface IRowSource : IDisposable
{
    long Count { get; }

    /// <summary>All rows once, in the order of an epoch.</summary>
    IRowBatches Shuffled(int epoch, int batchSize);

    /// <summary>All rows once, in the order of the data.</summary>
    IRowBatches InOrder();
}

/// <summary>Rows held on the training device.</summary>
internal sealed class MemoryRows : IRowSource
{
    /// <summary>Rows computed together where no optimiser step stands between them.</summary>
    internal const int Block = 4096;

    /// <summary>The same for tokens, whose rows are widened to positions times symbols on the way.</summary>
    internal const int TokenBlock = 512;

    private readonly Tensor _features;
    private readonly Tensor? _weights;
    private readonly int _count, _seed, _block = Block;

    public MemoryRows(TrainingData data, int features, InputScale scale, int seed, Device device)
    {
        using var scope = NewDisposeScope();
        _features = scale.Apply(tensor(data.Features, [data.Rows, features], device: device)).DetachFromDisposeScope();
        _weights = data.Weights is null ? null : tensor(data.Weights, device: device).DetachFromDisposeScope();
        _count = data.Rows;
        _seed = seed;
    }

    /// <summary>Rows of tokens [n, positions], held as bytes.</summary>
    public MemoryRows(TokenData data, int positions, int seed, Device device)
    {
        using var scope = NewDisposeScope();
        _features = tensor(data.Tokens, [data.Rows, positions], device: device).DetachFromDisposeScope();
        _weights = data.Weights is null ? null : tensor(data.Weights, device: device).DetachFromDisposeScope();
        _count = data.Rows;
        _seed = seed;
        _block = TokenBlock;
    }

    public long Count => _count;

    public IRowBatches Shuffled(int epoch, int batchSize) =>
        new Batches(this, batchSize, tensor(SeedStream.Permutation(_count, _seed, Purpose.Order, epoch), device: _features.device).DetachFromDisposeScope());

    public IRowBatches InOrder() => new Batches(this, _block, null);

    public void Dispose()
    {
        _features.Dispose();
        _weights?.Dispose();
    }

    private sealed class Batches(MemoryRows rows, int size, Tensor? order) : IRowBatches
    {
        private int _at;

        public bool TryNext(out RowBatch batch)
        {
            int start = _at, count = Math.Min(size, rows._count - start);
            if (count <= 0)
            {
                batch = default;
                return false;
            }
            _at += count;
            if (order is null)
            {
                batch = new(rows._features.narrow(0, start, count), rows._weights?.narrow(0, start, count), count);
                return true;
            }
            using var index = order.narrow(0, start, count);
            batch = new(rows._features.index_select(0, index), rows._weights?.index_select(0, index), count);
            return true;
        }

        public void Dispose() => order?.Dispose();
    }
}

/// <summary>
/// Rows of tokens drawn by their weights, so that every step sees as many rows that count as any other. Within an epoch the draws are systematic (one random
/// offset, then equal strides along the summed weights): a row turns up as often as its weight says, give or take one.
/// </summary>
internal sealed class WeightedSampler : IRowSource
{
    private readonly Tensor _tokens;
    private readonly double[] _cumulative;
    private readonly int _draws, _seed;

    public WeightedSampler(TokenData data, int positions, int draws, int seed, Device device)
    {
        using var scope = NewDisposeScope();
        _tokens = tensor(data.Tokens, [data.Rows, positions], device: device).DetachFromDisposeScope();
        _cumulative = new double[data.Rows];
        double sum = 0;
        for (int row = 0; row < data.Rows; row++)
            _cumulative[row] = sum += data.Weights?[row] ?? 1;
        _draws = draws;
        _seed = seed;
    }

    public long Count => _draws;

    /// <summary>Sum of the weights of all rows.</summary>
    public double Weight => _cumulative[^1];

    public IRowBatches Shuffled(int epoch, int batchSize) => new Batches(this, batchSize, epoch);

    public IRowBatches InOrder() => throw new InvalidOperationException("Weighted draws have no order.");

    public void Dispose() => _tokens.Dispose();

    private sealed class Batches : IRowBatches
    {
        private readonly WeightedSampler _rows;
        private readonly int _size;
        private readonly Tensor _order;
        private int _at;

        public Batches(WeightedSampler rows, int size, int epoch)
        {
            _rows = rows;
            _size = size;
            double stride = rows._cumulative[^1] / rows._draws;
            // 53 bits of the stream: a number in [0, 1).
            double at = (SeedStream.Derive(rows._seed, Purpose.Draw, epoch) >> 11) * (1.0 / (1UL << 53)) * stride;
            long[] order = SeedStream.Permutation(rows._draws, rows._seed, Purpose.Order, epoch), drawn = new long[rows._draws];
            for (int i = 0, row = 0; i < drawn.Length; i++, at += stride)
            {
                while (row < rows._cumulative.Length - 1 && rows._cumulative[row] <= at)
                    row++;
                drawn[order[i]] = row;
            }
            _order = tensor(drawn, device: rows._tokens.device).DetachFromDisposeScope();
        }

        public bool TryNext(out RowBatch batch)
        {
            int start = _at, count = Math.Min(_size, _rows._draws - start);
            if (count <= 0)
            {
                batch = default;
                return false;
            }
            _at += count;
            using var index = _order.narrow(0, start, count);
            batch = new(_rows._tokens.index_select(0, index), null, count);
            return true;
        }

        public void Dispose() => _order.Dispose();
    }
}
