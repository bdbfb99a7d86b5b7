using System.Buffers.Binary;

namespace Vae.MLNet.Inference.Loading;

/// <summary>
/// Reads protobuf's wire format, and refuses every encoding that another reader could take for something else. Readers differ in what they do with more bits than a
/// number may have (OnnxRuntime's cuts a tag to 32 bits, others keep 64), with groups and with the field number 0; no writer of models needs any of these.
/// See https://protobuf.dev/programming-guides/encoding/.
/// </summary>
/// <param name="bytes">A message.</param>
/// <param name="bad">Words the error about what is wrong.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> bytes, Func<string, Exception> bad)
{
    public const int Number = 0, Eight = 1, Content = 2, Four = 5;

    private const int LargestTag = 5, LargestLength = 5, LargestNumber = 10;

    private readonly Func<string, Exception> _bad = bad;

    private ReadOnlySpan<byte> _left = bytes;

    public readonly bool AtEnd => _left.IsEmpty;

    /// <summary>What has not been read yet.</summary>
    public readonly ReadOnlySpan<byte> Left => _left;

    /// <summary>Refuses a file that OnnxRuntime would take for its own format, whatever else it is: it goes by four letters.</summary>
    public static void CheckFormat(ReadOnlySpan<byte> file, Func<string, Exception> bad)
    {
        const int At = 4;
        if (file.Length >= At + 4 && file[At..].StartsWith("ORTM"u8))
            throw bad("it is in OnnxRuntime's own format, or pretends to be; a model in the ONNX format is expected");
    }

    /// <summary>The next field's number and wire type, which is one of the four constants.</summary>
    public (int Field, int Wire) ReadTag()
    {
        ulong tag = ReadVarint(LargestTag, out int length);
        if (tag > uint.MaxValue)
            throw _bad("the tag of a field has more than 32 bits");
        if (length > 1 && tag < 1UL << (7 * (length - 1)))
            throw _bad("the tag of a field is written with more bytes than it needs");
        if (tag >> 3 == 0)
            throw _bad("a field has the number 0");
        int wire = (int)(tag & 7);
        if (wire is not (Number or Eight or Content or Four))
            throw _bad(wire is 3 or 4 ? "a field is a group, which ONNX has none of" : Guard.Invariant($"a field has the unknown wire type {wire}"));
        return ((int)(tag >> 3), wire);
    }

    public ulong ReadNumber() => ReadVarint(LargestNumber, out _);

    public ReadOnlySpan<byte> ReadContent()
    {
        ulong length = ReadVarint(LargestLength, out _);
        return Take(length);
    }

    public void Skip(int wire)
    {
        switch (wire)
        {
            case Number:
                ReadNumber();
                break;
            case Content:
                ReadContent();
                break;
            default:
                Take(wire == Eight ? 8UL : 4UL);
                break;
        }
    }

    /// <summary>A singular field that is a message: where it stands twice, some readers merge the two and others take the last.</summary>
    public readonly void Once(ref ulong seen, int field)
    {
        if ((seen & 1UL << field) != 0)
            throw _bad(Guard.Invariant($"the message of field {field}, of which there may be one, stands there twice"));
        seen |= 1UL << field;
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_left.Length)
            throw _bad(Guard.Invariant($"a field of {count} bytes stands where only {_left.Length} are left"));
        var taken = _left[..(int)count];
        _left = _left[(int)count..];
        return taken;
    }

    private ulong ReadVarint(int longest, out int length)
    {
        ulong value = 0;
        for (int i = 0; i < longest && i < _left.Length; i++)
        {
            ulong bits = _left[i] & 0x7FUL;
            // Of the tenth byte one bit is left.
            if (i == LargestNumber - 1 && bits > 1)
                throw _bad("a number in it has more than 64 bits");
            value |= bits << (7 * i);
            if (_left[i] < 0x80)
            {
                length = i + 1;
                _left = _left[length..];
                return value;
            }
        }
        throw _bad(longest < _left.Length ? Guard.Invariant($"a number in it takes more than {longest} bytes") : "a number in it does not end");
    }
}
