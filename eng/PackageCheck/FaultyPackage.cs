using System.IO.Compression;
using System.Xml.Linq;

namespace PackageCheck;

/// <summary>Makes a package that a check has to refuse.</summary>
internal static class FaultyPackage
{
    /// <summary>Writes a copy of a package whose nuspec leaves a dependency out, under a version of its own.</summary>
    /// <param name="package">The package, <c>id.version.nupkg</c>.</param>
    /// <param name="dependency">Id of the dependency.</param>
    /// <param name="folder">Folder to write to.</param>
    /// <returns>The copy's version.</returns>
    public static string Without(string package, string dependency, string folder)
    {
        Directory.CreateDirectory(folder);
        string copy = Path.Combine(folder, "copy.zip"), id, version;
        File.Copy(package, copy, overwrite: true);
        using (var archive = ZipFile.Open(copy, ZipArchiveMode.Update))
        {
            var entry = archive.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal));
            XDocument nuspec;
            using (var stream = entry.Open())
                nuspec = XDocument.Load(stream);
            var space = nuspec.Root!.Name.Namespace;
            var elements = nuspec.Descendants(space + "dependency").Where(element => (string?)element.Attribute("id") == dependency).ToArray();
            if (elements.Length == 0)
                throw new InvalidOperationException($"{package} does not depend on {dependency}.");
            foreach (var element in elements)
                element.Remove();
            id = nuspec.Descendants(space + "id").Single().Value;
            var number = nuspec.Descendants(space + "version").Single();
            version = number.Value += $"{(number.Value.Contains('-') ? '.' : '-')}without-{dependency.Replace('.', '-')}";
            string name = entry.FullName;
            entry.Delete();
            using var written = archive.CreateEntry(name).Open();
            nuspec.Save(written);
        }
        File.Move(copy, Path.Combine(folder, $"{id}.{version}.nupkg"), overwrite: true);
        return version;
    }
}
