// Tells whether made rows pass for real ones, with text and gaps, and whether they are copies: dotnet run compare.cs
#:project ../src/Vae.MLNet/Vae.MLNet.csproj
#:property PublishAot=false

using Microsoft.ML;
using Vae.MLNet;

// People whose weight goes with their height; a tenth of the weights is missing.
var random = new Random(1);
Person[] training = People(2000), real = People(2000), same = People(2000);

// Two bad generators: one draws every column on its own, the other repeats what it was trained on.
Person[] shuffled = [.. People(2000)];
float[] weights = [.. shuffled.Select(person => person.Weight)];
random.Shuffle(weights);
for (int i = 0; i < shuffled.Length; i++)
    shuffled[i].Weight = weights[i];
Person[] copied = [.. training.Select((person, i) => i % 2 == 0 ? person : same[i])];

var ml = new MLContext();
Check("drawn alike", same, found => !found.IsDistinguishable && found.Copies!.ZScore < 4);
Check("drawn column by column", shuffled, found => found.Auc > 0.7 && found.PairError > 2 * found.PairNoise);
Check("half of them copied", copied, found => found.Copies!.DistanceRatio < 0.8 && found.Copies.GeneratedCopies > 0.4);
Console.WriteLine(ml.Vae.CompareSamples(View(real), View(shuffled)));

void Check(string name, Person[] generated, Func<SampleComparison, bool> expected)
{
    var found = ml.Vae.CompareSamples(View(real), View(generated), new() { Training = View(training), RealHalves = false });
    Console.WriteLine($"{name}: {found.Verdict}");
    if (!expected(found))
        throw new InvalidOperationException($"Not what was expected:\n{found}");
}

IDataView View(Person[] people) => ml.Data.LoadFromEnumerable(people);

Person[] People(int count) => [.. Enumerable.Range(0, count).Select(_ =>
{
    double height = 170 + 9 * Normal();
    return new Person
    {
        City = random.Next(3) switch { 0 => "Lima", 1 => "Oslo", _ => "Osaka" },
        Height = (float)height,
        Weight = random.Next(10) == 0 ? float.NaN : (float)(70 + 0.9 * (height - 170) + 4 * Normal()),
    };
})];

double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

internal sealed class Person
{
    public string City { get; set; } = "";
    public float Height { get; set; }
    public float Weight { get; set; }
}
