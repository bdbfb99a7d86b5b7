using System.Numerics;
using System.Runtime.CompilerServices;

namespace BeadSpringPolymer.Simulation;

/// <summary>The few elementary functions that the simulation needs in every SIMD lane, to single precision, without a branch.</summary>
internal static class LaneMath
{
    private const float Ln2 = 0.693147181f;
    private const float HalfPi = MathF.PI / 2;

    /// <summary>The angle of (x, y) in [-pi, pi]; absolute error below 4e-7; 0 for (0, 0).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Atan2(Vector<float> y, Vector<float> x)
    {
        Vector<float> ax = Vector.Abs(x), ay = Vector.Abs(y);
        Vector<float> ratio = Vector.Min(ax, ay) / Vector.Max(Vector.Max(ax, ay), new Vector<float>(1e-37f));
        Vector<float> s = ratio * ratio;
        // arctan t = 2 sum (-1)^k q^(2k+1)/(2k+1) T(2k+1)(t), q = sqrt 2 - 1: nine terms of the Chebyshev series on [-1, 1], as powers of t.
        Vector<float> p = new(0.0023981390f);
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(-0.0141523480f));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(0.0393454131f));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(-0.0719438454f));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(0.104775392f));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(-0.141548060f));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(0.199848847f));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(-0.333325240f));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(0.999999871f));
        Vector<float> angle = p * ratio;
        angle = Vector.ConditionalSelect(Vector.GreaterThan(ay, ax), new Vector<float>(HalfPi) - angle, angle);
        angle = Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), new Vector<float>(MathF.PI) - angle, angle);
        return Vector.CopySign(angle, y);
    }

    /// <summary>-2 ln(u / 2^bits) for u in [1, 2^bits]; relative error below 1e-6, and never negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MinusTwoLog(Vector<float> u, int bits)
    {
        // u = m 2^e with m in [sqrt 1/2, sqrt 2), ln m = 2 artanh t, t = (m - 1)/(m + 1), |t| <= 0.172: four terms of the series.
        Vector<int> raw = Vector.AsVectorInt32(u);
        Vector<int> exponent = Vector.ShiftRightArithmetic(raw - new Vector<int>(0x3F3504F3), 23);
        Vector<float> m = Vector.AsVectorSingle(raw - Vector.ShiftLeft(exponent, 23));
        Vector<float> t = (m - Vector<float>.One) / (m + Vector<float>.One);
        Vector<float> s = t * t;
        Vector<float> p = new(1f / 7);
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(1f / 5));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(1f / 3));
        p = Vector.MultiplyAddEstimate(p, s, Vector<float>.One);
        Vector<float> powers = Vector.ConvertToSingle(new Vector<int>(bits) - exponent) * (2 * Ln2);
        return Vector.Max(Vector.MultiplyAddEstimate(t * p, new Vector<float>(-4f), powers), Vector<float>.Zero);
    }

    /// <summary>Sine and cosine of an angle in [-pi/4, pi/4], by their power series; absolute error below 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SinCosQuarter(Vector<float> angle, out Vector<float> sin, out Vector<float> cos)
    {
        Vector<float> s = angle * angle;
        Vector<float> p = new(1f / 362880);
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(-1f / 5040));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(1f / 120));
        p = Vector.MultiplyAddEstimate(p, s, new Vector<float>(-1f / 6));
        sin = Vector.MultiplyAddEstimate(p * s, angle, angle);
        Vector<float> q = new(1f / 40320);
        q = Vector.MultiplyAddEstimate(q, s, new Vector<float>(-1f / 720));
        q = Vector.MultiplyAddEstimate(q, s, new Vector<float>(1f / 24));
        q = Vector.MultiplyAddEstimate(q, s, new Vector<float>(-1f / 2));
        cos = Vector.MultiplyAddEstimate(q, s, Vector<float>.One);
    }
}
