using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Vae.MLNet.Data;

/// <summary>The element type of a NumPy array: kind ('f', 'i', 'u' or 'b'), bytes and byte order.</summary>
internal readonly record struct NumPyDtype(char Kind, int Size, bool LittleEndian)
{
    private static readonly Dictionary<Type, string> Written = new()
    {
        [typeof(float)] = "f4",
        [typeof(double)] = "f8",
        [typeof(sbyte)] = "i1",
        [typeof(short)] = "i2",
        [typeof(int)] = "i4",
        [typeof(long)] = "i8",
        [typeof(byte)] = "u1",
        [typeof(ushort)] = "u2",
        [typeof(uint)] = "u4",
        [typeof(ulong)] = "u8",
        [typeof(bool)] = "b1",
    };

    /// <summary>NumPy's description of a .NET type in this machine's byte order, or null where NumPy has no such type.</summary>
    public static string? Describe(Type type)
    {
        if (!Written.TryGetValue(type, out string? code))
            return null;
        return (code[1] == '1' ? '|' : BitConverter.IsLittleEndian ? '<' : '>') + code;
    }

    /// <summary>Reads a description such as "&lt;f8"; null where it is not a type of plain numbers up to 8 bytes.</summary>
    public static NumPyDtype? Parse(string descr)
    {
        bool littleEndian = BitConverter.IsLittleEndian;
        ReadOnlySpan<char> code = descr;
        if (code.Length == 3)
        {
            switch (code[0])
            {
                case '<':
                    littleEndian = true;
                    break;
                case '>':
                    littleEndian = false;
                    break;
                case '=':
                case '|' when code[2] == '1':
                    break;
                default:
                    return null;
            }
            code = code[1..];
        }
        return code is "f2" or "f4" or "f8" or "i1" or "i2" or "i4" or "i8" or "u1" or "u2" or "u4" or "u8" or "b1"
            ? new(code[0], code[1] - '0', littleEndian)
            : null;
    }

    /// <summary>What a description that <see cref="Parse"/> refuses stands for, in words.</summary>
    public static string Explain(string descr) => descr.TrimStart('<', '>', '=', '|') switch
    {
        ['O', ..] => "Python objects, stored as a pickle",
        ['U' or 'S' or 'a' or 'T', ..] => "text",
        ['c', ..] => "complex numbers",
        ['M', ..] => "dates",
        ['m', ..] => "time spans",
        ['V', ..] => "raw bytes or a structure",
        "f16" or "f12" => "extended precision",
        _ => "an unknown type",
    };

    public bool IsNativeSingle => Kind == 'f' && Size == 4 && LittleEndian == BitConverter.IsLittleEndian;

    /// <summary>
    /// Converts elements to Single; <paramref name="source"/> may be overwritten. Gives the index of the first finite number that is too large for a Single,
    /// or -1.
    /// </summary>
    public int ToSingle(Span<byte> source, Span<float> target)
    {
        if (LittleEndian != BitConverter.IsLittleEndian)
            Reverse(source, Size);
        switch (Kind, Size)
        {
            case ('f', 2):
                Convert<Half>(source, target);
                return -1;
            case ('f', 4):
                MemoryMarshal.Cast<byte, float>(source).CopyTo(target);
                return -1;
            case ('f', _):
                return ConvertDouble(MemoryMarshal.Cast<byte, double>(source), target);
            case ('i', 1):
                Convert<sbyte>(source, target);
                return -1;
            case ('i', 2):
                Convert<short>(source, target);
                return -1;
            case ('i', 4):
                Convert<int>(source, target);
                return -1;
            case ('i', _):
                Convert<long>(source, target);
                return -1;
            case ('u', 1):
                Convert<byte>(source, target);
                return -1;
            case ('u', 2):
                Convert<ushort>(source, target);
                return -1;
            case ('u', 4):
                Convert<uint>(source, target);
                return -1;
            case ('u', _):
                Convert<ulong>(source, target);
                return -1;
            default:
                for (int i = 0; i < target.Length; i++)
                    target[i] = source[i] == 0 ? 0 : 1;
                return -1;
        }
    }

    private static void Convert<T>(ReadOnlySpan<byte> source, Span<float> target)
        where T : unmanaged, INumberBase<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(source);
        for (int i = 0; i < target.Length; i++)
            target[i] = float.CreateTruncating(values[i]);
    }

    private static int ConvertDouble(ReadOnlySpan<double> source, Span<float> target)
    {
        for (int i = 0; i < target.Length; i++)
        {
            float value = (float)source[i];
            if (float.IsInfinity(value) && !double.IsInfinity(source[i]))
                return i;
            target[i] = value;
        }
        return -1;
    }

    private static void Reverse(Span<byte> bytes, int size)
    {
        switch (size)
        {
            case 2:
                var two = MemoryMarshal.Cast<byte, ushort>(bytes);
                BinaryPrimitives.ReverseEndianness(two, two);
                break;
            case 4:
                var four = MemoryMarshal.Cast<byte, uint>(bytes);
                BinaryPrimitives.ReverseEndianness(four, four);
                break;
            case 8:
                var eight = MemoryMarshal.Cast<byte, ulong>(bytes);
                BinaryPrimitives.ReverseEndianness(eight, eight);
                break;
        }
    }
}
