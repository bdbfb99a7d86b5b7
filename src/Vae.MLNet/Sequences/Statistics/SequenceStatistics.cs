using System.Diagnostics.CodeAnalysis;
using Vae.MLNet.Inference;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>Statistics of sequence sets, to hold generated sequences against natural ones.</summary>
/// <remarks>
/// <para>f_i(a) is the share of sequences with symbol a in column i, f_ij(a,b) with a in i and b in j. Connected correlations are
/// C_ij(a,b) = f_ij(a,b) - f_i(a) f_j(b) and
/// C_ijk(a,b,c) = f_ijk(a,b,c) - f_ij(a,b) f_k(c) - f_ik(a,c) f_j(b) - f_jk(b,c) f_i(a) + 2 f_i(a) f_j(b) f_k(c).
/// Sequences with an unknown letter (or a gap, where gaps are no symbols) in one of the columns concerned are left out of the counts of these columns.</para>
/// <para>Counting is direct, one table a pair of columns, so memory does not grow with L²: time is about N L² / 2 table increments.</para>
/// </remarks>
public static class SequenceStatistics
{
    /// <summary>Everything at once.</summary>
    /// <param name="natural">Natural sequences.</param>
    /// <param name="generated">Generated sequences on the same columns.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The comparison.</returns>
    /// <exception cref="ArgumentException">The sets do not have the same columns and alphabet.</exception>
    public static SequenceComparison Compare(SequenceAlignment natural, SequenceAlignment generated, SequenceStatisticsOptions? options = null)
    {
        var nearest = NearestIdentities(generated, natural);
        return new SequenceComparison(CompareSingleSites(natural, generated, options), ComparePairs(natural, generated, options),
            CompareTriples(natural, generated, options), nearest.Average(n => n.Identity), nearest.Max(n => n.Identity));
    }

    /// <summary>Frequencies of symbols at each position.</summary>
    /// <param name="alignment">Sequences.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>By column and symbol; a row sums to 1, or is 0 where no sequence has a symbol.</returns>
    public static double[,] SingleSiteFrequencies(SequenceAlignment alignment, SequenceStatisticsOptions? options = null)
    {
        var set = Columns.Of(Check.NotNull(alignment), options ??= new());
        var result = new double[alignment.Length, set.Symbols];
        for (int i = 0; i < alignment.Length; i++)
        {
            double[] frequencies = set.Single(i);
            for (int a = 0; a < set.Symbols; a++)
                result[i, a] = frequencies[a];
        }
        return result;
    }

    /// <summary>Agreement of the single-site frequencies f_i(a).</summary>
    /// <param name="natural">Natural sequences.</param>
    /// <param name="generated">Generated sequences on the same columns.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The agreement over all columns and symbols.</returns>
    /// <exception cref="ArgumentException">The sets do not have the same columns and alphabet.</exception>
    public static StatisticAgreement CompareSingleSites(SequenceAlignment natural, SequenceAlignment generated, SequenceStatisticsOptions? options = null)
    {
        var (x, y) = Both(natural, generated, ref options);
        var sums = new Sums(options, (long)natural.Length * x.Symbols);
        for (int i = 0; i < natural.Length; i++)
        {
            double[] fx = x.Single(i), fy = y.Single(i);
            for (int a = 0; a < x.Symbols; a++)
                sums.Add(fx[a], fy[a], fx[a], fy[a], Key(i, 0, a, 0));
        }
        return sums.Result();
    }

    /// <summary>Connected pair correlations of two columns.</summary>
    /// <param name="alignment">Sequences.</param>
    /// <param name="first">A column, counted from 0.</param>
    /// <param name="second">Another column.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>C_ij(a,b) by symbols of the first and the second column.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column.</exception>
    public static double[,] PairCorrelations(SequenceAlignment alignment, int first, int second, SequenceStatisticsOptions? options = null)
    {
        Check.NotNull(alignment);
        Check.InRange(first, 0, alignment.Length - 1);
        Check.InRange(second, 0, alignment.Length - 1);
        var set = Columns.Of(alignment, options ??= new());
        var table = new PairTable(set.Symbols);
        set.Count(first, second, table);
        var result = new double[set.Symbols, set.Symbols];
        for (int a = 0; a < set.Symbols; a++)
        {
            for (int b = 0; b < set.Symbols; b++)
                result[a, b] = table.Connected(a, b);
        }
        return result;
    }

