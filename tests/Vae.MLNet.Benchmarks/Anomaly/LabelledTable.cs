using Vae.MLNet.Data;

namespace Vae.MLNet.Benchmarks.Anomaly;

/// <summary>Rows of features X and labels y (1: anomaly) from an .npz file.</summary>
internal sealed record LabelledTable(string Name, float[][] Rows, bool[] Labels)
{
    public static LabelledTable Load(string path)
    {
        var arrays = NumPyFile.Read(path);
        var (x, y) = (arrays.Single(array => array.Name == "X"), arrays.Single(array => array.Name == "y"));
        return new(Path.GetFileNameWithoutExtension(path), [.. x.Values.Chunk(x.Shape[1])], [.. y.Values.Select(label => label != 0)]);
    }
}
