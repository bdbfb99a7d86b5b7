using System.Numerics;

namespace Vae.MLNet.Inference.Randomness;

/// <summary>
/// Random numbers that depend on the seed alone: the same on every platform and every version of .NET. Uniform numbers are xoshiro256** (Blackman and Vigna
/// 2021), seeded through SplitMix64 (Steele, Lea and Flood 2014); normal ones come from them by Marsaglia's polar method (1964) with a logarithm that uses only
/// additions, multiplications and divisions, because Math.Log may differ in the last bit from one platform to another.
/// </summary>
internal sealed class SeededRandom
{
    private ulong _s0, _s1, _s2, _s3;
    private double _spare;
    private bool _hasSpare;

    /// <param name="seed">Any number.</param>
    /// <param name="stream">Streams of one seed are independent of each other.</param>
    public SeededRandom(int seed, uint stream = 0)
        : this((ulong)stream << 32 | (uint)seed)
    {
    }

    /// <param name="state">Any number of 64 bits.</param>
    public SeededRandom(ulong state)
    {
        _s0 = SplitMix64(ref state);
        _s1 = SplitMix64(ref state);
        _s2 = SplitMix64(ref state);
        _s3 = SplitMix64(ref state);
    }

    internal SeededRandom(ulong s0, ulong s1, ulong s2, ulong s3) => (_s0, _s1, _s2, _s3) = (s0, s1, s2, s3);

    public static ulong SplitMix64(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }

    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>Uniform in [0, 1), a multiple of 2^-53.</summary>
    public double NextUniform() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform among 0 to count - 1, by Lemire's multiply-shift: the bias is below count / 2^64.</summary>
    public int NextIndex(int count) => (int)Math.BigMul(NextUInt64(), (ulong)count, out _);

    /// <summary>Normal with mean 0 and standard deviation 1.</summary>
    public double NextNormal()
    {
        if (_hasSpare)
        {
            _hasSpare = false;
            return _spare;
        }
        double u, v, s;
        do
        {
            u = 2 * NextUniform() - 1;
            v = 2 * NextUniform() - 1;
            s = u * u + v * v;
        }
        while (s >= 1 || s == 0);
        double factor = Math.Sqrt(-2 * Log(s) / s);
        _spare = v * factor;
        _hasSpare = true;
        return u * factor;
    }

    /// <summary>The natural logarithm of a positive normal number: log(2^e m) = e log 2 + 2 atanh((m - 1) / (m + 1)), m between √½ and √2.</summary>
    internal static double Log(double x)
    {
        long bits = BitConverter.DoubleToInt64Bits(x);
        int exponent = (int)(bits >> 52) - 1023;
        double m = BitConverter.Int64BitsToDouble(bits & 0xFFFFFFFFFFFFF | 0x3FF0000000000000);
        if (m > 1.4142135623730951)
        {
            m *= 0.5;
            exponent++;
        }
        double t = (m - 1) / (m + 1), square = t * t, sum = 0;
        // The next term is below 0.1716^24 / 25, far under the last bit.
        for (int k = 23; k >= 3; k -= 2)
            sum = (sum + 1.0 / k) * square;
        return exponent * 0.6931471805599453 + 2 * (t + t * sum);
    }
}
