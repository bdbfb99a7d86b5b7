using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Inference.Running;

namespace Vae.MLNet.Inference;

/// <summary>
/// The decoder of a variational autoencoder, loaded from the ONNX file that Vae.MLNet exports: latents to data, samples, interpolation, and gradient descent in
/// latent space. Immutable and safe to use from many threads at once.
/// </summary>
/// <remarks>
/// One OnnxRuntime session serves all threads. Disposing while calls are running is safe: they end first, later ones throw
/// <see cref="ObjectDisposedException"/>. Rows are computed in blocks; a row's numbers may differ in the last bits with the number of rows it is decoded
/// together with, and from one processor type to another, because sums are then taken in another order. Latents that are not finite give outputs that are not.
/// A model is a program: a file from a stranger is checked (it opens no other file, has no loops, claims no more than it holds), but how much it computes is up
/// to it.
/// </remarks>
public sealed class VaeDecoder : IDisposable
{
    private const string LatentName = "Latent", ReconstructionName = "Reconstruction", LogitsName = "Logits", CotangentName = "Cotangent", GradientName = "LatentGradient";

    private readonly ModelSession _session;
    private readonly RunPlan _decode;
    private readonly RunPlan? _logits, _gradient;
    private readonly float[] _noise;

    private VaeDecoder(ModelBytes model, VaeSessionOptions options)
    {
        _session = ModelSession.Load(model, options, typeof(VaeDecoder), [ModelHeader.DecoderKind], Plans, out var header, out var plans);
        _decode = plans[0];
        _logits = header.HasLogits ? plans[1] : null;
        _gradient = header.HasGradient ? plans[^1] : null;
        _noise = header.Noise;
        LatentDimension = header.LatentDimension;
        FeatureCount = header.FeatureCount;
        Likelihood = header.Likelihood;
        GroupSize = header.GroupSize;
        Noise = Array.AsReadOnly(_noise);
        Metadata = header.Metadata;
        (DataKind, Dimensions) = header.ReadData();
        FeatureNames = Array.AsReadOnly(header.ReadInputNames(FeatureCount));
        var (low, high) = header.ReadRange();
        (FeatureLow, FeatureHigh) = (Array.AsReadOnly(low), Array.AsReadOnly(high));
    }

    /// <summary>Numbers in a latent.</summary>
    public int LatentDimension { get; }

    /// <summary>Numbers in a decoded row.</summary>
    public int FeatureCount { get; }

    /// <summary>The model of the data given a latent.</summary>
    public DecoderLikelihood Likelihood { get; }

    /// <summary>Symbols in a group of features of a categorical likelihood; 0 for the others.</summary>
    public int GroupSize { get; }

    /// <summary>
    /// Standard deviation of the noise about the reconstruction, in units of the data: one number for all features or one for each. Empty for Bernoulli and
    /// categorical likelihoods, whose noise is their own, and where the model's scaling is not linear.
    /// </summary>
    public IReadOnlyList<float> Noise { get; }

    /// <summary>
    /// What the rows are. Files of earlier versions do not say it; those that do not hold sequences are vectors then, whatever they were
    /// made of.
    /// </summary>
    public VaeDataKind DataKind { get; }

    /// <summary>
    /// Coordinates of a bead where the rows are conformations; 0 for others. A row has <see cref="FeatureCount"/> / Dimensions beads.
    /// </summary>
    public int Dimensions { get; }

    /// <summary>
    /// Names of the numbers in a decoded row, in order: the slot names of the column that the model was trained on. Empty where that had
    /// none, and in files of earlier
    /// versions.
    /// </summary>
    public IReadOnlyList<string> FeatureNames { get; }

    /// <summary>
    /// Below this, in units of the data, lies a hundredth of each feature's training values (of 10,000 rows at most). Empty in files of
    /// earlier versions, and of
    /// sequences.
    /// </summary>
    public IReadOnlyList<float> FeatureLow { get; }

