using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Running;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Training;

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
    private readonly List<(SharedSession Session, float[][] Noise)> _members = [];
    private readonly int _latent, _samples, _threads;
    private readonly CancellationToken _cancellation;

    public VariantScorer(SequenceVaeModel model, VariantScoringOptions options)
    {
        _layout = model.Layout;
        _latent = model.LatentDimension;
        _samples = options.Samples;
        _threads = options.Threads == 0 ? Environment.ProcessorCount : options.Threads;
        _cancellation = options.CancellationToken;
        for (int m = 0; m < model.Members.Count; m++)
        {
            var random = new NormalStream(SeedStream.Derive(options.Seed, Purpose.Sample, m));
            var blocks = new List<float[]>();
            for (int left = _samples; left > 0; left -= DecodedRows)
            {
                float[] block = new float[Math.Min(left, DecodedRows) * _latent];
                foreach (ref float value in block.AsSpan())
                    value = (float)random.Next();
                blocks.Add(block);
            }
            _members.Add((OnnxBlockScorer.Open(VaeGraphs.EvidenceFile(model.Members[m])), [.. blocks]));
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
                foreach (float[] draws in noise)
                    Add(session, input, draws, sums.AsSpan(start, n));
            });
        }
        for (int i = 0; i < sums.Length; i++)
            sums[i] /= _members.Count;
        return sums;
    }

    private void Add(SharedSession shared, OrtValue input, float[] draws, Span<double> sums)
    {
        int samples = draws.Length / _latent;
        using var noise = OrtValue.CreateTensorValueFromMemory(draws, [samples, _latent]);
        using var options = new RunOptions();
        var session = shared.Enter();
        try
        {
            using var results = session.Run(options, [VaeGraphs.Tokens, VaeGraphs.SampleNoise], [input, noise], [VaeGraphs.ExpectedLogLikelihood, VaeGraphs.Divergence]);
            ReadOnlySpan<float> likelihood = results[0].GetTensorDataAsSpan<float>(), divergence = results[1].GetTensorDataAsSpan<float>();
            for (int i = 0; i < sums.Length; i++)
                sums[i] += ((double)likelihood[i] - divergence[i]) * samples / _samples;
        }
        finally
        {
            shared.Leave();
        }
    }

    public void Dispose()
    {
        foreach (var (session, _) in _members)
            session.Dispose();
    }

    /// <summary>Normal numbers from SplitMix64 by Box and Muller's transformation.</summary>
    private sealed class NormalStream(ulong state)
    {
        private ulong _state = state;

        public double Next() => Math.Sqrt(-2 * Math.Log(Uniform())) * Math.Cos(2 * Math.PI * Uniform());

        /// <summary>In (0, 1].</summary>
        private double Uniform()
        {
            _state += 0x9E3779B97F4A7C15UL;
            return ((SeedStream.Mix(_state) >> 11) + 1) * (1.0 / (1UL << 53));
        }
    }
}
