using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Vae.MLNet.Model;

namespace Vae.MLNet;

public sealed partial class VaeTrainer
{
    /// <summary>
    /// Options of the trainer. The defaults are those of the bead-spring polymer course where its data has the size of the course's, 10,000
    /// rows of coordinates: three hidden layers of 256, a two-dimensional latent, mean squared error plus 0.01 times the KL divergence
    /// averaged over batch and latent dimensions, Adam at 1e-3, about 150 epochs. Scaling, widths and epochs follow the data unless they
    /// are given.
    /// </summary>
    public sealed record Options
    {
        /// <summary>Dimensions of the latent space. Default 2.</summary>
        public int LatentDimension { get; init; } = 2;

        /// <summary>
        /// Widths of the encoder's hidden layers, from the input on. Empty for a linear encoder. Default null: by the number of training
        /// rows, 64, 64 below 1,000 rows, 128, 128 below 5,000, otherwise 256, 256, 256.
        /// </summary>
        public IReadOnlyList<int>? HiddenLayers { get; init; }

        /// <summary>Widths of the decoder's hidden layers, from the latent on. Default null: the encoder's, mirrored.</summary>
        public IReadOnlyList<int>? DecoderHiddenLayers { get; init; }

        /// <summary>Nonlinearity between the layers. Default ReLU.</summary>
        public Activation Activation { get; init; } = Activation.ReLU;

        /// <summary>How the posterior's σ is parameterised. Default softplus.</summary>
        public PosteriorParameterization Posterior { get; init; } = PosteriorParameterization.Softplus;

        /// <summary>The model of the data given a latent. Default mean squared error.</summary>
        public Likelihood Likelihood { get; init; } = Likelihood.MeanSquaredError;

        /// <summary>For a Gaussian likelihood: where σ comes from. Default learned per feature.</summary>
        public GaussianNoise GaussianNoise { get; init; } = GaussianNoise.LearnedPerFeature;

        /// <summary>
        /// For a Gaussian likelihood: σ in units of the scaled features, the starting value where it is learned. Default 1.
        /// </summary>
        public float NoiseStandardDeviation { get; init; } = 1;

        /// <summary>For a categorical likelihood: features in a group, that is the number of symbols. Default 0: to be given.</summary>
        public int GroupSize { get; init; }

        /// <summary>Weight of the KL divergence. Default 0.01; 1 with a likelihood in nats gives the ELBO.</summary>
        public float Beta { get; init; } = 0.01f;

        /// <summary>How Beta grows. Default constant.</summary>
        public BetaSchedule BetaSchedule { get; init; } = BetaSchedule.Constant;

        /// <summary>How the KL divergence is reduced over the latent dimensions. Default by the likelihood.</summary>
        public KlReduction KlReduction { get; init; } = KlReduction.Auto;

        /// <summary>
        /// KL divergence in nats that each latent dimension has for free (Kingma et al. 2016): below it the loss does not push. Default 0.
        /// </summary>
        public float FreeBits { get; init; }

        /// <summary>Adam's step size. Default 1e-3.</summary>
        public float LearningRate { get; init; } = 1e-3f;

        /// <summary>How the learning rate changes. Default constant.</summary>
        public LearningRateSchedule LearningRateSchedule { get; init; } = LearningRateSchedule.Constant;

        /// <summary>Decoupled weight decay (AdamW, Loshchilov and Hutter 2019) of weight matrices; biases are spared. Default 0.</summary>
        public float WeightDecay { get; init; }

        /// <summary>Largest Euclidean norm of the whole gradient; a longer one is scaled back. Default 0: no limit.</summary>
        public float GradientClip { get; init; }

        /// <summary>Share of hidden activations set to zero while training, in [0, 1). Default 0.</summary>
        public float Dropout { get; init; }

        /// <summary>
        /// Standard deviation of normal noise added to the scaled inputs while training, the targets staying clean (Im et al. 2017).
        /// Default 0.
        /// </summary>
        public float InputNoise { get; init; }

        /// <summary>Share of scaled inputs set to zero while training, the targets staying whole, in [0, 1). Default 0.</summary>
        public float InputMasking { get; init; }

        /// <summary>
        /// Share of each batch's rows, those with the largest loss, left out of its gradient, in [0, 1): for training data with outliers.
        /// Of weighted rows it is a share of their weight. Default 0.
        /// </summary>
        public float TrimmedFraction { get; init; }

        /// <summary>Rows in a batch. Default 128.</summary>
        public int BatchSize { get; init; } = 128;

        /// <summary>
        /// Passes over the training data. Default 0: by the number of rows, as many as make 12,000 optimiser steps, between 10 and 400 (152
        /// for 10,000 rows in batches of 128).
        /// </summary>
        public int Epochs { get; init; }

        /// <summary>Most optimiser steps, after which the training ends within an epoch. Default 0: as many as the epochs have.</summary>
        public int MaximumSteps { get; init; }

        /// <summary>
        /// Transformation of the features inside the model. Default chosen by the training data; see <see cref="InputScaling.Auto"/>.
        /// </summary>
        public InputScaling Scaling { get; init; } = InputScaling.Auto;

