using System.Text.Json;

namespace Vae.MLNet.Onnx;

/// <summary>Which column of a saved transform is which, as it stands in the file.</summary>
internal sealed record VaeColumnNames(string Latent, string? StandardDeviation, string? Reconstruction, string? Score)
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, MaxDepth = 4 };

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Null where the text is not such a description.</summary>
    public static VaeColumnNames? FromJson(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<VaeColumnNames>(text, Json) is { Latent: not null } names ? names : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public VaeOutputColumns Others => new() { StandardDeviation = StandardDeviation, Reconstruction = Reconstruction, Score = Score };
}
