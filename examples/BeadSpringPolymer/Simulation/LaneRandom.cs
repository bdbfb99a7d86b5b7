using System.Numerics;
using System.Runtime.CompilerServices;

namespace BeadSpringPolymer.Simulation;

/// <summary>
/// Standard normal numbers, one stream per SIMD lane: xoshiro128++ (Blackman, Vigna 2021) for the bits, Box and Muller's transform for the shape.
/// A lane's stream depends on its own seed alone, so that a chain's noise is the same whatever lane, thread or vector width it runs in.
/// </summary>
internal struct LaneRandom
{
    private Vector<uint> _s0;
    private Vector<uint> _s1;
    private Vector<uint> _s2;
    private Vector<uint> _s3;

    /// <summary>One generator per lane gives that lane's 128 bits of state.</summary>
    public LaneRandom(ReadOnlySpan<SplitMix64> seeds)
    {
        Span<uint> state = stackalloc uint[4 * Vector<uint>.Count];
        for (int lane = 0; lane < Vector<uint>.Count; lane++)
        {
            SplitMix64 seed = seeds[lane];
            ulong low = seed.Next(), high = seed.Next();
            state[lane] = (uint)low | 1;    // the all-zero state is the one that must not be
            state[Vector<uint>.Count + lane] = (uint)(low >> 32);
            state[2 * Vector<uint>.Count + lane] = (uint)high;
            state[3 * Vector<uint>.Count + lane] = (uint)(high >> 32);
        }
        _s0 = new Vector<uint>(state);
        _s1 = new Vector<uint>(state[Vector<uint>.Count..]);
        _s2 = new Vector<uint>(state[(2 * Vector<uint>.Count)..]);
        _s3 = new Vector<uint>(state[(3 * Vector<uint>.Count)..]);
    }

    /// <summary>Two independent standard normal numbers in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void NextGaussians(out Vector<float> first, out Vector<float> second)
    {
        Vector<uint> a = Next(), b = Next();
        // u in (0, 1] with 24 bits, radius = sqrt(-2 ln u): never above 5.8.
        Vector<float> u = Vector.ConvertToSingle(Vector.AsVectorInt32(Vector.ShiftRightLogical(a, 8) + Vector<uint>.One));
        Vector<float> radius = Vector.SquareRoot(LaneMath.MinusTwoLog(u, 24));
        // An angle in [-pi/4, pi/4) from 24 bits; two more bits turn it to one of the four quarters.
        Vector<float> angle = Vector.ConvertToSingle(Vector.ShiftRightArithmetic(Vector.AsVectorInt32(b), 8)) * (MathF.PI / 4 / (1 << 23));
        LaneMath.SinCosQuarter(angle, out Vector<float> sin, out Vector<float> cos);
        cos = Vector.AsVectorSingle(Vector.AsVectorUInt32(cos) ^ Vector.ShiftLeft(b, 31));
        Vector<int> swap = Vector.ShiftRightArithmetic(Vector.AsVectorInt32(Vector.ShiftLeft(b, 30)), 31);
        first = radius * Vector.ConditionalSelect(swap, sin, cos);
        second = radius * Vector.ConditionalSelect(swap, cos, sin);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector<uint> Next()
    {
        Vector<uint> result = RotateLeft(_s0 + _s3, 7) + _s0;
        Vector<uint> shifted = Vector.ShiftLeft(_s1, 9);
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= shifted;
        _s3 = RotateLeft(_s3, 11);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> RotateLeft(Vector<uint> value, int count) => Vector.ShiftLeft(value, count) | Vector.ShiftRightLogical(value, 32 - count);
}
