using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Loading;
using Vae.MLNet.Inference.Running;

namespace Vae.MLNet.Inference;

/// <summary>
/// A critic, loaded from the ONNX file that <c>SampleCritic.Export</c> of Vae.MLNet writes: the learned ratio of the density of real rows to
/// that of generated ones. <see cref="SampleOptions.Critic"/> draws with it. Immutable and safe to use from many threads at once.
/// </summary>
public sealed class VaeCritic : IDisposable
{
    private const string OutputName = "LogRatio", CertainKey = "vae.certain_log_ratio";

    private readonly ModelSession _session;
    private readonly RunPlan _plan;

    private VaeCritic(ModelBytes model, VaeSessionOptions options)
    {
        float certain = 0;
        _session = ModelSession.Load(model, options, typeof(VaeCritic), [ModelHeader.CriticKind], Plans, out var header, out var plans);
        _plan = plans[0];
        FeatureCount = header.FeatureCount;
        CertainLogRatio = certain;
        Metadata = header.Metadata;

        RunPlan[] Plans(ModelHeader header, InferenceSession session)
        {
            if (session.InputMetadata.Count != 1)
            {
                throw Guard.BadFile(model.Name, Guard.Invariant($"the critic is one of a table with {session.InputMetadata.Count} columns; ")
                    + "this class takes rows of one vector of numbers. Run such a critic by OnnxRuntime itself.");
            }
            string input = session.InputMetadata.Keys.Single();
            header.CheckTensor(session.InputMetadata, "input", input, header.FeatureCount);
            header.CheckTensor(session.OutputMetadata, "output", OutputName, 1);
            certain = header.Number(CertainKey);
            return [new([new(input, header.FeatureCount)], [new(OutputName, 1)])];
        }
    }

    /// <summary>Numbers in a row.</summary>
    public int FeatureCount { get; }

    /// <summary>The ratio's logarithm, in nats, from which on a row is kept for certain.</summary>
    public float CertainLogRatio { get; }

    /// <summary>All that the file says of itself (keys <c>vae.*</c>).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Loads a critic from a file, which is closed before this returns.</summary>
    /// <param name="path">ONNX file made by <c>SampleCritic.Export</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The critic, to be disposed.</returns>
    /// <exception cref="InvalidDataException">
    /// The file is not a critic of this library, is one of a table of several columns, is broken, or is larger than the options allow.
    /// </exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    public static VaeCritic Load(string path, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromFile(path, options), options);
    }

    /// <summary>Loads a critic from a stream, which is read to its end and left open.</summary>
    /// <param name="stream">Stream over an ONNX file made by <c>SampleCritic.Export</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The critic, to be disposed.</returns>
    /// <exception cref="InvalidDataException">
    /// The data is not a critic of this library, is one of a table of several columns, is broken, or is larger than the options allow.
    /// </exception>
    public static VaeCritic Load(Stream stream, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromStream(stream, options), options);
    }

    /// <summary>Loads a critic from memory, which is not used after this returns.</summary>
    /// <param name="model">Bytes of an ONNX file made by <c>SampleCritic.Export</c>.</param>
    /// <param name="options">How to load and run it; null for the defaults.</param>
    /// <returns>The critic, to be disposed.</returns>
    /// <exception cref="InvalidDataException">
    /// The data is not a critic of this library, is one of a table of several columns, is broken, or is larger than the options allow.
    /// </exception>
    public static VaeCritic Load(ReadOnlyMemory<byte> model, VaeSessionOptions? options = null)
    {
        options = (options ?? new()).Validate();
        return new(ModelBytes.FromMemory(model, options), options);
    }

    /// <summary>The logarithm of the density of real rows over that of generated ones, for each row.</summary>
    /// <param name="rows">Rows in units of the data, row after row: n x <see cref="FeatureCount"/> numbers.</param>
    /// <param name="destination">Takes n numbers of nats; NaN for rows that are not finite where the critic sees distances.</param>
    /// <returns>The number of rows, n.</returns>
    /// <exception cref="ArgumentException">The rows are not whole, or the destination has not exactly the room.</exception>
    /// <exception cref="ObjectDisposedException">The critic has been disposed.</exception>
    public int LogRatios(ReadOnlySpan<float> rows, Span<float> destination)
    {
        int count = Guard.Rows(rows.Length, FeatureCount, nameof(rows), "the number of features");
        Guard.Destination(destination.Length, count, 1, nameof(destination));
        if (rows.Overlaps(destination))
            throw new ArgumentException($"{nameof(destination)} must not overlap the rows.", nameof(destination));
        using var run = _session.Rent(_plan, count);
        for (int done = 0; done < count; done += run.Capacity)
        {
            int block = Math.Min(count - done, run.Capacity);
            rows.Slice(done * FeatureCount, block * FeatureCount).CopyTo(run.Input(0));
            run.Run(block);
            run.Output(0)[..block].CopyTo(destination[done..]);
        }
        return count;
    }

    /// <summary>Probability with which a generated row is kept: its ratio as a share of that from which on rows are kept for certain.</summary>
    /// <param name="logRatio">The row's ratio, as <see cref="LogRatios"/> gives it.</param>
    /// <returns>A number from 0 to 1; 0 for NaN.</returns>
    public double KeepProbability(float logRatio) =>
        float.IsNaN(logRatio) ? 0 : Math.Exp(Math.Min(0, logRatio - (double)CertainLogRatio));

    /// <summary>What it judges.</summary>
    /// <returns>A few words.</returns>
    public override string ToString() => Guard.Invariant($"critic of rows of {FeatureCount} numbers");

    /// <summary>Frees the model once the calls in flight have ended; later calls throw.</summary>
    public void Dispose() => _session.Dispose();
}
