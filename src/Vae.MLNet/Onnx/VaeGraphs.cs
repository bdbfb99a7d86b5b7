using Google.Protobuf;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Onnx;

/// <summary>The networks of a <see cref="VaeModel"/> as ONNX graphs. The same formulas stand in <see cref="VaeNetwork"/> for TorchSharp; tests hold the two together.</summary>
internal static partial class VaeGraphs
{
    public const string Latent = "Latent", Sigma = "LatentSigma", Features = "Features", Reconstruction = "Reconstruction",
        Logits = "Logits", Cotangent = "Cotangent", LatentGradient = "LatentGradient";

    private const long Batch = OnnxGraph.Batch;

    /// <summary>
    /// The decoder. Its gradient stands beside the graph, which so has no input but the latent: see <see cref="GradientGraph"/>, whose way
    /// of adding it gives a graph that needs an input <c>Cotangent</c> [M, features], of no rows where no gradient is wanted.
    /// </summary>
    public static byte[] DecoderFile(VaeModel model, bool withGradient, bool half = false, DecoderEnd? end = null)
    {
        var graph = new OnnxGraph("decoder");
        int latent = model.LatentDimension, features = end?.Size ?? model.FeatureCount;
        string z = graph.Input(Latent, OnnxType.Float, Batch, latent);
        string? cotangent = withGradient
            ? graph.InputOfNamedRows(Cotangent, "M", features)
            : null;
        string mean = end is null ? Reconstruction : OnnxGraph.Internal("features");
        var trace = Decode(graph, model, z, mean, HasLogits(model) ? Logits : null);
        end?.Add(graph, trace.Reconstruction, Reconstruction);
        graph.Output(Reconstruction, OnnxType.Float, Batch, features);
        if (HasLogits(model))
            graph.Output(Logits, OnnxType.Float, Batch, features);
        if (cotangent is not null)
        {
            Gradient(graph, model, trace, cotangent, end);
            graph.Output(LatentGradient, OnnxType.Float, Batch, latent);
        }
        VaeMetadata.Write(graph, model, VaeMetadata.DecoderKind, end);
        var file = graph.Build();
        if (half)
            HalfWeights.Apply(file);
        if (cotangent is not null)
        {
            string gradient = Convert.ToBase64String(TakeGradient(file.Graph).ToByteArray());
            file.MetadataProps.Add(new StringStringEntryProto { Key = GradientGraph.Key, Value = gradient });
        }
        return file.ToByteArray();
    }

    public static byte[] EncoderFile(VaeModel model)
    {
        var graph = new OnnxGraph("encoder");
        string x = model.Architecture.Tokens is { } layout
            ? graph.Input(Tokens, OnnxType.Int64, Batch, layout.Length)
            : graph.Input(Features, OnnxType.Float, Batch, model.FeatureCount);
        Encode(graph, model, Scaled(graph, model, x), Latent, Sigma);
        graph.Output(Latent, OnnxType.Float, Batch, model.LatentDimension);
        graph.Output(Sigma, OnnxType.Float, Batch, model.LatentDimension);
        VaeMetadata.Write(graph, model, VaeMetadata.EncoderKind);
        return graph.ToBytes();
    }

    /// <summary>
    /// Encoder and, where wanted, decoder and score, with tensors named as columns. For saving, what is needed to read the model back stands beside the graph.
    /// </summary>
    public static byte[] ModelFile(VaeModel model, string input, string latent, VaeOutputColumns columns, bool forSaving)
    {
        var graph = new OnnxGraph("vae");
        string x = graph.Input(input, OnnxType.Float, Batch, model.FeatureCount);
        AddTo(graph, model, x, new Wanted(latent, columns.StandardDeviation, columns.Reconstruction, columns.Score is { } score ? OutputColumn.VectorName(score) : null));
        foreach (var output in columns.WithLatent(latent, model.LatentDimension, model.FeatureCount))
        {
            graph.Output(output.TensorName, OnnxType.Float, Batch, output.Size);
            if (forSaving && output.SlotNames is { } names)
                graph.SlotNames(output.Name, names);
        }
        if (forSaving)
        {
            VaeMetadata.Write(graph, model, VaeMetadata.VaeKind);
            VaeMetadata.WriteUnusedParameters(graph, model);
            graph.Metadata(VaeMetadata.Columns, new VaeColumnNames(latent, columns.StandardDeviation, columns.Reconstruction, columns.Score).ToJson());
        }
        return graph.ToBytes();
    }

