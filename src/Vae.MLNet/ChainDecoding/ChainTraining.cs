using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using TorchSharp;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Vae.MLNet.ChainDecoding;

/// <summary>Trains what gives each bead from the latent vector and the beads before it.</summary>
internal sealed class ChainTraining
{
    private const float WeightDecay = 0.01f, GradientClip = 5;

    /// <summary>Tables are told by counts, a knot at a time, and take larger steps than a network.</summary>
    private const float TableRate = 5;

    /// <summary>Steps between looks at the validation rows, and looks without an improvement after which training ends.</summary>
    private const int CheckEvery = 500, Patience = 4;

    private const int ReportEvery = 50, MostValidationRows = 2000;

    private readonly ChainShape _shape;
    private readonly ChainCoordinates _coordinates;
    private readonly float[] _chains, _means, _sigmas;
    private readonly Func<float[], float[]> _decode;
    private readonly ChainDecoderOptions _options;
    private readonly float _farthest;
    private readonly int _rows;

    /// <param name="shape">Sizes.</param>
    /// <param name="coordinates">Quantile functions.</param>
    /// <param name="chains">Training shapes, [rows, beads, dimensions].</param>
    /// <param name="means">Means of the posterior, [rows, latent].</param>
    /// <param name="sigmas">Its standard deviations, [rows, latent].</param>
    /// <param name="decode">The mean shapes of latent vectors.</param>
    /// <param name="farthest">Distance of the tables' last knot.</param>
    /// <param name="options">Options.</param>
    public ChainTraining(
        ChainShape shape,
        ChainCoordinates coordinates,
        float[] chains,
        float[] means,
        float[] sigmas,
        Func<float[], float[]> decode,
        float farthest,
        ChainDecoderOptions options)
    {
        _shape = shape;
        _coordinates = coordinates;
        _chains = chains;
        _means = means;
        _sigmas = sigmas;
        _decode = decode;
        _farthest = farthest;
        _options = options;
        _rows = chains.Length / shape.Size;
    }

    public List<ChainDecoderCheck> Checks { get; } = [];

    /// <returns>Parameters of the network and tables, those of the best look.</returns>
    public (float[] Network, float[] Tables) Run()
    {
        TorchRuntime.EnsureLoaded();
        int threads = TorchThreads.Of(_options.Threads);
        using var loan = TorchThreads.Borrow(threads);
        using var outer = NewDisposeScope();
        int tableSize = _shape.Tables * ChainShape.Knots;
        var flat = tensor(Initial()).clone();
        var flatTables = zeros(tableSize);
        var average = flat.clone();
        var averageTables = flatTables.clone();
        using var network = new ChainNetwork(_shape, flat);
        using var averaged = new ChainNetwork(_shape, average);
        using var optimizer = new AdamOptimizer(flat, _shape.WeightsSize, WeightDecay, GradientClip, fused: true);
        using var tableOptimizer = new AdamOptimizer(flatTables, 0, 0, 0, fused: true);
        // The number of slices settles how sums round, so it depends on nothing but the number of threads.
        using var slices = new SliceThreads(threads);
        ChainKernel[] kernels = [.. Enumerable.Range(0, threads).Select(_ => new ChainKernel(_shape, _coordinates, _farthest))];
        float[][] gradients = [.. Enumerable.Range(0, threads).Select(_ => new float[tableSize])];
        int validation = (int)Math.Round(_rows * _options.ValidationFraction), training = _rows - validation;
        long[] held = [.. Enumerable.Range(training, Math.Min(validation, MostValidationRows)).Select(row => (long)row)];
        int size = Math.Min(_options.BatchSize, training);
        var batch = new ChainBatch(_shape, size);
        var tables = new float[tableSize];
        float[]? best = null, bestTables = null;
        double bestLoss = double.PositiveInfinity;
        int worse = 0, at = training, epoch = 0;
        long[] order = [];
        ChainDecoderCheck? latest = null;
        for (int step = 1; step <= _options.Steps; step++)
        {
            _options.CancellationToken.ThrowIfCancellationRequested();
            if (at + size > training)
            {
                order = SeedStream.Permutation(training, _options.Seed, Purpose.Order, epoch++);
                at = 0;
            }
            using (NewDisposeScope())
            {
                Fill(batch, order.AsSpan(at, size), SeedStream.Derive(_options.Seed, Purpose.Noise, step), true, kernels, slices);
                at += size;
                ReadTables(flatTables, tables);
                var output = network.Forward(batch.Inputs());
                output.data<float>().CopyTo(batch.Context);
                slices.Run(threads, part => Backward(batch, tables, kernels[part], gradients[part], Part(part, threads, size)));
                (output * batch.OutputGradient()).sum().backward();
                var gradient = cat([.. network.Parameters.Select(parameter => parameter.grad!.view(-1))]);
                foreach (var parameter in network.Parameters)
                    parameter.grad = null;
                foreach (float[] other in gradients.AsSpan(1))
                    TensorPrimitives.Add(gradients[0], other, gradients[0]);
                SumSeparations(gradients[0]);
                double rate = _options.LearningRate * Schedule(step);
                optimizer.Step([gradient], rate);
                tableOptimizer.Step([tensor(gradients[0])], TableRate * rate);
                using var noGrad = no_grad();
                double weight = Math.Max(0.005, 1.0 / (step + 1));
                average.TowardsInPlace(flat, weight);
                averageTables.TowardsInPlace(flatTables, weight);
            }
            if (held.Length > 0 && (step % CheckEvery == 0 || step == _options.Steps))
            {
                ReadTables(averageTables, tables);
                latest = new(step, LogLoss(averaged, tables, held, kernels, slices));
                Checks.Add(latest);
                worse++;
                if (latest.NegativeLogLikelihood < bestLoss)
                {
                    bestLoss = latest.NegativeLogLikelihood;
                    (best, bestTables) = (average.data<float>().ToArray(), averageTables.data<float>().ToArray());
                    worse = 0;
                }
            }
            if (step % ReportEvery == 0 || step == _options.Steps)
                _options.Progress?.Report(new(step, _options.Steps, latest));
            if (worse == Patience)
                break;
        }
        best ??= average.data<float>().ToArray();
        bestTables ??= averageTables.data<float>().ToArray();
        if (!best.All(float.IsFinite) || !bestTables.All(float.IsFinite))
        {
            throw new InvalidOperationException(Check.Invariant(
                $"The training of the chain decoder diverged. Likely cure: a smaller LearningRate (now {_options.LearningRate})."));
        }
        return (best, bestTables);
    }

