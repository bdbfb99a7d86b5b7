namespace Vae.MLNet.ChainDecoding;

/// <summary>
/// Sizes of a chain decoder and where its numbers stand. Bead i (1 and up) is drawn among candidates: a grid over quantiles of its bond
/// length and, in the frame of the bond before, of its angle (in the plane) or of its bend and torsion (in space).
/// </summary>
/// <param name="Beads">Beads of the chain, at least 3.</param>
/// <param name="Dimensions">2 or 3.</param>
/// <param name="Latent">Dimensions of the latent space.</param>
internal sealed record ChainShape(int Beads, int Dimensions, int Latent)
{
    /// <summary>Knots of a table of distances; between them tables are linear.</summary>
    public const int Knots = 256;

    /// <summary>Beads of the mean shape that a candidate's distance to is looked up: the one that stands for it and those after.</summary>
    public const int Ghosts = 4;

    /// <summary>Intervals of a quantile function.</summary>
    public const int Quantiles = 1024;

    /// <summary>Hidden units of the context network.</summary>
    public const int Hidden = 128;

    private static readonly int[] PlaneKnots = [8, 32], SpaceKnots = [8, 24, 32], PlaneGrid = [8, 64], SpaceGrid = [4, 8, 32];

    /// <summary>Beads that are drawn among candidates: all but the first.</summary>
    public int Positions => Beads - 1;

    public int Size => Beads * Dimensions;

    /// <summary>Knots of what the context network adds along each coordinate of a candidate.</summary>
    public int[] ContextKnots => Dimensions == 2 ? PlaneKnots : SpaceKnots;

    /// <summary>Candidates along each coordinate.</summary>
    public int[] Grid => Dimensions == 2 ? PlaneGrid : SpaceGrid;

    public int ContextOutputs => ContextKnots.Sum();

    /// <summary>Tables of distances between pairs of beads, one for each bead and each at least two before it.</summary>
    public int Pairs => (Beads - 1) * (Beads - 2) / 2;

    /// <summary>Tables: of pairs, then of separations along the chain (added to the pairs' own), then of beads of the mean shape.</summary>
    public int Tables => Pairs + Beads + Positions * Ghosts;

    /// <summary>
    /// What the context network sees: earlier beads, beads of the mean shape to come (both in the frame of the last bond), the latent
    /// vector, the position.
    /// </summary>
    public int Inputs => (Beads - 2) * Dimensions + Beads * Dimensions + Latent + Positions;

    /// <summary>Table of bead i beside bead j, j at most i - 2.</summary>
    public static int Pair(int i, int j) => (i - 1) * (i - 2) / 2 + j;

    private int Separation(int lag) => Pairs + lag;

    public int Ghost(int i, int lead) => Pairs + Beads + (i - 1) * Ghosts + lead;

    /// <summary>Names and shapes of the network's parameters.</summary>
    public IReadOnlyList<(string Name, long[] Shape)> Parameters =>
    [
        ("context.0.weight", [Hidden, Inputs]),
        ("context.1.weight", [Hidden, Hidden]),
        ("context.output.weight", [ContextOutputs, Hidden]),
        ("context.0.bias", [Hidden]),
        ("context.1.bias", [Hidden]),
        ("context.output.bias", [ContextOutputs]),
    ];

    /// <summary>Numbers of the network's weights, which come first and decay.</summary>
    public int WeightsSize => Hidden * (Inputs + Hidden + ContextOutputs);

    /// <summary>
    /// Numbers of noise a shape: for the first bead standard normal ones and a uniform one, then for each bead the shifts of the grid and the
    /// place among candidates, uniform.
    /// </summary>
    public int NoiseSize => Beads * (Dimensions + 1);

    /// <summary>Tables of all pairs, each with that of its separation.</summary>
    public IEnumerable<(int Pair, int Separation)> PairTables
    {
        get
        {
            for (int i = 2; i < Beads; i++)
            {
                for (int j = 0; j <= i - 2; j++)
                    yield return (Pair(i, j), Separation(i - j));
            }
        }
    }
}