    /// <summary>Adds the decoder's mean, in units of the data and under a name of its own.</summary>
    public static string DecodeMean(OnnxGraph graph, VaeModel model, string z, string name)
    {
        Decode(graph, model, z, name, null);
        return name;
    }

    public static bool HasLogits(VaeModel model) => model.Options.Likelihood is Likelihood.Bernoulli or Likelihood.Categorical;

    /// <summary>Names of the values a full graph gives; null for what is not wanted.</summary>
    public sealed record Wanted(string Latent, string? Sigma = null, string? Reconstruction = null, string? Score = null);

    /// <summary>Adds encoder and, where wanted, decoder and score to a graph.</summary>
    public static void AddTo(OnnxGraph graph, VaeModel model, string input, Wanted wanted)
    {
        string scaled = Scaled(graph, model, input);
        var posterior = Encode(graph, model, scaled, wanted.Latent, wanted.Sigma);
        if (wanted.Reconstruction is null && wanted.Score is null)
            return;
        var decoded = Decode(graph, model, posterior.Mean, wanted.Reconstruction, null);
        if (wanted.Score is not null)
            Score(graph, model, scaled, posterior, decoded.Output, wanted.Score);
    }

    /// <summary>The decoder's mean for the posterior mean of scaled rows, in scaled units: one pass through the autoencoder. May be added several times.</summary>
    public static string Reconstruct(OnnxGraph graph, VaeModel model, string scaled) =>
        MeanInScaledUnits(graph, model, Decode(graph, model, graph.Columns(Statistics(graph, model, scaled), 0, model.LatentDimension), null, null).Output);

    /// <summary>The decoder's mean at the centre of the prior, z = 0, in scaled units: [1, features].</summary>
    public static string ReconstructCenter(OnnxGraph graph, VaeModel model)
    {
        string zero = graph.Constant(graph.Prefix + "prior.mean", new float[model.LatentDimension], 1, model.LatentDimension);
        return MeanInScaledUnits(graph, model, Decode(graph, model, zero, null, null).Output);
    }

    /// <summary>Rows in scaled units taken back to units of the data; the same name where there is no scaling.</summary>
    public static string Unscaled(OnnxGraph graph, VaeModel model, string scaled) =>
        model.Scale.Kind == InputScaling.None ? scaled : Unscaled(graph, model, scaled, null);

    private static string MeanInScaledUnits(OnnxGraph graph, VaeModel model, string output) => HasLogits(model) ? Mean(graph, model, output, null) : output;

    private static string Weight(OnnxGraph graph, VaeModel model, string name) =>
        graph.Has(graph.Prefix + name) ? OnnxGraph.Internal(graph.Prefix + name) : graph.Constant(graph.Prefix + name, model.Parameter(name), model.Architecture[name].Shape);

    private static string Linear(OnnxGraph graph, VaeModel model, string x, string layer) => model.Architecture.IsTokenLayer(layer)
        ? GatheredSum(graph, model, x, layer)
        : graph.Linear(x, Weight(graph, model, layer + ".weight"), Weight(graph, model, layer + ".bias"));

    /// <summary>Rows as the network sees them; the same name where there is no scaling.</summary>
    public static string Scaled(OnnxGraph graph, VaeModel model, string x)
    {
        var scale = model.Scale;
        if (scale.Kind == InputScaling.None)
            return x;
        string scaled = graph.Multiply(graph.Subtract(x, ScaleConstant(graph, VaeMetadata.Offset, scale.Offset)), ScaleConstant(graph, VaeMetadata.Factor, scale.Factor));
        if (scale.Kind != InputScaling.RobustAsinh)
            return scaled;
        // Runtimes square what they take asinh of, and differences of single-precision numbers overflow.
        string bounded = graph.Node("Asinh", [graph.Node("Clip", [scaled, graph.Scalar(-InputScale.LargestArgument), graph.Scalar(InputScale.LargestArgument)])]);
        // Zero for a finite number; an infinite one, which is none, stays visible as NaN.
        return graph.Add(bounded, graph.Multiply(x, graph.Scalar(0)));
    }

    private static string ScaleConstant(OnnxGraph graph, string name, float[] values) =>
        graph.Has(name) ? OnnxGraph.Internal(name) : graph.Constant(name, values, values.Length);

