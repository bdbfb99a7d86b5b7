using Microsoft.Testing.Platform.Builder;
using Vae.MLNet.Tests.Data;
using Vae.MLNet.Tests.Training;

namespace Vae.MLNet.Tests;

/// <summary>Runs the tests, or, where a test asks for it, a training or a write that is there to be killed.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        if (args is [KilledTraining.Command, string folder, string result])
            return KilledTraining.Run(folder, result);
        if (args is [KilledWrite.Command, string what, string path])
            return KilledWrite.Run(what, path);
        var builder = await TestApplication.CreateBuilderAsync(args);
        builder.AddSelfRegisteredExtensions(args);
        using var application = await builder.BuildAsync();
        return await application.RunAsync();
    }
}
