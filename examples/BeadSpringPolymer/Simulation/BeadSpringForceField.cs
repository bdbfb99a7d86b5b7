using System.Numerics;
using System.Runtime.CompilerServices;

namespace BeadSpringPolymer.Simulation;

/// <summary>
/// The chain's energy (in double precision, for one chain) and its forces (in single precision, one chain per SIMD lane).
/// Energy = sum over bonds of k/2 (r - r0)^2 + sum over inner beads of kappa/2 phi^2 + sum over pairs two or more apart of Lennard-Jones,
/// cut, shifted and capped as <see cref="BeadSpringOptions"/> says. The forces are minus its gradient everywhere.
/// </summary>
public sealed class BeadSpringForceField
{
    // Keeps divisions finite where two beads coincide.
    private const float TinySquare = 1e-12f;

    private readonly BeadSpringOptions _options;
    private readonly double _cutoff;
    private readonly double _cap;
    private readonly double _shift;

    /// <summary>Takes the constants from validated options.</summary>
    public BeadSpringForceField(BeadSpringOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _cutoff = options.LennardJonesCutoff * options.LennardJonesSigma;
        _cap = options.LennardJonesCap * options.LennardJonesSigma;
        _shift = -LennardJones(_cutoff);
    }

    /// <summary>Energy of one chain, positions as x0, y0, x1, y1, ...</summary>
    public double Energy(ReadOnlySpan<double> positions) =>
        BondEnergy(positions) + BendingEnergy(positions) + LennardJonesEnergy(positions);

    /// <summary>The bonds' part of <see cref="Energy"/>.</summary>
    public double BondEnergy(ReadOnlySpan<double> positions)
    {
        double energy = 0;
        for (int i = 2; i < positions.Length; i += 2)
        {
            double stretch = double.Hypot(positions[i] - positions[i - 2], positions[i + 1] - positions[i - 1]) - _options.BondLength;
            energy += 0.5 * _options.BondStiffness * stretch * stretch;
        }
        return energy;
    }

    /// <summary>The turning angles' part of <see cref="Energy"/>.</summary>
    public double BendingEnergy(ReadOnlySpan<double> positions)
    {
        double energy = 0;
        for (int i = 2; i + 2 < positions.Length; i += 2)
        {
            double ax = positions[i] - positions[i - 2], ay = positions[i + 1] - positions[i - 1];
            double bx = positions[i + 2] - positions[i], by = positions[i + 3] - positions[i + 1];
            double phi = Math.Atan2(ax * by - ay * bx, ax * bx + ay * by);
            energy += 0.5 * _options.BendingStiffness * phi * phi;
        }
        return energy;
    }

    /// <summary>The part of <see cref="Energy"/> that comes from beads two or more apart along the chain.</summary>
    public double LennardJonesEnergy(ReadOnlySpan<double> positions)
    {
        double energy = 0;
        for (int i = 0; i < positions.Length; i += 2)
        {
            for (int j = i + 4; j < positions.Length; j += 2)
            {
                double r = double.Hypot(positions[j] - positions[i], positions[j + 1] - positions[i + 1]);
                if (r >= _cutoff)
                    continue;
                energy += _shift + (r >= _cap ? LennardJones(r) : LennardJones(_cap) + LennardJonesSlope(_cap) * (r - _cap));
            }
        }
        return energy;
    }

    /// <summary>Forces on the beads of <c>Vector&lt;float&gt;.Count</c> chains, one per lane; the spans have one entry per bead.</summary>
    public void Forces(ReadOnlySpan<Vector<float>> x, ReadOnlySpan<Vector<float>> y, Span<Vector<float>> fx, Span<Vector<float>> fy)
    {
        if (y.Length != x.Length || fx.Length != x.Length || fy.Length != x.Length)
            throw new ArgumentException($"Positions and forces have to have one entry per bead; they have {x.Length}, {y.Length}, {fx.Length} and {fy.Length}.", nameof(x));
        ChainForces(x, y, fx, fy);
        if (_options.LennardJonesEpsilon > 0)
            AddPairForces(x, y, fx, fy);
    }

