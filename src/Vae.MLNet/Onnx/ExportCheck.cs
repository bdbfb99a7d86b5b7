using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TorchSharp;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Model;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Vae.MLNet.Onnx;

/// <summary>Every exported graph is run against TorchSharp on random input before it is handed out.</summary>
internal static class ExportCheck
{
    /// <summary>Largest difference allowed, relative to the largest value of the output.</summary>
    public const double Tolerance = 1e-5;

    /// <summary>The same for weights in half precision, whose rounding of 2⁻¹¹ adds up over the layers.</summary>
    public const double HalfTolerance = 1e-2;

    /// <summary>The same for the decoder's gradient with weights in half precision: where rounding moves a row across a kink of the activation, its derivative jumps.</summary>
    public const double HalfGradientTolerance = 1e-1;

    private const int Rows = 16;

    /// <returns>The largest difference found, relative to the largest value of its output.</returns>
    public static double Decoder(VaeModel model, byte[] file, bool withGradient, bool half = false)
    {
        TorchRuntime.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(20171, CPU);
        using var network = new VaeNetwork(model.Architecture, CPU, model.Parameters, trainable: false);
        using var options = QuietOptions();
        using var session = new InferenceSession(file, options);
        var z = randn(Rows, model.LatentDimension, generator: generator);
        using var outputs = session.Run([Value(Onnx.VaeGraphs.Latent, z)], [Onnx.VaeGraphs.Reconstruction]);
        double tolerance = half ? HalfTolerance : Tolerance, error;
        using (no_grad())
            error = Compare(Onnx.VaeGraphs.Reconstruction, Mean(model, network.Decode(z)), outputs[0], tolerance);
        if (!withGradient)
            return error;
        using var joined = new InferenceSession(GradientGraph.Join(file), options);
        var cotangent = randn(Rows, model.FeatureCount, generator: generator);
        var leaf = z.clone().requires_grad_(true);
        var mean = Mean(model, network.Decode(leaf));
        var expected = autograd.grad([mean], [leaf], [cotangent])[0];
        using var gradient = joined.Run(
            [Value(Onnx.VaeGraphs.Latent, z), Value(Onnx.VaeGraphs.Cotangent, cotangent)], [Onnx.VaeGraphs.LatentGradient]);
        return Math.Max(error, Compare(Onnx.VaeGraphs.LatentGradient, expected, gradient[0], half ? HalfGradientTolerance : Tolerance));
    }

    /// <returns>The largest difference found, relative to the largest value of its output.</returns>
    public static double Encoder(VaeModel model, byte[] file, bool half = false)
    {
        TorchRuntime.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator(20172, CPU);
        using var network = new VaeNetwork(model.Architecture, CPU, model.Parameters, trainable: false);
        using var options = QuietOptions();
        using var session = new InferenceSession(file, options);
        if (model.Architecture.Tokens is { } layout)
        {
            // Every token of the alphabet, unknown letters too.
            var tokens = randint(0, layout.Alphabet.TokenCount, [Rows, layout.Length], dtype: ScalarType.Int64, generator: generator);
            var (tokenMean, tokenSigma, _) = network.Encode(tokens.to(ScalarType.Byte));
            var input = NamedOnnxValue.CreateFromTensor(Onnx.VaeGraphs.Tokens, new DenseTensor<long>(tokens.data<long>().ToArray(), [Rows, layout.Length]));
            using var found = session.Run([input], [Onnx.VaeGraphs.Latent, Onnx.VaeGraphs.Sigma]);
            double allowed = half ? HalfTolerance : Tolerance;
            return Math.Max(Compare(Onnx.VaeGraphs.Latent, tokenMean, found[0], allowed), Compare(Onnx.VaeGraphs.Sigma, tokenSigma, found[1], allowed));
        }
        // In the data's own range: a random scaled row, taken back to units of the data.
        var x = Mean(model, randn(Rows, model.FeatureCount, generator: generator));
        var (mean, sigma, _) = network.Encode(model.Scale.Apply(x));
        using var outputs = session.Run([Value(Onnx.VaeGraphs.Features, x)], [Onnx.VaeGraphs.Latent, Onnx.VaeGraphs.Sigma]);
        double tolerance = half ? HalfTolerance : Tolerance;
        return Math.Max(Compare(Onnx.VaeGraphs.Latent, mean, outputs[0], tolerance), Compare(Onnx.VaeGraphs.Sigma, sigma, outputs[1], tolerance));
    }

    /// <summary>What goes wrong is thrown; a library does not write to the console.</summary>
    internal static SessionOptions QuietOptions() => new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };

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

    private static NamedOnnxValue Value(string name, Tensor tensor) =>
        NamedOnnxValue.CreateFromTensor(name, new DenseTensor<float>(tensor.data<float>().ToArray(), [.. tensor.shape.Select(dim => (int)dim)]));

    private static double Compare(string name, Tensor expected, NamedOnnxValue found, double tolerance)
    {
        float[] wanted = expected.detach().contiguous().data<float>().ToArray();
        float[] got = [.. found.AsTensor<float>()];
        double scale = wanted.Max(MathF.Abs), worst = 0;
        for (int i = 0; i < wanted.Length; i++)
            worst = Math.Max(worst, Math.Abs((double)wanted[i] - got[i]));
        if (got.Length != wanted.Length || !(worst <= tolerance * Math.Max(scale, 1e-3)))
        {
            throw new InvalidOperationException(Check.Invariant(
                $"The exported graph does not agree with TorchSharp: output '{name}' differs by {worst} where values reach {scale}; at most {tolerance} of that is allowed. Nothing was written."));
        }
        return worst / Math.Max(scale, 1e-3);
    }
}
