using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Data;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>Loads an array of a NumPy file (.npy or .npz) as a column of <see cref="float"/>.</summary>
    /// <remarks>
    /// <para>The first dimension counts the rows: an array [n] becomes a scalar Single, [n, d] becomes Vector&lt;Single, d&gt;, [n, k, d] becomes
    /// Vector&lt;Single, k, d&gt;, and so on.</para>
    /// <para>Format versions 1 to 3, C and Fortran order, both byte orders; float16, float32, float64, signed and unsigned integers of 1 to 8 bytes and bool
    /// (false is 0, true is 1). Everything becomes Single: integers beyond 2^24 and float64 are rounded, a finite float64 that a Single cannot hold is an error.
    /// Archives may be stored or deflated; their check sums are checked. Object arrays (pickles) are never read.</para>
    /// <para>The data is held in memory once, 4 bytes an element, and read when this method is called, through a buffer of a few megabytes at most. How much
    /// that may be is <see cref="NumPyLoadOptions.MaxBytes"/>. The view can be shuffled and read by many cursors at once.</para>
    /// </remarks>
    /// <param name="path">The file. What it holds tells .npy from .npz, not its name.</param>
    /// <param name="column">The name of the column.</param>
    /// <param name="arrayName">The array's name in a .npz file; null for a file that holds one array. The name of a .npy file's array is the file's without its
    /// ending.</param>
    /// <param name="options">How much is read at most; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, cut off or claims more than it holds, the array is of a type or shape that is not
    /// read, or larger than allowed.</exception>
    /// <exception cref="ArgumentException">The file does not hold such an array, or holds several and none is named; or an option is out of its range.</exception>
    public IDataView LoadNumPy(string path, string column, string? arrayName = null, NumPyLoadOptions? options = null)
    {
        Check.ColumnName(column);
        return LoadNumPy(path, options, [column], [arrayName]);
    }

    /// <summary>Loads several arrays of a NumPy file (.npz) into a column each.</summary>
    /// <remarks>As <see cref="LoadNumPy(string, string, string?, NumPyLoadOptions?)"/>; the arrays have to have the same number of rows.</remarks>
    /// <param name="path">The file.</param>
    /// <param name="columns">Names of columns, and the name of the array for each.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, cut off or claims more than it holds, an array is of a type or shape that is not read, the arrays
    /// together are larger than <see cref="NumPyLoadOptions.MaxBytes"/> allows by default, or differ in their number of rows.</exception>
    /// <exception cref="ArgumentException">No columns, two columns of the same name, or the file does not hold such an array.</exception>
    public IDataView LoadNumPy(string path, params (string Column, string ArrayName)[] columns) => LoadNumPy(path, null, columns);

    /// <summary>Loads several arrays of a NumPy file (.npz) into a column each, with options.</summary>
    /// <remarks>As <see cref="LoadNumPy(string, string, string?, NumPyLoadOptions?)"/>; the arrays have to have the same number of rows.</remarks>
    /// <param name="path">The file.</param>
    /// <param name="options">How much is read at most; null for the defaults.</param>
    /// <param name="columns">Names of columns, and the name of the array for each.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, cut off or claims more than it holds, an array is of a type or shape that is not read, the arrays
    /// together are larger than allowed, or differ in their number of rows.</exception>
    /// <exception cref="ArgumentException">No columns, two columns of the same name, the file does not hold such an array, or an option is out of its range.</exception>
    public IDataView LoadNumPy(string path, NumPyLoadOptions? options, params (string Column, string ArrayName)[] columns)
    {
        Check.NotNull(columns);
        if (columns.Length == 0)
            throw Check.Argument(nameof(columns), "At least one column is expected.");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (column, arrayName) in columns)
        {
            Check.ColumnName(column, nameof(columns));
            ArgumentException.ThrowIfNullOrEmpty(arrayName, nameof(columns));
            if (!names.Add(column))
                throw Check.Argument(nameof(columns), $"Columns of different names are expected; '{column}' is named twice.");
        }
        return LoadNumPy(path, options, [.. columns.Select(column => column.Column)], [.. columns.Select(column => column.ArrayName)]);
    }

    /// <summary>Writes columns as a NumPy file, for numpy.load: one column as .npy, or any number as .npz with the columns' names.</summary>
    /// <remarks>
    /// <para>A scalar column becomes an array [n], Vector&lt;d&gt; becomes [n, d], Vector&lt;k, d&gt; becomes [n, k, d]: the first dimension counts the rows, the
    /// others are the column type's own. A leading dimension of 1 before others is left out, so that Vector&lt;1, d&gt;, as ML.NET gives it for a model in ONNX, becomes
    /// [n, d] too. Numbers and bool keep their type; keys become the unsigned integers that ML.NET holds: 1 for the first value, 0 for
    /// missing.</para>
    /// <para>The data is gone through once and never held in memory. The file is written beside its place and moved there when it is complete; the same data
    /// gives the same bytes. A .npz file is not compressed, as numpy.savez writes it.</para>
    /// </remarks>
    /// <param name="data">The rows.</param>
    /// <param name="path">The file, ending in .npy or .npz. An existing file is replaced.</param>
    /// <param name="columns">The columns to write, one for .npy, at least one for .npz.</param>
    /// <exception cref="ArgumentException">The ending is neither, no columns, a column named twice, or several columns for .npy.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is not there, or neither numbers, bool nor keys, or a vector of unknown size.</exception>
    /// <exception cref="IOException">The file cannot be written; its folder has to exist.</exception>
    public void SaveNumPy(IDataView data, string path, params string[] columns) => SaveArrays(data, path, columns, NumPyColumnWriter.Dimensions);

    /// <summary>As <see cref="SaveNumPy"/>, with other dimensions behind the rows for columns that say so.</summary>
    internal void SaveArrays(IDataView data, string path, string[] columns, Func<DataViewSchema.Column, int[]> dimensions)
    {
        Check.NotNull(data);
        Check.NotNull(columns);
        if (columns.Length == 0)
            throw Check.Argument(nameof(columns), "At least one column is expected.");
        bool archive = NumPyFile.CheckPath(path, columns.Length);
        var found = NumPyColumnWriter.Find(data.Schema, columns, nameof(columns));
        int[][] shapes = [.. found.Select(dimensions)];
        AtomicFile.Write(path, stream =>
        {
            if (archive)
                NumPyColumnWriter.WriteArchive(stream, data, found, shapes);
            else
                NumPyColumnWriter.WriteArray(stream, data, found[0], shapes[0]);
        });
    }

    private static NumPyDataView LoadNumPy(string path, NumPyLoadOptions? options, string[] columns, string?[] arrayNames)
    {
        options?.Validate();
        var arrays = NumPyFile.Read(path, arrayNames, options?.MaxBytes ?? 0);
        for (int i = 0; i < arrays.Count; i++)
        {
            var (name, shape) = (arrays[i].Name, arrays[i].Shape);
            string shapeText = "[" + string.Join(", ", shape) + "]";
            if (shape.Length == 0)
                throw Check.BadFile(path, $"array '{name}': at least one dimension, the rows, is expected; it is a single number.");
            long width = 1;
            foreach (int dimension in shape.AsSpan(1))
            {
                if (dimension == 0)
                    throw Check.BadFile(path, $"array '{name}': at least one number a row is expected; its shape is {shapeText}.");
                // Without rows the dimensions may be anything.
                width *= dimension;
                if (width > Array.MaxLength)
                    throw Check.BadFile(path, Check.Invariant($"array '{name}': at most {Array.MaxLength} numbers a row are expected; its shape is {shapeText}."));
            }
            if (shape[0] != arrays[0].Shape[0])
                throw Check.BadFile(path, Check.Invariant($"arrays with the same number of rows are expected; '{arrays[0].Name}' has {arrays[0].Shape[0]}, '{name}' has {shape[0]}."));
        }
        return new([.. columns.Zip(arrays)]);
    }
}
