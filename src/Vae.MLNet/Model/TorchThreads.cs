using static TorchSharp.torch;

namespace Vae.MLNet.Model;

/// <summary>
/// The number of threads of libtorch's processor kernels. It is kept twice, once for the process and once for each thread that has asked,
/// and a fresh thread takes over whatever the process has at that moment: read anew in each Fit it would depend on what else is running,
/// and sums would round differently.
/// </summary>
internal static class TorchThreads
{
    private static readonly Lock Gate = new();
    private static int _default, _before, _borrowers;

    /// <summary>Threads of this thread's innermost loan; 0 without one.</summary>
    [ThreadStatic]
    private static int _own;

    /// <summary>Threads that libtorch uses by itself, or was told to before this library first asked.</summary>
    public static int Default
    {
        get
        {
            lock (Gate)
                return _default > 0 ? _default : _default = get_num_threads();
        }
    }

    /// <summary>The number of threads that an option stands for; 0 is the default.</summary>
    public static int Of(int option) => option > 0 ? option : Default;

    /// <summary>
    /// Has the calling thread use so many threads until the result is disposed of, on the same thread. Loans may be nested.
    /// </summary>
    public static Loan Borrow(int threads)
    {
        _ = Default;
        lock (Gate)
        {
            // While somebody else has set a number, a thread without a loan of its own may have just inherited that one.
            if (_borrowers++ == 0)
                _before = get_num_threads();
            var loan = new Loan(_own);
            _own = threads;
            set_num_threads(threads);
            return loan;
        }
    }

    /// <summary>Gives back what the calling thread had.</summary>
    /// <param name="outer">Threads of the loan around this one; 0 where there is none.</param>
    public readonly struct Loan(int outer) : IDisposable
    {
        public void Dispose()
        {
            lock (Gate)
            {
                _borrowers--;
                _own = outer;
                set_num_threads(outer > 0 ? outer : _before);
            }
        }
    }
}
