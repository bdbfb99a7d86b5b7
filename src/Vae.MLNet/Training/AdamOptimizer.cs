using System.Numerics;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>
/// Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019) over flat arrays; β1 = 0.9, β2 = 0.999, ε = 1e-8. On the processor it is one
/// fused pass in managed SIMD, which is several times faster than a pass for each elementary operation; on other devices it is those operations.
/// </summary>
internal sealed class AdamOptimizer : IDisposable
{
    private const float Beta1 = 0.9f, Beta2 = 0.999f, Epsilon = 1e-8f;

    /// <summary>Numbers that one thread takes at a time.</summary>
    private const int Chunk = 1 << 15;

    private readonly Tensor _parameters, _gradient, _first, _second;
    private readonly Tensor? _work;
    private readonly int _decayed;
    private readonly float _weightDecay, _clip;
    private readonly ParallelOptions _parallel;

    /// <param name="parameters">Flat parameters.</param>
    /// <param name="gradient">Their gradient, in the same places.</param>
    /// <param name="decayed">Numbers at the start of the array that decay.</param>
    /// <param name="weightDecay">Decay in units of the learning rate.</param>
    /// <param name="clip">Largest norm of the gradient, or 0.</param>
    /// <param name="fused">Whether to make one fused pass: on the processor only.</param>
    public AdamOptimizer(Tensor parameters, Tensor gradient, int decayed, float weightDecay, float clip, bool fused)
    {
        _parameters = parameters;
        _gradient = gradient;
        _first = zeros_like(_parameters).DetachFromDisposeScope();
        _second = zeros_like(_parameters).DetachFromDisposeScope();
        _work = fused ? null : zeros_like(_parameters).DetachFromDisposeScope();
        _decayed = decayed;
        _weightDecay = weightDecay;
        _clip = clip;
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, get_num_threads()) };
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

    public void Step(double learningRate)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Steps++;
        if (_clip > 0)
            _gradient.mul_((_clip / (_gradient.norm() + 1e-6)).clamp_max(1));
        double correction1 = 1 - Math.Pow(Beta1, Steps), correction2 = 1 - Math.Pow(Beta2, Steps);
        if (_work is null)
        {
            Fused((float)(learningRate / correction1), (float)(1 / Math.Sqrt(correction2)), (float)(1 - learningRate * _weightDecay));
            return;
        }
        _first.lerp_(_gradient, 1 - Beta1);
        _second.mul_(Beta2).addcmul_(_gradient, _gradient, 1 - Beta2);
        if (_weightDecay > 0)
            _parameters.narrow(0, 0, _decayed).mul_(1 - learningRate * _weightDecay);
        _work.copy_(_second).sqrt_().div_(Math.Sqrt(correction2)).add_(Epsilon);
        _parameters.addcdiv_(_first, _work, -learningRate / correction1);
    }

    private void Fused(float rate, float rootCorrection, float decay)
    {
        int count = (int)_parameters.NumberOfElements;
        Parallel.For(0, (count + Chunk - 1) / Chunk, _parallel, chunk =>
        {
            int start = chunk * Chunk, end = Math.Min(count, start + Chunk);
            // The chunk that the end of the weight matrices falls into is done in two parts.
            int middle = Math.Clamp(_decayed, start, end);
            Pass(start, middle, rate, rootCorrection, decay);
            Pass(middle, end, rate, rootCorrection, 1);
        });
    }

    private void Pass(int start, int end, float rate, float rootCorrection, float decay)
    {
        if (start == end)
            return;
        var p = Values(_parameters)[start..end];
        var g = Values(_gradient)[start..end];
        var m = Values(_first)[start..end];
        var v = Values(_second)[start..end];
        int i = 0;
        for (; i <= p.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var gradient = new Vector<float>(g[i..]);
            var first = Vector.FusedMultiplyAdd(new Vector<float>(1 - Beta1), gradient - new Vector<float>(m[i..]), new Vector<float>(m[i..]));
            var second = Vector.FusedMultiplyAdd(gradient * (1 - Beta2), gradient, new Vector<float>(v[i..]) * Beta2);
            var denominator = Vector.FusedMultiplyAdd(Vector.SquareRoot(second), new Vector<float>(rootCorrection), new Vector<float>(Epsilon));
            (new Vector<float>(p[i..]) * decay - first * rate / denominator).CopyTo(p[i..]);
            first.CopyTo(m[i..]);
            second.CopyTo(v[i..]);
        }
        for (; i < p.Length; i++)
        {
            m[i] = MathF.FusedMultiplyAdd(1 - Beta1, g[i] - m[i], m[i]);
            v[i] = MathF.FusedMultiplyAdd(g[i] * (1 - Beta2), g[i], v[i] * Beta2);
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
