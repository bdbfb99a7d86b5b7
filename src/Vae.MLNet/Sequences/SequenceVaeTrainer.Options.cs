using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>Where the training of a sequence model stands.</summary>
/// <param name="Member">The member of the ensemble being trained, from 0.</param>
/// <param name="Members">Members in all.</param>
/// <param name="Training">Where its training stands.</param>
public sealed record SequenceVaeProgress(int Member, int Members, VaeTrainingProgress Training);

public sealed partial class SequenceVaeTrainer
{
    /// <summary>
    /// Options of the trainer. The defaults were chosen by the likelihood of held-out neighbourhoods over real and simulated families: an ensemble of five, each of one
    /// hidden layer of 256 with dropout and a latent of 16, sequences drawn by their weights where the data has them, Adam at 1e-3 from the site-independent model on,
    /// ended early by the evidence lower bound of a tenth of the sequences. Only <see cref="ValidationIdentity"/> is a compromise between uses: 0.6 suited variant effects
    /// best and 0.8 the statistics of new sequences. Longer training and deeper nets overfit families of a few hundred effective sequences.
    /// </summary>
    public sealed record Options
    {
        /// <summary>Dimensions of the latent space. Default 16.</summary>
        public int LatentDimension { get; init; } = 16;

        /// <summary>Widths of the encoder's hidden layers, from the input on; at least one. Default 256.</summary>
        public IReadOnlyList<int> HiddenLayers { get; init; } = [256];

        /// <summary>Widths of the decoder's hidden layers, from the latent on. Default null: the encoder's, mirrored.</summary>
        public IReadOnlyList<int>? DecoderHiddenLayers { get; init; }

        /// <summary>Nonlinearity between the layers. Default ReLU.</summary>
        public Activation Activation { get; init; } = Activation.ReLU;

        /// <summary>Share of hidden activations set to zero while training, in [0, 1). Default 0.3.</summary>
        public float Dropout { get; init; } = 0.3f;

        /// <summary>Share of tokens that the encoder does not see while training, the targets staying whole, in [0, 1). Default 0.</summary>
        public float TokenMasking { get; init; }

        /// <summary>Decoupled weight decay of weight matrices; biases are spared. Default 0.</summary>
        public float WeightDecay { get; init; }

        /// <summary>Weight of the KL divergence. Default 1: the loss is the negative evidence lower bound in nats.</summary>
        public float Beta { get; init; } = 1;

        /// <summary>How Beta grows. Default constant.</summary>
        public BetaSchedule BetaSchedule { get; init; } = BetaSchedule.Constant;

        /// <summary>KL divergence in nats that each latent dimension has for free. Default 0.</summary>
        public float FreeBits { get; init; }

        /// <summary>Adam's step size. Default 1e-3.</summary>
        public float LearningRate { get; init; } = 1e-3f;

        /// <summary>How the learning rate changes. Default constant.</summary>
        public LearningRateSchedule LearningRateSchedule { get; init; } = LearningRateSchedule.Constant;

        /// <summary>Largest Euclidean norm of the whole gradient; a longer one is scaled back. Default 0: no limit.</summary>
        public float GradientClip { get; init; }

        /// <summary>Sequences in a batch. Default 64.</summary>
        public int BatchSize { get; init; } = 64;

        /// <summary>Optimiser steps between two looks at the validation loss, which is what the training calls an epoch. Default 25.</summary>
        public int StepsPerEpoch { get; init; } = 25;

        /// <summary>Most optimiser steps. Default 3000.</summary>
        public int MaximumSteps { get; init; } = 3000;

        /// <summary>Share of the weight of the sequences held out for validation, in [0, 1), but at most 4,000 sequences; each member of an ensemble holds out others. Default 0.1.</summary>
        public float ValidationFraction { get; init; } = 0.1f;

        /// <summary>
        /// Sequences that are at least this identical to one held out are held out with it, so that near duplicates do not make the validation loss look better than it
        /// is; above 0, at most 1, and raised by the trainer where a family is more alike than that. Null to hold out sequences one by one.
        /// A lower identity ends the training earlier and leaves more of the family unseen, which suits variant effects; a higher one, or none, suits generation. Default 0.7.
        /// </summary>
        public double? ValidationIdentity { get; init; } = 0.7;


        /// <summary>Stops when the validation loss no longer improves and restores the best weights. Default patience 12 epochs; null to switch it off.</summary>
        public EarlyStopping? EarlyStopping { get; init; } = new() { Patience = 12 };

        /// <summary>Models trained with different seeds; variant scores are averaged over them and samples drawn from all. Default 5.</summary>
        public int EnsembleMembers { get; init; } = 5;

        /// <summary>
        /// Name of a column of example weights (Single, not negative). The default, null, takes column <c>Weight</c> where the data has it and weights all alike
        /// otherwise.
        /// </summary>
        public string? WeightColumnName { get; init; }

        /// <summary>Seed of everything random in a Fit. Default 0.</summary>
        public int Seed { get; init; }

        /// <summary>Where to train. Default the processor.</summary>
        public TrainingDevice Device { get; init; } = TrainingDevice.Cpu;

        /// <summary>Threads that TorchSharp uses during the Fit; the same number gives the same bytes. Default 0: as many as libtorch uses by itself, read once in a process.</summary>
        public int Threads { get; init; }