    /// <summary>Tables with those of separations added to those of pairs, as the kernel takes them.</summary>
    public static void AddSeparations(ChainShape shape, Span<float> tables)
    {
        foreach (var (pair, separation) in shape.PairTables)
        {
            var own = Table(tables, pair);
            TensorPrimitives.Add(own, Table(tables, separation), own);
        }
    }

    private void SumSeparations(Span<float> gradient)
    {
        foreach (var (pair, separation) in _shape.PairTables)
        {
            var sum = Table(gradient, separation);
            TensorPrimitives.Add(sum, Table(gradient, pair), sum);
        }
    }

    private static Span<float> Table(Span<float> tables, int table) => tables.Slice(table * ChainShape.Knots, ChainShape.Knots);

    private void ReadTables(Tensor flat, float[] tables)
    {
        MemoryMarshal.Cast<byte, float>(flat.bytes).CopyTo(tables);
        AddSeparations(_shape, tables);
    }

    /// <summary>Up in a short time, then down along half a cosine.</summary>
    private double Schedule(int step)
    {
        double progress = (double)step / _options.Steps;
        return Math.Min(1, step / (0.02 * _options.Steps + 20)) * (0.5 * (1 + Math.Cos(Math.PI * progress)) * 0.98 + 0.02);
    }

    /// <summary>Rows with draws of their latent vectors and what the network sees of them.</summary>
    private void Fill(ChainBatch batch, ReadOnlySpan<long> rows, ulong seed, bool augmented, ChainKernel[] kernels, SliceThreads slices)
    {
        var random = new SeededRandom(SeedStream.ToSeed(seed));
        for (int row = 0; row < rows.Length; row++)
        {
            int from = (int)rows[row];
            _chains.AsSpan(from * _shape.Size, _shape.Size).CopyTo(batch.Shapes.AsSpan(row * _shape.Size));
            for (int k = 0; k < _shape.Latent; k++)
            {
                int place = from * _shape.Latent + k;
                batch.Latents[row * _shape.Latent + k] = _means[place] + _sigmas[place] * (float)random.NextNormal();
            }
        }
        batch.Ghosts = _decode(batch.Latents);
        if (augmented)
        {
            for (int row = 0; row < rows.Length; row++)
            {
                var ghosts = batch.Ghosts.AsSpan(row * _shape.Size, _shape.Size);
                ChainSymmetry.Apply(_options.Symmetries, random, batch.ShapeOf(row), ghosts, _shape.Dimensions);
            }
        }
        int count = rows.Length;
        slices.Run(kernels.Length, part =>
        {
            foreach (int row in Part(part, kernels.Length, count))
            {
                for (int i = 1; i < _shape.Beads; i++)
                    kernels[part].Features(batch.ChainOf(row), batch.GhostOf(row), batch.LatentOf(row), i, batch.Features(row, i));
            }
        });
    }

