using Vae.MLNet.Inference.Randomness;

namespace Vae.MLNet.ChainDecoding;

/// <summary>Chains as their symmetries have them.</summary>
internal static class ChainSymmetry
{
    /// <summary>Mirrors and turns round a chain and its mean shape, each by chance, where the symmetries allow it.</summary>
    public static void Apply(ChainSymmetries symmetries, SeededRandom random, Span<float> chain, Span<float> ghosts, int dimensions)
    {
        if (symmetries.HasFlag(ChainSymmetries.Mirror) && random.NextUniform() < 0.5)
        {
            Mirror(chain, dimensions);
            Mirror(ghosts, dimensions);
        }
        if (symmetries.HasFlag(ChainSymmetries.Direction) && random.NextUniform() < 0.5)
        {
            Reverse(chain, dimensions);
            Reverse(ghosts, dimensions);
        }
    }

    /// <summary>Shapes with all their images, one set after the other.</summary>
    public static float[] Images(ChainSymmetries symmetries, float[] shapes, int size, int dimensions)
    {
        float[] images = shapes;
        if (symmetries.HasFlag(ChainSymmetries.Mirror))
            images = [.. images, .. Each(images, size, shape => Mirror(shape.Span, dimensions))];
        if (symmetries.HasFlag(ChainSymmetries.Direction))
            images = [.. images, .. Each(images, size, shape => Reverse(shape.Span, dimensions))];
        return images;
    }

    private static float[] Each(float[] shapes, int size, Action<Memory<float>> change)
    {
        float[] changed = [.. shapes];
        for (int at = 0; at < changed.Length; at += size)
            change(changed.AsMemory(at, size));
        return changed;
    }

    /// <summary>The last coordinate with the other sign; any plane would do, as chains may be turned.</summary>
    private static void Mirror(Span<float> shape, int dimensions)
    {
        for (int at = dimensions - 1; at < shape.Length; at += dimensions)
            shape[at] = -shape[at];
    }

    private static void Reverse(Span<float> shape, int dimensions)
    {
        shape.Reverse();
        // Whole numbers were reversed; each bead's coordinates are put back in their order.
        for (int at = 0; at < shape.Length; at += dimensions)
            shape.Slice(at, dimensions).Reverse();
    }
}
