using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>What an exported pipeline gives. The first four concern the last autoencoder of the chain; without one, the last transform of this library gives the outputs.</summary>
public sealed record PipelineExportOptions
{
    /// <summary>The posterior mean [N, latent], named as the column. Default true.</summary>
    public bool Latent { get; init; } = true;

    /// <summary>The posterior standard deviation [N, latent], named as the column or, where there is none, <c>LatentSigma</c>. Default false.</summary>
    public bool StandardDeviation { get; init; }

    /// <summary>The decoded posterior mean [N, features], named as the column or, where there is none, <c>Reconstruction</c>. Default false.</summary>
    public bool Reconstruction { get; init; }

    /// <summary>The negative ELBO [N, 1], named as the column or, where there is none, <c>Score</c>. Default false.</summary>
    public bool Score { get; init; }

    /// <summary>
    /// Further columns of the transformed data to give, such as the aligned coordinates, or an anomaly detector's <c>PredictedLabel</c> (a tensor [N, 1] of bool: whether
    /// the score is above the threshold). Default none.
    /// </summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>How weight matrices are stored. Default single precision.</summary>
    public OnnxWeightType WeightType { get; init; } = OnnxWeightType.Float32;

    internal PipelineExportOptions Validate()
    {
        Check.Defined(WeightType);
        foreach (string column in Check.NotNull(Columns))
            Check.GraphColumnName(column, nameof(Columns));
        return this;
    }

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(PipelineExportOptions? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
