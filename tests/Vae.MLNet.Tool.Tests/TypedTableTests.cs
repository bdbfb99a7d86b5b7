using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;

namespace Vae.MLNet.Tool.Tests;

/// <summary>Tables with text, dates and gaps, from the file to new rows, odd rows and filled gaps.</summary>
[TestClass]
public sealed class TypedTableTests
{
    private static Sandbox _shared = null!;
    private static string _people = "", _model = "";

    private readonly Sandbox _sandbox = new();

    [ClassInitialize]
    public static void Train(TestContext context)
    {
        _shared = new Sandbox();
        _people = People(_shared.Path("people.csv"), 600, 1);
        var run = _shared.Run("train", _people, "--ignore", "id", "--seed", "3", "--steps", "900", "--threads", "1", "-o", _shared.Path("model"));
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        foreach (string said in (string[])["category", "2 values", "date", "2023-01-01", "Single", "held out"])
            StringAssert.Contains(run.Output, said);
        _model = _shared.Path("model");
    }

    [ClassCleanup]
    public static void DeleteShared() => _shared.Dispose();

    [TestCleanup]
    public void Delete() => _sandbox.Dispose();

    /// <summary>The index that pandas writes, and the empty last column of lines that end with a separator.</summary>
    [TestMethod]
    public void Columns_WithoutANameAreLeftOutWithAWarning()
    {
        string file = _sandbox.Path("index.csv");
        File.WriteAllLines(file, File.ReadLines(_people).Select((line, i) => $"{(i == 0 ? "" : $"{i - 1}")},{line},"));
        string[] arguments = ["--ignore", "id", "--steps", "5", "--threads", "1", "-o", _sandbox.Path("index")];
        var run = _sandbox.Run(["train", file, .. arguments]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        StringAssert.Contains(run.Error, "column 0, 6 (from 0) has no name");
        StringAssert.Contains(run.Error, "It is left out.");
        Assert.IsFalse(run.Error.Contains("It is used", StringComparison.Ordinal), run.Error);
        // The same file is scored by the model of it, and gives what it gives without those columns and in another order.
        run = _sandbox.Run(["encode", _sandbox.Path("index"), file, "-o", _sandbox.Path("indexed.csv")]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        string other = _sandbox.Path("other.csv");
        File.WriteAllLines(other, File.ReadLines(_people).Select(line => string.Join(',', line.Split(',').Reverse())));
        run = _sandbox.Run(["encode", _sandbox.Path("index"), other, "-o", _sandbox.Path("ordered.csv")]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        Assert.AreEqual(File.ReadAllText(_sandbox.Path("ordered.csv")), File.ReadAllText(_sandbox.Path("indexed.csv")));
        // Who asks for it by its place has to name it.
        run = _sandbox.Run(["train", file, "--columns", "0,city,height", "--as", "table", "--steps", "5", "-o", _sandbox.Path("none")]);
        Assert.AreEqual(ExitCodes.Failed, run.Code, run.Error);
        StringAssert.Contains(run.Error, "Give it one");
    }

    /// <summary>Who lives in Oslo is tall and came in winter.</summary>
    private static string People(string path, int count, int seed, char separator = ',', bool header = true, params string[] more)
    {
        var random = new Random(seed);
        string decimals(double value) => value.ToString("F1", CultureInfo.InvariantCulture).Replace('.', separator == ';' ? ',' : '.');
        string[] rows = [.. Enumerable.Range(0, count).Select(i =>
        {
            bool tall = random.NextDouble() < 0.6;
            string height = random.Next(10) == 0 ? "" : decimals((tall ? 190 : 160) + 4 * random.NextDouble());
            var came = new DateTime(tall ? 2023 : 2024, tall ? 1 : 6, 1 + random.Next(28));
            return string.Join(separator, $"p{i}", tall ? "Oslo" : random.Next(8) == 0 ? "NA" : "Lima", height, came.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), tall ? "True" : "False");
        }), .. more];
        File.WriteAllLines(path, header ? rows.Prepend(string.Join(separator, "id", "city", "height", "came", "tall")) : rows);
        return path;
    }

    private string[][] Rows(string path) => [.. File.ReadAllLines(path).Skip(1).Select(line => line.Split(','))];

    [TestMethod]
    public void Train_WritesFilesForMLNetForOnnxRuntimeAndForPeople()
    {
        var loaded = new MLContext().Model.Load(Path.Combine(_model, "model.zip"), out var schema);
        Assert.AreEqual(TextDataViewType.Instance, schema["city"].Type);
        (loaded as IDisposable)?.Dispose();
        using var sampler = new InferenceSession(Path.Combine(_model, "sampler.onnx"));
        CollectionAssert.Contains(sampler.OutputMetadata.Keys.ToArray(), "city");
        using var record = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(_model, "training.json")));
        Assert.AreEqual("table", record.RootElement.GetProperty("kind").GetString());
        Assert.AreEqual(4, record.RootElement.GetProperty("columns").GetArrayLength());
        var inspected = _sandbox.Json("inspect", _model);
        Assert.AreEqual("table", inspected.GetProperty("training").GetProperty("kind").GetString());
        StringAssert.Contains(_sandbox.Run("inspect", _model).Output, "taken for");
        StringAssert.Contains(_sandbox.Run("inspect", Path.Combine(_model, "table.onnx")).Output, "input city");
    }

