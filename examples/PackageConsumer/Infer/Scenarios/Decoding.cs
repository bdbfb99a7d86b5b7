using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>A decoder: loaded from a file, a stream or memory, run on one latent or many, with its derivative.</summary>
internal static class Decoding
{
    public static void Run(string folder)
    {
        string file = Path.Combine(folder, "decoder.onnx");
        using var decoder = VaeDecoder.Load(file, new VaeSessionOptions { Threads = 2, MaximumFileSize = 1 << 20 });
        Expect.That(decoder is { LatentDimension: 2, FeatureCount: 12, SupportsGradient: true, HasLogits: false },
            "the decoder knows what it has");
        // What its rows are: six beads in a plane.
        Expect.That(decoder is { DataKind: VaeDataKind.Conformation, Dimensions: 2, FeatureNames.Count: 0, FeatureLow.Count: 12, FeatureHigh.Count: 12 },
            "the decoder knows what its rows are");
        float[] latents = [0.3f, -1.2f, 0, 0.5f];
        float[] one = decoder.Decode(latents.AsSpan(0, 2)), many = new float[24];
        Expect.That(decoder.Decode(latents, many) == 2, "two rows are decoded");
        Expect.Near(many.AsSpan(0, 12), one, 1e-5, "a number decoded with others");

        using (var stream = File.OpenRead(file))
        {
            var fromStream = VaeDecoder.Load(stream);
            Expect.Near(fromStream.Decode(latents.AsSpan(0, 2)), one, 1e-5, "a number from a stream's decoder");
            fromStream.Dispose();
        }
        using (var fromMemory = VaeDecoder.Load(File.ReadAllBytes(file), new VaeSessionOptions { Name = "decoder" }))
            Expect.Near(fromMemory.Decode(latents.AsSpan(0, 2)), one, 1e-5, "a number from a decoder in memory");

        // What the first output number does when a latent moves: the decoder's own derivative, and a difference.
        float[] cotangents = new float[24], gradients = new float[4];
        cotangents[0] = cotangents[12] = 1;
        Expect.That(decoder.Gradient(latents, cotangents, gradients) == 2, "two rows have a gradient");
        float difference = decoder.Decode([0.31f, -1.2f])[0] - decoder.Decode([0.29f, -1.2f])[0];
        Expect.Near(gradients[0], difference / 0.02, 0.02, "the derivative by the first latent");

        // Samples and ways between two latents, as rows or as arrays.
        var samples = decoder.Sample(5, seed: 1, new SampleOptions { Noise = true, Temperature = 0.5f });
        Expect.That(samples.LatentArrays() is { Length: 5 } rows && rows[4].AsSpan().SequenceEqual(samples.Latent(4)),
            "latents come as arrays");
        Expect.That(samples.OutputArrays() is { Length: 5 } outputs && outputs[4].AsSpan().SequenceEqual(samples.Output(4)),
            "outputs come as arrays");
        Expect.That(samples.Latents.Length == 10 && samples.Outputs.Length == 60, "and in one piece");
        var way = decoder.Interpolate([1, 0], [0, 1], steps: 3, InterpolationMode.Spherical);
        Expect.Near(way.Latent(1), [MathF.Sqrt(0.5f), MathF.Sqrt(0.5f)], 1e-5, "the middle of a spherical way");
    }
}
