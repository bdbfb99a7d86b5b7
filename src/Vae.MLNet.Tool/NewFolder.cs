namespace Vae.MLNet.Tool;

/// <summary>A folder that appears when it is complete: written beside its place, then moved there; a folder of an earlier result gives way at that moment.</summary>
internal sealed class NewFolder : IDisposable
{
    private readonly string _path, _temporary;
    private bool _complete;

    /// <param name="path">The folder.</param>
    /// <param name="record">A file by which an earlier result is known.</param>
    /// <param name="result">What the folder is for, in errors.</param>
    public NewFolder(string path, string record = ModelSource.RecordName, string result = "a model of 'vae-mlnet train'")
    {
        _path = Path.TrimEndingDirectorySeparator(path);
        if (System.IO.File.Exists(_path))
            throw new UsageException($"--output '{_path}' is a file; a folder is expected.");
        if (Directory.Exists(_path) && Directory.EnumerateFileSystemEntries(_path).Any() && !System.IO.File.Exists(Path.Combine(_path, record)))
            throw new UsageException($"The folder '{_path}' holds other things than {result}; it is left alone.");
        string parent = Path.GetDirectoryName(_path) ?? throw new UsageException($"--output '{_path}' is no folder for {result}.");
        _temporary = Path.Combine(parent, $".{Path.GetFileName(_path)}.{Guid.NewGuid():N}.tmp");
        Directory.CreateDirectory(_temporary);
    }

    /// <summary>Where to write a file for now.</summary>
    public string File(string name) => Path.Combine(_temporary, name);

    public void Complete()
    {
        string? earlier = null;
        if (Directory.Exists(_path))
        {
            earlier = _temporary + ".earlier";
            Directory.Move(_path, earlier);
        }
        try
        {
            Directory.Move(_temporary, _path);
        }
        catch when (earlier is not null)
        {
            Directory.Move(earlier, _path);
            throw;
        }
        _complete = true;
        if (earlier is null)
            return;
        // What somebody else put beside the model stays.
        foreach (string entry in Directory.GetFileSystemEntries(earlier))
        {
            string kept = Path.Combine(_path, Path.GetFileName(entry));
            if (!Path.Exists(kept))
                Directory.Move(entry, kept);
        }
        Directory.Delete(earlier, recursive: true);
    }

    public void Dispose()
    {
        if (!_complete)
            Directory.Delete(_temporary, recursive: true);
    }
}
