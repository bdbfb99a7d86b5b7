using System.Numerics;
using System.Runtime.InteropServices;
using TorchSharp;
using Vae.MLNet.Inference;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Vae.MLNet.Model;

/// <summary>Rows of tokens in memory, packed as bytes and row-major, and a weight for each row where there are any.</summary>
internal sealed record TokenData(byte[] Tokens, int Rows, float[]? Weights)
{
    /// <summary>The rows at the given places.</summary>
    public TokenData Select(ReadOnlySpan<long> rows)
    {
        int length = Tokens.Length / Rows;
        var tokens = new byte[rows.Length * length];
        var weights = Weights is null ? null : new float[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            Tokens.AsSpan((int)rows[i] * length, length).CopyTo(tokens.AsSpan(i * length));
            if (weights is not null)
                weights[i] = Weights![rows[i]];
        }
        return new(tokens, rows.Length, weights);
    }
}

/// <summary>
/// A first layer that reads tokens [N, positions] (Byte): the sum over the positions of one row of a table each, which is what a linear layer makes of one-hot
/// vectors, without the zeros. The table has a row for every token of every position; rows of tokens that are not read are zero and stay so.
/// </summary>
/// <param name="weight">Table [positions · tokens, outputs].</param>
/// <param name="bias">b [outputs].</param>
/// <param name="weightGradient">Place of the table's gradient.</param>
/// <param name="biasGradient">Place of the bias's gradient.</param>
/// <param name="layout">Positions and alphabet.</param>
internal sealed class TokenLayer(Tensor weight, Tensor bias, Tensor? weightGradient, Tensor? biasGradient, SequenceLayout layout)
    : DenseLayers.Layer(weight, bias, weightGradient, biasGradient)
{
    private readonly int _positions = layout.Length, _tokens = layout.Alphabet.TokenCount, _read = layout.Alphabet.InputSymbolCount;

    /// <summary>Whether to use the kernels that run on any device even on the processor: for tests.</summary>
    internal bool Portable { get; init; }

    /// <summary>Sets rows of tokens that are not read to zero.</summary>
    public static void ClearUnread(Span<float> table, SequenceLayout layout)
    {
        int tokens = layout.Alphabet.TokenCount, read = layout.Alphabet.InputSymbolCount, width = table.Length / (layout.Length * tokens);
        for (int position = 0; position < layout.Length; position++)
            table.Slice((position * tokens + read) * width, (tokens - read) * width).Clear();
    }

    public override Tensor Forward(Tensor x)
    {
        long rows = x.shape[0], width = Weight.shape[1];
        if (Portable || x.device_type != DeviceType.CPU)
            return Weight.index_select(0, Indexes(x)).view(rows, _positions, width).sum(1).PlusInPlace(Bias);
        var output = Bias.expand(rows, width).clone();
        // Position by position, so that the few rows of the table that are in play stay in the first-level cache.
        Span<byte> tokens = x.bytes;
        Span<float> table = Floats(Weight), sums = Floats(output);
        for (int position = 0; position < _positions; position++)
        {
            for (int row = 0; row < rows; row++)
            {
                int token = tokens[row * _positions + position];
                if (token < _read)
                    Add(sums.Slice(row * (int)width, (int)width), table.Slice((position * _tokens + token) * (int)width, (int)width));
            }
        }
        return output;
    }

    public override void SetWeightGradient(Tensor gradient, Tensor input)
    {
        int rows = (int)input.shape[0], width = (int)Weight.shape[1];
        if (Portable || input.device_type != DeviceType.CPU)
        {
            var each = gradient.unsqueeze(1).expand(rows, _positions, width).reshape(-1, width);
            using Scalar one = 1;
            WeightGradient!.zero_().index_add_(0, Indexes(input), each, one);
            WeightGradient.view(_positions, _tokens, width).narrow(1, _read, _tokens - _read).zero_();
            return;
        }
        using var contiguous = gradient.contiguous();
        Span<byte> tokens = input.bytes;
        Span<float> table = Floats(WeightGradient!), sums = Floats(contiguous);
        for (int position = 0; position < _positions; position++)
        {
            table.Slice(position * _tokens * width, _tokens * width).Clear();
            for (int row = 0; row < rows; row++)
            {
                int token = tokens[row * _positions + position];
                if (token < _read)
                    Add(table.Slice((position * _tokens + token) * width, width), sums.Slice(row * width, width));
            }
        }
    }

    private Tensor Indexes(Tensor x) =>
        x.to(ScalarType.Int64).PlusInPlace(tensor([.. Enumerable.Range(0, _positions).Select(i => (long)i * _tokens)], device: x.device)).view(-1);

    private static Span<float> Floats(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

    private static void Add(Span<float> target, ReadOnlySpan<float> source)
    {
        int i = 0;
        for (; i <= target.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(target[i..]) + new Vector<float>(source[i..])).CopyTo(target[i..]);
        for (; i < target.Length; i++)
            target[i] += source[i];
    }
}

/// <summary>-log p of tokens [N, positions] under logits [N, positions · symbols]; tokens that are no symbols have no part in it.</summary>
internal static class TokenLikelihood
{
    /// <summary>Nats of each row, [N].</summary>
    public static Tensor Negative(Tensor tokens, Tensor logits, int symbols)
    {
        var (index, present) = Symbols(tokens, symbols);
        var logs = F.log_softmax(logits.view(tokens.shape[0], tokens.shape[1], symbols), -1);
        return -(logs.gather(2, index).mul_(present)).sum([1, 2]);
    }

    /// <summary>Gradient with respect to the logits, of their shape: softmax minus one-hot.</summary>
    public static Tensor Gradient(Tensor tokens, Tensor logits, int symbols)
    {
        var (index, present) = Symbols(tokens, symbols);
        var gradient = logits.view(tokens.shape[0], tokens.shape[1], symbols).softmax(-1).mul_(present);
        return gradient.scatter_add_(2, index, present.neg()).view(logits.shape);
    }

    private static (Tensor Index, Tensor Present) Symbols(Tensor tokens, int symbols)
    {
        var index = tokens.to(ScalarType.Int64).unsqueeze(-1);
        var present = index.IsBelow((long)symbols).to(ScalarType.Float32);
        return (index.AtMostInPlace(symbols - 1), present);
    }
}
