using System.Globalization;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Samples;

/// <summary>A critic as an ONNX graph: features from columns, one ensemble of trees, and the calibrated ratio.</summary>
internal static class CriticGraph
{
    public const string LogRatio = "LogRatio";

    private const long Batch = OnnxGraph.Batch;

    public static byte[] File(IReadOnlyList<SampleInput> inputs, CriticFeatures features, CriticTraining training, int dimensions)
    {
        var graph = new OnnxGraph("critic");
        // A single column of each slot, cast to single precision where it is a number.
        var columns = new List<Func<string>>();
        var known = new Dictionary<int, string>();
        foreach (var input in inputs)
        {
            int size = input.Size ?? 1;
            var type = input.RawType == typeof(float) ? OnnxType.Float
                : input.IsCategory ? input.RawType == typeof(bool) ? OnnxType.Bool : OnnxType.String
                : input.RawType == typeof(int) ? OnnxType.Int32
                : input.RawType == typeof(long) ? OnnxType.Int64
                : OnnxType.Double;
            string value = graph.Input(input.Name, type, Batch, size);
            string? cast = null;
            for (int slot = 0; slot < size; slot++)
            {
                int own = slot;
                columns.Add(() =>
                {
                    if (type == OnnxType.Bool)
                        cast ??= Cast(graph, value, OnnxType.Int64);
                    else if (type is not (OnnxType.Float or OnnxType.String))
                        cast ??= Cast(graph, value, OnnxType.Float);
                    string whole = cast ?? value;
                    return size == 1 ? whole : graph.Columns(whole, own, own + 1);
                });
            }
        }
        bool[] truths = [.. inputs.SelectMany(input => Enumerable.Repeat(input.RawType == typeof(bool), input.Size ?? 1))];
        var parts = new List<string>();
        if (dimensions > 0)
            parts.Add(Conformation(graph, inputs[0], features, dimensions));
        else
        {
            foreach (var feature in features.All)
                parts.Add(Part(graph, feature, Column(feature.Column), truths[feature.Column]));
        }
        string ratio;
        if (features.All.Count == 0 || training.Trees == 0)
        {
            // Nothing tells the rows apart: the same ratio for all, for as many rows as come in.
            string first = inputs[0].IsCategory && inputs[0].RawType != typeof(bool)
                ? graph.Node("Cast", [graph.Lookup(Column(0), new[] { "" }, new[] { 0L }, 0L)], null, ("to", (long)OnnxType.Float))
                : Cast(graph, Column(0), OnnxType.Float);
            string none = graph.Node("Where", [graph.Node("IsNaN", [first]), graph.Scalar(0), graph.Scalar(0)]);
            ratio = graph.Add(none, graph.Scalar((float)training.Offset));
        }
        else
        {
            string all = parts.Count == 1 ? parts[0] : graph.Node("Concat", [.. parts], null, ("axis", 1L));
            ratio = graph.Add(
                graph.Multiply(Trees(graph, all, training), graph.Scalar((float)(training.Slope / training.Folds.Length))),
                graph.Scalar((float)training.Offset));
        }
        graph.Node("Identity", [ratio], LogRatio);
        graph.Output(LogRatio, OnnxType.Float, Batch, 1);
        graph.Metadata(VaeMetadata.Format, VaeMetadata.FormatVersion);
        graph.Metadata(VaeMetadata.Kind, VaeMetadata.CriticKind);
        graph.Metadata(VaeMetadata.Version, LibraryVersion.Text);
        graph.Metadata(VaeMetadata.CertainLogRatio, ((float)training.Bound).ToString("R", CultureInfo.InvariantCulture));
        graph.Metadata(VaeMetadata.Features, columns.Count.ToString(CultureInfo.InvariantCulture));
        return graph.ToBytes();

        string Column(int c) => known.TryGetValue(c, out string? value) ? value : known[c] = columns[c]();
    }

    private static string Cast(OnnxGraph graph, string value, OnnxType type) => graph.Node("Cast", [value], null, ("to", (long)type));

    private static string Part(OnnxGraph graph, CriticFeature feature, string column, bool isTruth)
    {
        switch (feature)
        {
            case ValueFeature value:
                string present = graph.Node("Where", [graph.Node("IsNaN", [column]), graph.Scalar(value.Middle), column]);
                return graph.Node("Clip", [present, graph.Scalar(-ValueFeature.Huge), graph.Scalar(ValueFeature.Huge)]);
            case MissingFeature:
                return Cast(graph, graph.Node("IsNaN", [column]), OnnxType.Float);
            case RepeatFeature repeat:
                var pairs = repeat.Counts.OrderBy(pair => pair.Key).ToArray();
                return graph.Lookup(column, pairs.Select(pair => pair.Key).ToArray(), pairs.Select(pair => pair.Value).ToArray(), 0f);
            case CategoryFeature category:
                return Places(category.Places, CategoryFeature.Unknown);
            case CategoryCountFeature count:
                return Places(count.Counts, 0);
            default:
                throw new NotSupportedException($"{feature.GetType()}.");
        }

        string Places(IReadOnlyDictionary<string, float> values, float otherwise)
        {
            var pairs = values.OrderBy(pair => pair.Key, StringComparer.Ordinal).ToArray();
            // Looked up as places among the values, since texts may not be turned into numbers in all versions of the operator.
            string[] keys = [.. pairs.Select(pair => pair.Key)];
            float[] table = [otherwise, .. pairs.Select(pair => pair.Value)];
            string place = isTruth
                ? graph.Node("Where", [Cast(graph, column, OnnxType.Bool), Place("True"), Place("False")])
                : graph.Lookup(column, keys, Enumerable.Range(1, keys.Length).Select(i => (long)i).ToArray(), 0L);
            string name = Check.Invariant($"values.{feature.Column}.{feature.GetType().Name}");
            return graph.Node("Gather", [graph.Constant(name, table, table.Length), place], null, ("axis", 0L));

            string Place(string text) => graph.LongConstant("truth", Array.IndexOf(keys, text) + 1);
        }
    }

