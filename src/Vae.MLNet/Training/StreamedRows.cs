using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.ML;
using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>Rows read from a data view anew at every pass, by a thread that stays a few batches ahead.</summary>
internal sealed class StreamedRows : IRowSource
{
    /// <summary>Batches between the reader and the training.</summary>
    private const int Ahead = 8;

    private readonly IDataView _data;
    private readonly string _featureColumn;
    private readonly int _features;
    private readonly VaeTrainer.Options _options;
    private readonly RowFilter _filter;
    private readonly InputScale _scale;
    private readonly Device _device;

    // The shuffle pool, kept from epoch to epoch.
    private float[]? _pool, _poolWeights;

    public StreamedRows(IDataView data, string featureColumn, int features, VaeTrainer.Options options, RowFilter filter, long count, InputScale scale, Device device)
    {
        _data = data;
        _featureColumn = featureColumn;
        _features = features;
        _options = options;
        _filter = filter;
        _scale = scale;
        _device = device;
        Count = count;
    }

    public long Count { get; }

    public IRowBatches Shuffled(int epoch, int batchSize) => new Batches(this, batchSize, epoch);

    public IRowBatches InOrder() => new Batches(this, MemoryRows.Block, null);

    public void Dispose() => _pool = _poolWeights = null;

    /// <summary>Memory of one batch, filled by the reader and emptied by the training in turn.</summary>
    private sealed class Slot : IDisposable
    {
        public Slot(int rows, int features, bool weighted)
        {
            Features = empty(rows, features).DetachFromDisposeScope();
            Weights = weighted ? empty(rows).DetachFromDisposeScope() : null;
        }

        public Tensor Features { get; }

        public Tensor? Weights { get; }

        public int Count { get; set; }

        public static Span<float> Values(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

        public void Dispose()
        {
            Features.Dispose();
            Weights?.Dispose();
        }
    }

    private sealed class Batches : IRowBatches
    {
        private readonly StreamedRows _rows;
        private readonly int _size;
        private readonly int? _epoch;
        private readonly bool _weighted;
        private readonly CancellationTokenSource _ended = new();
        private readonly Slot[] _slots;
        private readonly BlockingCollection<Slot> _empty = [], _full = [];
        private readonly Thread _thread;
        private ExceptionDispatchInfo? _failure;
        private Slot? _lent;

        public Batches(StreamedRows rows, int size, int? epoch)
        {
            _rows = rows;
            _size = (int)Math.Min(size, rows.Count);
            _epoch = epoch;
            _weighted = rows._options.ExampleWeightColumnName is not null;
            _slots = [.. Enumerable.Range(0, Ahead).Select(_ => new Slot(_size, rows._features, _weighted))];
            foreach (var slot in _slots)
                _empty.Add(slot);
            _thread = new Thread(Read) { IsBackground = true, Name = "Vae.MLNet reading" };
            _thread.Start();
        }

        public bool TryNext(out RowBatch batch)
        {
            if (_lent is not null)
                _empty.Add(_lent);
            _lent = null;
            if (!_full.TryTake(out var slot, Timeout.Infinite))
            {
                _failure?.Throw();
                batch = default;
                return false;
            }
            _lent = slot;
            var features = slot.Features.narrow(0, 0, slot.Count);
            if (_rows._device.type != DeviceType.CPU)
                features = features.to(_rows._device);
            batch = new(_rows._scale.Apply(features), slot.Weights?.narrow(0, 0, slot.Count).to(_rows._device), slot.Count);
            return true;
        }

        private void Read()
        {
            try
            {
                using var reader = new RowReader(_rows._data, _rows._featureColumn, _rows._options, _rows._features);
                long count = 0;
                var writer = new Writer(this);
                if (_epoch is { } epoch)
                    Shuffle(reader, ref writer, epoch, ref count);
                else
                {
                    while (Next(reader, ref count))
                    {
                        reader.CopyTo(writer.Place(out int row));
                        writer.Weigh(row, reader.Weight);
                    }
                }
                if (count != _rows.Count)
                    throw _rows.Changed(count);
                writer.Finish();
            }
            catch (OperationCanceledException) when (_ended.IsCancellationRequested)
            {
                // The training ended within the pass.
            }
            catch (Exception e)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
            }
            finally
            {
                _full.CompleteAdding();
            }
        }

        private bool Next(RowReader reader, ref long count)
        {
            while (reader.Next())
            {
                if (!_rows._filter.Accepts(reader.Index))
                    continue;
                if (++count > _rows.Count)
                    throw _rows.Changed(count);
                return true;
            }
            return false;
        }

