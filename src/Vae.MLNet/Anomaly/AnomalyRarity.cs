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
/// <param name="Groups">Features that are slots of one category each: in every training row one of them is 1 and the others are 0.</param>
/// <param name="Unseen">What a category counts that has none of its slots set.</param>
internal sealed record AnomalyRarity(int[] Features, int TwoValued, float[] Usual, (float At, float Side, float Rise)[][] Steps, int[][] Groups, float Unseen)
{
    /// <summary>Slots of a category at most.</summary>
    private const int MostSlots = 256;

    /// <summary>Steps on a side at most: of a feature of many values the tail is told in steps of its logarithm.</summary>
    public const int MostSteps = 16;

    /// <param name="sorted">Each scaled feature's values, sorted.</param>
    /// <param name="rows">The training rows, unscaled; empty where slots of a category are not looked for.</param>
    /// <returns>The rarities; null where no feature has two values and the quartiles of none coincide.</returns>
    public static AnomalyRarity? Of(float[][] sorted, ReadOnlySpan<float> rows)
    {
        int[][] groups = FindGroups(rows, sorted.Length);
        var slots = groups.SelectMany(group => group).ToHashSet();
        var found = new List<(int Feature, bool TwoValued, float Usual, (float, float, float)[] Steps)>();
        for (int j = 0; j < sorted.Length; j++)
        {
            float[] column = sorted[j];
            float usual = column[column.Length / 2];
            bool two = column[0] != column[^1] && Array.TrueForAll(column, value => value == column[0] || value == column[^1]);
            if (column[0] == column[^1] || !two && InputScale.Quantile(column, 0.25) != InputScale.Quantile(column, 0.75))
                continue;
            int first = Array.FindIndex(column, value => value == usual), end = Array.FindLastIndex(column, value => value == usual) + 1;
            double count = column.Length, least = -Math.Log((end - first) / count);
            var steps = new List<(float, float, float)>();
            AddSteps(column.AsSpan(end).ToArray(), 1);
            float[] below = column[..first];
            Array.Reverse(below);
            AddSteps(below, -1);
            if (slots.Contains(j))
            {
                // The category counts what the slot that is set is worth: those that are not say nothing more.
                bool set = usual == column[^1];
                float worth = set ? (float)least : steps[0].Item3 + (float)least;
                steps = [set ? (steps[0].Item1, -1, -worth) : (steps[0].Item1, 1, worth)];
                least = set ? worth : 0;
            }
            found.Add((j, two, (float)least, [.. steps]));

            // Values on one side of the usual one, from near to far.
            void AddSteps(float[] values, float side)
            {
                double counted = least, whole = Math.Log(count) - least;
                float before = usual;
                for (int i = 0; i < values.Length; i++)
                {
                    if (i > 0 && values[i] == values[i - 1])
                        continue;
                    double rarity = -Math.Log((values.Length - i) / count);
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
        return new([.. found.Select(item => item.Feature)], found.Count(item => item.TwoValued), [.. found.Select(item => item.Usual)], [.. found.Select(item => item.Steps)],
            groups, (float)Math.Log(Math.Max(2, sorted[0].Length)));
    }

    /// <summary>Runs of features, each 0 or 1, of which exactly one is 1 in every row, as one-hot encodings are.</summary>
    private static int[][] FindGroups(ReadOnlySpan<float> rows, int features)
    {
        if (rows.IsEmpty)
            return [];
        int count = rows.Length / features;
        var (flag, any, all) = (new bool[features], new bool[features], new bool[features]);
        Array.Fill(flag, true);
        Array.Fill(all, true);
        for (int i = 0, j = 0; i < rows.Length; i++)
        {
            flag[j] &= rows[i] is 0 or 1;
            any[j] |= rows[i] == 1;
            all[j] &= rows[i] == 1;
            j = j + 1 == features ? 0 : j + 1;
        }
        var groups = new List<int[]>();
        var taken = new bool[count];
        for (int start = 0; start < features; start++)
        {
            if (!Slot(start))
                continue;
            Array.Clear(taken);
            int left = count;
            for (int j = start; j < features && j < start + MostSlots && flag[j] && !all[j] && left > 0; j++)
            {
                for (int i = 0; i < count && left >= 0; i++)
                {
                    if (rows[i * features + j] != 1)
                        continue;
                    // Two slots of one row: no category.
                    left = taken[i] ? -1 : left - 1;
                    taken[i] = true;
                }
                if (left != 0)
                    continue;
                // Slots that no row has stay what they are: constants.
                groups.Add([.. Enumerable.Range(start, j - start + 1).Where(Slot)]);
                start = j;
            }
        }
        return [.. groups];

        bool Slot(int j) => flag[j] && any[j] && !all[j];
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