    [TestMethod]
    public void Train_TextOrAGapMakesATable_AndThatIsSaid()
    {
        string text = _sandbox.Path("text.csv"), gap = _sandbox.Path("gap.csv");
        File.WriteAllLines(text, ["a,b", .. Enumerable.Range(0, 30).Select(i => $"{i},{(i % 2 == 0 ? "x" : "y")}")]);
        File.WriteAllLines(gap, ["a,b", .. Enumerable.Range(0, 30).Select(i => $"{i},{(i == 7 ? "" : $"{i * i}")}")]);
        foreach (var (path, said) in ((string, string)[])[(text, "line 2, column 'b': a number is expected, 'x' was found"), (gap, "line 9, column 'b': a number is expected, the value is missing")])
        {
            var run = _sandbox.Run("train", path, "--threads", "1", "-o", _sandbox.Path("m"));
            Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
            StringAssert.Contains(run.Error, "--as table, as not all is numbers: ");
            StringAssert.Contains(run.Error, said);
        }
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("model.zip")]
    [DataRow("table.onnx")]
    public void Synthesize_RowsOfTheSameKind(string file)
    {
        string model = Path.Combine(_model, file);
        var found = _sandbox.Json("synthesize", model, "--count", "400", "--seed", "7", "-o", _sandbox.Path("new.csv"));
        Assert.AreEqual(400, found.GetProperty("rows").GetInt32());
        Assert.AreEqual("city,height,came,tall", File.ReadAllLines(_sandbox.Path("new.csv"))[0]);
        string[][] rows = Rows(_sandbox.Path("new.csv"));
        Assert.HasCount(400, rows);
        Assert.IsTrue(rows.All(row => row[0] is "" or "Oslo" or "Lima" && row[2].StartsWith("202", StringComparison.Ordinal) && row[2].Length == 10 && row[3] is "True" or "False"));
        Assert.IsLessThan(24, rows.Count(row => row[0] == "Oslo" != (row[3] == "True") || row[2].StartsWith("2023", StringComparison.Ordinal) != (row[3] == "True")));
        _sandbox.Json("synthesize", _model, "--count", "400", "--seed", "7", "-o", _sandbox.Path("again.csv"));
        Assert.AreEqual(File.ReadAllText(_sandbox.Path("new.csv")), File.ReadAllText(_sandbox.Path("again.csv")));
        var compared = _sandbox.Json("compare", _people, _sandbox.Path("new.csv"), "--ignore", "id");
        Assert.IsLessThan(0.7, compared.GetProperty("auc").GetDouble());
    }

