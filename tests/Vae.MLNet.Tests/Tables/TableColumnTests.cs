using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Tables;
using Vae.MLNet.Tests.Sequences;

namespace Vae.MLNet.Tests.Tables;

/// <summary>Dates, numbers that are categories, columns called as what the library calls its own, files with the types of a model, and reasons.</summary>
[TestClass]
public sealed class TableColumnTests
{
    private static readonly MLContext Ml = new(seed: 1);

    private static readonly DateTime Monday = new(2024, 1, 1);

    /// <summary>Opened in winter: small; in summer: large. The code is 7 or 70 by colour.</summary>
    private static readonly Lazy<TableVaeTransformer> Fitted = new(() =>
    {
        var options = new TableVaeTrainer.Options
        {
            Steps = 1500,
            Seed = 3,
            Threads = 1,
            LatentDimension = 4,
            FreeNats = 2,
            LatentColumnName = "Embedding",
        };
        options.Columns["Noise"] = ColumnKind.Category;
        return Ml.Vae.TableAutoencoder(options).Fit(Rows(1500));
    });

    [ClassCleanup]
    public static void Dispose()
    {
        if (Fitted.IsValueCreated)
            Fitted.Value.Dispose();
    }

    [TestMethod]
    public void Fit_TellsDatesAndNumbersThatAreCategories()
    {
        var columns = Fitted.Value.Model.Columns.ToDictionary(column => column.Name);
        Assert.AreEqual(ColumnKind.Date, columns["opened"].Kind);
        Assert.AreEqual("DateTime", columns["opened"].Type);
        Assert.AreEqual(2024, columns["opened"].Earliest!.Value.Year);
        Assert.IsTrue(columns["opened"].Latest > columns["opened"].Earliest);
        Assert.AreEqual(0.1, columns["opened"].MissingShare, 0.03);
        Assert.IsTrue(double.IsNaN(columns["opened"].Minimum));
        Assert.AreEqual(ColumnKind.Category, columns["Noise"].Kind);
        Assert.AreEqual("Single", columns["Noise"].Type);
    }

    [TestMethod]
    public void Synthesize_DatesStayWithinAndGoWithTheRest()
    {
        var drawn = Fitted.Value.Synthesize(1500, seed: 5);
        DateTime[] dates = [.. drawn.GetColumn<DateTime>("opened")];
        float[] sizes = [.. drawn.GetColumn<float>("size")];
        var model = Fitted.Value.Model.Columns[0];
        Assert.IsTrue(dates.All(date => date == default || date >= model.Earliest && date <= model.Latest && date.TimeOfDay == default));
        Assert.AreEqual(0.1, dates.Count(date => date == default) / 1500.0, 0.04);
        double mean(Func<DateTime, bool> of) => sizes.Zip(dates).Where(pair => pair.Second != default && of(pair.Second)).Average(pair => pair.First);
        Assert.AreEqual(10, mean(date => date < Monday.AddDays(170)), 1);
        Assert.AreEqual(30, mean(date => date > Monday.AddDays(190)), 1);
        float[] codes = [.. drawn.GetColumn<float>("Noise")];
        string[] colours = [.. drawn.GetColumn<string>("Given")];
        Assert.IsTrue(codes.All(code => code is 7 or 70));
        Assert.IsLessThan(0.03, codes.Zip(colours).Count(pair => pair.First == 7 != (pair.Second == "red")) / 1500.0);
    }

    [TestMethod]
    [DataRow("2024-02-01")]
    [DataRow("2024/02/01")]
    public void Synthesize_ADateCanBeGiven(string asked)
    {
        var drawn = Fitted.Value.Synthesize(200, 1, new Dictionary<string, object> { ["opened"] = asked });
        Assert.IsTrue(drawn.GetColumn<DateTime>("opened").All(date => date == new DateTime(2024, 2, 1)));
        Assert.AreEqual(10, drawn.GetColumn<float>("size").Average(), 1.5);
        var wrong = Assert.ThrowsExactly<ArgumentException>(() => Fitted.Value.Synthesize(1, 1, new Dictionary<string, object> { ["opened"] = "soon" }));
        Assert.Contains("'opened' holds dates; 'soon'", wrong.Message);
    }

    [TestMethod]
    public void Impute_FillsDatesAndCategoriesOfNumbers()
    {
        var rows = Rows(400, seed: 9);
        var full = Fitted.Value.Model.Impute(rows);
        Assert.IsTrue(full.GetColumn<DateTime>("opened").All(date => date != default));
        Assert.IsTrue(full.GetColumn<float>("Noise").All(code => code is 7 or 70));
        float[] sizes = [.. rows.GetColumn<float>("size")];
        DateTime[] before = [.. rows.GetColumn<DateTime>("opened")], after = [.. full.GetColumn<DateTime>("opened")];
        int right = Enumerable.Range(0, 400).Count(i => before[i] == default && sizes[i] > 20 == after[i] > Monday.AddDays(180));
        Assert.IsGreaterThan(0.9 * before.Count(date => date == default), right);
    }