    /// <summary>The encoder's output, [N, 2 latent]: posterior means and what the posterior deviations come from.</summary>
    private static string Statistics(OnnxGraph graph, VaeModel model, string x, int layersDone = 0)
    {
        // A first layer that was added by other means still lacks its activation.
        if (layersDone > 0)
            x = Activate(graph, model.Options.Activation, x);
        for (int i = layersDone; i < model.Architecture.EncoderLayers; i++)
            x = Activate(graph, model.Options.Activation, Linear(graph, model, x, Check.Invariant($"encoder.{i}")));
        return Linear(graph, model, x, "posterior");
    }

    private static (string Mean, string LogSigma, string Variance) Encode(OnnxGraph graph, VaeModel model, string x, string mean, string? sigma, int layersDone = 0)
    {
        var options = model.Options;
        string statistics = Statistics(graph, model, x, layersDone);
        int latent = model.LatentDimension;
        graph.Node("Slice", [statistics, graph.Ints(0), graph.Ints(latent), graph.Ints(1)], mean);
        string raw = graph.Columns(statistics, latent, 2 * latent);
        string deviation;
        if (options.Posterior == PosteriorParameterization.Softplus)
        {
            deviation = graph.Node("Add", [graph.Node("Softplus", [raw]), graph.Scalar(VaeNetwork.SigmaFloor)], sigma);
            return (mean, graph.Node("Log", [deviation]), graph.Square(deviation));
        }
        string logVariance = graph.Node("Clip", [raw, graph.Scalar(VaeNetwork.LogVarianceMinimum), graph.Scalar(VaeNetwork.LogVarianceMaximum)]);
        string half = graph.Multiply(logVariance, graph.Scalar(0.5f));
        if (sigma is not null)
            graph.Node("Exp", [half], sigma);
        return (mean, half, graph.Node("Exp", [logVariance]));
    }

    /// <summary>What the backward pass needs of a forward one.</summary>
    private sealed record Trace(IReadOnlyList<(string Before, string After)> Hidden, string Output, string Reconstruction);

    private static Trace Decode(OnnxGraph graph, VaeModel model, string z, string? reconstruction, string? logits, Func<int, string, string>? afterHidden = null)
    {
        var hidden = new List<(string Before, string After)>();
        string x = z;
        for (int i = 0; i < model.Architecture.DecoderLayers; i++)
        {
            string before = Linear(graph, model, x, Check.Invariant($"decoder.{i}"));
            x = Activate(graph, model.Options.Activation, before);
            x = afterHidden?.Invoke(i, x) ?? x;
            hidden.Add((before, x));
        }
        bool last = model.Options.Likelihood is Likelihood.MeanSquaredError or Likelihood.Gaussian && model.Scale.Kind == InputScaling.None;
        string output = graph.Linear(x, Weight(graph, model, "output.weight"), Weight(graph, model, "output.bias"), last ? reconstruction : logits);
        return new(hidden, output, last || reconstruction is null ? output : Mean(graph, model, output, reconstruction));
    }

    /// <summary>The mean of p(x|z) in units of the data, from the network's output.</summary>
    private static string Mean(OnnxGraph graph, VaeModel model, string output, string? name)
    {
        switch (model.Options.Likelihood)
        {
            case Likelihood.Bernoulli:
                return graph.Node("Sigmoid", [output], name);
            case Likelihood.Categorical:
                int group = model.Options.GroupSize;
                string groups = graph.Reshape(output, -1, model.FeatureCount / group, group);
                return graph.Node("Reshape", [graph.Node("Softmax", [groups], null, ("axis", -1L)), graph.Ints(-1, model.FeatureCount)], name);
            default:
                return Unscaled(graph, model, output, name);
        }
    }

    private static string Unscaled(OnnxGraph graph, VaeModel model, string scaled, string? name)
    {
        if (model.Scale.Kind == InputScaling.RobustAsinh)
            scaled = graph.Node("Sinh", [scaled]);
        string inverse = ScaleConstant(graph, VaeMetadata.Factor + ".inverse", [.. model.Scale.Factor.Select(factor => 1 / factor)]);
        return graph.Node("Add", [graph.Multiply(scaled, inverse), ScaleConstant(graph, VaeMetadata.Offset, model.Scale.Offset)], name);
    }