    /// <summary>Agreement of the connected pair correlations C_ij(a,b) over all pairs of columns i &lt; j and all symbols.</summary>
    /// <param name="natural">Natural sequences.</param>
    /// <param name="generated">Generated sequences on the same columns.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The agreement.</returns>
    /// <exception cref="ArgumentException">The sets do not have the same columns and alphabet.</exception>
    public static StatisticAgreement ComparePairs(SequenceAlignment natural, SequenceAlignment generated, SequenceStatisticsOptions? options = null)
    {
        var (x, y) = Both(natural, generated, ref options);
        var chosen = options;
        int length = natural.Length, symbols = x.Symbols;
        long entries = (long)length * (length - 1) / 2 * symbols * symbols;
        // One sum a column, added up in order, so that threads do not change the result.
        var parts = new Sums[length];
        Parallel.For(0, length, options.Parallel, () => (X: new PairTable(symbols), Y: new PairTable(symbols)), (i, _, tables) =>
        {
            var sums = parts[i] = new Sums(chosen, entries);
            for (int j = i + 1; j < length; j++)
            {
                x.Count(i, j, tables.X);
                y.Count(i, j, tables.Y);
                for (int a = 0; a < symbols; a++)
                {
                    for (int b = 0; b < symbols; b++)
                        sums.Add(tables.X.Connected(a, b), tables.Y.Connected(a, b), tables.X.Frequency(a, b), tables.Y.Frequency(a, b), Key(i, j, a, b));
                }
            }
            return tables;
        }, _ => { });
        var total = new Sums(options, entries);
        foreach (var part in parts)
            total.Add(part);
        return total.Result();
    }

    /// <summary>Agreement of the connected three-point correlations over chosen triples of columns and all symbols.</summary>
    /// <param name="natural">Natural sequences.</param>
    /// <param name="generated">Generated sequences on the same columns.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The agreement.</returns>
    /// <exception cref="ArgumentException">The sets do not have the same columns and alphabet, or there are fewer than three columns.</exception>
    public static StatisticAgreement CompareTriples(SequenceAlignment natural, SequenceAlignment generated, SequenceStatisticsOptions? options = null)
    {
        var (x, y) = Both(natural, generated, ref options);
        if (natural.Length < 3)
            throw Check.Argument(nameof(natural), "Three columns are needed for three-point correlations.");
        var chosen = options;
        int symbols = x.Symbols;
        var triples = options.TripleSelection == TripleSelection.Random ? RandomTriples(natural.Length, options) : StrongestTriples(x, natural.Length, options);
        long entries = (long)triples.Count * symbols * symbols * symbols;
        var parts = new Sums[triples.Count];
        Parallel.For(0, triples.Count, options.Parallel, () => (X: new TripleTable(symbols), Y: new TripleTable(symbols)), (t, _, tables) =>
        {
            var sums = parts[t] = new Sums(chosen, entries);
            var (i, j, k) = triples[t];
            x.Count(i, j, k, tables.X);
            y.Count(i, j, k, tables.Y);
            for (int a = 0; a < symbols; a++)
            {
                for (int b = 0; b < symbols; b++)
                {
                    for (int c = 0; c < symbols; c++)
                        sums.Add(tables.X.Connected(a, b, c), tables.Y.Connected(a, b, c), tables.X.Frequency(a, b, c), tables.Y.Frequency(a, b, c), Key(t, a, b, c));
                }
            }
            return tables;
        }, _ => { });
        var total = new Sums(options, entries);
        foreach (var part in parts)
            total.Add(part);
        return total.Result();
    }

