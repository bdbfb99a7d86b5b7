using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Sequences;

namespace Vae.MLNet;

/// <summary>A fitted site-independent model: adds the log-probability of each sequence.</summary>
public sealed class SiteIndependentTransformer : FittedTransformer
{
    internal SiteIndependentTransformer(IHostEnvironment environment, string output, string input, SiteIndependentModel model, DataViewSchema fitSchema)
        : base(environment, input, [Output(output)], fitSchema) =>
        Model = model;

    /// <summary>The model.</summary>
    public SiteIndependentModel Model { get; }

    internal static OutputColumn Output(string name) => new(name, 1, IsScalar: true);

    private protected override VectorDataViewType InputType => new(NumberDataViewType.Int64, Model.Layout.Length);

    private protected override int CheckInput(DataViewSchema inputSchema) =>
        TokenColumns.Find(inputSchema, InputColumnName, nameof(inputSchema), Model.Layout.Length).Index;

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) =>
        new Scorer(Model, CheckInput(inputSchema), InputColumnName, capacity);

    internal override byte[] CreateSavedModel()
    {
        var layout = Model.Layout;
        int length = layout.Length, stride = layout.Alphabet.TokenCount;
        var graph = new OnnxGraph("SiteIndependent");
        string tokens = graph.Input(InputColumnName, OnnxType.Int64, OnnxGraph.Batch, length);
        string table = graph.Constant(Table, Model.Logs, length * stride);
        long[] starts = [.. Enumerable.Range(0, length).Select(c => (long)c * stride)];
        string picked = graph.Node("Gather", [table, graph.Add(tokens, graph.Constant("starts", starts, 1, length))]);
        string output = graph.Node("ReduceSum", [picked, graph.Ints(1)], OutputColumn.VectorName(OutputColumns[0].Name), ("keepdims", 1L));
        graph.Output(output, OnnxType.Float, OnnxGraph.Batch, 1);
        graph.Metadata(VaeMetadata.Format, VaeMetadata.FormatVersion);
        graph.Metadata(VaeMetadata.Kind, VaeMetadata.SiteIndependentKind);
        graph.Metadata(VaeMetadata.Version, LibraryVersion.Text);
        graph.Metadata(VaeMetadata.SequenceLayout, layout.ToJson());
        return graph.ToBytes();
    }

    /// <summary>The model in a file that <see cref="CreateSavedModel"/> gave.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    internal static SiteIndependentModel Read(OnnxFile file)
    {
        SequenceLayout layout;
        try
        {
            layout = SequenceLayout.FromJson(file.Required(VaeMetadata.SequenceLayout));
        }
        catch (InvalidDataException e)
        {
            throw Check.BadFile(file.Name, e.Message, e);
        }
        float[] logs = file.Floats(Table, [(long)layout.Length * layout.Alphabet.TokenCount])
            ?? throw Check.BadFile(file.Name, $"it has no initialiser '{Table}'.");
        if (logs.Any(value => !(value <= 0) || !float.IsFinite(value)))
            throw Check.BadFile(file.Name, $"its '{Table}' are not all finite and at most 0.");
        return new(layout, logs);
    }

    private const string Table = "log_probabilities";

    private sealed class Scorer(SiteIndependentModel model, int column, string name, int capacity) : BlockScorer
    {
        private readonly byte[] _tokens = new byte[capacity * model.Layout.Length];
        private readonly float[] _scores = new float[capacity];

        public override Action<int> CreateReader(DataViewRow row)
        {
            int length = model.Layout.Length;
            var getter = row.GetGetter<VBuffer<long>>(row.Schema[column]);
            VBuffer<long> buffer = default;
            return slot =>
            {
                getter(ref buffer);
                TokenColumns.Pack(buffer, _tokens.AsSpan(slot * length, length), name, row.Position, model.Layout.Alphabet);
            };
        }

        public override void Run(int rows)
        {
            for (int row = 0; row < rows; row++)
                _scores[row] = (float)model.LogProbability(_tokens.AsSpan(row * model.Layout.Length, model.Layout.Length));
        }

        public override ReadOnlySpan<float> Output(int column) => _scores;
    }
}