    [TestMethod]
    public void Synthesize_WithColumnsGiven()
    {
        _sandbox.Json("synthesize", _model, "--count", "50", "--where", "city=Lima", "--where", "height=", "-o", _sandbox.Path("new.csv"));
        string[][] rows = Rows(_sandbox.Path("new.csv"));
        Assert.IsTrue(rows.All(row => row[0] == "Lima" && row[1].Length == 0));
        Assert.IsGreaterThan(45, rows.Count(row => row[3] == "False"));
        _sandbox.Json("synthesize", _model, "--count", "30", "--exclude", _people, "-o", _sandbox.Path("other.csv"));
        Assert.IsFalse(Rows(_sandbox.Path("other.csv")).Select(row => string.Join(',', row)).Intersect(Rows(_people).Select(row => string.Join(',', row.Skip(1)))).Any());
        // With a critic: what it found is told, and the rows are other ones of the same columns.
        var judged = _sandbox.Json("synthesize", _model, "--count", "60", "--seed", "7", "--critic", _people, "-o", _sandbox.Path("kept.csv"));
        Assert.IsTrue(judged.GetProperty("criticAuc").GetDouble() is > 0.2 and < 1);
        Assert.IsTrue(judged.GetProperty("criticAcceptance").GetDouble() is > 0 and <= 1);
        Assert.HasCount(61, File.ReadAllLines(_sandbox.Path("kept.csv")));
        Fails(ExitCodes.Usage, "--where has to be column=value; it is 'town=Lima', and the columns are city, height", "synthesize", _model, "--where", "town=Lima", "-o", _sandbox.Path("x.csv"));
        Fails(ExitCodes.Usage, "never had the value 'Rome'", "synthesize", _model, "--where", "city=Rome", "-o", _sandbox.Path("x.csv"));
        Fails(ExitCodes.Usage, "names the column 'city' twice", "synthesize", _model, "--where", "city=Lima", "--where", "city=Oslo", "-o", _sandbox.Path("x.csv"));
        Fails(ExitCodes.Usage, "--output has to end in .csv, .tsv or .txt", "synthesize", _model, "-o", _sandbox.Path("x.npy"));
        Assert.IsFalse(File.Exists(_sandbox.Path("x.csv")));
    }

    [TestMethod]
    public void Detect_NamesTheOddRowAndWhy()
    {
        string data = People(_sandbox.Path("odd.csv"), 40, 5, ',', true, "x1,Oslo,191.0,2023-01-15,True", "x2,Oslo,500.5,2023-01-15,True", "x3,Lima,191.5,2023-01-15,False");
        var found = _sandbox.Json("detect", _model, data, "-o", _sandbox.Path("scores.csv"), "--explain", "2", "--picture", _sandbox.Path("scores.png"));
        // The row whose cells do not go together is as odd as the one with the gross error.
        Assert.AreSequenceEqual(new[] { 41, 42 }, found.GetProperty("top").EnumerateArray().Take(2).Select(row => row.GetProperty("row").GetInt32()).Order().ToArray());
        var top = found.GetProperty("top").EnumerateArray().Single(row => row.GetProperty("row").GetInt32() == 41);
        Assert.IsTrue(top.GetProperty("labelled").GetBoolean());
        Assert.AreEqual("height", top.GetProperty("reasons")[0].GetProperty("column").GetString());
        string[] lines = File.ReadAllLines(_sandbox.Path("scores.csv"));
        Assert.AreEqual("row,Score,PredictedLabel,reason 1,reason 2", lines[0]);
        Assert.HasCount(44, lines);
        StringAssert.StartsWith(lines[42], "41,");
        StringAssert.Contains(lines[42], "True,\"height: 500.5, expected 19");
        Assert.IsGreaterThan(2000, new FileInfo(_sandbox.Path("scores.png")).Length);
        // The same columns in another order, with others among them, and a share of the rows rather than the model's threshold.
        string[] turned = [.. File.ReadAllLines(data).Select(line => line.Split(',') is var cells ? string.Join(',', cells[4], "9", cells[2], cells[3], cells[1]) : "")];
        turned[0] = "tall,other,height,came,city";
        File.WriteAllLines(_sandbox.Path("turned.csv"), turned);
        _sandbox.Json("detect", _model, _sandbox.Path("turned.csv"), "-o", _sandbox.Path("turned-scores.csv"), "--contamination", "0.2");
        string[][] before = Rows(_sandbox.Path("scores.csv")), after = Rows(_sandbox.Path("turned-scores.csv"));
        Assert.AreSequenceEqual(before.Select(row => row[1]).ToArray(), after.Select(row => row[1]).ToArray());
        Assert.AreEqual(8, after.Count(row => row[2] == "True"), 1);
    }

