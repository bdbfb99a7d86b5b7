using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Vae.MLNet.Inference.Running;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Tables;

namespace Vae.MLNet;

/// <summary>
/// A trained autoencoder of a table as an ML.NET transform: the latent vector of each row, its score, and on request each column's part of it. It runs on OnnxRuntime; saved,
/// it loads in any ML.NET application that references Microsoft.ML.OnnxTransformer, and takes the same typed columns there.
/// </summary>
public sealed class TableVaeTransformer : FittedTransformer
{
    private readonly TableColumnNames _names;
    private readonly SharedSession _session;

    internal TableVaeTransformer(MLContext context, TableVaeModel model, TableColumnNames names, DataViewSchema fitSchema)
        : base(context, model.Schema.Codecs[0].Name, Outputs(names, model.LatentDimension, [.. model.Schema.Codecs.Select(codec => codec.Name)]), fitSchema)
    {
        Model = model;
        _names = names;
        InputNames = [.. model.Schema.Codecs.Select(codec => codec.Name)];
        foreach (string output in new[] { names.Latent, names.Score, names.Contributions }.OfType<string>())
        {
            if (InputNames.Contains(output))
                throw Check.Argument("options", $"The output column '{output}' is called as a column of the table; give it another name.");
        }
        _session = OnnxBlockScorer.Open(CreateSavedModel());
    }

    /// <summary>The trained model: it draws rows and fills gaps.</summary>
    public TableVaeModel Model { get; }

    /// <summary>Column of the posterior mean.</summary>
    public string LatentColumnName => _names.Latent;

    /// <summary>Column of the score.</summary>
    public string ScoreColumnName => _names.Score;

    /// <summary>Column of each table column's part of the score, in the order of <see cref="FittedTransformer.InputNames"/>; null where there is none.</summary>
    public string? ContributionsColumnName => _names.Contributions;

    /// <summary>The transform whose model a file holds; null where the file does not name its columns.</summary>
    internal static TableVaeTransformer? Read(MLContext context, OnnxFile file)
    {
        var model = TableVaeModel.Read(file);
        return file.Metadata.TryGetValue(VaeMetadata.Columns, out string? text) && TableColumnNames.FromJson(text) is { } names
            ? new(context, model, names, Columns(model).Schema)
            : null;
    }

    /// <summary>A schema that has just the columns that are read.</summary>
    internal DataViewSchema TableSchema() => Columns(Model).Schema;

    private static TableDataView Columns(TableVaeModel model) => new([.. model.Schema.Codecs.Select(codec => TableTensors.Empty(codec.Name, model.Schema.TypeOf(codec)))], 0);

    /// <summary>Draws new rows; see <see cref="TableVaeModel.Synthesize"/>.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">Seed: the same one gives the same rows.</param>
    /// <param name="where">Values that columns have to have, by name; null for none.</param>
    /// <param name="excluded">Rows that must not come again, cell for cell, as those that the model was trained on; null for none.</param>
    /// <param name="critic">A critic of this model's rows, by which they are kept or drawn anew; null for none.</param>
    /// <returns>Rows with the columns of the table, of the same types.</returns>
    /// <exception cref="ArgumentException">A condition names no column of the model, or a value that it never had.</exception>
    /// <exception cref="InvalidOperationException">
    /// Nearly all rows that the model draws are among the excluded ones, or are dropped by the critic.
    /// </exception>
    public IDataView Synthesize(
        int count,
        int seed = 1,
        IReadOnlyDictionary<string, object>? where = null,
        IDataView? excluded = null,
        SampleCritic? critic = null) => Model.Synthesize(count, seed, where, excluded, critic);

    /// <summary>As vectors' autoencoders call the dimensions.</summary>
    internal static string[] LatentNames(int latent) => [.. Enumerable.Range(0, latent).Select(i => Check.Invariant($"z{i}"))];

    internal static OutputColumn[] Outputs(TableColumnNames names, int latent, string[] columns)
    {
        OutputColumn score = new(names.Score, 1, IsScalar: true);
        OutputColumn mean = new(names.Latent, latent, SlotNames: LatentNames(latent));
        return names.Contributions is { } contributions ? [mean, new(contributions, columns.Length, SlotNames: columns), score] : [mean, score];
    }

