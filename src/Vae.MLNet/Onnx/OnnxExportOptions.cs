namespace Vae.MLNet;

/// <summary>How weight matrices are stored in an exported file.</summary>
public enum OnnxWeightType
{
    /// <summary>Single precision: the exported graph agrees with the trained network to 1e-5 of the largest output.</summary>
    Float32,

    /// <summary>
    /// Half precision, half the size; the graph casts them to single precision, in which everything is computed, so that the speed is the same. A weight is rounded by
    /// at most 2⁻¹¹ of itself; the error of the outputs is measured at every export and may reach 1e-2 of the largest output. Biases stay in single precision.
    /// </summary>
    Float16,
}

/// <summary>Options of the export of a decoder or an encoder.</summary>
public sealed record OnnxExportOptions
{
    /// <summary>How weight matrices are stored. Default single precision.</summary>
    public OnnxWeightType WeightType { get; init; } = OnnxWeightType.Float32;

    /// <summary>
    /// For a decoder: whether the file also holds the vector-Jacobian product, which gradient descent in latent space needs. Default true:
    /// plain decoding does not pay for it, and the weights are shared.
    /// </summary>
    /// <remarks>
    /// The product stands in the file's metadata, under <c>vae.gradient_graph</c>: a GraphProto in base64, with the nodes that follow those
    /// of the decoder. <c>VaeDecoder</c> adds it when it loads the file. For another runtime, merge it into the model's graph (in Python
    /// <c>model.graph.MergeFromString(base64.b64decode(text))</c>): the model then also takes <c>Cotangent</c> [M, features] and gives
    /// <c>LatentGradient</c> [M, latent], with M the number of latents, or 0 to decode alone.
    /// </remarks>
    public bool WithGradient { get; init; } = true;

    internal OnnxExportOptions Validate()
    {
        Check.Defined(WeightType);
        return this;
    }
}

/// <summary>What an export wrote.</summary>
/// <param name="Bytes">Size of the file.</param>
/// <param name="LargestError">
/// Largest difference between the exported graph and the reference on random rows, relative to the largest value of the output. The reference of a decoder or encoder is
/// the network in TorchSharp (null where TorchSharp's native library is not there, as in an application that only extracts); that of a pipeline is the ML.NET chain
/// (null where it has a transform that does not map row to row).
/// </param>
/// <param name="Tolerance">What the difference is allowed to be; an export that exceeds it fails.</param>
public sealed record OnnxExportReport(long Bytes, double? LargestError, double Tolerance);