    [TestMethod]
    public void Detect_WithoutAModel_TrainsOnTheRows()
    {
        string data = People(_sandbox.Path("rows.csv"), 120, 8, ',', true, "x2,Oslo,900,2023-01-15,True");
        var found = _sandbox.Json("detect", data, "--ignore", "id", "--threads", "1", "-o", _sandbox.Path("scores.csv"), "--explain", "1");
        Assert.AreEqual(120, found.GetProperty("top")[0].GetProperty("row").GetInt32());
        Fails(ExitCodes.Usage, "--kinds and --ignore are for a training", "detect", _model, data, "--ignore", "id", "-o", _sandbox.Path("x.csv"));
    }

    [TestMethod]
    public void Impute_FillsTheModelsColumnsAndKeepsTheOthers()
    {
        string data = People(_sandbox.Path("gaps.csv"), 80, 6);
        var found = _sandbox.Json("impute", _model, data, "-o", _sandbox.Path("full.csv"));
        Assert.AreEqual(File.ReadAllLines(data)[0], File.ReadAllLines(_sandbox.Path("full.csv"))[0]);
        string[][] before = Rows(data), after = Rows(_sandbox.Path("full.csv"));
        int gaps = before.Sum(row => row.Count(cell => cell is "" or "NA"));
        Assert.AreEqual(gaps, found.GetProperty("filled").GetInt32());
        for (int i = 0; i < before.Length; i++)
        {
            for (int c = 0; c < 5; c++)
            {
                if (before[i][c] is not ("" or "NA"))
                    Assert.AreEqual(double.TryParse(before[i][c], CultureInfo.InvariantCulture, out double number) ? number.ToString(CultureInfo.InvariantCulture) : before[i][c], after[i][c]);
                else
                    Assert.AreNotEqual("", after[i][c]);
            }
            if (before[i][2].Length == 0)
                Assert.AreEqual(before[i][4] == "True" ? 192 : 162, double.Parse(after[i][2], CultureInfo.InvariantCulture), 4);
        }
    }

    [TestMethod]
    public void Encode_LatentAndScore()
    {
        var run = _sandbox.Run("encode", _model, _people, "--outputs", "Latent,Score", "-o", _sandbox.Path("latent.csv"));
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        string[] lines = File.ReadAllLines(_sandbox.Path("latent.csv"));
        Assert.HasCount(601, lines);
        StringAssert.StartsWith(lines[0], "z0,z1,");
        Assert.HasCount(17, lines[1].Split(','));
        _sandbox.Json("encode", _model, _people, "-o", _sandbox.Path("latent.npy"));
        Assert.HasCount(16, Sandbox.Read(_sandbox.Path("latent.npy"))[0]);
        Fails(ExitCodes.Usage, "gives no numbers called 'Sigma'; it gives Latent, Contributions, Score", "encode", _model, _people, "--outputs", "Sigma", "-o", _sandbox.Path("x.csv"));
    }

