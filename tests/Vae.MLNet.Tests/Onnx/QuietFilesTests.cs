using Google.Protobuf;
using Microsoft.ML;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Tests.Onnx;

/// <summary>OnnxRuntime has nothing to say about files of this library, whoever loads them.</summary>
[TestClass]
public sealed class QuietFilesTests
{
    private static readonly MLContext Ml = new(seed: 1);

    [TestMethod]
    public void EveryFile_LoadsWithoutAWarning()
    {
        string folder = Directory.CreateTempSubdirectory("quiet").FullName;
        try
        {
            int number = 0;
            foreach (var options in OnnxTestModels.Variants)
            {
                var model = OnnxTestModels.Create(options);
                Write($"decoder-{number}", model.ToDecoderOnnx());
                model.ExportDecoder(At($"half-decoder-{number}"), new OnnxExportOptions { WeightType = OnnxWeightType.Float16 });
                Write($"encoder-{number}", model.ToEncoderOnnx());
                Write($"model-{number}", model.ToOnnx());
                Write($"latent-{number}", VaeGraphs.ModelFile(model, "Features", "Latent", new(), forSaving: true));
                Write($"score-{number}", VaeGraphs.ModelFile(model, "Features", "Latent", new() { Score = "Score" }, forSaving: true));
                Write($"joined-{number++}", GradientGraph.Join(model.ToDecoderOnnx()));
            }
            var table = Ml.Data.LoadFromEnumerable(TestRows.Curved(100, 6).Select(features => new Row { Features = features }));
            var detector = Ml.Vae.AnomalyDetector("Features",
                new() { Members = 2, Steps = 10, LatentDimension = 2, Threads = 1, ContributionsColumnName = "Why" });
            using (var model = detector.Fit(table))
            {
                Write("anomaly", model.CreateSavedModel());
                Ml.Vae.ExportPipeline(model, table.Schema, At("anomaly-pipeline"));
            }
            var training = new VaeTrainer.Options
            {
                LatentDimension = 2,
                HiddenLayers = [8],
                Epochs = 1,
                Threads = 1,
                Likelihood = Likelihood.Gaussian,
            };
            using (var model = Ml.Vae.ImputeMissing("Whole", "Features", new() { Training = training, Refinements = 1 }).Fit(table))
                Write("imputer", model.CreateSavedModel());
            var chain = Ml.Vae.RadiusOfGyration("Rg", "Features", 2)
                .Append(Ml.Vae.CenterConformations("Centered", "Features", 2))
                .Append(Ml.Vae.AlignPrincipalAxes("Aligned", "Centered", 2))
                .Append(Ml.Vae.VariationalAutoencoder("Latent", "Aligned", training)).Fit(table);
            Ml.Vae.ExportPipeline(chain, table.Schema, At("pipeline"),
                new() { Reconstruction = true, Score = true, StandardDeviation = true, Columns = ["Rg"] });
            chain.LastTransformer.Dispose();
            var layout = SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "MKHDSAWC", firstPosition: 1);
            string[] members = ["MKHDSAWC", "LRHDSGFC", "MRHDSAWT"];
            var family = SequenceAlignment.FromSequences(layout, [.. Enumerable.Range(0, 40).Select(i => members[i % 3])]);
            var sequences = Ml.Vae.SequenceAutoencoder("Latent", "Tokens",
                new() { HiddenLayers = [8], LatentDimension = 2, MaximumSteps = 10, Threads = 1 });
            using (var model = sequences.Fit(family))
            {
                Write("sequences", model.CreateSavedModel());
                Write("sequence-decoder", model.Model.Members[0].ToDecoderOnnx());
                Write("sequence-encoder", model.Model.Members[0].ToEncoderOnnx());
            }
            using (var model = Ml.Vae.SiteIndependent("Score", "Tokens").Fit(family))
                Write("site", model.CreateSavedModel());
            var cells = Enumerable.Range(0, 200).Select(i => new Cells { Number = i * 0.37f % 5, Kind = i % 3 == 0 ? "a" : "b" });
            using (var model = Ml.Vae.TableAutoencoder(new() { Steps = 10 }).Fit(Ml.Data.LoadFromEnumerable(cells)))
            {
                Write("table", model.CreateSavedModel());
                model.Model.ExportSampler(At("table-sampler"));
            }

            var (output, errors) = QuietFiles.Load(folder);
            Assert.AreEqual("", errors.Trim());
            Assert.HasCount(Directory.GetFiles(folder).Length, output.Trim().Split('\n'));
            StringAssert.Contains(output, "decoder-0.onnx: Latent\n");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        string At(string name) => Path.Combine(folder, name + ".onnx");

        void Write(string name, byte[] file) => File.WriteAllBytes(At(name), file);
    }

    /// <summary>The warning that this is about is printed, and so would be seen.</summary>
    [TestMethod]
    public void AnInitializerAmongTheInputs_IsSeen()
    {
        string folder = Directory.CreateTempSubdirectory("loud").FullName;
        try
        {
            var model = ModelProto.Parser.ParseFrom(GradientGraph.Join(OnnxTestModels.Create().ToDecoderOnnx()));
            model.Graph.Initializer.Add(new TensorProto { Name = "Cotangent", DataType = 1, Dims = { 0, 12 }, RawData = ByteString.Empty });
            File.WriteAllBytes(Path.Combine(folder, "loud.onnx"), model.ToByteArray());
            StringAssert.Contains(QuietFiles.Load(folder).Errors, "Initializer Cotangent appears in graph inputs");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed class Row
    {
        [Microsoft.ML.Data.VectorType(6)]
        public float[] Features { get; set; } = [];
    }

    private sealed class Cells
    {
        public float Number { get; set; }

        public string Kind { get; set; } = "";
    }
}
