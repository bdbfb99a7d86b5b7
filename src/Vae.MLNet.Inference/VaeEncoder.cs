using System.Text;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Running;

namespace Vae.MLNet.Inference;

/// <summary>The posterior of a latent given a row of data: independent normal distributions.</summary>
/// <param name="Mean">Its mean, one number a latent dimension.</param>
/// <param name="StandardDeviation">Its standard deviation, one number a latent dimension.</param>
public sealed record LatentPosterior(float[] Mean, float[] StandardDeviation)
{
    /// <summary>Whether another holds the same numbers.</summary>
    /// <param name="other">The other.</param>
    /// <returns>Whether both are equal.</returns>
    public bool Equals(LatentPosterior? other) => other is not null
        && Mean.AsSpan().SequenceEqual(other.Mean) && StandardDeviation.AsSpan().SequenceEqual(other.StandardDeviation);

    /// <summary>A hash of the numbers.</summary>
    /// <returns>The hash.</returns>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (float value in Mean ?? [])
            hash.Add(value);
        return hash.ToHashCode();
    }

    private bool PrintMembers(StringBuilder builder)
    {
        builder.Append("Mean = ").Append(ValueText.List(Mean)).Append(", StandardDeviation = ").Append(ValueText.List(StandardDeviation));
        return true;
    }
}

/// <summary>
/// The encoder of a variational autoencoder, loaded from the ONNX file that Vae.MLNet exports: data to the posterior of the latent. Immutable and safe to use
/// from many threads at once; disposing while calls are running is safe, as with <see cref="VaeDecoder"/>.
/// </summary>
/// <remarks>
/// The file is one of <c>ExportEncoder</c>, which takes data as the autoencoder saw them, or one of <c>ExportPipeline</c> with one input, which takes raw data and does
/// what the pipeline did before the autoencoder (centring, alignment, scaling) too. Features that are not finite give latents that are not.
/// </remarks>
public sealed class VaeEncoder : IDisposable
{
    private const string FeaturesName = "Features", LatentName = "Latent", SigmaName = "LatentSigma";

    private readonly ModelSession _session;
    private readonly RunPlan _encode;

    private VaeEncoder(ModelBytes model, VaeSessionOptions options)
    {
        _session = ModelSession.Load(model, options, typeof(VaeEncoder), [ModelHeader.EncoderKind, ModelHeader.PipelineKind], Plans, out var header, out var plans);
        _encode = plans[0];
        LatentDimension = header.LatentDimension;
        FeatureCount = _encode.Inputs[0].Size;
        InputNames = header.ReadInputNames(FeatureCount);
        HasStandardDeviation = _encode.Outputs.Length == 2;
        Metadata = header.Metadata;
    }

    /// <summary>Numbers in a latent.</summary>
    public int LatentDimension { get; }

    /// <summary>Numbers in a row of data; of a pipeline, in a row of its input.</summary>
    public int FeatureCount { get; }

    /// <summary>
    /// Names of the numbers in a row of data, in order: the slot names of the column that the model was trained on, of a pipeline those of its input. Empty where the data had
    /// none, and in files of earlier versions. Rows are matched by position; with these names a caller can put its columns into the model's order.
    /// </summary>
    public IReadOnlyList<string> InputNames { get; }

    /// <summary>Whether the file gives the posterior's standard deviation: an encoder does, a pipeline where it was exported with it (<c>PipelineExportOptions.StandardDeviation</c>).</summary>
    public bool HasStandardDeviation { get; }

