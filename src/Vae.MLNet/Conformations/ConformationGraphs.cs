using Vae.MLNet.Onnx;

namespace Vae.MLNet.Conformations;

/// <summary>
/// Centring, alignment and radius of gyration in ONNX, in double precision inside: what <see cref="ConformationKernels"/> computes, decision by decision. Standard ONNX
/// has no eigendecomposition and OnnxRuntime no arc functions in double precision, so axes come from closed forms with square roots (2D) and from repeated squaring (3D).
/// </summary>
/// <remarks>Shapes in comments: N rows, n beads, d dimensions. Everything keeps its rank: per-row numbers are [N, 1, 1].</remarks>
internal static class ConformationGraphs
{
    /// <summary>Adds centring: [N, n·d] to [N, n·d].</summary>
    public static string AddCentering(OnnxGraph graph, string input, BeadLayout layout, string? output = null) =>
        ToRows(graph, Centred(graph, input, layout), layout, output);

    /// <summary>Adds the radius of gyration: [N, n·d] to [N, 1].</summary>
    public static string AddRadiusOfGyration(OnnxGraph graph, string input, BeadLayout layout, string? output = null)
    {
        string x = Centred(graph, input, layout);
        string square = graph.Sum(WeightedMean(graph, graph.Square(x), layout), 2, keep: false);
        return graph.Node("Cast", [graph.Node("Sqrt", [square])], output, ("to", (long)OnnxType.Float));
    }

    /// <summary>Adds the alignment: [N, n·d] to [N, n·d].</summary>
    public static string AddAlignment(OnnxGraph graph, string input, BeadLayout layout, PrincipalAxisOptions options, string? output = null)
    {
        string x = Centred(graph, input, layout);
        string trace = graph.Sum(WeightedMean(graph, graph.Square(x), layout), 2);
        string size = graph.Node("Sqrt", [graph.Node("Where", [graph.Node("Greater", [trace, graph.DoubleScalar(0)]), trace, graph.DoubleScalar(1)])]);
        // Scaled to a trace of 1 (or 0 for a point), so that thresholds are plain numbers.
        x = graph.Divide(x, size);
        if (options.ChainDirection && layout.Beads > 1)
            x = Directed(graph, x, layout);

        string axes = layout.Dimensions == 2 ? Axes2(graph, x, layout) : Axes3(graph, x, layout);
        string projected = Along(graph, x, axes);
        string signs = Signs(graph, options, projected, axes, layout);
        return ToRows(graph, graph.Multiply(graph.Multiply(projected, signs), size), layout, output);
    }

    /// <summary>[N, n, d] in double precision about the centre; all NaN where a number is not finite.</summary>
    private static string Centred(OnnxGraph graph, string input, BeadLayout layout)
    {
        string x = graph.Reshape(ToDouble(graph, input), -1, layout.Beads, layout.Dimensions);
        string sum = WeightedSum(graph, x, layout);
        string centre = graph.Divide(sum, graph.DoubleScalar(layout.TotalMass));
        // Zero times a number that is not finite is NaN.
        string poison = graph.Multiply(graph.Sum(sum, 2), graph.DoubleScalar(0));
        return graph.Add(graph.Subtract(x, centre), poison);
    }

    internal static string ToDouble(OnnxGraph graph, string x) => graph.Node("Cast", [x], null, ("to", (long)OnnxType.Double));

    private static string ToRows(OnnxGraph graph, string x, BeadLayout layout, string? output) =>
        graph.Node("Cast", [graph.Reshape(x, -1, layout.Size)], output, ("to", (long)OnnxType.Float));

    private static string Transposed(OnnxGraph graph, string x) => graph.Node("Transpose", [x], null, ("perm", new long[] { 0, 2, 1 }));

    /// <summary>Coordinates [N, n, d] along the rows of [N, k, d]: [N, n, k].</summary>
    /// <remarks>
    /// By products and sums: OnnxRuntime 1.25 and earlier fuse a transposition into the matrix product that follows it, also in double precision, for which they
    /// have no such kernel, and then refuse the graph.
    /// </remarks>
    private static string Along(OnnxGraph graph, string x, string rows) => graph.Sum(
        graph.Multiply(graph.Node("Unsqueeze", [x, graph.Ints(2)]), graph.Node("Unsqueeze", [rows, graph.Ints(1)])), 3, keep: false);

    internal static string Concat(OnnxGraph graph, long axis, params ReadOnlySpan<string> parts) =>
        graph.Node("Concat", parts, null, ("axis", axis));

    internal static string Where(OnnxGraph graph, string condition, string yes, string no) => graph.Node("Where", [condition, yes, no]);

