using ScottPlot;
using Vae.MLNet.Evaluation;
using Vae.MLNet.Samples;
using Color = ScottPlot.Color;

namespace Vae.MLNet.Tool;

/// <summary>The pictures of a comparison.</summary>
internal static class ComparisonPictures
{
    /// <summary>Most columns of a picture, and most values of a column.</summary>
    private const int MostBars = 25, MostPlots = 9, MostValues = 10;

    private const int Bins = 30;

    private static readonly Color Blue = Color.FromHex("#2b6cb0"), Orange = Color.FromHex("#dd6b20"), Gray = Color.FromHex("#718096");

    /// <summary>Distance of each column with its noise, those first that are the most above it.</summary>
    public static void Differences(string path, SampleComparison found)
    {
        ColumnDifference[] columns = [.. found.Columns.OrderByDescending(column => column.Distance - column.Noise).Take(MostBars)];
        using var plot = new Plot();
        plot.Title(FormattableString.Invariant($"Distance of columns; AUC {found.Auc:F3} ± {found.AucStandardError:F3}"));
        plot.XLabel("distance of the distributions (KS of numbers, total variation of categories)");
        for (int i = 0; i < columns.Length; i++)
        {
            var bar = plot.Add.Bar(new Bar { Position = -i, Value = columns[i].Distance, FillColor = Blue, LineWidth = 0, Size = 0.7, Orientation = Orientation.Horizontal });
            var noise = plot.Add.Line(columns[i].Noise, -i - 0.35, columns[i].Noise, -i + 0.35);
            noise.LineWidth = 3;
            noise.LineColor = Orange;
            if (i == 0)
                (bar.LegendText, noise.LegendText) = ("generated against real", "without a difference (noise)");
        }
        plot.Axes.Left.SetTicks([.. Enumerable.Range(0, columns.Length).Select(i => (double)-i)], [.. columns.Select(column => Short(column.Name))]);
        plot.Axes.SetLimits(0, 1.05 * Math.Max(0.05, columns.Max(column => Math.Max(column.Distance, column.Noise))), -columns.Length + 0.3, 0.7);
        plot.ShowLegend(Alignment.LowerRight);
        plot.SavePng(path, 900, 160 + 28 * columns.Length);
    }

    /// <summary>What the columns that tell the most look like on both sides.</summary>
    public static void Columns(string path, SampleComparison found, SampleTable real, SampleTable generated)
    {
        int[] chosen = [.. Enumerable.Range(0, found.Columns.Count).OrderByDescending(i => found.Columns[i].Importance).ThenByDescending(i => found.Columns[i].Distance - found.Columns[i].Noise).Take(MostPlots)];
        int across = Math.Min(3, chosen.Length), down = (chosen.Length + across - 1) / across;
        var figure = new Multiplot();
        figure.AddPlots(chosen.Length);
        for (int i = 0; i < chosen.Length; i++)
        {
            var plot = figure.GetPlot(i);
            SampleColumn left = real.Columns[chosen[i]], right = generated.Columns[chosen[i]];
            plot.Title(Short(left.Name), size: 14);
            if (left.IsCategory)
                Categories(plot, left, right);
            else
                Numbers(plot, left.Numbers!, right.Numbers!);
            if (i == 0)
                plot.ShowLegend(Alignment.UpperRight);
            else
                plot.HideLegend();
            plot.Axes.AutoScale();
            plot.Axes.SetLimitsY(0, Math.Max(1e-6, plot.Axes.GetLimits().Top));
        }
        figure.Layout = new ScottPlot.MultiplotLayouts.Grid(down, across);
        figure.SavePng(path, 420 * across, 300 * down);
    }

    private static void Numbers(Plot plot, float[] real, float[] generated)
    {
        double[] all = [.. real.Concat(generated).Where(float.IsFinite).Select(number => (double)number).Order()];
        if (all.Length == 0)
            return;
        // One far-out number would leave a single bar of the others.
        double low = all[(int)(0.005 * (all.Length - 1))], high = all[(int)(0.995 * (all.Length - 1))];
        if (high <= low)
            (low, high) = (all[0], all[^1] > all[0] ? all[^1] : all[0] + 1);
        double width = (high - low) / Bins;
        Draw(real, Gray, "real");
        Draw(generated, Blue, "generated");

        void Draw(float[] numbers, Color color, string name)
        {
            var counts = new int[Bins];
            int shown = 0;
            foreach (float number in numbers)
            {
                if (!(number >= low && number <= high))
                    continue;
                counts[Math.Min(Bins - 1, (int)((number - low) / width))]++;
                shown++;
            }
            double[] xs = [low, .. Enumerable.Range(0, Bins).SelectMany(bin => (double[])[low + bin * width, low + (bin + 1) * width]), high];
            double[] ys = [0, .. counts.SelectMany(count => (double[])[count / (Math.Max(1, shown) * width), count / (Math.Max(1, shown) * width)]), 0];
            var line = plot.Add.ScatterLine(xs, ys, color);
            line.LineWidth = 2;
            line.LegendText = name;
        }
    }

    private static void Categories(Plot plot, SampleColumn real, SampleColumn generated)
    {
        var left = Shares(real);
        var right = Shares(generated);
        string[] values = [.. left.Keys.Union(right.Keys, StringComparer.Ordinal).OrderByDescending(value => left.GetValueOrDefault(value) + right.GetValueOrDefault(value)).ThenBy(value => value, StringComparer.Ordinal).Take(MostValues)];
        for (int i = 0; i < values.Length; i++)
        {
            var a = plot.Add.Bar(new Bar { Position = i - 0.2, Value = left.GetValueOrDefault(values[i]), FillColor = Gray, LineWidth = 0, Size = 0.38 });
            var b = plot.Add.Bar(new Bar { Position = i + 0.2, Value = right.GetValueOrDefault(values[i]), FillColor = Blue, LineWidth = 0, Size = 0.38 });
            if (i == 0)
                (a.LegendText, b.LegendText) = ("real", "generated");
        }
        plot.Axes.Bottom.SetTicks([.. Enumerable.Range(0, values.Length).Select(i => (double)i)], [.. values.Select(value => value.Length == 0 ? "(missing)" : Short(value, 12))]);
        plot.Axes.Bottom.TickLabelStyle.Rotation = 30;
        plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.UpperLeft;
        // Turned labels need more room than the axis would take.
        plot.Axes.Bottom.MinimumSize = 60;
        plot.Axes.Right.MinimumSize = 30;

        static Dictionary<string, double> Shares(SampleColumn column) => column.Codes!.CountBy(code => code)
            .ToDictionary(pair => pair.Key < 0 ? "" : column.Values[pair.Key], pair => (double)pair.Value / column.Rows, StringComparer.Ordinal);
    }

    private static string Short(string text, int longest = 30)
    {
        text = string.Concat(text.Select(letter => char.IsControl(letter) ? ' ' : letter));
        return text.Length <= longest ? text : text[..longest] + "…";
    }
}
