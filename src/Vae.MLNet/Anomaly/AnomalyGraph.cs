using System.Globalization;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Anomaly;

/// <summary>The detector as one ONNX graph: scaling, the networks of the ensemble, and the score.</summary>
internal static class AnomalyGraph
{
    /// <param name="members">The ensemble; all have the same scaling.</param>
    /// <param name="range">What the training rows ranged over.</param>
    /// <param name="input">Name of the feature column.</param>
    /// <param name="marginal">The marginal term, or null where the score has none.</param>
    /// <param name="contributions">Name of the contributions' column, or null.</param>
    /// <param name="slotNames">Its slot names, or null.</param>
    public static byte[] Create(IReadOnlyList<AnomalyMember> members, AnomalyRange range, string input, AnomalyMarginal? marginal, string? contributions, string[]? slotNames)
    {
        var graph = new OnnxGraph("anomaly");
        int features = members[0].Model.FeatureCount;
        string x = graph.Input(input, OnnxType.Float, OnnxGraph.Batch, features);
        string scaled = VaeGraphs.Scaled(graph, members[0].Model, x);
        string low = graph.Constant("range.low", range.Low, features), high = graph.Constant("range.high", range.High, features);
        string Within(string value) => graph.Node("Min", [graph.Node("Max", [value, low]), high]);
        string seen = Within(scaled);
        string? sum = null;
        for (int i = 0; i < members.Count; i++)
        {
            var member = members[i];
            graph.Prefix = Check.Invariant($"member.{i}.");
            string residual = graph.Subtract(scaled, Within(VaeGraphs.Reconstruct(graph, member.Model, seen)));
            string spread = graph.Constant(graph.Prefix + "spread", member.Spread, features);
            string term = StudentT(graph, graph.Divide(residual, spread));
            sum = sum is null ? term : graph.Add(sum, term);
        }
        graph.Prefix = "";
        // Summed before it is written out: sums over the caller's memory would round differently by its alignment.
        string each = graph.Multiply(sum!, graph.Scalar(2f / members.Count));
        if (marginal is not null)
        {
            // Above the median s / upper, below it -s / lower.
            string above = graph.Multiply(scaled, graph.Constant("marginal.upper", Array.ConvertAll(marginal.Upper, value => 1 / value), features));
            string below = graph.Multiply(scaled, graph.Constant("marginal.lower", Array.ConvertAll(marginal.Lower, value => -1 / value), features));
            string term = StudentT(graph, graph.Node("Max", [above, below]));
            each = graph.Add(each, graph.Multiply(term, graph.Scalar(2 * marginal.Weight)));
        }
        string score = OutputColumn.VectorName(VaeAnomalyTransformer.ScoreColumn);
        graph.Node("ReduceSum", [each, graph.Ints(1)], score, ("keepdims", 1L));
        if (contributions is not null)
            graph.Node("Identity", [each], contributions);
        graph.Output(score, OnnxType.Float, OnnxGraph.Batch, 1);
        if (contributions is not null)
        {
            graph.Output(contributions, OnnxType.Float, OnnxGraph.Batch, features);
            if (slotNames is not null)
                graph.SlotNames(contributions, slotNames);
        }
        VaeMetadata.Write(graph, members[0].Model, VaeMetadata.AnomalyKind);
        graph.Metadata(VaeMetadata.Members, members.Count.ToString(CultureInfo.InvariantCulture));
        return graph.ToBytes();
    }

    /// <summary>The same model with the threshold noted in it, for whoever reads the file: the graph gives scores alone.</summary>
    public static byte[] WithThreshold(byte[] graph, float threshold)
    {
        var model = ModelProto.Parser.ParseFrom(graph);
        string text = threshold.ToString("R", CultureInfo.InvariantCulture);
        // A graph that was loaded has one already.
        if (model.MetadataProps.FirstOrDefault(entry => entry.Key == VaeMetadata.Threshold) is { } found)
            found.Value = text;
        else
            model.MetadataProps.Add(new StringStringEntryProto { Key = VaeMetadata.Threshold, Value = text });
        return Google.Protobuf.MessageExtensions.ToByteArray(model);
    }

    /// <summary>log(1 + t² / 3).</summary>
    private static string StudentT(OnnxGraph graph, string t) =>
        graph.Node("Log", [graph.Add(graph.Multiply(graph.Square(t), graph.Scalar(1f / 3)), graph.Scalar(1))]);
}
