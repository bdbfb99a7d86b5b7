using System.Text;
using Microsoft.ML;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tests.Sequences;

[TestClass]
public sealed class LoadAlignmentTests
{
    private static readonly SequenceAlignmentOptions Unfiltered = new() { MaxSequenceGapShare = 1, MaxColumnGapShare = 1 };

    private readonly TemporaryFolder _files = new();

    [TestCleanup]
    public void Clean() => _files.Dispose();

    private static SequenceAlignment Load(string path, SequenceAlignmentOptions? options = null) => new MLContext(0).Vae.LoadAlignment(path, options ?? Unfiltered);

    private void Fails(string text, string expected, SequenceAlignmentOptions? options = null, string name = "bad.fasta")
    {
        string path = _files.Write(name, text);
        var e = Assert.ThrowsExactly<InvalidDataException>(() => Load(path, options));
        Assert.Contains(path, e.Message);
        Assert.Contains(expected, e.Message);
    }

    [TestMethod]
    public void Fasta_WrappedLinesAnyCaseAnyLineEnd()
    {
        var a = Load(_files.Write("a.fasta", "\uFEFF>one first sequence\r\nACd\r\nE-F\r\n\r\n>two\r\nACDEGX"));
        CollectionAssert.AreEqual(new[] { "one", "two" }, a.Names.ToArray());
        CollectionAssert.AreEqual(new[] { "one first sequence", "two" }, a.Headers.ToArray());
        Assert.AreEqual("ACDE-F", a.Sequence(0));
        Assert.AreEqual("ACDEGX", a.Sequence(1));
        CollectionAssert.AreEqual(new byte[] { 0, 1, 2, 3, 20, 4 }, a.Row(0).ToArray());
        Assert.AreEqual(21, a.Row(1)[5]);
    }

    [TestMethod]
    public void Fasta_DotsAreGapsAndRareAminoAcidsCommonOnes()
    {
        var a = Load(_files.Write("a.fasta", ">r\nACDEFG\n>q\n.UOBZJ\n"));
        Assert.AreEqual("-CKXXX", a.Sequence(1));
    }

    [TestMethod]
    [DataRow("a.a2m", AlignmentFormat.Auto)]
    [DataRow("a.a3m", AlignmentFormat.Auto)]
    [DataRow("a.txt", AlignmentFormat.A2M)]
    [DataRow("a.txt", AlignmentFormat.A3M)]
    public void A2M_InsertionsAreNoColumnsButCountInTheReference(string name, AlignmentFormat format)
    {
        string a3m = format == AlignmentFormat.A3M || name.EndsWith("a3m", StringComparison.Ordinal) ? ">q\nkkACDEFkk\n" : ">q\nkkAC..DEFkk\n";
        var a = Load(_files.Write(name, ">r/11-16\nmA-Cg..DE\n" + a3m), Unfiltered with { Format = format });
        Assert.AreEqual(5, a.Length);
        Assert.AreEqual("A-CDE", a.Sequence(0));
        Assert.AreEqual("ACDEF", a.Sequence(1));
        Assert.AreEqual("MACGDE", a.Layout.Reference);
        CollectionAssert.AreEqual(new int?[] { 12, null, 13, 15, 16 }, a.Layout.Columns.Select(c => c.ReferencePosition).ToArray());
        Assert.IsTrue(a.Layout.TryGetColumn(15, out int column));
        Assert.AreEqual(3, column);
        Assert.IsFalse(a.Layout.TryGetColumn(14, out _));
        Assert.IsTrue(a.Layout.TryGetReferenceLetter(14, out char letter));
        Assert.AreEqual('G', letter);
    }

    [TestMethod]
    public void Stockholm_BlocksAndAnnotations()
    {
        var a = Load(_files.Write("x.any", """
            # STOCKHOLM 1.0
            #=GF ID test
            #=GS one/5-9 OS Homo sapiens
            #=GS one/5-9 DE part one
            #=GS one/5-9 DE part two
            one/5-9   ACd
            two       A.-
            #=GC SS   HHH

            one/5-9   EF
            two       GH
            //

            """));
        Assert.AreEqual("ACDEF", a.Sequence(0));
        Assert.AreEqual("A--GH", a.Sequence(1));
        CollectionAssert.AreEqual(new[] { "DE", "OS" }, a.AnnotationNames.ToArray());
        CollectionAssert.AreEqual(new[] { "part one part two", "" }, a.Annotation("DE").ToArray());
        CollectionAssert.AreEqual(new[] { "Homo sapiens", "" }, a.Annotation("OS").ToArray());
        Assert.AreEqual(5, a.Layout.Columns[0].ReferencePosition);
    }

