// Fills missing values (NaN) from the other columns of the row: dotnet run impute.cs
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

// Three columns that follow one hidden quantity; a fifth of the cells goes missing.
var random = new Random(1);
Row[] truth = [.. Enumerable.Range(0, 1000).Select(_ =>
{
    double t = random.NextDouble();
    return new Row { Features = [(float)(10 * t + Noise()), (float)(100 * t * t + 10 * Noise()), (float)(Math.Sin(3 * t) + 0.1 * Noise())] };
})];
Row[] gaps = [.. truth.Select(row => new Row { Features = [.. row.Features.Select(value => random.NextDouble() < 0.2 ? float.NaN : value)] })];

var ml = new MLContext(seed: 1);
IDataView data = ml.Data.LoadFromEnumerable(gaps);
using var model = ml.Vae.ImputeMissing("Full", "Features").Fit(data);
float[][] full = [.. model.Transform(data).GetColumn<float[]>("Full")];

Console.WriteLine("column  error of the mean  error of the imputed value (standard deviations)");
for (int j = 0; j < 3; j++)
{
    float[] known = [.. gaps.Select(row => row.Features[j]).Where(value => !float.IsNaN(value))];
    double mean = known.Average(), deviation = Math.Sqrt(known.Average(value => (value - mean) * (value - mean)));
    int[] missing = [.. Enumerable.Range(0, gaps.Length).Where(i => float.IsNaN(gaps[i].Features[j]))];
    double byMean = Rms(missing.Select(i => truth[i].Features[j] - mean)), byModel = Rms(missing.Select(i => (double)truth[i].Features[j] - full[i][j]));
    Console.WriteLine($"{j,6}  {byMean / deviation,17:F2}  {byModel / deviation,10:F2}");
    if (byModel > byMean)
        throw new InvalidOperationException($"Column {j} would be better off with its mean.");
}

double Noise() => (random.NextDouble() - 0.5) * 0.5;

static double Rms(IEnumerable<double> errors) => Math.Sqrt(errors.Average(error => error * error));

internal sealed class Row
{
    [VectorType(3)]
    public float[] Features { get; set; } = [];
}
