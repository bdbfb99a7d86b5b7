using System.Runtime.InteropServices;

namespace Vae.MLNet.Inference.Loading;

/// <summary>A model's bytes with the name by which errors speak of them. The size is limited before anything is read.</summary>
internal readonly record struct ModelBytes(string Name, byte[] Bytes)
{
    public static ModelBytes FromFile(string path, VaeSessionOptions options)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        // Sharing with writers' deletes and renames lets a new file take the old one's place while this one is read.
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1, FileOptions.SequentialScan);
        long length = file.CanSeek ? file.Length : 0;
        CheckSize(path, length, options);
        return new(path, Read(file, path, length, options));
    }

    public static ModelBytes FromStream(Stream stream, VaeSessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(stream);
        string name = options.Name ?? (stream is FileStream file ? file.Name : "stream");
        long left = stream.CanSeek ? stream.Length - stream.Position : 0;
        CheckSize(name, left, options);
        return new(name, Read(stream, name, left, options));
    }

    public static ModelBytes FromMemory(ReadOnlyMemory<byte> model, VaeSessionOptions options)
    {
        string name = options.Name ?? "model in memory";
        CheckSize(name, model.Length, options);
        bool whole = MemoryMarshal.TryGetArray(model, out var segment) && segment.Offset == 0 && segment.Count == segment.Array!.Length;
        return new(name, whole ? segment.Array! : model.ToArray());
    }

    private static byte[] Read(Stream stream, string name, long expected, VaeSessionOptions options)
    {
        if (expected > 0)
        {
            byte[] bytes = GC.AllocateUninitializedArray<byte>((int)expected);
            int count = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return count == bytes.Length ? bytes : bytes[..count];
        }
        // Length unknown: grow with what comes, up to the limit.
        using var memory = new MemoryStream();
        byte[] buffer = new byte[81920];
        int read;
        while ((read = stream.Read(buffer)) > 0)
        {
            CheckSize(name, memory.Length + read, options);
            memory.Write(buffer, 0, read);
        }
        return memory.ToArray();
    }

    private static void CheckSize(string name, long length, VaeSessionOptions options)
    {
        if (length > options.MaximumFileSize)
        {
            throw Guard.BadFile(name, Guard.Invariant(
                $"the model has {length} bytes or more; {nameof(VaeSessionOptions.MaximumFileSize)} allows {options.MaximumFileSize}."));
        }
    }
}
