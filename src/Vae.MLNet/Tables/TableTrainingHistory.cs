using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>One look at the rows that a table's training holds out.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="NegativeLogLikelihood">Mean over the rows of minus log p(row), in nats: of cells as bins, not as numbers, and without a latent vector.</param>
/// <param name="NegativeElbo">Mean over the rows of minus the evidence lower bound with the latent vector.</param>
/// <param name="Kl">Its part KL(q(z|x) ‖ p(z)): the nats that the latent vector carries.</param>
/// <param name="GivenLoss">Minus the log likelihood of the other columns with a random set of each row's columns given.</param>
public sealed record TableTrainingCheck(int Step, double NegativeLogLikelihood, double NegativeElbo, double Kl, double GivenLoss);

/// <summary>How the training of a table's model went.</summary>
public sealed record TableTrainingHistory
{
    [System.Text.Json.Serialization.JsonConstructor]
    internal TableTrainingHistory()
    {
    }

    /// <summary>Rows trained on.</summary>
    public required int TrainingRows { get; init; }

    /// <summary>Rows held out, on which the best parameters are chosen.</summary>
    public required int ValidationRows { get; init; }

    /// <summary>Steps done.</summary>
    public required int Steps { get; init; }

    /// <summary>Whether training ended because the held-out loss no longer fell.</summary>
    public required bool StoppedEarly { get; init; }

    /// <summary>The looks, in order; empty where no rows were held out.</summary>
    public required IReadOnlyList<TableTrainingCheck> Checks { get; init; }

    /// <summary>The look whose parameters the model has; null where no rows were held out.</summary>
    public TableTrainingCheck? Best => Checks.MinBy(check => check.NegativeLogLikelihood + check.GivenLoss);

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(TableTrainingHistory? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(System.Text.StringBuilder builder) => RecordText.Print(builder, this);
}
