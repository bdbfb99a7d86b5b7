// Makes new rows that follow the given ones, from the exported decoder alone: dotnet run make-rows.cs
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

// Ages, heights in cm and weights in kg: height and weight go together.
var random = new Random(1);
Row[] rows = [.. Enumerable.Range(0, 3000).Select(_ =>
{
    double height = 170 + 9 * Normal(), weight = 70 + 0.9 * (height - 170) + 6 * Normal(), age = 45 + 12 * Normal();
    return new Row { Features = [(float)age, (float)height, (float)weight] };
})];

var ml = new MLContext(seed: 1);
var options = new VaeTrainer.Options
{
    LatentDimension = 2,
    HiddenLayers = [64, 64],
    Scaling = InputScaling.Standardize,
    Likelihood = Likelihood.Gaussian,                                           // the ELBO in nats, with the noise learned
    Epochs = 60,
};
using var model = ml.Vae.VariationalAutoencoder("Latent", "Features", options).Fit(ml.Data.LoadFromEnumerable(rows));
string file = Path.Combine(Path.GetTempPath(), "people-decoder.onnx");
model.ExportDecoder(file);

// From here on Vae.MLNet.Inference is enough.
using var decoder = VaeDecoder.Load(file);
float[][] made = decoder.Sample(count: 3000, seed: 7, new() { Noise = true }).OutputArrays();
Console.WriteLine("            age  height  weight  correlation of the last two");
Show("given", [.. rows.Select(row => row.Features)]);
Show("made", made);

static void Show(string name, float[][] of)
{
    double[] mean = [.. Enumerable.Range(0, 3).Select(j => of.Average(row => (double)row[j]))];
    double Covariance(int a, int b) => of.Average(row => (row[a] - mean[a]) * (row[b] - mean[b]));
    double correlation = Covariance(1, 2) / Math.Sqrt(Covariance(1, 1) * Covariance(2, 2));
    Console.WriteLine($"{name,-6} {mean[0],8:F1} {mean[1],7:F1} {mean[2],7:F1}  {correlation:F2}");
}

double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

internal sealed class Row
{
    [VectorType(3)]
    public float[] Features { get; set; } = [];
}
