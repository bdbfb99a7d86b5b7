using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Pipelines;
using Vae.MLNet.Tests.Onnx;

namespace Vae.MLNet.Tests.Pipelines;

[TestClass]
public sealed class ConformationPipelineTests
{
    private const int Beads = 12, Rows = 10_000;

    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void ExportPipeline_RawCoordinatesToLatent(int dimensions)
    {
        var random = new Random(17);
        var training = Load(Enumerable.Range(0, 500).Select(_ => Chain(random, dimensions)), dimensions);
        var model = _context.Vae.RadiusOfGyration("Rg", "Conformation", dimensions)
            .Append(_context.Vae.CenterConformations("Centered", "Conformation", dimensions))
            .Append(_context.Vae.AlignPrincipalAxes("Aligned", "Centered", dimensions))
            .Append(_context.Transforms.NormalizeMeanVariance("Features", "Aligned"))
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Features", new()
            {
                HiddenLayers = [32, 16],
                Epochs = 2,
                Threads = 1,
                StandardDeviationColumnName = "Deviation",
                ReconstructionColumnName = "Back",
                ScoreColumnName = "Score",
            })).Fit(training);
        var (file, report) = PipelineExport.Create(_context, model, training.Schema, new() { StandardDeviation = true, Reconstruction = true, Score = true, Columns = ["Aligned", "Rg"] });
        OnnxChecker.AssertValid(file);
        Assert.IsLessThan(1e-4, report.LargestError!.Value);

        var data = Load(Enumerable.Range(0, Rows).Select(i => i % 2 == 0 ? Chain(random, dimensions) : Normals(random, dimensions)).Concat(Degenerate(dimensions)), dimensions);
        var found = PipelineExportTests.Run(file, data, "Conformation");
        var transformed = model.Transform(data);
        foreach (string column in new[] { "Rg", "Aligned", "Latent", "Deviation", "Back", "Score" })
        {
            float[][] expected = transformed.Schema[column].Type is VectorDataViewType
                ? [.. transformed.GetColumn<float[]>(column)]
                : [.. transformed.GetColumn<float>(column).Select(value => new[] { value })];
            AssertSame(column, expected, [.. found[column].Chunk(expected[0].Length)]);
        }
    }

    private static void AssertSame(string column, float[][] expected, float[][] found)
    {
        Assert.HasCount(expected.Length, found);
        for (int i = 0; i < expected.Length; i++)
        {
            double scale = Math.Max(1, expected[i].Max(MathF.Abs));
            for (int j = 0; j < expected[i].Length; j++)
            {
                Assert.IsTrue(float.IsFinite(expected[i][j]), $"{column} of row {i} is finite.");
                Assert.AreEqual(expected[i][j], found[i][j], 1e-4 * scale, $"{column}, row {i} ({(i < Rows ? "random" : $"degenerate {i - Rows}")}), number {j}");
            }
        }
    }

    private IDataView Load(IEnumerable<float[]> rows, int dimensions)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[0].ColumnName = "Conformation";
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Beads, dimensions);
        return _context.Data.LoadFromEnumerable(rows.Select(row => new Row { Values = row }).ToArray(), definition);
    }

    /// <summary>A random walk somewhere in space.</summary>
    private static float[] Chain(Random random, int dimensions)
    {
        float[] position = [.. Enumerable.Range(0, dimensions).Select(_ => (float)Normal(random) * 5)];
        var row = new List<float>();
        for (int bead = 0; bead < Beads; bead++)
        {
            for (int d = 0; d < dimensions; d++)
                position[d] += (float)Normal(random) * 0.6f;
            row.AddRange(position);
        }
        return [.. row];
    }

    private static float[] Normals(Random random, int dimensions) => [.. Enumerable.Range(0, Beads * dimensions).Select(_ => (float)Normal(random))];

    /// <summary>Shapes without principal axes, or without any extent in some direction.</summary>
    private static IEnumerable<float[]> Degenerate(int dimensions)
    {
        float[] Shape(Func<int, int, double> coordinate) => [.. Enumerable.Range(0, Beads * dimensions).Select(i => (float)coordinate(i / dimensions, i % dimensions))];
        yield return Shape((_, _) => 0);
        yield return Shape((_, d) => d == 0 ? 3 : -2);
        yield return Shape((bead, d) => d == 0 ? bead : 0);
        yield return Shape((bead, d) => d == 1 ? bead : 0);
        yield return Shape((bead, _) => bead);
        yield return Shape((bead, d) => d == dimensions - 1 ? (bead % 2 == 0 ? 1 : -1) : 0);
        // A regular polygon, a cross and a single bead off the others.
        yield return Shape((bead, d) => d == 0 ? Math.Cos(bead * Math.PI / 6) : d == 1 ? Math.Sin(bead * Math.PI / 6) : 0);
        yield return Shape((bead, d) => bead % dimensions == d ? (bead / dimensions % 2 == 0 ? 1 : -1) : 0);
        yield return Shape((bead, d) => bead == 5 && d == 0 ? 1 : 0);
        yield return Shape((bead, d) => 1e-12 * bead * (d + 1));
        yield return Shape((bead, d) => 1e-3 * Math.Sin(bead + d));
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private sealed class Row
    {
        public float[] Values { get; set; } = [];
    }
}
