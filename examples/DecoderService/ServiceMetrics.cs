using System.Diagnostics.Metrics;

namespace DecoderService;

/// <summary>The service's own numbers, beside those that ASP.NET Core measures of its requests.</summary>
internal sealed class ServiceMetrics
{
    public const string MeterName = "DecoderService";

    private readonly Counter<long> _rows, _batches, _swaps, _rejected;
    private readonly Histogram<int> _batchRows;

    public ServiceMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _rows = meter.CreateCounter<long>("decoder_service.rows", "{row}", "Rows computed.");
        _batches = meter.CreateCounter<long>("decoder_service.batches", "{batch}", "Batches run.");
        _swaps = meter.CreateCounter<long>("decoder_service.model.swaps", "{swap}", "Model files taken up while running, by outcome.");
        _rejected = meter.CreateCounter<long>("decoder_service.rejected", "{request}", "Requests turned away because too many were waiting.");
        _batchRows = meter.CreateHistogram<int>("decoder_service.batch.rows", "{row}", "Rows in a batch.", advice: new() { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256] });
    }

    public void Batch(string operation, int rows)
    {
        var tag = new KeyValuePair<string, object?>("operation", operation);
        _rows.Add(rows, tag);
        _batches.Add(1, tag);
        _batchRows.Record(rows, tag);
    }

    public void Swap(bool taken) => _swaps.Add(1, new KeyValuePair<string, object?>("outcome", taken ? "taken" : "refused"));

    public void Rejected() => _rejected.Add(1);
}
