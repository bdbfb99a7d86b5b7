using System.Text;
using Vae.MLNet.ChainDecoding;
using Vae.MLNet.Model;

namespace Vae.MLNet;

/// <summary>
/// How <see cref="VaeCatalog.FitChainDecoder(VaeTransformer, Microsoft.ML.IDataView, int, ChainDecoderOptions?)"/> trains.
/// </summary>
/// <remarks>Defaults were chosen by the likelihood of held-out simulated chains of twelve beads.</remarks>
public sealed record ChainDecoderOptions
{
    /// <summary>Seed of all that is drawn: one seed and number of threads, the same decoder. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>
    /// What may be done to a chain without making it any likelier or less likely: training then sees each chain so, too, together with its
    /// mean shape, and learns from as many more. Default none: molecules have a direction and, in space, a handedness.
    /// </summary>
    public ChainSymmetries Symmetries { get; init; }

    /// <summary>Steps of training at most; it ends sooner where held-out chains are told no better. Default 5,000.</summary>
    public int Steps { get; init; } = 5000;

    /// <summary>Chains of a step. Default 64.</summary>
    public int BatchSize { get; init; } = 64;

    /// <summary>
    /// Largest learning rate of the context network (Adam, half a cosine). Default 0.002; that of the tables is five times as large.
    /// </summary>
    public float LearningRate { get; init; } = 2e-3f;

    /// <summary>
    /// Share of the rows, the last ones, that are held out to choose the best step by. Default 0.1; 0 trains on all for all steps.
    /// </summary>
    public float ValidationFraction { get; init; } = 0.1f;

    /// <summary>Threads; 0 for the default of TorchSharp.</summary>
    public int Threads { get; init; }

    /// <summary>Told how far training is. Default none.</summary>
    public IProgress<ChainDecoderProgress>? Progress { get; init; }

    /// <summary>Stops the training. Default none.</summary>
    public CancellationToken CancellationToken { get; init; }

    internal ChainDecoderOptions Validate()
    {
        if ((Symmetries & ~(ChainSymmetries.Mirror | ChainSymmetries.Direction)) != 0)
            throw Check.OutOfRange(nameof(Symmetries), Symmetries, "a combination of Mirror and Direction");
        Check.InRange(Steps, 1, 10_000_000);
        Check.InRange(BatchSize, 1, 100_000);
        if (!(LearningRate > 0) || !float.IsFinite(LearningRate))
            throw Check.OutOfRange(nameof(LearningRate), LearningRate, "positive and finite");
        if (!(ValidationFraction >= 0 && ValidationFraction < 0.9f))
            throw Check.OutOfRange(nameof(ValidationFraction), ValidationFraction, "at least 0 and less than 0.9");
        Check.InRange(Threads, 0, 1024);
        return this;
    }

    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>How far the training of a chain decoder is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps at most.</param>
/// <param name="Latest">The latest look at held-out chains; null before the first.</param>
public sealed record ChainDecoderProgress(int Step, int Steps, ChainDecoderCheck? Latest)
{
    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}

/// <summary>One look at the chains that the training of a chain decoder holds out.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="NegativeLogLikelihood">
/// Mean over the chains of minus log p(x|z), in nats, with z drawn from the posterior: of all beads but the first, as densities of bond
/// lengths, angles and torsions.
/// </param>
public sealed record ChainDecoderCheck(int Step, double NegativeLogLikelihood)
{
    private bool PrintMembers(StringBuilder builder) => RecordText.Print(builder, this);
}
