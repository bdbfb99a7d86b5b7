using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Vae.MLNet.Inference;
using Vae.MLNet.Model;

namespace Vae.MLNet.Onnx;

/// <summary>Reads a <see cref="VaeModel"/> back from a file that holds encoder and decoder.</summary>
internal static class VaeModelReader
{
    private const int LargestDimension = 1 << 20, LongestJson = 1 << 24;

    internal static SequenceLayout? Layout(OnnxFile file)
    {
        if (!file.Metadata.ContainsKey(VaeMetadata.SequenceLayout))
            return null;
        try
        {
            return SequenceLayout.FromJson(Json(file, VaeMetadata.SequenceLayout));
        }
        catch (InvalidDataException e)
        {
            throw Check.BadFile(file.Name, e.Message, e);
        }
    }

    public static VaeModel Read(OnnxFile file) => Read(file, Layout(file), 0);

    internal static VaeModel Read(OnnxFile file, SequenceLayout? layout, int member)
    {
        switch (file.Kind)
        {
            case VaeMetadata.DecoderKind:
                throw Check.BadFile(file.Name, "it holds no encoder: it is a decoder alone. A model is read back from a file of both, as VaeModel.Save writes it, or from a saved pipeline.");
            case VaeMetadata.EncoderKind:
                throw Check.BadFile(file.Name, "it holds no decoder: it is an encoder alone. A model is read back from a file of both, as VaeModel.Save writes it, or from a saved pipeline.");
        }
        int features = Integer(file, VaeMetadata.Features), latent = Integer(file, VaeMetadata.Latent);
        var options = Options(file, VaeMetadata.MemberKey(VaeMetadata.Options, member));
        if (layout is not null && (options.Likelihood != Likelihood.Categorical || options.GroupSize != layout.Alphabet.OutputSymbolCount || features != (long)layout.Length * options.GroupSize))
        {
            throw Check.BadFile(file.Name, Check.Invariant(
                $"its layout says {layout.Length} positions of {layout.Alphabet.OutputSymbolCount} symbols, its options {features} features in groups of {options.GroupSize}."));
        }
        if (options.LatentDimension != latent)
            throw Check.BadFile(file.Name, Check.Invariant($"its options speak of {options.LatentDimension} latent dimensions, '{VaeMetadata.Latent}' of {latent}."));
        if (file.Required(VaeMetadata.Likelihood) is var likelihood && likelihood != options.Likelihood.ToString())
            throw Check.BadFile(file.Name, $"its options speak of the likelihood {options.Likelihood}, '{VaeMetadata.Likelihood}' of '{OnnxFile.Shown(likelihood)}'.");
        VaeArchitecture architecture;
        try
        {
            architecture = new VaeArchitecture(features, options, layout);
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            throw Check.BadFile(file.Name, "its options do not fit its features: " + e.Message, e);
        }
        // A pipeline's input names are those of its own columns.
        string names = file.Kind == VaeMetadata.PipelineKind ? VaeMetadata.FeatureNames : VaeMetadata.InputNames;
        return new VaeModel(architecture, Parameters(file, architecture, VaeMetadata.MemberPrefix(member)), Scale(file, options, features), Residual(file, features),
            Training(file, VaeMetadata.MemberKey(VaeMetadata.Training, member)))
        {
            Range = Range(file, features),
        }
            .WithInputNames(InputNames(file.Name, file.Metadata, features, names)).WithBeadDimensions(BeadDimensions(file, features));
    }

    /// <summary>Coordinates of a bead in a file that says that its rows are conformations; 0 otherwise.</summary>
    private static int BeadDimensions(OnnxFile file, int features)
    {
        if (!file.Metadata.TryGetValue(VaeMetadata.Data, out string? data) || data != VaeMetadata.ConformationData)
            return 0;
        int dimensions = Integer(file, VaeMetadata.Dimensions);
        return features % dimensions == 0
            ? dimensions
            : throw Check.BadFile(file.Name, Check.Invariant($"'{VaeMetadata.Dimensions}' is {dimensions}, which does not divide its {features} features."));
    }

