using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Loading;

namespace Vae.MLNet.Inference.Running;

/// <summary>
/// An OnnxRuntime session that threads share and that may be disposed at any time: calls in flight end first, later ones throw. (OnnxRuntime itself crashes the
/// process when a disposed session is used.)
/// </summary>
internal sealed class ModelSession : IDisposable
{
    private readonly Lock _lock = new();
    private readonly InferenceSession _session;
    private readonly RunOptions _runOptions = new();
    private readonly Type _owner;

    // Their idle contexts are freed with the session.
    private readonly List<RunPlan> _plans = [];
    private int _users;
    private bool _disposed;

    private ModelSession(InferenceSession session, Type owner)
    {
        _session = session;
        _owner = owner;
    }

    /// <summary>Loads a model and checks it: first its bytes and metadata, then its tensors' declarations, at last by trial runs.</summary>
    public static ModelSession Load(ModelBytes model, VaeSessionOptions options, Type owner, string kind, Func<ModelHeader, InferenceSession, RunPlan[]> check,
        out ModelHeader header, out RunPlan[] plans)
    {
        header = ModelHeader.Read(model.Name, OnnxScan.Check(model), kind);
        InferenceSession? native = null;
        ModelSession? session = null;
        try
        {
            using var sessionOptions = new SessionOptions
            {
                IntraOpNumThreads = options.Threads,
                InterOpNumThreads = 1,
                // What goes wrong is thrown; a library does not write to the console.
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
            };
            native = new InferenceSession(model.Bytes, sessionOptions);
            plans = check(header, native);
            session = new ModelSession(native, owner);
            // Shapes in a file are claims. Two runs of different size show that they hold, and make the first real call a warm one.
            foreach (var plan in plans)
            {
                session.Try(plan, 1);
                session.Try(plan, Math.Min(2, plan.BlockRows));
            }
            return session;
        }
        catch (Exception e)
        {
            if (session is not null)
                session.Dispose();
            else
                native?.Dispose();
            if (e is OnnxRuntimeException)
                throw Guard.BadFile(model.Name, $"OnnxRuntime cannot run the model: {e.Message}", e);
            throw;
        }
    }

    /// <summary>Takes a context for one row or for a block of them; while it is out, the session lives.</summary>
    public RunContext Rent(RunPlan plan, int rows)
    {
        bool one = rows == 1 || plan.BlockRows == 1;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, _owner);
            _users++;
            if ((one ? plan.IdleOne : plan.IdleBlock).TryPop(out var idle))
                return idle;
        }
        try
        {
            return new RunContext(this, plan, one ? 1 : plan.BlockRows);
        }
        catch
        {
            Leave();
            throw;
        }
    }

    public void Return(RunContext context)
    {
        lock (_lock)
        {
            var idle = context.Capacity == 1 ? context.Plan.IdleOne : context.Plan.IdleBlock;
            // As many as can run at once are kept; a burst of waiting threads does not hold its memory for ever.
            if (!_disposed && idle.Count < 2 * Environment.ProcessorCount)
            {
                idle.Push(context);
                context = null!;
            }
        }
        context?.Free();
        Leave();
    }

    public void Run(OrtIoBinding binding) => _session.RunWithBinding(_runOptions, binding);

    public OrtIoBinding CreateBinding() => _session.CreateIoBinding();

    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            _users++;
        }
        Leave();
    }

    private void Leave()
    {
        lock (_lock)
        {
            if (--_users != 0 || !_disposed)
                return;
        }
        // Nobody is in and nobody can enter.
        foreach (var plan in _plans)
        {
            while (plan.IdleOne.TryPop(out var context) || plan.IdleBlock.TryPop(out context))
                context.Free();
        }
        _runOptions.Dispose();
        _session.Dispose();
    }

    private void Try(RunPlan plan, int rows)
    {
        if (!_plans.Contains(plan))
            _plans.Add(plan);
        using var context = Rent(plan, rows);
        context.Run(rows);
    }
}
