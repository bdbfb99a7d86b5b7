using Microsoft.Testing.Platform.Builder;
using Vae.MLNet.Tests.Data;
using Vae.MLNet.Tests.Onnx;
using Vae.MLNet.Tests.Training;

namespace Vae.MLNet.Tests;

/// <summary>Runs the tests, or, where a test asks for it, a process of its own that trains, writes or loads.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        if (args is [KilledTraining.Command, string folder, string result])
            return KilledTraining.Run(folder, result);
        if (args is [KilledWrite.Command, string what, string path])
            return KilledWrite.Run(what, path);
        if (args is [QuietFiles.Command, string files])
            return QuietFiles.Run(files);
        var builder = await TestApplication.CreateBuilderAsync(args);
        builder.AddSelfRegisteredExtensions(args);
        using var application = await builder.BuildAsync();
        return await application.RunAsync();
    }
}
