using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Vae.MLNet.Data;

namespace Vae.MLNet.Training;

/// <summary>Everything that a training needs to go on at the end of an epoch. Random streams are derived from the seed and the epoch, so they are no part of it.</summary>
internal sealed record TrainingState(
    IReadOnlyList<VaeEpoch> Epochs,
    long Steps,
    int BestEpoch,
    double BestLoss,
    bool StoppedEarly,
    float[] Parameters,
    float[] First,
    float[] Second,
    float[]? Best);

/// <summary>
/// Checkpoints of one training in a folder. A file is a magic number, a JSON header, the arrays and a SHA-256 of all that; it appears whole or not at all, and the two
/// newest are kept, so that one that was damaged later costs a few epochs and nothing else.
/// </summary>
/// <param name="folder">The folder; made when the first checkpoint is written, in one that exists.</param>
/// <param name="options">The training's options: a checkpoint of others is refused.</param>
/// <param name="data">Fingerprint of the training's data and starting weights.</param>
/// <param name="warn">Told about a damaged file.</param>
internal sealed class CheckpointStore(string folder, VaeTrainer.Options options, string data, Action<string> warn)
{
    private const string Prefix = "epoch-", Extension = ".vaecheckpoint";

    private const int Kept = 2;

    private static readonly byte[] Magic = "VAECKPT1"u8.ToArray();

    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, MaxDepth = 16 };

    private sealed record Header(
        string Options, string Data, int Parameters, bool HasBest, IReadOnlyList<VaeEpoch> Epochs, long Steps, int BestEpoch, double BestLoss, bool StoppedEarly);

    /// <summary>The options that decide on the numbers; names of output columns do not.</summary>
    private readonly string _options = (options with { StandardDeviationColumnName = null, ReconstructionColumnName = null, ScoreColumnName = null }).ToJson();

    /// <summary>The newest sound checkpoint; null where there is none.</summary>
    /// <exception cref="InvalidOperationException">A checkpoint belongs to other options or other data.</exception>
    /// <exception cref="DirectoryNotFoundException">Neither the folder nor the one that it would be in exists.</exception>
    public TrainingState? Newest(int parameters)
    {
        if (!Directory.Exists(folder))
        {
            CheckParent(folder);
            return null;
        }
        foreach (string file in Files())
        {
            try
            {
                return Read(file, parameters);
            }
            catch (Exception e) when (e is InvalidDataException or IOException or JsonException or UnauthorizedAccessException)
            {
                warn($"The checkpoint '{file}' cannot be used ({e.Message}); the training continues from an earlier state.");
            }
        }
        return null;
    }

    public void Save(TrainingState state)
    {
        MakeFolder(folder);
        string file = Path.Combine(folder, Check.Invariant($"{Prefix}{state.Epochs.Count:D8}{Extension}"));
        AtomicFile.Write(file, stream => Write(stream, state));
        foreach (string old in Files().Skip(Kept))
            File.Delete(old);
        // What killed processes of earlier versions have left; of this one's, the writing itself takes care.
        foreach (string left in Directory.EnumerateFiles(folder, $".{Prefix}*{Extension}.*.tmp"))
            File.Delete(left);
    }

    /// <summary>Makes the folder of checkpoints where there is none, but not the folder that it is to be in: a mistyped path is no wish for a new tree of folders.</summary>
    /// <exception cref="DirectoryNotFoundException">The folder that it would be in does not exist.</exception>
    public static void MakeFolder(string folder)
    {
        if (Directory.Exists(folder))
            return;
        CheckParent(folder);
        Directory.CreateDirectory(folder);
    }

    private static void CheckParent(string folder)
    {
        string? parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        if (parent is not null && !Directory.Exists(parent))
            throw new DirectoryNotFoundException($"CheckpointFolder '{folder}' cannot be made: the folder '{parent}' does not exist.");
    }

    /// <summary>The folder's checkpoints, the newest first.</summary>
    private string[] Files() =>
        [.. Directory.EnumerateFiles(folder, $"{Prefix}*{Extension}").OrderByDescending(file => file, StringComparer.Ordinal)];

    private void Write(Stream stream, TrainingState state)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] header = JsonSerializer.SerializeToUtf8Bytes(
            new Header(_options, data, state.Parameters.Length, state.Best is not null,
                state.Epochs, state.Steps, state.BestEpoch, state.BestLoss, state.StoppedEarly), Json);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, header.Length);
        Put(Magic);
        Put(length);
        Put(header);
        foreach (float[]? values in new[] { state.Parameters, state.First, state.Second, state.Best })
            Put(MemoryMarshal.AsBytes(values.AsSpan()));
        stream.Write(hash.GetHashAndReset());

        void Put(ReadOnlySpan<byte> bytes)
        {
            hash.AppendData(bytes);
            stream.Write(bytes);
        }
    }

    private TrainingState Read(string file, int parameters)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (!Get(Magic.Length).AsSpan().SequenceEqual(Magic))
            throw Check.BadFile(file, "it does not start as a checkpoint of this library does");
        int length = BinaryPrimitives.ReadInt32LittleEndian(Get(sizeof(int)));
        if (length < 0 || length > stream.Length)
            throw Check.BadFile(file, "it is truncated or damaged");
        byte[] json = Get(length);
        // The checksum comes before any belief in what the header says.
        long rest = stream.Length - stream.Position - SHA256.HashSizeInBytes;
        if (rest < 0 || rest % sizeof(float) != 0 || rest / sizeof(float) > 4L * Array.MaxLength)
            throw Check.BadFile(file, "it is truncated or damaged");
        var arrays = new List<float[]>();
        for (long left = rest / sizeof(float); left > 0; left -= arrays[^1].Length)
        {
            if (left % parameters != 0 || arrays.Count == 4)
                break;
            var values = new float[parameters];
            Fill(MemoryMarshal.AsBytes(values.AsSpan()));
            arrays.Add(values);
        }
        // Whatever else stands there, of a network of another size, belongs to the checksum as well.
        long unread = stream.Length - stream.Position - SHA256.HashSizeInBytes;
        var part = new byte[1 << 16];
        for (; unread > 0; unread -= Math.Min(unread, part.Length))
            Fill(part.AsSpan(0, (int)Math.Min(unread, part.Length)));
        byte[] expected = hash.GetHashAndReset(), found = new byte[SHA256.HashSizeInBytes];
        stream.ReadExactly(found);
        if (!expected.AsSpan().SequenceEqual(found))
            throw Check.BadFile(file, "its checksum is wrong: it is truncated or damaged");

        var header = JsonSerializer.Deserialize<Header>(json, Json) ?? throw Check.BadFile(file, "its header is empty");
        if (header.Options != _options)
            throw Refused(file, "other options: " + Differences(header.Options, _options));
        if (header.Data != data)
            throw Refused(file, "other data (or another WarmStart)");
        if (header.Parameters != parameters || arrays.Count != (header.HasBest ? 4 : 3))
            throw Check.BadFile(file, "it holds another number of parameters than its options have");
        return new(header.Epochs, header.Steps, header.BestEpoch, header.BestLoss, header.StoppedEarly, arrays[0], arrays[1], arrays[2], header.HasBest ? arrays[3] : null);

        byte[] Get(int count)
        {
            if (count > stream.Length - stream.Position)
                throw Check.BadFile(file, "it is truncated");
            var bytes = new byte[count];
            Fill(bytes);
            return bytes;
        }

        void Fill(Span<byte> bytes)
        {
            stream.ReadExactly(bytes);
            hash.AppendData(bytes);
        }
    }

    private static InvalidOperationException Refused(string file, string why) => new(
        $"The checkpoint '{file}' belongs to a training with {why}. Give another CheckpointFolder, or delete that one to start anew.");

    /// <summary>Names the options that differ, with both values.</summary>
    private static string Differences(string saved, string given)
    {
        using JsonDocument before = JsonDocument.Parse(saved), after = JsonDocument.Parse(given);
        var old = before.RootElement.EnumerateObject().ToDictionary(property => property.Name, property => property.Value.GetRawText());
        var now = after.RootElement.EnumerateObject().ToDictionary(property => property.Name, property => property.Value.GetRawText());
        return string.Join(", ", old.Keys.Union(now.Keys)
            .Where(name => old.GetValueOrDefault(name) != now.GetValueOrDefault(name))
            .Select(name => string.Create(CultureInfo.InvariantCulture,
                $"{char.ToUpperInvariant(name[0])}{name[1..]} was {old.GetValueOrDefault(name) ?? "not set"} and is {now.GetValueOrDefault(name) ?? "not set"}")));
    }
}
