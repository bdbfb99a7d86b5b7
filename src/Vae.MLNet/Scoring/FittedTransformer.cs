using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Onnx;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

namespace Vae.MLNet;

/// <summary>
/// What every fitted transform of this library shares: it maps rows to rows, scores in blocks, and saves as an ordinary ONNX transform, so
/// that the saved pipeline loads in an application that references only Microsoft.ML.OnnxTransformer.
/// </summary>
/// <remarks>
/// Fitted transforms are immutable and may be used from many threads at once. Disposing one while it is in use is safe: calls in flight end,
/// later ones throw <see cref="ObjectDisposedException"/>.
/// </remarks>
public abstract class FittedTransformer : ITransformer, IDisposable
{
    /// <summary>Rows that are computed together; the throughput hardly changes between 128 and 1024.</summary>
    internal const int BlockSize = 256;

    private readonly Lock _savingLock = new();
    private ITransformer? _saved;
    private volatile bool _disposed;

    private protected FittedTransformer(IHostEnvironment environment, string inputColumnName, IReadOnlyList<OutputColumn> outputs, DataViewSchema fitSchema)
    {
        Environment = environment;
        InputColumnName = inputColumnName;
        OutputColumns = outputs;
        FitColumnNames = [.. fitSchema.Select(column => column.Name).Distinct()];
    }

    /// <summary>Name of the column that is read.</summary>
    public string InputColumnName { get; }

    /// <summary>
    /// Names of the input column's slots at the training; empty where they are unknown. Where the data to transform has slot names too and one differs, it is refused,
    /// since features are matched by position (see <see cref="VaeTrainer.Options.IgnoreSlotNames"/>).
    /// </summary>
    public IReadOnlyList<string> InputNames { get; private protected init; } = [];

    /// <summary>Whether slots that are named otherwise than at the training are taken by their position.</summary>
    internal bool IgnoreSlotNames { get; init; }

    internal IHostEnvironment Environment { get; }

    internal IReadOnlyList<OutputColumn> OutputColumns { get; }

    /// <summary>Names of the columns that were there at fitting: what a saved model must not clobber with helper columns.</summary>
    internal IReadOnlyList<string> FitColumnNames { get; }

    /// <summary>Checks the input column of a schema and gives its index.</summary>
    private protected abstract int CheckInput(DataViewSchema inputSchema);

    /// <summary>Checks an input column of features: its type, its size and the names of its slots.</summary>
    private protected int CheckFeatures(DataViewSchema inputSchema, int size)
    {
        int index = Check.FloatVector(inputSchema, InputColumnName, nameof(inputSchema), size).Index;
        if (!IgnoreSlotNames)
            ColumnSlots.RequireSame(inputSchema[index], InputNames, nameof(inputSchema));
        return index;
    }

    /// <summary>A scorer for one cursor or row.</summary>
    private protected abstract BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity);

    /// <summary>
    /// The transform as an ONNX model. Tensor names are column names; a scalar column is an [N, 1] tensor under
    /// <see cref="OutputColumn.VectorName"/>.
    /// </summary>
    internal abstract byte[] CreateSavedModel();

    /// <summary>Checks the columns that are read and gives their indexes: one, unless a transform reads a table.</summary>
    internal virtual IReadOnlyList<int> CheckInputColumns(DataViewSchema inputSchema) => [CheckInput(inputSchema)];

    internal BlockScorer NewScorer(DataViewSchema inputSchema, int capacity)
    {
        ThrowIfDisposed();
        return CreateScorer(inputSchema, capacity);
    }

    bool ITransformer.IsRowToRowMapper => true;

    /// <summary>The schema of the transformed data: the input's columns and those this transform adds.</summary>
    /// <param name="inputSchema">Schema of the data to transform.</param>
    /// <returns>The output schema.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing, has a wrong type or size, or has slots named otherwise than at the training.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ThrowIfDisposed();
        Check.NotNull(inputSchema);
        CheckInputColumns(inputSchema);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(inputSchema);
        foreach (var output in OutputColumns)
            builder.AddColumn(output.Name, output.Type, output.Annotations);
        return builder.ToSchema();
    }

    /// <summary>Transforms data lazily: rows are computed in blocks when a cursor reads a produced column.</summary>
    /// <param name="input">The data.</param>
    /// <returns>The data with the produced columns added.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The input column is missing, has a wrong type or size, or has slots named otherwise than at the training.</exception>
    public IDataView Transform(IDataView input) => new BlockDataView(this, Check.NotNull(input));

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new BlockRowMapper(this, Check.NotNull(inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ThrowIfDisposed();
        lock (_savingLock)
            ((ICanSaveModel)(_saved ??= CreateSavedTransformer())).Save(ctx);
    }

    private protected virtual ITransformer CreateSavedTransformer() =>
        ScalarColumns.Finish(Context, OnnxTransform(CreateSavedModel()), OutputColumns, FitColumnNames);

    private protected MLContext Context => field ??= Environment as MLContext ?? new MLContext(seed: 0);

    /// <summary>ML.NET's own transform for a model whose tensors are named as columns.</summary>
    private protected ITransformer OnnxTransform(byte[] model)
    {
        using var stream = new MemoryStream(model, writable: false);
        string[] outputs = [.. OutputColumns.Where(output => !output.IsLabel).Select(output => output.TensorName)];
        return Context.Transforms.ApplyOnnxModel(outputs, [InputColumnName], stream).Fit(EmptyData());
    }

    /// <summary>Type of the input column: a vector of <see cref="float"/> or of <see cref="long"/>.</summary>
    private protected abstract VectorDataViewType InputType { get; }

    /// <summary>Data without rows that has the input column: what fitting an ONNX transform asks for.</summary>
    private IDataView EmptyData()
    {
        bool floats = InputType.ItemType == NumberDataViewType.Single;
        var definition = SchemaDefinition.Create(floats ? typeof(Empty<float>) : typeof(Empty<long>));
        definition[0].ColumnName = InputColumnName;
        definition[0].ColumnType = InputType;
        return floats
            ? Context.Data.LoadFromEnumerable(Array.Empty<Empty<float>>(), definition)
            : Context.Data.LoadFromEnumerable(Array.Empty<Empty<long>>(), definition);
    }

    private sealed class Empty<T>
    {
        public T[]? Value { get; set; }
    }

    private protected void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);

    /// <summary>Releases the native sessions.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        lock (_savingLock)
        {
            (_saved as IDisposable)?.Dispose();
            _saved = null;
        }
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the derived class holds.</summary>
    /// <param name="disposing">Always true: there is no finaliser.</param>
    private protected virtual void Dispose(bool disposing)
    {
    }
}
