using System.Text.Json;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>
/// A trained variational autoencoder: architecture, options, weights, scaling and noise. Immutable; it needs no native library and can be written to and read
/// back from any ONNX file of this library.
/// </summary>
public sealed partial class VaeModel
{
    internal VaeModel(VaeArchitecture architecture, float[] parameters, InputScale scale, float[] residual, string trainingJson)
    {
        // A model's options say what was done, not what was left open.
        Architecture = architecture.Options.Scaling != InputScaling.Auto ? architecture
            : new(architecture.Features, architecture.Options with { Scaling = scale.Kind }, architecture.Tokens);
        Parameters = parameters;
        Scale = scale;
        Residual = residual;
        TrainingJson = trainingJson;
    }

    internal VaeArchitecture Architecture { get; }

    /// <summary>All parameters, laid out as the architecture says. Not to be written to.</summary>
    internal float[] Parameters { get; }

    internal InputScale Scale { get; }

    /// <summary>Root mean square of the training rows' residuals, feature by feature, in scaled units and with z drawn from the posterior; empty where the likelihood says more.</summary>
    internal float[] Residual { get; }

    /// <summary>Provenance: rows, epochs, losses.</summary>
    internal string TrainingJson { get; }

    /// <summary>The options it was trained with.</summary>
    public VaeTrainer.Options Options => Architecture.Options;

    /// <summary>Numbers in a row of features.</summary>
    public int FeatureCount => Architecture.Features;

    /// <summary>Names of the features, in order: the slot names of the column it was trained on. Empty where that had none, and in a model of an earlier version.</summary>
    public IReadOnlyList<string> InputNames { get; private init; } = [];

    /// <summary>Coordinates of a bead where rows are conformations; 0 where they are not, or nobody said so.</summary>
    internal int BeadDimensions { get; private init; }

    /// <summary>Where nearly all training values of each feature lie; null where that is unknown.</summary>
    internal FeatureRange? Range { get; init; }

    /// <summary>The same model with names for its features.</summary>
    internal VaeModel WithInputNames(IReadOnlyList<string> names) => Described(names, BeadDimensions);

    /// <summary>The same model as one of conformations; 0 for rows that are none.</summary>
    internal VaeModel WithBeadDimensions(int dimensions) => Described(InputNames, dimensions);

    private VaeModel Described(IReadOnlyList<string> names, int dimensions) =>
        new(Architecture, Parameters, Scale, Residual, TrainingJson) { InputNames = [.. names], BeadDimensions = dimensions, Range = Range };

    /// <summary>Dimensions of the latent space.</summary>
    public int LatentDimension => Architecture.Latent;

    /// <summary>Trained numbers: weights, biases and the likelihood's σ.</summary>
    public int ParameterCount => Architecture.ParameterCount;

    internal ReadOnlySpan<float> Parameter(string name)
    {
        var slot = Architecture[name];
        return Parameters.AsSpan(slot.Offset, slot.Length);
    }

    /// <summary>
    /// Standard deviation of the decoder's noise in units of the data: one number or one a feature. Empty for Bernoulli and categorical likelihoods, whose
    /// noise is their own, and for a scaling that is not linear. For a mean squared error it is the root mean square of the training residuals.
    /// </summary>
    internal float[] Noise
    {
        get
        {
            float[] scaled = Options.Likelihood switch
            {
                Likelihood.MeanSquaredError => Residual,
                Likelihood.Gaussian => [.. Parameter("noise.logSigma").ToArray().Select(value => MathF.Exp(value))],
                _ => [],
            };
            if (scaled.Length == 0 || Scale.Kind == InputScaling.RobustAsinh)
                return [];
            return Scale.Kind == InputScaling.None
                ? scaled
                : [.. Scale.Factor.Select((factor, j) => scaled[scaled.Length == 1 ? 0 : j] / factor)];
        }
    }

    internal static string FloatsToJson(float[] values) => JsonSerializer.Serialize(values);
}
