using Vae.MLNet.Inference;

namespace Vae.MLNet.Onnx;

/// <summary>What models of sequences have of their own: tokens are looked up in the first layer's table, and their likelihood is gathered.</summary>
internal static partial class VaeGraphs
{
    public const string Tokens = "Tokens", SampleNoise = "Noise", SampleMask = "Mask", ExpectedLogLikelihood = "LogLikelihood", Divergence = "Divergence";

    /// <summary>
    /// The evidence lower bound of sequences: <c>Tokens</c> [N, positions] and <c>Noise</c> [S, latent] to <c>LogLikelihood</c> [N, 1], the mean of log p(x|z) over
    /// z = μ + σ ε for the S rows ε of the noise, each with a dropout mask of its own on the decoder's hidden layers where masks are wanted, and <c>Divergence</c> [N, 1], the KL divergence of the posterior from the prior, both in nats.
    /// </summary>
    public static byte[] EvidenceFile(VaeModel model, bool withMasks)
    {
        var layout = model.Architecture.Tokens!;
        int latent = model.LatentDimension;
        long length = layout.Length, symbols = model.Options.GroupSize;
        var graph = new OnnxGraph("evidence");
        string tokens = graph.Input(Tokens, OnnxType.Int64, Batch, length);
        graph.InputOfNamedRows(SampleNoise, "S", latent);
        string sigma = OnnxGraph.Internal("sigma");
        var (mean, logSigma, variance) = Encode(graph, model, tokens, OnnxGraph.Internal("mean"), sigma);

        string draws = graph.Multiply(graph.Reshape(sigma, -1, 1, latent), graph.Reshape(SampleNoise, 1, -1, latent));
        string z = graph.Reshape(graph.Add(graph.Reshape(mean, -1, 1, latent), draws), -1, latent);
        string logits = Decode(graph, model, z, null, null, withMasks ? Masked : null).Output;
        // Rows of one sequence stand together: [N, S, positions, symbols].
        string shape = graph.Node("Concat", [graph.Node("Slice", [graph.Node("Shape", [tokens]), graph.Ints(0), graph.Ints(1), graph.Ints(0)]),
            graph.Node("Slice", [graph.Node("Shape", [SampleNoise]), graph.Ints(0), graph.Ints(1), graph.Ints(0)]), graph.Ints(length), graph.Ints(1)], null, ("axis", 0L));
        var (index, present) = Symbols(graph, tokens, symbols);
        string picks = graph.Reshape(graph.Node("Expand", [graph.Reshape(index, -1, 1, length, 1), shape]), -1, length, 1);
        string logs = graph.Node("LogSoftmax", [graph.Reshape(logits, -1, length, symbols)], null, ("axis", -1L));
        string picked = graph.Node("Reshape", [graph.Node("GatherElements", [logs, picks], null, ("axis", 2L)), shape]);
        string terms = graph.Multiply(graph.Node("Squeeze", [picked, graph.Ints(3)]), graph.Reshape(present, -1, 1, length));
        graph.Node("ReduceMean", [graph.Sum(terms, 2, keep: false)], ExpectedLogLikelihood, ("axes", new[] { 1L }), ("keepdims", 1L));

        string inner = graph.Subtract(graph.Add(graph.Square(mean), variance), graph.Add(graph.Multiply(logSigma, graph.Scalar(2)), graph.Scalar(1)));
        graph.Node("Mul", [graph.Sum(inner, 1), graph.Scalar(0.5f)], Divergence);
        graph.Output(ExpectedLogLikelihood, OnnxType.Float, Batch, 1);
        graph.Output(Divergence, OnnxType.Float, Batch, 1);
        return graph.ToBytes();

        string Masked(int layer, string x)
        {
            long width = model.Options.DecoderLayers[layer];
            string mask = graph.InputOfNamedRows(Check.Invariant($"{SampleMask}.{layer}"), "S", width);
            string draws = graph.Node("Slice", [graph.Node("Shape", [SampleNoise]), graph.Ints(0), graph.Ints(1), graph.Ints(0)]);
            string rows = graph.Node("Reshape", [x, graph.Node("Concat", [graph.Ints(-1), draws, graph.Ints(width)], null, ("axis", 0L))]);
            return graph.Reshape(graph.Multiply(rows, graph.Reshape(mask, 1, -1, width)), -1, width);
        }
    }

