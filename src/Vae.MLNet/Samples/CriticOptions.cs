using System.Text;
using Microsoft.ML;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>How <see cref="VaeCatalog.FitCritic(IDataView, IDataView, CriticOptions?)"/> learns.</summary>
public sealed record CriticOptions
{
    /// <summary>
    /// 2 or 3 where the rows are conformations, one column of beads' coordinates: the critic then sees the distances of all pairs of beads,
    /// which do not depend on how a conformation is turned. Default 0: columns as they are.
    /// </summary>
    public int Dimensions { get; init; }

    /// <summary>Names of columns that are left out, such as keys of rows. Default none.</summary>
    public IReadOnlyList<string> IgnoredColumns { get; init; } = [];

    /// <summary>
    /// Parts of the rows: each part is judged by trees that were trained on the others, which tells how many trees to take and how sure they
    /// may be; later rows are judged by the mean of all. Default 4.
    /// </summary>
    public int Folds { get; init; } = 4;

    /// <summary>Most boosted trees of a part; as many are taken as are best on rows held out. Default 300.</summary>
    public int Trees { get; init; } = 300;

    /// <summary>
    /// Share of generated rows, in (0, 1], whose ratio lies below that from which on a row is kept for certain; the others are kept with their
    /// ratio's share of it. The larger, the closer the kept rows come to the ratio, and the fewer they are. Default 0.99.
    /// </summary>
    public double CertainQuantile { get; init; } = 0.99;

    /// <summary>Seed: the same seed and rows give the same critic, whatever the number of threads. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Told at the start of each part. Default none.</summary>
    public IProgress<CriticProgress>? Progress { get; init; }

    /// <summary>Stops the training; trees that are being trained are finished first. Default none.</summary>
    public CancellationToken CancellationToken { get; init; }

    internal CriticOptions Validate()
    {
        foreach (string column in Check.NotNull(IgnoredColumns))
            Check.ColumnName(column, nameof(IgnoredColumns));
        if (Dimensions is not (0 or 2 or 3))
            throw Check.OutOfRange(nameof(Dimensions), Dimensions, "0, 2 or 3");
        Check.InRange(Folds, 2, 100);
        Check.InRange(Trees, 1, 10_000);
        if (!(CertainQuantile is > 0 and <= 1))
            throw Check.OutOfRange(nameof(CertainQuantile), CertainQuantile, "above 0 and at most 1");
        return this;
    }

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(CriticOptions? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>How far the training of a critic is.</summary>
/// <param name="Done">Parts begun.</param>
/// <param name="Total">Parts in all.</param>
public sealed record CriticProgress(int Done, int Total)
{
    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
