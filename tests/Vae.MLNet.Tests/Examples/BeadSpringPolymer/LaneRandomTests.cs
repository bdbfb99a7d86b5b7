using System.Numerics;
using BeadSpringPolymer.Simulation;

namespace Vae.MLNet.Tests.Examples.BeadSpringPolymer;

[TestClass]
public sealed class LaneRandomTests
{
    [TestMethod]
    public void NextGaussians_AreStandardNormalAndUncorrelated()
    {
        // Tolerances are five standard errors of each moment over n numbers.
        const int draws = 100_000;
        LaneRandom random = Create(seed: 5);
        double[] moments = new double[7];
        double pair = 0, successive = 0, lanes = 0, squares = 0;
        int beyond = 0;
        Vector<float> last = default;
        for (int i = 0; i < draws; i++)
        {
            random.NextGaussians(out Vector<float> a, out Vector<float> b);
            for (int lane = 0; lane < Vector<float>.Count; lane++)
            {
                foreach (double z in (ReadOnlySpan<double>)[a[lane], b[lane]])
                {
                    double power = 1;
                    for (int m = 1; m < moments.Length; m++)
                        moments[m] += power *= z;
                    if (Math.Abs(z) > 3)
                        beyond++;
                }
                pair += a[lane] * b[lane];
                squares += ((double)a[lane] * a[lane] - 1) * ((double)b[lane] * b[lane] - 1);
                successive += a[lane] * last[lane];
                lanes += a[lane] * a[(lane + 1) % Vector<float>.Count];
            }
            last = a;
        }
        double half = draws * (double)Vector<float>.Count, n = 2 * half;
        Assert.AreEqual(0, moments[1] / n, 5 / Math.Sqrt(n));
        Assert.AreEqual(1, moments[2] / n, 5 * Math.Sqrt(2 / n));
        Assert.AreEqual(0, moments[3] / n, 5 * Math.Sqrt(15 / n));
        Assert.AreEqual(3, moments[4] / n, 5 * Math.Sqrt(96 / n));
        Assert.AreEqual(15, moments[6] / n, 5 * Math.Sqrt(10_170 / n));
        Assert.AreEqual(0.0026998, beyond / n, 5 * Math.Sqrt(0.0027 / n));
        Assert.AreEqual(0, pair / half, 5 / Math.Sqrt(half));
        Assert.AreEqual(0, squares / half, 10 / Math.Sqrt(half));
        Assert.AreEqual(0, successive / half, 5 / Math.Sqrt(half));
        Assert.AreEqual(0, lanes / half, 5 / Math.Sqrt(half));
    }

    [TestMethod]
    public void NextGaussians_FollowXoshiro128PlusPlus()
    {
        // The published generator in plain code, and the transform in double precision.
        LaneRandom random = Create(seed: 9);
        SplitMix64 seed = SplitMix64.For(9, 1);
        ulong low = seed.Next(), high = seed.Next();
        uint[] s = [(uint)low | 1, (uint)(low >> 32), (uint)high, (uint)(high >> 32)];
        for (int i = 0; i < 1000; i++)
        {
            uint u = Next(s), v = Next(s);
            double radius = Math.Sqrt(-2 * Math.Log(((u >> 8) + 1) / (double)(1 << 24)));
            double angle = ((int)v >> 8) * (Math.PI / 4 / (1 << 23));
            double cos = Math.Cos(angle) * ((v & 1) == 0 ? 1 : -1), sin = Math.Sin(angle);
            random.NextGaussians(out Vector<float> a, out Vector<float> b);
            Assert.AreEqual(radius * ((v & 2) == 0 ? cos : sin), a[1], 3e-6);
            Assert.AreEqual(radius * ((v & 2) == 0 ? sin : cos), b[1], 3e-6);
        }

        static uint Next(uint[] s)
        {
            uint result = BitOperations.RotateLeft(s[0] + s[3], 7) + s[0], t = s[1] << 9;
            s[2] ^= s[0];
            s[3] ^= s[1];
            s[1] ^= s[2];
            s[0] ^= s[3];
            s[2] ^= t;
            s[3] = BitOperations.RotateLeft(s[3], 11);
            return result;
        }
    }

    private static LaneRandom Create(int seed)
    {
        var seeds = new SplitMix64[Vector<float>.Count];
        for (int lane = 0; lane < seeds.Length; lane++)
            seeds[lane] = SplitMix64.For(seed, lane);
        return new LaneRandom(seeds);
    }
}
