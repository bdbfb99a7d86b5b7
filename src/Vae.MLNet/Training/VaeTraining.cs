using System.Diagnostics;
using System.Text.Json;
using Microsoft.ML;
using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>The result of a training: the model and how it got there.</summary>
internal sealed record TrainedVae(VaeModel Model, VaeTrainingHistory History);

/// <summary>Where a training says what it found and decided.</summary>
/// <param name="Info">Receives what was decided.</param>
/// <param name="Warn">Receives what is wrong and can be gone around.</param>
/// <param name="FeatureNames">Names of the features for messages; empty where there are none.</param>
internal sealed record TrainingLog(Action<string> Info, Action<string> Warn, IReadOnlyList<string> FeatureNames);

/// <summary>The training loop.</summary>
internal sealed class VaeTraining
{
    private readonly VaeTrainer.Options _options;
    private readonly VaeArchitecture _architecture;
    private readonly Device _device;
    private readonly Prepared _rows;
    private readonly VaeNetwork _network;
    private readonly CheckpointStore? _checkpoints;
    private readonly Stopwatch _watch = new();

    /// <summary>The data of a training.</summary>
    /// <param name="Scale">Scaling constants.</param>
    /// <param name="Training">Rows to train on.</param>
    /// <param name="Validation">Rows held out.</param>
    /// <param name="Representative">Rows for the final figures: all of the training rows, or an even sample of them.</param>
    /// <param name="Fingerprint">What tells this data from other data; null where nobody asks.</param>
    private sealed record Prepared(InputScale Scale, IRowSource Training, IRowSource? Validation, MemoryRows Representative, string? Fingerprint) : IDisposable
    {
        /// <summary>Rows that there are to train on, which need not be those of an epoch.</summary>
        public long TrainingRows => Training is WeightedSampler ? Representative.Count : Training.Count;

        /// <summary>Where nearly all training values lie; null where the rows are no numbers.</summary>
        public FeatureRange? Range { get; init; }

        /// <summary>Starting values of the output layer's bias; null for random ones.</summary>
        public float[]? OutputBias { get; init; }

        public void Dispose()
        {
            Training.Dispose();
            Validation?.Dispose();
            Representative.Dispose();
        }
    }

    private VaeTraining(VaeTrainer.Options options, VaeArchitecture architecture, Device device, Prepared rows, VaeNetwork network, CheckpointStore? checkpoints)
    {
        _options = options;
        _architecture = architecture;
        _device = device;
        _rows = rows;
        _network = network;
        _checkpoints = checkpoints;
    }

    /// <summary>Trains on rows in memory. Every tensor made here is gone when it returns.</summary>
    public static TrainedVae Run(VaeTrainer.Options options, int features, TrainingData training, TrainingData? validation, TrainingLog? log = null)
    {
        options = options.SettleByModel();
        return Run(new VaeArchitecture(features, options), log, device =>
        {
            var scale = options.WarmStart?.Scale ?? InputScale.Fit(options.Scaling, training.Features, features);
            var rows = new MemoryRows(training, features, scale, options.Seed, device);
            var held = validation is null ? null : new MemoryRows(validation, features, scale, options.Seed, device);
            return new(scale, rows, held, rows, options.CheckpointFolder is null ? null : Fingerprint(options, training, validation))
            { Range = FeatureRange.Of(training.Features, features) };
        });
    }

    /// <summary>Trains on rows that are read anew in every epoch.</summary>
    public static TrainedVae Run(VaeTrainer.Options options, int features, string featureColumn, IDataView training, IDataView? validation, TrainingLog? log = null)
    {
        options = options.SettleByModel();
        return Run(new VaeArchitecture(features, options), log, device =>
        {
            using var hash = options.CheckpointFolder is null ? null : new RowHash();
            bool split = validation is null && options.ValidationFraction > 0;
            var filter = !split ? RowFilter.All
                : RowFilter.Training(options, options.ValidationSelection == ValidationSelection.LastRows ? StreamStatistics.CountRows(training, options.CancellationToken) : 0);
            var statistics = StreamStatistics.Of(training, featureColumn, features, options, filter, hash);
            IRowSource? held = null;
            if (split)
                held = Rows(training, filter with { Wanted = RowFilter.Part.Validation }, statistics.Validation);
            else if (validation is not null)
                held = Rows(validation, RowFilter.All, StreamStatistics.Of(validation, featureColumn, features, options, RowFilter.All, hash).Training);
            if (hash is not null)
                AddStart(hash, options);
            return new(statistics.Scale, Rows(training, filter, statistics.Training), held, new MemoryRows(statistics.Sample, features, statistics.Scale, options.Seed, device), hash?.Finish())
            { Range = FeatureRange.Of(statistics.Sample.Features, features) };

            StreamedRows Rows(IDataView data, RowFilter part, long count) => new(data, featureColumn, features, options, part, count, statistics.Scale, device);
        });
    }

