using Vae.MLNet.Onnx;
using static Vae.MLNet.Conformations.ConformationGraphs;

namespace Vae.MLNet.Conformations;

/// <summary>
/// Internal coordinates and the way back in ONNX, in double precision inside: what <see cref="InternalKernels"/> computes, decision by
/// decision, without loops. What a bond or a plane takes over from one before is found by running maxima, the orientation of a bond by
/// products of rotations in log₂(bonds) steps.
/// </summary>
/// <remarks>Shapes in comments: N rows, n beads, K = n - 1 bonds, J = n - 2 joints, d dimensions.</remarks>
internal static class InternalGraphs
{
    /// <summary>Adds the internal coordinates: [N, n·d] to [N, numbers].</summary>
    public static string AddInternal(OnnxGraph graph, string input, InternalLayout layout, string? output = null)
    {
        int d = layout.Dimensions, bonds = layout.Bonds, joints = layout.Joints;
        string row = ToDouble(graph, input);
        string beads = graph.Reshape(row, -1, layout.Beads, d);
        string steps = graph.Subtract(graph.Slice(beads, 1, 1, layout.Beads), graph.Slice(beads, 1, 0, bonds));
        // Coordinate by coordinate: sums over an axis of two or three are slow.
        string[] bond = [.. Enumerable.Range(0, d).Select(c => graph.Reshape(graph.Slice(steps, 2, c, c + 1), -1, bonds))];
        string length = Length(graph, bond);
        string zero = graph.DoubleScalar(0), one = graph.DoubleScalar(1);
        string there = graph.Node("Greater", [length, zero]);
        string extent = Where(graph, there, length, one);
        string[] unit = Taken(graph, [.. bond.Select(x => graph.Divide(x, extent))], Carried(graph, there, bonds));
        string[] before = Columns(graph, unit, 0, joints), after = Columns(graph, unit, 1, bonds);
        string cosine = Dot(graph, before, after);
        var parts = new List<string> { length };
        if (d == 2)
        {
            string sine = graph.Subtract(graph.Multiply(before[0], after[1]), graph.Multiply(before[1], after[0]));
            AddTurns(graph, parts, layout, sine, cosine);
        }
        else
        {
            string[] normal = Cross(graph, before, after);
            string sine = Length(graph, normal);
            parts.Add(Angle(graph, sine, cosine));
            if (layout.Turns > 0)
            {
                string bent = graph.Node("Greater", [sine, graph.DoubleScalar(InternalKernels.Straight)]);
                double[] zigzag = [.. Enumerable.Range(0, joints).Select(j => j % 2 == 0 ? 1.0 : -1)];
                string signs = graph.DoubleConstant("zigzag", zigzag, 1, joints);
                string divisor = Where(graph, bent, sine, one), index = Carried(graph, bent, joints);
                normal = Taken(graph, [.. normal.Select(x => graph.Multiply(graph.Divide(x, divisor), signs))], index);
                string[] from = Columns(graph, normal, 0, joints - 1), to = Columns(graph, normal, 1, joints);
                AddTurns(graph, parts, layout, Dot(graph, Cross(graph, from, to), Columns(graph, unit, 1, joints)), Dot(graph, from, to));
            }
        }
        string all = graph.Add(Concat(graph, 1, [.. parts]), Poison(graph, row));
        return graph.Node("Cast", [all], output, ("to", (long)OnnxType.Float));
    }

    /// <summary>What the backward pass needs of the way from internal coordinates to beads.</summary>
    /// <param name="Output">Name of the rows of coordinates, [N, n·d].</param>
    /// <param name="Places">Beads, [N, n, d].</param>
    /// <param name="Along">Directions of bonds, [N, K, d].</param>
    /// <param name="Across">In space: minus the axes about which the chain bends, [N, J, 3].</param>
    /// <param name="Sine">Of pairs: as given, [N, turns].</param>
    /// <param name="Cosine">Of pairs: as given, [N, turns].</param>
    public sealed record Trace(string Output, string Places, string Along, string? Across, string? Sine, string? Cosine);

