using System.Runtime.InteropServices;

namespace Vae.MLNet.Data;

/// <summary>What .NET does not offer of the file system: where a path leads, what is no ordinary file, and exchanging two folders at once.</summary>
internal static partial class SystemFiles
{
    /// <summary>As many links as Linux follows.</summary>
    private const int MostLinks = 40;

    private const ushort TypeMask = 0xF000, RegularFile = 0x8000, Folder = 0x4000;

    /// <summary>What a path leads to when all symbolic links in it are followed as the system does, whether the last part exists or not.</summary>
    /// <param name="path">A full path.</param>
    /// <exception cref="IOException">The links go round in a circle.</exception>
    public static string Follow(string path)
    {
        if (OperatingSystem.IsWindows())
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        var parts = new Stack<string>();
        Push(path);
        string done = "/";
        for (int links = 0; parts.TryPop(out string? part);)
        {
            if (part is "" or ".")
                continue;
            if (part == "..")
            {
                done = Path.GetDirectoryName(done) ?? "/";
                continue;
            }
            string here = Path.Combine(done, part);
            if (new FileInfo(here).LinkTarget is not { } target)
            {
                done = here;
                continue;
            }
            if (++links > MostLinks)
                throw new IOException($"'{path}': the symbolic links go round in a circle.");
            // What the system's own links to open files say is no path.
            if (done.StartsWith("/proc/", StringComparison.Ordinal) && !Path.IsPathRooted(target))
                return here;
            if (Path.IsPathRooted(target))
                done = "/";
            Push(target);
        }
        return done;

        void Push(string text)
        {
            foreach (string part in text.Split('/').Reverse())
                parts.Push(part);
        }
    }

    /// <summary>Whether a path names something that is written to rather than replaced: a terminal, a pipe, another device, or a file that this process has open already.</summary>
    /// <param name="path">A full path.</param>
    public static bool IsDevice(string path)
    {
        if (OperatingSystem.IsWindows())
            return path.StartsWith(@"\\.\", StringComparison.Ordinal);
        if (OpenFile(path) is not null)
            return true;
        if (OperatingSystem.IsLinux() && Mode(path) is { } mode)
            return (mode & TypeMask) is not (RegularFile or Folder);
        return Path.Exists(path) && Follow(path).StartsWith("/dev/", StringComparison.Ordinal);
    }

    /// <summary>The number of an open file of this process that a path such as /dev/stdout or /proc/self/fd/1 stands for, also through links.</summary>
    public static int? OpenFile(string path)
    {
        // /dev/stdout is a link to /proc/self/fd/1, which is one to the file itself: the last step is not to be taken.
        for (int links = 0; links < MostLinks; links++)
        {
            string folder = Follow(Path.GetDirectoryName(path) ?? "/"), name = Path.GetFileName(path);
            if (int.TryParse(name, out int number) && (folder == "/dev/fd" || folder == Invariant($"/proc/{Environment.ProcessId}/fd")))
                return number;
            path = Path.Combine(folder, name);
            if (new FileInfo(path).LinkTarget is not { } target)
                break;
            path = Path.GetFullPath(target, folder);
        }
        return path switch
        {
            "/dev/stdout" => 1,
            "/dev/stderr" => 2,
            _ => null,
        };
    }

    /// <summary>Exchanges two folders of one file system at once; false where this system cannot.</summary>
    public static bool TryExchange(string one, string other)
    {
        const int CurrentFolder = -100;
        const uint Exchange = 2, Swap = 2;
        try
        {
            if (OperatingSystem.IsLinux())
                return RenameAt(CurrentFolder, one, CurrentFolder, other, Exchange) == 0;
            return OperatingSystem.IsMacOS() && RenameX(one, other, Swap) == 0;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // An older C library.
            return false;
        }
    }

    /// <summary>Type and permissions of what a path leads to; null where there is nothing, or the system does not say.</summary>
    private static unsafe ushort? Mode(string path)
    {
        // The kernel's struct statx has 256 bytes on every machine; the mode stands at 28.
        const int CurrentFolder = -100, Size = 256, Place = 28;
        const uint Type = 1;
        byte* status = stackalloc byte[Size];
        try
        {
            return StatX(CurrentFolder, path, 0, Type, status) == 0 ? *(ushort*)(status + Place) : null;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            return null;
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int folder, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "renameat2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt(int oneFolder, string one, int otherFolder, string other, uint flags);

    [LibraryImport("libc", EntryPoint = "renamex_np", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameX(string one, string other, uint flags);
}