    [TestMethod]
    public void Saved_ModelWithDatesLoadsInMLNetAloneAndComesBack()
    {
        using var files = new TemporaryFolder();
        var rows = Rows(50, seed: 4);
        Ml.Vae.SaveModel(Fitted.Value, rows.Schema, files["model.zip"]);
        var loaded = new MLContext(2).Model.Load(files["model.zip"], out var schema);
        Assert.AreEqual(DateTimeDataViewType.Instance, schema["opened"].Type);
        float[] expected = [.. Fitted.Value.Transform(rows).GetColumn<float>("Score")];
        var view = loaded.Transform(rows);
        float[] found = [.. view.GetColumn<float>("Score")];
        for (int i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], found[i], 1e-4 * (1 + Math.Abs(expected[i])));
        string[] names = [.. view.Schema.Where(column => !column.IsHidden).Select(column => column.Name)];
        Assert.IsFalse(names.Any(name => name.StartsWith(Check.GraphSpace, StringComparison.Ordinal)), string.Join(", ", names));
        Assert.IsInstanceOfType<TableVaeTransformer>(Ml.Vae.Rehydrate(loaded));
        var back = TableVaeModel.FromPipeline(files["model.zip"]);
        Assert.AreSequenceEqual(Fitted.Value.Synthesize(20, 3).GetColumn<DateTime>("opened").ToArray(), back.Synthesize(20, 3).GetColumn<DateTime>("opened").ToArray());
    }

    [TestMethod]
    public void ExportSampler_ColumnsCalledAsItsInputs_AreRefused() =>
        Assert.Contains("'Noise'", Assert.ThrowsExactly<InvalidOperationException>(() => Fitted.Value.Model.ToSamplerOnnx()).Message);

    [TestMethod]
    public void Fit_KindsThatCannotBe_AreRefused()
    {
        void refused(string column, ColumnKind kind, string message)
        {
            var options = new TableVaeTrainer.Options { LatentColumnName = "Embedding" };
            options.Columns[column] = kind;
            Assert.Contains(message, Assert.ThrowsExactly<ArgumentException>(() => Ml.Vae.TableAutoencoder(options).Fit(Rows(600))).Message);
        }
        refused("size", ColumnKind.Category, "more than 200 different numbers");
        refused("size", ColumnKind.Date, "cannot be of the kind Date");
        refused("opened", ColumnKind.Number, "cannot be of the kind Number");
        refused("opened", ColumnKind.Category, "cannot be of the kind Category");
        refused("Given", ColumnKind.Date, "'Given' holds text");
    }

    [TestMethod]
    public void LoadTable_DatesInTheFormsOfFiles()
    {
        using var files = new TemporaryFolder();
        File.WriteAllText(files["dates.csv"],
            "day,minute,zone,mixed,gap\n2024-02-29,2024-02-29 23:59,2024-02-29T10:00:00Z,2024-02-29,\n2023/01/02,2023-01-02T00:01:02,2024-02-29T10:00:00Z,soon,1999-12-31\n");
        var table = Ml.Vae.LoadTable(files["dates.csv"]);
        Assert.AreSequenceEqual(new[] { new DateTime(2024, 2, 29), new DateTime(2023, 1, 2) }, table.GetColumn<DateTime>("day").ToArray());
        Assert.AreSequenceEqual(new[] { new DateTime(2024, 2, 29, 23, 59, 0), new DateTime(2023, 1, 2, 0, 1, 2) }, table.GetColumn<DateTime>("minute").ToArray());
        Assert.AreEqual(TextDataViewType.Instance, table.Schema["zone"].Type);
        Assert.AreEqual(TextDataViewType.Instance, table.Schema["mixed"].Type);
        Assert.AreSequenceEqual(new[] { default, new DateTime(1999, 12, 31) }, table.GetColumn<DateTime>("gap").ToArray());
        Ml.Vae.SaveTable(table, files["again.csv"]);
        Assert.AreEqual("2024-02-29,2024-02-29 23:59:00,2024-02-29T10:00:00Z,2024-02-29,", File.ReadAllLines(files["again.csv"])[1]);
        Assert.AreSequenceEqual(table.GetColumn<DateTime>("minute").ToArray(), Ml.Vae.LoadTable(files["again.csv"]).GetColumn<DateTime>("minute").ToArray());
    }

    [TestMethod]
    public void LoadTable_ForAModel_HasItsTypes()
    {
        using var files = new TemporaryFolder();
        var columns = Fitted.Value.Model.Columns;
        string write(params string[] rows)
        {
            File.WriteAllLines(files["rows.csv"], ["extra,Given,size,opened,Noise", .. rows]);
            return files["rows.csv"];
        }
        // By themselves the texts would be numbers, and the dates texts.
        var table = Ml.Vae.LoadTable(write("x,12,3,,7", "y,13,,,70"), columns);
        Assert.AreEqual(TextDataViewType.Instance, table.Schema["Given"].Type);
        Assert.AreEqual(DateTimeDataViewType.Instance, table.Schema["opened"].Type);
        Assert.AreEqual(2, Fitted.Value.Transform(table).GetColumn<float>("Score").Count(float.IsFinite));
        Assert.AreEqual(NumberDataViewType.Single, Ml.Vae.LoadTable(write("x,12,123456789,,7"), columns).Schema["size"].Type);
        var number = Assert.ThrowsExactly<InvalidDataException>(() => Ml.Vae.LoadTable(write("x,a,3,,7", "y,b,many,,7"), columns));
        Assert.Contains("row 1 (from 0), line 3, column 'size': a number is expected", number.Message);
        Assert.Contains("'many' was found", number.Message);
        var date = Assert.ThrowsExactly<InvalidDataException>(() => Ml.Vae.LoadTable(write("x,a,3,1/2/2024,7"), columns));
        Assert.Contains("column 'opened': a date", date.Message);
        File.WriteAllText(files["rows.csv"], "size,Given\n1,a\n");
        var lacking = Assert.ThrowsExactly<InvalidDataException>(() => Ml.Vae.LoadTable(files["rows.csv"], columns));
        Assert.Contains("no column opened, Noise; it has size, Given", lacking.Message);
    }

    [TestMethod]
    public void Explain_NamesTheColumnAndWhatWasExpected()
    {
        var sound = Rows(200, seed: 6, gaps: false);
        var columns = sound.Columns.Select(column => column.Select([0, 1, 2])).ToArray();
        columns[0] = RawColumn.OfNumbers("opened", DateTimeDataViewType.Instance, [.. Enumerable.Repeat((double)Monday.AddDays(20).Ticks, 3)]);
        columns[1] = RawColumn.OfNumbers("size", NumberDataViewType.Single, [10, 400, 10]);
        columns[2] = RawColumn.OfTexts("Given", TextDataViewType.Instance, [0, 0, 1], ["red", "violet"]);
        columns[3] = RawColumn.OfNumbers("Noise", NumberDataViewType.Single, [7, 7, 7]);
        var rows = new TableDataView(columns, 3);
        var reasons = Fitted.Value.Model.Explain(rows, reasons: 2);
        Assert.AreSequenceEqual(Fitted.Value.Transform(rows).GetColumn<float>("Score").ToArray(), reasons.Select(row => row.Score).ToArray());
        Assert.AreEqual("size", reasons[1].Reasons[0].Column);
        Assert.AreEqual("400", reasons[1].Reasons[0].Value);
        Assert.AreEqual(10, double.Parse(reasons[1].Reasons[0].Expected, CultureInfo.InvariantCulture), 2);
        Assert.IsGreaterThan(reasons[0].Score + 5, reasons[1].Score);
        Assert.AreEqual("Given", reasons[2].Reasons[0].Column);
        Assert.AreEqual("red", reasons[2].Reasons[0].Expected);
        Assert.Contains("size: 400, expected ", reasons[1].Reasons[0].ToString());
        Assert.IsTrue(reasons.All(row => row.Reasons.Count == 2 && row.Reasons[0].Contribution >= row.Reasons[1].Contribution));
        Assert.AreEqual(4, Fitted.Value.Model.Explain(rows, reasons: 9)[0].Reasons.Count);
        Assert.IsEmpty(Fitted.Value.Model.Explain(new TableDataView([.. columns.Select(column => column.Select([]))], 0)));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Fitted.Value.Model.Explain(rows, reasons: 0));
    }

    private static TableDataView Rows(int count, int seed = 1, bool gaps = true)
    {
        var random = new Random(seed);
        int[] day = [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 360))], red = [.. Enumerable.Range(0, count).Select(_ => random.Next(2))];
        return new(
        [
            RawColumn.OfNumbers("opened", DateTimeDataViewType.Instance, [.. day.Select(d => gaps && random.NextDouble() < 0.1 ? double.NaN : Monday.AddDays(d).Ticks)]),
            RawColumn.OfNumbers("size", NumberDataViewType.Single, [.. day.Select(d => (float)(Math.Round((d < 180 ? 10 : 30) + 2 * random.NextDouble() - 1, 4)))]),
            RawColumn.OfTexts("Given", TextDataViewType.Instance, red, ["red", "blue"]),
            RawColumn.OfNumbers("Noise", NumberDataViewType.Single, [.. red.Select(colour => colour == 0 ? 7.0 : 70)]),
        ], count);
    }
}
