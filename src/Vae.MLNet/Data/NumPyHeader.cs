using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vae.MLNet.Data;

/// <summary>
/// The header of a .npy array (NumPy Enhancement Proposal 1, format versions 1, 2 and 3): a magic string, the version, a length and a Python dictionary with
/// exactly the keys descr, fortran_order and shape.
/// </summary>
internal sealed record NumPyHeader(NumPyDtype Dtype, bool FortranOrder, int[] Shape, long Count)
{
    /// <summary>NumPy aligns the data that follows a header to this many bytes.</summary>
    public const int Alignment = 64;

    // A header of plain numbers has a few hundred bytes; only structures with very many fields need more, and those are not read.
    private const int MaxLength = 1 << 16;
    private const int MaxDimensions = 64;

    // NumPy 1.25 and later leave room for this many digits of the growing dimension, so that it can be patched in place.
    private const int RowDigits = 21;

    private static readonly byte[] MagicBytes = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    public static ReadOnlySpan<byte> Magic => MagicBytes;

    public long DataBytes => Count * Dtype.Size;

    public string ShapeText => "[" + string.Join(", ", Shape) + "]";

    /// <summary>Reads a header from where the stream stands.</summary>
    /// <param name="stream">The file, or the entry of a .npz file.</param>
    /// <param name="fail">Words an error about this array.</param>
    /// <param name="length">Bytes of the whole header.</param>
    public static NumPyHeader Read(Stream stream, Func<string, Exception> fail, out int length)
    {
        Span<byte> start = stackalloc byte[8];
        int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (!start[..Math.Min(read, MagicBytes.Length)].SequenceEqual(MagicBytes.AsSpan(0, Math.Min(read, MagicBytes.Length))))
            throw fail("a NumPy array is expected, starting with \\x93NUMPY; it starts with " + Convert.ToHexString(start[..read]) + ".");
        if (read < start.Length)
            throw fail(Check.Invariant($"the header is cut off: at least 10 bytes are expected, {read} are there."));
        int version = start[6];
        if (version is < 1 or > 3 || start[7] != 0)
            throw fail(Check.Invariant($"format version 1.0, 2.0 or 3.0 is expected; it is {version}.{start[7]}."));

        Span<byte> lengthBytes = stackalloc byte[version == 1 ? 2 : 4];
        if (stream.ReadAtLeast(lengthBytes, lengthBytes.Length, throwOnEndOfStream: false) < lengthBytes.Length)
            throw fail("the header is cut off before its length.");
        uint textLength = version == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(lengthBytes) : BinaryPrimitives.ReadUInt32LittleEndian(lengthBytes);
        if (textLength > MaxLength)
            throw fail(Check.Invariant($"a header of at most {MaxLength} bytes is expected; it claims {textLength}."));
        var bytes = new byte[textLength];
        int found = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (found < bytes.Length)
            throw fail(Check.Invariant($"the header is cut off: {textLength} bytes are expected, {found} are there."));
        length = start.Length + lengthBytes.Length + bytes.Length;
        return new Parser((version == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(bytes), fail).Parse();
    }

    /// <summary>
    /// A header as NumPy writes it, in C order. It has the same length for every number of rows, so that the rows can be counted while they are written and
    /// the header be replaced afterwards.
    /// </summary>
    public static byte[] Format(string descr, ReadOnlySpan<long> shape)
    {
        var text = new StringBuilder("{'descr': '").Append(descr).Append("', 'fortran_order': False, 'shape': (");
        for (int i = 0; i < shape.Length; i++)
            text.Append(i == 0 ? "" : " ").Append(shape[i].ToString(CultureInfo.InvariantCulture)).Append(i < shape.Length - 1 || i == 0 ? "," : "");
        text.Append("), }");
        if (shape.Length > 0)
            text.Append(' ', RowDigits - shape[0].ToString(CultureInfo.InvariantCulture).Length);
        int prefix = MagicBytes.Length + 4;
        // As NumPy: a header that is aligned already gets another 64 bytes.
        text.Append(' ', Alignment - ((prefix + text.Length + 1) % Alignment)).Append('\n');

        var header = new byte[prefix + text.Length];
        MagicBytes.CopyTo(header, 0);
        header[MagicBytes.Length] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(MagicBytes.Length + 2), checked((ushort)text.Length));
        Encoding.ASCII.GetBytes(text.ToString(), header.AsSpan(prefix));
        return header;
    }

    /// <summary>Reads the one form of Python dictionary that a header may be, and nothing else of Python.</summary>
    private sealed class Parser(string text, Func<string, Exception> fail)
    {
        private int _at;

