using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.ChainDecoding;

/// <summary>The context network of a chain decoder on TorchSharp.</summary>
internal sealed class ChainNetwork : IDisposable
{
    private readonly Dictionary<string, Tensor> _parameters = new(StringComparer.Ordinal);

    /// <param name="shape">Sizes.</param>
    /// <param name="flat">Flat parameters, of which the network's come first; the network works on this very tensor's memory.</param>
    public ChainNetwork(ChainShape shape, Tensor flat)
    {
        Shape = shape;
        long at = 0;
        using (no_grad())
        {
            foreach (var (name, dims) in shape.Parameters)
            {
                long size = dims.Aggregate(1L, (product, dim) => product * dim);
                _parameters[name] = flat.narrow(0, at, size).view(dims).detach().requires_grad_(true).DetachFromDisposeScope();
                at += size;
            }
        }
    }

    public ChainShape Shape { get; }

    public IEnumerable<Tensor> Parameters => Shape.Parameters.Select(parameter => _parameters[parameter.Name]);

    public Tensor Forward(Tensor features)
    {
        var x = nn.functional.silu(nn.functional.linear(features, _parameters["context.0.weight"], _parameters["context.0.bias"]));
        x = x.Plus(nn.functional.silu(nn.functional.linear(x, _parameters["context.1.weight"], _parameters["context.1.bias"])));
        return nn.functional.linear(x, _parameters["context.output.weight"], _parameters["context.output.bias"]);
    }

    public void Dispose()
    {
        foreach (var parameter in _parameters.Values)
            parameter.Dispose();
    }
}
