namespace Vae.MLNet.ChainDecoding;

/// <summary>
/// Internal coordinates of each bead beside those before it, and their quantile functions among the training shapes. Candidates are spread
/// evenly over quantiles, so the grid is as fine as the data asks for, whatever the units and however stiff the chain.
/// </summary>
internal sealed class ChainCoordinates
{
    /// <summary>Share of values that are taken to be anywhere on the circle, so that no angle is impossible.</summary>
    private const double Anywhere = 0.005;

    /// <summary>Sine of the angle between two bonds below which they count as a straight line, about which there is no torsion.</summary>
    public const float Straight = 1e-3f;

    private readonly int _beads, _dimensions;

    /// <param name="beads">Beads.</param>
    /// <param name="dimensions">2 or 3.</param>
    /// <param name="values">Quantile functions, [beads - 1, dimensions, quantiles + 1].</param>
    public ChainCoordinates(int beads, int dimensions, float[] values)
    {
        _beads = beads;
        _dimensions = dimensions;
        Values = values;
    }

    /// <summary>Quantile functions, [beads - 1, dimensions, quantiles + 1].</summary>
    public float[] Values { get; }

    public ReadOnlySpan<float> Function(int bead, int coordinate) =>
        Values.AsSpan(((bead - 1) * _dimensions + coordinate) * (ChainShape.Quantiles + 1), ChainShape.Quantiles + 1);

    public static ChainCoordinates Fit(float[] shapes, int beads, int dimensions)
    {
        int rows = shapes.Length / (beads * dimensions), width = ChainShape.Quantiles + 1;
        var functions = new float[(beads - 1) * dimensions * width];
        Span<float> frame = stackalloc float[9], own = stackalloc float[3];
        var all = new double[dimensions][];
        for (int bead = 1; bead < beads; bead++)
        {
            for (int c = 0; c < dimensions; c++)
                all[c] = new double[rows];
            for (int row = 0; row < rows; row++)
            {
                var shape = shapes.AsSpan(row * beads * dimensions, beads * dimensions);
                Frame(shape, bead, dimensions, frame);
                Internal(shape, bead, dimensions, frame, own);
                for (int c = 0; c < dimensions; c++)
                    all[c][row] = own[c];
            }
            for (int c = 0; c < dimensions; c++)
            {
                bool circle = c == dimensions - 1;
                Quantiles(all[c], circle, c == 1 && dimensions == 3, functions.AsSpan(((bead - 1) * dimensions + c) * width, width));
            }
        }
        return new(beads, dimensions, functions);
    }

    private static void Quantiles(double[] values, bool circle, bool bend, Span<float> function)
    {
        Array.Sort(values);
        double low = values[0], high = values[^1], cut = 0;
        if (circle)
        {
            // The circle is cut where the longest stretch without a value lies.
            double longest = values[0] + 2 * Math.PI - values[^1];
            cut = values[^1] + longest / 2 - 2 * Math.PI;
            for (int i = 1; i < values.Length; i++)
            {
                if (values[i] - values[i - 1] > longest)
                {
                    longest = values[i] - values[i - 1];
                    cut = values[i - 1] + longest / 2;
                }
            }
            for (int i = 0; i < values.Length; i++)
                values[i] += values[i] < cut ? 2 * Math.PI : values[i] >= cut + 2 * Math.PI ? -2 * Math.PI : 0;
            Array.Sort(values);
            (low, high) = (cut, cut + 2 * Math.PI);
        }
        else
        {
            double margin = Math.Max(0.02 * (high - low), 1e-6 * Math.Max(Math.Abs(high), 1e-3));
            low = Math.Max(0, low - margin);
            high = bend ? Math.Min(Math.PI, high + margin) : high + margin;
        }
        var (places, knots) = Knots(values, low, high);
        Interpolate(places, knots, function);
        if (circle)
            Spread(function, low, high);
        // Equal values, as of rigid bonds, leave no room to tell quantiles apart; what is added has to count in single precision.
        float least = 1e-7f * Math.Max(1e-3f, (float)(high - low));
        for (int k = 1; k < function.Length; k++)
        {
            float before = function[k - 1];
            function[k] = Math.Max(function[k], Math.Max(before + least, MathF.BitIncrement(before)));
        }
    }

