using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Vae.MLNet.Inference;
using Vae.MLNet.Model;
using Vae.MLNet.Scoring;
using Vae.MLNet.Sequences;
using Vae.MLNet.Training;

namespace Vae.MLNet;

/// <summary>
/// Trains a variational autoencoder on aligned sequences: a categorical likelihood over the symbols of each position, a normal posterior parameterised by its log
/// variance (Riesselman et al. 2018, Frazer et al. 2021, there with a Bayesian decoder).
/// </summary>
/// <remarks>
/// <para>One-hot vectors never exist: the encoder's first layer sums the rows of its weight that the tokens stand for, and the likelihood is gathered by token. What
/// becomes of gaps is up to the alphabet's <see cref="Inference.GapTreatment"/>.</para>
/// <para>The loss of a batch is the mean of -log p(x|z) + Beta · KL(q(z|x) ‖ p(z)) in nats, with one z for each sequence and step. Sequences are drawn into batches in
/// proportion to their weights; validation losses are weighted means.</para>
/// <para>The output layer's biases start as the logits of the site-independent model of the same weighted sequences, so that the network has only to learn what goes
/// beyond it.</para>
///
/// | | |
/// |---|---|
/// | Input | Vector&lt;Int64, L&gt; of tokens with a sequence layout, as <see cref="VaeCatalog.LoadAlignment"/> makes |
/// | Output | Vector&lt;Single, latent&gt;: the posterior mean |
/// | Is caching required? | No: the data is read once |
/// | Required NuGet in addition to Microsoft.ML | Vae.MLNet, and TorchSharp-cpu (or a CUDA package) in the application that trains |
/// | Required NuGet where a saved model is used | Microsoft.ML.OnnxTransformer |
/// | Exportable to ONNX | Yes |
///
/// </remarks>
public sealed partial class SequenceVaeTrainer : IEstimator<SequenceVaeTransformer>
{
    /// <summary>Sequences held out at most: more would not make the validation loss much more certain.</summary>
    private const int LargestValidation = 4000;

    /// <summary>Pseudocount of the site-independent model that the training starts from: Jeffreys', as <see cref="SiteIndependentOptions"/> has it.</summary>
    private const double SitePseudocount = 0.5;

    private readonly MLContext _context;
    private readonly string _outputColumn, _tokensColumn;
    private readonly Options _options;

    internal SequenceVaeTrainer(MLContext context, string outputColumnName, string tokensColumnName, Options? options)
    {
        _context = context;
        _outputColumn = Check.GraphColumnName(outputColumnName);
        _tokensColumn = Check.GraphColumnName(tokensColumnName);
        _options = (options ?? new()).Validate();
        string[] names = [.. new[] { _outputColumn, _options.StandardDeviationColumnName, _options.ScoreColumnName, _tokensColumn }.OfType<string>()];
        if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw Check.Argument(nameof(options), $"The column name '{twice.Key}' is used twice; input and output columns need names of their own.");
        if (_options.EarlyStopping is not null && _options.ValidationFraction == 0)
            throw Check.Argument(nameof(Options.EarlyStopping), "EarlyStopping needs validation rows: give a ValidationFraction, or set EarlyStopping to null.");
    }

