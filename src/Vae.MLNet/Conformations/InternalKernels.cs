namespace Vae.MLNet.Conformations;

/// <summary>
/// Internal coordinates of one chain and the way back, in double precision inside. A number that is NaN or infinite makes the whole output
/// NaN. <see cref="InternalGraphs"/> states the same in ONNX, decision by decision.
/// </summary>
internal static class InternalKernels
{
    /// <summary>
    /// Sine of the angle between two bonds up to which they count as lying in a line, about which there is no torsion: with bonds of a
    /// tenth of a chain's length, rounding to single precision turns them by about a tenth of this.
    /// </summary>
    public const double Straight = 1e-5;

    /// <summary>Squared length up to which a pair of sine and cosine has no direction.</summary>
    public const double NoPair = 1e-24;

    private const int Small = 64;

    /// <summary>Beads in, bonds and angles out.</summary>
    public static void ToInternal(InternalLayout layout, ReadOnlySpan<float> beads, Span<float> output)
    {
        if (!IsFinite(beads))
        {
            output[..layout.Size].Fill(float.NaN);
            return;
        }
        Span<BeadVector> directions = layout.Bonds <= Small ? stackalloc BeadVector[layout.Bonds] : new BeadVector[layout.Bonds];
        int first = -1;
        for (int k = 0; k < layout.Bonds; k++)
        {
            var bond = Bead(layout, beads, k + 1) - Bead(layout, beads, k);
            double length = bond.Length;
            output[k] = (float)length;
            if (length > 0)
            {
                directions[k] = bond / length;
                first = first < 0 ? k : first;
            }
            else if (first >= 0)
            {
                // A bond of no length goes on in the direction of the one before.
                directions[k] = directions[k - 1];
            }
        }
        for (int k = 0; k < first; k++)
            directions[k] = directions[first];

        if (layout.Dimensions == 2)
        {
            for (int j = 0; j < layout.Joints; j++)
                Turn(layout, output, j, directions[j].Cross(directions[j + 1]).Z, directions[j].Dot(directions[j + 1]));
            return;
        }
        // Normals of the planes of neighbouring bonds, every other one turned round, so that they agree in a flat zigzag: the torsion is
        // the angle between neighbours.
        Span<BeadVector> normals = layout.Joints <= Small ? stackalloc BeadVector[layout.Joints] : new BeadVector[layout.Joints];
        first = -1;
        for (int j = 0; j < layout.Joints; j++)
        {
            var normal = directions[j].Cross(directions[j + 1]);
            double sine = normal.Length;
            output[layout.Bonds + j] = (float)Angle(sine, directions[j].Dot(directions[j + 1]));
            if (sine > Straight)
            {
                normals[j] = normal / sine * (j % 2 == 0 ? 1 : -1);
                first = first < 0 ? j : first;
            }
            else if (first >= 0)
            {
                normals[j] = normals[j - 1];
            }
        }
        for (int j = 0; j < first; j++)
            normals[j] = normals[first];
        for (int j = 1; j < layout.Joints; j++)
            Turn(layout, output, j - 1, normals[j - 1].Cross(normals[j]).Dot(directions[j]), normals[j - 1].Dot(normals[j]));
    }

    /// <summary>
    /// Bonds and angles in, beads out: the first at the origin, the second on the first axis, the third in the half plane y >= 0.
    /// </summary>
    public static void ToCartesian(InternalLayout layout, ReadOnlySpan<float> numbers, Span<float> output)
    {
        if (!IsFinite(numbers))
        {
            output[..(layout.Beads * layout.Dimensions)].Fill(float.NaN);
            return;
        }
        var place = default(BeadVector);
        Put(layout, output, 0, place);
        if (layout.Dimensions == 2)
        {
            double heading = 0;
            for (int k = 0; k < layout.Bonds; k++)
            {
                heading += k > 0 ? Turn(layout, numbers, k - 1) : 0;
                place += new BeadVector(Math.Cos(heading), Math.Sin(heading), 0) * numbers[k];
                Put(layout, output, k + 1, place);
            }
            return;
        }
        BeadVector a = new(1, 0, 0), b = new(0, 1, 0), c = new(0, 0, 1);
        for (int k = 0; k < layout.Bonds; k++)
        {
            if (k > 0)
                (a, b, c) = Next(a, b, c, numbers[layout.Bonds + k - 1], k > 1 ? Turn(layout, numbers, k - 2) : 0);
            place += a * numbers[k];
            Put(layout, output, k + 1, place);
        }
    }

