using Microsoft.ML.OnnxRuntime;

namespace Vae.MLNet.Tests.Onnx;

/// <summary>
/// Loads files with OnnxRuntime as it comes, in a process of its own: what it has to say about them goes to that process's error stream.
/// </summary>
internal static class QuietFiles
{
    public const string Command = "--files-to-be-loaded";

    public static int Run(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*.onnx").Order(StringComparer.Ordinal))
        {
            Console.Error.Flush();
            using var session = new InferenceSession(file);
            Console.WriteLine($"{Path.GetFileName(file)}: {string.Join(", ", session.InputNames)}");
        }
        return 0;
    }

    /// <summary>What the process wrote to its output and its error stream.</summary>
    public static (string Output, string Errors) Load(string folder)
    {
        using var process = Training.KilledTraining.StartThis(true, [Command, folder]);
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode, errors.Result);
        return (output, errors.Result);
    }
}
