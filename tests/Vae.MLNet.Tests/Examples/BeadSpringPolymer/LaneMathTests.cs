using System.Numerics;
using BeadSpringPolymer.Simulation;

namespace Vae.MLNet.Tests.Examples.BeadSpringPolymer;

[TestClass]
public sealed class LaneMathTests
{
    [TestMethod]
    public void Atan2_IsAccurateInAllQuarters()
    {
        for (int i = -20_000; i <= 20_000; i++)
        {
            double angle = Math.PI * i / 20_000;
            float radius = 0.01f + i * i % 97;
            float x = radius * (float)Math.Cos(angle), y = radius * (float)Math.Sin(angle);
            Assert.AreEqual(Math.Atan2(y, x), LaneMath.Atan2(new Vector<float>(y), new Vector<float>(x))[0], 4e-7);
        }
        Assert.AreEqual(0, LaneMath.Atan2(Vector<float>.Zero, Vector<float>.Zero)[0]);
        Assert.AreEqual(MathF.PI, LaneMath.Atan2(Vector<float>.Zero, new Vector<float>(-1f))[0]);
        Assert.AreEqual(-MathF.PI, LaneMath.Atan2(new Vector<float>(-0f), new Vector<float>(-1f))[0]);
    }

    [TestMethod]
    public void MinusTwoLog_IsAccurate()
    {
        for (int u = 1; u <= 1 << 24; u += 1 + u / 1000)
            AssertLog(u);
        for (int u = (1 << 24) - 1000; u <= 1 << 24; u++)
            AssertLog(u);

        static void AssertLog(int u)
        {
            double expected = -2 * Math.Log(u / (double)(1 << 24));
            float actual = LaneMath.MinusTwoLog(new Vector<float>(u), 24)[0];
            Assert.IsTrue(actual >= 0);
            Assert.AreEqual(expected, actual, 1e-6 * Math.Max(expected, 1e-6), $"u = {u}");
        }
    }

    [TestMethod]
    public void SinCosQuarter_IsAccurate()
    {
        for (int i = -10_000; i <= 10_000; i++)
        {
            float angle = (float)(Math.PI / 4 * i / 10_000);
            LaneMath.SinCosQuarter(new Vector<float>(angle), out Vector<float> sin, out Vector<float> cos);
            Assert.AreEqual(Math.Sin(angle), sin[0], 2e-7);
            Assert.AreEqual(Math.Cos(angle), cos[0], 2e-7);
        }
    }
}
