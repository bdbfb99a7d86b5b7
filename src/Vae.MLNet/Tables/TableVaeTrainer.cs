using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using Vae.MLNet.Scoring;
using Vae.MLNet.Tables;
using static TorchSharp.torch;

namespace Vae.MLNet;

/// <summary>
/// Trains a variational autoencoder on a table as it is: numbers, texts and booleans, with gaps. Its decoder gives each column from the latent vector and the columns
/// before it, so that rows drawn from it look like rows of the table.
/// </summary>
/// <remarks>
/// <para>Every cell is one token or two: a value of a category, the quantile bin of a number and, in large tables, the place inside the bin; a missing cell is a state of
/// its own. The decoder is a network with a part for each token that sees only what comes before it (masks as in Germain et al. 2015), and in half of the training rows also
/// a random set of columns that are given, so that one network draws rows, fills gaps, and tells how likely each cell is beside the others
/// (Uria, Murray and Larochelle 2014). It is trained by the evidence lower bound with free bits; in half of the rows the decoder has to do without the latent vector, and
/// so it gives the likelihood of a row exactly, and draws rows and fills gaps without one. The latent vector is the embedding of a row.</para>
/// <para>The score of a row is the sum over its columns of minus the log probability of the cell beside all others and of the cell by itself, in nats, and for numbers
/// beyond all that was seen w log(1 + distance / spread), w being such that a number by its column's range beyond is odder than all but a thousandth of the training rows;
/// of single numbers within the range but far beyond the last hundredth of the rows, which may be errors, 8 log(1 + distance / spread). A text that was never seen counts log(rows + 1).</para>
///
/// | | |
/// |---|---|
/// | Machine learning task | Synthesis, imputation, anomaly detection, embedding |
/// | Is normalization required? | No: it is part of the model |
/// | Is caching required? | No: the data is read once |
/// | Required NuGet in addition to Microsoft.ML | Vae.MLNet, and TorchSharp-cpu (or a CUDA package) in the application that trains |
/// | Required NuGet where a saved model is used | Microsoft.ML.OnnxTransformer |
/// | Exportable to ONNX | Yes |
/// </remarks>
public sealed partial class TableVaeTrainer : IEstimator<TableVaeTransformer>
{
    private readonly MLContext _context;
    private readonly Options _options;

    internal TableVaeTrainer(MLContext context, Options? options)
    {
        _context = context;
        _options = (options ?? new()).Validate();
        string[] names = [_options.LatentColumnName, _options.ScoreColumnName, .. _options.ContributionsColumnName is { } contributions ? [contributions] : Array.Empty<string>()];
        if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw Check.Argument(nameof(options), $"The column name '{twice.Key}' is used twice; output columns need names of their own.");
    }

