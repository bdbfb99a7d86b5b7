using System.Text.Json;

namespace BeadSpringPolymer;

/// <summary>The figures of a run, written as results.json.</summary>
internal sealed record Results
{
    public required int Seed { get; init; }

    public required int Conformations { get; init; }

    public required int Epochs { get; init; }

    /// <summary>Validation: the last fifth of the frames as one block, z drawn from the posterior, squared error averaged over coordinates.</summary>
    public required double ValidationMse { get; init; }

    public required double TrainMse { get; init; }

    /// <summary>KL divergence averaged over rows and latent dimensions, nats.</summary>
    public required double ValidationKl { get; init; }

    /// <summary>1 - validation MSE / variance of the aligned validation shapes about the training mean.</summary>
    public required double ExplainedVariance { get; init; }

    public required int ActiveUnits { get; init; }

    /// <summary>R² of Rg on validation frames from the 10 nearest training frames in the latent space.</summary>
    public required double RgR2 { get; init; }

    /// <summary>The same network, data and epochs with the eigenvectors' signs as they come.</summary>
    public required double CourseValidationMse { get; init; }

    public required double CourseExplainedVariance { get; init; }

    public required double CourseRgR2 { get; init; }

    /// <summary>Share of the training frames themselves that are physical.</summary>
    public required double TrainingPhysical { get; init; }

    public required double InterpolationPhysical { get; init; }

    public required double SampledPhysical { get; init; }

    /// <summary>Gradient descent on Rg alone, as in the course: share of the end points that are physical.</summary>
    public required double CourseOptimizedPhysical { get; init; }

    /// <summary>Least Rg among those end points, physical or not.</summary>
    public required double CourseMinimumRg { get; init; }

    /// <summary>Shortest bond of that shape.</summary>
    public required double CourseShortestBond { get; init; }

    /// <summary>Gradient descent on Rg with penalties that keep to plausible shapes, in the same two dimensions: share of the end points that are physical.</summary>
    public required double PlausibleOptimizedPhysical { get; init; }

    /// <summary>Least Rg among the physical shapes on the way, end points included; null where none is.</summary>
    public required double? PlausibleMinimumRg { get; init; }

    /// <summary>Squared error of decoded posterior means of the 16-dimensional model on the validation rows.</summary>
    public required double DesignValidationMse { get; init; }

    public required double DesignInterpolationPhysical { get; init; }

    public required double DesignSampledPhysical { get; init; }

    /// <summary>The same descent with penalties in the 16-dimensional model: share of the end points that are physical.</summary>
    public required double OptimizedPhysical { get; init; }

    /// <summary>Least Rg among the physical shapes on the way, end points included; null where none is.</summary>
    public required double? MinimumRg { get; init; }

    public required double TrainingMinimumRg { get; init; }

    /// <summary>Least Rg among the training frames that are physical.</summary>
    public required double TrainingMinimumRgPhysical { get; init; }

    /// <summary>
    /// Area under the ROC curve of boosted trees that tell shapes drawn bead by bead, and kept by the critic, from frames that no model has
    /// seen, by all distances: 0.5 says that they cannot.
    /// </summary>
    public required double TwoSampleAuc { get; init; }

    /// <summary>Share of those shapes that are physical.</summary>
    public required double ChainSampledPhysical { get; init; }

    /// <summary>Share of the shapes drawn bead by bead that the critic kept.</summary>
    public required double SampledAcceptance { get; init; }

    /// <summary><see cref="TwoSampleAuc"/> of shapes as they are drawn, without the critic.</summary>
    public required double TwoSampleAucWithoutCritic { get; init; }

    /// <summary><see cref="ChainSampledPhysical"/> of shapes as they are drawn, without the critic.</summary>
    public required double ChainSampledPhysicalWithoutCritic { get; init; }

    /// <summary>The same as a share of the fresh frames'.</summary>
    public required double SampledPhysicalShare { get; init; }

    /// <summary>Largest difference between the distributions of Rg of shapes drawn bead by bead and of fresh frames (Kolmogorov and Smirnov).</summary>
    public required double KsRg { get; init; }

    /// <summary>The same of the end-to-end distance.</summary>
    public required double KsEndToEnd { get; init; }

    /// <summary>
    /// Mean distance of shapes drawn bead by bead to the nearest frame trained on, over that of fresh frames: below 1 where frames are copied.
    /// </summary>
    public required double SampledDistanceRatio { get; init; }

    /// <summary>Share of the shapes drawn bead by bead that equal a frame trained on.</summary>
    public required double SampledCopies { get; init; }

    /// <summary>Share of interpolated shapes, drawn bead by bead with one noise all the way, that are physical.</summary>
    public required double ChainInterpolationPhysical { get; init; }

    /// <summary>Share of the compact shapes that were looked for among draws of the chain decoder that are physical.</summary>
    public required double DesignPhysical { get; init; }

    /// <summary>Least Rg of a physical one among them; null where none is.</summary>
    public required double? DesignMinimumRg { get; init; }

    /// <summary>Seconds of the whole run.</summary>
    public double SecondsTotal { get; init; }

    public required double SecondsPerEpoch { get; init; }

    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, Options));

    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
}
