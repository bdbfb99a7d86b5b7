using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class SiteIndependentTests
{
    private static readonly SequenceLayout Layout = SequenceLayout.FromReference(SequenceAlphabet.Dna, "ACG");

    private static SequenceAlignment Small() => SequenceAlignment.FromSequences(Layout, ["ACG", "ACN", "A-G"]).WithWeights([1, 0.5f, 2]);

    [TestMethod]
    public void Fit_WeighsCountsAndLeavesOutUnknownLetters()
    {
        var model = SiteIndependentModel.Fit(Small(), new SiteIndependentOptions { Pseudocount = 0.5 });
        CollectionAssert.AreEqual(new[] { 4 / 6.0, 0.5 / 6, 0.5 / 6, 0.5 / 6, 0.5 / 6 }, model.Frequencies(0).ToArray());
        CollectionAssert.AreEqual(new[] { 0.5 / 6, 2 / 6.0, 0.5 / 6, 0.5 / 6, 2.5 / 6 }, model.Frequencies(1).ToArray());
        Assert.AreEqual(3.5 / 5.5, model.Frequencies(2)[2], 1e-12);
        Assert.AreEqual(Math.Log(4 / 6.0 * (2 / 6.0)), model.LogProbability(Layout.Encode("ACN")), 1e-6, "An unknown letter adds nothing.");
    }

    [TestMethod]
    [DataRow(GapTreatment.Missing)]
    [DataRow(GapTreatment.Masked)]
    public void Fit_LeavesOutGapsThatAreNoSymbols(GapTreatment gaps)
    {
        var layout = SequenceLayout.FromReference(SequenceAlphabet.Dna.WithGaps(gaps), "ACG");
        var model = SiteIndependentModel.Fit(SequenceAlignment.FromSequences(layout, ["ACG", "A-G"]));
        CollectionAssert.AreEqual(new[] { 0.5 / 3, 1.5 / 3, 0.5 / 3, 0.5 / 3 }, model.Frequencies(1).ToArray());
        Assert.AreEqual(model.LogProbability(layout.Encode("A-G")), model.LogProbability(layout.Encode("ANG")));
    }

    [TestMethod]
    public void Sample_HasTheModelsFrequencies()
    {
        var model = SiteIndependentModel.Fit(Small());
        var sample = model.Sample(20_000, seed: 5);
        double[,] frequencies = SequenceStatistics.SingleSiteFrequencies(sample);
        for (int i = 0; i < 3; i++)
        {
            // Four standard errors: sqrt(0.25 / 20,000) = 0.0035.
            for (int a = 0; a < 5; a++)
                Assert.AreEqual(model.Frequencies(i)[a], frequencies[i, a], 0.015);
        }
        Assert.IsTrue(sample.Tokens.Span.SequenceEqual(model.Sample(20_000, 5).Tokens.Span));
        Assert.IsFalse(sample.Tokens.Span.SequenceEqual(model.Sample(20_000, 6).Tokens.Span));
    }

    [TestMethod]
    public void ScoreVariants_IsTheDifferenceOfLogProbabilities()
    {
        var model = SiteIndependentModel.Fit(Small());
        var scores = model.ScoreVariants(["A1C", "A1C:G3T", "C1A", "A9C", "nonsense"]);
        double reference = model.LogProbability(Layout.Encode("ACG"));
        Assert.AreEqual(model.LogProbability(Layout.Encode("CCG")) - reference, scores[0].Score!.Value, 1e-6);
        Assert.AreEqual(model.LogProbability(Layout.Encode("CCT")) - reference, scores[1].Score!.Value, 1e-6);
        CollectionAssert.AreEqual(new[] { VariantStatus.Valid, VariantStatus.Valid, VariantStatus.ReferenceMismatch, VariantStatus.OutsideReference, VariantStatus.Malformed },
            scores.Select(s => s.Status).ToArray());
        Assert.IsTrue(scores.Skip(2).All(s => s.Score is null && s.Reason is { Length: > 0 }));
    }

    [TestMethod]
    public void Estimator_FitsTransformsSavesAndLoads()
    {
        var ml = new MLContext(0);
        var a = SequenceWeightsTests.Mutants(600, 30, 4).WithSequenceWeights();
        var estimator = ml.Vae.SiteIndependent("LogP", "Tokens");
        var shape = estimator.GetOutputSchema(SchemaShapeOf(a.Schema));
        Assert.IsTrue(shape.Any(c => c.Name == "LogP" && c.Kind == SchemaShape.Column.VectorKind.Scalar && c.ItemType == NumberDataViewType.Single));
        using var model = estimator.Fit(a);
        float[] scores = [.. model.Transform(a).GetColumn<float>("LogP")];
        for (int n = 0; n < a.Count; n++)
            Assert.AreEqual(SiteIndependentModel.Fit(a).LogProbability(a.Row(n)), scores[n], 1e-4);

        using var engine = ml.Model.CreatePredictionEngine<Row, Score>(model, inputSchema: a.Schema);
        Assert.AreEqual(scores[3], engine.Predict(new Row { Tokens = [.. a.Row(3).ToArray().Select(t => (long)t)] }).LogP);

        using var stream = new MemoryStream();
        ml.Model.Save(model, a.Schema, stream);
        stream.Position = 0;
        var fresh = new MLContext(7);
        var loaded = fresh.Model.Load(stream, out var schema);
        Assert.AreEqual("Vector<Int64, 30>", schema["Tokens"].Type.ToString());
        float[] again = [.. loaded.Transform(a).GetColumn<float>("LogP")];
        // Sums of 30 logarithms in single precision, in another order.
        for (int n = 0; n < a.Count; n++)
            Assert.AreEqual(scores[n], again[n], 1e-4);
        (loaded as IDisposable)?.Dispose();
    }

    [TestMethod]
    public void Transformer_IsRehydrated()
    {
        var ml = new MLContext(0);
        var a = Small();
        using var fitted = ml.Vae.SiteIndependent("LogP").Fit(a);
        using var stream = new MemoryStream();
        ml.Model.Save(fitted, a.Schema, stream);
        stream.Position = 0;
        using var rehydrated = (SiteIndependentTransformer)ml.Vae.Rehydrate(ml.Model.Load(stream, out _));
        Assert.AreEqual(a.Layout.ToJson(), rehydrated.Model.Layout.ToJson());
        Assert.AreSequenceEqual(fitted.Model.Logs.ToArray(), rehydrated.Model.Logs.ToArray());
        for (int c = 0; c < a.Length; c++)
        {
            for (int s = 0; s < fitted.Model.SymbolCount; s++)
                Assert.AreEqual(fitted.Model.Frequencies(c)[s], rehydrated.Model.Frequencies(c)[s], 1e-6);
        }
        Assert.AreSequenceEqual(fitted.Transform(a).GetColumn<float>("LogP").ToArray(), rehydrated.Transform(a).GetColumn<float>("LogP").ToArray());
    }

    [TestMethod]
    public void Estimator_NamesWhatDoesNotFit()
    {
        var ml = new MLContext(0);
        var a = Small();
        Assert.Contains("'Name'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.SiteIndependent("S", "Name").Fit(a)).Message);
        Assert.Contains("no such column", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.SiteIndependent("S", "None").Fit(a)).Message);
        var plain = ml.Data.LoadFromEnumerable([new Three { Tokens = [1, 2, 3] }]);
        Assert.Contains("without layout", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.SiteIndependent().Fit(plain)).Message);
        using var model = ml.Vae.SiteIndependent().Fit(a);
        var wrong = ml.Data.LoadFromEnumerable([new Three { Tokens = [1, 2, 99] }]);
        Assert.Contains("slot 2", Assert.ThrowsExactly<InvalidOperationException>(() => model.Transform(wrong).GetColumn<float>("Score").ToArray()).Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ml.Vae.SiteIndependent(options: new SiteIndependentOptions { Pseudocount = 0 }));
        Assert.ThrowsExactly<ArgumentException>(() => ml.Vae.SiteIndependent("Tokens", "Tokens"));
    }

    [TestMethod]
    public void RealData_Tp53Labels()
    {
        var a = new MLContext(0).Vae.LoadAlignment(RealData.Path("proteins/P53_HUMAN_b0.1.a2m"), new SequenceAlignmentOptions { Alphabet = SequenceAlphabet.AminoAcids.WithGaps(GapTreatment.Missing) })
            .WithSequenceWeights();
        var (auc, usable) = Auc(SiteIndependentModel.Fit(a));
        Assert.AreEqual(157, usable);
        // The published baseline gives 0.980.
        Assert.AreEqual(0.980, auc, 0.002);
    }

    internal static (double Auc, int Usable) Auc(SiteIndependentModel model)
    {
        string[][] rows = [.. File.ReadLines(RealData.Path("proteins/P53_ClinVar_labels.csv")).Skip(1).Select(line => line.Split(','))];
        var scores = model.ScoreVariants(rows.Select(row => row[1]));
        int[] usable = [.. Enumerable.Range(0, rows.Length).Where(i => scores[i].Status == VariantStatus.Valid)];
        Assert.IsTrue(scores.Where(s => s.Status != VariantStatus.Valid).All(s => s.Status == VariantStatus.OutsideColumns), "What is not usable lies outside of the columns.");
        double[] pathogenicity = [.. usable.Select(i => -scores[i].Score!.Value)];
        bool[] labels = [.. usable.Select(i => double.Parse(rows[i][3], CultureInfo.InvariantCulture) == 1)];
        return (RankStatistics.RocAuc(pathogenicity, labels), usable.Length);
    }

    private static SchemaShape SchemaShapeOf(DataViewSchema schema) =>
        new MLContext(0).Transforms.CopyColumns("Weight2", "Weight").GetOutputSchema(SchemaShapeFrom(schema));

    private static SchemaShape SchemaShapeFrom(DataViewSchema schema) =>
        (SchemaShape)typeof(SchemaShape).GetMethod("Create", System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic)!.Invoke(null, [schema])!;

    private sealed class Row
    {
        public string Name { get; set; } = "";

        public string Header { get; set; } = "";

        public string Sequence { get; set; } = "";

        [VectorType(30)]
        public long[] Tokens { get; set; } = [];

        public float Weight { get; set; }
    }

    private sealed class Three
    {
        [VectorType(3)]
        public long[] Tokens { get; set; } = [];
    }

    private sealed class Score
    {
        public float LogP { get; set; }
    }
}