    /// <summary>Trains all members.</summary>
    /// <param name="input">Data with the tokens column; it is read once.</param>
    /// <returns>The fitted transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The tokens column or the weight column is missing or has a wrong type.</exception>
    /// <exception cref="InvalidOperationException">There are no rows, a token or a weight is not valid, the loss diverged, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public SequenceVaeTransformer Fit(IDataView input)
    {
        Check.NotNull(input);
        var (_, layout) = TokenColumns.FindWithLayout(input.Schema, _tokensColumn, nameof(input));
        string? weightColumn = _options.WeightColumnName
            ?? (input.Schema.GetColumnOrNull(SequenceAlignment.WeightColumn)?.Type == NumberDataViewType.Single ? SequenceAlignment.WeightColumn : null);
        TorchRuntime.EnsureLoaded();
        var (tokens, count, weights) = TokenColumns.Read(input, _tokensColumn, layout, weightColumn);
        var data = Counted(new TokenData(tokens, count, weights), weightColumn);

        using var channel = ((IHostEnvironment)_context).Register(nameof(SequenceVaeTrainer)).Start("Training");
        channel.Info(MessageSensitivity.None, Check.Invariant(
            $"Training on {data.Rows} sequences of {layout.Length} positions, total weight {data.Weights?.Sum() ?? data.Rows:F1}."));
        int symbols = layout.Alphabet.OutputSymbolCount;
        var members = new List<VaeModel>();
        var histories = new List<VaeTrainingHistory>();
        // Each member has a folder of its own in it.
        if (_options.CheckpointFolder is { } checkpoints)
            CheckpointStore.MakeFolder(checkpoints);
        for (int member = 0; member < _options.EnsembleMembers; member++)
        {
            var options = _options.Member(member, symbols).Validate();
            var (training, validation) = Split(data, layout, _options, options.Seed);
            TrainedVae trained;
            try
            {
                trained = VaeTraining.Run(new VaeArchitecture(layout.Length * symbols, options, layout), training, validation, _options.StepsPerEpoch, SiteLogits(training, layout),
                    new TrainingLog(_ => { }, message => channel.Warning(MessageSensitivity.None, message), []));
            }
            catch (OperationCanceledException) when (_options.OnCancellation == CancellationBehavior.KeepBest && members.Count > 0)
            {
                // Before the end of this member's first epoch: those that are done are the model.
                break;
            }
            members.Add(trained.Model);
            histories.Add(trained.History);
            var best = trained.History.Epochs.First(epoch => epoch.Epoch == trained.History.BestEpoch);
            channel.Info(MessageSensitivity.None, Check.Invariant(
                $"Member {member + 1}: epoch {best.Epoch} of {trained.History.Epochs.Count}, loss {best.Loss:F2}, validation loss {best.ValidationLoss ?? double.NaN:F2} nats, {trained.History.ActiveUnits} of {options.LatentDimension} latent dimensions active."));
            if (_options.CancellationToken.IsCancellationRequested)
                break;
        }
        return new SequenceVaeTransformer(_context, new SequenceVaeModel(layout, members), histories, _tokensColumn, _outputColumn, Columns, input.Schema);
    }

    /// <summary>The columns that the fitted transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The tokens column is missing or is not a vector of Int64.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Check.NotNull(inputSchema);
        TokenColumns.Require(inputSchema, _tokensColumn);
        return ColumnShapes.Append(_context, inputSchema, Columns.WithLatent(_outputColumn, _options.LatentDimension, features: 1));
    }

    private VaeOutputColumns Columns => new() { StandardDeviation = _options.StandardDeviationColumnName, Score = _options.ScoreColumnName };

    /// <summary>The rows that count.</summary>
    private static TokenData Counted(TokenData data, string? weightColumn)
    {
        if (data.Weights is not { } weights)
            return data;
        double total = 0;
        for (int row = 0; row < weights.Length; row++)
            RowReader.CheckTotal(total += weights[row], weightColumn, row);
        if (!weights.Contains(0))
            return data;
        long[] rows = [.. Enumerable.Range(0, data.Rows).Where(row => weights[row] > 0).Select(row => (long)row)];
        return rows.Length > 0 ? data.Select(rows) : throw new InvalidOperationException($"Column '{weightColumn}' is zero in every row; at least one row has to count.");
    }

    private static (TokenData Training, TokenData? Validation) Split(TokenData data, SequenceLayout layout, Options options, int seed)
    {
        if (options.ValidationFraction == 0)
            return (data, null);
        if (data.Rows < 2)
            throw Check.Argument(nameof(Options.ValidationFraction), "The data has one sequence (that counts), and at least two are expected. Where an alignment had more, its filters left them out (see SequenceAlignment.Filtering). To train on one all the same, set ValidationFraction to 0 and EarlyStopping to null.");
        var (training, held) = SequenceSplit.Run(data.Tokens, data.Weights, layout, options.ValidationFraction, options.ValidationIdentity, LargestValidation, seed);
        return (data.Select(training), data.Select(held));
    }

    /// <summary>The logits that the training starts from: the site-independent model's.</summary>
    private static float[] SiteLogits(TokenData data, SequenceLayout layout)
    {
        var site = SiteIndependentModel.Fit(layout, data.Tokens, data.Weights, SitePseudocount);
        return [.. Enumerable.Range(0, layout.Length).SelectMany(column => site.Frequencies(column).ToArray()).Select(value => (float)Math.Log(value))];
    }
}
