namespace Vae.MLNet.Inference;

/// <summary>What the rows are that a decoder gives.</summary>
public enum VaeDataKind
{
    /// <summary>Numbers without further meaning: a table's columns, a signal, a picture.</summary>
    Vector,

    /// <summary>Points in space, bead by bead: coordinates of a chain or a molecule.</summary>
    Conformation,

    /// <summary>Aligned sequences: at each position the probabilities of the symbols.</summary>
    Sequence,
}