    /// <summary>
    /// The vector-Jacobian product of <see cref="ToCartesian"/>: an angle turns all beads behind it about its own, so its derivative is a
    /// torque, and that of a bond a force.
    /// </summary>
    public static void PullBack(InternalLayout layout, ReadOnlySpan<float> numbers, ReadOnlySpan<double> cotangent, Span<double> output)
    {
        int beads = layout.Beads, d = layout.Dimensions;
        var places = new BeadVector[beads];
        var (along, across) = (new BeadVector[layout.Bonds], new BeadVector[layout.Bonds]);
        BeadVector a = new(1, 0, 0), b = new(0, 1, 0), c = new(0, 0, 1);
        for (int k = 0; k < layout.Bonds; k++)
        {
            if (k > 0)
            {
                double turn = d == 2 ? Turn(layout, numbers, k - 1) : k > 1 ? Turn(layout, numbers, k - 2) : 0;
                if (d == 2)
                    (a, b) = (a * Math.Cos(turn) + b * Math.Sin(turn), b * Math.Cos(turn) - a * Math.Sin(turn));
                else
                    (a, b, c) = Next(a, b, c, numbers[layout.Bonds + k - 1], turn);
            }
            (along[k], across[k]) = (a, c);
            places[k + 1] = places[k] + a * numbers[k];
        }
        BeadVector force = default, moment = default;
        for (int k = layout.Bonds - 1; k >= 0; k--)
        {
            int at = (k + 1) * d;
            var own = new BeadVector(cotangent[at], cotangent[at + 1], d == 3 ? cotangent[at + 2] : 0);
            force += own;
            moment += places[k + 1].Cross(own);
            output[k] = along[k].Dot(force);
            if (k == 0)
                break;
            var torque = moment - places[k].Cross(force);
            if (d == 3)
                output[layout.Bonds + k - 1] = -across[k].Dot(torque);
            int turn = d == 2 ? k - 1 : k - 2;
            if (turn < 0)
                continue;
            double slope = d == 2 ? torque.Z : along[k - 1].Dot(torque);
            if (!layout.Pairs)
            {
                output[layout.FirstTurn + turn] = slope;
                continue;
            }
            var (sine, cosine) = Pair(layout, numbers, turn);
            double square = sine * sine + cosine * cosine;
            output[layout.FirstTurn + turn] = square > NoPair ? slope * cosine / square : 0;
            output[layout.FirstTurn + layout.Turns + turn] = square > NoPair ? -slope * sine / square : 0;
        }
    }

    /// <summary>
    /// The axes of the next bond: its direction, the part of the bond before across it, and what is at right angles to both.
    /// </summary>
    private static (BeadVector A, BeadVector B, BeadVector C) Next(BeadVector a, BeadVector b, BeadVector c, double bend, double torsion)
    {
        double cosine = Math.Cos(bend), sine = Math.Sin(bend), across = Math.Cos(torsion), up = Math.Sin(torsion);
        var side = b * across + c * up;
        return (a * cosine + side * sine, a * sine - side * cosine, b * up - c * across);
    }

    private static double Turn(InternalLayout layout, ReadOnlySpan<float> numbers, int turn)
    {
        if (!layout.Pairs)
            return numbers[layout.FirstTurn + turn];
        var (sine, cosine) = Pair(layout, numbers, turn);
        return sine * sine + cosine * cosine > NoPair ? Angle(sine, cosine) : 0;
    }

    private static (double Sine, double Cosine) Pair(InternalLayout layout, ReadOnlySpan<float> numbers, int turn) =>
        (numbers[layout.FirstTurn + turn], numbers[layout.FirstTurn + layout.Turns + turn]);

    private static void Turn(InternalLayout layout, Span<float> output, int turn, double y, double x)
    {
        int at = layout.FirstTurn + turn;
        if (!layout.Pairs)
        {
            output[at] = (float)Angle(y, x);
            return;
        }
        double length = Math.Sqrt(x * x + y * y);
        output[at] = length > 0 ? (float)(y / length) : 0;
        output[at + layout.Turns] = length > 0 ? (float)(x / length) : 1;
    }

    /// <summary>atan2 whose value on the cut is π, never -π: zero has no sign here.</summary>
    private static double Angle(double y, double x) => Math.Atan2(y + 0.0, x);

    private static BeadVector Bead(InternalLayout layout, ReadOnlySpan<float> beads, int bead)
    {
        int at = bead * layout.Dimensions;
        return new(beads[at], beads[at + 1], layout.Dimensions == 3 ? beads[at + 2] : 0);
    }

    private static void Put(InternalLayout layout, Span<float> output, int bead, BeadVector place)
    {
        int at = bead * layout.Dimensions;
        output[at] = (float)place.X;
        output[at + 1] = (float)place.Y;
        if (layout.Dimensions == 3)
            output[at + 2] = (float)place.Z;
    }

    private static bool IsFinite(ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
                return false;
        }
        return true;
    }
}
