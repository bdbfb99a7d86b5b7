using System.IO.Compression;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Tests.Onnx;

/// <summary>Runs damaged files through every reader of untrusted files; a reader either succeeds or throws <see cref="InvalidDataException"/>.</summary>
internal sealed class FuzzCases
{
    private readonly byte[][] _models;
    private readonly ModelProto[] _parsed;
    private readonly byte[][] _zips;
    private readonly byte[][] _decoders;

    public FuzzCases()
    {
        _models = [.. OnnxTestModels.Variants.Select(options => VaeGraphs.ModelFile(OnnxTestModels.Create(options), "x", "z", options.Seed == 42 ? new() : new() { Reconstruction = "r", Score = "s" }, forSaving: true))];
        _parsed = [.. _models.Select(ModelProto.Parser.ParseFrom)];
        _zips = [.. _models.Select(model => Zip(model.Length, model))];
        _decoders = [.. OnnxTestModels.Variants.Select(options => VaeGraphs.DecoderFile(OnnxTestModels.Create(options), withGradient: true))];
    }

    public int Accepted { get; private set; }

    public int Refused { get; private set; }

    /// <summary>Bytes that the costliest case allocated.</summary>
    public long LargestAllocation { get; private set; }

    /// <summary>Models and saved pipelines: everything is managed code, so that nothing can take the process down.</summary>
    public void Readers(int seed, int cases)
    {
        var mutations = new Mutations(seed);
        for (int i = 0; i < cases; i++)
        {
            int which = (seed + i) % _models.Length;
            switch (i % 4)
            {
                case 0: Try(() => VaeModel.FromOnnx(mutations.Bytes(_models[which])), seed, i); break;
                case 1: Try(() => VaeModel.FromOnnx(mutations.Fields(_parsed[which])), seed, i); break;
                case 2: Try(() => Archive(mutations.Bytes(_zips[which])), seed, i); break;
                default:
                    byte[] model = mutations.Fields(_parsed[which]);
                    Try(() => Archive(Zip(model.Length, model)), seed, i);
                    break;
            }
        }
    }

    /// <summary>Decoders, which end in OnnxRuntime.</summary>
    public void Decoders(int seed, int cases)
    {
        var mutations = new Mutations(seed);
        for (int i = 0; i < cases; i++)
        {
            byte[] file = mutations.Bytes(_decoders[(seed + i) % _decoders.Length]);
            Try(() => VaeDecoder.Load(file).Dispose(), seed, i);
        }
    }

    /// <summary>A saved pipeline of one entry; the length before the model is left out where it is null.</summary>
    public static byte[] Zip(int? length, byte[] content)
    {
        var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var entry = zip.CreateEntry("TransformerChain/Transform_000/OnnxModel").Open();
            if (length is { } prefix)
                entry.Write(BitConverter.GetBytes(prefix));
            entry.Write(content);
        }
        return bytes.ToArray();
    }

    private static void Archive(byte[] file)
    {
        foreach (var entry in PipelineArchive.Read(new MemoryStream(file), "fuzz.zip"))
            VaeModel.FromOnnx(entry.Model);
    }

    private void Try(Action action, int seed, int index)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            action();
            Accepted++;
        }
        catch (InvalidDataException)
        {
            Refused++;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Case {index} of seed {seed}: {e.GetType().Name} instead of InvalidDataException: {e.Message}", e);
        }
        LargestAllocation = Math.Max(LargestAllocation, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
