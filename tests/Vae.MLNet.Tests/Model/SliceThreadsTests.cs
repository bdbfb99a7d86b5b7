using System.Collections.Concurrent;
using Vae.MLNet.Model;

namespace Vae.MLNet.Tests.Model;

[TestClass]
public sealed class SliceThreadsTests
{
    /// <summary>libtorch's matrix library keeps its number of threads by calling thread, so every thread has to be told before its first product.</summary>
    [TestMethod]
    public void Run_EveryOtherThreadIsPreparedOnceBeforeItsJobs()
    {
        var prepared = new ConcurrentBag<int>();
        var late = new ConcurrentBag<int>();
        using (var threads = new SliceThreads(4, () => prepared.Add(Environment.CurrentManagedThreadId)))
        {
            for (int round = 0; round < 5; round++)
            {
                threads.Run(4, slice =>
                {
                    if (slice > 0 && !prepared.Contains(Environment.CurrentManagedThreadId))
                        late.Add(slice);
                });
            }
        }
        Assert.HasCount(3, prepared);
        Assert.AreEqual(3, prepared.Distinct().Count());
        Assert.DoesNotContain(Environment.CurrentManagedThreadId, prepared);
        Assert.IsEmpty(late);
    }
}
