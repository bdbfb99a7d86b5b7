namespace Vae.MLNet.Tool;

/// <summary>Reports on the thread that has something to report.</summary>
internal sealed class Reporter<T>(Action<T> action) : IProgress<T>
{
    public void Report(T value) => action(value);
}
