using System.Buffers;

namespace Vae.MLNet.Inference.Objectives;

/// <summary>A function of the user's.</summary>
internal sealed class DelegateObjective(LatentObjective.ValueAndGradient function) : LatentObjective
{
    protected internal override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient) => function(output, gradient);
}

/// <summary>A weighted sum of objectives.</summary>
internal sealed class SumObjective : LatentObjective
{
    private readonly (LatentObjective Objective, double Weight)[] _terms;

    private SumObjective((LatentObjective, double)[] terms) => _terms = terms;

    public static SumObjective Of(LatentObjective objective, double weight)
    {
        ArgumentNullException.ThrowIfNull(objective);
        if (!double.IsFinite(weight))
            throw Guard.OutOfRange(nameof(weight), weight, "finite");
        return new([.. Terms(objective, weight)]);
    }

    public static SumObjective Of(LatentObjective left, double leftWeight, LatentObjective right, double rightWeight)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return new([.. Terms(left, leftWeight), .. Terms(right, rightWeight)]);
    }

    protected internal override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient)
    {
        float[] rented = ArrayPool<float>.Shared.Rent(output.Length);
        try
        {
            var part = rented.AsSpan(0, output.Length);
            double sum = 0;
            foreach (var (objective, weight) in _terms)
            {
                part.Clear();
                sum += weight * objective.EvaluateCore(output, part);
                for (int i = 0; i < part.Length; i++)
                    gradient[i] += (float)(weight * part[i]);
            }
            return sum;
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }

    protected internal override void Validate(int outputSize)
    {
        foreach (var (objective, _) in _terms)
            objective.Validate(outputSize);
    }

    /// <summary>Sums of sums become one sum.</summary>
    private static IEnumerable<(LatentObjective, double)> Terms(LatentObjective objective, double weight) =>
        objective is SumObjective sum ? sum._terms.Select(term => (term.Objective, term.Weight * weight)) : [(objective, weight)];
}

/// <summary>Half the squared distance of an objective from a value.</summary>
internal sealed class TargetObjective(LatentObjective objective, double value) : LatentObjective
{
    protected internal override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient)
    {
        double difference = objective.EvaluateCore(output, gradient) - value;
        for (int i = 0; i < gradient.Length; i++)
            gradient[i] = (float)(difference * gradient[i]);
        return 0.5 * difference * difference;
    }

    protected internal override void Validate(int outputSize) => objective.Validate(outputSize);
}