        /// <summary>
        /// Whether the training ends with a look at the model on up to 2,000 rows (<see cref="VaeTrainingHistory.SelfCheck"/>), with a
        /// warning for whatever is wrong. It takes well below a second and does not change the model. Default true.
        /// </summary>
        [JsonIgnore]
        public bool SelfCheck { get; init; } = true;

        /// <summary>Share of the rows held out for validation, in [0, 1). Default 0.</summary>
        public float ValidationFraction { get; init; }

        /// <summary>Which rows are held out. Default random ones.</summary>
        public ValidationSelection ValidationSelection { get; init; } = ValidationSelection.Random;

        /// <summary>
        /// Stops when the validation loss no longer improves and restores the best weights; needs validation rows. Default null: off.
        /// </summary>
        public EarlyStopping? EarlyStopping { get; init; }

        /// <summary>Seed of everything random in a Fit: weights, order of the rows, noise. Default 0.</summary>
        public int Seed { get; init; }

        /// <summary>Where to train. Default the processor.</summary>
        public TrainingDevice Device { get; init; } = TrainingDevice.Cpu;

        /// <summary>
        /// Threads that TorchSharp uses during the Fit; the same number gives the same bytes. Default 0: as many as libtorch uses by
        /// itself, read once in a process.
        /// </summary>
        public int Threads { get; init; }

        /// <summary>
        /// Name of a column of example weights (Single, not negative): a row of weight 2 counts in every mean as two rows do, a row of
        /// weight 0 is left out unread. Scaling constants do not depend on the weights. Default null: all rows weigh the same.
        /// </summary>
        public string? ExampleWeightColumnName { get; init; }

        /// <summary>Output column for the posterior's standard deviation, a vector of the latent dimension. Default null: none.</summary>
        public string? StandardDeviationColumnName { get; init; }

        /// <summary>
        /// Output column for the decoded posterior mean, a vector of the size of the features and in their units. Default null: none.
        /// </summary>
        public string? ReconstructionColumnName { get; init; }

        /// <summary>
        /// Output column for the row's negative ELBO, with the reconstruction taken at the posterior mean and Beta as given (Single, higher
        /// is less like the training data). Default null: none.
        /// </summary>
        public string? ScoreColumnName { get; init; }

        /// <summary>
        /// Whether the fitted transform takes features by their position where slot names say otherwise. By default (false) data whose slot
        /// names differ from those at the training is refused, and named by the first difference. It is saved with the model.
        /// </summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public bool IgnoreSlotNames { get; init; }

        /// <summary>
        /// A trained model of the same architecture whose weights and scaling the training starts from. Default null: fresh weights.
        /// </summary>
        [JsonIgnore]
        public VaeModel? WarmStart { get; init; }

        /// <summary>Told about every epoch. Default null.</summary>
        [JsonIgnore]
        public IProgress<VaeTrainingProgress>? Progress { get; init; }

        /// <summary>Stops the training. Default none.</summary>
        [JsonIgnore]
        public CancellationToken CancellationToken { get; init; }

        /// <summary>What a cancelled training leaves. Default an exception.</summary>
        [JsonIgnore]
        public CancellationBehavior OnCancellation { get; init; } = CancellationBehavior.Throw;

        /// <summary>
        /// Reads the data in passes instead of holding it in memory; see <see cref="StreamingOptions"/>. Default null: the data is read
        /// once, into memory.
        /// </summary>
        public StreamingOptions? Streaming { get; init; }

        /// <summary>
        /// Folder for checkpoints; it belongs to one training. A Fit with the same options and data continues from the newest checkpoint
        /// there, after whatever ended the earlier one, and gives the same bytes as one that was never interrupted (with the same number of
        /// threads on the same kind of machine); after the training has ended it gives the same model again. A checkpoint of other options
        /// or other data is refused. The two newest are kept. The folder is made where there is none, in one that has to exist. Default null: none.
        /// </summary>
        [JsonIgnore]
        public string? CheckpointFolder { get; init; }

        /// <summary>Epochs between checkpoints. One more is written at the end of the training. Default 10.</summary>
        [JsonIgnore]
        public int CheckpointEvery { get; init; } = 10;

        /// <summary>Widths of the encoder's hidden layers; the largest where neither options nor data have said yet.</summary>
        internal IReadOnlyList<int> EncoderLayers => HiddenLayers ?? [256, 256, 256];

        internal IReadOnlyList<int> DecoderLayers => DecoderHiddenLayers ?? [.. EncoderLayers.Reverse()];

        /// <summary>Whether only the features as they are suit the likelihood.</summary>
        private bool NeedsPlainFeatures => Likelihood is Likelihood.Bernoulli or Likelihood.Categorical;

        /// <summary>The options with what a warm start decides.</summary>
        internal Options SettleByModel() => this with
        {
            HiddenLayers = HiddenLayers ?? WarmStart?.Options.HiddenLayers,
            DecoderHiddenLayers = DecoderHiddenLayers ?? (HiddenLayers is null ? WarmStart?.Options.DecoderHiddenLayers : null),
            Scaling = Scaling != InputScaling.Auto ? Scaling : NeedsPlainFeatures ? InputScaling.None : WarmStart?.Options.Scaling ?? Scaling,
        };

