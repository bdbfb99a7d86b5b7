using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Tests.Onnx;

/// <summary>
/// The rules of the ONNX IR that a valid file obeys: versions, single assignment, order, scopes, types of inputs and outputs, operators that exist; then OnnxRuntime's own
/// check with strict shape inference.
/// </summary>
internal static class OnnxChecker
{
    /// <summary>All operators of ai.onnx in opset 17.</summary>
    private static readonly HashSet<string> Opset17 = [.. (
        "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Bernoulli BitShift BlackmanWindow Cast CastLike Ceil Celu Clip Compress Concat " +
        "ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DFT DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu " +
        "Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample HammingWindow " +
        "HannWindow HardSigmoid HardSwish Hardmax Identity If InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop LpNormalization " +
        "LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mod Mul Multinomial Neg NegativeLogLikelihoodLoss " +
        "NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RNN RandomNormal RandomNormalLike " +
        "RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape " +
        "Resize ReverseSequence RoiAlign Round STFT Scan Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength " +
        "SequenceMap Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze StringNormalizer Sub " +
        "Sum Tan Tanh TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor").Split(' ')];

    public static void AssertValid(byte[] file)
    {
        var model = ModelProto.Parser.ParseFrom(file);
        Assert.AreEqual(8, model.IrVersion);
        var imports = model.OpsetImport.ToDictionary(import => import.Domain, import => import.Version);
        Assert.AreEqual(17, imports[""]);
        Assert.IsTrue(imports.All(import => import.Key == "" || import is { Key: "ai.onnx.ml", Value: 2 }), "Only ai.onnx 17 and ai.onnx.ml 2 are imported.");
        Assert.AreEqual(model.MetadataProps.Count, model.MetadataProps.Select(entry => entry.Key).Distinct().Count());
        Assert.IsFalse(string.IsNullOrEmpty(model.Graph.Name), "A graph has a name.");
        foreach (var value in model.Graph.Input.Concat(model.Graph.Output))
        {
            Assert.IsNotNull(value.Type?.TensorType?.Shape, $"{value.Name} has a type and a shape.");
            Assert.AreNotEqual(0, value.Type.TensorType.ElemType);
        }
        Check(model.Graph, imports, [], [], top: true);

        using var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        options.AddSessionConfigEntry("session.strict_shape_type_inference", "1");
        using var session = new InferenceSession(file, options);
        Assert.AreSequenceEqual(model.Graph.Output.Select(output => output.Name).ToArray(), session.OutputNames.ToArray());
    }

    /// <param name="assigned">Every name assigned anywhere so far: names are unique in a graph and its branches.</param>
    /// <param name="visible">Names that nodes may read here.</param>
    private static void Check(GraphProto graph, Dictionary<string, long> imports, HashSet<string> assigned, HashSet<string> visible, bool top)
    {
        visible = [.. visible];
        foreach (var input in graph.Input)
        {
            Assert.IsTrue(assigned.Add(input.Name), $"The name {input.Name} is assigned once.");
            visible.Add(input.Name);
        }
        Assert.AreEqual(graph.Initializer.Count, graph.Initializer.Select(tensor => tensor.Name).Distinct().Count());
        foreach (var tensor in graph.Initializer)
        {
            if (graph.Input.All(input => input.Name != tensor.Name))
                Assert.IsTrue(assigned.Add(tensor.Name), $"The name {tensor.Name} is assigned once.");
            visible.Add(tensor.Name);
            long count = tensor.Dims.Aggregate(1L, (product, dim) => product * dim);
            int size = tensor.DataType switch { 1 or 6 => 4, 7 or 11 => 8, 9 => 1, 10 => 2, 8 => 0, _ => -1 };
            Assert.AreEqual(size == 0 ? 0 : size * count, tensor.RawData.Length, $"Bytes of {tensor.Name}");
        }
        var nodeNames = new HashSet<string>();
        foreach (var node in graph.Node)
        {
            Assert.IsTrue(imports.ContainsKey(node.Domain), $"The domain of {node.OpType} is imported.");
            Assert.IsTrue(node.Domain == "ai.onnx.ml" || Opset17.Contains(node.OpType), $"{node.OpType} is in opset 17.");
            Assert.IsTrue(nodeNames.Add(node.Name), $"The node name {node.Name} is unique.");
            foreach (string input in node.Input.Where(input => input.Length > 0))
                Assert.Contains(input, visible, $"{node.Name} reads {input}, which is assigned before it.");
            foreach (var attribute in node.Attribute)
            {
                Assert.AreNotEqual(AttributeProto.Types.AttributeType.Undefined, attribute.Type, $"{node.Name}.{attribute.Name} has a type.");
                if (attribute.G is { } branch)
                    Check(branch, imports, assigned, visible, top: false);
            }
            foreach (string output in node.Output.Where(output => output.Length > 0))
            {
                Assert.IsTrue(assigned.Add(output), $"The name {output} is assigned once.");
                visible.Add(output);
            }
        }
        foreach (var output in graph.Output)
            Assert.Contains(output.Name, visible, $"The output {output.Name} is computed.");
        if (top)
            Assert.AreEqual(graph.Output.Count, graph.Output.Select(output => output.Name).Distinct().Count());
    }
}
