using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Scoring;

/// <summary>Whether an input column holds conformations.</summary>
internal static class ColumnBeads
{
    /// <summary>
    /// Coordinates of a bead: what the transform that made the column says (an annotation), or the last dimension of a column of shape
    /// [beads, 2] or [beads, 3]. 0 for other
    /// columns; a flat vector may be anything.
    /// </summary>
    public static int Dimensions(DataViewSchema.Column column)
    {
        if (column.Annotations.Schema.GetColumnOrNull(OutputColumn.BeadDimensionsKind) is { Type: NumberDataViewType { RawType: var type } }
            && type == typeof(int))
        {
            int said = 0;
            column.Annotations.GetValue(OutputColumn.BeadDimensionsKind, ref said);
            return said;
        }
        // [beads, dimensions]; a leading 1 is how ONNX transforms type a row.
        return column.Type is VectorDataViewType vector
            && vector.Dimensions.SkipWhile(size => size == 1).ToArray() is [>= 2, (2 or 3) and var dimensions]
            ? dimensions
            : 0;
    }
}
