using TorchSharp;
using Vae.MLNet.Model;
using static Vae.MLNet.Tests.Training.LifeCycleRows;

namespace Vae.MLNet.Tests.Training;

/// <summary>libtorch keeps its number of threads for the whole process: what one Fit sets must not reach another.</summary>
[TestClass]
[DoNotParallelize]
public sealed class OverlappingFitTests
{
    /// <summary>By itself, and large enough for the number of threads to change the order of sums.</summary>
    private static readonly VaeTrainer.Options Wide = Options with { Threads = 0, HiddenLayers = [128, 128], BatchSize = 256, Epochs = 3, TrimmedFraction = 0.05f };

    private static byte[] Alone(VaeTrainer.Options options, int rows = 600)
    {
        using var model = Fit(options, Make(rows));
        return Bytes(model);
    }

    /// <summary>Runs something on a thread that has never met libtorch.</summary>
    private static T OnFreshThread<T>(Func<T> work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Result;

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(8)]
    public void Fit_WhileAnotherWithItsOwnThreadsRuns_GivesTheBytesOfALoneOne(int others)
    {
        byte[] expected = OnFreshThread(() => Alone(Wide));
        using var started = new ManualResetEventSlim();
        using var ended = new ManualResetEventSlim();
        int threadsAfter = 0;
        var first = Task.Factory.StartNew(
            () =>
            {
                using var held = Fit(Wide with
                {
                    Threads = others,
                    Progress = new Reports(_ =>
                    {
                        started.Set();
                        ended.Wait();
                    }),
                }, Make(300));
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        started.Wait();
        byte[] during = OnFreshThread(() => Alone(Wide)), pooled = Task.Run(() => Alone(Wide)).Result;
        byte[] after = OnFreshThread(() =>
        {
            byte[] overlapped = Alone(Wide);
            // The first ends while this thread lives.
            ended.Set();
            first.Wait();
            threadsAfter = torch.get_num_threads();
            CollectionAssert.AreEqual(overlapped, Alone(Wide));
            return overlapped;
        });
        CollectionAssert.AreEqual(expected, during);
        CollectionAssert.AreEqual(expected, pooled);
        CollectionAssert.AreEqual(expected, after);
        Assert.AreEqual(TorchThreads.Default, threadsAfter);
        Assert.AreEqual(TorchThreads.Default, OnFreshThread(torch.get_num_threads));
    }

    [TestMethod]
    public void Fit_ManyAtOnce_EachGivesTheBytesOfALoneOne()
    {
        VaeTrainer.Options[] all = [.. Enumerable.Range(0, 8).Select(i => Wide with { Threads = i % 4, Seed = i / 2 })];
        byte[][] expected = [.. all.Select(options => Alone(options, 200))];
        byte[][] found = Task.WhenAll(all.Select(options => Task.Run(() => Alone(options, 200)))).Result;
        for (int i = 0; i < all.Length; i++)
            CollectionAssert.AreEqual(expected[i], found[i], $"Fit {i}.");
        Assert.AreEqual(TorchThreads.Default, OnFreshThread(torch.get_num_threads));
    }

    [TestMethod]
    public void Borrow_Nested_GivesBackTheOuterNumber()
    {
        int before = torch.get_num_threads();
        using (TorchThreads.Borrow(3))
        {
            using (TorchThreads.Borrow(5))
                Assert.AreEqual(5, torch.get_num_threads());
            Assert.AreEqual(3, torch.get_num_threads());
        }
        Assert.AreEqual(before, torch.get_num_threads());
    }
}
