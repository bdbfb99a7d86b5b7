using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tests.Anomaly;

/// <summary>A table whose features follow two hidden factors on scales a million times apart; some rows break the pattern.</summary>
internal static class AnomalyRows
{
    public const int Features = 8;

    public sealed class Row
    {
        public float[] Features { get; set; } = [];

        /// <summary>1 for rows that break the pattern: <c>AnomalyDetection.Evaluate</c> wants a Single.</summary>
        public float Label { get; set; }
    }

    public static Row[] Make(int rows, double share = 0.05, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows).Select(_ =>
        {
            double a = Normal(random), b = Normal(random);
            var values = Enumerable.Range(0, Features).Select(j => Math.Cos(j) * a + Math.Sin(j) * b + 0.1 * Normal(random)).ToArray();
            bool odd = random.NextDouble() < share;
            if (odd)
            {
                // Each value is an ordinary one, only not with the others.
                for (int j = 0; j < Features; j++)
                    values[j] = Normal(random);
            }
            return new Row { Features = [.. values.Select((value, j) => (float)(value * Math.Pow(8, j) + j))], Label = odd ? 1 : 0 };
        })];
    }

    public static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    public static IDataView View(MLContext context, IEnumerable<Row> rows, string[]? slotNames = null)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[nameof(Row.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Features);
        if (slotNames is not null)
        {
            definition[nameof(Row.Features)].AddAnnotation("SlotNames",
                new VBuffer<ReadOnlyMemory<char>>(Features, [.. slotNames.Select(name => name.AsMemory())]), new VectorDataViewType(TextDataViewType.Instance, Features));
        }
        return context.Data.LoadFromEnumerable(rows, definition);
    }

    /// <summary>Slot names as text.</summary>
    public static string SlotNames(DataViewSchema.Column column)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return string.Join(",", names.DenseValues());
    }

    /// <summary>The model through a saved file in a context that knows nothing.</summary>
    public static ITransformer Reload(MLContext context, ITransformer model, DataViewSchema schema)
    {
        using var stream = new MemoryStream();
        context.Model.Save(model, schema, stream);
        stream.Position = 0;
        return new MLContext().Model.Load(stream, out _);
    }
}
