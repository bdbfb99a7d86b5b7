using ScottPlot;
using Vae.MLNet;
using Alignment = ScottPlot.Alignment;

namespace BeadSpringPolymer;

/// <summary>The pictures of a run.</summary>
internal static class Pictures
{
    private static readonly Color Blue = Color.FromHex("#2b6cb0"), Orange = Color.FromHex("#dd6b20"), Gray = Color.FromHex("#718096"), Red = Color.FromHex("#c53030");

    public static void Losses(string path, VaeTrainingHistory canonical, VaeTrainingHistory course)
    {
        using var plot = New("Squared error by epoch", "epoch", "mean squared error");
        Line(canonical, epoch => epoch.Reconstruction, Blue, "training", LinePattern.Solid);
        Line(canonical, epoch => epoch.ValidationReconstruction!.Value, Blue, "validation", LinePattern.Dashed);
        Line(course, epoch => epoch.Reconstruction, Orange, "training, arbitrary sign", LinePattern.Solid);
        Line(course, epoch => epoch.ValidationReconstruction!.Value, Orange, "validation, arbitrary sign", LinePattern.Dashed);
        plot.ShowLegend(Alignment.UpperRight);
        double top = course.Epochs.Skip(Math.Min(3, course.Epochs.Count - 1)).Max(epoch => Math.Max(epoch.Reconstruction, epoch.ValidationReconstruction!.Value));
        plot.Axes.SetLimitsY(0, top * 1.15);
        plot.SavePng(path, 900, 520);

        void Line(VaeTrainingHistory history, Func<VaeEpoch, double> value, Color color, string name, LinePattern pattern)
        {
            var line = plot.Add.ScatterLine(history.Epochs.Select(epoch => (double)epoch.Epoch).ToArray(), history.Epochs.Select(value).ToArray(), color);
            line.LegendText = name;
            line.LineWidth = 2;
            line.LinePattern = pattern;
        }
    }

    public static void LatentMap(string path, IReadOnlyList<float[]> latents, IReadOnlyList<double> rg)
    {
        using var plot = New("Posterior means of the training frames", "z0", "z1");
        double low = rg.Min(), high = rg.Max();
        var colors = new ScottPlot.Colormaps.Viridis();
        const int Bins = 32;
        foreach (var bin in latents.Zip(rg).GroupBy(pair => Math.Min(Bins - 1, (int)((pair.Second - low) / (high - low) * Bins))).OrderBy(bin => bin.Key))
        {
            var markers = plot.Add.Markers(bin.Select(pair => (double)pair.First[0]).ToArray(), bin.Select(pair => (double)pair.First[1]).ToArray(), MarkerShape.FilledCircle, 4, colors.GetColor((bin.Key + 0.5) / Bins));
            markers.MarkerLineWidth = 0;
        }
        foreach (double radius in new[] { 1.0, 2, 3 })
        {
            var circle = plot.Add.Circle(0, 0, radius);
            circle.LineColor = Colors.Black.WithAlpha(0.6);
            circle.LineWidth = 1.5f;
            circle.FillColor = Colors.Transparent;
        }
        var bar = plot.Add.ColorBar(new Scale(colors, new ScottPlot.Range(low, high)));
        bar.Label = "radius of gyration";
        plot.Axes.SquareUnits();
        plot.SavePng(path, 900, 760);
    }

    /// <summary>Rows of shapes, each with a name and a line of text below every shape.</summary>
    public static void Strips(string path, string title, IReadOnlyList<(string Name, IReadOnlyList<(float[] Shape, string Text, bool Physical)> Shapes)> rows)
    {
        using var plot = New(title, "", "");
        float[][] all = [.. rows.SelectMany(row => row.Shapes.Select(item => item.Shape))];
        double Extent(int axis) => all.Max(shape => Enumerable.Range(0, shape.Length / 2).Max(k => shape[2 * k + axis]) - Enumerable.Range(0, shape.Length / 2).Min(k => shape[2 * k + axis]));
        double step = Extent(0) * 1.08, rowHeight = Extent(1) + 3.4;
        for (int row = 0; row < rows.Count; row++)
        {
            double y = -row * rowHeight;
            var name = plot.Add.Text(rows[row].Name, -step * 0.5, y + rowHeight * 0.47);
            name.LabelFontSize = 15;
            name.LabelBold = true;
            for (int i = 0; i < rows[row].Shapes.Count; i++)
            {
                var (shape, text, physical) = rows[row].Shapes[i];
                double[] xs = [.. Enumerable.Range(0, shape.Length / 2).Select(k => shape[2 * k] + i * step)];
                double[] ys = [.. Enumerable.Range(0, shape.Length / 2).Select(k => shape[2 * k + 1] + y)];
                var chain = plot.Add.Scatter(xs, ys, physical ? Blue : Red);
                chain.LineWidth = 2;
                chain.MarkerSize = 8;
                var first = plot.Add.Marker(xs[0], ys[0], MarkerShape.FilledCircle, 11, Orange);
                first.MarkerLineWidth = 0;
                var label = plot.Add.Text(text, i * step, y - rowHeight * 0.36);
                label.LabelAlignment = Alignment.UpperCenter;
                label.LabelFontSize = 12;
                label.LabelFontColor = physical ? Gray : Red;
            }
        }
        int widest = rows.Max(row => row.Shapes.Count);
        plot.Axes.SetLimits(-step * 0.55, (widest - 0.45) * step, -(rows.Count - 0.42) * rowHeight, rowHeight * 0.6);
        plot.HideGrid();
        plot.Layout.Frameless();
        plot.Axes.Title.IsVisible = false;
        plot.SavePng(path, widest * 190, (int)(widest * 190 * rows.Count * rowHeight / (widest * step)));
    }

