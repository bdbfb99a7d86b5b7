using System.Text.Json;
using DecoderService;
using DecoderService.Requests;

namespace Vae.MLNet.Service.Tests;

[TestClass]
public sealed class KnownHostsTests
{
    [TestMethod]
    [DataRow("localhost", true)]
    [DataRow("localhost:1234", true)]
    [DataRow("LocalHost:80", true)]
    [DataRow("127.0.0.1", true)]
    [DataRow("127.0.0.1:5080", true)]
    [DataRow("[::1]", true)]
    [DataRow("[::1]:5080", true)]
    [DataRow("attacker.example", false)]
    [DataRow("attacker.example:5080", false)]
    [DataRow("localhost.attacker.example", false)]
    [DataRow("127.0.0.1.attacker.example", false)]
    [DataRow("attacker.example.localhost", false)]
    [DataRow("127.0.0.2", false)]
    [DataRow("192.168.0.7", false)]
    [DataRow("0.0.0.0", false)]
    [DataRow("[::2]:80", false)]
    [DataRow("notlocalhost", false)]
    public async Task Loopback_AnswersToItsOwnNames(string host, bool known)
    {
        await using var service = await ServiceUnderTest.StartAsync(data: true);
        foreach (string path in (string[])["/healthz", "/", "/openapi/v1.json", "/data/latents.json", "/model/decoder.onnx"])
            await AssertAsync(service, path, host, known);
    }

    [TestMethod]
    [DataRow("decoder.example.org", true)]
    [DataRow("DECODER.example.org:443", true)]
    [DataRow("a.lab.example.org", true)]
    [DataRow("lab.example.org", false)]
    [DataRow("localhost", false)]
    [DataRow("attacker.example", false)]
    public async Task AllowedHosts_AreThoseGiven(string host, bool known)
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { AllowedHosts = ["decoder.example.org", "*.lab.example.org"] });
        await AssertAsync(service, "/healthz", host, known);
    }

    [TestMethod]
    public async Task AllowedHosts_Star_AnswersToAny()
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { AllowedHosts = ["*"] });
        await AssertAsync(service, "/healthz", "attacker.example", known: true);
    }

    [TestMethod]
    public void Hosts_FollowTheAddresses()
    {
        var options = new ServiceOptions { Model = "" };
        Assert.AreSequenceEqual(["localhost", "127.0.0.1", "[::1]", "10.0.0.3"], Names("http://10.0.0.3:80"));
        Assert.AreSequenceEqual(["localhost", "127.0.0.1", "[::1]", "localhost", "node7"], Names("http://localhost:5080", "https://node7:5081"));
        foreach (string everywhere in (string[])["http://0.0.0.0:80", "http://[::]:80", "http://*:80", "http://+:80", "http://unix:/run/decoder.sock"])
            Assert.IsNull(KnownHosts.Hosts(options, [everywhere]), everywhere);
        Assert.AreSequenceEqual(["a.example"], KnownHosts.Hosts(options with { AllowedHosts = ["a.example"] }, ["http://*:80"])!.Select(host => host.ToString()).ToArray());

        string[] Names(params string[] addresses) => [.. KnownHosts.Hosts(options, addresses)!.Select(host => host.ToString())];
    }

    [TestMethod]
    [DataRow("http://decoder.example.org")]
    [DataRow("decoder.example.org:443")]
    [DataRow("a;[::1]:5")]
    [DataRow("a/b")]
    [DataRow(";")]
    public void AllowedHosts_ThatAreNone_AreRefused(string given)
    {
        string file = Path.GetTempFileName();
        try
        {
            StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => DecoderApp.Create(["--model", file, "--allowed-hosts", given])).Message, "--allowed-hosts");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task AssertAsync(ServiceUnderTest service, string path, string host, bool known)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Host = host } };
        using var answer = await service.Client.SendAsync(request);
        Assert.AreEqual(known ? 200 : 400, (int)answer.StatusCode, $"{path} {host}");
        if (known)
            return;
        Assert.AreEqual("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        StringAssert.Contains(JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("detail").GetString(), "--allowed-hosts");
    }
}
