using Microsoft.ML.OnnxRuntime;

namespace Vae.MLNet.Inference.Running;

/// <summary>
/// An OnnxRuntime session that threads share and that may be disposed at any time: runs in flight end first, later ones throw. (OnnxRuntime itself crashes the
/// process when a disposed session is used.)
/// </summary>
/// <param name="session">The session, which is disposed in the end.</param>
/// <param name="owner">Type that an <see cref="ObjectDisposedException"/> names.</param>
/// <param name="beforeDisposal">Called once nobody is in and nobody can enter any more; what else hangs on the session is freed there. Null for nothing.</param>
internal sealed class SharedSession(InferenceSession session, Type owner, Action? beforeDisposal = null) : IDisposable
{
    private readonly Lock _lock = new();

    // Not being disposed counts as a use.
    private int _users = 1;
    private bool _disposed;

    public InferenceSession Enter()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, owner);
            _users++;
        }
        return session;
    }

    public void Leave()
    {
        lock (_lock)
        {
            if (--_users > 0)
                return;
        }
        beforeDisposal?.Invoke();
        session.Dispose();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
        }
        Leave();
    }
}
