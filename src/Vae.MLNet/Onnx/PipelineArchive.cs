using System.Buffers.Binary;
using System.IO.Compression;

namespace Vae.MLNet.Onnx;

/// <summary>
/// The ONNX models in a saved ML.NET model, which is a zip: every entry named OnnxModel, in whatever folder, is a length of four bytes and the model. Sizes that
/// an archive claims are not believed.
/// </summary>
internal static class PipelineArchive
{
    private const string EntryName = "OnnxModel";

    /// <summary>Most bytes of an archive's directory, some hundred thousand entries; .NET reads it whole.</summary>
    private const int LargestDirectory = 16 << 20;

    /// <summary>An entry this small may be compressed by any ratio; a larger one by at most <see cref="LargestRatio"/>. Weights hardly compress.</summary>
    private const int Unsuspicious = 16 << 20, LargestRatio = 100;

    public sealed record Entry(string Name, byte[] Model, IReadOnlyDictionary<string, string> Metadata)
    {
        /// <summary>Kind of a model of this library; null for one of somebody else.</summary>
        public string? Kind => Metadata.ContainsKey(VaeMetadata.Format) ? Metadata.GetValueOrDefault(VaeMetadata.Kind) : null;
    }

    public static IReadOnlyList<Entry> Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using var stream = File.OpenRead(path);
        return Read(stream, path);
    }

    /// <exception cref="InvalidDataException">The archive or an entry is damaged, or larger than a model may be.</exception>
    public static IReadOnlyList<Entry> Read(Stream stream, string file)
    {
        CheckDirectory(stream, file);
        var entries = new List<Entry>();
        long total = 0;
        try
        {
            using var archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            foreach (var entry in archive.Entries)
            {
                // Written on Windows, ML.NET's entries have backslashes.
                if (entry.FullName[(entry.FullName.LastIndexOfAny(['/', '\\']) + 1)..] != EntryName)
                    continue;
                byte[] model = Extract(entry, file);
                total += model.LongLength;
                if (total > OnnxWire.MaximumBytes)
                    throw Check.BadFile(file, Check.Invariant($"its ONNX models have more than {OnnxWire.MaximumBytes} bytes together."));
                entries.Add(new(entry.FullName, model, OnnxWire.Metadata(model, Name(file, entry))));
            }
        }
        catch (InvalidDataException e) when (!e.Message.StartsWith($"'{file}", StringComparison.Ordinal))
        {
            throw Check.BadFile(file, "not a saved ML.NET model, or damaged: " + e.Message, e);
        }
        catch (Exception e) when (e is EndOfStreamException or NotSupportedException or ArgumentException or OverflowException or IndexOutOfRangeException || e.GetType() == typeof(IOException))
        {
            throw Check.BadFile(file, "not a saved ML.NET model, or damaged: " + e.Message, e);
        }
        return entries;
    }

    /// <summary>How an entry is called in messages.</summary>
    public static string Name(string file, string entry) => file + ": " + OnnxFile.Shown(entry);

    private static string Name(string file, ZipArchiveEntry entry) => Name(file, entry.FullName);

    private static byte[] Extract(ZipArchiveEntry entry, string file)
    {
        string name = Name(file, entry);
        if (entry.Length - 4 > OnnxWire.MaximumBytes)
            throw Check.BadFile(name, Check.Invariant($"{entry.Length} bytes; a model has at most {OnnxWire.MaximumBytes}."));
        long limit = Math.Max(Unsuspicious, entry.CompressedLength * LargestRatio);
        using var content = entry.Open();
        using var bytes = new MemoryStream();
        var buffer = new byte[1 << 16];
        int read;
        while ((read = content.Read(buffer)) > 0)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > limit)
                throw Check.BadFile(name, Check.Invariant($"its {entry.CompressedLength} bytes unpack to more than {limit}, which no model does."));
        }
        int length = bytes.Length < 4 ? -1 : BinaryPrimitives.ReadInt32LittleEndian(bytes.GetBuffer());
        if (length != bytes.Length - 4 || length <= 0)
            throw Check.BadFile(name, Check.Invariant($"{bytes.Length} bytes, which is not a length and a model of that length."));
        return bytes.GetBuffer().AsSpan(4, length).ToArray();
    }

    /// <summary>The end record of the archive says where its directory is; what lies behind that has to be moderate.</summary>
    private static void CheckDirectory(Stream stream, string file)
    {
        const int RecordSize = 22, LongestComment = ushort.MaxValue;
        long length = stream.Length;
        int tail = (int)Math.Min(length, RecordSize + LongestComment);
        var end = new byte[tail];
        stream.Position = length - tail;
        stream.ReadExactly(end);
        int at = end.AsSpan().LastIndexOf("PK\u0005\u0006"u8);
        if (at < 0 || at + RecordSize > tail)
            throw Check.BadFile(file, "not a saved ML.NET model: it is no zip archive, or a truncated one.");
        uint directory = BinaryPrimitives.ReadUInt32LittleEndian(end.AsSpan(at + 16));
        if (directory == uint.MaxValue)
            throw Check.BadFile(file, "the archive is in the zip64 format for more than 4 GiB or 65535 entries; a saved model is smaller.");
        if (directory > length || length - directory > LargestDirectory)
            throw Check.BadFile(file, Check.Invariant($"the archive's directory is at {directory} of {length} bytes; it has to be within the last {LargestDirectory}."));
    }
}
