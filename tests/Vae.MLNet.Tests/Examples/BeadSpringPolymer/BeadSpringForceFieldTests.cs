using System.Numerics;
using BeadSpringPolymer.Simulation;

namespace Vae.MLNet.Tests.Examples.BeadSpringPolymer;

[TestClass]
public sealed class BeadSpringForceFieldTests
{
    private static readonly BeadSpringOptions None = new() { BondStiffness = 0, BendingStiffness = 0, LennardJonesEpsilon = 0 };

    [TestMethod]
    [DataRow("bonds")]
    [DataRow("bending")]
    [DataRow("Lennard-Jones")]
    [DataRow("all")]
    public void Forces_AreMinusTheGradientOfTheEnergy(string term)
    {
        BeadSpringOptions options = term switch
        {
            "bonds" => None with { BondStiffness = 100 },
            "bending" => None with { BendingStiffness = 1.3 },
            "Lennard-Jones" => None with { LennardJonesEpsilon = 1.7 },
            _ => new BeadSpringOptions(),
        };
        for (int seed = 0; seed < 20; seed++)
            AssertGradient(options, Chains(options.Beads, seed, spread: 0.15));
    }

    [TestMethod]
    public void Forces_AreMinusTheGradientOfTheEnergy_WherePairsAreCapped()
    {
        // Chains crumpled until most pairs are closer than 0.8 sigma = 0.44.
        BeadSpringOptions options = None with { LennardJonesEpsilon = 1.7 };
        for (int seed = 0; seed < 20; seed++)
        {
            double[][] chains = Chains(options.Beads, seed, spread: 0.15);
            foreach (double[] chain in chains)
            {
                for (int i = 0; i < chain.Length; i++)
                    chain[i] = (float)(chain[i] * 0.08);
            }
            Assert.IsTrue(PairDistances(chains[0]).Count(d => d < 0.44) >= 20, "The chain has to have capped pairs.");
            AssertGradient(options, chains);
        }
    }

    [TestMethod]
    public void Forces_AndTheirTorquesSumToZero()
    {
        var options = new BeadSpringOptions();
        for (int seed = 0; seed < 20; seed++)
        {
            double[][] chains = Chains(options.Beads, seed, spread: 0.15);
            double[][] forces = Forces(options, chains);
            for (int lane = 0; lane < chains.Length; lane++)
            {
                double x = 0, y = 0, torque = 0, scale = 0;
                for (int i = 0; i < chains[lane].Length; i += 2)
                {
                    x += forces[lane][i];
                    y += forces[lane][i + 1];
                    torque += chains[lane][i] * forces[lane][i + 1] - chains[lane][i + 1] * forces[lane][i];
                    scale += Math.Abs(forces[lane][i]) + Math.Abs(forces[lane][i + 1]);
                }
                Assert.AreEqual(0, x, 1e-6 * scale);
                Assert.AreEqual(0, y, 1e-6 * scale);
                Assert.AreEqual(0, torque, 2e-5 * scale);
            }
        }
    }

