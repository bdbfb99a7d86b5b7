namespace Vae.MLNet.Samples;

/// <summary>A number that a critic sees of a row.</summary>
/// <param name="Column">Column that it is of.</param>
internal abstract record CriticFeature(int Column);

/// <summary>The number itself, held within what trees have bins for; a missing one is taken to be in the middle.</summary>
internal sealed record ValueFeature(int Column, float Middle) : CriticFeature(Column)
{
    /// <summary>Stands for infinity, which has no place among the trees' bins.</summary>
    public const float Huge = 1e30f;
}

/// <summary>Whether the number is missing.</summary>
internal sealed record MissingFeature(int Column) : CriticFeature(Column);

/// <summary>How often the number occurs among the real rows, as the logarithm to base 2 of one more: rounded numbers recur.</summary>
internal sealed record RepeatFeature(int Column, IReadOnlyDictionary<float, float> Counts) : CriticFeature(Column);

/// <summary>
/// A place for each category: those that occur often by how much more frequent they are among real rows than among generated ones, so that
/// one split parts what is too frequent from what is too rare; the others, and the missing one, before them.
/// </summary>
internal sealed record CategoryFeature(int Column, IReadOnlyDictionary<string, float> Places) : CriticFeature(Column)
{
    /// <summary>What is not known has the least place.</summary>
    public const float Unknown = -1;
}

/// <summary>How often the category occurs among the real rows, as the logarithm to base 2 of one more.</summary>
internal sealed record CategoryCountFeature(int Column, IReadOnlyDictionary<string, float> Counts) : CriticFeature(Column);

/// <summary>The distance of two beads.</summary>
/// <param name="Column">The first coordinate of the first bead.</param>
/// <param name="Other">The first coordinate of the second bead.</param>
/// <param name="Dimensions">Coordinates of a bead.</param>
internal sealed record DistanceFeature(int Column, int Other, int Dimensions) : CriticFeature(Column);

/// <summary>
/// The least or the largest distance among the pairs of beads that are so many bonds apart: one pair that is too near gives a chain away,
/// whichever it is.
/// </summary>
/// <param name="Separation">Bonds between the two.</param>
/// <param name="Beads">Beads of a chain.</param>
/// <param name="Dimensions">Coordinates of a bead.</param>
/// <param name="IsLeast">The least, or the largest.</param>
internal sealed record ExtremeFeature(int Separation, int Beads, int Dimensions, bool IsLeast) : CriticFeature(0)
{
    /// <summary>The pairs, as columns of the first coordinates of both beads.</summary>
    public IEnumerable<(int From, int To)> Pairs =>
        Enumerable.Range(0, Beads - Separation).Select(bead => ((bead + Separation) * Dimensions, bead * Dimensions));
}

/// <summary>What a critic sees of rows: fitted once, and the same for whatever rows come later.</summary>
internal sealed class CriticFeatures
{
    /// <summary>The share of repeated numbers from which on it counts how often a number occurs.</summary>
    private const double Repeated = 0.05;

    /// <summary>Fewest rows of a category for a place by its ratio: of rarer ones the ratio would tell the rows, not the category.</summary>
    private const int FewestOfCategory = 20;

    /// <summary>What occurs less often is not counted: a real row itself is one of those counted, a generated one is not.</summary>
    private const int FewestCounted = 5;

    /// <summary>Most repeated numbers of a column that are counted.</summary>
    private const int MostCounted = 20_000;

    private readonly CriticFeature[] _features;

    private CriticFeatures(CriticFeature[] features) => _features = features;

    public IReadOnlyList<CriticFeature> All => _features;

    /// <param name="real">Real rows.</param>
    /// <param name="generated">Generated rows, of the same columns.</param>
    /// <param name="dimensions">Coordinates of a bead where the columns are a conformation, otherwise 0.</param>
    public static CriticFeatures Of(SampleTable real, SampleTable generated, int dimensions)
    {
        var features = new List<CriticFeature>();
        int beads = dimensions > 0 ? real.Columns.Count / dimensions : 0;
        for (int separation = 1; separation < beads - 1; separation++)
        {
            features.Add(new ExtremeFeature(separation, beads, dimensions, IsLeast: true));
            features.Add(new ExtremeFeature(separation, beads, dimensions, IsLeast: false));
        }
        for (int c = 0; c < real.Columns.Count; c++)
        {
            SampleColumn first = real.Columns[c], second = generated.Columns[c];
            if (dimensions > 0)
            {
                if (c % dimensions == 0)
                {
                    for (int other = 0; other < c; other += dimensions)
                        features.Add(new DistanceFeature(c, other, dimensions));
                }
            }
            else if (first.IsCategory)
                features.AddRange(OfCategories(c, first, second));
            else
                features.AddRange(OfNumbers(c, first.Numbers!, second.Numbers!));
        }
        var all = new CriticFeatures([.. features]);
        // What is the same for all rows tells nothing.
        return new([.. features.Where((_, f) => Varies(all.Values(real, f), all.Values(generated, f)))]);

        static bool Varies(float[] first, float[] second) =>
            first.AsSpan().ContainsAnyExcept(first[0]) || second.AsSpan().ContainsAnyExcept(first[0]);
    }

