using System.Diagnostics.CodeAnalysis;
using System.Text;
using Vae.MLNet.Inference;
using Vae.MLNet.Model;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>Agreement of a statistic between natural and generated sequences.</summary>
/// <param name="Pearson">Pearson's correlation over all entries; NaN where one side does not vary.</param>
/// <param name="Slope">Slope of the least-squares line of generated on natural: below 1 where the generated sequences show the statistic too weakly.</param>
/// <param name="Count">Number of entries.</param>
/// <param name="Points">Entries for a scatter plot, where they were asked for.</param>
public sealed record StatisticAgreement(double Pearson, double Slope, long Count, IReadOnlyList<(float Natural, float Generated)> Points)
{
    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(StatisticAgreement? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>How near a sequence is to the nearest of a set.</summary>
/// <param name="Identity">Greatest identity with a sequence of the set, 0 to 1.</param>
/// <param name="Row">Row of that sequence, the first of equals; -1 where the sequence has no letters.</param>
public readonly record struct NearestSequence(double Identity, int Row);

/// <summary>Conservation of letters at positions of the reference.</summary>
/// <param name="Sites">Share of sequences with the letter, for each position.</param>
/// <param name="All">Share of sequences that have all of them.</param>
public sealed record SiteConservation(IReadOnlyList<(int Position, char Letter, double Share)> Sites, double All)
{
    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(SiteConservation? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>How well generated sequences keep the statistics of natural ones.</summary>
/// <param name="SingleSite">Frequencies f_i(a).</param>
/// <param name="Pairs">Connected pair correlations C_ij(a,b).</param>
/// <param name="Triples">Connected three-point correlations C_ijk(a,b,c).</param>
/// <param name="MeanNearestIdentity">Mean identity of generated sequences to the nearest natural one.</param>
/// <param name="MaxNearestIdentity">Greatest such identity: 1 where a natural sequence was reproduced.</param>
public sealed record SequenceComparison(StatisticAgreement SingleSite, StatisticAgreement Pairs, StatisticAgreement Triples, double MeanNearestIdentity,
    double MaxNearestIdentity);
