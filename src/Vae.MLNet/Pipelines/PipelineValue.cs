using Vae.MLNet.Onnx;

namespace Vae.MLNet.Pipelines;

/// <summary>A column as a tensor [N, dims]; without a tensor yet where it is a column of the data that nothing has read.</summary>
internal sealed class PipelineValue(string? tensor, long[] dims, OnnxType type)
{
    public string? Tensor { get; set; } = tensor;

    public long[] Dims { get; set; } = dims;

    public OnnxType Type { get; } = type;

    /// <summary>Column of the data that it is.</summary>
    public string? Root { get; init; }

    /// <summary>The transform, counted from 0, that gives it, and the name of the column there; null for what plain columns make.</summary>
    public (int Leaf, string Column)? Source { get; init; }

    /// <summary>Of a label: the score above which it is set.</summary>
    public float? Threshold { get; init; }

    /// <summary>Takes rows that the value should look like and hands them on to the columns of the data it is made of; null where there is no way back.</summary>
    public Action<double[][]>? Suggest { get; init; }

    /// <summary>Asks for missing values in the columns of the data it is made of; null where there is no way back.</summary>
    public Action? Gaps { get; init; }

    /// <summary>Whether each number depends on all of the row, so that its rounding errors are of the size of the whole row.</summary>
    public bool Mixes { get; init; }

    /// <summary>A size of each number, or one for all, below which differences are not told from zero; null for none.</summary>
    public Func<int, double>? Unit { get; init; }

    public long Size => Dims.Aggregate(1L, (product, dim) => product * dim);
}