    /// <summary>Trains on tokens in memory, for an architecture that reads them. Rows are drawn by their weights.</summary>
    /// <param name="architecture">An architecture that reads tokens.</param>
    /// <param name="training">Rows to train on.</param>
    /// <param name="validation">Rows held out.</param>
    /// <param name="epochSteps">Optimiser steps of an epoch: what lies between two looks at the validation rows.</param>
    /// <param name="outputBias">Starting values of the logits' biases.</param>
    /// <param name="log">Where damaged checkpoints are reported.</param>
    public static TrainedVae Run(VaeArchitecture architecture, TokenData training, TokenData? validation, int epochSteps, float[] outputBias, TrainingLog? log = null) =>
        Run(architecture, log, device =>
        {
            int positions = architecture.Tokens!.Length, seed = architecture.Options.Seed;
            var rows = new MemoryRows(training, positions, seed, device);
            var drawn = new WeightedSampler(training, positions, epochSteps * architecture.Options.BatchSize, seed, device);
            return new(InputScale.None, drawn, validation is null ? null : new MemoryRows(validation, positions, seed, device), rows,
                architecture.Options.CheckpointFolder is null ? null : Fingerprint(training, validation, epochSteps, outputBias))
            { OutputBias = outputBias };
        });

    private static string Fingerprint(TokenData training, TokenData? validation, int epochSteps, float[] outputBias)
    {
        using var hash = new RowHash();
        foreach (var data in new[] { training, validation })
        {
            hash.AddBlock(data?.Tokens ?? ReadOnlySpan<byte>.Empty);
            hash.AddBlock(data?.Weights);
        }
        hash.AddBlock([epochSteps]);
        hash.AddBlock(outputBias);
        return hash.Finish();
    }

    private static TrainedVae Run(VaeArchitecture architecture, TrainingLog? log, Func<Device, Prepared> prepare)
    {
        var options = architecture.Options;
        if (options.WarmStart is { } start && !start.Architecture.HasSameShape(architecture))
        {
            throw Check.Argument(nameof(options.WarmStart), Check.Invariant(
                $"WarmStart has to have the architecture of the options ({architecture.Features} features, {architecture.Latent} latent dimensions, {architecture.ParameterCount} parameters); it has {start.FeatureCount} features, {start.LatentDimension} latent dimensions, {start.ParameterCount} parameters."));
        }
        if (options.WarmStart is { } other && other.Options.Scaling != options.Scaling)
        {
            throw Check.Argument(nameof(options.WarmStart),
                $"WarmStart brings its own scaling of the features, {other.Options.Scaling}; Scaling has to be the same, it is {options.Scaling}.");
        }
        var device = TorchRuntime.Device(options.Device);
        int threads = TorchThreads.Of(options.Threads);
        using var loan = TorchThreads.Borrow(threads);
        using var scope = NewDisposeScope();
        using var rows = prepare(device);
        options = options.SettleByData(rows.Training.Count, rows.Scale.Kind);
        architecture = new(architecture.Features, options, architecture.Tokens);
        log?.Info(Check.Invariant(
            $"Scaling {options.Scaling}, hidden layers {string.Join(", ", options.EncoderLayers)}, {options.Epochs} epochs of {rows.Training.Count} rows."));
        // A copy: the warm start's model stays as it is.
        float[] initial = options.WarmStart is { } model ? [.. model.Parameters] : VaeNetwork.Initialize(architecture, options.Seed);
        rows.OutputBias?.CopyTo(initial, architecture["output.bias"].Offset);
        using var network = new VaeNetwork(architecture, device, initial, trainable: true, threads);
        // Cores that work on slices of their own do not wait for each other within every product.
        using var inner = TorchThreads.Borrow(Math.Max(1, threads / network.Slices));
        var checkpoints = options.CheckpointFolder is { } folder ? new CheckpointStore(folder, options, rows.Fingerprint!, log is null ? _ => { } : log.Warn) : null;
        return new VaeTraining(options, architecture, device, rows, network, checkpoints).Train(log?.FeatureNames ?? []);
    }