    /// <summary>
    /// An ensemble: the first member's latent and, on request, its deviation and the mean of all members' scores, with tensors named as columns; for saving, all that is
    /// needed to read every member back.
    /// </summary>
    public static byte[] SequenceFile(IReadOnlyList<VaeModel> members, string input, string latent, VaeOutputColumns columns)
    {
        var graph = new OnnxGraph("sequences");
        string x = graph.Input(input, OnnxType.Int64, Batch, members[0].Architecture.Tokens!.Length);
        string? total = columns.Score is null ? null : OutputColumn.VectorName(columns.Score);
        if (members.Count == 1 || total is null)
        {
            AddTo(graph, members[0], x, new Wanted(latent, columns.StandardDeviation, null, total));
        }
        else
        {
            string? sum = null;
            for (int i = 0; i < members.Count; i++)
            {
                graph.Prefix = VaeMetadata.MemberPrefix(i);
                string score = OnnxGraph.Internal(Check.Invariant($"score.{i}"));
                AddTo(graph, members[i], x, i == 0 ? new Wanted(latent, columns.StandardDeviation, null, score) : new Wanted(OnnxGraph.Internal(graph.Prefix + "mean"), null, null, score));
                sum = sum is null ? score : graph.Add(sum, score);
            }
            graph.Prefix = "";
            graph.Node("Mul", [sum!, graph.Scalar(1f / members.Count)], total);
        }
        foreach (var output in columns.WithLatent(latent, members[0].LatentDimension, 1))
        {
            graph.Output(output.TensorName, OnnxType.Float, Batch, output.Size);
            if (output.SlotNames is { } names)
                graph.SlotNames(output.Name, names);
        }
        VaeMetadata.Write(graph, members[0], VaeMetadata.SequenceKind);
        graph.Metadata(VaeMetadata.Columns, new VaeColumnNames(latent, columns.StandardDeviation, null, columns.Score).ToJson());
        graph.Metadata(VaeMetadata.Members, members.Count.ToString(System.Globalization.CultureInfo.InvariantCulture));
        for (int i = 0; i < members.Count; i++)
        {
            VaeMetadata.WriteUnusedParameters(graph, members[i], VaeMetadata.MemberPrefix(i));
            if (i == 0)
                continue;
            graph.Metadata(VaeMetadata.MemberKey(VaeMetadata.Options, i), members[i].Options.ToJson());
            graph.Metadata(VaeMetadata.MemberKey(VaeMetadata.Training, i), members[i].TrainingJson);
        }
        return graph.ToBytes();
    }

    /// <summary>
    /// The encoder for one-hot rows: float <c>Features</c> [N, positions · symbols that are read], where a group of zeros is a letter that is not known, to
    /// <c>Latent</c> and <c>LatentSigma</c>.
    /// </summary>
    public static byte[] OneHotEncoderFile(VaeModel model)
    {
        var layout = model.Architecture.Tokens!;
        int positions = layout.Length, tokens = layout.Alphabet.TokenCount, read = layout.Alphabet.InputSymbolCount;
        string first = model.Architecture.InputLayer;
        var table = model.Parameter(first + ".weight");
        int width = table.Length / (positions * tokens);
        // The rows of tokens that are read, one position after another.
        var weight = new float[positions * read * width];
        for (int position = 0; position < positions; position++)
            table.Slice(position * tokens * width, read * width).CopyTo(weight.AsSpan(position * read * width));
        var graph = new OnnxGraph("encoder");
        string x = graph.Input(Features, OnnxType.Float, Batch, positions * read);
        string hidden = graph.Add(graph.Node("MatMul", [x, graph.Constant("onehot.weight", weight, positions * read, width)]), Weight(graph, model, first + ".bias"));
        Encode(graph, model, hidden, Latent, Sigma, layersDone: 1);
        graph.Output(Latent, OnnxType.Float, Batch, model.LatentDimension);
        graph.Output(Sigma, OnnxType.Float, Batch, model.LatentDimension);
        VaeMetadata.Write(graph, model, VaeMetadata.EncoderKind);
        // What goes in, which is not as many symbols as come out where gaps are read but not modelled.
        graph.Metadata(VaeMetadata.Features, (positions * read).ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (read >= 2)
            graph.Metadata(VaeMetadata.GroupSize, read.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return graph.ToBytes();
    }

    /// <summary>A layer over tokens: the sum of one row of its table for each position, and the bias.</summary>
    private static string GatheredSum(OnnxGraph graph, VaeModel model, string tokens, string layer)
    {
        var layout = model.Architecture.Tokens!;
        long[] starts = [.. Enumerable.Range(0, layout.Length).Select(c => (long)c * layout.Alphabet.TokenCount)];
        string indexes = graph.Add(tokens, graph.Has("tokens.starts") ? OnnxGraph.Internal("tokens.starts") : graph.Constant("tokens.starts", starts, 1, layout.Length));
        string rows = graph.Node("Gather", [Weight(graph, model, layer + ".weight"), indexes], null, ("axis", 0L));
        return graph.Add(graph.Sum(rows, 1, keep: false), Weight(graph, model, layer + ".bias"));
    }

    /// <summary>log p(x|z) of tokens [N, positions] under logits [N, positions · symbols], as [N, 1].</summary>
    private static string LogLikelihood(OnnxGraph graph, VaeModel model, SequenceLayout layout, string tokens, string logits)
    {
        long length = layout.Length, symbols = model.Options.GroupSize;
        var (index, present) = Symbols(graph, tokens, symbols);
        string logs = graph.Node("LogSoftmax", [graph.Reshape(logits, -1, length, symbols)], null, ("axis", -1L));
        string picked = graph.Node("GatherElements", [logs, graph.Reshape(index, -1, length, 1)], null, ("axis", 2L));
        return graph.Sum(graph.Multiply(graph.Reshape(picked, -1, length), present), 1);
    }

    /// <summary>Tokens as symbols, those that are none as any, with 1 where a token is a symbol and 0 where it is none.</summary>
    private static (string Index, string Present) Symbols(OnnxGraph graph, string tokens, long symbols)
    {
        string present = graph.Node("Cast", [graph.Node("Less", [tokens, graph.Ints(symbols)])], null, ("to", (long)OnnxType.Float));
        return (graph.Node("Min", [tokens, graph.Ints(symbols - 1)]), present);
    }
}