    /// <summary>Mutual information of all pairs of columns in nats.</summary>
    /// <param name="alignment">Sequences.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>Symmetric, L × L, with the diagonal 0.</returns>
    public static double[,] MutualInformation(SequenceAlignment alignment, SequenceStatisticsOptions? options = null) =>
        MutualInformation(Columns.Of(Check.NotNull(alignment), options ??= new()), alignment.Length, options);

    /// <summary>The nearest sequence of a set to each of some sequences.</summary>
    /// <param name="sequences">Sequences, such as generated ones.</param>
    /// <param name="among">The set, such as the natural ones that a model was trained with.</param>
    /// <param name="measure">What identity is; its share is of the letters (or columns) of the sequence that is compared, not of the set's.</param>
    /// <returns>One result a sequence.</returns>
    /// <exception cref="ArgumentException">The sets do not have the same columns and alphabet.</exception>
    public static NearestSequence[] NearestIdentities(SequenceAlignment sequences, SequenceAlignment among, IdentityMeasure measure = IdentityMeasure.Residues)
    {
        CheckSame(among, sequences);
        Check.Defined(measure);
        var left = IdentityKernel.Left(sequences.Tokens.Span, sequences.Count, sequences.Length, sequences.Alphabet.GapToken, measure);
        var right = IdentityKernel.Right(among.Tokens.Span, among.Count, among.Length, among.Alphabet.GapToken, measure);
        var result = new NearestSequence[sequences.Count];
        Parallel.For(0, sequences.Count, i =>
        {
            if (left.Lengths[i] == 0)
            {
                result[i] = new NearestSequence(0, -1);
                return;
            }
            ref byte row = ref left.Row(i);
            int best = -1, nearest = -1;
            for (int j = 0; j < right.Count; j++)
            {
                int matches = IdentityKernel.Matches(ref row, ref right.Row(j), left.Stride, best + 1);
                if (matches > best)
                    (best, nearest) = (matches, j);
            }
            result[i] = new NearestSequence((double)best / left.Lengths[i], nearest);
        });
        return result;
    }

    /// <summary>Share of sequences that have given letters at positions of the reference, such as a catalytic triad: H57, D102 and S195 in serine proteases.</summary>
    /// <param name="alignment">Sequences.</param>
    /// <param name="sites">Positions in the reference's numbering, and letters.</param>
    /// <returns>The conservation; sequences count with weight 1 each.</returns>
    /// <exception cref="ArgumentException">A position is not among the modelled columns, or a letter is not of the alphabet.</exception>
    public static SiteConservation Conservation(SequenceAlignment alignment, params IEnumerable<(int Position, char Letter)> sites)
    {
        Check.NotNull(alignment);
        var list = new List<(int Position, char Letter, int Column, int Token)>();
        foreach (var (position, letter) in Check.NotNull(sites))
        {
            if (!alignment.Layout.TryGetColumn(position, out int column))
                throw Check.Argument(nameof(sites), Check.Invariant($"Position {position} of '{alignment.Layout.ReferenceName}' is not among the modelled columns."));
            if (!alignment.Alphabet.TryGetToken(letter, out int token) || token >= alignment.Alphabet.LetterCount)
                throw Check.Argument(nameof(sites), $"'{letter}' is not a letter of alphabet {alignment.Alphabet.Name}.");
            list.Add((position, letter, column, token));
        }
        if (list.Count == 0)
            throw Check.Argument(nameof(sites), "No site is given; at least one is expected.");
        var counts = new int[list.Count];
        int all = 0;
        for (int row = 0; row < alignment.Count; row++)
        {
            var tokens = alignment.Row(row);
            int found = 0;
            for (int s = 0; s < list.Count; s++)
            {
                bool has = tokens[list[s].Column] == list[s].Token;
                counts[s] += has ? 1 : 0;
                found += has ? 1 : 0;
            }
            all += found == list.Count ? 1 : 0;
        }
        return new SiteConservation([.. list.Select((site, s) => (site.Position, site.Letter, (double)counts[s] / alignment.Count))], (double)all / alignment.Count);
    }

