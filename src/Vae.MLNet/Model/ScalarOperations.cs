using TorchSharp;
using static TorchSharp.torch;

namespace Vae.MLNet.Model;

/// <summary>
/// Operations of a tensor and a number for code that runs while other threads allocate. TorchSharp makes a finalisable object of the number and hands its address to
/// native code without keeping it alive: a collection at that moment frees it under the call, which then fails with "Unknown scalar type" or computes with garbage.
/// Here the object lives until the call is over. The sum of two tensors is no exception: TorchSharp multiplies the second by a number of its own making, 1.
/// </summary>
internal static class ScalarOperations
{
    private static readonly Scalar One = 1;

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, One);

    /// <summary>x += y.</summary>
    public static Tensor PlusInPlace(this Tensor x, Tensor y) => x.add_(y, One);

    public static Tensor Times(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.mul(scalar);
    }

    public static Tensor TimesInPlace(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.mul_(scalar);
    }

    public static Tensor Plus(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.add(scalar, One);
    }

    public static Tensor PlusInPlace(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.add_(scalar, One);
    }

    public static Tensor DividedBy(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.div(scalar);
    }

    public static Tensor DividedByInPlace(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.div_(scalar);
    }

    public static Tensor Squared(this Tensor x) => x.mul(x);

    /// <summary>x + value · y · z.</summary>
    public static Tensor PlusProductInPlace(this Tensor x, Tensor y, Tensor z, double value)
    {
        using Scalar scalar = value;
        return x.addcmul_(y, z, scalar);
    }

    /// <summary>x + value · y / z.</summary>
    public static Tensor PlusQuotientInPlace(this Tensor x, Tensor y, Tensor z, double value)
    {
        using Scalar scalar = value;
        return x.addcdiv_(y, z, scalar);
    }

    /// <summary>x + weight · (end - x).</summary>
    public static Tensor TowardsInPlace(this Tensor x, Tensor end, double weight) => x.PlusInPlace((end - x).TimesInPlace(weight));

    /// <summary>log(1 + exp(x)), in the form that neither overflows nor cancels.</summary>
    public static Tensor Softplus(this Tensor x) => x.relu().Plus(x.abs().neg().exp().log1p());

    /// <summary>x above zero, exp(x) - 1 below.</summary>
    public static Tensor Elu(this Tensor x)
    {
        var positive = x.relu();
        return positive.Plus((x - positive).expm1());
    }

    /// <summary>x above zero, slope · x below.</summary>
    public static Tensor LeakyRelu(this Tensor x, double slope)
    {
        var positive = x.relu();
        return positive.Plus((x - positive).Times(slope));
    }

    public static Tensor Between(this Tensor x, double low, double high)
    {
        using Scalar least = low, most = high;
        return x.clamp(least, most);
    }

    public static Tensor AtLeast(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.clamp_min(scalar);
    }

    public static Tensor AtMost(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.clamp_max(scalar);
    }

    public static Tensor AtMostInPlace(this Tensor x, long value)
    {
        using Scalar scalar = value;
        return x.clamp_max_(scalar);
    }

    public static Tensor IsAtLeast(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.ge(scalar);
    }

    public static Tensor IsAtLeastInPlace(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.ge_(scalar);
    }

    public static Tensor IsAtMost(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.le(scalar);
    }

    public static Tensor IsAbove(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.gt(scalar);
    }

    public static Tensor IsBelow(this Tensor x, double value)
    {
        using Scalar scalar = value;
        return x.lt(scalar);
    }

    /// <summary>Whether tokens are below a number; compared as integers.</summary>
    public static Tensor IsBelow(this Tensor x, long value)
    {
        using Scalar scalar = value;
        return x.lt(scalar);
    }
}
