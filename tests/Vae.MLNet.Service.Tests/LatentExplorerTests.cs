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
        await using var app = DecoderService.DecoderApp.Create(["--model", model, "--urls", "http://127.0.0.1:0"]);
        await app.StartAsync();
        foreach (var (name, width, height, dark) in ((string, int, int, bool)[])[("desktop", 1280, 800, false), ("phone", 390, 844, false), ("dark", 1280, 800, true)])
        {
            await using var browser = await Browser.OpenAsync(width, height, dark);
            var page = browser.Page;
            await page.GotoAsync(app.Urls.First());
            await page.WaitForSelectorAsync("#shape[data-decoded]");
            if (name == "dark")
            {
                await page.HoverAsync("#map", new() { Position = new() { X = 290, Y = 300 } });
                await page.ClickAsync("#optimise");
            }
            else
            {
                await page.ClickAsync("#map", new() { Position = new() { X = 170, Y = 250 } });
                await page.ClickAsync("#map", new() { Position = new() { X = 290, Y = 300 } });
            }
            await page.WaitForSelectorAsync("#map[data-film]:not([data-film=''])");
            await page.WaitForTimeoutAsync(1500);
            TestContext.WriteLine($"{name}: {await page.TextContentAsync("#status")} {await page.TextContentAsync("#speed")}");
            await page.ScreenshotAsync(new() { Path = Path.Combine(pictures, name + ".png"), FullPage = name == "phone" });
        }
    }

    private sealed class Browser(IPlaywright playwright, IBrowserContext context, IPage page, List<string> problems, string folder) : IAsyncDisposable
    {
        public IPage Page => page;

        /// <summary>What the page wrote to the console as an error, and exceptions that nobody caught.</summary>
        public List<string> Problems => problems;

        public static async Task<Browser> OpenAsync(int width, int height, bool dark = false)
        {
            string? path = ((string?[])[Environment.GetEnvironmentVariable("CHROMIUM_PATH"), "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]).FirstOrDefault(File.Exists);
            if (path is null)
                Assert.Inconclusive("There is no Chromium: run eng/browser.sh, or set CHROMIUM_PATH.");
            string folder = Directory.CreateTempSubdirectory("explorer-").FullName;
            var playwright = await Playwright.CreateAsync();
            var context = await playwright.Chromium.LaunchPersistentContextAsync(folder, new()
            {
                ExecutablePath = path,
                Headless = true,
                Args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
                ViewportSize = new() { Width = width, Height = height },
                ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
            });
            var page = context.Pages[0];
            var problems = new List<string>();
            page.Console += (_, message) =>
            {
                if (message.Type is "error")
                    problems.Add(message.Text);
            };
            page.PageError += (_, error) => problems.Add(error);
            return new(playwright, context, page, problems, folder);
        }

        public async ValueTask DisposeAsync()
        {
            await context.CloseAsync();
            playwright.Dispose();
            Directory.Delete(folder, recursive: true);
        }
    }
}
