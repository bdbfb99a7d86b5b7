using Vae.MLNet.Inference.Objectives;

namespace Vae.MLNet.Inference;

/// <summary>
/// A function of a decoded output, with its gradient, that <see cref="VaeDecoder.Optimize"/> makes small. Objectives are added and weighted with <c>+</c>,
/// <c>-</c> and <c>*</c>; own ones come from <see cref="Create"/> or from deriving. Objectives are immutable and may be shared by threads.
/// </summary>
/// <remarks>Chains are given as points one after another: x₀ y₀ x₁ y₁ … in two dimensions, x₀ y₀ z₀ x₁ … in three.</remarks>
public abstract class LatentObjective
{
    /// <summary>A function of an output with its gradient.</summary>
    /// <param name="output">The decoded output, in units of the data.</param>
    /// <param name="gradient">Takes the derivative by each number of the output; it comes filled with zeros.</param>
    /// <returns>The function's value.</returns>
    public delegate double ValueAndGradient(ReadOnlySpan<float> output, Span<float> gradient);

    /// <summary>The function's value and its gradient.</summary>
    /// <param name="output">The output, in units of the data.</param>
    /// <param name="gradient">Takes the derivative by each number of the output; its content is replaced.</param>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentException">The two differ in length, or the objective is not one for that many numbers.</exception>
    public double Evaluate(ReadOnlySpan<float> output, Span<float> gradient)
    {
        Guard.Row(gradient.Length, output.Length, nameof(gradient), "as many as the output");
        Validate(output.Length);
        gradient.Clear();
        return EvaluateCore(output, gradient);
    }

    /// <summary>The function's value.</summary>
    /// <param name="output">The output, in units of the data.</param>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentException">The objective is not one for that many numbers.</exception>
    public double Evaluate(ReadOnlySpan<float> output) => Evaluate(output, new float[output.Length]);

