using System.Globalization;
using System.Text;
using Microsoft.ML;

namespace Vae.MLNet.Tests.Sequences;

/// <summary>Alignments as ColabFold, HH-suite, HMMER and old programs write them.</summary>
[TestClass]
public sealed class AlignmentsInTheWildTests
{
    private static readonly SequenceAlignmentOptions Unfiltered = new() { MaxSequenceGapShare = 1, MaxColumnGapShare = 1 };

    private readonly TemporaryFolder _files = new();

    [TestCleanup]
    public void Clean() => _files.Dispose();

    /// <summary>Reads a text plain and zipped, with each kind of line end: all have to give the same.</summary>
    private SequenceAlignment Load(string name, string text, SequenceAlignmentOptions? options = null)
    {
        SequenceAlignment? first = null;
        foreach (string end in (string[])["\n", "\r\n", "\r"])
        {
            string content = text.Replace("\n", end, StringComparison.Ordinal);
            foreach (string path in (string[])[_files.Write(name, content), _files.WriteGzip(name + ".gz", content)])
            {
                var a = new MLContext(0).Vae.LoadAlignment(path, options ?? Unfiltered);
                first ??= a;
                CollectionAssert.AreEqual(first.Names.ToArray(), a.Names.ToArray());
                CollectionAssert.AreEqual(first.Headers.ToArray(), a.Headers.ToArray());
                CollectionAssert.AreEqual(first.Tokens.ToArray(), a.Tokens.ToArray());
                CollectionAssert.AreEqual(first.AnnotationRows.ToArray(), a.AnnotationRows.ToArray());
                Assert.AreEqual(first.Filtering, a.Filtering);
                Assert.AreEqual(first.ReferenceRow, a.ReferenceRow);
            }
        }
        return first!;
    }

    private string Refused(string name, string text, SequenceAlignmentOptions? options = null)
    {
        string path = _files.Write(name, text);
        string message = Assert.ThrowsExactly<InvalidDataException>(() => new MLContext(0).Vae.LoadAlignment(path, options ?? Unfiltered)).Message;
        Assert.Contains(path, message);
        Assert.AreEqual(message.Replace(path, "", StringComparison.Ordinal),
            Assert.ThrowsExactly<InvalidDataException>(() => new MLContext(0).Vae.LoadAlignment(_files.WriteGzip("z" + name + ".gz", text), options ?? Unfiltered)).Message
                .Replace(_files["z" + name + ".gz"], "", StringComparison.Ordinal));
        return message;
    }

    [TestMethod]
    [DataRow("a.a3m", "#8\t1\n>101\nACDEFGHI\n>u\nACkDE-GHI\n")]
    [DataRow("a.a3m", "\n# a comment, as HH-suite's first line\n>101\nACDE\n# within a sequence\nFGHI\n#\n>u\nACkDE-GHI\n#end")]
    [DataRow("a.fasta", "#=made by hand\n>101\nACDEFGHI\n#> no header\n>u\nACDE-GHI\n")]
    [DataRow("a.fas", "#8\t1\n>101\nACDEFGHI\n>u\nACkDE-GHI\n")]
    [DataRow("a", "#5,3\t1,2\n>101\nACDEFGHI\n>u\nACDE-GHIkkk\n")]
    public void Comments_ArePassedOver(string name, string text)
    {
        var a = Load(name, text);
        CollectionAssert.AreEqual(new[] { "101", "u" }, a.Names.ToArray());
        Assert.AreEqual("ACDEFGHI", a.Sequence(0));
        Assert.AreEqual("ACDE-GHI", a.Sequence(1));
    }

