using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet;

/// <content>Columns of another type than the one needed: named as ML.NET's users know them, with the transform that makes the one needed.</content>
internal static partial class Check
{
    private const string Conversion = "ml.Transforms.Conversion";

    /// <summary>A column of a schema that has another type than <paramref name="wanted"/>.</summary>
    /// <param name="parameter">The argument that the schema or column came by.</param>
    /// <param name="column">The column.</param>
    /// <param name="expected">The type that is expected, as it is to be shown.</param>
    /// <param name="wanted">The item type that is expected; null where any of several would do.</param>
    /// <param name="wantsVector">Whether a vector is expected.</param>
    public static ArgumentOutOfRangeException TypeMismatch(string parameter, DataViewSchema.Column column, string expected, PrimitiveDataViewType? wanted, bool wantsVector)
    {
        var item = (column.Type as VectorDataViewType)?.ItemType ?? column.Type;
        return SchemaMismatch(parameter, column.Name, expected, TypeName(column.Type)
            + Cure(column.Name, item, item is KeyDataViewType, column.Type is VectorDataViewType, column.Type is VectorDataViewType { IsKnownSize: true }, wanted, wantsVector));
    }

    /// <summary>A column of a shape, as an estimator sees it before there is data; sizes are not known yet.</summary>
    public static ArgumentOutOfRangeException TypeMismatch(string parameter, SchemaShape.Column column, string expected, PrimitiveDataViewType? wanted, bool wantsVector)
    {
        string item = column.IsKey ? $"Key<{column.ItemType}>" : TypeName(column.ItemType);
        bool isVector = column.Kind != SchemaShape.Column.VectorKind.Scalar, known = column.Kind == SchemaShape.Column.VectorKind.Vector;
        return SchemaMismatch(parameter, column.Name, expected, (!isVector ? item : known ? $"Vector<{item}>" : $"Vector<{item}> of unknown size")
            + Cure(column.Name, column.ItemType, column.IsKey, isVector, known, wanted, wantsVector));
    }

    /// <summary>ML.NET's name of a type: Single, Key&lt;UInt32&gt;, Vector&lt;Double, 6&gt;, Vector&lt;Text&gt; of unknown size.</summary>
    public static string TypeName(DataViewType type) => type switch
    {
        VectorDataViewType { IsKnownSize: true } vector => Invariant($"Vector<{TypeName(vector.ItemType)}, {string.Join(", ", vector.Dimensions)}>"),
        VectorDataViewType vector => $"Vector<{TypeName(vector.ItemType)}> of unknown size",
        KeyDataViewType key => $"Key<{key.RawType.Name}>",
        TextDataViewType => "Text",
        _ => type.ToString()!,
    };

    private static string Cure(string column, DataViewType item, bool isKey, bool isVector, bool isKnownSize, PrimitiveDataViewType? wanted, bool wantsVector)
    {
        if (wanted is TextDataViewType)
        {
            return isVector ? "."
                : isKey ? $". {Conversion}.MapKeyToValue(\"{column}\") gives back what the keys stand for."
                : item is NumberDataViewType or BooleanDataViewType ? $". {Conversion}.ConvertType(\"{column}\", outputKind: DataKind.String) makes text of it."
                : ".";
        }
        if (wanted != NumberDataViewType.Single)
        {
            return wanted == NumberDataViewType.Int64
                ? ". Tokens come from ml.Vae.LoadAlignment, which also knows what each position means."
                : ".";
        }
        if (isKey)
        {
            return wantsVector
                ? $". {Conversion}.MapKeyToVector(\"{column}\") makes a vector of zeros and a one of each key."
                : $". {Conversion}.MapKeyToValue(\"{column}\") gives back what the keys stand for; numbers among them become Single by "
                    + $"{Conversion}.ConvertType(\"{column}\", outputKind: DataKind.Single).";
        }
        string convert = $"{Conversion}.ConvertType(\"{column}\", outputKind: DataKind.Single)";
        switch (item)
        {
            case TextDataViewType when wantsVector:
                string together = isVector ? "" : $", with ml.Transforms.Concatenate(\"{column}\", ...) behind it to make a vector";
                return $". For categories ml.Transforms.Categorical.OneHotEncoding(\"{column}\") makes a vector of them; for numbers that are written as text there is {convert}{together}.";
            case NumberDataViewType or BooleanDataViewType or TextDataViewType:
                bool single = item == NumberDataViewType.Single;
                if (!wantsVector)
                    return isVector ? "." : $". {convert} makes it one.";
                if (!isVector)
                {
                    return single ? $". ml.Transforms.Concatenate(\"{column}\", \"{column}\", ...) puts columns together into a vector."
                        : $". {convert}, then ml.Transforms.Concatenate(\"{column}\", \"{column}\", ...), makes a vector of such columns.";
                }
                string size = isKnownSize ? "" : " A size is known where the class that the rows come from has [VectorType(n)] on its array, or the loader's column a range.";
                return single ? $".{size}" : $". {convert} makes it one.{size}";
            default:
                return $". ml.Transforms.CustomMapping can make numbers of {TypeName(item)}.";
        }
    }
}
