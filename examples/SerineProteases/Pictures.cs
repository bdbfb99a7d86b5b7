using System.Globalization;
using ScottPlot;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace SerineProteases;

/// <summary>The pictures of a run.</summary>
internal static class Pictures
{
    private const int Groups = 8;

    private static readonly string[] Palette = ["#2b6cb0", "#dd6b20", "#2f855a", "#c53030", "#6b46c1", "#b7791f", "#319795", "#d53f8c"];

    /// <summary>The two directions in which the posterior means vary most, coloured by annotation.</summary>
    public static void LatentMap(string path, IReadOnlyList<float[]> latents, IReadOnlyList<string> labels)
    {
        var (points, shares) = Principal(latents);
        using var plot = New("Posterior means of natural sequences", Axis(0), Axis(1));
        string[] frequent = [.. labels.GroupBy(label => label).OrderByDescending(group => group.Count()).ThenBy(group => group.Key, StringComparer.Ordinal).Take(Groups).Select(group => group.Key)];
        Add("other", label => !frequent.Contains(label), Color.FromHex("#cbd5e0"));
        for (int i = 0; i < frequent.Length; i++)
        {
            string name = frequent[i];
            Add(name.Length > 0 ? name : "not given", label => label == name, Color.FromHex(Palette[i]));
        }
        plot.ShowLegend(Edge.Right);
        plot.SavePng(path, 1000, 700);

        string Axis(int i) => string.Create(CultureInfo.InvariantCulture, $"principal component {i + 1} ({shares[i]:P0} of the variance)");

        void Add(string name, Func<string, bool> belongs, Color color)
        {
            int[] rows = [.. Enumerable.Range(0, labels.Count).Where(row => belongs(labels[row]))];
            if (rows.Length == 0)
                return;
            var markers = plot.Add.Markers(rows.Select(row => points[row][0]).ToArray(), rows.Select(row => points[row][1]).ToArray(), MarkerShape.FilledCircle, 5, color.WithAlpha(0.7));
            markers.MarkerLineWidth = 0;
            markers.LegendText = name;
        }
    }

    public static void Agreement(string path, string title, StatisticAgreement agreement)
    {
        using var plot = New(string.Create(CultureInfo.InvariantCulture, $"{title}: r = {agreement.Pearson:F3}, slope {agreement.Slope:F2}"), "held-out natural sequences", "generated sequences");
        var markers = plot.Add.Markers(agreement.Points.Select(point => (double)point.Natural).ToArray(), agreement.Points.Select(point => (double)point.Generated).ToArray(),
            MarkerShape.FilledCircle, 4, Color.FromHex(Palette[0]).WithAlpha(0.4));
        markers.MarkerLineWidth = 0;
        double low = agreement.Points.Min(point => Math.Min(point.Natural, point.Generated)), high = agreement.Points.Max(point => Math.Max(point.Natural, point.Generated));
        var line = plot.Add.Line(low, low, high, high);
        line.LineColor = Colors.Black.WithAlpha(0.5);
        line.LinePattern = LinePattern.Dashed;
        plot.Axes.SquareUnits();
        plot.SavePng(path, 700, 700);
    }

    /// <summary>Scores of all substitutions: positions across, letters down.</summary>
    public static void Substitutions(string path, SequenceLayout layout, IReadOnlyList<VariantScore> scores)
    {
        string letters = layout.Alphabet.Letters;
        var values = new double[letters.Length, layout.Length];
        for (int a = 0; a < letters.Length; a++)
        {
            for (int c = 0; c < layout.Length; c++)
                values[a, c] = double.NaN;
        }
        foreach (var score in scores)
        {
            var substitution = Variant.Parse(score.Text).Substitutions[0];
            layout.TryGetColumn(substitution.Position, out int column);
            values[letters.IndexOf(substitution.To), column] = score.Score!.Value;
        }
        double[] sorted = [.. scores.Select(score => score.Score!.Value).Order()];
        using var plot = New("Change of the evidence lower bound by single substitutions (white: the reference)", "column (letter and position of the reference)", "new letter");
        var map = plot.Add.Heatmap(values);
        map.Colormap = new ScottPlot.Colormaps.Viridis();
        // The worst hundredth would take up most of the colours.
        map.ManualRange = new ScottPlot.Range(sorted[sorted.Length / 100], sorted[^1]);
        map.NaNCellColor = Colors.White;
        plot.Add.ColorBar(map).Label = "ΔELBO, nats";
        plot.Axes.Left.SetTicks([.. Enumerable.Range(0, letters.Length).Select(i => (double)(letters.Length - 1 - i))], [.. letters.Select(letter => letter.ToString())]);
        string[] names = layout.ColumnNames();
        int step = Math.Max(1, layout.Length / 25);
        int[] ticks = [.. Enumerable.Range(0, layout.Length).Where(c => c % step == 0)];
        plot.Axes.Bottom.SetTicks([.. ticks.Select(c => (double)c)], [.. ticks.Select(c => names[c])]);
        plot.Axes.SetLimits(-0.5, layout.Length - 0.5, -0.5, letters.Length - 0.5);
        plot.HideGrid();
        plot.SavePng(path, 1400, 480);
    }