        public NumPyHeader Parse()
        {
            string? descr = null;
            bool? fortranOrder = null;
            List<long>? shape = null;
            Expect('{');
            while (Peek() != '}')
            {
                string key = String();
                Expect(':');
                switch (key)
                {
                    case "descr" when descr is null:
                        descr = Peek() is '[' or '(' or '{'
                            ? throw fail($"numbers are expected; it holds structures or sub-arrays, descr {Shorten(text[_at..].TrimEnd())}.")
                            : String();
                        break;
                    case "fortran_order" when fortranOrder is null:
                        fortranOrder = Boolean();
                        break;
                    case "shape" when shape is null:
                        shape = Tuple();
                        break;
                    case "descr" or "fortran_order" or "shape":
                        throw Malformed($"the key '{key}' comes twice");
                    default:
                        throw Malformed($"the keys descr, fortran_order and shape are expected, '{Shorten(key)}' is there");
                }
                if (Peek() != '}')
                    Expect(',');
            }
            Expect('}');
            if (Peek() != '\0' || _at < text.Length)
                throw Malformed("nothing is expected behind the dictionary");
            if (descr is null || fortranOrder is null || shape is null)
                throw Malformed($"the key '{(descr is null ? "descr" : fortranOrder is null ? "fortran_order" : "shape")}' is missing");

            var dtype = NumPyDtype.Parse(descr) ?? throw fail(
                $"floating-point numbers, integers or bool of up to 8 bytes are expected; the dtype is '{Shorten(descr)}' ({NumPyDtype.Explain(descr)}).");
            return Sized(dtype, fortranOrder.Value, shape);
        }

        private NumPyHeader Sized(NumPyDtype dtype, bool fortranOrder, List<long> shape)
        {
            if (shape.Count > MaxDimensions)
                throw fail(Check.Invariant($"at most {MaxDimensions} dimensions are expected; it has {shape.Count}."));
            string shapeText = "[" + string.Join(", ", shape) + "]";
            long count = 1;
            foreach (long dimension in shape)
            {
                if (dimension < 0)
                    throw fail($"dimensions of at least 0 are expected; the shape is {shapeText}.");
                if (dimension > int.MaxValue)
                    throw fail(Check.Invariant($"dimensions of at most {int.MaxValue} are expected; the shape is {shapeText}."));
                // 8 bytes an element, at most, have to fit into a long.
                if (dimension > 0 && count > long.MaxValue / 8 / dimension)
                    throw fail($"the shape {shapeText} overflows: it stands for more elements than any file can hold.");
                count *= dimension;
            }
            return new(dtype, fortranOrder, [.. shape.Select(dimension => (int)dimension)], count);
        }

        private List<long> Tuple()
        {
            Expect('(');
            var numbers = new List<long>();
            bool comma = false;
            while (Peek() != ')')
            {
                if (numbers.Count > 0 && !comma)
                    throw Malformed("',' or ')' is expected");
                numbers.Add(Integer());
                comma = Peek() == ',';
                if (comma)
                    _at++;
            }
            if (numbers.Count == 1 && !comma)
                throw Malformed("a tuple is expected as the shape, a number in brackets is there");
            _at++;
            return numbers;
        }

        private long Integer()
        {
            Peek();
            int start = _at;
            if (_at < text.Length && text[_at] == '-')
                _at++;
            while (_at < text.Length && char.IsAsciiDigit(text[_at]))
                _at++;
            var digits = text.AsSpan(start, _at - start);
            if (digits is "" or "-")
                throw Malformed("an integer is expected");
            if (!long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
                throw fail($"a dimension overflows: {Shorten(digits.ToString())}.");
            // Python 2 wrote long integers so.
            if (_at < text.Length && text[_at] == 'L')
                _at++;
            return value;
        }

        private bool Boolean()
        {
            Peek();
            foreach (string word in (string[])["True", "False"])
            {
                if (text.AsSpan(_at).StartsWith(word, StringComparison.Ordinal))
                {
                    _at += word.Length;
                    return word == "True";
                }
            }
            throw Malformed("True or False is expected");
        }

        private string String()
        {
            char quote = Peek();
            if (quote is not ('\'' or '"'))
                throw Malformed("a string is expected");
            int end = text.IndexOf(quote, _at + 1);
            if (end < 0)
                throw Malformed("a string has no end");
            string value = text[(_at + 1)..end];
            if (value.Contains('\\'))
                throw Malformed("a string without escapes is expected");
            _at = end + 1;
            return value;
        }

        private void Expect(char wanted)
        {
            if (Peek() != wanted)
                throw Malformed($"'{wanted}' is expected");
            _at++;
        }

        /// <summary>Skips blanks; gives the next character, or NUL at the end.</summary>
        private char Peek()
        {
            while (_at < text.Length && text[_at] is ' ' or '\t' or '\r' or '\n')
                _at++;
            return _at < text.Length ? text[_at] : '\0';
        }

        private Exception Malformed(string problem) => fail(Check.Invariant($"the header is malformed at character {_at}: {problem}; it is {Shorten(text.TrimEnd())}"));

        private static string Shorten(string value)
        {
            var shown = new StringBuilder();
            foreach (char c in value.AsSpan(0, Math.Min(value.Length, 120)))
                shown.Append(char.IsControl(c) ? '?' : c);
            return shown.Append(value.Length > 120 ? "..." : "").ToString();
        }
    }
}
