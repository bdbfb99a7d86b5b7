using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>Letters, tokens and columns of sequences, without any model.</summary>
internal static class Alphabets
{
    public static void Run()
    {
        var dna = SequenceAlphabet.Dna;
        Expect.That(dna is { LetterCount: 4, GapToken: 4, UnknownToken: 5, TokenCount: 6, InputSymbolCount: 5, OutputSymbolCount: 5 },
            "DNA has four letters and a gap");
        Expect.That(dna.WithGaps(GapTreatment.Missing) is { InputSymbolCount: 4, OutputSymbolCount: 4 }, "a missing gap is no symbol");
        Expect.That(dna.Encode("acgu-N") is [0, 1, 2, 3, 4, 5] && dna.Decode([0, 1, 2, 3, 4]) == "ACGT-",
            "text becomes tokens and text again");
        Expect.That(dna.TryGetToken('t', out int token) && token == 3 && dna.LetterOf(token) == 'T' && !dna.TryGetToken('!', out _),
            "letters have tokens, other signs have none");
        var synonyms = new Dictionary<char, char> { ['O'] = 'P' };
        var binary = SequenceAlphabet.Create("hydrophobic or polar", "HP", ambiguousLetters: "X", synonyms: synonyms);
        Expect.That(binary.Decode(binary.Encode("HOX")) == "HPX" && !binary.Equals(dna), "an alphabet can be one's own");

        var layout = SequenceLayout.FromReference(dna, "ACGT", "probe", firstPosition: 10);
        Expect.That(layout is { Length: 4, ReferenceRange: (10, 13) } && layout.Columns[0].ReferencePosition == 10,
            "the columns have the reference's numbers");
        Expect.That(layout.ColumnNames() is ["A10", "C11", "G12", "T13"], "and names");
        Expect.That(layout.TryGetColumn(12, out int column) && column == 2, "a position has its column");
        Expect.That(layout.TryGetReferenceLetter(12, out char letter) && letter == 'G', "a position has its letter");
        Expect.That(layout.ReferenceTokens.SequenceEqual(layout.Encode("ACGT")) && layout.Decode(layout.ReferenceTokens) == "ACGT",
            "the reference is its tokens");
        Expect.That(layout.OneHot(layout.ReferenceTokens) is { Length: 20 } groups && groups.Sum() == 4 && groups[0] == 1,
            "each position is one of a group");
        Expect.That(SequenceLayout.FromJson(layout.ToJson()).ColumnNames().SequenceEqual(layout.ColumnNames()), "a layout is kept as text");
    }
}
