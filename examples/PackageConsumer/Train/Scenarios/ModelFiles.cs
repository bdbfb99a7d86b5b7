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
        var chain = ml.Transforms.NormalizeMeanVariance("Scaled", "Features", fixZero: false)
            .Append(ml.Vae.VariationalAutoencoder("Latent", "Scaled", new() { LatentDimension = 2, HiddenLayers = [16], Epochs = 10, Seed = 1, SelfCheck = false }))
            .Fit(rows);
        var transformer = chain.LastTransformer;
        var model = transformer.Model;
        Expect.That(model is { FeatureCount: 3, LatentDimension: 2, Options.Epochs: 10 } && model.ParameterCount > 100, "the model knows its sizes and options");
        float[] features = [0.5f, -0.5f, 1], latent = [0.3f, -0.7f];

        // Decoders and encoders for Vae.MLNet.Inference: of the transform or of its model, by name or as bytes, in full or half precision.
        using var decoder = VaeDecoder.Load(model.ToDecoderOnnx(withGradient: true));
        float[] decoded = decoder.Decode(latent);
        var half = new OnnxExportOptions { WeightType = OnnxWeightType.Float16, WithGradient = false };
        transformer.ExportDecoder(In("decoder.onnx"));
        model.ExportDecoder(In("decoder2.onnx"), withGradient: false);
        var report = transformer.ExportDecoder(In("decoder-half.onnx"), half);
        Expect.That(report.LargestError < 0.05 && report.Bytes == model.ExportDecoder(In("decoder-half2.onnx"), half).Bytes, $"half precision is near ({report})");
        foreach (var (file, tolerance) in new[] { ("decoder.onnx", 1e-6), ("decoder2.onnx", 1e-6), ("decoder-half.onnx", 0.05), ("decoder-half2.onnx", 0.05) })
        {
            using var other = VaeDecoder.Load(In(file));
            Expect.Near(other.Decode(latent), decoded, tolerance, $"a number that '{file}' decodes to be");
        }

        using var encoder = VaeEncoder.Load(model.ToEncoderOnnx());
        float[] encoded = encoder.Encode(features);
        transformer.ExportEncoder(In("encoder.onnx"));
        model.ExportEncoder(In("encoder2.onnx"));
        transformer.ExportEncoder(In("encoder-half.onnx"), half);
        model.ExportEncoder(In("encoder-half2.onnx"), half);
        foreach (var (file, tolerance) in new[] { ("encoder.onnx", 1e-6), ("encoder2.onnx", 1e-6), ("encoder-half.onnx", 0.05), ("encoder-half2.onnx", 0.05) })
        {
            using var other = VaeEncoder.Load(In(file));
            Expect.Near(other.Encode(features), encoded, tolerance, $"a number that '{file}' encodes to be");
        }

        // The whole pipeline, raw numbers to latent, as one graph.
        var whole = ml.Vae.ExportPipeline(chain, rows.Schema, In("pipeline.onnx"), new PipelineExportOptions { Reconstruction = true });
        Expect.That(whole.LargestError <= whole.Tolerance, $"the graph gives what the pipeline gives ({whole})");
        float[] first = chain.Transform(rows).GetColumn<float[]>("Latent").First();
        using (var pipeline = VaeEncoder.Load(In("pipeline.onnx")))
            Expect.Near(pipeline.Encode(measurements[0].Features), first, 1e-4, "a number that the exported pipeline encodes to be");

        // The model itself, weights and options, from any of these files and from a saved pipeline.
        model.Save(In("model.onnx"));
        ml.Vae.SaveModel(chain, rows.Schema, In("pipeline.zip"));
        using var stream = File.OpenRead(In("model.onnx"));
        foreach (var read in new[] { VaeModel.FromOnnx(In("model.onnx")), VaeModel.FromOnnx(model.ToOnnx()), VaeModel.FromOnnx(stream), VaeModel.FromPipeline(In("pipeline.zip")) })
        {
            using var same = VaeDecoder.Load(read.ToDecoderOnnx());
            Expect.Near(same.Decode(latent), decoded, 1e-6, "a number that a model read back decodes to be");
        }
        Expect.That(ml.Vae.ExtractModels(In("pipeline.zip")).Count == 1, "the pipeline has one model");
        ml.Vae.ExtractDecoder(In("pipeline.zip"), In("extracted.onnx"));
        Expect.FileIsThere(In("extracted.onnx"));

        // What ML.NET loads computes row by row; rehydrated, it computes in blocks.
        var loaded = ml.Model.Load(In("pipeline.zip"), out _);
        foreach (var rehydrated in new[] { ml.Vae.Rehydrate(loaded), ml.Vae.Rehydrate(loaded, ignoreSlotNames: true) })
        {
            Expect.That(((TransformerChain<ITransformer>)rehydrated).LastTransformer is VaeTransformer, "a rehydrated pipeline ends in the autoencoder");
            Expect.Near(rehydrated.Transform(rows).GetColumn<float[]>("Latent").First(), first, 1e-5, "a number of a rehydrated pipeline to be");
        }
    }
}
