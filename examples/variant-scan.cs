// Scores every single substitution of a protein by a model of its family: dotnet run variant-scan.cs [alignment.a3m]
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:package TorchSharp-cpu
#:property PublishAot=false

using Microsoft.ML;
using Vae.MLNet;

string file = args.Length > 0 ? args[0] : MadeUp();
var ml = new MLContext(seed: 1);
var alignment = ml.Vae.LoadAlignment(file);
IDataView weighted = ml.Vae.AddSequenceWeights(alignment);
var options = new SequenceVaeTrainer.Options { LatentDimension = 2, HiddenLayers = [64], WeightColumnName = "Weight", MaximumSteps = 600 };
using var model = ml.Vae.SequenceAutoencoder(options: options).Fit(weighted);

var scores = ml.Vae.ScoreAllSubstitutions(model.Model, new() { Samples = 50 }).Where(variant => variant.Score is not null).ToArray();
Console.WriteLine($"{scores.Length} substitutions; the five least like the family, in nats against the reference:");
foreach (var variant in scores.OrderBy(variant => variant.Score).Take(5))
    Console.WriteLine(FormattableString.Invariant($"{variant.Text,-8} {variant.Score,7:F2}"));

// A family of 30 columns: some never change, some take one of two letters together, the rest are free.
static string MadeUp()
{
    const string Letters = "ACDEFGHIKLMNPQRSTVWY";
    string path = Path.Combine(Path.GetTempPath(), "family.fasta");
    var random = new Random(1);
    using var writer = new StreamWriter(path);
    for (int row = 0; row < 500; row++)
    {
        bool one = random.Next(2) == 0;
        char[] sequence = [.. Enumerable.Range(0, 30).Select(column => (column % 3) switch
        {
            0 => Letters[column % 20],
            1 => one ? 'K' : 'E',
            _ => Letters[random.Next(20)],
        })];
        writer.WriteLine($">sequence{row}\n{new string(sequence)}");
    }
    return path;
}
