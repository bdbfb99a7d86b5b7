using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Vae.MLNet.Data;

/// <summary>
/// Reads and writes .npy and .npz files. What a file says of its size is held against what is there before memory is taken for it; where that cannot be known
/// beforehand, in an entry that packs very well, the entry is unpacked twice: once to see, once to keep. So reading takes the array itself and a small buffer.
/// </summary>
internal static class NumPyFile
{
    private const string Ending = ".npy";
    private const int BufferBytes = 1 << 17;
    private const int WrittenValues = 1 << 18;

    // Elements in Fortran order that are put into their places at a time: enough for whole cache lines unless there are very many rows.
    private const int FortranValues = 1 << 19;

    // Up to this many times its compressed size an entry is believed to hold what it says; DEFLATE reaches 1032.
    private const int TrustedRatio = 16;

    private static readonly DateTimeOffset EntryTime = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>All arrays of a file, in the file's order.</summary>
    public static IReadOnlyList<NumPyArray> Read(string path) => Open(path, stream => Read(stream, path));

    /// <summary>The bytes of values that a file may take in memory unless something else is said: 2 GiB, or what may honestly come out of a file of its size where that is more.</summary>
    public static long DefaultMaxBytes(long fileLength) => Math.Max(NumPyLoadOptions.DefaultMaxBytes, fileLength * TrustedRatio);

    /// <summary>The arrays of the given names; null stands for the only array of the file.</summary>
    /// <exception cref="ArgumentException">The file does not hold an array of that name, or several where none is named.</exception>
    public static IReadOnlyList<NumPyArray> Read(string path, IReadOnlyList<string?> names, long maxBytes = 0, string option = nameof(NumPyLoadOptions.MaxBytes)) =>
        Open(path, stream => Read(stream, path, names, maxBytes, option));

