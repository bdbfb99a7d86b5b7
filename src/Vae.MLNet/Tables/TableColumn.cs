using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>A column of a table as a model sees it.</summary>
public sealed record TableColumn
{
    [System.Text.Json.Serialization.JsonConstructor]
    internal TableColumn()
    {
    }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it is taken for.</summary>
    public required ColumnKind Kind { get; init; }

    /// <summary>Type of the column in ML.NET: Single, Double, Int32, Int64, Boolean, DateTime or Text.</summary>
    public required string Type { get; init; }

    /// <summary>Why it is taken for that, in words.</summary>
    public required string Reason { get; init; }

    /// <summary>States that a cell can be in: values, bins of numbers, and one for a missing cell where there were any.</summary>
    public int States { get; init; }

    /// <summary>Values of a category that have a state of their own, the most frequent first; empty for numbers.</summary>
    public IReadOnlyList<string> Values { get; init; } = [];

    /// <summary>Rarer values that share one state.</summary>
    public int PooledValues { get; init; }

    /// <summary>Share of the training rows whose cell is missing.</summary>
    public double MissingShare { get; init; }

    /// <summary>Least value of a number; NaN for others.</summary>
    public double Minimum { get; init; } = double.NaN;

    /// <summary>Largest value of a number; NaN for others.</summary>
    public double Maximum { get; init; } = double.NaN;

    /// <summary>Earliest date; null for others.</summary>
    public DateTime? Earliest { get; init; }

    /// <summary>Latest date; null for others.</summary>
    public DateTime? Latest { get; init; }

    /// <summary>Digits after the point that values of a number have; -1 where they are not decimal numbers of at most six.</summary>
    public int Decimals { get; init; } = -1;

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(TableColumn? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(System.Text.StringBuilder builder) => RecordText.Print(builder, this);
}
