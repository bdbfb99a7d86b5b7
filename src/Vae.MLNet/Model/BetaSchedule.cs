using System.Text.Json.Serialization;

namespace Vae.MLNet;

/// <summary>How the weight of the KL term, Beta, grows during the training.</summary>
[JsonDerivedType(typeof(ConstantSchedule), "constant")]
[JsonDerivedType(typeof(WarmUpSchedule), "warmUp")]
[JsonDerivedType(typeof(CyclicalSchedule), "cyclical")]
public abstract record BetaSchedule
{
    private protected BetaSchedule()
    {
    }

    /// <summary>The full Beta from the first step on.</summary>
    public static BetaSchedule Constant { get; } = new ConstantSchedule();

    /// <summary>Linear from 0 to the full Beta over the first epochs (Bowman et al. 2016, Sønderby et al. 2016), against a posterior that collapses early.</summary>
    /// <param name="epochs">Epochs until the full Beta is reached; at least 1.</param>
    /// <returns>The schedule.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="epochs"/> is below 1.</exception>
    public static BetaSchedule WarmUp(int epochs) => new WarmUpSchedule(Check.AtLeast(epochs, 1));

    /// <summary>Several cycles, each rising linearly from 0 to the full Beta and staying there (Fu et al. 2019).</summary>
    /// <param name="cycles">Cycles over the whole training; at least 1.</param>
    /// <param name="rise">Share of a cycle spent rising, between 0 and 1.</param>
    /// <returns>The schedule.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    public static BetaSchedule Cyclical(int cycles = 4, double rise = 0.5) => new CyclicalSchedule(Check.AtLeast(cycles, 1), Check.InRange(rise, 0d, 1d));

    /// <summary>Share of the full Beta, between 0 and 1, at a point of the training.</summary>
    /// <param name="epoch">Epochs done, with fractions.</param>
    /// <param name="epochs">Epochs planned.</param>
    internal abstract double Factor(double epoch, int epochs);

    internal sealed record ConstantSchedule : BetaSchedule
    {
        internal override double Factor(double epoch, int epochs) => 1;
    }

    internal sealed record WarmUpSchedule(int Epochs) : BetaSchedule
    {
        internal override double Factor(double epoch, int epochs) => Math.Min(1, epoch / Epochs);
    }

    internal sealed record CyclicalSchedule(int Cycles, double Rise) : BetaSchedule
    {
        internal override double Factor(double epoch, int epochs)
        {
            double phase = epoch * Cycles / epochs;
            phase -= Math.Floor(phase);
            return Rise == 0 ? 1 : Math.Min(1, phase / Rise);
        }
    }
}

/// <summary>Stops a training that no longer improves, and restores the best weights.</summary>
public sealed record EarlyStopping
{
    /// <summary>Epochs without an improvement of the validation loss after which the training stops. Default 10.</summary>
    public int Patience { get; init; } = 10;

    /// <summary>What counts as an improvement: a loss lower than the best by more than this. Default 0.</summary>
    public double MinimumImprovement { get; init; }

    internal void Validate()
    {
        Check.AtLeast(Patience, 1);
        Check.AtLeast(MinimumImprovement, 0d);
    }
}
