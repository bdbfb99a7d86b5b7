namespace DecoderService.Models;

/// <summary>
/// Looks at the model's files and has them loaded when they have changed. It asks for times and sizes rather than for notifications, which network and
/// container file systems do not all send, and waits until they stand still, so that a file is not read while it is being copied.
/// </summary>
internal sealed partial class ModelWatcher(ModelStore store, ServiceOptions options, ServiceMetrics metrics, ILogger<ModelWatcher> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The first look loads again what was loaded at the start, unless it is the same: no change in between is missed.
        (DateTime, long, DateTime, long) taken = default, before = default;
        using var timer = new PeriodicTimer(options.PollInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var now = Stamp(options);
                bool still = now == before;
                before = now;
                if (!still || now == taken)
                    continue;
                taken = now;
                Reload();
            }
        }
        catch (OperationCanceledException)
        {
            // The service stops.
        }
    }

    private void Reload()
    {
        try
        {
            if (store.Reload() is not { } version)
                return;
            metrics.Swap(taken: true);
            Swapped(version, options.Model);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            metrics.Swap(taken: false);
            Refused(options.Model, e.Message);
        }
    }

    private static (DateTime, long, DateTime, long) Stamp(ServiceOptions options)
    {
        var (decoderTime, decoderSize) = One(options.Model);
        var (encoderTime, encoderSize) = One(options.Encoder);
        return (decoderTime, decoderSize, encoderTime, encoderSize);

        static (DateTime, long) One(string? file)
        {
            var info = file is null ? null : new FileInfo(file);
            // A link is replaced to swap what it points to.
            if (info?.LinkTarget is not null && info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
                info = target;
            return info is { Exists: true } ? (info.LastWriteTimeUtc, info.Length) : default;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Model {Version} from {File} is in use.")]
    private partial void Swapped(string version, string file);

    [LoggerMessage(2, LogLevel.Error, "{File} changed and was refused; the model in use stays. {Problem}")]
    private partial void Refused(string file, string problem);
}
