using BeadSpringPolymer.Simulation;

namespace Vae.MLNet.Tests.Examples.BeadSpringPolymer;

[TestClass]
public sealed class BeadSpringSimulatorTests
{
    private static readonly BeadSpringOptions Short = new() { EquilibrationSteps = 300, StepsBetweenFrames = 100, FramesPerChain = 3 };

    [TestMethod]
    public void Run_SameSeed_SameBytesForAnyNumberOfThreads()
    {
        Trajectory one = BeadSpringSimulator.Run(Short with { Threads = 1 }, 100, seed: 7);
        Trajectory two = BeadSpringSimulator.Run(Short with { Threads = 2 }, 100, seed: 7);
        CollectionAssert.AreEqual(one.Positions, two.Positions);
        Assert.AreEqual(one.KineticTemperature, two.KineticTemperature);
    }

    [TestMethod]
    public void Run_FewerConformations_AreTheFirstOfMore()
    {
        // A chain's noise depends on seed and chain alone. 40 is not a whole number of chains of 3, nor of vectors of chains.
        Trajectory few = BeadSpringSimulator.Run(Short, 40, seed: 7), more = BeadSpringSimulator.Run(Short, 100, seed: 7);
        Assert.AreEqual(40, few.Count);
        CollectionAssert.AreEqual(few.Positions, more.Positions[..few.Positions.Length]);
    }

    [TestMethod]
    public void Run_DifferentSeedsAndChains_Differ()
    {
        Trajectory a = BeadSpringSimulator.Run(Short, 99, seed: 7), b = BeadSpringSimulator.Run(Short, 99, seed: 8);
        var frames = new HashSet<string>();
        for (int i = 0; i < a.Count; i++)
        {
            Assert.IsTrue(frames.Add(string.Join(' ', a.Frame(i).ToArray())));
            Assert.IsTrue(frames.Add(string.Join(' ', b.Frame(i).ToArray())));
        }
    }

    [TestMethod]
    [DataRow(1.0, 1.0, 1.0)]
    [DataRow(1.6, 3.0, 2.0)]
    public void Run_IdealChain_FollowsTheory(double temperature, double mass, double friction)
    {
        // Without Lennard-Jones, bonds and turning angles are independent of each other: r has density r exp(-k (r - r0)^2 / 2kT), phi has
        // exp(-kappa phi^2 / 2kT) on [-pi, pi]. Rods at the start, so that only the dynamics can have brought this about.
        var options = new BeadSpringOptions
        {
            LennardJonesEpsilon = 0,
            Temperature = temperature,
            Mass = mass,
            Friction = friction,
            Start = ChainStart.Rod,
            EquilibrationSteps = 12_000,
            StepsBetweenFrames = 3_000,
            FramesPerChain = 20,
        };
        Trajectory trajectory = BeadSpringSimulator.Run(options, 5120, seed: 21);
        double bond = 0, bondSquare = 0, angleSquare = 0, ends = 0;
        for (int f = 0; f < trajectory.Count; f++)
        {
            ReadOnlySpan<float> p = trajectory.Frame(f);
            double px = 0, py = 0;
            for (int i = 2; i < p.Length; i += 2)
            {
                double dx = p[i] - p[i - 2], dy = p[i + 1] - p[i - 1];
                bond += double.Hypot(dx, dy) / 11;
                bondSquare += (dx * dx + dy * dy) / 11;
                if (i > 2)
                    angleSquare += Math.Pow(Math.Atan2(px * dy - py * dx, px * dx + py * dy), 2) / 10;
                (px, py) = (dx, dy);
            }
            ends += Math.Pow(p[^2] - p[0], 2) + Math.Pow(p[^1] - p[1], 2);
        }
        int n = trajectory.Count;

        double BondWeight(double r) => r * Math.Exp(-options.BondStiffness * (r - 1) * (r - 1) / (2 * temperature));
        double AngleWeight(double phi) => Math.Exp(-options.BendingStiffness * phi * phi / (2 * temperature));
        double meanBond = Mean(BondWeight, r => r, 0, 3), meanBondSquare = Mean(BondWeight, r => r * r, 0, 3);
        double cosine = Mean(AngleWeight, Math.Cos, -Math.PI, Math.PI);
        double endsSquare = 11 * meanBondSquare + 2 * meanBond * meanBond * Enumerable.Range(1, 10).Sum(k => (11 - k) * Math.Pow(cosine, k));

        // About five standard errors of 5120 frames, some of them correlated.
        Assert.AreEqual(temperature, trajectory.KineticTemperature, 0.02 * temperature, "kinetic temperature");
        Assert.AreEqual(meanBond, bond / n, 0.004, "mean bond length");
        Assert.AreEqual(meanBondSquare - meanBond * meanBond, bondSquare / n - bond / n * (bond / n), 0.03 * temperature / 100, "variance of the bond length");
        Assert.AreEqual(Mean(AngleWeight, phi => phi * phi, -Math.PI, Math.PI), angleSquare / n, 0.05, "mean square turning angle");
        Assert.AreEqual(endsSquare, ends / n, 0.08 * endsSquare, "mean square distance of the ends");
    }