    /// <summary>
    /// Few places in the middle, so that chance does not make waves in the density, and more towards the ends: within an interval all
    /// values are alike, and tails are not.
    /// </summary>
    private static (double[] Places, double[] Values) Knots(double[] sorted, double low, double high)
    {
        const int Middle = 32;
        var places = new List<double> { 0 };
        for (double place = 2.0 / sorted.Length; place < 1.0 / Middle; place *= 2)
            places.Add(place);
        for (int k = 1; k < Middle; k++)
            places.Add((double)k / Middle);
        for (int k = places.Count - Middle; k >= 0; k--)
            places.Add(1 - places[k]);
        return ([.. places], [.. places.Select(place => place <= 0 ? low : place >= 1 ? high : At(place))]);

        double At(double place)
        {
            double at = place * (sorted.Length - 1);
            int k = Math.Min((int)at, sorted.Length - 2);
            return sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]);
        }
    }

    /// <summary>
    /// A smooth rising function through the knots (Fritsch and Carlson 1980, with harmonic means of neighbouring slopes).
    /// </summary>
    private static void Interpolate(double[] x, double[] y, Span<float> function)
    {
        int n = x.Length;
        double[] slopes = new double[n], secants = new double[n - 1];
        for (int k = 0; k < n - 1; k++)
            secants[k] = (y[k + 1] - y[k]) / (x[k + 1] - x[k]);
        slopes[0] = secants[0];
        slopes[n - 1] = secants[n - 2];
        for (int k = 1; k < n - 1; k++)
        {
            double left = x[k] - x[k - 1], right = x[k + 1] - x[k], a = 2 * right + left, b = right + 2 * left;
            slopes[k] = secants[k - 1] > 0 && secants[k] > 0 ? (a + b) / (a / secants[k - 1] + b / secants[k]) : 0;
        }
        int at = 0;
        for (int k = 0; k < function.Length; k++)
        {
            double place = (double)k / (function.Length - 1);
            while (at < n - 2 && x[at + 1] < place)
                at++;
            double width = x[at + 1] - x[at], t = (place - x[at]) / width, u = 1 - t;
            double ends = u * u * (1 + 2 * t) * y[at] + t * t * (1 + 2 * u) * y[at + 1];
            function[k] = (float)(ends + t * u * width * (u * slopes[at] - t * slopes[at + 1]));
        }
    }

    /// <summary>Mixes a little of the even distribution into a quantile function.</summary>
    private static void Spread(Span<float> function, double low, double high)
    {
        int n = function.Length - 1;
        double[] old = new double[n + 1];
        for (int k = 0; k <= n; k++)
            old[k] = function[k];
        for (int k = 1; k < n; k++)
        {
            double target = (double)k / n, a = low, b = high;
            for (int step = 0; step < 60; step++)
            {
                double x = (a + b) / 2;
                if ((1 - Anywhere) * Place(old, x) + Anywhere * (x - low) / (high - low) < target)
                    a = x;
                else
                    b = x;
            }
            function[k] = (float)((a + b) / 2);
        }
    }

    private static double Place(double[] function, double x)
    {
        int n = function.Length - 1, k = 0;
        while (k < n - 1 && function[k + 1] < x)
            k++;
        double width = function[k + 1] - function[k];
        return (k + (width > 0 ? Math.Clamp((x - function[k]) / width, 0, 1) : 0)) / n;
    }

    /// <summary>The value at a place between 0 and 1.</summary>
    public float Value(int bead, int coordinate, float place)
    {
        var function = Function(bead, coordinate);
        float at = place * ChainShape.Quantiles;
        int k = Math.Min((int)at, ChainShape.Quantiles - 1);
        return function[k] + (at - k) * (function[k + 1] - function[k]);
    }

    /// <summary>
    /// The place of a value, between 0 and 1, and the logarithm of the density of values there; values beyond the ends are at the ends.
    /// </summary>
    public float Place(int bead, int coordinate, float value, out double logDensity)
    {
        var function = Function(bead, coordinate);
        if (coordinate == _dimensions - 1)
        {
            const float Turn = 2 * MathF.PI;
            if (value < function[0])
                value += Turn;
            else if (value > function[^1])
                value -= Turn;
        }
        int k = function.BinarySearch(value);
        k = Math.Clamp(k >= 0 ? k : ~k - 1, 0, ChainShape.Quantiles - 1);
        float width = function[k + 1] - function[k];
        logDensity = -Math.Log(width * ChainShape.Quantiles);
        return Math.Clamp((k + (value - function[k]) / width) / ChainShape.Quantiles, 0, 1);
    }

    /// <summary>
    /// Fills in the axes in which bead i is told: the direction of the bond before, and those beside it. The first bond has the axes of
    /// space itself.
    /// </summary>
    public static void Frame(ReadOnlySpan<float> shape, int i, int dimensions, Span<float> frame)
    {
        if (dimensions == 2)
        {
            float x = 1, y = 0;
            if (i > 1)
            {
                x = shape[2 * (i - 1)] - shape[2 * (i - 2)];
                y = shape[2 * (i - 1) + 1] - shape[2 * (i - 2) + 1];
                float length = MathF.Sqrt(x * x + y * y);
                (x, y) = length > 0 ? (x / length, y / length) : (1, 0);
            }
            frame[0] = x;
            frame[1] = y;
            frame[2] = -y;
            frame[3] = x;
            return;
        }
        frame[..9].Clear();
        frame[0] = frame[4] = frame[8] = 1;
        if (i < 2)
            return;
        var from = shape[(3 * (i - 2))..];
        float ax = from[3] - from[0], ay = from[4] - from[1], az = from[5] - from[2];
        float norm = MathF.Sqrt(ax * ax + ay * ay + az * az);
        (ax, ay, az) = norm > 0 ? (ax / norm, ay / norm, az / norm) : (1, 0, 0);
        float bx = 0, by = 0, bz = 0, rest = 0, least = 0;
        if (i > 2)
        {
            var before = shape[(3 * (i - 3))..];
            (bx, by, bz) = (before[3] - before[0], before[4] - before[1], before[5] - before[2]);
            // What is left across has to be well above rounding, or the axes would not be at right angles.
            least = Straight * MathF.Sqrt(bx * bx + by * by + bz * bz);
            rest = Rest();
        }
        // Of three beads in a line, and of the second bond, the axis of space that is least along the bond tells where torsions begin.
        if (rest <= least)
        {
            float px = MathF.Abs(ax), py = MathF.Abs(ay), pz = MathF.Abs(az);
            (bx, by, bz) = px <= py && px <= pz ? (1f, 0f, 0f) : py <= pz ? (0f, 1f, 0f) : (0f, 0f, 1f);
            rest = Rest();
        }
        (bx, by, bz) = (bx / rest, by / rest, bz / rest);
        frame[0] = ax;
        frame[1] = ay;
        frame[2] = az;
        frame[3] = bx;
        frame[4] = by;
        frame[5] = bz;
        frame[6] = ay * bz - az * by;
        frame[7] = az * bx - ax * bz;
        frame[8] = ax * by - ay * bx;

        float Rest()
        {
            float along = ax * bx + ay * by + az * bz;
            bx -= along * ax;
            by -= along * ay;
            bz -= along * az;
            return MathF.Sqrt(bx * bx + by * by + bz * bz);
        }
    }

    /// <summary>Bond length and signed angle (plane), or bond length, bend and torsion (space), of bead i in its frame.</summary>
    public static void Internal(ReadOnlySpan<float> shape, int i, int dimensions, ReadOnlySpan<float> frame, Span<float> own)
    {
        if (dimensions == 2)
        {
            float x = shape[2 * i] - shape[2 * i - 2], y = shape[2 * i + 1] - shape[2 * i - 1];
            own[0] = MathF.Sqrt(x * x + y * y);
            own[1] = MathF.Atan2(x * frame[2] + y * frame[3], x * frame[0] + y * frame[1]);
            return;
        }
        float dx = shape[3 * i] - shape[3 * i - 3], dy = shape[3 * i + 1] - shape[3 * i - 2], dz = shape[3 * i + 2] - shape[3 * i - 1];
        float a = dx * frame[0] + dy * frame[1] + dz * frame[2];
        float b = dx * frame[3] + dy * frame[4] + dz * frame[5];
        float c = dx * frame[6] + dy * frame[7] + dz * frame[8];
        own[0] = MathF.Sqrt(a * a + b * b + c * c);
        own[1] = MathF.Atan2(MathF.Sqrt(b * b + c * c), a);
        own[2] = MathF.Atan2(c, b);
    }
}