    private static (Columns X, Columns Y) Both(SequenceAlignment natural, SequenceAlignment generated, [NotNull] ref SequenceStatisticsOptions? options)
    {
        CheckSame(natural, generated);
        options ??= new SequenceStatisticsOptions();
        return (Columns.Of(natural, options), Columns.Of(generated, options));
    }

    private static void CheckSame(SequenceAlignment natural, SequenceAlignment generated)
    {
        Check.NotNull(natural);
        Check.NotNull(generated);
        if (natural.Length != generated.Length || natural.Alphabet.Letters != generated.Alphabet.Letters)
            throw Check.Argument(nameof(generated), Check.Invariant($"Both sets need the same columns and letters; {natural.Length} columns of '{natural.Alphabet.Letters}' and {generated.Length} of '{generated.Alphabet.Letters}' are given."));
    }

    private static List<(int, int, int)> RandomTriples(int length, SequenceStatisticsOptions options)
    {
        // All triples where there are no more than asked for; drawing distinct ones otherwise.
        double all = (double)length * (length - 1) * (length - 2) / 6;
        var list = new List<(int, int, int)>();
        if (all <= options.Triples)
        {
            for (int i = 0; i < length; i++)
            {
                for (int j = i + 1; j < length; j++)
                {
                    for (int k = j + 1; k < length; k++)
                        list.Add((i, j, k));
                }
            }
            return list;
        }
        var random = new Random(options.Seed);
        var seen = new HashSet<(int, int, int)>();
        while (list.Count < options.Triples)
        {
            var triple = Sorted(random.Next(length), random.Next(length), random.Next(length));
            if (triple.Item1 != triple.Item2 && triple.Item2 != triple.Item3 && seen.Add(triple))
                list.Add(triple);
        }
        return list;
    }

    private static List<(int, int, int)> StrongestTriples(Columns set, int length, SequenceStatisticsOptions options)
    {
        double[,] information = MutualInformation(set, length, options);
        var pairs = new List<(double Information, int I, int J)>();
        for (int i = 0; i < length; i++)
        {
            for (int j = i + 1; j < length; j++)
                pairs.Add((information[i, j], i, j));
        }
        pairs.Sort((a, b) => a.Information != b.Information ? b.Information.CompareTo(a.Information) : (a.I, a.J).CompareTo((b.I, b.J)));
        var list = new List<(int, int, int)>();
        var seen = new HashSet<(int, int, int)>();
        foreach (var (_, i, j) in pairs)
        {
            int third = -1;
            for (int k = 0; k < length; k++)
            {
                if (k != i && k != j && (third < 0 || information[i, k] + information[j, k] > information[i, third] + information[j, third]))
                    third = k;
            }
            var triple = Sorted(i, j, third);
            if (seen.Add(triple))
                list.Add(triple);
            if (list.Count == options.Triples)
                break;
        }
        return list;
    }

    private static (int, int, int) Sorted(int i, int j, int k)
    {
        int low = Math.Min(i, Math.Min(j, k)), high = Math.Max(i, Math.Max(j, k));
        return (low, i + j + k - low - high, high);
    }

    private static double[,] MutualInformation(Columns set, int length, SequenceStatisticsOptions options)
    {
        var result = new double[length, length];
        Parallel.For(0, length, options.Parallel, () => new PairTable(set.Symbols), (i, _, table) =>
        {
            for (int j = i + 1; j < length; j++)
            {
                set.Count(i, j, table);
                result[i, j] = result[j, i] = table.MutualInformation();
            }
            return table;
        }, _ => { });
        return result;
    }

    private static ulong Key(int i, int j, int a, int b) => (ulong)(uint)i << 40 ^ (ulong)(uint)j << 16 ^ (ulong)(uint)a << 8 ^ (uint)b;

    /// <summary>Tokens column by column, so that the two or three columns of a table are read in order; what is no symbol is one token behind them.</summary>
    private sealed class Columns
    {
        private readonly byte[][] _columns;
        private readonly double[]? _weights;

        private Columns(byte[][] columns, double[]? weights, int symbols)
        {
            _columns = columns;
            _weights = weights;
            Symbols = symbols;
        }

        public int Symbols { get; }