    [TestMethod]
    public void Forces_AreFinite_WhereBondsFoldBackOrBeadsCoincide()
    {
        var options = new BeadSpringOptions { Beads = 5 };
        double[][] shapes =
        [
            [0, 0, 1, 0, 0, 0, 1, 0, 0, 0],                     // folded onto itself: phi = pi, beads on top of each other
            [0, 0, 1, 0, 1e-7, -1e-7, 1, 1e-7, 0, 1e-7],        // phi just below and above pi
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],                     // a point: bonds have no direction
        ];
        foreach (double[] shape in shapes)
        {
            foreach (double force in Forces(options, Repeat(shape))[0])
                Assert.IsTrue(double.IsFinite(force) && Math.Abs(force) < 1e6, $"A force of {force}.");
        }
    }

    [TestMethod]
    public void Forces_OfALaneDoNotDependOnItsNeighbours()
    {
        // One capped lane makes all lanes of its vector take the longer way; the numbers must not show it.
        var options = new BeadSpringOptions();
        double[][] chains = Chains(options.Beads, seed: 3, spread: 0.05);
        double[] alone = Forces(options, Repeat(chains[0]))[0];
        for (int lane = 1; lane < chains.Length; lane++)
        {
            for (int i = 0; i < chains[lane].Length; i++)
                chains[lane][i] *= 0.1f;
        }
        CollectionAssert.AreEqual(alone, Forces(options, chains)[0]);
    }

    [TestMethod]
    [DataRow(0.8)]
    [DataRow(2.5)]
    public void LennardJonesEnergy_IsContinuous(double ratio)
    {
        var options = new BeadSpringOptions { Beads = 3 };
        var field = new BeadSpringForceField(options);
        double r = ratio * options.LennardJonesSigma;
        double below = field.LennardJonesEnergy([0, 0, 5, 5, r - 1e-9, 0]), above = field.LennardJonesEnergy([0, 0, 5, 5, r + 1e-9, 0]);
        Assert.AreEqual(below, above, 1e-5);
    }

    [TestMethod]
    public void Energy_HasTheStatedForm()
    {
        // A right angle with bonds of 1.2 and 1; ends sqrt 2.44 = 1.562 apart, beyond the cutoff of 1.375.
        var field = new BeadSpringForceField(new BeadSpringOptions { Beads = 3 });
        double[] corner = [0, 0, 1.2, 0, 1.2, 1];
        Assert.AreEqual(50 * 0.04, field.BondEnergy(corner), 1e-12);
        Assert.AreEqual(0.5 * Math.PI * Math.PI / 4, field.BendingEnergy(corner), 1e-12);
        Assert.AreEqual(0, field.LennardJonesEnergy(corner));

        // At the minimum, 2^(1/6) sigma, the energy is -epsilon plus the shift.
        double shift = 4 * 1.7 * (Math.Pow(2.5, -6) - Math.Pow(2.5, -12));
        Assert.AreEqual(-1.7 + shift, field.LennardJonesEnergy([0, 0, 3, 3, Math.Pow(2, 1.0 / 6) * 0.55, 0]), 1e-12);
    }

    // Forces come in single precision: 2e-4 of the largest force of the chain covers their rounding.
    private static void AssertGradient(BeadSpringOptions options, double[][] chains)
    {
        const double h = 1e-6;
        var field = new BeadSpringForceField(options);
        double[][] forces = Forces(options, chains);
        Assert.IsTrue(forces.Any(lane => lane.Any(f => f != 0)), "Some force has to act.");
        for (int lane = 0; lane < chains.Length; lane++)
        {
            double[] chain = chains[lane];
            double tolerance = 2e-4 * Math.Max(1e-2, forces[lane].Max(Math.Abs));
            for (int i = 0; i < chain.Length; i++)
            {
                double at = chain[i];
                chain[i] = at + h;
                double above = field.Energy(chain);
                chain[i] = at - h;
                double below = field.Energy(chain);
                chain[i] = at;
                Assert.AreEqual(-(above - below) / (2 * h), forces[lane][i], tolerance, $"lane {lane}, coordinate {i}");
            }
        }
    }

    private static double[][] Forces(BeadSpringOptions options, double[][] chains)
    {
        int beads = chains[0].Length / 2;
        Vector<float>[] x = new Vector<float>[beads], y = new Vector<float>[beads], fx = new Vector<float>[beads], fy = new Vector<float>[beads];
        for (int i = 0; i < beads; i++)
        {
            for (int lane = 0; lane < chains.Length; lane++)
            {
                x[i] = x[i].WithElement(lane, (float)chains[lane][2 * i]);
                y[i] = y[i].WithElement(lane, (float)chains[lane][2 * i + 1]);
            }
        }
        new BeadSpringForceField(options).Forces(x, y, fx, fy);
        return [.. chains.Select((_, lane) => Enumerable.Range(0, 2 * beads).Select(i => (double)(i % 2 == 0 ? fx : fy)[i / 2][lane]).ToArray())];
    }

    // One random chain per lane, in numbers that single precision holds exactly.
    private static double[][] Chains(int beads, int seed, double spread)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Vector<float>.Count).Select(_ =>
        {
            var chain = new double[2 * beads];
            double angle = 2 * Math.PI * random.NextDouble();
            for (int i = 2; i < chain.Length; i += 2)
            {
                angle += 4.4 * (random.NextDouble() - 0.5);
                double length = 1 + spread * (2 * random.NextDouble() - 1);
                chain[i] = (float)(chain[i - 2] + length * Math.Cos(angle));
                chain[i + 1] = (float)(chain[i - 1] + length * Math.Sin(angle));
            }
            return chain;
        })];
    }

    private static double[][] Repeat(double[] chain) => [.. Enumerable.Range(0, Vector<float>.Count).Select(_ => (double[])chain.Clone())];

    private static IEnumerable<double> PairDistances(double[] chain)
    {
        for (int i = 0; i < chain.Length; i += 2)
        {
            for (int j = i + 4; j < chain.Length; j += 2)
                yield return double.Hypot(chain[i] - chain[j], chain[i + 1] - chain[j + 1]);
        }
    }
}
