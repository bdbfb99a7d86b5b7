using System.Diagnostics;

namespace Vae.MLNet.Tests.Training;

/// <summary>A training with checkpoints in a process of its own.</summary>
internal static class KilledTraining
{
    public const string Command = "--training-to-be-killed";

    /// <summary>What the process trains; everything random is on, so that a stream that does not resume shows.</summary>
    public static VaeTrainer.Options Options { get; } = LifeCycleRows.Options with
    {
        Epochs = 200,
        HiddenLayers = [48, 48],
        Dropout = 0.1f,
        InputNoise = 0.05f,
        WeightDecay = 0.01f,
        GradientClip = 1,
        ValidationFraction = 0.2f,
        EarlyStopping = new() { Patience = 1000 },
        LearningRateSchedule = LearningRateSchedule.Cosine,
        BetaSchedule = BetaSchedule.Cyclical(),
        CheckpointEvery = 1,
    };

    public static LifeCycleRows.Row[] Rows => LifeCycleRows.Make(200);

    /// <summary>The child's side: a line for each epoch, the model's bytes at the end.</summary>
    public static int Run(string folder, string result)
    {
        var options = Options with
        {
            CheckpointFolder = folder,
            Progress = new LifeCycleRows.Reports(progress => Console.WriteLine(progress.Latest.Epoch)),
        };
        using var model = LifeCycleRows.Fit(options, Rows);
        File.WriteAllBytes(result, LifeCycleRows.Bytes(model));
        return 0;
    }

    /// <summary>The test's side: starts the process.</summary>
    public static Process Start(string folder, string result) => StartThis(Command, folder, result);

    /// <summary>Starts this program with other arguments.</summary>
    public static Process StartThis(params string[] arguments) => StartThis(false, arguments);

    /// <summary>The same, with its errors given to the test where they are wanted.</summary>
    public static Process StartThis(bool errors, string[] arguments)
    {
        string assembly = typeof(KilledTraining).Assembly.Location, host = Environment.ProcessPath!;
        bool isDotNet = Path.GetFileNameWithoutExtension(host) == "dotnet";
        var start = new ProcessStartInfo(host) { RedirectStandardOutput = true, RedirectStandardError = errors, UseShellExecute = false };
        foreach (string argument in isDotNet ? ["exec", assembly, .. arguments] : arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }
}
