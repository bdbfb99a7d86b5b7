// The first decoded sample on ML.NET's OnnxTransformer: what eng/coldstart.sh compares Vae.MLNet.Inference with.
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

string folder = args.Length > 0 ? args[0] : Path.Combine("artifacts", "consumer");
var ml = new MLContext();
var decoder = ml.Transforms
    .ApplyOnnxModel(["Reconstruction"], ["Latent"], Path.Combine(folder, "decoder.onnx"))
    .Fit(ml.Data.LoadFromEnumerable<LatentRow>([]));
using var engine = ml.Model.CreatePredictionEngine<LatentRow, DecodedRow>(decoder);
float first = engine.Predict(new() { Latent = [0.3f, -1.2f] }).Reconstruction[0];
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(DateTime.UtcNow - DateTime.UnixEpoch).Ticks / 10} {first}"));

internal sealed class LatentRow
{
    [VectorType(2)]
    public float[] Latent { get; set; } = [];
}

internal sealed class DecodedRow
{
    public float[] Reconstruction { get; set; } = [];
}