        public static Columns Of(SequenceAlignment alignment, SequenceStatisticsOptions options)
        {
            options.Validate();
            var alphabet = alignment.Alphabet;
            int symbols = options.IncludeGaps ?? alphabet.Gaps == GapTreatment.Symbol ? alphabet.LetterCount + 1 : alphabet.LetterCount;
            var columns = new byte[alignment.Length][];
            for (int c = 0; c < columns.Length; c++)
                columns[c] = new byte[alignment.Count];
            for (int row = 0; row < alignment.Count; row++)
            {
                var tokens = alignment.Row(row);
                for (int c = 0; c < tokens.Length; c++)
                    columns[c][row] = Math.Min(tokens[c], (byte)symbols);
            }
            double[]? weights = null;
            if (options.UseWeights && alignment.HasWeights)
            {
                weights = new double[alignment.Count];
                for (int row = 0; row < weights.Length; row++)
                    weights[row] = alignment.Weights.Span[row];
            }
            return new Columns(columns, weights, symbols);
        }

        public double[] Single(int i)
        {
            var counts = new double[Symbols + 1];
            byte[] column = _columns[i];
            for (int n = 0; n < column.Length; n++)
                counts[column[n]] += _weights is null ? 1 : _weights[n];
            double sum = 0;
            for (int a = 0; a < Symbols; a++)
                sum += counts[a];
            for (int a = 0; a < Symbols && sum > 0; a++)
                counts[a] /= sum;
            return counts;
        }

        public void Count(int i, int j, PairTable table)
        {
            byte[] first = _columns[i], second = _columns[j];
            int stride = Symbols + 1;
            if (_weights is { } weights)
            {
                double[] sums = table.Weighted;
                Array.Clear(sums);
                for (int n = 0; n < first.Length && n < second.Length && n < weights.Length; n++)
                    sums[first[n] * stride + second[n]] += weights[n];
            }
            else
            {
                int[] counts = table.Counts;
                Array.Clear(counts);
                for (int n = 0; n < first.Length && n < second.Length; n++)
                    counts[first[n] * stride + second[n]]++;
                for (int at = 0; at < counts.Length; at++)
                    table.Weighted[at] = counts[at];
            }
            table.Finish();
        }

        public void Count(int i, int j, int k, TripleTable table)
        {
            byte[] first = _columns[i], second = _columns[j], third = _columns[k];
            int stride = Symbols + 1;
            double[] sums = table.Weighted;
            Array.Clear(sums);
            for (int n = 0; n < first.Length; n++)
                sums[(first[n] * stride + second[n]) * stride + third[n]] += _weights is null ? 1 : _weights[n];
            table.Finish();
        }
    }

    private sealed class PairTable(int symbols)
    {
        private readonly double[] _first = new double[symbols];
        private readonly double[] _second = new double[symbols];

        public readonly int[] Counts = new int[(symbols + 1) * (symbols + 1)];
        public readonly double[] Weighted = new double[(symbols + 1) * (symbols + 1)];

        public void Finish()
        {
            Array.Clear(_first);
            Array.Clear(_second);
            double sum = 0;
            for (int a = 0; a < symbols; a++)
            {
                for (int b = 0; b < symbols; b++)
                {
                    double count = Weighted[a * (symbols + 1) + b];
                    _first[a] += count;
                    _second[b] += count;
                }
                sum += _first[a];
            }
            double scale = sum > 0 ? 1 / sum : 0;
            for (int at = 0; at < Weighted.Length; at++)
                Weighted[at] *= scale;
            for (int a = 0; a < symbols; a++)
            {
                _first[a] *= scale;
                _second[a] *= scale;
            }
        }

        public double Frequency(int a, int b) => Weighted[a * (symbols + 1) + b];

        public double Connected(int a, int b) => Weighted[a * (symbols + 1) + b] - _first[a] * _second[b];

        public double MutualInformation()
        {
            double sum = 0;
            for (int a = 0; a < symbols; a++)
            {
                for (int b = 0; b < symbols; b++)
                {
                    double f = Frequency(a, b);
                    if (f > 0)
                        sum += f * Math.Log(f / (_first[a] * _second[b]));
                }
            }
            return sum;
        }
    }

