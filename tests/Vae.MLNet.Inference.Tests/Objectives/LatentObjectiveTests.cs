namespace Vae.MLNet.Inference.Tests.Objectives;

[TestClass]
public sealed class LatentObjectiveTests
{
    private static readonly float[] Ranges = [0.5f, 0.7f, 0.9f, 1.1f, 1.3f];

    public static IEnumerable<object[]> Objectives()
    {
        var radius = LatentObjective.RadiusOfGyration(2);
        float[] above = [.. Ranges.Select(value => value + 0.2f)];
        yield return ["radius of gyration", radius];
        yield return ["radius of gyration in 3D", LatentObjective.RadiusOfGyration(3)];
        yield return ["bonds", LatentObjective.BondLengths(2, 0.9f, 1.1f)];
        yield return ["bonds in 3D", LatentObjective.BondLengths(3, 1.5f, 1.6f)];
        yield return ["bonds, each its own", LatentObjective.BondLengths(2, Ranges, above)];
        yield return ["distances", LatentObjective.NonBondedDistances(2, 1.5f)];
        yield return ["distances, three apart", LatentObjective.NonBondedDistances(2, 2.5f, separation: 3)];
        yield return ["distances, each its own", LatentObjective.NonBondedDistances(2, Enumerable.Range(1, 10).Select(i => 0.3f * i).ToArray())];
        yield return ["target", radius.Target(0.4)];
        yield return ["sum", 2 * radius + LatentObjective.BondLengths(2, 0.9f, 1.1f) * 0.5 - 0.1 * LatentObjective.NonBondedDistances(2, 1.5f)];
        yield return ["negative of a sum", -(radius + radius.Target(0.2))];
    }

    [TestMethod]
    [DynamicData(nameof(Objectives))]
    public void Gradient_AgreesWithFiniteDifferences(string name, LatentObjective objective)
    {
        const float Step = 1 / 1024f;
        for (int seed = 0; seed < 5; seed++)
        {
            float[] x = TestModels.Normals(12, seed), gradient = [.. Enumerable.Repeat(float.NaN, 12)];
            Assert.AreEqual(objective.Evaluate(x), objective.Evaluate(x, gradient));
            for (int i = 0; i < x.Length; i++)
            {
                float[] moved = [.. x];
                moved[i] = x[i] + Step;
                double above = objective.Evaluate(moved), width = moved[i];
                moved[i] = x[i] - Step;
                width -= moved[i];
                double below = objective.Evaluate(moved);
                // Central differences err by the third derivative times Step²/6; at the edge of a hinge by up to Step.
                Assert.AreEqual((above - below) / width, gradient[i], 4 * Step, $"{name}, seed {seed}, number {i}");
            }
        }
    }

    [TestMethod]
    public void RadiusOfGyration_OfKnownShapes()
    {
        // Two points 2 apart; a square of side 2.
        Assert.AreEqual(1, LatentObjective.RadiusOfGyration(2).Evaluate([1, 5, 3, 5]), 1e-12);
        Assert.AreEqual(Math.Sqrt(2), LatentObjective.RadiusOfGyration(2).Evaluate([0, 0, 2, 0, 2, 2, 0, 2]), 1e-12);
        var gradient = new float[4];
        Assert.AreEqual(0, LatentObjective.RadiusOfGyration(2).Evaluate([1, 1, 1, 1], gradient));
        Assert.IsTrue(gradient.All(value => value == 0));
    }

    [TestMethod]
    public void BondLengths_PenalisesOutsideOfTheRangeOnly()
    {
        var bonds = LatentObjective.BondLengths(2, 0.9f, 1.1f);
        Assert.AreEqual(0, bonds.Evaluate([0, 0, 1, 0, 1, 1]));
        Assert.AreEqual(0.81, bonds.Evaluate([0, 0, 2, 0, 2, 1]), 1e-6);
        Assert.AreEqual(0.16, bonds.Evaluate([0, 0, 0.5f, 0, 0.5f, 1]), 1e-6);
        var own = LatentObjective.BondLengths(2, [0.9f, 1.9f], [1.1f, 2.1f]);
        Assert.AreEqual(0, own.Evaluate([0, 0, 1, 0, 1, 2]));
        Assert.AreEqual(2 * 0.81, own.Evaluate([0, 0, 2, 0, 2, 1]), 1e-6);
    }

