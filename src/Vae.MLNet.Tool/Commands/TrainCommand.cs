using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Which loss is minimised.</summary>
internal enum TrainingObjective
{
    /// <summary>Mean squared error + Beta · KL, both averaged.</summary>
    Course,

    /// <summary>The negative ELBO in nats: a Gaussian likelihood with learned noise, sums over dimensions.</summary>
    Elbo,
}

/// <summary>What the rows are to the model.</summary>
internal enum RowsTakenAs
{
    /// <summary>A table where the file has text or gaps, otherwise vectors.</summary>
    Auto,

    /// <summary>Vectors of numbers.</summary>
    Vector,

    /// <summary>Rows of typed columns.</summary>
    Table,
}

/// <summary>Trains a model and writes everything that can be done with it into a folder.</summary>
internal sealed class TrainCommand : ToolCommand
{
    /// <summary>Fewer rows are all trained on, unless a share is asked for.</summary>
    private const int LeastRowsToHoldOut = 100;

    private const float DefaultValidation = 0.1f;
    private const int DefaultLatent = 2;
    private const int DefaultPatience = 20;

    /// <summary>An epoch of few rows has few steps: the loss needs time to move at all.</summary>
    private const int LeastPatienceSteps = 500;

    private static int Patience(long rows, int batch) => (int)Math.Max(DefaultPatience, LeastPatienceSteps / Math.Max(1, (rows + batch - 1) / batch));

    private readonly DataArgument _data;
    private readonly Option<string> _output;
    private readonly Option<int> _epochs, _batch, _seed, _threads, _steps;
    private readonly Option<int?> _latent, _patience;
    private readonly Option<float> _rate, _contamination;
    private readonly Option<float?> _beta, _validation;
    private readonly Option<float[]?> _hidden;
    private readonly Option<string> _align;
    private readonly Option<bool> _mirror, _direction, _lastRows;
    private readonly Choice<RowsTakenAs> _as;
    private readonly Choice<TrainingObjective> _objective;
    private readonly Choice<PosteriorParameterization> _posterior;
    private readonly Choice<InputScaling> _scaling;
    private readonly Choice<TrainingDevice> _device;
    private readonly Option<string?> _checkpoints, _kinds;

