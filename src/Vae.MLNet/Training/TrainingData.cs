using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Training;

/// <summary>Rows read into memory: features row-major, and a weight for each row where there is a weight column.</summary>
internal sealed record TrainingData(float[] Features, int Rows, float[]? Weights)
{
    /// <summary>Reads and checks a feature column: known size, finite numbers, and what the likelihood asks for.</summary>
    public static TrainingData Read(IDataView data, string featureColumn, VaeTrainer.Options options, int? size, CancellationToken cancellation, bool allowMissing = false)
    {
        var (column, features) = Check.FloatVector(data.Schema, featureColumn, nameof(data), size);
        DataViewSchema.Column? weightColumn = null;
        if (options.ExampleWeightColumnName is { } weightName)
        {
            weightColumn = data.Schema.GetColumnOrNull(weightName) ?? throw Check.SchemaMismatch(nameof(data), weightName, "Single", "no such column");
            if (weightColumn.Value.Type != NumberDataViewType.Single)
                throw Check.SchemaMismatch(nameof(data), weightName, "Single", weightColumn.Value.Type.ToString()!);
        }

        var values = new List<float>();
        var weights = new List<float>();
        if (data.GetRowCount() is { } count)
        {
            if (count * features > Array.MaxLength)
                throw TooLarge(featureColumn, count, features);
            values.Capacity = (int)(count * features);
        }
        DataViewSchema.Column[] wanted = weightColumn is { } w ? [data.Schema[column], w] : [data.Schema[column]];
        using var cursor = data.GetRowCursor(wanted);
        var getter = cursor.GetGetter<VBuffer<float>>(data.Schema[column]);
        var weightGetter = weightColumn is { } active ? cursor.GetGetter<float>(active) : null;
        VBuffer<float> buffer = default;
        int rows = 0;
        while (cursor.MoveNext())
        {
            if ((rows & 0xFFFF) == 0)
                cancellation.ThrowIfCancellationRequested();
            if ((long)(rows + 1) * features > Array.MaxLength)
                throw TooLarge(featureColumn, rows + 1, features);
            getter(ref buffer);
            if (buffer.Length != features)
                throw Check.SchemaMismatch(nameof(data), featureColumn, Check.Invariant($"vectors of {features}"), Check.Invariant($"a vector of {buffer.Length} in row {rows}"));
            CollectionsMarshal.SetCount(values, (rows + 1) * features);
            var row = CollectionsMarshal.AsSpan(values).Slice(rows * features, features);
            buffer.CopyTo(row);
            CheckRow(row, featureColumn, rows, options, allowMissing);
            if (weightGetter is not null)
            {
                float weight = 0;
                weightGetter(ref weight);
                if (!(weight >= 0) || !float.IsFinite(weight))
                    throw new InvalidOperationException(Check.Invariant($"Column '{options.ExampleWeightColumnName}' holds {weight} in row {rows}; weights are finite and not negative."));
                weights.Add(weight);
            }
            rows++;
        }
        if (rows == 0)
            throw Check.NoRows($"Training on column '{featureColumn}'");
        if (weightGetter is not null && weights.TrueForAll(weight => weight == 0))
            throw new InvalidOperationException($"Column '{options.ExampleWeightColumnName}' is zero in every row; at least one row has to count.");
        return new([.. values], rows, weightGetter is null ? null : [.. weights]);
    }

    /// <summary>Checks the numbers of one row; NaN may be allowed to stand for a missing one.</summary>
    internal static void CheckRow(ReadOnlySpan<float> row, string column, long index, VaeTrainer.Options options, bool allowMissing = false)
    {
        for (int j = 0; j < row.Length; j++)
        {
            if (!float.IsFinite(row[j]) && !(allowMissing && float.IsNaN(row[j])))
                throw Check.NotFinite(column, index, j, row[j]);
        }
        if (options.Likelihood is not (Likelihood.Bernoulli or Likelihood.Categorical))
            return;
        for (int j = 0; j < row.Length; j++)
        {
            if (row[j] is < 0 or > 1)
                throw new InvalidOperationException(Check.Invariant($"Column '{column}' holds {row[j]} in row {index}, slot {j}; a {options.Likelihood} likelihood needs numbers between 0 and 1."));
        }
        if (options.Likelihood != Likelihood.Categorical)
            return;
        for (int start = 0; start < row.Length; start += options.GroupSize)
        {
            float sum = 0;
            foreach (float value in row.Slice(start, options.GroupSize))
                sum += value;
            // All zeros is a missing symbol: it adds nothing to the loss.
            if (sum != 0 && Math.Abs(sum - 1) > 1e-3f)
            {
                throw new InvalidOperationException(Check.Invariant(
                    $"Column '{column}' has a group that sums to {sum} in row {index}, slots {start} to {start + options.GroupSize - 1}; one-hot groups sum to 1, missing ones to 0."));
            }
        }
    }

    /// <summary>The rows at the given places.</summary>
    public TrainingData Select(ReadOnlySpan<long> rows, int features)
    {
        var values = new float[(long)rows.Length * features];
        var weights = Weights is null ? null : new float[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            Features.AsSpan((int)rows[i] * features, features).CopyTo(values.AsSpan(i * features));
            if (weights is not null)
                weights[i] = Weights![rows[i]];
        }
        return new(values, rows.Length, weights);
    }

    private static InvalidOperationException TooLarge(string column, long rows, int features) =>
        new(Check.Invariant($"Column '{column}' has {rows} rows of {features} numbers, more than {Array.MaxLength} in all"));
}