    [TestMethod]
    public void BondLengths_OfPointsInOnePlace_PushesThemApart()
    {
        var gradient = new float[4];
        Assert.AreEqual(0.25, LatentObjective.BondLengths(2, 0.5f, 1).Evaluate([1, 1, 1, 1], gradient), 1e-7);
        CollectionAssert.AreEqual(new float[] { 1, 0, -1, 0 }, gradient);
    }

    [TestMethod]
    public void NonBondedDistances_LeavesNeighboursOut()
    {
        float[] chain = [0, 0, 0.1f, 0, 0.2f, 0, 5, 5];
        Assert.AreEqual(0.09, LatentObjective.NonBondedDistances(2, 0.5f).Evaluate(chain), 1e-6);
        Assert.AreEqual(0, LatentObjective.NonBondedDistances(2, 0.5f, separation: 3).Evaluate(chain));
        // Pairs (0,2), (0,3), (1,3).
        Assert.AreEqual(0.01, LatentObjective.NonBondedDistances(2, [0.3f, 0.5f, 0.5f]).Evaluate(chain), 1e-6);
    }

    [TestMethod]
    public void Evaluate_WrongSizes_NameTheObjective()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => LatentObjective.RadiusOfGyration(2).Evaluate([1, 2, 3])).Message, "RadiusOfGyration");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => LatentObjective.RadiusOfGyration(2).Evaluate([])).Message, "RadiusOfGyration");
        StringAssert.Contains(
            Assert.ThrowsExactly<ArgumentException>(() => LatentObjective.BondLengths(2, [1f, 1f], [2f, 2f]).Evaluate(new float[8])).Message, "4 points and 3 such pairs");
        StringAssert.Contains(
            Assert.ThrowsExactly<ArgumentException>(() => (1 * LatentObjective.NonBondedDistances(2, [1f, 1f])).Target(1).Evaluate(new float[8])).Message, "4 points and 3 such pairs");
        Assert.ThrowsExactly<ArgumentException>(() => LatentObjective.RadiusOfGyration(2).Evaluate([1, 2], new float[3]));
    }

    [TestMethod]
    public void Factories_WrongArguments_NameThem()
    {
        Assert.AreEqual("dimensions", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => LatentObjective.RadiusOfGyration(0)).ParamName);
        Assert.AreEqual("minimum", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => LatentObjective.BondLengths(2, -1, 1)).ParamName);
        Assert.AreEqual("maximum", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => LatentObjective.BondLengths(2, 2, 1)).ParamName);
        Assert.AreEqual("maximum", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => LatentObjective.BondLengths(2, 0, float.PositiveInfinity)).ParamName);
        Assert.AreEqual("maximum", Assert.ThrowsExactly<ArgumentException>(() => LatentObjective.BondLengths(2, [1f], [2f, 3f])).ParamName);
        Assert.AreEqual("minimum", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => LatentObjective.NonBondedDistances(2, float.NaN)).ParamName);
        Assert.AreEqual("separation", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => LatentObjective.NonBondedDistances(2, 1, 0)).ParamName);
        Assert.ThrowsExactly<ArgumentException>(() => LatentObjective.NonBondedDistances(2, ReadOnlySpan<float>.Empty));
        Assert.ThrowsExactly<ArgumentNullException>(() => LatentObjective.Create(null!));
        Assert.AreEqual("value", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => LatentObjective.RadiusOfGyration(2).Target(double.NaN)).ParamName);
        Assert.AreEqual("weight", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => double.NaN * LatentObjective.RadiusOfGyration(2)).ParamName);
        Assert.ThrowsExactly<ArgumentNullException>(() => LatentObjective.RadiusOfGyration(2) + null!);
    }
}
