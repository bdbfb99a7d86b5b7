using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>An autoencoder of a protein family: trained, asked for variants and new sequences, saved and exported.</summary>
internal static class SequenceModels
{
    public static void Run(MLContext ml, string folder, string own)
    {
        string In(string name) => Path.Combine(own, name);
        var alignment = Family.Alignment(300, seed: 1).WithSequenceWeights();
        var trainer = ml.Vae.SequenceAutoencoder(options: new SequenceVaeTrainer.Options
        {
            EnsembleMembers = 2,
            LatentDimension = 2,
            HiddenLayers = [32],
            MaximumSteps = 400,
            StepsPerEpoch = 100,
            LearningRate = 0.005f,
            WeightColumnName = SequenceAlignment.WeightColumn,
            Seed = 1,
        });
        Expect.That(trainer.GetOutputSchema(RowShape.Of<WeighedTokenRow>(ml)).Any(column => column.Name == "Latent"),
            "the trainer promises its column");
        using var transformer = trainer.Fit(alignment);
        var model = transformer.Model;
        Expect.That(model is { LatentDimension: 2, Members.Count: 2 } && transformer.Histories.Count == 2,
            "the model knows its sizes and how it was trained");

        // Variants: a usual letter, and one never seen.
        var variants = ml.Vae.ScoreVariants(model, ["I3V", "A1W", "C1W"], new VariantScoringOptions { Samples = 20 });
        Expect.That(variants[0].Score > variants[1].Score + 1 && variants[2].Status == VariantStatus.ReferenceMismatch,
            "a usual letter scores above one never seen");
        var all = ml.Vae.ScoreAllSubstitutions(model, new VariantScoringOptions { Samples = 4 });
        Expect.That(all.Count == 12 * 19 && all.All(variant => variant.Score is not null), "every substitution is scored");

        // Whole sequences: what belongs to the family, and what does not.
        var mixed = SequenceAlignment.FromSequences(model.Layout, [Family.Reference, "WWWWWWWWWWWW"]);
        var bounds = ml.Vae.ScoreSequences(model, mixed, new VariantScoringOptions { Samples = 20 });
        Expect.That(bounds[0] > bounds[1] + 10, "a sequence of the family scores above one that is not");

        // New ones.
        var generated = ml.Vae.SampleSequences(model, 100, new SequenceGenerationOptions { Seed = 1 });
        Expect.That(generated.Count == 100 && SequenceStatistics.CompareSingleSites(alignment, generated).Pearson > 0.8,
            "new sequences are like the family");

        // The model with all its members, and back.
        model.Save(In("sequences.onnx"));
        ml.Vae.SaveModel(transformer, alignment.Schema, In("sequences.zip"));
        float[] latent = transformer.Transform(mixed).GetColumn<float[]>("Latent").First();
        SequenceVaeModel[] models =
        [
            model,
            SequenceVaeModel.FromOnnx(In("sequences.onnx")),
            SequenceVaeModel.FromOnnx(model.ToOnnx()),
            SequenceVaeModel.FromPipeline(In("sequences.zip")),
        ];
        foreach (var read in models)
        {
            using var encoder = read.CreateEncoder();
            using var decoder = read.CreateDecoder(withGradient: false);
            Expect.Near(encoder.Encode(Family.Reference).Mean, latent, 1e-5, "a number of the reference's latent");
            Expect.That(decoder.MostProbable(latent)[0] == 'A', "the first letter comes back");
        }

        // What the program Infer starts from.
        model.ExportDecoder(Path.Combine(folder, "sequence-decoder.onnx"));
        model.ExportEncoder(Path.Combine(folder, "sequence-encoder.onnx"));
        model.ExportEncoder(In("one-hot.onnx"), input: SequenceInput.OneHot);
        using var oneHot = VaeEncoder.Load(In("one-hot.onnx"));
        Expect.Near(oneHot.Encode(model.Layout.OneHot(mixed.Row(0))), latent, 1e-5, "a number of the latent from one-hot groups");
    }

    private sealed class WeighedTokenRow
    {
        [VectorType(12)]
        public long[] Tokens { get; set; } = [];

        public float Weight { get; set; }
    }
}