    public TrainCommand()
        : base("train", "Train a variational autoencoder on the rows of a file, and write what can be done with it into a folder: model.zip (the ML.NET pipeline), training.json, "
            + "and of vectors encoder.onnx, decoder.onnx and pipeline.onnx, of a table with text or gaps table.onnx and sampler.onnx.",
            "train people.csv --ignore id -o model/",
            "train paths.npz --latent 2 --align 2d -o model/",
            "train sensors.csv --columns t1,t2,p --scaling standardize --validation 0.2 --patience 10 -o model/")
    {
        _data = new DataArgument(this, forModel: false, ignorable: true);
        _output = Register(new Option<string>("--output", "-o") { Description = "Folder for the model; one that holds an earlier model is replaced when the new one is complete.", HelpName = "folder", Required = true });
        _as = OneOf("--as", "What the rows are: vectors of numbers, or a table of typed columns (numbers, texts, booleans, dates, with gaps). auto takes a table where there is text or a gap.", RowsTakenAs.Auto);
        _latent = OptionalInteger("--latent", Invariant($"Dimensions of the latent space. Default {DefaultLatent}; of a table {TableTrainer.DefaultLatent}."), minimum: 1);
        _hidden = Numbers("--hidden", "Widths of the encoder's hidden layers; the decoder's are the same in reverse. Default by the number of rows, 64,64 to 256,256,256.");
        _align = Register(new Option<string>("--align") { Description = "Centre conformations and turn them onto their principal axes: none, 2d or 3d.", HelpName = "none|2d|3d", DefaultValueFactory = _ => "none" });
        _align.AcceptOnlyFromAmong("none", "2d", "3d");
        _mirror = Flag("--mirror", "With --align: mirror images count as the same shape.");
        _direction = Flag("--chain-direction", "With --align: chains that read the same from both ends start at the end farther from the centre.");
        _objective = OptionalOneOf<TrainingObjective>("--objective", "Loss: mean squared error + Beta KL as averages (course), or the negative ELBO in nats with learned noise (elbo). Default: course for conformations, elbo for plain tables.");
        _beta = OptionalReal("--beta", "Weight of the KL divergence. Default 0.01 for course, 1 for elbo.");
        _posterior = OneOf("--posterior", "How the encoder gives sigma.", PosteriorParameterization.Softplus);
        _scaling = OneOf("--scaling", "Scaling of each feature inside the model; auto leaves features of one moderate size as they are.", InputScaling.Auto);
        _epochs = Integer("--epochs", "Passes over the data; 0 goes by the number of rows.", 0);
        _batch = Integer("--batch-size", "Rows in a step.", 128, minimum: 1);
        _rate = Real("--learning-rate", "Step size of Adam.", 1e-3f);
        _validation = OptionalReal("--validation", Invariant($"Share of the rows held out, at least 0 and below 1; 0 trains on all of them. Default {DefaultValidation} of {LeastRowsToHoldOut} rows or more, otherwise 0."));
        _lastRows = Flag("--last-rows", "Hold out the last rows rather than random ones: for trajectories, whose neighbouring frames are alike.");
        _patience = OptionalInteger("--patience", Invariant($"Epochs without a better validation loss before training stops and the best weights are restored; 0 trains to the end. Default {DefaultPatience} where rows are held out, and more of few rows: {LeastPatienceSteps} steps."));
        _seed = Integer("--seed", "Seed: the same one gives the same bytes.", 0);
        _threads = Integer("--threads", "Threads; 0 takes one for each core.", 0);
        _device = OneOf("--device", "Where to train.", TrainingDevice.Cpu);
        _kinds = Text("--kinds", "Of a table: kinds of columns set by hand, name=kind; number, category, boolean, date or ignored.", "a=kind,...");
        _steps = Integer("--steps", "Of a table: most steps of the training; 0 goes by the number of rows.", 0);
        _contamination = Real("--contamination", "Of a table: share of the training rows that score above the threshold.", TableTrainer.DefaultContamination);
        _checkpoints = Text("--checkpoints", "Folder for checkpoints every ten epochs; a training that was killed goes on from there.", "folder");
    }

    /// <summary>Options that say something of vectors, and of tables.</summary>
    private IEnumerable<Option> OfVectors => [_hidden, _align, _mirror, _direction, _objective.Option, _beta, _posterior.Option, _scaling.Option, _epochs, _batch, _rate, _lastRows, _patience, _device.Option, _checkpoints];

