using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>How a site-independent model is fitted.</summary>
public sealed record SiteIndependentOptions
{
    /// <summary>
    /// Added to the weighted count of every symbol at every position; positive. The default is 0.5 (Jeffreys' prior), near the best for held-out
    /// likelihood on families of a few hundred effective sequences.
    /// </summary>
    public double Pseudocount { get; init; } = 0.5;

    /// <summary>Name of a Single column of weights. The default, null, takes column <c>Weight</c> where the data has it and weights all alike otherwise.</summary>
    public string? WeightColumnName { get; init; }

    internal void Validate()
    {
        if (!(Pseudocount > 0) || !double.IsFinite(Pseudocount))
            throw Check.OutOfRange(nameof(Pseudocount), Pseudocount, "positive and finite");
    }
}
