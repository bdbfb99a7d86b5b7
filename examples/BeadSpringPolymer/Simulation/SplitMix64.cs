namespace BeadSpringPolymer.Simulation;

/// <summary>The SplitMix64 generator (Steele, Lea, Flood 2014): small, and any seed is a good one. Seeds the chains' own generators and lays out their starts.</summary>
internal struct SplitMix64(ulong seed)
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    private ulong _state = seed;

    /// <summary>A generator of its own for every pair of seed and chain.</summary>
    public static SplitMix64 For(int seed, int chain) => new(Mix(Mix(unchecked((uint)seed) + Increment) + (uint)chain));

    public ulong Next() => Mix(_state += Increment);

    /// <summary>Uniform in [0, 1).</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1L << 53));

    /// <summary>Standard normal, by Box and Muller.</summary>
    public double NextGaussian() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
