using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tests.Conformations;

[TestClass]
public sealed class ConformationEstimatorTests
{
    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void CenterConformations_KeepsTheContract(int dimensions)
    {
        EstimatorContract.Run(context => context.Vae.CenterConformations("Output", EstimatorContract.Input, dimensions), Rows(300, dimensions), needsRows: false);
        EstimatorContract.Run(context => context.Vae.CenterConformations("Output", EstimatorContract.Input, dimensions, Masses), Rows(300, dimensions), needsRows: false);
    }

    [TestMethod]
    [DataRow(2, PrincipalAxisSign.ThirdMoment, false)]
    [DataRow(3, PrincipalAxisSign.ThirdMoment, false)]
    [DataRow(2, PrincipalAxisSign.FirstBead, true)]
    [DataRow(3, PrincipalAxisSign.FirstBead, true)]
    [DataRow(2, PrincipalAxisSign.None, false)]
    [DataRow(3, PrincipalAxisSign.None, false)]
    public void AlignPrincipalAxes_KeepsTheContract(int dimensions, PrincipalAxisSign sign, bool canonical) => EstimatorContract.Run(
        context => context.Vae.AlignPrincipalAxes("Output", EstimatorContract.Input, dimensions, new() { Sign = sign, Mirror = canonical, ChainDirection = canonical }),
        Rows(300, dimensions), needsRows: false);

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    public void RadiusOfGyration_KeepsTheContract(int dimensions)
    {
        EstimatorContract.Run(context => context.Vae.RadiusOfGyration("Output", EstimatorContract.Input, dimensions), Rows(300, dimensions), needsRows: false);
        EstimatorContract.Run(context => context.Vae.RadiusOfGyration("Output", EstimatorContract.Input, dimensions, Masses), Rows(300, dimensions), needsRows: false);
    }

    [TestMethod]
    public void Chain_SavedAndLoadedByPlainMLNet()
    {
        var context = new MLContext(seed: 1);
        var data = context.Data.LoadFromEnumerable(Rows(50, 2).Select((row, i) => new Frame { Conformation = row, Score = i }));
        var model = context.Vae.CenterConformations("Centered", "Conformation", dimensions: 2)
            .Append(context.Vae.AlignPrincipalAxes("Features", "Centered", dimensions: 2))
            .Append(context.Vae.RadiusOfGyration("Rg", "Features", dimensions: 2))
            .Fit(data);
        var expected = context.Data.CreateEnumerable<Result>(model.Transform(data), reuseRowObject: false).ToArray();
        Assert.AreEqual(2, ((VectorDataViewType)data.Schema["Conformation"].Type).Dimensions.Length, "The frames are typed [12, 2].");

        using var stream = new MemoryStream();
        context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var fresh = new MLContext();
        var loaded = fresh.Model.Load(stream, out _);
        var found = fresh.Data.CreateEnumerable<Result>(loaded.Transform(data), reuseRowObject: false).ToArray();
        using var engine = fresh.Model.CreatePredictionEngine<Frame, Result>(loaded);
        Assert.HasCount(50, found);
        var columns = loaded.GetOutputSchema(data.Schema).Where(column => !column.IsHidden).Select(column => column.Name).ToArray();
        Assert.AreSequenceEqual(model.GetOutputSchema(data.Schema).Where(column => !column.IsHidden).Select(column => column.Name).Order().ToArray(), columns.Order().ToArray());
        for (int i = 0; i < found.Length; i++)
        {
            Assert.AreEqual(expected[i].Rg, found[i].Rg, 1e-5f * expected[i].Rg);
            Assert.AreEqual(i, found[i].Score, "The data's own Score column survives the helper columns of a scalar output.");
            for (int k = 0; k < 24; k++)
                Assert.AreEqual(expected[i].Features[k], found[i].Features[k], 1e-5f * expected[i].Rg);
            var frame = new Frame { Conformation = Rows(50, 2)[i], Score = i };
            Assert.AreEqual(found[i].Rg, engine.Predict(frame).Rg);
        }
    }

