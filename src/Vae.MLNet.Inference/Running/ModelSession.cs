using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Loading;

namespace Vae.MLNet.Inference.Running;

/// <summary>A checked model in a <see cref="SharedSession"/>, with contexts for its runs that are kept and used again.</summary>
internal sealed class ModelSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly SharedSession _shared;
    private readonly RunOptions _runOptions = new();

    // Their idle contexts, which this list's lock guards, are freed with the session.
    private readonly List<RunPlan> _plans = [];

    private ModelSession(InferenceSession session, Type owner)
    {
        _session = session;
        _shared = new SharedSession(session, owner, Free);
    }

    /// <summary>Loads a model and checks it: first its bytes and metadata, then its tensors' declarations, at last by trial runs.</summary>
    public static ModelSession Load(ModelBytes model, VaeSessionOptions options, Type owner, string[] kinds, Func<ModelHeader, InferenceSession, RunPlan[]> check,
        out ModelHeader header, out RunPlan[] plans)
    {
        header = ModelHeader.Read(model.Name, OnnxScan.Check(model), kinds);
        if (header.GradientGraph is { } gradient)
            model = GradientGraph.Join(model, gradient);
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
            // What was checked is what is read: left alone, OnnxRuntime looks at the bytes and may take them for its own format.
            sessionOptions.AddSessionConfigEntry("session.load_model_format", "ONNX");
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
        _shared.Enter();
        try
        {
            lock (_plans)
            {
                if ((one ? plan.IdleOne : plan.IdleBlock).TryPop(out var idle))
                    return idle;
            }
            return new RunContext(this, plan, one ? 1 : plan.BlockRows);
        }
        catch
        {
            _shared.Leave();
            throw;
        }
    }

    public void Return(RunContext context)
    {
        bool keep;
        lock (_plans)
        {
            var idle = context.Capacity == 1 ? context.Plan.IdleOne : context.Plan.IdleBlock;
            // As many as can run at once are kept; a burst of waiting threads does not hold its memory for ever.
            keep = idle.Count < 2 * Environment.ProcessorCount;
            if (keep)
                idle.Push(context);
        }
        if (!keep)
            context.Free();
        _shared.Leave();
    }

    public void Run(OrtIoBinding binding) => _session.RunWithBinding(_runOptions, binding);

    public OrtIoBinding CreateBinding() => _session.CreateIoBinding();

    public void Dispose() => _shared.Dispose();

    private void Free()
    {
        foreach (var plan in _plans)
        {
            while (plan.IdleOne.TryPop(out var context) || plan.IdleBlock.TryPop(out context))
                context.Free();
        }
        _runOptions.Dispose();
    }

    private void Try(RunPlan plan, int rows)
    {
        if (!_plans.Contains(plan))
            _plans.Add(plan);
        using var context = Rent(plan, rows);
        context.Run(rows);
    }
}