    /// <summary>[N, n, k] to [N, 1, k].</summary>
    private static string WeightedSum(OnnxGraph graph, string x, BeadLayout layout) => layout.Masses is { } masses
        ? graph.Node("MatMul", [graph.DoubleConstant("masses", masses, 1, layout.Beads), x])
        : graph.Sum(x, 1);

    private static string WeightedMean(OnnxGraph graph, string x, BeadLayout layout) =>
        graph.Divide(WeightedSum(graph, x, layout), graph.DoubleScalar(layout.TotalMass));

    /// <summary>The tensor of [N, n, k] coordinates: [N, k, k].</summary>
    private static string Tensor(OnnxGraph graph, string x, BeadLayout layout)
    {
        string weighted = layout.Masses is { } masses ? graph.Multiply(x, graph.DoubleConstant("masses", masses, layout.Beads, 1)) : x;
        string products = graph.Multiply(graph.Node("Unsqueeze", [x, graph.Ints(3)]), graph.Node("Unsqueeze", [weighted, graph.Ints(2)]));
        return graph.Divide(graph.Sum(products, 1, keep: false), graph.DoubleScalar(layout.TotalMass));
    }

    /// <summary>Reverses the order of the beads where the last one is the far end.</summary>
    private static string Directed(OnnxGraph graph, string x, BeadLayout layout)
    {
        string backwards = graph.Ints([.. Enumerable.Range(0, layout.Beads).Select(i => (long)(layout.Beads - 1 - i))]);
        string squares = graph.Sum(graph.Square(x), 2);
        string difference = graph.Subtract(squares, graph.Node("Gather", [squares, backwards], null, ("axis", 1L)));
        string decisive = FirstAbove(graph, difference, 1, AlignmentRules.ZeroMoment);
        return Where(graph, graph.Node("Less", [decisive, graph.DoubleScalar(0)]), graph.Node("Gather", [x, backwards], null, ("axis", 1L)), x);
    }

    /// <summary>The first value along an axis whose magnitude is above a threshold, or 0.</summary>
    private static string FirstAbove(OnnxGraph graph, string x, long axis, double threshold)
    {
        string above = graph.Node("Greater", [graph.Node("Abs", [x]), graph.DoubleScalar(threshold)]);
        return graph.Sum(graph.Multiply(x, FirstTrue(graph, above, axis)), axis);
    }

    /// <summary>1 at the first true element along an axis, 0 elsewhere.</summary>
    private static string FirstTrue(OnnxGraph graph, string mask, long axis)
    {
        string ones = ToDouble(graph, mask);
        string count = graph.Node("CumSum", [ones, graph.LongConstant("axis", axis)]);
        return graph.Multiply(ones, ToDouble(graph, graph.Node("Equal", [count, graph.DoubleScalar(1)])));
    }

    /// <summary>Half the difference of the diagonal, the off-diagonal element, half the trace and the eigenvalues' half distance of a [N, 2, 2] tensor.</summary>
    private static (string Half, string Cross, string Mean, string Radius) Parts(OnnxGraph graph, string tensor)
    {
        string Contract(params ReadOnlySpan<double> with) => graph.Node("ReduceSum",
            [graph.Multiply(tensor, graph.DoubleConstant("contraction", with, 2, 2)), graph.Ints(1, 2)], null, ("keepdims", 1L));
        string half = Contract(0.5, 0, 0, -0.5);
        string cross = Contract(0, 0.5, 0.5, 0);
        string mean = Contract(0.5, 0, 0, 0.5);
        return (half, cross, mean, graph.Node("Sqrt", [graph.Add(graph.Square(half), graph.Square(cross))]));
    }

    /// <summary>The unit vector along the largest variance of [N, n, 2] coordinates: [N, 1, 2].</summary>
    private static string MainAxis(OnnxGraph graph, string plane, BeadLayout layout)
    {
        var (half, cross, mean, radius) = Parts(graph, Tensor(graph, plane, layout));
        string wide = graph.Node("GreaterOrEqual", [half, graph.DoubleScalar(0)]);
        string axis = Concat(graph, 2,
            Where(graph, wide, graph.Add(radius, half), cross),
            Where(graph, wide, cross, graph.Subtract(radius, half)));
        string clear = graph.Node("Greater", [Twice(graph, radius), graph.Multiply(graph.Add(mean, radius), graph.DoubleScalar(AlignmentRules.EqualEigenvalues))]);
        return Unit(graph, Where(graph, clear, axis, Pick(graph, plane, Twice(graph, mean), layout)), 2);
    }

    private static string Twice(OnnxGraph graph, string x) => graph.Multiply(x, graph.DoubleScalar(2));

