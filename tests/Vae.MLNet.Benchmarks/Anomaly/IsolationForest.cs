namespace Vae.MLNet.Benchmarks.Anomaly;

/// <summary>Isolation forest as published (Liu, Ting and Zhou 2008): 100 trees on 256 rows each. A baseline for the benchmark, no part of the library.</summary>
internal sealed class IsolationForest
{
    private const int Trees = 100, SampleSize = 256;

    private readonly Node[] _trees;
    private readonly double _expected;

    private abstract record Node;

    private sealed record Leaf(double PathLength) : Node;

    private sealed record Split(int Feature, float At, Node Below, Node Above) : Node;

    public IsolationForest(float[][] rows, int seed)
    {
        var random = new Random(seed);
        int size = Math.Min(SampleSize, rows.Length);
        int limit = (int)Math.Ceiling(Math.Log2(Math.Max(size, 2)));
        _expected = Expected(size);
        _trees = [.. Enumerable.Range(0, Trees).Select(_ =>
        {
            var order = Enumerable.Range(0, rows.Length).ToArray();
            random.Shuffle(order);
            return Grow([.. order.Take(size).Select(i => rows[i])], 0, limit, random);
        })];
    }

    /// <summary>2^(-mean path length / expected path length): near 1 for rows that are easily set apart.</summary>
    public float Score(float[] row) => (float)Math.Pow(2, -_trees.Average(tree => PathLength(tree, row)) / _expected);

    private static double PathLength(Node node, float[] row)
    {
        int depth = 0;
        while (node is Split split)
        {
            node = row[split.Feature] < split.At ? split.Below : split.Above;
            depth++;
        }
        return depth + ((Leaf)node).PathLength;
    }

    private static Node Grow(float[][] rows, int depth, int limit, Random random)
    {
        if (depth >= limit || rows.Length <= 1)
            return new Leaf(Expected(rows.Length));
        int features = rows[0].Length;
        // Features that are constant in the node cannot split it.
        var order = Enumerable.Range(0, features).ToArray();
        random.Shuffle(order);
        foreach (int j in order)
        {
            float low = rows.Min(row => row[j]), high = rows.Max(row => row[j]);
            if (low == high)
                continue;
            float at = (float)(low + random.NextDouble() * ((double)high - low));
            float[][] below = [.. rows.Where(row => row[j] < at)], above = [.. rows.Where(row => !(row[j] < at))];
            return new Split(j, at, Grow(below, depth + 1, limit, random), Grow(above, depth + 1, limit, random));
        }
        return new Leaf(Expected(rows.Length));
    }

    /// <summary>Mean path length of an unsuccessful search in a binary search tree of n rows.</summary>
    private static double Expected(int n) => n switch
    {
        <= 1 => 0,
        2 => 1,
        _ => 2 * (Math.Log(n - 1) + 0.5772156649) - 2.0 * (n - 1) / n,
    };
}
