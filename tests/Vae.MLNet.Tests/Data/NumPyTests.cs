using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using CsCheck;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tests.Data;

[TestClass]
public sealed class NumPyTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly string _folder = Directory.CreateTempSubdirectory("vae-numpy-").FullName;

    [TestCleanup]
    public void Cleanup() => Directory.Delete(_folder, recursive: true);

    // What numpy.save(file, numpy.array([1, -2, 3], dtype='<i8')) writes, byte for byte.
    private static readonly byte[] SavedByNumPy =
    [
        .. Convert.FromHexString("934E554D505901007600"),
        .. Encoding.ASCII.GetBytes("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }" + new string(' ', 60) + "\n"),
        .. Convert.FromHexString("0100000000000000" + "FEFFFFFFFFFFFFFF" + "0300000000000000"),
    ];

    [TestMethod]
    public void Load_FileWrittenByNumPy()
    {
        Assert.HasCount(128 + 24, SavedByNumPy);
        var view = _ml.Vae.LoadNumPy(Save("a.npy", SavedByNumPy), "Value");
        Assert.AreEqual(NumberDataViewType.Single, view.Schema["Value"].Type);
        CollectionAssert.AreEqual(new float[] { 1, -2, 3 }, view.GetColumn<float>("Value").ToArray());
    }

    [TestMethod]
    public void Save_SameBytesAsNumPy()
    {
        var rows = _ml.Data.LoadFromEnumerable(new LongRow[] { new() { Value = 1 }, new() { Value = -2 }, new() { Value = 3 } });
        string path = At("a.npy");
        _ml.Vae.SaveNumPy(rows, path, "Value");
        CollectionAssert.AreEqual(SavedByNumPy, File.ReadAllBytes(path));
    }

    public static IEnumerable<object[]> Dtypes =>
    [
        ["f2", 2, "-1.5 0 0.25 2048"], ["f4", 4, "-1.5 0 3.25E+38 1E-40"], ["f8", 8, "-1.5 0 3.25E+38 NaN"],
        ["i1", 1, "-128 0 1 127"], ["i2", 2, "-32768 0 258 32767"], ["i4", 4, "-2147483648 0 66051 16777216"], ["i8", 8, "-9.223372E+18 0 66051 1.0995116E+12"],
        ["u1", 1, "0 1 2 255"], ["u2", 2, "0 1 258 65535"], ["u4", 4, "0 1 66051 2147483648"], ["u8", 8, "0 1 66051 9.223372E+18"], ["b1", 1, "0 1 1 0"],
    ];

    [TestMethod]
    [DynamicData(nameof(Dtypes))]
    public void Load_EveryDtype(string dtype, int size, string numbers)
    {
        float[] values = [.. numbers.Split(' ').Select(text => float.Parse(text, CultureInfo.InvariantCulture))];
        foreach (char order in size == 1 ? "|<>" : "<>=")
        {
            byte[] data = [.. values.SelectMany(value => Encode(value, dtype, bigEndian: order == '>'))];
            Assert.HasCount(values.Length * size, data);
            var array = NumPyFile.Read(new MemoryStream(Npy(order + dtype, "(4,)", data)), "a.npy").Single();
            CollectionAssert.AreEqual(values, array.Values, $"{order}{dtype}");
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    public void Load_EveryVersion(int version)
    {
        var array = NumPyFile.Read(new MemoryStream(Npy("<f4", "(2, 2)", Floats(1, 2, 3, 4), version: version)), "folder/name.npy").Single();
        Assert.AreEqual("name", array.Name);
        CollectionAssert.AreEqual(new[] { 2, 2 }, array.Shape);
        CollectionAssert.AreEqual(new float[] { 1, 2, 3, 4 }, array.Values);
    }

    [TestMethod]
    public void Load_FortranOrder_AgreesWithDefinition() =>
        Gen.Select(Gen.Int[1, 7].Array[1, 5], Gen.Bool).Sample((shape, large) =>
        {
            // More rows than one block of the transposition.
            if (large)
                shape[0] += 100;
            int count = shape.Aggregate((a, b) => a * b);
            var expected = Enumerable.Range(0, count).Select(i => (float)i).ToArray();
            var file = new float[count];
            for (int at = 0; at < count; at++)
            {
                // The index of C-order place at, and its place in Fortran order.
                int rest = at, place = 0;
                var index = new int[shape.Length];
                for (int d = shape.Length - 1; d >= 0; d--)
                    (rest, index[d]) = (rest / shape[d], rest % shape[d]);
                for (int d = shape.Length - 1; d >= 0; d--)
                    place = place * shape[d] + index[d];
                file[place] = expected[at];
            }
            var array = NumPyFile.Read(new MemoryStream(Npy("<f4", ShapeText(shape), Floats(file), fortran: true)), "a.npy").Single();
            CollectionAssert.AreEqual(shape, array.Shape);
            CollectionAssert.AreEqual(expected, array.Values);
        }, iter: 200);

    [TestMethod]
    [DataRow(700_000, 3, 1)]
    [DataRow(9_001, 7, 19)]
    [DataRow(3, 400_001, 1)]
    [DataRow(1, 3, 300_007)]
    [DataRow(524_288, 2, 2)]
    [DataRow(262_143, 5, 1)]
    public void Load_FortranOrder_InPieces(int rows, int beads, int dimensions)
    {
        int count = rows * beads * dimensions;
        var file = new float[count];
        for (int i = 0; i < count; i++)
            file[i] = i;
        float[] values = NumPyFile.Read(new MemoryStream(Npy("<f4", ShapeText([rows, beads, dimensions]), Floats(file), fortran: true)), "a.npy").Single().Values;
        int wrong = 0;
        for (int row = 0, at = 0; row < rows; row++)
        {
            for (int bead = 0; bead < beads; bead++)
            {
                for (int d = 0; d < dimensions; d++, at++)
                    wrong += values[at] == row + rows * (bead + beads * d) ? 0 : 1;
            }
        }
        Assert.AreEqual(0, wrong);
    }

    [TestMethod]
    public void Load_Dimensions_AreTheColumns()
    {
        string path = Npz("a.npz", ("x", Npy("<f4", "(2, 3, 2)", Floats([.. Enumerable.Range(0, 12).Select(i => (float)i)]))), ("y", Npy("|b1", "(2,)", [1, 0])));
        var view = _ml.Vae.LoadNumPy(path, ("Features", "x"), ("Label", "y"), ("Again", "x"));
        Assert.AreEqual(2, view.GetRowCount());
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 3, 2), view.Schema["Features"].Type);
        Assert.AreEqual(NumberDataViewType.Single, view.Schema["Label"].Type);
        CollectionAssert.AreEqual(new float[] { 1, 0 }, view.GetColumn<float>("Label").ToArray());
        CollectionAssert.AreEqual(new float[] { 6, 7, 8, 9, 10, 11 }, view.GetColumn<float[]>("Features").Last());
        CollectionAssert.AreEqual(new float[] { 6, 7, 8, 9, 10, 11 }, view.GetColumn<float[]>("Again").Last());
    }

    [TestMethod]
    public void Load_NoRows_KeepsTheType()
    {
        var view = _ml.Vae.LoadNumPy(Save("a.npy", Npy("<f8", "(0, 5)", [])), "X");
        Assert.AreEqual(0, view.GetRowCount());
        Assert.AreEqual(5, ((VectorDataViewType)view.Schema["X"].Type).Size);
        Assert.IsEmpty(view.GetColumn<float[]>("X").ToArray());
        Assert.HasCount(1, view.GetRowCursorSet(view.Schema, 4));
    }

    [TestMethod]
    public void Load_DeflatedAndStored_AreTheSame()
    {
        var values = Enumerable.Range(0, 600_000).Select(i => (float)(i % 7)).ToArray();
        byte[] npy = Npy("<f4", "(100000, 6)", Floats(values));
        foreach (var level in (CompressionLevel[])[CompressionLevel.NoCompression, CompressionLevel.Optimal])
        {
            var array = NumPyFile.Read(new MemoryStream(Zip(level, ("x.npy", npy))), "a.npz").Single();
            CollectionAssert.AreEqual(values, array.Values);
        }
    }

    [TestMethod]
    public void Load_WhichArray()
    {
        byte[] one = Npy("<f4", "(1,)", Floats(1)), two = Npy("<f4", "(1,)", Floats(2)), three = Npy("<f4", "(3,)", Floats(1, 2, 3));
        string several = Npz("several.npz", ("a", one), ("b/c", two), ("d", three));
        Assert.AreEqual(2, _ml.Vae.LoadNumPy(several, "X", "b/c").GetColumn<float>("X").Single());
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.LoadNumPy(several, "X")), "several arrays", "'a', 'b/c', 'd'");
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.LoadNumPy(several, "X", "e")), "no array 'e'", "'a', 'b/c', 'd'");
        Contains(Assert.ThrowsExactly<InvalidDataException>(() => _ml.Vae.LoadNumPy(several, ("X", "a"), ("Y", "d"))), "'a' has 1", "'d' has 3");
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.LoadNumPy(several, ("X", "a"), ("X", "d"))), "'X' is named twice");
        Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.LoadNumPy(several));
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.LoadNumPy(Save("n.npy", one), "X", "m")), "no array 'm'", "'n'");
        Contains(Assert.ThrowsExactly<FileNotFoundException>(() => _ml.Vae.LoadNumPy(At("missing.npz"), "X")), "missing.npz");
    }

    [TestMethod]
    public void View_ShuffleAndSets_GiveEveryRowOnce()
    {
        const int Rows = 1000;
        var view = new NumPyDataView([("X", new("x", [Rows], [.. Enumerable.Range(0, Rows).Select(i => (float)i)]))]);
        var expected = Enumerable.Range(0, Rows).Select(i => (float)i).ToArray();
        float[] shuffled = ReadAll([view.GetRowCursor(view.Schema, new Random(5))]), again = ReadAll([view.GetRowCursor(view.Schema, new Random(5))]);
        CollectionAssert.AreEqual(shuffled, again);
        CollectionAssert.AreNotEqual(expected, shuffled);
        CollectionAssert.AreEquivalent(expected, shuffled);
        foreach (int n in (int[])[0, 1, 3, 100])
        {
            var cursors = view.GetRowCursorSet(view.Schema, n);
            Assert.IsTrue(cursors.Length <= 8 || n == 0, "no more cursors than batches");
            // Reconciled by batch, as the contract has it, the rows come in order.
            var rows = cursors.SelectMany(cursor => ReadBatches(cursor)).OrderBy(row => row.Batch).Select(row => row.Value).ToArray();
            CollectionAssert.AreEqual(expected, rows);
            CollectionAssert.AreEquivalent(expected, ReadAll(view.GetRowCursorSet(view.Schema, n, new Random(2))));
        }

        static IEnumerable<(long Batch, float Value)> ReadBatches(DataViewRowCursor cursor)
        {
            using (cursor)
            {
                var getter = cursor.GetGetter<float>(cursor.Schema[0]);
                var id = cursor.GetIdGetter();
                float value = 0;
                DataViewRowId rowId = default;
                for (long position = 0, batch = -1; cursor.MoveNext(); position++, batch = cursor.Batch)
                {
                    getter(ref value);
                    id(ref rowId);
                    Assert.AreEqual(position, cursor.Position);
                    Assert.IsGreaterThanOrEqualTo(batch, cursor.Batch);
                    Assert.AreEqual((ulong)value, rowId.Low);
                    yield return (cursor.Batch, value);
                }
                Assert.IsFalse(cursor.MoveNext());
                Assert.AreEqual(-1, cursor.Position);
                Assert.ThrowsExactly<InvalidOperationException>(() => getter(ref value));
            }
        }

        static float[] ReadAll(DataViewRowCursor[] cursors) => [.. cursors.SelectMany(ReadBatches).Select(row => row.Value)];
    }

    [TestMethod]
    public void View_WrongGetters_AreRefused()
    {
        var view = new NumPyDataView([("X", new("x", [1, 2], [1, 2])), ("Y", new("y", [1], [3]))]);
        using var cursor = view.GetRowCursor([view.Schema["X"]]);
        Assert.IsTrue(cursor.IsColumnActive(view.Schema["X"]));
        Assert.IsFalse(cursor.IsColumnActive(view.Schema["Y"]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cursor.GetGetter<float>(view.Schema["Y"]));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<VBuffer<double>>(view.Schema["X"]));
        VBuffer<float> value = default;
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<VBuffer<float>>(view.Schema["X"])(ref value));
    }

    [TestMethod]
    public void View_FeedsMLNet()
    {
        var random = new Random(3);
        string path = At("x.npy");
        NumPyFile.Write(path, [new("x", [500, 4], [.. Enumerable.Range(0, 2000).Select(_ => (float)random.NextDouble())])]);
        var view = _ml.Vae.LoadNumPy(path, "Features");
        var model = _ml.Clustering.Trainers.KMeans("Features", numberOfClusters: 3).Fit(view);
        Assert.HasCount(500, model.Transform(view).GetColumn<float[]>("Score").ToArray());
        CollectionAssert.AreEquivalent(
            view.GetColumn<float[]>("Features").Select(row => row[0]).ToArray(),
            _ml.Data.ShuffleRows(view, seed: 4).GetColumn<float[]>("Features").Select(row => row[0]).ToArray());
    }

    [TestMethod]
    public void Save_EveryType()
    {
        var rows = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 3).Select(i => new WideRow
        {
            Single = i + 0.5f,
            Double = i + 1e-9,
            SByte = (sbyte)-i,
            Int16 = (short)-i,
            Int32 = -i,
            Int64 = -i,
            Byte = (byte)i,
            UInt16 = (ushort)i,
            UInt32 = (uint)i,
            UInt64 = (ulong)i,
            Bool = i == 1,
            // ML.NET takes these as places among the key's values and holds one more; 9 is beyond them, so missing.
            Key = i == 2 ? 9u : (uint)i,
            Grid = [i, 1, 2, 3, 4, 5],
        }));
        string path = At("all.npz");
        string[] columns = ["Single", "Double", "SByte", "Int16", "Int32", "Int64", "Byte", "UInt16", "UInt32", "UInt64", "Bool", "Key", "Grid"];
        _ml.Vae.SaveNumPy(rows, path, columns);

        using (var zip = ZipFile.OpenRead(path))
        {
            CollectionAssert.AreEqual(columns.Select(name => name + ".npy").ToArray(), zip.Entries.Select(entry => entry.FullName).ToArray());
            string[] descr = ["<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1", "<u4", "<i4"];
            for (int i = 0; i < columns.Length; i++)
            {
                using var content = zip.Entries[i].Open();
                var bytes = new MemoryStream();
                content.CopyTo(bytes);
                CheckFormat(bytes.ToArray(), descr[i], columns[i] == "Grid" ? "(3, 2, 3)" : "(3,)", (descr[i][2] - '0') * (columns[i] == "Grid" ? 18 : 3));
                Assert.AreEqual(zip.Entries[i].Length, zip.Entries[i].CompressedLength);
            }
        }
        var arrays = NumPyFile.Read(path).ToDictionary(array => array.Name);
        CollectionAssert.AreEqual(new[] { 0.5f, 1.5f, 2.5f }, arrays["Single"].Values);
        CollectionAssert.AreEqual(new[] { 0f, -1, -2 }, arrays["Int16"].Values);
        CollectionAssert.AreEqual(new[] { 0f, 1, 0 }, arrays["Bool"].Values);
        CollectionAssert.AreEqual(new[] { 1f, 2, 0 }, arrays["Key"].Values);
        CollectionAssert.AreEqual(new[] { 2, 1, 2, 3, 4, 5f }, arrays["Grid"].Values[12..]);

        byte[] first = File.ReadAllBytes(path);
        _ml.Vae.SaveNumPy(rows, path, columns);
        CollectionAssert.AreEqual(first, File.ReadAllBytes(path), "the same data gives the same bytes");
        Assert.HasCount(1, Directory.GetFileSystemEntries(_folder), "no other file is left");
    }

    [TestMethod]
    public void Load_ArchiveOfMacOs_PassesOverItsNotes()
    {
        string path = At("mac.npz");
        NumPyFile.Write(path, [new("x", [2, 3], [1, 2, 3, 4, 5, 6])]);
        using (var zip = System.IO.Compression.ZipFile.Open(path, System.IO.Compression.ZipArchiveMode.Update))
        {
            using var note = zip.CreateEntry("__MACOSX/._x.npy").Open();
            note.Write("Mac OS X"u8);
        }
        Assert.AreEqual("x", NumPyFile.Read(path).Single().Name);
        Assert.AreEqual(2, _ml.Vae.LoadNumPy(path, "Value").GetRowCount());
    }

    [TestMethod]
    public void Save_RoundTrip() =>
        Gen.Select(Gen.Int[0, 200], Gen.Int[1, 5].Array[0, 3], Gen.Bool, Gen.Int[0, 1000]).Sample((rows, dimensions, archive, seed) =>
        {
            var random = new Random(seed);
            int width = dimensions.Aggregate(1, (a, b) => a * b);
            int[] shape = [rows, .. dimensions];
            float[] values = [.. Enumerable.Range(0, rows * width).Select(_ => random.NextSingle() - 0.5f)];
            var view = new NumPyDataView([("A b", new("", shape, values)), ("Other", new("", [rows], new float[rows]))]);
            string path = At(archive ? "r.npz" : "r.npy");
            // A filter that keeps all rows hides their number.
            var filtered = _ml.Data.FilterRowsByColumn(view, "Other", -1, 1);
            _ml.Vae.SaveNumPy(filtered, path, archive ? ["Other", "A b"] : ["A b"]);
            var array = NumPyFile.Read(path)[^1];
            // A first dimension of 1 is the batch of a graph.
            if (dimensions is [1, _, ..])
                shape = [rows, .. dimensions[1..]];
            CollectionAssert.AreEqual(shape, array.Shape);
            CollectionAssert.AreEqual(values, array.Values);
            if (!archive)
                CheckFormat(File.ReadAllBytes(path), "<f4", ShapeText(shape), values.Length * 4);
            NumPyFile.Write(path, [array with { Name = "x" }]);
            CollectionAssert.AreEqual(values, NumPyFile.Read(path).Single().Values);
        }, iter: 60, threads: 1);

    [TestMethod]
    [DataRow(new[] { 1, 4 }, new[] { 2, 4 })]
    [DataRow(new[] { 1, 2, 2 }, new[] { 2, 2, 2 })]
    [DataRow(new[] { 1, 1, 4 }, new[] { 2, 1, 4 })]
    [DataRow(new[] { 4, 1 }, new[] { 2, 4, 1 })]
    [DataRow(new[] { 4 }, new[] { 2, 4 })]
    [DataRow(new[] { 1 }, new[] { 2, 1 })]
    public void Save_BatchOfAGraphIsNoDimension(int[] dimensions, int[] expected)
    {
        int width = dimensions.Aggregate(1, (a, b) => a * b);
        var view = new NumPyDataView([("Value", new("", [2, .. dimensions], [.. Enumerable.Range(0, 2 * width).Select(i => (float)i)]))]);
        foreach (string name in new[] { "b.npy", "b.npz" })
        {
            _ml.Vae.SaveNumPy(view, At(name), "Value");
            var array = NumPyFile.Read(At(name)).Single();
            CollectionAssert.AreEqual(expected, array.Shape, name);
            CollectionAssert.AreEqual(Enumerable.Range(0, 2 * width).Select(i => (float)i).ToArray(), array.Values, name);
        }
    }

    [TestMethod]
    public void Save_SparseRows_AreDense()
    {
        var rows = _ml.Data.LoadFromEnumerable([new SparseRow { Value = new(4, 1, [2f], [2]) }, new SparseRow { Value = new(4, [1f, 2, 3, 4]) }]);
        string path = At("s.npy");
        _ml.Vae.SaveNumPy(rows, path, "Value");
        CollectionAssert.AreEqual(new float[] { 0, 0, 2, 0, 1, 2, 3, 4 }, NumPyFile.Read(path).Single().Values);
    }

    [TestMethod]
    public void Save_WrongArguments_LeaveTheFile()
    {
        var rows = _ml.Data.LoadFromEnumerable([new TextRow { Text = "a", Value = 1, Unknown = [1] }]);
        string path = Save("old.npy", SavedByNumPy);
        Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ml.Vae.SaveNumPy(rows, path, "Text")), "'Text'", "got Text");
        Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ml.Vae.SaveNumPy(rows, path, "None")), "'None'", "no such column");
        Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ml.Vae.SaveNumPy(rows, path, "Unknown")), "'Unknown'");
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.SaveNumPy(rows, path, "Value", "Text")), "2 are to be written");
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.SaveNumPy(rows, At("a.npz"), "Value", "Value")), "named twice");
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.SaveNumPy(rows, At("a.csv"), "Value")), ".csv");
        Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.SaveNumPy(rows, path));
        // A failure in the middle of the rows.
        var failing = _ml.Data.LoadFromEnumerable(Failing());
        foreach (string target in (string[])[path, At("new.npz")])
            Assert.ThrowsExactly<InvalidOperationException>(() => _ml.Vae.SaveNumPy(failing, target, "Value"));
        CollectionAssert.AreEqual(SavedByNumPy, File.ReadAllBytes(path));
        Assert.HasCount(1, Directory.GetFileSystemEntries(_folder));

        static IEnumerable<LongRow> Failing()
        {
            yield return new();
            throw new InvalidOperationException("no more");
        }
    }

    public static IEnumerable<object[]> BadHeaders =>
    [
        ["{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "pickle"],
        ["{'descr': '<U5', 'fortran_order': False, 'shape': (3,), }", "text"],
        ["{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }", "complex"],
        ["{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3,), }", "dates"],
        ["{'descr': '<f16', 'fortran_order': False, 'shape': (3,), }", "extended"],
        ["{'descr': '|f4', 'fortran_order': False, 'shape': (3,), }", "'|f4'"],
        ["{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "structures"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", "[-3]"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 1), }", "[4294967296, 4294967296, 1]"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 2147483647, 2147483647), }", "overflows"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "overflows"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }", "claims 4000000000 bytes; 12 bytes"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "takes 8 bytes; 12 bytes"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (3), }", "tuple"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (3 1), }", "malformed"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': [3], }", "malformed"],
        ["{'descr': '<f4', 'fortran_order': 0, 'shape': (3,), }", "True or False"],
        ["{'descr': '<f4', 'fortran_order': False, }", "'shape' is missing"],
        ["{'fortran_order': False, 'shape': (3,)}", "'descr' is missing"],
        ["{'descr': '<f4', 'shape': (3,)}", "'fortran_order' is missing"],
        ["{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "twice"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}", "'x'"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } + 1", "behind"],
        ["{'descr': '<f4', 'fortran_order': False, 'shape': (3,)", "malformed"],
        ["{'descr': '<f\\x34', 'fortran_order': False, 'shape': (3,)}", "escapes"],
        ["{'descr': '<f4, }", "no end"],
        ["", "malformed"],
    ];

    [TestMethod]
    [DynamicData(nameof(BadHeaders))]
    public void Load_BadHeader(string header, string expected)
    {
        byte[] npy = NpyWithHeader(header, Floats(1, 2, 3), 1);
        Contains(Bad(npy, "dir/bad.npy"), "dir/bad.npy", expected);
        Contains(Bad(Zip(CompressionLevel.Optimal, ("inner.npy", npy)), "bad.npz"), "bad.npz", "array 'inner'", expected);
    }

    [TestMethod]
    [DataRow("{'shape': (3L,), 'fortran_order': False, 'descr': '<f4'}")]
    [DataRow("  {\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":( 3 , )}\n\n")]
    public void Load_OtherFormsOfHeader(string header) =>
        CollectionAssert.AreEqual(new float[] { 1, 2, 3 }, NumPyFile.Read(new MemoryStream(NpyWithHeader(header, Floats(1, 2, 3), 1)), "a.npy").Single().Values);

    [TestMethod]
    public void Load_CutOff_AtEveryByte()
    {
        byte[] npy = Npy("<f4", "(3,)", Floats(1, 2, 3));
        byte[] zip = Zip(CompressionLevel.Optimal, ("x.npy", npy));
        for (int length = 0; length < npy.Length; length++)
            Bad(npy[..length], "a.npy");
        for (int length = 0; length < zip.Length; length++)
            Bad(zip[..length], "a.npz");
        Contains(Bad(npy[..^1], "a.npy"), "claims 12 bytes; 11 bytes");
        Contains(Bad([.. npy, 0], "a.npy"), "13 bytes");
    }

    [TestMethod]
    public void Load_NotNumPy()
    {
        Contains(Bad([], "a.npy"), "empty");
        Contains(Bad("x,y\n1,2\n"u8.ToArray(), "a.npy"), "neither");
        Contains(Bad([0x80, 4, 0x95, 1, 2, 3, 4], "a.npy"), "pickle");
        Contains(Bad("PK\u0003\u0004 nothing more"u8.ToArray(), "a.npz"), "not a sound zip");
        Contains(Bad(Zip(CompressionLevel.Optimal, ("readme.txt", [1, 2, 3])), "a.npz"), "no entry");
        Contains(Bad(Zip(CompressionLevel.Optimal, ("x.npy", SavedByNumPy), ("x.npy", SavedByNumPy)), "a.npz"), "'x' comes twice");
        Contains(Bad(Zip(CompressionLevel.Optimal, ("x.npy", [1, 2, 3])), "a.npz"), "array 'x'", "010203");
        Contains(Bad(NpyWithHeader("{}", [], 4), "a.npy"), "version");
        Contains(Bad([.. NpyWithHeader("{}", [], 2)[..8], 255, 255, 255, 127], "a.npy"), "claims 2147483647");
        Contains(Bad(Npy("<f8", "(2,)", [.. BitConverter.GetBytes(1.0), .. BitConverter.GetBytes(1e300)]), "a.npy"), "element 1", "1E+300");
        foreach (string shape in (string[])["()", "(1, 0)"])
            Assert.ThrowsExactly<InvalidDataException>(() => _ml.Vae.LoadNumPy(Save("s.npy", Npy("<f4", shape, shape == "()" ? Floats(1) : [])), "X"));
    }

    [TestMethod]
    public void Load_DamagedEntry_FailsItsCheckSum()
    {
        byte[] zip = Zip(CompressionLevel.NoCompression, ("x.npy", SavedByNumPy));
        int at = zip.AsSpan().IndexOf(SavedByNumPy);
        zip[at + 128] ^= 4;
        Contains(Bad(zip, "a.npz"), "array 'x'", "check sum");
    }

    [TestMethod]
    public void Load_EntryThatLiesAboutItsLength_TakesNoMemoryForIt()
    {
        // The header and the archive's directory agree on 4 GB, on 256 bytes of zeros packed.
        byte[] npy = Npy("<f4", "(500000000,)", new byte[256]);
        byte[] zip = Zip(CompressionLevel.Optimal, ("x.npy", npy));
        int directory = zip.AsSpan().IndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(zip.AsSpan(directory + 24), (uint)(npy.Length - 256 + 2_000_000_000));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Contains(Bad(zip, "a.npz"), "array 'x'");
        Assert.IsLessThan(8L << 20, GC.GetAllocatedBytesForCurrentThread() - before);

        // It says less than comes out.
        zip = Zip(CompressionLevel.Optimal, ("x.npy", SavedByNumPy));
        directory = zip.AsSpan().IndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(zip.AsSpan(directory + 24), (uint)SavedByNumPy.Length - 8);
        Contains(Bad(zip, "a.npz"), "array 'x'");
    }

    /// <summary>Type, shape, order and what is packed how: highly compressible, little, not at all.</summary>
    public static IEnumerable<object[]> LargeArrays =>
    [
        ["|u1", "(20000000,)", 1, false, CompressionLevel.Optimal],
        ["|u1", "(2000000, 10)", 1, true, CompressionLevel.Optimal],
        ["|b1", "(4, 5000000)", 1, true, CompressionLevel.Optimal],
        ["<f4", "(1000000, 3, 5)", 4, false, CompressionLevel.Optimal],
        [">f8", "(300000, 40)", 8, true, CompressionLevel.Optimal],
        ["<f2", "(1, 12000000)", 2, true, CompressionLevel.Optimal],
        ["<i8", "(3000000, 4)", 8, false, CompressionLevel.NoCompression],
        ["<f4", "(50, 4, 60000)", 4, true, CompressionLevel.NoCompression],
    ];

    [TestMethod]
    [DynamicData(nameof(LargeArrays))]
    public void Load_TakesTheArrayAndASmallBuffer(string descr, string shape, int size, bool fortran, CompressionLevel level)
    {
        int[] dimensions = [.. shape.Trim('(', ')').Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(int.Parse)];
        int count = dimensions.Aggregate(1, (product, dimension) => product * dimension);
        byte[] npy = Npy(descr, shape, new byte[(long)count * size], fortran);
        string archive = At("large.npz"), alone = At("large.npy");
        File.WriteAllBytes(archive, Zip(level, ("x.npy", npy)));
        File.WriteAllBytes(alone, npy);
        foreach (string path in (string[])[archive, alone])
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            var view = _ml.Vae.LoadNumPy(path, "X");
            long taken = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.AreEqual(dimensions[0], view.GetRowCount());
            Assert.IsLessThan(4L * count + (5 << 20), taken, path);
        }
    }

    [TestMethod]
    public void Load_MaxBytes_HoldsForWhatIsInMemory()
    {
        // 5 MB of bytes are 20 MB of numbers, and 5 KB in the archive.
        byte[] npy = Npy("|u1", "(1000000, 5)", new byte[5_000_000]);
        string archive = Npz("a.npz", ("x", npy), ("y", npy)), alone = Save("a.npy", npy);
        var just = new NumPyLoadOptions { MaxBytes = 20_000_000 };
        var less = new NumPyLoadOptions { MaxBytes = 19_999_999 };
        Assert.AreEqual(1_000_000, _ml.Vae.LoadNumPy(archive, "X", "x", just).GetRowCount());
        Assert.AreEqual(1_000_000, _ml.Vae.LoadNumPy(alone, "X", options: just).GetRowCount());
        // The same array in two columns is held once.
        Assert.AreEqual(1_000_000, _ml.Vae.LoadNumPy(archive, just, ("X", "x"), ("Again", "x")).GetRowCount());
        long before = GC.GetAllocatedBytesForCurrentThread();
        Contains(Assert.ThrowsExactly<InvalidDataException>(() => _ml.Vae.LoadNumPy(archive, "X", "x", less)), "a.npz", "array 'x'", "[1000000, 5]", "20000000", "MaxBytes allows 19999999");
        Contains(Assert.ThrowsExactly<InvalidDataException>(() => _ml.Vae.LoadNumPy(alone, "X", options: less)), "a.npy", "20000000", "MaxBytes allows 19999999");
        Assert.IsLessThan(2L << 20, GC.GetAllocatedBytesForCurrentThread() - before, "Nothing is read of what is too large.");
        Contains(Assert.ThrowsExactly<InvalidDataException>(() => _ml.Vae.LoadNumPy(archive, just, ("X", "x"), ("Y", "y"))), "array 'y'", "besides 20000000 of other arrays");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ml.Vae.LoadNumPy(alone, "X", options: new() { MaxBytes = -1 }));
    }

    [TestMethod]
    public void Load_ByDefault_RefusesGigabytesOutOfNothing()
    {
        // 600 million bytes would be 2.4 GB of numbers.
        const int Count = 600_000_000;
        string path = At("bomb.npz");
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
        {
            using var entry = zip.CreateEntry("x.npy", CompressionLevel.Fastest).Open();
            entry.Write(Npy("|u1", $"({Count},)", []));
            var zeros = new byte[1_000_000];
            for (int i = 0; i < Count / zeros.Length; i++)
                entry.Write(zeros);
        }
        Assert.IsLessThan(8L << 20, new FileInfo(path).Length);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Contains(Assert.ThrowsExactly<InvalidDataException>(() => _ml.Vae.LoadNumPy(path, "X")), "bomb.npz", "2400000000 bytes in memory", "MaxBytes allows 2147483648");
        Assert.IsLessThan(2L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        // A file that is large itself is read without being asked twice.
        Assert.AreEqual(16L * 1_000_000_000, NumPyFile.DefaultMaxBytes(1_000_000_000));
        Assert.AreEqual(2L << 30, NumPyFile.DefaultMaxBytes(1000));
    }

    [TestMethod]
    public void Load_EntryThatPacksWell_IsUnpackedBeforeItIsBelieved()
    {
        // Of 8 MB that the header and the directory promise, some are missing, or there are more; the check sum is of what is there.
        foreach (int there in (int[])[7_999_000, 8_000_004])
        {
            byte[] npy = Npy("<f4", "(2000000,)", new byte[there]);
            byte[] zip = Zip(CompressionLevel.Optimal, ("x.npy", npy));
            int directory = zip.AsSpan().IndexOf("PK\u0001\u0002"u8);
            BinaryPrimitives.WriteUInt32LittleEndian(zip.AsSpan(directory + 24), (uint)(npy.Length - there + 8_000_000));
            long before = GC.GetAllocatedBytesForCurrentThread();
            Contains(Bad(zip, "a.npz"), "array 'x'");
            Assert.IsLessThan(2L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        byte[] damaged = Zip(CompressionLevel.Optimal, ("x.npy", Npy("<f4", "(2000000,)", new byte[8_000_000])));
        damaged[damaged.AsSpan().IndexOf("PK\u0001\u0002"u8) + 16] ^= 1;
        Contains(Bad(damaged, "a.npz"), "array 'x'", "check sum");
    }

    [TestMethod]
    public void Load_MutatedFiles_FailCleanlyOrRead()
    {
        byte[][] files =
        [
            SavedByNumPy,
            Npy("<f4", "(3, 2)", Floats(1, 2, 3, 4, 5, 6), fortran: true),
            Npy(">f8", "(1, 2)", new byte[16], version: 2),
            Zip(CompressionLevel.NoCompression, ("x.npy", SavedByNumPy), ("y.npy", SavedByNumPy)),
            Zip(CompressionLevel.Optimal, ("x.npy", SavedByNumPy), ("y.npy", Npy("|b1", "(4,)", [0, 1, 1, 0]))),
        ];
        var place = Gen.Select(Gen.Double[0, 1], Gen.OneOf(Gen.Byte, Gen.Int[0, 7].Select(i => (byte)"\0\u0001\u00ff-9(')"[i]))).Array[0, 6];
        Gen.Select(Gen.Int[0, files.Length - 1], place, Gen.Double[0, 1.3]).Sample((file, changes, keep) =>
        {
            byte[] bytes = [.. files[file]];
            foreach (var (at, value) in changes)
                bytes[Math.Min(bytes.Length - 1, (int)(at * bytes.Length))] = value;
            if (keep < 1)
                bytes = bytes[..(int)(keep * bytes.Length)];
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                foreach (var array in NumPyFile.Read(new MemoryStream(bytes), "a.npz"))
                    Assert.HasCount(array.Shape.Aggregate(1, (a, b) => a * b), array.Values);
            }
            catch (InvalidDataException)
            {
            }
            Assert.IsLessThan(16L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        }, iter: 20_000, threads: 1);
    }

    [TestMethod]
    public void Crc32_KnownValue() => Assert.AreEqual(0xCBF43926u, ~Crc32.Append(uint.MaxValue, "123456789"u8));

    [TestMethod]
    public void RealData_Polymer()
    {
        string path = RealData.Path("polymer/dmol_paths.npz");
        var view = _ml.Vae.LoadNumPy(path, "Conformation");
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 12, 2), view.Schema["Conformation"].Type);
        float[][] rows = [.. view.GetColumn<float[]>("Conformation")];
        Assert.HasCount(2048, rows);

        // Against the bytes themselves, and the header against the one that NumPy wrote.
        using var zip = ZipFile.OpenRead(path);
        using var content = zip.Entries.Single().Open();
        var bytes = new MemoryStream();
        content.CopyTo(bytes);
        byte[] npy = bytes.ToArray();
        CollectionAssert.AreEqual(MemoryMarshal.Cast<byte, double>(npy.AsSpan(128)).ToArray().Select(value => (float)value).ToArray(), rows.SelectMany(row => row).ToArray());
        CollectionAssert.AreEqual(npy[..128], NumPyHeader.Format("<f8", [2048, 12, 2]));
    }

    [TestMethod]
    [DataRow("12_fault", 1941, 27, 673)]
    [DataRow("18_Ionosphere", 351, 32, 126)]
    [DataRow("23_mammography", 11183, 6, 260)]
    [DataRow("28_pendigits", 6870, 16, 156)]
    [DataRow("2_annthyroid", 7200, 6, 534)]
    [DataRow("31_satimage-2", 5803, 36, 71)]
    [DataRow("43_WDBC", 367, 30, 10)]
    [DataRow("6_cardio", 1831, 21, 176)]
    public void RealData_Anomaly(string name, int rows, int width, int anomalies)
    {
        string path = RealData.Path($"anomaly/{name}.npz");
        var view = _ml.Vae.LoadNumPy(path, ("Features", "X"), ("Label", "y"));
        Assert.AreEqual(rows, view.GetRowCount());
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, width), view.Schema["Features"].Type);
        Assert.AreEqual(anomalies, view.GetColumn<float>("Label").Sum());
        Contains(Assert.ThrowsExactly<ArgumentException>(() => _ml.Vae.LoadNumPy(path, "X")), "'X', 'y'");

        // The first column of a Fortran-order array is its first rows elements.
        using var zip = ZipFile.OpenRead(path);
        using var content = zip.GetEntry("X.npy")!.Open();
        var bytes = new MemoryStream();
        content.CopyTo(bytes);
        var first = MemoryMarshal.Cast<byte, double>(bytes.ToArray().AsSpan(128))[..rows].ToArray().Select(value => (float)value).ToArray();
        CollectionAssert.AreEqual(first, view.GetColumn<float[]>("Features").Select(row => row[0]).ToArray());
    }

    /// <summary>The format as NumPy Enhancement Proposal 1 has it, strictly, with the keys in NumPy's order and spelling.</summary>
    private static void CheckFormat(byte[] npy, string descr, string shape, int dataBytes)
    {
        CollectionAssert.AreEqual(Convert.FromHexString("934E554D50590100"), npy[..8]);
        int length = BinaryPrimitives.ReadUInt16LittleEndian(npy.AsSpan(8));
        Assert.AreEqual(0, (10 + length) % 64);
        string header = Encoding.ASCII.GetString(npy, 10, length);
        Assert.AreEqual('\n', header[^1]);
        Assert.AreEqual($"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}", header.TrimEnd(' ', '\n'));
        Assert.HasCount(10 + length + dataBytes, npy);
    }

    private static InvalidDataException Bad(byte[] bytes, string path) =>
        Assert.ThrowsExactly<InvalidDataException>(() => NumPyFile.Read(new MemoryStream(bytes), path));

    private static void Contains(Exception exception, params string[] parts)
    {
        foreach (string part in parts)
            StringAssert.Contains(exception.Message, part);
    }

    private static byte[] Npy(string descr, string shape, byte[] data, bool fortran = false, int version = 1)
    {
        string header = $"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}";
        int prefix = version == 1 ? 10 : 12;
        return NpyWithHeader(header.PadRight((prefix + header.Length + 64) / 64 * 64 - prefix - 1) + "\n", data, version);
    }

    private static byte[] NpyWithHeader(string header, byte[] data, int version)
    {
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)header.Length) : BitConverter.GetBytes(header.Length);
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. Encoding.Latin1.GetBytes(header), .. data];
    }

    private static byte[] Floats(params float[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private static byte[] Encode(float value, string dtype, bool bigEndian)
    {
        byte[] bytes = dtype switch
        {
            "f2" => BitConverter.GetBytes((Half)value),
            "f4" => BitConverter.GetBytes(value),
            "f8" => BitConverter.GetBytes((double)value),
            "i1" or "u1" or "b1" => [(byte)(int)value],
            "i2" => BitConverter.GetBytes((short)value),
            "i4" => BitConverter.GetBytes((int)value),
            "i8" => BitConverter.GetBytes((long)value),
            "u2" => BitConverter.GetBytes((ushort)value),
            "u4" => BitConverter.GetBytes((uint)value),
            _ => BitConverter.GetBytes((ulong)value),
        };
        if (bigEndian)
            Array.Reverse(bytes);
        return bytes;
    }

    private static string ShapeText(int[] shape) => "(" + string.Join(", ", shape) + (shape.Length == 1 ? ",)" : ")");

    private static byte[] Zip(CompressionLevel level, params (string Name, byte[] Bytes)[] entries)
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, bytes) in entries)
            {
                using var entry = zip.CreateEntry(name, level).Open();
                entry.Write(bytes);
            }
        }
        return stream.ToArray();
    }

    private string Npz(string file, params (string Name, byte[] Npy)[] arrays) =>
        Save(file, Zip(CompressionLevel.Optimal, [.. arrays.Select(array => (array.Name + ".npy", array.Npy))]));

    private string At(string name) => Path.Combine(_folder, name);

    private string Save(string name, byte[] bytes)
    {
        File.WriteAllBytes(At(name), bytes);
        return At(name);
    }

    private sealed class LongRow
    {
        public long Value { get; set; }
    }

    private sealed class TextRow
    {
        public string Text { get; set; } = "";

        public float Value { get; set; }

        public float[] Unknown { get; set; } = [];
    }

    private sealed class SparseRow
    {
        [VectorType(4)]
        public VBuffer<float> Value { get; set; }
    }

    private sealed class WideRow
    {
        public float Single { get; set; }

        public double Double { get; set; }

        public sbyte SByte { get; set; }

        public short Int16 { get; set; }

        public int Int32 { get; set; }

        public long Int64 { get; set; }

        public byte Byte { get; set; }

        public ushort UInt16 { get; set; }

        public uint UInt32 { get; set; }

        public ulong UInt64 { get; set; }

        public bool Bool { get; set; }

        [KeyType(5)]
        public uint Key { get; set; }

        [VectorType(2, 3)]
        public int[] Grid { get; set; } = [];
    }
}