    /// <summary>Computes value and gradient.</summary>
    /// <param name="output">The output, in units of the data.</param>
    /// <param name="gradient">Takes the derivative by each number of the output; it comes filled with zeros.</param>
    /// <returns>The value.</returns>
    protected internal abstract double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient);

    /// <summary>Checks that the objective is one for outputs of a size; throws <see cref="ArgumentException"/> where it is not. By default every size will do.</summary>
    /// <param name="outputSize">Numbers in an output.</param>
    protected internal virtual void Validate(int outputSize)
    {
    }

    /// <summary>An objective from a function.</summary>
    /// <param name="function">Gives value and gradient; it has to be safe to call from several threads if the objective is used from several.</param>
    /// <returns>The objective.</returns>
    public static LatentObjective Create(ValueAndGradient function)
    {
        ArgumentNullException.ThrowIfNull(function);
        return new DelegateObjective(function);
    }

    /// <summary>The radius of gyration of a chain: the root of the points' mean squared distance from their mean. Its gradient is zero where all points are one.</summary>
    /// <param name="dimensions">Coordinates of a point.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There are no dimensions.</exception>
    public static LatentObjective RadiusOfGyration(int dimensions) => new RadiusOfGyrationObjective(dimensions);

    /// <summary>
    /// A penalty on bonds, the distances of neighbouring points, outside of a range: the sum over the bonds of (minimum - length)² below it and
    /// (length - maximum)² above it; zero within.
    /// </summary>
    /// <param name="dimensions">Coordinates of a point.</param>
    /// <param name="minimum">Shortest length without penalty, in units of the data.</param>
    /// <param name="maximum">Longest length without penalty, in units of the data.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There are no dimensions, or the range is negative, empty or not finite.</exception>
    public static LatentObjective BondLengths(int dimensions, float minimum, float maximum) => DistanceObjective.Bonds(dimensions, [minimum], [maximum]);

    /// <summary>The penalty of <see cref="BondLengths(int, float, float)"/> with a range for each bond.</summary>
    /// <param name="dimensions">Coordinates of a point.</param>
    /// <param name="minimum">For each bond its shortest length without penalty, in units of the data.</param>
    /// <param name="maximum">For each bond its longest length without penalty, in units of the data.</param>
    /// <returns>The objective, for outputs of one point more than there are bonds.</returns>
    /// <exception cref="ArgumentException">The two differ in length or are empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are no dimensions, or a range is negative, empty or not finite.</exception>
    public static LatentObjective BondLengths(int dimensions, ReadOnlySpan<float> minimum, ReadOnlySpan<float> maximum)
    {
        if (minimum.Length != maximum.Length || minimum.IsEmpty)
            throw new ArgumentException(Guard.Invariant($"minimum and maximum have to hold one number for each bond; they hold {minimum.Length} and {maximum.Length}."), nameof(maximum));
        return DistanceObjective.Bonds(dimensions, minimum, maximum, perPair: true);
    }

    /// <summary>
    /// A penalty on overlaps: the sum of (minimum - distance)² over the pairs of points that are closer than the minimum and at least
    /// <paramref name="separation"/> apart along the chain.
    /// </summary>
    /// <param name="dimensions">Coordinates of a point.</param>
    /// <param name="minimum">Least distance without penalty, in units of the data.</param>
    /// <param name="separation">Least difference of two points' places in the chain; the default 2 leaves out bonds alone.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There are no dimensions, the minimum is negative or not finite, or the separation is below 1.</exception>
    public static LatentObjective NonBondedDistances(int dimensions, float minimum, int separation = 2) =>
        DistanceObjective.NonBonded(dimensions, [minimum], separation);

    /// <summary>The penalty of <see cref="NonBondedDistances(int, float, int)"/> with a minimum for each pair.</summary>
    /// <param name="dimensions">Coordinates of a point.</param>
    /// <param name="minimum">
    /// For each pair (i, j), j ≥ i + <paramref name="separation"/>, its least distance without penalty, in units of the data; ordered by i, then by j.
    /// </param>
    /// <param name="separation">Least difference of two points' places in the chain.</param>
    /// <returns>The objective, for outputs that have exactly as many pairs.</returns>
    /// <exception cref="ArgumentException">There is no minimum.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are no dimensions, a minimum is negative or not finite, or the separation is below 1.</exception>
    public static LatentObjective NonBondedDistances(int dimensions, ReadOnlySpan<float> minimum, int separation = 2)
    {
        if (minimum.IsEmpty)
            throw new ArgumentException("minimum has to hold one number for each pair; it is empty.", nameof(minimum));
        return DistanceObjective.NonBonded(dimensions, minimum, separation, perPair: true);
    }

    /// <summary>Half the squared distance of this objective from a value, (f - value)²/2: small where the objective takes the value.</summary>
    /// <param name="value">Value to reach.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The value is not finite.</exception>
    public LatentObjective Target(double value) =>
        double.IsFinite(value) ? new TargetObjective(this, value) : throw Guard.OutOfRange(nameof(value), value, "finite");

    /// <summary>The sum of two objectives.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <returns>The sum.</returns>
    public static LatentObjective operator +(LatentObjective left, LatentObjective right) => SumObjective.Of(left, 1, right, 1);

    /// <summary>The difference of two objectives.</summary>
    /// <param name="left">The one to be made small.</param>
    /// <param name="right">The one to be made large.</param>
    /// <returns>The difference.</returns>
    public static LatentObjective operator -(LatentObjective left, LatentObjective right) => SumObjective.Of(left, 1, right, -1);

    /// <summary>The negative of an objective: to make it large.</summary>
    /// <param name="objective">The objective.</param>
    /// <returns>The negative.</returns>
    public static LatentObjective operator -(LatentObjective objective) => SumObjective.Of(objective, -1);

    /// <summary>A weighted objective.</summary>
    /// <param name="weight">A finite number.</param>
    /// <param name="objective">The objective.</param>
    /// <returns>The product.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The weight is not finite.</exception>
    public static LatentObjective operator *(double weight, LatentObjective objective) => SumObjective.Of(objective, weight);

    /// <summary>A weighted objective.</summary>
    /// <param name="objective">The objective.</param>
    /// <param name="weight">A finite number.</param>
    /// <returns>The product.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The weight is not finite.</exception>
    public static LatentObjective operator *(LatentObjective objective, double weight) => SumObjective.Of(objective, weight);
}
