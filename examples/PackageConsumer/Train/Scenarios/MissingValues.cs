using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>Missing numbers from the others of the row.</summary>
internal static class MissingValues
{
    public static void Run(MLContext ml)
    {
        var truth = Measurement.Draw(400, seed: 5);
        // Every fourth row lacks one of its numbers.
        Measurement[] gaps = [.. truth.Select((row, i) =>
            new Measurement { Features = [.. row.Features.Select((value, j) => i % 4 == 0 && j == i / 4 % 3 ? float.NaN : value)] })];
        IDataView rows = ml.Data.LoadFromEnumerable(gaps);
        var imputer = ml.Vae.ImputeMissing("Full", "Features", new VaeImputer.Options { Refinements = 1, Seed = 1 });
        Expect.That(imputer.GetOutputSchema(RowShape.Of<Measurement>(ml)).Any(column => column.Name == "Full"),
            "the imputer promises its column");
        using var model = imputer.Fit(rows);
        Expect.That(model.OutputColumnName == "Full" && model.Model.FeatureCount == 3, "the imputer knows its column and its model");

        double squares = 0, spread = 0, mean = truth.Average(row => row.Features[0]);
        foreach (var (full, i) in model.Transform(rows).GetColumn<float[]>("Full").Select((row, i) => (row, i)))
        {
            Expect.That(!full.Any(float.IsNaN), $"row {i} is complete");
            if (!float.IsNaN(gaps[i].Features[0]))
                continue;
            squares += Math.Pow(full[0] - truth[i].Features[0], 2);
            spread += Math.Pow(mean - truth[i].Features[0], 2);
        }
        Expect.That(squares < 0.2 * spread, "imputed numbers are much nearer to the truth than the mean is");
    }
}
