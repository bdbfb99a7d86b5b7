// Exports a whole pipeline as one ONNX graph and scores it with OnnxRuntime alone: dotnet run score-graph.cs
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet;

var random = new Random(1);
Row[] rows = [.. Enumerable.Range(0, 1000).Select(_ =>
{
    float t = random.NextSingle();
    return new Row { Features = [100 * t, 5 - t + 0.1f * random.NextSingle(), t * t] };
})];
var ml = new MLContext(seed: 1);
IDataView data = ml.Data.LoadFromEnumerable(rows);
var pipeline = ml.Transforms.NormalizeMeanVariance("Scaled", "Features", fixZero: false)
    .Append(ml.Vae.VariationalAutoencoder("Latent", "Scaled", new() { LatentDimension = 1, HiddenLayers = [32], Epochs = 30 }));
var model = pipeline.Fit(data);
string file = Path.Combine(Path.GetTempPath(), "pipeline.onnx");
var report = ml.Vae.ExportPipeline(model, data.Schema, file);
Console.WriteLine(report);

// What follows needs Microsoft.ML.OnnxRuntime and nothing else; the input is named as the column is.
using var session = new InferenceSession(file);
var input = new DenseTensor<float>(rows.Take(4).SelectMany(row => row.Features).ToArray(), [4, 3]);
using var outputs = session.Run([NamedOnnxValue.CreateFromTensor("Features", input)]);
float[] latent = [.. outputs.First(output => output.Name == "Latent").AsTensor<float>()];
float[] expected = [.. model.Transform(data).GetColumn<float[]>("Latent").Take(4).Select(row => row[0])];
for (int i = 0; i < 4; i++)
{
    Console.WriteLine(FormattableString.Invariant($"row {i}: {latent[i]:F5} from the graph, {expected[i]:F5} from the pipeline"));
    if (Math.Abs(latent[i] - expected[i]) > 1e-4)
        throw new InvalidOperationException("They differ.");
}

internal sealed class Row
{
    [VectorType(3)]
    public float[] Features { get; set; } = [];
}
