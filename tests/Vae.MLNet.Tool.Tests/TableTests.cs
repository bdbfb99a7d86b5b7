using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tool.Tests;

/// <summary>Tables of every kind, read as they are or refused, and never misread in silence.</summary>
[TestClass]
public sealed class TableTests
{
    private static Sandbox _sandbox = null!;
    private static string _model = null!, _data = null!, _nameless = null!;
    private static float[][] _rows = null!, _codes = null!;

    /// <summary>A model of columns a, b, c that differ, and its codes of the rows.</summary>
    [ClassInitialize]
    public static void Train(TestContext _)
    {
        _sandbox = new Sandbox();
        var random = new Random(5);
        _rows = [.. Enumerable.Range(0, 40).Select(_ => new[] { random.NextSingle(), 2 + random.NextSingle(), 5 - 3 * random.NextSingle() })];
        _data = Write("data.csv", "a,b,c", _rows, [0, 1, 2]);
        _model = Model("abc", _data);
        _nameless = Model("nameless", Write("nameless.csv", null, _rows, [0, 1, 2]), "--header", "no");
        _codes = Encode(_model, _data, out string error);
        StringAssert.Contains(error, "the first row is taken as the header: a, b, c");
        Assert.HasCount(40, _codes);
    }

    [ClassCleanup]
    public static void Delete() => _sandbox.Dispose();

    [TestMethod]
    [DataRow("c,b,a", new[] { 2, 1, 0 })]
    [DataRow("b,a,c", new[] { 1, 0, 2 })]
    [DataRow("b,x,a,y,c", new[] { 1, 1, 0, 2, 2 })]
    [DataRow("x,y,z,c,a,b", new[] { 0, 0, 0, 2, 0, 1 })]
    [DataRow("x,x,c,a,b", new[] { 0, 1, 2, 0, 1 })]
    public void Columns_AreFoundByName(string header, int[] order)
    {
        string file = Write("order.csv", header, _rows, order);
        AreEqual(_codes, Encode(_model, file, out _));
        foreach (string model in new[] { Path.Combine(_model, "model.zip"), Path.Combine(_model, "encoder.onnx"), Path.Combine(_model, "pipeline.onnx") })
            AreEqual(_codes, Encode(model, file, out _), model);
        var expected = _sandbox.Json("evaluate", _model, _data, "--samples", "3");
        var found = _sandbox.Json("evaluate", _model, file, "--samples", "3");
        Assert.AreEqual(expected.GetProperty("elbo").GetDouble(), found.GetProperty("elbo").GetDouble(), 1e-6);
    }

    [TestMethod]
    public void Columns_TextInOthersIsNoMatter()
    {
        string file = _sandbox.Path("labels.csv");
        File.WriteAllLines(file, ["name,c,b,a,when", .. _rows.Select(row => $"\"x, \"\"y\"\"\",{Number(row[2])},{Number(row[1])},{Number(row[0])},5\" of 2020-01-01")]);
        AreEqual(_codes, Encode(_model, file, out _));
    }

    [TestMethod]
    [DataRow("a,b,d", "no column c")]
    [DataRow("A,B,C", "no columns a, b, c")]
    [DataRow("x,y,z", "no columns a, b, c")]
    [DataRow("a,b,b", "more than one column b")]
    [DataRow("a,a,b", "no column c and")]
    public void Columns_MissingAndDoubledAreErrorsWithBothLists(string header, string message)
    {
        string file = Write("wrong.csv", header, _rows, [0, 1, 2]), output = _sandbox.Path("none.npy");
        foreach (string[] command in new[] { new[] { "encode", _model, file, "-o", output }, ["encode", Path.Combine(_model, "encoder.onnx"), file, "-o", output], ["evaluate", _model, file],
            ["interpolate", _model, "--from-row", $"{file}:0", "--to", "0,0", "-o", output], ["optimize", _model, "--objective", "feature:a", "--start-row", $"{file}:3", "-o", output] })
        {
            string error = Fails(ExitCodes.Failed, message, command);
            StringAssert.Contains(error, "takes a, b, c");
            StringAssert.Contains(error, header.Replace(",", ", ", StringComparison.Ordinal));
            StringAssert.Contains(error, "wrong.csv");
        }
        Assert.IsFalse(File.Exists(output));
    }

    [TestMethod]
    public void Columns_DoubledOnesOfNoUseAreNoMatterAndOthersAreRefusedInTraining()
    {
        string file = Write("doubled.csv", "a,b,b", _rows, [0, 1, 2]);
        Fails(ExitCodes.Failed, "several columns are called 'b'", "train", file, "-o", _sandbox.Path("no"));
        Fails(ExitCodes.Usage, "2 columns called 'b', at 1, 2", "train", file, "--columns", "a,b", "-o", _sandbox.Path("no"));
        Model("doubled", file, "--columns", "a,2");
    }

