using Microsoft.ML;

namespace PackageConsumer;

/// <summary>
/// Calls every public entry point of Vae.MLNet at least once, scenario by scenario, on data small enough to take seconds: an assembly
/// that the package lacks is seen here, whichever call needs it. <c>eng/consume.sh</c> fails where an entry point is called by none.
/// </summary>
internal static class EntryPoints
{
    /// <param name="ml">The context.</param>
    /// <param name="chains">Rows of <see cref="Chain"/>.</param>
    /// <param name="folder">Where the files for the program Infer go; what only the scenarios need goes below it.</param>
    public static void Call(MLContext ml, Chain[] chains, string folder)
    {
        string own = Path.Combine(folder, "scenarios");
        Directory.CreateDirectory(own);
        Conformations.Run(ml, chains, folder);
        Tables.Run(ml);
        TypedTables.Run(ml, own);
        ModelFiles.Run(ml, own);
        Anomalies.Run(ml, own);
        MissingValues.Run(ml);
        NumPyFiles.Run(ml, chains, own);
        Alignments.Run(ml, own);
        Variants.Run(ml);
        Records.Run(ml);
        SequenceModels.Run(ml, folder, own);
    }
}
