using System.Text.Json.Serialization;

namespace DecoderService.Requests;

/// <summary>Latents to decode, one a row.</summary>
internal sealed record DecodeRequest(float[][]? Latents);

internal sealed record DecodeResponse(string Model, float[][] Outputs);

/// <summary>Rows of data to encode.</summary>
internal sealed record EncodeRequest(float[][]? Features);

internal sealed record EncodeResponse(string Model, float[][] Latents, float[][] StandardDeviations);

/// <summary>The way from one latent to another, both ends included.</summary>
internal sealed record InterpolateRequest(float[]? From, float[]? To, int Steps = 32, string Mode = "linear");

internal sealed record PathResponse(string Model, float[][] Latents, float[][] Outputs);

/// <summary>Gradient descent in latent space from a start.</summary>
internal sealed record OptimizeRequest(float[]? Start, ObjectiveRequest? Objective, int Steps = 200, float LearningRate = 0.05f, float PriorWeight = 0, string Optimizer = "adam");

/// <summary>A weighted sum of functions of a chain of points; those left out do not count.</summary>
internal sealed record ObjectiveRequest(
    int Dimensions = 2, GyrationTerm? RadiusOfGyration = null, BondTerm? BondLengths = null, ContactTerm? NonBondedDistances = null);

/// <summary>The radius of gyration, or the squared difference from a target.</summary>
internal sealed record GyrationTerm(float Weight = 1, float? Target = null);

/// <summary>Penalty on bonds outside a range.</summary>
internal sealed record BondTerm(float Minimum, float Maximum, float Weight = 1);

/// <summary>Penalty on points closer than a distance that are not bonded.</summary>
internal sealed record ContactTerm(float Minimum, int Separation = 2, float Weight = 1);

internal sealed record OptimizeResponse(string Model, float[][] Latents, float[][] Outputs, double[] Values, double[] Objectives, int BestIndex, bool Converged);

internal sealed record ModelResponse(
    string Model, DateTimeOffset LoadedAt, int LatentDimension, int FeatureCount, string Likelihood, float[] Noise, bool SupportsGradient, bool HasEncoder, bool HasData,
    LimitsResponse Limits, IReadOnlyDictionary<string, string> Metadata);

internal sealed record LimitsResponse(int Rows, int Steps, float Latent, long BodyBytes);

internal sealed record HealthResponse(string Status, string Model);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, NumberHandling = JsonNumberHandling.Strict)]
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