    [TestMethod]
    public void Run_FullChain_ObeysTheVirialTheorem()
    {
        // <sum of x dU/dx> = kT for each of the 22 degrees of freedom that are not translation: sampling and forces fit the energy, Lennard-Jones included.
        var options = new BeadSpringOptions { EquilibrationSteps = 20_000, StepsBetweenFrames = 2_000, FramesPerChain = 20 };
        Trajectory trajectory = BeadSpringSimulator.Run(options, 5120, seed: 3);
        var field = new BeadSpringForceField(options);
        double sum = 0;
        for (int f = 0; f < trajectory.Count; f++)
        {
            double[] frame = Array.ConvertAll(trajectory.Frame(f).ToArray(), v => (double)v);
            const double h = 1e-6;
            sum += (field.Energy([.. frame.Select(v => v * (1 + h))]) - field.Energy([.. frame.Select(v => v * (1 - h))])) / (2 * h);
        }
        // The standard error is about 0.7.
        Assert.AreEqual(22, sum / trajectory.Count, 3);
        Assert.AreEqual(1, trajectory.KineticTemperature, 0.02);
    }

    [TestMethod]
    public void Run_RodsAndWalks_ComeToTheSameEquilibrium()
    {
        var options = new BeadSpringOptions { FramesPerChain = 2 };
        TrajectoryStatistics walks = TrajectoryStatistics.Of(BeadSpringSimulator.Run(options, 256, seed: 1));
        TrajectoryStatistics rods = TrajectoryStatistics.Of(BeadSpringSimulator.Run(options with { Start = ChainStart.Rod }, 256, seed: 2));
        // The standard error of each mean is 0.03, of the long-run mean of 1.656 below 0.004.
        Assert.AreEqual(1.656, walks.MeanRadiusOfGyration, 0.15);
        Assert.AreEqual(1.656, rods.MeanRadiusOfGyration, 0.15);
        Assert.AreEqual(0.49, walks.DeviationRadiusOfGyration, 0.1);
        Assert.AreEqual(0.49, rods.DeviationRadiusOfGyration, 0.1);
    }

    [TestMethod]
    public void Run_ReportsRisingProgressUpToOne()
    {
        var seen = new List<double>();
        BeadSpringSimulator.Run(Short, 100, seed: 1, new Recorder(seen));
        Assert.IsTrue(seen.Count > 1);
        Assert.AreEqual(1, seen[^1]);
        CollectionAssert.AreEqual(seen.Order().Distinct().ToList(), seen);
    }

    [TestMethod]
    public void Run_Cancelled_Throws()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => BeadSpringSimulator.Run(Short, 100, seed: 1, cancellationToken: source.Token));
    }

    [TestMethod]
    public void Run_BadOption_NamesItAndItsValue()
    {
        ArgumentOutOfRangeException error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => BeadSpringSimulator.Run(Short with { TimeStep = -0.5 }, 10, seed: 1));
        StringAssert.Contains(error.Message, "TimeStep has to be positive and finite; it is -0.5.");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => BeadSpringSimulator.Run(Short with { Beads = 1 }, 10, seed: 1));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => BeadSpringSimulator.Run(Short with { LennardJonesCutoff = 0.5 }, 10, seed: 1));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => BeadSpringSimulator.Run(Short with { BondStiffness = double.NaN }, 10, seed: 1));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => BeadSpringSimulator.Run(Short, 0, seed: 1));
    }

    [TestMethod]
    public void TrajectoryStatistics_OfKnownFrames()
    {
        // Rods of two beads, half their length being the radius: chains (1, 2), (3, 4), (1, 2).
        float[] lengths = [2, 4, 6, 8, 2, 4];
        var trajectory = new Trajectory([.. lengths.SelectMany(l => new[] { 5, 7, 5, 7 + l })], beads: 2, framesPerChain: 2, kineticTemperature: 1);
        TrajectoryStatistics statistics = TrajectoryStatistics.Of(trajectory);
        double mean = 13.0 / 6, variance = 35.0 / 6 - mean * mean;
        double product = (2 * (1 - mean) * (2 - mean) + (3 - mean) * (4 - mean)) / 3;
        Assert.AreEqual(mean, statistics.MeanRadiusOfGyration, 1e-12);
        Assert.AreEqual(Math.Sqrt(variance), statistics.DeviationRadiusOfGyration, 1e-12);
        Assert.AreEqual(1, statistics.MinimumRadiusOfGyration);
        Assert.AreEqual(4, statistics.MaximumRadiusOfGyration);
        Assert.AreEqual(product / variance, statistics.Autocorrelation, 1e-12);
        Assert.AreEqual(26.0 / 6, statistics.MeanBondLength, 1e-6);
    }

    private static double Mean(Func<double, double> weight, Func<double, double> value, double from, double to)
    {
        const int points = 20_000;
        double numerator = 0, denominator = 0;
        for (int i = 0; i < points; i++)
        {
            double at = from + (to - from) * (i + 0.5) / points, w = weight(at);
            numerator += w * value(at);
            denominator += w;
        }
        return numerator / denominator;
    }

    // Progress<T> would post to a thread pool, out of order.
    private sealed class Recorder(List<double> seen) : IProgress<double>
    {
        public void Report(double value) => seen.Add(value);
    }
}
