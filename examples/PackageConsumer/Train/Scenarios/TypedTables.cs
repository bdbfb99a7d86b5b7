using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>A table with texts and gaps: new rows, filled gaps, scores, and the files.</summary>
internal static class TypedTables
{
    public static void Run(MLContext ml, string folder)
    {
        string path = Path.Combine(folder, "table.csv");
        var random = new Random(3);
        File.WriteAllLines(path, ["size,colour,heavy,note", .. Enumerable.Range(0, 200).Select(i =>
        {
            bool heavy = random.NextDouble() < 0.5;
            string size = i % 10 == 0 ? "" : ((heavy ? 20 : 5) + random.Next(5)).ToString();
            return $"{size},{(heavy ? "red" : "blue")},{heavy},note {i}";
        })]);
        IDataView table = ml.Vae.LoadTable(path);
        int looks = 0;
        var options = new TableVaeTrainer.Options
        {
            Ignore = [],
            LatentDimension = 4,
            FreeNats = 2,
            LatentColumnName = "Latent",
            ScoreColumnName = "Score",
            ContributionsColumnName = "Parts",
            Contamination = 0.05f,
            Steps = 200,
            ValidationFraction = 0.2f,
            Seed = 3,
            Threads = 1,
            Progress = new Looks(() => looks++),
            CancellationToken = CancellationToken.None,
        };
        options.Columns["note"] = ColumnKind.Ignored;
        var trainer = ml.Vae.TableAutoencoder(options);
        using var model = trainer.Fit(table);
        Expect.That(looks == model.Model.History.Checks.Count && looks > 0, "every look at the held-out rows is told");
        var history = model.Model.History;
        Expect.That(history.TrainingRows + history.ValidationRows == 200 && history.Steps <= 200 && (history.StoppedEarly || history.Steps == 200), "the history counts rows and steps");
        Expect.That(history.Best is { Step: > 0 } best && double.IsFinite(best.NegativeLogLikelihood + best.NegativeElbo + best.Kl + best.GivenLoss), "the history has the best look");
        var columns = model.Model.Columns;
        Expect.That(columns.Count == 4 && columns[0] is { Kind: ColumnKind.Number, Name: "size", Type: "Single", MissingShare: > 0.09, Minimum: 5, Maximum: 24, Decimals: 0 }, "numbers are known");
        Expect.That(columns[1].Values.Count == 2 && columns[1].States == 2 && columns[1].PooledValues == 0 && columns[3].Reason.Length > 0, "texts are known");

        IDataView rows = model.Synthesize(50, seed: 7);
        Expect.That(model.Synthesize(50, seed: 7, excluded: table).Schema.Count == 3, "rows are drawn that are not in the table");
        IDataView red = model.Model.Synthesize(20, 7, new Dictionary<string, object> { ["colour"] = "red" });
        Expect.That(rows.Schema.Count == 3 && red.GetColumn<string>("colour").All(colour => colour == "red"), "rows are drawn, with columns given too");
        ml.Vae.SaveTable(rows, Path.Combine(folder, "new.csv"));
        Expect.That(model.Model.Impute(table).GetColumn<float>("size").All(float.IsFinite), "gaps are filled");

        var scored = model.Transform(table);
        Expect.That(scored.GetColumn<float>(model.ScoreColumnName).Count(score => score > model.Model.Threshold) <= 15, "few rows are above the threshold");
        Expect.That(scored.GetColumn<float[]>(model.LatentColumnName).First().Length == model.Model.LatentDimension, "the latent vector is there");
        Expect.That(scored.GetColumn<float[]>(model.ContributionsColumnName!).First().Length == 3, "each column has its part");

        var why = model.Model.Explain(ml.Data.TakeRows(table, 4), reasons: 2);
        Expect.That(why.Count == 4 && why[3].Row == 3 && float.IsFinite(why[0].Score) && why[0].Reasons is [{ Column: not "", Value: not null, Expected: not "", Contribution: > 0 }, _],
            "reasons are given");
        Expect.That(ml.Vae.LoadTable(path, columns, separator: ',').Schema["size"].Type == NumberDataViewType.Single, "a table is loaded with the model's types");
        Expect.That(columns[0].Equals(TableVaeModel.FromOnnx(model.Model.ToOnnx()).Columns[0]) && columns[0].GetHashCode() != columns[1].GetHashCode()
            && history.Equals(model.Model.History) && history.GetHashCode() == model.Model.History.GetHashCode()
            && why[0].Equals(model.Model.Explain(ml.Data.TakeRows(table, 4), reasons: 2)[0]) && why[0].GetHashCode() != why[1].GetHashCode(), "records hold what they hold");
        Expect.That(columns.All(column => column.Earliest is null && column.Latest is null), "there are no dates");

        string file = Path.Combine(folder, "table.onnx"), zip = Path.Combine(folder, "table.zip");
        model.Model.Save(file);
        model.Model.ExportSampler(Path.Combine(folder, "sampler.onnx"));
        ml.Vae.SaveModel(model, table.Schema, zip);
        Expect.That(TableVaeModel.FromOnnx(file).Threshold == model.Model.Threshold, "the model is read back from its file");
        Expect.That(TableVaeModel.FromOnnx(model.Model.ToOnnx()).Columns.Count == 4 && model.Model.ToSamplerOnnx().Length > 0, "the model is read back from bytes");
        Expect.That(TableVaeModel.FromPipeline(zip).Synthesize(50, 7).GetColumn<string>("colour").SequenceEqual(rows.GetColumn<string>("colour")), "the model in a pipeline draws the same rows");
        Expect.That(trainer.GetOutputSchema(RowShape.Of<Measurement>(ml)).Any(column => column.Name == "Parts"), "the trainer promises its columns");
    }

    private sealed class Looks(Action action) : IProgress<TableTrainingCheck>
    {
        public void Report(TableTrainingCheck value) => action();
    }
}