    [TestMethod]
    public void Columns_WithoutNamesAreMatchedByNumberAndSaidOnce()
    {
        string nameless = Write("plain.csv", null, _rows, [0, 1, 2]);
        AreEqual(_codes, Encode(_model, nameless, out string error));
        Once(error, "has no names: the 3 columns are taken in their order as a, b, c");
        var path = _sandbox.Run("interpolate", _model, "--from-row", $"{nameless}:0", "--to-row", $"{nameless}:1", "-o", _sandbox.Path("path.csv"));
        Assert.AreEqual(ExitCodes.Done, path.Code, path.Error);
        Once(path.Error, "has no names");
        Fails(ExitCodes.Failed, "takes rows of 3 numbers (a, b, c)", "encode", _model, Write("four.csv", null, _rows, [0, 1, 2, 2]), "-o", _sandbox.Path("none.csv"));

        var names = Encode(_nameless, _data, out error);
        Once(error, "knows no names");
        AreEqual(names, Encode(_nameless, nameless, out _));
        Fails(ExitCodes.Failed, "--columns", "encode", _nameless, Write("five.csv", "a,b,c,d,e", _rows, [0, 1, 2, 0, 1]), "-o", _sandbox.Path("none.csv"));
        AreEqual(names, Encode(_nameless, Write("five.csv", "d,a,b,e,c", _rows, [0, 0, 1, 0, 2]), out _, "--columns", "a,b,c"));
    }

    [TestMethod]
    public void Columns_PositionOverrulesNames()
    {
        string file = Write("others.csv", "x,y,z", _rows, [0, 1, 2]);
        AreEqual(_codes, Encode(_model, file, out string error, "--match", "position"));
        StringAssert.Contains(error, "--match position: the 3 columns");
        string reversed = Write("reversed.csv", "x,y,z", _rows, [2, 1, 0]);
        AreEqual(_codes, Encode(_model, reversed, out _, "--match", "position", "--columns", "z,y,x"));
    }

    [TestMethod]
    public void Columns_OfTheTrainingAreTakenAgain()
    {
        string file = Write("wide.csv", "x,c,\"b, mm\",a", _rows, [1, 2, 1, 0]);
        string model = Model("chosen", file, "--columns", "a,\"b, mm\",c");
        float[][] plain = Encode(model, file, out _), again = Encode(model, file, out _, "--columns", "c,a,\"b, mm\"");
        AreEqual(plain, again);
        foreach (int row in new[] { 0, 7, 39 })
        {
            var path = _sandbox.Json("interpolate", model, "--from-row", $"{file}:{row}", "--to", "0,0", "-o", _sandbox.Path("path.npz"));
            Assert.AreEqual(plain[row][0], path.GetProperty("from")[0].GetSingle(), 1e-5f);
            var descent = _sandbox.Json("optimize", model, "--objective", "feature:b, mm", "--steps", "2", "--start-row", $"{file}:{row}", "-o", _sandbox.Path("path.npz"));
            Assert.AreEqual(plain[row][1], descent.GetProperty("start")[1].GetSingle(), 1e-5f);
        }
        string error = Fails(ExitCodes.Usage, "has no row 40; it has 40 rows", "interpolate", model, "--from-row", $"{file}:40", "--to", "0,0", "-o", _sandbox.Path("none.npz"));
        StringAssert.Contains(error, "--from-row");
    }

