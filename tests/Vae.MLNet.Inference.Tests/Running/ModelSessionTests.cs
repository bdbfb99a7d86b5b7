namespace Vae.MLNet.Inference.Tests.Running;

[TestClass]
public sealed class ModelSessionTests
{
    [TestMethod]
    public void Calls_FromManyThreads_GiveTheSame()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        const int Rows = 300;
        float[] latents = TestModels.Normals(2 * Rows), expected = new float[24 * Rows];
        decoder.Decode(latents, expected);
        float[] first = decoder.Decode(latents.AsSpan(0, 2));
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            var outputs = new float[24 * Rows];
            for (int i = 0; i < 20; i++)
            {
                decoder.Decode(latents, outputs);
                CollectionAssert.AreEqual(expected, outputs);
                CollectionAssert.AreEqual(first, decoder.Decode(latents.AsSpan(0, 2)));
                decoder.Optimize(LatentObjective.RadiusOfGyration(2), latents.AsSpan(0, 2), new() { Steps = 3 });
            }
        });
    }

    [TestMethod]
    public void Dispose_WhileInUse_LetsCallsEndAndRefusesLaterOnes()
    {
        byte[] bytes = TestModels.Decoder();
        float[] latents = TestModels.Normals(2 * 400), expected = new float[24 * 400];
        using (var decoder = VaeDecoder.Load(bytes))
            decoder.Decode(latents, expected);
        for (int round = 0; round < 10; round++)
        {
            var decoder = VaeDecoder.Load(bytes);
            using var ready = new CountdownEvent(4);
            var threads = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() =>
            {
                var outputs = new float[24 * 400];
                ready.Signal();
                int done = 0;
                while (true)
                {
                    try
                    {
                        decoder.Decode(latents, outputs);
                        done++;
                    }
                    catch (ObjectDisposedException)
                    {
                        return done;
                    }
                    CollectionAssert.AreEqual(expected, outputs);
                }
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
            ready.Wait();
            Thread.Sleep(round);
            decoder.Dispose();
            Assert.IsTrue(Task.WaitAll(threads, TimeSpan.FromSeconds(60)));
        }
    }

    [TestMethod]
    public void Dispose_FromWithinACall_LetsItEnd()
    {
        var decoder = VaeDecoder.Load(TestModels.Decoder());
        var objective = LatentObjective.Create((x, gradient) =>
        {
            decoder.Dispose();
            gradient[0] = 1;
            return x[0];
        });
        Assert.AreEqual(6, decoder.Optimize(objective, [0.1f, 0.2f], new() { Steps = 5 }).Path.Count);
        Assert.ThrowsExactly<ObjectDisposedException>(() => decoder.Decode([0.1f, 0.2f]));
    }

    [TestMethod]
    public void Dispose_MakesEveryCallThrow()
    {
        var decoder = VaeDecoder.Load(TestModels.Decoder());
        decoder.Dispose();
        decoder.Dispose();
        Assert.AreEqual(2, decoder.LatentDimension);
        foreach (Action call in new Action[]
        {
            () => decoder.Decode([1, 2]),
            () => decoder.Decode([1, 2], new float[24]),
            () => decoder.Decode([], []),
            () => decoder.Gradient([1, 2], new float[24], new float[2]),
            () => decoder.Sample(1, 1),
            () => decoder.Interpolate([1, 2], [2, 3], 3),
            () => decoder.Optimize(LatentObjective.RadiusOfGyration(2), [1, 2]),
        })
        {
            Assert.AreEqual(typeof(VaeDecoder).FullName, Assert.ThrowsExactly<ObjectDisposedException>(call).ObjectName);
        }
    }

    [TestMethod]
    public void LongRows_RunInSmallerBlocks()
    {
        // 500,000 features: a full block of 256 rows would take half a gigabyte.
        const int Wide = 500_000;
        var plan = new MLNet.Inference.Running.RunPlan([new("Latent", 2)], [new("Reconstruction", Wide)]);
        Assert.IsInRange(1, 16, plan.BlockRows);
        Assert.AreEqual(1, new MLNet.Inference.Running.RunPlan([new("Latent", 2)], [new("Reconstruction", 1 << 22)]).BlockRows);
        Assert.AreEqual(256, new MLNet.Inference.Running.RunPlan([new("Latent", 2)], [new("Reconstruction", 24)]).BlockRows);

        var model = TestModels.Create(new() { HiddenLayers = [1], LatentDimension = 2 }, features: 10_000);
        using var decoder = VaeDecoder.Load(TestModels.Decoder(model, withGradient: false));
        float[] latents = TestModels.Normals(2 * 420), outputs = new float[10_000 * 420];
        decoder.Decode(latents, outputs);
        TestModels.AssertClose(TestModels.Doubles(decoder.Decode(latents.AsSpan(2 * 419))), outputs.AsSpan(10_000 * 419), 1e-6);
    }
}
