namespace Vae.MLNet.Inference;

/// <summary>The path that an optimisation took.</summary>
public sealed class LatentOptimization
{
    internal LatentOptimization(DecodedLatents path, double[] values, double[] objectives, bool converged)
    {
        Path = path;
        Values = Array.AsReadOnly(values);
        Objectives = Array.AsReadOnly(objectives);
        Converged = converged;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] < values[BestIndex])
                BestIndex = i;
        }
    }

    /// <summary>Latents and outputs from the start on: one row more than there were steps.</summary>
    public DecodedLatents Path { get; }

    /// <summary>What was made small, at each point of the path: the objective and the prior's share.</summary>
    public IReadOnlyList<double> Values { get; }

    /// <summary>The objective alone, at each point of the path.</summary>
    public IReadOnlyList<double> Objectives { get; }

    /// <summary>The point with the least value; the first of equal ones.</summary>
    public int BestIndex { get; }

    /// <summary>The best point's latent.</summary>
    public ReadOnlySpan<float> BestLatent => Path.Latent(BestIndex);

    /// <summary>The best point's output.</summary>
    public ReadOnlySpan<float> BestOutput => Path.Output(BestIndex);

    /// <summary>The best point's value.</summary>
    public double BestValue => Values[BestIndex];

    /// <summary>Whether the descent ended because the gradient fell to the tolerance, not because the steps were used up.</summary>
    public bool Converged { get; }
}
