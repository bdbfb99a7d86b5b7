using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Vae.MLNet.Data;

/// <summary>
/// Reads and writes .npy and .npz files. What a file says of its size is held against what is there before memory is taken for it; where that cannot be known
/// beforehand, in a compressed entry, memory grows with the data that really comes out.
/// </summary>
internal static class NumPyFile
{
    private const string Ending = ".npy";
    private const int BufferBytes = 1 << 17;
    private const int FirstValues = 1 << 18;

    // Up to this many times its compressed size an entry's values are allocated at once; DEFLATE reaches 1032.
    private const int TrustedRatio = 16;

    private static readonly DateTimeOffset EntryTime = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>All arrays of a file, in the file's order.</summary>
    public static IReadOnlyList<NumPyArray> Read(string path) => Open(path, stream => Read(stream, path));

    /// <summary>The arrays of the given names; null stands for the only array of the file.</summary>
    /// <exception cref="ArgumentException">The file does not hold an array of that name, or several where none is named.</exception>
    public static IReadOnlyList<NumPyArray> Read(string path, IReadOnlyList<string?> names) => Open(path, stream => Read(stream, path, names));

    /// <summary>As <see cref="Read(string, IReadOnlyList{string?})"/>, from a stream that can seek; <paramref name="names"/> null means all arrays.</summary>
    public static IReadOnlyList<NumPyArray> Read(Stream stream, string path, IReadOnlyList<string?>? names = null)
    {
        Span<byte> start = stackalloc byte[6];
        int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (read == 0)
            throw Check.BadFile(path, "a NumPy file is expected; it is empty.");
        if (start.StartsWith("PK"u8))
            return ReadZip(stream, path, names);
        if (!start[..read].SequenceEqual(NumPyHeader.Magic[..read]))
        {
            throw Check.BadFile(path, start[0] == 0x80
                ? "a NumPy array (.npy) or an archive of them (.npz) is expected; it looks like a Python pickle, which is not read because a pickle can run any code."
                : $"a NumPy array (.npy) or an archive of them (.npz) is expected; it starts with {Convert.ToHexString(start[..read])}, which is neither.");
        }
        string name = Path.GetFileNameWithoutExtension(path);
        foreach (string? wanted in names ?? [])
        {
            if (wanted is not null && wanted != name)
                throw NoSuchArray(path, wanted, [name]);
        }
        var array = ReadArray(stream, name, problem => Check.BadFile(path, problem), stream.Length, long.MaxValue);
        return [.. Enumerable.Repeat(array, names?.Count ?? 1)];
    }

    /// <summary>Writes arrays as 4-byte floating-point numbers: .npy for one, .npz for any number.</summary>
    public static void Write(string path, IReadOnlyList<NumPyArray> arrays)
    {
        string descr = NumPyDtype.Describe(typeof(float))!;
        if (!CheckPath(path, arrays.Count))
        {
            AtomicFile.Write(path, stream => WriteArray(stream, arrays[0]));
            return;
        }
        AtomicFile.Write(path, stream =>
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            foreach (var array in arrays)
            {
                using var entry = CreateEntry(zip, array.Name);
                WriteArray(entry, array);
            }
        });

