using System.Security.Cryptography;
using Vae.MLNet.Inference;

namespace DecoderService.Models;

/// <summary>One version of the model: decoder, encoder and their batches. It lives until it has been replaced and the last request on it has ended.</summary>
internal sealed class LoadedModel
{
    // The store's own use counts as one.
    private int _users = 1;

    private LoadedModel(byte[] bytes, VaeDecoder decoder, ModelRows rows, IRowEncoder? encoder, string version, ServiceOptions options, ServiceMetrics metrics)
    {
        DecoderBytes = bytes;
        Decoder = decoder;
        Rows = rows;
        Encoder = encoder;
        Version = version;
        int latent = decoder.LatentDimension, features = decoder.FeatureCount;
        Decode = new RowBatcher(latent, features, options, (inputs, outputs) => decoder.Decode(inputs, outputs), count => metrics.Batch("decode", count));
        if (encoder is not null)
            Encode = new RowBatcher(encoder.InputSize, 2 * latent, options, encoder.Posteriors, count => metrics.Batch("encode", count));
    }

    public VaeDecoder Decoder { get; }

    public IRowEncoder? Encoder { get; }

    /// <summary>What the decoder's rows are.</summary>
    public ModelRows Rows { get; }

    /// <summary>The decoder's file, as it was loaded; the browser gets the same version as the service runs.</summary>
    public byte[] DecoderBytes { get; }

    /// <summary>The first half of the SHA-256 of the files, in hexadecimal digits.</summary>
    public string Version { get; }

    public DateTimeOffset LoadedAt { get; } = DateTimeOffset.UtcNow;

    public RowBatcher Decode { get; }

    /// <summary>Gives for each row the posterior's mean and then its standard deviation.</summary>
    public RowBatcher? Encode { get; }

    /// <summary>Ends when everything has been freed.</summary>
    public Task Ended => _ended.Task;

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Loads and checks the files.</summary>
    /// <exception cref="InvalidDataException">A file is broken, or encoder and decoder do not belong together.</exception>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    public static LoadedModel Load(ServiceOptions options, ServiceMetrics metrics)
    {
        byte[] decoderBytes = File.ReadAllBytes(options.Model);
        byte[]? encoderBytes = options.Encoder is null ? null : File.ReadAllBytes(options.Encoder);
        var decoder = VaeDecoder.Load(decoderBytes, new() { Name = options.Model });
        IRowEncoder? encoder = null;
        try
        {
            var rows = ModelRows.Of(decoder, options);
            if (encoderBytes is not null)
                encoder = RowEncoders.Load(encoderBytes, options.Encoder!, decoder, rows);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData(decoderBytes);
            hash.AppendData(encoderBytes ?? []);
            string version = Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
            return new(decoderBytes, decoder, rows, encoder, version, options, metrics);
        }
        catch
        {
            encoder?.Dispose();
            decoder.Dispose();
            throw;
        }
    }

    /// <summary>Takes part in the use of the model; false once it has been replaced and left by all.</summary>
    public bool TryEnter()
    {
        for (int users = Volatile.Read(ref _users); users > 0;)
        {
            int found = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (found == users)
                return true;
            users = found;
        }
        return false;
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            _ = FreeAsync();
    }

    private async Task FreeAsync()
    {
        try
        {
            await Decode.CompleteAsync();
            if (Encode is not null)
                await Encode.CompleteAsync();
            Decoder.Dispose();
            Encoder?.Dispose();
            _ended.SetResult();
        }
        catch (Exception e)
        {
            _ended.SetException(e);
        }
    }
}
