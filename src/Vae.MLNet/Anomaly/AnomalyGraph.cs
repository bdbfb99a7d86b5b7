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
    /// <param name="rarity">What values of features that have two, or mostly one, are worth, or null where there are none.</param>
    /// <param name="outside">The outside term, or null.</param>
    /// <param name="neighbors">The neighbour term, or null.</param>
    public static byte[] Create(
        IReadOnlyList<AnomalyMember> members, AnomalyRange range, string input, AnomalyMarginal? marginal, string? contributions, string[]? slotNames,
        AnomalyRarity? rarity = null, AnomalyOutside? outside = null, AnomalyNeighbors? neighbors = null)
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
            string both = graph.Add(each, graph.Multiply(term, graph.Scalar(2 * marginal.Weight)));
            each = rarity is null ? both : Rare(graph, scaled, each, both, rarity, marginal.Weight, features);
        }
        else if (rarity is not null)
        {
            each = Rare(graph, scaled, each, each, rarity, 0, features);
        }
        if (rarity is { Groups.Length: > 0 })
            each = graph.Add(each, Unseen(graph, x, rarity, features));
        if (outside is not null)
            each = graph.Add(each, Outside(graph, x, outside, features));
        string score = OutputColumn.VectorName(VaeAnomalyTransformer.ScoreColumn);
        if (neighbors is null)
        {
            graph.Node("ReduceSum", [each, graph.Ints(1)], score, ("keepdims", 1L));
            if (contributions is not null)
                graph.Node("Identity", [each], contributions);
        }
        else
        {
            var (near, shares) = Near(graph, x, neighbors, features, contributions is not null);
            graph.Node("Add", [graph.Sum(each, 1), near], score);
            if (contributions is not null)
                graph.Node("Add", [each, graph.Multiply(near, shares!)], contributions);
        }
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

    /// <summary>
    /// Puts, for the features that have one, (min(reconstruction, rarity) + w · rarity) in place of both terms, of a feature of two values over 1 + w: there the
    /// rarity is all that the value can tell.
    /// </summary>
    private static string Rare(OnnxGraph graph, string scaled, string reconstruction, string both, AnomalyRarity rarity, float weight, int features)
    {
        int count = rarity.Features.Length;
        string own = graph.Constant("rarity.features", (ReadOnlySpan<long>)Array.ConvertAll(rarity.Features, place => (long)place), count);
        string values = graph.Node("Gather", [scaled, own], null, ("axis", 1L));
        var parts = new List<string>();
        if (rarity.TwoValued > 0)
            parts.Add(Counted(graph.Columns(values, 0, rarity.TwoValued), 0, rarity.TwoValued));
        if (rarity.TwoValued < count)
            parts.Add(Counted(graph.Columns(values, rarity.TwoValued, count), rarity.TwoValued, count));
        string worth = parts.Count == 1 ? parts[0] : graph.Node("Concat", [.. parts], null, ("axis", 1L));
        worth = graph.Add(worth, graph.Constant("rarity.usual", rarity.Usual, count));
        // What is no number stays visible.
        worth = graph.Add(worth, graph.Multiply(values, graph.Scalar(0)));
        string term = graph.Node("Min", [graph.Node("Gather", [reconstruction, own], null, ("axis", 1L)), worth]);
        if (weight > 0)
        {
            float[] factors = [.. Enumerable.Range(0, count).Select(i => i < rarity.TwoValued ? 1 / (1 + weight) : 1)];
            term = graph.Multiply(graph.Add(term, graph.Multiply(worth, graph.Scalar(weight))), graph.Constant("rarity.factors", factors, count));
        }
        // Features that have no rarity stand behind those that have one.
        long[] chosen = [.. rarity.Places(features).Select((place, j) => (long)(place >= 0 ? place : count + j))];
        string together = graph.Node("Concat", [term, both], null, ("axis", 1L));
        return graph.Node("Gather", [together, graph.Constant("rarity.places", (ReadOnlySpan<long>)chosen, features)], null, ("axis", 1L));

        // What rises beyond steps, [N, end - start].
        string Counted(string columns, int start, int end)
        {
            int own = end - start, most = rarity.Steps[start..end].Max(steps => steps.Length);
            float[] at = new float[own * most], side = new float[own * most], rise = new float[own * most];
            Array.Fill(at, float.PositiveInfinity);
            Array.Fill(side, 1);
            for (int i = 0; i < own; i++)
            {
                for (int k = 0; k < rarity.Steps[start + i].Length; k++)
                {
                    var step = rarity.Steps[start + i][k];
                    (at[i * most + k], side[i * most + k], rise[i * most + k]) = (step.At * step.Side, step.Side, step.Rise);
                }
            }
            string name = start == 0 ? "rarity.step" : "rarity.steps";
            string turned = graph.Multiply(graph.Node("Unsqueeze", [columns, graph.Ints(2)]), graph.Constant(name + ".side", side, own, most));
            string beyond = graph.Node("Cast", [graph.Node("Greater", [turned, graph.Constant(name + ".at", at, own, most)])], null, ("to", (long)OnnxType.Float));
            return graph.Sum(graph.Multiply(beyond, graph.Constant(name + ".rise", rise, own, most)), 2, keep: false);
        }
    }

    /// <summary>The neighbour term, [N, 1], and on request the share that each feature has in the squared distances, [N, features].</summary>
    private static (string Term, string? Shares) Near(OnnxGraph graph, string x, AnomalyNeighbors neighbors, int features, bool shares)
    {
        int rows = neighbors.Rows.Length / features;
        string z = graph.Multiply(graph.Subtract(x, graph.Constant("neighbors.offset", neighbors.Scale.Offset, features)), graph.Constant("neighbors.factor", neighbors.Scale.Factor, features));
        z = graph.Node("Min", [graph.Node("Max", [z, graph.Constant("neighbors.low", neighbors.Low, features)]), graph.Constant("neighbors.high", neighbors.High, features)]);
        string known = graph.Constant("neighbors.rows", neighbors.Rows, rows, features);
        var halves = new float[rows];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < features; j++)
                halves[i] += neighbors.Rows[i * features + j] * neighbors.Rows[i * features + j] / 2;
        }
        // Half of the squared distance without what all rows have in common.
        string order = graph.Node("Gemm", [z, known, graph.Constant("neighbors.halves", halves, rows)], null, ("transB", 1L), ("alpha", -1f));
        string nearest = graph.Nodes("TopK", [order, graph.Ints(neighbors.Neighbors)], 2, ("largest", 0L), ("axis", 1L))[1];
        // The distances themselves from differences, which do not cancel.
        string squares = graph.Square(graph.Subtract(graph.Node("Unsqueeze", [z, graph.Ints(1)]), graph.Node("Gather", [known, nearest], null, ("axis", 0L))));
        string distance = graph.Mean(graph.Node("Sqrt", [graph.Sum(squares, 2, keep: false)]), 1);
        string term = graph.Multiply(graph.Node("Log", [graph.Add(graph.Divide(distance, graph.Scalar(neighbors.Typical)), graph.Scalar(1))]), graph.Scalar(neighbors.Weight));
        if (!shares)
            return (term, null);
        string own = graph.Sum(squares, 1, keep: false);
        return (term, graph.Divide(own, graph.Node("Max", [graph.Sum(own, 1), graph.Scalar(1e-30f)])));
    }

    /// <summary>What a category counts none of whose slots is set, shared among them.</summary>
    private static string Unseen(OnnxGraph graph, string x, AnomalyRarity rarity, int features)
    {
        int groups = rarity.Groups.Length;
        float[] members = new float[features * groups], shares = new float[groups * features];
        for (int g = 0; g < groups; g++)
        {
            foreach (int j in rarity.Groups[g])
                (members[j * groups + g], shares[g * features + j]) = (1, rarity.Unseen / rarity.Groups[g].Length);
        }
        string set = graph.Node("MatMul", [graph.Node("Clip", [x, graph.Scalar(-1), graph.Scalar(1)]), graph.Constant("category.slots", members, features, groups)]);
        string none = graph.Node("Cast", [graph.Node("Less", [set, graph.Scalar(0.5f)])], null, ("to", (long)OnnxType.Float));
        return graph.Node("MatMul", [none, graph.Constant("category.unseen", shares, groups, features)]);
    }

    /// <summary>
    /// weight · log2(1 + min(d, d⁴)) with d the distance beyond the range in spans, and <see cref="AnomalyOutside.FenceWeight"/> · log(1 + d') with d' what of the
    /// range is beyond a fence. In double precision: the distance of two single-precision numbers may be none.
    /// </summary>
    private static string Outside(OnnxGraph graph, string x, AnomalyOutside outside, int features)
    {
        string value = graph.Node("Cast", [x], null, ("to", (long)OnnxType.Double)), zero = graph.DoubleScalar(0), one = graph.DoubleScalar(1);
        string low = Values("low", outside.Low), high = Values("high", outside.High);
        string distance = Beyond(value, low, high, Values("low.span", outside.LowSpan), Values("high.span", outside.HighSpan));
        // Little beyond is little: a row of a heavy tail is not a gross error.
        string near = graph.Square(graph.Square(distance));
        string term = graph.Multiply(Log(graph.Node("Min", [distance, near])), graph.DoubleScalar(outside.Weight / Math.Log(2)));
        if (outside.HasFences)
        {
            string within = graph.Node("Min", [graph.Node("Max", [value, low]), high]);
            string far = Beyond(within, Values("low.fence", outside.LowFence), Values("high.fence", outside.HighFence), Values("low.tail", outside.LowTail), Values("high.tail", outside.HighTail));
            term = graph.Add(term, graph.Multiply(Log(far), graph.DoubleScalar(AnomalyOutside.FenceWeight)));
        }
        return graph.Node("Cast", [term], null, ("to", (long)OnnxType.Float));

        string Values(string name, double[] values) => graph.DoubleConstant("outside." + name, values, features);

        string Beyond(string from, string below, string above, string belowSpan, string aboveSpan) => graph.Node("Max",
            [graph.Divide(graph.Subtract(from, above), aboveSpan), graph.Divide(graph.Subtract(below, from), belowSpan), zero]);

        string Log(string of) => graph.Node("Log", [graph.Add(of, one)]);
    }

    /// <summary>log(1 + t² / 3).</summary>
    private static string StudentT(OnnxGraph graph, string t) =>
        graph.Node("Log", [graph.Add(graph.Multiply(graph.Square(t), graph.Scalar(1f / 3)), graph.Scalar(1))]);
}
