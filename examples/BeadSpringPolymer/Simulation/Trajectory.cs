namespace BeadSpringPolymer.Simulation;

/// <summary>Conformations of bead-spring chains. Frames of one chain are neighbours, in the order of time; chain follows upon chain.</summary>
public sealed class Trajectory
{
    /// <summary>Coordinates of a bead.</summary>
    public const int Dimensions = 2;

    /// <summary>Takes over <paramref name="positions"/>, a row-major [frames, beads, 2] array.</summary>
    /// <exception cref="ArgumentException">The array does not hold a whole number of frames.</exception>
    public Trajectory(float[] positions, int beads, int framesPerChain, double kineticTemperature)
    {
        ArgumentNullException.ThrowIfNull(positions);
        ArgumentOutOfRangeException.ThrowIfLessThan(beads, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(framesPerChain, 1);
        if (positions.Length % (beads * Dimensions) != 0)
            throw new ArgumentException($"{positions.Length} numbers are not a whole number of frames of {beads} beads in {Dimensions} dimensions.", nameof(positions));
        Positions = positions;
        Beads = beads;
        FramesPerChain = framesPerChain;
        KineticTemperature = kineticTemperature;
    }

    /// <summary>Row-major [frames, beads, 2]; chains have drifted and turned freely, so frames are neither centred nor aligned.</summary>
    public float[] Positions { get; }

    /// <summary>Number of frames.</summary>
    public int Count => Positions.Length / (Beads * Dimensions);

    /// <summary>Beads of a chain.</summary>
    public int Beads { get; }

    /// <summary>Frames of one chain; the last chain may have fewer.</summary>
    public int FramesPerChain { get; }

    /// <summary>Mean over all frames and coordinates of m v^2, in the unit of kT.</summary>
    public double KineticTemperature { get; }

    /// <summary>One frame: x0, y0, x1, y1, ...</summary>
    public ReadOnlySpan<float> Frame(int index) => Positions.AsSpan(index * Beads * Dimensions, Beads * Dimensions);
}