    [TestMethod]
    public void Gzip_IsDetectedByContentForEachFormat()
    {
        Assert.AreEqual("ACD", Load(_files.WriteGzip("a.fasta", ">r\nACD\n")).Sequence(0));
        Assert.AreEqual("AD", Load(_files.WriteGzip("a.a2m.gz", ">r\nAcD\n")).Sequence(0));
        Assert.AreEqual("ACD", Load(_files.WriteGzip("a.sto.gz", "# STOCKHOLM 1.0\nr ACD\n//\n")).Sequence(0));
    }

    [TestMethod]
    public void Gzip_DamagedIsNamed()
    {
        string path = _files.WriteGzip("a.gz", string.Concat(Enumerable.Range(0, 2000).Select(i => $">s{i}\nACDEFGHIKL\n")));
        byte[] bytes = File.ReadAllBytes(path);
        bytes.AsSpan(bytes.Length / 2, 20).Fill(0xFF);
        File.WriteAllBytes(path, bytes);
        Assert.Contains(path, Assert.ThrowsExactly<InvalidDataException>(() => Load(path)).Message);
    }

    [TestMethod]
    public void Gzip_CutOffIsNamedWhereverTheCut()
    {
        var random = new Random(1);
        string text = string.Concat(Enumerable.Range(0, 200).Select(i => $">s{i}\n{string.Concat(Enumerable.Range(0, 60).Select(_ => "ACDEFGHIKL"[random.Next(10)]))}\n"));
        byte[] whole = File.ReadAllBytes(_files.WriteGzip("whole.gz", text));
        foreach (int missing in Enumerable.Range(1, 40).Concat([whole.Length / 4, whole.Length / 2]))
        {
            string path = _files.Write("cut.gz", whole[..^missing]);
            Assert.Contains(path, Assert.ThrowsExactly<InvalidDataException>(() => Load(path), $"{missing} bytes missing").Message);
        }
        // Two members behind each other are a whole file.
        string both = _files.Write("both.gz", [.. whole, .. File.ReadAllBytes(_files.WriteGzip("more.gz", $">more\n{new string('A', 60)}\n"))]);
        Assert.AreEqual(201, Load(both).Count);
    }

    [TestMethod]
    public void Errors_NameFileLineAndColumn()
    {
        Fails(">a\nACD\n>b\nAC\n", "line 3, column 1: sequence 'b' has 2 columns; the first one, 'a', has 3");
        Fails(">a\nACD\n>b\nACDE\n", "line 4, column 4: sequence 'b' is longer than the first one, 'a'");
        Fails(">a\nAC1D\n", "line 2, column 3: '1' is not a letter of alphabet AminoAcids");
        Fails(">a\nAC\n>b\nA\u0001\n", "line 4, column 2: byte 0x01");
        Fails("ACD\n", "line 1, column 1: a header that starts with '>' is expected; found 'A'");
        Fails("", "the file has no sequences");
        Fails("\n \n", "the file has no sequences");
        Fails(">a\n>b\nAC\n", "line 1, column 1: sequence 'a' is empty");
        Fails(">a\nAXC\n", "line 2, column 2: 'X' is an ambiguous letter", Unfiltered with { AmbiguousLetters = AmbiguousLetterTreatment.Error });
        Fails(">a\nAC\n", "no sequence is named 'z'", Unfiltered with { ReferenceName = "z" });
        Fails(">a\n---\n>b\nACD\n", "the reference 'a' has no residues");
        Fails(">a\nACD\n", "more than 2 columns", Unfiltered with { MaxColumns = 2 });
        Fails(">a\nACD\n>b\nACD\n", "more than 1 sequences", Unfiltered with { MaxSequences = 1 });
        Fails(">a\nACD\n>b\nACD\n", "more than 5 bytes", Unfiltered with { MaxBytes = 5 });
    }

