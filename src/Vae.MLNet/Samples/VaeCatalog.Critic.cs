using Microsoft.ML;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>Learns what gives generated rows away, so that those that do can be drawn anew.</summary>
    /// <param name="real">Real rows; those that the generator was trained on will do.</param>
    /// <param name="generated">Generated rows, with the same columns; two or three times as many as real ones are well used.</param>
    /// <param name="options">Options; conformations say their <see cref="CriticOptions.Dimensions"/>.</param>
    /// <returns>The critic.</returns>
    /// <remarks>
    /// <para>Columns are matched and read as by <see cref="CompareSamples"/>. The page Critic.md says what the critic sees of each.</para>
    /// <para>
    /// <see cref="TableVaeModel.Synthesize"/> takes a critic as it is; <c>ChainSampler.Sample</c> and <c>VaeDecoder.Sample</c> of
    /// Vae.MLNet.Inference take an exported one. A critic of a generator says nothing of another generator's rows.
    /// </para>
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The tables have different columns, a column has a type that cannot be read, or an option is out of its range.
    /// </exception>
    /// <exception cref="InvalidOperationException">A table has too few rows, or a coordinate is not finite.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public SampleCritic FitCritic(IDataView real, IDataView generated, CriticOptions? options = null) =>
        SampleCritic.Fit(Check.NotNull(real), Check.NotNull(generated), (options ?? new()).Validate());
}
