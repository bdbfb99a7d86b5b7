using System.Numerics;

namespace BeadSpringPolymer.Simulation;

/// <summary>
/// Langevin dynamics of many independent bead-spring chains, one per SIMD lane, with the BAOAB splitting (Leimkuhler, Matthews 2013),
/// whose configurations stay accurate at large time steps.
/// </summary>
/// <remarks>
/// Every chain has a random stream of its own, made from the seed and the chain's number. The same seed therefore gives the same bytes whatever the
/// number of threads.
/// </remarks>
public static class BeadSpringSimulator
{
    // Steps between looks at the cancellation token.
    private const int StepsPerSlice = 2000;

    /// <summary>Simulates as many chains as it takes to give <paramref name="conformations"/> frames.</summary>
    /// <param name="options">The chain and the simulation.</param>
    /// <param name="conformations">Frames wanted; at least 1.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="progress">Told the part done, rising from 0 to 1; called from the simulating threads, one at a time.</param>
    /// <param name="cancellationToken">Stops the simulation.</param>
    /// <returns>Frames [conformations, beads, 2].</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option or <paramref name="conformations"/> is out of its range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Trajectory Run(
        BeadSpringOptions options,
        int conformations,
        int seed,
        IProgress<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        int perChain = options.FramesPerChain, stride = options.Beads * Trajectory.Dimensions;
        if (conformations < 1 || (long)conformations * stride > Array.MaxLength)
            throw new ArgumentOutOfRangeException(nameof(conformations), conformations, $"conformations has to be between 1 and {Array.MaxLength / stride}; it is {conformations}.");

        var positions = new float[conformations * stride];
        int lanes = Vector<float>.Count;
        int chains = (conformations + perChain - 1) / perChain;
        int groups = (chains + lanes - 1) / lanes;
        var kinetic = new double[groups];
        var forceField = new BeadSpringForceField(options);
        var reporter = new Reporter(progress, groups * (options.EquilibrationSteps + (double)(perChain - 1) * options.StepsBetweenFrames));

