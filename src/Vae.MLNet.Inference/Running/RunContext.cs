using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Vae.MLNet.Inference.Running;

/// <summary>
/// Buffers for up to a number of rows and the tensors over them, bound to a session once and run again and again: a run allocates nothing. Used by one thread
/// at a time; disposing it gives it back to its session.
/// </summary>
internal sealed class RunContext : IDisposable
{
    private readonly ModelSession _owner;

    // On the pinned heap, because native code reads and writes there.
    private readonly Array[] _inputs;
    private readonly float[][] _outputs;

    // One for each number of rows that has been asked for.
    private readonly Binding?[] _bindings;

    public RunContext(ModelSession owner, RunPlan plan, int capacity)
    {
        _owner = owner;
        Plan = plan;
        Capacity = capacity;
        _inputs = [.. plan.Inputs.Select<RowTensor, Array>(tensor => tensor.IsTokens
            ? GC.AllocateArray<long>(capacity * tensor.Size, pinned: true)
            : GC.AllocateArray<float>(tensor.IsEmpty ? 1 : capacity * tensor.Size, pinned: true))];
        _outputs = [.. plan.Outputs.Select(tensor => GC.AllocateArray<float>(capacity * tensor.Size, pinned: true))];
        _bindings = new Binding?[capacity];
    }

    public RunPlan Plan { get; }

    public int Capacity { get; }

    public Span<float> Input(int index) => (float[])_inputs[index];

    public Span<long> TokenInput(int index) => (long[])_inputs[index];

    public ReadOnlySpan<float> Output(int index) => _outputs[index];

    /// <summary>Runs the first rows of the buffers.</summary>
    public void Run(int rows) => _owner.Run((_bindings[rows - 1] ??= Bind(rows)).Io);

    public void Dispose() => _owner.Return(this);

    /// <summary>Frees the native side; only the session calls this.</summary>
    public void Free()
    {
        foreach (var binding in _bindings)
            binding?.Free();
    }

    private Binding Bind(int rows)
    {
        var binding = new Binding(_owner.CreateBinding());
        try
        {
            for (int i = 0; i < _inputs.Length; i++)
                binding.Io.BindInput(Plan.Inputs[i].Name, binding.Over(_inputs[i], rows, Plan.Inputs[i]));
            for (int i = 0; i < _outputs.Length; i++)
                binding.Io.BindOutput(Plan.Outputs[i].Name, binding.Over(_outputs[i], rows, Plan.Outputs[i]));
        }
        catch
        {
            binding.Free();
            throw;
        }
        return binding;
    }

    /// <summary>A binding with the tensors that it refers to.</summary>
    private sealed class Binding(OrtIoBinding io)
    {
        private readonly List<OrtValue> _tensors = [];

        public OrtIoBinding Io { get; } = io;

        public OrtValue Over(Array memory, int rows, RowTensor row)
        {
            if (row.IsEmpty)
                rows = 0;
            var tensor = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, row.IsTokens ? TensorElementType.Int64 : TensorElementType.Float, [rows, row.Size],
                Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0), (long)rows * row.Size * row.ElementSize);
            _tensors.Add(tensor);
            return tensor;
        }

        public void Free()
        {
            Io.Dispose();
            foreach (var tensor in _tensors)
                tensor.Dispose();
        }
    }
}
