using Microsoft.ML;
using Vae.MLNet.Tables;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>A trainer of a variational autoencoder over a table as it is: columns of Single, Double, Int32, Int64, Boolean and Text, with gaps.</summary>
    /// <param name="options">Options; null for the defaults.</param>
    /// <returns>The estimator; its fitted transform gives <c>Latent</c> and <c>Score</c>, draws new rows and fills gaps.</returns>
    /// <exception cref="ArgumentException">A column name is empty or used twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public TableVaeTrainer TableAutoencoder(TableVaeTrainer.Options? options = null) => new(Context, options);

    /// <summary>
    /// Loads a table from a text file with a header, plain or compressed by gzip; every column gets the narrowest type that holds all its cells: Boolean (true, false),
    /// Single, Double (where single precision would change a digit) or Text. An empty field, NA, N/A, NaN, null, and among numbers a question mark are missing cells: NaN
    /// or an empty text.
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
        return TableFile.Read(path, separator, cancellationToken);
    }

    /// <summary>Saves scalar columns as a text file with a header; <see cref="LoadTable"/> gives the same cells again.</summary>
    /// <param name="table">The table: columns of Single, Double, Int32, Int64, Boolean and Text.</param>
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
