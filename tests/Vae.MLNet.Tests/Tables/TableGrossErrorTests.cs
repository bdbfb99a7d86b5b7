using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Tables;

namespace Vae.MLNet.Tests.Tables;

/// <summary>One number far outside makes a row odd, whatever its column and on whatever side, and the farther the odder.</summary>
[TestClass]
public sealed class TableGrossErrorTests
{
    private static readonly MLContext Ml = new(seed: 1);

    [TestMethod]
    [DataRow("titanic.csv")]
    [DataRow("penguins.csv")]
    [DataRow("mpg.csv")]
    [DataRow("german_credit.csv")]
    public void Score_OfGivenTables(string file)
    {
        var table = (TableDataView)Ml.Vae.LoadTable(RealData.Path($"tables/{file}"));
        Holds(table, 200);
    }

    [TestMethod]
    [DataRow(40)]
    [DataRow(700)]
    public void Score_OfMadeUpColumns(int rows)
    {
        var random = new Random(rows);
        double normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        RawColumn column(string name, Func<int, double> value) => RawColumn.OfNumbers(name, NumberDataViewType.Double, [.. Enumerable.Range(0, rows).Select(value)]);
        Holds(new(
        [
            column("normal", _ => normal()),
            column("heavy", _ => Math.Exp(2 * normal())),
            column("mostly zero", i => i % 10 == 0 ? 5 + random.NextDouble() : 0),
            column("two", i => i % 2),
            column("constant", _ => 7),
            column("tiny", _ => 1e-9 * normal()),
            column("huge", _ => 1e12 + 1e9 * normal()),
            RawColumn.OfTexts("letter", TextDataViewType.Instance, [.. Enumerable.Range(0, rows).Select(i => i % 3)], ["a", "b", "c"]),
        ], rows), 200);
    }

    /// <summary>Also where the error is among the rows that the model was trained on.</summary>
    [TestMethod]
    public void Score_AnErrorInTheTrainingRows_IsTheOddest()
    {
        var random = new Random(5);
        double[] sizes = [.. Enumerable.Range(0, 400).Select(i => i == 123 ? 2000 : 150 + 40 * random.NextDouble())];
        using var model = Ml.Vae.TableAutoencoder(Quick(200)).Fit(new TableDataView(
        [
            RawColumn.OfNumbers("size", NumberDataViewType.Single, sizes),
            RawColumn.OfTexts("letter", TextDataViewType.Instance, [.. sizes.Select(_ => random.Next(3))], ["a", "b", "c"]),
        ], 400));
        float[] scores = [.. model.Transform(new TableDataView(
        [
            RawColumn.OfNumbers("size", NumberDataViewType.Single, sizes),
            RawColumn.OfTexts("letter", TextDataViewType.Instance, [.. sizes.Select(_ => 0)], ["a"]),
        ], 400)).GetColumn<float>("Score")];
        Assert.AreEqual(123, Array.IndexOf(scores, scores.Max()));
        Assert.IsGreaterThan(model.Model.Threshold, scores[123]);
    }

    private static TableVaeTrainer.Options Quick(int steps) => new() { Steps = steps, Seed = 3, Threads = 1 };

    private static void Holds(TableDataView table, int steps)
    {
        int rows = (int)table.GetRowCount()!.Value;
        using var model = Ml.Vae.TableAutoencoder(Quick(steps)).Fit(table);
        float[] scores = [.. model.Transform(table).GetColumn<float>("Score")];
        float[] sorted = [.. scores.Order()];
        float line = sorted[Math.Min((int)(rows * 0.999), rows - 1)];
        // The most usual row, a middling one, an odd one.
        int[] chosen = [.. ((double[])[0, 0.5, 0.9]).Select(share => Array.IndexOf(scores, sorted[(int)(share * (rows - 1))]))];
        var numbers = model.Model.Schema.Codecs.Where(codec => codec.Kind == ColumnKind.Number).ToArray();
        Assert.IsNotEmpty(numbers);
        foreach (var codec in numbers)
        {
            double span = Math.Max(codec.Maximum - codec.Minimum, codec.Spread);
            double[] gaps = [span, 10 * span, 1e6 * span];
            foreach (int sign in (int[])[-1, 1])
            {
                double[] values = [.. gaps.Select(gap => sign < 0 ? codec.Minimum - gap : codec.Maximum + gap)];
                int[] places = [.. chosen.SelectMany(row => Enumerable.Repeat(row, values.Length))];
                var columns = table.Columns.Select(column => column.Name != codec.Name ? column.Select(places)
                    : RawColumn.OfNumbers(column.Name, column.Type, [.. places.Select((_, i) => values[i % values.Length])])).ToArray();
                float[] found = [.. model.Transform(new TableDataView(columns, places.Length)).GetColumn<float>("Score")];
                for (int i = 0; i < found.Length; i++)
                {
                    Assert.IsTrue(float.IsFinite(found[i]));
                    Assert.IsGreaterThan(line, found[i], $"{codec.Name} {values[i % values.Length]}");
                    if (i % values.Length > 0)
                        Assert.IsGreaterThan(found[i - 1], found[i], $"{codec.Name} {values[i % values.Length]}");
                }
            }
        }
    }
}
