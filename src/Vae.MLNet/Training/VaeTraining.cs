using System.Diagnostics;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Vae.MLNet.Training;

/// <summary>The result of a training: the model and how it got there.</summary>
internal sealed record TrainedVae(VaeModel Model, VaeTrainingHistory History);

/// <summary>The training loop.</summary>
internal sealed class VaeTraining
{
    private readonly VaeTrainer.Options _options;
    private readonly VaeArchitecture _architecture;
    private readonly Device _device;
    private readonly Rows _training;
    private readonly Rows? _validation;
    private readonly InputScale _scale;
    private readonly VaeNetwork _network;
    private readonly Stopwatch _watch = new();

    /// <summary>Rows on the training device: scaled features [n, features] and weights [n] where there are any.</summary>
    private sealed record Rows(Tensor Features, Tensor? Weights, int Count);

    private VaeTraining(VaeTrainer.Options options, VaeArchitecture architecture, Device device, Rows training, Rows? validation, InputScale scale, VaeNetwork network)
    {
        _options = options;
        _architecture = architecture;
        _device = device;
        _training = training;
        _validation = validation;
        _scale = scale;
        _network = network;
    }

    /// <summary>Trains on rows in memory. Every tensor made here is gone when it returns.</summary>
    public static TrainedVae Run(VaeTrainer.Options options, int features, TrainingData training, TrainingData? validation)
    {
        var architecture = new VaeArchitecture(features, options);
        if (options.WarmStart is { } start && !start.Architecture.HasSameShape(architecture))
        {
            throw Check.Argument(nameof(options.WarmStart), Check.Invariant(
                $"WarmStart has to have the architecture of the options ({architecture.Features} features, {architecture.Latent} latent dimensions, {architecture.ParameterCount} parameters); it has {start.FeatureCount} features, {start.LatentDimension} latent dimensions, {start.ParameterCount} parameters."));
        }
        var device = TorchRuntime.Device(options.Device);
        int before = get_num_threads(), threads = options.Threads > 0 ? options.Threads : before;
        try
        {
            using var scope = NewDisposeScope();
            var scale = options.WarmStart?.Scale ?? InputScale.Fit(options.Scaling, training.Features, features);
            var trainingRows = ToDevice(training, features, scale, device);
            var validationRows = validation is null ? null : ToDevice(validation, features, scale, device);
            float[] initial = options.WarmStart?.Parameters ?? VaeNetwork.Initialize(architecture, options.Seed);
            using var network = new VaeNetwork(architecture, device, initial, trainable: true, threads);
            // Cores that work on slices of their own do not wait for each other within every product.
            set_num_threads(Math.Max(1, threads / network.Slices));
            return new VaeTraining(options, architecture, device, trainingRows, validationRows, scale, network).Train();
        }
        finally
        {
            set_num_threads(before);
        }
    }

    /// <summary>Applies a scaling to rows of features.</summary>
    internal static Tensor Scaled(Tensor features, InputScale scale)
    {
        if (scale.Kind == InputScaling.None)
            return features;
        var linear = (features - tensor(scale.Offset, device: features.device)) * tensor(scale.Factor, device: features.device);
        return scale.Kind == InputScaling.RobustAsinh ? linear.asinh() : linear;
    }

    private static Rows ToDevice(TrainingData data, int features, InputScale scale, Device device)
    {
        using var scope = NewDisposeScope();
        var values = tensor(data.Features, [data.Rows, features], device: device);
        var weights = data.Weights is null ? null : tensor(data.Weights, device: device).MoveToOuterDisposeScope();
        return new(Scaled(values, scale).MoveToOuterDisposeScope(), weights, data.Rows);
    }

