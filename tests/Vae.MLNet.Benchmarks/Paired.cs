using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Vae.MLNet.Benchmarks;

/// <summary>Measures several ways of doing the same in turn, round after round, so that a machine that slows down slows all of them.</summary>
internal static class Paired
{
    /// <summary>One way: its name, and an action that gives the seconds of one measurement.</summary>
    public sealed record Way(string Name, Func<double> Measure);

    /// <summary>Runs the rounds; prints for each way the median time, rate and ratio to the first way, the ratios taken round by round.</summary>
    public static void Run(string title, string unit, double unitsPerMeasurement, int rounds, params Way[] ways)
    {
        foreach (var way in ways)
            way.Measure();
        var seconds = ways.Select(_ => new double[rounds]).ToArray();
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < ways.Length; i++)
                seconds[i][round] = ways[i].Measure();
        }
        var table = new Table().Title(title).AddColumns("way", $"µs/{unit}", $"{unit}s/s", "times the first (min … max)");
        for (int i = 0; i < ways.Length; i++)
        {
            double median = Median(seconds[i]);
            var ratios = seconds[0].Zip(seconds[i], (first, own) => first / own).ToArray();
            table.AddRow(
                Markup.Escape(ways[i].Name),
                Text(median / unitsPerMeasurement * 1e6, "0.0"),
                Text(unitsPerMeasurement / median, "#,0.#"),
                string.Create(CultureInfo.InvariantCulture, $"{Median(ratios):0.00} ({ratios.Min():0.00} … {ratios.Max():0.00})"));
        }
        AnsiConsole.Write(table);
    }

    public static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
