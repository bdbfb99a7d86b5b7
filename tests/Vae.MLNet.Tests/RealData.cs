namespace Vae.MLNet.Tests;

/// <summary>Real data that stands outside of the repository, in the folder that VAE_MLNET_DATA names.</summary>
internal static class RealData
{
    /// <summary>The full path of a file such as "polymer/dmol_paths.npz"; the test is inconclusive where the folder is not set.</summary>
    public static string Path(string relative)
    {
        string? folder = Environment.GetEnvironmentVariable("VAE_MLNET_DATA");
        if (string.IsNullOrEmpty(folder))
            Assert.Inconclusive("Set VAE_MLNET_DATA to the folder of real data to run this test.");
        return System.IO.Path.Combine(folder!, relative);
    }
}
