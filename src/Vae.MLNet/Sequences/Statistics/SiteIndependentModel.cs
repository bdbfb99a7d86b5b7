using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>
/// The baseline of every sequence model: each position has its own distribution, independent of the others.
/// p_i(a) = (sum of weights of sequences with symbol a at position i + c) / (sum of weights with any symbol there + c · q), for q symbols and
/// pseudocount c.
/// </summary>
/// <remarks>
/// Symbols are the letters, and the gap where the alphabet treats it as one (<see cref="GapTreatment.Symbol"/>); other tokens are left out of counts and
/// probabilities. Immutable and safe to use from many threads.
/// </remarks>
public sealed class SiteIndependentModel
{
    private readonly double[] _frequencies;
    private readonly float[] _logs;

    /// <param name="layout">Alphabet and columns.</param>
    /// <param name="logs">Log-probabilities by position and token, 0 for tokens that are no symbols, as a saved model holds them.</param>
    internal SiteIndependentModel(SequenceLayout layout, float[] logs)
    {
        Layout = layout;
        _logs = logs;
        int symbols = layout.Alphabet.OutputSymbolCount, tokens = layout.Alphabet.TokenCount;
        _frequencies = new double[layout.Length * symbols];
        for (int c = 0; c < layout.Length; c++)
        {
            var site = _frequencies.AsSpan(c * symbols, symbols);
            for (int a = 0; a < symbols; a++)
                site[a] = Math.Exp(logs[c * tokens + a]);
            // Stored in single precision, they sum to one but for its rounding.
            System.Numerics.Tensors.TensorPrimitives.Divide(site, System.Numerics.Tensors.TensorPrimitives.Sum<double>(site), site);
        }
    }

    private SiteIndependentModel(SequenceLayout layout, double[] frequencies)
    {
        Layout = layout;
        _frequencies = frequencies;
        // One row a position over all tokens, so that scoring needs no test: what is no symbol adds nothing.
        int symbols = layout.Alphabet.OutputSymbolCount, tokens = layout.Alphabet.TokenCount;
        _logs = new float[layout.Length * tokens];
        for (int c = 0; c < layout.Length; c++)
        {
            for (int a = 0; a < symbols; a++)
                _logs[c * tokens + a] = (float)Math.Log(frequencies[c * symbols + a]);
        }
    }

    /// <summary>Alphabet, reference and column map.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>Number of symbols that have probabilities, q.</summary>
    public int SymbolCount => Layout.Alphabet.OutputSymbolCount;

    /// <summary>Log-probabilities by position and token, row-major, 0 for tokens that are no symbols.</summary>
    internal ReadOnlySpan<float> Logs => _logs;

    /// <summary>Fits the model to an alignment, with its weights where it has them.</summary>
    /// <param name="alignment">The alignment.</param>
    /// <param name="options">Options; the defaults where null.</param>
    /// <returns>The model.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public static SiteIndependentModel Fit(SequenceAlignment alignment, SiteIndependentOptions? options = null)
    {
        Check.NotNull(alignment);
        options ??= new SiteIndependentOptions();
        options.Validate();
        return Fit(alignment.Layout, alignment.Tokens.Span, alignment.Weights.Span, options.Pseudocount);
    }

    internal static SiteIndependentModel Fit(SequenceLayout layout, ReadOnlySpan<byte> tokens, ReadOnlySpan<float> weights, double pseudocount)
    {
        int symbols = layout.Alphabet.OutputSymbolCount, length = layout.Length, all = layout.Alphabet.TokenCount;
        var counts = new double[length * all];
        for (int row = 0; row * length < tokens.Length; row++)
        {
            double weight = weights.IsEmpty ? 1 : weights[row];
            var sequence = tokens.Slice(row * length, length);
            for (int c = 0; c < length; c++)
                counts[c * all + sequence[c]] += weight;
        }
        var frequencies = new double[length * symbols];
        for (int c = 0; c < length; c++)
        {
            double sum = pseudocount * symbols;
            for (int a = 0; a < symbols; a++)
                sum += counts[c * all + a];
            for (int a = 0; a < symbols; a++)
                frequencies[c * symbols + a] = (counts[c * all + a] + pseudocount) / sum;
        }
        return new SiteIndependentModel(layout, frequencies);
    }

    /// <summary>The probabilities of the symbols at a position.</summary>
    /// <param name="column">Modelled column, counted from 0.</param>
    /// <returns><see cref="SymbolCount"/> probabilities that sum to 1.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column.</exception>
    public ReadOnlySpan<double> Frequencies(int column)
    {
        Check.InRange(column, 0, Layout.Length - 1);
        return _frequencies.AsSpan(column * SymbolCount, SymbolCount);
    }

    /// <summary>The log-probability of a sequence in nats: the sum over its positions.</summary>
    /// <param name="tokens">One token for each modelled column.</param>
    /// <returns>The log-probability; tokens that are no symbols add nothing.</returns>
    /// <exception cref="ArgumentException">The number of tokens is wrong.</exception>
    public double LogProbability(ReadOnlySpan<byte> tokens)
    {
        if (tokens.Length != Layout.Length)
            throw Check.Argument(nameof(tokens), Check.Invariant($"{tokens.Length} tokens are given; {Layout.Length} are expected."));
        int stride = Layout.Alphabet.TokenCount;
        double sum = 0;
        for (int c = 0; c < tokens.Length; c++)
            sum += _logs[c * stride + Check.InRange(tokens[c], (byte)0, (byte)(stride - 1), nameof(tokens))];
        return sum;
    }

    /// <summary>Scores variants: log-probability of the variant minus that of the reference. Those that cannot be scored are reported with the reason.</summary>
    /// <param name="variants">Such as <c>R175H</c> or <c>R175H:A20C</c>.</param>
    /// <param name="reference">An aligned sequence instead of the layout's reference; null for the latter.</param>
    /// <returns>One result a variant, in order.</returns>
    public IReadOnlyList<VariantScore> ScoreVariants(IEnumerable<string> variants, string? reference = null)
    {
        var resolver = new VariantResolver(Layout, reference);
        return [.. Check.NotNull(variants).Select(text =>
        {
            var resolved = resolver.Resolve(text);
            return new VariantScore(text, resolved.Status == VariantStatus.Valid ? Score(resolver, resolved) : null, resolved.Status, resolved.Reason);
        })];
    }

    private double Score(VariantResolver resolver, ResolvedVariant variant)
    {
        int stride = Layout.Alphabet.TokenCount;
        double score = 0;
        foreach (var (column, token) in variant.Changes)
            score += _logs[column * stride + token] - _logs[column * stride + resolver.Reference[column]];
        return score;
    }

    /// <summary>Samples sequences, each position on its own.</summary>
    /// <param name="count">How many; at least 1.</param>
    /// <param name="seed">Seed; the same seed gives the same sequences.</param>
    /// <returns>The sequences.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The count is not positive.</exception>
    public SequenceAlignment Sample(int count, int seed)
    {
        Check.AtLeast(count, 1);
        var random = new Random(seed);
        int length = Layout.Length, symbols = SymbolCount;
        var tokens = new byte[checked(count * length)];
        for (int i = 0; i < tokens.Length; i++)
        {
            var frequencies = _frequencies.AsSpan(i % length * symbols, symbols);
            double rest = random.NextDouble();
            int a = 0;
            while (a < symbols - 1 && (rest -= frequencies[a]) >= 0)
                a++;
            tokens[i] = (byte)a;
        }
        return SequenceAlignment.FromTokens(Layout, tokens);
    }
}
