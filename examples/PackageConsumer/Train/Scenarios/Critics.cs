using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>Rows that give themselves away, and those that do not.</summary>
internal static class Critics
{
    /// <param name="ml">The context.</param>
    /// <param name="frames">Real rows.</param>
    /// <param name="draws">Rows that somebody made in their likeness.</param>
    /// <param name="column">The column of beads' coordinates in both.</param>
    /// <param name="folder">Where the critic is to be written.</param>
    public static void Run(MLContext ml, IDataView frames, IDataView draws, string column, string folder)
    {
        int parts = 0;
        var options = new CriticOptions
        {
            Dimensions = 2,
            Folds = 2,
            Trees = 30,
            CertainQuantile = 0.95,
            Seed = 3,
            IgnoredColumns = [.. frames.Schema.Select(other => other.Name).Distinct().Where(name => name != column)],
            Progress = new Parts(progress => parts += progress is { Done: >= 0, Total: 2 } ? 1 : 0),
            CancellationToken = CancellationToken.None,
        };
        var critic = ml.Vae.FitCritic(frames, draws, options);
        Expect.That(parts >= 2, "the critic tells how far it is");
        Expect.That(critic is { Auc: > 0.3, AucStandardError: > 0, Acceptance: > 0 and <= 1 }, "the critic was judged");
        float[] ratios = critic.LogRatios(frames);
        Expect.That(ratios.All(float.IsFinite) && critic.KeepProbability(critic.CertainLogRatio) == 1, "rows are judged");
        critic.Export(Path.Combine(folder, "critic.onnx"));
        var same = options with { };
        Expect.That(options.Equals(same) && options.GetHashCode() == same.GetHashCode(), "options hold what they hold");
    }

    private sealed class Parts(Action<CriticProgress> action) : IProgress<CriticProgress>
    {
        public void Report(CriticProgress value) => action(value);
    }
}
