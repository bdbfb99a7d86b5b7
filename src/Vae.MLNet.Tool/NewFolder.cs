using Vae.MLNet.Data;

namespace Vae.MLNet.Tool;

/// <summary>The folder of a result: it appears when it is complete, and one of an earlier result gives way at that moment.</summary>
internal sealed class NewFolder : IDisposable
{
    private readonly AtomicFolder _folder;

    /// <param name="path">The folder.</param>
    /// <param name="record">A file by which an earlier result is known.</param>
    /// <param name="result">What the folder is for, in errors.</param>
    public NewFolder(string path, string record = ModelSource.RecordName, string result = "a model of 'vae-mlnet train'")
    {
        path = Path.TrimEndingDirectorySeparator(path);
        if (System.IO.File.Exists(path))
            throw new UsageException($"--output '{path}' is a file; a folder is expected.");
        // An earlier one may be on its way still, where a process was killed.
        AtomicFolder.Recover(path);
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any() && !System.IO.File.Exists(Path.Combine(path, record)))
            throw new UsageException($"The folder '{path}' holds other things than {result}; it is left alone.");
        try
        {
            _folder = new AtomicFolder(path);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new UsageException($"--output: {e.Message}");
        }
    }

    /// <summary>Where to write a file for now.</summary>
    public string File(string name) => _folder.File(name);

    public void Complete() => _folder.Complete();

    public void Dispose() => _folder.Dispose();
}
