namespace Vae.MLNet.Inference.Running;

/// <summary>
/// A tensor of shape [rows, Size] by name: single precision, or 64-bit integers for tokens; an empty one has no rows, however many the
/// others have.
/// </summary>
internal readonly record struct RowTensor(string Name, int Size, bool IsTokens = false, bool IsEmpty = false)
{
    public int ElementSize => IsTokens ? sizeof(long) : sizeof(float);
}

/// <summary>One way to run a graph: which inputs are given and which outputs are taken. It keeps the idle contexts made for it (under the session's lock).</summary>
internal sealed class RunPlan
{
    /// <summary>Rows of a full block, where rows are not so long that the block's buffers would pass the limit.</summary>
    private const int FullBlock = 256;

    private const int LargestBuffer = 16 << 20;

    public RunPlan(RowTensor[] inputs, RowTensor[] outputs)
    {
        Inputs = inputs;
        Outputs = outputs;
        long row = inputs.Concat(outputs).Sum(tensor => (long)tensor.Size * tensor.ElementSize);
        BlockRows = (int)Math.Clamp(LargestBuffer / row, 1, FullBlock);
    }

    public RowTensor[] Inputs { get; }

    public RowTensor[] Outputs { get; }

    /// <summary>Rows run at once; longer inputs go block by block.</summary>
    public int BlockRows { get; }

    /// <summary>Idle contexts for one row.</summary>
    public Stack<RunContext> IdleOne { get; } = new();

    /// <summary>Idle contexts for a block.</summary>
    public Stack<RunContext> IdleBlock { get; } = new();
}
