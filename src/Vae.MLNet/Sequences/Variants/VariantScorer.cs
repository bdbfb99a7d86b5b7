using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Inference.Running;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

namespace Vae.MLNet.Sequences;

/// <summary>
/// Evidence lower bounds of sequences on OnnxRuntime, averaged over draws from the posterior. The draws are made of the same noise for every sequence, so that most of
/// their error goes out of differences.
/// </summary>
internal sealed class VariantScorer : IDisposable
{
    /// <summary>Rows that are decoded together: enough to fill the matrix products, few enough that their logits stay in the cache.</summary>
    private const int DecodedRows = 128;

    private readonly SequenceLayout _layout;
    private readonly List<(SharedSession Session, Draws[] Draws)> _members = [];

    /// <summary>ε of some draws, and a dropout mask for each of the decoder's hidden layers where the model was trained with dropout.</summary>
    private sealed record Draws(float[] Noise, float[][] Masks);

    private readonly int _latent, _samples, _threads;
    private readonly CancellationToken _cancellation;

    /// <summary>Evidence lower bound of each valid variant less that of the reference.</summary>
    public static IReadOnlyList<VariantScore> Differences(SequenceVaeModel model, VariantResolver resolver, ResolvedVariant[] variants, VariantScoringOptions options)
    {
        ResolvedVariant[] valid = [.. variants.Where(variant => variant.Status == VariantStatus.Valid)];
        int length = model.Layout.Length;
        double[] bounds = [];
        if (valid.Length > 0)
        {
            // The reference comes first.
            var tokens = new byte[checked((valid.Length + 1) * length)];
            resolver.Reference.CopyTo(tokens);
            for (int i = 0; i < valid.Length; i++)
                resolver.Apply(valid[i], tokens.AsSpan((i + 1) * length, length));
            using var scorer = new VariantScorer(model, options);
            bounds = scorer.Bounds(tokens);
        }
        int next = 1;
        return [.. variants.Select(variant =>
            new VariantScore(variant.Text, variant.Status == VariantStatus.Valid ? bounds[next++] - bounds[0] : null, variant.Status, variant.Reason))];
    }

    public VariantScorer(SequenceVaeModel model, VariantScoringOptions options)
    {
        _layout = model.Layout;
        _latent = model.LatentDimension;
        // Shared out among the members, rounded up: an ensemble takes hardly longer than one model.
        _samples = (options.Samples + model.Members.Count - 1) / model.Members.Count;
        _threads = options.Threads == 0 ? Environment.ProcessorCount : options.Threads;
        _cancellation = options.CancellationToken;
        for (int m = 0; m < model.Members.Count; m++)
        {
            var random = new SeededRandom(SeedStream.Derive(options.Seed, Purpose.Sample, m));
            var member = model.Members[m];
            bool masks = options.SampleDropout && member.Options.Dropout > 0;
            var blocks = new List<Draws>();
            for (int left = _samples; left > 0; left -= DecodedRows)
            {
                int draws = Math.Min(left, DecodedRows);
                float[] noise = new float[draws * _latent];
                // In pairs of ε and -ε, whose errors of first order cancel.
                for (int i = 0; i < noise.Length; i++)
                    noise[i] = i / _latent % 2 == 0 ? (float)random.NextNormal() : -noise[i - _latent];
                blocks.Add(new(noise, masks ? [.. member.Options.DecoderLayers.Select(width => Mask(random, draws * width, member.Options.Dropout))] : []));
            }
            _members.Add((OnnxBlockScorer.Open(VaeGraphs.EvidenceFile(member, masks)), [.. blocks]));
        }
    }

    /// <summary>The bounds of sequences in nats, averaged over the members.</summary>
    /// <param name="tokens">Tokens of the sequences, row-major.</param>
    public double[] Bounds(byte[] tokens)
    {
        int length = _layout.Length, count = tokens.Length / length, rows = Math.Max(1, DecodedRows / Math.Min(_samples, DecodedRows));
        var sums = new double[count];
        foreach (var (session, noise) in _members)
        {
            // Blocks are the same whatever the number of threads, and so are the sums within them.
            Parallel.For(0, (count + rows - 1) / rows, new ParallelOptions { MaxDegreeOfParallelism = _threads, CancellationToken = _cancellation }, block =>
            {
                int start = block * rows, n = Math.Min(rows, count - start);
                using var input = TokenTensors.Create(tokens.AsSpan(start * length, n * length), length);
                foreach (var draws in noise)
                    Add(session, input, draws, sums.AsSpan(start, n));
            });
        }
        for (int i = 0; i < sums.Length; i++)
            sums[i] /= _members.Count;
        return sums;
    }

    private void Add(SharedSession shared, OrtValue input, Draws draws, Span<double> sums)
    {
        int samples = draws.Noise.Length / _latent;
        string[] names = [VaeGraphs.Tokens, VaeGraphs.SampleNoise, .. draws.Masks.Select((_, layer) => Check.Invariant($"{VaeGraphs.SampleMask}.{layer}"))];
        using var options = new RunOptions();
        var session = shared.Enter();
        OrtValue[] values = [.. draws.Masks.Prepend(draws.Noise).Select(numbers => OrtValue.CreateTensorValueFromMemory(numbers, [samples, numbers.Length / samples]))];
        try
        {
            using var results = session.Run(options, names, [input, .. values], [VaeGraphs.ExpectedLogLikelihood, VaeGraphs.Divergence]);
            ReadOnlySpan<float> likelihood = results[0].GetTensorDataAsSpan<float>(), divergence = results[1].GetTensorDataAsSpan<float>();
            for (int i = 0; i < sums.Length; i++)
                sums[i] += ((double)likelihood[i] - divergence[i]) * samples / _samples;
        }
        finally
        {
            shared.Leave();
            foreach (var value in values)
                value.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var (session, _) in _members)
            session.Dispose();
    }

    /// <summary>Zeros for a share of the numbers, and for the others what makes up for them.</summary>
    private static float[] Mask(SeededRandom random, int length, float dropout)
    {
        var mask = new float[length];
        foreach (ref float value in mask.AsSpan())
            value = random.NextUniform() >= dropout ? 1 / (1 - dropout) : 0;
        return mask;
    }
}