    /// <summary>Adds the beads: [N, numbers] to [N, n·d].</summary>
    public static Trace AddCartesian(OnnxGraph graph, string input, InternalLayout layout, string? output = null)
    {
        int d = layout.Dimensions, bonds = layout.Bonds, joints = layout.Joints;
        string row = ToDouble(graph, input);
        string? sine = null, cosine = null, turns = null;
        if (layout.Turns > 0)
        {
            turns = graph.Columns(row, layout.FirstTurn, layout.FirstTurn + layout.Turns);
            if (layout.Pairs)
            {
                (sine, cosine) = (turns, graph.Columns(row, layout.FirstTurn + layout.Turns, layout.Size));
                turns = Where(graph, HasDirection(graph, sine, cosine), Angle(graph, sine, cosine), graph.DoubleScalar(0));
            }
        }
        string lengths = graph.Columns(row, 0, bonds);
        string none = graph.Multiply(graph.Columns(row, 0, 1), graph.DoubleScalar(0));
        string axis = graph.LongConstant("chain", 1), along;
        string? across = null;
        if (d == 2)
        {
            string heading = Concat(graph, 1, none, graph.Node("CumSum", [turns!, axis]));
            along = Concat(graph, 2, Last(graph, Cosine(graph, heading)), Last(graph, graph.Node("Sin", [heading])));
        }
        else
        {
            string torsions = turns is null ? none : Concat(graph, 1, none, turns);
            string frames = Frames(graph, graph.Columns(row, bonds, bonds + joints), torsions, joints);
            string first = graph.Add(Last(graph, none), graph.DoubleConstant("first", [1, 0, 0], 1, 1, 3));
            along = Concat(graph, 1, first, graph.Reshape(graph.Slice(frames, 3, 0, 1), -1, joints, 3));
            across = graph.Reshape(graph.Slice(frames, 3, 2, 3), -1, joints, 3);
        }
        string origin = graph.Multiply(graph.Slice(along, 1, 0, 1), graph.DoubleScalar(0));
        string places = Concat(graph, 1, origin, graph.Node("CumSum", [graph.Multiply(Last(graph, lengths), along), axis]));
        string all = graph.Add(graph.Reshape(places, -1, layout.Beads * d), Poison(graph, row));
        return new(graph.Node("Cast", [all], output, ("to", (long)OnnxType.Float)), places, along, across, sine, cosine);
    }

    /// <summary>
    /// Adds the vector-Jacobian product of <see cref="AddCartesian"/>, [N, n·d] to [N, numbers]: bonds take forces, angles torques about
    /// their own axes.
    /// </summary>
    public static string AddPullBack(OnnxGraph graph, InternalLayout layout, Trace trace, string cotangent)
    {
        int d = layout.Dimensions, n = layout.Beads, joints = layout.Joints;
        string axis = graph.LongConstant("chain", 1);
        string own = graph.Reshape(ToDouble(graph, cotangent), -1, n, d);
        string forces = Behind(own);
        var parts = new List<string> { graph.Sum(graph.Multiply(trace.Along, graph.Slice(forces, 1, 1, n)), 2, keep: false) };
        string pivots = graph.Slice(trace.Places, 1, 1, n - 1), behind = graph.Slice(forces, 1, 2, n), slopes;
        if (d == 2)
        {
            string moments = Behind(Moment(trace.Places, own));
            slopes = graph.Reshape(graph.Subtract(graph.Slice(moments, 1, 2, n), Moment(pivots, behind)), -1, joints);
        }
        else
        {
            string moments = Behind(ConformationGraphs.Cross(graph, trace.Places, own));
            string torques = graph.Subtract(graph.Slice(moments, 1, 2, n), ConformationGraphs.Cross(graph, pivots, behind));
            parts.Add(graph.Node("Neg", [graph.Sum(graph.Multiply(trace.Across!, torques), 2, keep: false)]));
            slopes = layout.Turns == 0
                ? ""
                : graph.Sum(graph.Multiply(graph.Slice(trace.Along, 1, 1, joints), graph.Slice(torques, 1, 1, joints)), 2, keep: false);
        }
        if (trace.Sine is { } sine && trace.Cosine is { } cosine)
        {
            string clear = HasDirection(graph, sine, cosine);
            string square = Where(graph, clear, graph.Add(graph.Square(sine), graph.Square(cosine)), graph.DoubleScalar(1));
            slopes = graph.Divide(Where(graph, clear, slopes, graph.DoubleScalar(0)), square);
            parts.Add(graph.Multiply(slopes, cosine));
            parts.Add(graph.Node("Neg", [graph.Multiply(slopes, sine)]));
        }
        else if (layout.Turns > 0)
        {
            parts.Add(slopes);
        }
        return graph.Node("Cast", [Concat(graph, 1, [.. parts])], null, ("to", (long)OnnxType.Float));

        // Sums over a bead and all behind it.
        string Behind(string x) => graph.Node("CumSum", [x, axis], null, ("reverse", 1L));

        string Moment(string places, string vectors)
        {
            string turned = graph.Node("Gather", [vectors, graph.Ints(1, 0)], null, ("axis", 2L));
            string products = graph.Multiply(places, turned);
            return graph.Subtract(graph.Slice(products, 2, 0, 1), graph.Slice(products, 2, 1, 2));
        }
    }

