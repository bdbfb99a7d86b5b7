using System.Text;
using System.Text.Json;
using DecoderService;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Tests;

namespace Vae.MLNet.Service.Tests;

/// <summary>Rows by what the model says they are: numbers by name, sequences as letters, conformations only where it is said.</summary>
[TestClass]
public sealed class RowKindTests
{
    private static readonly float[][] Two = [[0.3f, -1.2f], [1, 0.5f]];

    [TestMethod]
    public async Task Model_NamedColumns_SaysSo()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        var rows = (await service.GetAsync("/model")).GetProperty("rows");
        Assert.AreEqual("vector", rows.GetProperty("kind").GetString());
        Assert.AreEqual(0, rows.GetProperty("dimensions").GetInt32());
        CollectionAssert.AreEqual(KindModels.Cars, Texts(rows.GetProperty("names")));
        Assert.AreEqual(10, rows.GetProperty("low")[0].GetSingle());
        Assert.AreEqual(30, rows.GetProperty("high")[0].GetSingle());
        Assert.IsFalse(rows.TryGetProperty("symbols", out _));
    }

    [TestMethod]
    public async Task Model_ConformationAndVector_SayWhatTheyAre()
    {
        await using (var service = await ServiceUnderTest.StartAsync())
        {
            var rows = (await service.GetAsync("/model")).GetProperty("rows");
            Assert.AreEqual("conformation", rows.GetProperty("kind").GetString());
            Assert.AreEqual(2, rows.GetProperty("dimensions").GetInt32());
        }
        // 24 numbers alone are not 12 beads.
        await using var other = await ServiceUnderTest.StartAsync(model: TestModels.Create());
        Assert.AreEqual("vector", (await other.GetAsync("/model")).GetProperty("rows").GetProperty("kind").GetString());
    }

    [TestMethod]
    public async Task Dimensions_OfAFileThatDoesNotSayThem_AreTheUsers()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: TestModels.Create(), change: options => options with { Dimensions = 3 });
        var rows = (await service.GetAsync("/model")).GetProperty("rows");
        Assert.AreEqual("conformation", rows.GetProperty("kind").GetString());
        Assert.AreEqual(3, rows.GetProperty("dimensions").GetInt32());
        // An objective without dimensions takes them.
        var answer = await service.PostAsync("/optimize", new { start = Two[0], steps = 1, objective = new { radiusOfGyration = new { } } });
        double[] expected = [.. answer.GetProperty("outputs").EnumerateArray().Select(row => LatentObjective.RadiusOfGyration(3).Evaluate(Numbers(row)))];
        Assert.AreEqual(expected[0], answer.GetProperty("values")[0].GetDouble(), 1e-4);
    }

    [TestMethod]
    public async Task Dimensions_ThatDoNotFit_AreRefused()
    {
        string message = (await Assert.ThrowsExactlyAsync<InvalidDataException>(() =>
            ServiceUnderTest.StartAsync(model: KindModels.Table(), change: options => options with { Dimensions = 2 }))).Message;
        Assert.Contains("--dimensions 2", message);
        message = (await Assert.ThrowsExactlyAsync<InvalidDataException>(() =>
            ServiceUnderTest.StartAsync(encoder: false, model: KindModels.Sequences(), change: options => options with { Dimensions = 2 }))).Message;
        Assert.Contains("sequences", message);
        Assert.Contains("--dimensions", Assert.ThrowsExactly<ArgumentException>(() => DecoderApp.Create(["--model", typeof(RowKindTests).Assembly.Location, "--dimensions", "4"])).Message);
    }

    [TestMethod]
    public async Task Decode_NamedColumns_GivesRowsByName()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        var answer = await service.PostAsync("/decode", new { latents = Two });
        var outputs = ServiceUnderTest.Rows(answer.GetProperty("outputs"));
        var rows = answer.GetProperty("rows");
        Assert.AreEqual(2, rows.GetArrayLength());
        for (int i = 0; i < 2; i++)
        {
            CollectionAssert.AreEqual(KindModels.Cars, rows[i].EnumerateObject().Select(column => column.Name).ToArray());
            CollectionAssert.AreEqual(outputs[i], rows[i].EnumerateObject().Select(column => column.Value.GetSingle()).ToArray());
        }
        answer = await service.PostAsync("/decode", new { latents = Two, byName = false });
        Assert.IsFalse(answer.TryGetProperty("rows", out _));
        Assert.AreEqual(2, answer.GetProperty("outputs").GetArrayLength());
    }

    [TestMethod]
    public async Task Sample_NamedColumns_GivesRowsByName()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        var answer = await service.GetAsync("/sample?count=3&seed=7");
        Assert.AreEqual(answer.GetProperty("outputs")[2][2].GetSingle(), answer.GetProperty("rows")[2].GetProperty("horse power").GetSingle());
        Assert.IsFalse((await service.GetAsync("/sample?count=3&seed=7&byName=false")).TryGetProperty("rows", out _));
    }

    [TestMethod]
    public async Task Encode_RowsByName_AreThoseByPosition()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        float[] row = [21, 60, 170, 500, 1600];
        var byPosition = await service.PostAsync("/encode", new { features = new[] { row } });
        // In any order, and beside arrays.
        var byName = await service.PostAsync("/encode", new
        {
            features = new object[] { KindModels.Cars.Zip(row).Reverse().ToDictionary(column => column.First, column => column.Second), row },
        });
        foreach (string field in (string[])["latents", "standardDeviations"])
        {
            for (int i = 0; i < 2; i++)
            {
                float[] expected = Numbers(byPosition.GetProperty(field)[0]), found = Numbers(byName.GetProperty(field)[i]);
                for (int k = 0; k < expected.Length; k++)
                    Assert.AreEqual(expected[k], found[k], 1e-5f);
            }
        }
    }

    /// <summary>A row that goes out by name comes back in by name.</summary>
    [TestMethod]
    public async Task Decode_Encode_TakesItsOwnRows()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table(latent: 4));
        var rows = (await service.GetAsync("/sample?count=5")).GetProperty("rows");
        Assert.AreEqual(5, (await service.PostAsync("/encode", new { features = rows })).GetProperty("latents").GetArrayLength());
    }

    [TestMethod]
    [DataRow("""{"features":[{"mpg":1,"cylinders":2,"horse power":3,"weight \"kg\"":4}]}""", "features[0]", "Missing: 'is_new'. Unknown: none")]
    [DataRow("""{"features":[[1,2,3,4,5],{"mpg":1,"Cylinders":2,"horse power":3,"weight \"kg\"":4,"is_new":0,"x":1}]}""", "features[1]", "Missing: 'cylinders'. Unknown: 'Cylinders', 'x'. The columns: 'mpg', 'cylinders', 'horse power'")]
    [DataRow("""{"features":[{}]}""", "features[0]", "Missing: 'mpg', 'cylinders'")]
    [DataRow("""{"features":[{"mpg":"21","cylinders":2}]}""", "features[0].mpg", "a number")]
    [DataRow("""{"features":[{"horse power":null}]}""", "features[0]['horse power']", "a number")]
    [DataRow("""{"features":[{"mpg":1,"mpg":2}]}""", "features[0].mpg", "more than once")]
    [DataRow("""{"features":[{"mpg":1e99,"cylinders":2,"horse power":3,"weight \"kg\"":4,"is_new":0}]}""", "features[0].mpg", "has to be from")]
    [DataRow("""{"features":["ACGT"]}""", "features[0]", "5 numbers")]
    [DataRow("""{"features":[7]}""", "features[0]", "an array of numbers")]
    [DataRow("""{"features":[[1,2,3,4,"5"]]}""", "features[0][4]", "a number")]
    [DataRow("""{"features":[[1,2,3,4]]}""", "features[0]", "5 numbers")]
    [DataRow("""{"features":[null]}""", "features[0]", "5 numbers")]
    [DataRow("""{"features":{"mpg":1}}""", "features", "an array of rows")]
    [DataRow("""{"features":[]}""", "features", "from 1 to")]
    [DataRow("""{"features":null}""", "features", "missing")]
    [DataRow("""{}""", "features", "it is missing")]
    public async Task Encode_WrongRows_AreNamed(string body, string field, string words)
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        await AssertRefused(service, "/encode", body, field, words);
    }

    [TestMethod]
    [DataRow("/encode", """{"features":[{"a":1}]}""", "features[0]", "have none")]
    [DataRow("/decode", """{"latents":[[0,0]],"byName":true}""", "byName", "no names")]
    [DataRow("/optimize", """{"start":[0,0],"objective":{"features":[{"name":"a"}]}}""", "objective.features[0].name", "no names")]
    [DataRow("/optimize", """{"start":[0,0],"objective":{"letters":[{"position":1,"letter":"A"}]}}""", "objective.letters[0]", "sequences")]
    public async Task Names_OfAModelWithout_AreRefused(string path, string body, string field, string words)
    {
        await using var service = await ServiceUnderTest.StartAsync();
        await AssertRefused(service, path, body, field, words);
    }

    [TestMethod]
    public async Task Names_TwiceOrEmpty_AreNotUsed()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table(["a", "b", "a"]));
        Assert.IsFalse((await service.PostAsync("/decode", new { latents = Two })).TryGetProperty("rows", out _));
        await AssertRefused(service, "/encode", """{"features":[{"a":1,"b":2}]}""", "features[0]", "have none");
    }

    [TestMethod]
    public async Task Optimize_ColumnByName_IsTheDecodersDescent()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        using var decoder = VaeDecoder.Load(service.Model);
        var answer = await service.PostAsync("/optimize", new
        {
            start = Two[0],
            steps = 30,
            priorWeight = 0.1,
            objective = new { features = new object[] { new { name = "horse power", weight = -0.02 }, new { index = 0, weight = 0.001, target = 25 } } },
        });
        static LatentObjective Column(int at) => LatentObjective.Create((row, gradient) =>
        {
            gradient[at] = 1;
            return row[at];
        });
        var found = decoder.Optimize(-0.02f * Column(2) + 0.001f * Column(0).Target(25), Two[0], new() { Steps = 30, PriorWeight = 0.1f });
        double[] values = [.. answer.GetProperty("values").EnumerateArray().Select(value => value.GetDouble())];
        Assert.HasCount(31, values);
        for (int i = 0; i < values.Length; i++)
            Assert.AreEqual(found.Values[i], values[i], 1e-5 * Math.Abs(found.Values[i]));
        Assert.IsLessThan(values[0], values[found.BestIndex]);
    }

    [TestMethod]
    [DataRow("""[{"name":"power"}]""", "objective.features[0].name", "'horse power'")]
    [DataRow("""[{}]""", "objective.features[0]", "name or the index")]
    [DataRow("""[{"name":"mpg","index":0}]""", "objective.features[0]", "name or the index")]
    [DataRow("""[{"index":5}]""", "objective.features[0].index", "from 0 to 4")]
    [DataRow("""[{"index":1},{"index":-1}]""", "objective.features[1].index", "from 0 to 4")]
    [DataRow("""[null]""", "objective.features[0]", "name or the index")]
    [DataRow("""[{"index":0,"weight":1e9}]""", "objective.features[0].weight", "from")]
    public async Task Optimize_WrongColumn_IsNamed(string features, string field, string words)
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        await AssertRefused(service, "/optimize", "{\"start\":[0,0],\"objective\":{\"features\":" + features + "}}", field, words);
    }

    [TestMethod]
    public async Task Sequences_GoOutAndInAsLetters()
    {
        var model = KindModels.Sequences();
        await using var service = await ServiceUnderTest.StartAsync(model: model);
        using var decoder = SequenceDecoder.Load(service.Model);
        using var encoder = SequenceEncoder.Load(Path.Combine(service.Folder, "encoder.onnx"));
        var rows = (await service.GetAsync("/model")).GetProperty("rows");
        Assert.AreEqual("sequence", rows.GetProperty("kind").GetString());
        Assert.AreEqual("ACGT-", rows.GetProperty("symbols").GetString());
        Assert.AreEqual(16, rows.GetProperty("positions")[0].GetInt32());
        Assert.AreEqual(JsonValueKind.Null, rows.GetProperty("positions")[KindModels.Reference.IndexOf('-')].ValueKind);

        float[] z = [0.3f, -1.2f, 2];
        var decoded = await service.PostAsync("/decode", new { latents = new[] { z } });
        Assert.AreEqual(decoder.MostProbable(z), decoded.GetProperty("sequences")[0].GetString());
        Assert.IsFalse(decoded.TryGetProperty("rows", out _));
        var drawn = await service.GetAsync("/sample?count=4&noise=true&seed=3");
        string[] samples = Texts(drawn.GetProperty("sequences"));
        Assert.HasCount(4, samples);

        var encoded = await service.PostAsync("/encode", new { features = new[] { samples[0], KindModels.Reference } });
        var expected = encoder.Encode(KindModels.Reference);
        float[] mean = Numbers(encoded.GetProperty("latents")[1]);
        for (int k = 0; k < 3; k++)
            Assert.AreEqual(expected.Mean[k], mean[k], 1e-5f);
        Assert.AreNotEqual(mean[0], encoded.GetProperty("latents")[0][0].GetSingle());

        await AssertRefused(service, "/encode", """{"features":["ACGT"]}""", "features[0]", "18 characters");
        await AssertRefused(service, "/encode", """{"features":["ACGTACGTTGCAAC-GT?"]}""", "features[0]", "'?'");
        await AssertRefused(service, "/encode", """{"features":[[1,2,3]]}""", "features[0]", "aligned sequence of 18 letters");
    }

    [TestMethod]
    public async Task Sequences_LetterWanted_BecomesMoreProbable()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Sequences());
        var answer = await service.PostAsync("/optimize", new { start = new float[3], steps = 60, objective = new { letters = new[] { new { position = 17, letter = "T" } } } });
        var outputs = ServiceUnderTest.Rows(answer.GetProperty("outputs"));
        int at = 1 * 5 + 3;
        Assert.IsGreaterThan(outputs[0][at], outputs[answer.GetProperty("bestIndex").GetInt32()][at]);
        await AssertRefused(service, "/optimize", """{"start":[0,0,0],"objective":{"letters":[{"position":99,"letter":"T"}]}}""", "objective.letters[0]", "99");
        await AssertRefused(service, "/optimize", """{"start":[0,0,0],"objective":{"letters":[{"position":17,"letter":"TT"}]}}""", "objective.letters[0].letter", "one letter");
        await AssertRefused(service, "/optimize", """{"start":[0,0,0],"objective":{"letters":[{"position":17}]}}""", "objective.letters[0].letter", "needed");
    }

    [TestMethod]
    public async Task Sequences_EncoderOfOthers_IsRefused()
    {
        string folder = Directory.CreateTempSubdirectory("decoder-service-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "decoder.onnx"), TestModels.Decoder(KindModels.Sequences()));
            File.WriteAllBytes(Path.Combine(folder, "encoder.onnx"), TestModels.Encoder(KindModels.Sequences(protein: true)));
            Assert.Contains("other sequences", Assert.ThrowsExactly<InvalidDataException>(() => DecoderApp.Create(["--model", Path.Combine(folder, "decoder.onnx")])).Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestMethod]
    public async Task OpenApi_SaysThatRowsMayHaveNames()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table());
        var schemas = (await service.GetAsync("/openapi/v1.json")).GetProperty("components").GetProperty("schemas");
        var features = schemas.GetProperty("EncodeRequest").GetProperty("properties").GetProperty("features");
        if (features.TryGetProperty("$ref", out var reference))
            features = schemas.GetProperty(reference.GetString()!.Split('/')[^1]);
        string[] kinds = [.. features.GetProperty("items").GetProperty("oneOf").EnumerateArray().Select(item => item.GetProperty("type").GetString()!)];
        CollectionAssert.AreEqual(new[] { "array", "object", "string" }, kinds);
        Assert.Contains("additionalProperties", schemas.GetProperty("DecodeResponse").GetProperty("properties").GetProperty("rows").GetRawText());
    }

    private static async Task AssertRefused(ServiceUnderTest service, string path, string body, string field, string words)
    {
        using var answer = await service.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        string text = await answer.Content.ReadAsStringAsync();
        Assert.AreEqual(400, (int)answer.StatusCode, text);
        Assert.IsTrue(JsonDocument.Parse(text).RootElement.GetProperty("errors").TryGetProperty(field, out var problems), text);
        Assert.Contains(words, problems[0].GetString()!);
        Assert.DoesNotContain("System.", text);
    }

    private static float[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetSingle())];

    private static string[] Texts(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetString()!)];
}
