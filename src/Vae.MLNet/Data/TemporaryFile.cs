using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Vae.MLNet.Data;

/// <summary>
/// A file for the time of a write, hidden beside what is written. Its process holds a lock on it, so that those of killed processes can be told from those in use:
/// the system drops the lock with the process. Its name is short, whatever the name of what is written, and tells the process, for file systems without locks.
/// </summary>
internal sealed partial class TemporaryFile : IDisposable
{
    /// <summary>Between its making and its locking, another process may take a file for one that was left.</summary>
    private const int Tries = 20;

    /// <summary>Files this young are left alone on Windows, where a file is unlocked for a moment before it takes its place.</summary>
    private static readonly TimeSpan Young = TimeSpan.FromSeconds(10);

    private static readonly string Mark = Invariant($"{Host():x8}-{Environment.ProcessId}-{Start(Environment.ProcessId) ?? 0}");

    private readonly UnixFileMode? _mode;
    private bool _placed;

    private TemporaryFile(string path, FileStream stream, UnixFileMode? mode)
    {
        _mode = mode;
        Path = path;
        Stream = stream;
    }

    public string Path { get; }

    public FileStream Stream { get; }

    /// <summary>A folder that belongs to this file: it is in use as long as the file is.</summary>
    public string Folder => FolderOf(Path);

    /// <summary>Makes a file and clears away what killed processes have left in the folder.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="mode">Permissions of the file in its place; null for the usual ones.</param>
    public static TemporaryFile Create(string folder, UnixFileMode? mode = null)
    {
        var settings = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            // Others may read it once it has taken its place, even if it is not closed yet.
            Share = OperatingSystem.IsWindows() ? FileShare.None : FileShare.Read,
            BufferSize = 1 << 16,
        };
        // Others do not read before they may; whoever sweeps may always write.
        if (mode is not null && !OperatingSystem.IsWindows())
            settings.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        for (int tried = 1; ; tried++)
        {
            string path = System.IO.Path.Combine(folder, $".vae-{Mark}-{Guid.NewGuid().ToString("N")[..12]}.tmp");
            FileStream stream;
            try
            {
                stream = new(path, settings);
            }
            catch (IOException e) when (tried < Tries && e.GetType() == typeof(IOException))
            {
                continue;
            }
            // Locked now, it stays, unless it was gone before.
            if (tried < Tries && !File.Exists(path))
            {
                stream.Dispose();
                continue;
            }
            Sweep(folder, IsLocked(path));
            return new(path, stream, mode);
        }
    }

    /// <summary>Clears away what killed processes have left in a folder, and finishes what they had begun to put into place.</summary>
    public static void Sweep(string folder)
    {
        if (Directory.Exists(folder) && Left(folder).Any())
            Create(folder).Dispose();
    }

    /// <summary>Takes the place of a file, if there is one.</summary>
    public void MoveTo(string target)
    {
        if (_mode is { } mode && !OperatingSystem.IsWindows() && File.GetUnixFileMode(Stream.SafeFileHandle) != mode)
            File.SetUnixFileMode(Stream.SafeFileHandle, mode);
        Stream.Flush(flushToDisk: true);
        if (OperatingSystem.IsWindows())
            Stream.Dispose();
        File.Move(Path, target, overwrite: true);
        _placed = true;
    }

    /// <summary>Leaves file and folder to the next sweep, which finishes what they tell of.</summary>
    public void Leave() => _placed = true;

    /// <summary>Deletes the file, unless it has been moved, and its folder.</summary>
    public void Dispose()
    {
        if (OperatingSystem.IsWindows())
            Stream.Dispose();
        try
        {
            if (_placed)
                return;
            if (Directory.Exists(Folder))
                Directory.Delete(Folder, recursive: true);
            File.Delete(Path);
        }
        finally
        {
            Stream.Dispose();
        }
    }

    private static string FolderOf(string path) => System.IO.Path.ChangeExtension(path, null) + ".folder.tmp";

    private static IEnumerable<string> Left(string folder) => Directory.EnumerateFiles(folder, ".vae-*.tmp").Where(path => Name().IsMatch(System.IO.Path.GetFileName(path)));

    /// <param name="folder">The folder.</param>
    /// <param name="locks">Whether locks hold there.</param>
    private static void Sweep(string folder, bool locks)
    {
        try
        {
            foreach (string path in Left(folder))
            {
                try
                {
                    SweepFile(path, locks);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // In use, or somebody else's: it stays.
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that may be written and not be listed.
        }
    }

    private static void SweepFile(string path, bool locks)
    {
        if (OperatingSystem.IsWindows() && DateTime.UtcNow - File.GetLastWriteTimeUtc(path) < Young)
            return;
        if (!locks && !IsOfDeadProcess(System.IO.Path.GetFileName(path)))
            return;
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            if (Directory.Exists(FolderOf(path)))
                AtomicFolder.FinishLeft(path, FolderOf(path), stream);
            if (!OperatingSystem.IsWindows())
                File.Delete(path);
        }
        if (OperatingSystem.IsWindows())
            File.Delete(path);
    }

    /// <summary>Whether a lock on an open file keeps others out: not on every file system, and not where .NET is told to do without.</summary>
    private static bool IsLocked(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            // Of a file that may not be written again.
            return false;
        }
    }

    /// <summary>Whether the process that a name tells ran on this machine and runs no more.</summary>
    private static bool IsOfDeadProcess(string name)
    {
        var match = Name().Match(name);
        if (uint.Parse(match.Groups["host"].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture) != Host())
            return false;
        return !int.TryParse(match.Groups["process"].ValueSpan, CultureInfo.InvariantCulture, out int process)
            || Start(process) is not { } start
            || !long.TryParse(match.Groups["start"].ValueSpan, CultureInfo.InvariantCulture, out long told)
            || Math.Abs(start - told) > 2;
    }

    /// <summary>When a process started, in seconds; null where there is none.</summary>
    private static long? Start(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return found.HasExited ? null : new DateTimeOffset(found.StartTime).ToUnixTimeSeconds();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // Somebody else's, of which the system tells no more.
            return 0;
        }
    }

    /// <summary>A number for this machine.</summary>
    private static uint Host() => ~Crc32.Append(uint.MaxValue, System.Text.Encoding.UTF8.GetBytes(Environment.MachineName));

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    [GeneratedRegex(@"^\.vae-(?<host>[0-9a-f]{8})-(?<process>\d+)-(?<start>\d+)-[0-9a-f]{12}\.tmp$", RegexOptions.ExplicitCapture)]
    private static partial Regex Name();
}