    /// <summary>All that the file says of itself (keys <c>vae.*</c>): version of the library, options and outcome of the training, and more.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Loads an encoder from a file, which is closed before this returns.</summary>
    /// <param name="path">ONNX file made by <c>ExportEncoder</c> or <c>ExportPipeline</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The file is not an encoder or pipeline of this library, is broken, or is larger than the options allow.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    public static VaeEncoder Load(string path, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromFile(path, options), options);
    }

    /// <summary>Loads an encoder from a stream, which is read to its end and left open.</summary>
    /// <param name="stream">Stream over an ONNX file made by <c>ExportEncoder</c> or <c>ExportPipeline</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not an encoder or pipeline of this library, is broken, or is larger than the options allow.</exception>
    public static VaeEncoder Load(Stream stream, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromStream(stream, options), options);
    }

    /// <summary>Loads an encoder from memory, which is not used after this returns.</summary>
    /// <param name="model">Bytes of an ONNX file made by <c>ExportEncoder</c> or <c>ExportPipeline</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The encoder, to be disposed.</returns>
    /// <exception cref="InvalidDataException">The data is not an encoder or pipeline of this library, is broken, or is larger than the options allow.</exception>
    public static VaeEncoder Load(ReadOnlyMemory<byte> model, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromMemory(model, options), options);
    }

    /// <summary>Encodes one row: the posterior's mean.</summary>
    /// <param name="features"><see cref="FeatureCount"/> numbers in units of the data.</param>
    /// <returns><see cref="LatentDimension"/> numbers.</returns>
    /// <exception cref="ArgumentException">The row has another length.</exception>
    /// <exception cref="ObjectDisposedException">The encoder has been disposed.</exception>
    public float[] Encode(ReadOnlySpan<float> features)
    {
        Guard.Row(features.Length, FeatureCount, nameof(features), "the feature count");
        var mean = new float[LatentDimension];
        Run(features, 1, mean, []);
        return mean;
    }

    /// <summary>Encodes one row: the posterior's mean and standard deviation.</summary>
    /// <param name="features"><see cref="FeatureCount"/> numbers in units of the data.</param>
    /// <returns>The posterior.</returns>
    /// <exception cref="ArgumentException">The row has another length.</exception>
    /// <exception cref="InvalidOperationException">The file gives no standard deviation; see <see cref="HasStandardDeviation"/>.</exception>
    /// <exception cref="ObjectDisposedException">The encoder has been disposed.</exception>
    public LatentPosterior EncodePosterior(ReadOnlySpan<float> features)
    {
        Guard.Row(features.Length, FeatureCount, nameof(features), "the feature count");
        NeedStandardDeviation();
        var posterior = new LatentPosterior(new float[LatentDimension], new float[LatentDimension]);
        Run(features, 1, posterior.Mean, posterior.StandardDeviation);
        return posterior;
    }

    /// <summary>Encodes one row or many into memory of the caller's. After a first call for a number of rows, no managed memory is allocated.</summary>
    /// <param name="features">Rows of data, one after another: n x <see cref="FeatureCount"/> numbers.</param>
    /// <param name="means">Takes the posteriors' means: n x <see cref="LatentDimension"/> numbers; it must not overlap the features.</param>
    /// <returns>The number of rows, n.</returns>
    /// <exception cref="ArgumentException">The features are not whole rows, or the destination has not exactly the room for them, or memory overlaps.</exception>
    /// <exception cref="ObjectDisposedException">The encoder has been disposed.</exception>
    public int Encode(ReadOnlySpan<float> features, Span<float> means) => RunMany(features, means, [], withSigma: false);

    /// <summary>Encodes one row or many into memory of the caller's, with the posteriors' standard deviations; otherwise as <see cref="Encode(ReadOnlySpan{float}, Span{float})"/>.</summary>
    /// <param name="features">Rows of data, one after another: n x <see cref="FeatureCount"/> numbers.</param>
    /// <param name="means">Takes the posteriors' means: n x <see cref="LatentDimension"/> numbers.</param>
    /// <param name="standardDeviations">Takes the posteriors' standard deviations: n x <see cref="LatentDimension"/> numbers.</param>
    /// <returns>The number of rows, n.</returns>
    /// <exception cref="ArgumentException">The features are not whole rows, or a destination has not exactly the room for them, or memory overlaps.</exception>
    /// <exception cref="InvalidOperationException">The file gives no standard deviation; see <see cref="HasStandardDeviation"/>.</exception>
    /// <exception cref="ObjectDisposedException">The encoder has been disposed.</exception>
    public int Encode(ReadOnlySpan<float> features, Span<float> means, Span<float> standardDeviations) =>
        RunMany(features, means, standardDeviations, withSigma: true);

    /// <summary>Frees the model once the calls in flight have ended; later calls throw.</summary>
    public void Dispose() => _session.Dispose();

    private static RunPlan[] Plans(ModelHeader header, InferenceSession session)
    {
        var plans = AllPlans(header, session);
        // Read here for the check: a file that is refused leaves no session behind.
        header.ReadInputNames(plans[0].Inputs[0].Size);
        return plans;
    }

    private static RunPlan[] AllPlans(ModelHeader header, InferenceSession session)
    {
        if (header.Kind == ModelHeader.PipelineKind)
        {
            var (latent, sigma) = header.ReadColumns();
            var (input, size) = header.OnlyInput(session.InputMetadata);
            header.CheckTensor(session.OutputMetadata, "output", latent, header.LatentDimension);
            if (sigma is null)
                return [new([new(input, size)], [new(latent, header.LatentDimension)])];
            header.CheckTensor(session.OutputMetadata, "output", sigma, header.LatentDimension);
            return [new([new(input, size)], [new(latent, header.LatentDimension), new(sigma, header.LatentDimension)])];
        }
        header.CheckTensor(session.InputMetadata, "input", FeaturesName, header.FeatureCount);
        header.CheckTensor(session.OutputMetadata, "output", LatentName, header.LatentDimension);
        header.CheckTensor(session.OutputMetadata, "output", SigmaName, header.LatentDimension);
        return [new([new(FeaturesName, header.FeatureCount)], [new(LatentName, header.LatentDimension), new(SigmaName, header.LatentDimension)])];
    }

    private int RunMany(ReadOnlySpan<float> features, Span<float> means, Span<float> standardDeviations, bool withSigma)
    {
        int rows = Guard.Rows(features.Length, FeatureCount, nameof(features), "the feature count");
        Guard.Destination(means.Length, rows, LatentDimension, nameof(means));
        if (withSigma)
        {
            NeedStandardDeviation();
            Guard.Destination(standardDeviations.Length, rows, LatentDimension, nameof(standardDeviations));
        }
        if (features.Overlaps(means) || features.Overlaps(standardDeviations) || ((ReadOnlySpan<float>)means).Overlaps(standardDeviations))
            throw new ArgumentException("The memory for the results must not overlap the features, nor each other.", nameof(means));
        Run(features, rows, means, standardDeviations);
        return rows;
    }

    private void NeedStandardDeviation()
    {
        if (!HasStandardDeviation)
            throw new InvalidOperationException("The file gives no standard deviation of the posterior: the pipeline was exported without PipelineExportOptions.StandardDeviation.");
    }

    private void Run(ReadOnlySpan<float> features, int rows, Span<float> means, Span<float> standardDeviations)
    {
        using var run = _session.Rent(_encode, rows);
        for (int done = 0; done < rows; done += run.Capacity)
        {
            int block = Math.Min(rows - done, run.Capacity), from = done * LatentDimension, length = block * LatentDimension;
            features.Slice(done * FeatureCount, block * FeatureCount).CopyTo(run.Input(0));
            run.Run(block);
            run.Output(0)[..length].CopyTo(means[from..]);
            if (!standardDeviations.IsEmpty)
                run.Output(1)[..length].CopyTo(standardDeviations[from..]);
        }
    }
}
