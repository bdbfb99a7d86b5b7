using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Inference.Tests;
using Vae.MLNet.Model;

namespace Vae.MLNet.Service.Tests;

/// <summary>Small models of each kind of data, with random weights.</summary>
internal static class KindModels
{
    public static readonly string[] Cars = ["mpg", "cylinders", "horse power", "weight \"kg\"", "is_new"];

    public static readonly string Reference = "ACGTACGTTGCAAC-GTA";

    /// <summary>A table of cars: five columns with names, of unlike size.</summary>
    public static VaeModel Table(int latent = 2, bool names = true) => Table(Cars, latent, names);

    /// <summary>A table with columns of the given names.</summary>
    public static VaeModel Table(string[] columns, int latent = 2, bool names = true)
    {
        float[] centre = [.. columns.Select((_, j) => (float)Math.Round(20 * Math.Pow(3, j % 5)))], deviation = [.. centre.Select(value => value / 4)];
        var scale = new InputScale(InputScaling.Standardize, centre, [.. deviation.Select(value => 1 / value)]);
        var model = TestModels.Create(new() { HiddenLayers = [16], LatentDimension = latent }, columns.Length, scale);
        return WithRange(model, new([.. centre.Select((value, j) => value - 2 * deviation[j])], [.. centre.Select((value, j) => value + 2 * deviation[j])])).WithInputNames(names ? columns : []);
    }

    /// <summary>40 numbers without names, as a signal has them.</summary>
    public static VaeModel Signal(int latent = 1)
    {
        var model = TestModels.Create(new() { HiddenLayers = [16], LatentDimension = latent }, 40);
        return WithRange(model, new([.. Enumerable.Range(0, 40).Select(j => MathF.Sin(j / 5f) - 1)], [.. Enumerable.Range(0, 40).Select(j => MathF.Sin(j / 5f) + 1)]));
    }

    /// <summary>Aligned sequences of 18 positions; the gap is a symbol.</summary>
    public static VaeModel Sequences(int latent = 3, bool protein = false)
    {
        var alphabet = protein ? SequenceAlphabet.AminoAcids : SequenceAlphabet.Dna;
        var layout = SequenceLayout.FromReference(alphabet, protein ? "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEK" : Reference, firstPosition: 16);
        var options = new VaeTrainer.Options { HiddenLayers = [16], LatentDimension = latent, Likelihood = MLNet.Likelihood.Categorical, GroupSize = alphabet.OutputSymbolCount, Scaling = InputScaling.None };
        var architecture = new VaeArchitecture(layout.Length * alphabet.OutputSymbolCount, options, layout);
        var random = new SeededRandom(3);
        var parameters = new float[architecture.ParameterCount];
        for (int i = 0; i < parameters.Length; i++)
            parameters[i] = (float)(0.7 * random.NextNormal());
        return new(architecture, parameters, InputScale.None, [], "{}");
    }

    private static VaeModel WithRange(VaeModel model, FeatureRange range) => new(model.Architecture, model.Parameters, model.Scale, model.Residual, model.TrainingJson) { Range = range };
}
