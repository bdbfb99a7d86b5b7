using Microsoft.ML;
using Vae.MLNet.Tables;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>A trainer of a variational autoencoder over a table as it is: columns of Single, Double, Int32, Int64, Boolean, DateTime and Text, with gaps.</summary>
    /// <param name="options">Options; null for the defaults.</param>
    /// <returns>The estimator; its fitted transform gives <c>Latent</c> and <c>Score</c>, draws new rows and fills gaps.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public TableVaeTrainer TableAutoencoder(TableVaeTrainer.Options? options = null) => new(Context, options);

    /// <summary>
    /// Loads a table from a text file with a header, plain or compressed by gzip; every column gets the narrowest type that holds all its cells: Boolean (true, false),
    /// Single, Double (where single precision would change a digit), DateTime (2026-11-27, with or without a time 13:08:53) or Text. An empty field, NA, N/A, NaN, null, and
    /// among numbers a question mark are missing cells: NaN, the least DateTime, or an empty text.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="separator">What parts the fields; null takes the one of comma, semicolon, tab and bar that the header has most of.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The table, in memory.</returns>
    /// <exception cref="InvalidDataException">The file has no header or no rows, a name is missing or there twice, or a row has another number of fields.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IDataView LoadTable(string path, char? separator = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return TableFile.Read(path, separator, new Dictionary<string, string>(), cancellationToken);
    }

    /// <summary>
    /// Loads a table for a model: as <see cref="LoadTable(string, char?, CancellationToken)"/>, but with the types that the model's columns have, whatever the cells of this file
    /// look like. A column of texts that holds only numbers here is still one of texts.
    /// </summary>
    /// <param name="path">The file; it may have other columns besides, in any order.</param>
    /// <param name="columns">The columns of a model (<see cref="TableVaeModel.Columns"/>).</param>
    /// <param name="separator">What parts the fields; null takes the one of comma, semicolon, tab and bar that the header has most of.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The table, in memory.</returns>
    /// <exception cref="InvalidDataException">
    /// The file has no header or no rows, a name is missing or there twice, a row has another number of fields, the file lacks a column, or a cell is none of its column's type.
    /// </exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IDataView LoadTable(string path, IReadOnlyList<TableColumn> columns, char? separator = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var used = Check.NotNull(columns).Where(column => column.Kind != ColumnKind.Ignored).ToArray();
        var table = TableFile.Read(path, separator, used.ToDictionary(column => column.Name, column => column.Type, StringComparer.Ordinal), cancellationToken);
        string[] missing = [.. used.Select(column => column.Name).Where(name => table.Schema.GetColumnOrNull(name) is null)];
        return missing.Length == 0 ? table
            : throw Check.BadFile(path, $"there is no column {string.Join(", ", missing)}; it has {string.Join(", ", table.Columns.Select(column => column.Name))}.");
    }

    /// <summary>Saves scalar columns as a text file with a header; <see cref="LoadTable(string, char?, CancellationToken)"/> gives the same cells again.</summary>
    /// <param name="table">The table: columns of Single, Double, Int32, Int64, Boolean, DateTime and Text.</param>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <param name="separator">What parts the fields.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is of another type.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void SaveTable(IDataView table, string path, char separator = ',', CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        TableFile.Write(Check.NotNull(table), path, separator, cancellationToken);
    }
}