    internal override IReadOnlyList<int> CheckInputColumns(DataViewSchema inputSchema) => [.. Model.Schema.Codecs.Select(codec => Find(inputSchema, codec.Name))];

    private protected override int CheckInput(DataViewSchema inputSchema) => CheckInputColumns(inputSchema)[0];

    private int Find(DataViewSchema schema, string name)
    {
        string type = Model.Schema.Columns.Single(column => column.Name == name).Type;
        if (schema.GetColumnOrNull(name) is not { } column)
            throw Check.SchemaMismatch(nameof(schema), name, type, $"no such column; the data has {string.Join(", ", schema.Where(other => !other.IsHidden).Select(other => other.Name))}");
        return column.Type.Equals(RawTable.TypeOf(type)) ? column.Index : throw Check.SchemaMismatch(nameof(schema), name, type, column.Type.ToString()!);
    }

    private protected override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) => new Scorer(this, [.. CheckInputColumns(inputSchema)], capacity);

    internal override byte[] CreateSavedModel() => TableGraphs.Rows(Model.Schema, Model.Parameters, _names, TensorNames);

    /// <summary>Names of a saved graph's inputs. ML.NET hands no dates to a graph: a step before it makes numbers of them, in columns that come and go.</summary>
    private string[] TensorNames => [.. Model.Schema.Codecs.Select(codec => codec.Kind == ColumnKind.Date ? TicksName(codec.Name) : codec.Name)];

    private static string TicksName(string column) => Check.GraphSpace + "ticks/" + column;

    private protected override VectorDataViewType InputType => throw new NotSupportedException("A table has many input columns.");

    private protected override ITransformer CreateSavedTransformer()
    {
        using var stream = new MemoryStream(CreateSavedModel(), writable: false);
        string[] outputs = [.. OutputColumns.Select(output => output.TensorName)];
        IDataView columns = Columns(Model);
        string[] dates = [.. Model.Schema.Codecs.Where(codec => codec.Kind == ColumnKind.Date).Select(codec => codec.Name)];
        if (dates.Length == 0)
            return ScalarColumns.Finish(Context, Context.Transforms.ApplyOnnxModel(outputs, [.. InputNames], stream).Fit(columns), OutputColumns, FitColumnNames);
        var ticks = Context.Transforms.Conversion.ConvertType([.. dates.Select(date => new InputOutputColumnPair(TicksName(date), date))], DataKind.Int64).Fit(columns);
        columns = ticks.Transform(columns);
        var onnx = Context.Transforms.ApplyOnnxModel(outputs, TensorNames, stream).Fit(columns);
        var drop = Context.Transforms.DropColumns([.. dates.Select(TicksName)]).Fit(onnx.Transform(columns));
        return ScalarColumns.Finish(Context, new TransformerChain<ITransformer>(ticks, onnx, drop), OutputColumns, FitColumnNames);
    }

    private protected override void Dispose(bool disposing) => _session.Dispose();

    private sealed class Scorer : BlockScorer
    {
        private readonly TableVaeTransformer _owner;
        private readonly TableTensors _tensors;
        private readonly float[][] _outputs;
        private readonly string[] _names, _inputs;

        public Scorer(TableVaeTransformer owner, int[] columns, int capacity)
        {
            _owner = owner;
            _tensors = new(columns, capacity);
            _inputs = owner.TensorNames;
            _names = [.. owner.OutputColumns.Select(output => output.TensorName)];
            _outputs = [.. owner.OutputColumns.Select(output => new float[capacity * output.Size])];
        }

        public override Action<int> CreateReader(DataViewRow row) => _tensors.CreateReader(row);

        public override void Run(int rows)
        {
            using var inputs = _tensors.Inputs(rows);
            using var options = new RunOptions();
            var session = _owner._session.Enter();
            try
            {
                using var results = session.Run(options, _inputs, inputs.Values, _names);
                for (int i = 0; i < _outputs.Length; i++)
                    results[i].GetTensorDataAsSpan<float>().CopyTo(_outputs[i]);
            }
            finally
            {
                _owner._session.Leave();
            }
        }

        public override ReadOnlySpan<float> Output(int column) => _outputs[column];
    }
}