    /// <summary>Rows of features.</summary>
    public float[][] Rows(SampleTable table)
    {
        var rows = new float[table.Rows][];
        for (int row = 0; row < rows.Length; row++)
            rows[row] = new float[_features.Length];
        for (int f = 0; f < _features.Length; f++)
        {
            float[] values = Values(table, f);
            for (int row = 0; row < rows.Length; row++)
                rows[row][f] = values[row];
        }
        return rows;
    }

    private float[] Values(SampleTable table, int f)
    {
        var column = table.Columns[_features[f].Column];
        return _features[f] switch
        {
            ValueFeature value => Array.ConvertAll(column.Numbers!,
                number => Math.Clamp(float.IsNaN(number) ? value.Middle : number, -ValueFeature.Huge, ValueFeature.Huge)),
            MissingFeature => Array.ConvertAll(column.Numbers!, number => float.IsNaN(number) ? 1f : 0),
            RepeatFeature repeat => Array.ConvertAll(column.Numbers!,
                number => float.IsNaN(number) ? 0 : repeat.Counts.GetValueOrDefault(number)),
            CategoryFeature category => OfCodes(column, text => category.Places.GetValueOrDefault(text, CategoryFeature.Unknown)),
            CategoryCountFeature count => OfCodes(column, text => count.Counts.GetValueOrDefault(text)),
            DistanceFeature distance => Distances(table, distance.Column, distance.Other, distance.Dimensions),
            ExtremeFeature extreme => extreme.Pairs.Select(pair => Distances(table, pair.From, pair.To, extreme.Dimensions))
                .Aggregate((best, next) => Best(best, next, extreme.IsLeast)),
            var other => throw new NotSupportedException($"{other.GetType()}."),
        };
    }

    private static float[] OfCodes(SampleColumn column, Func<string, float> value)
    {
        float missing = value("");
        float[] values = [.. column.Values.Select(value)];
        return Array.ConvertAll(column.Codes!, code => code < 0 ? missing : values[code]);
    }

    private static float[] Best(float[] first, float[] second, bool least)
    {
        for (int row = 0; row < first.Length; row++)
            first[row] = least ? Math.Min(first[row], second[row]) : Math.Max(first[row], second[row]);
        return first;
    }

    private static float[] Distances(SampleTable table, int from, int to, int dimensions)
    {
        var distances = new float[table.Rows];
        for (int row = 0; row < distances.Length; row++)
        {
            float square = 0;
            for (int c = 0; c < dimensions; c++)
            {
                float difference = table.Columns[from + c].Numbers![row] - table.Columns[to + c].Numbers![row];
                square += difference * difference;
            }
            distances[row] = MathF.Sqrt(square);
        }
        return distances;
    }

    private static IEnumerable<CriticFeature> OfNumbers(int c, float[] real, float[] generated)
    {
        float[] present = [.. real.Where(number => !float.IsNaN(number)).Order()];
        float middle = present.Length == 0 ? 0 : present[present.Length / 2];
        yield return new ValueFeature(c, Math.Clamp(middle, -ValueFeature.Huge, ValueFeature.Huge));
        if (present.Length < real.Length || generated.Any(float.IsNaN))
            yield return new MissingFeature(c);
        // Zero and minus zero are one number to some runtimes and two to others.
        var counts = present.Where(number => number != 0).CountBy(number => number).Where(pair => pair.Value >= FewestCounted)
            .OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).Take(MostCounted)
            .ToDictionary(pair => pair.Key, pair => MathF.Log2(1 + pair.Value));
        if (counts.Values.Sum(log => Math.Pow(2, log) - 1) > Repeated * present.Length)
            yield return new RepeatFeature(c, counts);
    }

    private static IEnumerable<CriticFeature> OfCategories(int c, SampleColumn real, SampleColumn generated)
    {
        Dictionary<string, int> first = Counts(real), second = Counts(generated);
        double rows = real.Rows, others = generated.Rows;
        string[] all = [.. first.Keys.Union(second.Keys, StringComparer.Ordinal)];
        string[] frequent = [.. all.Where(text => Number(first, text) + Number(second, text) >= FewestOfCategory)
            .OrderBy(text => Math.Log((Number(first, text) + 1) / (rows + 1)) - Math.Log((Number(second, text) + 1) / (others + 1)))
            .ThenBy(text => text, StringComparer.Ordinal)];
        var places = all.Except(frequent, StringComparer.Ordinal).ToDictionary(text => text, _ => 0f, StringComparer.Ordinal);
        foreach (var (place, text) in frequent.Index())
            places[text] = place + 1;
        yield return new CategoryFeature(c, places);
        if (all.Length > 2)
            yield return new CategoryCountFeature(c, first.Where(pair => pair.Value >= FewestCounted)
                .ToDictionary(pair => pair.Key, pair => MathF.Log2(1 + pair.Value), StringComparer.Ordinal));

        static double Number(Dictionary<string, int> counts, string text) => counts.GetValueOrDefault(text);

        static Dictionary<string, int> Counts(SampleColumn column) =>
            column.Codes!.CountBy(code => code < 0 ? "" : column.Values[code], StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
    }
}
