using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>Losses of one epoch. Training figures are means over the batches of the epoch, with dropout and noise; validation figures are taken after it, without dropout.</summary>
/// <param name="Epoch">Number of the epoch, from 1.</param>
/// <param name="Loss">Reconstruction + Beta · KL, reduced as the options say.</param>
/// <param name="Reconstruction">Reconstruction term: mean squared error, or nats a row.</param>
/// <param name="Kl">KL term before the weight Beta, reduced as the options say; with <c>FreeBits</c> as the loss has it, raised to what is free.</param>
/// <param name="KlPerDimension">KL divergence of each latent dimension in nats, mean over the rows.</param>
/// <param name="Beta">Weight of the KL term at the end of the epoch.</param>
/// <param name="LearningRate">Learning rate at the end of the epoch.</param>
/// <param name="ValidationLoss">Loss on the validation rows with z drawn from the posterior and the full Beta; null without validation rows.</param>
/// <param name="ValidationReconstruction">Its reconstruction term.</param>
/// <param name="ValidationKl">Its KL term.</param>
/// <param name="Seconds">Time the epoch took, validation included.</param>
public sealed record VaeEpoch(
    int Epoch,
    double Loss,
    double Reconstruction,
    double Kl,
    IReadOnlyList<double> KlPerDimension,
    double Beta,
    double LearningRate,
    double? ValidationLoss,
    double? ValidationReconstruction,
    double? ValidationKl,
    double Seconds)
{
    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(VaeEpoch? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>Where a training stands.</summary>
/// <param name="Epochs">Epochs planned.</param>
/// <param name="Latest">The epoch that has just ended.</param>
/// <param name="BestEpoch">The epoch with the lowest validation loss so far, or the latest without validation rows.</param>
public sealed record VaeTrainingProgress(int Epochs, VaeEpoch Latest, int BestEpoch);

/// <summary>What happened during a training.</summary>
/// <param name="Epochs">The epochs in order.</param>
/// <param name="BestEpoch">The epoch whose weights the model has.</param>
/// <param name="TrainingRows">Rows trained on.</param>
/// <param name="ValidationRows">Rows held out.</param>
/// <param name="ActiveUnits">
/// Latent dimensions whose posterior mean varies over the training rows by more than 0.01 (variance; Burda et al. 2016); the others carry no information.
/// </param>
/// <param name="StoppedEarly">Whether early stopping or a cancellation ended the training.</param>
public sealed record VaeTrainingHistory(
    IReadOnlyList<VaeEpoch> Epochs,
    int BestEpoch,
    long TrainingRows,
    long ValidationRows,
    int ActiveUnits,
    bool StoppedEarly)
{
    /// <summary>What <see cref="VaeTrainer.Options.Scaling"/> was, or was chosen to be.</summary>
    public InputScaling Scaling { get; init; }

    /// <summary>The look at the trained model that the training ends with; null where <see cref="VaeTrainer.Options.SelfCheck"/> was off.</summary>
    public VaeSelfCheck? SelfCheck { get; init; }

    /// <summary>Whether another holds the same, list by list.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(VaeTrainingHistory? other) => RecordContent.Same(this, other);

    /// <summary>A hash of what it holds.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode() => RecordContent.Hash(this);

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
