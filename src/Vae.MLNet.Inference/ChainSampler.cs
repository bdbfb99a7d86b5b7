using System.Globalization;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Inference.Running;

namespace Vae.MLNet.Inference;

/// <summary>
/// A chain decoder, loaded from the ONNX file that <c>ChainDecoder.Export</c> of Vae.MLNet writes: conformations drawn bead by bead, each
/// from the latent vector and the beads before it. Immutable and safe to use from many threads at once.
/// </summary>
/// <remarks>
/// Everything random comes in as noise: the same latent vector and noise give the same shape, and a path through latent space with one
/// noise is a film of one chain. Rows are computed in blocks; where a drawn number falls between two candidates to the last bit, a shape
/// may differ with the rows it is computed together with and from one type of processor to another.
/// </remarks>
public sealed class ChainSampler : IDisposable
{
    private const string LatentName = "Latent", NoiseName = "Noise", ConformationName = "Conformation";

    private const string Kind = "chain-decoder", DimensionsKey = "vae.dimensions", PriorKey = "vae.prior";

    private readonly ModelSession _session;
    private readonly RunPlan _plan;
    private readonly double[] _weights, _means, _deviations;

    private ChainSampler(ModelBytes model, VaeSessionOptions options)
    {
        int dimensions = 0;
        double[] weights = [], means = [], deviations = [];
        _session = ModelSession.Load(model, options, typeof(ChainSampler), [Kind], Plans, out var header, out var plans);
        _plan = plans[0];
        Dimensions = dimensions;
        LatentDimension = header.LatentDimension;
        FeatureCount = header.FeatureCount;
        NoiseSize = Size(FeatureCount / dimensions, dimensions);
        Metadata = header.Metadata;
        (_weights, _means, _deviations) = (weights, means, deviations);

        RunPlan[] Plans(ModelHeader header, InferenceSession session)
        {
            int features = header.FeatureCount, latent = header.LatentDimension;
            dimensions = header.Integer(DimensionsKey, 2, 3);
            if (features % dimensions != 0 || features / dimensions < 3)
            {
                throw Guard.BadFile(
                    model.Name, Guard.Invariant($"{features} features are not three beads or more of {dimensions} coordinates."));
            }
            (weights, means, deviations) = ReadPrior(model.Name, header, latent);
            int noise = Size(features / dimensions, dimensions);
            header.CheckTensor(session.InputMetadata, "input", LatentName, latent);
            header.CheckTensor(session.InputMetadata, "input", NoiseName, noise);
            header.CheckTensor(session.OutputMetadata, "output", ConformationName, features);
            return [new([new(LatentName, latent), new(NoiseName, noise)], [new(ConformationName, features)])];
        }
    }

    /// <summary>Numbers in a latent vector.</summary>
    public int LatentDimension { get; }

    /// <summary>Coordinates of a bead, 2 or 3.</summary>
    public int Dimensions { get; }

    /// <summary>Beads of a chain.</summary>
    public int Beads => FeatureCount / Dimensions;

    /// <summary>Numbers in a conformation, bead by bead.</summary>
    public int FeatureCount { get; }

    /// <summary>Numbers of noise for one conformation; see <see cref="Noise"/>.</summary>
    public int NoiseSize { get; }