    // Bonds and angles. Both depend on bond vectors d only, so gradients g = dU/dd are gathered per bond: F(i) = g(i) - g(i - 1).
    private void ChainForces(ReadOnlySpan<Vector<float>> x, ReadOnlySpan<Vector<float>> y, Span<Vector<float>> fx, Span<Vector<float>> fy)
    {
        var stiffness = new Vector<float>((float)_options.BondStiffness);
        var tension = new Vector<float>((float)(_options.BondStiffness * _options.BondLength));
        var bending = new Vector<float>((float)_options.BendingStiffness);
        var tiny = new Vector<float>(TinySquare);

        Vector<float> previousX = default, previousY = default, previousInverse = default;  // bond b - 1 and 1/r^2
        Vector<float> gradientX = default, gradientY = default;                             // dU/d(bond b - 1), as far as known
        Vector<float> beforeX = default, beforeY = default;                                 // dU/d(bond b - 2), complete
        for (int b = 0; b + 1 < x.Length; b++)
        {
            Vector<float> dx = x[b + 1] - x[b], dy = y[b + 1] - y[b];
            Vector<float> inverse = Vector<float>.One / Vector.Max(Vector.MultiplyAddEstimate(dx, dx, dy * dy), tiny);
            Vector<float> radial = stiffness - tension * Vector.SquareRoot(inverse);
            Vector<float> gx = radial * dx, gy = radial * dy;
            if (b > 0)
            {
                // phi = angle(d) - angle(previous), and the gradient of an angle(d) is (-dy, dx) / r^2: finite at phi = +-pi too.
                Vector<float> torque = bending * LaneMath.Atan2(previousX * dy - previousY * dx, Vector.MultiplyAddEstimate(previousX, dx, previousY * dy));
                Vector<float> here = torque * inverse, there = torque * previousInverse;
                gx -= here * dy;
                gy += here * dx;
                gradientX += there * previousY;
                gradientY -= there * previousX;
                fx[b - 1] = gradientX - beforeX;
                fy[b - 1] = gradientY - beforeY;
                beforeX = gradientX;
                beforeY = gradientY;
            }
            (previousX, previousY, previousInverse) = (dx, dy, inverse);
            (gradientX, gradientY) = (gx, gy);
        }
        fx[^2] = gradientX - beforeX;
        fy[^2] = gradientY - beforeY;
        fx[^1] = -gradientX;
        fy[^1] = -gradientY;
    }

    private void AddPairForces(ReadOnlySpan<Vector<float>> x, ReadOnlySpan<Vector<float>> y, Span<Vector<float>> fx, Span<Vector<float>> fy)
    {
        double sigmaSquare = _options.LennardJonesSigma * _options.LennardJonesSigma;
        var sigma2 = new Vector<float>((float)sigmaSquare);
        var scale = new Vector<float>((float)(24 * _options.LennardJonesEpsilon / sigmaSquare));
        var cutoff2 = new Vector<float>((float)(_cutoff * _cutoff));
        var cap2 = new Vector<float>((float)(_cap * _cap));

        for (int i = 0; i + 2 < x.Length; i++)
        {
            Vector<float> xi = x[i], yi = y[i], sumX = fx[i], sumY = fy[i];
            for (int j = i + 2; j < x.Length; j++)
            {
                Vector<float> dx = x[j] - xi, dy = y[j] - yi;
                Vector<float> r2 = Vector.MultiplyAddEstimate(dx, dx, dy * dy);
                Vector<float> factor = Vector.LessThanAny(r2, cap2)
                    ? CappedPairFactor(r2, cap2, sigma2, scale)     // hardly ever at equilibrium: some 70 kT
                    : PairFactor(r2, sigma2, scale);
                factor = Vector.ConditionalSelect(Vector.LessThan(r2, cutoff2), factor, Vector<float>.Zero);
                Vector<float> px = factor * dx, py = factor * dy;
                fx[j] += px;
                fy[j] += py;
                sumX -= px;
                sumY -= py;
            }
            fx[i] = sumX;
            fy[i] = sumY;
        }
    }

    // Force / r = 24 epsilon / r^2 (2 (sigma/r)^12 - (sigma/r)^6); positive pushes apart.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> PairFactor(Vector<float> r2, Vector<float> sigma2, Vector<float> scale)
    {
        Vector<float> q = sigma2 / r2;
        Vector<float> s6 = q * q * q;
        return scale * q * s6 * (s6 + s6 - Vector<float>.One);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector<float> CappedPairFactor(Vector<float> r2, Vector<float> cap2, Vector<float> sigma2, Vector<float> scale)
    {
        Vector<float> capped = Vector.Max(r2, cap2);
        return PairFactor(capped, sigma2, scale) * Vector.SquareRoot(capped / Vector.Max(r2, new Vector<float>(TinySquare)));
    }

    private double LennardJones(double r)
    {
        double s6 = Math.Pow(_options.LennardJonesSigma / r, 6);
        return 4 * _options.LennardJonesEpsilon * s6 * (s6 - 1);
    }

    private double LennardJonesSlope(double r)
    {
        double s6 = Math.Pow(_options.LennardJonesSigma / r, 6);
        return -24 * _options.LennardJonesEpsilon / r * s6 * (2 * s6 - 1);
    }
}