    [TestMethod]
    [DataRow(">a\nACD\n>b\nAC-\n\0", 0)]
    [DataRow(">a\nACD\n>b\nAC-\0", 0)]
    [DataRow(">a\nACD\n>b\nAC-\n\0\0\0\n \n\0", 0)]
    [DataRow(">a\nACD\n>b\nAC-\n\0>102\nACDEFGHIKL\n>c\nACDEFGHIKL\n\0", 1)]
    [DataRow("#3\t1\n>a\nACD\n>b\nAC-\n\0#9\t1\n>102\nACD1\n\0\n>103\nAA\n>103\nA\n\0>104", 3)]
    [DataRow("\0>a\nACD\n>b\nAC-\n\0>c\nA\n", 1)]
    [DataRow("# nothing but a comment\n\0>a\nACD\n>b\nAC-", 0)]
    public void Nul_DividesAlignmentsAndTheFirstIsRead(string text, int skipped)
    {
        foreach (string name in (string[])["a.a3m", "a.fasta"])
        {
            var a = Load(name, text);
            CollectionAssert.AreEqual(new[] { "a", "b" }, a.Names.ToArray());
            Assert.AreEqual("AC-", a.Sequence(1));
            Assert.AreEqual(skipped, a.Filtering.AlignmentsSkipped);
        }
    }

    [TestMethod]
    [DataRow(">a\nACD\n>b\nA\0D\n", "line 3, column 1: sequence 'b' has 1 columns")]
    [DataRow(">a\nACD\n>b\nA\0D\n", "the alignment ends at byte 0x00 in line 4, column 2")]
    [DataRow(">a\nACD\n>b\nACD\0D\n", "line 4, column 4: byte 0x00 stands before 'D'")]
    [DataRow(">a\nACD\n\0\0ACD\n", "line 3, column 1: byte 0x00 stands before 'A'")]
    [DataRow(">a\nA\0D\n", "line 2, column 2: byte 0x00 stands before 'D'")]
    [DataRow(">a\nACD\n\0>c\nA\0b\n", "line 4, column 2: byte 0x00 stands before 'b'")]
    [DataRow(">a\nACD\n>b\nA\0", "sequence 'b' has 1 columns")]
    [DataRow(">a\0>b\nACD\n", "line 1, column 1: sequence 'a' is empty")]
    [DataRow("\0\0\n\0", "the file has no sequences")]
    [DataRow("#\0#\n", "the file has no sequences")]
    public void Nul_WithinAnAlignmentIsDamage(string text, string expected) => Assert.Contains(expected, Refused("a.fasta", text));

    [TestMethod]
    public void Nul_ManyAreReadAtOnce()
    {
        string path = _files.WriteGzip("a.a3m.gz", ">a\nACD\n" + new string('\0', 20_000_000) + ">b\nA");
        Assert.AreEqual(1, new MLContext(0).Vae.LoadAlignment(path, Unfiltered).Filtering.AlignmentsSkipped);
    }

