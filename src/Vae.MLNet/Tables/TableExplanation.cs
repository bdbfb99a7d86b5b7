using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>Why a row of a table scores as it does.</summary>
/// <param name="Row">The row's place among those that were asked about, from 0.</param>
/// <param name="Score">Its score, in nats.</param>
/// <param name="Reasons">The columns with the largest parts of the score, the largest first.</param>
public sealed record TableExplanation(int Row, float Score, IReadOnlyList<TableReason> Reasons)
{
    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(TableExplanation? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>A column's part of a row's score.</summary>
/// <param name="Column">The column.</param>
/// <param name="Value">The cell, as it would stand in a file; empty where it is missing.</param>
/// <param name="Expected">What is expected beside the row's other cells: the median of draws of a number, the most frequent value otherwise.</param>
/// <param name="Contribution">Its part of the score, in nats.</param>
public sealed record TableReason(string Column, string Value, string Expected, float Contribution)
{
    /// <summary>The reason in words.</summary>
    /// <returns>As in <c>hours_per_week: 99, expected 40 beside the others (7.1 nats)</c>, or <c>deck: G, rare in the table (8.2 nats)</c> where the cell is what is expected.</returns>
    public override string ToString() =>
        Check.Invariant($"{Column}: {(Value.Length > 0 ? Value : "missing")}, ")
        + (Value == Expected ? "rare in the table" : $"expected {(Expected.Length > 0 ? Expected : "missing")} beside the others") + Check.Invariant($" ({Contribution:F1} nats)");
}
