using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Onnx;

namespace Vae.MLNet.Tests.Scoring;

[TestClass]
public sealed class RehydrateTests
{
    private static readonly VaeTrainer.Options Small = new() { LatentDimension = 3, HiddenLayers = [16, 8], Epochs = 1, BatchSize = 64, Threads = 1 };

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Rehydrate_SameColumnsSameNumbers(bool score)
    {
        var context = new MLContext(seed: 1);
        var data = Workout.Load(context, TestRows.Curved(700, 6));
        var options = Small with { StandardDeviationColumnName = "Deviation", ReconstructionColumnName = "Back", ScoreColumnName = score ? "Oddness" : null };
        var chain = context.Transforms.NormalizeMinMax("Scaled", Workout.Input)
            .Append(context.Vae.VariationalAutoencoder("Latent", "Scaled", options))
            .Append(context.Clustering.Trainers.KMeans("Latent", numberOfClusters: 3)).Fit(data);
        var nested = new TransformerChain<ITransformer>([context.Transforms.CopyColumns("Copy", Workout.Input).Fit(data), chain], [TransformerScope.Training, TransformerScope.Everything]);
        var loaded = SaveAndLoad(context, nested, data.Schema);

        var rehydrated = (TransformerChain<ITransformer>)context.Vae.Rehydrate(loaded);
        var inner = (TransformerChain<ITransformer>)rehydrated.Last();
        var vae = inner.OfType<VaeTransformer>().Single();
        Assert.IsFalse(inner.OfType<OnnxTransformer>().Any());
        Assert.AreEqual(chain.ElementAt(1) is VaeTransformer original ? original.Model.Options.ToJson() : "", vae.Model.Options.ToJson());
        Assert.AreEqual("Latent", vae.LatentColumnName);
        Assert.IsNull(rehydrated.Transform(data).Schema.GetColumnOrNull("Copy"), "Scopes stay: the copy is for training only.");
        Assert.IsNotNull(rehydrated.Transform(data, TransformerScope.Training).Schema.GetColumnOrNull("Copy"));

        var (before, after) = (loaded.Transform(data), rehydrated.Transform(data));
        Assert.AreEqual(Describe(before.Schema), Describe(after.Schema));
        var drop = context.Transforms.DropColumns("PredictedLabel");
        Workout.AssertSame(Workout.ReadAll(drop.Fit(before).Transform(before)), Workout.ReadAll(drop.Fit(after).Transform(after)), 1e-5, "the rehydrated model");
        Assert.AreSequenceEqual(before.GetColumn<uint>("PredictedLabel").ToArray(), after.GetColumn<uint>("PredictedLabel").ToArray());

        // It can be saved again, and what has nothing of ours is left alone.
        var again = SaveAndLoad(context, rehydrated, data.Schema);
        Assert.AreEqual(Describe(before.Schema), Describe(again.Transform(data).Schema));
        Assert.AreSame(rehydrated, context.Vae.Rehydrate(rehydrated));
        var foreign = context.Transforms.NormalizeMinMax("Scaled", Workout.Input).Fit(data);
        Assert.AreSame(foreign, context.Vae.Rehydrate(foreign));
    }

    [TestMethod]
    public void Rehydrate_ScoreBesideAScoreOfTheData()
    {
        // The saved chain puts the data's own Score aside: it stays a chain, and only the graph in it is batched.
        var context = new MLContext(seed: 1);
        var rows = Workout.Load(context, TestRows.Curved(300, 6));
        var data = context.Transforms.CopyColumns("Score", Workout.Input).Fit(rows).Transform(rows);
        using var model = context.Vae.VariationalAutoencoder("Latent", Workout.Input, Small with { ScoreColumnName = "Oddness" }).Fit(data);
        var loaded = SaveAndLoad(context, model, data.Schema);
        var rehydrated = context.Vae.Rehydrate(loaded);
        Assert.AreNotSame(loaded, rehydrated);
        Assert.IsTrue(((TransformerChain<ITransformer>)rehydrated).OfType<FittedTransformer>().Any());
        Assert.AreEqual(Describe(loaded.Transform(data).Schema), Describe(rehydrated.Transform(data).Schema));
        Workout.AssertSame(Workout.ReadAll(loaded.Transform(data)), Workout.ReadAll(rehydrated.Transform(data)), 1e-5, "the rehydrated model");
    }

    private static ITransformer SaveAndLoad(MLContext context, ITransformer model, DataViewSchema schema)
    {
        using var stream = new MemoryStream();
        context.Model.Save(model, schema, stream);
        stream.Position = 0;
        return new MLContext(seed: 1).Model.Load(stream, out _);
    }

    private static string Describe(DataViewSchema schema) => string.Join("; ", schema.Where(column => !column.IsHidden).Select(column => $"{column.Name}: {column.Type} {column.HasSlotNames()}"));
}
