using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Onnx;

/// <summary>A column that a fitted transform produces: a vector of <see cref="Size"/> numbers, or a single number.</summary>
internal sealed record OutputColumn(string Name, int Size, bool IsScalar = false, IReadOnlyList<string>? SlotNames = null)
{
    /// <summary>A scalar column that is a bool: true where the scorer gives a number other than zero. It has no tensor of its own in a saved model.</summary>
    public bool IsLabel { get; init; }

    /// <summary>
    /// Coordinates of a bead where the rows are conformations; 0 otherwise. It goes with the column as an annotation, by which a trainer
    /// knows what it is given.
    /// </summary>
    public int BeadDimensions { get; init; }

    /// <summary>Annotation of a column of conformations: coordinates of a bead, an Int32.</summary>
    public const string BeadDimensionsKind = "BeadDimensions";

    private const string VectorSpace = Check.GraphSpace + "vector/", FormerVectorSuffix = ".Vector";

    /// <summary>Name of the [N, 1] tensor behind a scalar column; no column can have it.</summary>
    public static string VectorName(string column) => VectorSpace + column;

    /// <summary>The same in earlier files.</summary>
    public static string FormerVectorName(string column) => column + FormerVectorSuffix;

    /// <summary>The scalar column whose [N, 1] tensor has the name, of an earlier file too; null where it is none.</summary>
    public static string? ColumnName(string tensor) =>
        tensor.StartsWith(VectorSpace, StringComparison.Ordinal) ? tensor[VectorSpace.Length..]
        : tensor.Length > FormerVectorSuffix.Length && tensor.EndsWith(FormerVectorSuffix, StringComparison.Ordinal) ? tensor[..^FormerVectorSuffix.Length]
        : null;

    /// <summary>Name of the column's tensor: its own for a vector, one that no column can have for a scalar.</summary>
    public string TensorName => IsScalar ? VectorName(Name) : Name;

    /// <summary>
    /// Vector&lt;Single, 1, Size&gt; for vectors: what ML.NET's OnnxTransformer declares for an [N, Size] tensor, so that the type is the same
    /// before saving and after loading.
    /// </summary>
    public DataViewType Type => IsLabel ? BooleanDataViewType.Instance : IsScalar ? NumberDataViewType.Single : new VectorDataViewType(NumberDataViewType.Single, 1, Size);

    public DataViewSchema.Annotations Annotations
    {
        get
        {
            var builder = new DataViewSchema.Annotations.Builder();
            if (BeadDimensions is > 0 and var dimensions)
                builder.Add(BeadDimensionsKind, NumberDataViewType.Int32, (ref int value) => value = dimensions);
            if (SlotNames is not { } names)
                return builder.ToAnnotations();
            ValueGetter<VBuffer<ReadOnlyMemory<char>>> getter = (ref VBuffer<ReadOnlyMemory<char>> slots) =>
            {
                var editor = VBufferEditor.Create(ref slots, names.Count);
                for (int i = 0; i < names.Count; i++)
                    editor.Values[i] = names[i].AsMemory();
                slots = editor.Commit();
            };
            builder.Add("SlotNames", new VectorDataViewType(TextDataViewType.Instance, names.Count), getter);
            return builder.ToAnnotations();
        }
    }
}
