using Microsoft.ML;
using Microsoft.ML.Data;
using TorchSharp;
using Vae.MLNet.Model;
using Vae.MLNet.Training;
using static Vae.MLNet.Tests.Training.LifeCycleRows;

namespace Vae.MLNet.Tests.Training;

[TestClass]
public sealed class StreamingTests
{
    private static VaeTrainer.Options Streamed { get; } = Options with { Streaming = new() { ShufflePoolRows = 64, SampleRows = 1000 } };

    [TestMethod]
    public void Fit_SameSeedSameBytes()
    {
        var options = Streamed with { ValidationFraction = 0.2f, InputMasking = 0.1f, Scaling = InputScaling.Standardize };
        using var first = Fit(options, Make(300));
        using var second = Fit(options, Make(300));
        SameBytes(first, second);
    }

    [TestMethod]
    public void Fit_LearnsAsWellAsInMemory()
    {
        var rows = Make(1500);
        var validation = Make(300, seed: 9);
        using var memory = Fit(Options with { Epochs = 15, Scaling = InputScaling.Standardize }, rows, validation);
        using var streamed = Fit(Streamed with { Epochs = 15, Scaling = InputScaling.Standardize }, rows, validation);
        double expected = memory.History!.Epochs[^1].ValidationLoss!.Value, found = streamed.History!.Epochs[^1].ValidationLoss!.Value;
        // Another order of the rows is another training; both come to about the same.
        Assert.IsTrue(Math.Abs(found - expected) < 0.2 * expected, $"in memory {expected}, streamed {found}");
        Assert.AreEqual(1500, streamed.History.TrainingRows);
        Assert.AreEqual(300, streamed.History.ValidationRows);
        // Welford against two passes; all rows are in the sample, so that the rest agrees as well as the weights do.
        for (int j = 0; j < Features; j++)
        {
            Assert.AreEqual(memory.Model.Scale.Offset[j], streamed.Model.Scale.Offset[j], 1e-6);
            Assert.AreEqual(memory.Model.Scale.Factor[j], streamed.Model.Scale.Factor[j], 1e-5);
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(64)]
    [DataRow(1000)]
    public void Shuffled_GivesEveryRowOnce_InAnOrderOfItsOwn(int pool)
    {
        const int Rows = 500;
        var orders = new List<long[]>();
        foreach (int epoch in new[] { 1, 2, 1 })
            orders.Add(Order(Rows, pool, epoch));
        foreach (long[] order in orders)
            CollectionAssert.AreEquivalent(Enumerable.Range(0, Rows).Select(i => (long)i).ToArray(), order);
        CollectionAssert.AreEqual(orders[0], orders[2]);
        if (pool == 1)
        {
            CollectionAssert.AreEqual(orders[0].Order().ToArray(), orders[0]);
            return;
        }
        Assert.IsFalse(orders[0].SequenceEqual(orders[1]));
        // A row waits in the pool for about as many rows as it holds: no row comes earlier than that.
        for (int i = 0; i < Rows; i++)
            Assert.IsTrue(orders[0][i] <= i + pool);
        Assert.IsTrue(orders[0].Select((row, i) => Math.Abs(row - i)).Average() > Math.Min(pool, Rows) * 0.25);
    }

    [TestMethod]
    public void Fit_ValidationFraction_SplitsByRow()
    {
        using var random = Fit(Streamed with { ValidationFraction = 0.3f }, Make(1000));
        Assert.AreEqual(1000, random.History!.TrainingRows + random.History.ValidationRows);
        // Five standard deviations of a binomial.
        Assert.AreEqual(300, random.History.ValidationRows, 5 * Math.Sqrt(1000 * 0.3 * 0.7));

        using var last = Fit(Streamed with { ValidationFraction = 0.3f, ValidationSelection = ValidationSelection.LastRows }, Make(1000));
        using var given = Fit(Streamed, Make(1000)[..700], Make(1000)[700..]);
        Assert.AreEqual(300, last.History!.ValidationRows);
        CollectionAssert.AreEqual(given.Model.Parameters, last.Model.Parameters);
        Assert.AreEqual(given.History!.Epochs[^1].ValidationLoss, last.History.Epochs[^1].ValidationLoss);
    }

    [TestMethod]
    public void Fit_RowsOfWeightZero_AreAsIfTheyWereNotThere()
    {
        var rows = Make(300);
        for (int i = 0; i < rows.Length; i++)
            rows[i].Weight = i % 3;
        rows[3].Features[0] = float.NaN;
        var options = Streamed with { ExampleWeightColumnName = "Weight" };
        using var all = Fit(options, rows);
        using var counted = Fit(options, rows.Where(row => row.Weight > 0));
        SameBytes(counted, all);
    }

    [TestMethod]
    public void Fit_SourceThatChangesBetweenPasses_IsAnError()
    {
        foreach (int change in new[] { -1, 1 })
        {
            int pass = 0;
            IEnumerable<Row> Rows() => Make(200 + change * pass++);
            var error = Assert.ThrowsExactly<InvalidOperationException>(() => Fit(Streamed, Enumerate(Rows)));
            StringAssert.Contains(error.Message, "200 rows");
        }
    }

    [TestMethod]
    public void Fit_SourceThatThrows_GivesItsErrorToTheCaller()
    {
        int pass = 0;
        IEnumerable<Row> Rows()
        {
            int own = pass++;
            foreach (var row in Make(200))
                yield return own == 2 && row.Features[0] > 0.5f ? throw new TimeoutException("The disk sleeps.") : row;
        }
        Assert.ThrowsExactly<TimeoutException>(() => Fit(Streamed, Enumerate(Rows)));
    }

    [TestMethod]
    public void Fit_Cancelled_EndsTheReadingThread()
    {
        using var cancellation = new CancellationTokenSource();
        Thread? reading = null;
        IEnumerable<Row> Rows()
        {
            reading = Thread.CurrentThread;
            foreach (var row in Make(5000))
                yield return row;
        }
        var options = Streamed with
        {
            Epochs = 100_000,
            CancellationToken = cancellation.Token,
            Progress = new Reports(_ => cancellation.Cancel()),
        };
        Assert.ThrowsExactly<OperationCanceledException>(() => Fit(options, Enumerate(Rows)));
        Assert.AreNotSame(Thread.CurrentThread, reading);
        Assert.IsFalse(reading!.IsAlive);
    }

    [TestMethod]
    public void Fit_MaximumSteps_EndsWithinAnEpoch()
    {
        using var model = Fit(Streamed with { MaximumSteps = 3 }, Make(2000));
        Assert.AreEqual(1, model.History!.Epochs.Count);
    }

    [TestMethod]
    public void Fit_LeavesNoTensorBehind()
    {
        var options = Streamed with { ValidationFraction = 0.2f, Scaling = InputScaling.RobustAsinh };
        Fit(options, Make(300)).Dispose();
        long before = torch.Tensor.TotalCount;
        Fit(options, Make(300)).Dispose();
        // Other classes' tests run beside this one: what counts is that a training's hundreds are not there.
        Assert.IsTrue(torch.Tensor.TotalCount - before < 100, $"{torch.Tensor.TotalCount - before} more tensors");
    }

    [TestMethod]
    public void Survey_SampleIsEven()
    {
        // Row i holds i: the mean of an even sample of 0 ... n - 1 is near (n - 1) / 2, within five standard errors.
        const int Rows = 20_000, Sample = 500;
        var context = new MLContext(seed: 1);
        var view = View(context, Numbered(Rows), features: 1);
        var options = Options with { Streaming = new() { SampleRows = Sample } };
        var statistics = StreamStatistics.Of(view, "Features", 1, options, RowFilter.All, null);
        Assert.AreEqual(Rows, statistics.Training);
        Assert.AreEqual(Sample, statistics.Sample.Rows);
        Assert.AreEqual((Rows - 1) / 2.0, statistics.Sample.Features.Average(), 5 * Rows / Math.Sqrt(12 * Sample));
        Assert.AreEqual(Sample, statistics.Sample.Features.Distinct().Count());
    }

    private static long[] Order(int rows, int pool, int epoch)
    {
        var context = new MLContext(seed: 1);
        var options = Options with { Streaming = new() { ShufflePoolRows = pool } };
        using var scope = torch.NewDisposeScope();
        using var source = new StreamedRows(View(context, Numbered(rows), features: 1), "Features", 1, options, RowFilter.All, rows, InputScale.None, torch.CPU);
        using var batches = source.Shuffled(epoch, 32);
        var order = new List<long>();
        while (batches.TryNext(out var batch))
            order.AddRange(batch.Features.data<float>().ToArray().Select(value => (long)value));
        return [.. order];
    }

    private static IEnumerable<Row> Numbered(int rows) => Enumerable.Range(0, rows).Select(i => new Row { Features = [i] });

    /// <summary>A sequence that is made anew for each pass and whose length nobody knows.</summary>
    private static IEnumerable<Row> Enumerate(Func<IEnumerable<Row>> make)
    {
        foreach (var row in make())
            yield return row;
    }
}
