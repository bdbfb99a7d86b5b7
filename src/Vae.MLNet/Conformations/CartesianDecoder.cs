using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Conformations;

/// <summary>Builds the chain behind a decoder of internal coordinates.</summary>
internal sealed class CartesianDecoder : DecoderEnd
{
    private const int Rows = 16;

    private readonly InternalLayout _layout;
    private InternalGraphs.Trace? _trace;

    private CartesianDecoder(InternalLayout layout) => _layout = layout;

    public override int Size => _layout.Beads * _layout.Dimensions;

    public static (byte[] File, OnnxExportReport Report) Create(VaeModel model, int dimensions, bool pairs, OnnxExportOptions options)
    {
        if (InternalLayout.OfSize(model.FeatureCount, dimensions, pairs) is not { } layout)
        {
            string expected = InternalLayout.Expected(dimensions, pairs);
            throw Check.Argument(nameof(model), Check.Invariant($"The model has {model.FeatureCount} features; {expected}, are expected."));
        }
        if (VaeGraphs.HasLogits(model))
        {
            throw Check.Argument(nameof(model), $"The model has the likelihood {model.Options.Likelihood}, "
                + "whose decoder gives probabilities; bonds and angles need MeanSquaredError or Gaussian.");
        }
        string[] names = layout.Names();
        for (int i = 0; i < model.InputNames.Count; i++)
        {
            if (model.InputNames[i].Length > 0 && model.InputNames[i] != names[i])
            {
                throw Check.Argument(nameof(model), Check.Invariant($"The model's feature {i} is named '{model.InputNames[i]}'; ")
                    + $"'{names[i]}' is expected: {InternalLayout.Expected(dimensions, pairs)}.");
            }
        }
        var (plain, report) = model.Decoder(options);
        bool half = options.WeightType == OnnxWeightType.Float16;
        byte[] file = VaeGraphs.DecoderFile(model, options.WithGradient, half, new CartesianDecoder(layout));
        double error = Compare(layout, model.LatentDimension, plain, file, options.WithGradient, report.Tolerance);
        double? largest = report.LargestError is { } network ? Math.Max(network, error) : null;
        return (file, report with { Bytes = file.LongLength, LargestError = largest });
    }

    public override void Add(OnnxGraph graph, string features, string output) =>
        _trace = InternalGraphs.AddCartesian(graph, features, _layout, output);

    public override string AddPullBack(OnnxGraph branch, string cotangent) =>
        InternalGraphs.AddPullBack(branch, _layout, _trace!, cotangent);

    public override void Describe(OnnxGraph graph)
    {
        graph.Metadata(VaeMetadata.Data, VaeMetadata.ConformationData);
        graph.Metadata(VaeMetadata.Dimensions, _layout.Dimensions.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>
    /// Compares the file with the plain decoder, whose numbers the kernel builds chains from, and its gradient with theirs. Gives the
    /// largest difference.
    /// </summary>
    private static double Compare(InternalLayout layout, int latent, byte[] plain, byte[] file, bool withGradient, double tolerance)
    {
        int size = layout.Beads * layout.Dimensions;
        var random = new SeededRandom(20174);
        float[] z = [.. Enumerable.Range(0, Rows * latent).Select(_ => (float)random.NextNormal())];
        float[] cotangents = [.. Enumerable.Range(0, Rows * size).Select(_ => (float)random.NextNormal())];
        using var options = ExportCheck.QuietOptions();
        float[] numbers = Run(plain, VaeGraphs.Reconstruction, z, null);
        float[] wanted = new float[Rows * size], forces = new float[Rows * layout.Size];
        var pulled = new double[layout.Size];
        for (int i = 0; i < Rows; i++)
        {
            var row = numbers.AsSpan(i * layout.Size, layout.Size);
            InternalKernels.ToCartesian(layout, row, wanted.AsSpan(i * size, size));
            InternalKernels.PullBack(layout, row, [.. cotangents.AsSpan(i * size, size).ToArray().Select(value => (double)value)], pulled);
            for (int k = 0; k < pulled.Length; k++)
                forces[i * layout.Size + k] = (float)pulled[k];
        }
        double error = Difference(VaeGraphs.Reconstruction, wanted, Run(file, VaeGraphs.Reconstruction, z, null));
        if (!withGradient)
            return error;
        float[] expected = Run(plain, VaeGraphs.LatentGradient, z, forces), found = Run(file, VaeGraphs.LatentGradient, z, cotangents);
        return Math.Max(error, Difference(VaeGraphs.LatentGradient, expected, found));

        float[] Run(byte[] model, string output, float[] latents, float[]? cotangent)
        {
            using var session = new InferenceSession(cotangent is null ? model : GradientGraph.Join(model), options);
            var inputs = new List<NamedOnnxValue> { Value(VaeGraphs.Latent, latents) };
            if (cotangent is not null)
                inputs.Add(Value(VaeGraphs.Cotangent, cotangent));
            using var outputs = session.Run(inputs, [output]);
            return [.. outputs[0].AsTensor<float>()];
        }

        static NamedOnnxValue Value(string name, float[] values) =>
            NamedOnnxValue.CreateFromTensor(name, new DenseTensor<float>(values, [Rows, values.Length / Rows]));

        double Difference(string name, float[] expected, float[] found)
        {
            double scale = Math.Max(1e-3, expected.Max(MathF.Abs)), worst = 0;
            for (int i = 0; i < expected.Length; i++)
                worst = Math.Max(worst, Math.Abs((double)expected[i] - found[i]));
            return worst <= tolerance * scale ? worst / scale : throw new InvalidOperationException(Check.Invariant(
                $"The exported graph does not agree with the geometry: output '{name}' differs by {worst} where values reach {scale}; ")
                + Check.Invariant($"at most {tolerance} of that is allowed. Nothing was written."));
        }
    }
}
