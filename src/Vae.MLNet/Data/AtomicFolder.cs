using System.Text.Json;

namespace Vae.MLNet.Data;

/// <summary>
/// A folder that appears when it is complete: written beside its place, then exchanged with an earlier one. Where the system cannot exchange folders at once, two renames
/// do it; what a process killed between them leaves is finished by the next that comes by.
/// </summary>
internal sealed class AtomicFolder : IDisposable
{
    /// <summary>Within the temporary folder: what is written, and what stood in its place.</summary>
    private const string New = "new", Earlier = "earlier";

    private readonly string _target;
    private readonly TemporaryFile _lock;
    private bool _begun;

    /// <param name="path">The folder; a symbolic link is followed. The folder that it is in has to exist.</param>
    /// <exception cref="DirectoryNotFoundException">It does not.</exception>
    public AtomicFolder(string path)
    {
        _target = Target(path);
        string parent = Path.GetDirectoryName(_target) ?? throw new IOException($"'{path}' is no place for a folder.");
        if (!Directory.Exists(parent))
            throw new DirectoryNotFoundException($"'{path}' cannot be written: the folder '{parent}' does not exist.");
        _lock = TemporaryFile.Create(parent);
        try
        {
            Directory.CreateDirectory(Path.Combine(_lock.Folder, New));
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>Whether the system's exchange of two folders is used; false for tests of systems without one.</summary>
    public bool Exchanges { get; init; } = true;

    /// <summary>For tests: called at each step of <see cref="Complete"/>.</summary>
    public Action<string>? Step { get; init; }

    /// <summary>Where to write a file for now.</summary>
    public string File(string name) => Path.Combine(_lock.Folder, New, name);

    /// <summary>Finishes what a process that was killed while it replaced this folder has left, where the folder is missing.</summary>
    public static void Recover(string path)
    {
        string target = Target(path);
        try
        {
            if (!Directory.Exists(target) && Path.GetDirectoryName(target) is { } parent)
                TemporaryFile.Sweep(parent);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Who may only read finds what is there.
        }
    }

    /// <summary>Puts the folder in its place. What somebody else has put into an earlier one stays.</summary>
    public void Complete()
    {
        string made = Path.Combine(_lock.Folder, New), earlier = Path.Combine(_lock.Folder, Earlier);
        if (!Directory.Exists(_target))
        {
            Directory.Move(made, _target);
            return;
        }
        CopyModes(_target, made);
        var others = Directory.GetFileSystemEntries(_target).Select(entry => Path.GetFileName(entry)!).Where(name => !Path.Exists(Path.Combine(made, name))).ToList();
        // From here on a killed process leaves something that has to be finished.
        JsonSerializer.Serialize(_lock.Stream, new Plan(Path.GetFileName(_target), others));
        _lock.Stream.Flush(flushToDisk: true);
        Step?.Invoke("planned");
        bool exchanged = Exchanges && SystemFiles.TryExchange(made, _target);
        if (!exchanged)
            Directory.Move(_target, earlier);
        _begun = true;
        if (!exchanged)
        {
            Step?.Invoke("moved away");
            try
            {
                Directory.Move(made, _target);
            }
            catch
            {
                Directory.Move(earlier, _target);
                _begun = false;
                throw;
            }
        }
        Step?.Invoke("replaced");
        Keep(others, exchanged ? made : earlier, _target);
        _begun = false;
        Step?.Invoke("kept");
    }

    /// <summary>Deletes what did not get into its place, unless something of somebody else's is among it.</summary>
    public void Dispose()
    {
        if (_begun)
            _lock.Leave();
        _lock.Dispose();
    }

    /// <summary>Finishes what a killed process had begun, and deletes the rest.</summary>
    /// <param name="path">Its temporary file.</param>
    /// <param name="folder">Its temporary folder.</param>
    /// <param name="plan">What it was about to do, if it had come so far.</param>
    public static void FinishLeft(string path, string folder, FileStream plan)
    {
        if (ReadPlan(plan) is { } begun && Path.GetFileName(begun.Target) == begun.Target)
        {
            string target = Path.Combine(Path.GetDirectoryName(path)!, begun.Target), made = Path.Combine(folder, New), earlier = Path.Combine(folder, Earlier);
            if (Directory.Exists(earlier) && !Path.Exists(target))
                Directory.Move(Directory.Exists(made) ? made : earlier, target);
            // Without a target somebody has deleted it since, and there is nothing to keep things in.
            string replaced = Directory.Exists(earlier) ? earlier : made;
            if (Directory.Exists(target) && Directory.Exists(replaced))
                Keep(begun.Others, replaced, target);
            // From here on all is done, also for one who comes when only half is deleted.
            plan.SetLength(0);
            plan.Flush(flushToDisk: true);
        }
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The full path without links and without a separator at its end.</summary>
    private static string Target(string path) => SystemFiles.Follow(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));

    private static void Keep(IReadOnlyList<string> names, string from, string to)
    {
        foreach (string name in names)
        {
            string source = Path.Combine(from, name), target = Path.Combine(to, name);
            if (Path.GetFileName(name) == name && Path.Exists(source) && !Path.Exists(target))
                Directory.Move(source, target);
        }
    }

    /// <summary>The permissions of an earlier folder and its files, for the new ones.</summary>
    private static void CopyModes(string earlier, string made)
    {
        if (OperatingSystem.IsWindows())
            return;
        foreach (string file in Directory.GetFiles(made))
        {
            string before = Path.Combine(earlier, Path.GetFileName(file));
            if (System.IO.File.Exists(before))
                System.IO.File.SetUnixFileMode(file, System.IO.File.GetUnixFileMode(before));
        }
        System.IO.File.SetUnixFileMode(made, System.IO.File.GetUnixFileMode(earlier));
    }

    private static Plan? ReadPlan(FileStream stream)
    {
        try
        {
            return stream.Length == 0 ? null : JsonSerializer.Deserialize<Plan>(stream);
        }
        catch (JsonException)
        {
            // Killed while it wrote the plan: nothing had been moved.
            return null;
        }
    }

    /// <summary>What is written down before an earlier folder is replaced.</summary>
    /// <param name="Target">The folder's name.</param>
    /// <param name="Others">Names in the earlier folder that the new one does not have.</param>
    private sealed record Plan(string Target, IReadOnlyList<string> Others);
}
