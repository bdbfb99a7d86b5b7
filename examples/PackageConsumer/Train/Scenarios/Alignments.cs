using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>Aligned sequences: read, split, weighed, counted, written.</summary>
internal static class Alignments
{
    public static void Run(MLContext ml, string folder)
    {
        string file = Path.Combine(folder, "family.fasta");
        string[] sequences = Family.Draw(300, seed: 1);
        FastaFile.Write(file, sequences.Select((sequence, i) => ($"member{i} bacteria|{i % 7}", sequence)));
        string[] annotations = ["Kingdom", "Group"];
        var options = new SequenceAlignmentOptions { AnnotationStart = " ", AnnotationSeparator = "|", AnnotationNames = annotations };
        var alignment = ml.Vae.LoadAlignment(file, options);
        Read(alignment, sequences);
        AsData(alignment);
        Parts(alignment, sequences);
        Weights(ml, alignment);
        Statistics(alignment);

        // Sequences of any data as FASTA.
        string copy = Path.Combine(folder, "copy.fasta"), zipped = Path.Combine(folder, "copy.fasta.gz");
        alignment.SaveFasta(copy, lineWidth: 0);
        ml.Vae.SaveFasta(alignment, zipped);
        Expect.That(File.ReadLines(copy).First() == ">member0 bacteria|0", "whole headers are written");
        Expect.That(ml.Vae.LoadAlignment(copy).Tokens.Span.SequenceEqual(alignment.Tokens.Span), "a copy reads as the original");
        Expect.That(ml.Vae.LoadAlignment(zipped).Names.SequenceEqual(alignment.Names), "a gzipped copy has the names");
    }

    private static void Read(SequenceAlignment alignment, string[] sequences)
    {
        Expect.That(alignment is { Count: 301, Length: 12, ReferenceRow: 0 }, "all sequences are read");
        Expect.That(alignment.Alphabet.Equals(SequenceAlphabet.AminoAcids), "they are proteins");
        Expect.That(alignment.Names[7] == "member7" && alignment.Headers[7] == "member7 bacteria|0", "names and headers are kept");
        Expect.That(alignment.AnnotationNames is ["Kingdom", "Group"] && alignment.Annotation("Group")[8] == "1", "annotations are split");
        Expect.That(alignment.Sequence(5) == sequences[5] && alignment.Alphabet.Decode(alignment.Row(5)) == sequences[5],
            "sequences are kept");
        Expect.That(!alignment.HasWeights && alignment.Weights.IsEmpty, "there are no weights");
    }

    // An alignment is a data view: its columns go into pipelines as they are, the layout with them.
    private static void AsData(SequenceAlignment alignment)
    {
        Expect.That(alignment.CanShuffle && alignment.GetRowCount() == 301, "the view says what it can");
        bool has = SequenceAlignment.TryGetLayout(alignment.Schema, SequenceAlignment.TokensColumn, out var layout);
        Expect.That(has && layout!.Reference == Family.Reference, "the layout goes along");
        var name = alignment.Schema[SequenceAlignment.NameColumn];
        using var cursor = alignment.GetRowCursor([name]);
        var getter = cursor.GetGetter<ReadOnlyMemory<char>>(name);
        ReadOnlyMemory<char> text = default;
        Expect.That(cursor.MoveNext(), "there is a first row");
        getter(ref text);
        Expect.That(text.ToString() == "member0", "the first row has its name");
        long rows = 0;
        foreach (var part in alignment.GetRowCursorSet([name], n: 2))
        {
            using (part)
            {
                while (part.MoveNext())
                    rows++;
            }
        }
        Expect.That(rows == 301, "several cursors share the rows");
    }

    private static void Parts(SequenceAlignment alignment, string[] sequences)
    {
        var some = alignment.Select([3, 1]);
        Expect.That(some.Count == 2 && some.Sequence(0) == sequences[3], "rows are selected in their order");
        var (train, test) = alignment.Split(testShare: 0.2, seed: 1);
        Expect.That(train.Count + test.Count == 301 && test.Count is > 30 and < 90, "a fifth is held out");
        var tokens = SequenceAlignment.FromTokens(alignment.Layout, alignment.Row(0), ["only"]);
        Expect.That(tokens.Names[0] == "only" && tokens.Sequence(0) == Family.Reference, "tokens make an alignment");
    }

    // Near duplicates count less.
    private static void Weights(MLContext ml, SequenceAlignment alignment)
    {
        var options = new SequenceWeightOptions { Identity = 0.9 };
        var weights = ml.Vae.SequenceWeights(alignment, options: options);
        Expect.That(weights.EffectiveCount is > 10 and < 301, $"some sequences are near others ({weights.EffectiveCount} effective ones)");
        Expect.Near(weights.Values.Span[4], 1f / weights.Neighbours.Span[4], 1e-6, "a weight");
        var weighted = alignment.WithSequenceWeights(options);
        Expect.That(weighted.HasWeights && weighted.Weights.Span.SequenceEqual(weights.Values.Span), "the weights go with the sequences");
        Expect.Near([.. ml.Vae.AddSequenceWeights(alignment, options: options).GetColumn<float>("Weight")], weights.Values.Span, 0,
            "a weight in the data");
        Expect.That(alignment.WithWeights(weights.Values.Span).Weights.Span.SequenceEqual(weights.Values.Span), "own weights can be given");
    }

    // What distinguishes a family: letters that never change, and columns that change together.
    private static void Statistics(SequenceAlignment alignment)
    {
        var options = new SequenceStatisticsOptions { Triples = 50, Seed = 1 };
        alignment.Alphabet.TryGetToken('K', out int k);
        Expect.Near(SequenceStatistics.SingleSiteFrequencies(alignment, options)[1, k], 0.5, 0.1, "the share of K in the second column");
        Expect.Near(SequenceStatistics.PairCorrelations(alignment, 1, 4, options)[k, k], 0.25, 0.05,
            "the correlation of the second and the fifth column's K");
        double[,] information = SequenceStatistics.MutualInformation(alignment, options);
        Expect.That(information[1, 4] > 0.6 && information[2, 5] < 0.1, "columns that change together share information, others do not");
        Expect.Near(SequenceStatistics.Conservation(alignment, (1, 'A'), (4, 'E')).All, 1, 0, "the share of sequences with both letters");

        // A model of columns on their own keeps frequencies and loses what columns have in common.
        var generated = SiteIndependentModel.Fit(alignment).Sample(300, seed: 1);
        var comparison = SequenceStatistics.Compare(alignment, generated, options);
        Expect.That(comparison.SingleSite.Pearson > 0.95 && comparison.Pairs.Slope < 0.5, "frequencies are kept and pairs are lost");
        Expect.Near(SequenceStatistics.CompareSingleSites(alignment, generated, options).Pearson, comparison.SingleSite.Pearson, 1e-9,
            "the agreement of single sites alone");
        Expect.Near(SequenceStatistics.ComparePairs(alignment, generated, options).Slope, comparison.Pairs.Slope, 1e-9,
            "the agreement of pairs alone");
        Expect.Near(SequenceStatistics.CompareTriples(alignment, generated, options).Slope, comparison.Triples.Slope, 1e-9,
            "the agreement of triples alone");
        Expect.That(SequenceStatistics.NearestIdentities(generated, alignment).All(nearest => nearest.Identity is > 0.5 and <= 1),
            "generated sequences are like the family");
    }
}