    [TestMethod]
    public void Errors_Stockholm()
    {
        Fails("# STOCKHOLM 1.0\na ACD\nb AC\n//\n", "line 3, column 1: sequence 'b' has 2 columns");
        Fails("# STOCKHOLM 1.0\na ACD\na ACD\n//\n", "line 3, column 1: a second sequence is named 'a', as every one is named 2 times in a block");
        Fails("# STOCKHOLM 1.0\na ACD\nb ACD\n#=GC RF xxx\na EF\nb EF\n#=GC RF xx\n//\n", "line 5, column 1: a second sequence is named 'a', as every one is named 2 times in a block");
        Fails("# STOCKHOLM 1.0\na A?D\n//\n", "line 2, column 4: '?' is not a letter");
        Fails("# STOCKHOLM 1.0\na ACD\n", "ends without '//'");
        Fails("# STOCKHOLM 1.0\n//\n", "no sequences");
        Fails("# STOCKHOLM 1.0\na ACD\n//\nb ACD\n", "line 4, column 1: something stands behind the end");
        Fails("# STOCKHOLM 1.0\na ACD\n# STOCKHOLM 1.0\na ACD\n//\n", "line 3, column 1: a second alignment begins before the first one ends");
        Fails("# STOCKHOLM 1.0\na ACD\n\n# STOCKHOLM 1.0\nb ACD\n//\n", "line 4, column 1: a second alignment begins");
    }

    [TestMethod]
    public void Stockholm_FeaturesNeverHideColumns()
    {
        var a = Load(_files.Write("a.sto", "# STOCKHOLM 1.0\n#=GS r Name x\n#=GS r Weight y\nr ACD\n//\n"));
        CollectionAssert.AreEqual(new[] { "GS.Name", "GS.Weight" }, a.AnnotationNames.ToArray());
        Fails("# STOCKHOLM 1.0\nr AC\nq ACD\n//\n", "line 3, column 1: more than 2 columns", Unfiltered with { MaxColumns = 2 });
    }

    [TestMethod]
    public void Filters_TakeAShareAtTheLimit()
    {
        // 29 of 100 gaps is a share of 0.29, though 0.29 times 100 is below 29 in double precision.
        string text = string.Concat(Enumerable.Range(0, 100).Select(i => $">s{i}\nA{(i is > 0 and < 30 ? '-' : 'C')}\n"));
        Assert.AreEqual(2, Load(_files.Write("a.fasta", text), Unfiltered with { MaxColumnGapShare = 0.29 }).Length);
        Assert.AreEqual(1, Load(_files["a.fasta"], Unfiltered with { MaxColumnGapShare = 0.28 }).Length);
    }

    [TestMethod]
    public void Errors_CompressionBombStopsAtTheLimit()
    {
        string path = _files.WriteGzip("bomb.gz", ">a\n" + new string('A', 3_000_000));
        var e = Assert.ThrowsExactly<InvalidDataException>(() => Load(path, Unfiltered with { MaxBytes = 1_000_000 }));
        Assert.Contains("MaxBytes", e.Message);
    }

    [TestMethod]
    public void Filters_SequencesFirstThenColumns()
    {
        // Over the reference's columns (the first four): b has 3 of 4 gaps, c 2 of 4 (just allowed). Then column 5 has 1 gap of 3 and column 4 has 1 of 3.
        var a = Load(_files.Write("a.fasta", ">r\nACDE-\n>b\n---EF\n>c\n--DEF\n>d\nACD-F\n"), new SequenceAlignmentOptions { MaxColumnGapShare = 0.34 });
        CollectionAssert.AreEqual(new[] { "r", "c", "d" }, a.Names.ToArray());
        Assert.AreEqual("ACDE-", a.Sequence(0));
        Assert.AreEqual(new SequenceAlignmentFiltering(4, 5, 1, 0, 0), a.Filtering);

        a = Load(_files["a.fasta"]);
        Assert.AreEqual(4, a.Count);
        a = Load(_files["a.fasta"], new SequenceAlignmentOptions());
        Assert.AreEqual(1, a.Length, "Only column D has at most 30 % gaps.");
        Assert.AreEqual(2, a.Layout.Columns[0].SourceColumn);
        Assert.AreEqual(3, a.Layout.Columns[0].ReferencePosition);
        a = Load(_files["a.fasta"], Unfiltered with { ReferenceColumnsOnly = true });
        Assert.AreEqual("ACDE", a.Sequence(0));
    }

    [TestMethod]
    public void Filters_AmbiguousLettersInModelledColumnsOnly()
    {
        var options = Unfiltered with { AmbiguousLetters = AmbiguousLetterTreatment.DropSequence, ReferenceColumnsOnly = true };
        var a = Load(_files.Write("a.fasta", ">r\nAXC-\n>b\nACCX\n>c\nXCCC\n"), options);
        CollectionAssert.AreEqual(new[] { "r", "b" }, a.Names.ToArray());
        Assert.AreEqual(1, a.Filtering.SequencesDroppedForLetters);
    }

