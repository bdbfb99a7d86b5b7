using System.Globalization;
using System.IO.Compression;
using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Tests.Sequences;

namespace Vae.MLNet.Tests.Tables;

[TestClass]
public sealed class TableFileTests
{
    private static readonly MLContext Ml = new();

    [TestMethod]
    public void LoadTable_FindsTypesAndGaps()
    {
        var table = Load("n,wide,text,flag,mixed,quoted\n1,123456789.125,red,True,1,\"a, \"\"b\"\"\"\n,2.5,,false,x,c\nNA,?,NULL,TRUE,?,\"two\nlines\"\n");
        string[] types = [.. table.Schema.Select(column => column.Type.ToString()!)];
        Assert.AreSequenceEqual(new[] { "Single", "Double", "String", "Boolean", "String", "String" }, types);
        Assert.AreSequenceEqual(new[] { 1, float.NaN, float.NaN }, table.GetColumn<float>("n").ToArray());
        Assert.AreSequenceEqual(new[] { 123456789.125, 2.5, double.NaN }, table.GetColumn<double>("wide").ToArray());
        Assert.AreSequenceEqual(new[] { "red", "", "" }, table.GetColumn<string>("text").ToArray());
        Assert.AreSequenceEqual(new[] { true, false, true }, table.GetColumn<bool>("flag").ToArray());
        Assert.AreSequenceEqual(new[] { "1", "x", "?" }, table.GetColumn<string>("mixed").ToArray());
        Assert.AreSequenceEqual(new[] { "a, \"b\"", "c", "two\nlines" }, table.GetColumn<string>("quoted").ToArray());
    }

    [TestMethod]
    [DataRow("a;b\r\n1;x\r\n2;y\r\n")]
    [DataRow("a\tb\n1\tx\n2\ty")]
    [DataRow("\ufeffa|b\n1|x\n\n2|y\n")]
    public void LoadTable_FindsTheSeparator(string text)
    {
        var table = Load(text);
        Assert.AreSequenceEqual(new[] { 1f, 2 }, table.GetColumn<float>("a").ToArray());
        Assert.AreSequenceEqual(new[] { "x", "y" }, table.GetColumn<string>("b").ToArray());
    }

    [TestMethod]
    [DataRow("", "empty")]
    [DataRow("a,b\n", "no rows")]
    [DataRow("a,a\n1,2\n", "'a' twice")]
    [DataRow("a,\n1,2\n", "column 1 (from 0) has no name")]
    [DataRow("a,b\n1,2\n3\n", "row 2 (line 3) has 1 fields; the header has 2")]
    public void LoadTable_NamesFileAndPlace(string text, string expected)
    {
        var e = Assert.ThrowsExactly<InvalidDataException>(() => Load(text));
        Assert.Contains(expected, e.Message);
        Assert.Contains("table.csv", e.Message);
    }

    [TestMethod]
    public void SaveTable_IsReadBackAsItWas()
    {
        using var folder = new TemporaryFolder();
        var table = Load("n,d,text,flag\n0.1,123456789.125,\"a, \"\"b\"\"\",True\n,1e300,,False\n-2.5e-7,0.1,\" x \",True\n");
        foreach (char separator in new[] { ',', ';', '\t' })
        {
            string path = folder["again.csv"];
            Ml.Vae.SaveTable(table, path, separator);
            var again = Ml.Vae.LoadTable(path);
            Assert.AreSequenceEqual(table.GetColumn<float>("n").ToArray(), again.GetColumn<float>("n").ToArray());
            Assert.AreSequenceEqual(table.GetColumn<double>("d").ToArray(), again.GetColumn<double>("d").ToArray());
            Assert.AreSequenceEqual(table.GetColumn<string>("text").ToArray(), again.GetColumn<string>("text").ToArray());
            Assert.AreSequenceEqual(table.GetColumn<bool>("flag").ToArray(), again.GetColumn<bool>("flag").ToArray());
        }
        var vectors = Ml.Data.LoadFromEnumerable([new { Features = new float[] { 1, 2 } }]);
        Assert.Contains("'Features'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Ml.Vae.SaveTable(vectors, folder["vectors.csv"])).Message);
    }

    [TestMethod]
    public void LoadTable_ReadsGzip()
    {
        using var folder = new TemporaryFolder();
        string path = folder["table.csv.gz"];
        using (var file = new GZipStream(File.Create(path), CompressionLevel.Fastest))
            file.Write("a,b\n1,x\n"u8);
        Assert.AreEqual(1f, Ml.Vae.LoadTable(path).GetColumn<float>("a").Single());
    }

    /// <summary>Cut anywhere, also in a member behind the first, a compressed table is an error and not a shorter table.</summary>
    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    public void LoadTable_RefusesGzipThatWasCutOff(int members)
    {
        using var folder = new TemporaryFolder();
        string path = folder["table.csv.gz"];
        byte[] whole = [], shortest = [];
        for (int member = 0; member < members; member++)
        {
            using var bytes = new MemoryStream();
            using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest))
            {
                gzip.Write(member == 0 ? "a,b\n"u8 : []);
                for (int row = 0; row < 3000; row++)
                {
                    string line = string.Create(CultureInfo.InvariantCulture, $"{row},{(uint)row * 2654435761u % 1000}\n");
                    gzip.Write(Encoding.ASCII.GetBytes(line));
                }
            }
            // Cuts are made in the last member: behind one of the others nothing is missing.
            shortest = whole;
            whole = [.. whole, .. bytes.ToArray()];
        }
        File.WriteAllBytes(path, whole);
        Assert.AreEqual(3000 * members, Ml.Vae.LoadTable(path).GetColumn<float>("a").Count());
        int last = shortest.Length, size = whole.Length;
        foreach (int length in new[] { last + 3, last + 9, last + 11, last + (size - last) / 2, size - 9, size - 8, size - 4, size - 1 })
        {
            File.WriteAllBytes(path, whole[..length]);
            var error = Assert.ThrowsExactly<InvalidDataException>(() => Ml.Vae.LoadTable(path), $"{length} of {size} bytes");
            Assert.Contains("table.csv.gz", error.Message);
        }
    }

    [TestMethod]
    public void LoadTable_DoesNotPartQuotedNames()
    {
        var table = Load("\"last; first; middle\",age\n\"a; b; c\",3\n");
        Assert.AreEqual("a; b; c", table.GetColumn<string>("last; first; middle").Single());
        Assert.AreEqual(3f, table.GetColumn<float>("age").Single());
    }

    private static IDataView Load(string text)
    {
        using var folder = new TemporaryFolder();
        string path = folder["table.csv"];
        File.WriteAllText(path, text, new UTF8Encoding(false));
        return Ml.Vae.LoadTable(path);
    }
}
