using System.Collections.ObjectModel;
using System.Globalization;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Vae.MLNet.Inference.Loading;

/// <summary>What a file says of itself in its metadata, checked.</summary>
internal sealed class ModelHeader
{
    public const string DecoderKind = "decoder", EncoderKind = "encoder", PipelineKind = "pipeline", CriticKind = "critic";

    private const string Format = "vae.format", FormatVersion = "1", KindKey = "vae.kind", LatentKey = "vae.latent", FeaturesKey = "vae.features",
        LikelihoodKey = "vae.likelihood", GroupSizeKey = "vae.groupSize", NoiseKey = "vae.noise", GradientKey = "vae.gradient",
        LayoutKey = "vae.sequence_layout", ColumnsKey = "vae.columns", InputNamesKey = "vae.input_names",
        DataKey = "vae.data", DimensionsKey = "vae.dimensions", RangeKey = "vae.range";

    /// <summary>Most numbers in a row: far above what a dense network can have, low enough that a buffer for one row is small.</summary>
    private const int LargestRow = 1 << 22;

    private readonly string _file;

    private ModelHeader(string file, IReadOnlyDictionary<string, string> metadata)
    {
        _file = file;
        Metadata = metadata;
    }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public string Kind { get; private init; } = "";

    public int LatentDimension { get; private init; }

    public int FeatureCount { get; private init; }

    public DecoderLikelihood Likelihood { get; private init; }

    public int GroupSize { get; private init; }

    public float[] Noise { get; private init; } = [];

    /// <summary>Whether the graph itself has the gradient, with an optional input, as earlier files do.</summary>
    public bool GradientInGraph { get; private init; }

    /// <summary>A decoder's gradient beside its graph; null where there is none. See <see cref="Loading.GradientGraph"/>.</summary>
    public byte[]? GradientGraph { get; private init; }

    public bool HasGradient => GradientInGraph || GradientGraph is not null;

    public bool HasLogits => Likelihood is DecoderLikelihood.Bernoulli or DecoderLikelihood.Categorical;

    public static ModelHeader Read(string file, Dictionary<string, string> properties, string[] kinds)
    {
        var metadata = new ReadOnlyDictionary<string, string>(properties);
        var raw = new ModelHeader(file, metadata);
        if (!metadata.TryGetValue(Format, out string? format))
            throw Guard.BadFile(file, $"the model has no '{Format}' in its metadata: it was not exported by Vae.MLNet.");
        if (format != FormatVersion)
            throw Guard.BadFile(file, $"the model has format '{Shown(format)}'; this version of the library reads format {FormatVersion}.");
        string found = raw.Text(KindKey);
        if (!kinds.Contains(found))
            throw Guard.BadFile(file, $"the model is of kind '{Shown(found)}'; kind {string.Join(" or ", kinds.Select(kind => $"'{kind}'"))} is expected.");

        // A critic judges rows, and has no latent space of its own.
        if (found == CriticKind)
            return new(file, metadata) { Kind = found, FeatureCount = raw.Integer(FeaturesKey, 1, LargestRow) };
        int latent = raw.Integer(LatentKey, 1, LargestRow), features = raw.Integer(FeaturesKey, 1, LargestRow);
        var likelihood = raw.ReadLikelihood();
        int group = likelihood == DecoderLikelihood.Categorical ? raw.Integer(GroupSizeKey, 2, features) : 0;
        if (group != 0 && features % group != 0)
            throw Guard.BadFile(file, Guard.Invariant($"'{GroupSizeKey}' has to divide the {features} features; it is {group}."));
        return new(file, metadata)
        {
            Kind = found,
            LatentDimension = latent,
            FeatureCount = features,
            Likelihood = likelihood,
            GroupSize = group,
            Noise = raw.ReadNoise(features),
            GradientInGraph = metadata.TryGetValue(GradientKey, out string? gradient) && gradient == "true",
            GradientGraph = found == DecoderKind ? raw.ReadGradientGraph() : null,
        };
    }

    /// <summary>The layout of a model of sequences.</summary>
    public SequenceLayout ReadLayout()
    {
        if (!Metadata.TryGetValue(LayoutKey, out string? json))
            throw Guard.BadFile(_file, $"the model has no '{LayoutKey}' in its metadata: it is no model of sequences.");
        try
        {
            return SequenceLayout.FromJson(json);
        }
        catch (InvalidDataException e)
        {
            throw Guard.BadFile(_file, e.Message, e);
        }
    }

