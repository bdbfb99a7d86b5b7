using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Vae.MLNet.Onnx;

/// <summary>What every exported file says of itself in ONNX's metadata_props.</summary>
internal static class VaeMetadata
{
    public const string Format = "vae.format", Kind = "vae.kind", Version = "vae.version", Latent = "vae.latent", Features = "vae.features",
        Likelihood = "vae.likelihood", GroupSize = "vae.groupSize", Noise = "vae.noise", Options = "vae.options", Training = "vae.training",
        Residual = "vae.residual", Parameters = "vae.parameters.";

    public const string DecoderKind = "decoder", EncoderKind = "encoder", VaeKind = "vae", TransformKind = "transform", PipelineKind = "pipeline",
        AnomalyKind = "anomaly", ImputerKind = "imputer", SequenceKind = "sequence-vae", SiteIndependentKind = "site-independent", TableKind = "table", TableSamplerKind = "table-sampler",
        ChainDecoderKind = "chain-decoder", CriticKind = "critic";

    /// <summary>Of a critic: the logarithm of the ratio of densities from which on a row is kept for certain.</summary>
    public const string CertainLogRatio = "vae.certain_log_ratio";

    /// <summary>Of an anomaly detector: score above which a row is labelled. Of a detector or a sequence model: networks in the ensemble. Of an imputer: passes through the autoencoder.</summary>
    public const string Threshold = "vae.threshold", Members = "vae.members", Iterations = "vae.iterations";

    /// <summary>Initialisers with the constants of the input scaling.</summary>
    public const string Offset = "scaling.offset", Factor = "scaling.factor";

    /// <summary>What the names of an ensemble's later members start with; the first has none. Their options and provenance are under keys of their own.</summary>
    public static string MemberPrefix(int member) => member == 0 ? "" : Check.Invariant($"member.{member}.");

    public static string MemberKey(string key, int member) => member == 0 ? key : Check.Invariant($"{key}.member.{member}");

    public const string FormatVersion = "1";

    /// <summary>JSON object that says which column of a saved transform is which: latent, standardDeviation, reconstruction, score.</summary>
    public const string Columns = "vae.columns";

    /// <summary>Float16 where weights are stored in half precision; absent otherwise.</summary>
    public const string WeightType = "vae.weightType";

    /// <summary>JSON array that describes the transforms an exported pipeline was made of.</summary>
    public const string Pipeline = "vae.pipeline";

    /// <summary>JSON object of the layout of a sequence model's columns.</summary>
    public const string SequenceLayout = "vae.sequence_layout";

    /// <summary>Of a chain decoder: JSON object of the mixture of normal distributions that its latent vectors are drawn from.</summary>
    public const string Prior = "vae.prior";

    /// <summary>JSON of a table's columns and of how their cells become tokens.</summary>
    public const string Table = "vae.table";

    /// <summary>
    /// What an autoencoder's rows are: <see cref="VectorData"/>, <see cref="ConformationData"/> (with <see cref="Dimensions"/>) or <see
    /// cref="SequenceData"/>.
    /// </summary>
    public const string Data = "vae.data", VectorData = "vector", ConformationData = "conformation", SequenceData = "sequence";

    /// <summary>JSON object of two arrays, low and high: quantiles 0.01 and 0.99 of each feature's training values.</summary>
    public const string Range = "vae.range";

    /// <summary>
    /// Of a transform or a model of conformations, or of a decoder of bonds and angles that gives beads: coordinates of a bead.
    /// </summary>
    public const string Dimensions = "vae.dimensions";

    /// <summary>JSON array of the names of the features, or, of a pipeline, of the slots of its one input; absent where they are unknown.</summary>
    public const string InputNames = "vae.input_names";

    /// <summary>Of a pipeline: JSON array of the names of its autoencoder's features; absent where they are unknown.</summary>
    public const string FeatureNames = "vae.feature_names";

    /// <param name="graph">The graph of the model.</param>
    /// <param name="model">The model.</param>
    /// <param name="kind">What the file is.</param>
    /// <param name="end">What stands behind a decoder, if anything: noise and names of the features are not those of its output.</param>
    public static void Write(OnnxGraph graph, VaeModel model, string kind, DecoderEnd? end = null)
    {
        var options = model.Options;
        graph.Metadata(Format, FormatVersion);
        graph.Metadata(Kind, kind);
        graph.Metadata(Version, LibraryVersion.Text);
        graph.Metadata(Latent, model.LatentDimension.ToString(CultureInfo.InvariantCulture));
        graph.Metadata(Features, (end?.Size ?? model.FeatureCount).ToString(CultureInfo.InvariantCulture));
        graph.Metadata(Likelihood, options.Likelihood.ToString());
        if (options.Likelihood == MLNet.Likelihood.Categorical)
            graph.Metadata(GroupSize, options.GroupSize.ToString(CultureInfo.InvariantCulture));
        if (model.Architecture.Tokens is { } layout)
            graph.Metadata(VaeMetadata.SequenceLayout, layout.ToJson());
        if (end is not null)
            end.Describe(graph);
        else
            WriteFeatures(graph, model);
        graph.Metadata(Options, options.ToJson());
        graph.Metadata(Training, model.TrainingJson);
    }

    private static void WriteFeatures(OnnxGraph graph, VaeModel model)
    {
        if (model.Noise is { Length: > 0 } noise)
            graph.Metadata(Noise, JsonSerializer.Serialize(noise));
        if (model.Residual is { Length: > 0 } residual)
            graph.Metadata(Residual, JsonSerializer.Serialize(residual));
        graph.Metadata(Data, model.Architecture.Tokens is not null ? SequenceData
            : model.BeadDimensions > 0 ? ConformationData
            : VectorData);
        if (model.BeadDimensions > 0)
            graph.Metadata(Dimensions, model.BeadDimensions.ToString(CultureInfo.InvariantCulture));
        if (model.Range is { } range)
            graph.Metadata(Range, JsonSerializer.Serialize(new { low = range.Low, high = range.High }));
        if (model.InputNames.Count > 0)
            graph.Metadata(InputNames, JsonSerializer.Serialize(model.InputNames));
    }

    /// <summary>
    /// Parameters that no node of the graph uses (the decoder's, where only the latent is wanted) go into the metadata: as initialisers OnnxRuntime would warn
    /// about them at every load, and without them the model could not be read back.
    /// </summary>
    public static void WriteUnusedParameters(OnnxGraph graph, VaeModel model, string prefix = "")
    {
        foreach (var slot in model.Architecture.Slots)
        {
            if (!graph.Has(prefix + slot.Name))
                graph.Metadata(Parameters + prefix + slot.Name, Convert.ToBase64String(MemoryMarshal.AsBytes(model.Parameter(slot.Name))));
        }
    }
}
