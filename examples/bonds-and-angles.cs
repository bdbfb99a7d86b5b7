// A decoder of bonds and angles that gives coordinates; its chains keep their bonds: dotnet run bonds-and-angles.cs [frames.npz]
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

var ml = new MLContext(seed: 1);
IDataView frames = args.Length > 0 ? ml.Vae.LoadNumPy(args[0], "Conformation") : ml.Data.LoadFromEnumerable(Chains(2000));
var training = new VaeTrainer.Options { LatentDimension = 2, Beta = 0.01f, Epochs = 40 };
string file = Path.Combine(Path.GetTempPath(), "bonds-and-angles.onnx");

// Coordinates, centred and aligned: what the decoder gives is a mean of coordinates.
var plain = ml.Vae.CenterConformations("Centered", "Conformation", dimensions: 2)
    .Append(ml.Vae.AlignPrincipalAxes("Features", "Centered", dimensions: 2))
    .Append(ml.Vae.VariationalAutoencoder("Latent", "Features", training)).Fit(frames);
plain.LastTransformer.ExportDecoder(file);
double ofCoordinates = MeanBond(file);

// Bonds and angles, each angle as sine and cosine; the exported decoder builds the chain.
var options = new InternalCoordinatesOptions { AsSineCosine = true };
var model = ml.Vae.InternalCoordinates("Internal", "Conformation", dimensions: 2, options)
    .Append(ml.Vae.VariationalAutoencoder("Latent", "Internal", training)).Fit(frames);
ml.Vae.ExportCartesianDecoder(model.LastTransformer.Model, file, dimensions: 2, options);
double ofAngles = MeanBond(file), given = frames.GetColumn<float[]>("Conformation").Average(Bond);
Console.WriteLine(FormattableString.Invariant(
    $"mean bond: frames {given:F3}, decoded as bonds and angles {ofAngles:F3}, decoded as coordinates {ofCoordinates:F3}"));

using var decoder = VaeDecoder.Load(file);
var compact = decoder.Optimize(LatentObjective.RadiusOfGyration(dimensions: 2), [0, 0], new() { Steps = 100, PriorWeight = 0.01f });
double before = compact.Values[0], after = compact.BestValue, bond = Bond(compact.BestOutput.ToArray());
Console.WriteLine(FormattableString.Invariant($"radius of gyration {before:F3} -> {after:F3}, bonds still {bond:F3}"));
return Math.Abs(ofAngles - given) < 0.02 * given ? 0 : 1;

static double MeanBond(string file)
{
    using var decoder = VaeDecoder.Load(file);
    return decoder.Sample(500, seed: 7).OutputArrays().Average(Bond);
}

static double Bond(float[] x) => Enumerable.Range(1, x.Length / 2 - 1).Average(
    i => Math.Sqrt(Math.Pow(x[2 * i] - x[2 * i - 2], 2) + Math.Pow(x[2 * i + 1] - x[2 * i - 1], 2)));

static IEnumerable<Frame> Chains(int count)
{
    var random = new Random(1);
    for (int k = 0; k < count; k++)
    {
        var (beads, angle) = (new float[24], 2 * Math.PI * random.NextDouble());
        for (int i = 1; i < 12; i++, angle += 2.4 * (random.NextDouble() - 0.5))
            (beads[2 * i], beads[2 * i + 1]) = (beads[2 * i - 2] + (float)Math.Cos(angle), beads[2 * i - 1] + (float)Math.Sin(angle));
        yield return new Frame { Conformation = beads };
    }
}

internal sealed class Frame { [VectorType(12, 2)] public float[] Conformation { get; set; } = []; }
