namespace SerineProteases;

/// <summary>What a run is asked to do.</summary>
internal sealed record ExampleOptions
{
    /// <summary>Alignment to use instead of a simulated family.</summary>
    public FileInfo? Alignment { get; init; }

    /// <summary>Name of its reference sequence; null for the first.</summary>
    public string? Reference { get; init; }

    /// <summary>What annotations in headers start behind; null for headers without.</summary>
    public string? AnnotationStart { get; init; }

    /// <summary>The annotation, from 1, that colours the latent map.</summary>
    public int ColourBy { get; init; }

    /// <summary>Conserved residues to look for in samples, such as H57.</summary>
    public required IReadOnlyList<(int Position, char Letter)> Conserved { get; init; }

    public required DirectoryInfo Output { get; init; }

    public int Members { get; init; }

    public int Samples { get; init; }

    public int Seed { get; init; }
}
