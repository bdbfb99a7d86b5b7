using Microsoft.ML.OnnxRuntime;

namespace Vae.MLNet.Sequences;

/// <summary>Packed tokens as OnnxRuntime takes them.</summary>
internal static class TokenTensors
{
    /// <summary>Int64 [n, length].</summary>
    public static OrtValue Create(ReadOnlySpan<byte> tokens, int length)
    {
        var wide = new long[tokens.Length];
        for (int i = 0; i < wide.Length; i++)
            wide[i] = tokens[i];
        return OrtValue.CreateTensorValueFromMemory(wide, [tokens.Length / length, length]);
    }
}
