using System.Text.RegularExpressions;

namespace Vae.MLNet.Tests;

/// <summary>The folders of the library are rooms in a row, and a file names types of its own room and of rooms before it, never of one behind or beside it.</summary>
[TestClass]
public sealed partial class RoomsTests
{
    /// <summary>In the order of the data. Rooms of one line stand side by side.</summary>
    private static readonly string[][] Row =
    [
        ["Data", "Model"],
        ["Onnx"],
        ["Scoring"],
        ["Training", "Samples"],
        ["Conformations", "Sequences", "Anomaly", "Imputation", "Evaluation", "Tables", "Priors", "ChainDecoding"],
        ["Pipelines"],
        [""],
    ];

    [TestMethod]
    public void Library_EachRoomReachesOnlyRoomsBeforeIt()
    {
        string root = Path.Combine(ReadmeTests.Root(), "src", "Vae.MLNet");
        var files = Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: Path.GetRelativePath(root, path).Replace('\\', '/'), Text: File.ReadAllText(path)))
            .Where(file => !file.Path.StartsWith("obj/", StringComparison.Ordinal) && !file.Path.StartsWith("bin/", StringComparison.Ordinal))
            .ToList();
        Assert.IsGreaterThan(100, files.Count);
        List<string> breaches = Breaches(files);
        Assert.IsEmpty(breaches, string.Join('\n', breaches));
    }

    [TestMethod]
    public void Library_EveryFolderIsARoomWithAReadme()
    {
        string root = Path.Combine(ReadmeTests.Root(), "src", "Vae.MLNet");
        string[] rooms = [.. Directory.EnumerateDirectories(root).Select(path => Path.GetFileName(path)!).Where(name => name is not ("bin" or "obj"))];
        Assert.IsEmpty(rooms.Except(Row.SelectMany(group => group)).ToArray(), "A folder has no place in the row.");
        Assert.IsEmpty(rooms.Where(room => !File.Exists(Path.Combine(root, room, "README.md"))).ToArray(), "A room has no README.md.");
    }

    [TestMethod]
    public void Breaches_NamesFilesThatReachForwardOrAside()
    {
        (string, string)[] files =
        [
            ("Model/Network.cs", "namespace Vae.MLNet.Model;\ninternal sealed class Network;\n"),
            ("Training/Loop.cs", "internal static class Loop { Network? n; /* Detector */ string s = \"Detector\"; } // Detector\n"),
            ("Anomaly/Detector.cs", "public sealed record Detector(Loop Loop);\n"),
            ("Imputation/Imputer.cs", "internal sealed class Imputer { Detector? d; }\n"),
            ("Onnx/Graph.cs", "internal enum Graph { One }\ninternal sealed class Check2 { Loop? l; }\n"),
        ];
        string[] expected = ["Imputation/Imputer.cs names Detector of Anomaly", "Onnx/Graph.cs names Loop of Training"];
        Assert.AreSequenceEqual(expected, Breaches(files).Order(StringComparer.Ordinal).ToArray());
    }

    private static List<string> Breaches(IReadOnlyList<(string Path, string Text)> files)
    {
        var code = files.Select(file => (file.Path, Room: Room(file.Path), Text: Uninteresting().Replace(file.Text, " "))).ToList();
        var homes = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (var file in code)
        {
            foreach (Match match in Declaration().Matches(file.Text))
            {
                string name = match.Groups["name"].Value;
                if (!homes.TryGetValue(name, out var rooms))
                    homes[name] = rooms = new(StringComparer.Ordinal);
                rooms.Add(file.Room);
            }
        }
        // What every room may use, and the catalog, of which every room has a part.
        foreach (string shared in (string[])["Check", "LibraryVersion", "VaeCatalog", "VaeMLContextExtensions"])
            homes.Remove(shared);

        var breaches = new List<string>();
        foreach (var file in code)
        {
            foreach (string name in Identifier().Matches(file.Text).Select(match => match.Value).Distinct())
            {
                // A type in parts is at home where its first part is.
                if (homes.TryGetValue(name, out var rooms) && !rooms.Contains(file.Room) && rooms.All(room => Place(room) >= Place(file.Room)))
                    breaches.Add($"{file.Path} names {name} of {string.Join(", ", rooms)}");
            }
        }
        return breaches;
    }

    private static string Room(string path) => path.Contains('/') ? path[..path.IndexOf('/')] : "";

    private static int Place(string room)
    {
        int place = Array.FindIndex(Row, group => group.Contains(room));
        Assert.IsGreaterThanOrEqualTo(0, place, $"The folder '{room}' has no place in the row of rooms.");
        return place;
    }

    [GeneratedRegex("""\"{3}[\s\S]*?\"{3}|//[^\n]*|/\*[\s\S]*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""")]
    private static partial Regex Uninteresting();

    [GeneratedRegex(@"^(?:\[[^\]\n]*\]\s*)?(?:(?:public|internal|file|sealed|static|abstract|partial|readonly|unsafe|ref)\s+)*(?:class|struct|record struct|record class|record|interface|enum)\s+(?<name>\w+)|^(?:public|internal)\s+delegate\s+\S+\s+(?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"\b[A-Z]\w+\b")]
    private static partial Regex Identifier();
}
