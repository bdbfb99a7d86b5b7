using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Inference.Tests.Loading;

/// <summary>The scan of a file against what OnnxRuntime's own parser makes of it.</summary>
[TestClass]
public sealed class OnnxScanTests
{
    [TestMethod]
    [DataRow("A280808010")] // Cut to 32 bits this is field 4 of a node, its type.
    [DataRow("A2808080F00F")]
    [DataRow("A2808080808000")]
    [DataRow("A280808000")] // The same tag in five bytes where one does.
    [DataRow("A200")]
    [DataRow("A280808080808080808001")]
    public void Check_TagThatHidesALoop_IsRefused(string tag)
    {
        byte[] hidden = [.. Convert.FromHexString(tag), 4, .. "Loop"u8];
        byte[] loop = Wire.Field(1, [.. Wire.Field(3, "n"u8), .. hidden]);
        Refused([.. TestModels.Decoder()[..], .. Wire.Field(25, Wire.Field(7, hidden))], "tag", "bytes");
        Refused(Wire.Field(7, loop), "tag", "bytes");
    }

    [TestMethod]
    [DataRow("22FFFFFFFFFFFFFFFFFF01", "more than 5 bytes")] // A length of 2^64 - 1.
    [DataRow("2280808080808000", "more than 5 bytes")]
    [DataRow("22FFFFFFFF0F", "stand")]
    [DataRow("2205004C6F", "are left")]
    [DataRow("08FFFFFFFFFFFFFFFFFF02", "more than 64 bits")]
    [DataRow("08FFFFFFFFFFFFFFFFFFFF01", "more than 64 bits")]
    [DataRow("08FFFF", "does not end")]
    [DataRow("00", "number 0")]
    [DataRow("0200", "number 0")]
    [DataRow("0B0C", "group")]
    [DataRow("0C", "group")]
    [DataRow("0E", "wire type 6")]
    [DataRow("0F", "wire type 7")]
    [DataRow("09000000", "are left")]
    [DataRow("0D0000", "are left")]
    public void Check_EncodingThatReadersDifferIn_IsRefusedAnywhere(string field, string expected)
    {
        byte[] bytes = Convert.FromHexString(field);
        Refused([.. TestModels.Decoder(), .. bytes], expected);
        Refused(Wire.Field(7, bytes), expected);
        Refused(Wire.Field(7, Wire.Field(1, bytes)), expected);
        Refused(Wire.Field(7, Wire.Field(5, bytes)), expected);
        Refused(Wire.Field(7, Wire.Field(1, Wire.Field(5, bytes))), expected);
        Refused([.. TestModels.Decoder(), .. Wire.Field(14, bytes)], expected);
    }

    [TestMethod]
    public void Check_MessageThatIsMergedFromTwo_IsRefused()
    {
        byte[] decoder = TestModels.Decoder();
        Refused([.. decoder, .. Wire.Field(7, [])], "stands there twice");
        // Each half claims no more than it has; together they would be a tensor of 10,000 numbers in 240 bytes.
        byte[] half = Wire.Field(5, [8, 100, 8, 1, .. Wire.Field(9, new byte[120])]);
        Refused(Wire.Field(7, Wire.Field(1, Wire.Field(5, [.. half, .. half]))), "stands there twice");
        Refused(Wire.Field(7, Wire.Field(1, Wire.Field(5, [.. Wire.Field(6, []), .. Wire.Field(6, [])]))), "stands there twice");
    }

    [TestMethod]
    [DataRow("Loop")]
    [DataRow("Scan")]
    [DataRow("SequenceMap")]
    public void Check_NodeThatMayNotEnd_IsRefusedAtAnyDepth(string type)
    {
        byte[] graph = Wire.Field(1, Wire.Field(4, System.Text.Encoding.ASCII.GetBytes(type)));
        for (int depth = 0; depth < 6; depth++)
        {
            Refused(Wire.Field(7, graph), $"it has a {type} node");
            graph = Wire.Field(1, Wire.Field(5, Wire.Field(depth % 2 == 0 ? 6 : 11, graph)));
        }
    }

    [TestMethod]
    public void Check_FunctionsThatUnfold_AreRefused()
    {
        // Each calls the one before it twice.
        byte[] model = TestModels.Decoder();
        for (int i = 1; i < 30; i++)
        {
            byte[] call = Wire.Field(7, [.. Wire.Field(4, System.Text.Encoding.ASCII.GetBytes($"f{i - 1}")), .. Wire.Field(7, "d"u8)]);
            model = [.. model, .. Wire.Field(25, [.. Wire.Field(1, System.Text.Encoding.ASCII.GetBytes($"f{i}")), .. call, .. call])];
        }
        Refused(model, "defines a function");
    }

