using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Vae.MLNet.Conformations;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;
using Vae.MLNet.Pipelines;
using Vae.MLNet.Tests.Onnx;

namespace Vae.MLNet.Tests.Pipelines;

/// <summary>Pipelines whose transforms overwrite, swap, repeat and drop columns, and what an exported graph is compared with.</summary>
[TestClass]
public sealed class PipelineExportColumnTests
{
    private static readonly VaeTrainer.Options Small = new()
    {
        LatentDimension = 2,
        HiddenLayers = [12],
        Scaling = InputScaling.None,
        Epochs = 2,
        BatchSize = 64,
        Threads = 1,
        StandardDeviationColumnName = "Deviation",
        ReconstructionColumnName = "Back",
        ScoreColumnName = "Oddness",
    };

    private readonly MLContext _context = new(seed: 1);

    [TestMethod]
    public void OverwrittenInPlace_BeforeOtherColumns()
    {
        Same(_context.Transforms.NormalizeMinMax("A").Append(Vae("A")));
        Same(_context.Transforms.NormalizeMeanVariance("B").Append(_context.Transforms.Concatenate("Features", "A", "B")).Append(Vae("Features")));
        Same(_context.Transforms.Concatenate("A", "A", "N").Append(Vae("A")));
        Same(_context.Transforms.CopyColumns("A", "C").Append(_context.Transforms.NormalizeMinMax("A", fixZero: false)).Append(Vae("A")));
        Same(_context.Transforms.NormalizeMinMax("N").Append(_context.Transforms.Concatenate("Features", "N", "C")).Append(Vae("Features")));
    }

    [TestMethod]
    public void NormalizedSeveralTimes_InPlaceAndUnderOtherNames()
    {
        Same(_context.Transforms.NormalizeMinMax("A").Append(_context.Transforms.NormalizeMeanVariance("A")).Append(_context.Transforms.NormalizeRobustScaling("A")).Append(Vae("A")));
        Same(_context.Transforms.NormalizeMinMax("Once", "A").Append(_context.Transforms.NormalizeMeanVariance("Twice", "Once")).Append(_context.Transforms.NormalizeMinMax("Once", "B"))
            .Append(_context.Transforms.Concatenate("Features", "Once", "Twice", "A")).Append(Vae("Features")));
    }

    [TestMethod]
    [DataRow("C, A, B")]
    [DataRow("B, C, A")]
    [DataRow("A, C, B")]
    public void SeveralNormalizedAtOnce_EachWithItsOwnParameters(string order)
    {
        // In place the schema lists them by their columns, whatever the order of the estimator.
        InputOutputColumnPair[] inPlace = [.. order.Split(", ").Select(name => new InputOutputColumnPair(name, name))];
        InputOutputColumnPair[] mixed = [.. order.Split(", ").Select((name, i) => new InputOutputColumnPair(i == 1 ? "New" : name, name))];
        Same(_context.Transforms.NormalizeMeanVariance(inPlace, fixZero: false).Append(_context.Transforms.Concatenate("Features", "A", "B", "C")).Append(Vae("Features")));
        Same(_context.Transforms.NormalizeMinMax(mixed, fixZero: false).Append(_context.Transforms.Concatenate("Features", "A", "B", "C", "New")).Append(Vae("Features")));
    }

    [TestMethod]
    public void SwappedByCopies()
    {
        Same(Swap("A", "C").Append(_context.Transforms.Concatenate("Features", "A", "B")).Append(Vae("Features")));
        Same(Swap("A", "C").Append(_context.Transforms.NormalizeMinMax("A")).Append(Swap("A", "C")).Append(Vae("C")));
        Same(Swap("A", "B").Append(_context.Transforms.NormalizeMeanVariance("B", fixZero: false)).Append(Swap("B", "C")).Append(Vae("B")));

        EstimatorChain<ColumnCopyingTransformer> Swap(string a, string b) => _context.Transforms.CopyColumns("Other", a).Append(_context.Transforms.CopyColumns(a, b)).Append(_context.Transforms.CopyColumns(b, "Other"));
    }