    /// <summary>Sequence logos (Schneider and Stephens 1990): the height of a letter is its share of the column's information in bits.</summary>
    public static void Logo(string path, SequenceAlignment natural, SequenceAlignment generated, int[] columns)
    {
        using var plot = New("Natural (top) and generated sequences (below): information in bits", "", "");
        double most = Math.Log2(natural.Alphabet.OutputSymbolCount), gap = 0.8;
        string[] names = natural.Layout.ColumnNames();
        Draw(natural, most + gap);
        Draw(generated, 0);
        plot.Axes.Bottom.SetTicks([.. Enumerable.Range(0, columns.Length).Select(i => (double)i)], [.. columns.Select(c => names[c])]);
        plot.Axes.Bottom.TickLabelStyle.Rotation = 90;
        plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleLeft;
        plot.Axes.Bottom.MinimumSize = 60;
        plot.Axes.Left.SetTicks([0, 2, 4, most + gap, most + gap + 2, most + gap + 4], ["0", "2", "4", "0", "2", "4"]);
        plot.Axes.SetLimits(-0.7, columns.Length - 0.3, 0, 2 * most + gap);
        plot.HideGrid();
        plot.SavePng(path, 1400, 560);

        void Draw(SequenceAlignment alignment, double floor)
        {
            double[,] frequencies = SequenceStatistics.SingleSiteFrequencies(alignment);
            int symbols = frequencies.GetLength(1);
            for (int i = 0; i < columns.Length; i++)
            {
                var letters = Enumerable.Range(0, symbols).Select(a => (Letter: alignment.Alphabet.LetterOf(a), Share: frequencies[columns[i], a])).Where(item => item.Share > 0).OrderBy(item => item.Share).ToArray();
                double information = Math.Log2(symbols) + letters.Sum(item => item.Share * Math.Log2(item.Share)), y = floor;
                foreach (var (letter, share) in letters)
                {
                    double height = share * information;
                    if (height > 0.02)
                    {
                        var box = plot.Add.Rectangle(i - 0.46, i + 0.46, y, y + height);
                        box.FillColor = Of(letter).WithAlpha(0.25);
                        box.LineWidth = 0;
                    }
                    if (height > 0.22)
                    {
                        var text = plot.Add.Text(letter.ToString(), i, y + height / 2);
                        text.LabelAlignment = Alignment.MiddleCenter;
                        text.LabelFontSize = (float)Math.Min(22, 10 + 14 * height);
                        text.LabelBold = true;
                        text.LabelFontColor = Of(letter);
                    }
                    y += height;
                }
            }
        }

        // By chemistry: acidic, basic, polar, aromatic, aliphatic and special ones.
        static Color Of(char letter) => Color.FromHex("DE".Contains(letter) ? Palette[3] : "KRH".Contains(letter) ? Palette[0] : "STNQ".Contains(letter) ? Palette[2]
            : "FWY".Contains(letter) ? Palette[4] : "GPC".Contains(letter) ? Palette[1] : letter == '-' ? "#a0aec0" : "#2d3748");
    }

    private static Plot New(string title, string x, string y)
    {
        var plot = new Plot();
        plot.Title(title, 16);
        plot.XLabel(x);
        plot.YLabel(y);
        return plot;
    }

    /// <summary>Coordinates along the two principal axes, by power iteration on the covariance.</summary>
    private static (double[][] Points, double[] Shares) Principal(IReadOnlyList<float[]> rows)
    {
        int size = rows[0].Length;
        double[] mean = [.. Enumerable.Range(0, size).Select(j => rows.Average(row => (double)row[j]))];
        var covariance = new double[size, size];
        foreach (float[] row in rows)
        {
            for (int i = 0; i < size; i++)
            {
                for (int j = 0; j < size; j++)
                    covariance[i, j] += (row[i] - mean[i]) * (row[j] - mean[j]) / rows.Count;
            }
        }
        double trace = Enumerable.Range(0, size).Sum(i => covariance[i, i]);
        var axes = new double[2][];
        var shares = new double[2];
        for (int k = 0; k < 2; k++)
        {
            double[] axis = [.. Enumerable.Range(0, size).Select(i => 1.0 / (i + k + 1))];
            double value = 0;
            for (int step = 0; step < 500; step++)
            {
                double[] next = [.. Enumerable.Range(0, size).Select(i => Enumerable.Range(0, size).Sum(j => covariance[i, j] * axis[j]))];
                value = Math.Sqrt(next.Sum(x => x * x));
                if (value == 0)
                    break;
                axis = [.. next.Select(x => x / value)];
            }
            for (int i = 0; i < size; i++)
            {
                for (int j = 0; j < size; j++)
                    covariance[i, j] -= value * axis[i] * axis[j];
            }
            axes[k] = axis;
            shares[k] = trace > 0 ? value / trace : 0;
        }
        return ([.. rows.Select(row => axes.Select(axis => axis.Select((x, j) => x * (row[j] - mean[j])).Sum()).ToArray())], shares);
    }
}
