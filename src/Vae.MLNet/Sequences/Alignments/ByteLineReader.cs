namespace Vae.MLNet.Sequences;

/// <summary>Lines of a stream as bytes, without an allocation a line. Lines end at LF or CR LF; a UTF-8 byte order mark at the start is skipped.</summary>
internal sealed class ByteLineReader(Stream stream, string file, long maxBytes)
{
    /// <summary>A longer line is no alignment: it would be a sequence of more than 64 million columns.</summary>
    private const int MaxLine = 64 << 20;

    private byte[] _buffer = new byte[1 << 20];
    private int _start, _end;
    private long _read;
    private bool _ended, _begun;

    /// <summary>Number of the line read last, counted from 1.</summary>
    public long LineNumber { get; private set; }

    /// <summary>The next line without its end; valid until the next call.</summary>
    public bool TryRead(out ReadOnlySpan<byte> line)
    {
        int searched = 0;
        while (true)
        {
            var pending = _buffer.AsSpan(_start, _end - _start);
            int length = pending[searched..].IndexOf((byte)'\n');
            if (length >= 0)
            {
                length += searched;
                _start += length + 1;
                line = Finish(pending[..length]);
                return true;
            }
            if (_ended)
            {
                _start = _end;
                line = pending.IsEmpty ? default : Finish(pending);
                return !pending.IsEmpty;
            }
            searched = pending.Length;
            Fill();
        }
    }

    /// <summary>Passes over what is left and gives the number of bytes in all.</summary>
    public long ReadToEnd()
    {
        while (!_ended)
        {
            _start = _end;
            Fill();
        }
        return _read;
    }

    private ReadOnlySpan<byte> Finish(ReadOnlySpan<byte> line)
    {
        LineNumber++;
        return line.EndsWith("\r"u8) ? line[..^1] : line;
    }

    private void Fill()
    {
        int pending = _end - _start;
        if (_start > 0)
        {
            _buffer.AsSpan(_start, pending).CopyTo(_buffer);
            (_start, _end) = (0, pending);
        }
        if (_end == _buffer.Length)
        {
            if (_buffer.Length >= MaxLine)
                throw Check.BadFile(file, Check.Invariant($"line {LineNumber + 1} is longer than {MaxLine} bytes; a line of an alignment is expected."));
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        int count = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += count;
        _read += count;
        _ended = count == 0;
        if (_read > maxBytes)
            throw Check.BadFile(file, Check.Invariant($"more than {maxBytes} bytes after decompression, which MaxBytes forbids."));
        if (!_begun && (_end >= 3 || _ended))
        {
            _begun = true;
            if (_buffer.AsSpan(0, _end).StartsWith("\uFEFF"u8))
                _start = 3;
        }
    }
}
