using System.Globalization;

namespace BeadSpringPolymer.Simulation;

/// <summary>How a chain is laid out before it is equilibrated.</summary>
public enum ChainStart
{
    /// <summary>Bond lengths and turning angles drawn from their Boltzmann distributions, overlaps rejected.</summary>
    SelfAvoidingWalk,

    /// <summary>A straight chain along x: far from equilibrium, for checks of how long equilibration takes.</summary>
    Rod,
}

/// <summary>A bead-spring chain in two dimensions and how it is simulated; in reduced units (energies in the unit of kT, lengths in bond lengths).</summary>
public sealed record BeadSpringOptions
{
    /// <summary>Beads of a chain; at least 2.</summary>
    public int Beads { get; init; } = 12;

    /// <summary>kT.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Mass of a bead.</summary>
    public double Mass { get; init; } = 1;

    /// <summary>Friction rate gamma of the Langevin thermostat, per unit of time.</summary>
    public double Friction { get; init; } = 1;

    /// <summary>Time step. With the default chain 0.02 is too long: close pairs of beads gain energy and the chain blows up.</summary>
    public double TimeStep { get; init; } = 0.01;

    /// <summary>k of the bond energy k/2 (r - r0)^2.</summary>
    public double BondStiffness { get; init; } = 100;

    /// <summary>r0 of the bond energy.</summary>
    public double BondLength { get; init; } = 1;

    /// <summary>kappa of the bending energy kappa/2 phi^2, phi being the angle between successive bonds (0 where the chain is straight).</summary>
    public double BendingStiffness { get; init; } = 1;

    /// <summary>Depth of the Lennard-Jones well between beads two or more apart along the chain.</summary>
    public double LennardJonesEpsilon { get; init; } = 1.7;

    /// <summary>Distance at which the Lennard-Jones energy crosses zero.</summary>
    public double LennardJonesSigma { get; init; } = 0.55;

    /// <summary>Lennard-Jones ends here, in units of sigma; its energy is shifted to be zero there.</summary>
    public double LennardJonesCutoff { get; init; } = 2.5;

    /// <summary>Below this distance, in units of sigma, the Lennard-Jones force keeps its value and the energy goes on along a straight line.</summary>
    public double LennardJonesCap { get; init; } = 0.8;

    /// <summary>
    /// Steps before a chain's first frame is taken. With the default chain the mean radius of gyration is within 0.01 of its equilibrium after 30,000 steps,
    /// from walks and from rods alike.
    /// </summary>
    public int EquilibrationSteps { get; init; } = 40_000;

    /// <summary>Steps between the frames of a chain. The default chain's radius of gyration correlates by 0.15 over 10,000 steps and by 0.05 over 20,000.</summary>
    public int StepsBetweenFrames { get; init; } = 20_000;

    /// <summary>Frames taken of a chain before the next chain begins.</summary>
    public int FramesPerChain { get; init; } = 5;

    /// <summary>How chains start.</summary>
    public ChainStart Start { get; init; }

    /// <summary>Threads to use; 0 means one per processor. It has no influence on the result.</summary>
    public int Threads { get; init; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside of its range; the message gives name, range and value.</exception>
    public void Validate()
    {
        AtLeast(Beads, 2, nameof(Beads));
        Positive(Temperature, nameof(Temperature));
        Positive(Mass, nameof(Mass));
        Positive(Friction, nameof(Friction));
        Positive(TimeStep, nameof(TimeStep));
        NotNegative(BondStiffness, nameof(BondStiffness));
        Positive(BondLength, nameof(BondLength));
        NotNegative(BendingStiffness, nameof(BendingStiffness));
        NotNegative(LennardJonesEpsilon, nameof(LennardJonesEpsilon));
        Positive(LennardJonesSigma, nameof(LennardJonesSigma));
        Positive(LennardJonesCap, nameof(LennardJonesCap));
        Positive(LennardJonesCutoff, nameof(LennardJonesCutoff));
        if (LennardJonesCutoff <= LennardJonesCap)
            throw OutOfRange(nameof(LennardJonesCutoff), LennardJonesCutoff, $"greater than {nameof(LennardJonesCap)}");
        AtLeast(EquilibrationSteps, 0, nameof(EquilibrationSteps));
        AtLeast(StepsBetweenFrames, 1, nameof(StepsBetweenFrames));
        AtLeast(FramesPerChain, 1, nameof(FramesPerChain));
        AtLeast(Threads, 0, nameof(Threads));
        if (!Enum.IsDefined(Start))
            throw OutOfRange(nameof(Start), Start, "one of " + string.Join(", ", Enum.GetNames<ChainStart>()));
    }

    /// <summary>All values that the result depends on, as text: two options with the same text give the same frames.</summary>
    internal string ToKey() => string.Create(CultureInfo.InvariantCulture,
        $"beads={Beads};kT={Temperature:R};m={Mass:R};gamma={Friction:R};dt={TimeStep:R};k={BondStiffness:R};r0={BondLength:R};" +
        $"kappa={BendingStiffness:R};eps={LennardJonesEpsilon:R};sigma={LennardJonesSigma:R};cut={LennardJonesCutoff:R};" +
        $"cap={LennardJonesCap:R};equilibration={EquilibrationSteps};between={StepsBetweenFrames};perChain={FramesPerChain};start={Start}");

    private static void AtLeast(int value, int min, string name)
    {
        if (value < min)
            throw OutOfRange(name, value, $"at least {min}");
    }

    private static void Positive(double value, string name)
    {
        if (!(value > 0) || !double.IsFinite(value))
            throw OutOfRange(name, value, "positive and finite");
    }

    private static void NotNegative(double value, string name)
    {
        if (!(value >= 0) || !double.IsFinite(value))
            throw OutOfRange(name, value, "zero or more and finite");
    }

    private static ArgumentOutOfRangeException OutOfRange(string name, object value, string expected) =>
        new(name, value, string.Create(CultureInfo.InvariantCulture, $"{name} has to be {expected}; it is {value}."));
}
