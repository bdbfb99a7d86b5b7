using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Vae.MLNet.Inference.Running;

namespace Vae.MLNet.Scoring;

/// <summary>Runs an ONNX graph with one float input [N, size] on blocks of rows, through tensors over memory that is allocated once.</summary>
internal sealed class OnnxBlockScorer : BlockScorer
{
    /// <summary>A session for scorers of all threads to share.</summary>
    public static SharedSession Open(byte[] model)
    {
        using var options = new SessionOptions
        {
            // Scoring is parallel over cursors and callers; threads within one small network only wait for each other.
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            EnableCpuMemArena = true,
        };
        // Left alone, OnnxRuntime looks at the bytes and may take them for its own format.
        options.AddSessionConfigEntry("session.load_model_format", "ONNX");
        return new SharedSession(new InferenceSession(model, options), typeof(FittedTransformer));
    }

    private readonly SharedSession _session;
    private readonly RunOptions _runOptions = new();
    private readonly int _inputColumn, _inputSize, _capacity;
    private readonly int[] _outputSizes;
    private readonly string[] _inputNames, _outputNames;

    private readonly PinnedBlock _input;
    private readonly PinnedBlock[] _outputs;
    private readonly Tensors _full;
    private Tensors? _partial;
    private int _disposed;

    public OnnxBlockScorer(SharedSession session, int inputColumn, string inputName, int inputSize, string[] outputNames, int[] outputSizes, int capacity)
    {
        _session = session;
        _inputColumn = inputColumn;
        _inputSize = inputSize;
        _outputSizes = outputSizes;
        _capacity = capacity;
        _inputNames = [inputName];
        _outputNames = outputNames;
        _input = new PinnedBlock(capacity * inputSize);
        _outputs = [.. outputSizes.Select(size => new PinnedBlock(capacity * size))];
        _full = new Tensors(this, capacity);
    }

    public override Action<int> CreateReader(DataViewRow row) => ReadInto(row, _inputColumn, _input.Memory, _inputSize);

    public override void Run(int rows)
    {
        var tensors = _full;
        if (rows != _capacity)
        {
            if (_partial?.Rows != rows)
            {
                _partial?.Dispose();
                _partial = new Tensors(this, rows);
            }
            tensors = _partial;
        }
        var session = _session.Enter();
        try
        {
            session.Run(_runOptions, _inputNames, tensors.Input, _outputNames, tensors.Outputs);
        }
        finally
        {
            _session.Leave();
        }
        GC.KeepAlive(this);
    }

    public override ReadOnlySpan<float> Output(int column) => _outputs[column].Span;

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _full.Dispose();
        _partial?.Dispose();
        _runOptions.Dispose();
    }

    /// <summary>Tensors for a number of rows, over the start of the scorer's memory.</summary>
    private sealed class Tensors : IDisposable
    {
        public Tensors(OnnxBlockScorer owner, int rows)
        {
            Rows = rows;
            Input = [Over(owner._input, rows, owner._inputSize)];
            Outputs = [.. owner._outputs.Select((memory, i) => Over(memory, rows, owner._outputSizes[i]))];
        }

        public int Rows { get; }

        public OrtValue[] Input { get; }

        public OrtValue[] Outputs { get; }

        private static OrtValue Over(PinnedBlock memory, int rows, int size) => OrtValue.CreateTensorValueWithData(
            OrtMemoryInfo.DefaultInstance, TensorElementType.Float, [rows, size], memory.Address, (long)rows * size * sizeof(float));

        public void Dispose()
        {
            Input[0].Dispose();
            foreach (var output in Outputs)
                output.Dispose();
        }
    }
}

/// <summary>
/// Memory that native code reads and writes: on the pinned heap, so that a block nobody disposes is collected like any other object (PredictionEngine does not dispose
/// its row), and aligned, so that native code adds up in the same order every time.
/// </summary>
internal sealed class PinnedBlock
{
    private const int Alignment = 64;

    private readonly float[] _array;
    private readonly int _start, _length;

    public PinnedBlock(int length)
    {
        _array = GC.AllocateArray<float>(length + Alignment / sizeof(float), pinned: true);
        long address = Marshal.UnsafeAddrOfPinnedArrayElement(_array, 0);
        _start = (int)((Alignment - address % Alignment) % Alignment / sizeof(float));
        _length = length;
    }

    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(_array, _start);

    public ArraySegment<float> Memory => new(_array, _start, _length);

    public ReadOnlySpan<float> Span => _array.AsSpan(_start, _length);
}