    [TestMethod]
    public void Skipped_AreInTheLog()
    {
        var ml = new MLContext(0);
        var log = new List<string>();
        ml.Log += (_, e) => log.Add(e.Message);
        ml.Vae.LoadAlignment(_files.Write("a.a3m", ">a\nACD\n>ss_pred\nHHC\n>a\nACD\n\0>b\nA\n\0>c\nA\n"), Unfiltered);
        Assert.IsTrue(log.Exists(line => line.Contains("The file holds 2 more alignments", StringComparison.Ordinal)), string.Join('\n', log));
        Assert.IsTrue(log.Exists(line => line.Contains("1 rows of annotation set aside: ss_pred", StringComparison.Ordinal)));
        Assert.IsTrue(log.Exists(line => line.Contains("1 sequences have the name of an earlier one", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void Names_RepeatedAreKeptAndNumbered()
    {
        var a = Load("a.a3m", ">q\nACD\n>A\t30\nACD\n>A\t22\nAC-\n>A#2\nA--\n>A\t20\n-CD\n>A#2\n--D\n>q\n-C-\n");
        CollectionAssert.AreEqual(new[] { "q", "A", "A#3", "A#2", "A#4", "A#2#2", "q#2" }, a.Names.ToArray());
        CollectionAssert.AreEqual(new[] { "q", "A\t30", "A\t22", "A#2", "A\t20", "A#2", "q" }, a.Headers.ToArray());
        Assert.AreEqual("-CD", a.Sequence(4));
        Assert.AreEqual(4, a.Filtering.RepeatedNames);
        Assert.AreEqual(0, a.ReferenceRow);

        // What is written down reads back the same, by headers as by names.
        a.SaveFasta(_files["headers.fasta"]);
        new MLContext(0).Vae.SaveFasta(a, _files["names.fasta"]);
        foreach (string path in (string[])[_files["headers.fasta"], _files["names.fasta"]])
        {
            var back = new MLContext(0).Vae.LoadAlignment(path, Unfiltered);
            CollectionAssert.AreEqual(a.Tokens.ToArray(), back.Tokens.ToArray());
            CollectionAssert.AreEqual(a.Names.ToArray(), back.Names.ToArray());
        }
    }

    [TestMethod]
    public void Names_AnyNumberOfOneNameIsRead()
    {
        const int Count = 100_000;
        var text = new StringBuilder();
        for (int i = 0; i < Count; i++)
            text.Append(CultureInfo.InvariantCulture, $">{(i % 2 == 0 ? "x" : $"x#{i}")}\nAC\n");
        var a = new MLContext(0).Vae.LoadAlignment(_files.Write("a.fasta", text.ToString()), Unfiltered);
        Assert.HasCount(Count, a.Names.Distinct().ToArray());
        Assert.AreEqual("x#2", a.Names[2]);
        Assert.AreEqual("x#99999", a.Names[^1]);
    }

    [TestMethod]
    public void Reference_OfSeveralOfItsNameIsTheFirstUnlessNumbered()
    {
        const string Text = ">q\nACDE\n>r/5-8\nACDE\n>r/5-8\nACD-\n>r/5-8\n-CDE\n";
        Assert.AreEqual(1, Load("a.fasta", Text, Unfiltered with { ReferenceName = "r/5-8" }).ReferenceRow);
        var second = Load("a.fasta", Text, Unfiltered with { ReferenceName = "r/5-8#3" });
        Assert.AreEqual(3, second.ReferenceRow);
        Assert.AreEqual("CDE", second.Layout.Reference);
        var given = Load("a.fasta", Text + ">r/5-8#2\nAC--\n", Unfiltered with { ReferenceName = "r/5-8#2" });
        Assert.AreEqual(4, given.ReferenceRow);
        Assert.AreEqual("AC", given.Layout.Reference);
        // The range of the name counts, whatever number it got.
        var ranged = Load("a.fasta", ">q\nACDE\n>r/5-8\n-CDE\n>r/5-8\nACDE\n", Unfiltered with { ReferenceName = "r/5-8#2" });
        Assert.AreEqual(5, ranged.Layout.Columns[0].ReferencePosition);
        Assert.Contains("no sequence is named 'r/5-8#4'", Refused("b.fasta", Text, Unfiltered with { ReferenceName = "r/5-8#4" }));
    }

    [TestMethod]
    [DataRow(">\nACD\n>b\nAC-\n", "query", "b")]
    [DataRow(">   \t\nACD\n>query\nAC-\n", "query", "query#2")]
    [DataRow(">a\nACD\n>\nAC-\n", "a", "sequence2")]
    [DataRow(">\nACD\n>\nAC-\n", "query", "sequence2")]
    [DataRow(">ss_pred\nHHH\n>\nACD\n>b\nAC-\n", "query", "b")]
    public void Names_MissingAreGiven(string text, params string[] names)
    {
        var a = Load("a.a3m", text);
        CollectionAssert.AreEqual(names, a.Names.ToArray());
        Assert.AreEqual(names[0], a.Layout.ReferenceName);
        a.SaveFasta(_files["back.fasta"]);
        CollectionAssert.AreEqual(names, new MLContext(0).Vae.LoadAlignment(_files["back.fasta"], Unfiltered).Names.ToArray());
    }

    [TestMethod]
    public void Annotations_OfHhSuiteAreSetAsideWhereverTheyStand()
    {
        var a = Load("a.a3m", """
            >ss_dssp
            -HHC~
            >sa_dssp
            AB-CE
            >ss_pred PSIPRED
            CH
            HHC
            >ss_conf
            91 239
            >sa_pred
            0AB19
            >aa_pred
            XXXX
            >q
            ACDEF
            >ss_other
            1
            >SS_PRED
            HHCCC
            > ss_pred
            HHHHH
            >b
            ACkD-F
            >ss_pred
            EEEEE
            """);
        CollectionAssert.AreEqual(new[] { "q", "SS_PRED", "ss_pred", "b" }, a.Names.ToArray(), "HH-suite goes by case, and by what stands behind the '>'.");
        Assert.AreEqual("q", a.Layout.ReferenceName);
        Assert.AreEqual("ACDEF", a.Layout.Reference);
        Assert.AreEqual(8, a.Filtering.AnnotationRows);
        Assert.AreEqual(4, a.Filtering.SequencesRead);
        CollectionAssert.AreEqual(new[] { "ss_dssp", "sa_dssp", "ss_pred", "ss_conf", "sa_pred", "aa_pred", "ss_other", "ss_pred" }, a.AnnotationRows.Select(row => row.Name).ToArray());
        Assert.AreEqual(new AlignmentAnnotationRow("ss_pred", "CHHHC"), a.AnnotationRows[2]);
        Assert.AreEqual("91239", a.AnnotationRows[3].Text);
        Assert.HasCount(8, a.Select([0, 2]).WithSequenceWeights().AnnotationRows);
    }

    [TestMethod]
    public void Annotations_InFastaAreThoseThatHhSuiteNames()
    {
        const string Text = ">sa_12345\nACD\n>ss_pred\nHHC\n>ss_conf\n987\n>aa_1\nAC-\n>ss_dssp\n\n";
        var a = Load("a.fasta", Text);
        CollectionAssert.AreEqual(new[] { "sa_12345", "aa_1" }, a.Names.ToArray(), "Other names of this beginning may be sequences.");
        Assert.AreEqual(3, a.Filtering.AnnotationRows);
        a = Load("a.a3m", ">sa_12345\nACD\n>aa_1\nAC-\n", Unfiltered with { KeepAnnotationRows = true });
        CollectionAssert.AreEqual(new[] { "sa_12345", "aa_1" }, a.Names.ToArray());
    }

    [TestMethod]
    public void Annotations_AloneAreNoAlignment()
    {
        Assert.Contains("no sequences, only 2 rows of annotation such as 'ss_pred'", Refused("a.a3m", ">ss_pred\nHHC\n>ss_conf\n123\n"));
        Assert.Contains("rows of annotation such as 'ss_pred' are no sequences", Refused("a.a3m", ">a\nACD\n>ss_pred\nHHC\n", Unfiltered with { ReferenceName = "ss_pred" }));
        Assert.Contains("set KeepAnnotationRows", Refused("a.a3m", ">a\nACD\n" + string.Concat(Enumerable.Range(0, 300).Select(i => $">sa_{i}\nACD\n"))));
    }

    [TestMethod]
    public void LineEnds_FallOnBordersOfTheBuffer()
    {
        // The reader fills 1 MiB at a time: CR LF is cut in two by one of these lengths, and CR alone comes last in the buffer.
        for (int length = (1 << 20) - 6; length <= 1 << 20; length++)
        {
            string sequence = new('A', length);
            foreach (string end in (string[])["\r\n", "\r", "\n"])
            {
                var a = new MLContext(0).Vae.LoadAlignment(_files.Write("a.fasta", $">a{end}{sequence}{end}>b{end}{sequence}"), Unfiltered with { MaxColumns = 2 << 20 });
                CollectionAssert.AreEqual(new[] { "a", "b" }, a.Names.ToArray());
                Assert.AreEqual(length, a.Length);
            }
        }
    }

    [TestMethod]
    public void LineEnds_ErrorsCountLines()
    {
        Assert.Contains("line 4, column 2: '1'", Refused("a.fasta", ">a\rACD\r>b\rA1D\r"));
        Assert.Contains("line 4, column 2: '1'", Refused("a.fasta", ">a\r\nACD\n>b\rA1D\r"));
        Assert.Contains("line 4, column 1: sequence 'b' has 2", Refused("a.sto", "# STOCKHOLM 1.0\r\ra ACD\rb AC\r//\r"));
    }

    private const string Hmmer = """
        # STOCKHOLM 1.0
        #=GF ID made
        #=GS two/3-9 DE a hit

        one/1-6         --AcDE.
        #=GR one/1-6 PP ..789*.
        two/3-9         kkA.-Ef
        #=GR two/3-9 PP 99*.9*.
        #=GC PP_cons    ..98*..
        #=GC RF         ..x.xx.

        one/1-6         FG
        two/3-9         F-
        #=GC PP_cons    **
        #=GC RF         xx
        //
        """;

    [TestMethod]
    public void Stockholm_RfMarksMatchColumns()
    {
        var a = Load("a.sto", Hmmer);
        Assert.AreEqual("ADEFG", a.Sequence(0));
        Assert.AreEqual("A-EF-", a.Sequence(1));
        Assert.AreEqual("ACDEFG", a.Layout.Reference, "Residues between match columns are of the reference, as in A2M.");
        CollectionAssert.AreEqual(new int?[] { 1, 3, 4, 5, 6 }, a.Layout.Columns.Select(c => c.ReferencePosition).ToArray());
        CollectionAssert.AreEqual(new[] { 2, 4, 5, 7, 8 }, a.Layout.Columns.Select(c => c.SourceColumn).ToArray());
        Assert.AreEqual(5, a.Filtering.ColumnsRead);
        CollectionAssert.AreEqual(new AlignmentAnnotationRow[] { new("PP_cons", "..98*..**"), new("RF", "..x.xx.xx") }, a.AnnotationRows.ToArray());

        // The same alignment as A2M gives the same.
        var a2m = Load("a.a2m", ">one/1-6\n..AcDE.FG\n>two/3-9\nkkA.-EfF-\n");
        CollectionAssert.AreEqual(a2m.Tokens.ToArray(), a.Tokens.ToArray());
        CollectionAssert.AreEqual(a2m.Layout.Columns.Select(c => (c.ReferencePosition, c.ReferenceLetter)).ToArray(), a.Layout.Columns.Select(c => (c.ReferencePosition, c.ReferenceLetter)).ToArray());

        var all = Load("a.sto", Hmmer, Unfiltered with { UseRfColumns = false });
        Assert.AreEqual("--ACDE-FG", all.Sequence(0));
        CollectionAssert.AreEqual(Enumerable.Range(0, 9).ToArray(), all.Layout.Columns.Select(c => c.SourceColumn).ToArray());
        Assert.HasCount(2, all.AnnotationRows);
    }

    [TestMethod]
    public void Stockholm_RfInTheWays()
    {
        // Letters of a consensus, as Rfam writes them, and the other signs of insertions.
        var a = Load("a.sto", "# STOCKHOLM 1.0\nr ACDEFG\ns ACDEFG\n#=GC\tRF\tg-_~*A\n//\n");
        Assert.AreEqual("AG", a.Sequence(0));
        // Through the filters, columns stay those of the file.
        a = Load("a.sto", "# STOCKHOLM 1.0\nr -CDEFG\ns -C--FG\n#=GC RF x.xxxx\n//\n", new SequenceAlignmentOptions { MaxColumnGapShare = 0.5, MaxSequenceGapShare = 0.5 });
        CollectionAssert.AreEqual(new[] { 2, 3, 4, 5 }, a.Layout.Columns.Select(c => c.SourceColumn).ToArray());
        CollectionAssert.AreEqual(new int?[] { 2, 3, 4, 5 }, a.Layout.Columns.Select(c => c.ReferencePosition).ToArray());
        // A reference that ends in insertions.
        a = Load("a.sto", "# STOCKHOLM 1.0\nr AC\ns A-\n#=GC RF x.\n//\n");
        Assert.AreEqual("AC", a.Layout.Reference);
        Assert.AreEqual(1, a.Length);
    }

    [TestMethod]
    [DataRow("# STOCKHOLM 1.0\nr ACD\n#=GC RF xx\n//\n", "line 3, column 1: '#=GC RF' has 2 columns; the sequences have 3")]
    [DataRow("# STOCKHOLM 1.0\nr ACD\n#=GC RF xxx\n#=GC RF xxx\n//\n", "line 4, column 1: '#=GC RF' has 6 columns")]
    [DataRow("# STOCKHOLM 1.0\nr ACD\n\nr ACD\n#=GC RF xxx\n//\n", "'#=GC RF' has 3 columns; the sequences have 6")]
    [DataRow("# STOCKHOLM 1.0\nr ACD\n#=GC RF ...\n//\n", "marks none of 3 columns")]
    [DataRow("# STOCKHOLM 1.0\nr ACD\n#=GC RF\n//\n", "line 3, column 1: '#=GC'")]
    [DataRow("# STOCKHOLM 1.0\nr ACD\n#=GCRF xxx\n//\n", "line 3, column 1: '#=GC'")]
    [DataRow("# STOCKHOLM 1.0\nr ACD\n#=GC RF xx", "ends without '//'")]
    [DataRow("# STOCKHOLM 1.0\nr ACD\0\n//\n", "ends without '//'")]
    public void Stockholm_RfThatDoesNotFitIsNamed(string text, string expected) => Assert.Contains(expected, Refused("a.sto", text));

    [TestMethod]
    public void Stockholm_AnnotationsAreBounded()
    {
        Assert.Contains("more than 256 different names of '#=GC'", Refused("a.sto", "# STOCKHOLM 1.0\nr ACD\n" + string.Concat(Enumerable.Range(0, 300).Select(i => $"#=GC c{i} xxx\n")) + "//\n"));
        Assert.Contains("which MaxColumns forbids", Refused("a.sto", "# STOCKHOLM 1.0\nr ACD\n#=GC RF xxxx\n//\n", Unfiltered with { MaxColumns = 3 }));
    }

    [TestMethod]
    public void Stockholm_RowsOfOneNameGoTogetherByTheirOrderInBlocks()
    {
        var a = Load("a.sto", "# STOCKHOLM 1.0\n#=GS s OS x\nr ACD\ns A-D\ns -CD\n\nr EF\ns E-\ns -F\n//\n\n");
        CollectionAssert.AreEqual(new[] { "r", "s", "s#2" }, a.Names.ToArray());
        Assert.AreEqual("A-DE-", a.Sequence(1));
        Assert.AreEqual("-CD-F", a.Sequence(2));
        CollectionAssert.AreEqual(new[] { "", "x", "x" }, a.Annotation("OS").ToArray());
        // Databases of families have one alignment behind the other.
        var pfam = Load("c.sto", "# STOCKHOLM 1.0\nr ACD\ns ACW\n//\n# STOCKHOLM 1.0\nr WWWWW\n\nt -----\n//\n\n# STOCKHOLM 1.0\nu A\n//\n");
        Assert.AreEqual(2, pfam.Filtering.AlignmentsSkipped);
        CollectionAssert.AreEqual(new[] { "r", "s" }, pfam.Names.ToArray());
        Assert.AreEqual(3, pfam.Layout.Length);
        Assert.AreEqual(1, Load("b.sto", "# STOCKHOLM 1.0\nr ACD\n//\n\0# STOCKHOLM 1.0\nq ACD\n//\n").Filtering.AlignmentsSkipped);
        Assert.Contains("line 4, column 1: sequence 's' has 3 columns", Refused("a.sto", "# STOCKHOLM 1.0\nr ACD\ns A-D\ns -CD\n\nr EF\ns E-\n//\n"));
    }

    [TestMethod]
    public void Filters_ThatLeaveOnlyTheReferenceAreNamed()
    {
        string message = Refused("a.fasta", ">r\nACDE\n>b\nA---\n>c\n---E\n", new SequenceAlignmentOptions());
        Assert.Contains("only the reference 'r' of 3 sequences passes the filters: 2 have more than 50 % gaps", message);
        Assert.Contains("raise MaxSequenceGapShare", message);
        message = Refused("a.fasta", ">r\nACDE\n>b\nAXDE\n>c\n---E\n", new SequenceAlignmentOptions { AmbiguousLetters = AmbiguousLetterTreatment.DropSequence });
        Assert.Contains("1 have ambiguous letters", message);
        // One sequence is one from the start: it is read, and the training says that it needs two.
        var one = Load("a.fasta", ">r\nACDE\n");
        var e = Assert.ThrowsExactly<ArgumentException>(() => new MLContext(0).Vae.SequenceAutoencoder().Fit(one));
        Assert.Contains("The data has one sequence", e.Message);
        Assert.Contains("at least two are expected", e.Message);
    }
}
