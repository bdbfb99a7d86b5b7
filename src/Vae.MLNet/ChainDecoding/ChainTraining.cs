using System.Runtime.InteropServices;
using TorchSharp;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static TorchSharp.torch;

namespace Vae.MLNet.ChainDecoding;

/// <summary>Settings of a chain decoder's training, all settled.</summary>
internal sealed record ChainTrainingSettings
{
    public required int Seed { get; init; }

    public int Steps { get; init; } = 2500;

    public int BatchSize { get; init; } = 64;

    public float LearningRate { get; init; } = 2e-3f;

    public float TableRate { get; init; } = 1e-2f;

    public float WeightDecay { get; init; } = 0.01f;

    public float ValidationShare { get; init; } = 0.1f;

    public int CheckEvery { get; init; } = 500;

    public int Patience { get; init; } = 4;

    public int Threads { get; init; }

    /// <summary>Candidates along each coordinate in training.</summary>
    public int[]? Grid { get; init; }
}

/// <summary>Trains what gives each bead from the latent vector and the beads before it.</summary>
internal sealed class ChainTraining
{
    private readonly ChainShape _shape;
    private readonly ChainCoordinates _coordinates;
    private readonly float[] _chains, _means, _sigmas;
    private readonly Func<float[], float[]> _decode;
    private readonly ChainTrainingSettings _settings;
    private readonly float _farthest;
    private readonly int _rows;

    /// <param name="shape">Sizes.</param>
    /// <param name="coordinates">Quantile functions.</param>
    /// <param name="chains">Training shapes, [rows, beads, dimensions].</param>
    /// <param name="means">Means of the posterior, [rows, latent].</param>
    /// <param name="sigmas">Its standard deviations, [rows, latent].</param>
    /// <param name="decode">The mean shapes of latent vectors.</param>
    /// <param name="farthest">Distance of the tables' last knot.</param>
    /// <param name="settings">Settings.</param>
    public ChainTraining(ChainShape shape, ChainCoordinates coordinates, float[] chains, float[] means, float[] sigmas, Func<float[], float[]> decode, float farthest,
        ChainTrainingSettings settings)
    {
        _shape = shape;
        _coordinates = coordinates;
        _chains = chains;
        _means = means;
        _sigmas = sigmas;
        _decode = decode;
        _farthest = farthest;
        _settings = settings;
        _rows = chains.Length / shape.Size;
    }

    public List<ChainDecoderCheck> Checks { get; } = [];

    public static int[] DefaultGrid(int dimensions) => dimensions == 2 ? [8, 64] : [4, 8, 32];