    [TestMethod]
    public void ConcatenatedTwice_AndWithItself()
    {
        Same(_context.Transforms.Concatenate("Features", "B", "A", "B", "N").Append(Vae("Features")));
        Same(_context.Transforms.Concatenate("A", "A", "A").Append(_context.Transforms.Concatenate("A", "N", "A", "N")).Append(Vae("A")));
        Same(_context.Transforms.Concatenate("Features", "A").Append(_context.Transforms.Concatenate("A", "Features", "B")).Append(_context.Transforms.Concatenate("Features", "A", "Features")).Append(Vae("Features")));
    }

    [TestMethod]
    public void DroppedAndSelected_AfterOverwriting()
    {
        Same(_context.Transforms.NormalizeMinMax("A").Append(_context.Transforms.DropColumns("B", "C")).Append(_context.Transforms.NormalizeMeanVariance("A")).Append(Vae("A")));
        Same(_context.Transforms.NormalizeMinMax("A").Append(_context.Transforms.SelectColumns("N", "A")).Append(_context.Transforms.Concatenate("A", "A", "N")).Append(Vae("A")));
    }

    [TestMethod]
    public void OutputsThatAreNoLastColumns_AreComparedAndRight()
    {
        var data = Data(300, 1);
        // Those that are overwritten or dropped behind the autoencoder, and those that it was not asked for.
        var full = _context.Transforms.NormalizeMinMax("A").Append(Vae("A")).Fit(data);
        var expected = full.Transform(data);
        var bare = _context.Transforms.NormalizeMinMax("A").Append(_context.Vae.VariationalAutoencoder("Latent", "A",
            Small with { StandardDeviationColumnName = null, ReconstructionColumnName = null, ScoreColumnName = null })).Fit(data);
        var spoilt = new TransformerChain<ITransformer>([.. full, _context.Transforms.CopyColumns("Oddness", "B").Append(_context.Transforms.DropColumns("Latent", "Back", "Deviation")).Fit(expected)]);
        foreach (var (model, names) in new (ITransformer, string[])[] { (bare, ["Latent", "LatentSigma", "Reconstruction", "Score"]), (spoilt, ["Latent", "Deviation", "Back", "Oddness"]), (full, ["Latent", "Deviation", "Back", "Oddness"]) })
        {
            for (int alone = -1; alone < 4; alone++)
            {
                var options = new PipelineExportOptions { Latent = alone is -1 or 0, StandardDeviation = alone is -1 or 1, Reconstruction = alone is -1 or 2, Score = alone is -1 or 3 };
                var (file, report) = PipelineExport.Create(_context, model, data.Schema, options);
                Assert.IsLessThan(1e-4, report.LargestError!.Value);
                var results = PipelineExportTests.Run(file, data, "A");
                string[] columns = ["Latent", "Deviation", "Back", "Oddness"];
                for (int i = 0; i < 4; i++)
                {
                    if (alone == -1 || alone == i)
                        AssertSame(expected, columns[i], results[names[i]]);
                }
            }
        }
    }

    [TestMethod]
    public void EveryRowOfEveryOutput_IsCompared()
    {
        var data = Data(300, 2);
        var chain = _context.Transforms.NormalizeMeanVariance("A").Append(Vae("A")).Fit(data);
        var (file, _) = PipelineExport.Create(_context, chain, data.Schema, new() { StandardDeviation = true, Reconstruction = true, Score = true });
        var rows = new Dictionary<string, double[][]> { ["A"] = [.. data.GetColumn<float[]>("A").Take(PipelineRows.Count).Select(row => row.Select(value => (double)value).ToArray())] };
        CheckedOutput[] outputs = [.. new[] { "Latent", "Deviation", "Back", "Oddness" }.Select(name => new CheckedOutput(name, new(null, [1], OnnxType.Float), chain, name))];
        Assert.IsLessThan(1e-4, PipelineCheck.Run(file, data.Schema, rows, outputs, 1e-4));

        // Each output spoilt in one row alone: an input that only this row has is where a step is added.
        foreach (var output in outputs)
        {
            foreach (int row in new[] { 0, 117, 255 })
            {
                byte[] spoilt = WithStep(file, output.Name, rows["A"], row);
                Assert.Contains($"'{output.Name}'", Assert.ThrowsExactly<InvalidOperationException>(() => PipelineCheck.Run(spoilt, data.Schema, rows, outputs, 1e-4)).Message);
            }
        }
    }

