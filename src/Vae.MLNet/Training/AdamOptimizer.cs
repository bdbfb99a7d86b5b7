using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>
/// Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019) in one pass over flat arrays; β1 = 0.9, β2 = 0.999, ε = 1e-8.
/// </summary>
internal sealed class AdamOptimizer : IDisposable
{
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;

    private readonly Tensor _parameters, _gradient, _first, _second, _work;
    private readonly int _decayed;
    private readonly float _weightDecay, _clip;

    public AdamOptimizer(VaeNetwork network, VaeArchitecture architecture)
    {
        _parameters = network.Flat;
        _gradient = network.Gradient!;
        _first = zeros_like(_parameters).DetachFromDisposeScope();
        _second = zeros_like(_parameters).DetachFromDisposeScope();
        _work = zeros_like(_parameters).DetachFromDisposeScope();
        _decayed = architecture.WeightCount;
        _weightDecay = architecture.Options.WeightDecay;
        _clip = architecture.Options.GradientClip;
    }

    public long Steps { get; private set; }

    public void Step(double learningRate)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Steps++;
        if (_clip > 0)
            _gradient.mul_((_clip / (_gradient.norm() + 1e-6)).clamp_max(1));
        _first.lerp_(_gradient, 1 - Beta1);
        _second.mul_(Beta2).addcmul_(_gradient, _gradient, 1 - Beta2);
        double correction1 = 1 - Math.Pow(Beta1, Steps), correction2 = 1 - Math.Pow(Beta2, Steps);
        if (_weightDecay > 0)
            _parameters.narrow(0, 0, _decayed).mul_(1 - learningRate * _weightDecay);
        _work.copy_(_second).sqrt_().div_(Math.Sqrt(correction2)).add_(Epsilon);
        _parameters.addcdiv_(_first, _work, -learningRate / correction1);
        _gradient.zero_();
    }

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _work.Dispose();
    }
}
