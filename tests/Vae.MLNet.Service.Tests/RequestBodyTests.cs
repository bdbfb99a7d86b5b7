using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Vae.MLNet.Service.Tests;

/// <summary>Bodies as they come over the wire: half sent, slow, too large, in another charset, nested, of another kind.</summary>
[TestClass]
public sealed class RequestBodyTests
{
    private const string Optimization = """{"start":[0.3,-1.2],"steps":2,"objective":{"radiusOfGyration":{}}}""";

    [TestMethod]
    [DataRow("/optimize")]
    [DataRow("/decode")]
    public async Task HalfSentBodies_KeepNobodyWaiting(string path)
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { OptimizationQueueLength = 4, BodyTimeout = TimeSpan.FromSeconds(60) });
        var halves = new List<Wire>();
        try
        {
            for (int i = 0; i < 100; i++)
            {
                var wire = await Wire.OpenAsync(service);
                halves.Add(wire);
                // Chunked or with a length; no byte of the body, a few, or all but one.
                string body = Optimization[..((i % 3) switch { 0 => 0, 1 => 10, _ => Optimization.Length - 1 })];
                await wire.SendAsync(i % 2 == 0
                    ? $"{Head(path)}Content-Length: {Optimization.Length}\r\n\r\n{body}"
                    : $"{Head(path)}Transfer-Encoding: chunked\r\n\r\n{(body.Length > 0 ? $"{body.Length:x}\r\n{body}\r\n" : "")}");
            }
            var watch = Stopwatch.StartNew();
            for (int i = 0; i < 10; i++)
            {
                await service.PostAsync("/optimize", JsonDocument.Parse(Optimization).RootElement);
                await service.PostAsync("/decode", new { latents = new[] { new[] { 0.3f, -1.2f } } });
            }
            // The server ends such a body after five seconds; fifty rounds of that, two at a time, would be minutes.
            Assert.IsLessThan(30, watch.Elapsed.TotalSeconds);
            if (path == "/optimize")
            {
                // One that goes on is answered as if nothing had been.
                await halves[2].SendAsync(Optimization[^1..]);
                StringAssert.StartsWith(await halves[2].ReadHeadAsync(), "HTTP/1.1 200");
            }
        }
        finally
        {
            halves.ForEach(wire => wire.Dispose());
        }
    }

    /// <summary>A body that stops, and one that trickles faster than the server's least rate but never ends.</summary>
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task SlowBody_IsAnswered408(bool trickles)
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { BodyTimeout = TimeSpan.FromSeconds(1) });
        using var wire = await Wire.OpenAsync(service);
        await wire.SendAsync($"{Head("/optimize")}Content-Length: 1000000\r\n\r\n");
        using var answered = new CancellationTokenSource();
        var sending = Task.Run(async () =>
        {
            try
            {
                while (trickles && !answered.IsCancellationRequested)
                {
                    await wire.SendAsync(new string(' ', 100));
                    await Task.Delay(50);
                }
            }
            catch (IOException)
            {
                // The service has closed the connection.
            }
        });
        var watch = Stopwatch.StartNew();
        string answer = await wire.ReadToEndAsync();
        await answered.CancelAsync();
        await sending;
        StringAssert.StartsWith(answer, "HTTP/1.1 408");
        StringAssert.Contains(answer, "application/problem+json");
        StringAssert.Contains(answer, "within 1 seconds");
        StringAssert.Contains(answer, "Connection: close");
        Assert.IsLessThan(20, watch.Elapsed.TotalSeconds);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task LargeBody_IsAnswered413_HoweverItsLengthIsSaid(bool length)
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { MaximumBody = 1000 });
        using var wire = await Wire.OpenAsync(service);
        await wire.SendAsync(length ? $"{Head("/decode")}Content-Length: 1001\r\n\r\n" : $"{Head("/decode")}Transfer-Encoding: chunked\r\n\r\n800\r\n{new string(' ', 2048)}\r\n");
        string head = await wire.ReadHeadAsync();
        StringAssert.StartsWith(head, "HTTP/1.1 413");
        StringAssert.Contains(head, "application/problem+json");
        await service.PostAsync("/decode", new { latents = new[] { new[] { 0.3f, -1.2f } } });
    }

    [TestMethod]
    [DataRow("application/json; charset=martian")]
    [DataRow("application/json; charset=utf-7")]
    [DataRow("application/json; charset=\"no such\"")]
    [DataRow("application/json; charset=utf-8; charset=x")]
    [DataRow("application/json; charset=")]
    [DataRow("application/json;;;=")]
    [DataRow("application/json, text/plain")]
    [DataRow("json")]
    [DataRow("/")]
    [DataRow("text/plain")]
    [DataRow("text/plain; charset=utf-8")]
    [DataRow("application/x-www-form-urlencoded")]
    [DataRow("multipart/form-data; boundary=x")]
    [DataRow(null)]
    [DataRow("application/json", "gzip")]
    [DataRow("application/json", "br, gzip")]
    public async Task OtherContent_IsAnswered415(string? type, string? coding = null)
    {
        await using var service = await ServiceUnderTest.StartAsync();
        using var content = new ByteArrayContent("""{"latents":[[0.3,-1.2]]}"""u8.ToArray());
        if (type is not null)
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        if (coding is not null)
            content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        using var answer = await service.Client.PostAsync("/decode", content);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.AreEqual(415, (int)answer.StatusCode, text);
        Assert.AreEqual("application/problem+json", answer.Content.Headers.ContentType?.MediaType, text);
    }

    [TestMethod]
    [DataRow("application/json", "utf-8")]
    [DataRow("application/json; charset=utf-8", "utf-8")]
    [DataRow("Application/JSON; Charset=\"UTF-8\"", "utf-8")]
    [DataRow("application/vnd.decoder+json", "utf-8")]
    [DataRow("application/json; charset=utf-16", "utf-16")]
    [DataRow("application/json; charset=iso-8859-1", "iso-8859-1")]
    [DataRow("application/json; charset=us-ascii", "us-ascii")]
    public async Task KnownCharset_IsRead(string type, string charset)
    {
        await using var service = await ServiceUnderTest.StartAsync();
        foreach (bool mark in (bool[])[false, true])
        {
            var encoding = Encoding.GetEncoding(charset);
            using var content = new ByteArrayContent([.. mark ? encoding.GetPreamble() : [], .. encoding.GetBytes("""{"latents":[[0.3,-1.2]]}""")]);
            content.Headers.TryAddWithoutValidation("Content-Type", type);
            using var answer = await service.Client.PostAsync("/decode", content);
            Assert.AreEqual(200, (int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
    }

    [TestMethod]
    [DataRow("application/json; charset=us-ascii")]
    [DataRow("application/json; charset=utf-16")]
    [DataRow("application/json")]
    public async Task BytesOfAnotherCharset_AreAnswered400(string type)
    {
        await using var service = await ServiceUnderTest.StartAsync();
        using var content = new ByteArrayContent([(byte)'{', (byte)'"', 0xFF, 0xD8, (byte)'"']);
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await service.Client.PostAsync("/decode", content);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.AreEqual(400, (int)answer.StatusCode, text);
        Assert.IsGreaterThan(0, JsonDocument.Parse(text).RootElement.GetProperty("errors").EnumerateObject().Count());
    }

    [TestMethod]
    [DataRow("[", "]", "")]
    [DataRow("{\"latents\":", "}", "")]
    [DataRow("[", "]", "{\"latents\":")]
    [DataRow("{\"bondLengths\":", "}", "{\"start\":[1,2],\"objective\":")]
    public async Task DeepNesting_IsAnswered400(string open, string close, string before)
    {
        await using var service = await ServiceUnderTest.StartAsync();
        foreach (int depth in (int[])[3, 63, 64, 65, 1000, 100_000])
        {
            string body = before + string.Concat(Enumerable.Repeat(open, depth)) + "1" + string.Concat(Enumerable.Repeat(close, depth)) + (before.Length > 0 ? "}" : "");
            foreach (string path in (string[])["/decode", "/optimize"])
            {
                using var answer = await service.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
                string text = await answer.Content.ReadAsStringAsync();
                Assert.AreEqual(400, (int)answer.StatusCode, text);
                Assert.DoesNotContain("System.", text);
                Assert.IsLessThan(2000, text.Length);
            }
        }
    }

    [TestMethod]
    public async Task AnswerThatIsNotRead_KeepsNoPlace()
    {
        await using var service = await ServiceUnderTest.StartAsync(change: options => options with { OptimizationQueueLength = 0 });
        string body = """{"start":[0.3,-1.2],"steps":2000,"objective":{"radiusOfGyration":{}}}""";
        var unread = new List<Wire>();
        try
        {
            for (int i = 0; i < 2 * Environment.ProcessorCount; i++)
            {
                // The answers are far larger than what the sockets take.
                var wire = await Wire.OpenAsync(service, receiveBuffer: 1024);
                unread.Add(wire);
                await wire.SendAsync($"{Head("/optimize")}Content-Length: {body.Length}\r\n\r\n{body}");
                StringAssert.StartsWith(await wire.ReadHeadAsync(), "HTTP/1.1 200");
            }
            using var answer = await service.Client.PostAsync("/optimize", new StringContent(body, Encoding.UTF8, "application/json"));
            Assert.AreEqual(200, (int)answer.StatusCode);
        }
        finally
        {
            unread.ForEach(wire => wire.Dispose());
        }
    }

    private static string Head(string path) => $"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

    /// <summary>A connection on which what is sent is up to the test.</summary>
    private sealed class Wire(TcpClient client) : IDisposable
    {
        // Taken once: after a write that failed the client gives none, and the answer may still be there to be read.
        private readonly NetworkStream _stream = client.GetStream();

        public static async Task<Wire> OpenAsync(ServiceUnderTest service, int? receiveBuffer = null)
        {
            var client = new TcpClient { NoDelay = true };
            if (receiveBuffer is { } size)
                client.ReceiveBufferSize = size;
            var address = new Uri(service.Address);
            await client.ConnectAsync(IPAddress.Parse(address.Host), address.Port);
            return new(client);
        }

        public async Task SendAsync(string text) => await _stream.WriteAsync(Encoding.ASCII.GetBytes(text));

        public async Task<string> ReadHeadAsync()
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            var head = new StringBuilder();
            byte[] one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await _stream.ReadAsync(one, deadline.Token) == 1)
                head.Append((char)one[0]);
            return head.ToString();
        }

        public async Task<string> ReadToEndAsync()
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            var text = new MemoryStream();
            byte[] piece = new byte[4096];
            try
            {
                for (int count; (count = await _stream.ReadAsync(piece, deadline.Token)) > 0;)
                    text.Write(piece, 0, count);
            }
            catch (IOException)
            {
                // Reset after the answer, since this end is still sending.
            }
            return Encoding.UTF8.GetString(text.ToArray());
        }

        public void Dispose() => client.Dispose();
    }
}