    private sealed class TripleTable(int symbols)
    {
        private readonly int _stride = symbols + 1;
        private readonly double[] _i = new double[symbols], _j = new double[symbols], _k = new double[symbols];
        private readonly double[] _ij = new double[symbols * symbols], _ik = new double[symbols * symbols], _jk = new double[symbols * symbols];

        public readonly double[] Weighted = new double[(symbols + 1) * (symbols + 1) * (symbols + 1)];

        public void Finish()
        {
            foreach (double[] marginal in (double[][])[_i, _j, _k, _ij, _ik, _jk])
                Array.Clear(marginal);
            double sum = 0;
            for (int a = 0; a < symbols; a++)
            {
                for (int b = 0; b < symbols; b++)
                {
                    for (int c = 0; c < symbols; c++)
                        sum += Frequency(a, b, c);
                }
            }
            double scale = sum > 0 ? 1 / sum : 0;
            for (int at = 0; at < Weighted.Length; at++)
                Weighted[at] *= scale;
            for (int a = 0; a < symbols; a++)
            {
                for (int b = 0; b < symbols; b++)
                {
                    for (int c = 0; c < symbols; c++)
                    {
                        double f = Frequency(a, b, c);
                        if (f == 0)
                            continue;
                        _i[a] += f;
                        _j[b] += f;
                        _k[c] += f;
                        _ij[a * symbols + b] += f;
                        _ik[a * symbols + c] += f;
                        _jk[b * symbols + c] += f;
                    }
                }
            }
        }

        public double Frequency(int a, int b, int c) => Weighted[(a * _stride + b) * _stride + c];

        public double Connected(int a, int b, int c) =>
            Frequency(a, b, c) - _ij[a * symbols + b] * _k[c] - _ik[a * symbols + c] * _j[b] - _jk[b * symbols + c] * _i[a] + 2 * _i[a] * _j[b] * _k[c];
    }

    /// <summary>Sums for a correlation, and points drawn by a hash of the entry, so that neither order nor threads change which.</summary>
    private sealed class Sums(SequenceStatisticsOptions options, long entries)
    {
        private readonly double _minFrequency = options.MinFrequency;
        private readonly ulong _seed = (ulong)(uint)options.Seed * 0x9E3779B97F4A7C15;
        private readonly ulong _threshold = options.MaxPoints == 0 ? 0
            : options.MaxPoints >= entries ? ulong.MaxValue
            : (ulong)(ulong.MaxValue * ((double)options.MaxPoints / entries));
        private readonly List<(float, float)> _points = [];
        private long _count;
        private double _x, _y, _xx, _yy, _xy;

        public void Add(double x, double y, double frequencyX, double frequencyY, ulong key)
        {
            if (frequencyX < _minFrequency && frequencyY < _minFrequency)
                return;
            _count++;
            _x += x;
            _y += y;
            _xx += x * x;
            _yy += y * y;
            _xy += x * y;
            if (_threshold != 0 && Hash(key ^ _seed) <= _threshold)
                _points.Add(((float)x, (float)y));
        }

        public void Add(Sums other)
        {
            _count += other._count;
            _x += other._x;
            _y += other._y;
            _xx += other._xx;
            _yy += other._yy;
            _xy += other._xy;
            _points.AddRange(other._points);
        }

        public StatisticAgreement Result()
        {
            double xx = _xx - _x * _x / _count, yy = _yy - _y * _y / _count, xy = _xy - _x * _y / _count;
            bool varies = xx > 0 && yy > 0;
            return new StatisticAgreement(varies ? Math.Clamp(xy / Math.Sqrt(xx * yy), -1, 1) : double.NaN, xx > 0 ? xy / xx : double.NaN, _count, _points);
        }

        // The finaliser of SplitMix64.
        private static ulong Hash(ulong value)
        {
            value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
            value = (value ^ value >> 27) * 0x94D049BB133111EB;
            return value ^ value >> 31;
        }
    }
}
