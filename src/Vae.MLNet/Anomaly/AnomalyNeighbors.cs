using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Anomaly;

/// <summary>
/// The neighbour term: weight · log(1 + distance / typical), the distance the mean of those to the <see cref="Count"/> nearest of a set of
/// training rows, features standardised (Ramaswamy, Rastogi and Shim 2000; Angiulli and Pizzuti 2002).
/// </summary>
/// <param name="Scale">Standardises the features.</param>
/// <param name="Rows">The standardised training rows, one after the other.</param>
/// <param name="Low">Least standardised value that is told from less.</param>
/// <param name="High">Largest value that is told from more.</param>
/// <param name="Typical">Median distance of training rows from the others.</param>
/// <param name="Weight">Brings the term to its share of the reconstruction term's spread over the training rows.</param>
internal sealed record AnomalyNeighbors(InputScale Scale, float[] Rows, float[] Low, float[] High, float Typical, float Weight)
{
    /// <summary>Neighbours that count.</summary>
    public const int Count = 5;

    /// <summary>Training rows that are kept.</summary>
    private const int MostRows = 2000, FewestRows = 200, MostNumbers = 2_000_000;

    /// <summary>Rows that typical distances are taken from.</summary>
    private const int MostProbes = 2000;

    /// <summary>Where training rows repeat each other, this many deviations are typical.</summary>
    private const float SmallestTypical = 0.1f;

    /// <summary>A flag's two values are this many deviations apart at most: how rare they are is counted elsewhere.</summary>
    private const double LargestStep = 4;

    public int Neighbors => Math.Min(Count, Rows.Length / Scale.Offset.Length);

    /// <param name="rows">Training rows, unscaled.</param>
    /// <param name="features">Numbers in a row.</param>
    /// <param name="plain">For each row what the other terms make of it.</param>
    /// <param name="reconstruction">For each row the reconstruction term.</param>
    /// <param name="kept">Share of the rows, those with the smallest score, that may be neighbours.</param>
    /// <param name="share">Spread of the term in that of the reconstruction term.</param>
    public static AnomalyNeighbors From(float[] rows, int features, float[] plain, float[] reconstruction, double kept, float share)
    {
        int count = rows.Length / features;
        float[] sorted = [.. plain.Order()];
        float most = (float)InputScale.Quantile(sorted, kept);
        int[] eligible = [.. Enumerable.Range(0, count).Where(i => kept >= 1 || plain[i] <= most)];
        if (eligible.Length == 0)
            eligible = [.. Enumerable.Range(0, count)];
        int[] chosen = Even(eligible, Math.Min(MostRows, Math.Max(FewestRows, MostNumbers / features)));

        var (mean, deviation) = (new double[features], new double[features]);
        for (int j = 0; j < features; j++)
        {
            double first = rows[eligible[0] * features + j], sum = 0, squares = 0, other = first;
            bool two = true;
            foreach (int i in eligible)
            {
                double value = rows[i * features + j];
                if (value != first)
                {
                    two &= other == first || value == other;
                    other = value;
                }
                sum += value - first;
            }
            mean[j] = first + sum / eligible.Length;
            foreach (int i in eligible)
            {
                double away = rows[i * features + j] - mean[j];
                squares += away * away;
            }
            // A constant stays one whatever the mean is rounded to.
            deviation[j] = other == first ? 0 : Math.Sqrt(squares / eligible.Length);
            if (two && other != first)
                deviation[j] = Math.Max(deviation[j], Math.Abs(other - first) / LargestStep);
            // Where the network's constants have no unit either: a constant's own size.
            if (other == first)
                deviation[j] = Math.Abs(first);
        }
        var scale = InputScale.Standardize(mean, deviation);
        float[] own = Standardized(rows, chosen, scale);
        float[] low = new float[features], high = new float[features];
        for (int j = 0; j < features; j++)
        {
            (low[j], high[j]) = (float.PositiveInfinity, float.NegativeInfinity);
            for (int i = 0; i < chosen.Length; i++)
                (low[j], high[j]) = (Math.Min(low[j], own[i * features + j]), Math.Max(high[j], own[i * features + j]));
            // Further out than this the outside term tells; distances in single precision no longer would.
            float span = Math.Max(1, high[j] - low[j]);
            (low[j], high[j]) = (low[j] - 2 * span, high[j] + 2 * span);
        }
        var neighbors = new AnomalyNeighbors(scale, own, low, high, 1, 1);
        int[] probes = Even([.. Enumerable.Range(0, count)], MostProbes);
        float[] distances = neighbors.Distances(rows, probes, chosen);
        float typical = Math.Max(SmallestTypical, (float)InputScale.Quantile(distances.Order().ToArray(), 0.5));
        double ratio = Range([.. probes.Select(i => reconstruction[i])]) / Range([.. distances.Select(distance => MathF.Log(1 + distance / typical))]);
        float weight = double.IsFinite(ratio) ? (float)Math.Clamp(ratio, 1 / AnomalyMarginal.LargestWeight, 10 * AnomalyMarginal.LargestWeight) : 1;
        return neighbors with { Typical = typical, Weight = share * weight };
    }

    /// <summary>Mean distance of rows to their nearest neighbours, a row itself left out.</summary>
    private float[] Distances(float[] rows, int[] probes, int[] chosen)
    {
        int features = Scale.Offset.Length, wanted = Math.Max(1, Math.Min(Count, chosen.Length - 1));
        var places = new Dictionary<int, int>();
        for (int i = 0; i < chosen.Length; i++)
            places[chosen[i]] = i;
        var distances = new float[probes.Length];
        float[] all = Standardized(rows, probes, Scale);
        using var scope = NewDisposeScope();
        var own = tensor(Rows, [chosen.Length, features]);
        var norms = own.square().sum(1);
        const int Block = 512;
        for (int start = 0; start < probes.Length; start += Block)
        {
            using var blockScope = NewDisposeScope();
            int count = Math.Min(Block, probes.Length - start);
            var x = tensor(all.AsSpan(start * features, count * features).ToArray(), [count, features]);
            var product = x.mm(own.t());
            float[] squared = (norms - product - (product - x.square().sum(1, keepdim: true))).contiguous().data<float>().ToArray();
            for (int i = 0; i < count; i++)
            {
                var row = squared.AsSpan(i * chosen.Length, chosen.Length);
                if (places.TryGetValue(probes[start + i], out int itself) && chosen.Length > 1)
                    row[itself] = float.PositiveInfinity;
                row.Sort();
                double sum = 0;
                for (int k = 0; k < wanted; k++)
                    sum += Math.Sqrt(Math.Max(0, row[k]));
                distances[start + i] = (float)(sum / wanted);
            }
        }
        return distances;
    }

    private static float[] Standardized(float[] rows, int[] chosen, InputScale scale)
    {
        int features = scale.Offset.Length;
        var result = new float[chosen.Length * features];
        for (int i = 0; i < chosen.Length; i++)
        {
            for (int j = 0; j < features; j++)
                result[i * features + j] = Math.Clamp((rows[chosen[i] * features + j] - scale.Offset[j]) * scale.Factor[j], -InputScale.LargestArgument, InputScale.LargestArgument);
        }
        return result;
    }

    private static int[] Even(int[] of, int most) => of.Length <= most ? of : [.. Enumerable.Range(0, most).Select(i => of[(int)((long)i * of.Length / most)])];

    /// <summary>Distance between the quartiles.</summary>
    private static double Range(float[] values)
    {
        Array.Sort(values);
        return InputScale.Quantile(values, 0.75) - InputScale.Quantile(values, 0.25);
    }
}