    /// <returns>Parameters of the network and tables, those of the best look.</returns>
    public (float[] Network, float[] Tables) Run(Action<int, ChainDecoderCheck?>? report, CancellationToken cancellationToken)
    {
        TorchRuntime.EnsureLoaded();
        int threads = TorchThreads.Of(_settings.Threads);
        using var loan = TorchThreads.Borrow(threads);
        using var outer = NewDisposeScope();
        int networkSize = _shape.NetworkSize, tableSize = _shape.Tables * ChainShape.Knots;
        var flat = tensor(Initial()).clone();
        var flatTables = zeros(tableSize);
        var average = flat.clone();
        var averageTables = flatTables.clone();
        using var network = new ChainNetwork(_shape, flat);
        using var averaged = new ChainNetwork(_shape, average);
        int decayed = _shape.Parameters.Take(3).Sum(parameter => (int)(parameter.Shape[0] * parameter.Shape[1]));
        using var optimizer = new AdamOptimizer(flat, decayed, _settings.WeightDecay, 5, fused: true);
        using var tableOptimizer = new AdamOptimizer(flatTables, 0, 0, 0, fused: true);
        using var slices = new SliceThreads(threads);
        // The number of slices settles how sums round, so it must not depend on anything but the number of threads.
        int parts = threads, validation = (int)Math.Round(_rows * _settings.ValidationShare), training = _rows - validation;
        long[] held = [.. Enumerable.Range(training, validation).Select(row => (long)row)];
        var kernels = Enumerable.Range(0, parts).Select(_ => new ChainKernel(_shape, _coordinates, _farthest, _settings.Grid ?? DefaultGrid(_shape.Dimensions))).ToArray();
        var tableGradients = Enumerable.Range(0, parts).Select(_ => new float[tableSize]).ToArray();
        int batch = Math.Min(_settings.BatchSize, training), positions = _shape.Positions;
        float[] features = new float[batch * positions * _shape.Inputs], contextGradient = new float[batch * positions * _shape.ContextOutputs];
        float[] pairGradient = new float[tableSize];
        float[]? best = null, bestTables = null;
        double bestLoss = double.PositiveInfinity;
        int worse = 0, at = training, epoch = 0;
        long[] order = [];
        float[] ghosts = [], latents = [];
        for (int step = 1; step <= _settings.Steps; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using (var scope = NewDisposeScope())
            {
                if (at + batch > training)
                {
                    order = SeedStream.Permutation(training, _settings.Seed, Purpose.Order, epoch);
                    latents = Draw(0, training, SeedStream.ToSeed(SeedStream.Derive(_settings.Seed, Purpose.Noise, epoch)));
                    ghosts = _decode(latents);
                    epoch++;
                    at = 0;
                }
                long[] rows = order[at..(at + batch)];
                at += batch;
                float[] tables = Effective(flatTables);
                slices.Run(parts, part => Each(part, parts, batch, row =>
                {
                    var (chain, mean, z) = Row(rows[row], ghosts, latents);
                    for (int i = 1; i <= positions; i++)
                        kernels[part].Features(chain, mean, z, i, features.AsSpan((row * positions + i - 1) * _shape.Inputs, _shape.Inputs));
                }));
                var output = network.Forward(tensor(features, [batch * positions, _shape.Inputs]));
                float[] context = output.data<float>().ToArray();
                Array.Clear(contextGradient);
                int width = _shape.ContextOutputs;
                float factor = 1f / batch;
                slices.Run(parts, part =>
                {
                    Array.Clear(tableGradients[part]);
                    Each(part, parts, batch, row =>
                    {
                        Span<float> shifts = stackalloc float[3];
                        var (chain, mean, _) = Row(rows[row], ghosts, latents);
                        for (int i = 1; i <= positions; i++)
                        {
                            int place = row * positions + i - 1;
                            var own = context.AsSpan(place * width, width);
                            int candidate = kernels[part].Align(chain, i, shifts, out _);
                            kernels[part].Evaluate(chain, mean, i, shifts, own, tables);
                            kernels[part].Normalize();
                            kernels[part].AddGradient(candidate, factor, tableGradients[part], contextGradient.AsSpan(place * width, width));
                        }
                    });
                });
                (output * tensor(contextGradient, [batch * positions, width])).sum().backward();
                var flatGradient = cat([.. network.Parameters.Select(parameter => parameter.grad!.view(-1))]);
                foreach (var parameter in network.Parameters)
                    parameter.grad = null;
                for (int part = 1; part < parts; part++)
                    System.Numerics.Tensors.TensorPrimitives.Add(tableGradients[0], tableGradients[part], tableGradients[0]);
                SumSeparations(tableGradients[0]);
                double progress = (double)step / _settings.Steps;
                double schedule = Math.Min(1, step / (0.02 * _settings.Steps + 20)) * (0.5 * (1 + Math.Cos(Math.PI * progress)) * 0.98 + 0.02);
                optimizer.Step([flatGradient], _settings.LearningRate * schedule);
                tableOptimizer.Step([tensor(tableGradients[0])], _settings.TableRate * schedule);
                using (no_grad())
                {
                    double weight = Math.Max(0.005, 1.0 / (step + 1));
                    average.TowardsInPlace(flat, weight);
                    averageTables.TowardsInPlace(flatTables, weight);
                }
            }
            if (step % _settings.CheckEvery != 0 && step != _settings.Steps || validation == 0)
            {
                if (step % 50 == 0)
                    report?.Invoke(step, null);
                continue;
            }
            var check = new ChainDecoderCheck(step, LogLoss(averaged, Effective(averageTables), held, slices, parts));
            Checks.Add(check);
            report?.Invoke(step, check);
            if (check.NegativeLogLikelihood < bestLoss)
            {
                bestLoss = check.NegativeLogLikelihood;
                (best, bestTables) = (average.data<float>().ToArray(), averageTables.data<float>().ToArray());
                worse = 0;
            }
            else if (++worse >= _settings.Patience)
            {
                break;
            }
        }
        return (best ?? average.data<float>().ToArray(), bestTables ?? averageTables.data<float>().ToArray());
    }