    [TestMethod]
    public void Annotations_SplitOnRequest()
    {
        string path = _files.Write("a.fasta", ">id|1__warm|Rattus norvegicus|\nAC\n>id|2__cold|\nAC\n");
        var a = Load(path, Unfiltered with { AnnotationStart = "__", AnnotationSeparator = "|", AnnotationNames = ["Blood", "Species"] });
        CollectionAssert.AreEqual(new[] { "id|1", "id|2" }, a.Names.ToArray());
        CollectionAssert.AreEqual(new[] { "warm", "cold" }, a.Annotation("Blood").ToArray());
        CollectionAssert.AreEqual(new[] { "Rattus norvegicus", "" }, a.Annotation("Species").ToArray());
        a = Load(path, Unfiltered with { AnnotationStart = "__", AnnotationSeparator = "|", AnnotationNames = ["All"] });
        CollectionAssert.AreEqual(new[] { "warm|Rattus norvegicus", "cold" }, a.Annotation("All").ToArray(), "The last column keeps the rest.");
        a = Load(path, Unfiltered with { AnnotationSeparator = "|" });
        CollectionAssert.AreEqual(new[] { "Annotation1", "Annotation2", "Annotation3" }, a.AnnotationNames.ToArray());
        Assert.ThrowsExactly<ArgumentException>(() => Load(path, Unfiltered with { AnnotationSeparator = "|", AnnotationNames = ["Name", "b", "c"] }));
        Assert.ThrowsExactly<ArgumentException>(() => Load(path, Unfiltered with { AnnotationNames = ["a"] }));
    }

    [TestMethod]
    public void Reference_ByNameWithNumbers()
    {
        string path = _files.Write("a.fasta", ">a\nACDE\n>b\nAC-E\n");
        var a = Load(path, Unfiltered with { ReferenceName = "b", ReferenceNumbers = [16, 0, 18] });
        CollectionAssert.AreEqual(new int?[] { 16, null, null, 18 }, a.Layout.Columns.Select(c => c.ReferencePosition).ToArray());
        Assert.AreEqual(1, a.ReferenceRow);
        a = Load(path, Unfiltered with { FirstReferencePosition = 100 });
        Assert.AreEqual(103, a.Layout.Columns[3].ReferencePosition);
        var e = Assert.ThrowsExactly<ArgumentException>(() => Load(path, Unfiltered with { ReferenceNumbers = [1] }));
        Assert.Contains("has 4 residues", e.Message);
        Assert.ThrowsExactly<ArgumentException>(() => Load(path, Unfiltered with { ReferenceNumbers = [1, 3, 2, 4] }));
    }

