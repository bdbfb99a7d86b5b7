using System.Globalization;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Imputation;

/// <summary>Iterated reconstruction as one ONNX graph, its passes unrolled.</summary>
internal static class ImputationGraph
{
    public static byte[] Create(VaeModel model, string input, string output, int iterations, string[]? slotNames)
    {
        var graph = new OnnxGraph("imputer");
        string x = graph.Input(input, OnnxType.Float, OnnxGraph.Batch, model.FeatureCount);
        string missing = graph.Node("IsNaN", [x]);
        string given = VaeGraphs.Scaled(graph, model, x);
        string current = graph.Node("Where", [missing, VaeGraphs.ReconstructCenter(graph, model), given]);
        string reconstruction = current;
        for (int i = 0; i < iterations; i++)
        {
            reconstruction = VaeGraphs.Reconstruct(graph, model, current);
            if (i < iterations - 1)
                current = graph.Node("Where", [missing, reconstruction, given]);
        }
        // Chosen in units of the data, so that scaling there and back does not touch what was given.
        graph.Node("Where", [missing, VaeGraphs.Unscaled(graph, model, reconstruction), x], output);
        graph.Output(output, OnnxType.Float, OnnxGraph.Batch, model.FeatureCount);
        if (slotNames is not null)
            graph.SlotNames(output, slotNames);
        VaeMetadata.Write(graph, model, VaeMetadata.ImputerKind);
        // A normal likelihood's noise takes no part in the passes; without it the model could not be read back.
        VaeMetadata.WriteUnusedParameters(graph, model);
        graph.Metadata(VaeMetadata.Iterations, iterations.ToString(CultureInfo.InvariantCulture));
        return graph.ToBytes();
    }
}
