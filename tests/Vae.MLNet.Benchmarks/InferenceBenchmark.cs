using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.Inference;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Benchmarks;

/// <summary>The decoder of the flagship network through Vae.MLNet.Inference, against OnnxRuntime's own API on the same file.</summary>
internal static class InferenceBenchmark
{
    private const int Features = 24, Latent = 2, Rows = 100_000, Block = 256, Single = 10_000, Rounds = 9;

    public static void Run(string[] args)
    {
        byte[] file = VaeGraphs.DecoderFile(Model(), withGradient: true);
        using var decoder = VaeDecoder.Load(file);
        using var options = new SessionOptions { IntraOpNumThreads = 1 };
        using var session = new InferenceSession(file, options);
        using var runOptions = new RunOptions();
        var random = new Random(1);
        float[] latents = [.. Enumerable.Range(0, Rows * Latent).Select(_ => (float)(2 * random.NextDouble() - 1))];
        float[] outputs = new float[Rows * Features], one = new float[Features], gradient = new float[Latent];
        string[] inputNames = ["Latent"], outputNames = ["Reconstruction"];

        Paired.Run("One latent", "call", Single, Rounds,
            new("OnnxRuntime, OrtValue made for each call", () => Paired.Seconds(() =>
            {
                for (int i = 0; i < Single; i++)
                {
                    using var input = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, latents.AsMemory(2 * i, 2), [1, Latent]);
                    using var output = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, one.AsMemory(), [1, Features]);
                    session.Run(runOptions, inputNames, [input], outputNames, [output]);
                }
            })),
            new("OnnxRuntime, NamedOnnxValue", () => Paired.Seconds(() =>
            {
                for (int i = 0; i < Single; i++)
                {
                    using var result = session.Run([NamedOnnxValue.CreateFromTensor("Latent", new DenseTensor<float>(latents.AsMemory(2 * i, 2), [1, Latent]))], outputNames);
                    result[0].AsTensor<float>().ToArray();
                }
            })),
            new("VaeDecoder.Decode, new array", () => Paired.Seconds(() =>
            {
                for (int i = 0; i < Single; i++)
                    decoder.Decode(latents.AsSpan(2 * i, 2));
            })),
            new("VaeDecoder.Decode, into a span", () => Paired.Seconds(() =>
            {
                for (int i = 0; i < Single; i++)
                    decoder.Decode(latents.AsSpan(2 * i, 2), one);
            })),
            new("VaeDecoder.Gradient", () => Paired.Seconds(() =>
            {
                for (int i = 0; i < Single; i++)
                    decoder.Gradient(latents.AsSpan(2 * i, 2), one, gradient);
            })));

        Paired.Run("Many latents", "row", Rows, Rounds,
            new("OnnxRuntime, blocks of 256", () => Paired.Seconds(() =>
            {
                for (int i = 0; i < Rows; i += Block)
                {
                    int rows = Math.Min(Block, Rows - i);
                    using var input = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, latents.AsMemory(Latent * i, Latent * rows), [rows, Latent]);
                    using var output = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, outputs.AsMemory(Features * i, Features * rows), [rows, Features]);
                    session.Run(runOptions, inputNames, [input], outputNames, [output]);
                }
            })),
            new("VaeDecoder.Decode, all at once", () => Paired.Seconds(() => decoder.Decode(latents, outputs))));

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            decoder.Decode(latents.AsSpan(2 * i, 2), one);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Managed bytes a call, into a span: {(GC.GetAllocatedBytesForCurrentThread() - before) / 1000.0}"));
    }

    /// <summary>The flagship's shapes with arbitrary weights: speed does not depend on what was learned.</summary>
    private static VaeModel Model()
    {
        var architecture = new VaeArchitecture(Features, new VaeTrainer.Options { HiddenLayers = [256, 256, 256], Scaling = InputScaling.None });
        var random = new Random(2);
        var parameters = new float[architecture.ParameterCount];
        foreach (var slot in architecture.Slots)
        {
            for (int i = 0; i < slot.Length; i++)
                parameters[slot.Offset + i] = (float)((2 * random.NextDouble() - 1) / Math.Sqrt(Math.Max(1, slot.FanIn)));
        }
        return new(architecture, parameters, InputScale.None, [], "{}");
    }
}
