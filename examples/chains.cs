// Shapes of a chain drawn bead by bead, with bonds and contacts as the frames have them: dotnet run chains.cs [frames.npz]
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

var ml = new MLContext(seed: 1);
IDataView frames = args.Length > 0 ? ml.Vae.LoadNumPy(args[0], "Conformation") : ml.Data.LoadFromEnumerable(Chains(2000));
var model = ml.Vae.CenterConformations("Centered", "Conformation", dimensions: 2)
    .Append(ml.Vae.AlignPrincipalAxes("Features", "Centered", dimensions: 2))
    .Append(ml.Vae.VariationalAutoencoder("Latent", "Features", new() { LatentDimension = 2, Beta = 0.01f, Scaling = InputScaling.None, Epochs = 40 }))
    .Fit(frames);

string file = Path.Combine(Path.GetTempPath(), "chains.onnx");
ml.Vae.FitChainDecoder(model.LastTransformer, model.Transform(frames), dimensions: 2, new() { Steps = 500 }).Export(file);
using var sampler = ChainSampler.Load(file); // From here on OnnxRuntime is enough.
var drawn = sampler.Sample(1000, seed: 7);
var film = sampler.Interpolate(drawn.Latent(0), drawn.Latent(1), steps: 11, seed: 7);
double sound = drawn.OutputArrays().Average(Sound), onTheWay = film.OutputArrays().Average(Sound);
Console.WriteLine(FormattableString.Invariant($"bonds and contacts are sound in {sound:P0} of {drawn.Count} shapes, in {onTheWay:P0} of those on a way"));
return sound > 0.9 ? 0 : 1;

static double Sound(float[] shape)
{
    for (int i = 1; i < 12; i++)
        for (int j = 0; j < i; j++)
        {
            double distance = Math.Sqrt(Math.Pow(shape[2 * i] - shape[2 * j], 2) + Math.Pow(shape[2 * i + 1] - shape[2 * j + 1], 2));
            if (j == i - 1 ? distance is < 0.89 or > 1.11 : distance < 0.78)
                return 0;
        }
    return 1;
}

static IEnumerable<Frame> Chains(int count)
{
    var random = new Random(1);
    var walks = Enumerable.Repeat(0, 100 * count).Select(_ => Walk(random)).Where(beads => Sound(beads) > 0);
    return [.. walks.Take(count).Select(beads => new Frame { Conformation = beads })];
}

static float[] Walk(Random random)
{
    float[] beads = new float[24];
    double angle = 0;
    for (int i = 1; i < 12; i++)
    {
        angle += 2 * (random.NextDouble() - 0.5);
        double bond = 0.9 + 0.2 * random.NextDouble();
        (beads[2 * i], beads[2 * i + 1]) = (beads[2 * i - 2] + (float)(bond * Math.Cos(angle)), beads[2 * i - 1] + (float)(bond * Math.Sin(angle)));
    }
    return beads;
}

internal sealed class Frame { [VectorType(12, 2)] public float[] Conformation { get; set; } = []; }
