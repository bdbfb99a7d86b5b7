namespace Vae.MLNet.Model;

/// <summary>What random numbers are drawn for.</summary>
internal enum Purpose
{
    Weights = 1,
    Split,
    Order,
    Noise,
    Validation,
    Evaluation,
    Pool,
    Sample,
    Draw,
    SelfCheck,
    Comparison,
    Critic,
}

/// <summary>
/// Independent streams from the one seed of a Fit, one for each purpose and epoch, by SplitMix64's mixing function (Steele, Lea and Flood 2014). Because
/// a stream depends on nothing but its name, a resumed training draws the numbers that an uninterrupted one would have drawn.
/// </summary>
internal static class SeedStream
{
    public static ulong Derive(int seed, Purpose purpose, long index = 0) =>
        Mix(Mix(Mix((uint)seed + 0x9E3779B97F4A7C15UL) + (ulong)purpose * 0xD1B54A32D192ED03UL) + (ulong)index * 0x8CB92BA72F3D8DD7UL);

    public static ulong Mix(ulong value)
    {
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9UL;
        value = (value ^ value >> 27) * 0x94D049BB133111EBUL;
        return value ^ value >> 31;
    }

    /// <summary>A seed that is not negative, as options take them.</summary>
    public static int ToSeed(ulong value) => (int)(value >> 33);

    /// <summary>A seed that TorchSharp's generators take.</summary>
    public static long Torch(int seed, Purpose purpose, long index = 0) => (long)(Derive(seed, purpose, index) >> 1);

    /// <summary>The numbers 0 to count - 1 in an order of their own for each index (Fisher and Yates).</summary>
    public static long[] Permutation(int count, int seed, Purpose purpose, long index = 0)
    {
        var order = new long[count];
        ulong state = Derive(seed, purpose, index);
        for (int i = 0; i < count; i++)
        {
            state += 0x9E3779B97F4A7C15UL;
            // Lemire's multiply-shift: the bias is below count / 2^64.
            int at = (int)Math.BigMul(Mix(state), (ulong)(i + 1), out _);
            order[i] = order[at];
            order[at] = i;
        }
        return order;
    }
}