    /// <summary>
    /// Above this, in units of the data, lies a hundredth of each feature's training values; empty where <see cref="FeatureLow"/> is.
    /// </summary>
    public IReadOnlyList<float> FeatureHigh { get; }

    /// <summary>All that the file says of itself (keys <c>vae.*</c>): version of the library, options and outcome of the training, and more.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Whether the file has the vector-Jacobian product that <see cref="Optimize"/> and <see cref="Gradient"/> need.</summary>
    public bool SupportsGradient => _gradient is not null;

    /// <summary>Whether the file gives logits: Bernoulli and categorical likelihoods.</summary>
    public bool HasLogits => _logits is not null;

    /// <summary>Loads a decoder from a file, which is closed before this returns.</summary>
    /// <param name="path">ONNX file made by <c>ExportDecoder</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The file is not a decoder of this library, is broken, or is larger than the options allow.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    public static VaeDecoder Load(string path, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromFile(path, options), options);
    }

    /// <summary>Loads a decoder from a stream, which is read to its end and left open.</summary>
    /// <param name="stream">Stream over an ONNX file made by <c>ExportDecoder</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not a decoder of this library, is broken, or is larger than the options allow.</exception>
    public static VaeDecoder Load(Stream stream, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromStream(stream, options), options);
    }

    /// <summary>Loads a decoder from memory, which is not used after this returns.</summary>
    /// <param name="model">Bytes of an ONNX file made by <c>ExportDecoder</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The decoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not a decoder of this library, is broken, or is larger than the options allow.</exception>
    public static VaeDecoder Load(ReadOnlyMemory<byte> model, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromMemory(model, options), options);
    }

    /// <summary>Decodes one latent: the mean of p(x|z).</summary>
    /// <param name="latent"><see cref="LatentDimension"/> numbers.</param>
    /// <returns><see cref="FeatureCount"/> numbers in units of the data; probabilities for Bernoulli and categorical likelihoods.</returns>
    /// <exception cref="ArgumentException">The latent has another length.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public float[] Decode(ReadOnlySpan<float> latent)
    {
        Guard.Row(latent.Length, LatentDimension, nameof(latent), "the latent dimension");
        var output = new float[FeatureCount];
        Run(_decode, latent, 1, output);
        return output;
    }

    /// <summary>Decodes one latent or many into memory of the caller's. After a first call for a number of rows, no managed memory is allocated.</summary>
    /// <param name="latents">Latents, row after row: n x <see cref="LatentDimension"/> numbers.</param>
    /// <param name="destination">Takes n x <see cref="FeatureCount"/> numbers in units of the data; it must not overlap the latents.</param>
    /// <returns>The number of rows, n.</returns>
    /// <exception cref="ArgumentException">The latents are not whole rows, or the destination has not exactly the room for them, or the two overlap.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public int Decode(ReadOnlySpan<float> latents, Span<float> destination) => RunMany(_decode, latents, destination);

    /// <summary>Decodes one latent to logits: log-odds of a one (Bernoulli) or unnormalised log-probabilities of the symbols (categorical).</summary>
    /// <param name="latent"><see cref="LatentDimension"/> numbers.</param>
    /// <returns><see cref="FeatureCount"/> logits.</returns>
    /// <exception cref="ArgumentException">The latent has another length.</exception>
    /// <exception cref="InvalidOperationException">The likelihood has no logits; see <see cref="HasLogits"/>.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public float[] DecodeLogits(ReadOnlySpan<float> latent)
    {
        Guard.Row(latent.Length, LatentDimension, nameof(latent), "the latent dimension");
        var output = new float[FeatureCount];
        Run(LogitsPlan, latent, 1, output);
        return output;
    }

    /// <summary>Decodes one latent or many to logits, into memory of the caller's; see <see cref="Decode(ReadOnlySpan{float}, Span{float})"/>.</summary>
    /// <param name="latents">Latents, row after row: n x <see cref="LatentDimension"/> numbers.</param>
    /// <param name="destination">Takes n x <see cref="FeatureCount"/> logits; it must not overlap the latents.</param>
    /// <returns>The number of rows, n.</returns>
    /// <exception cref="ArgumentException">The latents are not whole rows, or the destination has not exactly the room for them, or the two overlap.</exception>
    /// <exception cref="InvalidOperationException">The likelihood has no logits; see <see cref="HasLogits"/>.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public int DecodeLogits(ReadOnlySpan<float> latents, Span<float> destination) => RunMany(LogitsPlan, latents, destination);

    /// <summary>
    /// Decodes latents and pulls cotangents back through the decoder: for each row J(z)ᵀ c, with J the Jacobian of the reconstruction. With c the gradient of a
    /// function of the output, this is the function's gradient in latent space. Allocates nothing after a first call for a number of rows.
    /// </summary>
    /// <param name="latents">Latents, row after row: n x <see cref="LatentDimension"/> numbers.</param>
    /// <param name="cotangents">For each row <see cref="FeatureCount"/> numbers.</param>
    /// <param name="gradients">Takes n x <see cref="LatentDimension"/> numbers.</param>
    /// <returns>The number of rows, n.</returns>
    /// <exception cref="ArgumentException">The lengths do not fit, or memory overlaps.</exception>
    /// <exception cref="InvalidOperationException">The file has no gradient; see <see cref="SupportsGradient"/>.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public int Gradient(ReadOnlySpan<float> latents, ReadOnlySpan<float> cotangents, Span<float> gradients)
    {
        var plan = GradientPlan;
        int rows = Guard.Rows(latents.Length, LatentDimension, nameof(latents), "the latent dimension");
        Guard.Destination(cotangents.Length, rows, FeatureCount, nameof(cotangents));
        Guard.Destination(gradients.Length, rows, LatentDimension, nameof(gradients));
        if (latents.Overlaps(gradients) || cotangents.Overlaps(gradients))
            throw new ArgumentException($"{nameof(gradients)} must not overlap the inputs.", nameof(gradients));
        using var run = _session.Rent(plan, rows);
        for (int done = 0; done < rows; done += run.Capacity)
        {
            int block = Math.Min(rows - done, run.Capacity);
            latents.Slice(done * LatentDimension, block * LatentDimension).CopyTo(run.Input(0));
            cotangents.Slice(done * FeatureCount, block * FeatureCount).CopyTo(run.Input(1));
            run.Run(block);
            run.Output(0)[..(block * LatentDimension)].CopyTo(gradients[(done * LatentDimension)..]);
        }
        return rows;
    }

    /// <summary>Draws latents from the prior, a standard normal distribution, and decodes them.</summary>
    /// <param name="count">Number of samples, 0 or more.</param>
    /// <param name="seed">
    /// Any number. The latents, and the draws of the noise, are the same for it on every platform (xoshiro256** and the polar method), and the first samples do
    /// not depend on how many are drawn.
    /// </param>
    /// <param name="options">Noise, temperature, and what is kept; null for the defaults.</param>
    /// <returns>Latents and outputs, and how many rows were drawn for them.</returns>
    /// <exception cref="ArgumentException">The critic judges rows of another length.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The count is negative or too large, or an option is out of range.</exception>
    /// <exception cref="InvalidOperationException">
    /// Noise is asked for and the file has none (see <see cref="Noise"/>), or too few rows are kept.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public DecodedLatents Sample(int count, int seed, SampleOptions? options = null)
    {
        options = (options ?? new()).Validate();
        Guard.AtLeast(count, 0);
        if (options.Noise && !HasLogits && _noise.Length == 0)
            throw new InvalidOperationException($"The model has no noise to sample with ('vae.noise' is not in its metadata); sample with {nameof(SampleOptions.Noise)} = false.");
        var random = new SeededRandom(seed);
        // A stream of its own, so that the latents are the same with noise and without.
        var noise = new SeededRandom(seed, stream: 1);
        return KeptRows.Fill(count, seed, options, LatentDimension, FeatureCount, rows =>
        {
            var latents = new float[Guard.ArrayLength(rows, LatentDimension, nameof(count))];
            var outputs = new float[Guard.ArrayLength(rows, FeatureCount, nameof(count))];
            for (int i = 0; i < latents.Length; i++)
                latents[i] = (float)(options.Temperature * random.NextNormal());
            RunMany(_decode, latents, outputs);
            if (options.Noise)
                AddNoise(outputs, noise);
            return (latents, outputs);
        });
    }

    /// <summary>Decodes points on the way from one latent to another, both ends included.</summary>
    /// <param name="from">First latent, <see cref="LatentDimension"/> numbers.</param>
    /// <param name="to">Last latent, <see cref="LatentDimension"/> numbers.</param>
    /// <param name="steps">Number of points, at least 2.</param>
    /// <param name="mode">Which way.</param>
    /// <returns>Latents and outputs, <paramref name="steps"/> rows.</returns>
    /// <exception cref="ArgumentException">A latent has another length or is not finite, or the way is spherical and the two point in opposite directions, between which there are many great circles.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than two steps or too many, or the mode is not known.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public DecodedLatents Interpolate(ReadOnlySpan<float> from, ReadOnlySpan<float> to, int steps, InterpolationMode mode = InterpolationMode.Linear)
    {
        Guard.Row(from.Length, LatentDimension, nameof(from), "the latent dimension");
        Guard.Row(to.Length, LatentDimension, nameof(to), "the latent dimension");
        Guard.Finite(from, nameof(from));
        Guard.Finite(to, nameof(to));
        Guard.AtLeast(steps, 2);
        Guard.Defined(mode);
        var latents = new float[Guard.ArrayLength(steps, LatentDimension, nameof(steps))];
        var outputs = new float[Guard.ArrayLength(steps, FeatureCount, nameof(steps))];
        LatentPath.Fill(latents, from, to, steps, mode);
        RunMany(_decode, latents, outputs);
        return new(latents, outputs, LatentDimension, FeatureCount);
    }

    /// <summary>
    /// Looks for a latent whose decoded output makes an objective small, by gradient descent from a starting point on
    /// f(decode(z)) + <see cref="LatentOptimizationOptions.PriorWeight"/> · |z|²/2.
    /// </summary>
    /// <remarks>
    /// A decoder knows nothing of what the objective leaves out: driven far enough, it gives outputs unlike any of the data. Add penalties
    /// (<see cref="LatentObjective.BondLengths(int, float, float)"/>, <see cref="LatentObjective.NonBondedDistances(int, float, int)"/>) and a prior weight to
    /// stay with what is plausible.
    /// </remarks>
    /// <param name="objective">What to make small, as a function of the output.</param>
    /// <param name="start">Latent to start from, <see cref="LatentDimension"/> numbers.</param>
    /// <param name="options">Method, steps, prior weight; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between steps.</param>
    /// <returns>The whole path, from the start on.</returns>
    /// <exception cref="ArgumentException">The start has another length or is not finite, or the objective is not one for <see cref="FeatureCount"/> numbers.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="InvalidOperationException">The file has no gradient (see <see cref="SupportsGradient"/>), or the objective became NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The decoder has been disposed.</exception>
    public LatentOptimization Optimize(LatentObjective objective, ReadOnlySpan<float> start, LatentOptimizationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        options = (options ?? new()).Validate();
        var plan = GradientPlan;
        Guard.Row(start.Length, LatentDimension, nameof(start), "the latent dimension");
        Guard.Finite(start, nameof(start));
        objective.Validate(FeatureCount);
        // Held over all steps, so that disposing waits for the end.
        using var decode = _session.Rent(_decode, 1);
        using var gradient = _session.Rent(plan, 1);
        return LatentDescent.Run(decode, gradient, objective, start, FeatureCount, options, cancellationToken);
    }

    /// <summary>Frees the model once the calls in flight have ended; later calls throw.</summary>
    public void Dispose() => _session.Dispose();

    private RunPlan GradientPlan => _gradient
        ?? throw new InvalidOperationException("The decoder's file has no gradient; export it with ExportDecoder(path, withGradient: true).");

    private RunPlan LogitsPlan => _logits
        ?? throw new InvalidOperationException($"A decoder with likelihood {Likelihood} has no logits; Bernoulli and categorical ones have.");

    private static RunPlan[] Plans(ModelHeader header, InferenceSession session)
    {
        int latent = header.LatentDimension, features = header.FeatureCount;
        RowTensor z = new(LatentName, latent), x = new(ReconstructionName, features);
        header.CheckTensor(session.InputMetadata, "input", LatentName, latent);
        header.CheckTensor(session.OutputMetadata, "output", ReconstructionName, features);
        // The gradient's input, where decoding has to give it, says by being empty that no gradient is wanted.
        RowTensor[] inputs = header.GradientGraph is null ? [z] : [z, new(CotangentName, features, IsEmpty: true)];
        var plans = new List<RunPlan> { new(inputs, [x]) };
        if (header.HasLogits)
        {
            header.CheckTensor(session.OutputMetadata, "output", LogitsName, features);
            plans.Add(new(inputs, [new(LogitsName, features)]));
        }
        if (header.HasGradient)
        {
            if (header.GradientGraph is null)
                header.CheckTensor(session.OverridableInitializerMetadata, "optional input", CotangentName, features);
            else
                header.CheckTensor(session.InputMetadata, "input", CotangentName, features);
            header.CheckTensor(session.OutputMetadata, "output", GradientName, latent);
            plans.Add(new([z, new(CotangentName, features)], [new(GradientName, latent)]));
        }
        return [.. plans];
    }

    private int RunMany(RunPlan plan, ReadOnlySpan<float> latents, Span<float> destination)
    {
        int rows = Guard.Rows(latents.Length, LatentDimension, nameof(latents), "the latent dimension");
        Guard.Destination(destination.Length, rows, FeatureCount, nameof(destination));
        // A block's outputs would be written over latents that are still to be read.
        if (latents.Overlaps(destination))
            throw new ArgumentException($"{nameof(destination)} must not overlap the latents.", nameof(destination));
        Run(plan, latents, rows, destination);
        return rows;
    }

    private void Run(RunPlan plan, ReadOnlySpan<float> latents, int rows, Span<float> destination)
    {
        using var run = _session.Rent(plan, rows);
        for (int done = 0; done < rows; done += run.Capacity)
        {
            int block = Math.Min(rows - done, run.Capacity);
            latents.Slice(done * LatentDimension, block * LatentDimension).CopyTo(run.Input(0));
            run.Run(block);
            run.Output(0)[..(block * FeatureCount)].CopyTo(destination[(done * FeatureCount)..]);
        }
    }

    private void AddNoise(Span<float> outputs, SeededRandom random)
    {
        switch (Likelihood)
        {
            case DecoderLikelihood.Bernoulli:
                for (int i = 0; i < outputs.Length; i++)
                    outputs[i] = random.NextUniform() < outputs[i] ? 1 : 0;
                break;
            case DecoderLikelihood.Categorical:
                for (int i = 0; i < outputs.Length; i += GroupSize)
                {
                    var group = outputs.Slice(i, GroupSize);
                    int symbol = Draw(group, random.NextUniform());
                    group.Clear();
                    group[symbol] = 1;
                }
                break;
            default:
                for (int i = 0; i < outputs.Length; i++)
                    outputs[i] += (float)(_noise[_noise.Length == 1 ? 0 : i % FeatureCount] * random.NextNormal());
                break;
        }
    }

    /// <summary>The symbol at a place in the cumulated probabilities; their sum, which rounding keeps from being exactly one, counts as the whole.</summary>
    private static int Draw(ReadOnlySpan<float> probabilities, double uniform)
    {
        double total = 0;
        foreach (float probability in probabilities)
            total += probability;
        double left = uniform * total;
        for (int symbol = 0; symbol < probabilities.Length - 1; symbol++)
        {
            left -= probabilities[symbol];
            if (left < 0)
                return symbol;
        }
        return probabilities.Length - 1;
    }
}
