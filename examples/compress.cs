// Compresses 60 features to 4 before a classifier of ML.NET: dotnet run compress.cs
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

// Sixty noisy readings of four hidden quantities; the label depends on two of these.
var random = new Random(1);
double[][] mixing = [.. Enumerable.Range(0, 60).Select(_ => Enumerable.Range(0, 4).Select(_ => 2 * random.NextDouble() - 1).ToArray())];
Row[] rows = [.. Enumerable.Range(0, 2000).Select(_ =>
{
    double[] hidden = [.. Enumerable.Range(0, 4).Select(_ => 2 * random.NextDouble() - 1)];
    float[] readings = [.. mixing.Select(weights => (float)(Math.Tanh(weights.Zip(hidden, (w, h) => w * h).Sum()) + 0.1 * random.NextDouble()))];
    return new Row { Features = readings, Label = hidden[0] * hidden[1] > 0 };
})];

var ml = new MLContext(seed: 1);
var split = ml.Data.TrainTestSplit(ml.Data.LoadFromEnumerable(rows), testFraction: 0.25, seed: 1);
var options = new VaeTrainer.Options { LatentDimension = 4, HiddenLayers = [64, 64], Beta = 0.001f, Epochs = 60 };
var compress = ml.Vae.VariationalAutoencoder("Latent", "Features", options).AppendCacheCheckpoint(ml);
using var small = compress.Append(ml.BinaryClassification.Trainers.LbfgsLogisticRegression(featureColumnName: "Features")).Fit(split.TrainSet);
var kernel = compress.Append(ml.Transforms.ApproximatedKernelMap("Kernel", "Latent", rank: 100))
    .Append(ml.BinaryClassification.Trainers.LbfgsLogisticRegression(featureColumnName: "Kernel"));
using var latent = kernel.Fit(split.TrainSet);

Console.WriteLine($"logistic regression on 60 features:           AUC {Auc(small):F3}");
Console.WriteLine($"kernel logistic regression on 4 latent ones:  AUC {Auc(latent):F3}");

double Auc(ITransformer model) => ml.BinaryClassification.Evaluate(model.Transform(split.TestSet)).AreaUnderRocCurve;

internal sealed class Row
{
    [VectorType(60)]
    public float[] Features { get; set; } = [];

    public bool Label { get; set; }
}
