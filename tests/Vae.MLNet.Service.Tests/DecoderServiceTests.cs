using System.Diagnostics.Metrics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using DecoderService;
using DecoderService.Models;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Tests;

namespace Vae.MLNet.Service.Tests;

[TestClass]
public sealed class DecoderServiceTests
{
    private static readonly float[][] Two = [[0.3f, -1.2f], [1, 0.5f]];

    [TestMethod]
    public async Task Decode_GivesWhatTheDecoderGives()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        using var decoder = VaeDecoder.Load(service.Model);
        var outputs = ServiceUnderTest.Rows((await service.PostAsync("/decode", new { latents = Two })).GetProperty("outputs"));
        for (int i = 0; i < Two.Length; i++)
            AssertClose(decoder.Decode(Two[i]), outputs[i]);
    }

    [TestMethod]
    public async Task Decode_ManyAtOnce_EachGetsItsOwn()
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { BatchRows = 16 });
        using var decoder = VaeDecoder.Load(service.Model);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            // From one row to more than a batch.
            float[][] latents = [.. Enumerable.Range(0, 1 + i % 20).Select(row => new[] { 0.01f * i, 0.1f * row })];
            var outputs = ServiceUnderTest.Rows((await service.PostAsync("/decode", new { latents })).GetProperty("outputs"));
            Assert.HasCount(latents.Length, outputs);
            for (int row = 0; row < latents.Length; row++)
                AssertClose(decoder.Decode(latents[row]), outputs[row]);
        }));
    }

    [TestMethod]
    public async Task Encode_GivesThePosterior()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        using var encoder = VaeEncoder.Load(Path.Combine(service.Folder, "encoder.onnx"));
        float[][] features = [.. TestModels.Normals(72).Chunk(24)];
        var answer = await service.PostAsync("/encode", new { features });
        var (means, deviations) = (ServiceUnderTest.Rows(answer.GetProperty("latents")), ServiceUnderTest.Rows(answer.GetProperty("standardDeviations")));
        for (int i = 0; i < 3; i++)
        {
            var posterior = encoder.EncodePosterior(features[i]);
            AssertClose(posterior.Mean, means[i]);
            AssertClose(posterior.StandardDeviation, deviations[i]);
        }
    }

    [TestMethod]
    public async Task Interpolate_GivesTheDecodersPath()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        using var decoder = VaeDecoder.Load(service.Model);
        var answer = await service.PostAsync("/interpolate", new { from = Two[0], to = Two[1], steps = 7, mode = "spherical" });
        var path = decoder.Interpolate(Two[0], Two[1], 7, InterpolationMode.Spherical);
        AssertClose(path.Latents.Span, [.. ServiceUnderTest.Rows(answer.GetProperty("latents")).SelectMany(row => row)]);
        AssertClose(path.Outputs.Span, [.. ServiceUnderTest.Rows(answer.GetProperty("outputs")).SelectMany(row => row)]);
    }

    [TestMethod]
    public async Task Optimize_GivesTheDecodersDescent()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        using var decoder = VaeDecoder.Load(service.Model);
        var answer = await service.PostAsync("/optimize", new
        {
            start = Two[0],
            steps = 20,
            priorWeight = 0.1,
            objective = new { dimensions = 2, radiusOfGyration = new { weight = 2 }, bondLengths = new { minimum = 0.5, maximum = 1.5, weight = 3 }, nonBondedDistances = new { minimum = 0.4 } },
        });
        var objective = 2 * LatentObjective.RadiusOfGyration(2) + 3 * LatentObjective.BondLengths(2, 0.5f, 1.5f) + LatentObjective.NonBondedDistances(2, 0.4f);
        var found = decoder.Optimize(objective, Two[0], new() { Steps = 20, PriorWeight = 0.1f });
        double[] values = [.. answer.GetProperty("values").EnumerateArray().Select(value => value.GetDouble())];
        Assert.HasCount(21, values);
        for (int i = 0; i < values.Length; i++)
            Assert.AreEqual(found.Values[i], values[i], 1e-6 * Math.Abs(found.Values[i]));
        Assert.AreEqual(found.BestIndex, answer.GetProperty("bestIndex").GetInt32());
        Assert.IsLessThan(values[0], values[found.BestIndex]);
    }

    [TestMethod]
    public async Task Sample_SameSeedSameSamples()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        using var decoder = VaeDecoder.Load(service.Model);
        var answer = await service.GetAsync("/sample?count=5&seed=7&noise=true");
        AssertClose(decoder.Sample(5, 7, new() { Noise = true }).Outputs.Span, [.. ServiceUnderTest.Rows(answer.GetProperty("outputs")).SelectMany(row => row)]);
    }

    [TestMethod]
    public async Task Model_Health_OpenApi_File()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        var model = await service.GetAsync("/model");
        Assert.AreEqual(2, model.GetProperty("latentDimension").GetInt32());
        Assert.AreEqual(24, model.GetProperty("featureCount").GetInt32());
        Assert.AreEqual("1", model.GetProperty("metadata").GetProperty("vae.format").GetString());
        var health = await service.GetAsync("/healthz");
        Assert.AreEqual("healthy", health.GetProperty("status").GetString());
        Assert.AreEqual(model.GetProperty("model").GetString(), health.GetProperty("model").GetString());
        CollectionAssert.AreEqual(File.ReadAllBytes(service.Model), await service.Client.GetByteArrayAsync("/model/decoder.onnx"));
    }

    /// <summary>The document describes the service as it is: every path with its answers, needed fields, no dangling references, no words of .NET.</summary>
    [TestMethod]
    public async Task OpenApi_DescribesEveryPath()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        var document = await service.GetAsync("/openapi/v1.json");
        StringAssert.StartsWith(document.GetProperty("openapi").GetString(), "3.1");
        Assert.AreEqual("Decoder service", document.GetProperty("info").GetProperty("title").GetString());
        var paths = document.GetProperty("paths");
        foreach (var (path, method, codes) in ((string, string, string[])[])
            [("/decode", "post", ["200", "400", "408", "413", "415", "503"]), ("/encode", "post", ["200", "400", "404", "408", "413", "415", "503"]),
             ("/interpolate", "post", ["200", "400", "408", "413", "415"]), ("/optimize", "post", ["200", "400", "408", "413", "415", "422", "503"]),
              ("/sample", "get", ["200", "400"]), ("/model", "get", ["200"]),
             ("/model/decoder.onnx", "get", ["200"]), ("/data/latents.json", "get", ["200", "404"]), ("/healthz", "get", ["200", "503"])])
        {
            var operation = paths.GetProperty(path).GetProperty(method);
            Assert.IsGreaterThan(10, operation.GetProperty("summary").GetString()!.Length, path);
            Assert.AreSequenceEqual(codes, operation.GetProperty("responses").EnumerateObject().Select(answer => answer.Name).Order().ToArray(), path);
        }
        var schemas = document.GetProperty("components").GetProperty("schemas");
        foreach (var (schema, needed) in ((string, string[])[])
            [("DecodeRequest", ["latents"]), ("EncodeRequest", ["features"]), ("InterpolateRequest", ["from", "to"]), ("OptimizeRequest", ["start", "objective"]),
             ("BondTerm", ["minimum", "maximum"]), ("ContactTerm", ["minimum"])])
        {
            var found = schemas.GetProperty(schema);
            Assert.AreSequenceEqual(needed, found.GetProperty("required").EnumerateArray().Select(name => name.GetString()).ToArray(), schema);
            foreach (string field in needed)
            {
                var property = found.GetProperty("properties").GetProperty(field);
                Assert.IsTrue(property.TryGetProperty("$ref", out _) || property.GetProperty("type").ValueKind == JsonValueKind.String, $"{schema}.{field} is needed and may not be null.");
            }
        }
        string text = document.GetRawText();
        foreach (System.Text.RegularExpressions.Match reference in System.Text.RegularExpressions.Regex.Matches(text, "\"#/components/schemas/([^\"]+)\""))
            Assert.IsTrue(schemas.TryGetProperty(reference.Groups[1].Value, out _), reference.Value);
        Assert.DoesNotContain("System.", text);
        Assert.DoesNotContain("\"Endpoints\"", text);
    }

    [TestMethod]
    [DataRow("/decode", "{}", "latents")]
    [DataRow("/decode", """{"latents":[]}""", "latents")]
    [DataRow("/decode", """{"latents":[[1],[2],[3],[4],[5],[6],[7],[8],[9]]}""", "latents")]
    [DataRow("/decode", """{"latents":[[1,2],[1,2,3]]}""", "latents[1]")]
    [DataRow("/decode", """{"latents":[null]}""", "latents[0]")]
    [DataRow("/decode", """{"latents":[[1,1e9]]}""", "latents[0][1]")]
    [DataRow("/decode", """{"latents":[[1,1e99]]}""", "latents[0][1]")]
    [DataRow("/decode", """{"latents":[[1,"2"]]}""", "latents[0][1]")]
    [DataRow("/decode", """{"latent":[[1,2]]}""", "latent")]
    [DataRow("/decode", "{", "body")]
    [DataRow("/decode", "", "body")]
    [DataRow("/decode", " \r\n\t", "body")]
    [DataRow("/decode", "null", "body")]
    [DataRow("/encode", " null\n", "body")]
    [DataRow("/interpolate", "null", "body")]
    [DataRow("/optimize", "null", "body")]
    [DataRow("/optimize", "[]", "body")]
    [DataRow("/optimize", "\"x\"", "body")]
    [DataRow("/encode", "1", "body")]
    [DataRow("/interpolate", "true", "body")]
    [DataRow("/decode", "nul", "body")]
    [DataRow("/decode", """{"latents":[[1,2]]} x""", "body")]
    [DataRow("/decode", """{"latents":[[1,2]],"latents":[[1,2]]}""", "latents")]
    [DataRow("/decode", """{"latents":[[1,2]],"Latents":null}""", "Latents")]
    [DataRow("/optimize", """{"start":[1,2],"objective":{"bondLengths":{"minimum":1,"minimum":2,"maximum":3}}}""", "objective.bondLengths.minimum")]
    [DataRow("/decode", """{"latents":null}""", "latents")]
    [DataRow("/optimize", """{"start":null,"objective":null}""", "start")]
    [DataRow("/interpolate", """{"from":[1,2],"to":[1,3],"mode":null}""", "mode")]
    [DataRow("/interpolate", """{"from":[1,2],"to":[1,3],"steps":null}""", "steps")]
    [DataRow("/encode", """{"features":[[1,2]]}""", "features[0]")]
    [DataRow("/interpolate", """{"to":[1,2]}""", "from")]
    [DataRow("/interpolate", """{"from":[1,2],"to":[1,2,3]}""", "to")]
    [DataRow("/interpolate", """{"from":[1,2],"to":[1,3],"steps":1}""", "steps")]
    [DataRow("/interpolate", """{"from":[1,2],"to":[1,3],"steps":9}""", "steps")]
    [DataRow("/interpolate", """{"from":[1,2],"to":[1,3],"mode":"crooked"}""", "mode")]
    [DataRow("/interpolate", """{"from":[1,2],"to":[-1,-2],"steps":3,"mode":"spherical"}""", "to")]
    [DataRow("/optimize", """{"start":[1,2]}""", "objective")]
    [DataRow("/optimize", """{"objective":{"radiusOfGyration":{}}}""", "start")]
    [DataRow("/optimize", """{"start":[1,2],"objective":{"dimensions":5,"radiusOfGyration":{}}}""", "objective.dimensions")]
    [DataRow("/optimize", """{"start":[1,2],"steps":11,"objective":{"radiusOfGyration":{}}}""", "steps")]
    [DataRow("/optimize", """{"start":[1,2],"learningRate":0,"objective":{"radiusOfGyration":{}}}""", "learningRate")]
    [DataRow("/optimize", """{"start":[1,2],"priorWeight":-1,"objective":{"radiusOfGyration":{}}}""", "priorWeight")]
    [DataRow("/optimize", """{"start":[1,2],"optimizer":"luck","objective":{"radiusOfGyration":{}}}""", "optimizer")]
    [DataRow("/optimize", """{"start":[1,2],"objective":{"radiusOfGyration":{"target":-1}}}""", "objective.radiusOfGyration.target")]
    [DataRow("/optimize", """{"start":[1,2],"objective":{"bondLengths":{"minimum":2,"maximum":1}}}""", "objective.bondLengths.maximum")]
    [DataRow("/optimize", """{"start":[1,2],"objective":{"bondLengths":{"minimum":2}}}""", "objective.bondLengths.maximum")]
    [DataRow("/optimize", """{"start":[1,2],"objective":{"nonBondedDistances":{}}}""", "objective.nonBondedDistances.minimum")]
    [DataRow("/optimize", """{"start":[1,2],"steps":1.5,"objective":{"radiusOfGyration":{}}}""", "steps")]
    [DataRow("/optimize", """{"start":[1,2],"objective":7}""", "objective")]
    [DataRow("/decode", "[1]", "body")]
    [DataRow("/decode", """{"latents":[[1,2]],"seed":3}""", "seed")]
    [DataRow("/decode", """{"latents":7}""", "latents")]
    [DataRow("/optimize", """{"start":[1,2],"objective":{"nonBondedDistances":{"minimum":1,"separation":12}}}""", "objective.nonBondedDistances.separation")]
    [DataRow("/sample?count=0", null, "count")]
    [DataRow("/sample?count=9", null, "count")]
    [DataRow("/sample?count=many", null, "count")]
    [DataRow("/sample?temperature=-1", null, "temperature")]
    public async Task BadRequest_NamesTheField(string path, string? body, string field)
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { MaximumRows = 8, MaximumSteps = 10 });
        using var answer = body is null ? await service.Client.GetAsync(path) : await service.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        string text = await answer.Content.ReadAsStringAsync();
        Assert.AreEqual(400, (int)answer.StatusCode, text);
        Assert.AreEqual("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var errors = JsonDocument.Parse(text).RootElement.GetProperty("errors");
        Assert.IsTrue(errors.TryGetProperty(field, out var problems), text);
        string problem = problems[0].GetString()!;
        Assert.IsGreaterThan(5, problem.Length);
        // The API knows no types of .NET.
        foreach (string foreign in (string[])["System.", ".NET", "DecoderService", "bind parameter", "Request ", "deserializ", "isFinalBlock", "JSON tokens"])
            Assert.DoesNotContain(foreign, problem);
    }

    [TestMethod]
    public async Task Limits_OfBodyAndKind()
    {
        await using var service = await ServiceUnderTest.StartAsync(encoder: false, gradient: false, change: options => options with { MaximumBody = 100 });
        using var large = await service.Client.PostAsync("/decode", new StringContent(new string(' ', 200), Encoding.UTF8, "application/json"));
        Assert.AreEqual(413, (int)large.StatusCode);
        using var noEncoder = await service.Client.PostAsJsonAsync("/encode", new { features = new float[0][] });
        Assert.AreEqual(404, (int)noEncoder.StatusCode);
        using var noGradient = await service.Client.PostAsJsonAsync("/optimize", new { start = Two[0] });
        Assert.AreEqual(422, (int)noGradient.StatusCode);
        using var noData = await service.Client.GetAsync("/data/latents.json");
        Assert.AreEqual(404, (int)noData.StatusCode);
    }

    [TestMethod]
    public async Task Batcher_QueueFull_TurnsAway()
    {
        using var computing = new SemaphoreSlim(0);
        using var go = new ManualResetEventSlim();
        int loops = Math.Max(1, Environment.ProcessorCount / 2);
        var batcher = new RowBatcher(1, 1, new() { Model = "", BatchRows = 2, QueueLength = 2 }, (inputs, outputs) =>
        {
            computing.Release();
            go.Wait();
            inputs.CopyTo(outputs);
        }, _ => { });
        var taken = new List<Task<float[]>>();
        for (int i = 0; i < loops; i++)
        {
            // Every loop is busy computing one row.
            taken.Add(batcher.TryRun([taken.Count], CancellationToken.None)!);
            Assert.IsTrue(await computing.WaitAsync(TimeSpan.FromSeconds(30)));
        }
        taken.Add(batcher.TryRun([taken.Count], CancellationToken.None)!);
        taken.Add(batcher.TryRun([taken.Count], CancellationToken.None)!);
        Assert.IsNull(batcher.TryRun([99], CancellationToken.None), "Two wait, a third is turned away.");
        go.Set();
        float[][] results = await Task.WhenAll(taken);
        for (int i = 0; i < results.Length; i++)
            Assert.AreEqual(i, results[i][0]);
        Assert.AreEqual(7, (await batcher.TryRun([7], CancellationToken.None)!)[0]);
        await batcher.CompleteAsync();
    }

    [TestMethod]
    public async Task Decode_QueueFull_Answers503AndGoesOn()
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { QueueLength = 1 });
        using var lease = service.Service<ModelStore>().Rent();
        var batcher = lease.Model.Decode;
        using var stop = new CancellationTokenSource();
        // Keeps the queue of one as good as full.
        var stuffing = Enumerable.Range(0, 2).Select(stuffer => Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
                _ = batcher.TryRun(new float[2 * 255], CancellationToken.None);
        })).ToArray();
        var rejections = new List<HttpResponseMessage>();
        for (int i = 0; i < 2000 && rejections.Count == 0; i++)
        {
            var answer = await service.Client.PostAsJsonAsync("/decode", new { latents = Two });
            if (answer.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable)
                rejections.Add(answer);
            else
                Assert.AreEqual(200, (int)answer.StatusCode);
        }
        await stop.CancelAsync();
        await Task.WhenAll(stuffing);
        await AssertBusyAsync(rejections.Single());
        await service.PostAsync("/decode", new { latents = Two });
    }

    [TestMethod]
    public async Task Optimize_TooManyWaiting_Answers503AndGoesOn()
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { OptimizationQueueLength = 0, MaximumSteps = 300_000 });
        using var stop = new CancellationTokenSource();
        // One more than there are permits: whichever comes last is turned away while the others run on.
        var running = Enumerable.Range(0, Environment.ProcessorCount + 1)
            .Select(_ => service.Client.PostAsJsonAsync("/optimize", new { start = Two[0], steps = 300_000, objective = new { radiusOfGyration = new { } } }, stop.Token)).ToList();
        var first = await Task.WhenAny(running);
        running.Remove(first);
        var rejected = await first;
        Assert.AreEqual(503, (int)rejected.StatusCode);
        await AssertBusyAsync(rejected);
        // Others are served meanwhile; clients that go away give their cores back.
        await service.PostAsync("/decode", new { latents = Two });
        await stop.CancelAsync();
        foreach (var request in running)
            await Assert.ThrowsAsync<OperationCanceledException>(() => request);
        for (int i = 0; ; i++)
        {
            using var answer = await service.Client.PostAsJsonAsync("/optimize", new { start = Two[0], steps = 1, objective = new { radiusOfGyration = new { } } });
            if (answer.IsSuccessStatusCode)
                break;
            Assert.IsLessThan(500, i, "No permit came back within ten seconds.");
            await Task.Delay(20);
        }
    }

    private static async Task AssertBusyAsync(HttpResponseMessage answer)
    {
        using (answer)
        {
            Assert.AreEqual("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
            Assert.AreEqual(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter?.Delta);
            var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
            Assert.AreEqual(503, problem.GetProperty("status").GetInt32());
            StringAssert.Contains(problem.GetProperty("detail").GetString(), "waiting");
        }
    }

    [TestMethod]
    public async Task Model_ReplacedUnderLoad_NoRequestFails()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        byte[][] files = [.. Enumerable.Range(0, 4).Select(seed => TestModels.Decoder(TestModels.Create(seed: 20 + seed)))];
        var expected = files.Select(file =>
        {
            using var decoder = VaeDecoder.Load(file);
            return decoder.Decode(Two[0]);
        }).ToArray();
        string first = (await service.GetAsync("/healthz")).GetProperty("model").GetString()!;
        using var stop = new CancellationTokenSource();
        var seen = new System.Collections.Concurrent.ConcurrentDictionary<string, float[]>();
        var load = Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            int requests = 0;
            for (; !stop.IsCancellationRequested; requests++)
            {
                var answer = await service.PostAsync("/decode", new { latents = Two });
                var output = ServiceUnderTest.Rows(answer.GetProperty("outputs"))[0];
                // One version always gives one result: no batch mixes models.
                AssertClose(seen.GetOrAdd(answer.GetProperty("model").GetString()!, output), output);
            }
            return requests;
        }));
        var versions = new List<string> { first };
        foreach (byte[] file in files)
        {
            service.Replace(file);
            versions.Add(await NewVersionAsync(service, versions[^1]));
            // Some requests on each.
            await service.PostAsync("/decode", new { latents = Two });
        }
        await Task.Delay(100);
        await stop.CancelAsync();
        int total = (await load).Sum();
        Assert.IsGreaterThan(files.Length, total);
        Assert.HasCount(files.Length + 1, versions.Distinct().ToArray());
        AssertClose(expected[^1], seen[versions[^1]]);
    }

    [TestMethod]
    public async Task Model_BrokenFile_IsRefusedAndTheOldOneStays()
    {
        using var meters = new MeterListener();
        int refused = 0;
        meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ServiceMetrics.MeterName && instrument.Name == "decoder_service.model.swaps")
                listener.EnableMeasurementEvents(instrument);
        };
        meters.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag is { Key: "outcome", Value: "refused" })
                    Interlocked.Add(ref refused, (int)value);
            }
        });
        meters.Start();
        await using var service = await ServiceUnderTest.StartAsync();
        byte[] whole = File.ReadAllBytes(service.Model);
        string version = (await service.GetAsync("/healthz")).GetProperty("model").GetString()!;
        service.Replace(whole[..(whole.Length / 2)]);
        for (int i = 0; i < 500 && Volatile.Read(ref refused) == 0; i++)
            await Task.Delay(20);
        Assert.IsGreaterThan(0, Volatile.Read(ref refused));
        // A sound decoder that does not belong to the encoder is no better.
        service.Replace(TestModels.Decoder(TestModels.Create(features: 30)));
        for (int i = 0; i < 500 && Volatile.Read(ref refused) < 2; i++)
            await Task.Delay(20);
        Assert.AreEqual(version, (await service.PostAsync("/decode", new { latents = Two })).GetProperty("model").GetString());
        service.Replace(TestModels.Decoder(TestModels.Create(seed: 99)));
        Assert.AreNotEqual(version, await NewVersionAsync(service, version));
    }

    [TestMethod]
    public async Task Stop_FinishesWhatItHasBegun()
    {
        await using var service = await ServiceUnderTest.StartAsync();
        var running = Enumerable.Range(0, 4).Select(_ => service.PostAsync("/optimize", new { start = Two[0], steps = 2000, objective = new { radiusOfGyration = new { } } })).ToArray();
        await service.PostAsync("/decode", new { latents = Two });
        await Task.Delay(50);
        await service.StopAsync();
        foreach (var answer in await Task.WhenAll(running))
            Assert.AreEqual(2001, answer.GetProperty("values").GetArrayLength());
        await Assert.ThrowsExactlyAsync<HttpRequestException>(() => service.Client.GetAsync("/healthz"));
    }

    [TestMethod]
    public void Start_SaysWhatIsMissing()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => DecoderApp.Create([])).Message, "--model");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => DecoderApp.Create(["--model", "nowhere.onnx"])).Message, "nowhere.onnx");
        string file = Path.GetTempFileName();
        try
        {
            // The file once, and what is wrong with it.
            Assert.AreEqual($"'{file}': the file is empty; an ONNX model is expected.", Assert.ThrowsExactly<InvalidDataException>(() => DecoderApp.Create(["--model", file])).Message);
            StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => DecoderApp.Create(["--model", file, "--max-rows", "0"])).Message, "--max-rows");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<string> NewVersionAsync(ServiceUnderTest service, string old)
    {
        for (int i = 0; i < 500; i++)
        {
            string version = (await service.GetAsync("/healthz")).GetProperty("model").GetString()!;
            if (version != old)
                return version;
            await Task.Delay(20);
        }
        throw new AssertFailedException("The new model was not taken up within ten seconds.");
    }

    /// <summary>To 1e-5: a row's last bits may depend on the rows it is computed with.</summary>
    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        Assert.AreEqual(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], found[i], 1e-5f * Math.Max(1, Math.Abs(expected[i])));
    }
}
