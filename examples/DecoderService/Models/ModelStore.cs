namespace DecoderService.Models;

/// <summary>Holds the model that new requests use, and replaces it as a whole. Requests on the old one end on the old one.</summary>
internal sealed class ModelStore : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly ServiceOptions _options;
    private readonly ServiceMetrics _metrics;
    private readonly List<Task> _leaving = [];
    private LoadedModel _current;
    private bool _disposed;

    public ModelStore(ServiceOptions options, ServiceMetrics metrics)
    {
        _options = options;
        _metrics = metrics;
        _current = LoadedModel.Load(options, metrics);
    }

    /// <summary>Takes the current model for a request.</summary>
    public ModelLease Rent()
    {
        while (true)
        {
            var model = Volatile.Read(ref _current);
            if (model.TryEnter())
                return new(model);
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed), this);
        }
    }

    /// <summary>Loads the files anew; where they are sound and differ, new requests use them from now on. Gives the new version, or null where nothing changed.</summary>
    /// <exception cref="InvalidDataException">A file is broken; the old model stays.</exception>
    /// <exception cref="IOException">A file cannot be read; the old model stays.</exception>
    public string? Reload()
    {
        var loaded = LoadedModel.Load(_options, _metrics);
        var leaving = loaded;
        lock (_lock)
        {
            if (!_disposed && loaded.Version != _current.Version)
            {
                leaving = _current;
                Volatile.Write(ref _current, loaded);
            }
            _leaving.RemoveAll(task => task.IsCompletedSuccessfully);
            _leaving.Add(leaving.Ended);
        }
        leaving.Leave();
        return leaving == loaded ? null : loaded.Version;
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            _leaving.Add(_current.Ended);
        }
        _current.Leave();
        await Task.WhenAll(_leaving);
    }
}

/// <summary>One request's use of a model.</summary>
internal readonly struct ModelLease(LoadedModel model) : IDisposable
{
    public LoadedModel Model => model;

    public void Dispose() => model.Leave();
}