    private static string Fingerprint(VaeTrainer.Options options, TrainingData training, TrainingData? validation)
    {
        using var hash = new RowHash();
        foreach (var data in new[] { training, validation })
        {
            hash.AddBlock(data?.Features);
            hash.AddBlock(data?.Weights);
        }
        AddStart(hash, options);
        return hash.Finish();
    }

    /// <summary>A warm start decides on the outcome as the data does.</summary>
    private static void AddStart(RowHash hash, VaeTrainer.Options options)
    {
        hash.AddBlock(options.WarmStart?.Parameters);
        hash.AddBlock(options.WarmStart?.Scale.Offset);
        hash.AddBlock(options.WarmStart?.Scale.Factor);
    }

    private TrainedVae Train(IReadOnlyList<string> featureNames)
    {
        using var optimizer = new AdamOptimizer(_network.Flat, _architecture.WeightCount, _options.WeightDecay, _options.GradientClip,
            fused: _device.type == DeviceType.CPU, _network.Threads);
        using var noise = new Generator(0, _device);
        var epochs = new List<VaeEpoch>();
        long stepsPerEpoch = (_rows.Training.Count + _options.BatchSize - 1) / _options.BatchSize;
        long totalSteps = stepsPerEpoch * _options.Epochs;
        if (_options.MaximumSteps > 0)
            totalSteps = Math.Min(totalSteps, _options.MaximumSteps);
        // A checkpoint serves a later run whatever that one does on a cancellation, so it always has the best weights.
        bool keepBest = _rows.Validation is not null && (_options.EarlyStopping is not null || _options.OnCancellation == CancellationBehavior.KeepBest || _checkpoints is not null);
        float[]? best = null;
        int bestEpoch = 0;
        double bestLoss = double.PositiveInfinity;
        bool stoppedEarly = false, cancelled = false;

        if (_checkpoints?.Newest(_architecture.ParameterCount) is { } state)
        {
            using (no_grad())
            using (var parameters = tensor(state.Parameters))
                _network.Flat.copy_(parameters);
            optimizer.Restore(state.Steps, state.First, state.Second);
            epochs.AddRange(state.Epochs);
            (best, bestEpoch, bestLoss, stoppedEarly) = (state.Best, state.BestEpoch, state.BestLoss, state.StoppedEarly);
        }

        while (!stoppedEarly && epochs.Count < _options.Epochs && optimizer.Steps < totalSteps)
        {
            _watch.Restart();
            int epoch = epochs.Count + 1;
            VaeEpoch result;
            try
            {
                result = Epoch(epoch, optimizer, noise, stepsPerEpoch, totalSteps);
            }
            catch (OperationCanceledException) when (_options.OnCancellation == CancellationBehavior.KeepBest && epochs.Count > 0)
            {
                // The weights are in the middle of an epoch; without validation that is the newest state, otherwise the best is restored below.
                cancelled = true;
                break;
            }
            epochs.Add(result);
            if (result.ValidationLoss is not { } loss)
            {
                bestEpoch = epoch;
            }
            else if (loss < bestLoss - (_options.EarlyStopping?.MinimumImprovement ?? 0))
            {
                bestLoss = loss;
                bestEpoch = epoch;
                if (keepBest)
                    best = _network.ReadParameters();
            }
            stoppedEarly = _options.EarlyStopping is { } early && epoch - bestEpoch >= early.Patience;
            bool last = stoppedEarly || epoch == _options.Epochs || optimizer.Steps >= totalSteps;
            if (_checkpoints is not null && (last || epoch % _options.CheckpointEvery == 0))
            {
                var (first, second) = optimizer.ReadMoments();
                _checkpoints.Save(new(epochs, optimizer.Steps, bestEpoch, bestLoss, stoppedEarly, _network.ReadParameters(), first, second, best));
            }
            _options.Progress?.Report(new VaeTrainingProgress(_options.Epochs, result, bestEpoch));
        }

        bool restore = best is not null && (_options.EarlyStopping is not null || cancelled);
        float[] trained = restore ? best! : _network.ReadParameters();
        if (!restore)
            bestEpoch = epochs[^1].Epoch;
        var (residual, activeUnits) = Finish(trained);
        var history = new VaeTrainingHistory(epochs, bestEpoch, _rows.TrainingRows, _rows.Validation?.Count ?? 0, activeUnits, stoppedEarly || cancelled)
        {
            Scaling = _options.Scaling,
        };
        var model = new VaeModel(_architecture, trained, _rows.Scale, residual, Provenance(history)) { Range = _rows.Range };
        if (_options.SelfCheck)
            history = history with { SelfCheck = SelfCheckRunner.Run(model, _rows.Representative, HeldRows(), _device, featureNames, activeUnits) };
        return new(model, history);
    }

