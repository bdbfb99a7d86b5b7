using System.ComponentModel;
using System.Text.Json.Serialization;

namespace DecoderService.Requests;

/// <summary>Latents to decode, one a row.</summary>
internal sealed record DecodeRequest([property: Description("Latents, one a row.")] float[][] Latents);

internal sealed record DecodeResponse(string Model, float[][] Outputs);

/// <summary>Rows of data to encode.</summary>
internal sealed record EncodeRequest([property: Description("Rows of data in its own units.")] float[][] Features);

internal sealed record EncodeResponse(string Model, float[][] Latents, float[][] StandardDeviations);

/// <summary>The way from one latent to another, both ends included.</summary>
internal sealed record InterpolateRequest(
    [property: Description("The latent at the start.")] float[] From,
    [property: Description("The latent at the end.")] float[] To,
    [property: Description("Points, both ends included.")] int Steps = 32,
    [property: Description("linear, or spherical: along the sphere of the prior.")] string Mode = "linear");

internal sealed record PathResponse(string Model, float[][] Latents, float[][] Outputs);

/// <summary>Gradient descent in latent space from a start.</summary>
internal sealed record OptimizeRequest(
    [property: Description("The latent to start from.")] float[] Start,
    [property: Description("What is minimised; a negative weight maximises.")] ObjectiveRequest Objective,
    int Steps = 200,
    float LearningRate = 0.05f,
    [property: Description("Weight of half the squared distance from the centre of the prior.")] float PriorWeight = 0,
    [property: Description("adam or gradientDescent.")] string Optimizer = "adam");

/// <summary>A weighted sum of functions of a chain of points; those left out do not count.</summary>
internal sealed record ObjectiveRequest(
    [property: Description("Coordinates of a point: 2 or 3.")] int Dimensions = 2, GyrationTerm? RadiusOfGyration = null, BondTerm? BondLengths = null, ContactTerm? NonBondedDistances = null);

/// <summary>The radius of gyration, or the squared difference from a target.</summary>
internal sealed record GyrationTerm(float Weight = 1, float? Target = null);

/// <summary>Penalty on bonds outside a range.</summary>
internal sealed record BondTerm([property: JsonRequired] float Minimum, [property: JsonRequired] float Maximum, float Weight = 1);

/// <summary>Penalty on points closer than a distance that are not bonded.</summary>
internal sealed record ContactTerm([property: JsonRequired] float Minimum, int Separation = 2, float Weight = 1);

internal sealed record OptimizeResponse(string Model, float[][] Latents, float[][] Outputs, double[] Values, double[] Objectives, int BestIndex, bool Converged);

internal sealed record ModelResponse(
    string Model, DateTimeOffset LoadedAt, int LatentDimension, int FeatureCount, string Likelihood, float[] Noise, bool SupportsGradient, bool HasEncoder, bool HasData,
    LimitsResponse Limits, IReadOnlyDictionary<string, string> Metadata);

internal sealed record LimitsResponse(int Rows, int Steps, float Latent, long BodyBytes);

internal sealed record HealthResponse(string Status, string Model);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, NumberHandling = JsonNumberHandling.Strict,
    AllowDuplicateProperties = false)]
[JsonSerializable(typeof(DecodeRequest))]
[JsonSerializable(typeof(DecodeResponse))]
[JsonSerializable(typeof(EncodeRequest))]
[JsonSerializable(typeof(EncodeResponse))]
[JsonSerializable(typeof(InterpolateRequest))]
[JsonSerializable(typeof(PathResponse))]
[JsonSerializable(typeof(OptimizeRequest))]
[JsonSerializable(typeof(OptimizeResponse))]
[JsonSerializable(typeof(ModelResponse))]
[JsonSerializable(typeof(HealthResponse))]
[JsonSerializable(typeof(Microsoft.AspNetCore.Mvc.ProblemDetails))]
[JsonSerializable(typeof(Microsoft.AspNetCore.Http.HttpValidationProblemDetails))]
internal sealed partial class ServiceJson : JsonSerializerContext;
