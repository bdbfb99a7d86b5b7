namespace Vae.MLNet.Conformations;

/// <summary>
/// Centring, alignment and radius of gyration of one conformation: double precision inside, no allocation. A coordinate that is NaN or infinite makes the whole
/// output NaN. <see cref="ConformationGraphs"/> states the same transforms in ONNX, decision by decision.
/// </summary>
internal static class ConformationKernels
{
    public static void Center(BeadLayout layout, ReadOnlySpan<float> input, Span<float> output)
    {
        int dimensions = layout.Dimensions;
        Span<double> centre = dimensions <= 16 ? stackalloc double[dimensions] : new double[dimensions];
        if (!Centroid(layout, input, centre))
        {
            output[..layout.Size].Fill(float.NaN);
            return;
        }
        for (int i = 0, k = 0; i < layout.Beads; i++)
        {
            for (int d = 0; d < dimensions; d++, k++)
                output[k] = (float)(input[k] - centre[d]);
        }
    }

    public static float RadiusOfGyration(BeadLayout layout, ReadOnlySpan<float> input)
    {
        int dimensions = layout.Dimensions;
        Span<double> centre = dimensions <= 16 ? stackalloc double[dimensions] : new double[dimensions];
        if (!Centroid(layout, input, centre))
            return float.NaN;
        double sum = 0;
        for (int i = 0, k = 0; i < layout.Beads; i++)
        {
            double square = 0;
            for (int d = 0; d < dimensions; d++, k++)
            {
                double x = input[k] - centre[d];
                square += x * x;
            }
            sum += layout.Mass(i) * square;
        }
        return (float)Math.Sqrt(sum / layout.TotalMass);
    }

    /// <summary>Rotates a conformation about its centre so that its principal axes lie on the coordinate axes, the longest first.</summary>
    public static void Align(BeadLayout layout, PrincipalAxisOptions options, ReadOnlySpan<float> input, Span<float> output)
    {
        int dimensions = layout.Dimensions;
        Span<double> centre = stackalloc double[3];
        if (!Centroid(layout, input, centre[..dimensions]))
        {
            output[..layout.Size].Fill(float.NaN);
            return;
        }
        var beads = new Chain(layout, input, new(centre[0], centre[1], dimensions == 3 ? centre[2] : 0));
        var tensor = beads.Tensor();
        if (tensor.Trace == 0)
        {
            output[..layout.Size].Clear();
            return;
        }
        double size = Math.Sqrt(tensor.Trace);
        beads.Reversed = options.ChainDirection && IsReversed(beads, tensor.Trace);

        BeadVector e1, e2, e3 = default;
        if (dimensions == 2)
        {
            e1 = MainAxis(beads, new(1, 0, 0), new(0, 1, 0));
            e2 = new(-e1.Y, e1.X, 0);
        }
        else
        {
            e1 = FirstAxis(beads, tensor);
            var (u, v) = Plane(e1);
            e2 = MainAxis(beads, u, v);
            e3 = e1.Cross(e2);
        }

        double first = Project(beads, options.Sign, e1, 0, size, output);
        double second = Project(beads, options.Sign, e2, 1, size, output);
        if (dimensions == 2)
        {
            Flip(first, 0, dimensions, output);
            Flip(options.Mirror ? second : first, 1, dimensions, output);
            return;
        }
        double third = Project(beads, options.Sign, e3, 2, size, output);
        Flip(first, 0, dimensions, output);
        Flip(second, 1, dimensions, output);
        Flip(options.Mirror ? third : first * second, 2, dimensions, output);
    }

    /// <summary>The centre; false where a coordinate is not finite.</summary>
    private static bool Centroid(BeadLayout layout, ReadOnlySpan<float> input, Span<double> centre)
    {
        centre.Clear();
        for (int i = 0, k = 0; i < layout.Beads; i++)
        {
            double mass = layout.Mass(i);
            for (int d = 0; d < centre.Length; d++, k++)
                centre[d] += mass * input[k];
        }
        double sum = 0;
        for (int d = 0; d < centre.Length; d++)
        {
            sum += centre[d];
            centre[d] /= layout.TotalMass;
        }
        return double.IsFinite(sum);
    }

    /// <summary>Whether the far end is the last bead: the first pair of beads at unequal distances decides.</summary>
    private static bool IsReversed(in Chain beads, double trace)
    {
        for (int i = 0, j = beads.Count - 1; i < j; i++, j--)
        {
            double difference = beads[i].Squared - beads[j].Squared;
            if (Math.Abs(difference) > AlignmentRules.ZeroMoment * trace)
                return difference < 0;
        }
        return false;
    }

