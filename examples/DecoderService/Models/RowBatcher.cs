using System.Diagnostics;
using System.Threading.Channels;

namespace DecoderService.Models;

/// <summary>
/// Collects rows of requests that run at the same time and computes them together. A batch takes what is waiting, then what comes in while the requests that
/// are being read get their turn, until none came, the batch is full or the window has passed: a request that is alone does not wait.
/// </summary>
internal sealed class RowBatcher
{
    private readonly Channel<Pending> _queue;
    private readonly int _inputSize, _outputSize, _batchRows;
    private readonly TimeSpan _window;
    private readonly Compute _compute;
    private readonly Action<int> _ran;
    private readonly Task _loops;

    /// <summary>Computes rows of outputs from rows of inputs; safe to call from several threads.</summary>
    public delegate void Compute(ReadOnlySpan<float> inputs, Span<float> outputs);

    public RowBatcher(int inputSize, int outputSize, ServiceOptions options, Compute compute, Action<int> ran)
    {
        _inputSize = inputSize;
        _outputSize = outputSize;
        _batchRows = options.BatchRows;
        _window = options.BatchWindow;
        _compute = compute;
        _ran = ran;
        _queue = Channel.CreateBounded<Pending>(new BoundedChannelOptions(options.QueueLength) { FullMode = BoundedChannelFullMode.Wait });
        // One half of the cores computes, the other reads and writes requests.
        _loops = Task.WhenAll(Enumerable.Range(0, Math.Max(1, Environment.ProcessorCount / 2)).Select(_ => Task.Run(LoopAsync)));
    }

    /// <summary>Computes a request's rows, in a batch with others; null when too many requests are waiting.</summary>
    public Task<float[]>? TryRun(float[] inputs, CancellationToken cancellationToken)
    {
        int rows = inputs.Length / _inputSize;
        if (rows >= _batchRows)
        {
            var outputs = new float[rows * _outputSize];
            _compute(inputs, outputs);
            _ran(rows);
            return Task.FromResult(outputs);
        }
        var pending = new Pending(inputs, rows, cancellationToken);
        return _queue.Writer.TryWrite(pending) ? pending.Completion.Task : null;
    }

    /// <summary>Ends once everything that was taken has been computed.</summary>
    public Task CompleteAsync()
    {
        _queue.Writer.TryComplete();
        return _loops;
    }

    private async Task LoopAsync()
    {
        // Each request has fewer rows than a batch, so the last one taken fits too.
        var inputs = new float[2 * _batchRows * _inputSize];
        var outputs = new float[2 * _batchRows * _outputSize];
        var batch = new List<Pending>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            batch.Clear();
            int rows = 0;
            for (long start = Stopwatch.GetTimestamp(); ; await Task.Yield())
            {
                int before = rows;
                while (rows < _batchRows && _queue.Reader.TryRead(out var pending))
                {
                    if (pending.CancellationToken.IsCancellationRequested)
                    {
                        pending.Completion.TrySetCanceled(pending.CancellationToken);
                        continue;
                    }
                    pending.Inputs.CopyTo(inputs.AsSpan(rows * _inputSize));
                    rows += pending.Rows;
                    batch.Add(pending);
                }
                if (rows == before || rows >= _batchRows || Stopwatch.GetElapsedTime(start) >= _window)
                    break;
            }
            if (rows > 0)
                Run(batch, inputs, outputs, rows);
        }
    }

    private void Run(List<Pending> batch, float[] inputs, float[] outputs, int rows)
    {
        try
        {
            _compute(inputs.AsSpan(0, rows * _inputSize), outputs.AsSpan(0, rows * _outputSize));
        }
        catch (Exception e)
        {
            // The requests throw it, each for itself; the loop goes on for the next ones.
            foreach (var pending in batch)
                pending.Completion.TrySetException(e);
            return;
        }
        _ran(rows);
        int done = 0;
        foreach (var pending in batch)
        {
            pending.Completion.TrySetResult(outputs.AsSpan(done * _outputSize, pending.Rows * _outputSize).ToArray());
            done += pending.Rows;
        }
    }

    private sealed record Pending(float[] Inputs, int Rows, CancellationToken CancellationToken)
    {
        public TaskCompletionSource<float[]> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