    private static FeatureRange? Range(OnnxFile file, int features)
    {
        if (!file.Metadata.TryGetValue(VaeMetadata.Range, out string? json))
            return null;
        try
        {
            using var document = JsonDocument.Parse(json);
            float[] low = Numbers(document.RootElement.GetProperty("low")), high = Numbers(document.RootElement.GetProperty("high"));
            if (low.Length == features && high.Length == features
                && Enumerable.Range(0, features).All(j => float.IsFinite(high[j]) && low[j] <= high[j]))
                return new(low, high);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw Check.BadFile(file.Name, $"'{VaeMetadata.Range}' is not an object of two arrays of numbers, low and high.", e);
        }
        throw Check.BadFile(file.Name, Check.Invariant($"'{VaeMetadata.Range}' does not hold {features} ranges, one for each feature."));

        static float[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(element => element.GetSingle())];
    }

    /// <summary>Names of the features; empty where the file does not say them.</summary>
    internal static string[] InputNames(string file, IReadOnlyDictionary<string, string> metadata, int features, string key = VaeMetadata.InputNames)
    {
        if (!metadata.TryGetValue(key, out string? json))
            return [];
        string[]? names = null;
        try
        {
            if (json.Length <= LongestJson)
                names = JsonSerializer.Deserialize<string[]>(json);
        }
        catch (JsonException e)
        {
            throw Check.BadFile(file, $"'{key}' is not an array of names: {e.Message}", e);
        }
        return names is not null && names.Length == features && !names.Contains(null)
            ? names
            : throw Check.BadFile(file, Check.Invariant($"'{key}' is not an array of {features} names, one for each feature."));
    }

    /// <summary>Whether the options in a file say that slot names are not compared; options that cannot be read say nothing.</summary>
    internal static bool IgnoresSlotNames(IReadOnlyDictionary<string, string> metadata)
    {
        try
        {
            return metadata.TryGetValue(VaeMetadata.Options, out string? json) && json.Length <= LongestJson && VaeTrainer.Options.FromJson(json).IgnoreSlotNames;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException or InvalidOperationException or FormatException or OverflowException)
        {
            return false;
        }
    }

    internal static int Integer(OnnxFile file, string key)
    {
        string text = file.Required(key);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value is >= 1 and <= LargestDimension
            ? value
            : throw Check.BadFile(file.Name, Check.Invariant($"'{key}' is '{OnnxFile.Shown(text)}'; a whole number from 1 to {LargestDimension} is expected."));
    }

    private static VaeTrainer.Options Options(OnnxFile file, string key)
    {
        string json = Json(file, key);
        try
        {
            var options = VaeTrainer.Options.FromJson(json);
            // A trained model has decided what the options may leave open.
            return options.HiddenLayers is not null && options.Scaling != InputScaling.Auto ? options
                : throw Check.BadFile(file.Name, $"'{key}' has no {(options.HiddenLayers is null ? "hidden layers" : "scaling of its own")}.");
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException or InvalidOperationException or FormatException or OverflowException)
        {
            throw Check.BadFile(file.Name, $"'{key}' is not a valid set of options: {e.Message}", e);
        }
    }

    private static string Json(OnnxFile file, string key)
    {
        string json = file.Required(key);
        return json.Length <= LongestJson ? json : throw Check.BadFile(file.Name, Check.Invariant($"'{key}' has {json.Length} characters; at most {LongestJson} are expected."));
    }