    [TestMethod]
    public void Rows_ThatDoNotFitAreRefusedByName()
    {
        string write(params string[] lines)
        {
            File.WriteAllLines(_sandbox.Path("bad.csv"), lines);
            return _sandbox.Path("bad.csv");
        }
        foreach (string command in (string[])["impute", "encode", "detect"])
        {
            string output = _sandbox.Path("none.csv");
            Fails(ExitCodes.Failed, "has no columns city, came", command, _model, write("height,tall", "190,True"), "-o", output);
            Fails(ExitCodes.Failed, "line 3, column 'height': a number is expected, as in the rows that the model was trained on; 'high' was found",
                command, _model, write("city,height,came,tall", "Oslo,190,2023-01-01,True", "Oslo,high,2023-01-01,True"), "-o", output);
            Fails(ExitCodes.Failed, "column 'tall': True or False is expected", command, _model, write("city,height,came,tall", "Oslo,190,2023-01-01,NA"), "-o", output);
            Fails(ExitCodes.Failed, "column 'came': a date", command, _model, write("city,height,came,tall", "Oslo,190,01.02.2023,True"), "-o", output);
            Assert.IsFalse(File.Exists(output));
        }
        foreach (string[] command in (string[][])[["sample", _model], ["interpolate", _model, "--from", "0", "--to", "1"], ["evaluate", _model, _people]])
            Fails(ExitCodes.Usage, "is the model of a table", [.. command, .. command[0] == "evaluate" ? Array.Empty<string>() : ["-o", _sandbox.Path("none.csv")]]);
    }

    [TestMethod]
    public void Rows_WithoutNamesAreTakenInTheirOrder()
    {
        string named = People(_sandbox.Path("named.csv"), 30, 9), bare = People(_sandbox.Path("bare.csv"), 30, 9, header: false);
        _sandbox.Json("encode", _model, named, "-o", _sandbox.Path("a.csv"));
        var run = _sandbox.Run("encode", _model, bare, "--header", "no", "--columns", "1,2,3,4", "-o", _sandbox.Path("b.csv"));
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        StringAssert.Contains(run.Error, "taken in their order as city, height, came, tall");
        Assert.AreEqual(File.ReadAllText(_sandbox.Path("a.csv")), File.ReadAllText(_sandbox.Path("b.csv")));
        string comma = People(_sandbox.Path("comma.csv"), 30, 9, ';');
        _sandbox.Json("encode", _model, comma, "-o", _sandbox.Path("c.csv"));
        Assert.AreEqual(File.ReadAllText(_sandbox.Path("a.csv")), File.ReadAllText(_sandbox.Path("c.csv")));
    }

    [TestMethod]
    public void Train_WhatATableCannotBe_IsRefused()
    {
        string model = _sandbox.Path("m");
        Fails(ExitCodes.Usage, "--hidden is of vectors", "train", _people, "--as", "table", "--hidden", "8", "-o", model);
        Fails(ExitCodes.Usage, "--steps is of tables", "train", _people, "--as", "vector", "--steps", "8", "-o", model);
        Fails(ExitCodes.Failed, "column 'city': a number is expected", "train", _people, "--ignore", "id", "--epochs", "8", "-o", model);
        Fails(ExitCodes.Usage, "--kinds has to be name=kind", "train", _people, "--kinds", "city=colour", "-o", model);
        Fails(ExitCodes.Usage, "--kinds: there is no column 'town'", "train", _people, "--kinds", "town=category", "-o", model);
        Fails(ExitCodes.Usage, "--kinds: Column 'city' holds text", "train", _people, "--kinds", "city=number", "-o", model);
        Fails(ExitCodes.Usage, "--ignore: there is no column 'town'", "train", _people, "--ignore", "town", "-o", model);
        Fails(ExitCodes.Usage, "--ignore leaves no column", "train", _people, "--ignore", "id,city,height,came,tall", "-o", model);
        // One slip among many numbers is none of a category's values.
        string slip = _sandbox.Path("slip.csv");
        File.WriteAllLines(slip, [.. Enumerable.Range(0, 50).Select(i => i == 20 ? "1o" : $"{i}").Select(a => $"{a},b").Prepend("size,kind")]);
        Fails(ExitCodes.Failed, "row 20, line 22, column 'size': a number is expected, as in 49 other rows; '1o' was found (1 texts in all)", "train", slip, "-o", model);
        Assert.IsFalse(Path.Exists(model));
        Assert.IsEmpty(Directory.GetFileSystemEntries(Path.GetDirectoryName(model)!, ".*"));
    }

    private void Fails(int code, string message, params string[] command)
    {
        var run = _sandbox.Run(command);
        Assert.AreEqual(code, run.Code, $"{string.Join(' ', command)}: {run.Error}{run.Output}");
        StringAssert.Contains(run.Error, message);
    }
}