    private static void Score(OnnxGraph graph, VaeModel model, string x, (string Mean, string LogSigma, string Variance) posterior, string output, string name)
    {
        var options = model.Options;
        string reconstruction;
        switch (options.Likelihood)
        {
            case Likelihood.MeanSquaredError:
                reconstruction = graph.Mean(graph.Square(graph.Subtract(x, output)), 1);
                break;
            case Likelihood.Gaussian:
                string logSigma = Weight(graph, model, "noise.logSigma");
                string ratio = graph.Divide(graph.Subtract(x, output), graph.Node("Exp", [logSigma]));
                string perFeature = graph.Add(graph.Multiply(graph.Square(ratio), graph.Scalar(0.5f)), logSigma);
                reconstruction = graph.Add(graph.Sum(perFeature, 1), graph.Scalar((float)(model.FeatureCount * 0.5 * Math.Log(2 * Math.PI))));
                break;
            case Likelihood.Bernoulli:
                // -log p = softplus(l) - x l for a logit l.
                reconstruction = graph.Sum(graph.Subtract(graph.Node("Softplus", [output]), graph.Multiply(x, output)), 1);
                break;
            case Likelihood.Categorical:
                int group = options.GroupSize;
                if (model.Architecture.Tokens is { } layout)
                {
                    reconstruction = graph.Node("Neg", [LogLikelihood(graph, model, layout, x, output)]);
                    break;
                }
                string logits = graph.Node("LogSoftmax", [graph.Reshape(output, -1, model.FeatureCount / group, group)], null, ("axis", -1L));
                reconstruction = graph.Node("Neg", [graph.Sum(graph.Multiply(x, graph.Reshape(logits, -1, model.FeatureCount)), 1)]);
                break;
            default:
                throw Check.OutOfRange(nameof(options.Likelihood), options.Likelihood, "a known likelihood");
        }
        // KL = -1/2 Σ (1 + log σ² - μ² - σ²)
        string terms = graph.Subtract(
            graph.Add(graph.Square(posterior.Mean), posterior.Variance),
            graph.Add(graph.Multiply(posterior.LogSigma, graph.Scalar(2)), graph.Scalar(1)));
        string kl = options.SumKl ? graph.Sum(terms, 1) : graph.Mean(terms, 1);
        graph.Node("Add", [reconstruction, graph.Multiply(kl, graph.Scalar(0.5f * options.Beta))], name);
    }

    /// <summary>Adds the vector-Jacobian product of the decoder behind an If, so that plain decoding does not pay for it.</summary>
    private static void Gradient(OnnxGraph graph, VaeModel model, Trace trace, string cotangent, DecoderEnd? end)
    {
        string rows = graph.Node("Gather", [graph.Node("Shape", [cotangent]), graph.Constant("gradient.zero", new long[] { 0 })], null, ("axis", 0L));
        string given = graph.Node("Greater", [rows, graph.Constant("gradient.none", new long[] { 0 })]);

        var then = graph.Branch("gradient");
        string flow = BeforeMean(then, model, trace, end?.AddPullBack(then, cotangent) ?? cotangent);
        flow = then.Node("MatMul", [flow, OnnxGraph.Internal("output.weight")]);
        for (int i = model.Architecture.DecoderLayers - 1; i >= 0; i--)
        {
            var (before, after) = trace.Hidden[i];
            flow = then.Multiply(flow, Derivative(then, model.Options.Activation, before, after));
            flow = then.Node("MatMul", [flow, OnnxGraph.Internal(Check.Invariant($"decoder.{i}.weight"))]);
        }
        then.Output(flow, OnnxType.Float, Batch, model.LatentDimension);

        var otherwise = graph.Branch("no gradient");
        string nothing = otherwise.Constant("gradient.empty", ReadOnlySpan<float>.Empty, 0, model.LatentDimension);
        string copy = otherwise.Node("Identity", [nothing]);
        otherwise.Output(copy, OnnxType.Float, Batch, model.LatentDimension);

        graph.Node("If", [given], LatentGradient, ("then_branch", then.Proto), ("else_branch", otherwise.Proto));
    }

    /// <summary>Takes out of a decoder's graph what only its gradient needs.</summary>
    private static GraphProto TakeGradient(GraphProto graph)
    {
        var gradient = new GraphProto();
        var input = graph.Input.Single(value => value.Name == Cotangent);
        var output = graph.Output.Single(value => value.Name == LatentGradient);
        gradient.Input.Add(input);
        graph.Input.Remove(input);
        gradient.Output.Add(output);
        graph.Output.Remove(output);
        var (nodes, constants) = (graph.Node.ToArray(), graph.Initializer.ToArray());
        OnnxGraphs.Prune(graph);
        var left = graph.Initializer.Select(tensor => tensor.Name).Concat(graph.Node.Select(node => node.Output[0]))
            .ToHashSet(StringComparer.Ordinal);
        gradient.Node.Add(nodes.Where(node => !left.Contains(node.Output[0])));
        gradient.Initializer.Add(constants.Where(tensor => !left.Contains(tensor.Name)));
        return gradient;
    }

