namespace Vae.MLNet.Inference.Tests;

[TestClass]
public sealed class VaeDecoderOptimizeTests
{
    private static readonly float[] Start = [0.8f, -0.6f];

    [TestMethod]
    [DataRow(LatentOptimizer.GradientDescent)]
    [DataRow(LatentOptimizer.Momentum)]
    [DataRow(LatentOptimizer.Adam)]
    public void Optimize_EveryRule_LowersTheObjective(LatentOptimizer optimizer)
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var result = decoder.Optimize(LatentObjective.RadiusOfGyration(2), Start, new() { Optimizer = optimizer, Steps = 100, LearningRate = 0.02f });
        Assert.AreEqual(101, result.Path.Count);
        Assert.HasCount(101, result.Values);
        CollectionAssert.AreEqual(Start, result.Path.Latent(0).ToArray());
        Assert.IsLessThan(0.9 * result.Values[0], result.BestValue);
        Assert.AreEqual(result.Values.Min(), result.BestValue);
        CollectionAssert.AreEqual(result.Path.Output(result.BestIndex).ToArray(), result.BestOutput.ToArray());
        TestModels.AssertClose(TestModels.Doubles(decoder.Decode(result.BestLatent)), result.BestOutput, 1e-6);
        Assert.AreEqual(LatentObjective.RadiusOfGyration(2).Evaluate(result.BestOutput), result.BestValue, 1e-9);
        var again = decoder.Optimize(LatentObjective.RadiusOfGyration(2), Start, new() { Optimizer = optimizer, Steps = 100, LearningRate = 0.02f });
        CollectionAssert.AreEqual(result.Values.ToArray(), again.Values.ToArray());
    }

    [TestMethod]
    public void Optimize_GradientDescent_FollowsTheGradient()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var objective = LatentObjective.RadiusOfGyration(2);
        float[] cotangent = new float[24], gradient = new float[2];
        objective.Evaluate(decoder.Decode(Start), cotangent);
        decoder.Gradient(Start, cotangent, gradient);
        var result = decoder.Optimize(objective, Start, new() { Optimizer = LatentOptimizer.GradientDescent, Steps = 1, LearningRate = 0.1f, PriorWeight = 0.5f });
        TestModels.AssertClose([.. Start.Select((z, i) => z - 0.1 * (gradient[i] + 0.5 * z))], result.Path.Latent(1), 1e-6);
        Assert.AreEqual(result.Objectives[0] + 0.25 * (0.64 + 0.36), result.Values[0], 1e-6);
    }

    [TestMethod]
    public void Optimize_Target_IsReached()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var objective = LatentObjective.RadiusOfGyration(2);
        double wanted = objective.Evaluate(decoder.Decode([-0.5f, 0.9f]));
        var result = decoder.Optimize(objective.Target(wanted), Start, new() { Steps = 400, LearningRate = 0.02f });
        Assert.AreEqual(wanted, objective.Evaluate(result.BestOutput), 0.01 * wanted);
    }

    [TestMethod]
    public void Optimize_OwnObjective_FindsTheLatentBack()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        float[] wanted = [0.3f, -0.2f], target = decoder.Decode(wanted);
        var distance = LatentObjective.Create((x, gradient) =>
        {
            double sum = 0;
            for (int i = 0; i < x.Length; i++)
            {
                double difference = x[i] - target[i];
                gradient[i] = (float)difference;
                sum += 0.5 * difference * difference;
            }
            return sum;
        });
        var result = decoder.Optimize(distance, Start, new() { Steps = 1000, LearningRate = 0.02f, GradientTolerance = 1e-4f });
        Assert.IsTrue(result.Converged);
        Assert.IsLessThan(1001, result.Path.Count);
        TestModels.AssertClose(TestModels.Doubles(wanted), result.BestLatent, 1e-3);
    }

    [TestMethod]
    public void Optimize_PriorAlone_GoesToTheOrigin()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var nothing = LatentObjective.Create((_, _) => 0);
        var result = decoder.Optimize(nothing, [3, -2], new() { PriorWeight = 1, Optimizer = LatentOptimizer.GradientDescent, LearningRate = 0.2f });
        TestModels.AssertClose([0, 0], result.BestLatent, 1e-6);
        Assert.IsTrue(decoder.Optimize(nothing, [3, -2]).Converged);
    }

    [TestMethod]
    public void Optimize_WithoutSteps_GivesTheStart()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        Assert.AreEqual(1, decoder.Optimize(LatentObjective.RadiusOfGyration(2), Start, new() { Steps = 0 }).Path.Count);
    }

    [TestMethod]
    public void Optimize_WrongArguments_NameThem()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var objective = LatentObjective.RadiusOfGyration(2);
        Assert.ThrowsExactly<ArgumentNullException>(() => decoder.Optimize(null!, Start));
        Assert.AreEqual("start", Assert.ThrowsExactly<ArgumentException>(() => decoder.Optimize(objective, [1])).ParamName);
        Assert.AreEqual("start", Assert.ThrowsExactly<ArgumentException>(() => decoder.Optimize(objective, [1, float.PositiveInfinity])).ParamName);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => decoder.Optimize(LatentObjective.RadiusOfGyration(5), Start)).Message, "24 numbers");
        Assert.AreEqual("Steps", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Optimize(objective, Start, new() { Steps = -1 })).ParamName);
        Assert.AreEqual("LearningRate", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Optimize(objective, Start, new() { LearningRate = 0 })).ParamName);
        Assert.AreEqual("Momentum", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Optimize(objective, Start, new() { Momentum = 1 })).ParamName);
        Assert.AreEqual("PriorWeight", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Optimize(objective, Start, new() { PriorWeight = -1 })).ParamName);
        Assert.AreEqual("Optimizer", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => decoder.Optimize(objective, Start, new() { Optimizer = (LatentOptimizer)7 })).ParamName);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => decoder.Optimize(objective, Start, cancellationToken: cancelled.Token));
    }

    [TestMethod]
    public void Optimize_ThatDiverges_SaysWhere()
    {
        using var decoder = VaeDecoder.Load(TestModels.Decoder());
        var bad = LatentObjective.Create((_, _) => double.NaN);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => decoder.Optimize(bad, Start)).Message, "step 0");
        // A failed call leaves the decoder usable.
        Assert.HasCount(24, decoder.Decode(Start));
    }
}
