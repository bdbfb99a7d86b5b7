using System.IO.Compression;
using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Data;

/// <summary>Writes columns of a view as NumPy arrays, row by row in a single pass.</summary>
internal abstract class NumPyColumnWriter
{
    private const int BufferBytes = 1 << 16;

    /// <summary>What can be written, for the error when a column is something else.</summary>
    private const string Expected = "numbers, bool or keys, scalar or in a vector of known size";

    private readonly string _descr;
    private readonly int[] _dimensions;

    private NumPyColumnWriter(string descr, int[] dimensions)
    {
        _descr = descr;
        _dimensions = dimensions;
    }

    /// <summary>The columns by name, each of a type that NumPy has.</summary>
    public static DataViewSchema.Column[] Find(DataViewSchema schema, string[] names, string parameter)
    {
        var columns = new DataViewSchema.Column[names.Length];
        for (int i = 0; i < names.Length; i++)
        {
            string name = Check.ColumnName(names[i], parameter);
            if (names.AsSpan(0, i).Contains(name))
                throw Check.Argument(parameter, $"Each column is written once; '{name}' is named twice.");
            columns[i] = schema.GetColumnOrNull(name) ?? throw Check.SchemaMismatch(parameter, name, Expected, "no such column");
            var type = columns[i].Type;
            if (type is VectorDataViewType { IsKnownSize: false } || NumPyDtype.Describe(ItemType(type).RawType) is null)
                throw Check.TypeMismatch(parameter, columns[i], Expected, wanted: null, wantsVector: false);
        }
        return columns;
    }

    /// <summary>
    /// The dimensions of a column's array behind the rows. Of a model in ONNX, ML.NET gives vectors [1, d], whose first dimension is the graph's batch: it is not data.
    /// </summary>
    public static int[] Dimensions(DataViewSchema.Column column)
    {
        int[] dimensions = column.Type is VectorDataViewType vector ? [.. vector.Dimensions] : [];
        return dimensions is [1, _, ..] ? dimensions[1..] : dimensions;
    }

    /// <summary>Writes one column as a .npy file: the header comes last, when the rows have been counted.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="data">The rows.</param>
    /// <param name="column">The column.</param>
    /// <param name="dimensions">Dimensions of its array behind the rows.</param>
    public static void WriteArray(Stream stream, IDataView data, DataViewSchema.Column column, int[] dimensions)
    {
        using var cursor = data.GetRowCursor([column]);
        var buffered = new BufferedStream(stream, BufferBytes);
        var writer = Create(cursor, column, dimensions, buffered);
        buffered.Write(writer.Header(0));
        long rows = 0;
        for (; cursor.MoveNext(); rows++)
            writer.WriteRow(rows);
        buffered.Flush();
        stream.Position = 0;
        stream.Write(writer.Header(rows));
    }

    /// <summary>
    /// Writes columns as a .npz file. A zip archive takes one entry after the other, so the columns are set down in files of their own first: going through the
    /// data once for each column would compute it as often.
    /// </summary>
    public static void WriteArchive(FileStream stream, IDataView data, DataViewSchema.Column[] columns, int[][] dimensions)
    {
        string folder = Path.GetDirectoryName(stream.Name)!;
        var spools = new List<TemporaryFile>();
        try
        {
            using var cursor = data.GetRowCursor(columns);
            var writers = new NumPyColumnWriter[columns.Length];
            for (int i = 0; i < columns.Length; i++)
            {
                spools.Add(TemporaryFile.Create(folder));
                writers[i] = Create(cursor, columns[i], dimensions[i], spools[i].Stream);
            }
            long rows = 0;
            for (; cursor.MoveNext(); rows++)
            {
                foreach (var writer in writers)
                    writer.WriteRow(rows);
            }

            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            for (int i = 0; i < columns.Length; i++)
            {
                using (var entry = NumPyFile.CreateEntry(zip, columns[i].Name))
                {
                    entry.Write(writers[i].Header(rows));
                    spools[i].Stream.Position = 0;
                    spools[i].Stream.CopyTo(entry, BufferBytes);
                }
                spools[i].Dispose();
            }
        }
        finally
        {
            foreach (var spool in spools)
                spool.Dispose();
        }
    }

    /// <summary>Writes the current row's value.</summary>
    protected abstract void WriteRow(long row);

    private byte[] Header(long rows) => NumPyHeader.Format(_descr, [rows, .. _dimensions.Select(dimension => (long)dimension)]);

    private static NumPyColumnWriter Create(DataViewRow row, DataViewSchema.Column column, int[] dimensions, Stream target) =>
        (NumPyColumnWriter)Activator.CreateInstance(typeof(Typed<>).MakeGenericType(ItemType(column.Type).RawType), row, column, dimensions, target)!;

    private static DataViewType ItemType(DataViewType type) => type is VectorDataViewType vector ? vector.ItemType : type;

    private sealed class Typed<T> : NumPyColumnWriter
        where T : unmanaged
    {
        private readonly Stream _target;
        private readonly string _name;
        private readonly T[] _values;
        private readonly ValueGetter<T>? _scalar;
        private readonly ValueGetter<VBuffer<T>>? _vector;
        private VBuffer<T> _buffer;

        public Typed(DataViewRow row, DataViewSchema.Column column, int[] dimensions, Stream target)
            : base(NumPyDtype.Describe(typeof(T))!, dimensions)
        {
            _target = target;
            _name = column.Name;
            if (column.Type is VectorDataViewType vector)
            {
                _values = new T[vector.Size];
                _vector = row.GetGetter<VBuffer<T>>(column);
            }
            else
            {
                _values = new T[1];
                _scalar = row.GetGetter<T>(column);
            }
        }

        protected override void WriteRow(long row)
        {
            if (_vector is null)
            {
                _scalar!(ref _values[0]);
            }
            else
            {
                _vector(ref _buffer);
                if (_buffer.Length != _values.Length)
                    throw new InvalidOperationException(Check.Invariant($"Column '{_name}': vectors of {_values.Length} are expected, row {row} has {_buffer.Length}."));
                _buffer.CopyTo(_values);
            }
            _target.Write(MemoryMarshal.AsBytes(_values.AsSpan()));
        }
    }
}