    private TrainedVae Train()
    {
        using var optimizer = new AdamOptimizer(_network.Flat, _architecture.WeightCount, _options.WeightDecay, _options.GradientClip,
            fused: _device.type == DeviceType.CPU, _network.Threads);
        using var noise = new Generator(0, _device);
        var epochs = new List<VaeEpoch>();
        long stepsPerEpoch = (_training.Count + _options.BatchSize - 1) / _options.BatchSize;
        long totalSteps = stepsPerEpoch * _options.Epochs;
        if (_options.MaximumSteps > 0)
            totalSteps = Math.Min(totalSteps, _options.MaximumSteps);
        bool keepBest = _validation is not null && (_options.EarlyStopping is not null || _options.OnCancellation == CancellationBehavior.KeepBest);
        float[]? best = null;
        int bestEpoch = 0;
        double bestLoss = double.PositiveInfinity;
        bool stoppedEarly = false;

        for (int epoch = 1; epoch <= _options.Epochs && optimizer.Steps < totalSteps; epoch++)
        {
            _watch.Restart();
            VaeEpoch result;
            try
            {
                result = Epoch(epoch, optimizer, noise, stepsPerEpoch, totalSteps);
            }
            catch (OperationCanceledException) when (_options.OnCancellation == CancellationBehavior.KeepBest && epochs.Count > 0)
            {
                // The weights are in the middle of an epoch; without validation that is the newest state, otherwise the best is restored below.
                stoppedEarly = true;
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
            _options.Progress?.Report(new VaeTrainingProgress(_options.Epochs, result, bestEpoch));
            if (_options.EarlyStopping is { } early && epoch - bestEpoch >= early.Patience)
            {
                stoppedEarly = true;
                break;
            }
        }

        bool restore = best is not null && (_options.EarlyStopping is not null || stoppedEarly);
        float[] parameters = restore ? best! : _network.ReadParameters();
        if (!restore)
            bestEpoch = epochs[^1].Epoch;
        var (residual, activeUnits) = Finish(parameters);
        var history = new VaeTrainingHistory(epochs, bestEpoch, _training.Count, _validation?.Count ?? 0, activeUnits, stoppedEarly);
        return new(new VaeModel(_architecture, parameters, _scale, residual, Provenance(history)), history);
    }

    private VaeEpoch Epoch(int epoch, AdamOptimizer optimizer, Generator noise, long stepsPerEpoch, long totalSteps)
    {
        using var scope = NewDisposeScope();
        noise.manual_seed(SeedStream.Torch(_options.Seed, Purpose.Noise, epoch));
        var order = tensor(SeedStream.Permutation(_training.Count, _options.Seed, Purpose.Order, epoch), device: _device);
        var klPerDimension = new double[_architecture.Latent];
        double reconstruction = 0, weight = 0, kl = 0, loss = 0, beta = 0, learningRate = 0;
        int batch = 0;
        for (int start = 0; start < _training.Count && optimizer.Steps < totalSteps; start += _options.BatchSize, batch++)
        {
            _options.CancellationToken.ThrowIfCancellationRequested();
            using var batchScope = NewDisposeScope();
            int count = Math.Min(_options.BatchSize, _training.Count - start);
            var index = order.narrow(0, start, count);
            var rows = _training.Features.index_select(0, index);
            var weights = _training.Weights?.index_select(0, index);
            if (weights is not null && weights.sum().item<float>() == 0)
                continue;

            long step = optimizer.Steps;
            beta = _options.Beta * _options.BetaSchedule.Factor((double)step / stepsPerEpoch, _options.Epochs);
            learningRate = LearningRate(step, totalSteps);
            var terms = _network.Step(Corrupted(rows, noise), rows, weights, noise, beta);
            if (!double.IsFinite(terms.Loss))
                throw Diverged(epoch, batch + 1, terms.Loss);
            optimizer.Step(_network.Gradients, learningRate);

            loss += terms.Loss * count;
            reconstruction += terms.Reconstruction * count;
            kl += terms.Kl * count;
            for (int i = 0; i < klPerDimension.Length; i++)
                klPerDimension[i] += terms.KlPerDimension[i] * count;
            weight += count;
        }

        weight = Math.Max(weight, 1);
        double[] perDimension = [.. klPerDimension.Select(sum => sum / weight)];
        (double Loss, double Reconstruction, double Kl)? validation = _validation is null ? null : Validate();
        return new VaeEpoch(epoch, loss / weight, reconstruction / weight, kl / weight, perDimension, beta, learningRate,
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
            rows = rows + randn(rows.shape, device: _device, generator: generator) * _options.InputNoise;
        if (_options.InputMasking > 0)
            rows = rows * rand(rows.shape, device: _device, generator: generator).ge(_options.InputMasking).to(ScalarType.Float32);
        return rows;
    }

    /// <summary>Losses on the validation rows, z drawn from the posterior with the same noise every time, so that epochs compare.</summary>
    private (double Loss, double Reconstruction, double Kl) Validate()
    {
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)SeedStream.Torch(_options.Seed, Purpose.Validation), _device);
        double loss = 0, reconstruction = 0, kl = 0, total = 0;
        foreach (var (start, count) in Blocks(_validation!.Count))
        {
            using var scope = NewDisposeScope();
            var weights = _validation.Weights?.narrow(0, start, count);
            double weight = weights?.sum().item<float>() ?? count;
            if (weight == 0)
                continue;
            var terms = _network.Evaluate(_validation.Features.narrow(0, start, count), weights, generator, _options.Beta);
            loss += terms.Loss * weight;
            reconstruction += terms.Reconstruction * weight;
            kl += terms.Kl * weight;
            total += weight;
        }
        return (loss / total, reconstruction / total, kl / total);
    }

    /// <summary>Residuals and active units of the final weights on the training rows.</summary>
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
        foreach (var (start, count) in Blocks(_training.Count))
        {
            using var block = NewDisposeScope();
            var rows = _training.Features.narrow(0, start, count);
            var (mean, sigma, _) = network.Encode(rows);
            var wide = mean.to(ScalarType.Float64);
            sum.add_(wide.sum([0]));
            sumOfSquares.add_(wide.square().sum([0]));
            if (wantsResidual)
            {
                var z = mean + sigma * randn(mean.shape, device: _device, generator: generator);
                squares.add_((rows - network.Decode(z)).to(ScalarType.Float64).square().sum([0]));
            }
        }
        const double ActiveVariance = 0.01;
        double n = _training.Count;
        var variance = sumOfSquares / n - (sum / n).square();
        int active = variance.cpu().data<double>().ToArray().Count(value => value > ActiveVariance);
        float[] residual = wantsResidual ? [.. squares.cpu().data<double>().ToArray().Select(value => (float)Math.Sqrt(value / n))] : [];
        return (residual, active);
    }

    private static IEnumerable<(int Start, int Count)> Blocks(int rows)
    {
        const int Block = 4096;
        for (int start = 0; start < rows; start += Block)
            yield return (start, Math.Min(Block, rows - start));
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
