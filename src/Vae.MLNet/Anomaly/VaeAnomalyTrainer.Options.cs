using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

public sealed partial class VaeAnomalyTrainer
{
    /// <summary>Options of the anomaly detector.</summary>
    public sealed record Options
    {
        /// <summary>Share of the training rows that the threshold labels as anomalies, in (0, 0.5]. Default 0.1. Not used where <see cref="Threshold"/> is given.</summary>
        public float Contamination { get; init; } = 0.1f;

        /// <summary>Score above which a row is labelled an anomaly. Default null: the score that the share <see cref="Contamination"/> of the training rows exceeds.</summary>
        public float? Threshold { get; init; }

        /// <summary>Networks trained from different seeds, whose scores are averaged, from 1 to 100. Default 3.</summary>
        public int Members { get; init; } = 3;

        /// <summary>
        /// Whether the score has the marginal term besides the reconstruction term. Default true: a network that also reconstructs anomalies well would miss those that
        /// are far out in single features. See the remarks of <see cref="VaeAnomalyTrainer"/>.
        /// </summary>
        public bool IncludeMarginalTerm { get; init; } = true;

        /// <summary>
        /// What is known of the training rows. Default <see cref="AnomalyTrainingRows.Contaminated"/>: they may hold anomalies. With <see
        /// cref="AnomalyTrainingRows.Clean"/>, no row is left out of the training and the distance to the nearest training rows has the largest say.
        /// </summary>
        public AnomalyTrainingRows TrainingRows { get; init; }

        /// <summary>
        /// Whether the score has the neighbour term, for which up to 2,000 training rows are kept in the model. Default null: with <see
        /// cref="AnomalyTrainingRows.Clean"/> alone; among contaminated rows its gain was within noise. See the remarks of <see
        /// cref="VaeAnomalyTrainer"/>.
        /// </summary>
        public bool? IncludeNeighborTerm { get; init; }

        /// <summary>Dimensions of the latent space. Default 0: a quarter of the features, rounded up.</summary>
        public int LatentDimension { get; init; }

        /// <summary>Widths of the encoder's hidden layers; the decoder mirrors them. Default 64.</summary>
        public IReadOnlyList<int> HiddenLayers { get; init; } = [64];

        /// <summary>Nonlinearity between the layers. Default ReLU.</summary>
        public Activation Activation { get; init; } = Activation.ReLU;

        /// <summary>Weight of the KL divergence. Default 1, the ELBO.</summary>
        public float Beta { get; init; } = 1;

        /// <summary>Steps of the optimiser for each member. Default 800: half of it learns weak dependencies less well, and costs half the time.</summary>
        public int Steps { get; init; } = 800;

        /// <summary>Rows in a batch. Default 256.</summary>
        public int BatchSize { get; init; } = 256;

        /// <summary>Adam's step size. Default 3e-3.</summary>
        public float LearningRate { get; init; } = 3e-3f;

        /// <summary>
        /// Share of each batch's rows, those with the largest loss, left out of its gradient, in [0, 1): the training data itself may hold anomalies, which the network should
        /// not learn to reconstruct. Default null: 0.2, and 0 with <see cref="AnomalyTrainingRows.Clean"/>. More of it makes the training slower to
        /// converge.
        /// </summary>
        public float? TrimmedFraction { get; init; }

        /// <summary>
        /// Output column for the contribution of each feature to the row's score, a vector of the size of the features whose sum is the score, with the input
        /// column's slot names. Default null: none.
        /// </summary>
        public string? ContributionsColumnName { get; init; }

        /// <summary>Seed of everything random in a Fit. Default 0.</summary>
        public int Seed { get; init; }

        /// <summary>Where to train. Default the processor.</summary>
        public TrainingDevice Device { get; init; } = TrainingDevice.Cpu;

        /// <summary>Threads that TorchSharp uses during the Fit; the same number gives the same bytes. Default 1: the networks are too small for more to help.</summary>
        public int Threads { get; init; } = 1;

        /// <summary>
        /// Whether the fitted transform takes features by their position where slot names say otherwise. By default (false) data whose slot names differ from those at the
        /// training is refused, and named by the first difference. It is saved with the model.
        /// </summary>
        public bool IgnoreSlotNames { get; init; }

        /// <summary>Stops the training with an <see cref="OperationCanceledException"/>. Default none.</summary>
        public CancellationToken CancellationToken { get; init; }

        internal Options Validate()
        {
            if (!(Contamination > 0 && Contamination <= 0.5f))
                throw Check.OutOfRange(nameof(Contamination), Contamination, "above 0 and at most 0.5");
            if (Threshold is { } threshold && !float.IsFinite(threshold))
                throw Check.OutOfRange(nameof(Threshold), threshold, "finite");
            if (!Enum.IsDefined(TrainingRows))
                throw Check.OutOfRange(nameof(TrainingRows), TrainingRows, "a known kind");
            Check.InRange(Members, 1, 100);
            Check.AtLeast(Steps, 1);
            Check.AtLeast(LatentDimension, 0);
            if (ContributionsColumnName is { } name)
                Check.GraphColumnName(name, nameof(ContributionsColumnName));
            // The rest is checked by the options of the members' training.
            Training(features: 1, member: 0).Validate();
            return this;
        }

        /// <summary>How one member of the ensemble is trained.</summary>
        internal VaeTrainer.Options Training(int features, int member) => new()
        {
            LatentDimension = LatentDimension > 0 ? LatentDimension : (features + 3) / 4,
            HiddenLayers = HiddenLayers,
            Activation = Activation,
            Likelihood = Likelihood.Gaussian,
            GaussianNoise = GaussianNoise.LearnedPerFeature,
            Beta = Beta,
            Scaling = InputScaling.RobustAsinh,
            SelfCheck = false,
            BatchSize = BatchSize,
            // The steps end the training; an epoch has at least one of them.
            Epochs = Steps,
            MaximumSteps = Steps,
            LearningRate = LearningRate,
            TrimmedFraction = TrimmedFraction ?? (TrainingRows == AnomalyTrainingRows.Clean ? 0 : 0.2f),
            Seed = SeedStream.ToSeed(SeedStream.Mix((uint)Seed | (ulong)member << 32)),
            IgnoreSlotNames = IgnoreSlotNames,
            Device = Device,
            Threads = Threads,
            CancellationToken = CancellationToken,
        };

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
