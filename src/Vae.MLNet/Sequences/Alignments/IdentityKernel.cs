using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Vae.MLNet.Sequences;

/// <summary>
/// Counts equal tokens of pairs of sequences: bytes are compared a vector at a time and the mask's bits counted. A row is padded to whole
/// vectors; what must never match (padding, unknown letters, gaps where they do not count) is one filler on the left and another on the right.
/// </summary>
internal sealed class IdentityKernel
{
    private const int Chunk = 64;
    private const byte LeftFiller = 254, RightFiller = 255;

    private readonly byte[] _tokens;

    private IdentityKernel(byte[] tokens, int[] lengths, int stride)
    {
        _tokens = tokens;
        Lengths = lengths;
        Stride = stride;
    }

    /// <summary>Bytes of a padded row.</summary>
    public int Stride { get; }

    /// <summary>For each row what identity is a share of: letters of the row, or all columns.</summary>
    public int[] Lengths { get; }

    public int Count => Lengths.Length;

    public static IdentityKernel Left(ReadOnlySpan<byte> tokens, int count, int length, int gapToken, IdentityMeasure measure) =>
        Create(tokens, count, length, gapToken, measure, LeftFiller);

    public static IdentityKernel Right(ReadOnlySpan<byte> tokens, int count, int length, int gapToken, IdentityMeasure measure) =>
        Create(tokens, count, length, gapToken, measure, RightFiller);

    private static IdentityKernel Create(ReadOnlySpan<byte> tokens, int count, int length, int gapToken, IdentityMeasure measure, byte filler)
    {
        int stride = (length + Chunk - 1) / Chunk * Chunk;
        // Pinned, so that the array does not move while vectors are read from it.
        byte[] padded = GC.AllocateUninitializedArray<byte>(checked((int)((long)count * stride)), pinned: true);
        padded.AsSpan().Fill(filler);
        int firstExcluded = measure == IdentityMeasure.Residues ? gapToken : gapToken + 1;
        int[] lengths = new int[count];
        for (int row = 0; row < count; row++)
        {
            var source = tokens.Slice(row * length, length);
            var target = padded.AsSpan(row * stride, length);
            int counted = 0;
            for (int i = 0; i < source.Length; i++)
            {
                if (source[i] < firstExcluded)
                {
                    target[i] = source[i];
                    counted++;
                }
            }
            lengths[row] = measure == IdentityMeasure.Residues ? counted : length;
        }
        return new IdentityKernel(padded, lengths, stride);
    }

    /// <summary>The least number of matches whose share of a row's length reaches an identity; more than the row can have where it is empty.</summary>
    public int[] Needed(double identity)
    {
        return [.. Lengths.Select(length =>
        {
            if (length == 0)
                return int.MaxValue;
            int need = (int)Math.Floor(identity * length);
            while ((double)need / length < identity)
                need++;
            return need;
        })];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref byte Row(int row) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_tokens), (nint)row * Stride);

    /// <summary>Number of equal tokens; where it is certain to stay below <paramref name="need"/>, any number below that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Matches(ref byte left, ref byte right, int stride, int need)
    {
        int matches = 0;
        for (int i = 0; i < stride; i += Chunk)
        {
            matches += ChunkMatches(ref Unsafe.Add(ref left, i), ref Unsafe.Add(ref right, i));
            if (matches + stride - Chunk - i < need)
                break;
        }
        return matches;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ChunkMatches(ref byte left, ref byte right)
    {
        if (Vector512.IsHardwareAccelerated)
            return BitOperations.PopCount(Vector512.Equals(Vector512.LoadUnsafe(ref left), Vector512.LoadUnsafe(ref right)).ExtractMostSignificantBits());
        if (Vector256.IsHardwareAccelerated)
        {
            uint low = Vector256.Equals(Vector256.LoadUnsafe(ref left), Vector256.LoadUnsafe(ref right)).ExtractMostSignificantBits();
            uint high = Vector256.Equals(Vector256.LoadUnsafe(ref left, 32), Vector256.LoadUnsafe(ref right, 32)).ExtractMostSignificantBits();
            return BitOperations.PopCount(low | (ulong)high << 32);
        }
        // Each comparison adds 255, that is -1, where bytes are equal; four of them cannot overflow.
        var sum = Vector128.Equals(Vector128.LoadUnsafe(ref left), Vector128.LoadUnsafe(ref right))
            + Vector128.Equals(Vector128.LoadUnsafe(ref left, 16), Vector128.LoadUnsafe(ref right, 16))
            + Vector128.Equals(Vector128.LoadUnsafe(ref left, 32), Vector128.LoadUnsafe(ref right, 32))
            + Vector128.Equals(Vector128.LoadUnsafe(ref left, 48), Vector128.LoadUnsafe(ref right, 48));
        return Vector128.Sum(Vector128<byte>.Zero - sum);
    }
}
