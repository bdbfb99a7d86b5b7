using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Vae.MLNet.Training;

/// <summary>Every exported graph is run against TorchSharp on random input before it is handed out.</summary>
internal static class ExportCheck
{
    /// <summary>Largest difference allowed, relative to the largest value of the output.</summary>
    public const double Tolerance = 1e-5;

    private const int Rows = 16;

    public static void Decoder(VaeModel model, byte[] file, bool withGradient)
    {
        TorchRuntime.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(20171, CPU);
        using var network = new VaeNetwork(model.Architecture, CPU, model.Parameters, trainable: false);
        using var options = Quiet();
        using var session = new InferenceSession(file, options);
        var z = randn(Rows, model.LatentDimension, generator: generator);
        using var outputs = session.Run([Value(Onnx.VaeGraphs.Latent, z)], [Onnx.VaeGraphs.Reconstruction]);
        using (no_grad())
            Compare(session, Onnx.VaeGraphs.Reconstruction, Mean(model, network.Decode(z)), outputs[0]);
        if (!withGradient)
            return;
        var cotangent = randn(Rows, model.FeatureCount, generator: generator);
        var leaf = z.clone().requires_grad_(true);
        var mean = Mean(model, network.Decode(leaf));
        var expected = autograd.grad([mean], [leaf], [cotangent])[0];
        using var gradient = session.Run([Value(Onnx.VaeGraphs.Latent, z), Value(Onnx.VaeGraphs.Cotangent, cotangent)], [Onnx.VaeGraphs.LatentGradient]);
        Compare(session, Onnx.VaeGraphs.LatentGradient, expected, gradient[0]);
    }

    public static void Encoder(VaeModel model, byte[] file)
    {
        TorchRuntime.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator(20172, CPU);
        using var network = new VaeNetwork(model.Architecture, CPU, model.Parameters, trainable: false);
        using var options = Quiet();
        using var session = new InferenceSession(file, options);
        if (model.Architecture.Tokens is { } layout)
        {
            // Every token of the alphabet, unknown letters too.
            var tokens = randint(0, layout.Alphabet.TokenCount, [Rows, layout.Length], dtype: ScalarType.Int64, generator: generator);
            var (tokenMean, tokenSigma, _) = network.Encode(tokens.to(ScalarType.Byte));
            var input = NamedOnnxValue.CreateFromTensor(Onnx.VaeGraphs.Tokens, new DenseTensor<long>(tokens.data<long>().ToArray(), [Rows, layout.Length]));
            using var found = session.Run([input], [Onnx.VaeGraphs.Latent, Onnx.VaeGraphs.Sigma]);
            Compare(session, Onnx.VaeGraphs.Latent, tokenMean, found[0]);
            Compare(session, Onnx.VaeGraphs.Sigma, tokenSigma, found[1]);
            return;
        }
        // In the data's own range: a random scaled row, taken back to units of the data.
        var x = Mean(model, randn(Rows, model.FeatureCount, generator: generator));
        var (mean, sigma, _) = network.Encode(VaeTraining.Scaled(x, model.Scale));
        using var outputs = session.Run([Value(Onnx.VaeGraphs.Features, x)], [Onnx.VaeGraphs.Latent, Onnx.VaeGraphs.Sigma]);
        Compare(session, Onnx.VaeGraphs.Latent, mean, outputs[0]);
        Compare(session, Onnx.VaeGraphs.Sigma, sigma, outputs[1]);
    }

    /// <summary>The mean of p(x|z) in units of the data from the network's output.</summary>
    internal static Tensor Mean(VaeModel model, Tensor output)
    {
        switch (model.Options.Likelihood)
        {
            case Likelihood.Bernoulli:
                return output.sigmoid();
            case Likelihood.Categorical:
                int group = model.Options.GroupSize;
                return output.view(-1, model.FeatureCount / group, group).softmax(-1).view(-1, model.FeatureCount);
            default:
                if (model.Scale.Kind == InputScaling.None)
                    return output;
                if (model.Scale.Kind == InputScaling.RobustAsinh)
                    output = output.sinh();
                return output / tensor(model.Scale.Factor) + tensor(model.Scale.Offset);
        }
    }

    /// <summary>OnnxRuntime warns about the optional cotangent, which is as it should be.</summary>
    private static SessionOptions Quiet() => new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };

    private static NamedOnnxValue Value(string name, Tensor tensor) =>
        NamedOnnxValue.CreateFromTensor(name, new DenseTensor<float>(tensor.data<float>().ToArray(), [.. tensor.shape.Select(dim => (int)dim)]));

    private static void Compare(InferenceSession session, string name, Tensor expected, NamedOnnxValue found)
    {
        float[] wanted = expected.detach().contiguous().data<float>().ToArray();
        float[] got = [.. found.AsTensor<float>()];
        double scale = wanted.Max(MathF.Abs), worst = 0;
        for (int i = 0; i < wanted.Length; i++)
            worst = Math.Max(worst, Math.Abs((double)wanted[i] - got[i]));
        if (got.Length != wanted.Length || !(worst <= Tolerance * Math.Max(scale, 1e-3)))
        {
            throw new InvalidOperationException(Check.Invariant(
                $"The exported graph does not agree with TorchSharp: output '{name}' differs by {worst} where values reach {scale}; at most {Tolerance} of that is allowed. Nothing was written."));
        }
    }
}
