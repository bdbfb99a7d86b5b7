namespace Vae.MLNet;

public sealed partial class TableVaeTrainer
{
    /// <summary>Options of a table's autoencoder. The defaults suit tables of a hundred to a million rows.</summary>
    public sealed class Options
    {
        /// <summary>Names of columns to leave out.</summary>
        public IReadOnlyList<string> Ignore { get; set; } = [];

        /// <summary>Kinds of columns set by hand, by name; others are found from types and values. A text can be a category or be
        /// ignored, and so can a number of at most 200 different values, whose values are then not taken as near to each other.</summary>
        public IDictionary<string, ColumnKind> Columns { get; } = new Dictionary<string, ColumnKind>(StringComparer.Ordinal);

        /// <summary>Dimensions of the latent space.</summary>
        public int LatentDimension { get; set; } = 16;

        /// <summary>
        /// Nats that the latent vector may carry at no cost (free bits, Kingma et al. 2016). The decoder sees the columns before, and would do without the latent vector
        /// otherwise: embeddings would be empty.
        /// </summary>
        public float FreeNats { get; set; } = 4;

        /// <summary>Column of the posterior mean.</summary>
        public string LatentColumnName { get; set; } = "Latent";

        /// <summary>Column of the score.</summary>
        public string ScoreColumnName { get; set; } = "Score";

        /// <summary>Column of each table column's part of the score; null for none.</summary>
        public string? ContributionsColumnName { get; set; }

        /// <summary>Share of the training rows that score above <see cref="TableVaeModel.Threshold"/>.</summary>
        public float Contamination { get; set; } = 0.01f;

        /// <summary>Most steps; 0 chooses by the number of rows.</summary>
        public int Steps { get; set; }

        /// <summary>Share of the rows on which the best parameters are chosen. Below 50 rows all are trained on.</summary>
        public float ValidationFraction { get; set; } = 0.1f;

        /// <summary>Seed of everything random: the same seed gives the same model on one machine with the same number of threads.</summary>
        public int Seed { get; set; } = 1;

        /// <summary>Threads of the training; 0 takes one for each core, and a single one below 5,000 rows, where more would not help.</summary>
        public int Threads { get; set; }

        /// <summary>Told of every look at the held-out rows, on the training's thread.</summary>
        public IProgress<TableTrainingCheck>? Progress { get; set; }

        /// <summary>Cancels the training.</summary>
        public CancellationToken CancellationToken { get; set; }

        internal Options Validate()
        {
            Check.NotNull(Ignore);
            foreach (var (_, kind) in Columns)
                Check.Defined(kind);
            Check.InRange(LatentDimension, 1, 256);
            Check.InRange(FreeNats, 0, 1000);
            Check.GraphColumnName(LatentColumnName);
            Check.GraphColumnName(ScoreColumnName);
            if (ContributionsColumnName is not null)
                Check.GraphColumnName(ContributionsColumnName);
            Check.InRange(Contamination, 0, 0.5f);
            Check.AtLeast(Steps, 0);
            Check.InRange(ValidationFraction, 0, 0.5f);
            Check.AtLeast(Threads, 0);
            return this;
        }
    }
}