    [TestMethod]
    public void Columns_OfASavedPipelineAreItsSlotNames()
    {
        var context = new MLContext(1);
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[0].ColumnName = "Measured";
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 3);
        definition[0].AddAnnotation("SlotNames", new VBuffer<ReadOnlyMemory<char>>(3, ["a".AsMemory(), "b".AsMemory(), "c".AsMemory()]), new VectorDataViewType(TextDataViewType.Instance, 3));
        var view = context.Data.LoadFromEnumerable(_rows.Select(row => new Row { Values = row }), definition);
        var fitted = context.Vae.VariationalAutoencoder("Code", "Measured", new() { LatentDimension = 2, HiddenLayers = [8], Epochs = 2 }).Fit(view);
        string zip = _sandbox.Path("own.zip");
        context.Model.Save(fitted, view.Schema, zip);
        float[][] expected = [.. fitted.Transform(view).GetColumn<float[]>("Code")];
        string file = Write("own.csv", "c,a,b", _rows, [2, 0, 1]);
        AreEqual(expected, Encode(zip, file, out _));
        Fails(ExitCodes.Failed, "takes a, b, c", "encode", zip, Write("own.csv", "c,a,x", _rows, [2, 0, 1]), "-o", _sandbox.Path("none.csv"));
        string samples = _sandbox.Path("own-samples.csv");
        _sandbox.Json("sample", zip, "--count", "3", "-o", samples);
        Assert.AreEqual("z0,z1,a,b,c", File.ReadLines(samples).First());
    }

    [TestMethod]
    public void Missing_ArePassedToAPipelineThatFillsThemIn()
    {
        var context = new MLContext(1);
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 3);
        var view = context.Data.LoadFromEnumerable(_rows.Select(row => new Row { Values = row }), definition);
        var fitted = context.Transforms.ReplaceMissingValues("Values").Append(context.Vae.VariationalAutoencoder("Latent", "Values", new() { HiddenLayers = [8], Epochs = 2, LatentDimension = 2 })).Fit(view);
        string zip = _sandbox.Path("fills.zip"), file = _sandbox.Path("holes.csv");
        context.Model.Save(fitted, view.Schema, zip);
        File.WriteAllText(file, "a,b,c\n1,NA,3\n?,2,\n1,2,3\n");
        string filled = _sandbox.Path("filled.csv");
        File.WriteAllText(filled, "a,b,c\n1,0,3\n0,2,0\n1,2,3\n");
        AreEqual(Encode(zip, filled, out _), Encode(zip, file, out _));
        Fails(ExitCodes.Failed, "row 0, line 2, column 'b': a number is expected, the value is missing", "encode", _model, file, "-o", _sandbox.Path("none.csv"));
    }

    [TestMethod]
    [DataRow("1,NA,3", "missing values")]
    [DataRow("1,,3", "missing values")]
    [DataRow("?,2,3", "missing values")]
    [DataRow("null,2,NaN", "missing values")]
    [DataRow("NA,NA,NA", "missing values")]
    [DataRow(",,", "missing values")]
    [DataRow("5.1,3.5,setosa", "mixes numbers with text")]
    [DataRow("\"1,234\",2,3", "mixes numbers with text")]
    [DataRow("\"1,234\",\"2,345\",\"3,456\"", "mixes numbers with text")]
    [DataRow("2020-01-01,x,y", "mixes numbers with text")]
    [DataRow("0,1,2", "counts from 0")]
    [DataRow("\"0\",\"1\",\"2\"", "counts from 0")]
    [DataRow(",0,1", "missing values")]
    public void Header_UndecidableIsRefusedWithTheOption(string first, string why)
    {
        string file = _sandbox.Path("first.csv");
        File.WriteAllText(file, first + "\n1,2,3\n4,5,6\n");
        foreach (string[] command in new[] { new[] { "train", file, "-o", _sandbox.Path("none") }, ["encode", _nameless, file, "-o", _sandbox.Path("none.csv")], ["evaluate", _nameless, file],
            ["interpolate", _nameless, "--from-row", $"{file}:0", "--to", "0,0", "-o", _sandbox.Path("none.csv")], ["optimize", _nameless, "--objective", "feature:0", "--start-row", $"{file}:0", "-o", _sandbox.Path("none.csv")] })
        {
            string error = Fails(ExitCodes.Usage, "--header yes or --header no", command);
            StringAssert.Contains(error, why);
            StringAssert.Contains(error, "first.csv");
        }
    }

    [TestMethod]
    [DataRow("auto", "a,b,c", 2, "a b c")]
    [DataRow("auto", "Na,K,Cl", 2, "Na K Cl")]
    [DataRow("auto", "1.5,2,3", 3, null)]
    [DataRow("auto", "1,2,3", 3, null)]
    [DataRow("auto", "0.0,1.0,2.0", 3, null)]
    [DataRow("yes", "0,1,2", 2, "0 1 2")]
    [DataRow("no", "0,1,2", 3, null)]
    [DataRow("yes", "1,NA,3", 2, "1 NA 3")]
    [DataRow("no", "1,NA,3", 3, null)]
    [DataRow("yes", "7,8,9", 2, "7 8 9")]
    public void Header_IsTakenAndTold(string mode, string first, int rows, string? names)
    {
        string file = _sandbox.Path("told.csv");
        File.WriteAllText(file, first + "\n1,2,3\n4,5,6\n");
        var table = Read(file, out string notes, mode);
        Assert.HasCount(rows, table.Rows);
        Assert.AreEqual(names, table.Header is null ? null : string.Join(' ', table.Header));
        if (mode == "auto")
            StringAssert.Contains(notes, names is null ? "has no header" : "is taken as the header");
        CollectionAssert.AreEqual(new float[] { 4, 5, 6 }, table.Rows[^1]);
    }

    [TestMethod]
    public void Header_OfAnArrayIsKnownAgain()
    {
        string file = Write("pandas.csv", "0,1,2", _rows, [0, 1, 2]);
        string model = Model("pandas", file, "--header", "yes");
        AreEqual(Encode(model, file, out string error, "--header", "yes"), Encode(model, file, out _));
        Assert.HasCount(40, Encode(model, file, out _));
        Once(error, "taken", least: 0);
        string samples = _sandbox.Path("pandas-samples.csv");
        _sandbox.Json("sample", model, "--count", "5", "-o", samples);
        Assert.HasCount(5, Encode(model, samples, out _));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("Unnamed: 0")]
    public void Header_IndexOfPandasIsNamedInAWarning(string name)
    {
        string file = _sandbox.Path("index.csv");
        File.WriteAllLines(file, [$"{name},a,b,c", .. _rows.Select((row, i) => $"{i},{string.Join(',', row.Select(Number))}")]);
        AreEqual(_codes, Encode(_model, file, out string error));
        Once(error, "warning: ");
        StringAssert.Contains(error, "It is not used");
        var run = _sandbox.Run("train", file, "--epochs", "1", "-o", _sandbox.Path("index"));
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        StringAssert.Contains(run.Error, "as the index that pandas writes. It is used");
        Assert.HasCount(40, Encode(_sandbox.Path("index"), file, out _));
    }

    [TestMethod]
    [DataRow("a,b,c", ",", null, "x.csv")]
    [DataRow("a;b;c", ";", null, "x.csv")]
    [DataRow("a\tb\tc", "\t", null, "x.csv")]
    [DataRow("a\tb\tc", "\t", null, "x.tsv")]
    [DataRow("a,b,c", ",", null, "x.tsv")]
    [DataRow("a,b,c", ",", null, "x.txt")]
    [DataRow("a|b|c", "|", null, "x.csv")]
    [DataRow("a b c", " ", null, "x.txt")]
    [DataRow("a b c", " ", null, "x.dat")]
    [DataRow("  a    b \t c ", "   ", null, "x.csv")]
    [DataRow("a:b:c", ":", ":", "x.csv")]
    [DataRow("a b c", "  ", "blanks", "x.csv")]
    [DataRow("a;b;c", ";", "semicolon", "x.csv")]
    [DataRow("a\tb\tc", "\t", "tab", "x")]
    [DataRow("\"a\",\"b\",\"c\"", ",", null, "x.csv")]
    public void Separators_AreFoundOrGiven(string header, string separator, string? option, string name)
    {
        foreach (string end in new[] { "\n", "\r\n", "\r" })
        {
            string file = _sandbox.Path(name);
            File.WriteAllText(file, header + end + string.Concat(_rows.Select(row => string.Join(separator, row.Select(Number)) + end)));
            AreEqual(_codes, Encode(_model, file, out _, option is null ? [] : ["--separator", option]));
        }
    }

    [TestMethod]
    [DataRow(";", "x.csv")]
    [DataRow("\t", "x.tsv")]
    [DataRow(" ", "x.txt")]
    public void Decimals_MayHaveACommaAndItIsTold(string separator, string name)
    {
        foreach (bool header in new[] { true, false })
        {
            string file = _sandbox.Path(name);
            File.WriteAllLines(file, [.. header ? [string.Join(separator, "c", "b", "a")] : Array.Empty<string>(),
                .. _rows.Select(row => string.Join(separator, (header ? row.Reverse() : row).Select(value => Number(value).Replace('.', ','))))]);
            AreEqual(_codes, Encode(_model, file, out string error));
            Once(error, "the comma is read as the decimal sign");
        }
    }

    [TestMethod]
    public void Decimals_OfBothKindsAreRefused()
    {
        string file = _sandbox.Path("mixed.csv");
        File.WriteAllText(file, "a;b;c\n1,5;2;3\n4;5.5;6\n");
        string error = Fails(ExitCodes.Failed, "one decimal sign is expected", "encode", _model, file, "-o", _sandbox.Path("none.csv"));
        StringAssert.Contains(error, "line 2 has '1,5', line 3 has '5.5'");
        File.WriteAllText(file, "a;b;c\n1.234,5;2;3\n");
        Fails(ExitCodes.Failed, "row 0, line 2, column 'a': a number is expected, '1.234,5' was found", "encode", _model, file, "-o", _sandbox.Path("none.csv"));
    }

    [TestMethod]
    public void SeparatorLine_OfASpreadsheetIsFollowed()
    {
        foreach (string first in new[] { "sep=;", "SEP=;\r", "sep=\t", "sep=," })
        {
            char separator = first.Trim('\r')[^1];
            string file = _sandbox.Path("sep.csv");
            File.WriteAllText(file, $"{first}\n{string.Join('\n', File.ReadLines(_data)).Replace(',', separator)}\n");
            AreEqual(_codes, Encode(_model, file, out _));
        }
        string wrong = _sandbox.Path("wrong.csv");
        File.WriteAllText(wrong, "sep=;\na;b;c\n1;2;3\n1;x;3\n");
        Fails(ExitCodes.Failed, "row 1, line 4, column 'b'", "encode", _model, wrong, "-o", _sandbox.Path("none.csv"));
    }

    [TestMethod]
    public void Rows_ThatStartWithASignAreNotLostInSilence()
    {
        string file = _sandbox.Path("colours.csv");
        File.WriteAllText(file, "# made by hand\ncolour,a\n#ff0000,1\nred,2\n\"#00ff00\",3\n#end\n");
        var notes = new List<string>();
        var table = TableText.Read(
            file, new(HeaderMode.Auto, null), null, (_, count) => [.. Enumerable.Range(0, count)], notes.Add, default, asText: true);
        CollectionAssert.AreEqual(new[] { "red", "#00ff00" }, table.Texts.Select(row => row[0]).ToArray());
        StringAssert.Contains(string.Join('\n', notes), "are left out as comments: 2, the first at line 3.");
    }

    [TestMethod]
    public void NamesOfRows_WithoutANameOfTheirOwn()
    {
        string file = _sandbox.Path("r.csv");
        File.WriteAllText(file, "\"a\",\"b\",\"c\"\n\"1\",1,2,3\n\"2\",3,4,5\n");
        Fails(ExitCodes.Failed, "row.names = FALSE", "encode", _model, file, "-o", _sandbox.Path("none.csv"));
    }

    [TestMethod]
    public void Files_CompressedMarkedAndInOtherEncodings()
    {
        string text = File.ReadAllText(_data), file = _sandbox.Path("data.csv.gz");
        foreach (byte[] bytes in new[] { Encoding.UTF8.GetBytes(text), [.. Encoding.UTF8.GetPreamble(), .. Encoding.UTF8.GetBytes(text)] })
        {
            using (var gzip = new GZipStream(File.Create(file), CompressionLevel.Fastest))
                gzip.Write(bytes);
            AreEqual(_codes, Encode(_model, file, out _));
        }
        string cut = _sandbox.Path("cut.csv.gz");
        File.WriteAllBytes(cut, File.ReadAllBytes(file)[..^30]);
        Fails(ExitCodes.Failed, "cut.csv.gz", "encode", _model, cut, "-o", _sandbox.Path("none.csv"));
        // All rows are there, only the end of the file is not.
        File.WriteAllBytes(cut, File.ReadAllBytes(file)[..^8]);
        Fails(ExitCodes.Failed, "the gzip file is cut off", "encode", _model, cut, "-o", _sandbox.Path("none.csv"));
        string marked = _sandbox.Path("marked.csv");
        foreach (var encoding in new[] { Encoding.UTF8, Encoding.Unicode, Encoding.BigEndianUnicode })
        {
            File.WriteAllText(marked, text, encoding);
            AreEqual(_codes, Encode(_model, marked, out _));
        }
        File.WriteAllBytes(marked, Encoding.Latin1.GetBytes("größe,b,a,c\n1,2,3,4\n"));
        var table = Read(marked, out string notes);
        CollectionAssert.AreEqual(new[] { "größe", "b", "a", "c" }, table.Header!.ToArray());
        StringAssert.Contains(notes, "Latin-1");
        File.WriteAllBytes(marked, [1, 2, 0, 3]);
        Fails(ExitCodes.Failed, "a NUL was found", "encode", _model, marked, "-o", _sandbox.Path("none.csv"));
    }

    [TestMethod]
    [DataRow("x,2\n3,4\n", "no", "row 0, line 1")]
    [DataRow("NA,2\n3,4\n", "no", "row 0, line 1")]
    [DataRow("# c\nx,2\n3,4\n", "no", "row 0, line 2")]
    [DataRow("\n\nx,2\n3,4\n", "no", "row 0, line 3")]
    [DataRow("\"x\ny\",2\n3,4\n", "no", "row 0, line 1")]
    [DataRow("\"x\ny\",2\n3,z\n", "yes", "row 0, line 3")]
    [DataRow("a,b\n\"1\",2\n3,z\n", "auto", "row 1, line 3")]
    public void Errors_GiveTheLineWhereTheRowStarts(string text, string header, string place)
    {
        string file = _sandbox.Path("lines.csv");
        File.WriteAllText(file, text);
        Fails(ExitCodes.Failed, place, "train", file, "--as", "vector", "--header", header, "-o", _sandbox.Path("none"));
    }

    [TestMethod]
    public void Quotes_HoldSeparatorsQuotesAndLineBreaks()
    {
        string file = _sandbox.Path("quotes.csv");
        File.WriteAllText(file, "\"a\n(mm)\",\"b \"\"x\"\"\",\"c,d\",5\" e\n1,\"2\",3,\"line\r\nbreak\"\n4,5,\"6\",7\" 8\n7,8,oops,9\" 8\n");
        var header = Array.Empty<string>();
        var error = Assert.ThrowsExactly<NotNumbersException>(() => TableText.Read(file, new(HeaderMode.Yes, null), null, (names, _) =>
        {
            header = [.. names!];
            return [0, 1, 2];
        }, _ => { }, default));
        CollectionAssert.AreEqual(new[] { "a\n(mm)", "b \"x\"", "c,d", "5\" e" }, header);
        StringAssert.Contains(error.Message, "row 2, line 6, column 'c,d': a number is expected, 'oops' was found");
        File.WriteAllText(file, "a,b,c\n1,2,3\n4,\"5,6\n7,8,9\n");
        Fails(ExitCodes.Failed, "line 3: the quotes do not close", "encode", _model, file, "-o", _sandbox.Path("none.csv"));
        File.WriteAllText(file, "a,b,c\n1,2,3\n4,\"5\"6,7\n");
        Fails(ExitCodes.Failed, "line 3: '6' stands behind the closing quote", "encode", _model, file, "-o", _sandbox.Path("none.csv"));
    }

    [TestMethod]
    public void Comments_AreSkippedAndLinesKeepTheirNumbers()
    {
        string file = _sandbox.Path("savetxt.txt");
        File.WriteAllLines(file, ["# made by \"somebody, 2\"", "# a b c", .. _rows.Select(row => string.Join(' ', row.Select(value => value.ToString("0.000000000000000000e+00", CultureInfo.InvariantCulture))))]);
        AreEqual(_codes, Encode(_model, file, out string error));
        StringAssert.Contains(error, "--header yes takes the names from the comment before it: a, b, c");
        AreEqual(_codes, Encode(_model, file, out error, "--header", "yes"));
        StringAssert.Contains(error, "the comment before the first row is taken as the header");
        File.WriteAllText(file, "a,b,c\n#1,2,3\n\n1,2,3\n # x\n4,5,x\n");
        Fails(ExitCodes.Failed, "row 1, line 6, column 'c'", "encode", _model, file, "-o", _sandbox.Path("none.csv"));
        File.WriteAllText(file, "a,b,c\n#N/A,2,3\n4,5,6\n");
        Assert.IsTrue(float.IsNaN(Read(file, out _).Rows[0][0]));
        File.WriteAllText(file, "#,b,c\n1,2,3\n4,5,6\n");
        Assert.AreEqual("#", Read(file, out _).Header![0]);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("NA")]
    [DataRow("na")]
    [DataRow("NaN")]
    [DataRow("nan")]
    [DataRow("-nan")]
    [DataRow("?")]
    [DataRow("null")]
    [DataRow("NULL")]
    [DataRow("N/A")]
    [DataRow("\"\"")]
    [DataRow("\"NA\"")]
    [DataRow("  ")]
    public void Missing_IsAMissingValueAndNoLostRow(string marker)
    {
        string file = _sandbox.Path("missing.csv");
        File.WriteAllText(file, $"a,b,c\n1,2,3\n4,{marker},6\n7,8,9\n");
        var table = Read(file, out _);
        Assert.HasCount(3, table.Rows);
        Assert.IsTrue(float.IsNaN(table.Rows[1][1]));
        foreach (string[] command in new[] { new[] { "train", file, "--as", "vector", "-o", _sandbox.Path("none") }, ["encode", _model, file, "-o", _sandbox.Path("none.csv")], ["evaluate", _model, file],
            ["encode", Path.Combine(_model, "encoder.onnx"), file, "-o", _sandbox.Path("none.csv")], ["interpolate", _model, "--from-row", $"{file}:1", "--to", "0,0", "-o", _sandbox.Path("none.csv")] })
            StringAssert.Contains(Fails(ExitCodes.Failed, "missing.csv', row 1, line 3, column 'b': a number is expected, the value is missing", command), "--columns");
        // The other rows and columns are of use.
        _sandbox.Json("interpolate", _model, "--from-row", $"{file}:0", "--to-row", $"{file}:2", "-o", _sandbox.Path("path.csv"));
        Model("others", file, "--columns", "a,c");
    }

    [TestMethod]
    public void Numbers_OfOneColumnInfiniteAndTooLarge()
    {
        string file = _sandbox.Path("one.csv");
        File.WriteAllText(file, "a\n1\n\n\"\"\n4\n\n\n");
        CollectionAssert.AreEqual(new[] { 1, float.NaN, float.NaN, 4 }, Read(file, out _).Rows.Select(row => row[0]).ToArray());
        File.WriteAllText(file, "a,b\n1,2\n-inf,Infinity\n");
        CollectionAssert.AreEqual(new[] { float.NegativeInfinity, float.PositiveInfinity }, Read(file, out _).Rows[1]);
        Fails(ExitCodes.Failed, "row 1, line 3, column 'a': a finite number is expected, -Infinity was found", "train", file, "-o", _sandbox.Path("none"));
        File.WriteAllText(file, "a,b\n1,2\n3,1e39\n");
        Fails(ExitCodes.Failed, "row 1, line 3, column 'b': numbers up to", "train", file, "-o", _sandbox.Path("none"));
        File.WriteAllText(file, "a,b\n");
        Fails(ExitCodes.Failed, "has a header and no rows", "train", file, "-o", _sandbox.Path("none"));
        File.WriteAllText(file, "# only\n\n");
        Fails(ExitCodes.Failed, "is empty", "train", file, "-o", _sandbox.Path("none"));
    }

    [TestMethod]
    public void Arrays_AreMatchedByShape()
    {
        string file = _sandbox.Path("rows.npy"), wrong = _sandbox.Path("wrong.npy"), deep = _sandbox.Path("deep.npz");
        NumPyFile.Write(file, [new("x", [40, 3], [.. _rows.SelectMany(row => row)])]);
        AreEqual(_codes, Encode(_model, file, out string error));
        Once(error, "has no names: its 3 numbers are taken as a, b, c");
        NumPyFile.Write(wrong, [new("x", [60, 2], [.. _rows.SelectMany(row => row)])]);
        Fails(ExitCodes.Failed, "takes rows of 3 numbers (a, b, c)", "encode", _model, wrong, "-o", _sandbox.Path("none.csv"));
        string chains = _sandbox.Conformations("chains.npz", 50, 2), model = _sandbox.Model("chains", chains);
        float[][] codes = Encode(model, chains, out error);
        Assert.IsFalse(error.Contains("names", StringComparison.Ordinal), error);
        float[] values = NumPyFile.Read(chains)[0].Values;
        NumPyFile.Write(deep, [new("flat", [50, 12], values), new("turned", [50, 2, 6], values)]);
        AreEqual(codes, Encode(model, deep, out _, "--array", "flat"));
        Fails(ExitCodes.Failed, "takes rows of 6 x 2 numbers", "encode", model, deep, "--array", "turned", "-o", _sandbox.Path("none.csv"));
        Fails(ExitCodes.Usage, "--array", "encode", model, deep, "-o", _sandbox.Path("none.csv"));
        var path = _sandbox.Json("interpolate", model, "--from-row", $"{deep}:0", "--to-row", $"{deep}:49", "--array", "flat", "-o", _sandbox.Path("film.npz"));
        Assert.AreEqual(codes[0][0], path.GetProperty("from")[0].GetSingle(), 1e-5f);
        Assert.AreEqual(codes[49][1], path.GetProperty("to")[1].GetSingle(), 1e-5f);
        var descent = _sandbox.Json("optimize", model, "--start-row", $"{chains}:0", "--steps", "2", "-o", _sandbox.Path("film.npz"));
        Assert.AreEqual(codes[0][0], descent.GetProperty("start")[0].GetSingle(), 1e-5f);
    }

    [TestMethod]
    public void Written_ArraysHaveTheShapeOfTheModelsRows()
    {
        string chains = _sandbox.Conformations("shaped.npz", 30, 2), model = _sandbox.Model("shaped", chains), file = _sandbox.Path("shaped-out.npz");
        foreach (string source in new[] { model, Path.Combine(model, "model.zip") })
        {
            _sandbox.Json("encode", source, chains, "--outputs", "Latent,Sigma,Reconstruction,Features,Score", "-o", file);
            var arrays = NumPyFile.Read(file).ToDictionary(array => array.Name, array => array.Shape);
            CollectionAssert.AreEqual(new[] { 30, 2 }, arrays["Latent"]);
            CollectionAssert.AreEqual(new[] { 30, 2 }, arrays["Sigma"]);
            CollectionAssert.AreEqual(new[] { 30, 6, 2 }, arrays["Reconstruction"]);
            CollectionAssert.AreEqual(new[] { 30, 6, 2 }, arrays["Features"]);
            string single = _sandbox.Path("shaped-out.npy");
            _sandbox.Json("encode", source, chains, "--outputs", "Reconstruction", "-o", single);
            CollectionAssert.AreEqual(new[] { 30, 6, 2 }, NumPyFile.Read(single)[0].Shape);
            _sandbox.Json("encode", source, chains, "-o", single);
            CollectionAssert.AreEqual(new[] { 30, 2 }, NumPyFile.Read(single)[0].Shape);
            _sandbox.Json("encode", source, file, "--array", "Reconstruction", "-o", single);
        }
    }

    [TestMethod]
    [DataRow(".csv")]
    [DataRow(".tsv")]
    public void Written_TablesAreReadBack(string ending)
    {
        string[] names = ["two\nlines", "with, comma", "say \"so\"", " edge ", "#sharp", "semi;colon", "tab\tbed"];
        string data = _sandbox.Path("odd.csv"), file = _sandbox.Path("written" + ending);
        var random = new Random(1);
        File.WriteAllText(data, string.Join(',', names.Select(name => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"")) + "\n"
            + string.Concat(Enumerable.Range(0, 30).Select(_ => string.Join(',', names.Select(_ => Number(random.NextSingle()))) + "\n")));
        string model = Model("odd" + ending[1..], data);
        using (var record = JsonDocument.Parse(File.ReadAllText(Path.Combine(model, "training.json"))))
            CollectionAssert.AreEqual(names, record.RootElement.GetProperty("names").EnumerateArray().Select(name => name.GetString()).ToArray());
        _sandbox.Json("sample", model, "--count", "9", "-o", file);
        CollectionAssert.AreEqual((string[])["z0", "z1", .. names], Read(file, out _).Header!.ToArray());
        Assert.HasCount(9, Encode(model, file, out _));
        _sandbox.Json("encode", model, data, "--outputs", "Reconstruction", "-o", file);
        CollectionAssert.AreEqual(names, Read(file, out _).Header!.ToArray());
        Assert.HasCount(30, Encode(model, file, out _));
        _sandbox.Json("encode", model, data, "--outputs", "Latent,Score", "-o", file);
        CollectionAssert.AreEqual(new[] { "z0", "z1", "Score" }, Read(file, out _).Header!.ToArray());
    }

    [TestMethod]
    public void Written_LatentColumnsHaveOneName()
    {
        string[] files = [.. new[] { "encode.csv", "graph.csv", "sample.csv", "film.csv", "path.csv" }.Select(_sandbox.Path)];
        _sandbox.Json("encode", _model, _data, "-o", files[0]);
        _sandbox.Json("encode", Path.Combine(_model, "encoder.onnx"), _data, "-o", files[1]);
        _sandbox.Json("sample", _model, "--count", "2", "-o", files[2]);
        _sandbox.Json("interpolate", _model, "--from", "0,0", "--to", "1,1", "-o", files[3]);
        _sandbox.Json("optimize", _model, "--objective", "feature:b", "--start", "0,0", "--steps", "3", "-o", files[4]);
        CollectionAssert.AreEqual(new[] { "z0,z1", "z0,z1", "z0,z1,a,b,c", "z0,z1,a,b,c", "z0,z1,a,b,c" }, files.Select(file => File.ReadLines(file).First()).ToArray());
        // Numbers are read back to the last digit.
        var table = Read(files[0], out _);
        AreEqual(_codes, [.. table.Rows], "encode.csv");
        // Names of a model of conformations, which has none of its own, are known again.
        string chains = _sandbox.Conformations("named.npz", 30, 2), model = _sandbox.Model("named", chains), rows = _sandbox.Path("named.csv");
        _sandbox.Json("encode", model, chains, "--outputs", "Latent,Features", "-o", rows);
        string again = _sandbox.Path("again.csv");
        _sandbox.Json("encode", model, rows, "--outputs", "Latent,Features", "-o", again);
        CollectionAssert.AreEqual(Read(rows, out _).Header!.ToArray(), Read(again, out _).Header!.ToArray());
        // Aligned shapes stay as they are. These arcs are their own mirror images, so that their latents are not compared.
        AreEqual([.. Read(rows, out _).Rows.Select(row => row[2..])], [.. Read(again, out _).Rows.Select(row => row[2..])]);
    }

    [TestMethod]
    public void Training_ObjectiveAndValidationFollowTheData()
    {
        string table = _sandbox.Table("follow.csv", 120, 1), chains = _sandbox.Conformations("follow.npz", 120, 1);
        Check("elbo", 12, 500, table);
        Check("course", 12, 500, chains);
        Check("course", 12, 500, chains, "--align", "2d");
        Check("course", 24, 500, table, "--objective", "course", "--validation", "0.2");
        Check("elbo", 12, null, table, "--patience", "0");
        Check("elbo", 0, null, table, "--validation", "0");
        Check("elbo", 0, null, _sandbox.Table("small.csv", 99, 1));

        void Check(string objective, int held, int? patience, string data, params string[] options)
        {
            var run = _sandbox.Run(["train", data, "--epochs", "1", "--hidden", "4", "-o", _sandbox.Path("follow"), "--json", .. options]);
            Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
            using var record = JsonDocument.Parse(File.ReadAllText(_sandbox.Path("follow/training.json")));
            var settings = record.RootElement.GetProperty("options");
            Assert.AreEqual(objective, settings.GetProperty("objective").GetString());
            Assert.AreEqual(held, record.RootElement.GetProperty("validationRows").GetInt32());
            Assert.AreEqual(patience, settings.TryGetProperty("patience", out var found) ? found.GetInt32() : null);
            Assert.AreEqual(options.Contains("--objective"), !run.Error.Contains($"note: --objective {objective}", StringComparison.Ordinal), run.Error);
        }
    }

    [TestMethod]
    public void Training_WarningsOfTheLibraryAreShown()
    {
        var run = _sandbox.Run("train", _data, "--beta", "1000", "--objective", "course", "--epochs", "30", "--hidden", "4", "-o", _sandbox.Path("collapsed"), "--json");
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        Once(run.Error, "warning: The posterior collapsed");
        Assert.AreEqual(JsonValueKind.Object, JsonSerializer.Deserialize<JsonElement>(run.Output).ValueKind);
    }

    private static string Model(string name, string data, params string[] more)
    {
        var run = _sandbox.Run(["train", data, "--latent", "2", "--hidden", "8", "--epochs", "3", "-o", _sandbox.Path(name), .. more]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        return _sandbox.Path(name);
    }

    private static string Write(string name, string? header, float[][] rows, int[] order)
    {
        string path = _sandbox.Path(name);
        File.WriteAllLines(path, [.. header is null ? Array.Empty<string>() : [header], .. rows.Select(row => string.Join(',', order.Select(place => Number(row[place]))))]);
        return path;
    }

    private static string Number(float value) => value.ToString(CultureInfo.InvariantCulture);

    private static float[][] Encode(string model, string data, out string error, params string[] more)
    {
        string output = _sandbox.Path("codes.npy");
        var run = _sandbox.Run(["encode", model, data, "-o", output, .. more]);
        Assert.AreEqual(ExitCodes.Done, run.Code, run.Error);
        error = run.Error;
        return Sandbox.Read(output);
    }

    private static TableText Read(string path, out string notes, string mode = "auto")
    {
        var told = new List<string>();
        var table = TableText.Read(path, new(Enum.Parse<HeaderMode>(mode, ignoreCase: true), null), null, (_, count) => [.. Enumerable.Range(0, count)], told.Add, default);
        notes = string.Join('\n', told);
        return table;
    }

    private static string Fails(int code, string message, params string[] arguments)
    {
        var run = _sandbox.Run(arguments);
        Assert.AreEqual(code, run.Code, run.Error);
        string error = run.Error.Trim().Split('\n')[^1];
        StringAssert.Contains(error, message);
        return error;
    }

    private static void Once(string error, string message, int least = 1)
    {
        int count = error.Split('\n').Count(line => line.Contains(message, StringComparison.Ordinal));
        Assert.IsTrue(count >= least && count <= 1, $"'{message}' {count} times in: {error}");
    }

    private static void AreEqual(float[][] expected, float[][] found, string? what = null)
    {
        Assert.HasCount(expected.Length, found, what);
        for (int i = 0; i < expected.Length; i++)
        {
            for (int d = 0; d < expected[i].Length; d++)
                Assert.AreEqual(expected[i][d], found[i][d], 1e-5f, $"{what} row {i}");
        }
    }

    private sealed class Row
    {
        public float[] Values { get; set; } = [];
    }
}