    /// <summary>As <see cref="Read(string, IReadOnlyList{string?}, long, string)"/>, from a stream that can seek; <paramref name="names"/> null means all arrays.</summary>
    /// <param name="stream">The file.</param>
    /// <param name="path">What errors call it.</param>
    /// <param name="names">The arrays to read.</param>
    /// <param name="maxBytes">Most bytes that the values of all arrays may take in memory; 0 for the default.</param>
    /// <param name="option">What errors call that.</param>
    public static IReadOnlyList<NumPyArray> Read(Stream stream, string path, IReadOnlyList<string?>? names = null, long maxBytes = 0, string option = nameof(NumPyLoadOptions.MaxBytes))
    {
        var budget = new Budget(maxBytes > 0 ? maxBytes : DefaultMaxBytes(stream.Length), option);
        Span<byte> start = stackalloc byte[6];
        int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (read == 0)
            throw Check.BadFile(path, "a NumPy file is expected; it is empty.");
        if (start.StartsWith("PK"u8))
            return ReadZip(stream, path, names, budget);
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
        Func<string, Exception> fail = problem => Check.BadFile(path, problem);
        var header = ReadHeader(stream, fail, stream.Length, budget);
        var array = new NumPyArray(name, header.Shape, ReadValues(stream, header, fail));
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
            for (int at = 0; at < array.Values.Length; at += WrittenValues)
                stream.Write(MemoryMarshal.AsBytes(array.Values.AsSpan(at, Math.Min(WrittenValues, array.Values.Length - at))));
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

    private static List<NumPyArray> ReadZip(Stream stream, string path, IReadOnlyList<string?>? names, Budget budget)
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
                array = ReadEntry(stream, entry, path, name, budget);
                done.Add(name, array);
            }
            arrays.Add(array);
        }
        return arrays;
    }

    private static NumPyArray ReadEntry(Stream stream, ZipArchiveEntry entry, string path, string name, Budget budget)
    {
        Func<string, Exception> fail = problem => Check.BadFile(path, $"array '{name}': {problem}");
        bool stored = entry.CompressedLength == entry.Length;
        long trusted = Math.Min(entry.CompressedLength, stream.Length) * (stored ? 1 : TrustedRatio);
        using (var content = Content())
        {
            var header = ReadHeader(content, fail, entry.Length, budget);
            if (header.DataBytes <= trusted)
                return Take(content, header);
            long there = content.ReadToEnd();
            if (there < header.DataBytes)
                throw CutOff(header, fail, there);
            if (there > header.DataBytes)
                throw TooLong(header, fail);
            content.CheckSum();
        }
        // All is there: the memory may be taken.
        using var again = Content();
        return Take(again, NumPyHeader.Read(again, fail, out _));

        CheckedStream Content() => new(Guard(path, entry.Open), path, name, entry.Crc32);

        NumPyArray Take(CheckedStream content, NumPyHeader header)
        {
            var array = new NumPyArray(name, header.Shape, ReadValues(content, header, fail));
            content.CheckSum();
            return array;
        }
    }

    /// <summary>Reads an array's header and holds it against what is there and what is allowed.</summary>
    /// <param name="stream">Stands at the array's start.</param>
    /// <param name="fail">Words an error about this array.</param>
    /// <param name="length">Bytes that are said to be there.</param>
    /// <param name="budget">What the values are taken from.</param>
    private static NumPyHeader ReadHeader(Stream stream, Func<string, Exception> fail, long length, Budget budget)
    {
        var header = NumPyHeader.Read(stream, fail, out int headerLength);
        long there = length - headerLength;
        if (header.DataBytes > there)
            throw fail(Check.Invariant($"the shape {header.ShapeText} of {header.Dtype.Size}-byte elements claims {header.DataBytes} bytes; {Math.Max(0, there)} bytes are there."));
        if (header.DataBytes < there)
            throw fail(Check.Invariant($"the shape {header.ShapeText} of {header.Dtype.Size}-byte elements takes {header.DataBytes} bytes; {there} bytes are there, more than one array."));
        if (header.Count > Array.MaxLength)
            throw fail(Check.Invariant($"at most {Array.MaxLength} elements can be held; the shape {header.ShapeText} has {header.Count}."));
        budget.Take(header, fail);
        return header;
    }

    private static float[] ReadValues(Stream stream, NumPyHeader header, Func<string, Exception> fail)
    {
        int total = (int)header.Count;
        float[] values = GC.AllocateUninitializedArray<float>(total);
        var buffer = new byte[(int)Math.Min(BufferBytes, Math.Max(header.DataBytes, 1))];
        // In Fortran order the first dimension is the fastest: the elements pass through a second buffer into their places.
        float[]? passing = header.FortranOrder && header.Shape.Length > 1 ? new float[Math.Min(total, FortranValues)] : null;
        int[] places = [];
        for (int done = 0; done < total;)
        {
            int count = passing is null ? total : Math.Min(total - done, passing.Length);
            var target = passing is null ? values : passing.AsSpan(0, count);
            ReadElements(stream, header, fail, done, target, buffer);
            if (passing is not null)
                PlaceFortran(target, done, values, header.Shape, ref places);
            done += count;
        }
        if (stream.ReadByte() >= 0)
            throw TooLong(header, fail);
        return values;
    }

    /// <summary>Reads as many elements as the target has room for.</summary>
    /// <param name="stream">The data.</param>
    /// <param name="header">What it is.</param>
    /// <param name="fail">Words an error about this array.</param>
    /// <param name="before">Elements read before.</param>
    /// <param name="target">Where to.</param>
    /// <param name="buffer">For elements that have to be converted.</param>
    private static void ReadElements(Stream stream, NumPyHeader header, Func<string, Exception> fail, int before, Span<float> target, byte[] buffer)
    {
        int size = header.Dtype.Size;
        for (int done = 0; done < target.Length;)
        {
            int count = Math.Min(target.Length - done, buffer.Length / size);
            var bytes = header.Dtype.IsNativeSingle ? MemoryMarshal.AsBytes(target.Slice(done, count)) : buffer.AsSpan(0, count * size);
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (read < bytes.Length)
                throw CutOff(header, fail, ((long)before + done) * size + read);
            int overflow = header.Dtype.IsNativeSingle ? -1 : header.Dtype.ToSingle(bytes, target.Slice(done, count));
            if (overflow >= 0)
            {
                throw fail(Check.Invariant(
                    $"numbers that a Single can hold, at most {float.MaxValue}, are expected; element {(long)before + done + overflow} of the data is {BitConverter.ToDouble(bytes[(overflow * size)..])}."));
            }
            done += count;
        }
    }

    /// <summary>Puts elements of an array in Fortran order (first dimension fastest) where they stand in C order (last dimension fastest).</summary>
    /// <param name="source">Elements of the file.</param>
    /// <param name="before">Elements of the file before them.</param>
    /// <param name="target">The whole array.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="places">Memory to use again.</param>
    private static void PlaceFortran(ReadOnlySpan<float> source, int before, float[] target, int[] shape, ref int[] places)
    {
        // The file holds, for each place within a row, the values of all rows. These elements are of the places first to last.
        int rows = shape[0], width = target.Length / rows;
        int first = before / rows, last = (before + source.Length - 1) / rows;
        if (places.Length < last - first + 1)
            places = new int[last - first + 1];
        for (int place = first; place <= last; place++)
        {
            // Where the place stands in a row in C order.
            int at = 0, rest = place, stride = width;
            for (int d = 1; d < shape.Length; d++)
            {
                stride /= shape[d];
                at += rest % shape[d] * stride;
                rest /= shape[d];
            }
            places[place - first] = at;
        }

        // In blocks of rows that stay in the cache, where there is more than one place.
        int block = first == last ? rows : 64;
        for (int start = 0; start < rows; start += Math.Min(block, rows - start))
        {
            int end = start + Math.Min(block, rows - start);
            for (int place = first; place <= last; place++)
            {
                int from = Math.Max(start, before - (int)Math.Min((long)place * rows, before));
                long left = (long)before + source.Length - (long)place * rows;
                int to = (int)Math.Min(end, left);
                int at = places[place - first];
                for (int row = from; row < to; row++)
                    target[row * width + at] = source[(int)((long)place * rows + row - before)];
            }
        }
    }

    private static Exception CutOff(NumPyHeader header, Func<string, Exception> fail, long there) =>
        fail(Check.Invariant($"the data is cut off: {header.DataBytes} bytes are expected, {there} are there."));

    private static Exception TooLong(NumPyHeader header, Func<string, Exception> fail) =>
        fail(Check.Invariant($"the shape {header.ShapeText} takes {header.DataBytes} bytes; more are there."));

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

    /// <summary>Bytes that the values of a file's arrays may take together, as numbers of 4 bytes.</summary>
    private sealed class Budget(long most, string option)
    {
        private long _taken;

        public void Take(NumPyHeader header, Func<string, Exception> fail)
        {
            long bytes = header.Count * sizeof(float);
            if (bytes > most - _taken)
            {
                throw fail(Check.Invariant($"the shape {header.ShapeText} takes {bytes} bytes in memory{(_taken > 0 ? Check.Invariant($", besides {_taken} of other arrays") : "")}; ")
                    + Check.Invariant($"{option} allows {most}. A larger {option} reads it."));
            }
            _taken += bytes;
        }
    }

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

        /// <summary>Passes over what is left; gives the number of its bytes.</summary>
        public long ReadToEnd()
        {
            var buffer = new byte[BufferBytes];
            long all = 0;
            for (int read; (read = Read(buffer)) > 0;)
                all += read;
            return all;
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
