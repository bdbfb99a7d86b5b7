using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>An encoder: means alone or with standard deviations, of one row or many.</summary>
internal static class Encoding
{
    public static void Run(string folder)
    {
        string file = Path.Combine(folder, "encoder.onnx");
        var encoder = VaeEncoder.Load(file);
        float[] rows = [.. Enumerable.Range(0, 24).Select(i => 0.1f * i - 1)];
        float[] means = new float[4], again = new float[4], deviations = new float[4];
        Expect.That(encoder.Encode(rows, means) == 2 && encoder.Encode(rows, again, deviations) == 2, "two rows are encoded");
        Expect.Near(again, means, 1e-5, "a mean beside a standard deviation");
        var posterior = encoder.EncodePosterior(rows.AsSpan(0, 12));
        Expect.Near(posterior.Mean, means.AsSpan(0, 2), 1e-5, "the mean of one row");
        Expect.Near(posterior.StandardDeviation, deviations.AsSpan(0, 2), 1e-5, "the standard deviation of one row");
        Expect.That(posterior.Equals(encoder.EncodePosterior(rows.AsSpan(0, 12))), "a posterior is its numbers");
        encoder.Dispose();

        using var stream = File.OpenRead(file);
        using var fromStream = VaeEncoder.Load(stream);
        using var fromMemory = VaeEncoder.Load(File.ReadAllBytes(file));
        Expect.Near(fromStream.Encode(rows.AsSpan(0, 12)), means.AsSpan(0, 2), 1e-5, "a number from a stream's encoder");
        Expect.Near(fromMemory.Encode(rows.AsSpan(0, 12)), means.AsSpan(0, 2), 1e-5, "a number from an encoder in memory");
    }
}