    /// <summary>All parameters. The flat array is allocated when every one of them has been found to be there.</summary>
    private static float[] Parameters(OnnxFile file, VaeArchitecture architecture, string prefix)
    {
        foreach (var slot in architecture.Slots)
        {
            if (file.HasParameter(prefix + slot.Name))
                continue;
            if (!file.Metadata.TryGetValue(VaeMetadata.Parameters + prefix + slot.Name, out string? text))
            {
                bool decoder = slot.Name.StartsWith("decoder.", StringComparison.Ordinal) || slot.Name.StartsWith("output.", StringComparison.Ordinal);
                throw Check.BadFile(file.Name, decoder
                    ? $"it holds no decoder: neither an initialiser nor metadata for the parameter '{prefix}{slot.Name}' (kind '{OnnxFile.Shown(file.Kind)}')."
                    : $"it holds no parameter '{prefix}{slot.Name}', which its options ask for (kind '{OnnxFile.Shown(file.Kind)}').");
            }
            long expected = (slot.Length * 4L + 2) / 3 * 4;
            if (text.Length != expected)
                throw Check.BadFile(file.Name, Check.Invariant($"'{VaeMetadata.Parameters}{prefix}{slot.Name}' has {text.Length} characters of base64; {expected} are expected."));
        }
        // Lengths of initialisers are checked here, before the whole is allocated.
        var parts = new float[architecture.Slots.Count][];
        for (int i = 0; i < parts.Length; i++)
        {
            var slot = architecture.Slots[i];
            parts[i] = file.Floats(prefix + slot.Name, slot.Shape) ?? Base64(file, prefix, slot);
            if (Array.FindIndex(parts[i], value => !float.IsFinite(value)) is >= 0 and var at)
                throw Check.BadFile(file.Name, Check.Invariant($"the parameter '{slot.Name}' holds {parts[i][at]} at {at}; finite numbers are expected."));
        }
        var parameters = new float[architecture.ParameterCount];
        for (int i = 0; i < parts.Length; i++)
            parts[i].CopyTo(parameters, architecture.Slots[i].Offset);
        return parameters;
    }

    private static float[] Base64(OnnxFile file, string prefix, ParameterSlot slot)
    {
        var values = new float[slot.Length];
        if (!Convert.TryFromBase64String(file.Metadata[VaeMetadata.Parameters + prefix + slot.Name], MemoryMarshal.AsBytes(values.AsSpan()), out int written) || written != slot.Length * 4L)
            throw Check.BadFile(file.Name, Check.Invariant($"'{VaeMetadata.Parameters}{prefix}{slot.Name}' is not base64 of {slot.Length * 4L} bytes."));
        return values;
    }

    private static InputScale Scale(OnnxFile file, VaeTrainer.Options options, int features)
    {
        if (options.Scaling == InputScaling.None)
            return InputScale.None;
        return new(options.Scaling, Constants(VaeMetadata.Offset, value => float.IsFinite(value)), Constants(VaeMetadata.Factor, value => float.IsFinite(value) && value != 0));

        float[] Constants(string name, Func<float, bool> isValid)
        {
            float[] values = file.Floats(name, [features])
                ?? throw Check.BadFile(file.Name, $"its options speak of the scaling {options.Scaling}, but the initialiser '{name}' is not there.");
            int at = Array.FindIndex(values, value => !isValid(value));
            return at < 0 ? values : throw Check.BadFile(file.Name, Check.Invariant($"the scaling's '{name}' is {values[at]} for feature {at}."));
        }
    }

    private static float[] Residual(OnnxFile file, int features)
    {
        if (!file.Metadata.ContainsKey(VaeMetadata.Residual))
            return [];
        float[]? residual;
        try
        {
            residual = JsonSerializer.Deserialize<float[]>(Json(file, VaeMetadata.Residual));
        }
        catch (JsonException e)
        {
            throw Check.BadFile(file.Name, $"'{VaeMetadata.Residual}' is not an array of numbers: {e.Message}", e);
        }
        if (residual is null || residual.Length != 1 && residual.Length != features || residual.Any(value => !float.IsFinite(value) || value < 0))
            throw Check.BadFile(file.Name, Check.Invariant($"'{VaeMetadata.Residual}' is not an array of 1 or {features} finite numbers that are not negative."));
        return residual;
    }

    private static string Training(OnnxFile file, string key)
    {
        string json = Json(file, key);
        try
        {
            using var document = JsonDocument.Parse(json);
            return json;
        }
        catch (JsonException e)
        {
            throw Check.BadFile(file.Name, $"'{key}' is not JSON: {e.Message}", e);
        }
    }
}