    /// <summary>Trains a model.</summary>
    /// <param name="input">The table; it is read once, into memory.</param>
    /// <returns>The fitted transform, which carries the model.</returns>
    /// <exception cref="ArgumentException">An option names a column that is not there or asks for a kind that it cannot have.</exception>
    /// <exception cref="InvalidOperationException">There are no rows or no columns to learn from, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public TableVaeTransformer Fit(IDataView input)
    {
        Check.NotNull(input);
        TorchRuntime.EnsureLoaded();
        var host = ((IHostEnvironment)_context).Register(nameof(TableVaeTrainer));
        using var channel = host.Start("Training");
        var (taken, leftOut) = TableSurvey.Choose(input.Schema, _options);
        foreach (string name in taken)
            Check.GraphColumnName(name, nameof(input));
        if (taken.Count == 0)
            throw new InvalidOperationException($"There is no column to learn from: {string.Join("; ", leftOut.Select(item => $"'{item.Key}' is left out ({item.Value})"))}.");
        var raw = RawTable.Read(input, taken, _options.CancellationToken);
        int count = raw[0].Rows;
        if (count == 0)
            throw Check.NoRows("TableAutoencoder");
        int[] all = [.. Enumerable.Range(0, count)];
        var looks = raw.ToDictionary(column => column.Name, column => TableSurvey.Look(column, _options.Columns.TryGetValue(column.Name, out var kind) ? kind : null, all), StringComparer.Ordinal);
        TableColumn[] columns = [.. input.Schema.Where(column => !column.IsHidden).Select(column => looks.TryGetValue(column.Name, out var look) ? look.Column : new TableColumn
        {
            Name = column.Name, Kind = ColumnKind.Ignored, Type = RawTable.Takes(column.Type) ? RawTable.TypeName(column.Type) : column.Type.ToString()!, Reason = leftOut[column.Name],
        })];
        foreach (var column in columns)
            channel.Info(MessageSensitivity.Schema, $"Column '{column.Name}' ({column.Type}): {column.Kind}, {column.Reason}.");
        RawColumn[] used = [.. raw.Where(column => looks[column.Name].Codec is not null)];
        ColumnCodec[] codecs = [.. used.Select(column => looks[column.Name].Codec!)];
        if (codecs.Length == 0)
            throw new InvalidOperationException($"There is no column to learn from: {string.Join("; ", columns.Select(column => $"'{column.Name}' is left out ({column.Reason})"))}.");

        var (tokens, counts) = TableSurvey.Encode(used, codecs, count);
        var schema = Sizes(columns, codecs, count);
        var settings = Settings(count);
        var training = new TableTraining(schema.Shape, tokens, counts, schema.Smooth(), settings);
        float[] parameters = training.Run(check =>
        {
            channel.Info(MessageSensitivity.None, Check.Invariant($"Step {check.Step}: held-out loss {check.NegativeLogLikelihood:F3} nats a row, with columns given {check.GivenLoss:F3}; the latent vector carries {check.Kl:F2} nats."));
            _options.Progress?.Report(check);
        }, _options.CancellationToken);
        schema = schema with
        {
            Surprise = Surprise(schema.Shape, tokens, count),
            History = new()
            {
                TrainingRows = count - (int)Math.Round(count * settings.ValidationShare),
                ValidationRows = (int)Math.Round(count * settings.ValidationShare),
                Steps = training.StepsDone,
                StoppedEarly = training.StepsDone < settings.Steps,
                Checks = training.Checks,
            },
        };
        var names = new TableColumnNames(_options.LatentColumnName, _options.ScoreColumnName, _options.ContributionsColumnName);
        schema = WithOutsideWeights(schema, parameters, used, count);
        var model = new TableVaeModel(schema, parameters);
        float threshold;
        using (var scored = new TableVaeTransformer(_context, model, names, input.Schema))
            threshold = Threshold(scored, new TableDataView(used, count));
        model = new(schema with { Threshold = threshold }, parameters);
        return new TableVaeTransformer(_context, model, names, input.Schema);
    }

