using System.Security.Cryptography;
using Microsoft.ML;
using Vae.MLNet.Model;

namespace Vae.MLNet.Training;

/// <summary>What a first pass over streamed data finds: how many rows there are on either side, scaling constants, an even sample of the training rows.</summary>
internal sealed record StreamStatistics(long Training, long Validation, InputScale Scale, TrainingData Sample)
{
    /// <summary>Reads every row once and checks it.</summary>
    /// <param name="data">The data.</param>
    /// <param name="featureColumn">The feature column.</param>
    /// <param name="features">Numbers in a row.</param>
    /// <param name="options">Options of the training.</param>
    /// <param name="training">Which rows are trained on.</param>
    /// <param name="hash">Fed with every row, where it is wanted.</param>
    public static StreamStatistics Of(IDataView data, string featureColumn, int features, VaeTrainer.Options options, RowFilter training, RowHash? hash)
    {
        using var reader = new RowReader(data, featureColumn, options, features);
        int capacity = Math.Min(options.Streaming!.SampleRows, Array.MaxLength / features);
        var sample = new List<float[]>();
        var weights = new List<float>();
        bool moments = options.Scaling is InputScaling.Standardize or InputScaling.Auto && options.WarmStart is null;
        double[] mean = new double[features], squares = new double[features];
        float[] row = new float[features];
        long count = 0, held = 0;
        while (reader.Next())
        {
            reader.CopyTo(row);
            hash?.Add(row, reader.Weight);
            if (!training.Accepts(reader.Index))
            {
                held++;
                continue;
            }
            count++;
            // Algorithm R (Vitter 1985): the n-th row takes a place with probability capacity / n.
            if (sample.Count < capacity)
            {
                sample.Add([.. row]);
                weights.Add(reader.Weight);
            }
            else
            {
                ulong at = Math.BigMul(SeedStream.Derive(options.Seed, Purpose.Sample, count), (ulong)count, out _);
                if (at < (ulong)capacity)
                {
                    row.CopyTo(sample[(int)at], 0);
                    weights[(int)at] = reader.Weight;
                }
            }
            if (!moments)
                continue;
            // Welford 1962.
            double share = 1.0 / count;
            for (int j = 0; j < row.Length; j++)
            {
                double before = row[j] - mean[j];
                mean[j] += before * share;
                squares[j] += before * (row[j] - mean[j]);
            }
        }
        if (count + held == 0)
            throw reader.NoRows();
        if (training.Wanted != RowFilter.Part.All && (count == 0 || held == 0))
        {
            throw Check.Argument(nameof(options.ValidationFraction), Check.Invariant(
                $"ValidationFraction {options.ValidationFraction} of {count + held} rows holds out {held}; at least one row has to be on either side."));
        }
        var flat = new float[sample.Count * features];
        for (int i = 0; i < sample.Count; i++)
            sample[i].CopyTo(flat, i * features);
        var scale = options.WarmStart?.Scale
            ?? options.Scaling switch
            {
                InputScaling.Standardize => InputScale.Standardize(mean, Deviation()),
                InputScaling.Auto => InputScale.Auto(mean, Deviation(), flat),
                _ => InputScale.Fit(options.Scaling, flat, features),
            };
        return new(count, held, scale, new TrainingData(flat, sample.Count, reader.HasWeights ? [.. weights] : null));

        double[] Deviation() => [.. squares.Select(sum => Math.Sqrt(sum / count))];
    }

    /// <summary>Counts the rows of a data view, weights and features unread.</summary>
    public static long CountRows(IDataView data, CancellationToken cancellation)
    {
        if (data.GetRowCount() is { } known)
            return known;
        using var cursor = data.GetRowCursor([]);
        long count = 0;
        while (cursor.MoveNext())
        {
            if ((++count & 0x3FFF) == 0)
                cancellation.ThrowIfCancellationRequested();
        }
        return count;
    }
}

/// <summary>SHA-256 over rows and weights: tells a checkpoint's data from other data.</summary>
internal sealed class RowHash : IDisposable
{
    private const int Buffered = 1 << 14;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly float[] _buffer = new float[Buffered];
    private int _filled;

    public void Add(ReadOnlySpan<float> row, float weight)
    {
        if (_filled + row.Length + 1 > Buffered)
            Flush();
        if (row.Length + 1 > Buffered)
        {
            Add(row);
            Add([weight]);
            return;
        }
        row.CopyTo(_buffer.AsSpan(_filled));
        _buffer[_filled + row.Length] = weight;
        _filled += row.Length + 1;
    }

    /// <summary>Adds numbers as they are; their count goes first, so that parts cannot run into each other.</summary>
    public void AddBlock(ReadOnlySpan<float> values)
    {
        Flush();
        Span<byte> length = stackalloc byte[sizeof(int)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(length, values.Length);
        _hash.AppendData(length);
        Add(values);
    }

    /// <summary>Adds bytes as they are; their count goes first.</summary>
    public void AddBlock(ReadOnlySpan<byte> values)
    {
        Flush();
        Span<byte> length = stackalloc byte[sizeof(int)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(length, values.Length);
        _hash.AppendData(length);
        _hash.AppendData(values);
    }

    public string Finish()
    {
        Flush();
        return Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    private void Flush()
    {
        Add(_buffer.AsSpan(0, _filled));
        _filled = 0;
    }

    private void Add(ReadOnlySpan<float> values)
    {
        // Spans of bytes end at 2 GiB.
        const int Part = 1 << 24;
        for (int start = 0; start < values.Length; start += Part)
            _hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.Slice(start, Math.Min(Part, values.Length - start))));
    }

    public void Dispose() => _hash.Dispose();
}