    public static void Paths(string path, IReadOnlyList<float[]> latents, IReadOnlyList<double> rg, IReadOnlyList<IReadOnlyList<float[]>> course, IReadOnlyList<IReadOnlyList<float[]>> plausible)
    {
        using var plot = New("Descent of Rg in the latent space", "z0", "z1");
        double low = rg.Min(), high = rg.Max();
        var colors = new ScottPlot.Colormaps.Viridis();
        const int Bins = 24;
        foreach (var bin in latents.Zip(rg).GroupBy(pair => Math.Min(Bins - 1, (int)((pair.Second - low) / (high - low) * Bins))))
        {
            var markers = plot.Add.Markers(bin.Select(pair => (double)pair.First[0]).ToArray(), bin.Select(pair => (double)pair.First[1]).ToArray(), MarkerShape.FilledCircle, 3, colors.GetColor((bin.Key + 0.5) / Bins).WithAlpha(0.35));
            markers.MarkerLineWidth = 0;
        }
        Draw(course, Orange, "Rg alone (the course)");
        Draw(plausible, Blue, "Rg, bonds, overlaps and prior");
        plot.ShowLegend(Alignment.UpperRight);
        plot.Axes.SquareUnits();
        plot.SavePng(path, 900, 760);

        void Draw(IReadOnlyList<IReadOnlyList<float[]>> paths, Color color, string name)
        {
            for (int i = 0; i < paths.Count; i++)
            {
                var line = plot.Add.ScatterLine(paths[i].Select(z => (double)z[0]).ToArray(), paths[i].Select(z => (double)z[1]).ToArray(), color);
                line.LineWidth = 2;
                if (i == 0)
                    line.LegendText = name;
                plot.Add.Marker(paths[i][^1][0], paths[i][^1][1], MarkerShape.FilledDiamond, 10, color);
            }
        }
    }

    public static void Distributions(string path, IReadOnlyList<float[]> real, IReadOnlyList<float[]> sampled, IReadOnlyList<float[]> drawn)
    {
        var figure = new Multiplot();
        figure.AddPlots(2);
        Histogram(figure.GetPlot(0), "Radius of gyration", shape => Shapes.RadiusOfGyration(shape));
        Histogram(figure.GetPlot(1), "End-to-end distance", shape => Shapes.EndToEnd(shape));
        figure.Layout = new ScottPlot.MultiplotLayouts.Columns();
        figure.SavePng(path, 1200, 480);

        void Histogram(Plot plot, string title, Func<float[], double> property)
        {
            plot.Title(title);
            plot.YLabel("density");
            double[] a = [.. real.Select(property)], b = [.. sampled.Select(property)], c = [.. drawn.Select(property)];
            double low = Math.Min(Math.Min(a.Min(), b.Min()), c.Min()), high = Math.Max(Math.Max(a.Max(), b.Max()), c.Max());
            Draw(a, Gray, "real, validation");
            Draw(b, Orange, "means of the decoder, sampled");
            Draw(c, Blue, "drawn bead by bead");
            plot.ShowLegend(Alignment.UpperRight);
            plot.Axes.SetLimitsY(0, plot.Axes.GetDataLimits().Top * 1.1);

            void Draw(double[] values, Color color, string name)
            {
                const int Bins = 40;
                double width = (high - low) / Bins;
                double[] counts = new double[Bins];
                foreach (double value in values)
                    counts[Math.Clamp((int)((value - low) / width), 0, Bins - 1)] += 1 / (values.Length * width);
                double[] xs = [.. Enumerable.Range(0, Bins).Select(i => low + (i + 0.5) * width)];
                var line = plot.Add.ScatterLine(xs, counts, color);
                line.LineWidth = 2;
                line.FillY = true;
                line.FillYColor = color.WithAlpha(0.25);
                line.LegendText = name;
            }
        }
    }

    private static Plot New(string title, string x, string y)
    {
        var plot = new Plot();
        plot.Title(title);
        plot.XLabel(x);
        plot.YLabel(y);
        return plot;
    }

    /// <summary>What the colour bar shows.</summary>
    private sealed class Scale(IColormap colormap, ScottPlot.Range range) : IHasColorAxis
    {
        public IColormap Colormap => colormap;

        public ScottPlot.Range GetRange() => range;
    }
}
