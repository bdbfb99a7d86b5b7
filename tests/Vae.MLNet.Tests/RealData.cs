namespace Vae.MLNet.Tests;

/// <summary>Finds real data, which is no part of the repository.</summary>
internal static class RealData
{
    /// <summary>The path of a file of real data; the test is inconclusive where the data is not there.</summary>
    public static string Path(string name)
    {
        if (Environment.GetEnvironmentVariable("VAE_MLNET_DATA") is not { Length: > 0 } folder)
            Assert.Inconclusive("Set VAE_MLNET_DATA to the folder of real data to run this test.");
        else
            return System.IO.Path.Combine(folder, name);
        return "";
    }
}