    /// <summary>Names of a pipeline's outputs: the latent, and its standard deviation or null where it is not given.</summary>
    public (string Latent, string? Sigma) ReadColumns()
    {
        if (!Metadata.TryGetValue(ColumnsKey, out string? text))
            throw Guard.BadFile(_file, $"the pipeline's metadata have no '{ColumnsKey}': it was exported without its latent, or by a version that did not name it.");
        try
        {
            using var json = JsonDocument.Parse(text);
            var columns = json.RootElement;
            if (columns.GetProperty("latent").GetString() is { } latent)
                return (latent, columns.TryGetProperty("standardDeviation", out var sigma) ? sigma.GetString() : null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw Guard.BadFile(_file, $"'{ColumnsKey}' has to be a JSON object with the name of the latent.", e);
        }
        throw Guard.BadFile(_file, $"'{ColumnsKey}' has to be a JSON object with the name of the latent.");
    }

    /// <summary>
    /// What the rows are and, of conformations, the coordinates of a bead (0 for others). Files of earlier versions do not say it: they
    /// hold sequences where they have
    /// a layout of them, and are otherwise taken for plain vectors, whatever their size may suggest.
    /// </summary>
    public (VaeDataKind Kind, int Dimensions) ReadData()
    {
        if (!Metadata.TryGetValue(DataKey, out string? text))
            return (Metadata.ContainsKey(LayoutKey) ? VaeDataKind.Sequence : VaeDataKind.Vector, 0);
        switch (text)
        {
            case "vector":
                return (VaeDataKind.Vector, 0);
            case "sequence":
                return (VaeDataKind.Sequence, 0);
            case "conformation":
                int dimensions = Integer(DimensionsKey, 1, FeatureCount);
                return FeatureCount % dimensions == 0
                    ? (VaeDataKind.Conformation, dimensions)
                    : throw Guard.BadFile(_file, Guard.Invariant($"'{DimensionsKey}' has to divide the {FeatureCount} features; it is {dimensions}."));
            default:
                throw Guard.BadFile(_file, $"'{DataKey}' has to be vector, conformation or sequence; it is '{Shown(text)}'.");
        }
    }

    /// <summary>Low and high quantiles of each feature's training values; empty where the file does not say them.</summary>
    public (float[] Low, float[] High) ReadRange()
    {
        if (!Metadata.TryGetValue(RangeKey, out string? text))
            return ([], []);
        try
        {
            using var json = JsonDocument.Parse(text);
            float[] low = Numbers(json.RootElement.GetProperty("low")), high = Numbers(json.RootElement.GetProperty("high"));
            for (int i = 0; i < low.Length; i++)
            {
                if (!(low[i] <= high[i]))
                    throw Guard.BadFile(_file, Guard.Invariant($"'{RangeKey}' has to hold ranges; that of feature {i} goes from {low[i]} to {high[i]}."));
            }
            return (low, high);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw Guard.BadFile(_file, $"'{RangeKey}' has to be a JSON object of two arrays of numbers, low and high.", e);
        }

        float[] Numbers(JsonElement array)
        {
            if (array.GetArrayLength() != FeatureCount)
                throw Guard.BadFile(_file, Guard.Invariant($"'{RangeKey}' has to hold {FeatureCount} numbers twice; it holds {array.GetArrayLength()}."));
            float[] numbers = [.. array.EnumerateArray().Select(element => element.GetSingle())];
            return numbers.All(float.IsFinite) ? numbers : throw Guard.BadFile(_file, $"'{RangeKey}' holds a number that is not finite.");
        }
    }

    /// <summary>Names of the numbers in a row; empty where the file does not say them.</summary>
    public string[] ReadInputNames(int count)
    {
        if (!Metadata.TryGetValue(InputNamesKey, out string? text))
            return [];
        try
        {
            using var json = JsonDocument.Parse(text);
            int length = json.RootElement.GetArrayLength();
            if (length != count)
                throw Guard.BadFile(_file, Guard.Invariant($"'{InputNamesKey}' has to hold {count} names, one for each number in a row; it holds {length}."));
            return [.. json.RootElement.EnumerateArray().Select(element => element.GetString() ?? throw new JsonException("A name is null."))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Guard.BadFile(_file, $"'{InputNamesKey}' has to be a JSON array of names.", e);
        }
    }

    /// <summary>The only input of a pipeline, of single precision and of shape [any, size]: its name and size.</summary>
    public (string Name, int Size) OnlyInput(IReadOnlyDictionary<string, NodeMetadata> inputs)
    {
        if (inputs.Count != 1)
        {
            throw Guard.BadFile(_file, Guard.Invariant($"it is a pipeline of {inputs.Count} input columns ")
                + $"({Shown(string.Join(", ", inputs.Keys.Order(StringComparer.Ordinal)))}); one vector column is expected. "
                + "Concatenate the columns before the pipeline.");
        }
        var (name, tensor) = inputs.Single();
        int size = tensor.IsTensor && tensor.Dimensions is [< 0, > 0 and <= LargestRow] ? tensor.Dimensions[1] : 1;
        CheckTensor(inputs, "input", name, size);
        return (name, size);
    }

    /// <summary>Checks that a tensor is there, of single precision or, for tokens, 64-bit integers, and of shape [any, size].</summary>
    public void CheckTensor(IReadOnlyDictionary<string, NodeMetadata> tensors, string what, string name, int size, TensorElementType type = TensorElementType.Float)
    {
        if (!tensors.TryGetValue(name, out var tensor))
            throw Guard.BadFile(_file, $"the model has no {what} '{name}'; it has {Shown(string.Join(", ", tensors.Keys.Order(StringComparer.Ordinal)))}.");
        string expected = Guard.Invariant($"{what} '{name}' has to be {type} [N, {size}]");
        if (!tensor.IsTensor || tensor.ElementDataType != type)
            throw Guard.BadFile(_file, $"{expected}; it is {(tensor.IsTensor ? tensor.ElementDataType.ToString() : tensor.OnnxValueType.ToString())}.");
        int[] shape = tensor.Dimensions;
        if (shape.Length != 2 || shape[0] >= 0 || shape[1] != size)
            throw Guard.BadFile(_file, $"{expected}; its shape is [{Shown(string.Join(", ", shape.Select(dim => dim < 0 ? "N" : dim.ToString(CultureInfo.InvariantCulture))))}].");
    }

    private DecoderLikelihood ReadLikelihood()
    {
        string text = Text(LikelihoodKey);
        foreach (var likelihood in Enum.GetValues<DecoderLikelihood>())
        {
            if (likelihood.ToString() == text)
                return likelihood;
        }
        throw Guard.BadFile(_file, $"'{LikelihoodKey}' has to be one of {string.Join(", ", Enum.GetNames<DecoderLikelihood>())}; it is '{Shown(text)}'.");
    }

    private byte[]? ReadGradientGraph()
    {
        if (!Metadata.TryGetValue(Loading.GradientGraph.Key, out string? text))
            return null;
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException e)
        {
            throw Guard.BadFile(_file, $"'{Loading.GradientGraph.Key}' has to be a graph in base64.", e);
        }
    }

    private float[] ReadNoise(int features)
    {
        if (!Metadata.TryGetValue(NoiseKey, out string? text))
            return [];
        float[] noise;
        try
        {
            using var json = JsonDocument.Parse(text);
            int length = json.RootElement.GetArrayLength();
            if (length != 1 && length != features)
                throw Guard.BadFile(_file, Guard.Invariant($"'{NoiseKey}' has to hold 1 or {features} numbers; it holds {length}."));
            noise = new float[length];
            int i = 0;
            foreach (var element in json.RootElement.EnumerateArray())
                noise[i++] = element.GetSingle();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw Guard.BadFile(_file, $"'{NoiseKey}' has to be a JSON array of numbers.", e);
        }
        foreach (float value in noise)
        {
            if (!(value >= 0 && float.IsFinite(value)))
                throw Guard.BadFile(_file, Guard.Invariant($"'{NoiseKey}' has to hold standard deviations; it holds {value}."));
        }
        return noise;
    }

    private string Text(string key) => Metadata.TryGetValue(key, out string? text) ? text : throw Guard.BadFile(_file, $"the model's metadata have no '{key}'.");

    /// <summary>A whole number in a range.</summary>
    public int Integer(string key, int minimum, int maximum)
    {
        string text = Text(key);
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value < minimum || value > maximum)
            throw Guard.BadFile(_file, Guard.Invariant($"'{key}' has to be a whole number between {minimum} and {maximum}; it is '{Shown(text)}'."));
        return value;
    }

    /// <summary>A finite number.</summary>
    public float Number(string key)
    {
        string text = Text(key);
        return float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value)
            ? value
            : throw Guard.BadFile(_file, $"'{key}' has to be a finite number; it is '{Shown(text)}'.");
    }

    // A hostile file's text is not repeated at any length.
    private static string Shown(string text) => text.Length <= 100 ? text : text[..100] + "…";
}
