using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Running;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>
/// A trained autoencoder of sequences as an ML.NET transform: the posterior mean of each sequence as a vector column and, on request, its standard deviation and a
/// score. It runs on OnnxRuntime; TorchSharp plays no part in it.
/// </summary>
/// <remarks>
/// Latent spaces of different members are not comparable, so latent columns are those of the first; the score is the mean over all, and all take part in
/// <see cref="VaeCatalog.ScoreVariants"/> and <see cref="VaeCatalog.SampleSequences"/>. Saved, it is an ordinary ONNX transform that carries every member:
/// <see cref="SequenceVaeModel.FromPipeline"/> and <see cref="VaeCatalog.Rehydrate(Microsoft.ML.ITransformer)"/> give them back.
/// </remarks>
public sealed class SequenceVaeTransformer : FittedTransformer
{
    private readonly VaeOutputColumns _columns;
    private readonly SharedSession _session;

    internal SequenceVaeTransformer(MLContext context, SequenceVaeModel model, IReadOnlyList<VaeTrainingHistory> histories, string inputColumnName, string latentColumnName,
        VaeOutputColumns columns, DataViewSchema fitSchema)
        : base(context, inputColumnName, columns.WithLatent(latentColumnName, model.LatentDimension, 1), fitSchema)
    {
        Model = model;
        Histories = histories;
        LatentColumnName = latentColumnName;
        _columns = columns;
        _session = OnnxBlockScorer.Open(CreateSavedModel());
    }

    /// <summary>The trained model.</summary>
    public SequenceVaeModel Model { get; }

    /// <summary>How the training of each member went; empty where the model was loaded.</summary>
    public IReadOnlyList<VaeTrainingHistory> Histories { get; }

    /// <summary>Column of the posterior mean.</summary>
    public string LatentColumnName { get; }

    private protected override VectorDataViewType InputType => new(NumberDataViewType.Int64, Model.Layout.Length);

    private protected override int CheckInput(DataViewSchema inputSchema) =>
        TokenColumns.Find(inputSchema, InputColumnName, nameof(inputSchema), Model.Layout.Length).Index;

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) => new Scorer(this, CheckInput(inputSchema), capacity);

    internal override byte[] CreateSavedModel() => VaeGraphs.SequenceFile(Model.Members, InputColumnName, LatentColumnName, _columns);

    private protected override void Dispose(bool disposing) => _session.Dispose();

    private sealed class Scorer : BlockScorer
    {
        /// <summary>Rows run at once: what is gathered for each, positions times hidden units, has to stay in the cache.</summary>
        private const int Rows = 32;

        private readonly SequenceVaeTransformer _owner;
        private readonly int _column, _length;
        private readonly byte[] _tokens;
        private readonly float[][] _outputs;
        private readonly string[] _names;

        public Scorer(SequenceVaeTransformer owner, int column, int capacity)
        {
            _owner = owner;
            _column = column;
            _length = owner.Model.Layout.Length;
            _tokens = new byte[capacity * _length];
            _names = [.. owner.OutputColumns.Select(output => output.TensorName)];
            _outputs = [.. owner.OutputColumns.Select(output => new float[capacity * output.Size])];
        }

        public override Action<int> CreateReader(DataViewRow row)
        {
            var getter = row.GetGetter<VBuffer<long>>(row.Schema[_column]);
            VBuffer<long> buffer = default;
            return slot =>
            {
                getter(ref buffer);
                TokenColumns.Pack(buffer, _tokens.AsSpan(slot * _length, _length), _owner.InputColumnName, row.Position, _owner.Model.Layout.Alphabet);
            };
        }

        public override void Run(int rows)
        {
            var session = _owner._session.Enter();
            try
            {
                for (int start = 0; start < rows; start += Rows)
                    Run(session, start, Math.Min(Rows, rows - start));
            }
            finally
            {
                _owner._session.Leave();
            }
        }

        private void Run(InferenceSession session, int start, int rows)
        {
            using var input = TokenTensors.Create(_tokens.AsSpan(start * _length, rows * _length), _length);
            using var options = new RunOptions();
            using var results = session.Run(options, [_owner.InputColumnName], [input], _names);
            for (int i = 0; i < _outputs.Length; i++)
            {
                var values = results[i].GetTensorDataAsSpan<float>();
                values.CopyTo(_outputs[i].AsSpan(start * (values.Length / rows)));
            }
        }

        public override ReadOnlySpan<float> Output(int column) => _outputs[column];
    }
}
