namespace Vae.MLNet.Data;

/// <summary>
/// Writes a whole file or nothing: to a temporary file beside it, flushed, then moved into its place. A symbolic link is followed, and the file that is replaced hands on
/// its permissions. What is no ordinary file is written to when everything has been computed.
/// </summary>
internal static class AtomicFile
{
    /// <exception cref="DirectoryNotFoundException">The file's folder does not exist.</exception>
    /// <exception cref="IOException">The path is a folder, or the file cannot be written.</exception>
    public static void Write(string path, Action<FileStream> write)
    {
        string full = CheckFolder(path);
        if (SystemFiles.IsDevice(full))
        {
            WriteDevice(full, write);
            return;
        }
        string target = SystemFiles.Follow(full);
        UnixFileMode? mode = !OperatingSystem.IsWindows() && File.Exists(target) ? File.GetUnixFileMode(target) : null;
        using var temporary = TemporaryFile.Create(Path.GetDirectoryName(target)!, mode);
        write(temporary.Stream);
        temporary.MoveTo(target);
    }

    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    public static void WriteAllText(string path, string text) => WriteAllBytes(path, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Fails where a file cannot be written since there is no folder for it, or one in its place; gives its full path.</summary>
    public static string CheckFolder(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string full = Path.GetFullPath(path);
        if (Directory.Exists(full) || Path.GetFileName(full).Length == 0)
            throw new IOException($"'{path}' is a folder; a file is expected.");
        if (SystemFiles.IsDevice(full))
            return full;
        foreach (string file in (string[])[full, SystemFiles.Follow(full)])
        {
            string folder = Path.GetDirectoryName(file)!;
            if (!Directory.Exists(folder))
                throw new DirectoryNotFoundException($"'{path}' cannot be written: the folder '{folder}' does not exist.");
        }
        return full;
    }

    /// <summary>Writes to a terminal, a pipe or another device, which stays what it is. Formats are written with going back, which a pipe cannot do: a file comes first.</summary>
    private static void WriteDevice(string path, Action<FileStream> write)
    {
        using var whole = TemporaryFile.Create(Path.GetTempPath());
        write(whole.Stream);
        whole.Stream.Position = 0;
        using Stream device = SystemFiles.OpenFile(path) switch
        {
            1 => Console.OpenStandardOutput(),
            2 => Console.OpenStandardError(),
            _ => new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete),
        };
        whole.Stream.CopyTo(device);
        device.Flush();
    }
}