    [TestMethod]
    public void Fit_SaysWhatDoesNotFit()
    {
        var context = new MLContext();
        var frames = context.Data.LoadFromEnumerable(Array.Empty<Frame>());
        var flat = EstimatorContract.Load(context, [], 25);

        Refused(() => context.Vae.AlignPrincipalAxes("O", "Conformation", 3).Fit(frames), "Conformation", "dimensions = 3", "12, 2");
        Refused(() => context.Vae.CenterConformations("O", EstimatorContract.Input, 2).Fit(flat), EstimatorContract.Input, "multiple of dimensions = 2", "25");
        Refused(() => context.Vae.RadiusOfGyration("O", "Conformation", 2, [1, 2, 3]).Fit(frames), "Conformation", "3 masses", "12, 2");
        Refused(() => context.Vae.RadiusOfGyration("O", "Nowhere", 2).Fit(frames), "Nowhere", "no such column");
        Refused(() => context.Vae.AlignPrincipalAxes("O", "I", 4), "dimensions", "between 2 and 3", "4");
        Refused(() => context.Vae.AlignPrincipalAxes("O", "I", 1), "dimensions", "1");
        Refused(() => context.Vae.CenterConformations("O", "I", 0), "dimensions", "0");
        Refused(() => context.Vae.CenterConformations("O", "I", 2, [1, 0]), "masses", "bead 1", "0");
        Refused(() => context.Vae.CenterConformations("O", "I", 2, [1, float.NaN]), "masses", "bead 1", "NaN");
        Refused(() => context.Vae.AlignPrincipalAxes("O", "I", 2, new() { Masses = [-1] }), "Masses", "-1");
        Refused(() => context.Vae.AlignPrincipalAxes("O", "I", 2, new() { Sign = (PrincipalAxisSign)9 }), "Sign", "9");
        Assert.Contains("Mirror", Assert.ThrowsExactly<ArgumentException>(() => context.Vae.AlignPrincipalAxes("O", "I", 2, new() { Sign = PrincipalAxisSign.None, Mirror = true })).Message);
        Assert.Contains("same from both ends", Assert.ThrowsExactly<ArgumentException>(() => context.Vae.AlignPrincipalAxes("O", "I", 2, new() { ChainDirection = true, Masses = [1, 2] })).Message);
        Assert.Contains("'Same'", Assert.ThrowsExactly<ArgumentException>(() => context.Vae.CenterConformations("Same", "Same", 2)).Message);

        static void Refused(Action action, params string[] words)
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(action);
            foreach (string word in words)
                Assert.Contains(word, error.Message);
        }
    }

    [TestMethod]
    public void Masses_AreTakenAtTheCall()
    {
        var context = new MLContext();
        float[] masses = [.. Masses];
        var estimator = context.Vae.AlignPrincipalAxes("O", EstimatorContract.Input, 2, new() { Masses = masses });
        var data = EstimatorContract.Load(context, Rows(5, 2));
        using var before = estimator.Fit(data);
        masses[0] = 1e6f;
        using var after = estimator.Fit(data);
        EstimatorContract.AssertSame(Produced(before), Produced(after), 0, "masses changed afterwards");

        float[][] Produced(PrincipalAxisAlignmentTransformer model) =>
            [.. model.Transform(data).GetColumn<float[]>("O")];
    }

    private static float[] Masses => [.. Enumerable.Range(0, 12).Select(i => 1 + i % 3 * 0.5f)];

    private static float[][] Rows(int count, int dimensions)
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, count).Select(_ => new Shape("walk", dimensions, Shapes.Walk(dimensions, 12, random)).Floats)];
    }

    private sealed class Frame
    {
        [VectorType(12, 2)]
        public float[] Conformation { get; set; } = [];

        public float Score { get; set; }
    }

    private sealed class Result
    {
        [VectorType(24)]
        public float[] Features { get; set; } = [];

        public float Rg { get; set; }

        public float Score { get; set; }
    }
}
