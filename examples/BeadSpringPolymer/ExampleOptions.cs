namespace BeadSpringPolymer;

/// <summary>What the command line asks for.</summary>
internal sealed record ExampleOptions
{
    /// <summary>The user's own conformations; null simulates.</summary>
    public FileInfo? Data { get; init; }

    /// <summary>Folder for everything that is written.</summary>
    public required DirectoryInfo Output { get; init; }

    public required int Epochs { get; init; }

    public required int Seed { get; init; }

    public required int Conformations { get; init; }

    public required bool SimulateOnly { get; init; }
}
