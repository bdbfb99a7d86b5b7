using Microsoft.ML;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static Vae.MLNet.Tests.Training.LifeCycleRows;

namespace Vae.MLNet.Tests.Training;

[TestClass]
public sealed class CheckpointTests
{
    private string _folder = "";

    private string Checkpoints => Path.Combine(_folder, "checkpoints");

    private VaeTrainer.Options WithCheckpoints => Options with
    {
        Epochs = 9,
        Dropout = 0.1f,
        ValidationFraction = 0.2f,
        CheckpointFolder = Checkpoints,
        CheckpointEvery = 2,
    };

    [TestInitialize]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("vae-checkpoints-").FullName;

    [TestCleanup]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Fit_Interrupted_ContinuesToTheSameBytes(bool streaming)
    {
        var rows = Make(150);
        var options = WithCheckpoints with { Streaming = streaming ? new() { ShufflePoolRows = 40 } : null };
        using var whole = Fit(options with { CheckpointFolder = null }, rows);
        Interrupt(options, rows, after: 5);
        CollectionAssert.AreEqual(new[] { "epoch-00000002.vaecheckpoint", "epoch-00000004.vaecheckpoint" }, Names());

        int first = 0;
        using var resumed = Fit(options with { Progress = new Reports(progress => first = first == 0 ? progress.Latest.Epoch : first) }, rows);
        Assert.AreEqual(5, first, "The training starts behind the newest checkpoint.");
        SameBytes(whole, resumed);
        Assert.AreEqual(whole.History! with { Epochs = [] }, resumed.History! with { Epochs = [] });
        CollectionAssert.AreEqual(whole.History.Epochs.Select(epoch => epoch.ValidationLoss).ToArray(), resumed.History.Epochs.Select(epoch => epoch.ValidationLoss).ToArray());
        CollectionAssert.AreEqual(new[] { "epoch-00000008.vaecheckpoint", "epoch-00000009.vaecheckpoint" }, Names());
    }

    [TestMethod]
    public void Fit_AfterTheEnd_GivesTheSameModelWithoutTraining()
    {
        var rows = Make(100);
        var options = WithCheckpoints with { Epochs = 500, EarlyStopping = new() { Patience = 2 }, LearningRate = 0.03f };
        using var first = Fit(options, rows);
        Assert.IsTrue(first.History!.StoppedEarly);
        using var second = Fit(options with { Progress = new Reports(_ => Assert.Fail("An epoch was trained.")) }, rows);
        SameBytes(first, second);
        Assert.IsTrue(second.History!.StoppedEarly);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(3)]
    [DataRow(100)]
    [DataRow(-40)]
    public void Fit_NewestCheckpointTruncated_FallsBackWithAWarning(int length)
    {
        var rows = Make(100);
        using var whole = Fit(WithCheckpoints with { CheckpointFolder = null }, rows);
        Interrupt(WithCheckpoints, rows, after: 7);
        using (var newest = new FileStream(Directory.GetFiles(Checkpoints).Max()!, FileMode.Open))
            newest.SetLength(length < 0 ? newest.Length + length : length);
        FallsBack(whole, rows, expectedFirst: 5);
    }

    [TestMethod]
    public void Fit_OneBitFlippedAnywhere_FallsBackWithAWarning()
    {
        var rows = Make(100);
        using var whole = Fit(WithCheckpoints with { CheckpointFolder = null }, rows);
        Interrupt(WithCheckpoints, rows, after: 7);
        string newest = Directory.GetFiles(Checkpoints).Max()!;
        byte[] sound = File.ReadAllBytes(newest);
        int parameters = new VaeArchitecture(Features, WithCheckpoints).ParameterCount;
        foreach (int at in new[] { 0, 9, 11, 40, sound.Length / 2, sound.Length - 1 })
        {
            byte[] damaged = [.. sound];
            damaged[at] ^= 0x10;
            File.WriteAllBytes(newest, damaged);
            var warnings = new List<string>();
            Assert.AreEqual(4, Store(warnings.Add).Newest(parameters)!.Epochs.Count, $"byte {at}");
            StringAssert.Contains(warnings.Single(), "epoch-00000006");
        }
        FallsBack(whole, rows, expectedFirst: 5);
    }

    [TestMethod]
    public void Fit_AllCheckpointsDamaged_StartsAnewWithWarnings()
    {
        var rows = Make(100);
        using var whole = Fit(WithCheckpoints with { CheckpointFolder = null }, rows);
        Interrupt(WithCheckpoints, rows, after: 7);
        foreach (string file in Directory.GetFiles(Checkpoints))
            File.WriteAllText(file, "nothing");
        FallsBack(whole, rows, expectedFirst: 1);
    }