    /// <summary>All that the file says of itself (keys <c>vae.*</c>).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Loads a chain decoder from a file, which is closed before this returns.</summary>
    /// <param name="path">ONNX file made by <c>ChainDecoder.Export</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The sampler, to be disposed.</returns>
    /// <exception cref="InvalidDataException">
    /// The file is not a chain decoder of this library, is broken, or is larger than the options allow.
    /// </exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    public static ChainSampler Load(string path, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromFile(path, options), options);
    }

    /// <summary>Loads a chain decoder from a stream, which is read to its end and left open.</summary>
    /// <param name="stream">Stream over an ONNX file made by <c>ChainDecoder.Export</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The sampler, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not a chain decoder of this library, is broken, or is larger than the options allow.</exception>
    public static ChainSampler Load(Stream stream, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromStream(stream, options), options);
    }

    /// <summary>Loads a chain decoder from memory, which is not used after this returns.</summary>
    /// <param name="model">Bytes of an ONNX file made by <c>ChainDecoder.Export</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The sampler, to be disposed.</returns>
    /// <exception cref="InvalidDataException">
    /// The data is not a chain decoder of this library, is broken, or is larger than the options allow.
    /// </exception>
    public static ChainSampler Load(ReadOnlyMemory<byte> model, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromMemory(model, options), options);
    }

    /// <summary>Draws latent vectors from the fitted prior, and a conformation for each.</summary>
    /// <param name="count">Conformations, at least 1.</param>
    /// <param name="seed">Seed: the same one gives the same conformations.</param>
    /// <param name="options">
    /// What is kept, and the temperature of the prior; null for the defaults. Noise is always drawn: a chain has no mean shape.
    /// </param>
    /// <returns>The latent vectors and the conformations, and how many were drawn for them.</returns>
    /// <exception cref="ArgumentException">The critic judges rows of another length.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> or an option is out of range.</exception>
    /// <exception cref="InvalidOperationException">Too few conformations are kept.</exception>
    /// <exception cref="ObjectDisposedException">The sampler has been disposed.</exception>
    public DecodedLatents Sample(int count, int seed, SampleOptions? options = null)
    {
        options = (options ?? new()).Validate();
        Guard.AtLeast(count, 1);
        SeededRandom random = new(seed, 1), noise = new(seed, 2);
        return KeptRows.Fill(count, seed, options, LatentDimension, FeatureCount, rows =>
        {
            var latents = new float[Guard.ArrayLength(rows, LatentDimension, nameof(count))];
            var outputs = new float[Guard.ArrayLength(rows, FeatureCount, nameof(count))];
            for (int row = 0; row < rows; row++)
            {
                double place = random.NextUniform();
                int k = 0;
                while (k < _weights.Length - 1 && place >= _weights[k])
                    place -= _weights[k++];
                for (int d = 0, from = k * LatentDimension; d < LatentDimension; d++)
                {
                    double deviation = options.Temperature * _deviations[from + d] * random.NextNormal();
                    latents[row * LatentDimension + d] = (float)(_means[from + d] + deviation);
                }
            }
            Decode(latents, DrawNoise(rows, noise), outputs);
            return (latents, outputs);
        });
    }

    /// <summary>Noise for conformations: standard normal numbers for the first bead, and uniform ones for those after it.</summary>
    /// <param name="count">Conformations, at least 1.</param>
    /// <param name="seed">Seed: the same one gives the same noise.</param>
    /// <returns>count x <see cref="NoiseSize"/> numbers.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is out of range.</exception>
    public float[] Noise(int count, int seed)
    {
        Guard.AtLeast(count, 1);
        return DrawNoise(count, new SeededRandom(seed, 2));
    }

    private float[] DrawNoise(int count, SeededRandom random)
    {
        var noise = new float[Guard.ArrayLength(count, NoiseSize, nameof(count))];
        for (int i = 0; i < noise.Length; i++)
            noise[i] = i % NoiseSize < Dimensions ? (float)random.NextNormal() : (float)random.NextUniform();
        return noise;
    }

    /// <summary>Draws a conformation for each latent vector.</summary>
    /// <param name="latents">Latent vectors, row after row: n x <see cref="LatentDimension"/> numbers; where they are not finite, conformations are not.</param>
    /// <param name="noise">Noise, row after row: n x <see cref="NoiseSize"/> numbers, as <see cref="Noise"/> gives them.</param>
    /// <param name="destination">Takes n x <see cref="FeatureCount"/> numbers in units of the data.</param>
    /// <returns>The number of conformations, n.</returns>
    /// <exception cref="ArgumentException">
    /// The latent vectors or the noise are not whole rows or not as many, noise is out of its range, or the destination has not exactly the room.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The sampler has been disposed.</exception>
    public int Decode(ReadOnlySpan<float> latents, ReadOnlySpan<float> noise, Span<float> destination)
    {
        int rows = Guard.Rows(latents.Length, LatentDimension, nameof(latents), "the latent dimension");
        if (noise.Length != (long)rows * NoiseSize)
        {
            throw new ArgumentException(
                Guard.Invariant($"{rows} latent vectors need {rows} x {NoiseSize} numbers of noise; there are {noise.Length}."), nameof(noise));
        }
        for (int i = 0; i < noise.Length; i++)
        {
            if (!float.IsFinite(noise[i]) || i % NoiseSize >= Dimensions && noise[i] is < 0 or > 1)
            {
                throw new ArgumentException(
                    Guard.Invariant($"Noise has to be finite, and from 0 to 1 behind the first {Dimensions} of a row; number {i} is {noise[i]}."), nameof(noise));
            }
        }
        Guard.Destination(destination.Length, rows, FeatureCount, nameof(destination));
        if (latents.Overlaps(destination) || noise.Overlaps(destination))
            throw new ArgumentException($"{nameof(destination)} must not overlap the latents or the noise.", nameof(destination));
        using var run = _session.Rent(_plan, rows);
        for (int done = 0; done < rows; done += run.Capacity)
        {
            int block = Math.Min(rows - done, run.Capacity);
            latents.Slice(done * LatentDimension, block * LatentDimension).CopyTo(run.Input(0));
            noise.Slice(done * NoiseSize, block * NoiseSize).CopyTo(run.Input(1));
            run.Run(block);
            run.Output(0)[..(block * FeatureCount)].CopyTo(destination[(done * FeatureCount)..]);
        }
        return rows;
    }

    /// <summary>A film from one latent vector to another, with the same noise all the way.</summary>
    /// <param name="from">Latent vector to start at.</param>
    /// <param name="to">Latent vector to end at.</param>
    /// <param name="steps">Conformations, both ends included; at least 2.</param>
    /// <param name="seed">Seed of the noise.</param>
    /// <param name="mode">Along a line or an arc.</param>
    /// <param name="critic">
    /// A critic of this decoder's draws: of 32 films, each with a noise of its own, the one is given whose least real shape looks most real.
    /// Null for the first film.
    /// </param>
    /// <returns>The latent vectors and the conformations.</returns>
    /// <exception cref="ArgumentException">
    /// A latent vector has another length or is not finite, or the critic judges rows of another length.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="steps"/> is out of range.</exception>
    /// <exception cref="ObjectDisposedException">The sampler has been disposed.</exception>
    public DecodedLatents Interpolate(
        ReadOnlySpan<float> from,
        ReadOnlySpan<float> to,
        int steps,
        int seed,
        InterpolationMode mode = InterpolationMode.Linear,
        VaeCritic? critic = null)
    {
        const int Films = 32;
        Guard.Row(from.Length, LatentDimension, nameof(from), "the latent dimension");
        Guard.Row(to.Length, LatentDimension, nameof(to), "the latent dimension");
        Guard.Finite(from, nameof(from));
        Guard.Finite(to, nameof(to));
        Guard.AtLeast(steps, 2);
        Guard.Defined(mode);
        if (critic is not null)
            KeptRows.RequireSize(critic, FeatureCount, nameof(critic));
        var latents = new float[Guard.ArrayLength(steps, LatentDimension, nameof(steps))];
        var outputs = new float[Guard.ArrayLength(steps, FeatureCount, nameof(steps))];
        LatentPath.Fill(latents, from, to, steps, mode);
        float[] noise = new float[Guard.ArrayLength(steps, NoiseSize, nameof(steps))], ratios = new float[critic is null ? 0 : steps];
        var random = new SeededRandom(seed, 2);
        float[]? best = null;
        float most = float.NegativeInfinity;
        for (int film = 0; film < (critic is null ? 1 : Films); film++)
        {
            float[] one = DrawNoise(1, random);
            for (int step = 0; step < steps; step++)
                one.CopyTo(noise, step * NoiseSize);
            Decode(latents, noise, outputs);
            critic?.LogRatios(outputs, ratios);
            float least = critic is null ? 0 : ratios.Min();
            if (best is not null && !(least > most))
                continue;
            (best, most) = ([.. outputs], least);
        }
        return new(latents, best!, LatentDimension, FeatureCount);
    }

    /// <summary>Frees the model once the calls in flight have ended; later calls throw.</summary>
    public void Dispose() => _session.Dispose();

    private static int Size(int beads, int dimensions) => dimensions + (beads - 1) * (dimensions + 1);

    private static (double[] Weights, double[] Means, double[] Deviations) ReadPrior(string file, ModelHeader header, int latent)
    {
        if (!header.Metadata.TryGetValue(PriorKey, out string? text))
            throw Guard.BadFile(file, $"the model's metadata have no '{PriorKey}'.");
        double[] weights, means, deviations;
        try
        {
            using var json = JsonDocument.Parse(text);
            weights = Numbers("weights");
            means = Numbers("means");
            deviations = Numbers("deviations");

            double[] Numbers(string name) =>
                [.. json.RootElement.GetProperty(name).EnumerateArray().Select(element => element.GetDouble())];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw Guard.BadFile(file, $"'{PriorKey}' has to be a mixture of normal distributions.", e);
        }
        bool sound = weights.Length > 0 && means.Length == (long)weights.Length * latent && deviations.Length == means.Length
            && weights.All(weight => weight >= 0) && Math.Abs(weights.Sum() - 1) < 1e-6
            && means.All(double.IsFinite) && deviations.All(value => value >= 0 && double.IsFinite(value));
        if (!sound)
            throw Guard.BadFile(file, $"'{PriorKey}' has to be a mixture of normal distributions.");
        return (weights, means, deviations);
    }
}