        /// <summary>Output column for the posterior's standard deviation, a vector of the latent dimension. Default null: none.</summary>
        public string? StandardDeviationColumnName { get; init; }

        /// <summary>
        /// Output column for the sequence's negative evidence lower bound in nats with the latent at the posterior mean (Single, higher is less like the family).
        /// Default null: none.
        /// </summary>
        public string? ScoreColumnName { get; init; }

        /// <summary>Told about every epoch. Default null.</summary>
        public IProgress<SequenceVaeProgress>? Progress { get; init; }

        /// <summary>Stops the training with an <see cref="OperationCanceledException"/>. Default none.</summary>
        public CancellationToken CancellationToken { get; init; }

        /// <summary>
        /// What a cancelled training leaves. Default an exception; <see cref="CancellationBehavior.KeepBest"/> returns the members that are done and, after its first
        /// epoch, the one in training.
        /// </summary>
        public CancellationBehavior OnCancellation { get; init; } = CancellationBehavior.Throw;

        /// <summary>
        /// Folder for checkpoints, with one of its own for each member; it belongs to one training. A Fit with the same options and data continues from the newest
        /// checkpoint, after whatever ended the earlier one, and gives the same bytes as one that was never interrupted (with the same number of threads on the same
        /// kind of machine). A checkpoint of other options or other data is refused. Default null: none.
        /// </summary>
        public string? CheckpointFolder { get; init; }

        /// <summary>Epochs between checkpoints. One more is written at the end of each member's training. Default 10.</summary>
        public int CheckpointEvery { get; init; } = 10;

        private const int LargestEnsemble = 1000;

        internal Options Validate()
        {
            Check.InRange(EnsembleMembers, 1, LargestEnsemble);
            if (Check.NotNull(HiddenLayers).Count == 0)
                throw Check.OutOfRange(nameof(HiddenLayers), "empty", "at least one layer");
            if (!(TokenMasking >= 0 && TokenMasking < 1))
                throw Check.OutOfRange(nameof(TokenMasking), TokenMasking, "at least 0 and below 1");
            Check.AtLeast(StepsPerEpoch, 1);
            Check.AtLeast(MaximumSteps, 1);
            if (ValidationIdentity is { } identity && !(identity > 0 && identity <= 1))
                throw Check.OutOfRange(nameof(ValidationIdentity), identity, "above 0 and at most 1");
            if (CheckpointFolder is not null)
                ArgumentException.ThrowIfNullOrWhiteSpace(CheckpointFolder);
            if (WeightColumnName is not null)
                Check.ColumnName(WeightColumnName);
            // The symbols are known with the data; everything else is checked by the options of the network.
            Member(0, symbols: 2).Validate();
            return this;
        }

        /// <summary>The options of one member's network.</summary>
        internal VaeTrainer.Options Member(int member, int symbols) => new()
        {
            LatentDimension = LatentDimension,
            HiddenLayers = HiddenLayers,
            Scaling = InputScaling.None,
            SelfCheck = false,
            DecoderHiddenLayers = DecoderHiddenLayers,
            Activation = Activation,
            Posterior = PosteriorParameterization.LogVariance,
            Likelihood = Likelihood.Categorical,
            GroupSize = symbols,
            Dropout = Dropout,
            InputMasking = TokenMasking,
            WeightDecay = WeightDecay,
            Beta = Beta,
            BetaSchedule = BetaSchedule,
            FreeBits = FreeBits,
            LearningRate = LearningRate,
            LearningRateSchedule = LearningRateSchedule,
            GradientClip = GradientClip,
            BatchSize = BatchSize,
            Epochs = (MaximumSteps + StepsPerEpoch - 1) / StepsPerEpoch,
            MaximumSteps = MaximumSteps,
            ValidationFraction = ValidationFraction,
            EarlyStopping = EarlyStopping,
            // The first member is what a single model of the same seed is.
            Seed = member == 0 ? Seed : SeedStream.ToSeed(SeedStream.Derive(Seed, Purpose.Pool, member)),
            Device = Device,
            Threads = Threads,
            ExampleWeightColumnName = WeightColumnName,
            StandardDeviationColumnName = StandardDeviationColumnName,
            ScoreColumnName = ScoreColumnName,
            Progress = Progress is { } progress ? new Relay(progress, member, EnsembleMembers) : null,
            CancellationToken = CancellationToken,
            OnCancellation = OnCancellation,
            CheckpointFolder = CheckpointFolder is null ? null : Path.Combine(CheckpointFolder, Check.Invariant($"member-{member}")),
            CheckpointEvery = CheckpointEvery,
        };

        private sealed class Relay(IProgress<SequenceVaeProgress> progress, int member, int members) : IProgress<VaeTrainingProgress>
        {
            public void Report(VaeTrainingProgress value) => progress.Report(new(member, members, value));
        }

        /// <summary>Whether another holds the same, list by list.</summary>
        /// <param name="other">The other.</param>
        /// <returns>Whether both are equal.</returns>
        public bool Equals(Options? other) => RecordContent.Same(this, other);

        /// <summary>A hash of what it holds.</summary>
        /// <returns>The hash.</returns>
        public override int GetHashCode() => RecordContent.Hash(this);

        private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
    }
}