    /// <summary>Validation rows for the look at the model. After a cancellation, those that are streamed can no longer be read.</summary>
    private IRowSource? HeldRows() =>
        _rows.Validation is MemoryRows || !_options.CancellationToken.IsCancellationRequested ? _rows.Validation : null;

    private VaeEpoch Epoch(int epoch, AdamOptimizer optimizer, Generator noise, long stepsPerEpoch, long totalSteps)
    {
        using var scope = NewDisposeScope();
        noise.manual_seed(SeedStream.Torch(_options.Seed, Purpose.Noise, epoch));
        using var batches = _rows.Training.Shuffled(epoch, _options.BatchSize);
        var klPerDimension = new double[_architecture.Latent];
        double reconstruction = 0, total = 0, kl = 0, loss = 0, beta = 0, learningRate = 0;
        int number = 0;
        while (optimizer.Steps < totalSteps)
        {
            _options.CancellationToken.ThrowIfCancellationRequested();
            using var batchScope = NewDisposeScope();
            if (!batches.TryNext(out var batch))
                break;
            number++;
            double weight = batch.Weight;
            long step = optimizer.Steps;
            beta = _options.Beta * _options.BetaSchedule.Factor((double)step / stepsPerEpoch, _options.Epochs);
            learningRate = LearningRate(step, totalSteps);
            var terms = _network.Step(Corrupted(batch.Features, noise), batch.Features, batch.Weights, noise, beta);
            if (!double.IsFinite(terms.Loss))
                throw Diverged(epoch, number, terms.Loss);
            optimizer.Step(_network.Gradients, learningRate);

            loss += terms.Loss * weight;
            reconstruction += terms.Reconstruction * weight;
            kl += terms.Kl * weight;
            for (int i = 0; i < klPerDimension.Length; i++)
                klPerDimension[i] += terms.KlPerDimension[i] * weight;
            total += weight;
        }

        double[] perDimension = [.. klPerDimension.Select(sum => sum / total)];
        (double Loss, double Reconstruction, double Kl)? validation = _rows.Validation is null ? null : Validate();
        return new VaeEpoch(epoch, loss / total, reconstruction / total, kl / total, perDimension, beta, learningRate,
            validation?.Loss, validation?.Reconstruction, validation?.Kl, _watch.Elapsed.TotalSeconds);
    }

    private double LearningRate(long step, long totalSteps)
    {
        if (_options.LearningRateSchedule == LearningRateSchedule.Constant)
            return _options.LearningRate;
        const double Last = 0.01;
        double progress = totalSteps > 1 ? (double)step / (totalSteps - 1) : 0;
        return _options.LearningRate * (Last + (1 - Last) * 0.5 * (1 + Math.Cos(Math.PI * progress)));
    }

    private Tensor Corrupted(Tensor rows, Generator generator)
    {
        if (_options.InputNoise > 0)
            rows = rows.Plus(randn(rows.shape, device: _device, generator: generator).TimesInPlace(_options.InputNoise));
        if (_options.InputMasking > 0 && _architecture.Tokens is { } tokens)
        {
            using Scalar unknown = tokens.Alphabet.UnknownToken;
            return rows.masked_fill(rand(rows.shape, device: _device, generator: generator).IsBelow(_options.InputMasking), unknown);
        }
        if (_options.InputMasking > 0)
            rows = rows * rand(rows.shape, device: _device, generator: generator).IsAtLeast(_options.InputMasking).to(ScalarType.Float32);
        return rows;
    }

