using Microsoft.Playwright;

namespace Vae.MLNet.Service.Tests;

/// <summary>A Chromium of the machine with one page (CHROMIUM_PATH, or where eng/browser.sh puts it).</summary>
internal sealed class Browser(IPlaywright playwright, IBrowserContext context, IPage page, List<string> problems, string folder) : IAsyncDisposable
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
