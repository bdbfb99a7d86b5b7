using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>Chains of beads: centred, turned onto their principal axes, measured, told by bonds and angles.</summary>
internal static class Conformations
{
    public static void Run(MLContext ml, Chain[] chains, string folder)
    {
        var shape = RowShape.Of<Chain>(ml);
        Chain[] turned = [.. chains.Select(Turned)];
        IDataView asTheyAre = ml.Data.LoadFromEnumerable(chains), afterTurning = ml.Data.LoadFromEnumerable(turned);

        var centering = ml.Vae.CenterConformations("Centered", "Beads", dimensions: 2);
        Expect.That(centering.GetOutputSchema(shape).Any(column => column.Name == "Centered"), "centring promises its column");
        var centered = centering.Fit(asTheyAre);
        Expect.That(centered is { BeadCount: 6, Dimensions: 2, OutputColumnName: "Centered", InputColumnName: "Beads" },
            "centring knows the chain");
        Expect.That(centered.GetOutputSchema(asTheyAre.Schema)["Centered"].Type is VectorDataViewType { Size: 12 },
            "centred chains have twelve numbers");
        foreach (float[] chain in centered.Transform(asTheyAre).GetColumn<float[]>("Centered"))
            Expect.Near(chain.Where((_, i) => i % 2 == 0).Average(), 0, 1e-5, "the mean of a centred chain's x");

        // A chain and the same chain turned come out alike: the end with the first bead lies on the negative side.
        var options = new PrincipalAxisOptions { Sign = PrincipalAxisSign.FirstBead };
        var alignment = ml.Vae.AlignPrincipalAxes("Aligned", "Centered", dimensions: 2, options);
        Expect.That(alignment.GetOutputSchema(centering.GetOutputSchema(shape)).Any(column => column.Name == "Aligned"),
            "alignment promises its column");
        var aligned = alignment.Fit(centered.Transform(asTheyAre));
        Expect.That(aligned.Options == options, "alignment keeps its options");
        Expect.Near(Coordinates(afterTurning), Coordinates(asTheyAre), 1e-3, "a coordinate of a turned chain after alignment");
        float[] Coordinates(IDataView data) =>
            [.. aligned.Transform(centered.Transform(data)).GetColumn<float[]>("Aligned").SelectMany(chain => chain)];

        var radius = ml.Vae.RadiusOfGyration("Rg", "Beads", dimensions: 2);
        Expect.That(radius.GetOutputSchema(shape).Any(column => column.Name == "Rg"), "the radius of gyration promises its column");
        using var measured = radius.Fit(asTheyAre);
        foreach (var (found, chain) in measured.Transform(asTheyAre).GetColumn<float>("Rg").Zip(chains))
            Expect.Near(found, Radius(chain.Beads), 1e-4, "the radius of gyration");

        // Bonds and angles, and a decoder of them that gives beads.
        var pairs = new InternalCoordinatesOptions { AsSineCosine = true };
        var internals = ml.Vae.InternalCoordinates("Internal", "Beads", dimensions: 2, pairs);
        Expect.That(internals.GetOutputSchema(shape).Any(column => column.Name == "Internal"), "internal coordinates promise their column");
        var described = internals.Fit(asTheyAre);
        Expect.That(described.Options == pairs && described.Options.AsSineCosine, "internal coordinates keep their options");
        Expect.Near([.. Numbers(afterTurning)], [.. Numbers(asTheyAre)], 1e-3, "a bond or an angle of a turned chain");
        IEnumerable<float> Numbers(IDataView data) => described.Transform(data).GetColumn<float[]>("Internal").SelectMany(chain => chain);

        var building = ml.Vae.CartesianCoordinates("Built", "Internal", dimensions: 2, described.Options);
        Expect.That(building.GetOutputSchema(internals.GetOutputSchema(shape)).Any(column => column.Name == "Built"),
            "chains built promise their column");
        var numbers = described.Transform(asTheyAre);
        var builder = building.Fit(numbers);
        Expect.That(builder.Options == pairs, "building keeps its options");
        foreach (var (built, chain) in builder.Transform(numbers).GetColumn<float[]>("Built").Zip(chains))
            Expect.Near(Radius(built), Radius(chain.Beads), 1e-4, "the radius of gyration of a chain that was built");
        var training = new VaeTrainer.Options { LatentDimension = 2, HiddenLayers = [16], Epochs = 2, Seed = 1 };
        var model = ml.Vae.VariationalAutoencoder("Latent", "Internal", training).Fit(numbers).Model;
        string file = Path.Combine(folder, "cartesian-decoder.onnx");
        var report = ml.Vae.ExportCartesianDecoder(model, file, dimensions: 2, pairs, new OnnxExportOptions());
        Expect.That(report.LargestError < report.Tolerance, "the decoder of bonds and angles gives the chains of the geometry");
        builder.Dispose();
        described.Dispose();

        aligned.Dispose();
        centered.Dispose();
    }

    private static Chain Turned(Chain chain)
    {
        var (sine, cosine) = MathF.SinCos(1.1f);
        var beads = new float[12];
        for (int i = 0; i < 12; i += 2)
        {
            beads[i] = cosine * chain.Beads[i] - sine * chain.Beads[i + 1] + 3;
            beads[i + 1] = sine * chain.Beads[i] + cosine * chain.Beads[i + 1] - 5;
        }
        return new() { Beads = beads };
    }

    private static double Radius(float[] beads)
    {
        double x = beads.Where((_, i) => i % 2 == 0).Average(), y = beads.Where((_, i) => i % 2 == 1).Average();
        return Math.Sqrt(Enumerable.Range(0, 6).Average(i => Math.Pow(beads[2 * i] - x, 2) + Math.Pow(beads[2 * i + 1] - y, 2)));
    }
}
