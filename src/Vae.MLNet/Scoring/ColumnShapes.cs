using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Scoring;

/// <summary>
/// Schema shapes for estimators. <see cref="SchemaShape.Column"/> cannot be constructed from outside ML.NET, but a custom mapping with
/// a schema definition states any column, and its output shape can be read.
/// </summary>
internal static class ColumnShapes
{
    /// <summary>The input's shape with the output columns added, replacing columns of the same name, as every ML.NET estimator does.</summary>
    public static SchemaShape Append(MLContext context, SchemaShape input, IEnumerable<OutputColumn> outputs)
    {
        var result = input.ToDictionary(column => column.Name);
        foreach (var output in outputs)
            result[output.Name] = Of(context, output);
        return new SchemaShape(result.Values);
    }

    private static SchemaShape.Column Of(MLContext context, OutputColumn output)
    {
        var definition = SchemaDefinition.Create(output.IsLabel ? typeof(Label) : output.IsScalar ? typeof(Scalar) : typeof(Vector));
        definition[0].ColumnName = output.Name;
        definition[0].ColumnType = output.Type;
        if (output.SlotNames is { } names)
        {
            var slots = new VBuffer<ReadOnlyMemory<char>>(names.Count, names.Select(name => name.AsMemory()).ToArray());
            definition[0].AddAnnotation("SlotNames", slots, new VectorDataViewType(TextDataViewType.Instance, names.Count));
        }
        if (output.BeadDimensions > 0)
            definition[0].AddAnnotation(OutputColumn.BeadDimensionsKind, output.BeadDimensions, NumberDataViewType.Int32);
        var empty = new SchemaShape([]);
        var shape = output.IsLabel
            ? context.Transforms.CustomMapping<Nothing, Label>((_, _) => { }, null, null, definition).GetOutputSchema(empty)
            : output.IsScalar
            ? context.Transforms.CustomMapping<Nothing, Scalar>((_, _) => { }, null, null, definition).GetOutputSchema(empty)
            : context.Transforms.CustomMapping<Nothing, Vector>((_, _) => { }, null, null, definition).GetOutputSchema(empty);
        return shape.Single();
    }

    /// <summary>Checks that a column of a shape is a vector of <see cref="float"/> whose size is known when the data is there.</summary>
    public static void RequireFloatVector(SchemaShape shape, string column)
    {
        foreach (var found in shape)
        {
            if (found.Name != column)
                continue;
            if (found.Kind != SchemaShape.Column.VectorKind.Vector || found.ItemType != NumberDataViewType.Single || found.IsKey)
                throw Check.TypeMismatch("inputSchema", found, "Vector<Single> of known size", NumberDataViewType.Single, wantsVector: true);
            return;
        }
        throw Check.SchemaMismatch("inputSchema", column, "Vector<Single> of known size", "no such column");
    }

    private sealed class Nothing;

    private sealed class Label
    {
        public bool Value { get; set; }
    }

    private sealed class Vector
    {
        public float[]? Value { get; set; }
    }

    private sealed class Scalar
    {
        public float Value { get; set; }
    }
}
