using BeadSpringPolymer.Simulation;

namespace Vae.MLNet.Tests.Examples.BeadSpringPolymer;

[TestClass]
public sealed class SimulationCacheTests
{
    private static readonly BeadSpringOptions Options = new() { EquilibrationSteps = 50, StepsBetweenFrames = 20, FramesPerChain = 4 };

    private readonly SimulationCache _cache = new(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()));

    [TestCleanup]
    public void Cleanup()
    {
        if (Directory.Exists(_cache.Folder))
            Directory.Delete(_cache.Folder, recursive: true);
    }

    [TestMethod]
    public void GetOrRun_KeepsWhatItSimulated()
    {
        Assert.IsNull(_cache.TryRead(Options, 30, seed: 1));
        Trajectory made = _cache.GetOrRun(Options, 30, seed: 1);
        Trajectory? kept = _cache.TryRead(Options, 30, seed: 1);
        Assert.IsNotNull(kept);
        CollectionAssert.AreEqual(made.Positions, kept.Positions);
        Assert.AreEqual(made.KineticTemperature, kept.KineticTemperature);
        Assert.AreEqual(made.FramesPerChain, kept.FramesPerChain);
        CollectionAssert.AreEqual(BeadSpringSimulator.Run(Options, 30, seed: 1).Positions, made.Positions);
        Assert.HasCount(1, Directory.GetFiles(_cache.Folder), "Only the trajectory's file may be left.");
    }

    [TestMethod]
    public void TryRead_AnyOtherInput_IsAnotherTrajectory()
    {
        _cache.GetOrRun(Options, 30, seed: 1);
        Assert.IsNull(_cache.TryRead(Options, 30, seed: 2));
        Assert.IsNull(_cache.TryRead(Options, 31, seed: 1));
        Assert.IsNull(_cache.TryRead(Options with { BendingStiffness = 1.5 }, 30, seed: 1));
        Assert.IsNotNull(_cache.TryRead(Options with { Threads = 1 }, 30, seed: 1), "Threads have no influence on the result.");
    }

    [TestMethod]
    [DataRow("truncated")]
    [DataRow("too long")]
    [DataRow("empty")]
    [DataRow("a bit of a position")]
    [DataRow("a byte of the key")]
    [DataRow("another version's magic")]
    [DataRow("a byte of the frame count")]
    public void GetOrRun_DamagedFile_IsMadeAnew(string damage)
    {
        float[] expected = _cache.GetOrRun(Options, 30, seed: 1).Positions;
        string path = _cache.PathOf(Options, 30, seed: 1);
        byte[] bytes = File.ReadAllBytes(path);
        switch (damage)
        {
            case "truncated":
                bytes = bytes[..^5];
                break;
            case "too long":
                bytes = [.. bytes, 0];
                break;
            case "empty":
                bytes = [];
                break;
            case "a bit of a position":
                bytes[^100] ^= 1;
                break;
            case "a byte of the key":
                bytes[10] ^= 1;
                break;
            case "another version's magic":
                bytes[3] ^= 1;
                break;
            default:
                bytes[48] ^= 1;
                break;
        }
        File.WriteAllBytes(path, bytes);
        Assert.IsNull(_cache.TryRead(Options, 30, seed: 1));
        CollectionAssert.AreEqual(expected, _cache.GetOrRun(Options, 30, seed: 1).Positions);
        Assert.IsNotNull(_cache.TryRead(Options, 30, seed: 1));
    }
}
