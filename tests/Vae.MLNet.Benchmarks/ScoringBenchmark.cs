using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Vae.MLNet.Benchmarks;

/// <summary>The trained encoder in a pipeline and in a PredictionEngine.</summary>
internal static class ScoringBenchmark
{
    private const int Rows = 100_000, Features = 24, Predictions = 20_000;

    public static void Run(string[] args)
    {
        var context = new MLContext(seed: 1);
        var definition = SchemaDefinition.Create(typeof(FeatureRow));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Features);
        var rows = SyntheticRows.Make(Rows, Features).Select(row => new FeatureRow { Features = row }).ToArray();
        var data = context.Data.Cache(context.Data.LoadFromEnumerable(rows, definition));
        using var model = context.Vae.VariationalAutoencoder("Latent", "Features", new() { HiddenLayers = [256, 256, 256], Scaling = InputScaling.None, Epochs = 1 }).Fit(context.Data.TakeRows(data, 5000));

        using var stream = new MemoryStream();
        context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var loaded = context.Model.Load(stream, out _);
        ITransformer rehydrated = context.Vae.Rehydrate(loaded);
        Console.WriteLine(FormattableString.Invariant($"Rehydration of the loaded model: {Paired.Seconds(() => rehydrated = context.Vae.Rehydrate(loaded)) * 1e3:0} ms"));
        byte[] onnx = model.CreateSavedModel();
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        using var session = new InferenceSession(onnx, options);

        var scaled = context.Transforms.NormalizeMinMax("Features").Append(new Wrapped(model)).Fit(data);

        Paired.Run($"{Rows} rows of {Features} through a pipeline, one thread", "row", Rows, rounds: 5,
            new("OnnxTransformer, row by row (the model loaded without this library)", () => Paired.Seconds(() => Read(loaded.Transform(data)))),
            new("raw OnnxRuntime, batches of 256", () => Paired.Seconds(() => Raw(session, rows, 256))),
            new("the loaded model rehydrated", () => Paired.Seconds(() => Read(rehydrated.Transform(data)))),
            new("VaeTransformer", () => Paired.Seconds(() => Read(model.Transform(data)))),
            new("NormalizeMinMax, then VaeTransformer", () => Paired.Seconds(() => Read(scaled.Transform(data)))));

        using var ours = context.Model.CreatePredictionEngine<FeatureRow, Prediction>(new Undisposed(model), true, definition);
        using var theirs = context.Model.CreatePredictionEngine<FeatureRow, Prediction>(loaded, true, definition);
        Paired.Run("One prediction", "call", Predictions, rounds: 5,
            new("raw OnnxRuntime, one row", () => Paired.Seconds(() => Raw(session, rows[..Predictions], 1))),
            new("PredictionEngine on OnnxTransformer", () => Paired.Seconds(() => Predict(theirs, rows))),
            new("PredictionEngine on VaeTransformer", () => Paired.Seconds(() => Predict(ours, rows))));
    }

    private static void Read(IDataView view)
    {
        using var cursor = view.GetRowCursor([view.Schema["Latent"]]);
        var getter = cursor.GetGetter<VBuffer<float>>(view.Schema["Latent"]);
        VBuffer<float> latent = default;
        while (cursor.MoveNext())
            getter(ref latent);
    }

    private static void Predict(PredictionEngine<FeatureRow, Prediction> engine, FeatureRow[] rows)
    {
        var prediction = new Prediction();
        for (int i = 0; i < Predictions; i++)
            engine.Predict(rows[i], ref prediction);
    }

    private static void Raw(InferenceSession session, FeatureRow[] rows, int batch)
    {
        using var runOptions = new RunOptions();
        using var input = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, [batch, Features]);
        using var output = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, [batch, 2]);
        var latents = new float[batch * 2];
        for (int start = 0; start + batch <= rows.Length; start += batch)
        {
            var target = input.GetTensorMutableDataAsSpan<float>();
            for (int i = 0; i < batch; i++)
                rows[start + i].Features.CopyTo(target[(i * Features)..]);
            session.Run(runOptions, ["Features"], [input], ["Latent"], [output]);
            output.GetTensorDataAsSpan<float>().CopyTo(latents);
        }
    }

    private sealed class Prediction
    {
        public float[]? Latent { get; set; }
    }

    /// <summary>A fitted model as an estimator, to be chained.</summary>
    private sealed class Wrapped(ITransformer model) : IEstimator<ITransformer>
    {
        public ITransformer Fit(IDataView input) => new Undisposed(model);

        public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema;
    }

    /// <summary>Keeps a PredictionEngine or chain from disposing the model.</summary>
    private sealed class Undisposed(ITransformer model) : ITransformer
    {
        public bool IsRowToRowMapper => true;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => model.GetOutputSchema(inputSchema);

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => model.GetRowToRowMapper(inputSchema);

        public IDataView Transform(IDataView input) => model.Transform(input);

        void ICanSaveModel.Save(ModelSaveContext ctx) => model.Save(ctx);
    }
}