    /// <summary>
    /// The axis of the largest variance in the plane of two unit vectors; where there is none, a direction that the beads give and that turns with them.
    /// </summary>
    private static BeadVector MainAxis(in Chain beads, BeadVector u, BeadVector v)
    {
        var (half, cross, mean) = beads.PlaneTensor(u, v);
        double radius = Math.Sqrt(half * half + cross * cross);
        BeadVector axis;
        if (2 * radius > AlignmentRules.EqualEigenvalues * (mean + radius))
            axis = half >= 0 ? new(radius + half, cross, 0) : new(cross, radius - half, 0);
        else
            axis = Pick(beads, new(u, v, default), 2 * mean);
        axis = axis.Unit();
        return u * axis.X + v * axis.Y;
    }

    private static BeadVector FirstAxis(in Chain beads, in Symmetric tensor)
    {
        var scaled = tensor * (1 / tensor.Trace);
        var axis = Dominant(scaled);
        var (u, v) = Plane(axis);
        var (half, cross, mean) = beads.PlaneTensor(u, v);
        double first = beads.Variance(axis);
        double second = mean + Math.Sqrt(half * half + cross * cross);
        if (first - second > AlignmentRules.EqualEigenvalues * first)
            return axis;

        // No longest axis: a direction in the plane of the two longest, or anywhere where all three are equal.
        var last = Dominant(Symmetric.Identity + scaled * -1);
        (u, v) = Plane(last);
        (half, cross, mean) = beads.PlaneTensor(u, v);
        double middle = mean - Math.Sqrt(half * half + cross * cross);
        double third = beads.Variance(last);
        return middle - third > AlignmentRules.EqualEigenvalues * middle
            ? LiftedPick(beads, u, v, 2 * mean)
            : Pick(beads, Frame.Whole, tensor.Trace).Unit();

        static BeadVector LiftedPick(in Chain beads, BeadVector u, BeadVector v, double scale)
        {
            var picked = Pick(beads, new(u, v, default), scale).Unit();
            return u * picked.X + v * picked.Y;
        }
    }

    /// <summary>
    /// A direction that turns with the beads, in a frame: their positions weighted by index, or else the first bead well off the centre.
    /// </summary>
    private static BeadVector Pick(in Chain beads, in Frame frame, double variance)
    {
        BeadVector sum = default;
        for (int i = 0; i < beads.Count; i++)
            sum += frame.Of(beads[i]) * beads.Layout.IndexWeights[i];
        if (sum.Squared >= AlignmentRules.ClearChainVector * beads.Layout.SquaredIndexWeights * variance)
            return sum;
        for (int i = 0; i < beads.Count; i++)
        {
            var bead = frame.Of(beads[i]);
            if (bead.Squared >= AlignmentRules.ClearBead * variance)
                return bead;
        }
        return default;
    }

    /// <summary>The eigenvector of the largest eigenvalue of a matrix of trace 1, by squaring.</summary>
    private static BeadVector Dominant(Symmetric matrix)
    {
        for (int i = 1; i <= AlignmentRules.Squarings; i++)
        {
            matrix = matrix.Square();
            if (i % AlignmentRules.NormalizeEvery == 0)
                matrix *= 1 / matrix.Trace;
        }
        return (matrix.XX >= AlignmentRules.LargeDiagonal ? new BeadVector(matrix.XX, matrix.XY, matrix.XZ)
            : matrix.YY >= AlignmentRules.LargeDiagonal ? new BeadVector(matrix.XY, matrix.YY, matrix.YZ)
            : new BeadVector(matrix.XZ, matrix.YZ, matrix.ZZ)).Unit();
    }

    /// <summary>Two unit vectors that form a right-handed basis with a third (Duff et al., Journal of Computer Graphics Techniques 6, 2017).</summary>
    private static (BeadVector U, BeadVector V) Plane(BeadVector normal)
    {
        double sign = normal.Z >= 0 ? 1 : -1;
        double a = -1 / (sign + normal.Z);
        double b = normal.X * normal.Y * a;
        return (new(1 + sign * normal.X * normal.X * a, sign * b, -sign * normal.X), new(b, sign + normal.Y * normal.Y * a, -normal.Y));
    }

    /// <summary>Writes the coordinates along an axis and gives the sign they should have.</summary>
    private static double Project(in Chain beads, PrincipalAxisSign sign, BeadVector axis, int column, double size, Span<float> output)
    {
        var layout = beads.Layout;
        double second = 0, third = 0, weighted = 0;
        for (int i = 0, k = column; i < beads.Count; i++, k += layout.Dimensions)
        {
            double x = axis.Dot(beads[i]);
            output[k] = (float)x;
            double square = layout.Mass(i) * x * x;
            second += square;
            third += square * x;
            weighted += layout.IndexWeights[i] * x;
        }
        switch (sign)
        {
            case PrincipalAxisSign.None:
                return Sign(First(axis));
            case PrincipalAxisSign.ThirdMoment when Math.Abs(third) > AlignmentRules.ZeroMoment * second * size:
                return Sign(third);
            case PrincipalAxisSign.ThirdMoment when Math.Abs(weighted) > AlignmentRules.ZeroMoment * Math.Sqrt(layout.SquaredIndexWeights) * size:
                return Sign(weighted);
        }
        for (int i = 0; i < beads.Count; i++)
        {
            double x = axis.Dot(beads[i]);
            if (Math.Abs(x) > AlignmentRules.ZeroCoordinate * size)
                return Sign(x);
        }
        return 1;

        static double Sign(double value) => value < 0 ? -1 : 1;

        static double First(BeadVector axis) =>
            Math.Abs(axis.X) > AlignmentRules.ZeroComponent ? axis.X : Math.Abs(axis.Y) > AlignmentRules.ZeroComponent ? axis.Y : axis.Z;
    }

