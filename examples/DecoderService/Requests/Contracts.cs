using System.ComponentModel;
using System.Text.Json.Serialization;

namespace DecoderService.Requests;

/// <summary>Latents to decode, one a row.</summary>
internal sealed record DecodeRequest(
    [property: Description("Latents, one a row.")] float[][] Latents,
    [property: Description("Whether the answer has the rows by their columns' names too; by default where the model has names.")] bool? ByName = null);

/// <summary>Rows as arrays, and by name where the model's columns have names, or as letters where it is one of sequences.</summary>
internal sealed record DecodeResponse(
    string Model, float[][] Outputs,
    [property: Description("The outputs by the columns' names, in the model's order."), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    IReadOnlyList<IReadOnlyDictionary<string, float>>? Rows = null,
    [property: Description("The most probable symbols, of a model of sequences."), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string[]? Sequences = null);

/// <summary>Rows of data to encode.</summary>
internal sealed record EncodeRequest(
    [property: Description("Rows of data in its own units: arrays of numbers, objects of numbers by the columns' names in any order, or aligned sequences.")] FeatureRows Features);

internal sealed record EncodeResponse(string Model, float[][] Latents, float[][] StandardDeviations);

/// <summary>The way from one latent to another, both ends included.</summary>
internal sealed record InterpolateRequest(
    [property: Description("The latent at the start.")] float[] From,
    [property: Description("The latent at the end.")] float[] To,
    [property: Description("Points, both ends included.")] int Steps = 32,
    [property: Description("linear, or spherical: along the sphere of the prior.")] string Mode = "linear");

internal sealed record PathResponse(string Model, float[][] Latents, float[][] Outputs);

/// <summary>Samples as arrays, and by name where the model's columns have names, or as letters where it is one of sequences.</summary>
internal sealed record SampleResponse(
    string Model, float[][] Latents, float[][] Outputs,
    [property: Description("The outputs by the columns' names, in the model's order."), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    IReadOnlyList<IReadOnlyDictionary<string, float>>? Rows = null,
    [property: Description("The most probable symbols, or those drawn with noise, of a model of sequences."), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string[]? Sequences = null);

/// <summary>Gradient descent in latent space from a start.</summary>
internal sealed record OptimizeRequest(
    [property: Description("The latent to start from.")] float[] Start,
    [property: Description("What is minimised; a negative weight maximises.")] ObjectiveRequest Objective,
    int Steps = 200,
    float LearningRate = 0.05f,
    [property: Description("Weight of half the squared distance from the centre of the prior.")] float PriorWeight = 0,
    [property: Description("adam or gradientDescent.")] string Optimizer = "adam");

/// <summary>A weighted sum of functions of the decoded row; those left out do not count.</summary>
internal sealed record ObjectiveRequest(
    [property: Description("Coordinates of a point: 2 or 3. By default what the model says, or 2.")] int? Dimensions = null,
    GyrationTerm? RadiusOfGyration = null, BondTerm? BondLengths = null, ContactTerm? NonBondedDistances = null,
    [property: Description("Numbers of the row, by their columns' names.")] FeatureTerm[]? Features = null,
    [property: Description("Letters wanted, of a model of sequences.")] LetterTerm[]? Letters = null);

/// <summary>A number of the decoded row, or the squared difference from a target. One of name and index is given.</summary>
internal sealed record FeatureTerm(string? Name = null, [property: Description("From 0.")] int? Index = null, float Weight = 1, float? Target = null);

/// <summary>The negative logarithm of the probability of a letter at a position of the reference.</summary>
internal sealed record LetterTerm([property: JsonRequired] int Position, [property: JsonRequired] string Letter, float Weight = 1);

/// <summary>The radius of gyration, or the squared difference from a target.</summary>
internal sealed record GyrationTerm(float Weight = 1, float? Target = null);

/// <summary>Penalty on bonds outside a range.</summary>
internal sealed record BondTerm([property: JsonRequired] float Minimum, [property: JsonRequired] float Maximum, float Weight = 1);

/// <summary>Penalty on points closer than a distance that are not bonded.</summary>
internal sealed record ContactTerm([property: JsonRequired] float Minimum, int Separation = 2, float Weight = 1);

internal sealed record OptimizeResponse(string Model, float[][] Latents, float[][] Outputs, double[] Values, double[] Objectives, int BestIndex, bool Converged);

internal sealed record ModelResponse(
    string Model, DateTimeOffset LoadedAt, int LatentDimension, int FeatureCount, string Likelihood, float[] Noise, bool SupportsGradient, bool HasEncoder, bool HasData,
    RowsResponse Rows, LimitsResponse Limits, IReadOnlyDictionary<string, string> Metadata);

/// <summary>What the model's rows are.</summary>
internal sealed record RowsResponse(
    [property: Description("vector, conformation or sequence.")] string Kind,
    [property: Description("Coordinates of a bead; 0 for rows that are no conformations.")] int Dimensions,
    [property: Description("Names of the numbers; empty where they have none.")] IReadOnlyList<string> Names,
    [property: Description("Below this lies a hundredth of each number's training values; empty where it is not known.")] IReadOnlyList<float> Low,
    [property: Description("Above this lies a hundredth of each number's training values; empty where it is not known.")] IReadOnlyList<float> High,
    [property: Description("Of sequences, the symbols that each position has probabilities of, in order."), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Symbols,
    [property: Description("Of sequences, the number of each position in the reference; null where it has none."), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int?[]? Positions);

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
[JsonSerializable(typeof(SampleResponse))]
[JsonSerializable(typeof(OptimizeRequest))]
[JsonSerializable(typeof(OptimizeResponse))]
[JsonSerializable(typeof(ModelResponse))]
[JsonSerializable(typeof(HealthResponse))]
[JsonSerializable(typeof(Microsoft.AspNetCore.Mvc.ProblemDetails))]
[JsonSerializable(typeof(Microsoft.AspNetCore.Http.HttpValidationProblemDetails))]
internal sealed partial class ServiceJson : JsonSerializerContext;
