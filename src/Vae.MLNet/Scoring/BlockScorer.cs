using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Scoring;

/// <summary>
/// Computes the output columns for a block of rows: fill slots of the input through a reader, run, read the outputs. One belongs to one
/// cursor or row and is used by one thread at a time.
/// </summary>
internal abstract class BlockScorer : IDisposable
{
    /// <summary>A delegate that copies the current row of <paramref name="row"/> into the given slot of the block.</summary>
    public abstract Action<int> CreateReader(DataViewRow row);

    /// <summary>Computes the first <paramref name="rows"/> slots.</summary>
    public abstract void Run(int rows);

    /// <summary>The values of an output column, row-major; valid until the next run.</summary>
    public abstract ReadOnlySpan<float> Output(int column);

    public virtual void Dispose()
    {
    }

    /// <summary>Reads rows of a float vector column, dense or sparse, into a block.</summary>
    protected static Action<int> ReadInto(DataViewRow row, int columnIndex, ArraySegment<float> block, int size)
    {
        var column = row.Schema[columnIndex];
        var getter = row.GetGetter<VBuffer<float>>(column);
        VBuffer<float> buffer = default;
        return slot =>
        {
            getter(ref buffer);
            // A class given to PredictionEngine may hold an array of any length, or none, whatever its column's type says.
            if (buffer.Length != size)
                throw Check.SchemaMismatch("row", column.Name, Check.Invariant($"vectors of {size}"), Check.Invariant($"a vector of {buffer.Length} in row {row.Position}"));
            buffer.CopyTo(block.AsSpan(slot * size, size));
        };
    }
}

/// <summary>A block scorer whose outputs a managed kernel computes row by row from one float vector column.</summary>
internal sealed class KernelScorer(int inputColumn, int inputSize, int[] outputSizes, int capacity, KernelScorer.Kernel kernel) : BlockScorer
{
    /// <summary>Computes output column <paramref name="column"/> of one row.</summary>
    public delegate void Kernel(ReadOnlySpan<float> input, int column, Span<float> output);

    private readonly float[] _input = new float[capacity * inputSize];
    private readonly float[][] _outputs = [.. outputSizes.Select(size => new float[capacity * size])];

    public override Action<int> CreateReader(DataViewRow row) => ReadInto(row, inputColumn, _input, inputSize);

    public override void Run(int rows)
    {
        for (int column = 0; column < _outputs.Length; column++)
        {
            int size = outputSizes[column];
            for (int row = 0; row < rows; row++)
                kernel(_input.AsSpan(row * inputSize, inputSize), column, _outputs[column].AsSpan(row * size, size));
        }
    }

    public override ReadOnlySpan<float> Output(int column) => _outputs[column];
}
