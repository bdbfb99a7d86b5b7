using System.Net.Http.Json;
using System.Text.Json;
using DecoderService;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Vae.MLNet.Inference.Tests;

namespace Vae.MLNet.Service.Tests;

/// <summary>The service on a free port of the loopback, with small models in a folder of its own.</summary>
internal sealed class ServiceUnderTest : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ServiceUnderTest(string folder, WebApplication app)
    {
        Folder = folder;
        _app = app;
        Address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Client = new HttpClient { BaseAddress = new Uri(Address) };
    }

    public string Folder { get; }

    public string Address { get; }

    public HttpClient Client { get; }

    public string Model => Path.Combine(Folder, "decoder.onnx");

    /// <param name="encoder">Whether the encoder lies beside the decoder.</param>
    /// <param name="gradient">Whether the decoder has its gradient.</param>
    /// <param name="data">Whether there is a map of the data.</param>
    /// <param name="change">Changes options.</param>
    /// <param name="model">The model; by default one of 12 beads in a plane.</param>
    public static async Task<ServiceUnderTest> StartAsync(bool encoder = true, bool gradient = true, bool data = false, Func<ServiceOptions, ServiceOptions>? change = null, VaeModel? model = null)
    {
        string folder = Directory.CreateTempSubdirectory("decoder-service-").FullName;
        model ??= TestModels.Create().WithBeadDimensions(2);
        File.WriteAllBytes(Path.Combine(folder, "decoder.onnx"), TestModels.Decoder(model, gradient));
        if (encoder)
            File.WriteAllBytes(Path.Combine(folder, "encoder.onnx"), TestModels.Encoder(model));
        if (data)
            WriteData(Path.Combine(folder, "latents.json"));
        var app = DecoderApp.Create(["--model", Path.Combine(folder, "decoder.onnx"), "--urls", "http://127.0.0.1:0", "--poll-milliseconds", "20"], change);
        await app.StartAsync();
        return new(folder, app);
    }

    public async Task<JsonElement> PostAsync(string path, object body)
    {
        using var answer = await Client.PostAsJsonAsync(path, body);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.AreEqual(200, (int)answer.StatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    public async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await Client.GetStringAsync(path)).RootElement;

    /// <summary>Replaces the decoder's file at once, as a deployment does.</summary>
    public void Replace(byte[] decoder)
    {
        string beside = Model + ".new";
        File.WriteAllBytes(beside, decoder);
        File.Move(beside, Model, overwrite: true);
    }

    public T Service<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    public static float[][] Rows(JsonElement array) => [.. array.EnumerateArray().Select(row => row.EnumerateArray().Select(value => value.GetSingle()).ToArray())];

    private static void WriteData(string file)
    {
        float[] normals = TestModels.Normals(1000);
        File.WriteAllText(file, JsonSerializer.Serialize(new
        {
            latents = normals.Chunk(2),
            radiusOfGyration = normals.Chunk(2).Select(z => 2 + z[0]),
            bondRange = new[] { 0.5f, 1.5f },
            contactMinimum = 0.4f,
            beads = 12,
            dimensions = 2,
        }));
    }
}