    [TestMethod]
    public void Fit_CheckpointOfOtherOptions_IsRefusedByName()
    {
        var rows = Make(100);
        Interrupt(WithCheckpoints, rows, after: 3);
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Fit(WithCheckpoints with { Beta = 0.5f }, rows));
        StringAssert.Contains(error.Message, "Beta was 0.01 and is 0.5");
        StringAssert.Contains(error.Message, Checkpoints);
        var shape = Assert.ThrowsExactly<InvalidOperationException>(() => Fit(WithCheckpoints with { LatentDimension = 3 }, rows));
        StringAssert.Contains(shape.Message, "LatentDimension was 2 and is 3");
        // Where a column goes does not matter.
        using var fitted = Fit(WithCheckpoints with { ScoreColumnName = "Score" }, rows);
        Assert.AreEqual(9, fitted.History!.Epochs.Count);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Fit_CheckpointOfOtherData_IsRefused(bool streaming)
    {
        var options = WithCheckpoints with { Streaming = streaming ? new() : null };
        var rows = Make(100);
        Interrupt(options, rows, after: 3);
        rows[57].Features[2] += 1e-3f;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Fit(options, rows));
        StringAssert.Contains(error.Message, "other data");
        rows[57].Features[2] = Make(100)[57].Features[2];
        using var start = Fit(Options with { Epochs = 1 }, rows);
        Assert.ThrowsExactly<InvalidOperationException>(() => Fit(options with { WarmStart = start.Model }, rows));
    }

    [TestMethod]
    public void Save_LeavesNothingOfAnInterruptedWrite()
    {
        var rows = Make(100);
        Interrupt(WithCheckpoints, rows, after: 3);
        File.WriteAllText(Path.Combine(Checkpoints, ".epoch-00000004.vaecheckpoint.0123456789abcdef.tmp"), "half");
        using var fitted = Fit(WithCheckpoints, rows);
        Assert.AreEqual(2, Directory.GetFileSystemEntries(Checkpoints).Length);
    }

    [TestMethod]
    public void Fit_ProcessKilledTenTimes_ContinuesToTheSameBytes()
    {
        string result = Path.Combine(_folder, "result");
        var random = new Random();
        int seed = random.Next();
        random = new Random(seed);
        int killed = 0;
        while (killed < 10)
        {
            using var process = KilledTraining.Start(Checkpoints, result);
            int epochs = random.Next(1, 12), spins = random.Next(20_000);
            string? line = null;
            while (epochs-- > 0 && (line = process.StandardOutput.ReadLine()) is not null)
            {
            }
            // A moment somewhere within the next epoch.
            Thread.SpinWait(spins);
            process.Kill();
            process.WaitForExit();
            Assert.IsNotNull(line, $"The training ended before it was killed; seed {seed}, {killed} times before.");
            Assert.IsFalse(File.Exists(result));
            killed++;
        }
        using (var process = KilledTraining.Start(Checkpoints, result))
        {
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.AreEqual(0, process.ExitCode);
        }
        using var whole = Fit(KilledTraining.Options, KilledTraining.Rows);
        CollectionAssert.AreEqual(Bytes(whole), File.ReadAllBytes(result), $"seed {seed}");
        Assert.AreEqual(2, Directory.GetFileSystemEntries(Checkpoints).Length);
    }

    private string[] Names() => [.. Directory.GetFileSystemEntries(Checkpoints).Select(file => Path.GetFileName(file)!).Order()];

    /// <summary>Trains until an epoch has been reported, and no further.</summary>
    private static void Interrupt(VaeTrainer.Options options, Row[] rows, int after)
    {
        using var cancellation = new CancellationTokenSource();
        var interrupted = options with
        {
            CancellationToken = cancellation.Token,
            Progress = new Reports(progress =>
            {
                if (progress.Latest.Epoch == after)
                    cancellation.Cancel();
            }),
        };
        Assert.ThrowsExactly<OperationCanceledException>(() => Fit(interrupted, rows));
    }

    private void FallsBack(VaeTransformer whole, Row[] rows, int expectedFirst)
    {
        var warnings = new List<string>();
        var context = new MLContext(seed: 1);
        context.Log += (_, log) =>
        {
            if (log.Kind == Microsoft.ML.Runtime.ChannelMessageKind.Warning && log.Message.Contains("checkpoint", StringComparison.Ordinal))
                warnings.Add(log.Message);
        };
        int first = 0;
        using var resumed = Fit(WithCheckpoints with { Progress = new Reports(progress => first = first == 0 ? progress.Latest.Epoch : first) }, rows, context: context);
        Assert.AreEqual(expectedFirst, first);
        Assert.IsTrue(warnings.Count > 0 && warnings[0].Contains("epoch-00000006", StringComparison.Ordinal), string.Join('\n', warnings));
        SameBytes(whole, resumed);
    }

    /// <summary>A store that accepts what is in the folder.</summary>
    private CheckpointStore Store(Action<string> warn)
    {
        byte[] oldest = File.ReadAllBytes(Directory.GetFiles(Checkpoints).Min()!);
        using var header = System.Text.Json.JsonDocument.Parse(oldest.AsMemory(12, BitConverter.ToInt32(oldest, 8)));
        return new CheckpointStore(Checkpoints, WithCheckpoints, header.RootElement.GetProperty("Data").GetString()!, warn);
    }
}
