using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Pipelines;

/// <summary>Rows as the transforms of a pipeline were fitted to, drawn from what they keep of their data.</summary>
internal static class PipelineRows
{
    /// <summary>Rows that an exported pipeline is compared on.</summary>
    public const int Count = 256;

    /// <summary>Of these, the last ones lie three times as far out as the others.</summary>
    private const int Wide = Count / 4;

    /// <summary>Rows that the decoder gives for draws from the prior, with the noise of the likelihood; tokens for a model of sequences.</summary>
    public static double[][] From(VaeModel model, SeededRandom random)
    {
        float[] decoded = Decode(model, random);
        int size = decoded.Length / Count;
        double[][] rows = [.. Enumerable.Range(0, Count).Select(i => decoded.AsSpan(i * size, size).ToArray().Select(value => (double)value).ToArray())];
        switch (model.Options.Likelihood)
        {
            case Likelihood.Categorical when model.Architecture.Tokens is { } layout:
                return [.. rows.Select(row => Tokens(layout, position => row.AsSpan(position * model.Options.GroupSize, model.Options.GroupSize), random))];
            case Likelihood.Categorical:
                int group = model.Options.GroupSize;
                for (int i = 0; i < Count; i += 2)
                {
                    for (int j = 0; j < size; j += group)
                    {
                        int picked = Draw(rows[i].AsSpan(j, group), random);
                        for (int k = 0; k < group; k++)
                            rows[i][j + k] = k == picked ? 1 : 0;
                    }
                }
                return rows;
            case Likelihood.Bernoulli:
                for (int i = 0; i < Count; i += 2)
                {
                    for (int j = 0; j < size; j++)
                        rows[i][j] = random.NextUniform() < rows[i][j] ? 1 : 0;
                }
                return rows;
        }
        float[] noise = model.Noise;
        for (int j = 0; j < size; j++)
        {
            // An asinh has no noise in units of the data; a part of the spread stands for it.
            double deviation = noise.Length > 0 ? noise[noise.Length == 1 ? 0 : j] : model.Scale.Factor.Length > 0 ? 0.5 / Math.Abs(model.Scale.Factor[j]) : 0;
            foreach (double[] row in rows)
                row[j] += deviation * random.NextNormal();
            double mean = rows.Average(row => row[j]), spread = Spread(rows, j);
            foreach (double[] row in rows.AsSpan(Count - Wide))
                row[j] = mean + 3 * spread * random.NextNormal();
        }
        return rows;
    }

    /// <summary>Standard deviation of a number over all rows.</summary>
    public static double Spread(double[][] rows, int at)
    {
        double mean = rows.Average(row => row[at]);
        return Math.Sqrt(rows.Average(row => (row[at] - mean) * (row[at] - mean)));
    }

    /// <summary>Tokens by their frequencies.</summary>
    public static double[][] From(SiteIndependentModel model, SeededRandom random)
    {
        int symbols = model.Layout.Alphabet.OutputSymbolCount, tokens = model.Layout.Alphabet.TokenCount;
        double[] frequencies = [.. model.Logs.ToArray().Select(value => Math.Exp(value))];
        return [.. Enumerable.Range(0, Count).Select(_ => Tokens(model.Layout, position => frequencies.AsSpan(position * tokens, symbols), random))];
    }

    /// <summary>Independent normal numbers; the last rows three times as far out.</summary>
    public static double[][] Around(ReadOnlySpan<float> center, ReadOnlySpan<float> spread, SeededRandom random)
    {
        var rows = new double[Count][];
        for (int i = 0; i < Count; i++)
        {
            rows[i] = new double[center.Length];
            for (int j = 0; j < center.Length; j++)
                rows[i][j] = center[j] + (i < Count - Wide ? 1 : 3) * spread[j] * random.NextNormal();
        }
        return rows;
    }

    /// <summary>The same rows with gaps in every fourth.</summary>
    public static double[][] WithGaps(double[][] rows, SeededRandom random)
    {
        rows = [.. rows.Select(row => row.ToArray())];
        for (int i = 0; i < rows.Length; i += 4)
        {
            rows[i][random.NextIndex(rows[i].Length)] = double.NaN;
            for (int j = 0; j < rows[i].Length; j++)
                rows[i][j] = random.NextUniform() < 0.2 ? double.NaN : rows[i][j];
        }
        return rows;
    }

    /// <summary>Rows taken back through a transform that has an inverse.</summary>
    public static double[][] Mapped(double[][] rows, int size, Action<ReadOnlySpan<float>, Span<float>> map) => [.. rows.Select(row =>
    {
        var mapped = new float[size];
        map([.. row.Select(value => (float)value)], mapped);
        return mapped.Select(value => (double)value).ToArray();
    })];

    /// <summary>
    /// Conformations turned and moved at random, every other one reflected, so that centring and alignment have something to do; some stay
    /// as they are.
    /// </summary>
    public static double[][] Turned(double[][] rows, int dimensions, SeededRandom random)
    {
        rows = [.. rows.Select(row => row.ToArray())];
        for (int i = 0; i < rows.Length; i++)
        {
            if (i % 8 == 7)
                continue;
            double[] row = rows[i];
            for (int k = 0; i % 2 == 1 && k < row.Length; k += dimensions)
                row[k] = -row[k];
            double size = Math.Sqrt(row.Average(value => value * value));
            for (int d = 0; d < dimensions; d++)
            {
                double shift = size * random.NextNormal();
                for (int k = d; k < row.Length; k += dimensions)
                    row[k] += shift;
            }
            // By all planes of two axes: any rotation can come of it.
            for (int a = 0; dimensions <= 3 && a < dimensions; a++)
            {
                for (int b = a + 1; b < dimensions; b++)
                {
                    var (sin, cos) = Math.SinCos(2 * Math.PI * random.NextUniform());
                    for (int k = 0; k < row.Length; k += dimensions)
                        (row[k + a], row[k + b]) = (cos * row[k + a] - sin * row[k + b], sin * row[k + a] + cos * row[k + b]);
                }
            }
        }
        return rows;
    }

    private static float[] Decode(VaeModel model, SeededRandom random)
    {
        float[] z = [.. Enumerable.Range(0, Count * model.LatentDimension).Select(_ => (float)random.NextNormal())];
        using var quiet = ExportCheck.QuietOptions();
        using var session = new InferenceSession(VaeGraphs.DecoderFile(model, withGradient: false), quiet);
        using var latent = OrtValue.CreateTensorValueFromMemory(z, [Count, model.LatentDimension]);
        using var options = new RunOptions();
        using var results = session.Run(options, [VaeGraphs.Latent], [latent], [VaeGraphs.Reconstruction]);
        return results[0].GetTensorDataAsSpan<float>().ToArray();
    }

    private delegate ReadOnlySpan<double> Probabilities(int position);

    /// <summary>One sequence; some tokens are any that the alphabet has, unknown letters too.</summary>
    private static double[] Tokens(SequenceLayout layout, Probabilities probabilities, SeededRandom random)
    {
        var row = new double[layout.Length];
        for (int position = 0; position < row.Length; position++)
            row[position] = random.NextUniform() < 0.05 ? random.NextIndex(layout.Alphabet.TokenCount) : Draw(probabilities(position), random);
        return row;
    }

    private static int Draw(ReadOnlySpan<double> probabilities, SeededRandom random)
    {
        double at = random.NextUniform();
        for (int k = 0; k < probabilities.Length - 1; k++)
        {
            at -= probabilities[k];
            if (at < 0)
                return k;
        }
        return probabilities.Length - 1;
    }
}
