// Scores with a saved pipeline in an application that has never heard of Vae.MLNet, and compares with what the training program wrote beside it.
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

const double Tolerance = 1e-5;
string folder = args.Length > 0 ? args[0] : Path.Combine("artifacts", "consumer");
var ml = new MLContext();
var model = ml.Model.Load(Path.Combine(folder, "table.zip"), out _);
var rows = File.ReadLines(Path.Combine(folder, "expected.csv"))
    .Select(line => line.Split(',').Select(text => float.Parse(text, CultureInfo.InvariantCulture)).ToArray())
    .Select(values => (Input: new Input { Beads = values[..12] }, Latent: values[12..15], Score: values[15]))
    .ToArray();

var scored = ml.Data.CreateEnumerable<Output>(model.Transform(ml.Data.LoadFromEnumerable(rows.Select(row => row.Input))), reuseRowObject: false).ToArray();
double batched = Worst(scored);

using var engine = ml.Model.CreatePredictionEngine<Input, Output>(model);
double single = Worst([.. rows.Select(row => engine.Predict(row.Input))]);

bool known = AppDomain.CurrentDomain.GetAssemblies().Any(assembly => assembly.GetName().Name!.StartsWith("Vae.MLNet", StringComparison.Ordinal));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"{rows.Length} rows scored; largest relative difference {batched:G2} by Transform, {single:G2} by PredictionEngine (allowed {Tolerance})."));
if (rows.Length > 0 && batched <= Tolerance && single <= Tolerance && !known)
    return 0;
Console.Error.WriteLine(known ? "An assembly of Vae.MLNet was loaded." : "The loaded pipeline does not give what the training program gave.");
return 1;

// Largest |found - expected| / max(1, |expected|); infinite when rows or numbers are missing.
double Worst(Output[] outputs)
{
    if (outputs.Length != rows.Length)
        return double.PositiveInfinity;
    double worst = 0;
    for (int i = 0; i < rows.Length; i++)
    {
        if (outputs[i].Latent.Length != rows[i].Latent.Length)
            return double.PositiveInfinity;
        foreach (var (found, expected) in outputs[i].Latent.Append(outputs[i].Score).Zip(rows[i].Latent.Append(rows[i].Score)))
        {
            double difference = Math.Abs((double)found - expected) / Math.Max(1, Math.Abs(expected));
            worst = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(worst, difference);
        }
    }
    return worst;
}

internal sealed class Input
{
    [VectorType(6, 2)]
    public float[] Beads { get; set; } = [];
}

internal sealed class Output
{
    public float[] Latent { get; set; } = [];

    public float Score { get; set; }
}
