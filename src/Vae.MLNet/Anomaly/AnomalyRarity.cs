using Vae.MLNet.Model;

namespace Vae.MLNet.Anomaly;

/// <summary>
/// What a value of a feature that has two values, or mostly one, is worth: -log of the share of training rows that are at least as far from that value, on the same
/// side; the usual value itself counts -log of its own share. Quartiles that coincide, as those of a one-hot slot do, leave no scale to tell far from
/// near, and a tenth of the deviation in its place makes of every rare value a wild one.
/// </summary>
/// <param name="Features">Places of these features among all, those of two values first.</param>
/// <param name="TwoValued">How many of them have two values.</param>
/// <param name="Usual">What the usual value counts.</param>
/// <param name="Steps">For each feature, where its count rises and by how much: beyond a scaled value on one side, -1 or 1.</param>
internal sealed record AnomalyRarity(int[] Features, int TwoValued, float[] Usual, (float At, float Side, float Rise)[][] Steps)
{
    /// <summary>Steps on a side at most: of a feature of many values the tail is told in steps of its logarithm.</summary>
    public const int MostSteps = 16;

    /// <param name="sorted">Each scaled feature's values, sorted.</param>
    /// <returns>The rarities; null where the quartiles of no feature coincide.</returns>
    public static AnomalyRarity? Of(float[][] sorted)
    {
        var found = new List<(int Feature, bool TwoValued, float Usual, (float, float, float)[] Steps)>();
        for (int j = 0; j < sorted.Length; j++)
        {
            float[] column = sorted[j];
            float usual = column[column.Length / 2];
            bool two = column[0] != column[^1] && Array.TrueForAll(column, value => value == column[0] || value == column[^1]);
            if (column[0] == column[^1] || !two && InputScale.Quantile(column, 0.25) != InputScale.Quantile(column, 0.75))
                continue;
            int first = Array.FindIndex(column, value => value == usual), end = Array.FindLastIndex(column, value => value == usual) + 1;
            double rows = column.Length, least = -Math.Log((end - first) / rows);
            var steps = new List<(float, float, float)>();
            AddSteps(column.AsSpan(end).ToArray(), 1);
            float[] below = column[..first];
            Array.Reverse(below);
            AddSteps(below, -1);
            found.Add((j, two, (float)least, [.. steps]));

            // Values on one side of the usual one, from near to far.
            void AddSteps(float[] values, float side)
            {
                double counted = least, whole = Math.Log(rows) - least;
                float before = usual;
                for (int i = 0; i < values.Length; i++)
                {
                    if (i > 0 && values[i] == values[i - 1])
                        continue;
                    double rarity = -Math.Log((values.Length - i) / rows);
                    // The first step is taken whatever its height; the last leads to the furthest value.
                    if (rarity > counted && (i == 0 || rarity - counted >= whole / MostSteps || values[i] == values[^1]))
                    {
                        float middle = before + (values[i] - before) / 2;
                        steps.Add((middle, side, (float)(rarity - counted)));
                        counted = rarity;
                    }
                    before = values[i];
                }
            }
        }
        if (found.Count == 0)
            return null;
        found = [.. found.OrderBy(item => item.TwoValued ? 0 : 1).ThenBy(item => item.Feature)];
        return new([.. found.Select(item => item.Feature)], found.Count(item => item.TwoValued), [.. found.Select(item => item.Usual)], [.. found.Select(item => item.Steps)]);
    }

    /// <summary>What the scaled value of one of the features counts.</summary>
    public double Count(int index, float scaled)
    {
        double count = Usual[index];
        foreach (var (at, side, rise) in Steps[index])
            count += scaled * side > at * side ? rise : 0;
        return count;
    }

    /// <summary>For each of all features its place here, or -1.</summary>
    public int[] Places(int features)
    {
        var places = new int[features];
        Array.Fill(places, -1);
        for (int i = 0; i < Features.Length; i++)
            places[Features[i]] = i;
        return places;
    }
}