    /// <summary>
    /// Axes of the bonds behind each joint as columns: products of rotations, [N, J, 3, 3]. A step multiplies each by the one that lies
    /// twice as far before it as in the step before.
    /// </summary>
    private static string Frames(OnnxGraph graph, string bends, string torsions, int joints)
    {
        string zero = graph.Multiply(bends, graph.DoubleScalar(0));
        string cosine = Cosine(graph, bends), sine = graph.Node("Sin", [bends]);
        string across = Cosine(graph, torsions), up = graph.Node("Sin", [torsions]);
        string Minus(string x) => graph.Node("Neg", [x]);
        string[] entries =
        [
            cosine, sine, zero,
            graph.Multiply(sine, across), Minus(graph.Multiply(cosine, across)), up,
            graph.Multiply(sine, up), Minus(graph.Multiply(cosine, up)), Minus(across),
        ];
        string frames = graph.Reshape(Concat(graph, 2, [.. entries.Select(entry => Last(graph, entry))]), -1, joints, 3, 3);
        for (int step = 1; step < joints; step *= 2)
        {
            string further = graph.Node("MatMul", [graph.Slice(frames, 1, 0, joints - step), graph.Slice(frames, 1, step, joints)]);
            frames = Concat(graph, 1, graph.Slice(frames, 1, 0, step), further);
        }
        return frames;
    }

    /// <summary>
    /// For each of so many columns the last one up to it that is marked, or the first that is, where none is before it: [N, columns] of
    /// int64.
    /// </summary>
    private static string Carried(OnnxGraph graph, string marks, int columns)
    {
        string ones = ToDouble(graph, marks);
        string places = graph.DoubleConstant("places", [.. Enumerable.Range(1, columns).Select(k => (double)k)], 1, columns);
        string back = graph.DoubleConstant("places.back", [.. Enumerable.Range(0, columns).Select(k => (double)(columns - k))], 1, columns);
        string at = graph.Multiply(ones, places);
        for (int step = 1; step < columns; step *= 2)
        {
            string later = graph.Node("Max", [graph.Columns(at, step, columns), graph.Columns(at, 0, columns - step)]);
            at = Concat(graph, 1, graph.Columns(at, 0, step), later);
        }
        string most = graph.Node("ReduceMax", [graph.Multiply(ones, back)], null, ("axes", new[] { 1L }), ("keepdims", 1L));
        // Where nothing is marked, any will do.
        string first = graph.Node("Min", [graph.Subtract(graph.DoubleScalar(columns + 1), most), graph.DoubleScalar(columns)]);
        at = Where(graph, graph.Node("Greater", [at, graph.DoubleScalar(0)]), at, first);
        return graph.Node("Cast", [graph.Subtract(at, graph.DoubleScalar(1))], null, ("to", (long)OnnxType.Int64));
    }