        private void Shuffle(RowReader reader, ref Writer writer, int epoch, ref long count)
        {
            int features = _rows._features;
            int capacity = (int)Math.Min(Math.Min(_rows._options.Streaming!.ShufflePoolRows, _rows.Count), Math.Max(1, Array.MaxLength / features));
            float[] pool = _rows._pool ??= GC.AllocateUninitializedArray<float>(capacity * features);
            float[]? weights = _weighted ? _rows._poolWeights ??= new float[capacity] : null;
            ulong state = SeedStream.Derive(_rows._options.Seed, Purpose.Pool, epoch);
            int held = 0;
            while (Next(reader, ref count))
            {
                int at;
                if (held < capacity)
                {
                    at = held++;
                }
                else
                {
                    at = Draw(ref state, held);
                    Emit(at, ref writer);
                }
                reader.CopyTo(pool.AsSpan(at * features, features));
                if (weights is not null)
                    weights[at] = reader.Weight;
            }
            while (held > 0)
            {
                int at = Draw(ref state, held);
                Emit(at, ref writer);
                held--;
                // The last row moves into the gap.
                pool.AsSpan(held * features, features).CopyTo(pool.AsSpan(at * features));
                if (weights is not null)
                    weights[at] = weights[held];
            }

            void Emit(int at, ref Writer writer)
            {
                pool.AsSpan(at * features, features).CopyTo(writer.Place(out int row));
                if (weights is not null)
                    writer.Weigh(row, weights[at]);
            }
        }

        private static int Draw(ref ulong state, int count)
        {
            state += 0x9E3779B97F4A7C15UL;
            return (int)Math.BigMul(SeedStream.Mix(state), (ulong)count, out _);
        }

        /// <summary>Puts rows into one batch after another.</summary>
        private ref struct Writer(Batches owner)
        {
            private Slot? _slot;
            private Span<float> _features, _weights;
            private int _filled;

            public Span<float> Place(out int row)
            {
                if (_slot is null)
                {
                    _slot = owner._empty.Take(owner._ended.Token);
                    _features = Slot.Values(_slot.Features);
                    _weights = _slot.Weights is null ? default : Slot.Values(_slot.Weights);
                    _filled = 0;
                }
                else if (_filled == owner._size)
                {
                    Finish();
                    return Place(out row);
                }
                row = _filled++;
                return _features.Slice(row * owner._rows._features, owner._rows._features);
            }

            public readonly void Weigh(int row, float weight)
            {
                if (!_weights.IsEmpty)
                    _weights[row] = weight;
            }

            public void Finish()
            {
                if (_slot is null)
                    return;
                _slot.Count = _filled;
                owner._full.Add(_slot, owner._ended.Token);
                _slot = null;
            }
        }

        public void Dispose()
        {
            _ended.Cancel();
            _thread.Join();
            foreach (var slot in _slots)
                slot.Dispose();
            _empty.Dispose();
            _full.Dispose();
            _ended.Dispose();
        }
    }

    private InvalidOperationException Changed(long found) => new(Check.Invariant(
        $"The data gave {Count} rows for column '{_featureColumn}' at first and {(found > Count ? "more" : Check.Invariant($"{found}"))} in a later pass; streaming needs a source that gives the same rows every time."));
}

/// <summary>Which rows of a data view belong to a part of it.</summary>
internal readonly record struct RowFilter(RowFilter.Part Wanted, int Seed, ulong HeldBelow, long HeldFrom)
{
    public enum Part
    {
        All,
        Training,
        Validation,
    }

    public static RowFilter All { get; } = new(Part.All, 0, 0, 0);

    /// <summary>The rows that <c>ValidationFraction</c> leaves to train on.</summary>
    public static RowFilter Training(VaeTrainer.Options options, long rows) => options.ValidationSelection == ValidationSelection.LastRows
        ? new(Part.Training, 0, 0, rows - (long)Math.Round(rows * (double)options.ValidationFraction))
        : new(Part.Training, options.Seed, (ulong)(options.ValidationFraction * 18446744073709551616.0), long.MaxValue);

    public bool Accepts(long row) => Wanted == Part.All || (Held(row) == (Wanted == Part.Validation));

    private bool Held(long row) => row >= HeldFrom || HeldBelow > 0 && SeedStream.Derive(Seed, Purpose.Split, row) < HeldBelow;
}