    /// <summary>Losses on the validation rows, z drawn from the posterior with the same noise every time, so that epochs compare.</summary>
    private (double Loss, double Reconstruction, double Kl) Validate()
    {
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)SeedStream.Torch(_options.Seed, Purpose.Validation), _device);
        double loss = 0, reconstruction = 0, kl = 0, total = 0;
        using var batches = _rows.Validation!.InOrder();
        while (true)
        {
            _options.CancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            if (!batches.TryNext(out var batch))
                break;
            double weight = batch.Weight;
            var terms = _network.Evaluate(batch.Features, batch.Weights, generator, _options.Beta);
            loss += terms.Loss * weight;
            reconstruction += terms.Reconstruction * weight;
            kl += terms.Kl * weight;
            total += weight;
        }
        return (loss / total, reconstruction / total, kl / total);
    }

    /// <summary>Residuals and active units of the final weights on the training rows, or on their sample where the rows are streamed.</summary>
    private (float[] Residual, int ActiveUnits) Finish(float[] parameters)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)SeedStream.Torch(_options.Seed, Purpose.Evaluation), _device);
        using var network = new VaeNetwork(_architecture, _device, parameters, trainable: false);
        bool wantsResidual = _options.Likelihood == Likelihood.MeanSquaredError;
        var squares = zeros(_architecture.Features, ScalarType.Float64, _device);
        var sum = zeros(_architecture.Latent, ScalarType.Float64, _device);
        var sumOfSquares = zeros(_architecture.Latent, ScalarType.Float64, _device);
        double n = 0;
        using var batches = _rows.Representative.InOrder();
        while (true)
        {
            using var block = NewDisposeScope();
            if (!batches.TryNext(out var batch))
                break;
            n += batch.Weight;
            var weights = batch.Weights?.to(ScalarType.Float64).unsqueeze(1);
            Tensor Sum(Tensor rows) => (weights is null ? rows : rows * weights).sum([0]);

            var (mean, sigma, _) = network.Encode(batch.Features);
            var wide = mean.to(ScalarType.Float64);
            sum.PlusInPlace(Sum(wide));
            sumOfSquares.PlusInPlace(Sum(wide.Squared()));
            if (wantsResidual)
            {
                var z = mean.Plus(sigma * randn(mean.shape, device: _device, generator: generator));
                squares.PlusInPlace(Sum((batch.Features - network.Decode(z)).to(ScalarType.Float64).Squared()));
            }
        }
        const double ActiveVariance = 0.01;
        var variance = sumOfSquares.DividedBy(n) - sum.DividedBy(n).Squared();
        int active = variance.cpu().data<double>().ToArray().Count(value => value > ActiveVariance);
        float[] residual = wantsResidual ? [.. squares.cpu().data<double>().ToArray().Select(value => (float)Math.Sqrt(value / n))] : [];
        return (residual, active);
    }

    private InvalidOperationException Diverged(int epoch, int batch, double value) => new(Check.Invariant(
        $"The loss became {value} in epoch {epoch}, batch {batch}. Likely cures: a smaller LearningRate (now {_options.LearningRate}), a GradientClip (now {_options.GradientClip}), features of moderate size (Scaling is {_options.Scaling})."));

    private string Provenance(VaeTrainingHistory history)
    {
        var last = history.Epochs.First(epoch => epoch.Epoch == history.BestEpoch);
        return JsonSerializer.Serialize(new
        {
            rows = history.TrainingRows,
            validationRows = history.ValidationRows,
            epochs = history.Epochs.Count,
            bestEpoch = history.BestEpoch,
            activeUnits = history.ActiveUnits,
            loss = last.Loss,
            reconstruction = last.Reconstruction,
            kl = last.Kl,
            validationLoss = last.ValidationLoss,
            validationReconstruction = last.ValidationReconstruction,
            validationKl = last.ValidationKl,
        });
    }
}