    /// <summary>All features of a conformation: each pair's distance once, and extremes over groups of them.</summary>
    private static string Conformation(OnnxGraph graph, SampleInput input, CriticFeatures features, int dimensions)
    {
        var pairs = features.All.OfType<DistanceFeature>().Select(feature => (feature.Column, feature.Other))
            .Concat(features.All.OfType<ExtremeFeature>().SelectMany(feature => feature.Pairs)).Distinct().ToArray();
        if (pairs.Length == 0)
            return input.Name;
        string value = input.RawType == typeof(float) ? input.Name : Cast(graph, input.Name, OnnxType.Float);
        string beads = graph.Reshape(value, -1, input.Size!.Value / dimensions, dimensions);
        string difference = graph.Subtract(
            Picked(beads, "pairs.from", pairs.Select(pair => (long)pair.Item1 / dimensions)),
            Picked(beads, "pairs.to", pairs.Select(pair => (long)pair.Item2 / dimensions)));
        string distances = graph.Node("Sqrt", [graph.Sum(graph.Square(difference), 2, keep: false)]);
        var parts = new List<string>();
        foreach (var (f, feature) in features.All.Index())
        {
            (int, int)[] own = feature is DistanceFeature distance
                ? [(distance.Column, distance.Other)]
                : [.. ((ExtremeFeature)feature).Pairs];
            string some = Picked(distances, Check.Invariant($"feature.{f}"), own.Select(pair => (long)Array.IndexOf(pairs, pair)));
            parts.Add(own.Length == 1 ? some
                : graph.Node(
                    ((ExtremeFeature)feature).IsLeast ? "ReduceMin" : "ReduceMax", [some], null, ("axes", new[] { 1L }), ("keepdims", 1L)));
        }
        return parts.Count == 1 ? parts[0] : graph.Node("Concat", [.. parts], null, ("axis", 1L));

        string Picked(string from, string name, IEnumerable<long> places)
        {
            long[] all = [.. places];
            return graph.Node("Gather", [from, graph.Constant(name, (ReadOnlySpan<long>)all, all.Length)], null, ("axis", 1L));
        }
    }

    private static string Trees(OnnxGraph graph, string features, CriticTraining training)
    {
        List<long> treeIds = [], nodeIds = [], featureIds = [], trueIds = [], falseIds = [], targetTrees = [], targetNodes = [];
        List<float> values = [], weights = [];
        List<string> modes = [];
        long id = 0;
        foreach (var tree in training.Folds.SelectMany(fold => fold.Trees.Take(training.Trees)))
        {
            int nodes = tree.Features.Length;
            for (int node = 0; node < nodes; node++)
                Add(node, "BRANCH_LEQ", tree.Features[node], tree.Thresholds[node], Child(tree.Left[node]), Child(tree.Right[node]));
            for (int leaf = 0; leaf < tree.Leaves.Length; leaf++)
            {
                Add(nodes + leaf, "LEAF", 0, 0, 0, 0);
                targetTrees.Add(id);
                targetNodes.Add(nodes + leaf);
                weights.Add((float)tree.Leaves[leaf]);
            }
            id++;

            long Child(int child) => child >= 0 ? child : nodes + ~child;
        }
        return graph.MlNode("TreeEnsembleRegressor", [features],
            ("n_targets", 1L), ("nodes_treeids", treeIds.ToArray()), ("nodes_nodeids", nodeIds.ToArray()), ("nodes_modes", modes.ToArray()),
            ("nodes_featureids", featureIds.ToArray()), ("nodes_values", values.ToArray()), ("nodes_truenodeids", trueIds.ToArray()),
            ("nodes_falsenodeids", falseIds.ToArray()), ("target_treeids", targetTrees.ToArray()), ("target_nodeids", targetNodes.ToArray()),
            ("target_ids", new long[targetTrees.Count]), ("target_weights", weights.ToArray()));

        void Add(long node, string mode, long feature, float value, long whenTrue, long whenFalse)
        {
            treeIds.Add(id);
            nodeIds.Add(node);
            modes.Add(mode);
            featureIds.Add(feature);
            values.Add(value);
            trueIds.Add(whenTrue);
            falseIds.Add(whenFalse);
        }
    }
}
