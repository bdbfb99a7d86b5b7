using System.Runtime.InteropServices;
using Microsoft.ML;

namespace Vae.MLNet.Training;

/// <summary>Rows read into memory: features row-major, and a weight for each row where there is a weight column.</summary>
internal sealed record TrainingData(float[] Features, int Rows, float[]? Weights)
{
    /// <summary>Reads and checks a feature column: known size, finite numbers, and what the likelihood asks for. Rows of weight 0 are left out.</summary>
    public static TrainingData Read(IDataView data, string featureColumn, VaeTrainer.Options options, int? size, CancellationToken cancellation, bool allowMissing = false)
    {
        using var reader = new RowReader(data, featureColumn, options with { CancellationToken = cancellation }, size, allowMissing);
        int features = reader.Features;
        var values = new List<float>();
        var weights = new List<float>();
        if (data.GetRowCount() is { } count)
        {
            if (count * features > Array.MaxLength)
                throw TooLarge(featureColumn, count, features);
            values.Capacity = (int)(count * features);
        }
        int rows = 0;
        while (reader.Next())
        {
            if ((long)(rows + 1) * features > Array.MaxLength)
                throw TooLarge(featureColumn, rows + 1, features);
            CollectionsMarshal.SetCount(values, (rows + 1) * features);
            reader.CopyTo(CollectionsMarshal.AsSpan(values).Slice(rows * features, features));
            if (reader.HasWeights)
                weights.Add(reader.Weight);
            rows++;
        }
        if (rows == 0)
            throw reader.NoRows();
        return new([.. values], rows, reader.HasWeights ? [.. weights] : null);
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
        new(Check.Invariant($"Column '{column}' has {rows} rows of {features} numbers, more than {Array.MaxLength} in all; set Streaming to train without holding them in memory."));
}
