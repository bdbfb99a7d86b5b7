using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Vae.MLNet.Model;

/// <summary>
/// A stack of linear layers with an activation (and dropout) between them, whose backward pass is written out: each gradient is multiplied straight into its place
/// in the flat gradient, with none of autograd's bookkeeping. One belongs to one training step.
/// </summary>
internal sealed class DenseLayers(IReadOnlyList<DenseLayers.Layer> layers, Activation activation, float dropout) : IDisposable
{
    // One stack belongs to one thread at a time: the trace is of the latest forward pass.

    /// <summary>W [outputs, inputs] and b [outputs], with the places of their gradients where they are trained. Views are made once, not in every step.</summary>
    public class Layer(Tensor weight, Tensor bias, Tensor? weightGradient, Tensor? biasGradient)
    {
        public Tensor Weight { get; } = weight;

        public Tensor Transposed { get; } = weight.t();

        public Tensor Bias { get; } = bias;

        public Tensor? WeightGradient { get; } = weightGradient;

        /// <summary>[1, outputs].</summary>
        public Tensor? BiasGradient { get; } = biasGradient?.unsqueeze(0);

        /// <summary>x Wᵀ + b for rows x.</summary>
        public virtual Tensor Forward(Tensor x) => Bias.addmm(x, Transposed);

        /// <summary>Writes the gradient of the weights, given that of the output and the input it came from.</summary>
        public virtual void SetWeightGradient(Tensor gradient, Tensor input) => WeightGradient!.addmm_(gradient.t(), input, beta: 0);
    }

    private Tensor? _ones;

    /// <summary>What the backward pass needs: the input of each layer, and what its activation had as argument and as dropout mask.</summary>
    private readonly List<(Tensor Input, Tensor? Before, Tensor? Activated, Tensor? Mask)> _trace = [];

    /// <summary>Output of the last layer, which has no activation. With a generator dropout is on and a trace for <see cref="Backward"/> is kept.</summary>
    public Tensor Forward(Tensor x, Generator? generator = null, bool trace = false)
    {
        for (int i = 0; ; i++)
        {
            var output = layers[i].Forward(x);
            if (i == layers.Count - 1)
            {
                if (trace)
                    _trace.Add((x, null, null, null));
                return output;
            }
            var activated = Apply(activation, output);
            var next = activated;
            Tensor? mask = null;
            if (dropout > 0 && generator is not null)
            {
                mask = rand(activated.shape, device: activated.device, generator: generator).IsAtLeastInPlace(dropout).DividedByInPlace(1 - dropout);
                next = activated * mask;
            }
            if (trace)
                _trace.Add((x, output, activated, mask));
            x = next;
        }
    }

    /// <summary>Writes the gradients of all parameters, given that of the output; gives that of the input where it is wanted.</summary>
    public Tensor? Backward(Tensor gradient, bool inputGradient)
    {
        long rows = gradient.shape[0];
        if (_ones?.shape[1] != rows)
        {
            _ones?.Dispose();
            _ones = ones(1, rows, device: gradient.device).DetachFromDisposeScope();
        }
        for (int i = layers.Count - 1; i >= 0; i--)
        {
            var layer = layers[i];
            if (i < layers.Count - 1)
            {
                var (_, before, activated, mask) = _trace[i];
                if (mask is not null)
                    gradient.mul_(mask);
                gradient.mul_(Derivative(activation, before!, activated!));
            }
            layer.SetWeightGradient(gradient, _trace[i].Input);
            // A product with ones sums the rows several times faster than a reduction does.
            layer.BiasGradient!.addmm_(_ones, gradient, beta: 0);
            if (i > 0 || inputGradient)
                gradient = gradient.mm(layer.Weight);
        }
        _trace.Clear();
        return inputGradient ? gradient : null;
    }

    public void Dispose() => _ones?.Dispose();

    private static Tensor Apply(Activation activation, Tensor x) => activation switch
    {
        // In place: the argument is not needed again.
        Activation.ReLU => x.relu_(),
        Activation.SiLU => F.silu(x),
        Activation.Tanh => x.tanh(),
        Activation.ELU => x.Elu(),
        Activation.LeakyReLU => x.LeakyRelu(VaeNetwork.LeakySlope),
        Activation.GELU => F.gelu(x),
        Activation.Softplus => x.Softplus(),
        _ => throw Check.OutOfRange(nameof(activation), activation, "a known activation"),
    };

    /// <summary>dy/dx of an activation y = f(x).</summary>
    private static Tensor Derivative(Activation activation, Tensor x, Tensor y)
    {
        switch (activation)
        {
            case Activation.ReLU:
                // y is 0 or positive, so its sign is the step function; the layer above, which had y as input, is done with it.
                return y.sign_();
            case Activation.SiLU:
                var s = x.sigmoid();
                return s * (x * s.neg().PlusInPlace(1)).PlusInPlace(1);
            case Activation.Tanh:
                return y.Squared().neg_().PlusInPlace(1);
            case Activation.ELU:
                return y.AtMost(0).PlusInPlace(1);
            case Activation.LeakyReLU:
                return y.IsAbove(0).to(ScalarType.Float32).TimesInPlace(1 - VaeNetwork.LeakySlope).PlusInPlace(VaeNetwork.LeakySlope);
            case Activation.GELU:
                return x.Times(Math.Sqrt(0.5)).erf_().PlusInPlace(1).TimesInPlace(0.5)
                    .PlusInPlace(x * x.Squared().TimesInPlace(-0.5).exp_().TimesInPlace(1 / Math.Sqrt(2 * Math.PI)));
            case Activation.Softplus:
                return x.sigmoid();
            default:
                throw Check.OutOfRange(nameof(activation), activation, "a known activation");
        }
    }
}
