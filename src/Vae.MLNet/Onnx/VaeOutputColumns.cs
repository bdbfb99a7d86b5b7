using Vae.MLNet.Onnx;

namespace Vae.MLNet;

/// <summary>Names of the columns that a <see cref="VaeTransformer"/> adds beside the latent; null for a column that is not wanted.</summary>
internal sealed record VaeOutputColumns
{
    /// <summary>Posterior standard deviation, a vector of the latent dimension.</summary>
    public string? StandardDeviation { get; init; }

    /// <summary>Decoded posterior mean, a vector of the size of the features and in their units.</summary>
    public string? Reconstruction { get; init; }

    /// <summary>Negative ELBO of the row with the reconstruction taken at the posterior mean, a Single.</summary>
    public string? Score { get; init; }

    /// <summary>All output columns: vectors first, the scalar score last, as a saved model lists them.</summary>
    internal OutputColumn[] WithLatent(string latent, int latentDimension, int features)
    {
        string[] slots = [.. Enumerable.Range(0, latentDimension).Select(i => Check.Invariant($"z{i}"))];
        var outputs = new List<OutputColumn> { new(latent, latentDimension, SlotNames: slots) };
        if (StandardDeviation is { } deviation)
            outputs.Add(new(deviation, latentDimension, SlotNames: slots));
        if (Reconstruction is { } reconstruction)
            outputs.Add(new(reconstruction, features));
        if (Score is { } score)
            outputs.Add(new(score, 1, IsScalar: true));
        return [.. outputs];
    }
}