    private static void Flip(double sign, int column, int dimensions, Span<float> output)
    {
        if (sign > 0)
            return;
        for (int k = column; k < output.Length; k += dimensions)
            output[k] = -output[k];
    }

    /// <summary>The beads of a conformation about their centre, in the order wanted.</summary>
    private ref struct Chain(BeadLayout layout, ReadOnlySpan<float> input, BeadVector centre)
    {
        private readonly ReadOnlySpan<float> _input = input;
        private readonly BeadVector _centre = centre;

        public readonly BeadLayout Layout => layout;

        public readonly int Count => layout.Beads;

        public bool Reversed { get; set; }

        public readonly BeadVector this[int bead]
        {
            get
            {
                int at = (Reversed ? layout.Beads - 1 - bead : bead) * layout.Dimensions;
                return layout.Dimensions == 2
                    ? new(_input[at] - _centre.X, _input[at + 1] - _centre.Y, 0)
                    : new(_input[at] - _centre.X, _input[at + 1] - _centre.Y, _input[at + 2] - _centre.Z);
            }
        }

        public readonly Symmetric Tensor()
        {
            double xx = 0, xy = 0, xz = 0, yy = 0, yz = 0, zz = 0;
            for (int i = 0; i < Count; i++)
            {
                var p = this[i];
                double mass = layout.Mass(i);
                xx += mass * p.X * p.X;
                xy += mass * p.X * p.Y;
                xz += mass * p.X * p.Z;
                yy += mass * p.Y * p.Y;
                yz += mass * p.Y * p.Z;
                zz += mass * p.Z * p.Z;
            }
            return new Symmetric(xx, xy, xz, yy, yz, zz) * (1 / layout.TotalMass);
        }

        /// <summary>
        /// Half the difference of the variances along two vectors, their covariance and the mean of the variances. From the beads rather than from the tensor: where a
        /// shape is thin, the tensor has lost these numbers to rounding.
        /// </summary>
        public readonly (double Half, double Cross, double Mean) PlaneTensor(BeadVector u, BeadVector v)
        {
            double uu = 0, uv = 0, vv = 0;
            for (int i = 0; i < Count; i++)
            {
                var p = this[i];
                double a = u.Dot(p), b = v.Dot(p), mass = layout.Mass(i);
                uu += mass * a * a;
                uv += mass * a * b;
                vv += mass * b * b;
            }
            return ((uu - vv) / 2 / layout.TotalMass, uv / layout.TotalMass, (uu + vv) / 2 / layout.TotalMass);
        }

        public readonly double Variance(BeadVector axis)
        {
            double sum = 0;
            for (int i = 0; i < Count; i++)
            {
                double x = axis.Dot(this[i]);
                sum += layout.Mass(i) * x * x;
            }
            return sum / layout.TotalMass;
        }
    }

    /// <summary>Coordinates along up to three vectors.</summary>
    private readonly record struct Frame(BeadVector U, BeadVector V, BeadVector W)
    {
        public static Frame Whole => new(new(1, 0, 0), new(0, 1, 0), new(0, 0, 1));

        public BeadVector Of(BeadVector p) => new(U.Dot(p), V.Dot(p), W.Dot(p));
    }

    private readonly record struct Symmetric(double XX, double XY, double XZ, double YY, double YZ, double ZZ)
    {
        public static Symmetric Identity => new(1, 0, 0, 1, 0, 1);

        public double Trace => XX + YY + ZZ;

        public Symmetric Square() => new(
            XX * XX + XY * XY + XZ * XZ, XX * XY + XY * YY + XZ * YZ, XX * XZ + XY * YZ + XZ * ZZ,
            XY * XY + YY * YY + YZ * YZ, XY * XZ + YY * YZ + YZ * ZZ, XZ * XZ + YZ * YZ + ZZ * ZZ);

        public static Symmetric operator +(Symmetric a, Symmetric b) => new(a.XX + b.XX, a.XY + b.XY, a.XZ + b.XZ, a.YY + b.YY, a.YZ + b.YZ, a.ZZ + b.ZZ);

        public static Symmetric operator *(Symmetric a, double b) => new(a.XX * b, a.XY * b, a.XZ * b, a.YY * b, a.YZ * b, a.ZZ * b);
    }
}
