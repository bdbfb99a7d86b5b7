namespace Vae.MLNet.Inference.Objectives;

/// <summary>An objective on points of a number of dimensions, one after another.</summary>
internal abstract class ChainObjective : LatentObjective
{
    protected ChainObjective(int dimensions) => Dimensions = Guard.AtLeast(dimensions, 1);

    protected int Dimensions { get; }

    protected abstract string Name { get; }

    protected internal override void Validate(int outputSize)
    {
        if (outputSize == 0 || outputSize % Dimensions != 0)
            throw new ArgumentException(Guard.Invariant($"{Name}: an output of {outputSize} numbers does not hold whole points of {Dimensions} coordinates."));
    }
}

/// <summary>Rg² = Σ |r_i - r̄|² / n; ∂Rg/∂r_i = (r_i - r̄) / (n Rg).</summary>
internal sealed class RadiusOfGyrationObjective(int dimensions) : ChainObjective(dimensions)
{
    protected override string Name => nameof(RadiusOfGyration);

    protected internal override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient)
    {
        int points = output.Length / Dimensions;
        double sum = 0;
        for (int axis = 0; axis < Dimensions; axis++)
        {
            double mean = 0;
            for (int i = axis; i < output.Length; i += Dimensions)
                mean += output[i];
            mean /= points;
            for (int i = axis; i < output.Length; i += Dimensions)
            {
                double offset = output[i] - mean;
                gradient[i] = (float)offset;
                sum += offset * offset;
            }
        }
        double radius = Math.Sqrt(sum / points);
        double scale = radius > 0 ? 1 / (points * radius) : 0;
        for (int i = 0; i < gradient.Length; i++)
            gradient[i] = (float)(gradient[i] * scale);
        return radius;
    }
}

/// <summary>The sum over pairs of points of the squared distance that their distance is outside of a range.</summary>
internal sealed class DistanceObjective : ChainObjective
{
    private readonly float[] _minimum, _maximum;
    private readonly int _nearest, _farthest;
    private readonly bool _perPair;

    /// <param name="name">How errors speak of it.</param>
    /// <param name="dimensions">Coordinates of a point.</param>
    /// <param name="minimum">Lower ends: one, or one for each pair.</param>
    /// <param name="maximum">Upper ends.</param>
    /// <param name="nearest">Least difference of places in the chain.</param>
    /// <param name="farthest">Largest difference of places in the chain.</param>
    /// <param name="perPair">Whether there is a range for each pair.</param>
    private DistanceObjective(string name, int dimensions, ReadOnlySpan<float> minimum, ReadOnlySpan<float> maximum, int nearest, int farthest, bool perPair)
        : base(dimensions)
    {
        for (int i = 0; i < minimum.Length; i++)
        {
            Guard.NotNegative(minimum[i], nameof(minimum));
            if (!(maximum[i] >= minimum[i]))
                throw Guard.OutOfRange(nameof(maximum), maximum[i], Guard.Invariant($"at least the minimum, {minimum[i]}"));
        }
        Name = name;
        _minimum = minimum.ToArray();
        _maximum = maximum.ToArray();
        _nearest = nearest;
        _farthest = farthest;
        _perPair = perPair;
    }

    protected override string Name { get; }

    public static DistanceObjective Bonds(int dimensions, ReadOnlySpan<float> minimum, ReadOnlySpan<float> maximum, bool perPair = false)
    {
        foreach (float value in maximum)
            Guard.NotNegative(value, nameof(maximum));
        return new(nameof(BondLengths), dimensions, minimum, maximum, 1, 1, perPair);
    }

    public static DistanceObjective NonBonded(int dimensions, ReadOnlySpan<float> minimum, int separation, bool perPair = false)
    {
        Guard.AtLeast(separation, 1);
        var maximum = new float[minimum.Length];
        Array.Fill(maximum, float.PositiveInfinity);
        return new(nameof(NonBondedDistances), dimensions, minimum, maximum, separation, int.MaxValue, perPair);
    }

    protected internal override void Validate(int outputSize)
    {
        base.Validate(outputSize);
        if (!_perPair)
            return;
        long points = outputSize / Dimensions, pairs;
        if (_farthest == _nearest)
            pairs = Math.Max(0, points - _nearest);
        else
            pairs = points > _nearest ? (points - _nearest) * (points - _nearest + 1) / 2 : 0;
        if (pairs != _minimum.Length)
        {
            throw new ArgumentException(Guard.Invariant(
                $"{Name}: ranges for {_minimum.Length} pairs were given; an output of {outputSize} numbers has {points} points and {pairs} such pairs."));
        }
    }

    protected internal override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient)
    {
        int points = output.Length / Dimensions, pair = 0;
        double sum = 0;
        for (int i = 0; i < points; i++)
        {
            int last = (int)Math.Min(points - 1, (long)i + _farthest);
            for (int j = i + _nearest; j <= last; j++)
            {
                int range = _perPair ? pair++ : 0;
                sum += Pair(output, gradient, i * Dimensions, j * Dimensions, _minimum[range], _maximum[range]);
            }
        }
        return sum;
    }

    private double Pair(ReadOnlySpan<float> output, Span<float> gradient, int i, int j, float minimum, float maximum)
    {
        double square = 0;
        for (int axis = 0; axis < Dimensions; axis++)
        {
            double difference = (double)output[j + axis] - output[i + axis];
            square += difference * difference;
        }
        double distance = Math.Sqrt(square);
        double excess = distance < minimum ? distance - minimum : distance > maximum ? distance - maximum : 0;
        if (excess == 0)
            return 0;
        if (distance > 0)
        {
            double slope = 2 * excess / distance;
            for (int axis = 0; axis < Dimensions; axis++)
            {
                float push = (float)(slope * ((double)output[j + axis] - output[i + axis]));
                gradient[j + axis] += push;
                gradient[i + axis] -= push;
            }
        }
        else
        {
            // Two points in one place: any direction takes them apart; the first axis is taken, so that they do not stay.
            gradient[j] += (float)(2 * excess);
            gradient[i] -= (float)(2 * excess);
        }
        return excess * excess;
    }
}
