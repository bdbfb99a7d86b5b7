using Vae.MLNet.Inference;

namespace DecoderService.Models;

/// <summary>What a model's rows are: how the page shows them, and by which names requests may give and take their numbers.</summary>
internal sealed class ModelRows
{
    private ModelRows(VaeDataKind kind, int dimensions, IReadOnlyList<string> names, SequenceLayout? layout)
    {
        Kind = kind;
        Dimensions = dimensions;
        Names = names;
        Layout = layout;
    }

    public VaeDataKind Kind { get; }

    /// <summary>Coordinates of a bead; 0 where rows are no conformations.</summary>
    public int Dimensions { get; }

    /// <summary>A name for each number; empty where some have none, or two have the same.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Alphabet and positions of a model of sequences; null for others.</summary>
    public SequenceLayout? Layout { get; }

    /// <summary>What the decoder says, and what the user says of a file that does not.</summary>
    /// <exception cref="InvalidDataException">What the user says does not fit the decoder, or it is no decoder of sequences although it
    /// says so.</exception>
    public static ModelRows Of(VaeDecoder decoder, ServiceOptions options)
    {
        var (kind, dimensions, features) = (decoder.DataKind, decoder.Dimensions, decoder.FeatureCount);
        if (options.Dimensions is { } said)
        {
            if (kind == VaeDataKind.Sequence)
                throw new InvalidDataException($"'{options.Model}': --dimensions {said} is for conformations; the model is one of sequences.");
            if (features % said != 0 || features < 2 * said)
                throw new InvalidDataException($"'{options.Model}': --dimensions {said} has to divide the model's {features} numbers into at least two beads.");
            (kind, dimensions) = (VaeDataKind.Conformation, said);
        }
        SequenceLayout? layout = null;
        if (kind == VaeDataKind.Sequence)
        {
            layout = SequenceLayout.FromJson(decoder.Metadata.GetValueOrDefault("vae.sequence_layout") ?? "");
            if (features != layout.Length * layout.Alphabet.OutputSymbolCount || !decoder.HasLogits)
                throw new InvalidDataException($"'{options.Model}': it says that it is of sequences of {layout.Length} positions, and gives rows of {features} numbers.");
        }
        return new(kind, dimensions, Usable(decoder.FeatureNames), layout);
    }

    /// <summary>The names, where each number has one of its own.</summary>
    public static IReadOnlyList<string> Usable(IReadOnlyList<string> names) =>
        names.All(name => name.Length > 0) && names.Distinct(StringComparer.Ordinal).Count() == names.Count ? names : [];

    /// <summary>The sequence of the most probable symbols of a row.</summary>
    public string MostProbable(ReadOnlySpan<float> probabilities)
    {
        var alphabet = Layout!.Alphabet;
        int symbols = alphabet.OutputSymbolCount;
        Span<char> letters = new char[Layout.Length];
        for (int i = 0; i < letters.Length; i++)
        {
            var position = probabilities.Slice(i * symbols, symbols);
            int best = 0;
            for (int k = 1; k < symbols; k++)
            {
                if (position[k] > position[best])
                    best = k;
            }
            letters[i] = alphabet.LetterOf(best);
        }
        return new(letters);
    }
}
