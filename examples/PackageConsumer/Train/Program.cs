// Trains on what an application gets from the package Vae.MLNet alone, and writes what the other consumers start from.
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using PackageConsumer;
using Vae.MLNet;

const int Rows = 2000, Held = 200;
string folder = args.Length > 0 ? args[0] : Path.Combine("artifacts", "consumer");
Directory.CreateDirectory(folder);

var ml = new MLContext(seed: 1);
var chains = Chain.Draw(Rows + Held, seed: 7);
IDataView training = ml.Data.LoadFromEnumerable(chains[..Rows]), held = ml.Data.LoadFromEnumerable(chains[Rows..]);

// 1. Conformations: centred, aligned, encoded; decoder and encoder for Vae.MLNet.Inference.
var conformations = ml.Vae.CenterConformations("Centered", "Beads", dimensions: 2)
    .Append(ml.Vae.AlignPrincipalAxes("Aligned", "Centered", dimensions: 2))
    .Append(ml.Vae.VariationalAutoencoder("Latent", "Aligned", new VaeTrainer.Options
    {
        LatentDimension = 2,
        HiddenLayers = [64, 64],
        Epochs = 40,
        Seed = 1,
        ReconstructionColumnName = "Reconstruction",
    }))
    .Fit(training);
var vae = conformations.LastTransformer;
vae.ExportDecoder(Path.Combine(folder, "decoder.onnx"), withGradient: true);
vae.ExportEncoder(Path.Combine(folder, "encoder.onnx"));
int reports = 0;
var chainDecoder = ml.Vae.FitChainDecoder(vae, conformations.Transform(training), dimensions: 2, new ChainDecoderOptions
{
    Seed = 1,
    Steps = 200,
    BatchSize = 32,
    LearningRate = 2e-3f,
    ValidationFraction = 0.1f,
    Symmetries = ChainSymmetries.Mirror | ChainSymmetries.Direction,
    Threads = 1,
    Progress = new Counter(report => reports += report is { Steps: 200, Step: > 0 } ? 1 : 0),
    CancellationToken = CancellationToken.None,
});
chainDecoder.Export(Path.Combine(folder, "chain-decoder.onnx"));
if (chainDecoder is not { Beads: 6, Dimensions: 2, LatentDimension: 2 } || reports == 0
    || chainDecoder.Checks[^1] is not { Step: 200, NegativeLogLikelihood: < 0 })
    return Fail("The decoder of chains is another one.");
ml.Model.Save(conformations, training.Schema, Path.Combine(folder, "conformations.zip"));
// Reconstructions are what the autoencoder makes of frames: they give themselves away by their bonds.
var reconstructions = ml.Transforms.CopyColumns("Aligned", "Reconstruction").Fit(conformations.Transform(training)).Transform(conformations.Transform(training));
Critics.Run(ml, conformations.Transform(training), reconstructions, "Aligned", folder);

double error = 0, spread = 0;
var reconstructed = conformations.Transform(held);
foreach (var (x, y) in reconstructed.GetColumn<float[]>("Aligned").Zip(reconstructed.GetColumn<float[]>("Reconstruction")))
{
    error += x.Zip(y, (a, b) => (a - b) * (double)(a - b)).Sum();
    spread += x.Sum(a => a * (double)a);
}
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Held-out conformations: {1 - error / spread:P1} of the spread reconstructed from two numbers."));
if (!(error < 0.5 * spread))
    return Fail("The model reconstructs less than half of the spread.");

// Held-out chains against others of their kind: nothing differs. Against chains whose second bead is elsewhere: that does.
var comparison = new CompareSamplesOptions { Training = training, Seed = 1, Trees = 30, Folds = 4, ClassifierRows = 1000, RealHalves = false, Pairs = 100 };
var alike = ml.Vae.CompareSamples(held, ml.Data.LoadFromEnumerable(Chain.Draw(Held, seed: 8)), comparison);
var moved = ml.Vae.CompareSamples(held, ml.Data.LoadFromEnumerable(Chain.Draw(Held, seed: 8).Select(chain => chain.Moved())), comparison);
if (!alike.ToJson().Contains("\"auc\""))
    throw new InvalidOperationException("A comparison lacks its AUC as JSON.");
