using System.Diagnostics;
using Microsoft.ML;
using Vae.MLNet.Data;
using Vae.MLNet.Tests.Training;

namespace Vae.MLNet.Tests.Data;

/// <summary>Writes in a process of its own that stop half-way and wait to be killed.</summary>
internal static class KilledWrite
{
    public const string Command = "--write-to-be-killed";

    /// <summary>The child's side.</summary>
    /// <param name="what">file, archive, or folder with the step to stop at, and whether folders are exchanged.</param>
    /// <param name="path">Where to.</param>
    public static int Run(string what, string path)
    {
        switch (what.Split(' '))
        {
            case ["file"]:
                AtomicFile.Write(path, stream =>
                {
                    stream.Write("half"u8);
                    stream.Flush();
                    Wait();
                });
                break;
            case ["archive"]:
                var context = new MLContext();
                var rows = Enumerable.Range(0, 10).Select(i =>
                {
                    if (i == 5)
                        Wait();
                    return new Row { Value = i };
                });
                context.Vae.SaveNumPy(context.Data.LoadFromEnumerable(rows), path, "Value");
                break;
            case ["folder", var exchanges, .. var step]:
                using (var folder = new AtomicFolder(path) { Exchanges = exchanges == "at-once", Step = now => WaitAt(now, string.Join(' ', step)) })
                {
                    Fill(folder, "new");
                    WaitAt("filled", string.Join(' ', step));
                    folder.Complete();
                }
                break;
        }
        return 1;
    }

    /// <summary>The test's side: runs such a write up to where it stops, and kills it.</summary>
    public static void StartAndKill(string what, string path) => Kill(Start(what, path));

    public static Process Start(string what, string path)
    {
        var process = KilledTraining.StartThis(Command, what, path);
        Assert.AreEqual("waiting", process.StandardOutput.ReadLine());
        return process;
    }

    public static void Kill(Process process)
    {
        using (process)
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    public static void Fill(AtomicFolder folder, string text)
    {
        foreach (string name in (string[])["model", "record"])
            AtomicFile.WriteAllText(folder.File(name), text);
    }

    private static void WaitAt(string now, string step)
    {
        if (now == step)
            Wait();
    }

    private static void Wait()
    {
        Console.WriteLine("waiting");
        Thread.Sleep(Timeout.Infinite);
    }

    private sealed class Row
    {
        public float Value { get; set; }
    }
}