    /// <summary>The cotangent of the network's output from that of the mean.</summary>
    private static string BeforeMean(OnnxGraph graph, VaeModel model, Trace trace, string cotangent)
    {
        switch (model.Options.Likelihood)
        {
            case Likelihood.Bernoulli:
                string p = trace.Reconstruction;
                return graph.Multiply(cotangent, graph.Multiply(p, graph.Subtract(graph.Scalar(1), p)));
            case Likelihood.Categorical:
                int group = model.Options.GroupSize;
                long groups = model.FeatureCount / group;
                string probabilities = graph.Reshape(trace.Reconstruction, -1, groups, group);
                string flow = graph.Multiply(graph.Reshape(cotangent, -1, groups, group), probabilities);
                flow = graph.Subtract(flow, graph.Multiply(probabilities, graph.Sum(flow, 2)));
                return graph.Reshape(flow, -1, model.FeatureCount);
            default:
                if (model.Scale.Kind == InputScaling.None)
                    return cotangent;
                string scaled = graph.Multiply(cotangent, OnnxGraph.Internal(VaeMetadata.Factor + ".inverse"));
                return model.Scale.Kind == InputScaling.RobustAsinh ? graph.Multiply(scaled, graph.Node("Cosh", [trace.Output])) : scaled;
        }
    }

    private static string Activate(OnnxGraph graph, Activation activation, string x) => activation switch
    {
        Activation.ReLU => graph.Node("Relu", [x]),
        Activation.SiLU => graph.Multiply(x, graph.Node("Sigmoid", [x])),
        Activation.Tanh => graph.Node("Tanh", [x]),
        Activation.ELU => graph.Node("Elu", [x], null, ("alpha", 1f)),
        Activation.LeakyReLU => graph.Node("LeakyRelu", [x], null, ("alpha", VaeNetwork.LeakySlope)),
        Activation.GELU => graph.Multiply(x, NormalDistribution(graph, x)),
        Activation.Softplus => graph.Node("Softplus", [x]),
        _ => throw Check.OutOfRange(nameof(activation), activation, "a known activation"),
    };

    /// <summary>Φ(x) = (1 + erf(x / √2)) / 2.</summary>
    private static string NormalDistribution(OnnxGraph graph, string x)
    {
        string erf = graph.Node("Erf", [graph.Multiply(x, graph.Scalar((float)Math.Sqrt(0.5)))]);
        return graph.Multiply(graph.Add(erf, graph.Scalar(1)), graph.Scalar(0.5f));
    }

    /// <summary>The derivative of an activation from its argument and its value.</summary>
    private static string Derivative(OnnxGraph graph, Activation activation, string x, string y)
    {
        string Step() => graph.Node("Cast", [graph.Node("Greater", [x, graph.Scalar(0)])], null, ("to", (long)OnnxType.Float));
        switch (activation)
        {
            case Activation.ReLU:
                return Step();
            case Activation.LeakyReLU:
                return graph.Add(graph.Multiply(Step(), graph.Scalar(1 - VaeNetwork.LeakySlope)), graph.Scalar(VaeNetwork.LeakySlope));
            case Activation.SiLU:
                // s (1 + x (1 - s)) with s = sigmoid(x)
                string s = graph.Node("Sigmoid", [x]);
                return graph.Multiply(s, graph.Add(graph.Scalar(1), graph.Multiply(x, graph.Subtract(graph.Scalar(1), s))));
            case Activation.Tanh:
                return graph.Subtract(graph.Scalar(1), graph.Square(y));
            case Activation.ELU:
                // 1 above zero, y + 1 below
                return graph.Add(graph.Node("Min", [y, graph.Scalar(0)]), graph.Scalar(1));
            case Activation.GELU:
                // Φ(x) + x φ(x)
                string density = graph.Multiply(graph.Node("Exp", [graph.Multiply(graph.Square(x), graph.Scalar(-0.5f))]), graph.Scalar((float)(1 / Math.Sqrt(2 * Math.PI))));
                return graph.Add(NormalDistribution(graph, x), graph.Multiply(x, density));
            case Activation.Softplus:
                return graph.Node("Sigmoid", [x]);
            default:
                throw Check.OutOfRange(nameof(activation), activation, "a known activation");
        }
    }
}
