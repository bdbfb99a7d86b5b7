using System.Text;
using Vae.MLNet.Model;

namespace Vae.MLNet;

public sealed partial class VaeImputer
{
    /// <summary>Options of the imputer.</summary>
    public sealed record Options
    {
        /// <summary>A trained model to impute with; then nothing is trained. Default null.</summary>
        public VaeModel? Model { get; init; }

        /// <summary>
        /// How the autoencoder is trained where no <see cref="Model"/> is given. Default null: one hidden layer of 64, a latent of half the features, a normal likelihood
        /// with one σ for each feature, Beta 0.1, standardised features, a quarter of the inputs masked while training, 100 epochs of batches of 64 at 3e-3. A categorical likelihood
        /// is not supported here; the column names in these options are not used.
        /// </summary>
        public VaeTrainer.Options? Training { get; init; }

        /// <summary>Passes through the autoencoder for each row, from 1 to 100; each takes the last pass's values for the missing ones. Default 10.</summary>
        public int Iterations { get; init; } = 10;

        /// <summary>
        /// Times that the training rows, at first completed by medians, are completed anew by the model so far and the training goes on with them. Default 2. Not
        /// used where no value is missing.
        /// </summary>
        public int Refinements { get; init; } = 2;

        /// <summary>Seed of the default training. Default 0. Not used where <see cref="Training"/> is given: it has its own.</summary>
        public int Seed { get; init; }

        internal Options Validate()
        {
            Check.InRange(Iterations, 1, 100);
            Check.InRange(Refinements, 0, 100);
            if (Model is not null && Training is not null)
                throw Check.Argument(nameof(Training), "Model and Training exclude each other: a model that is given is not trained.");
            if (Training is not null)
            {
                Training.Validate();
                if (Training.Likelihood == Likelihood.Categorical)
                    throw Check.Argument(nameof(Training), "A Categorical likelihood cannot be trained on incomplete rows: a median is not one-hot. Train on complete rows and give the Model.");
                if (Training.ValidationFraction > 0 || Training.EarlyStopping is not null)
                    throw Check.Argument(nameof(Training), "The imputer trains on all rows: ValidationFraction has to be 0 and EarlyStopping null.");
                if (Training.CheckpointFolder is not null || Training.Streaming is not null)
                    throw Check.Argument(nameof(Training), "The imputer holds the rows in memory and trains several times over: CheckpointFolder and Streaming have to be null.");
            }
            return this;
        }

        internal VaeTrainer.Options TrainingFor(int features) => Training ?? new()
        {
            LatentDimension = (features + 1) / 2,
            HiddenLayers = [64],
            Likelihood = Likelihood.Gaussian,
            Beta = 0.1f,
            Scaling = InputScaling.Standardize,
            InputMasking = 0.25f,
            LearningRate = 3e-3f,
            // Small batches: few rows would otherwise give too few steps.
            BatchSize = 64,
            Epochs = 100,
            Seed = Seed,
        };

        private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
    }
}