    [TestMethod]
    public void Options_AreChecked()
    {
        string path = _files.Write("a.fasta", ">a\nACDE\n");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Load(path, new SequenceAlignmentOptions { MaxSequenceGapShare = 1.5 }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Load(path, new SequenceAlignmentOptions { MaxColumnGapShare = double.NaN }));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Load(path, new SequenceAlignmentOptions { Format = (AlignmentFormat)9 }));
        Assert.ThrowsExactly<FileNotFoundException>(() => Load(_files["none.fasta"]));
    }

    [TestMethod]
    public void Fasta_LinesAcrossBufferBorders()
    {
        // Lines longer than the first buffer, and many lines, so that refills fall everywhere.
        var random = new Random(5);
        string first = Random(random, 1_300_000), second = Random(random, 1_300_000);
        var text = new StringBuilder(">a\n").Append(first).Append("\n>b\n");
        for (int i = 0; i < second.Length; i += 61)
            text.Append(second.AsSpan(i, Math.Min(61, second.Length - i))).Append("\r\n");
        var a = Load(_files.Write("a.fasta", text.ToString()), Unfiltered with { MaxColumns = 2_000_000 });
        Assert.AreEqual(first, a.Sequence(0));
        Assert.AreEqual(second, a.Sequence(1));

        static string Random(Random random, int length) => new(random.GetItems<char>("ACDEFGHIKLMNPQRSTVWY-", length));
    }

    [TestMethod]
    public void Alphabets_DnaRnaAndOnesOwn()
    {
        string path = _files.Write("a.fasta", ">a\nACGTUN-\n");
        Assert.AreEqual("ACGTTN-", Load(path, Unfiltered with { Alphabet = SequenceAlphabet.Dna }).Sequence(0));
        Assert.AreEqual("ACGUUN-", Load(path, Unfiltered with { Alphabet = SequenceAlphabet.Rna }).Sequence(0));
        var binary = SequenceAlphabet.Create("HP", "HP", GapTreatment.Missing, "?");
        var a = Load(_files.Write("b.fasta", ">a\nHPh?-\n"), Unfiltered with { Alphabet = binary });
        CollectionAssert.AreEqual(new byte[] { 0, 1, 0, 3, 2 }, a.Row(0).ToArray());
        Assert.AreEqual("HPH?-", a.Sequence(0));
    }

    [TestMethod]
    [DataRow("f.fasta", ">r/3-7 x|y\nACDEF\n>s\nAC-EF\n>t\nACDXF\n")]
    [DataRow("f.a2m", ">r/3-7 x|y\nACkDEF\n>s\nAC.-EF\n>t\nACnnDXF\n")]
    [DataRow("f.sto", "# STOCKHOLM 1.0\n#=GS r OS x\nr ACD\ns A-D\n\nr EF\ns EF\n//\n")]
    [DataRow("g.sto", "# STOCKHOLM 1.0\nr ACD\ns A-D\ns GGG\n#=GC RF x.x\n\nr EF\ns EF\ns KK\n#=GC RF x.\n//\n")]
    [DataRow("g.a3m", "#5\t1\n>ss_pred\nHHCCC\n>\nACkDEF\n>s\t30\nAC-EF\n>s\t22\nACnnDXF\n\0>102\nACD\n")]
    public void Damage_IsAlwaysNamed(string name, string text)
    {
        // Whatever bytes are changed, taken out or put in, the file is read or refused with its name; nothing else happens.
        var random = new Random(1);
        byte[] original = Encoding.UTF8.GetBytes(text);
        int refused = 0;
        for (int i = 0; i < 1500; i++)
        {
            var bytes = new List<byte>(original);
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                int at = random.Next(bytes.Count);
                byte value = random.Next(3) == 0 ? (byte)random.Next(256) : (byte)">\n\r #/-.aA|\t\0=_s"[random.Next(16)];
                switch (random.Next(4))
                {
                    case 0: bytes[at] = value; break;
                    case 1: bytes.Insert(at, value); break;
                    case 2: bytes.RemoveAt(at); break;
                    default: bytes.RemoveRange(at, Math.Min(random.Next(1, 20), bytes.Count - at)); break;
                }
                if (bytes.Count == 0)
                    break;
            }
            File.WriteAllBytes(_files[name], [.. bytes]);
            try
            {
                var a = Load(_files[name], (i % 2 == 0 ? Unfiltered : new SequenceAlignmentOptions()) with { AnnotationSeparator = "|" });
                Assert.IsTrue(a.Count > 0 && a.Length > 0 && a.Tokens.Length == a.Count * a.Length);
            }
            catch (InvalidDataException e)
            {
                Assert.Contains(_files[name], e.Message);
                refused++;
            }
        }
        Assert.IsTrue(refused is > 100 and < 1500, $"{refused} refused");
    }

    [TestMethod]
    public void RealData_SerineProteases()
    {
        var options = new SequenceAlignmentOptions
        {
            ReferenceName = "gi|62738027|pdb|1T8O|A",
            AnnotationStart = "__",
            AnnotationSeparator = "|",
            AnnotationNames = ["Clade", "Blood", "Species", "Class", "Order", "Family", "Activity"],
        };
        var all = Load(RealData.Path("proteins/S1A_serine_proteases.an"), options with { MaxSequenceGapShare = 1, MaxColumnGapShare = 1 });
        Assert.AreEqual(1470, all.Count);
        Assert.AreEqual(832, all.Length);
        Assert.AreEqual("Mammalia", all.Annotation("Class")[all.ReferenceRow]);
        Assert.AreEqual("chymotrypsin", all.Annotation("Activity")[all.ReferenceRow]);
        Assert.Contains("not vertebrate", all.Annotation("Clade"));

        var filtered = Load(RealData.Path("proteins/S1A_serine_proteases.an"), options);
        Assert.AreEqual(1470, filtered.Count);
        Assert.AreEqual(234, filtered.Length);
        // Bovine chymotrypsinogen numbers itself: the catalytic triad is where textbooks say.
        var triad = SequenceStatistics.Conservation(filtered, (57, 'H'), (102, 'D'), (195, 'S'));
        Assert.IsTrue(triad.Sites.All(site => site.Share > 0.89), string.Join(", ", triad.Sites));
    }

    [TestMethod]
    public void RealData_Tp53()
    {
        var all = Load(RealData.Path("proteins/P53_HUMAN_b0.1.a2m"));
        Assert.AreEqual(3668, all.Count);
        Assert.AreEqual(393, all.Layout.Reference.Length);
        Assert.AreEqual("R175", all.Layout.ColumnNames().Single(name => name == "R175"));
    }
}
