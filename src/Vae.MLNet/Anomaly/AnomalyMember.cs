using TorchSharp;
using Vae.MLNet.Training;
using static TorchSharp.torch;

namespace Vae.MLNet.Anomaly;

/// <summary>One network of the ensemble, with the constants of its score.</summary>
/// <param name="Model">The network.</param>
/// <param name="Spread">Median of each feature's absolute residual over the training rows, in scaled units; kept above <see cref="SmallestSpread"/>.</param>
/// <param name="Center">Reconstruction of the prior's centre, decode(0), in scaled units.</param>
internal sealed record AnomalyMember(VaeModel Model, float[] Spread, float[] Center)
{
    /// <summary>
    /// Residuals below this, where the bulk of a feature has spread one, are taken for exact: a constant feature would otherwise be divided by rounding errors.
    /// </summary>
    public const float SmallestSpread = 0.05f;

    /// <summary>Most rows that the medians are taken from, evenly spaced; their relative error is then below one per cent.</summary>
    private const int MostRows = 1 << 16;

    public static AnomalyMember From(VaeModel model, TrainingData data)
    {
        int features = model.FeatureCount;
        int rows = Math.Min(data.Rows, MostRows);
        var residuals = new float[features][];
        for (int j = 0; j < features; j++)
            residuals[j] = new float[rows];

        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var network = new VaeNetwork(model.Architecture, CPU, model.Parameters, trainable: false);
        const int Block = 4096;
        for (int start = 0; start < rows; start += Block)
        {
            using var blockScope = NewDisposeScope();
            int count = Math.Min(Block, rows - start);
            var block = new float[count * features];
            for (int i = 0; i < count; i++)
            {
                int row = (int)((long)(start + i) * data.Rows / rows);
                data.Features.AsSpan(row * features, features).CopyTo(block.AsSpan(i * features));
            }
            var scaled = VaeTraining.Scaled(tensor(block, [count, features]), model.Scale);
            var residual = (scaled - network.Decode(network.Encode(scaled).Mean)).abs_().t().contiguous();
            var values = residual.data<float>().ToArray();
            for (int j = 0; j < features; j++)
                values.AsSpan(j * count, count).CopyTo(residuals[j].AsSpan(start));
        }
        var spread = new float[features];
        for (int j = 0; j < features; j++)
        {
            Array.Sort(residuals[j]);
            spread[j] = Math.Max(SmallestSpread, (float)InputScale.Quantile(residuals[j], 0.5));
        }
        float[] center = network.Decode(zeros(1, model.LatentDimension)).data<float>().ToArray();
        return new(model, spread, center);
    }
}
