using System.Text.Json;
using System.Text.Json.Serialization;

namespace DecoderService.Requests;

/// <summary>Rows of data: an array of numbers, an object of numbers by their columns' names, or an aligned sequence.</summary>
[JsonConverter(typeof(FeatureRowsConverter))]
internal sealed record FeatureRows(IReadOnlyList<FeatureRow> Rows);

/// <summary>One row, of which one is given; none where the row is null.</summary>
internal readonly record struct FeatureRow(float[]? Numbers, Dictionary<string, float>? Named, string? Sequence);

/// <summary>What is wrong with a field that was read by hand.</summary>
internal sealed class FieldException(string name, string problem) : JsonException(problem, "$." + name, null, null)
{
    public string Name { get; } = name;
}

internal sealed class FeatureRowsConverter : JsonConverter<FeatureRows>
{
    /// <summary>Fields of requests that hold rows of data have this name.</summary>
    private const string Field = "features";

    public override FeatureRows Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new FieldException(Field, "has to be an array of rows: arrays of numbers, or objects of numbers by their names.");
        var rows = new List<FeatureRow>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            string field = $"{Field}[{rows.Count}]";
            rows.Add(reader.TokenType switch
            {
                JsonTokenType.Null => default,
                JsonTokenType.StartArray => new(Numbers(ref reader, field), null, null),
                JsonTokenType.StartObject => new(null, Named(ref reader, field), null),
                JsonTokenType.String => new(null, null, reader.GetString()),
                _ => throw new FieldException(field, "has to be an array of numbers, or an object of numbers by their names."),
            });
        }
        return new(rows);
    }

    public override void Write(Utf8JsonWriter writer, FeatureRows value, JsonSerializerOptions options) => throw new NotSupportedException();

    private static float[] Numbers(ref Utf8JsonReader reader, string field)
    {
        var numbers = new List<float>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            numbers.Add(Number(ref reader, $"{field}[{numbers.Count}]"));
        return [.. numbers];
    }

    private static Dictionary<string, float> Named(ref Utf8JsonReader reader, string field)
    {
        var named = new Dictionary<string, float>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            string name = reader.GetString()!, path = FieldErrors.Member(field, name);
            reader.Read();
            if (!named.TryAdd(name, Number(ref reader, path)))
                throw new FieldException(path, "is given more than once.");
        }
        return named;
    }

    private static float Number(ref Utf8JsonReader reader, string field) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetSingle(out float value) ? value : throw new FieldException(field, "has to be a number.");
}