    [TestMethod]
    public void OutputThatIsNowhereFinite_IsRefused()
    {
        var data = Data(300, 2);
        var chain = Vae("A").Fit(data);
        var (file, _) = PipelineExport.Create(_context, chain, data.Schema, new());
        var rows = new Dictionary<string, double[][]> { ["A"] = [.. Enumerable.Range(0, PipelineRows.Count).Select(_ => new[] { 1, double.NaN, 2 })] };
        var output = new CheckedOutput("Latent", new(null, [1], OnnxType.Float), chain, "Latent");
        Assert.Contains("cannot be compared", Assert.ThrowsExactly<InvalidOperationException>(() => PipelineCheck.Run(file, data.Schema, rows, [output], 1e-4)).Message);
    }

    [TestMethod]
    public void Rows_LieWhereTheTransformsWereFitted()
    {
        // Far from zero and of different sizes: rows drawn about zero would say nothing about these.
        var data = Data(500, 3);
        foreach (var chain in new IEstimator<ITransformer>[]
        {
            _context.Transforms.NormalizeMeanVariance("A", fixZero: false).Append(Vae("A")),
            _context.Transforms.Concatenate("Features", "N", "A").Append(Vae("Features", InputScaling.Standardize)),
            _context.Transforms.CopyColumns("F", "A").Append(_context.Vae.AnomalyDetector("F", new() { Members = 1, Steps = 20 })),
        })
        {
            var model = chain.Fit(data);
            var rows = PipelineExport.Rows(_context, model, data.Schema)["A"];
            Assert.HasCount(PipelineRows.Count, rows);
            float[][] real = [.. data.GetColumn<float[]>("A")];
            for (int j = 0; j < 3; j++)
            {
                double mean = real.Average(row => row[j]), deviation = Math.Sqrt(real.Average(row => Math.Pow(row[j] - mean, 2)));
                Assert.AreEqual(mean, rows.Average(row => row[j]), deviation);
                double found = PipelineRows.Spread(rows, j);
                Assert.IsTrue(found > 0.3 * deviation && found < 5 * deviation, $"{found} for {deviation}");
            }
        }
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void AlignmentAtATie_IsAcceptedOnEitherSideAndNowhereElse(int dimensions)
    {
        const int beads = 4;
        string column = "Chain";
        var schema = new DataViewSchema.Builder();
        schema.AddColumn(column, new VectorDataViewType(NumberDataViewType.Single, beads * dimensions));
        var data = schema.ToSchema();
        var layout = new BeadLayout(beads, dimensions, null);
        var options = new PrincipalAxisOptions { Sign = PrincipalAxisSign.FirstBead };
        var pipeline = _context.Vae.AlignPrincipalAxes("Aligned", column, dimensions, options).Fit(Empty(column, beads * dimensions));
        var output = new CheckedOutput("Aligned", new(null, [beads * dimensions], OnnxType.Float) { Mixes = true }, pipeline, "Aligned");

        // The first bead stands where it decides the first axis's direction: a move by rounding turns the whole chain round.
        var random = new Random(5);
        double[][] ties = [.. Enumerable.Range(0, PipelineRows.Count).Select(_ =>
        {
            double x = 1 + random.NextDouble();
            double[,] points = { { 0, 0.2 }, { -0.5 - x, 0.3 }, { 0.2 + x, -0.6 }, { 0.5, 0.4 } };
            double[] row = new double[beads * dimensions];
            for (int i = 0; i < beads; i++)
                (row[i * dimensions], row[i * dimensions + 1]) = (points[i, 0], points[i, 1]);
            double low = -1, high = -1;
            do
                (low, high) = (high, high + 0.01);
            while (high < 1 && Side(With(row, low)) * Side(With(row, high)) > 0);
            double below = Side(With(row, low));
            for (int step = 0; step < 40; step++)
            {
                double middle = (low + high) / 2;
                if (Side(With(row, middle)) * below > 0)
                    low = middle;
                else
                    high = middle;
            }
            return With(row, low);
        })];
        // The graph's move takes the rows to the other side, so that without looking beside them nearly all would be refused.
        Assert.IsGreaterThan(PipelineRows.Count / 2, ties.Count(row => Side(row) * Side(With(row, (float)row[0] + 3e-7f)) < 0));
        var rows = new Dictionary<string, double[][]> { [column] = ties };
        byte[] moved = Graph(3e-7f, 1);
        Assert.IsLessThan(1e-4, PipelineCheck.Run(Graph(0, 1), data, rows, [output], 1e-4));
        Assert.IsLessThan(1e-4, PipelineCheck.Run(moved, data, rows, [output], 1e-4));
        // Neither is another shape accepted at a tie, nor a chain turned round away from one.
        Assert.ThrowsExactly<InvalidOperationException>(() => PipelineCheck.Run(Graph(0, 0.999f), data, rows, [output], 1e-4));
        var apart = new Dictionary<string, double[][]> { [column] = [.. ties.Select(row => With(row, row[0] + 0.3))] };
        Assert.IsLessThan(1e-4, PipelineCheck.Run(Graph(0, 1), data, apart, [output], 1e-4));
        Assert.ThrowsExactly<InvalidOperationException>(() => PipelineCheck.Run(Graph(0, -1), data, apart, [output], 1e-4));

        double[] With(double[] row, double first)
        {
            double[] copy = [.. row];
            copy[0] = first;
            return copy;
        }

        double Side(double[] row)
        {
            var aligned = new float[row.Length];
            ConformationKernels.Align(layout, options, Array.ConvertAll(row, value => (float)value), aligned);
            return aligned[dimensions];
        }

        byte[] Graph(float move, float factor)
        {
            var graph = new OnnxGraph("alignment");
            string x = graph.Input(column, OnnxType.Float, OnnxGraph.Batch, beads * dimensions);
            float[] moves = new float[beads * dimensions];
            moves[0] = move;
            x = graph.Multiply(graph.Add(x, graph.Constant("move", moves, moves.Length)), graph.Scalar(1));
            string aligned = ConformationGraphs.AddAlignment(graph, x, layout, options);
            graph.Node("Mul", [aligned, graph.Scalar(factor)], "Aligned");
            graph.Output("Aligned", OnnxType.Float, OnnxGraph.Batch, beads * dimensions);
            return graph.ToBytes();
        }
    }

    [TestMethod]
    public void Labels_MayDifferAtTheThresholdOnly()
    {
        var data = Data(300, 4);
        var chain = _context.Transforms.NormalizeMeanVariance("A").Append(_context.Vae.AnomalyDetector("A", new() { Members = 1, Steps = 20, Contamination = 0.3f }))
            .Append(_context.Transforms.CopyColumns("Flag", "PredictedLabel")).Fit(data);
        var (file, report) = PipelineExport.Create(_context, chain, data.Schema, new() { Columns = ["PredictedLabel", "Flag"] });
        OnnxChecker.AssertValid(file);
        Assert.IsLessThan(1e-4, report.LargestError!.Value);
        float[][] scores = [.. chain.Transform(data).GetColumn<float>("Score").Select(value => new[] { value })];
        PipelineExportTests.AssertSame(scores, PipelineExportTests.RunOnly(file, data, ["Score"], "A")["Score"], 1);
    }

    private VaeTrainer Vae(string features, InputScaling scaling = InputScaling.None) => _context.Vae.VariationalAutoencoder("Latent", features, Small with { Scaling = scaling });

    /// <summary>In memory, loaded and rehydrated, with every output, and with the score alone.</summary>
    private void Same<T>(IEstimator<T> estimator)
        where T : class, ITransformer
    {
        var data = Data(300, 1);
        var model = estimator.Fit(data);
        var transformed = model.Transform(data);
        using var stream = new MemoryStream();
        _context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var loaded = new MLContext(seed: 1).Model.Load(stream, out _);
        foreach (var version in new[] { model, loaded, _context.Vae.Rehydrate(loaded) })
        {
            foreach (bool scoreAlone in new[] { false, true })
            {
                var options = new PipelineExportOptions { Latent = !scoreAlone, StandardDeviation = !scoreAlone, Reconstruction = !scoreAlone, Score = true };
                var (file, report) = PipelineExport.Create(_context, version, data.Schema, options);
                OnnxChecker.AssertValid(file);
                Assert.IsLessThan(1e-4, report.LargestError!.Value);
                string[] inputs = [.. ModelProto.Parser.ParseFrom(file).Graph.Input.Select(input => input.Name)];
                foreach (var (name, found) in PipelineExportTests.Run(file, data, inputs))
                    AssertSame(transformed, name, found);
            }
        }
    }

    private static void AssertSame(IDataView transformed, string column, float[] found)
    {
        float[][] expected = transformed.Schema[column].Type is VectorDataViewType
            ? [.. transformed.GetColumn<float[]>(column)]
            : [.. transformed.GetColumn<float>(column).Select(value => new[] { value })];
        PipelineExportTests.AssertSame(expected, found, expected[0].Length);
    }

    /// <summary>The graph with one added to an output where all inputs are those of one row, within a hair.</summary>
    private static byte[] WithStep(byte[] file, string output, double[][] rows, int row)
    {
        var model = ModelProto.Parser.ParseFrom(file);
        var graph = new OnnxGraph("step");
        string x = graph.Input("A", OnnxType.Float, OnnxGraph.Batch, rows[0].Length);
        string distance = graph.Sum(graph.Node("Abs", [graph.Subtract(x, graph.Constant("row", Array.ConvertAll(rows[row], value => (float)value), rows[row].Length))]), 1);
        string here = graph.Node("Cast", [graph.Node("Less", [distance, graph.Scalar(1e-3f)])], null, ("to", (long)OnnxType.Float));
        var step = graph.Build().Graph;
        OnnxGraphs.RenameAll(step, name => name == "A" ? name : "step" + name);
        OnnxGraphs.RenameAll(model.Graph, name => name == output ? "/plain" : name);
        model.Graph.Initializer.Add(step.Initializer);
        model.Graph.Node.Add(step.Node);
        model.Graph.Node.Add(new NodeProto { OpType = "Add", Input = { "/plain", "step" + here }, Output = { output } });
        foreach (var value in model.Graph.Output.Where(value => value.Name == "/plain"))
            value.Name = output;
        return Google.Protobuf.MessageExtensions.ToByteArray(model);
    }

    private IDataView Empty(string column, int size)
    {
        var definition = SchemaDefinition.Create(typeof(Chain));
        definition[0].ColumnName = column;
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, size);
        return _context.Data.LoadFromEnumerable(Array.Empty<Chain>(), definition);
    }

    private IDataView Data(int rows, int seed)
    {
        var random = new SeededRandom(seed);
        float Normal() => (float)random.NextNormal();
        return _context.Data.Cache(_context.Data.LoadFromEnumerable(Enumerable.Range(0, rows).Select(_ => new Row
        {
            A = [500 + 40 * Normal(), -3 + Normal(), 0.02f + 0.005f * Normal()],
            B = [Normal(), 10 + Normal()],
            C = [1 + 0.1f * Normal(), 2 + 0.2f * Normal(), -70 + 5 * Normal()],
            N = 20 + 3 * Normal(),
            Name = "row",
        }).ToArray()));
    }

    private sealed class Row
    {
        [VectorType(3)]
        public float[] A { get; set; } = [];

        [VectorType(2)]
        public float[] B { get; set; } = [];

        public string Name { get; set; } = "";

        [VectorType(3)]
        public float[] C { get; set; } = [];

        public float N { get; set; }
    }

    private sealed class Chain
    {
        public float[] Values { get; set; } = [];
    }
}
