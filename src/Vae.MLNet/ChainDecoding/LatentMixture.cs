using Vae.MLNet.Inference.Randomness;

namespace Vae.MLNet.ChainDecoding;

/// <summary>
/// A mixture of normal distributions with diagonal covariance, fitted to draws from the aggregate posterior by expectation maximisation
/// (Dempster, Laird and Rubin 1977): rows drawn from it have latent vectors as the training rows have them, which the standard normal
/// prior does not promise. The number of components is the one with the best likelihood of held-out draws.
/// </summary>
/// <param name="Weights">Weights of the components.</param>
/// <param name="Means">Their means, [components, dimensions].</param>
/// <param name="Deviations">Their standard deviations, [components, dimensions].</param>
internal sealed record LatentMixture(double[] Weights, double[] Means, double[] Deviations)
{
    private const int Passes = 60;

    /// <summary>Variance that every component has at least, so that none sits on single draws.</summary>
    private const double LeastVariance = 1e-4;

    public int Components => Weights.Length;

    public int Dimensions => Means.Length / Weights.Length;

    /// <param name="draws">Draws, [rows, dimensions].</param>
    /// <param name="dimensions">Dimensions.</param>
    /// <param name="seed">Seed of the starting points.</param>
    public static LatentMixture Fit(float[] draws, int dimensions, int seed)
    {
        int rows = draws.Length / dimensions, held = rows / 5;
        LatentMixture? best = null;
        double bestLoss = double.PositiveInfinity;
        int bestCount = 1;
        foreach (int components in new[] { 1, 4, 10, 20, 40 })
        {
            if (rows - held < components * 20 && components > 1)
                break;
            var fitted = Fit(draws.AsSpan(held * dimensions), dimensions, components, seed);
            double loss = -fitted.LogLikelihood(held > 0 ? draws.AsSpan(0, held * dimensions) : draws);
            if (loss < bestLoss)
                (best, bestLoss, bestCount) = (fitted, loss, components);
        }
        return held > 0 ? Fit(draws, dimensions, bestCount, seed) : best!;
    }

    private static LatentMixture Fit(ReadOnlySpan<float> draws, int dimensions, int components, int seed)
    {
        int rows = draws.Length / dimensions;
        var random = new SeededRandom(seed);
        var weights = new double[components];
        double[] means = new double[components * dimensions], variances = new double[components * dimensions];
        for (int k = 0; k < components; k++)
        {
            int start = (int)(random.NextUniform() * rows);
            weights[k] = 1.0 / components;
            for (int d = 0; d < dimensions; d++)
            {
                means[k * dimensions + d] = draws[start * dimensions + d];
                variances[k * dimensions + d] = 1;
            }
        }
        var responsibilities = new double[rows * components];
        for (int pass = 0; pass < Passes; pass++)
        {
            for (int row = 0; row < rows; row++)
            {
                var shares = responsibilities.AsSpan(row * components, components);
                Responsibilities(draws.Slice(row * dimensions, dimensions), weights, means, variances, shares);
            }
            for (int k = 0; k < components; k++)
            {
                double total = 1e-9;
                for (int row = 0; row < rows; row++)
                    total += responsibilities[row * components + k];
                weights[k] = total / rows;
                for (int d = 0; d < dimensions; d++)
                {
                    double mean = 0, variance = 0;
                    for (int row = 0; row < rows; row++)
                        mean += responsibilities[row * components + k] * draws[row * dimensions + d];
                    mean /= total;
                    for (int row = 0; row < rows; row++)
                    {
                        double difference = draws[row * dimensions + d] - mean;
                        variance += responsibilities[row * components + k] * difference * difference;
                    }
                    means[k * dimensions + d] = mean;
                    variances[k * dimensions + d] = variance / total + LeastVariance;
                }
            }
        }
        double sum = weights.Sum();
        return new([.. weights.Select(weight => weight / sum)], means, [.. variances.Select(Math.Sqrt)]);
    }

    /// <summary>Fills in the components' shares in a draw; gives the logarithm of its density.</summary>
    private static double Responsibilities(
        ReadOnlySpan<float> draw,
        double[] weights,
        double[] means,
        double[] variances,
        Span<double> shares)
    {
        double most = double.NegativeInfinity;
        for (int k = 0; k < weights.Length; k++)
        {
            double log = Math.Log(Math.Max(weights[k], 1e-300));
            for (int d = 0; d < draw.Length; d++)
            {
                double difference = draw[d] - means[k * draw.Length + d], variance = variances[k * draw.Length + d];
                log -= 0.5 * (difference * difference / variance + Math.Log(2 * Math.PI * variance));
            }
            shares[k] = log;
            most = Math.Max(most, log);
        }
        double total = 0;
        for (int k = 0; k < weights.Length; k++)
            total += shares[k] = Math.Exp(shares[k] - most);
        for (int k = 0; k < weights.Length; k++)
            shares[k] /= total;
        return most + Math.Log(total);
    }

    private double LogLikelihood(ReadOnlySpan<float> draws)
    {
        double[] variances = [.. Deviations.Select(deviation => deviation * deviation)];
        var shares = new double[Components];
        double sum = 0;
        for (int row = 0; row < draws.Length / Dimensions; row++)
            sum += Responsibilities(draws.Slice(row * Dimensions, Dimensions), Weights, Means, variances, shares);
        return sum / (draws.Length / Dimensions);
    }
}