        void WriteArray(Stream stream, NumPyArray array)
        {
            stream.Write(NumPyHeader.Format(descr, [.. array.Shape.Select(dimension => (long)dimension)]));
            for (int at = 0; at < array.Values.Length; at += FirstValues)
                stream.Write(MemoryMarshal.AsBytes(array.Values.AsSpan(at, Math.Min(FirstValues, array.Values.Length - at))));
        }
    }

    /// <summary>Checks that the name's ending fits the number of arrays; true for an archive.</summary>
    public static bool CheckPath(string path, int arrays)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string ending = Path.GetExtension(path);
        if (ending.Equals(".npz", StringComparison.OrdinalIgnoreCase))
            return true;
        if (!ending.Equals(Ending, StringComparison.OrdinalIgnoreCase))
            throw Check.Argument(nameof(path), $"'{path}': a name ending in .npy or .npz is expected, it ends in '{ending}'.");
        if (arrays != 1)
            throw Check.Argument(nameof(path), Check.Invariant($"'{path}': a .npy file holds one array, {arrays} are to be written; .npz holds several."));
        return false;
    }

    /// <summary>An uncompressed entry, as numpy.savez writes it; its date is fixed, so that the same data give the same bytes.</summary>
    public static Stream CreateEntry(ZipArchive zip, string name)
    {
        var entry = zip.CreateEntry(name + Ending, CompressionLevel.NoCompression);
        entry.LastWriteTime = EntryTime;
        return entry.Open();
    }

    private static T Open<T>(string path, Func<FileStream, T> read)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"The NumPy file '{path}' does not exist.", path);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        return read(stream);
    }

    private static List<NumPyArray> ReadZip(Stream stream, string path, IReadOnlyList<string?>? names)
    {
        using var zip = Guard(path, () => new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true));
        var entries = new Dictionary<string, ZipArchiveEntry>(StringComparer.Ordinal);
        var order = new List<string>();
        foreach (var entry in Guard(path, () => zip.Entries))
        {
            // numpy.load leaves other entries as raw bytes; they are not arrays.
            // Nor are the notes that macOS puts beside every file of an archive.
            if (!entry.FullName.EndsWith(Ending, StringComparison.Ordinal) || entry.FullName.StartsWith("__MACOSX/", StringComparison.Ordinal))
                continue;
            string name = entry.FullName[..^Ending.Length];
            if (!entries.TryAdd(name, entry))
                throw Check.BadFile(path, $"the array '{name}' comes twice in the archive.");
            order.Add(name);
        }
        if (order.Count == 0)
            throw Check.BadFile(path, "an archive of NumPy arrays is expected; no entry of the zip file ends in .npy.");

        var arrays = new List<NumPyArray>();
        var done = new Dictionary<string, NumPyArray>(StringComparer.Ordinal);
        foreach (string? wanted in names ?? order)
        {
            string name = wanted ?? (order.Count == 1 ? order[0] : throw Check.Argument("arrayName", $"'{path}' holds several arrays, name one of them: {List(order)}."));
            if (!entries.TryGetValue(name, out var entry))
                throw NoSuchArray(path, name, order);
            if (!done.TryGetValue(name, out var array))
            {
                using var content = new CheckedStream(Guard(path, entry.Open), path, name, entry.Crc32);
                bool stored = entry.CompressedLength == entry.Length;
                long trusted = Math.Min(entry.CompressedLength, stream.Length) * (stored ? 1 : TrustedRatio);
                array = ReadArray(content, name, problem => Check.BadFile(path, $"array '{name}': {problem}"), entry.Length, trusted);
                content.CheckSum();
                done.Add(name, array);
            }
            arrays.Add(array);
        }
        return arrays;
    }

    /// <param name="stream">Stands at the array's start.</param>
    /// <param name="name">The array's name.</param>
    /// <param name="fail">Words an error about this array.</param>
    /// <param name="length">Bytes that are said to be there.</param>
    /// <param name="trusted">Bytes of data up to which that is known to be true.</param>
    private static NumPyArray ReadArray(Stream stream, string name, Func<string, Exception> fail, long length, long trusted)
    {
        var header = NumPyHeader.Read(stream, fail, out int headerLength);
        long there = length - headerLength;
        if (header.DataBytes > there)
            throw fail(Check.Invariant($"the shape {header.ShapeText} of {header.Dtype.Size}-byte elements claims {header.DataBytes} bytes; {Math.Max(0, there)} bytes are there."));
        if (header.DataBytes < there)
            throw fail(Check.Invariant($"the shape {header.ShapeText} of {header.Dtype.Size}-byte elements takes {header.DataBytes} bytes; {there} bytes are there, more than one array."));
        if (header.Count > Array.MaxLength)
            throw fail(Check.Invariant($"at most {Array.MaxLength} elements can be held; the shape {header.ShapeText} has {header.Count}."));

        float[] values = ReadValues(stream, header, fail, trusted);
        if (stream.ReadByte() >= 0)
            throw fail(Check.Invariant($"the shape {header.ShapeText} takes {header.DataBytes} bytes; more are there."));
        return new(name, header.Shape, header.FortranOrder && header.Shape.Length > 1 ? ToCOrder(values, header.Shape) : values);
    }

    private static float[] ReadValues(Stream stream, NumPyHeader header, Func<string, Exception> fail, long trusted)
    {
        int total = (int)header.Count, size = header.Dtype.Size;
        float[] values = GC.AllocateUninitializedArray<float>(header.DataBytes <= trusted ? total : Math.Min(total, FirstValues));
        var buffer = new byte[(int)Math.Min(BufferBytes, Math.Max(header.DataBytes, 1))];
        int done = 0;
        while (done < total)
        {
            int count = Math.Min(total - done, buffer.Length / size);
            if (done + count > values.Length)
                Array.Resize(ref values, (int)Math.Min(total, 2L * values.Length));
            var bytes = header.Dtype.IsNativeSingle ? MemoryMarshal.AsBytes(values.AsSpan(done, count)) : buffer.AsSpan(0, count * size);
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (read < bytes.Length)
                throw fail(Check.Invariant($"the data is cut off: {header.DataBytes} bytes are expected, {(long)done * size + read} are there."));
            int overflow = header.Dtype.IsNativeSingle ? -1 : header.Dtype.ToSingle(bytes, values.AsSpan(done, count));
            if (overflow >= 0)
                throw fail(Check.Invariant($"numbers that a Single can hold, at most {float.MaxValue}, are expected; element {done + overflow} of the data is {BitConverter.ToDouble(bytes[(overflow * size)..])}."));
            done += count;
        }
        return values;
    }

    /// <summary>Fortran order (first dimension fastest) to C order (last dimension fastest).</summary>
    private static float[] ToCOrder(float[] values, int[] shape)
    {
        if (values.Length == 0)
            return values;
        // The file holds, for each place within a row, the values of all rows. Where a place stands in a C-order row:
        int rows = shape[0], width = values.Length / rows;
        var places = new int[width];
        Span<int> index = stackalloc int[shape.Length];
        Span<int> stride = stackalloc int[shape.Length];
        stride[^1] = 1;
        for (int d = shape.Length - 2; d > 0; d--)
            stride[d] = stride[d + 1] * shape[d + 1];
        for (int place = 0, at = 0; place < width; place++)
        {
            places[place] = at;
            for (int d = 1; d < shape.Length; d++)
            {
                at += stride[d];
                if (++index[d] < shape[d])
                    break;
                at -= stride[d] * shape[d];
                index[d] = 0;
            }
        }

        // In blocks of rows that stay in the cache.
        const int BlockRows = 64;
        float[] result = GC.AllocateUninitializedArray<float>(values.Length);
        for (int start = 0; start < rows; start += BlockRows)
        {
            int end = Math.Min(rows, start + BlockRows);
            for (int place = 0; place < width; place++)
            {
                var source = values.AsSpan(place * rows, rows);
                int to = places[place];
                for (int row = start; row < end; row++)
                    result[row * width + to] = source[row];
            }
        }
        return result;
    }

    private static ArgumentException NoSuchArray(string path, string wanted, List<string> there) =>
        Check.Argument("arrayName", $"'{path}' holds no array '{wanted}'; it holds {List(there)}.");

    private static string List(List<string> names) =>
        string.Join(", ", names.Take(20).Select(name => $"'{name}'")) + (names.Count > 20 ? Check.Invariant($" and {names.Count - 20} more") : "");

    /// <summary>The zip reader meets a broken file with many kinds of exception; to the caller it is one: the file is bad.</summary>
    private static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (IsBadZip(e))
        {
            throw Check.BadFile(path, "an archive of NumPy arrays (.npz) is expected; it is not a sound zip file: " + e.Message, e);
        }
    }

    private static bool IsBadZip(Exception e) => e is InvalidDataException or EndOfStreamException or NotSupportedException or ArgumentException or OverflowException
        || e is IOException && e.HResult == BadSeek;

    // What a stream throws when an offset in a broken archive points before its start.
    private static readonly int BadSeek = new IOException().HResult;

    /// <summary>Names file and array when unpacking fails, and keeps the check sum, which the zip reader leaves to its caller.</summary>
    private sealed class CheckedStream(Stream content, string path, string name, uint expected) : Stream
    {
        private uint _sum = uint.MaxValue;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int read;
            try
            {
                read = content.Read(buffer);
            }
            catch (Exception e) when (IsBadZip(e))
            {
                throw Check.BadFile(path, $"array '{name}': its entry in the archive cannot be unpacked: {e.Message}", e);
            }
            _sum = Crc32.Append(_sum, buffer[..read]);
            return read;
        }

        public void CheckSum()
        {
            if (~_sum != expected)
                throw Check.BadFile(path, Check.Invariant($"array '{name}': the check sum {expected:X8} is expected; the data has {~_sum:X8}. The file is damaged."));
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                content.Dispose();
            base.Dispose(disposing);
        }
    }
}
