using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>A trained model as files, in ONNX and in ML.NET's own format, and back again.</summary>
internal static class ModelFiles
{
    public static void Run(MLContext ml, string folder)
    {
        string In(string name) => Path.Combine(folder, name);
        var measurements = Measurement.Draw(300, seed: 3);
        IDataView rows = ml.Data.LoadFromEnumerable(measurements);
        var options = new VaeTrainer.Options { LatentDimension = 2, HiddenLayers = [16], Epochs = 10, Seed = 1, SelfCheck = false };
        var chain = ml.Transforms.NormalizeMeanVariance("Scaled", "Features", fixZero: false)
            .Append(ml.Vae.VariationalAutoencoder("Latent", "Scaled", options))
            .Fit(rows);
        var transformer = chain.LastTransformer;
        var model = transformer.Model;
        Expect.That(model is { FeatureCount: 3, LatentDimension: 2, Options.Epochs: 10 } && model.ParameterCount > 100,
            "the model knows its sizes and options");
        float[] features = [0.5f, -0.5f, 1], latent = [0.3f, -0.7f];

        // Decoders and encoders for Vae.MLNet.Inference: of the transform or of its model, by name or as bytes, in full or half precision.
        using var decoder = VaeDecoder.Load(model.ToDecoderOnnx(withGradient: true));
        float[] decoded = decoder.Decode(latent);
        var half = new OnnxExportOptions { WeightType = OnnxWeightType.Float16, WithGradient = false };
        transformer.ExportDecoder(In("decoder.onnx"));
        model.ExportDecoder(In("decoder2.onnx"), withGradient: false);
        var report = transformer.ExportDecoder(In("decoder-half.onnx"), half);
        Expect.That(report.LargestError < 0.05 && report.Bytes == model.ExportDecoder(In("decoder-half2.onnx"), half).Bytes,
            $"half precision is near ({report})");
        foreach (string file in new[] { "decoder.onnx", "decoder2.onnx", "decoder-half.onnx", "decoder-half2.onnx" })
        {
            using var other = VaeDecoder.Load(In(file));
            Expect.Near(other.Decode(latent), decoded, Tolerance(file), $"a number that '{file}' decodes");
        }

        using var encoder = VaeEncoder.Load(model.ToEncoderOnnx());
        float[] encoded = encoder.Encode(features);
        transformer.ExportEncoder(In("encoder.onnx"));
        model.ExportEncoder(In("encoder2.onnx"));
        transformer.ExportEncoder(In("encoder-half.onnx"), half);
        model.ExportEncoder(In("encoder-half2.onnx"), half);
        foreach (string file in new[] { "encoder.onnx", "encoder2.onnx", "encoder-half.onnx", "encoder-half2.onnx" })
        {
            using var other = VaeEncoder.Load(In(file));
            Expect.Near(other.Encode(features), encoded, Tolerance(file), $"a number that '{file}' encodes");
        }

        // The whole pipeline, raw numbers to latent, as one graph.
        var whole = ml.Vae.ExportPipeline(chain, rows.Schema, In("pipeline.onnx"), new PipelineExportOptions { Reconstruction = true });
        Expect.That(whole.LargestError <= whole.Tolerance, $"the graph gives what the pipeline gives ({whole})");
        float[] first = chain.Transform(rows).GetColumn<float[]>("Latent").First();
        using (var pipeline = VaeEncoder.Load(In("pipeline.onnx")))
            Expect.Near(pipeline.Encode(measurements[0].Features), first, 1e-4, "a number that the exported pipeline encodes");

        // The model itself, weights and options, from any of these files and from a saved pipeline.
        model.Save(In("model.onnx"));
        ml.Vae.SaveModel(chain, rows.Schema, In("pipeline.zip"));
        using var stream = File.OpenRead(In("model.onnx"));
        VaeModel[] models =
        [
            VaeModel.FromOnnx(In("model.onnx")),
            VaeModel.FromOnnx(model.ToOnnx()),
            VaeModel.FromOnnx(stream),
            VaeModel.FromPipeline(In("pipeline.zip")),
        ];
        foreach (var read in models)
        {
            using var same = VaeDecoder.Load(read.ToDecoderOnnx());
            Expect.Near(same.Decode(latent), decoded, 1e-6, "a number that a model read back decodes");
        }
        Expect.That(ml.Vae.ExtractModels(In("pipeline.zip")).Count == 1, "the pipeline has one model");
        ml.Vae.ExtractDecoder(In("pipeline.zip"), In("extracted.onnx"));
        using var extracted = VaeDecoder.Load(In("extracted.onnx"));
        Expect.Near(extracted.Decode(latent), decoded, 1e-6, "a number that the extracted decoder decodes");

        // What ML.NET loads computes row by row; rehydrated, it computes in blocks.
        var loaded = ml.Model.Load(In("pipeline.zip"), out _);
        foreach (var rehydrated in new[] { ml.Vae.Rehydrate(loaded), ml.Vae.Rehydrate(loaded, ignoreSlotNames: true) })
        {
            Expect.That(((TransformerChain<ITransformer>)rehydrated).LastTransformer is VaeTransformer,
                "a rehydrated pipeline ends in the autoencoder");
            Expect.Near(rehydrated.Transform(rows).GetColumn<float[]>("Latent").First(), first, 1e-5, "a number of a rehydrated pipeline");
        }
    }

    private static double Tolerance(string file) => file.Contains("half", StringComparison.Ordinal) ? 0.05 : 1e-6;
}
