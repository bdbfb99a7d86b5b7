using System.Reflection;

namespace Vae.MLNet;

internal static class LibraryVersion
{
    /// <summary>Version of this library without build metadata, as it stands in exported files.</summary>
    public static string Text { get; } =
        (typeof(LibraryVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0").Split('+')[0];
}
