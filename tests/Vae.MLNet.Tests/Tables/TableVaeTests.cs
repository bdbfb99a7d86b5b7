using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Tables;
using Vae.MLNet.Tests.Sequences;

namespace Vae.MLNet.Tests.Tables;

[TestClass]
public sealed class TableVaeTests
{
    private static readonly MLContext Ml = new(seed: 1);

    /// <summary>A fitted table that several tests look at; it is never changed.</summary>
    private static readonly Lazy<TableVaeTransformer> Fitted = new(() => Ml.Vae.TableAutoencoder(Quick(1500)).Fit(Rows(1200)));

    [ClassCleanup]
    public static void Dispose()
    {
        if (Fitted.IsValueCreated)
            Fitted.Value.Dispose();
    }

    /// <summary>Numbers that native code works with live until it has returned, whatever the collector does meanwhile.</summary>
    [TestMethod]
    public void Fit_WhileTheCollectorRuns()
    {
        using var stop = new CancellationTokenSource();
        var collector = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        });
        using var first = Ml.Vae.TableAutoencoder(Quick(200)).Fit(Rows(300));
        stop.Cancel();
        collector.Wait();
        using var second = Ml.Vae.TableAutoencoder(Quick(200)).Fit(Rows(300));
        float[] latent(TableVaeTransformer model) => [.. model.Transform(Rows(20)).GetColumn<float[]>("Latent").SelectMany(row => row)];
        Assert.AreSequenceEqual(latent(first), latent(second));
    }

    [TestMethod]
    public void Fit_TellsWhatEachColumnIs()
    {
        var kinds = Fitted.Value.Model.Columns.ToDictionary(column => column.Name);
        Assert.AreEqual(ColumnKind.Number, kinds["length"].Kind);
        Assert.AreEqual(2, kinds["length"].Decimals);
        Assert.AreEqual(ColumnKind.Number, kinds["count"].Kind);
        Assert.AreEqual("Int32", kinds["count"].Type);
        Assert.AreEqual(ColumnKind.Category, kinds["kind"].Kind);
        Assert.AreSequenceEqual(new[] { "a", "b", "c" }, kinds["kind"].Values.Order(StringComparer.Ordinal).ToArray());
        Assert.AreEqual(ColumnKind.Boolean, kinds["flag"].Kind);
        Assert.AreEqual(ColumnKind.Ignored, kinds["id"].Kind);
        Assert.Contains("identifiers", kinds["id"].Reason);
        Assert.AreEqual(0.1, kinds["length"].MissingShare, 0.03);
    }

    [TestMethod]
    public void Synthesize_WithACriticDrawsOthersForThoseThatAreDropped()
    {
        var drawn = Fitted.Value.Synthesize(3000, seed: 11);
        // To this critic only rows of the kind a are real.
        string[] kinds = [.. drawn.GetColumn<string>("kind")];
        var real = Ml.Data.FilterByCustomPredicate<KindOf>(drawn, row => row.kind.ToString() != "a");
        var critic = Ml.Vae.FitCritic(real, drawn, new() { Trees = 60 });
        var kept = Fitted.Value.Synthesize(400, seed: 3, critic: critic);
        Assert.AreEqual(400, kept.GetRowCount());
        Assert.IsGreaterThan(370, kept.GetColumn<string>("kind").Count(kind => kind == "a"));
        Assert.IsLessThan(2000, kinds.Count(kind => kind == "a"));
        Assert.AreSequenceEqual(kept.GetColumn<string>("kind").ToArray(), Fitted.Value.Synthesize(400, seed: 3, critic: critic).GetColumn<string>("kind").ToArray());
        Assert.AreSequenceEqual(kept.GetColumn<float>("length").ToArray(), Fitted.Value.Synthesize(400, seed: 3, critic: critic).GetColumn<float>("length").ToArray());
        // Conditions hold, and the critic chooses among the rows that they leave.
        var given = Fitted.Value.Synthesize(50, seed: 3, where: new Dictionary<string, object> { ["flag"] = true }, critic: critic);
        Assert.IsTrue(given.GetColumn<bool>("flag").All(flag => flag));
        Assert.IsGreaterThan(40, given.GetColumn<string>("kind").Count(kind => kind == "a"));
    }

    private sealed class KindOf
    {
        public ReadOnlyMemory<char> kind { get; set; }
    }

    [TestMethod]
    public void Synthesize_KeepsTypesDecimalsAndWhatGoesTogether()
    {
        var drawn = Fitted.Value.Synthesize(2000, seed: 3);
        Assert.AreSequenceEqual(new[] { "length", "count", "kind", "flag" }, drawn.Schema.Select(column => column.Name).ToArray());
        Assert.AreEqual(NumberDataViewType.Int32, drawn.Schema["count"].Type);
        float[] lengths = [.. drawn.GetColumn<float>("length")];
        string[] kinds = [.. drawn.GetColumn<string>("kind")];
        bool[] flags = [.. drawn.GetColumn<bool>("flag")];
        int[] counts = [.. drawn.GetColumn<int>("count")];
        Assert.IsTrue(lengths.Where(float.IsFinite).All(value => Math.Abs(value * 100 - Math.Round(value * 100)) < 1e-2));
        Assert.AreEqual(0.1, lengths.Count(float.IsNaN) / 2000.0, 0.04);
        Assert.IsTrue(counts.All(count => count is >= 0 and < 6));
        // In the table the flag is the kind, and the kind sets the length.
        Assert.IsLessThan(0.03, kinds.Zip(flags).Count(pair => pair.Second != (pair.First == "a")) / 2000.0);
        double mean(string kind) => lengths.Zip(kinds).Where(pair => pair.Second == kind && !float.IsNaN(pair.First)).Average(pair => pair.First);
        Assert.AreEqual(10, mean("a"), 0.5);
        Assert.AreEqual(20, mean("b"), 0.5);
        Assert.AreEqual(0.5, kinds.Count(kind => kind == "a") / 2000.0, 0.06);
    }

    [TestMethod]
    public void Synthesize_OneSeedGivesTheSameRowsAnotherOthers()
    {
        float[] draw(int seed) => [.. Fitted.Value.Synthesize(100, seed).GetColumn<float>("length")];
        Assert.AreSequenceEqual(draw(5), draw(5));
        Assert.IsFalse(draw(5).SequenceEqual(draw(6)));
        Assert.AreEqual(0, Fitted.Value.Synthesize(0).GetRowCount());
    }

    [TestMethod]
    public void Synthesize_ColumnsBehindCanBeGiven()
    {
        // The flag comes last; everything before it has to follow.
        var drawn = Fitted.Value.Synthesize(500, 1, new Dictionary<string, object> { ["flag"] = true });
        Assert.IsTrue(drawn.GetColumn<bool>("flag").All(flag => flag));
        Assert.IsGreaterThan(0.85, drawn.GetColumn<string>("kind").Count(kind => kind == "a") / 500.0);
        float[] lengths = [.. drawn.GetColumn<float>("length").Where(float.IsFinite)];
        Assert.AreEqual(10, lengths.Order().ElementAt(lengths.Length / 2), 1);
        var exact = Fitted.Value.Synthesize(50, 1, new Dictionary<string, object> { ["length"] = 19.87f });
        Assert.IsTrue(exact.GetColumn<float>("length").All(length => length == 19.87f));
        Assert.IsGreaterThan(0.7, exact.GetColumn<string>("kind").Count(kind => kind == "b") / 50.0);
        var missing = Fitted.Value.Synthesize(50, 1, new Dictionary<string, object> { ["length"] = "" });
        Assert.IsTrue(missing.GetColumn<float>("length").All(float.IsNaN));
    }

    [TestMethod]
    [DataRow("nothing", "a", "no column 'nothing'")]
    [DataRow("kind", "z", "never had the value 'z'")]
    [DataRow("count", "many", "'many' is no value of it")]
    public void Synthesize_RefusesImpossibleConditions(string column, string value, string expected)
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => Fitted.Value.Synthesize(1, 1, new Dictionary<string, object> { [column] = value }));
        Assert.Contains(expected, e.Message);
    }

    [TestMethod]
    public void Impute_FillsFromTheOtherCellsAndLeavesWhatIsThere()
    {
        var truth = (TableDataView)Rows(400, seed: 9, gaps: false);
        int[] hidden = [.. Enumerable.Range(0, 400).Where(row => row % 3 == 0)];
        var columns = truth.Columns.Select(column => column.Name switch
        {
            "length" => RawColumn.OfNumbers(column.Name, column.Type, [.. column.Numbers!.Select((value, row) => row % 3 == 0 ? double.NaN : value)]),
            "kind" => RawColumn.OfTexts(column.Name, column.Type, [.. column.Codes!.Select((code, row) => row % 3 == 1 ? -1 : code)], column.Texts!),
            _ => column,
        }).ToArray();
        var filled = Fitted.Value.Model.Impute(new TableDataView(columns, 400));
        float[] lengths = [.. filled.GetColumn<float>("length")], was = [.. truth.GetColumn<float>("length")];
        string[] kinds = [.. filled.GetColumn<string>("kind")], wasKind = [.. truth.GetColumn<string>("kind")];
        Assert.IsTrue(lengths.All(float.IsFinite));
        for (int row = 0; row < 400; row++)
        {
            if (row % 3 != 0)
                Assert.AreEqual(was[row], lengths[row]);
            if (row % 3 != 1)
                Assert.AreEqual(wasKind[row], kinds[row]);
        }
        // The kind tells the length up to noise of one, over a range of thirty.
        Assert.IsLessThan(2, Math.Sqrt(hidden.Average(row => Math.Pow(lengths[row] - was[row], 2))));
        Assert.IsGreaterThan(0.9, Enumerable.Range(0, 400).Where(row => row % 3 == 1).Average(row => kinds[row] == wasKind[row] ? 1.0 : 0));
        Assert.AreSequenceEqual(lengths, Fitted.Value.Model.Impute(new TableDataView(columns, 400)).GetColumn<float>("length").ToArray());
    }

    [TestMethod]
    public void Score_GrossErrorsAndBrokenPairsAreOdd()
    {
        var plain = (TableDataView)Rows(300, seed: 4, gaps: false);
        float[] scores = Scores(plain.Columns);
        float usual = scores.Order().ElementAt(150);
        float far(double value) => Scores(Replaced("length", value))[0];
        Assert.IsGreaterThan(usual + 3, far(200));
        Assert.IsGreaterThan(far(200), far(1e6));
        Assert.IsGreaterThan(far(1e6), far(1e30));
        Assert.IsGreaterThan(usual + 3, far(-50));
        Assert.AreEqual(float.PositiveInfinity, far(double.PositiveInfinity));
        // A flag that contradicts the kind.
        var flags = plain.Columns.Select(column => column.Name != "flag" ? column
            : RawColumn.OfNumbers(column.Name, column.Type, [.. column.Numbers!.Select(value => 1 - value)])).ToArray();
        Assert.IsGreaterThan(usual + 3, Scores(flags).Order().ElementAt(150));
        // A text that was never seen.
        var strange = plain.Columns.Select(column => column.Name != "kind" ? column
            : RawColumn.OfTexts(column.Name, column.Type, new int[300], ["never seen"])).ToArray();
        Assert.IsGreaterThan(usual + 3, Scores(strange).Order().ElementAt(150));

        RawColumn[] Replaced(string name, double value) => [.. plain.Columns.Select(column => column.Name != name ? column
            : RawColumn.OfNumbers(column.Name, column.Type, [.. column.Numbers!.Select(_ => value)]))];

        static float[] Scores(IReadOnlyList<RawColumn> columns)
        {
            float[] scored = [.. Fitted.Value.Transform(new TableDataView(columns, 300)).GetColumn<float>("Score")];
            Assert.IsFalse(scored.Any(float.IsNaN));
            return scored;
        }
    }

    [TestMethod]
    public void Contributions_SumToTheScoreAndNameTheColumn()
    {
        var plain = (TableDataView)Rows(50, seed: 4, gaps: false);
        var odd = plain.Columns.Select(column => column.Name != "length" ? column
            : RawColumn.OfNumbers(column.Name, column.Type, [.. column.Numbers!.Select(_ => 500.0)])).ToArray();
        var scored = Fitted.Value.Transform(new TableDataView(odd, 50));
        foreach (var (parts, score) in scored.GetColumn<float[]>("Parts").Zip(scored.GetColumn<float>("Score")))
        {
            Assert.AreEqual(score, parts.Sum(), 1e-3f * score);
            Assert.AreEqual(parts.Max(), parts[0]);
        }
        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["Parts"].GetSlotNames(ref names);
        Assert.AreEqual("length", names.GetItemOrDefault(0).ToString());
    }

    [TestMethod]
    public void Fit_OneSeedGivesTheSameModelWhateverElseRuns()
    {
        byte[] train()
        {
            using var model = Ml.Vae.TableAutoencoder(Quick(steps: 60)).Fit(Rows(200));
            return model.Model.ToOnnx();
        }
        byte[] first = train();
        byte[][] together = new byte[3][];
        Parallel.For(0, 3, i => together[i] = train());
        foreach (byte[] other in together)
            CollectionAssert.AreEqual(first, other);
    }

    [TestMethod]
    public void Saved_LoadsAsAnOrdinaryModelAndComesBackWhole()
    {
        using var folder = new TemporaryFolder();
        string path = folder["table.zip"];
        var rows = Rows(300, seed: 8);
        Ml.Vae.SaveModel(Fitted.Value, rows.Schema, path);
        var loaded = new MLContext().Model.Load(path, out _);
        var expected = Fitted.Value.Transform(rows);
        Same(loaded.Transform(rows));
        var back = Ml.Vae.Rehydrate(loaded);
        using (back as IDisposable)
        {
            Assert.IsInstanceOfType<TableVaeTransformer>(back);
            Same(back.Transform(rows));
        }
        var model = TableVaeModel.FromPipeline(path);
        Assert.AreSequenceEqual(Fitted.Value.Synthesize(200, 2).GetColumn<float>("length").ToArray(), model.Synthesize(200, 2).GetColumn<float>("length").ToArray());
        Assert.AreEqual(Fitted.Value.Model.Threshold, model.Threshold);
        Assert.AreEqual(Fitted.Value.Model.Columns.Count, model.Columns.Count);
        (loaded as IDisposable)?.Dispose();

        void Same(IDataView found)
        {
            foreach (var (a, b) in expected.GetColumn<float>("Score").Zip(found.GetColumn<float>("Score")))
                Assert.AreEqual(a, b, 1e-4f * Math.Max(1, Math.Abs(a)));
            foreach (var (a, b) in expected.GetColumn<float[]>("Latent").Zip(found.GetColumn<float[]>("Latent")))
                Assert.IsLessThan(1e-4f, a.Zip(b).Max(pair => Math.Abs(pair.First - pair.Second)));
        }
    }

    [TestMethod]
    public void Sampler_RunsOnOnnxRuntimeAloneWithTypedColumns()
    {
        using var session = new InferenceSession(Fitted.Value.Model.ToSamplerOnnx());
        var random = new SeededRandom(1);
        int cells = session.InputMetadata["Noise"].Dimensions[1];
        var noise = new DenseTensor<float>(Enumerable.Range(0, 40 * cells).Select(_ => (float)random.NextUniform()).ToArray(), [40, cells]);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor("Noise", noise)]);
        var outputs = results.ToDictionary(result => result.Name);
        Assert.IsTrue(outputs["kind"].AsEnumerable<string>().All(kind => kind is "a" or "b" or "c"));
        Assert.IsTrue(outputs["count"].AsEnumerable<int>().All(count => count is >= 0 and < 6));
        Assert.AreEqual(40, outputs["flag"].AsEnumerable<bool>().Count());
        Assert.IsTrue(outputs["length"].AsEnumerable<float>().All(length => float.IsNaN(length) || length is > 0 and < 45));
    }

    [TestMethod]
    public void Synthesize_ExcludedRowsDoNotComeAgain()
    {
        var random = new Random(1);
        string[] letters = ["a", "b", "c", "d"];
        var table = new TableDataView(
        [
            RawColumn.OfTexts("left", TextDataViewType.Instance, [.. Enumerable.Range(0, 300).Select(_ => random.Next(4))], letters),
            RawColumn.OfTexts("right", TextDataViewType.Instance, [.. Enumerable.Range(0, 300).Select(_ => random.Next(4))], letters),
            RawColumn.OfNumbers("digit", NumberDataViewType.Int32, [.. Enumerable.Range(0, 300).Select(_ => (double)random.Next(5))]),
        ], 300);
        using var model = Ml.Vae.TableAutoencoder(Quick(200)).Fit(table);
        string[] rows(IDataView view) => [.. view.GetColumn<string>("left").Zip(view.GetColumn<string>("right"), view.GetColumn<int>("digit")).Select(row => $"{row.First}{row.Second}{row.Third}")];
        int[] first = [.. Enumerable.Range(0, 150)];
        var excluded = new TableDataView([.. table.Columns.Select(column => column.Select(first))], first.Length);
        string[] free = rows(model.Synthesize(500, seed: 2)), others = rows(model.Synthesize(500, seed: 2, excluded: excluded));
        Assert.IsTrue(free.Intersect(rows(excluded)).Any());
        Assert.IsFalse(others.Intersect(rows(excluded)).Any());
        // What was no copy stays as it was.
        Assert.AreEqual(free.Count(row => !rows(excluded).Contains(row)), free.Zip(others).Count(pair => pair.First == pair.Second));
        string[] given = rows(model.Synthesize(100, 2, new Dictionary<string, object> { ["left"] = "b" }, excluded));
        Assert.IsTrue(given.All(row => row[0] == 'b') && !given.Intersect(rows(excluded)).Any());
        // Every row that there is: nothing is left to draw.
        int[] all = [.. Enumerable.Range(0, 80)];
        var everything = new TableDataView(
        [
            RawColumn.OfTexts("left", TextDataViewType.Instance, [.. all.Select(i => i % 4)], letters),
            RawColumn.OfTexts("right", TextDataViewType.Instance, [.. all.Select(i => i / 4 % 4)], letters),
            RawColumn.OfNumbers("digit", NumberDataViewType.Int32, [.. all.Select(i => (double)(i / 16))]),
        ], 80);
        Assert.Contains("among the excluded ones", Assert.ThrowsExactly<InvalidOperationException>(() => model.Synthesize(5, 1, null, everything)).Message);
        var lacking = new TableDataView([.. excluded.Columns.Take(2)], first.Length);
        Assert.Contains("'digit'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => model.Synthesize(5, 1, null, lacking)).Message);
    }

    /// <summary>
    /// Of a number with parts in some bins and none in others: what is drawn behind it goes with it as it did in the table. A part that is settled by its bin must not be drawn,
    /// for the columns behind never saw another one.
    /// </summary>
    [TestMethod]
    public void Synthesize_BehindANumberWithParts_TheRestGoesWithIt()
    {
        var random = new Random(2);
        const int Count = 6000;
        double[] values = [.. Enumerable.Range(0, Count).Select(i => i % 2 == 0 ? 10 * (1 + i % 8 / 2) : Math.Round(60 * random.NextDouble(), 3))];
        int[] kinds = [.. values.Select(value => value < 30 ? 0 : 1)];
        var options = Quick(1200);
        using var model = Ml.Vae.TableAutoencoder(options).Fit(new TableDataView(
        [
            RawColumn.OfNumbers("value", NumberDataViewType.Double, values),
            RawColumn.OfTexts("kind", TextDataViewType.Instance, kinds, ["low", "high"]),
        ], Count));
        var codec = model.Model.Schema.Codecs[0];
        Assert.IsTrue(codec.HasLeaves && codec.LeafCounts.Contains(1), "Some bins have parts, others have one.");
        var drawn = model.Synthesize(4000, seed: 4);
        var pairs = drawn.GetColumn<double>("value").Zip(drawn.GetColumn<string>("kind")).ToArray();
        Assert.IsLessThan(0.01, pairs.Count(pair => pair.First < 30 != (pair.Second == "low")) / 4000.0);
        Assert.AreEqual(values.Count(value => value == 30) / (double)Count, pairs.Count(pair => pair.First == 30) / 4000.0, 0.02);
    }

    [TestMethod]
    public void Fit_TakesWhatTablesHold()
    {
        // Constant, all missing, infinite and huge numbers, one value, many texts, odd names.
        var random = new Random(1);
        int count = 120;
        string[] many = [.. Enumerable.Range(0, 60).Select(i => $"text {i}")];
        RawColumn[] columns =
        [
            RawColumn.OfNumbers("constant", NumberDataViewType.Single, [.. Enumerable.Repeat(3.0, count)]),
            RawColumn.OfNumbers("nothing", NumberDataViewType.Single, [.. Enumerable.Repeat(double.NaN, count)]),
            RawColumn.OfNumbers("wild", NumberDataViewType.Single, [.. Enumerable.Range(0, count).Select(i => i % 7 == 0 ? double.PositiveInfinity : i % 11 == 0 ? double.NegativeInfinity : random.NextDouble() * 1e38)]),
            RawColumn.OfNumbers("long", NumberDataViewType.Int64, [.. Enumerable.Range(0, count).Select(_ => (double)random.NextInt64(1L << 50))]),
            RawColumn.OfTexts("many", TextDataViewType.Instance, [.. Enumerable.Range(0, count).Select(i => i / 2)], many),
            RawColumn.OfTexts("empty", TextDataViewType.Instance, [.. Enumerable.Repeat(-1, count)], []),
            RawColumn.OfNumbers(" odd, \"name\"\n", BooleanDataViewType.Instance, [.. Enumerable.Repeat(1.0, count)]),
        ];
        var view = new TableDataView(columns, count);
        using var model = Ml.Vae.TableAutoencoder(Quick(steps: 30)).Fit(view);
        var drawn = model.Synthesize(200, 1);
        Assert.AreEqual(200, drawn.GetRowCount());
        Assert.IsTrue(drawn.GetColumn<float>("constant").All(value => value == 3));
        Assert.IsTrue(drawn.GetColumn<float>("nothing").All(float.IsNaN));
        Assert.IsTrue(drawn.GetColumn<float>("wild").All(value => value >= 0 && float.IsFinite(value)));
        Assert.IsFalse(model.Transform(view).GetColumn<float>("Score").Any(float.IsNaN));
        // What has no value anywhere cannot be filled.
        Assert.IsTrue(model.Model.Impute(view).GetColumn<float>("nothing").All(float.IsNaN));
        using var folder = new TemporaryFolder();
        Ml.Vae.SaveModel(model, view.Schema, folder["odd.zip"]);
        using var one = Ml.Vae.TableAutoencoder(Quick(steps: 5)).Fit(new TableDataView([.. columns.Select(column => column.Select([0]))], 1));
        Assert.AreEqual(3, one.Synthesize(3).GetRowCount());
    }

    [TestMethod]
    public void Fit_RefusesWhatIsNotThere()
    {
        var rows = Rows(60);
        var ignore = Assert.ThrowsExactly<ArgumentException>(() => Ml.Vae.TableAutoencoder(new() { Ignore = ["nowhere"] }).Fit(rows));
        Assert.Contains("'nowhere'", ignore.Message);
        Assert.Contains("length", ignore.Message);
        var kinds = Quick();
        kinds.Columns["kind"] = ColumnKind.Number;
        Assert.Contains("'kind' holds text", Assert.ThrowsExactly<ArgumentException>(() => Ml.Vae.TableAutoencoder(kinds).Fit(rows)).Message);
        Assert.ThrowsExactly<InvalidOperationException>(() => Ml.Vae.TableAutoencoder(Quick()).Fit(new TableDataView([.. ((TableDataView)rows).Columns.Select(column => column.Select([]))], 0)));
        Assert.ThrowsExactly<ArgumentException>(() => Ml.Vae.TableAutoencoder(new() { LatentColumnName = "Score" }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Ml.Vae.TableAutoencoder(new() { LatentDimension = 0 }));
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => Ml.Vae.TableAutoencoder(new() { CancellationToken = cancellation.Token }).Fit(rows));
        var lacking = new TableDataView([.. ((TableDataView)rows).Columns.Where(column => column.Name != "kind")], 60);
        Assert.Contains("'kind'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Fitted.Value.Transform(lacking)).Message);
        var pipeline = Assert.ThrowsExactly<NotSupportedException>(() => Ml.Vae.ExportPipeline(Fitted.Value, rows.Schema, "never.onnx"));
        Assert.Contains("ExportSampler", pipeline.Message);
    }

    [TestMethod]
    public void Predict_OneRowOfAPlainClass()
    {
        using var engine = Ml.Model.CreatePredictionEngine<Item, Scored>(Fitted.Value);
        var usual = engine.Predict(new Item { Length = 10, Count = 2, Kind = "a", Flag = true, Id = "x" });
        var odd = engine.Predict(new Item { Length = 10, Count = 2, Kind = "a", Flag = false, Id = "x" });
        Assert.IsGreaterThan(usual.Score + 2, odd.Score);
    }

    [TestMethod]
    [DataRow(ColumnKind.Number, 50, 1)]
    [DataRow(ColumnKind.Number, 3000, 2)]
    [DataRow(ColumnKind.Number, 40000, 3)]
    public void Codec_DecodesIntoTheBinThatWasEncoded(ColumnKind kind, int count, int seed)
    {
        var random = new Random(seed);
        double[] values = [.. Enumerable.Range(0, count).Select(i => i % 5 == 0 ? 0 : Math.Round(Math.Exp(3 * random.NextDouble()), seed))];
        var codec = ColumnCodec.OfNumber(RawColumn.OfNumbers("x", NumberDataViewType.Double, values), kind, [.. Enumerable.Range(0, count)]);
        Assert.IsLessThanOrEqualTo(65, codec.Bins);
        foreach (double value in values.Distinct().Take(500))
        {
            var (bin, leaf) = codec.Encode(value);
            for (double u = 0; u < 1; u += 0.09)
            {
                double drawn = codec.Decode(bin, leaf, u);
                Assert.IsTrue(drawn >= codec.Minimum && drawn <= codec.Maximum);
                Assert.AreEqual(bin, codec.Encode(drawn).First);
            }
        }
        // Zeros, a fifth of the rows, have a bin of their own.
        var zero = codec.Encode(0);
        Assert.AreEqual(0, codec.Decode(zero.First, zero.Second, 0.99));
    }

    /// <summary>Kind sets the length and the flag; the count is on its own; the id tells rows apart.</summary>
    private static TableDataView Rows(int count, int seed = 1, bool gaps = true)
    {
        var random = new Random(seed);
        string[] kinds = ["a", "b", "c"];
        int[] kind = [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() is var u && u < 0.5 ? 0 : u < 0.8 ? 1 : 2)];
        double normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return new(
        [
            RawColumn.OfNumbers("length", NumberDataViewType.Single, [.. kind.Select(k => gaps && random.NextDouble() < 0.1 ? double.NaN : (float)Math.Round(10 * (k + 1) + normal(), 2))]),
            RawColumn.OfNumbers("count", NumberDataViewType.Int32, [.. kind.Select(_ => (double)random.Next(6))]),
            RawColumn.OfTexts("kind", TextDataViewType.Instance, kind, kinds),
            RawColumn.OfNumbers("flag", BooleanDataViewType.Instance, [.. kind.Select(k => k == 0 ? 1.0 : 0)]),
            RawColumn.OfTexts("id", TextDataViewType.Instance, [.. Enumerable.Range(0, count)], [.. Enumerable.Range(0, count).Select(i => $"row {i}")]),
        ], count);
    }

    private static TableVaeTrainer.Options Quick(int steps = 500) => new() { Steps = steps, Seed = 3, Threads = 1, LatentDimension = 4, FreeNats = 2, ContributionsColumnName = "Parts" };

    private sealed class Item
    {
        [ColumnName("length")]
        public float Length { get; set; }

        [ColumnName("count")]
        public int Count { get; set; }

        [ColumnName("kind")]
        public string Kind { get; set; } = "";

        [ColumnName("flag")]
        public bool Flag { get; set; }

        [ColumnName("id")]
        public string Id { get; set; } = "";
    }

    private sealed class Scored
    {
        public float Score { get; set; }
    }
}
