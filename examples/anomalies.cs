// Finds unusual rows in a CSV file of numbers: dotnet run anomalies.cs [file.csv]
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

string path = args.Length > 0 ? args[0] : MadeUp();
string[] header = File.ReadLines(path).First().Split(',');

var ml = new MLContext(seed: 1);
var columns = header.Select((name, i) => new TextLoader.Column(name, DataKind.Single, i)).ToArray();
IDataView data = ml.Data.LoadFromTextFile(path, new TextLoader.Options { Columns = columns, HasHeader = true, Separators = [','] });

var pipeline = ml.Transforms.Concatenate("Features", header)
    .Append(ml.Vae.AnomalyDetector("Features", new() { ContributionsColumnName = "Contributions", Contamination = 0.02f }));
using var model = pipeline.Fit(data);
IDataView scored = model.Transform(data);

float[] scores = [.. scored.GetColumn<float>("Score")];
float[][] contributions = [.. scored.GetColumn<float[]>("Contributions")];
Console.WriteLine("row    score  most unusual column");
foreach (int row in Enumerable.Range(0, scores.Length).OrderByDescending(row => scores[row]).Take(5))
{
    int worst = Array.IndexOf(contributions[row], contributions[row].Max());
    Console.WriteLine($"{row,4} {scores[row],8:F1}  {header[worst]}");
}

// Height in cm and weight in kg go together; row 123 is tall and light, row 250 has lived 200 years.
static string MadeUp()
{
    string file = Path.Combine(Path.GetTempPath(), "people.csv");
    var random = new Random(1);
    using var writer = new StreamWriter(file);
    writer.WriteLine("age,height,weight");
    for (int row = 0; row < 500; row++)
    {
        double height = 150 + 40 * random.NextDouble();
        double weight = row == 123 ? 48 : height - 105 + 16 * (random.NextDouble() - 0.5);
        double age = row == 250 ? 200 : 18 + 60 * random.NextDouble();
        writer.WriteLine(FormattableString.Invariant($"{age:F0},{(row == 123 ? 189 : height):F1},{weight:F1}"));
    }
    return file;
}
