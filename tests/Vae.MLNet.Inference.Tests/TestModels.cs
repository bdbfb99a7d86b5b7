using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Inference.Tests;

/// <summary>Small models with random weights, as the trainer would leave them, and a reference for what they compute in double precision.</summary>
internal static class TestModels
{
    public const int Features = 24, Latent = 2;

    public static VaeModel Create(VaeTrainer.Options? options = null, int features = Features, InputScale? scale = null, float[]? residual = null, int seed = 5)
    {
        var architecture = new VaeArchitecture(features, options ?? new() { HiddenLayers = [16, 32], LatentDimension = Latent, Activation = Activation.SiLU });
        var random = new SeededRandom(seed);
        var parameters = new float[architecture.ParameterCount];
        foreach (var slot in architecture.Slots)
        {
            double spread = slot.FanIn > 0 ? 1.5 / Math.Sqrt(slot.FanIn) : 0.3;
            for (int i = 0; i < slot.Length; i++)
                parameters[slot.Offset + i] = (float)(spread * random.NextNormal());
        }
        return new(architecture, parameters, scale ?? InputScale.None, residual ?? [.. Enumerable.Range(0, features).Select(j => 0.1f + 0.01f * j)], "{\"rows\":100}");
    }

    public static byte[] Decoder(VaeModel? model = null, bool withGradient = true) => VaeGraphs.DecoderFile(model ?? Create(), withGradient);

    public static byte[] Encoder(VaeModel? model = null) => VaeGraphs.EncoderFile(model ?? Create());

    public static float[] Normals(int count, int seed = 11)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)random.NextNormal())];
    }

    public static InputScale Scale(InputScaling kind, int features = Features) => new(kind,
        [.. Enumerable.Range(0, features).Select(j => 0.5f * j - 3)], [.. Enumerable.Range(0, features).Select(j => 0.5f + 0.1f * j)]);

    /// <summary>The network's output before the likelihood and the scaling.</summary>
    public static double[] ReferenceOutput(VaeModel model, ReadOnlySpan<double> z)
    {
        double[] x = z.ToArray();
        for (int i = 0; i < model.Architecture.DecoderLayers; i++)
            x = [.. Linear(model, x, $"decoder.{i}").Select(value => Activate(model.Options.Activation, value))];
        return Linear(model, x, "output");
    }

    /// <summary>The mean of p(x|z) in units of the data.</summary>
    public static double[] ReferenceDecode(VaeModel model, ReadOnlySpan<double> z)
    {
        double[] output = ReferenceOutput(model, z);
        for (int j = 0; j < output.Length; j++)
        {
            if (model.Scale.Kind == InputScaling.RobustAsinh)
                output[j] = Math.Sinh(output[j]);
            if (model.Scale.Kind != InputScaling.None)
                output[j] = output[j] / model.Scale.Factor[j] + model.Scale.Offset[j];
        }
        if (model.Options.Likelihood == MLNet.Likelihood.Bernoulli)
            return [.. output.Select(value => 1 / (1 + Math.Exp(-value)))];
        if (model.Options.Likelihood == MLNet.Likelihood.Categorical)
        {
            return [.. output.Chunk(model.Options.GroupSize).SelectMany(group =>
            {
                double sum = group.Sum(Math.Exp);
                return group.Select(value => Math.Exp(value) / sum);
            })];
        }
        return output;
    }

    /// <summary>Posterior mean and standard deviation (softplus).</summary>
    public static (double[] Mean, double[] Sigma) ReferenceEncode(VaeModel model, ReadOnlySpan<double> features)
    {
        double[] x = features.ToArray();
        for (int i = 0; i < model.Architecture.EncoderLayers; i++)
            x = [.. Linear(model, x, $"encoder.{i}").Select(value => Activate(model.Options.Activation, value))];
        double[] statistics = Linear(model, x, "posterior");
        return (statistics[..model.LatentDimension], [.. statistics[model.LatentDimension..].Select(value => Math.Log(1 + Math.Exp(value)) + 1e-6)]);
    }

    public static double[] Doubles(ReadOnlySpan<float> values)
    {
        var doubles = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
            doubles[i] = values[i];
        return doubles;
    }

    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> found, double tolerance, string what = "")
    {
        Assert.AreEqual(expected.Length, found.Length);
        double scale = 1;
        foreach (double value in expected)
            scale = Math.Max(scale, Math.Abs(value));
        for (int i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], found[i], tolerance * scale, $"{what} number {i}");
    }

    private static double[] Linear(VaeModel model, double[] x, string layer)
    {
        var weight = model.Parameter(layer + ".weight");
        var bias = model.Parameter(layer + ".bias");
        var y = new double[bias.Length];
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = bias[i];
            for (int j = 0; j < x.Length; j++)
                y[i] += (double)weight[i * x.Length + j] * x[j];
        }
        return y;
    }

    private static double Activate(Activation activation, double x) => activation switch
    {
        Activation.ReLU => Math.Max(x, 0),
        Activation.SiLU => x / (1 + Math.Exp(-x)),
        Activation.Tanh => Math.Tanh(x),
        Activation.ELU => x > 0 ? x : Math.Exp(x) - 1,
        Activation.LeakyReLU => x > 0 ? x : 0.01 * x,
        Activation.GELU => x * (1 + Erf(x / Math.Sqrt(2))) / 2,
        Activation.Softplus => Math.Log(1 + Math.Exp(x)),
        _ => throw new ArgumentOutOfRangeException(nameof(activation)),
    };

    // By its Taylor series, which does for the small arguments here.
    private static double Erf(double x)
    {
        double term = x, sum = x;
        for (int n = 1; n < 120; n++)
        {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }
}
