using TorchSharp;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static TorchSharp.torch;

namespace Vae.MLNet.Anomaly;

/// <summary>
/// What each scaled feature of the training rows ranged over. Networks see values within it alone and may answer within it alone: beyond it
/// they extrapolate, and a reconstruction that follows a far-out value, or overflows on it, would make the most extreme rows ordinary. So a
/// residual grows with what is beyond the range.
/// </summary>
internal sealed record AnomalyRange(float[] Low, float[] High)
{
    /// <param name="scaled">Scaled rows.</param>
    /// <param name="features">Numbers in a row.</param>
    public static AnomalyRange Of(ReadOnlySpan<float> scaled, int features)
    {
        float[] low = scaled[..features].ToArray(), high = [.. low];
        for (int i = features; i < scaled.Length; i++)
        {
            int j = i % features;
            (low[j], high[j]) = (Math.Min(low[j], scaled[i]), Math.Max(high[j], scaled[i]));
        }
        return new(low, high);
    }
}

/// <summary>One network of the ensemble, with the constants of its score.</summary>
/// <param name="Model">The network.</param>
/// <param name="Spread">
/// Each feature's absolute residual, in scaled units, that 68 % of the training rows stay below: one standard deviation of a normal
/// residual. Kept above <see cref="SmallestSpread"/>.
/// </param>
internal sealed record AnomalyMember(VaeModel Model, float[] Spread)
{
    /// <summary>
    /// Residuals below this, where the bulk of a feature has spread one, are taken for exact: a constant feature would otherwise be divided
    /// by rounding errors.
    /// </summary>
    public const float SmallestSpread = 0.1f;

    /// <summary>Share of a normal distribution within one standard deviation.</summary>
    public const double WithinOneDeviation = 0.6826894921370859;

    /// <summary>Most rows that quantiles are taken from, evenly spaced; their relative error is then below one per cent.</summary>
    private const int MostRows = 1 << 16;

    /// <summary>Scaled training rows, or an even sample of them where there are many.</summary>
    public static float[] Sample(TrainingData data, InputScale scale)
    {
        int features = data.Features.Length / data.Rows;
        float[] sample = Sample(data);
        using var scope = NewDisposeScope();
        return scale.Apply(tensor(sample, [sample.Length / features, features])).contiguous().data<float>().ToArray();
    }

    /// <summary>The same rows as they come.</summary>
    public static float[] Sample(TrainingData data)
    {
        int features = data.Features.Length / data.Rows, rows = Math.Min(data.Rows, MostRows);
        var sample = new float[rows * features];
        for (int i = 0; i < rows; i++)
        {
            int row = (int)((long)i * data.Rows / rows);
            data.Features.AsSpan(row * features, features).CopyTo(sample.AsSpan(i * features));
        }
        return sample;
    }

    /// <summary>Each feature's values in scaled rows, sorted.</summary>
    public static float[][] Sorted(ReadOnlySpan<float> scaled, int features)
    {
        var columns = new float[features][];
        int rows = scaled.Length / features;
        for (int j = 0; j < features; j++)
        {
            columns[j] = new float[rows];
            for (int i = 0; i < rows; i++)
                columns[j][i] = scaled[i * features + j];
            Array.Sort(columns[j]);
        }
        return columns;
    }

    /// <summary>The member, and what its reconstruction term 2 Σ log(1 + (r / spread)² / 3) is for each row of the sample, at most its rarity where a feature has one.</summary>
    public static (AnomalyMember Member, float[] Terms) From(VaeModel model, ReadOnlySpan<float> scaled, AnomalyRange range, AnomalyRarity? rarity = null)
    {
        int features = model.FeatureCount, rows = scaled.Length / features;
        var residuals = new float[scaled.Length];
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var network = new VaeNetwork(model.Architecture, CPU, model.Parameters, trainable: false);
        Tensor low = tensor(range.Low), high = tensor(range.High);
        const int Block = 4096;
        for (int start = 0; start < rows; start += Block)
        {
            using var blockScope = NewDisposeScope();
            int count = Math.Min(Block, rows - start);
            var block = tensor(scaled.Slice(start * features, count * features).ToArray(), [count, features]).clone();
            (block - network.Decode(network.Encode(block).Mean).maximum(low).minimum(high)).contiguous().data<float>().CopyTo(residuals.AsSpan(start * features));
        }
        var spread = new float[features];
        var column = new float[rows];
        for (int j = 0; j < features; j++)
        {
            for (int i = 0; i < rows; i++)
                column[i] = Math.Abs(residuals[i * features + j]);
            Array.Sort(column);
            spread[j] = Math.Max(SmallestSpread, (float)InputScale.Quantile(column, WithinOneDeviation));
        }
        var terms = new float[rows];
        int[]? places = rarity?.Places(features);
        for (int i = 0; i < rows; i++)
        {
            double sum = 0;
            for (int j = 0; j < features; j++)
            {
                double t = residuals[i * features + j] / spread[j];
                double term = 2 * Math.Log(1 + t * t / 3);
                sum += places is not null && places[j] >= 0 ? Math.Min(term, rarity!.Count(places[j], scaled[i * features + j])) : term;
            }
            terms[i] = (float)sum;
        }
        return (new(model, spread), terms);
    }
}
