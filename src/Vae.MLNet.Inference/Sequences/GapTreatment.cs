namespace Vae.MLNet.Inference;

/// <summary>What a gap of an alignment is to a model.</summary>
public enum GapTreatment
{
    /// <summary>A symbol of its own behind the letters: read by the encoder, given a probability by the decoder, counted in the loss.</summary>
    Symbol,

    /// <summary>Nothing: the encoder's input is zero there, the decoder knows letters only, and the loss leaves the position out (as DeepSequence and EVE do).</summary>
    Missing,

    /// <summary>Seen but not modelled: the encoder reads the gap as a symbol, the decoder knows letters only, and the loss leaves the position out.</summary>
    Masked,
}