    /// <summary>Minus the log-likelihood of rows given draws of their latent vectors, in nats a row: of all beads but the first.</summary>
    private double LogLoss(ChainNetwork network, float[] tables, long[] rows, SliceThreads slices, int parts)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        int used = Math.Min(rows.Length, 2000), positions = _shape.Positions, width = _shape.ContextOutputs, start = (int)rows[0];
        float[] latents = Draw(start, used, SeedStream.ToSeed(SeedStream.Derive(_settings.Seed, Purpose.Validation)));
        float[] ghosts = _decode(latents);
        var kernels = Enumerable.Range(0, parts).Select(_ => new ChainKernel(_shape, _coordinates, _farthest, _settings.Grid ?? DefaultGrid(_shape.Dimensions))).ToArray();
        var features = new float[used * positions * _shape.Inputs];
        slices.Run(parts, part => Each(part, parts, used, row =>
        {
            var (chain, mean, z) = Row(row + start, ghosts, latents, start);
            for (int i = 1; i <= positions; i++)
                kernels[part].Features(chain, mean, z, i, features.AsSpan((row * positions + i - 1) * _shape.Inputs, _shape.Inputs));
        }));
        float[] context = network.Forward(tensor(features, [used * positions, _shape.Inputs])).data<float>().ToArray();
        var sums = new double[used];
        slices.Run(parts, part => Each(part, parts, used, row =>
        {
            Span<float> shifts = stackalloc float[3];
            var (chain, mean, _) = Row(row + start, ghosts, latents, start);
            for (int i = 1; i <= positions; i++)
            {
                var own = context.AsSpan((row * positions + i - 1) * width, width);
                int candidate = kernels[part].Align(chain, i, shifts, out double logDensity);
                kernels[part].Evaluate(chain, mean, i, shifts, own, tables);
                float energy = kernels[part].Energies[candidate];
                sums[row] -= energy - kernels[part].Normalize() + logDensity;
            }
        }));
        return sums.Average();
    }

    private RowOf Row(long row, float[] ghosts, float[] latents, int start = 0) => new(
        _chains.AsSpan((int)row * _shape.Size, _shape.Size),
        ghosts.AsSpan((int)(row - start) * _shape.Size, _shape.Size),
        latents.AsSpan((int)(row - start) * _shape.Latent, _shape.Latent));

    private readonly ref struct RowOf(ReadOnlySpan<float> chain, ReadOnlySpan<float> mean, ReadOnlySpan<float> z)
    {
        private readonly ReadOnlySpan<float> _chain = chain, _mean = mean, _z = z;

        public void Deconstruct(out ReadOnlySpan<float> chain, out ReadOnlySpan<float> mean, out ReadOnlySpan<float> z)
        {
            chain = _chain;
            mean = _mean;
            z = _z;
        }
    }

    private static void Each(int part, int parts, int count, Action<int> body)
    {
        for (int row = (int)((long)count * part / parts), end = (int)((long)count * (part + 1) / parts); row < end; row++)
            body(row);
    }

    /// <summary>Draws from the posteriors of rows.</summary>
    private float[] Draw(int start, int count, int seed)
    {
        var random = new SeededRandom(seed);
        var latents = new float[count * _shape.Latent];
        for (int i = 0, from = start * _shape.Latent; i < latents.Length; i++)
            latents[i] = _means[from + i] + _sigmas[from + i] * (float)random.NextNormal();
        return latents;
    }

    private float[] Effective(Tensor flatTables) => Effective(_shape, MemoryMarshal.Cast<byte, float>(flatTables.bytes));

    /// <summary>Tables with those of separations added to those of pairs.</summary>
    public static float[] Effective(ChainShape shape, ReadOnlySpan<float> tables)
    {
        float[] effective = tables.ToArray();
        for (int i = 2; i < shape.Beads; i++)
        {
            for (int j = 0; j <= i - 2; j++)
            {
                var own = effective.AsSpan(ChainShape.Pair(i, j) * ChainShape.Knots, ChainShape.Knots);
                System.Numerics.Tensors.TensorPrimitives.Add(own, tables.Slice(shape.Separation(i - j) * ChainShape.Knots, ChainShape.Knots), own);
            }
        }
        return effective;
    }

    private void SumSeparations(float[] gradient)
    {
        for (int i = 2; i < _shape.Beads; i++)
        {
            for (int j = 0; j <= i - 2; j++)
            {
                var sum = gradient.AsSpan(_shape.Separation(i - j) * ChainShape.Knots, ChainShape.Knots);
                System.Numerics.Tensors.TensorPrimitives.Add(sum, gradient.AsSpan(ChainShape.Pair(i, j) * ChainShape.Knots, ChainShape.Knots), sum);
            }
        }
    }

    private float[] Initial()
    {
        var random = new SeededRandom(SeedStream.ToSeed(SeedStream.Derive(_settings.Seed, Purpose.Weights)));
        var values = new List<float>();
        foreach (var (name, dims) in _shape.Parameters)
        {
            long size = dims.Aggregate(1L, (product, dim) => product * dim);
            // The output starts at nothing: a decoder of independent coordinates.
            double scale = dims.Length == 1 || name == "context.output.weight" ? 0 : 1 / Math.Sqrt(dims[1]);
            for (long i = 0; i < size; i++)
                values.Add(scale == 0 ? 0 : (float)(scale * random.NextNormal()));
        }
        return [.. values];
    }
}