    private static string[] Taken(OnnxGraph graph, string[] x, string index) =>
        [.. x.Select(part => graph.Node("GatherElements", [part, index], null, ("axis", 1L)))];

    private static string[] Columns(OnnxGraph graph, string[] x, long start, long end) =>
        [.. x.Select(part => graph.Columns(part, start, end))];

    private static string Dot(OnnxGraph graph, string[] a, string[] b) => a.Zip(b, graph.Multiply).Aggregate(graph.Add);

    private static string Length(OnnxGraph graph, string[] x) => graph.Node("Sqrt", [Dot(graph, x, x)]);

    private static string[] Cross(OnnxGraph graph, string[] a, string[] b)
    {
        string Part(int i, int j) => graph.Subtract(graph.Multiply(a[i], b[j]), graph.Multiply(a[j], b[i]));
        return [Part(1, 2), Part(2, 0), Part(0, 1)];
    }

    private static void AddTurns(OnnxGraph graph, List<string> parts, InternalLayout layout, string y, string x)
    {
        if (!layout.Pairs)
        {
            parts.Add(Angle(graph, y, x));
            return;
        }
        string length = Length(graph, [x, y]);
        string clear = graph.Node("Greater", [length, graph.DoubleScalar(0)]);
        string divisor = Where(graph, clear, length, graph.DoubleScalar(1));
        parts.Add(graph.Divide(y, divisor));
        parts.Add(Where(graph, clear, graph.Divide(x, divisor), graph.DoubleScalar(1)));
    }

    /// <summary>
    /// atan2(y, x) in double precision, π on the cut and 0 for two zeros. OnnxRuntime has Atan in single precision alone; one step by sine
    /// and cosine gives the rest: for an angle a that is off by e, y cos a - x sin a = |(x, y)| sin e.
    /// </summary>
    private static string Angle(OnnxGraph graph, string y, string x)
    {
        string zero = graph.DoubleScalar(0);
        string length = Length(graph, [x, y]);
        string clear = graph.Node("Greater", [length, zero]);
        string divisor = Where(graph, clear, length, graph.DoubleScalar(1));
        // tan(a / 2) = y / (|(x, y)| + x); for x < 0 the angle is measured from the other side.
        string half = graph.Divide(y, graph.Add(divisor, graph.Node("Abs", [x])));
        string single = graph.Node("Atan", [graph.Node("Cast", [half], null, ("to", (long)OnnxType.Float))]);
        string rough = graph.Multiply(ToDouble(graph, single), graph.DoubleScalar(2));
        string side = Where(graph, graph.Node("Less", [y, zero]), graph.DoubleScalar(-Math.PI), graph.DoubleScalar(Math.PI));
        rough = Where(graph, graph.Node("Less", [x, zero]), graph.Subtract(side, rough), rough);
        string rest = graph.Subtract(graph.Multiply(y, Cosine(graph, rough)), graph.Multiply(x, graph.Node("Sin", [rough])));
        return graph.Add(rough, graph.Divide(rest, divisor));
    }

    /// <summary>OnnxRuntime has Sin in double precision, Cos in its early versions not.</summary>
    private static string Cosine(OnnxGraph graph, string x) => graph.Node("Sin", [graph.Add(x, graph.DoubleScalar(Math.PI / 2))]);

    private static string HasDirection(OnnxGraph graph, string sine, string cosine) =>
        graph.Node("Greater", [graph.Add(graph.Square(sine), graph.Square(cosine)), graph.DoubleScalar(InternalKernels.NoPair)]);

    /// <summary>[N, k] to [N, k, 1].</summary>
    private static string Last(OnnxGraph graph, string x) => graph.Node("Unsqueeze", [x, graph.Ints(2)]);

    /// <summary>[N, 1]: zero, or NaN where a number of the row is not finite.</summary>
    private static string Poison(OnnxGraph graph, string row) => graph.Sum(graph.Multiply(row, graph.DoubleScalar(0)), 1);
}
