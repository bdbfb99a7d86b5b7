// Checks of the packed libraries that eng/consume.sh runs; each prints what is wrong, one line a fault, and exits with 1.
using PackageCheck;

if (args is ["without", var dependency, var package, var target])
{
    // A copy of a package that lacks a dependency, to try the checks on; prints its version.
    Console.WriteLine(FaultyPackage.Without(package, dependency, target));
    return 0;
}

IReadOnlyList<string> faults = args switch
{
    // What a bare restore of the package gives has every assembly that the package was compiled against, in that version or a newer one.
    ["closure", var assets, var compiledAgainst] => Closure.Faults(assets, compiledAgainst),
    // The same for a program that brings its assemblies along.
    ["folder", var folder] => Closure.FaultsOfFolder(folder),
    // Every public entry point of the library is called by one of the consumers.
    ["entry-points", var library, .. var consumers] when consumers.Length > 0 => EntryPoints.Faults(library, consumers),
    _ => ["Usage: closure ASSETS COMPILED_ASSETS | folder FOLDER | entry-points LIBRARY CONSUMER... | without DEPENDENCY PACKAGE FOLDER"],
};
foreach (string fault in faults)
    Console.Error.WriteLine(fault);
return faults.Count == 0 ? 0 : 1;