        Parallel.For(0, groups, new ParallelOptions
        {
            MaxDegreeOfParallelism = options.Threads == 0 ? Environment.ProcessorCount : options.Threads,
            CancellationToken = cancellationToken,
        }, group =>
        {
            var chainGroup = new ChainGroup(options, forceField, seed, firstChain: group * lanes);
            for (int frame = 0; frame < perChain; frame++)
            {
                int steps = frame == 0 ? options.EquilibrationSteps : options.StepsBetweenFrames;
                for (int done = 0; done < steps;)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    int slice = Math.Min(StepsPerSlice, steps - done);
                    chainGroup.Step(slice);
                    done += slice;
                    reporter.Add(slice);
                }
                for (int lane = 0; lane < lanes; lane++)
                {
                    long row = ((long)group * lanes + lane) * perChain + frame;
                    if (row < conformations)
                        kinetic[group] += chainGroup.Write(lane, positions.AsSpan((int)row * stride, stride));
                }
            }
        });
        reporter.Finish();
        return new Trajectory(positions, options.Beads, perChain, kinetic.Sum() / positions.Length);
    }

    /// <summary>Chains that advance together, one per lane.</summary>
    private sealed class ChainGroup
    {
        private readonly BeadSpringForceField _forceField;
        private readonly Vector<float>[] _x;
        private readonly Vector<float>[] _y;
        private readonly Vector<float>[] _forceX;
        private readonly Vector<float>[] _forceY;

        // Velocities half a kick behind the positions: the half kicks that end one step and begin the next are one.
        private readonly Vector<float>[] _velocityX;
        private readonly Vector<float>[] _velocityY;
        private readonly float _mass;
        private readonly float _kick;
        private readonly float _halfDrift;
        private readonly float _damping;
        private readonly float _noise;
        private LaneRandom _random;

        public ChainGroup(BeadSpringOptions options, BeadSpringForceField forceField, int seed, int firstChain)
        {
            int beads = options.Beads, lanes = Vector<float>.Count;
            _forceField = forceField;
            (_x, _y) = (new Vector<float>[beads], new Vector<float>[beads]);
            (_forceX, _forceY) = (new Vector<float>[beads], new Vector<float>[beads]);
            (_velocityX, _velocityY) = (new Vector<float>[beads], new Vector<float>[beads]);

            _mass = (float)options.Mass;
            _kick = (float)(options.TimeStep / options.Mass);
            _halfDrift = (float)(options.TimeStep / 2);
            double damping = Math.Exp(-options.Friction * options.TimeStep);
            _damping = (float)damping;
            _noise = (float)Math.Sqrt(options.Temperature / options.Mass * (1 - damping * damping));

            var seeds = new SplitMix64[lanes];
            var start = new double[beads * Trajectory.Dimensions];
            for (int lane = 0; lane < lanes; lane++)
            {
                seeds[lane] = SplitMix64.For(seed, firstChain + lane);
                ChainLayout.Fill(options, ref seeds[lane], start);
                for (int i = 0; i < beads; i++)
                {
                    _x[i] = _x[i].WithElement(lane, (float)start[2 * i]);
                    _y[i] = _y[i].WithElement(lane, (float)start[2 * i + 1]);
                }
            }
            _random = new LaneRandom(seeds);
            _forceField.Forces(_x, _y, _forceX, _forceY);
            var thermal = new Vector<float>((float)Math.Sqrt(options.Temperature / options.Mass));
            for (int i = 0; i < beads; i++)
            {
                _random.NextGaussians(out Vector<float> vx, out Vector<float> vy);
                _velocityX[i] = thermal * vx - new Vector<float>(_kick / 2) * _forceX[i];
                _velocityY[i] = thermal * vy - new Vector<float>(_kick / 2) * _forceY[i];
            }
        }

        public void Step(int steps)
        {
            for (int s = 0; s < steps; s++)
            {
                Advance();
                _forceField.Forces(_x, _y, _forceX, _forceY);
            }
        }

        /// <summary>Writes a lane's positions and gives the sum of m v^2 over its coordinates.</summary>
        public double Write(int lane, Span<float> frame)
        {
            double kinetic = 0;
            for (int i = 0; i < _x.Length; i++)
            {
                frame[2 * i] = _x[i][lane];
                frame[2 * i + 1] = _y[i][lane];
                double vx = _velocityX[i][lane] + _kick / 2 * _forceX[i][lane];
                double vy = _velocityY[i][lane] + _kick / 2 * _forceY[i][lane];
                kinetic += _mass * (vx * vx + vy * vy);
            }
            return kinetic;
        }

        // Kick by the force, drift for half a step, friction and noise, drift for half a step.
        private void Advance()
        {
            Span<Vector<float>> x = _x, y = _y, vx = _velocityX, vy = _velocityY;
            ReadOnlySpan<Vector<float>> fx = _forceX, fy = _forceY;
            var kick = new Vector<float>(_kick);
            var halfDrift = new Vector<float>(_halfDrift);
            var damping = new Vector<float>(_damping);
            var noise = new Vector<float>(_noise);
            LaneRandom random = _random;
            for (int i = 0; i < x.Length; i++)
            {
                random.NextGaussians(out Vector<float> a, out Vector<float> b);
                Vector<float> u = Vector.MultiplyAddEstimate(kick, fx[i], vx[i]), v = Vector.MultiplyAddEstimate(kick, fy[i], vy[i]);
                Vector<float> u2 = Vector.MultiplyAddEstimate(damping, u, noise * a), v2 = Vector.MultiplyAddEstimate(damping, v, noise * b);
                x[i] = Vector.MultiplyAddEstimate(halfDrift, u + u2, x[i]);
                y[i] = Vector.MultiplyAddEstimate(halfDrift, v + v2, y[i]);
                vx[i] = u2;
                vy[i] = v2;
            }
            _random = random;
        }
    }

    /// <summary>Adds up steps over threads and reports every hundredth once.</summary>
    private sealed class Reporter(IProgress<double>? progress, double total)
    {
        private readonly Lock _lock = new();
        private double _done;
        private int _reported = -1;

        public void Add(int steps)
        {
            if (progress is null)
                return;
            lock (_lock)
            {
                _done += steps;
                int hundredths = (int)(100 * _done / total);
                if (hundredths > _reported && hundredths < 100)
                    progress.Report((_reported = hundredths) / 100.0);
            }
        }

        public void Finish() => progress?.Report(1);
    }
}
