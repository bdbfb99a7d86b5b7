namespace Vae.MLNet.Data;

/// <summary>An array of a NumPy file: its values in C order (last dimension fastest), whatever type and order the file has.</summary>
/// <param name="Name">The name in a .npz file; for a .npy file the file's name without its ending.</param>
/// <param name="Shape">The dimensions; empty for a single number.</param>
/// <param name="Values">As many values as the product of <paramref name="Shape"/>.</param>
internal sealed record NumPyArray(string Name, int[] Shape, float[] Values);
