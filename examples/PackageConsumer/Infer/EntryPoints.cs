namespace PackageConsumer;

/// <summary>
/// Calls every public entry point of Vae.MLNet.Inference at least once, scenario by scenario: an assembly that the package lacks is seen
/// here, whichever call needs it. <c>eng/consume.sh</c> fails where an entry point is called by none.
/// </summary>
internal static class EntryPoints
{
    /// <param name="folder">The files that the program Train wrote.</param>
    public static void Call(string folder)
    {
        Decoding.Run(folder);
        Encoding.Run(folder);
        Objectives.Run(folder);
        Alphabets.Run();
        Sequences.Run(folder);
    }
}
