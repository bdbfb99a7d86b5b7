using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Evaluation;
using Vae.MLNet.Samples;

namespace Vae.MLNet.Tests.Evaluation;

/// <summary>Two-sample tests: what differs is found by the figure that should find it, and what does not differ is found by none.</summary>
[TestClass]
public sealed class CompareSamplesTests
{
    private static readonly MLContext Context = new(1);

    private static readonly CompareSamplesOptions Quick = new() { ClassifierRows = 1000, Folds = 4, Trees = 40, RealHalves = false };

    private static readonly string[] Cities = ["Ōsaka", "Lima", "Oslo", "a,b", "\"q\""];

    /// <summary>Two correlated numbers, one on its own that is sometimes missing, a city that goes with the first number, and a flag.</summary>
    private static Person[] People(int count, int seed, Action<Person>? change = null)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            double common = Normal(random);
            var person = new Person
            {
                Height = (float)(170 + 8 * (common + 0.3 * Normal(random))),
                Weight = 70 + 12 * (common + 0.3 * Normal(random)),
                Income = random.NextDouble() < 0.1 ? float.NaN : (float)Math.Exp(10 + Normal(random)),
                City = random.NextDouble() < 0.05 ? "" : Cities[Math.Clamp((int)Math.Floor(2.5 + common), 0, 4)],
                Member = random.NextDouble() < 0.3,
            };
            change?.Invoke(person);
            return person;
        })];
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static IDataView View(IEnumerable<Person> people) => Context.Data.LoadFromEnumerable(people.ToArray());

    private static SampleComparison Compare(Person[] real, Person[] generated, CompareSamplesOptions? options = null) => Context.Vae.CompareSamples(View(real), View(generated), options ?? Quick);

    /// <summary>Each column's own rows in an order of its own: what each column looks like stays, what they have to do with each other goes.</summary>
    private static Person[] Shuffled(Person[] people, int seed)
    {
        var random = new Random(seed);
        Person[] height = [.. people], weight = [.. people], income = [.. people], city = [.. people], member = [.. people];
        foreach (var column in new[] { height, weight, income, city, member })
            random.Shuffle(column);
        return [.. people.Select((_, i) => new Person { Height = height[i].Height, Weight = weight[i].Weight, Income = income[i].Income, City = city[i].City, Member = member[i].Member })];
    }

    [TestMethod]
    public void SameDistribution_NothingIsFound()
    {
        var found = Compare(People(1200, 1), People(1000, 2), Quick with { RealHalves = true, Training = View(People(1500, 3)) });
        Assert.AreEqual(0.5, found.Auc, 4 * found.AucStandardError);
        Assert.IsTrue(found.AucStandardError is > 0.003 and < 0.03, found.ToString());
        Assert.AreEqual(0.5, found.RealAuc!.Value, 4 * found.RealAucStandardError!.Value);
        foreach (var column in found.Columns)
            Assert.IsLessThan(3 * column.Noise, column.Distance, column.ToString());
        Assert.IsLessThan(1.5 * found.MarginalNoise, found.MarginalError);
        Assert.IsLessThan(1.5 * found.PairNoise!.Value, found.PairError!.Value);
        Assert.IsGreaterThan(0.005, found.DiscrepancyPValue);
        Assert.IsLessThan(4, Math.Abs(found.Copies!.ZScore));
        Assert.AreEqual(1, found.Copies.DistanceRatio, 0.15);
        Assert.AreEqual(0, found.Copies.GeneratedCopies);
        StringAssert.StartsWith(found.Verdict, "Nothing tells generated from real rows");
        Assert.AreEqual((1200L, 1000L, 1000), (found.RealRows, found.GeneratedRows, found.ClassifierRows));
        Assert.AreEqual(10, found.Pairs);
    }

    [TestMethod]
    public void ShiftedMean_IsFoundAndNamed()
    {
        var found = Compare(People(1000, 1), People(1000, 2, person => person.Weight += 12));
        Assert.IsTrue(found.IsDistinguishable, found.ToString());
        Assert.IsGreaterThan(0.75, found.Auc);
        var weight = found.Columns.Single(column => column.Name == "Weight");
        Assert.IsGreaterThan(0.3, weight.Distance);
        Assert.IsTrue(found.Columns.Where(column => column != weight).All(column => column.Distance < 3 * column.Noise), found.ToString());
        Assert.AreEqual(weight, found.Columns.MaxBy(column => column.Importance));
        Assert.IsLessThan(0.01, found.DiscrepancyPValue);
        StringAssert.Contains(found.Verdict, "'Weight'");
    }

    [TestMethod]
    public void ShuffledColumns_AreFoundByTheClassifierAndByPairsOnly()
    {
        var people = People(1500, 2);
        var found = Compare(People(1500, 1), Shuffled(people, 5));
        Assert.IsGreaterThan(0.75, found.Auc);
        Assert.IsGreaterThan(2 * found.PairNoise!.Value, found.PairError!.Value);
        Assert.IsLessThan(1.5 * found.MarginalNoise, found.MarginalError);
        foreach (var column in found.Columns)
            Assert.IsLessThan(3 * column.Noise, column.Distance, column.ToString());
        string[] expected = ["Height and City", "Height and Weight", "Weight and City"];
        Assert.AreSequenceEqual(expected, found.WorstPairs.Take(3).Select(pair => $"{pair.Left} and {pair.Right}").Order(StringComparer.Ordinal).ToArray());
        Assert.IsLessThan(0.01, found.DiscrepancyPValue);
        Assert.IsFalse(found.Columns.Any(column => column.Distance > 0.1));
    }

    [TestMethod]
    [DataRow(0.0)]
    [DataRow(0.02)]
    public void Copies_AreFoundByTheRatio(double jitter)
    {
        var training = People(800, 3);
        var random = new Random(4);
        // Half of the generated rows are those trained on, exact or nearly.
        var generated = People(800, 2).Select((person, i) => i % 2 == 0 ? person : training[i] with { Height = training[i].Height + (float)(jitter * Normal(random)) }).ToArray();
        var copied = Compare(People(800, 1), generated, Quick with { Training = View(training) });
        Assert.IsLessThan(0.65, copied.Copies!.DistanceRatio);
        Assert.IsGreaterThan(6, copied.Copies.ZScore);
        Assert.AreEqual(jitter == 0 ? 0.5 : 0, copied.Copies.GeneratedCopies, 0.005);
        Assert.AreEqual(0, copied.Copies.RealCopies);
        StringAssert.Contains(copied.Verdict, "copies");
        Assert.AreEqual(800, copied.Copies.TrainingRows);

        var far = Compare(People(800, 1), People(800, 2, person => person.Height += 60), Quick with { Training = View(training) });
        Assert.IsGreaterThan(1.5, far.Copies!.DistanceRatio);
        Assert.IsLessThan(-6, far.Copies.ZScore);
    }

    [TestMethod]
    public void RowsInBothTables_AreWorseThanChance()
    {
        var people = People(1000, 1);
        var found = Compare(people, people, Quick with { Training = View(people) });
        Assert.IsLessThan(0.5 - 3 * found.AucStandardError, found.Auc);
        StringAssert.Contains(found.Verdict, "rows stand in both tables");
        StringAssert.Contains(found.Verdict, "real rows stand among those trained on");
        Assert.AreEqual(0, found.MarginalError);
        Assert.AreEqual(1, found.Copies!.RealCopies);
        Assert.AreEqual(1, found.Copies.DistanceRatio);
    }

    [TestMethod]
    public void MissingValues_AreAStateOfTheirOwn()
    {
        var random = new Random(9);
        var found = Compare(People(1000, 1), People(1000, 2, person =>
        {
            if (random.NextDouble() < 0.4)
                person.Income = float.NaN;
            if (random.NextDouble() < 0.3)
                person.City = "";
        }));
        var income = found.Columns.Single(column => column.Name == "Income");
        var city = found.Columns.Single(column => column.Name == "City");
        Assert.AreEqual(0.1, income.MissingReal, 0.04);
        Assert.AreEqual(0.46, income.MissingGenerated, 0.05);
        Assert.AreEqual(income.MissingGenerated - income.MissingReal, income.Distance, 1e-9);
        Assert.AreEqual(1000 - Math.Round(1000 * income.MissingGenerated), income.GeneratedValues);
        Assert.AreEqual(city.MissingGenerated - city.MissingReal, city.Distance, 0.06);
        Assert.IsGreaterThan(0.65, found.Auc);

        // Missing in every row of one side.
        var gone = Compare(People(200, 1), People(200, 2, person => (person.Income, person.City) = (float.NaN, "")));
        Assert.IsGreaterThan(0.95, gone.Auc);
        Assert.IsGreaterThan(0.85, gone.Columns.Single(column => column.Name == "Income").Distance);
        Assert.AreEqual(0, gone.Columns.Single(column => column.Name == "City").GeneratedValues);
    }

    [TestMethod]
    public void Categories_NewAndRareOnesAreFound()
    {
        var random = new Random(2);
        string Word(int letters) => string.Concat(Enumerable.Range(0, letters).Select(_ => (char)('a' + random.Next(26))));
        string[] words = [.. Enumerable.Range(0, 400).Select(_ => Word(6))];
        SampleTable Table(Func<string> word, int count = 1500) => new([SampleColumn.OfCategories("Word", Enumerable.Range(0, count).Select(_ => word()))]);
        SampleComparison Run(SampleTable real, SampleTable generated) => SampleComparer.Compare(real, generated, null, Quick);

        var same = Run(Table(() => words[random.Next(400)]), Table(() => words[random.Next(400)]));
        Assert.AreEqual(0.5, same.Auc, 4 * same.AucStandardError);
        Assert.IsLessThan(1.3 * same.Columns[0].Noise, same.Columns[0].Distance);

        // Words that occur once, in both tables: the trees must not learn the table from counts or places.
        var unique = Run(Table(() => Word(9)), Table(() => Word(9)));
        Assert.AreEqual(0.5, unique.Auc, 4 * unique.AucStandardError);
        Assert.AreEqual(1, unique.Columns[0].Distance);
        Assert.AreEqual(1, unique.Columns[0].Noise);

        var invented = Run(Table(() => words[random.Next(400)]), Table(() => random.Next(2) == 0 ? words[random.Next(400)] : Word(9)));
        Assert.IsGreaterThan(0.7, invented.Auc);

        // A value out of 400 that became frequent.
        var frequent = Run(Table(() => words[random.Next(400)]), Table(() => random.Next(5) == 0 ? words[7] : words[random.Next(400)]));
        Assert.IsGreaterThan(0.55, frequent.Auc);
        Assert.IsTrue(frequent.IsDistinguishable);
    }

    [TestMethod]
    public void RoundedNumbers_AreToldFromDrawnOnes()
    {
        var random = new Random(3);
        SampleTable Ages(bool rounded) => SampleTable.OfRows([.. Enumerable.Range(0, 1500).Select(_ =>
        {
            double age = 20 + 40 * random.NextDouble();
            return new[] { (float)(rounded ? Math.Round(age) : age), (float)Normal(random) };
        })], ["Age", "Other"]);
        Assert.IsGreaterThan(0.95, SampleComparer.Compare(Ages(true), Ages(false), null, Quick).Auc);
        var same = SampleComparer.Compare(Ages(true), Ages(true), null, Quick);
        Assert.AreEqual(0.5, same.Auc, 4 * same.AucStandardError);
    }

    [TestMethod]
    public void InfiniteAndConstantNumbers_AreCompared()
    {
        var random = new Random(3);
        SampleTable Rows(Func<int, float> odd, float constant) => new([
            SampleColumn.OfNumbers("Odd", [.. Enumerable.Range(0, 300).Select(odd)]),
            SampleColumn.OfNumbers("Constant", [.. Enumerable.Repeat(constant, 300)]),
            SampleColumn.OfNumbers("Nothing", [.. Enumerable.Repeat(float.NaN, 300)])]);
        float Any(int _) => (float)Normal(random);
        var infinite = SampleComparer.Compare(Rows(Any, 0.1f), Rows(i => i % 2 == 0 ? float.PositiveInfinity : i % 3 == 0 ? -3e38f : Any(i), 0.1f), Rows(Any, 0.1f), Quick);
        Assert.IsGreaterThan(0.7, infinite.Auc);
        Assert.IsGreaterThan(0.4, infinite.Columns[0].Distance);
        Assert.IsTrue(double.IsFinite(infinite.Discrepancy) && double.IsFinite(infinite.Copies!.DistanceRatio));
        Assert.IsLessThan(0.01, infinite.DiscrepancyPValue);
        Assert.AreEqual(0, infinite.Columns[1].Distance + infinite.Columns[2].Distance);

        var same = SampleComparer.Compare(Rows(_ => 1, 0.1f), Rows(_ => 1, 0.1f), Rows(_ => 1, 0.1f), Quick);
        Assert.AreEqual((0.5, 0.0, 0.0, 1.0), (same.Auc, same.MarginalError, same.Discrepancy, same.DiscrepancyPValue));
        Assert.AreEqual((1.0, 1.0), (same.Copies!.DistanceRatio, same.Copies.GeneratedCopies));
        var moved = SampleComparer.Compare(Rows(_ => 1, 0.1f), Rows(_ => 1, 0.2f), Rows(_ => 1, 0.1f), Quick);
        Assert.AreEqual((1.0, 1.0), (moved.Auc, moved.Columns[1].Distance));
        Assert.AreEqual(double.PositiveInfinity, moved.Copies!.DistanceRatio);
        StringAssert.Contains(moved.ToJson(), "\"distanceRatio\": \"Infinity\"");
    }

    [TestMethod]
    public void Statistics_AreThoseByHand()
    {
        // Of the first ten of the twenty: quantile edges 2, 3, ..., 10, so that each real number has a bin.
        float[] real = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], generated = [1, 1, 1, 1, 1, 6, 7, 8, 9, float.NaN];
        var tables = (new SampleTable([SampleColumn.OfNumbers("x", real), SampleColumn.OfCategories("c", "aaaabbbccd".Select(letter => $"{letter}"))]),
            new SampleTable([SampleColumn.OfNumbers("x", generated), SampleColumn.OfCategories("c", "aaaaaaaaae".Select(letter => letter == 'e' ? null : $"{letter}"))]));
        var found = SampleComparer.Compare(tables.Item1, tables.Item2, null, Quick);
        // Up to 1: 1 of 10 against 5 of 9.
        Assert.AreEqual(5.0 / 9 - 0.1, found.Columns[0].Distance, 1e-12);
        // a: 0.4 against 0.9; b 0.3, c 0.2, d 0.1 against 0; missing 0 against 0.1.
        Assert.AreEqual((0.5 + 0.3 + 0.2 + 0.1 + 0.1) / 2, found.Columns[1].Distance, 1e-12);
        // The numbers 1 and 2 share a bin: 0.2 against 0.5; 3, 4, 5 and 10 against none; missing 0 against 0.1.
        double numbers = (0.3 + 4 * 0.1 + 0.1) / 2;
        Assert.AreEqual((numbers + 0.6) / 2, found.MarginalError, 1e-12);
        Assert.AreEqual(0.1, found.Columns[0].MissingGenerated, 1e-12);
    }

    [TestMethod]
    public void RankTest_CountsPairs()
    {
        var test = RankTest.Of([1, 2, 2, 5], [0, 2, 3]);
        // 1: above 0; each 2: above 0 and half of 2; 5: above all.
        Assert.AreEqual((1 + 1.5 + 1.5 + 3) / 12, test.Auc, 1e-12);
        // Three of seven are tied: (8 - 24 / 42) / 144.
        Assert.AreEqual((8 - 24.0 / 42) / 144, test.NullVariance, 1e-12);
    }

    [TestMethod]
    public void AtypicalRows_AreMatchedByNameWhateverTheirTypeAndOrder()
    {
        var people = People(300, 1);
        var plain = Compare(people, People(300, 2));
        // Doubles for Single, keys for text, and another order.
        var other = Context.Data.LoadFromEnumerable(People(300, 2).Select(person => new Reordered
        {
            Member = person.Member,
            City = person.City,
            Income = person.Income,
            Weight = (float)person.Weight,
            Height = person.Height,
        }).ToArray());
        var keyed = Context.Transforms.Conversion.MapValueToKey("City").Fit(other).Transform(other);
        var found = Context.Vae.CompareSamples(View(people), keyed, Quick);
        Assert.AreEqual(plain.ToJson(), found.ToJson());
        // Keys on both sides, learned from tables in different orders.
        var view = View(people);
        var both = Context.Vae.CompareSamples(Context.Transforms.Conversion.MapValueToKey("City").Fit(view).Transform(view), keyed, Quick);
        Assert.AreEqual(plain.ToJson(), both.ToJson());
    }

    [TestMethod]
    public void OddNames_StayApart()
    {
        string[] names = ["", " ", "a\nb", "x\"y", "ü — 漢字", "a.b", "a", "Features", "Label", "Score"];
        var random = new Random(1);
        SampleTable Table(float shift) => SampleTable.OfRows([.. Enumerable.Range(0, 400).Select(_ => names.Select((name, i) => (float)Normal(random) + (i == 4 ? shift : 0)).ToArray())], names);
        var found = SampleComparer.Compare(Table(0), Table(1.5f), null, Quick);
        Assert.AreSequenceEqual(names, found.Columns.Select(column => column.Name).ToArray());
        Assert.AreEqual(names[4], found.Columns.MaxBy(column => column.Importance)!.Name);
        StringAssert.Contains(found.Verdict, "ü — 漢字");
        Assert.DoesNotContain("a\nb", found.ToString());
        using var json = JsonDocument.Parse(found.ToJson());
        Assert.AreEqual("a\nb", json.RootElement.GetProperty("columns")[2].GetProperty("name").GetString());
    }

    [TestMethod]
    public void Vectors_AreComparedSlotBySlotAndMatchedByTheirNames()
    {
        var random = new Random(1);
        Chain[] Chains(int count, float shift) => [.. Enumerable.Range(0, count).Select(_ => new Chain { Beads = [(float)Normal(random), (float)Normal(random) + shift, 1, 2] })];
        var beads = Context.Vae.CompareSamples(Context.Data.LoadFromEnumerable(Chains(500, 0)), Context.Data.LoadFromEnumerable(Chains(500, 1)), Quick);
        string[] expected = ["Beads[0]", "Beads[1]", "Beads[2]", "Beads[3]"];
        Assert.AreSequenceEqual(expected, beads.Columns.Select(column => column.Name).ToArray());
        Assert.IsGreaterThan(0.3, beads.Columns[1].Distance);
        Assert.IsLessThan(0.15, beads.Columns[0].Distance);

        var pair = Chains(500, 3).Select(chain => new Pair { Beads0 = chain.Beads[0], Beads1 = chain.Beads[1] }).ToArray();
        var rows = Context.Data.LoadFromEnumerable(pair);
        IDataView Joined(params string[] columns) => Context.Transforms.Concatenate("Both", columns).Append(Context.Transforms.SelectColumns("Both")).Fit(rows).Transform(rows);
        var slots = Context.Vae.CompareSamples(Joined("Beads0", "Beads1"), Joined("Beads1", "Beads0"), Quick);
        string[] names = ["Both.Beads0", "Both.Beads1"];
        Assert.AreSequenceEqual(names, slots.Columns.Select(column => column.Name).ToArray());
        Assert.AreEqual(0, slots.MarginalError);
        var renamed = Context.Transforms.CopyColumns("Other", "Beads1").Fit(rows).Transform(rows);
        var others = Context.Transforms.Concatenate("Both", "Beads0", "Other").Append(Context.Transforms.SelectColumns("Both")).Fit(renamed).Transform(renamed);
        string message = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Context.Vae.CompareSamples(Joined("Beads0", "Beads1"), others, Quick)).Message;
        foreach (string part in (string[])["'Both'", "'Beads1' are missing", "'Other' in their place"])
            StringAssert.Contains(message, part);
        message = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Context.Vae.CompareSamples(Joined("Beads0", "Beads1"), Joined("Beads0", "Beads1", "Beads0"), Quick)).Message;
        StringAssert.Contains(message, "numbers in 2 slots (Vector<Single, 2>)");
    }

    [TestMethod]
    public void Mismatch_NamesTheColumns()
    {
        var people = View(People(50, 1));
        IDataView Without(string column) => Context.Transforms.DropColumns(column).Fit(people).Transform(people);
        IDataView Renamed(string column, string name) => Context.Transforms.CopyColumns(name, column).Append(Context.Transforms.DropColumns(column)).Fit(people).Transform(people);
        Throws(() => Context.Vae.CompareSamples(people, Without("City")), "generated", "lack 'City'");
        Throws(() => Context.Vae.CompareSamples(Without("City"), people), "generated", "have 'City' besides");
        Throws(() => Context.Vae.CompareSamples(people, Renamed("City", "city")), "generated", "lack 'City'", "have 'city' besides", "IgnoredColumns");
        Throws(() => Context.Vae.CompareSamples(people, people, new() { Training = Without("Weight") }), "Training", "lack 'Weight'");
        var numbers = Context.Transforms.Conversion.ConvertType("Member", outputKind: DataKind.Single).Fit(people).Transform(people);
        Throws(() => Context.Vae.CompareSamples(people, numbers), "generated", "'Member'", "categories (Boolean)", "numbers (Single)");
        Throws(() => Context.Vae.CompareSamples(people, people, new() { IgnoredColumns = ["Citi"] }), "IgnoredColumns", "'Citi'", "'City'");
        Throws(() => Context.Vae.CompareSamples(people, people, new() { Folds = 1 }), "Folds", "between 2");
        Throws(() => Context.Vae.CompareSamples(people, people, new() { IgnoredColumns = ["Height", "Weight", "Income", "City", "Member"] }), "real", "no columns");
        var tokens = Context.Transforms.Text.TokenizeIntoWords("City").Fit(people).Transform(people);
        Throws(() => Context.Vae.CompareSamples(tokens, tokens), "real", "'City'", "unknown size");

        string few = Assert.ThrowsExactly<InvalidOperationException>(() => Context.Vae.CompareSamples(people, View(People(9, 1)))).Message;
        StringAssert.Contains(few, "generated rows are 9");

        var ignored = Context.Vae.CompareSamples(people, Without("City"), Quick with { IgnoredColumns = ["City"], Training = people });
        Assert.HasCount(4, ignored.Columns);

        static void Throws(Action action, string parameter, params string[] parts)
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(action);
            Assert.AreEqual(parameter, error.ParamName);
            foreach (string part in parts)
                StringAssert.Contains(error.Message, part);
        }
    }

    [TestMethod]
    public void OneSeed_OneResultWhateverElseRuns()
    {
        Person[] real = People(400, 1), generated = People(500, 2, person => person.Height += 3);
        var options = Quick with { ClassifierRows = 200, Training = View(People(300, 3)), RealHalves = true, Pairs = 4, Seed = 7 };
        string expected = Compare(real, generated, options).ToJson();
        string[] together = new string[4];
        Parallel.For(0, 4, i => together[i] = new MLContext(i).Vae.CompareSamples(View(real), View(generated), options).ToJson());
        foreach (string json in together)
            Assert.AreEqual(expected, json);
        var other = Compare(real, generated, options with { Seed = 8 });
        Assert.AreNotEqual(expected, other.ToJson());
        Assert.AreEqual(4, other.Pairs);
    }

    [TestMethod]
    public void Progress_GoesToItsEndAndCancellationStops()
    {
        var told = new List<CompareSamplesProgress>();
        using var source = new CancellationTokenSource();
        var options = Quick with { ClassifierRows = 100, RealHalves = true, Training = View(People(60, 3)), Progress = new Direct(told.Add), CancellationToken = source.Token };
        Compare(People(200, 1), People(200, 2), options);
        Assert.AreEqual((11, 11), (told[^1].Done, told[^1].Total));
        Assert.IsTrue(told.Zip(told.Skip(1)).All(pair => pair.First.Done <= pair.Second.Done));

        var stopping = options with { Progress = new Direct(step => { if (step.Step == "classifier") source.Cancel(); }) };
        Assert.ThrowsExactly<OperationCanceledException>(() => Compare(People(200, 1), People(200, 2), stopping));
        var failing = options with { CancellationToken = default, Progress = new Direct(step => { if (step.Step == "classifier") throw new FormatException("mine"); }) };
        Assert.ThrowsExactly<FormatException>(() => Compare(People(200, 1), People(200, 2), failing));
    }

    [TestMethod]
    public void Text_AndJsonSayTheSame()
    {
        var found = Compare(People(300, 1), People(200, 2, person => person.Weight += 9), Quick with { Training = View(People(100, 3)) });
        string text = found.ToString();
        foreach (string part in (string[])["300 real rows, 200 generated rows, 5 columns", found.Verdict, "classifier AUC", "pair error", "nearest training row", "Height and Weight"])
            StringAssert.Contains(text, part);
        Assert.IsTrue(text.Split('\n').All(line => line.Length <= 240 && line == line.TrimEnd()), text);
        string path = Path.Combine(Directory.CreateTempSubdirectory("compare").FullName, "report.json");
        found.SaveJson(path);
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        Assert.AreEqual(found.Auc, json.RootElement.GetProperty("auc").GetDouble());
        Assert.AreEqual(found.Verdict, json.RootElement.GetProperty("verdict").GetString());
        Assert.AreEqual(found.Copies!.DistanceRatio, json.RootElement.GetProperty("copies").GetProperty("distanceRatio").GetDouble());
        Assert.AreEqual(JsonValueKind.Null, json.RootElement.GetProperty("realAuc").ValueKind);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [TestMethod]
    [DataRow("tables/titanic.csv", 0)]
    [DataRow("tables/penguins.csv", 0)]
    public void RealTables_HalvesAreNotToldApart(string file, int seed)
    {
        string[] lines = File.ReadAllLines(RealData.Path(file));
        string[] names = lines[0].Split(',');
        string[][] rows = [.. lines.Skip(1).Select(line => line.Split(',')).Where(row => row.Length == names.Length)];
        new Random(seed).Shuffle(rows);
        SampleTable Table(IEnumerable<string[]> half) => new([.. names.Select((name, j) =>
            rows.All(row => row[j].Length == 0 || float.TryParse(row[j], System.Globalization.CultureInfo.InvariantCulture, out _))
                ? SampleColumn.OfNumbers(name, [.. half.Select(row => row[j].Length == 0 ? float.NaN : float.Parse(row[j], System.Globalization.CultureInfo.InvariantCulture))])
                : SampleColumn.OfCategories(name, half.Select(row => row[j])))]);
        var found = SampleComparer.Compare(Table(rows[..(rows.Length / 2)]), Table(rows[(rows.Length / 2)..]), null, Quick);
        Assert.IsFalse(found.IsDistinguishable, found.ToString());
        Assert.IsLessThan(1.3 * found.PairNoise!.Value, found.PairError!.Value);
    }

    private sealed class Direct(Action<CompareSamplesProgress> tell) : IProgress<CompareSamplesProgress>
    {
        public void Report(CompareSamplesProgress value) => tell(value);
    }

    private sealed record Person
    {
        public float Height { get; set; }

        public double Weight { get; set; }

        public float Income { get; set; }

        public string City { get; set; } = "";

        public bool Member { get; set; }
    }

    private sealed class Reordered
    {
        public bool Member { get; set; }

        public string City { get; set; } = "";

        public double Income { get; set; }

        public float Weight { get; set; }

        public double Height { get; set; }
    }

    private sealed class Chain
    {
        [VectorType(2, 2)]
        public float[] Beads { get; set; } = [];
    }

    private sealed class Pair
    {
        public float Beads0 { get; set; }

        public float Beads1 { get; set; }
    }
}
