namespace Vae.MLNet.Inference;

/// <summary>The rule by which a gradient becomes a step; g is the gradient, η the learning rate.</summary>
public enum LatentOptimizer
{
    /// <summary>z ← z - η g.</summary>
    GradientDescent,

    /// <summary>v ← μ v + g, z ← z - η v, with μ the momentum (Polyak 1964).</summary>
    Momentum,

    /// <summary>Adam with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 (Kingma and Ba 2015): steps of about η whatever the gradient's size.</summary>
    Adam,
}

/// <summary>How <see cref="VaeDecoder.Optimize"/> descends.</summary>
public sealed record LatentOptimizationOptions
{
    /// <summary>Largest number of steps. Default 200.</summary>
    public int Steps { get; init; } = 200;

    /// <summary>Rule for a step. Default Adam.</summary>
    public LatentOptimizer Optimizer { get; init; } = LatentOptimizer.Adam;

    /// <summary>Step size η, in units of the prior's standard deviation for Adam. Default 0.05.</summary>
    public float LearningRate { get; init; } = 0.05f;

    /// <summary>μ of <see cref="LatentOptimizer.Momentum"/>, in [0, 1). Default 0.9.</summary>
    public float Momentum { get; init; } = 0.9f;

    /// <summary>Weight of |z|²/2, the prior's negative log-density but for a constant: it keeps z where the training data were. Default 0.</summary>
    public float PriorWeight { get; init; }

    /// <summary>The descent ends where the gradient is no longer than this. Default 0: only where it vanishes.</summary>
    public float GradientTolerance { get; init; }

    internal LatentOptimizationOptions Validate()
    {
        if (Steps is < 0 or > 10_000_000)
            throw Guard.OutOfRange(nameof(Steps), Steps, "between 0 and 10000000");
        Guard.Defined(Optimizer);
        Guard.Positive(LearningRate);
        if (!(Momentum >= 0 && Momentum < 1))
            throw Guard.OutOfRange(nameof(Momentum), Momentum, "at least 0 and below 1");
        Guard.NotNegative(PriorWeight);
        Guard.NotNegative(GradientTolerance);
        return this;
    }
}
