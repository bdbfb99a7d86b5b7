using Microsoft.ML;
using SerineProteases.Simulation;
using Vae.MLNet.Tests.Sequences;

namespace Vae.MLNet.Tests.Examples.SerineProteases;

[TestClass]
public sealed class FamilySimulatorTests
{
    private static readonly SimulationOptions Options = new() { Sequences = 400, Length = 60, Seed = 3 };

    [TestMethod]
    public void Simulate_IsSeeded()
    {
        var a = FamilySimulator.Simulate(Options);
        CollectionAssert.AreEqual(a.Sequences.ToArray(), FamilySimulator.Simulate(Options).Sequences.ToArray());
        CollectionAssert.AreNotEqual(a.Sequences.ToArray(), FamilySimulator.Simulate(Options with { Seed = 4 }).Sequences.ToArray());
    }

    [TestMethod]
    public void Simulate_GivesAFamily()
    {
        using var files = new TemporaryFolder();
        var family = FamilySimulator.Simulate(Options);
        family.Save(files["family.fasta"]);
        var alignment = new MLContext(0).Vae.LoadAlignment(files["family.fasta"],
            new SequenceAlignmentOptions { AnnotationStart = "|", AnnotationSeparator = "|", AnnotationNames = SimulatedFamily.AnnotationNames });
        Assert.AreEqual(400, alignment.Count);
        Assert.AreEqual(60, alignment.Length);
        Assert.DoesNotContain('-', alignment.Sequence(0));
        Assert.HasCount(4, alignment.Annotation("Subfamily").Distinct().ToArray());

        var triad = SequenceStatistics.Conservation(alignment, family.Triad);
        Assert.IsTrue(triad.All >= 0.98, $"The triad is in {triad.All:P1} of sequences.");

        var weights = new MLContext(0).Vae.SequenceWeights(alignment);
        Assert.IsTrue(weights.EffectiveCount is > 40 and < 380, $"Effective number {weights.EffectiveCount:F0} of 400.");

        // Coupled positions share more information than others, and far pairs of the same distances do not.
        double[,] information = SequenceStatistics.MutualInformation(alignment.WithSequenceWeights());
        var contacts = family.Model.Contacts.ToHashSet();
        double coupled = 0, other = 0;
        int pairs = 0;
        for (int i = 0; i < 60; i++)
        {
            for (int j = i + 1; j < 60; j++)
            {
                if (contacts.Contains((i, j)))
                    coupled += information[i, j];
                else
                {
                    other += information[i, j];
                    pairs++;
                }
            }
        }
        Assert.IsTrue(coupled / contacts.Count > 1.2 * other / pairs, $"Mutual information {coupled / contacts.Count:F3} of contacts, {other / pairs:F3} of other pairs.");
    }

    [TestMethod]
    public void PottsModel_SubstitutionEnergyIsTheDifference()
    {
        var random = new Random(1);
        var model = PottsModel.CreateRandom(30, 2, 1, new Dictionary<int, int> { [4] = 3 }, random);
        var sequence = new byte[30];
        model.Evolve(sequence, 3000, random);
        sequence[7] = PottsModel.Gap;
        Assert.AreEqual(3, sequence[4], "A fixed letter is found and kept.");
        for (int i = 0; i < 30; i++)
        {
            if (i == 7)
                continue;
            byte[] changed = [.. sequence];
            changed[i] = (byte)((changed[i] + 5) % 20);
            Assert.AreEqual(model.Energy(changed) - model.Energy(sequence), model.SubstitutionEnergy(sequence, i, changed[i]), 1e-9);
        }
    }

    [TestMethod]
    public void PottsModel_EvolutionReachesBoltzmannsDistribution()
    {
        // Two coupled positions are enough to write the distribution down: p(a, b) ~ exp(-E(a, b)).
        var random = new Random(2);
        var model = PottsModel.CreateRandom(4, 2, 1, new Dictionary<int, int>(), random);
        var sequence = new byte[4];
        var counts = new double[20];
        const int Samples = 40_000;
        for (int n = 0; n < Samples; n++)
        {
            model.Evolve(sequence, 60, random);
            counts[sequence[0]]++;
        }
        var exact = new double[20];
        double sum = 0;
        for (int state = 0; state < 160_000; state++)
        {
            byte[] s = [(byte)(state % 20), (byte)(state / 20 % 20), (byte)(state / 400 % 20), (byte)(state / 8000)];
            double p = Math.Exp(-model.Energy(s));
            exact[s[0]] += p;
            sum += p;
        }
        // Standard error at most 0.0025 for independent samples; these are not quite.
        for (int a = 0; a < 20; a++)
            Assert.AreEqual(exact[a] / sum, counts[a] / Samples, 0.02);
    }
}
