using System.Text;
using Google.Protobuf;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Inference.Tests.Loading;

[TestClass]
public sealed class LoadTests
{
    [TestMethod]
    public void Load_FromPathStreamAndBytes_GivesTheSame()
    {
        byte[] bytes = TestModels.Decoder();
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        File.WriteAllBytes(path, bytes);
        try
        {
            using var fromPath = VaeDecoder.Load(path);
            File.Delete(path); // The file is closed again.
            using var stream = new MemoryStream([1, 2, 3, .. bytes]) { Position = 3 };
            using var fromStream = VaeDecoder.Load(stream);
            Assert.IsTrue(stream.CanRead);
            using var fromPipe = VaeDecoder.Load(new Unseekable(bytes));
            using var fromArray = VaeDecoder.Load(bytes);
            byte[] padded = [0, .. bytes, 0];
            using var fromSlice = VaeDecoder.Load(padded.AsMemory(1, bytes.Length));
            Array.Clear(padded);
            float[] expected = fromArray.Decode([0.3f, -1.2f]);
            foreach (var decoder in new[] { fromPath, fromStream, fromPipe, fromSlice })
                CollectionAssert.AreEqual(expected, decoder.Decode([0.3f, -1.2f]));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void Load_ReadsMetadata()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        Assert.AreEqual(2, decoder.LatentDimension);
        Assert.AreEqual(24, decoder.FeatureCount);
        Assert.AreEqual(DecoderLikelihood.MeanSquaredError, decoder.Likelihood);
        Assert.AreEqual(0, decoder.GroupSize);
        Assert.IsTrue(decoder.SupportsGradient);
        Assert.IsFalse(decoder.HasLogits);
        Assert.HasCount(24, decoder.Noise);
        Assert.AreEqual(0.33f, decoder.Noise[23], 1e-6f);
        Assert.AreEqual("{\"rows\":100}", decoder.Metadata["vae.training"]);
        Assert.IsTrue(decoder.Metadata["vae.options"].Contains("SiLU", StringComparison.Ordinal));

        using var categorical = VaeDecoder.Load(TestModels.Decoder(TestModels.Create(
            new() { HiddenLayers = [8], LatentDimension = 3, Likelihood = MLNet.Likelihood.Categorical, GroupSize = 4 }, features: 12), withGradient: false));
        Assert.AreEqual(DecoderLikelihood.Categorical, categorical.Likelihood);
        Assert.AreEqual(4, categorical.GroupSize);
        Assert.IsFalse(categorical.SupportsGradient);
        Assert.IsTrue(categorical.HasLogits);
        Assert.IsEmpty(categorical.Noise);
    }

    [TestMethod]
    public void DecoderLikelihood_HasTheTrainersNames()
    {
        foreach (string name in Enum.GetNames<MLNet.Likelihood>())
            Assert.IsTrue(Enum.TryParse<DecoderLikelihood>(name, out _), name);
        Assert.HasCount(Enum.GetNames<MLNet.Likelihood>().Length, Enum.GetNames<DecoderLikelihood>());
    }

    [TestMethod]
    public void Load_WrongKind_SaysWhich()
    {
        Refused(TestModels.Encoder(), "is of kind 'encoder'; kind 'decoder' is expected");
        var error = Assert.ThrowsExactly<InvalidDataException>(() => VaeEncoder.Load(TestModels.Decoder()));
        StringAssert.Contains(error.Message, "is of kind 'decoder'; kind 'encoder' or 'pipeline' is expected");
    }

    [TestMethod]
    [DataRow("vae.format", "2", "format '2'")]
    [DataRow("vae.format", null, "was not exported by Vae.MLNet")]
    [DataRow("vae.kind", null, "'vae.kind'")]
    [DataRow("vae.latent", "3", "'Latent' has to be Float [N, 3]; its shape is [N, 2]")]
    [DataRow("vae.latent", "-2", "'vae.latent'")]
    [DataRow("vae.latent", "99999999999", "'vae.latent'")]
    [DataRow("vae.latent", null, "'vae.latent'")]
    [DataRow("vae.features", "25", "'vae.noise' has to hold 1 or 25 numbers; it holds 24")]
    [DataRow("vae.features", "2000000000", "'vae.features'")]
    [DataRow("vae.likelihood", "Poisson", "'Poisson'")]
    [DataRow("vae.likelihood", "1", "'1'")]
    [DataRow("vae.likelihood", "Bernoulli", "no output 'Logits'")]
    [DataRow("vae.likelihood", "Categorical", "'vae.groupSize'")]
    [DataRow("vae.noise", "[1,2]", "'vae.noise' has to hold 1 or 24 numbers")]
    [DataRow("vae.noise", "[-1]", "'vae.noise'")]
    [DataRow("vae.noise", "[1e999]", "'vae.noise'")]
    [DataRow("vae.noise", "{}", "'vae.noise'")]
    [DataRow("vae.noise", "[\"x\"]", "'vae.noise'")]
    [DataRow("vae.noise", "[[[[", "'vae.noise'")]
    public void Load_BadMetadata_NamesIt(string key, string? value, string expected)
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder());
        var entry = model.MetadataProps.Single(prop => prop.Key == key);
        if (value is null)
            model.MetadataProps.Remove(entry);
        else
            entry.Value = value;
        Refused(model.ToByteArray(), expected);
    }

    [TestMethod]
    public void Load_FeaturesThatTheTensorsDoNotHave_AreRefused()
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder());
        model.MetadataProps.Remove(model.MetadataProps.Single(prop => prop.Key == "vae.noise"));
        model.MetadataProps.Single(prop => prop.Key == "vae.features").Value = "25";
        Refused(model.ToByteArray(), "'Reconstruction' has to be Float [N, 25]; its shape is [N, 24]");
    }

    [TestMethod]
    public void Load_GradientClaimedButNotThere_IsRefused()
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder(withGradient: false));
        model.MetadataProps.Add(new StringStringEntryProto { Key = "vae.gradient", Value = "true" });
        Refused(model.ToByteArray(), "'Cotangent'");
    }

    [TestMethod]
    [DataRow("not base64", "'vae.gradient_graph' has to be a graph in base64")]
    [DataRow("AAECAw==", "not a valid ONNX model")]
    [DataRow("", "'Cotangent'")]
    public void Load_BrokenGradient_IsRefused(string text, string expected)
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder());
        model.MetadataProps.Single(prop => prop.Key == "vae.gradient_graph").Value = text;
        Refused(model.ToByteArray(), expected);
    }

    [TestMethod]
    [DataRow("Loop", "no loops")]
    [DataRow("Teleport", "Teleport")]
    public void Load_GradientOfOtherOperators_IsRefused(string operation, string expected)
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder());
        var entry = model.MetadataProps.Single(prop => prop.Key == "vae.gradient_graph");
        var gradient = GraphProto.Parser.ParseFrom(Convert.FromBase64String(entry.Value));
        gradient.Node[^1].OpType = operation;
        entry.Value = Convert.ToBase64String(gradient.ToByteArray());
        Refused(model.ToByteArray(), expected);
    }

    [TestMethod]
    public void Decoder_NeedsTheLatentAlone_AndHasNoInitializerAmongItsInputs()
    {
        byte[] with = TestModels.Decoder(), without = TestModels.Decoder(withGradient: false);
        var model = ModelProto.Parser.ParseFrom(with);
        model.MetadataProps.Remove(model.MetadataProps.Single(prop => prop.Key == "vae.gradient_graph"));
        Assert.AreSequenceEqual(without, model.ToByteArray());
        Assert.AreEqual("Latent", model.Graph.Input.Single().Name);
    }

    [TestMethod]
    [DataRow(MLNet.Likelihood.MeanSquaredError)]
    [DataRow(MLNet.Likelihood.Bernoulli)]
    [DataRow(MLNet.Likelihood.Categorical)]
    public void Load_EarlierFileWithOptionalCotangent_GivesTheSame(MLNet.Likelihood likelihood)
    {
        int group = likelihood == MLNet.Likelihood.Categorical ? 4 : 0;
        var options = new VaeTrainer.Options { HiddenLayers = [16], LatentDimension = 2, Likelihood = likelihood, GroupSize = group };
        byte[] file = TestModels.Decoder(TestModels.Create(options));
        var earlier = ModelProto.Parser.ParseFrom(GradientGraph.Join(file));
        earlier.MetadataProps.Remove(earlier.MetadataProps.Single(prop => prop.Key == "vae.gradient_graph"));
        earlier.MetadataProps.Add(new StringStringEntryProto { Key = "vae.gradient", Value = "true" });
        earlier.Graph.Initializer.Add(new TensorProto { Name = "Cotangent", DataType = 1, Dims = { 0, 24 }, RawData = ByteString.Empty });
        using var now = VaeDecoder.Load(file);
        using var then = VaeDecoder.Load(earlier.ToByteArray());
        float[] latents = TestModels.Normals(600), cotangents = TestModels.Normals(300 * 24, seed: 3);
        float[][] outputs = [new float[300 * 24], new float[300 * 24]], gradients = [new float[600], new float[600]];
        foreach (var (decoder, i) in ((VaeDecoder[])[now, then]).Select((decoder, i) => (decoder, i)))
        {
            Assert.IsTrue(decoder.SupportsGradient);
            decoder.Decode(latents, outputs[i]);
            decoder.Gradient(latents, cotangents, gradients[i]);
        }
        Assert.AreSequenceEqual(outputs[1], outputs[0]);
        Assert.AreSequenceEqual(gradients[1], gradients[0]);
        Assert.IsTrue(gradients[0].Any(value => value != 0));
    }

    [TestMethod]
    public void Load_ShapesThatAreNotTrue_AreRefused()
    {
        // The declared shape says [N, 24]; the graph gives [1, 24] whatever N is, in a way that only running it shows.
        var graph = new OnnxGraph("liar");
        string z = graph.Input("Latent", OnnxType.Float, OnnxGraph.Batch, 2);
        string one = graph.Add(graph.Sum(graph.Multiply(graph.Reshape(z, 1, -1), graph.Scalar(0)), 1, keep: false), graph.Scalar(1));
        string end = graph.Node("Cast", [one], null, ("to", (long)OnnxType.Int64));
        string row = graph.Node("Slice", [z, graph.Ints(0), end, graph.Ints(0)]);
        graph.Node("MatMul", [row, graph.Constant("w", new float[48], 2, 24)], "Reconstruction");
        graph.Output("Reconstruction", OnnxType.Float, OnnxGraph.Batch, 24);
        Describe(graph);
        Refused(graph.ToBytes(), "OnnxRuntime cannot run the model");
    }

    [TestMethod]
    public void Load_FixedBatch_IsRefused()
    {
        var graph = new OnnxGraph("fixed");
        string z = graph.Input("Latent", OnnxType.Float, 1, 2);
        graph.Node("MatMul", [z, graph.Constant("w", new float[48], 2, 24)], "Reconstruction");
        graph.Output("Reconstruction", OnnxType.Float, 1, 24);
        Describe(graph);
        Refused(graph.ToBytes(), "its shape is [1, 2]");
    }

    [TestMethod]
    public void Load_UnknownOperator_IsRefused()
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder());
        model.Graph.Node[0].OpType = "Teleport";
        Refused(model.ToByteArray(), "Teleport");
    }

    [TestMethod]
    public void Load_Loop_IsRefused()
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder());
        model.Graph.Node[0].OpType = "Loop";
        Refused(model.ToByteArray(), "Loop");
    }

    [TestMethod]
    public void Load_ExternalData_IsRefusedAndNotOpened()
    {
        // A file beside the process that OnnxRuntime would find by its relative path.
        string data = Path.GetRandomFileName();
        File.WriteAllBytes(data, new byte[4096]);
        try
        {
            var model = ModelProto.Parser.ParseFrom(TestModels.Decoder(withGradient: false));
            var tensor = model.Graph.Initializer.First(initializer => initializer.Name == "/vae/output.bias");
            byte[] location = Field(13, [.. Field(1, "location"u8), .. Field(2, Encoding.UTF8.GetBytes(data))]);
            tensor.RawData = ByteString.Empty;
            tensor = TensorProto.Parser.ParseFrom([.. tensor.ToByteArray(), .. location, 14 << 3, 1]);
            model.Graph.Initializer.Remove(model.Graph.Initializer.First(initializer => initializer.Name == "/vae/output.bias"));
            model.Graph.Initializer.Add(tensor);
            Refused(model.ToByteArray(), "lives in another file");

            // Either sign of it will do, and nested graphs are looked into.
            byte[] bytes = TestModels.Decoder();
            byte[] locationAlone = Field(5, location), flagAlone = Field(5, [14 << 3, 1]);
            Refused([.. bytes, .. Field(7, locationAlone)], "lives in another file");
            Refused([.. bytes, .. Field(7, flagAlone)], "lives in another file");
            Refused([.. bytes, .. Field(7, Field(1, Field(5, Field(6, locationAlone))))], "lives in another file");
            Refused([.. bytes, .. Field(7, Field(1, Field(5, flagAlone)))], "lives in another file");
            Refused([.. bytes, .. Field(7, Field(15, Field(1, location)))], "lives in another file");
            Refused([.. bytes, .. Field(25, Field(7, Field(5, flagAlone)))], "lives in another file");
        }
        finally
        {
            File.Delete(data);
        }
    }

    [TestMethod]
    public void Load_AbsurdTensor_IsRefusedWithoutAllocating()
    {
        var model = ModelProto.Parser.ParseFrom(TestModels.Decoder());
        var tensor = model.Graph.Initializer.First(initializer => initializer.Name == "/vae/output.weight");
        tensor.Dims[0] = 1L << 40;
        byte[] bytes = model.ToByteArray();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(bytes, "claims");
        Assert.IsLessThan(1_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
        tensor.Dims[0] = -1;
        Refused(model.ToByteArray(), "dimension of -1");
    }

    [TestMethod]
    public void Load_OddMetadata()
    {
        byte[] bytes = TestModels.Decoder();
        // No key, no value (OnnxRuntime's own reader of metadata fails on them); the same key again; a text that is not UTF-8.
        using var decoder = VaeDecoder.Load((byte[])[.. bytes, .. Field(14, []), .. Field(14, Field(1, "vae.training"u8))]);
        Assert.AreEqual("", decoder.Metadata[""]);
        Assert.AreEqual("", decoder.Metadata["vae.training"]);
        Refused([.. bytes, .. Field(14, Field(2, [0xC3, 0x28]))], "not UTF-8");
    }

    [TestMethod]
    public void Load_DeepNesting_IsRefused()
    {
        byte[] inner = [];
        for (int i = 0; i < 50; i++)
            inner = Field(1, Field(5, Field(6, inner)));
        Refused([.. TestModels.Decoder(), .. Field(7, inner)], "nested too deeply");
    }

    [TestMethod]
    public void Load_TruncatedAnywhere_IsRefused()
    {
        byte[] bytes = TestModels.Decoder();
        for (int length = 0; length < bytes.Length; length += 1 + bytes.Length / 200)
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(() => VaeDecoder.Load(bytes.AsMemory(0, length)));
            StringAssert.StartsWith(error.Message, "'model in memory'");
        }
    }

    [TestMethod]
    public void Load_FromMemoryWithAName_ErrorsSayIt()
    {
        var options = new VaeSessionOptions { Name = "models/7" };
        StringAssert.StartsWith(Assert.ThrowsExactly<InvalidDataException>(() => VaeDecoder.Load(new byte[5], options)).Message, "'models/7': ");
        StringAssert.StartsWith(Assert.ThrowsExactly<InvalidDataException>(() => VaeEncoder.Load(new MemoryStream(new byte[5]), options)).Message, "'models/7': ");
    }

    [TestMethod]
    public void Load_Garbage_NamesTheFile()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        File.WriteAllText(path, "This is not a model.");
        try
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(() => VaeDecoder.Load(path));
            StringAssert.Contains(error.Message, path);
            File.WriteAllBytes(path, []);
            StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => VaeDecoder.Load(path)).Message, "empty");
        }
        finally
        {
            File.Delete(path);
        }
        Assert.ThrowsExactly<FileNotFoundException>(() => VaeDecoder.Load(path));
        Assert.ThrowsExactly<ArgumentException>(() => VaeDecoder.Load(" "));
        Assert.ThrowsExactly<ArgumentNullException>(() => VaeDecoder.Load((Stream)null!));
    }

    [TestMethod]
    public void Load_TooLarge_IsRefused()
    {
        byte[] bytes = TestModels.Decoder();
        var options = new VaeSessionOptions { MaximumFileSize = bytes.Length - 1 };
        foreach (Action load in new Action[]
        {
            () => VaeDecoder.Load(bytes, options),
            () => VaeDecoder.Load(new MemoryStream(bytes), options),
            () => VaeDecoder.Load(new Unseekable(bytes), options),
        })
        {
            StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(load).Message, nameof(VaeSessionOptions.MaximumFileSize));
        }
        VaeDecoder.Load(bytes, options with { MaximumFileSize = bytes.Length }).Dispose();
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => VaeDecoder.Load(bytes, new() { MaximumFileSize = 0 }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => VaeDecoder.Load(bytes, new() { Threads = -1 }));
    }

    [TestMethod]
    public void Load_MutatedFiles_LoadOrAreRefused()
    {
        byte[] original = TestModels.Decoder(TestModels.Create(new() { HiddenLayers = [3], LatentDimension = 2 }, features: 4));
        var random = new SeededRandom(99);
        int refused = 0;
        for (int round = 0; round < 1500; round++)
        {
            var bytes = new List<byte>(original);
            for (int edits = (int)(random.NextUInt64() % 3); edits >= 0; edits--)
            {
                int at = (int)(random.NextUInt64() % (ulong)bytes.Count);
                switch (random.NextUInt64() % 4)
                {
                    case 0:
                        bytes[at] ^= (byte)(1 << (int)(random.NextUInt64() % 8));
                        break;
                    case 1:
                        bytes[at] = (byte)random.NextUInt64();
                        break;
                    case 2:
                        bytes.RemoveRange(at, Math.Min(bytes.Count - at, 1 + (int)(random.NextUInt64() % 8)));
                        break;
                    default:
                        bytes.InsertRange(at, bytes.GetRange(at, Math.Min(bytes.Count - at, 1 + (int)(random.NextUInt64() % 8))));
                        break;
                }
            }
            try
            {
                using var decoder = VaeDecoder.Load(bytes.ToArray());
                decoder.Decode(new float[decoder.LatentDimension]);
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }
        // Changed weights load; changed structure does not.
        Assert.IsGreaterThan(300, refused);
        Assert.IsLessThan(1500, refused);
    }

    private static void Describe(OnnxGraph graph)
    {
        graph.Metadata("vae.format", "1");
        graph.Metadata("vae.kind", "decoder");
        graph.Metadata("vae.latent", "2");
        graph.Metadata("vae.features", "24");
        graph.Metadata("vae.likelihood", "MeanSquaredError");
    }

    private static void Refused(byte[] bytes, string expected)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => VaeDecoder.Load(bytes));
        StringAssert.StartsWith(error.Message, "'model in memory': ");
        StringAssert.Contains(error.Message, expected);
    }

    /// <summary>A length-delimited protobuf field.</summary>
    private static byte[] Field(int number, ReadOnlySpan<byte> content)
    {
        using var memory = new MemoryStream();
        using (var output = new CodedOutputStream(memory, leaveOpen: true))
        {
            output.WriteTag(number, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(content));
        }
        return memory.ToArray();
    }

    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 1000)]);
    }
}
