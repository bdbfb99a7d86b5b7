using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Data;
using Vae.MLNet.Scoring;

namespace Vae.MLNet.Tool;

/// <summary>
/// Writes what a command computed, whole or not at all: .npy (one array), .npz (arrays by name), .csv or .tsv (the numbers side by side). What has no such name and is no
/// ordinary file, as /dev/stdout, gets .csv.
/// </summary>
internal static class ResultFile
{
    /// <summary>Fails before the work is done rather than after it. Where the rows go to the output stream, a command's result gives way.</summary>
    public static void CheckName(string path, int arrays, Terminal terminal)
    {
        string ending = Ending(path);
        if (ending is not (".npy" or ".npz" or ".csv" or ".tsv"))
            throw new UsageException($"--output has to end in .npy, .npz, .csv or .tsv; it is '{path}'.");
        if (ending == ".npy" && arrays > 1)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"A .npy file holds one array and there are {arrays}: --output has to end in .npz, .csv or .tsv; it is '{path}'."));
        CheckFolder(path, terminal);
    }

    private static void CheckFolder(string path, Terminal terminal)
    {
        try
        {
            AtomicFile.CheckFolder(path);
        }
        catch (IOException e)
        {
            throw new UsageException($"--output: {e.Message}");
        }
        terminal.OutputIsTaken = SystemFiles.OpenFile(Path.GetFullPath(path)) == 1;
    }

    /// <summary>As <see cref="CheckName"/>, for rows of text and numbers; gives the separator.</summary>
    public static char CheckTable(string path, Terminal terminal)
    {
        if (Ending(path) is not (".csv" or ".tsv" or ".txt"))
            throw new UsageException($"--output has to end in .csv, .tsv or .txt; it is '{path}'.");
        CheckFolder(path, terminal);
        return Ending(path) == ".csv" ? ',' : '\t';
    }

    /// <summary>Writes columns. One as long as a row of the model is an array of the row's size, and has its names where it has none of its own.</summary>
    public static void Write(MLContext context, IDataView view, string path, IReadOnlyList<string> columns, RowFormat format, CancellationToken cancellationToken)
    {
        switch (Ending(path))
        {
            case ".npy" or ".npz":
                context.Vae.SaveArrays(view, path, [.. columns], column => IsRow(column, format) ? [.. format.Shape] : NumPyColumnWriter.Dimensions(column));
                break;
            case var ending:
                Text(view, path, columns, format, ending == ".csv" ? ',' : '\t', cancellationToken);
                break;
        }
    }

    /// <summary>Writes decoded rows: arrays of the size that the model's own rows have, and the latents beside them where several arrays fit.</summary>
    public static void Write(MLContext context, IReadOnlyList<float[]> latents, IReadOnlyList<float[]> outputs, RowFormat format, string path, CancellationToken cancellationToken)
    {
        const string Latent = nameof(Decoded.Latent), Output = nameof(Decoded.Output);
        var definition = SchemaDefinition.Create(typeof(Decoded));
        Vector(definition[Latent], [latents[0].Length], LatentNames(latents[0].Length));
        Vector(definition[Output], [.. format.Shape], format.Names);
        var rows = latents.Zip(outputs, (latent, output) => new Decoded { Latent = latent, Output = output });
        var view = context.Data.LoadFromEnumerable(rows, definition);
        Write(context, view, path, Ending(path) == ".npy" ? [Output] : [Latent, Output], format, cancellationToken);
    }

    /// <summary>Writes latents alone.</summary>
    public static void Write(MLContext context, IReadOnlyList<float[]> latents, RowFormat format, string path, CancellationToken cancellationToken)
    {
        var definition = SchemaDefinition.Create(typeof(Decoded));
        Vector(definition[nameof(Decoded.Latent)], [latents[0].Length], LatentNames(latents[0].Length));
        definition.Remove(definition[nameof(Decoded.Output)]);
        Write(context, context.Data.LoadFromEnumerable(latents.Select(latent => new Decoded { Latent = latent }), definition), path, [nameof(Decoded.Latent)], format, cancellationToken);
    }

    private static void Vector(SchemaDefinition.Column column, int[] shape, IReadOnlyList<string> names)
    {
        column.ColumnType = new VectorDataViewType(NumberDataViewType.Single, shape);
        column.AddAnnotation("SlotNames", new VBuffer<ReadOnlyMemory<char>>(names.Count, [.. names.Select(name => name.AsMemory())]), new VectorDataViewType(TextDataViewType.Instance, names.Count));
    }

    /// <summary>As the autoencoder's transform names them.</summary>
    private static string[] LatentNames(int dimension) => [.. Enumerable.Range(0, dimension).Select(i => string.Create(CultureInfo.InvariantCulture, $"z{i}"))];

    /// <summary>Whether a column holds rows as the model takes them: numbers without names of their own, as many as a row has.</summary>
    private static bool IsRow(DataViewSchema.Column column, RowFormat format) =>
        column.Type is VectorDataViewType { Size: var size } && size == format.Names.Count && (ColumnSlots.Names(column) is not { } names || names.SequenceEqual(format.Names));

    private static string Ending(string path)
    {
        string ending = Path.GetExtension(path).ToLowerInvariant();
        return ending is not (".npy" or ".npz" or ".csv" or ".tsv" or ".txt") && path.Length > 0 && SystemFiles.IsDevice(Path.GetFullPath(path)) ? ".csv" : ending;
    }

    private static void Text(IDataView view, string path, IReadOnlyList<string> columns, RowFormat format, char separator, CancellationToken cancellationToken) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        var header = columns.SelectMany(column => Header(view.Schema[column], format).Select(name => (Column: column, Name: name))).ToArray();
        // Latent and Sigma have the same slot names: together they need their columns' too.
        bool unique = header.Select(item => item.Name).Distinct().Count() == header.Length;
        writer.WriteLine(string.Join(separator, header.Select(item => Quoted(unique ? item.Name : $"{item.Column}.{item.Name}", separator))));
        using var cursor = view.GetRowCursor(columns.Select(column => view.Schema[column]));
        var readers = columns.Select(column => Reader(cursor, view.Schema[column])).ToArray();
        var line = new System.Text.StringBuilder();
        while (cursor.MoveNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            line.Clear();
            foreach (var read in readers)
            {
                foreach (float value in read())
                    line.Append(CultureInfo.InvariantCulture, $"{value}").Append(separator);
            }
            line.Length--;
            writer.WriteLine(line);
        }
    });

    /// <summary>A name that <see cref="TableText"/> reads back.</summary>
    private static string Quoted(string name, char separator) =>
        name.Length > 0 && name[0] != '#' && name.Trim() == name && name.AsSpan().IndexOfAny([separator, '"', '\r', '\n', '\t']) < 0 ? name : $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>Slot names where there are any, the model's names for its rows, otherwise the column's name with a number.</summary>
    private static IEnumerable<string> Header(DataViewSchema.Column column, RowFormat format)
    {
        if (column.Type is not VectorDataViewType { Size: var size })
            return [column.Name];
        return ColumnSlots.Names(column) ?? (IsRow(column, format) ? format.Names
            : Enumerable.Range(0, size).Select(i => $"{column.Name.ToLowerInvariant()}{i.ToString(CultureInfo.InvariantCulture)}"));
    }

    private static Func<IEnumerable<float>> Reader(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is VectorDataViewType)
        {
            var vectors = row.GetGetter<VBuffer<float>>(column);
            VBuffer<float> buffer = default;
            return () =>
            {
                vectors(ref buffer);
                return buffer.DenseValues();
            };
        }
        var scalars = row.GetGetter<float>(column);
        return () =>
        {
            float value = 0;
            scalars(ref value);
            return [value];
        };
    }

    private sealed class Decoded
    {
        public float[] Latent { get; set; } = [];

        public float[] Output { get; set; } = [];
    }
}

/// <summary>How a model's rows look in files.</summary>
/// <param name="Shape">Size of a row's array.</param>
/// <param name="Names">A name for each number of it.</param>
internal sealed record RowFormat(IReadOnlyList<int> Shape, IReadOnlyList<string> Names)
{
    public static RowFormat Of(int features, IReadOnlyList<int>? shape, IReadOnlyList<string>? names) => new(
        shape is not null && shape.Aggregate(1L, (product, size) => product * size) == features ? shape : [features],
        names?.Count == features ? names : DefaultNames(features));

    /// <summary>Names for the numbers of rows without names: x0, x1, and so on.</summary>
    public static string[] DefaultNames(int features) => [.. Enumerable.Range(0, features).Select(i => string.Create(CultureInfo.InvariantCulture, $"x{i}"))];
}
