using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using TorchSharp;

namespace Vae.MLNet.Model;

/// <summary>Loads TorchSharp's native library, or says in one exception why it cannot be loaded and what to do.</summary>
internal static partial class TorchRuntime
{
    /// <summary>What libtorch of TorchSharp 0.107 asks of libstdc++ (GCC 13).</summary>
    private const int NeededGlibcxx = 32;

    private static readonly Lazy<Exception?> Failure = new(Load, LazyThreadSafetyMode.ExecutionAndPublication);

    public static bool IsAvailable => Failure.Value is null;

    /// <exception cref="InvalidOperationException">The native library cannot be loaded; the message says why.</exception>
    public static void EnsureLoaded()
    {
        if (Failure.Value is { } failure)
            throw new InvalidOperationException(failure.Message, failure.InnerException);
    }

    /// <summary>The device an option stands for.</summary>
    public static torch.Device Device(TrainingDevice device)
    {
        EnsureLoaded();
        if (device == TrainingDevice.Cpu)
            return torch.CPU;
        bool cuda;
        try
        {
            cuda = torch.cuda.is_available();
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or NotSupportedException or ExternalException)
        {
            cuda = false;
        }
        if (cuda)
        {
            torch.InitializeDeviceType(DeviceType.CUDA);
            return torch.CUDA;
        }
        if (device == TrainingDevice.Auto)
            return torch.CPU;
        throw new InvalidOperationException(
            "Device is Cuda, but TorchSharp finds no CUDA device. Reference TorchSharp-cuda-linux or TorchSharp-cuda-windows instead of TorchSharp-cpu and check the driver, " +
            "or set Device to Cpu or Auto.");
    }

    private static Exception? Load()
    {
        try
        {
            torch.InitializeDeviceType(DeviceType.CPU);
            using var probe = torch.zeros(1);
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or NotSupportedException or EntryPointNotFoundException or BadImageFormatException or ExternalException)
        {
            return new InvalidOperationException(Diagnose(SearchFolders(), OperatingSystem.IsLinux() ? LoadedLibstdcxx() : null), e);
        }
    }

    /// <summary>Words the cause from what is on the machine.</summary>
    /// <param name="folders">Folders in which native libraries of the application may lie.</param>
    /// <param name="libstdcxx">The C++ runtime in use, or null where that does not matter.</param>
    internal static string Diagnose(IEnumerable<string> folders, string? libstdcxx)
    {
        const string Start = "TorchSharp's native library cannot be loaded: ";
        string name = OperatingSystem.IsWindows() ? "torch_cpu.dll" : OperatingSystem.IsMacOS() ? "libtorch_cpu.dylib" : "libtorch_cpu.so";
        string? library = folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        if (library is null)
        {
            return Start + $"no {name} is beside the application. Add a package reference to TorchSharp-cpu (or TorchSharp-cuda-linux, TorchSharp-cuda-windows) of " +
                $"version {typeof(torch).Assembly.GetName().Version?.ToString(3)} to the application.";
        }
        if (libstdcxx is not null && NewestGlibcxx(libstdcxx) is { } found && found < NeededGlibcxx)
        {
            return Start + Check.Invariant($"it needs libstdc++ with GLIBCXX_3.4.{NeededGlibcxx} (GCC 13); '{libstdcxx}' has GLIBCXX_3.4.{found}. ") +
                "Debian 13, Ubuntu 24.04, RHEL 10 and Fedora 38 have it; on Debian 12 install libstdc++6 of Debian 13.";
        }
        return Start + $"'{library}' is there, but the loader refuses it; see the inner exception.";
    }

    private static IEnumerable<string> SearchFolders()
    {
        string native = Path.Combine("runtimes", RuntimeInformation.RuntimeIdentifier, "native");
        yield return AppContext.BaseDirectory;
        yield return Path.Combine(AppContext.BaseDirectory, native);
        string portable = (OperatingSystem.IsWindows() ? "win-" : OperatingSystem.IsMacOS() ? "osx-" : "linux-") + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", portable, "native");
        foreach (string folder in (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
    }

    /// <summary>The libstdc++ that this very process has loaded.</summary>
    private static string? LoadedLibstdcxx()
    {
        try
        {
            return File.ReadLines("/proc/self/maps").Select(line => line.IndexOf('/') is var at and >= 0 ? line[at..] : "").FirstOrDefault(path => path.Contains("libstdc++.so", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>N of the newest GLIBCXX_3.4.N among a library's version names.</summary>
    internal static int? NewestGlibcxx(string library)
    {
        try
        {
            int newest = -1;
            foreach (Match match in Version().Matches(Encoding.Latin1.GetString(File.ReadAllBytes(library))))
                newest = Math.Max(newest, int.Parse(match.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture));
            return newest < 0 ? null : newest;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"GLIBCXX_3\.4\.([0-9]{1,4})")]
    private static partial Regex Version();
}
