using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace PackageCheck;

/// <summary>Compares what our assemblies refer to with what a restore resolves (obj/project.assets.json) or a folder holds.</summary>
internal static class Closure
{
    /// <summary>What the names of our assemblies start with.</summary>
    private static readonly string[] Own = ["Vae.MLNet", "vae-mlnet"];

    private sealed record Package(string Id, Version Version, string[] Assemblies);

    /// <param name="assets">Assets file of a project outside the tree that refers to nothing but the package.</param>
    /// <param name="compiledAgainst">Assets file of the project that was packed.</param>
    public static IReadOnlyList<string> Faults(string assets, string compiledAgainst)
    {
        var faults = new List<string>();
        var restored = Packages(assets).ToDictionary(package => package.Id, StringComparer.OrdinalIgnoreCase);
        foreach (var package in Packages(compiledAgainst).Where(package => package.Assemblies.Length > 0))
        {
            if (!restored.TryGetValue(package.Id, out var found))
                faults.Add($"{package.Id} {package.Version} was there when the package was compiled and is not in what a bare restore gives ({assets}).");
            else if (found.Version < package.Version)
                faults.Add($"{package.Id}: compiled against {package.Version}, a bare restore gives {found.Version} ({assets}).");
        }

        string[] assemblies = [.. restored.Values.SelectMany(package => package.Assemblies)];
        return [.. faults, .. Unresolved(assemblies, assets)];
    }

    /// <param name="folder">Folder of a program that brings everything along but the shared framework, such as an installed tool.</param>
    public static IReadOnlyList<string> FaultsOfFolder(string folder) => [.. Unresolved(Directory.GetFiles(folder, "*.dll"), folder)];

    /// <summary>What our assemblies refer to that is neither among the assemblies given nor in the shared framework, or is older there.</summary>
    private static IEnumerable<string> Unresolved(string[] assemblies, string where)
    {
        string[] libraries = [.. assemblies.Where(IsOwn)];
        if (libraries.Length == 0)
            yield return $"{where} has no library of ours ({string.Join(", ", Own)}).";
        var available = Available(assemblies);
        foreach (string library in libraries)
        {
            foreach (var reference in References(library))
            {
                string name = reference.Name!;
                if (!available.TryGetValue(name, out var version))
                    yield return $"{Path.GetFileName(library)} refers to {name} {reference.Version}; there is no such assembly ({where}).";
                else if (version < reference.Version)
                    yield return $"{Path.GetFileName(library)} refers to {name} {reference.Version}; there is {version} ({where}).";
            }
        }
    }

    private static bool IsOwn(string file) => Own.Any(name => Path.GetFileName(file).StartsWith(name, StringComparison.Ordinal));

    /// <summary>Assemblies and those of the shared framework that runs this program, with their versions.</summary>
    private static Dictionary<string, Version> Available(IEnumerable<string> assemblies)
    {
        var available = new Dictionary<string, Version>(StringComparer.OrdinalIgnoreCase);
        var framework = Directory.EnumerateFiles(RuntimeEnvironment.GetRuntimeDirectory(), "*.dll");
        foreach (string file in framework.Concat(assemblies))
        {
            using var stream = File.OpenRead(file);
            using var image = new PEReader(stream);
            if (!image.HasMetadata)
                continue;
            var name = image.GetMetadataReader().GetAssemblyDefinition().GetAssemblyName();
            // Of an assembly in both, the host takes the newer one.
            if (!available.TryGetValue(name.Name!, out var known) || known < name.Version)
                available[name.Name!] = name.Version!;
        }
        return available;
    }

    private static List<AssemblyName> References(string file)
    {
        using var stream = File.OpenRead(file);
        using var image = new PEReader(stream);
        var metadata = image.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(handle => metadata.GetAssemblyReference(handle).GetAssemblyName())];
    }

    private static List<Package> Packages(string assets)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(assets));
        string[] folders = [.. json.RootElement.GetProperty("packageFolders").EnumerateObject().Select(folder => folder.Name)];
        var libraries = json.RootElement.GetProperty("libraries");
        // The first target is the one without a runtime identifier.
        var target = json.RootElement.GetProperty("targets").EnumerateObject().First().Value;
        var packages = new List<Package>();
        foreach (var entry in target.EnumerateObject())
        {
            if (entry.Value.GetProperty("type").GetString() != "package")
                continue;
            string path = libraries.GetProperty(entry.Name).GetProperty("path").GetString()!;
            string folder = folders.Select(root => Path.Combine(root, path)).FirstOrDefault(Directory.Exists)
                ?? throw new InvalidOperationException($"{entry.Name} of {assets} is in none of {string.Join(", ", folders)}.");
            string[] files = entry.Value.TryGetProperty("runtime", out var runtime)
                ? [.. runtime.EnumerateObject().Where(file => !file.Name.EndsWith("/_._", StringComparison.Ordinal)).Select(file => Path.Combine(folder, file.Name))]
                : [];
            string[] parts = entry.Name.Split('/');
            packages.Add(new(parts[0], Version.Parse(parts[1].Split('-', '+')[0]), files));
        }
        return packages;
    }
}
