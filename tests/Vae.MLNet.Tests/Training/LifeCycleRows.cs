using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tests.Training;

/// <summary>Small data and options for tests of a training's life.</summary>
internal static class LifeCycleRows
{
    public const int Features = 6;

    public static VaeTrainer.Options Options { get; } = new()
    {
        LatentDimension = 2,
        HiddenLayers = [16],
        BatchSize = 32,
        Epochs = 4,
        Threads = 1,
        Scaling = InputScaling.None,
        LearningRate = 3e-3f,
        Seed = 7,
    };

    public sealed class Row
    {
        public float[] Features { get; set; } = [];

        public float Weight { get; set; } = 1;
    }

    /// <summary>Rows on a curved surface; the same for the same seed.</summary>
    public static Row[] Make(int rows, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows).Select(_ =>
        {
            double a = random.NextDouble() * 6, b = random.NextDouble();
            return new Row { Features = [.. Enumerable.Range(0, Features).Select(j => (float)(Math.Sin(a + j * b) + 0.05 * random.NextDouble()))] };
        })];
    }

    public static IDataView View(MLContext context, IEnumerable<Row> rows, int features = Features)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition["Features"].ColumnType = new VectorDataViewType(NumberDataViewType.Single, features);
        return context.Data.LoadFromEnumerable(rows, definition);
    }

    public static VaeTransformer Fit(VaeTrainer.Options options, IEnumerable<Row> rows, IEnumerable<Row>? validation = null, MLContext? context = null)
    {
        context ??= new MLContext(seed: 1);
        var trainer = context.Vae.VariationalAutoencoder("Latent", "Features", options);
        return trainer.Fit(View(context, rows), validation is null ? null : View(context, validation));
    }

    /// <summary>Every byte of a model that a user can come by.</summary>
    public static byte[] Bytes(VaeTransformer model) => [.. model.Model.ToDecoderOnnx(), .. model.Model.ToEncoderOnnx()];

    public static void SameBytes(VaeTransformer expected, VaeTransformer found) =>
        CollectionAssert.AreEqual(Bytes(expected), Bytes(found), "The two models differ.");

    /// <summary>Reports on the thread of the training, unlike <see cref="Progress{T}"/>.</summary>
    public sealed class Reports(Action<VaeTrainingProgress> action) : IProgress<VaeTrainingProgress>
    {
        public void Report(VaeTrainingProgress value) => action(value);
    }
}
