using Microsoft.ML;
using Microsoft.ML.Data;
using TorchSharp;
using Vae.MLNet.Inference;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class SequenceVaeTests
{
    private const string Reference = "MKHDSAWC";

    /// <summary>Two groups of sequences: letters that go together at four positions, random ones elsewhere, gaps and unknown letters here and there.</summary>
    private static SequenceAlignment Family(int count, GapTreatment gaps = GapTreatment.Symbol, int seed = 1)
    {
        var alphabet = SequenceAlphabet.AminoAcids.WithGaps(gaps);
        var layout = SequenceLayout.FromReference(alphabet, Reference, firstPosition: 11);
        var random = new Random(seed);
        var sequences = new List<string> { Reference };
        while (sequences.Count < count)
        {
            char[] text = Reference.ToCharArray();
            string group = random.Next(2) == 0 ? "MKAW" : "LRGF";
            (text[0], text[1], text[5], text[6]) = (group[0], group[1], group[2], group[3]);
            text[7] = "CVIT"[random.Next(4)];
            if (random.NextDouble() < 0.2)
                text[random.Next(8)] = '-';
            if (random.NextDouble() < 0.1)
                text[random.Next(8)] = 'X';
            sequences.Add(new string(text));
        }
        return SequenceAlignment.FromSequences(layout, sequences);
    }

    private static SequenceVaeTrainer.Options Small => new()
    {
        HiddenLayers = [16],
        LatentDimension = 3,
        Dropout = 0,
        EnsembleMembers = 1,
        ValidationIdentity = null,
        MaximumSteps = 150,
        BatchSize = 32,
        LearningRate = 1e-2f,
        Seed = 3,
        Threads = 1,
    };

    private static SequenceVaeTransformer Train(IDataView data, SequenceVaeTrainer.Options? options = null) =>
        new MLContext(1).Vae.SequenceAutoencoder("Latent", "Tokens", options ?? Small).Fit(data);

    private static float[] OneHot(ReadOnlySpan<byte> tokens, int positions, int symbols)
    {
        var values = new float[tokens.Length * symbols];
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] < symbols)
                values[i * symbols + tokens[i]] = 1;
        }
        return values;
    }

    /// <summary>The token path has the losses and gradients of the one-hot path with the same weights, whatever a gap is.</summary>
    [TestMethod]
    [DataRow(GapTreatment.Symbol)]
    [DataRow(GapTreatment.Missing)]
    [DataRow(GapTreatment.Masked)]
    public void TokenLayer_AgreesWithOneHot(GapTreatment gaps)
    {
        var family = Family(48, gaps);
        var layout = family.Layout;
        int positions = layout.Length, read = layout.Alphabet.InputSymbolCount, symbols = layout.Alphabet.OutputSymbolCount, all = layout.Alphabet.TokenCount;
        var options = Small.Member(0, symbols).Validate();
        var architecture = new VaeArchitecture(positions * symbols, options, layout);
        float[] parameters = VaeNetwork.Initialize(architecture, 5);
        var table = architecture["encoder.0.weight"];

        using var scope = NewDisposeScope();
        using var network = new VaeNetwork(architecture, CPU, parameters, trainable: true);
        var tokens = tensor(family.Tokens.ToArray(), [family.Count, positions]);
        var weights = rand(family.Count) + 0.5f;
        using var generator = new Generator(9, CPU);
        var terms = network.Step(tokens, tokens, weights, generator, 0.7);
        float[] gradient = network.Gradients.Single().data<float>().ToArray();

        // The same by autograd: one-hot rows times the rows of the table that are read.
        var flat = tensor(parameters, requires_grad: true);
        Tensor View(string name) => flat.narrow(0, architecture[name].Offset, architecture[name].Length).view(architecture[name].Shape);
        var used = View("encoder.0.weight").view(positions, all, -1).narrow(1, 0, read).reshape(positions * read, -1);
        var input = tensor(OneHot(family.Tokens.Span, positions, read), [family.Count, positions * read]);
        var target = tensor(OneHot(family.Tokens.Span, positions, symbols), [family.Count, positions, symbols]);
        var hidden = (input.mm(used) + View("encoder.0.bias")).relu();
        var statistics = hidden.mm(View("posterior.weight").t()) + View("posterior.bias");
        var mean = statistics.narrow(1, 0, 3);
        var logVariance = statistics.narrow(1, 3, 3);
        using var again = new Generator(9, CPU);
        var z = mean + (logVariance * 0.5).exp() * randn(family.Count, 3, generator: again);
        var output = (z.mm(View("decoder.0.weight").t()) + View("decoder.0.bias")).relu().mm(View("output.weight").t()) + View("output.bias");
        var logs = nn.functional.log_softmax(output.view(family.Count, positions, symbols), -1);
        var reconstruction = -(logs * target).sum([1, 2]);
        var kl = (mean.square() + logVariance.exp() - logVariance - 1).sum([1]) * 0.5;
        var share = weights / weights.sum();
        var loss = ((reconstruction + kl * 0.7) * share).sum();
        loss.backward();

        Assert.AreEqual(loss.item<float>(), terms.Loss, 1e-4 * Math.Abs(terms.Loss));
        float[] expected = flat.grad!.data<float>().ToArray();
        float scale = expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], gradient[i], 1e-5f * scale, $"Gradient {i}.");
        // Rows of tokens that are not read are zero and have no gradient.
        int width = (int)table.Shape[1];
        for (int position = 0; position < positions; position++)
        {
            var unread = new Range((position * all + read) * width, (position + 1) * all * width);
            Assert.IsTrue(gradient.AsSpan(table.Offset, table.Length)[unread].IndexOfAnyExcept(0f) < 0);
            Assert.IsTrue(parameters.AsSpan(table.Offset, table.Length)[unread].IndexOfAnyExcept(0f) < 0);
        }
    }

    /// <summary>The kernels for any device give what those for the processor give.</summary>
    [TestMethod]
    public void TokenLayer_PortableKernelsAgree()
    {
        var family = Family(20, GapTreatment.Missing);
        using var scope = NewDisposeScope();
        var tokens = tensor(family.Tokens.ToArray(), [20, 8]);
        var weight = randn(8 * 22, 11);
        foreach (int position in Enumerable.Range(0, 8))
            weight.narrow(0, position * 22 + 20, 2).zero_();
        var bias = randn(11);
        Tensor first = zeros(8 * 22, 11), second = ones(8 * 22, 11);
        var own = new TokenLayer(weight, bias, first, zeros(11), family.Layout);
        var portable = new TokenLayer(weight, bias, second, zeros(11), family.Layout) { Portable = true };
        var gradient = randn(20, 11);
        Assert.IsTrue(own.Forward(tokens).allclose(portable.Forward(tokens), 1e-5, 1e-5));
        own.SetWeightGradient(gradient, tokens);
        portable.SetWeightGradient(gradient, tokens);
        Assert.IsTrue(first.allclose(second, 1e-5, 1e-5));
        Assert.IsGreaterThan(0, first.abs().sum().item<float>());
    }

    [TestMethod]
    [DataRow(GapTreatment.Symbol)]
    [DataRow(GapTreatment.Missing)]
    [DataRow(GapTreatment.Masked)]
    public void Export_RunsWithoutTraining(GapTreatment gaps)
    {
        var family = Family(200, gaps);
        using var fitted = Train(family, Small with { StandardDeviationColumnName = "Sigma" });
        using var encoder = fitted.Model.CreateEncoder();
        using var decoder = fitted.Model.CreateDecoder(withGradient: true);
        Assert.AreEqual(family.Layout.ToJson(), encoder.Layout.ToJson());
        Assert.AreEqual(family.Layout.ToJson(), decoder.Layout.ToJson());
        Assert.IsTrue(decoder.Decoder.SupportsGradient);

        float[][] columns = Read(fitted.Transform(family), "Latent"), sigmas = Read(fitted.Transform(family), "Sigma");
        for (int row = 0; row < family.Count; row += 37)
        {
            var posterior = encoder.Encode(family.Sequence(row));
            for (int i = 0; i < 3; i++)
            {
                Assert.AreEqual(columns[row][i], posterior.Mean[i], 1e-5f);
                Assert.AreEqual(sigmas[row][i], posterior.StandardDeviation[i], 1e-5f);
            }
        }
        float[] probabilities = decoder.Probabilities([0, 0, 0]);
        foreach (float[] position in probabilities.Chunk(decoder.SymbolCount))
            Assert.AreEqual(1, position.Sum(), 1e-5f);
        Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode("MK"));
        Assert.ThrowsExactly<ArgumentException>(() => encoder.Encode([99, 0, 0, 0, 0, 0, 0, 0], new float[3], new float[3]));
    }

    [TestMethod]
    public void Export_Rejects()
    {
        using var fitted = Train(Family(100));
        byte[] encoder = fitted.Model.Members[0].ToEncoderOnnx();
        Assert.ThrowsExactly<InvalidDataException>(() => SequenceDecoder.Load(encoder));
        Assert.ThrowsExactly<InvalidDataException>(() => VaeEncoder.Load(encoder));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => fitted.Model.CreateEncoder(1));
    }

    [TestMethod]
    public void Transformer_SavesAndLoads()
    {
        var family = Family(300);
        using var fitted = Train(family, Small with { StandardDeviationColumnName = "Sigma", ScoreColumnName = "Score" });
        var expected = fitted.Transform(family);
        using var stream = new MemoryStream();
        new MLContext().Model.Save(fitted, family.Schema, stream);
        stream.Position = 0;
        var loaded = new MLContext().Model.Load(stream, out _).Transform(family);
        foreach (string column in new[] { "Latent", "Sigma" })
        {
            Assert.AreEqual(expected.Schema[column].Type, loaded.Schema[column].Type);
            EstimatorContract.AssertSame(Read(expected, column), Read(loaded, column), 1e-5, column);
        }
        float[] scores = [.. expected.GetColumn<float>("Score")], again = [.. loaded.GetColumn<float>("Score")];
        EstimatorContract.AssertSame([scores], [again], 1e-5, "Score");

        // One row by itself, and what does not fit.
        var single = fitted.Transform(family.Select([17]));
        EstimatorContract.AssertSame([Read(expected, "Latent")[17]], Read(single, "Latent"), 1e-5, "a single row");
        var other = SequenceAlignment.FromSequences(SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, "MKH"), ["MKH"]);
        Assert.Contains("Int64, 8", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => fitted.Transform(other)).Message);
    }

    /// <summary>All members come back from a model's own file, from a saved pipeline, and from a loaded one that was rehydrated.</summary>
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Ensemble_SavesAndLoads(bool score)
    {
        var family = Family(300);
        var ml = new MLContext(1);
        using var fitted = Train(family, Small with { EnsembleMembers = 3, StandardDeviationColumnName = "Sigma", ScoreColumnName = score ? "Oddness" : null });
        using var folder = new TemporaryFolder();
        fitted.Model.Save(folder["model.onnx"]);
        ml.Model.Save(fitted, family.Schema, folder["model.zip"]);
        var loaded = ml.Model.Load(folder["model.zip"], out _);
        var transformer = ml.Vae.Rehydrate(loaded);
        using var rehydrated = (SequenceVaeTransformer)transformer;
        Assert.IsEmpty(rehydrated.Histories);

        string[] variants = ["M11L", "K12R", "H13W"];
        var expected = ml.Vae.ScoreVariants(fitted.Model, variants);
        foreach (var model in new[] { SequenceVaeModel.FromOnnx(folder["model.onnx"]), SequenceVaeModel.FromOnnx(File.ReadAllBytes(folder["model.onnx"])),
            SequenceVaeModel.FromPipeline(folder["model.zip"]), rehydrated.Model })
        {
            Assert.HasCount(3, model.Members);
            Assert.AreEqual(family.Layout.ToJson(), model.Layout.ToJson());
            for (int m = 0; m < 3; m++)
            {
                Assert.AreSequenceEqual(fitted.Model.Members[m].Parameters, model.Members[m].Parameters);
                Assert.AreEqual(fitted.Model.Members[m].Options.ToJson(), model.Members[m].Options.ToJson());
                Assert.AreEqual(fitted.Model.Members[m].TrainingJson, model.Members[m].TrainingJson);
            }
            Assert.AreSequenceEqual(expected.Select(variant => variant.Score).ToArray(), ml.Vae.ScoreVariants(model, variants).Select(variant => variant.Score).ToArray());
            Assert.AreSequenceEqual(ml.Vae.SampleSequences(fitted.Model, 20).Tokens.ToArray(), ml.Vae.SampleSequences(model, 20).Tokens.ToArray());
        }

        // The transforms agree column by column, in batches, row by row and saved once more.
        using var again = new MemoryStream();
        ml.Model.Save(rehydrated, family.Schema, again);
        again.Position = 0;
        foreach (var view in new[] { loaded.Transform(family), rehydrated.Transform(family), ml.Model.Load(again, out _).Transform(family) })
        {
            foreach (string column in new[] { "Latent", "Sigma" })
                EstimatorContract.AssertSame(Read(fitted.Transform(family), column), Read(view, column), 1e-5, column);
            if (score)
                EstimatorContract.AssertSame([[.. fitted.Transform(family).GetColumn<float>("Oddness")]], [[.. view.GetColumn<float>("Oddness")]], 1e-5, "Oddness");
        }
        if (!score)
            return;
        // The score is the mean over the members.
        float[][] each = [.. fitted.Model.Members.Select(member => new SequenceVaeTransformer(ml, new SequenceVaeModel(family.Layout, [member]), [], "Tokens", "Latent", new() { Score = "Oddness" }, family.Schema)
            .Transform(family).GetColumn<float>("Oddness").ToArray())];
        EstimatorContract.AssertSame([[.. Enumerable.Range(0, family.Count).Select(row => each.Average(scores => scores[row]))]], [[.. fitted.Transform(family).GetColumn<float>("Oddness")]], 1e-5, "mean of scores");
    }

    [TestMethod]
    public void FromOnnx_NamesWhatIsWrong()
    {
        var family = Family(100);
        using var fitted = Train(family, Small with { MaximumSteps = 20, EnsembleMembers = 2 });
        using var folder = new TemporaryFolder();
        fitted.Model.ExportDecoder(folder["decoder.onnx"]);
        Assert.Contains("decoder", Assert.ThrowsExactly<InvalidDataException>(() => SequenceVaeModel.FromOnnx(folder["decoder.onnx"])).Message);
        byte[] file = fitted.Model.ToOnnx();
        Assert.ThrowsExactly<InvalidDataException>(() => SequenceVaeModel.FromOnnx(file[..^1000]));
        var model = Vae.MLNet.Onnx.Proto.ModelProto.Parser.ParseFrom(file);
        model.MetadataProps.Single(entry => entry.Key == "vae.members").Value = "3";
        using var stream = new MemoryStream();
        Google.Protobuf.MessageExtensions.WriteTo(model, stream);
        Assert.Contains("vae.options.member.2", Assert.ThrowsExactly<InvalidDataException>(() => SequenceVaeModel.FromOnnx(stream.ToArray())).Message);
        new MLContext().Model.Save(new MLContext().Transforms.CopyColumns("Copy", "Tokens").Fit(family), family.Schema, folder["other.zip"]);
        Assert.Contains("0 autoencoders of sequences", Assert.ThrowsExactly<InvalidDataException>(() => SequenceVaeModel.FromPipeline(folder["other.zip"])).Message);
    }

    /// <summary>An encoder of one-hot rows gives what that of tokens gives, gaps and unknown letters included.</summary>
    [TestMethod]
    [DataRow(GapTreatment.Symbol)]
    [DataRow(GapTreatment.Missing)]
    [DataRow(GapTreatment.Masked)]
    public void ExportEncoder_OneHotAgreesWithTokens(GapTreatment gaps)
    {
        var family = Family(150, gaps);
        using var fitted = Train(family, Small with { MaximumSteps = 50, HiddenLayers = [16, 8] });
        using var folder = new TemporaryFolder();
        fitted.Model.ExportEncoder(folder["onehot.onnx"], input: SequenceInput.OneHot);
        fitted.Model.ExportEncoder(folder["tokens.onnx"]);
        using var encoder = VaeEncoder.Load(folder["onehot.onnx"]);
        using var reference = SequenceEncoder.Load(folder["tokens.onnx"]);
        Assert.ThrowsExactly<InvalidDataException>(() => SequenceEncoder.Load(folder["onehot.onnx"]));
        Assert.AreEqual(8 * family.Alphabet.InputSymbolCount, encoder.FeatureCount);
        float[] rows = family.Layout.OneHot(family.Tokens.Span);
        for (int row = 0; row < family.Count; row++)
        {
            var found = encoder.Encode(rows.AsSpan(row * encoder.FeatureCount, encoder.FeatureCount));
            var expected = reference.Encode(family.Sequence(row));
            EstimatorContract.AssertSame([expected.Mean], [found], 1e-5, family.Sequence(row));
        }
        Assert.ThrowsExactly<ArgumentException>(() => family.Layout.OneHot([99, 0, 0, 0, 0, 0, 0, 0]));
        Assert.ThrowsExactly<ArgumentException>(() => family.Layout.OneHot([0, 0, 0]));
    }

    [TestMethod]
    public void ScoreSequences_TellsTheFamily()
    {
        var family = Family(300);
        var vae = new MLContext().Vae;
        using var fitted = Train(family, Small with { EnsembleMembers = 2 });
        var natural = vae.ScoreSequences(fitted.Model, family, new() { Samples = 20 });
        var random = new Random(1);
        var shuffled = SequenceAlignment.FromTokens(family.Layout, [.. Enumerable.Range(0, 300 * 8).Select(_ => (byte)random.Next(20))]);
        var other = vae.ScoreSequences(fitted.Model, shuffled, new() { Samples = 20 });
        Assert.HasCount(300, natural);
        Assert.IsGreaterThan(other.Average() + 10, natural.Average());
        // A variant's score is the difference of its bound and the reference's.
        string variant = "LKHDSAWC";
        var pair = vae.ScoreSequences(fitted.Model, SequenceAlignment.FromSequences(family.Layout, [Reference, variant]));
        Assert.AreEqual(vae.ScoreVariants(fitted.Model, ["M11L"])[0].Score!.Value, pair[1] - pair[0], 1e-9);
        Assert.ThrowsExactly<ArgumentException>(() => vae.ScoreSequences(fitted.Model, Family(5, GapTreatment.Missing)));
    }

    /// <summary>What the optimiser is for: from one group's latent to the other's, by asking for two of its letters.</summary>
    [TestMethod]
    public void Optimize_FindsTheOtherGroup()
    {
        var family = Family(600);
        using var fitted = Train(family, Small with { MaximumSteps = 400 });
        using var encoder = fitted.Model.CreateEncoder();
        using var decoder = fitted.Model.CreateDecoder(withGradient: true);
        float[] start = encoder.Encode("MKHDSAWC").Mean;
        Assert.AreEqual("MK", decoder.MostProbable(start)[..2]);
        var wanted = SequenceObjective.Letters(family.Layout, (11, 'L'), (12, 'R'));
        var found = decoder.Optimize(wanted, start, new() { Steps = 300, PriorWeight = 0.01f });
        // The other two letters of the group come along, for nobody asked for them.
        Assert.AreEqual("LRHDSGF", found.Sequence[..7]);
        Assert.IsLessThan(0.5, found.Descent.Objectives[found.Descent.BestIndex]);
        Assert.AreEqual(decoder.Probabilities(start)[decoder.IndexOf(12, 'R')], decoder.Probabilities(start)[1 * 21 + family.Alphabet.Encode("R")[0]]);

        // Values and slopes of the objectives by hand and by differences.
        float[] p = decoder.Probabilities(start);
        Assert.AreEqual(-Math.Log(p[decoder.IndexOf(11, 'L')]) - Math.Log(p[decoder.IndexOf(12, 'R')]), wanted.Evaluate(p), 1e-3);
        var charge = SequenceObjective.Expected(family.Layout, letter => letter is 'K' or 'R' ? 1 : letter is 'D' or 'E' ? -1 : 0);
        foreach (var objective in new[] { wanted, charge, SequenceObjective.Sequence(family.Layout, "LRHXSGFC") })
        {
            var gradient = new float[p.Length];
            objective.Evaluate(p, gradient);
            for (int i = 0; i < p.Length; i += 5)
            {
                const float Step = 1e-4f;
                if (p[i] < 10 * Step)
                    continue;
                float[] more = [.. p], less = [.. p];
                more[i] += Step;
                less[i] -= Step;
                Assert.AreEqual((objective.Evaluate(more) - objective.Evaluate(less)) / (more[i] - less[i]), gradient[i], 0.01 * Math.Max(1, Math.Abs(gradient[i])), $"number {i}");
            }
        }
        Assert.ThrowsExactly<ArgumentException>(() => SequenceObjective.Letters(family.Layout, (99, 'L')));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceObjective.Letters(family.Layout, (11, 'X')));
        Assert.ThrowsExactly<ArgumentException>(() => SequenceObjective.Sequence(family.Layout, "XXXXXXXX"));
        Assert.ThrowsExactly<ArgumentException>(() => charge.Evaluate(new float[5]));
    }

    /// <summary>The score is the reconstruction of the network at the posterior mean plus the divergence, computed here by hand.</summary>
    [TestMethod]
    public void Score_IsNegativeBound()
    {
        var family = Family(100, GapTreatment.Masked);
        using var fitted = Train(family, Small with { StandardDeviationColumnName = "Sigma", ScoreColumnName = "Score" });
        var view = fitted.Transform(family);
        float[] scores = [.. view.GetColumn<float>("Score")];
        float[][] means = Read(view, "Latent"), sigmas = Read(view, "Sigma");
        using var decoder = fitted.Model.CreateDecoder();
        for (int row = 0; row < family.Count; row += 9)
        {
            float[] p = decoder.Probabilities(means[row]);
            double expected = 0;
            for (int c = 0; c < 8; c++)
                expected -= family.Row(row)[c] < 20 ? Math.Log(p[c * 20 + family.Row(row)[c]]) : 0;
            for (int i = 0; i < 3; i++)
                expected += 0.5 * (means[row][i] * means[row][i] + sigmas[row][i] * sigmas[row][i] - 1) - Math.Log(sigmas[row][i]);
            Assert.AreEqual(expected, scores[row], 1e-3);
        }
    }

    [TestMethod]
    public void Fit_Repeats()
    {
        var family = Family(200).WithSequenceWeights();
        using var first = Train(family, Small with { EnsembleMembers = 2, Dropout = 0.1f, TokenMasking = 0.1f });
        using var second = Train(family, Small with { EnsembleMembers = 2, Dropout = 0.1f, TokenMasking = 0.1f });
        using var other = Train(family, Small with { Seed = 4 });
        for (int m = 0; m < 2; m++)
            Assert.AreSequenceEqual(first.Model.Members[m].Parameters, second.Model.Members[m].Parameters);
        Assert.IsFalse(first.Model.Members[0].Parameters.SequenceEqual(first.Model.Members[1].Parameters));
        Assert.IsFalse(first.Model.Members[0].Parameters.SequenceEqual(other.Model.Members[0].Parameters));
        // Nothing of a training is kept alive.
        Assert.IsLessThan(first.Histories[0].Epochs[0].Loss, first.Histories[0].Epochs[^1].Loss);
    }

    /// <summary>Cancelled within the second member and started again, it gives the bytes of a training that was never interrupted.</summary>
    [TestMethod]
    public void Fit_GoesOnFromACheckpoint()
    {
        var family = Family(200).WithSequenceWeights();
        using var folder = new TemporaryFolder();
        var options = Small with { EnsembleMembers = 2, StepsPerEpoch = 10, Dropout = 0.2f };
        using var whole = Train(family, options);
        using var stop = new CancellationTokenSource();
        var interrupted = options with
        {
            CheckpointFolder = folder["checkpoints"],
            CheckpointEvery = 2,
            CancellationToken = stop.Token,
            Progress = new Stop(stop, member: 1, epoch: 5),
        };
        Assert.ThrowsExactly<OperationCanceledException>(() => Train(family, interrupted));
        using var resumed = Train(family, interrupted with { CancellationToken = default, Progress = null });
        for (int m = 0; m < 2; m++)
            Assert.AreSequenceEqual(whole.Model.Members[m].Parameters, resumed.Model.Members[m].Parameters);
        Assert.AreEqual(whole.Histories[1].Epochs.Count, resumed.Histories[1].Epochs.Count);
        Assert.ThrowsExactly<InvalidOperationException>(() => Train(family.Select(Enumerable.Range(0, 150)), interrupted with { CancellationToken = default, Progress = null }));

        // Where the best is to be kept, the members that are done make the model.
        using var again = new CancellationTokenSource();
        using var kept = Train(family, options with { OnCancellation = CancellationBehavior.KeepBest, CancellationToken = again.Token, Progress = new Stop(again, member: 0, epoch: 15) });
        Assert.HasCount(1, kept.Model.Members);
    }

    private sealed class Stop(CancellationTokenSource source, int member, int epoch) : IProgress<SequenceVaeProgress>
    {
        public void Report(SequenceVaeProgress value)
        {
            if (value.Member == member && value.Training.Latest.Epoch == epoch)
                source.Cancel();
        }
    }

    [TestMethod]
    public void Fit_UsesWeights()
    {
        var family = Family(200);
        float[] weights = [.. Enumerable.Range(0, 200).Select(row => family.Sequence(row)[0] == 'L' ? 1f : 0)];
        using var fitted = Train(family.WithWeights(weights), Small with { ValidationFraction = 0, EarlyStopping = null });
        Assert.AreEqual(weights.Count(weight => weight > 0), fitted.Histories[0].TrainingRows);
        using var decoder = fitted.Model.CreateDecoder();
        Assert.AreEqual('L', decoder.MostProbable([0, 0, 0])[0]);
        Assert.Contains("zero in every row", Assert.ThrowsExactly<InvalidOperationException>(() =>
            new MLContext().Vae.SequenceAutoencoder("Latent", "Tokens", Small with { WeightColumnName = "None" }).Fit(
                new MLContext().Transforms.CustomMapping<Nothing, Zero>((_, zero) => zero.None = 0, null).Fit(family).Transform(family))).Message);
    }

    [TestMethod]
    public void Options_AreChecked()
    {
        var vae = new MLContext().Vae;
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vae.SequenceAutoencoder(options: new() { HiddenLayers = [] }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vae.SequenceAutoencoder(options: new() { EnsembleMembers = 0 }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vae.SequenceAutoencoder(options: new() { Dropout = 1 }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vae.SequenceAutoencoder(options: new() { StepsPerEpoch = 0 }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vae.SequenceAutoencoder(options: new() { MaximumSteps = 0 }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vae.SequenceAutoencoder(options: new() { ValidationIdentity = 1.1 }));
        Assert.ThrowsExactly<ArgumentException>(() => vae.SequenceAutoencoder("Tokens"));
        Assert.ThrowsExactly<ArgumentException>(() => vae.SequenceAutoencoder(options: new() { ValidationFraction = 0 }));
        var numbers = EstimatorContract.Load(new MLContext(), TestRows.Curved(5, 4));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => vae.SequenceAutoencoder("Latent", EstimatorContract.Input).Fit(numbers));
    }

    [TestMethod]
    public void ScoreVariants_IsDifferenceOfBounds()
    {
        var family = Family(400);
        var vae = new MLContext().Vae;
        using var fitted = Train(family, Small with { EnsembleMembers = 2 });
        string[] variants = ["M11L", "K12R", "M11L:K12R", "H13W", "M11M", "Q11L", "M99L", "nonsense", "M11-"];
        var scores = vae.ScoreVariants(fitted.Model, variants, new() { Samples = 200, Seed = 7 });
        Assert.AreSequenceEqual(variants, scores.Select(score => score.Text).ToArray());
        Assert.AreSequenceEqual(
            new[] { VariantStatus.Valid, VariantStatus.Valid, VariantStatus.Valid, VariantStatus.Valid, VariantStatus.Valid, VariantStatus.ReferenceMismatch,
                VariantStatus.OutsideReference, VariantStatus.Malformed, VariantStatus.UnknownLetter },
            scores.Select(score => score.Status).ToArray());
        Assert.IsTrue(scores.Skip(5).All(score => score.Score is null && score.Reason is not null));
        // The same noise for both, so that no variant at all scores zero exactly.
        Assert.AreEqual(0, scores[4].Score!.Value, 1e-9);
        // A letter that is never seen at a conserved position is worse than one of the other group.
        Assert.IsLessThan(scores[1].Score!.Value, scores[3].Score!.Value);
        // More draws and other threads: the same within the draws' error, and exactly the same.
        var more = vae.ScoreVariants(fitted.Model, variants, new() { Samples = 2000, Seed = 8 });
        for (int i = 0; i < 4; i++)
            Assert.AreEqual(more[i].Score!.Value, scores[i].Score!.Value, 0.5);
        var single = vae.ScoreVariants(fitted.Model, variants, new() { Samples = 200, Seed = 7, Threads = 1 });
        Assert.AreSequenceEqual(scores.Select(score => score.Score).ToArray(), single.Select(score => score.Score).ToArray());

        // By hand for one member and one draw.
        using var alone = Train(family);
        double found = vae.ScoreVariants(alone.Model, ["H13W"], new() { Samples = 5000 })[0].Score!.Value;
        double Bound(string text)
        {
            using var encoder = alone.Model.CreateEncoder();
            using var decoder = alone.Model.CreateDecoder();
            var (mean, sigma) = encoder.Encode(text);
            byte[] tokens = family.Layout.Encode(text);
            var random = new Random(1);
            double sum = 0;
            for (int s = 0; s < 4000; s++)
            {
                float[] z = [.. mean.Zip(sigma, (m, d) => m + d * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
                float[] p = decoder.Probabilities(z);
                sum += tokens.Select((token, c) => Math.Log(p[c * 21 + token])).Sum() / 4000;
            }
            return sum - mean.Zip(sigma, (m, d) => 0.5 * (m * m + d * d - 1) - Math.Log(d)).Sum();
        }
        string variant = Reference.Replace('H', 'W');
        Assert.AreEqual(Bound(variant) - Bound(Reference), found, 0.15);
    }

    /// <summary>The bound averaged over dropout masks, against one worked out here with draws of its own.</summary>
    [TestMethod]
    public void ScoreSequences_AveragesOverDropout()
    {
        var family = Family(300);
        var vae = new MLContext().Vae;
        using var fitted = Train(family, Small with { Dropout = 0.4f });
        var member = fitted.Model.Members[0];
        double found = vae.ScoreSequences(fitted.Model, family.Select([0]), new() { Samples = 5000 })[0];
        double whole = vae.ScoreSequences(fitted.Model, family.Select([0]), new() { Samples = 5000, SampleDropout = false })[0];

        using var encoder = fitted.Model.CreateEncoder();
        var (mean, sigma) = encoder.Encode(Reference);
        float[] w = member.Parameter("decoder.0.weight").ToArray(), b = member.Parameter("decoder.0.bias").ToArray();
        float[] v = member.Parameter("output.weight").ToArray(), c = member.Parameter("output.bias").ToArray();
        byte[] tokens = family.Layout.Encode(Reference);
        var random = new Random(2);
        double sum = 0;
        const int Draws = 4000;
        for (int draw = 0; draw < Draws; draw++)
        {
            float[] z = [.. mean.Zip(sigma, (m, d) => m + d * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
            var hidden = new float[16];
            for (int h = 0; h < 16; h++)
                hidden[h] = random.NextDouble() < 0.4 ? 0 : Math.Max(0, b[h] + w[h * 3] * z[0] + w[h * 3 + 1] * z[1] + w[h * 3 + 2] * z[2]) / 0.6f;
            for (int position = 0; position < 8; position++)
            {
                double[] logits = [.. Enumerable.Range(position * 21, 21).Select(row => c[row] + Enumerable.Range(0, 16).Sum(h => (double)v[row * 16 + h] * hidden[h]))];
                sum += (logits[tokens[position]] - Math.Log(logits.Sum(Math.Exp))) / Draws;
            }
        }
        double expected = sum - mean.Zip(sigma, (m, d) => 0.5 * (m * m + d * d - 1) - Math.Log(d)).Sum();
        Assert.AreEqual(expected, found, 0.15);
        Assert.IsGreaterThan(0.01, Math.Abs(whole - found), "The masks have no effect.");

        using var plain = Train(family);
        Assert.AreSequenceEqual(vae.ScoreSequences(plain.Model, family.Select([0, 1])).ToArray(), vae.ScoreSequences(plain.Model, family.Select([0, 1]), new() { SampleDropout = false }).ToArray());
    }

    [TestMethod]
    public void ScoreAllSubstitutions_CoversColumns()
    {
        using var fitted = Train(Family(100));
        var scores = new MLContext().Vae.ScoreAllSubstitutions(fitted.Model, new() { Samples = 3 });
        Assert.HasCount(8 * 19, scores);
        Assert.IsTrue(scores.All(score => score.Score is { } value && double.IsFinite(value)));
    }

    [TestMethod]
    public void SampleSequences_KeepsWhatGoesTogether()
    {
        var family = Family(600);
        var vae = new MLContext().Vae;
        using var fitted = Train(family, Small with { MaximumSteps = 400, EnsembleMembers = 2 });
        var prior = vae.SampleSequences(fitted.Model, 501, new() { Seed = 5 });
        Assert.AreEqual(501, prior.Count);
        Assert.AreSequenceEqual(prior.Tokens.ToArray(), vae.SampleSequences(fitted.Model, 501, new() { Seed = 5 }).Tokens.ToArray());
        Assert.IsFalse(prior.Tokens.Span.SequenceEqual(vae.SampleSequences(fitted.Model, 501, new() { Seed = 6 }).Tokens.Span));
        var posterior = vae.SampleSequences(fitted.Model, 500, new() { Seed = 5, AggregatePosterior = family });
        foreach (var sampled in new[] { prior, posterior })
        {
            int together = Enumerable.Range(0, sampled.Count).Count(row => sampled.Sequence(row)[..2] is "MK" or "LR");
            // 0.92 in the family; 0.43 were the two positions independent.
            Assert.IsGreaterThan(0.7 * sampled.Count, together);
        }
        // Argmax does not draw: the same latent gives the same sequence, and a low temperature comes near it.
        using var decoder = fitted.Model.CreateDecoder();
        float[] latents = [.. Enumerable.Repeat(0.3f, 30)];
        Assert.HasCount(1, decoder.Decode(latents, 1, new() { Selection = SymbolSelection.MostProbable }).Sequences.Distinct());
        Assert.HasCount(1, decoder.Decode(latents, 1, new() { Temperature = 1e-3f }).Sequences.Distinct());
        Assert.IsGreaterThan(1, decoder.Decode(latents, 1).Sequences.Distinct().Count());
        var kept = decoder.Sample(3, 4, new() { KeepProbabilities = true });
        Assert.AreEqual(3 * 8 * 21, kept.Probabilities.Length);
        Assert.AreSequenceEqual(kept.Sequences.Take(2).ToArray(), decoder.Sample(2, 4).Sequences.ToArray());
        var path = decoder.Interpolate([-1, 0, 0], [1, 0, 0], 5);
        Assert.HasCount(5, path.Sequences);
        Assert.AreEqual(decoder.MostProbable([-1, 0, 0]), path.Sequences[0]);

        using var folder = new TemporaryFolder();
        string file = folder["samples.fasta"];
        prior.SaveFasta(file);
        Assert.AreSequenceEqual(Enumerable.Range(0, 501).Select(prior.Sequence).ToArray(), File.ReadAllLines(file).Where(line => line[0] != '>').ToArray());
        Assert.ThrowsExactly<ArgumentException>(() => vae.SampleSequences(fitted.Model, 5, new() { AggregatePosterior = Family(5, GapTreatment.Missing) }));
    }

    private static float[][] Read(IDataView view, string column)
    {
        using var cursor = view.GetRowCursor([view.Schema[column]]);
        var getter = cursor.GetGetter<VBuffer<float>>(view.Schema[column]);
        var rows = new List<float[]>();
        VBuffer<float> buffer = default;
        while (cursor.MoveNext())
        {
            getter(ref buffer);
            rows.Add([.. buffer.DenseValues()]);
        }
        return [.. rows];
    }

    private sealed class Nothing;

    private sealed class Zero
    {
        public float None { get; set; }
    }
}
