using System.Globalization;
using Microsoft.Playwright;

namespace Vae.MLNet.Service.Tests;

/// <summary>The page follows the kind of data: bars, a line, letters, beads; and any number of latent dimensions.</summary>
[TestClass]
public sealed class ExplorerKindTests
{
    /// <summary>A table of cars is no polymer.</summary>
    [TestMethod]
    [DataRow("/", 2, false)]
    [DataRow("/?service", 5, true)]
    public async Task Page_NamedColumns_AreBars(string path, int latent, bool dark)
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table(latent));
        await using var browser = await Browser.OpenAsync(1280, 820, dark);
        var page = await OpenAsync(browser, service, path);
        CollectionAssert.AreEqual(KindModels.Cars, (await page.Locator("#bars th").AllTextContentsAsync()).ToArray());
        CollectionAssert.AreEqual(KindModels.Cars, (await page.Locator("#goal option").AllTextContentsAsync()).ToArray());
        Assert.IsFalse(await page.Locator(".bonds").IsVisibleAsync());
        Assert.IsFalse(await page.Locator("#shape").IsVisibleAsync());
        string text = await page.Locator("body").InnerTextAsync();
        foreach (string foreign in (string[])["physical", "Bond", "bead", "chain"])
            Assert.DoesNotContain(foreign, text);
        Assert.AreEqual(latent, await page.Locator("#sliders input").CountAsync());

        // What is shown is what the service decodes.
        await SetSliderAsync(page, 0, "1.5");
        await page.WaitForFunctionAsync("() => document.querySelector('#sliders output').textContent === '1.50'");
        double shown = double.Parse((await page.Locator("#bars .number").AllTextContentsAsync())[2], CultureInfo.InvariantCulture);
        double exact = await page.EvaluateAsync<double>("""
            async latent => {
              const z = new Array(latent).fill(0); z[0] = 1.5;
              const answer = await fetch('decode', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ latents: [z] }) });
              return (await answer.json()).rows[0]['horse power'];
            }
            """, latent);
        Assert.AreEqual(exact, shown, 0.001 * Math.Abs(exact));

        // The column that is asked for goes up on the way of the optimisation.
        await page.SelectOptionAsync("#goal", new SelectOptionValue { Label = "horse power" });
        await page.ClickAsync("#optimise");
        await page.WaitForSelectorAsync("#map[data-film=optimisation]");
        Assert.Contains("Best after", await page.TextContentAsync("#status") ?? "");
        await page.WaitForSelectorAsync("#map[data-coloured]");
        await PictureAsync(page, $"cars-{latent}");
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    [TestMethod]
    [DataRow("/", 1)]
    [DataRow("/?service", 3)]
    public async Task Page_NumbersWithoutNames_AreALine(string path, int latent)
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Signal(latent));
        await using var browser = await Browser.OpenAsync(1280, 820);
        var page = await OpenAsync(browser, service, path);
        Assert.IsTrue(await page.Locator("#shape").IsVisibleAsync());
        Assert.IsFalse(await page.Locator("#bars-panel").IsVisibleAsync());
        Assert.AreEqual(40, await page.Locator("#goal option").CountAsync());
        Assert.Contains("as a line", await page.GetAttributeAsync("#shape", "aria-label") ?? "");
        Assert.IsGreaterThan(200, await page.EvaluateAsync<int>("""
            () => {
              const shape = document.querySelector('#shape'), pixels = shape.getContext('2d').getImageData(0, 0, shape.width, shape.height).data;
              let inked = 0;
              for (let i = 3; i < pixels.length; i += 4) if (pixels[i] > 0) inked++;
              return inked;
            }
            """));
        await page.ClickAsync("#map", new() { Position = new() { X = 200, Y = 150 } });
        await page.ClickAsync("#map", new() { Position = new() { X = 300, Y = 250 } });
        await page.WaitForSelectorAsync("#map[data-film=interpolation]");
        await PictureAsync(page, $"signal-{latent}");
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    [TestMethod]
    [DataRow("/", false)]
    [DataRow("/?service", true)]
    public async Task Page_Sequences_AreLetters(string path, bool protein)
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Sequences(protein: protein));
        await using var browser = await Browser.OpenAsync(1280, 820, dark: protein);
        var page = await OpenAsync(browser, service, path);
        int length = protein ? 53 : 18;
        Assert.AreEqual(length, await page.Locator("#letters span").CountAsync());
        string sequence = await page.TextContentAsync("#sequence") ?? "";
        string expected = await page.EvaluateAsync<string>("""
            async () => {
              const answer = await fetch('decode', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ latents: [[0, 0, 0]] }) });
              return (await answer.json()).sequences[0];
            }
            """);
        Assert.AreEqual(expected, sequence);
        Assert.AreEqual(sequence, string.Concat(await page.Locator("#letters b").AllTextContentsAsync()));
        await page.SelectOptionAsync("#goal", "17");
        await page.SelectOptionAsync("#way", "T");
        await page.ClickAsync("#optimise");
        await page.WaitForSelectorAsync("#map[data-film=optimisation]");
        Assert.Contains("Best after", await page.TextContentAsync("#status") ?? "");
        await PictureAsync(page, protein ? "protein" : "dna");
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    /// <summary>
    /// The map shows a plane of many dimensions: moving over it moves the latent along its two directions and leaves the others.
    /// </summary>
    [TestMethod]
    public async Task Page_ManyDimensions_MapOfTwoChosenOnes()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table(latent: 4));
        await using var browser = await Browser.OpenAsync(1280, 820);
        var page = await OpenAsync(browser, service, "/?service");
        string[] choices = [.. await page.Locator("#across option").AllTextContentsAsync()];
        CollectionAssert.AreEqual(new[] { "most varied direction", "second most varied", "z1", "z2", "z3", "z4" }, choices);
        await SetSliderAsync(page, 0, "1");
        await SetSliderAsync(page, 3, "-2");
        await page.SelectOptionAsync("#across", new SelectOptionValue { Label = "z2" });
        await page.SelectOptionAsync("#up", new SelectOptionValue { Label = "z3" });
        var box = (await page.Locator("#map").BoundingBoxAsync())!;
        float extent = float.Parse(await page.GetAttributeAsync("#map", "data-extent") ?? "", CultureInfo.InvariantCulture);
        float scale = Math.Min(box.Width, box.Height) / (2 * extent);
        await page.HoverAsync("#map", new() { Position = new() { X = box.Width / 2 + 2 * scale, Y = box.Height / 2 - 1 * scale } });
        await page.WaitForFunctionAsync("() => document.querySelector('#sliders label:nth-child(2) output').textContent !== '0.00'");
        float[] z = [.. (await page.Locator("#sliders output").AllTextContentsAsync()).Select(text => float.Parse(text, CultureInfo.InvariantCulture))];
        float[] expected = [1, 2, 1, -2];
        for (int i = 0; i < 4; i++)
            Assert.AreEqual(expected[i], z[i], 0.05f, $"z{i + 1}");

        // One direction cannot go both ways: the other gives way.
        await page.SelectOptionAsync("#up", new SelectOptionValue { Label = "z2" });
        Assert.AreNotEqual(await page.InputValueAsync("#up"), await page.InputValueAsync("#across"));
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    /// <summary>
    /// The two directions of most variance are those of the decoder: here only the plane of two latents is decoded at all.
    /// </summary>
    [TestMethod]
    public async Task Page_MostVariedDirections_AreThoseThatMoveTheRow()
    {
        await using var service = await ServiceUnderTest.StartAsync(model: KindModels.Table(latent: 2));
        await using var browser = await Browser.OpenAsync(1280, 820);
        var page = await OpenAsync(browser, service, "/?service");
        double[][] found = await page.EvaluateAsync<double[][]>("""
            async () => {
              const { mostVaried } = await import('./directions.js');
              // x = a (z1 + z3) / √2 and y = b z2, with a above b; z4 does nothing.
              const latents = [], outputs = [];
              for (let i = 0; i < 400; i++) {
                const z = [1, 2, 3, 4].map(k => Math.sqrt(2) * Math.sin(1 + i * (0.7 + 0.37 * k) + k));
                latents.push(z); outputs.push([3 * (z[0] + z[2]), 2 * z[1], 7]);
              }
              return mostVaried(latents, outputs, 2, true);
            }
            """);
        double[] first = [Math.Sqrt(0.5), 0, Math.Sqrt(0.5), 0], second = [0, 1, 0, 0];
        for (int i = 0; i < 4; i++)
        {
            Assert.AreEqual(first[i], found[0][i], 0.05, $"first, {i}");
            Assert.AreEqual(second[i], found[1][i], 0.05, $"second, {i}");
        }
    }

    [TestMethod]
    public async Task Page_NewModelOfAnotherKind_IsFollowed()
    {
        await using var service = await ServiceUnderTest.StartAsync(encoder: false, data: true);
        await using var browser = await Browser.OpenAsync(1280, 820);
        var page = await OpenAsync(browser, service, "/?service");
        Assert.AreEqual(11, await page.Locator("#bonds tr").CountAsync());
        await page.HoverAsync("#map", new() { Position = new() { X = 100, Y = 100 } });
        service.Replace(Vae.MLNet.Inference.Tests.TestModels.Decoder(KindModels.Table(latent: 3)));
        await page.WaitForSelectorAsync("body[data-kind=bars]");
        await page.WaitForFunctionAsync("() => document.querySelectorAll('#bars .number')[4].textContent !== ''");
        Assert.AreEqual(3, await page.Locator("#sliders input").CountAsync());
        Assert.IsFalse(await page.Locator(".bonds").IsVisibleAsync());
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    [TestMethod]
    [DataRow("bars")]
    [DataRow("line")]
    [DataRow("sequence")]
    public async Task Page_EachKind_FitsAPhone(string kind)
    {
        var model = kind == "bars" ? KindModels.Table(5) : kind == "line" ? KindModels.Signal() : KindModels.Sequences(protein: true);
        await using var service = await ServiceUnderTest.StartAsync(model: model);
        await using var browser = await Browser.OpenAsync(390, 844, dark: true);
        var page = await OpenAsync(browser, service, "/?service");
        Assert.AreEqual(kind, await page.GetAttributeAsync("body", "data-kind"));
        Assert.IsLessThanOrEqualTo(0, await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth"), "The page is wider than the phone.");
        await PictureAsync(page, "phone-" + kind);
        Assert.HasCount(0, browser.Problems, string.Join('\n', browser.Problems));
    }

    private static async Task<IPage> OpenAsync(Browser browser, ServiceUnderTest service, string path)
    {
        if (path == "/" && !File.Exists(Path.Combine(AppContext.BaseDirectory, "wwwroot", "ort", "ort.wasm.min.mjs")))
            path = "/?service";
        await browser.Page.GotoAsync(service.Address + path);
        await browser.Page.WaitForSelectorAsync("body[data-decoder]");
        await browser.Page.WaitForSelectorAsync("#shape[data-decoded]", new() { State = WaitForSelectorState.Attached });
        return browser.Page;
    }

    private static async Task SetSliderAsync(IPage page, int at, string value)
    {
        await page.EvaluateAsync("() => { document.querySelector('#dimensions').open = true; }");
        await page.Locator("#sliders input").Nth(at).FillAsync(value);
    }

    /// <summary>To be looked at, where LATENT_EXPLORER_PICTURES names a folder.</summary>
    private static async Task PictureAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("LATENT_EXPLORER_PICTURES") is not { Length: > 0 } folder)
            return;
        await page.WaitForTimeoutAsync(1500);
        await page.ScreenshotAsync(new() { Path = Path.Combine(folder, name + ".png"), FullPage = true });
    }
}