    [TestMethod]
    public void Load_FileOfTwoFormats_IsRefused()
    {
        // An unknown field of the ONNX file holds what OnnxRuntime would take for its own format.
        byte[] content = new byte[120];
        "\0\0ORTM"u8.CopyTo(content.AsSpan(0));
        byte[] polyglot = [.. Wire.Field(15, content)];
        Assert.IsTrue(polyglot.AsSpan(4).StartsWith("ORTM"u8));
        Refused([.. polyglot, .. TestModels.Decoder()], "OnnxRuntime's own format");
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => VaeModel.FromOnnx([.. polyglot, .. TestModels.Decoder()])).Message, "OnnxRuntime's own format");
    }

    [TestMethod]
    public void Check_SoundFiles_NamesEveryOperator()
    {
        foreach (byte[] file in new[] { TestModels.Decoder(), TestModels.Encoder(), ScanFuzzer.Branching() })
        {
            OnnxScan.Check(new("model", file), out var operators);
            var expected = new HashSet<string>();
            Operators(ModelProto.Parser.ParseFrom(file).Graph, expected);
            Assert.IsTrue(operators.SetEquals(expected), string.Join(" ", operators.Order()));
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    public void Check_MutatedFiles_SeesWhatOnnxRuntimeSees(int seed)
    {
        string folder = Directory.CreateTempSubdirectory("vae-scan-").FullName;
        // Found by OnnxRuntime relative to the working directory.
        string data = Path.GetRandomFileName();
        try
        {
            File.WriteAllBytes(data, [.. Enumerable.Range(0, 4).SelectMany(_ => BitConverter.GetBytes(ScanFuzzer.External))]);
            var fuzzer = new ScanFuzzer(seed, data);
            int loaded = 0, accepted = 0, both = 0;
            for (int i = 0; i < 2500; i++)
            {
                byte[] file = fuzzer.Next();
                var found = Native(file, Path.Combine(folder, "seen.onnx"));
                IReadOnlySet<string>? scanned = null;
                try
                {
                    OnnxScan.Check(new("fuzz", file), out scanned);
                }
                catch (InvalidDataException)
                {
                }
                loaded += found is null ? 0 : 1;
                accepted += scanned is null ? 0 : 1;
                if (found is null || scanned is null)
                    continue;
                both++;
                string where = $"seed {seed}, file {i}: {Convert.ToHexString(file)}";
                Assert.IsFalse(found.External, $"OnnxRuntime read another file; {where}");
                Assert.IsTrue(found.Operators.All(scanned.Contains), $"OnnxRuntime sees {string.Join(" ", found.Operators.Except(scanned))} too; {where}");
            }
            // The cases are worth something: some of each kind.
            Assert.IsGreaterThan(both, loaded, $"{loaded} {accepted} {both}");
            Assert.IsGreaterThan(400, both, $"{loaded} {accepted} {both}");
            Assert.IsGreaterThan(both, accepted, $"{loaded} {accepted} {both}");
        }
        finally
        {
            File.Delete(data);
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed record Seen(HashSet<string> Operators, bool External);

    /// <summary>What OnnxRuntime makes of a file: it writes the graph that it has read. Null where it refuses the file.</summary>
    private static Seen? Native(byte[] file, string copy)
    {
        File.Delete(copy);
        try
        {
            using var options = new SessionOptions
            {
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
                GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL,
                OptimizedModelFilePath = copy,
                IntraOpNumThreads = 1,
            };
            using var session = new InferenceSession(file, options);
            var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(copy));
            var operators = new HashSet<string>();
            Operators(model.Graph, operators);
            byte[] mark = BitConverter.GetBytes(ScanFuzzer.External);
            bool external = model.Graph.Initializer.Any(tensor => tensor.DataLocation != 0 || tensor.ExternalData.Count > 0 || tensor.RawData.Span.StartsWith(mark));
            return new(operators, external);
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
        catch (InvalidProtocolBufferException)
        {
            // OnnxRuntime took a name that is no text and wrote it out again: there is nothing to compare with.
            return null;
        }
    }

    private static void Operators(GraphProto graph, HashSet<string> operators)
    {
        foreach (var node in graph.Node)
        {
            operators.Add(node.OpType);
            foreach (var attribute in node.Attribute)
            {
                if (attribute.G is { } branch)
                    Operators(branch, operators);
            }
        }
    }

    private static void Refused(byte[] bytes, params string[] expected)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => OnnxScan.Check(new("file", bytes)));
        Assert.IsTrue(expected.Any(text => error.Message.Contains(text, StringComparison.Ordinal)), error.Message);
    }
}
