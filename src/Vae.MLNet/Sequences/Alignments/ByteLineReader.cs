namespace Vae.MLNet.Sequences;

/// <summary>
/// Lines of a stream as bytes, without an allocation a line. Lines end at LF, CR LF or CR; a UTF-8 byte order mark at the start is skipped. NUL divides the stream
/// into parts: reading stops there until <see cref="TryNextPart"/>.
/// </summary>
internal sealed class ByteLineReader(Stream stream, string file, long maxBytes)
{
    /// <summary>A longer line is no alignment: it would be a sequence of more than 64 million columns.</summary>
    private const int MaxLine = 64 << 20;

    private byte[] _buffer = new byte[1 << 20];
    private int _start, _end;
    private long _read;
    private bool _ended, _begun, _cut;

    /// <summary>Number of the line read last, counted from 1.</summary>
    public long LineNumber { get; private set; }

    /// <summary>Line of the NUL that ended the part, counted from 1; 0 where none did.</summary>
    public long NulLine { get; private set; }

    /// <summary>Column of that NUL, counted from 1.</summary>
    public int NulColumn { get; private set; }

    /// <summary>The next line of this part without its end; valid until the next call.</summary>
    public bool TryRead(out ReadOnlySpan<byte> line)
    {
        int searched = 0;
        while (true)
        {
            var pending = _buffer.AsSpan(_start, _end - _start);
            int length = pending[searched..].IndexOfAny((byte)'\n', (byte)'\r', (byte)0);
            if (length >= 0)
            {
                length += searched;
                if (pending[length] == 0)
                {
                    // The NUL stays where it is: the next call finds it at the start.
                    _start += length;
                    if (length == 0)
                    {
                        (NulLine, NulColumn) = _cut ? (LineNumber, NulColumn) : (LineNumber + 1, 1);
                        line = default;
                        return false;
                    }
                    line = Finish(pending[..length]);
                    _cut = true;
                    NulColumn = length + 1;
                    return true;
                }
                // Behind a CR at the border of the buffer, an LF may follow that belongs to it.
                if (pending[length] != '\r' || length + 1 < pending.Length || _ended)
                {
                    bool pair = pending[length] == '\r' && length + 1 < pending.Length && pending[length + 1] == '\n';
                    _start += length + (pair ? 2 : 1);
                    line = Finish(pending[..length]);
                    return true;
                }
                searched = length;
            }
            else if (_ended)
            {
                _start = _end;
                line = pending.IsEmpty ? default : Finish(pending);
                return !pending.IsEmpty;
            }
            else
            {
                searched = pending.Length;
            }
            Fill();
        }
    }

    /// <summary>Goes on behind the NUL, or the run of them, that ended a part; false at the end of the stream.</summary>
    public bool TryNextPart()
    {
        NulLine = 0;
        while (true)
        {
            int content = _buffer.AsSpan(_start, _end - _start).IndexOfAnyExcept((byte)0);
            if (content >= 0)
            {
                _start += content;
                return true;
            }
            _start = _end;
            if (_ended)
                return false;
            Fill();
        }
    }

    /// <summary>Passes over what is left.</summary>
    public void ReadToEnd()
    {
        while (!_ended)
        {
            _start = _end;
            Fill();
        }
    }

    private ReadOnlySpan<byte> Finish(ReadOnlySpan<byte> line)
    {
        // What follows a NUL within a line is of the same line.
        if (!_cut)
            LineNumber++;
        _cut = false;
        return line;
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
