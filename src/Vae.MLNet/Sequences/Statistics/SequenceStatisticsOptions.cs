using System.Diagnostics.CodeAnalysis;
using Vae.MLNet.Inference;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>Which triples of columns are compared.</summary>
public enum TripleSelection
{
    /// <summary>Triples drawn at random, all alike.</summary>
    Random,

    /// <summary>Triples around the pairs of columns with the greatest mutual information in the natural sequences, each with the third column that shares most with both.</summary>
    Strongest,
}

/// <summary>How two sets of sequences are compared.</summary>
public sealed record SequenceStatisticsOptions
{
    /// <summary>Whether the gap is one of the symbols. The default, null, counts it where the alphabet treats it as a symbol.</summary>
    public bool? IncludeGaps { get; init; }

    /// <summary>Whether sets that have weights are counted with them. The default is true.</summary>
    public bool UseWeights { get; init; } = true;

    /// <summary>Entries whose frequency is below this in both sets are left out. From 0 to 1. The default is 0: all entries count.</summary>
    public double MinFrequency { get; init; }

    /// <summary>About how many entries to give back for a scatter plot, drawn at random. The default is 0: none.</summary>
    public int MaxPoints { get; init; }

    /// <summary>How many triples of columns are compared. The default is 2000.</summary>
    public int Triples { get; init; } = 2000;

    /// <summary>Which triples are compared. The default is <see cref="TripleSelection.Random"/>.</summary>
    public TripleSelection TripleSelection { get; init; } = TripleSelection.Random;

    /// <summary>Seed of the points and triples that are drawn. The default is 0.</summary>
    public int Seed { get; init; }

    /// <summary>Threads; 0, the default, for one a processor. The results do not depend on it.</summary>
    public int Threads { get; init; }

    internal void Validate()
    {
        Check.InRange(MinFrequency, 0, 1);
        Check.AtLeast(MaxPoints, 0);
        Check.AtLeast(Triples, 1);
        Check.Defined(TripleSelection);
        Check.AtLeast(Threads, 0);
    }

    internal ParallelOptions Parallel => new() { MaxDegreeOfParallelism = Threads == 0 ? -1 : Threads };
}
