namespace Vae.MLNet.Inference;

/// <summary>The model of the data given a latent, p(x|z), that a decoder was trained with.</summary>
public enum DecoderLikelihood
{
    /// <summary>Squared error; the noise is the root mean square of the training residuals.</summary>
    MeanSquaredError,

    /// <summary>Independent normal distributions about the reconstruction, with the decoder's noise as standard deviation.</summary>
    Gaussian,

    /// <summary>Independent coin flips; the reconstruction holds the probabilities of a one.</summary>
    Bernoulli,

    /// <summary>One symbol in each group of features; the reconstruction holds the symbols' probabilities, which sum to one in each group.</summary>
    Categorical,
}
