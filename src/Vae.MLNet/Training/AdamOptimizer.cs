using System.Numerics;
using System.Runtime.InteropServices;
using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>
/// Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019) over flat arrays; β1 = 0.9, β2 = 0.999, ε = 1e-8. On the processor it is one
/// fused pass in managed SIMD, which is several times faster than a pass for each elementary operation; on other devices it is those operations.
/// </summary>
internal sealed class AdamOptimizer : IDisposable
{
    private const float Beta1 = 0.9f, Beta2 = 0.999f, Epsilon = 1e-8f;

    /// <summary>
    /// Moments below this are set to zero: left alone they would decay into denormal numbers, with which processors are many times slower, while they are too small
    /// to move any parameter.
    /// </summary>
    private const float Tiny = 1e-30f;

    private readonly Tensor _parameters, _first, _second;
    private readonly Tensor? _work;
    private readonly int _decayed;
    private readonly float _weightDecay, _clip;
    private readonly SliceThreads? _threads;

    /// <param name="parameters">Flat parameters.</param>
    /// <param name="decayed">Numbers at the start of the array that decay.</param>
    /// <param name="weightDecay">Decay in units of the learning rate.</param>
    /// <param name="clip">Largest norm of the gradient, or 0.</param>
    /// <param name="fused">Whether to make one fused pass: on the processor only.</param>
    /// <param name="threads">Threads for the fused pass.</param>
    public AdamOptimizer(Tensor parameters, int decayed, float weightDecay, float clip, bool fused, SliceThreads? threads = null)
    {
        _parameters = parameters;
        _first = zeros_like(_parameters).DetachFromDisposeScope();
        _second = zeros_like(_parameters).DetachFromDisposeScope();
        _work = fused ? null : zeros_like(_parameters).DetachFromDisposeScope();
        _decayed = decayed;
        _weightDecay = weightDecay;
        _clip = clip;
        _threads = threads;
    }

    public long Steps { get; private set; }

    /// <summary>The moments, to be given to <see cref="Restore"/> one day.</summary>
    public (float[] First, float[] Second) ReadMoments()
    {
        using var scope = NewDisposeScope();
        return (_first.cpu().data<float>().ToArray(), _second.cpu().data<float>().ToArray());
    }

    /// <summary>Goes on where another optimiser stood.</summary>
    public void Restore(long steps, float[] first, float[] second)
    {
        using var scope = NewDisposeScope();
        Steps = steps;
        _first.copy_(tensor(first));
        _second.copy_(tensor(second));
    }

    /// <param name="gradients">Flat gradients, whose sum is followed; the first is overwritten where it has to be.</param>
    /// <param name="learningRate">Step size.</param>
    public void Step(IEnumerable<Tensor> gradients, double learningRate)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Steps++;
        Tensor[] parts = [.. gradients];
        if (parts.Length > 2 || parts.Length > 1 && (_clip > 0 || _work is not null))
        {
            foreach (var part in parts.AsSpan(1))
                parts[0].PlusInPlace(part);
            parts = [parts[0]];
        }
        var gradient = parts[0];
        if (_clip > 0)
            gradient.mul_(gradient.norm().Plus(1e-6).reciprocal().Times(_clip).AtMost(1));
        double correction1 = 1 - Math.Pow(Beta1, Steps), correction2 = 1 - Math.Pow(Beta2, Steps);
        if (_work is null)
        {
            Fused(gradient, parts.Length > 1 ? parts[1] : null, (float)(learningRate / correction1), (float)(1 / Math.Sqrt(correction2)), (float)(1 - learningRate * _weightDecay));
            return;
        }
        _first.TowardsInPlace(gradient, 1 - Beta1);
        _second.TimesInPlace(Beta2).PlusProductInPlace(gradient, gradient, 1 - Beta2);
        if (_weightDecay > 0)
            _parameters.narrow(0, 0, _decayed).TimesInPlace(1 - learningRate * _weightDecay);
        _work.copy_(_second).sqrt_().DividedByInPlace(Math.Sqrt(correction2)).PlusInPlace(Epsilon);
        _parameters.PlusQuotientInPlace(_first, _work, -learningRate / correction1);
    }

    private void Fused(Tensor gradient, Tensor? other, float rate, float rootCorrection, float decay)
    {
        int count = (int)_parameters.NumberOfElements, threads = _threads?.Count ?? 1;
        if (threads == 1)
            Part(0);
        else
            _threads!.Run(threads, Part);

        void Part(int part)
        {
            int start = (int)((long)count * part / threads), end = (int)((long)count * (part + 1) / threads);
            // The part that the end of the weight matrices falls into is done in two.
            int middle = Math.Clamp(_decayed, start, end);
            Pass(start..middle, gradient, other, rate, rootCorrection, decay);
            Pass(middle..end, gradient, other, rate, rootCorrection, 1);
        }
    }

    private void Pass(Range range, Tensor gradient, Tensor? other, float rate, float rootCorrection, float decay)
    {
        var p = Values(_parameters)[range];
        var g = Values(gradient)[range];
        var h = other is null ? default : Values(other)[range];
        var m = Values(_first)[range];
        var v = Values(_second)[range];
        int i = 0;
        for (; i <= p.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var slope = new Vector<float>(g[i..]);
            if (!h.IsEmpty)
                slope += new Vector<float>(h[i..]);
            var first = new Vector<float>(m[i..]);
            first = Vector.FusedMultiplyAdd(new Vector<float>(1 - Beta1), slope - first, first);
            first = Vector.ConditionalSelect(Vector.GreaterThan(Vector.Abs(first), new Vector<float>(Tiny)), first, Vector<float>.Zero);
            var second = Vector.FusedMultiplyAdd(slope * (1 - Beta2), slope, new Vector<float>(v[i..]) * Beta2);
            second = Vector.ConditionalSelect(Vector.GreaterThan(second, new Vector<float>(Tiny)), second, Vector<float>.Zero);
            var denominator = Vector.FusedMultiplyAdd(Vector.SquareRoot(second), new Vector<float>(rootCorrection), new Vector<float>(Epsilon));
            (new Vector<float>(p[i..]) * decay - first * rate / denominator).CopyTo(p[i..]);
            first.CopyTo(m[i..]);
            second.CopyTo(v[i..]);
        }
        for (; i < p.Length; i++)
        {
            float slope = g[i] + (h.IsEmpty ? 0 : h[i]);
            float first = MathF.FusedMultiplyAdd(1 - Beta1, slope - m[i], m[i]);
            m[i] = MathF.Abs(first) > Tiny ? first : 0;
            float second = MathF.FusedMultiplyAdd(slope * (1 - Beta2), slope, v[i] * Beta2);
            v[i] = second > Tiny ? second : 0;
            p[i] = p[i] * decay - m[i] * rate / MathF.FusedMultiplyAdd(MathF.Sqrt(v[i]), rootCorrection, Epsilon);
        }
    }

    private static Span<float> Values(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _work?.Dispose();
    }
}
