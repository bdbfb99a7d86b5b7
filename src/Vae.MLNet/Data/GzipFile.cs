using System.Buffers.Binary;
using System.IO.Compression;

namespace Vae.MLNet.Data;

/// <summary>
/// Files compressed by gzip. .NET decompresses one that was cut off without complaint up to the cut; here that is an error. A member ends
/// with the number of its bytes, modulo 2^32 (RFC 1952, section 2.3.1), so that the end of the file tells whether its last member is whole.
/// </summary>
internal static class GzipFile
{
    /// <summary>Header of ten bytes, an empty block and the trailer.</summary>
    private const int ShortestMember = 20;

    /// <summary>Bytes within a member that look like a header come once in 16 million; of a file's many members the last one alone matters.</summary>
    private const int MostCandidates = 64;

    private static ReadOnlySpan<byte> Header => [0x1F, 0x8B, 0x08];

    /// <summary>Whether a file begins as gzip's do; its position is 0 afterwards.</summary>
    public static bool IsCompressed(Stream file)
    {
        Span<byte> start = stackalloc byte[2];
        int read = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        file.Position = 0;
        return read == start.Length && start.SequenceEqual(Header[..2]);
    }

    /// <summary>The decompressed bytes; their end is reached only where the file is whole.</summary>
    /// <param name="file">The file, from its start; a pipe is not checked.</param>
    /// <param name="path">How errors call it.</param>
    public static Stream Decompress(Stream file, string path) => new WholeStream(file, path);

    private static bool IsWhole(Stream file, long bytes)
    {
        if (file.Length < ShortestMember)
            return false;
        Span<byte> ending = stackalloc byte[sizeof(uint)];
        file.Position = file.Length - ending.Length;
        file.ReadExactly(ending);
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(ending);
        return size == (uint)bytes || LaterMembers(file).Take(MostCandidates).Any(start => size == Size(file, start));
    }

    /// <summary>Places of what may be members behind the first one, the last first.</summary>
    private static IEnumerable<long> LaterMembers(Stream file)
    {
        byte[] buffer = new byte[1 << 16];
        // Parts overlap, so that no header is missed.
        for (long end = file.Length - ShortestMember + Header.Length; end > Header.Length;)
        {
            long start = Math.Max(1, end - buffer.Length);
            int count = (int)(end - start);
            file.Position = start;
            file.ReadExactly(buffer, 0, count);
            for (int at = count; (at = buffer.AsSpan(0, Math.Min(count, at + Header.Length - 1)).LastIndexOf(Header)) >= 0;)
                yield return start + at;
            end = start == 1 ? 0 : start + Header.Length - 1;
        }
    }

    /// <summary>Number of decompressed bytes from a place on, modulo 2^32; null where no member begins there.</summary>
    private static uint? Size(Stream file, long start)
    {
        file.Position = start;
        try
        {
            using var member = new GZipStream(file, CompressionMode.Decompress, leaveOpen: true);
            byte[] buffer = new byte[1 << 16];
            long bytes = 0;
            for (int read; (read = member.Read(buffer)) > 0;)
                bytes += read;
            return (uint)bytes;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private sealed class WholeStream(Stream file, string path) : Stream
    {
        private readonly GZipStream _stream = new(file, CompressionMode.Decompress);
        private long _bytes;
        private bool _checked;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_checked || buffer.IsEmpty)
                return 0;
            int read;
            try
            {
                read = _stream.Read(buffer);
            }
            catch (InvalidDataException e)
            {
                throw Check.BadFile(path, "the gzip data is damaged: " + e.Message, e);
            }
            _bytes += read;
            if (read == 0)
            {
                if (file.CanSeek && !IsWhole(file, _bytes))
                {
                    throw Check.BadFile(path, Check.Invariant(
                        $"the gzip file is cut off: it does not end with the number of its {_bytes} bytes."));
                }
                _checked = true;
            }
            return read;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _stream.Dispose();
            base.Dispose(disposing);
        }
    }
}
