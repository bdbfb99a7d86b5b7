using System.Globalization;
using System.Text.Json;

namespace Vae.MLNet.Tool.Tests;

/// <summary>Files of real and generated rows, with text and gaps, compared.</summary>
[TestClass]
public sealed class CompareTests
{
    private const string Names = "age,city,\"height, cm\"";

    private readonly Sandbox _sandbox = new();

    [TestCleanup]
    public void Delete() => _sandbox.Dispose();

    /// <summary>A city that goes with the age, a height, gaps in both kinds.</summary>
    private static List<string[]> People(int count, int seed, double shift = 0)
    {
        var random = new Random(seed);
        string[] cities = ["Lima", "\"Oslo, N\"", "Ōsaka"];
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            double age = 20 + 40 * random.NextDouble();
            return new[] { Number(Math.Round(age)), random.Next(20) == 0 ? "" : cities[(int)(age - 20) / 14], random.Next(10) == 0 ? "NA" : Number(170 + shift + 10 * random.NextDouble()) };
        })];
    }

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);

    private string Write(string name, string? header, IEnumerable<string[]> rows, params int[] order)
    {
        string path = _sandbox.Path(name);
        var lines = rows.Select(row => string.Join(',', order.Length == 0 ? row : order.Select(i => row[i])));
        File.WriteAllLines(path, header is null ? lines : lines.Prepend(header));
        return path;
    }

    [TestMethod]
    public void Compare_SameRowsInOtherOrderOfColumns_NothingIsFound()
    {
        string real = Write("real.csv", Names, People(400, 1)), generated = Write("generated.csv", "\"height, cm\",age,city", People(400, 2), 2, 0, 1);
        string training = Write("training.csv", "id," + Names, People(300, 3).Select((row, i) => (string[])[$"x{i}", .. row]));
        var found = _sandbox.Json("compare", real, generated, "--training", training);
        Assert.AreEqual(0.5, found.GetProperty("auc").GetDouble(), 4 * found.GetProperty("aucStandardError").GetDouble());
        Assert.AreEqual(1, found.GetProperty("copies").GetProperty("distanceRatio").GetDouble(), 0.2);
        var columns = found.GetProperty("columns").EnumerateArray().ToArray();
        string[] names = ["age", "city", "height, cm"];
        Assert.AreSequenceEqual(names, columns.Select(column => column.GetProperty("name").GetString()).ToArray());
        bool[] categories = [false, true, false];
        Assert.AreSequenceEqual(categories, columns.Select(column => column.GetProperty("isCategory").GetBoolean()).ToArray());
        Assert.AreEqual(0.1, columns[2].GetProperty("missingReal").GetDouble(), 0.05);
        Assert.AreEqual(0.05, columns[1].GetProperty("missingGenerated").GetDouble(), 0.04);

        string again = _sandbox.Run("compare", real, generated, "--training", training, "--json").Output;
        Assert.AreEqual(again, _sandbox.Run("compare", real, generated, "--training", training, "--json", "--seed", "0").Output);
        Assert.AreNotEqual(again, _sandbox.Run("compare", real, generated, "--training", training, "--json", "--seed", "1").Output);
    }

    [TestMethod]
    public void Compare_WritesAReportAndTellsInATable()
    {
        string real = Write("real.csv", Names, People(300, 1)), generated = Write("generated.csv", Names, People(200, 2, shift: 4)), report = _sandbox.Path("report");
        var run = _sandbox.Run("compare", real, generated, "-o", report, "--rows", "150");
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        foreach (string part in (string[])["verdict", "'height, cm'", "300 real, 200 generated; 150 of each", "categories"])
            StringAssert.Contains(run.Output, part);
        StringAssert.Contains(run.Error, "as categories are taken city;");
        string[] files = ["columns.png", "differences.png", "report.json", "report.txt"];
        Assert.AreSequenceEqual(files, Directory.GetFiles(report).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal).ToArray());
        foreach (string picture in (string[])["columns.png", "differences.png"])
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(report, picture));
            Assert.IsTrue(bytes.AsSpan().StartsWith("\u0089PNG"u8[1..]) || bytes.AsSpan(1).StartsWith("PNG"u8));
            Assert.IsGreaterThan(5000, bytes.Length);
        }
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(report, "report.json")));
        Assert.IsGreaterThan(0.6, json.RootElement.GetProperty("auc").GetDouble());
        Assert.AreEqual(150, json.RootElement.GetProperty("classifierRows").GetInt32());

        // A report gives way to a new one; what is something else stays.
        Assert.AreEqual(ExitCodes.Done, _sandbox.Run("compare", real, generated, "-o", report, "--rows", "100").Code);
        string other = _sandbox.Path("other");
        Directory.CreateDirectory(other);
        File.WriteAllText(Path.Combine(other, "notes.txt"), "mine");
        var refused = _sandbox.Run("compare", real, generated, "-o", other);
        Assert.AreEqual(ExitCodes.Usage, refused.Code);
        StringAssert.Contains(refused.Error, "a report of 'vae-mlnet compare'");
    }

    [TestMethod]
    public void Compare_IgnoresColumnsAndChoosesThem()
    {
        string real = Write("real.csv", Names, People(60, 1)), generated = Write("generated.csv", "z0," + Names, People(60, 2).Select((row, i) => (string[])[$"{i}", .. row]));
        var found = _sandbox.Json("compare", real, generated, "--ignore", "z0,\"height, cm\"");
        Assert.AreEqual(2, found.GetProperty("columns").GetArrayLength());
        found = _sandbox.Json("compare", real, generated, "--columns", "\"height, cm\",city");
        Assert.AreEqual("height, cm", found.GetProperty("columns")[0].GetProperty("name").GetString());

        Fails(ExitCodes.Failed, "It has z0 besides.", "compare", real, generated);
        Fails(ExitCodes.Failed, "It lacks z0.", "compare", generated, real);
        Fails(ExitCodes.Usage, "--ignore: there is no column z1", "compare", real, generated, "--ignore", "z0,z1");
        Fails(ExitCodes.Usage, "leaves no column", "compare", real, generated, "--ignore", "z0,age,city,\"height, cm\"");
        Fails(ExitCodes.Failed, "It lacks city.", "compare", real, real, "--training", Write("training.csv", "age,\"height, cm\"", People(60, 3), 0, 2));
    }

    [TestMethod]
    public void Compare_NumbersInOneFileAndTextInTheOtherAreCategories()
    {
        string real = Write("real.csv", "code,x", People(50, 1), 0, 2), generated = Write("generated.csv", "code,x", People(50, 2).Select((row, i) => i == 7 ? ["B12", row[1], row[2]] : row), 0, 2);
        var run = _sandbox.Run("compare", real, generated, "--json");
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        StringAssert.Contains(run.Error, "as categories are taken code;");
        Assert.IsTrue(JsonSerializer.Deserialize<JsonElement>(run.Output).GetProperty("columns")[0].GetProperty("isCategory").GetBoolean());
    }

    [TestMethod]
    public void Compare_ValuesThatLookLikeOthersStayApart()
    {
        // A value called as the pictures call a gap, control signs, and a column without a name.
        string header = ",word", report = _sandbox.Path("report");
        string real = Write("real.csv", header, Enumerable.Range(0, 40).Select(i => (string[])[$"{i}", i % 3 == 0 ? "" : i % 3 == 1 ? "(missing)" : "\"a\nb\""]));
        var run = _sandbox.Run("compare", real, real, "-o", report, "--header", "yes");
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        StringAssert.Contains(run.Error, "warning: '" + real + "': the first column has no name");
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(report, "report.json")));
        Assert.AreEqual(0, json.RootElement.GetProperty("marginalError").GetDouble());
        Assert.AreEqual("", json.RootElement.GetProperty("columns")[0].GetProperty("name").GetString());
    }

    [TestMethod]
    public void Compare_ArraysAndTheirErrors()
    {
        string real = _sandbox.Conformations("real.npz", 100, 1), generated = _sandbox.Conformations("generated.npz", 80, 2), bad = _sandbox.Conformations("bad.npz", 80, 2, badRow: 3);
        var found = _sandbox.Json("compare", real, generated, "--training", _sandbox.Conformations("training.npz", 60, 3));
        Assert.AreEqual(12, found.GetProperty("columns").GetArrayLength());
        Assert.AreEqual(60, found.GetProperty("copies").GetProperty("trainingRows").GetInt32());
        Assert.AreEqual(1 / 80.0, _sandbox.Json("compare", real, bad).GetProperty("columns")[5].GetProperty("missingGenerated").GetDouble(), 1e-9);

        string table = Write("table.csv", Names, People(50, 1));
        Fails(ExitCodes.Failed, "is an array, '", "compare", real, table);
        Fails(ExitCodes.Usage, "--ignore leaves out columns of tables", "compare", real, generated, "--ignore", "x");
        Fails(ExitCodes.Failed, "There is no file", "compare", real, _sandbox.Path("nowhere.npz"));
        Fails(ExitCodes.Failed, "generated rows are 9; at least 10", "compare", table, Write("few.csv", Names, People(9, 1)));
        string ragged = _sandbox.Path("ragged.csv");
        File.WriteAllText(ragged, "age,city\n1,Lima\n2\n");
        Fails(ExitCodes.Failed, "row 1, line 3: 2 fields are expected, 1 was found", "compare", table, ragged);
    }

    [TestMethod]
    public void Compare_WithoutHeader_ColumnsAreTakenInTheirOrder()
    {
        string named = Write("named.csv", "a,b", People(40, 1), 0, 0), plain = Write("plain.csv", null, People(40, 2), 0, 0);
        var run = _sandbox.Run("compare", named, plain, "--json");
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        StringAssert.Contains(run.Error, "'" + plain + "' has no names: its columns are taken as a, b.");
        Assert.AreEqual("x0", _sandbox.Json("compare", plain, plain).GetProperty("columns")[0].GetProperty("name").GetString());
    }

    private void Fails(int code, string message, params string[] arguments)
    {
        var run = _sandbox.Run(arguments);
        Assert.AreEqual(code, run.Code, run.Error);
        StringAssert.Contains(run.Error, message);
        Assert.AreEqual("", run.Output);
    }
}