    /// <summary>[N, 1, k] at length 1; the first unit vector for one of length 0.</summary>
    private static string Unit(OnnxGraph graph, string vector, int dimensions)
    {
        var first = new double[dimensions];
        first[0] = 1;
        string square = graph.Sum(graph.Square(vector), 2);
        string positive = graph.Node("Greater", [square, graph.DoubleScalar(AlignmentRules.Tiny)]);
        string length = graph.Node("Sqrt", [Where(graph, positive, square, graph.DoubleScalar(1))]);
        return Where(graph, positive, graph.Divide(vector, length), graph.DoubleConstant("first", first, dimensions));
    }

    /// <summary>A direction that turns with the beads, from [N, n, k] coordinates: [N, 1, k].</summary>
    private static string Pick(OnnxGraph graph, string x, string variance, BeadLayout layout)
    {
        string sum = ChainVector(graph, x, layout);
        string scale = graph.Multiply(variance, graph.DoubleScalar(AlignmentRules.ClearChainVector * layout.SquaredIndexWeights));
        string clear = graph.Node("GreaterOrEqual", [graph.Sum(graph.Square(sum), 2), scale]);
        string far = graph.Node("GreaterOrEqual", [graph.Sum(graph.Square(x), 2), graph.Multiply(variance, graph.DoubleScalar(AlignmentRules.ClearBead))]);
        return Where(graph, clear, sum, graph.Sum(graph.Multiply(x, FirstTrue(graph, far, 1)), 1));
    }

    /// <summary>Coordinates weighted by the bead's index: [N, n, k] to [N, 1, k].</summary>
    private static string ChainVector(OnnxGraph graph, string x, BeadLayout layout) =>
        graph.Node("MatMul", [graph.DoubleConstant("indexWeights", layout.IndexWeights, 1, layout.Beads), x]);

    /// <summary>The axes as rows: [N, 2, 2].</summary>
    private static string Axes2(OnnxGraph graph, string x, BeadLayout layout)
    {
        string first = MainAxis(graph, x, layout);
        string quarterTurn = graph.DoubleConstant("quarterTurn", [0, 1, -1, 0], 2, 2);
        return Concat(graph, 1, first, graph.Node("MatMul", [first, quarterTurn]));
    }

    /// <summary>The axes as rows: [N, 3, 3].</summary>
    private static string Axes3(OnnxGraph graph, string x, BeadLayout layout)
    {
        string tensor = Tensor(graph, x, layout);
        string longest = Dominant(graph, tensor);
        var across = Parts(graph, Tensor(graph, InPlane(graph, x, Plane(graph, longest)), layout));
        string firstVariance = Variance(graph, x, longest, layout);
        string clear = graph.Node("Greater", [graph.Subtract(firstVariance, graph.Add(across.Mean, across.Radius)),
            graph.Multiply(firstVariance, graph.DoubleScalar(AlignmentRules.EqualEigenvalues))]);

        // No longest axis: a direction in the plane of the two longest, or anywhere where all three are equal.
        string identity = graph.DoubleConstant("identity", [1, 0, 0, 0, 1, 0, 0, 0, 1], 3, 3);
        string shortest = Dominant(graph, graph.Subtract(identity, tensor));
        string plane = Plane(graph, shortest);
        string flat = InPlane(graph, x, plane);
        var within = Parts(graph, Tensor(graph, flat, layout));
        string middle = graph.Subtract(within.Mean, within.Radius);
        string oblate = graph.Node("Greater", [graph.Subtract(middle, Variance(graph, x, shortest, layout)),
            graph.Multiply(middle, graph.DoubleScalar(AlignmentRules.EqualEigenvalues))]);
        string inPlane = graph.Node("MatMul", [Unit(graph, Pick(graph, flat, Twice(graph, within.Mean), layout), 2), plane]);
        string trace = graph.Sum(WeightedMean(graph, graph.Square(x), layout), 2);
        string anywhere = Unit(graph, Pick(graph, x, trace, layout), 3);

        string first = Where(graph, clear, longest, Where(graph, oblate, inPlane, anywhere));
        string rest = Plane(graph, first);
        string second = graph.Node("MatMul", [MainAxis(graph, InPlane(graph, x, rest), layout), rest]);
        return Concat(graph, 1, first, second, Cross(graph, first, second));
    }

    internal static string Cross(OnnxGraph graph, string a, string b)
    {
        string Turned(string x, params ReadOnlySpan<long> order) => graph.Node("Gather", [x, graph.Ints(order)], null, ("axis", 2L));
        return graph.Subtract(
            graph.Multiply(Turned(a, 1, 2, 0), Turned(b, 2, 0, 1)),
            graph.Multiply(Turned(a, 2, 0, 1), Turned(b, 1, 2, 0)));
    }

    /// <summary>[N, n, 3] coordinates along the two rows of [N, 2, 3]: [N, n, 2].</summary>
    private static string InPlane(OnnxGraph graph, string x, string plane) => Along(graph, x, plane);

