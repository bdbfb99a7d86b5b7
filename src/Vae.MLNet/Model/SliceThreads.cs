using System.Runtime.ExceptionServices;

namespace Vae.MLNet.Model;

/// <summary>
/// Threads that work on the slices of one batch after another. They live as long as a training and wait in between by spinning briefly, because a batch takes
/// about a millisecond.
/// </summary>
internal sealed class SliceThreads : IDisposable
{
    private readonly Worker[] _workers;
    private Action<int>? _job;

    /// <param name="slices">Most slices of a batch; the calling thread works on the first.</param>
    /// <param name="prepare">Run by every thread but the calling one before its first job.</param>
    public SliceThreads(int slices, Action? prepare = null) => _workers = [.. Enumerable.Range(1, slices - 1).Select(slice => new Worker(this, slice, prepare))];

    /// <summary>Threads, the calling one included.</summary>
    public int Count => _workers.Length + 1;

    /// <summary>Runs a job for the slices 0 to count - 1 and waits for all.</summary>
    public void Run(int count, Action<int> job)
    {
        _job = job;
        for (int i = 0; i < count - 1; i++)
            _workers[i].Start();
        ExceptionDispatchInfo? failure = null;
        try
        {
            job(0);
        }
        catch (Exception e)
        {
            failure = ExceptionDispatchInfo.Capture(e);
        }
        for (int i = 0; i < count - 1; i++)
            failure ??= _workers[i].Wait();
        _job = null;
        failure?.Throw();
    }

    public void Dispose()
    {
        foreach (var worker in _workers)
            worker.Dispose();
    }

    private sealed class Worker : IDisposable
    {
        private readonly SliceThreads _owner;
        private readonly int _slice;
        private readonly Thread _thread;
        private readonly ManualResetEventSlim _start = new(false, 2000), _done = new(false, 2000);
        private ExceptionDispatchInfo? _failure;
        private volatile bool _ended;

        private readonly Action? _prepare;

        public Worker(SliceThreads owner, int slice, Action? prepare)
        {
            _owner = owner;
            _slice = slice;
            _prepare = prepare;
            _thread = new Thread(Loop) { IsBackground = true, Name = Check.Invariant($"Vae.MLNet training {slice}") };
            _thread.Start();
        }

        public void Start() => _start.Set();

        public ExceptionDispatchInfo? Wait()
        {
            _done.Wait();
            _done.Reset();
            return _failure;
        }

        private void Loop()
        {
            bool prepared = false;
            while (true)
            {
                _start.Wait();
                _start.Reset();
                if (_ended)
                    return;
                _failure = null;
                try
                {
                    if (!prepared)
                        _prepare?.Invoke();
                    prepared = true;
                    _owner._job!(_slice);
                }
                catch (Exception e)
                {
                    _failure = ExceptionDispatchInfo.Capture(e);
                }
                _done.Set();
            }
        }

        public void Dispose()
        {
            _ended = true;
            _start.Set();
            _thread.Join();
            _start.Dispose();
            _done.Dispose();
        }
    }
}
