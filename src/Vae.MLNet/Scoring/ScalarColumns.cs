using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Scoring;

/// <summary>
/// Scalar columns in saved models. ML.NET's OnnxTransformer gives every [N, 1] output as a vector of one; a linear model that is exactly the
/// identity turns it into a scalar with components that every ML.NET application can load.
/// </summary>
internal static class ScalarColumns
{
    private const string Score = "Score", PredictedLabel = "PredictedLabel";

    /// <summary>
    /// Behind an ONNX transform that gives vectors of one for the scalar columns: the transforms that make them scalars under their own names
    /// and leave no helper column behind. Without scalar columns the ONNX transform is enough.
    /// </summary>
    /// <param name="context">Where the helper models are made.</param>
    /// <param name="onnx">The transform whose outputs are to be finished.</param>
    /// <param name="outputs">All output columns in order.</param>
    /// <param name="existing">Names of columns that pass through and must survive.</param>
    public static ITransformer Finish(MLContext context, ITransformer onnx, IReadOnlyList<OutputColumn> outputs, IReadOnlyList<string> existing)
    {
        var scalars = outputs.Where(output => output.IsScalar).ToArray();
        if (scalars.Length == 0)
            return onnx;

        var chain = onnx as TransformerChain<ITransformer> ?? new TransformerChain<ITransformer>(onnx);
        // The identity model writes Score and PredictedLabel: columns of the data under those names are put aside and restored.
        string[] aside = [.. new[] { Score, PredictedLabel }.Where(name => existing.Contains(name) && !outputs.Any(output => output.Name == name))];
        foreach (string name in aside)
            chain = chain.Append(Copy(context, Aside(name), name));
        foreach (var scalar in scalars)
        {
            chain = chain.Append(Identity(context, OutputColumn.VectorName(scalar.Name)));
            chain = chain.Append(Copy(context, Scalar(scalar.Name), Score));
            chain = chain.Append(Drop(context, Score, PredictedLabel, OutputColumn.VectorName(scalar.Name)));
        }
        foreach (string name in aside)
            chain = chain.Append(Copy(context, name, Aside(name)));
        if (aside.Length > 0)
            chain = chain.Append(Drop(context, [.. aside.Select(Aside)]));
        foreach (var output in outputs)
        {
            // Copied last and in order, so that the loaded schema lists the columns as the fitted transform does: vectors first.
            chain = output.IsScalar
                ? chain.Append(Copy(context, output.Name, Scalar(output.Name))).Append(Drop(context, Scalar(output.Name)))
                : chain;
        }
        return chain;

        // Columns that are there for a while only, under names that no column of the data has.
        static string Aside(string name) => Check.GraphSpace + "aside/" + name;

        static string Scalar(string name) => Check.GraphSpace + "scalar/" + name;
    }

    /// <summary>Score = 1 · x + 0, exactly, and PredictedLabel = Score &gt; threshold.</summary>
    public static ITransformer Identity(MLContext context, string vectorColumn, float threshold = 0)
    {
        var definition = SchemaDefinition.Create(typeof(Point));
        var column = definition[nameof(Point.X)];
        column.ColumnName = vectorColumn;
        column.ColumnType = new VectorDataViewType(NumberDataViewType.Single, 1, 1);
        var data = context.Data.LoadFromEnumerable([new Point { X = [1], Label = true }, new Point { X = [0], Label = false }], definition);
        var model = context.BinaryClassification.Trainers.AveragedPerceptron(new Microsoft.ML.Trainers.AveragedPerceptronTrainer.Options
        {
            FeatureColumnName = vectorColumn,
            LabelColumnName = nameof(Point.Label),
            LearningRate = 1,
            NumberOfIterations = 1,
            Shuffle = false,
            L2Regularization = 0,
            Averaged = false,
        }).Fit(data);
        if (model.Model.Weights.Single() != 1 || model.Model.Bias != 0)
            throw new InvalidOperationException(Check.Invariant($"The identity model has weight {model.Model.Weights.Single()} and bias {model.Model.Bias}; 1 and 0 are expected."));
        return threshold == 0 ? model : context.BinaryClassification.ChangeModelThreshold(model, threshold);
    }

    private static ITransformer Copy(MLContext context, string output, string input) =>
        context.Transforms.CopyColumns(output, input).Fit(Empty(context, input));

    /// <summary>Drops columns.</summary>
    public static ITransformer Drop(MLContext context, params string[] names) =>
        context.Transforms.DropColumns(names).Fit(Empty(context, names));

    /// <summary>Data without rows that has the given columns: fitting a transform checks that they are there.</summary>
    private static IDataView Empty(MLContext context, params string[] names)
    {
        var data = context.Data.LoadFromEnumerable(Array.Empty<Nothing>(), OneColumn(names[0]));
        foreach (string name in names.Skip(1))
            data = context.Transforms.CopyColumns(name, names[0]).Fit(data).Transform(data);
        return data;
    }

    private static SchemaDefinition OneColumn(string name)
    {
        var definition = SchemaDefinition.Create(typeof(Nothing));
        definition[0].ColumnName = name;
        return definition;
    }

    private sealed class Nothing
    {
        public float Value { get; set; }
    }

    private sealed class Point
    {
        public float[] X { get; set; } = [];

        public bool Label { get; set; }
    }
}