moved.SaveJson(Path.Combine(folder, "comparison.json"));
Console.WriteLine(alike.Verdict);
if (alike.IsDistinguishable || !moved.IsDistinguishable || moved.Columns.MaxBy(column => column.Importance)!.Name is not ("Beads[2]" or "Beads[3]") || alike.Copies!.GeneratedCopies > 0)
    return Fail($"The comparison of chains finds something else: {moved}");

// 2. A table: normalised, encoded, scored; saved with the outputs that a consumer of the zip has to find.
var table = ml.Transforms.NormalizeMeanVariance("Features", "Beads", fixZero: false)
    .Append(ml.Vae.VariationalAutoencoder("Latent", "Features", new VaeTrainer.Options
    {
        LatentDimension = 3,
        HiddenLayers = [32],
        Epochs = 10,
        Seed = 2,
        Likelihood = Likelihood.Gaussian,
        Beta = 1,
        ScoreColumnName = "Score",
    }))
    .Fit(training);
ml.Vae.SaveModel(table, training.Schema, Path.Combine(folder, "table.zip"));
var scored = ml.Data.CreateEnumerable<Scored>(table.Transform(held), reuseRowObject: false).ToArray();
using (var csv = new StreamWriter(Path.Combine(folder, "expected.csv")))
{
    foreach (var row in scored)
        csv.WriteLine(string.Join(',', row.Beads.Concat(row.Latent).Append(row.Score).Select(value => value.ToString("R", CultureInfo.InvariantCulture))));
}
if (scored.Length != Held || scored.Any(row => row.Latent.Length != 3 || !float.IsFinite(row.Score)))
    return Fail("Scoring gave other rows or columns than expected.");

// 3. What reads saved files again, in blocks and as models.
string zip = Path.Combine(folder, "table.zip");
var rehydrated = ml.Vae.Rehydrate(ml.Model.Load(zip, out _));
var again = ml.Data.CreateEnumerable<Scored>(rehydrated.Transform(held), reuseRowObject: false).ToArray();
if (!again.Zip(scored).All(pair => Math.Abs(pair.First.Score - pair.Second.Score) <= 1e-4 * (1 + Math.Abs(pair.Second.Score))))
    return Fail("The rehydrated pipeline scores otherwise.");
var half = ml.Vae.ExtractDecoder(zip, Path.Combine(folder, "half.onnx"), new() { WeightType = OnnxWeightType.Float16 });
if (half.LargestError is not < 0.1 || ml.Vae.ExtractModels(zip).Single().LatentDimension != 3)
    return Fail("The saved pipeline gives another model.");

// 4. Every public entry point once.
EntryPoints.Call(ml, chains[..20], folder);
Console.WriteLine($"Wrote {string.Join(", ", Directory.GetFiles(folder).Select(Path.GetFileName).Order())}.");
return 0;

static int Fail(string message)
{
    Console.Error.WriteLine(message);
    return 1;
}

/// <summary>A chain of six beads in the plane, stiff enough to be described by a few numbers.</summary>
internal sealed class Chain
{
    [VectorType(6, 2)]
    public float[] Beads { get; set; } = [];

    public static Chain[] Draw(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => One(random))];
    }

    public Chain Moved()
    {
        Beads[2] *= 1.3f;
        Beads[3] *= 1.3f;
        return this;
    }

    private static Chain One(Random random)
    {
        var beads = new float[12];
        double angle = 2 * Math.PI * random.NextDouble(), bend = 0.7 * Normal(random);
        for (int i = 1; i < 6; i++)
        {
            beads[2 * i] = beads[2 * (i - 1)] + (float)Math.Cos(angle);
            beads[2 * i + 1] = beads[2 * (i - 1) + 1] + (float)Math.Sin(angle);
            angle += bend + 0.2 * Normal(random);
        }
        return new() { Beads = beads };
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

/// <summary>Reports on the thread that has something to report.</summary>
internal sealed class Counter(Action<ChainDecoderProgress> action) : IProgress<ChainDecoderProgress>
{
    void IProgress<ChainDecoderProgress>.Report(ChainDecoderProgress value)
    {
        if (value.Latest is null or { Step: > 0 })
            action(value);
    }
}

internal sealed class Scored
{
    public float[] Beads { get; set; } = [];

    public float[] Latent { get; set; } = [];

    public float Score { get; set; }
}