    private IEnumerable<Option> OfTables => [_kinds, _steps, _contamination];

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        var asked = _as.Read(arguments);
        if (asked == RowsTakenAs.Table || asked == RowsTakenAs.Auto && Given(arguments, OfTables) is not null)
        {
            Table(arguments, terminal, cancellationToken);
            return;
        }
        if (asked == RowsTakenAs.Vector && Given(arguments, OfTables) is { } option)
            throw new UsageException($"{option} is of tables; --as is vector.");
        try
        {
            Vectors(arguments, terminal, cancellationToken);
        }
        catch (NotNumbersException e) when (asked == RowsTakenAs.Auto && Given(arguments, OfVectors) is null)
        {
            terminal.Note($"--as table, as not all is numbers: {e.Message.Split(" --columns chooses")[0].Split(" Fill it in")[0]} --as vector takes numbers alone.");
            Table(arguments, terminal, cancellationToken);
        }
    }

    /// <summary>The first of some options that was given.</summary>
    private static string? Given(ParseResult arguments, IEnumerable<Option> options) =>
        options.FirstOrDefault(option => arguments.GetResult(option) is { Implicit: false })?.Name;

    private void Table(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        if (Given(arguments, OfVectors) is { } option)
            throw new UsageException($"{option} is of vectors, and this is the model of a table. --as vector takes the rows as vectors of numbers.");
        float validation = arguments.GetValue(_validation) ?? DefaultValidation;
        if (validation > 0.5f)
            throw new UsageException(Invariant($"--validation has to be at most 0.5 for a table; it is {validation}."));
        float contamination = arguments.GetValue(_contamination);
        if (contamination is not (> 0 and < 1))
            throw new UsageException(Invariant($"--contamination has to be above 0 and below 1; it is {contamination}."));
        TableTrainer.Run(new(_data.Path(arguments), _data.Settings(arguments), TypedTable.ParseKinds(arguments.GetValue(_kinds)), arguments.GetValue(_latent) ?? TableTrainer.DefaultLatent,
            validation, contamination, arguments.GetValue(_steps), arguments.GetValue(_seed), arguments.GetValue(_threads)), arguments.GetRequiredValue(_output), terminal, cancellationToken);
    }

    private void Vectors(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        var context = terminal.Context(arguments.GetValue(_seed));
        string folder = Path.GetFullPath(arguments.GetRequiredValue(_output));
        using var target = new NewFolder(folder);
        var data = DataFile.Load(context, _data.Path(arguments), _data.Settings(arguments), terminal, cancellationToken);
        string align = arguments.GetRequiredValue(_align);
        if (align == "none" && (arguments.GetValue(_mirror) || arguments.GetValue(_direction)))
            throw new UsageException("--mirror and --chain-direction belong to --align 2d or 3d; --align is none.");
        int dimensions = Dimensions(align);
        if (align != "none" && (data.Shape is not [.., var coordinates] || data.Shape.Count > 1 && coordinates != dimensions || data.Features % dimensions != 0))
            throw new InvalidDataException(Invariant($"--align {align} takes rows of beads in {dimensions} dimensions, [n, beads, {dimensions}]; '{data.Path}' has rows of {string.Join(" x ", data.Shape)}."));
        data.CheckFinite(cancellationToken);

        var objective = Objective(arguments, align, data, terminal);
        var options = Settings(arguments, objective, data, terminal, cancellationToken);
        TransformerChain<VaeTransformer> model = terminal.Track("Training", 1, report => Pipeline(context, arguments, align, data, options with
        {
            Progress = new Reporter(progress => report(progress.Latest.Epoch, progress.Epochs, Invariant(
                $"loss {progress.Latest.Loss:G5}{(progress.Latest.ValidationLoss is { } loss ? Invariant($", validation {loss:G5}") : "")}"))),
        }).Fit(data.View));

        context.Vae.SaveModel(model, data.View.Schema, target.File(ModelSource.PipelineName));
        model.LastTransformer.ExportEncoder(target.File(ModelSource.EncoderName));
        model.LastTransformer.ExportDecoder(target.File(ModelSource.DecoderName), withGradient: true);
        context.Vae.ExportPipeline(model, data.View.Schema, target.File(ModelSource.GraphName), new PipelineExportOptions { StandardDeviation = true, Reconstruction = true, Score = true });
        var record = Record(arguments, data, align, objective, model.LastTransformer);
        AtomicFile.WriteAllText(target.File(ModelSource.RecordName), Terminal.Serialize(record) + "\n");
        target.Complete();

        var last = record.Epochs[record.BestEpoch - 1];
        terminal.Result(
            new
            {
                folder,
                record.Data,
                record.Rows,
                record.Shape,
                record.Names,
                record.Alignment,
                objective = Choice<TrainingObjective>.Word(objective),
                record.LatentDimension,
                record.Parameters,
                record.TrainingRows,
                record.ValidationRows,
                epochs = record.Epochs.Count,
                record.BestEpoch,
                record.StoppedEarly,
                record.ActiveUnits,
                record.SelfCheck,
                last.Loss,
                last.Reconstruction,
                last.Kl,
                last.ValidationLoss,
                last.ValidationReconstruction,
                last.ValidationKl,
            },
            Terminal.Facts($"Model in {arguments.GetRequiredValue(_output)}",
            [
                ("rows", Invariant($"{record.TrainingRows} trained on, {record.ValidationRows} held out")),
                ("numbers in a row", Invariant($"{data.Features} ({string.Join(" x ", data.Shape)})")),
                ("objective", objective == TrainingObjective.Elbo ? "elbo: ELBO with learned noise" : "course: mean squared error + Beta KL"),
                ("latent dimensions", Invariant($"{record.LatentDimension}, {record.ActiveUnits} active")),
                ("parameters", Invariant($"{record.Parameters}")),
                ("scaling", Invariant($"{model.LastTransformer.Model.Options.Scaling}")),
                ("epochs", Invariant($"{record.Epochs.Count}{(record.StoppedEarly ? Invariant($", best {record.BestEpoch}") : "")}")),
                ("loss", Invariant($"{last.Loss:G5} = reconstruction {last.Reconstruction:G5}, KL {last.Kl:G5}")),
                ("validation loss", last.ValidationLoss is { } loss ? Invariant($"{loss:G5} = reconstruction {last.ValidationReconstruction:G5}, KL {last.ValidationKl:G5}") : "no rows held out"),
                .. SelfCheckFacts(record.SelfCheck),
            ]));
    }

    private static IEnumerable<(string Name, string Value)> SelfCheckFacts(VaeSelfCheck? check)
    {
        if (check is null)
            yield break;
        yield return ("explained variance", Invariant($"{check.ExplainedShare:P1}{(check.ValidationExplainedShare is { } held ? Invariant($", {held:P1} of rows held out") : "")}, least '{check.LeastExplainedFeature}' {check.ExplainedShares.Min():P1}"));
        yield return ("posterior and prior", Invariant($"{check.KlPerDimension.Sum():F2} nats a row; all rows together {check.PriorDistance:F2} nats from the prior"));
        yield return ("drawn rows", Invariant($"worst column '{check.WorstSampledFeature}', Kolmogorov and Smirnov's distance {check.SampleDistances.Max():F2}"));
    }

    /// <summary>The loss asked for, or the one that suits the data.</summary>
    private TrainingObjective Objective(ParseResult arguments, string align, DataFile data, Terminal terminal)
    {
        if (_objective.Find(arguments) is { } asked)
            return asked;
        bool conformations = align != "none" || data.Shape.Count > 1;
        terminal.Note(conformations
            ? "--objective course, as the rows are conformations: mean squared error + 0.01 KL. --objective elbo learns the noise."
            : "--objective elbo, as the rows are a plain table: the ELBO with learned noise. --objective course is mean squared error + 0.01 KL.");
        return conformations ? TrainingObjective.Course : TrainingObjective.Elbo;
    }

    private VaeTrainer.Options Settings(ParseResult arguments, TrainingObjective objective, DataFile data, Terminal terminal, CancellationToken cancellationToken)
    {
        bool elbo = objective == TrainingObjective.Elbo;
        float validation = arguments.GetValue(_validation) ?? (data.Rows >= LeastRowsToHoldOut ? DefaultValidation : 0);
        int patience = arguments.GetValue(_patience) ?? (validation > 0 ? Patience(data.Rows, arguments.GetValue(_batch)) : 0);
        if (patience > 0 && validation == 0)
        {
            throw new UsageException(arguments.GetValue(_validation) is null
                ? Invariant($"--patience needs rows held out, and of {data.Rows} rows none are by default: give --validation too.")
                : "--patience needs rows held out: --validation has to be above 0.");
        }
        if (!(validation < 1))
            throw new UsageException(Invariant($"--validation has to be at least 0 and below 1; it is {validation}."));
        if (validation > 0 && (arguments.GetValue(_validation) is null || arguments.GetValue(_patience) is null))
        {
            terminal.Note(Invariant($"--validation {validation} --patience {patience}: {validation:P0} of the rows are held out")
                + (patience > 0 ? Invariant($", and training stops after {patience} epochs without a better loss on them. --validation 0 trains on all rows, --patience 0 to the end.") : ". --validation 0 trains on all rows."));
        }
        float[]? hidden = arguments.GetNumbers(_hidden);
        if (hidden is not null && hidden.Any(width => width != (int)width || width < 1))
            throw new UsageException($"--hidden has to be whole numbers of at least 1; it is {string.Join(",", hidden)}.");
        return new VaeTrainer.Options
        {
            LatentDimension = arguments.GetValue(_latent) ?? DefaultLatent,
            HiddenLayers = hidden?.Select(width => (int)width).ToArray(),
            Posterior = _posterior.Read(arguments),
            Likelihood = elbo ? Likelihood.Gaussian : Likelihood.MeanSquaredError,
            Beta = arguments.GetValue(_beta) ?? (elbo ? 1 : 0.01f),
            Scaling = _scaling.Read(arguments),
            Epochs = arguments.GetValue(_epochs),
            BatchSize = arguments.GetValue(_batch),
            LearningRate = arguments.GetValue(_rate),
            ValidationFraction = validation,
            ValidationSelection = arguments.GetValue(_lastRows) ? ValidationSelection.LastRows : ValidationSelection.Random,
            EarlyStopping = patience > 0 ? new EarlyStopping { Patience = patience } : null,
            Seed = arguments.GetValue(_seed),
            Threads = arguments.GetValue(_threads),
            Device = _device.Read(arguments),
            CheckpointFolder = arguments.GetValue(_checkpoints),
            StandardDeviationColumnName = "Sigma",
            ReconstructionColumnName = "Reconstruction",
            ScoreColumnName = "Score",
            CancellationToken = cancellationToken,
        };
    }

    private IEstimator<TransformerChain<VaeTransformer>> Pipeline(MLContext context, ParseResult arguments, string align, DataFile data, VaeTrainer.Options options)
    {
        const string Latent = "Latent";
        if (align == "none")
            return new EstimatorChain<ITransformer>().Append(context.Vae.VariationalAutoencoder(Latent, DataFile.TrainingColumn, options));
        int dimensions = Dimensions(align);
        return context.Vae.CenterConformations("Centered", DataFile.TrainingColumn, dimensions)
            .Append(context.Vae.AlignPrincipalAxes("Features", "Centered", dimensions,
                new PrincipalAxisOptions { Mirror = arguments.GetValue(_mirror), ChainDirection = arguments.GetValue(_direction) }))
            .Append(context.Vae.VariationalAutoencoder(Latent, "Features", options));
    }

    private static int Dimensions(string align) => align == "3d" ? 3 : 2;

    private TrainingRecord Record(ParseResult arguments, DataFile data, string align, TrainingObjective objective, VaeTransformer model)
    {
        var options = model.Model.Options;
        var history = model.History!;
        return new()
        {
            Data = Path.GetFileName(_data.Path(arguments)),
            Rows = history.TrainingRows + history.ValidationRows,
            Shape = data.Shape,
            Names = data.Names,
            Alignment = align,
            LatentDimension = options.LatentDimension,
            Parameters = model.Model.ParameterCount,
            Options = new
            {
                objective = Choice<TrainingObjective>.Word(objective),
                options.HiddenLayers,
                options.Likelihood,
                options.Posterior,
                options.Beta,
                options.Scaling,
                options.Epochs,
                options.BatchSize,
                options.LearningRate,
                options.ValidationFraction,
                options.ValidationSelection,
                patience = options.EarlyStopping?.Patience,
                options.Seed,
                mirror = arguments.GetValue(_mirror),
                chainDirection = arguments.GetValue(_direction),
            },
            TrainingRows = history.TrainingRows,
            ValidationRows = history.ValidationRows,
            BestEpoch = history.BestEpoch,
            StoppedEarly = history.StoppedEarly,
            ActiveUnits = history.ActiveUnits,
            SelfCheck = history.SelfCheck,
            Epochs = [.. history.Epochs.Select(epoch => new EpochRecord(epoch.Epoch, epoch.Loss, epoch.Reconstruction, epoch.Kl, epoch.ValidationLoss, epoch.ValidationReconstruction, epoch.ValidationKl))],
        };
    }

    /// <summary>Reports on the thread that has something to report.</summary>
    private sealed class Reporter(Action<VaeTrainingProgress> action) : IProgress<VaeTrainingProgress>
    {
        public void Report(VaeTrainingProgress value) => action(value);
    }
}
