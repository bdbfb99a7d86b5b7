using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.OnnxRuntime;

namespace Vae.MLNet.Scoring;

/// <summary>
/// An OnnxRuntime session that may be shared by threads and disposed at any time: runs in flight end first, later ones throw. (OnnxRuntime itself crashes the
/// process when a disposed session is used.)
/// </summary>
internal sealed class SharedSession : IDisposable
{
    private readonly InferenceSession _session;
    private int _users;
    private bool _disposed;

    public SharedSession(byte[] model)
    {
        using var options = new SessionOptions
        {
            // Scoring is parallel over cursors and callers; threads within one small network only wait for each other.
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            EnableCpuMemArena = true,
        };
        _session = new InferenceSession(model, options);
    }

    public InferenceSession Enter()
    {
        lock (this)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(FittedTransformer));
            _users++;
        }
        return _session;
    }

    public void Leave()
    {
        lock (this)
        {
            if (--_users == 0 && _disposed)
                _session.Dispose();
        }
    }

    public void Dispose()
    {
        lock (this)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (_users == 0)
                _session.Dispose();
        }
    }
}

/// <summary>Runs an ONNX graph with one float input [N, size] on blocks of rows, through tensors that are allocated once.</summary>
internal sealed class OnnxBlockScorer : BlockScorer
{
    private readonly SharedSession _session;
    private readonly RunOptions _runOptions = new();
    private readonly int _inputColumn, _inputSize, _capacity;
    private readonly int[] _outputSizes;
    private readonly string[] _inputNames, _outputNames;
    private readonly Tensors _full;
    private Tensors _latest;
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
        _full = new Tensors(capacity, inputSize, outputSizes);
        _latest = _full;
    }


    public override Action<int> CreateReader(DataViewRow row)
    {
        // A block of one reads straight into the tensor: that is PredictionEngine's path.
        var getter = row.GetGetter<Microsoft.ML.Data.VBuffer<float>>(row.Schema[_inputColumn]);
        Microsoft.ML.Data.VBuffer<float> buffer = default;
        return slot =>
        {
            getter(ref buffer);
            buffer.CopyTo(_full.Input.GetTensorMutableDataAsSpan<float>().Slice(slot * _inputSize, _inputSize));
        };
    }

    public override void Run(int rows)
    {
        var tensors = _full;
        if (rows != _capacity)
        {
            if (_partial?.Rows != rows)
            {
                _partial?.Dispose();
                _partial = new Tensors(rows, _inputSize, _outputSizes);
            }
            tensors = _partial;
            _full.Input.GetTensorDataAsSpan<float>()[..(rows * _inputSize)].CopyTo(tensors.Input.GetTensorMutableDataAsSpan<float>());
        }
        var session = _session.Enter();
        try
        {
            session.Run(_runOptions, _inputNames, [tensors.Input], _outputNames, tensors.Outputs);
        }
        finally
        {
            _session.Leave();
        }
        _latest = tensors;
    }

    public override ReadOnlySpan<float> Output(int column) => _latest.Outputs[column].GetTensorDataAsSpan<float>();

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _full.Dispose();
        _partial?.Dispose();
        _runOptions.Dispose();
    }

    private sealed class Tensors : IDisposable
    {
        public Tensors(int rows, int inputSize, int[] outputSizes)
        {
            Rows = rows;
            Input = Allocate(rows, inputSize);
            Outputs = [.. outputSizes.Select(size => Allocate(rows, size))];
        }

        public int Rows { get; }

        public OrtValue Input { get; }

        public OrtValue[] Outputs { get; }

        private static OrtValue Allocate(int rows, int size) =>
            OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float, [rows, size]);

        public void Dispose()
        {
            Input.Dispose();
            foreach (var output in Outputs)
                output.Dispose();
        }
    }
}