    private void Backward(ChainBatch batch, float[] tables, ChainKernel kernel, float[] tableGradient, IEnumerable<int> rows)
    {
        Array.Clear(tableGradient);
        Span<float> shifts = stackalloc float[3];
        foreach (int row in rows)
        {
            for (int i = 1; i < _shape.Beads; i++)
            {
                int candidate = kernel.Align(batch.ChainOf(row), i, shifts, out _);
                kernel.Evaluate(batch.ChainOf(row), batch.GhostOf(row), i, shifts, batch.ContextOf(row, i), tables);
                kernel.Normalize();
                var gradient = batch.GradientOf(row, i);
                gradient.Clear();
                kernel.AddGradient(candidate, 1f / batch.Rows, tableGradient, gradient);
            }
        }
    }

    /// <summary>Minus the log-likelihood of rows given draws of their latent vectors, in nats a row: of all beads but the first.</summary>
    private double LogLoss(ChainNetwork network, float[] tables, long[] rows, ChainKernel[] kernels, SliceThreads slices)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var batch = new ChainBatch(_shape, rows.Length);
        Fill(batch, rows, SeedStream.Derive(_options.Seed, Purpose.Validation), false, kernels, slices);
        network.Forward(batch.Inputs()).data<float>().CopyTo(batch.Context);
        var sums = new double[rows.Length];
        slices.Run(kernels.Length, part =>
        {
            var kernel = kernels[part];
            Span<float> shifts = stackalloc float[3];
            foreach (int row in Part(part, kernels.Length, rows.Length))
            {
                for (int i = 1; i < _shape.Beads; i++)
                {
                    int candidate = kernel.Align(batch.ChainOf(row), i, shifts, out double logDensity);
                    kernel.Evaluate(batch.ChainOf(row), batch.GhostOf(row), i, shifts, batch.ContextOf(row, i), tables);
                    float energy = kernel.Energies[candidate];
                    sums[row] -= energy - kernel.Normalize() + logDensity;
                }
            }
        });
        return sums.Average();
    }

    private static IEnumerable<int> Part(int part, int parts, int count)
    {
        int start = (int)((long)count * part / parts), end = (int)((long)count * (part + 1) / parts);
        return Enumerable.Range(start, end - start);
    }

    private float[] Initial()
    {
        var random = new SeededRandom(SeedStream.ToSeed(SeedStream.Derive(_options.Seed, Purpose.Weights)));
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

    /// <summary>Memory of a batch, used again by each step.</summary>
    private sealed class ChainBatch(ChainShape shape, int rows)
    {
        private readonly float[] _features = new float[rows * shape.Positions * shape.Inputs];
        private readonly float[] _gradient = new float[rows * shape.Positions * shape.ContextOutputs];

        public int Rows => rows;

        public float[] Shapes { get; } = new float[rows * shape.Size];

        public float[] Latents { get; } = new float[rows * shape.Latent];

        public float[] Ghosts { get; set; } = [];

        /// <summary>What the network gave, [rows, positions, outputs].</summary>
        public float[] Context { get; } = new float[rows * shape.Positions * shape.ContextOutputs];

        public Tensor Inputs() => tensor(_features, [rows * shape.Positions, shape.Inputs]);

        public Tensor OutputGradient() => tensor(_gradient, [rows * shape.Positions, shape.ContextOutputs]);

        public Span<float> ShapeOf(int row) => Shapes.AsSpan(row * shape.Size, shape.Size);

        public ReadOnlySpan<float> ChainOf(int row) => Shapes.AsSpan(row * shape.Size, shape.Size);

        public ReadOnlySpan<float> GhostOf(int row) => Ghosts.AsSpan(row * shape.Size, shape.Size);

        public ReadOnlySpan<float> LatentOf(int row) => Latents.AsSpan(row * shape.Latent, shape.Latent);

        public Span<float> Features(int row, int bead) => _features.AsSpan(Place(row, bead) * shape.Inputs, shape.Inputs);

        public ReadOnlySpan<float> ContextOf(int row, int bead) =>
            Context.AsSpan(Place(row, bead) * shape.ContextOutputs, shape.ContextOutputs);

        public Span<float> GradientOf(int row, int bead) => _gradient.AsSpan(Place(row, bead) * shape.ContextOutputs, shape.ContextOutputs);

        private int Place(int row, int bead) => row * shape.Positions + bead - 1;
    }
}
