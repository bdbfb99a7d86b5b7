namespace Vae.MLNet.Tests.Conformations;

/// <summary>Principal axes the textbook's way: cyclic Jacobi rotations on the full matrix (Golub and Van Loan, section 8.5).</summary>
internal static class JacobiReference
{
    /// <summary>Coordinates along the eigenvectors of Σ m x xᵀ by descending eigenvalue, signs as they come, and the eigenvalues.</summary>
    public static (double[] Projected, double[] Eigenvalues) Project(double[] x, int dimensions, double[]? masses = null)
    {
        int beads = x.Length / dimensions;
        double Mass(int i) => masses?[i] ?? 1;
        double total = Enumerable.Range(0, beads).Sum(Mass);
        var centred = new double[x.Length];
        for (int k = 0; k < x.Length; k++)
            centred[k] = x[k] - Enumerable.Range(0, beads).Sum(i => Mass(i) * x[i * dimensions + k % dimensions]) / total;

        var a = new double[dimensions, dimensions];
        var v = new double[dimensions, dimensions];
        for (int p = 0; p < dimensions; p++)
        {
            v[p, p] = 1;
            for (int q = 0; q < dimensions; q++)
                a[p, q] = Enumerable.Range(0, beads).Sum(i => Mass(i) * centred[i * dimensions + p] * centred[i * dimensions + q]);
        }
        for (int sweep = 0; sweep < 30; sweep++)
        {
            for (int p = 0; p < dimensions; p++)
            {
                for (int q = p + 1; q < dimensions; q++)
                    Rotate(a, v, p, q);
            }
        }
        int[] order = [.. Enumerable.Range(0, dimensions).OrderByDescending(p => a[p, p])];
        var projected = new double[x.Length];
        for (int i = 0; i < beads; i++)
        {
            for (int d = 0; d < dimensions; d++)
                projected[i * dimensions + d] = Enumerable.Range(0, dimensions).Sum(e => v[e, order[d]] * centred[i * dimensions + e]);
        }
        return (projected, [.. order.Select(p => a[p, p])]);
    }

    private static void Rotate(double[,] a, double[,] v, int p, int q)
    {
        if (a[p, q] == 0)
            return;
        double theta = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        double t = (theta < 0 ? -1 : 1) / (Math.Abs(theta) + Math.Sqrt(theta * theta + 1));
        double c = 1 / Math.Sqrt(t * t + 1), s = t * c;
        int n = a.GetLength(0);
        for (int k = 0; k < n; k++)
            (a[k, p], a[k, q]) = (c * a[k, p] - s * a[k, q], s * a[k, p] + c * a[k, q]);
        for (int k = 0; k < n; k++)
            (a[p, k], a[q, k]) = (c * a[p, k] - s * a[q, k], s * a[p, k] + c * a[q, k]);
        for (int k = 0; k < n; k++)
            (v[k, p], v[k, q]) = (c * v[k, p] - s * v[k, q], s * v[k, p] + c * v[k, q]);
    }
}
