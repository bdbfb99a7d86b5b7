// A map of the shapes of a chain: centred, aligned, encoded in two numbers: dotnet run conformations.cs [frames.npz]
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

var ml = new MLContext(seed: 1);
IDataView frames = args.Length > 0 ? ml.Vae.LoadNumPy(args[0], "Conformation") : ml.Data.LoadFromEnumerable(RandomWalks(2000));

var pipeline = ml.Vae.RadiusOfGyration("Rg", "Conformation", dimensions: 2)
    .Append(ml.Vae.CenterConformations("Centered", "Conformation", dimensions: 2))
    .Append(ml.Vae.AlignPrincipalAxes("Features", "Centered", dimensions: 2))
    .Append(ml.Vae.VariationalAutoencoder("Latent", "Features", new() { LatentDimension = 2, Beta = 0.01f, Scaling = InputScaling.None, Epochs = 40 }));
var model = pipeline.Fit(frames);
IDataView map = model.Transform(frames);
float[][] latents = [.. map.GetColumn<float[]>("Latent")];
float[] sizes = [.. map.GetColumn<float>("Rg")];

// Rows of the map by the radius of gyration of the frames that fall there.
Console.WriteLine("mean radius of gyration over the latent plane");
for (int y = 2; y >= -2; y--)
{
    var cells = Enumerable.Range(-2, 5).Select(x => Enumerable.Range(0, sizes.Length)
        .Where(i => (int)MathF.Round(latents[i][0]) == x && (int)MathF.Round(latents[i][1]) == y).Select(i => sizes[i]).ToArray());
    Console.WriteLine(string.Concat(cells.Select(cell => cell.Length < 3 ? "      -" : FormattableString.Invariant($"{cell.Average(),7:F2}"))));
}

string file = Path.Combine(Path.GetTempPath(), "chain-decoder.onnx");
model.LastTransformer.ExportDecoder(file);
using var decoder = VaeDecoder.Load(file);
var path = decoder.Interpolate(latents[0], latents[1], steps: 5);
Console.WriteLine($"{path.Count} shapes of {path.FeatureCount / 2} beads on the way from the first frame to the second");

static IEnumerable<Frame> RandomWalks(int count)
{
    var random = new Random(1);
    for (int i = 0; i < count; i++)
    {
        float[] beads = new float[24];
        for (int bead = 1; bead < 12; bead++)
        {
            double angle = 2 * Math.PI * random.NextDouble();
            beads[2 * bead] = beads[2 * bead - 2] + (float)Math.Cos(angle);
            beads[2 * bead + 1] = beads[2 * bead - 1] + (float)Math.Sin(angle);
        }
        yield return new Frame { Conformation = beads };
    }
}

internal sealed class Frame
{
    [VectorType(12, 2)]
    public float[] Conformation { get; set; } = [];
}