        /// <summary>The options with everything decided that is left to the data.</summary>
        /// <param name="rows">Rows of an epoch.</param>
        /// <param name="scaling">The scaling that the data was found to need.</param>
        internal Options SettleByData(long rows, InputScaling scaling)
        {
            const long WantedSteps = 12_000;
            long steps = Math.Max(1, (rows + BatchSize - 1) / BatchSize);
            return this with
            {
                HiddenLayers = HiddenLayers ?? (rows < 1_000 ? [64, 64] : rows < 5_000 ? [128, 128] : EncoderLayers),
                Epochs = Epochs > 0 ? Epochs : (int)Math.Clamp((WantedSteps + steps - 1) / steps, 10, 400),
                Scaling = scaling,
            };
        }

        internal bool SumKl => KlReduction == KlReduction.Sum || KlReduction == KlReduction.Auto && Likelihood != Likelihood.MeanSquaredError;

        private const int LargestLayer = 1 << 20;

        /// <summary>Checks every option that can be checked without data; gives options whose lists nobody else can change.</summary>
        internal Options Validate()
        {
            Check.InRange(LatentDimension, 1, LargestLayer);
            if (HiddenLayers is { } encoder)
                CheckLayers(encoder, nameof(HiddenLayers));
            if (DecoderHiddenLayers is { } decoder)
                CheckLayers(decoder, nameof(DecoderHiddenLayers));
            Check.Defined(Activation);
            Check.Defined(Posterior);
            Check.Defined(Likelihood);
            Check.Defined(GaussianNoise);
            Check.Defined(KlReduction);
            Check.Defined(LearningRateSchedule);
            Check.Defined(Scaling);
            Check.Defined(ValidationSelection);
            Check.Defined(Device);
            Check.Defined(OnCancellation);
            Check.NotNull(BetaSchedule);
            Check.Positive(NoiseStandardDeviation);
            Check.AtLeast(Beta, 0f);
            Check.AtLeast(FreeBits, 0f);
            Check.Positive(LearningRate);
            Check.AtLeast(WeightDecay, 0f);
            Check.AtLeast(GradientClip, 0f);
            Share(Dropout, nameof(Dropout));
            Check.AtLeast(InputNoise, 0f);
            Share(InputMasking, nameof(InputMasking));
            Share(TrimmedFraction, nameof(TrimmedFraction));
            Check.AtLeast(BatchSize, 1);
            Check.AtLeast(Epochs, 0);
            Check.AtLeast(MaximumSteps, 0);
            Share(ValidationFraction, nameof(ValidationFraction));
            EarlyStopping?.Validate();
            Streaming?.Validate();
            Check.AtLeast(CheckpointEvery, 1);
            if (CheckpointFolder is not null)
                ArgumentException.ThrowIfNullOrWhiteSpace(CheckpointFolder);
            Check.InRange(Threads, 0, 4096);
            if (Likelihood == Likelihood.Categorical)
                Check.InRange(GroupSize, 2, LargestLayer);
            else if (GroupSize != 0)
                throw Check.Argument(nameof(GroupSize), $"GroupSize belongs to a categorical likelihood; the likelihood is {Likelihood}.");
            if (NeedsPlainFeatures && Scaling is not (InputScaling.None or InputScaling.Auto))
                throw Check.Argument(nameof(Scaling), $"A {Likelihood} likelihood needs the features as they are: Scaling has to be None; it is {Scaling}.");
            Column(ExampleWeightColumnName, nameof(ExampleWeightColumnName));
            Column(StandardDeviationColumnName, nameof(StandardDeviationColumnName));
            Column(ReconstructionColumnName, nameof(ReconstructionColumnName));
            Column(ScoreColumnName, nameof(ScoreColumnName));
            return this with { HiddenLayers = HiddenLayers?.ToArray(), DecoderHiddenLayers = DecoderHiddenLayers?.ToArray() };

            static void Column(string? value, string name)
            {
                if (value is not null)
                    Check.GraphColumnName(value, name);
            }

            static void CheckLayers(IReadOnlyList<int> layers, string name)
            {
                if (layers.Count > 64)
                    throw Check.OutOfRange(name, layers.Count, "at most 64 layers");
                foreach (int width in layers)
                    Check.InRange(width, 1, LargestLayer, name);
            }

            static void Share(float value, string name)
            {
                if (!(value >= 0 && value < 1))
                    throw Check.OutOfRange(name, value, "at least 0 and below 1");
            }
        }

        private static readonly JsonSerializerOptions Json = new()
        {
            Converters = { new JsonStringEnumConverter() },
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            MaxDepth = 16,
        };

        internal string ToJson() => JsonSerializer.Serialize(this, Json);

        internal static Options FromJson(string json) =>
            (JsonSerializer.Deserialize<Options>(json, Json) ?? throw new JsonException("The options are null.")).Validate();

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
