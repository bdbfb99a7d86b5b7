using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Scoring;

/// <summary>One row in, one row out: what PredictionEngine and chains of transforms use.</summary>
internal sealed class BlockRowMapper : IRowToRowMapper
{
    private readonly FittedTransformer _transformer;
    private readonly IReadOnlyList<int> _inputColumns;

    public BlockRowMapper(FittedTransformer transformer, DataViewSchema inputSchema)
    {
        _transformer = transformer;
        InputSchema = inputSchema;
        _inputColumns = transformer.CheckInputColumns(inputSchema);
        // Made once: chains compare schemas by reference.
        OutputSchema = transformer.GetOutputSchema(inputSchema);
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var indexes = new SortedSet<int>();
        foreach (var column in dependingColumns)
            indexes.UnionWith(column.Index < InputSchema.Count ? [column.Index] : _inputColumns);
        return indexes.Select(index => InputSchema[index]);
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        Check.NotNull(input);
        Check.NotNull(activeColumns);
        if (input.Schema != InputSchema)
            throw new ArgumentException("The row's schema is not the one this mapper was made for.", nameof(input));
        return new Row(_transformer, this, input, activeColumns);
    }

    private sealed class Row : DataViewRow
    {
        private readonly DataViewRow _input;
        private readonly FittedTransformer _transformer;
        private readonly bool[] _active;
        private readonly BlockScorer? _scorer;
        private readonly Action<int>? _read;
        private long _computed = -1;

        public Row(FittedTransformer transformer, BlockRowMapper mapper, DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
        {
            _input = input;
            _transformer = transformer;
            Schema = mapper.OutputSchema;
            _active = new bool[Schema.Count];
            bool produces = false;
            foreach (var column in activeColumns)
            {
                _active[column.Index] = true;
                produces |= column.Index >= input.Schema.Count;
            }
            if (produces)
            {
                _scorer = transformer.NewScorer(input.Schema, capacity: 1);
                _read = _scorer.CreateReader(input);
            }
        }

        public override DataViewSchema Schema { get; }

        public override long Position => _input.Position;

        public override long Batch => _input.Batch;

        public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Check.ActiveColumn(column, _active);
            if (column.Index < _input.Schema.Count)
                return _input.GetGetter<TValue>(_input.Schema[column.Index]);
            int output = column.Index - _input.Schema.Count;
            return BlockGetters.Produced<TValue>(_transformer.OutputColumns[output], _scorer!, output, () =>
            {
                if (_computed != _input.Position)
                {
                    _read!(0);
                    _scorer!.Run(1);
                    _computed = _input.Position;
                }
                return 0;
            });
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _scorer?.Dispose();
            base.Dispose(disposing);
        }
    }
}

/// <summary>Getters over the outputs of a <see cref="BlockScorer"/>.</summary>
internal static class BlockGetters
{
    /// <summary>A getter of a produced column; <paramref name="slot"/> says which slot of the block is current, computing it where needed.</summary>
    public static ValueGetter<TValue> Produced<TValue>(OutputColumn output, BlockScorer scorer, int index, Func<int> slot)
    {
        if (output.IsLabel)
        {
            ValueGetter<bool> label = (ref bool value) =>
            {
                int at = slot();
                value = scorer.Output(index)[at] != 0;
            };
            return Cast<TValue>(label, output);
        }
        if (output.IsScalar)
        {
            ValueGetter<float> scalar = (ref float value) =>
            {
                int at = slot();
                value = scorer.Output(index)[at];
            };
            return Cast<TValue>(scalar, output);
        }
        int size = output.Size;
        ValueGetter<VBuffer<float>> vector = (ref VBuffer<float> value) =>
        {
            int at = slot();
            var editor = VBufferEditor.Create(ref value, size);
            scorer.Output(index).Slice(at * size, size).CopyTo(editor.Values);
            value = editor.Commit();
        };
        return Cast<TValue>(vector, output);
    }

    private static ValueGetter<TValue> Cast<TValue>(Delegate getter, OutputColumn output) =>
        getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
            $"Invalid TValue in GetGetter for column '{output.Name}': '{typeof(TValue)}' was asked for, '{output.Type.RawType}' is there.");
}
