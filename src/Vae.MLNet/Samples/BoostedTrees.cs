using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Trainers.FastTree;

namespace Vae.MLNet.Samples;

/// <summary>
/// Boosted trees for two classes, trained by Microsoft.ML.FastTree and kept as plain arrays: they can be asked tree by tree, and be written
/// into a graph.
/// </summary>
internal sealed class BoostedTrees
{
    private readonly Tree[] _trees;

    private BoostedTrees(Tree[] trees, double[] gains)
    {
        _trees = trees;
        Gains = gains;
    }

    public IReadOnlyList<Tree> Trees => _trees;

    /// <summary>What each feature's splits gained.</summary>
    public IReadOnlyList<double> Gains { get; }

    /// <param name="rows">Features, row by row.</param>
    /// <param name="labels">Which class each row is of; both have to occur.</param>
    /// <param name="trees">Trees.</param>
    /// <param name="rate">Share of each tree that is taken.</param>
    /// <param name="seed">Seed. Trees take one thread, and do not depend on what runs beside them.</param>
    public static BoostedTrees Fit(IReadOnlyList<float[]> rows, IReadOnlyList<bool> labels, int trees, double rate, int seed)
    {
        // A context of its own: nothing of this training is told to the caller's log.
        var context = new MLContext(0);
        int features = rows[0].Length;
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[nameof(Row.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, features);
        var training = context.Data.LoadFromEnumerable(
            rows.Select((values, i) => new Row { Features = values, Label = labels[i] }).ToArray(), definition);
        var trainer = context.BinaryClassification.Trainers.FastTree(new FastTreeBinaryTrainer.Options
        {
            // Chosen on shifted and on reshuffled columns of 66 against FastTree's own and against LightGBM: a slower rate finds more,
            // finer bins find no more.
            NumberOfTrees = trees,
            NumberOfLeaves = 20,
            LearningRate = rate,
            MaximumBinCountPerFeature = 127,
            NumberOfThreads = 1,
            Seed = seed,
        });
        var ensemble = trainer.Fit(training).Model.SubModel.TrainedTreeEnsemble;
        var gains = new double[features];
        var found = new Tree[ensemble.Trees.Count];
        for (int t = 0; t < found.Length; t++)
        {
            var tree = ensemble.Trees[t];
            for (int node = 0; node < tree.NumberOfNodes; node++)
                gains[tree.NumericalSplitFeatureIndexes[node]] += tree.SplitGains[node];
            double weight = ensemble.TreeWeights[t];
            found[t] = new([.. tree.NumericalSplitFeatureIndexes], [.. tree.NumericalSplitThresholds], [.. tree.LeftChild],
                [.. tree.RightChild], [.. tree.LeafValues.Select(value => weight * value)]);
        }
        return new(found, gains);
    }

    /// <summary>Sum over the first trees; the larger, the more the row looks like one of the class that is true.</summary>
    public double Score(ReadOnlySpan<float> row, int trees)
    {
        double sum = 0;
        for (int t = 0; t < trees; t++)
            sum += _trees[t].Value(row);
        return sum;
    }

    /// <summary>A tree; a child below zero is a leaf, the complement of its place among the leaves.</summary>
    /// <param name="Features">Feature that each node looks at.</param>
    /// <param name="Thresholds">Rows of at most this go left.</param>
    /// <param name="Left">Left children.</param>
    /// <param name="Right">Right children.</param>
    /// <param name="Leaves">Values of the leaves.</param>
    public sealed record Tree(int[] Features, float[] Thresholds, int[] Left, int[] Right, double[] Leaves)
    {
        public double Value(ReadOnlySpan<float> row)
        {
            if (Features.Length == 0)
                return Leaves[0];
            int node = 0;
            while (node >= 0)
                node = row[Features[node]] <= Thresholds[node] ? Left[node] : Right[node];
            return Leaves[~node];
        }
    }

    private sealed class Row
    {
        public float[] Features { get; set; } = [];

        public bool Label { get; set; }
    }
}
