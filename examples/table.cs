// A table with texts and gaps: new rows, filled gaps, odd rows: dotnet run table.cs [file.csv]
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

var ml = new MLContext(seed: 1);
string path = args.Length > 0 ? args[0] : WriteCustomers();
IDataView table = ml.Vae.LoadTable(path);
using var model = ml.Vae.TableAutoencoder(new() { ContributionsColumnName = "Contributions" }).Fit(table);
foreach (var column in model.Model.Columns)
    Console.WriteLine($"{column.Name,-12} {column.Kind,-9} {column.Reason}");

// New rows, of the same types; some of them with a column given.
IDataView rows = model.Synthesize(1000, seed: 7);
ml.Vae.SaveTable(rows, Path.Combine(Path.GetTempPath(), "new.csv"));
Console.WriteLine(ml.Vae.CompareSamples(table, rows).Verdict);

// Gaps are filled beside the cells that are there.
IDataView full = model.Model.Impute(table);
Console.WriteLine($"{full.Schema.Count} columns without gaps");

// The row that fits least, and what is odd about it.
var scored = model.Transform(table);
float[] scores = [.. scored.GetColumn<float>("Score")];
int oddest = Array.IndexOf(scores, scores.Max());
float[] parts = scored.GetColumn<float[]>("Contributions").ElementAt(oddest);
Console.WriteLine($"Row {oddest} scores {scores[oddest]:F1}, most for {model.InputNames[Array.IndexOf(parts, parts.Max())]}.");
if (args.Length == 0 && oddest != 500)
    throw new InvalidOperationException("Row 500, a customer of 200 years, is expected to be the oddest.");

// A made-up table: plan and spending follow age and region, some cells are missing, and one customer is 200 years old.
static string WriteCustomers()
{
    var random = new Random(1);
    var lines = new List<string> { "age,region,plan,monthly_spend,newsletter" };
    for (int i = 0; i < 2000; i++)
    {
        int age = i == 500 ? 200 : 18 + (int)(random.NextDouble() * random.NextDouble() * 70);
        string region = random.NextDouble() < 0.6 ? "north" : "south";
        string plan = age > 40 ? random.NextDouble() < 0.7 ? "family" : "basic" : random.NextDouble() < 0.8 ? "basic" : "student";
        double spend = (plan == "family" ? 40 : 15) + age * 0.2 + random.NextDouble() * 8;
        string ageText = random.NextDouble() < 0.05 && i != 500 ? "" : age.ToString(CultureInfo.InvariantCulture);
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"{ageText},{region},{plan},{spend:F2},{random.NextDouble() < 0.3}"));
    }
    string path = Path.Combine(Path.GetTempPath(), "customers.csv");
    File.WriteAllLines(path, lines);
    return path;
}
