using Microsoft.Playwright;

namespace Vae.MLNet.Service.Tests;

/// <summary>The page in a browser: Chromium of the machine (CHROMIUM_PATH, or where eng/browser.sh puts it).</summary>
[TestClass]
public sealed class LatentExplorerTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Page_DecodesInterpolatesOptimises(bool inBrowser)
    {
        await using var service = await ServiceUnderTest.StartAsync(data: true);
        if (inBrowser && !File.Exists(Path.Combine(AppContext.BaseDirectory, "wwwroot", "ort", "ort.wasm.min.mjs")))
            Assert.Inconclusive("onnxruntime-web is not there (npm was not to be had at build time); only the service decodes.");
        await using var browser = await Browser.OpenAsync(width: 1280, height: 820);
        var (page, problems) = (browser.Page, browser.Problems);
        await page.GotoAsync(service.Address + (inBrowser ? "/" : "/?service"));
        await page.WaitForSelectorAsync($"body[data-decoder={(inBrowser ? "browser" : "service")}]");
        await page.WaitForSelectorAsync("#shape[data-decoded]");
        Assert.AreEqual(11, await page.Locator("#bonds tr").CountAsync());

        // The decoded shape follows, wherever it is decoded: the service says the same.
        await page.ClickAsync("#map", new() { Position = new() { X = 200, Y = 150 } });
        await page.WaitForFunctionAsync("() => document.querySelector('#point').textContent !== '(0.00, 0.00)'");
        await page.WaitForTimeoutAsync(300);
        float[] lengths = [.. (await page.Locator("#bonds td:nth-child(2)").AllTextContentsAsync()).Select(text => float.Parse(text, System.Globalization.CultureInfo.InvariantCulture))];
        float[] exact = await page.EvaluateAsync<float[]>("""
            async () => {
              const z = document.querySelector('#point').textContent.match(/-?[\d.]+/g).map(Number);
              const answer = await fetch('decode', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ latents: [z] }) });
              const x = (await answer.json()).outputs[0], lengths = [];
              for (let i = 2; i < x.length; i += 2) lengths.push(Math.hypot(x[i] - x[i - 2], x[i + 1] - x[i - 1]));
              return lengths;
            }
            """);
        // The page shows the latent to two places.
        for (int i = 0; i < exact.Length; i++)
            Assert.AreEqual(exact[i], lengths[i], 0.05f);

        await page.ClickAsync("#map", new() { Position = new() { X = 330, Y = 260 } });
        await page.WaitForSelectorAsync("#map[data-film=interpolation]");
        Assert.IsTrue(await page.Locator("#play").IsEnabledAsync());
        await page.ClickAsync("#optimise");
        await page.WaitForSelectorAsync("#map[data-film=optimisation]");

        // Without a mouse: Escape clears, arrows move, Enter marks.
        await page.FocusAsync("#map");
        await page.Keyboard.PressAsync("Escape");
        await page.Keyboard.PressAsync("ArrowRight");
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Shift+ArrowUp");
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForSelectorAsync("#map[data-film=interpolation]");
        Assert.HasCount(0, problems, string.Join('\n', problems));
    }

    /// <summary>
    /// The pointer goes over the map, one place a frame: the shape is that of the place, in the browser at the latest three frames later, by the service at the latest once
    /// the pointer has rested for a while. Counted in frames, so that a slow machine changes nothing.
    /// </summary>
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Page_ShapeFollowsThePointer(bool inBrowser)
    {
        await using var service = await ServiceUnderTest.StartAsync(data: true);
        if (inBrowser && !File.Exists(Path.Combine(AppContext.BaseDirectory, "wwwroot", "ort", "ort.wasm.min.mjs")))
            Assert.Inconclusive("onnxruntime-web is not there (npm was not to be had at build time); only the service decodes.");
        await using var browser = await Browser.OpenAsync(width: 1280, height: 820);
        await browser.Page.GotoAsync(service.Address + (inBrowser ? "/" : "/?service"));
        await browser.Page.WaitForSelectorAsync("#shape[data-decoded]");
        var followed = await browser.Page.EvaluateAsync<Followed>(Follow, 60);
        Assert.AreEqual(60, followed.Places);
        Assert.IsTrue(followed.Arrived, "The pointer rests and the shape is that of another place.");
        Assert.IsGreaterThan(inBrowser ? 50 : 2, followed.Shapes, "The shape follows on the way too.");
        if (inBrowser)
            Assert.IsLessThanOrEqualTo(3, followed.WorstLag, "Frames that the shape is behind the pointer.");
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    /// <summary>What a walk of the pointer over the map showed; times in milliseconds.</summary>
    private sealed class Followed
    {
        public int Places { get; set; }

        public int Shapes { get; set; }

        public int WorstLag { get; set; }

        public bool Arrived { get; set; }

        public double FramesPerSecond { get; set; }

        public double LongestFrame { get; set; }

        public double BusyPerFrame { get; set; }
    }

    private const string Follow = """
        async places => {
          const map = document.querySelector('#map'), box = map.getBoundingClientRect(), point = document.querySelector('#point'), shape = document.querySelector('#shape');
          const frame = () => new Promise(requestAnimationFrame), sent = [], gaps = [], before = Number(shape.dataset.decoded);
          const shown = () => point.textContent;
          // The page's own words for a place, as they come: each place of the spiral has words of its own.
          let worst = 0, reached = -1, busy = 0, last = await frame(), first = last;
          const look = k => { while (reached < k && sent.slice(reached + 1).includes(shown())) reached += 1 + sent.slice(reached + 1).indexOf(shown()); };
          const scale = Math.min(map.clientWidth, map.clientHeight) / 2 / Number(map.dataset.extent);
          for (let k = 0; k < places; k++) {
            const angle = 0.4 * k, radius = (0.1 + 0.7 * k / places) * Math.min(box.width, box.height) / 2;
            const [x, y] = [radius * Math.cos(angle), radius * Math.sin(angle)];
            sent.push(`(${(x / scale).toFixed(2)}, ${(-y / scale).toFixed(2)})`);
            const start = performance.now();
            map.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width / 2 + x, clientY: box.top + box.height / 2 + y, pointerType: 'mouse', bubbles: true }));
            busy += performance.now() - start;
            const now = await frame();
            gaps.push(now - last); last = now;
            look(k);
            worst = Math.max(worst, k - reached);
          }
          const rate = 1000 * places / (last - first), shapes = Number(shape.dataset.decoded) - before;
          for (let k = 0; k < 600 && shown() !== sent.at(-1); k++) await frame();
          return { places, shapes, worstLag: worst, arrived: shown() === sent.at(-1), framesPerSecond: rate, longestFrame: Math.max(...gaps), busyPerFrame: busy / places };
        }
        """;

    [TestMethod]
    public async Task Page_FitsAPhone()
    {
        await using var service = await ServiceUnderTest.StartAsync(data: true);
        await using var browser = await Browser.OpenAsync(width: 390, height: 844, dark: true);
        await browser.Page.GotoAsync(service.Address + "/?service");
        await browser.Page.WaitForSelectorAsync("#shape[data-decoded]");
        int overflow = await browser.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth");
        Assert.IsLessThanOrEqualTo(0, overflow, "The page is wider than the phone.");
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    /// <summary>Pictures of a trained model's explorer, to be looked at: set LATENT_EXPLORER_MODEL to its decoder.onnx and LATENT_EXPLORER_PICTURES to a folder.</summary>
    [TestMethod]
    public async Task Page_Pictures()
    {
        if (Environment.GetEnvironmentVariable("LATENT_EXPLORER_MODEL") is not { Length: > 0 } model
            || Environment.GetEnvironmentVariable("LATENT_EXPLORER_PICTURES") is not { Length: > 0 } pictures)
        {
            Assert.Inconclusive("Set LATENT_EXPLORER_MODEL to a decoder.onnx and LATENT_EXPLORER_PICTURES to a folder for pictures of the explorer.");
            return;
        }
        foreach (string path in (string[])["/", "/?service"])
        {
            await using var browser = await Browser.OpenAsync(1280, 800);
            await using var measured = DecoderService.DecoderApp.Create(["--model", model, "--urls", "http://127.0.0.1:0"]);
            await measured.StartAsync();
            await browser.Page.GotoAsync(measured.Urls.First() + path);
            await browser.Page.WaitForSelectorAsync("#shape[data-decoded]");
            await browser.Page.EvaluateAsync<Followed>(Follow, 60);
            var followed = await browser.Page.EvaluateAsync<Followed>(Follow, 300);
            await browser.Page.WaitForTimeoutAsync(600);
            TestContext.WriteLine(FormattableString.Invariant(
                $"{path}: {followed.FramesPerSecond:0.0} frames/s over {followed.Places} frames, longest {followed.LongestFrame:0.0} ms, {followed.Shapes} shapes, at most {followed.WorstLag} frames behind; {await browser.Page.TextContentAsync("#speed")}"));
        }
        await using var app = DecoderService.DecoderApp.Create(["--model", model, "--urls", "http://127.0.0.1:0"]);
        await app.StartAsync();
        foreach (var (name, width, height, dark) in ((string, int, int, bool)[])[("explorer", 1280, 660, false), ("explorer-phone", 390, 844, true), ("explorer-dark", 1280, 660, true)])
        {
            await using var browser = await Browser.OpenAsync(width, height, dark);
            var page = browser.Page;
            await page.GotoAsync(app.Urls.First());
            await page.WaitForSelectorAsync("#shape[data-decoded]");
            if (name == "explorer-dark")
            {
                await page.HoverAsync("#map", new() { Position = new() { X = 325, Y = 240 } });
                await page.ClickAsync("#optimise");
            }
            else
            {
                await page.ClickAsync("#map", new() { Position = new() { X = width > 400 ? 150 : 100, Y = width > 400 ? 215 : 150 } });
                await page.ClickAsync("#map", new() { Position = new() { X = width > 400 ? 325 : 260, Y = width > 400 ? 240 : 175 } });
            }
            await page.WaitForSelectorAsync("#map[data-film]:not([data-film=''])");
            await page.WaitForTimeoutAsync(1500);
            TestContext.WriteLine($"{name}: {await page.TextContentAsync("#status")} {await page.TextContentAsync("#speed")}");
            await page.ScreenshotAsync(new() { Path = Path.Combine(pictures, name + ".png"), FullPage = width < 400 });
        }
    }
}