    /// <summary>The columns that the fitted transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => ColumnShapes.Append(_context, Check.NotNull(inputSchema),
        TableVaeTransformer.Outputs(new(_options.LatentColumnName, _options.ScoreColumnName, _options.ContributionsColumnName), _options.LatentDimension, [""]));

    /// <summary>Sizes by the number of rows and tokens; the constants were chosen by held-out likelihood on public tables of 344 to 48,842 rows.</summary>
    private TableSchema Sizes(TableColumn[] columns, ColumnCodec[] codecs, int rows)
    {
        int tokens = codecs.Sum(codec => codec.HasLeaves ? 2 : 1);
        double size = Size(rows);
        return new()
        {
            Columns = columns,
            Codecs = codecs,
            Latent = _options.LatentDimension,
            Embedding = Math.Clamp(512 / tokens, 2, (int)Math.Round(12 + 4 * size)),
            Hidden = Math.Clamp(2048 / tokens, 4, (int)Math.Round(24 + 40 * size)),
            EncoderHidden = 128,
            Surprise = [],
            Rows = rows,
            Threshold = 0,
            History = new() { TrainingRows = rows, ValidationRows = 0, Steps = 0, StoppedEarly = false, Checks = [] },
        };
    }

    /// <summary>0 for some 300 rows and less, 1 for 10,000 and more.</summary>
    private static double Size(int rows) => Math.Clamp((Math.Log10(rows) - 2.5) / 1.5, 0, 1);

    private const int FewRows = 5000;

    /// <summary>Most steps of a training.</summary>
    internal static int MostSteps(int rows, Options options) => options.Steps > 0 ? options.Steps : (int)(1500 + 2000 * Size(rows));

    private TableTrainingSettings Settings(int rows)
    {
        double size = Size(rows);
        return new()
        {
            Seed = _options.Seed,
            Steps = MostSteps(rows, _options),
            BatchSize = rows < 3000 ? 128 : 256,
            WeightDecay = (float)Math.Pow(10, -1.5 * size),
            Dropout = (float)(0.4 - 0.3 * size),
            FreeNats = _options.FreeNats,
            ValidationShare = rows < 50 ? 0 : _options.ValidationFraction,
            CheckEvery = (int)(50 + 150 * size),
            Patience = 6,
            // The matrices of small tables are too small to be shared out: a second thread made the training of titanic a quarter slower.
            Threads = _options.Threads == 0 && rows < FewRows ? 1 : _options.Threads,
        };
    }

    private static double[] Surprise(TableShape shape, byte[] tokens, int rows)
    {
        var surprise = new double[shape.Tokens * shape.Widest];
        for (long i = 0; i < tokens.LongLength; i++)
            surprise[i % shape.Tokens * shape.Widest + tokens[i]]++;
        for (int token = 0; token < shape.Tokens; token++)
        {
            bool lead = token == 0 || shape.Columns[token - 1] != shape.Columns[token];
            for (int state = 0; state < shape.Widest; state++)
            {
                ref double value = ref surprise[token * shape.Widest + state];
                value = lead ? -Math.Log((value + 0.5) / (rows + 0.5 * shape.States[token])) : 0;
            }
        }
        return surprise;
    }

    /// <summary>
    /// Weighs what lies outside so that one number by its column's range beyond puts the most usual row above all but a thousandth of the training rows.
    /// </summary>
    private TableSchema WithOutsideWeights(TableSchema schema, float[] parameters, RawColumn[] columns, int rows)
    {
        const int Most = 10_000;
        if (!schema.Codecs.Any(codec => codec.IsNumber && !codec.AllMissing))
            return schema;
        int[] chosen = [.. SeedStream.Permutation(rows, _options.Seed, Purpose.Pool).Take(Most).Select(row => (int)row)];
        var plain = new TableVaeModel(schema with { Codecs = [.. schema.Codecs.Select(codec => codec with { OutsideWeight = 0 })] }, parameters);
        float[] scores = [.. plain.Scores(new TableDataView([.. columns.Select(column => column.Select(chosen))], chosen.Length), _options.CancellationToken)
            .Where(float.IsFinite).Order()];
        // An infinite cell has no score without a weight.
        if (scores.Length == 0)
            return schema;
        // Somewhat more, since what a cell says of the others changes with it.
        double wide = 1.25 * (scores[Math.Min((int)(scores.Length * 0.999), scores.Length - 1)] - scores[0]) + 2;
        return schema with
        {
            Codecs = [.. schema.Codecs.Select(codec => codec.IsNumber && !codec.AllMissing
                ? codec with { OutsideWeight = Math.Max(ColumnCodec.FenceWeight, wide / Math.Log(1 + Math.Max(codec.Maximum / codec.Spread - codec.Minimum / codec.Spread, 1))) }
                : codec)],
        };
    }

    private float Threshold(TableVaeTransformer model, IDataView rows)
    {
        float[] scores = [.. model.Transform(rows).GetColumn<float>(_options.ScoreColumnName)];
        Array.Sort(scores);
        return scores[Math.Clamp((int)Math.Ceiling(scores.Length * (1 - _options.Contamination)) - 1, 0, scores.Length - 1)];
    }
}
