namespace Vae.MLNet.Conformations;

/// <summary>A place or a direction in space, in double precision; in the plane with Z = 0.</summary>
internal readonly record struct BeadVector(double X, double Y, double Z)
{
    public double Squared => X * X + Y * Y + Z * Z;

    public double Length => Math.Sqrt(Squared);

    public double Dot(BeadVector other) => X * other.X + Y * other.Y + Z * other.Z;

    public BeadVector Cross(BeadVector other) => new(Y * other.Z - Z * other.Y, Z * other.X - X * other.Z, X * other.Y - Y * other.X);

    /// <summary>The vector at length 1; the first unit vector for one of length 0.</summary>
    public BeadVector Unit()
    {
        // Thin shapes give short vectors whose square would vanish; the greatest component is divided out first.
        double largest = Math.Max(Math.Abs(X), Math.Max(Math.Abs(Y), Math.Abs(Z)));
        if (!(largest > AlignmentRules.Tiny))
            return new(1, 0, 0);
        var scaled = this * (1 / largest);
        return scaled * (1 / Math.Sqrt(scaled.Squared));
    }

    public static BeadVector operator +(BeadVector a, BeadVector b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z);

    public static BeadVector operator -(BeadVector a, BeadVector b) => new(a.X - b.X, a.Y - b.Y, a.Z - b.Z);

    public static BeadVector operator *(BeadVector a, double b) => new(a.X * b, a.Y * b, a.Z * b);

    public static BeadVector operator /(BeadVector a, double b) => new(a.X / b, a.Y / b, a.Z / b);
}
