using Vae.MLNet;
using Vae.MLNet.Inference;

namespace PackageConsumer;

/// <summary>
/// A made-up protein family of twelve columns. Of every three the first never changes, the second is K or E, the same in a whole
/// sequence, and the third is one of I, L, M and V.
/// </summary>
internal static class Family
{
    public const string Reference = "AKIEKIHKILKI";

    public static string[] Draw(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            bool negative = random.Next(2) == 0;
            return string.Concat(Reference.Select((letter, column) => (column % 3) switch
            {
                0 => letter,
                1 => negative ? 'E' : 'K',
                _ => "ILMV"[random.Next(4)],
            }));
        }).Prepend(Reference)];
    }

    public static SequenceAlignment Alignment(int count, int seed) =>
        SequenceAlignment.FromSequences(SequenceLayout.FromReference(SequenceAlphabet.AminoAcids, Reference, "family"), Draw(count, seed));
}