    /// <summary>Variance along a unit vector [N, 1, 3]: [N, 1, 1].</summary>
    private static string Variance(OnnxGraph graph, string x, string axis, BeadLayout layout) =>
        WeightedMean(graph, graph.Square(Along(graph, x, axis)), layout);

    /// <summary>The eigenvector of the largest eigenvalue of a [N, 3, 3] matrix, by squaring: [N, 1, 3].</summary>
    private static string Dominant(OnnxGraph graph, string matrix)
    {
        string identity = graph.DoubleConstant("diagonal", [1, 0, 0, 0, 1, 0, 0, 0, 1], 3, 3);
        for (int i = 1; i <= AlignmentRules.Squarings; i++)
        {
            matrix = graph.Node("MatMul", [matrix, matrix]);
            if (i % AlignmentRules.NormalizeEvery == 0)
            {
                string trace = graph.Node("ReduceSum", [graph.Multiply(matrix, identity), graph.Ints(1, 2)], null, ("keepdims", 1L));
                matrix = graph.Divide(matrix, graph.Node("Max", [trace, graph.DoubleScalar(AlignmentRules.Tiny)]));
            }
        }
        string[] rows = graph.Nodes("Split", [matrix], 3, ("axis", 1L));
        string Large(int i) => graph.Node("GreaterOrEqual", [graph.Slice(rows[i], 2, i, i + 1), graph.DoubleScalar(AlignmentRules.LargeDiagonal)]);
        return Unit(graph, Where(graph, Large(0), rows[0], Where(graph, Large(1), rows[1], rows[2])), 3);
    }

    /// <summary>Two unit vectors, the rows of [N, 2, 3], that form a right-handed basis with the normal [N, 1, 3] (Duff et al. 2017).</summary>
    private static string Plane(OnnxGraph graph, string normal)
    {
        string[] parts = graph.Nodes("Split", [normal], 3, ("axis", 2L));
        string x = parts[0], y = parts[1], z = parts[2], one = graph.DoubleScalar(1), minusOne = graph.DoubleScalar(-1);
        string sign = Where(graph, graph.Node("GreaterOrEqual", [z, graph.DoubleScalar(0)]), one, minusOne);
        string a = graph.Divide(minusOne, graph.Add(sign, z));
        string b = graph.Multiply(graph.Multiply(x, y), a);
        string u = Concat(graph, 2,
            graph.Add(one, graph.Multiply(graph.Multiply(sign, graph.Square(x)), a)), graph.Multiply(sign, b), graph.Node("Neg", [graph.Multiply(sign, x)]));
        string v = Concat(graph, 2, b, graph.Add(sign, graph.Multiply(graph.Square(y), a)), graph.Node("Neg", [y]));
        return Concat(graph, 1, u, v);
    }

    /// <summary>The sign of each axis, [N, 1, d], from projected coordinates [N, n, d] or the axes [N, d, d] themselves.</summary>
    private static string Signs(OnnxGraph graph, PrincipalAxisOptions options, string projected, string axes, BeadLayout layout)
    {
        string value;
        if (options.Sign == PrincipalAxisSign.None)
        {
            value = Transposed(graph, FirstAbove(graph, axes, 2, AlignmentRules.ZeroComponent));
        }
        else
        {
            value = FirstAbove(graph, projected, 1, AlignmentRules.ZeroCoordinate);
            if (options.Sign == PrincipalAxisSign.ThirdMoment)
            {
                string square = graph.Square(projected);
                string second = WeightedMean(graph, square, layout);
                string third = WeightedMean(graph, graph.Multiply(square, projected), layout);
                string weighted = ChainVector(graph, projected, layout);
                string byChain = graph.Node("Greater", [graph.Node("Abs", [weighted]), graph.DoubleScalar(AlignmentRules.ZeroMoment * Math.Sqrt(layout.SquaredIndexWeights))]);
                string byMoment = graph.Node("Greater", [graph.Node("Abs", [third]), graph.Multiply(second, graph.DoubleScalar(AlignmentRules.ZeroMoment))]);
                value = Where(graph, byMoment, third, Where(graph, byChain, weighted, value));
            }
        }
        string signs = Where(graph, graph.Node("Less", [value, graph.DoubleScalar(0)]), graph.DoubleScalar(-1), graph.DoubleScalar(1));
        if (options.Mirror)
            return signs;
        // A rotation: the last sign follows from the others.
        string first = graph.Slice(signs, 2, 0, 1);
        if (layout.Dimensions == 2)
            return first;
        string second3 = graph.Slice(signs, 2, 1, 2);
        return Concat(graph, 2, first, second3, graph.Multiply(first, second3));
    }
}
