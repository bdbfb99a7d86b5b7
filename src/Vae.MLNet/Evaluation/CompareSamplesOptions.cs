using System.Text;
using Microsoft.ML;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>How <see cref="VaeCatalog.CompareSamples(IDataView, IDataView, CompareSamplesOptions?)"/> compares.</summary>
public sealed record CompareSamplesOptions
{
    /// <summary>
    /// The rows that the generator was trained on, with the columns of the real rows; others are passed over. With them, generated rows are looked at for copies.
    /// Default null: no test for copies.
    /// </summary>
    public IDataView? Training { get; init; }

    /// <summary>Names of columns that are left out, such as keys of rows. Default none.</summary>
    public IReadOnlyList<string> IgnoredColumns { get; init; } = [];

    /// <summary>Seed of all that is drawn: the same seed and data give the same figures, whatever the number of threads. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Most rows of each table that the classifier sees; of the longer table as many are drawn as the shorter has. Default 10,000.</summary>
    public int ClassifierRows { get; init; } = 10_000;

    /// <summary>Parts for the cross-validation of the classifier. Default 5.</summary>
    public int Folds { get; init; } = 5;

    /// <summary>Boosted trees of a classifier. Default 100.</summary>
    public int Trees { get; init; } = 100;

    /// <summary>Whether the classifier also tells two halves of the real rows apart, which shows its noise and takes as long again. Default true.</summary>
    public bool RealHalves { get; init; } = true;

    /// <summary>Most pairs of columns whose joint distribution is compared; of more, so many are drawn. Default 500.</summary>
    public int Pairs { get; init; } = 500;

    /// <summary>Told how far the comparison is. Default none.</summary>
    public IProgress<CompareSamplesProgress>? Progress { get; init; }

    /// <summary>Stops the comparison; a classifier that is being trained is finished first. Default none.</summary>
    public CancellationToken CancellationToken { get; init; }

    internal CompareSamplesOptions Validate()
    {
        foreach (string column in Check.NotNull(IgnoredColumns))
            Check.ColumnName(column, nameof(IgnoredColumns));
        Check.InRange(ClassifierRows, 10, 10_000_000);
        Check.InRange(Folds, 2, 100);
        Check.InRange(Trees, 1, 10_000);
        Check.InRange(Pairs, 0, 1_000_000);
        return this;
    }

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(CompareSamplesOptions? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>How far a comparison of samples is.</summary>
/// <param name="Done">Steps done.</param>
/// <param name="Total">Steps in all.</param>
/// <param name="Step">What is done now.</param>
public sealed record CompareSamplesProgress(int Done, int Total, string Step)
{
    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
