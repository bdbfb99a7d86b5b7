namespace Vae.MLNet.Tests;

/// <summary>Data for tests, from a seed.</summary>
internal static class TestRows
{
    /// <summary>Rows near a curved two-dimensional surface.</summary>
    public static float[][] Curved(int rows, int features, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows).Select(_ =>
        {
            double phase = random.NextDouble() * 6, frequency = random.NextDouble();
            return Enumerable.Range(0, features).Select(j => (float)(Math.Sin(phase + j * frequency) + 0.05 * random.NextDouble())).ToArray();
        })];
    }
}
