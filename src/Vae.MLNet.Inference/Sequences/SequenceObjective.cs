using System.Globalization;
using System.Text;

namespace Vae.MLNet.Inference;

/// <summary>
/// Objectives over the probabilities that a <see cref="SequenceDecoder"/> gives, for <see cref="SequenceDecoder.Optimize"/>. They are added and weighted like all
/// objectives; own ones come from <see cref="LatentObjective.Create"/>, and <see cref="SequenceDecoder.IndexOf"/> says which number is which.
/// </summary>
/// <example>
/// More positive charge, without going far from a natural sequence, and with the serine of the active site:
/// <code>
/// var charge = SequenceObjective.Expected(decoder.Layout, letter => letter is 'K' or 'R' ? 1 : letter is 'D' or 'E' ? -1 : 0);
/// var near = SequenceObjective.Sequence(decoder.Layout, natural);
/// var serine = SequenceObjective.Letters(decoder.Layout, (195, 'S'));
/// string designed = decoder.Optimize(0.05 * near + serine - charge, encoder.Encode(natural).Mean).Sequence;
/// </code>
/// </example>
public static class SequenceObjective
{
    /// <summary>Probabilities below this count as this, so that logarithms and their slopes stay finite.</summary>
    private const float Smallest = 1e-6f;

    /// <summary>Minus the log-probability of letters at positions of the reference, in nats: small where the decoder has them.</summary>
    /// <param name="layout">The decoder's layout.</param>
    /// <param name="letters">Positions in the reference's numbering, and the letter wanted at each; <c>-</c> is the gap where the alphabet has it as a symbol.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="ArgumentException">No letter is given, a position is not modelled or a letter is not one of the symbols.</exception>
    public static LatentObjective Letters(SequenceLayout layout, params (int Position, char Letter)[] letters)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(letters);
        if (letters.Length == 0)
            throw new ArgumentException("No letter is given; at least one is expected.", nameof(letters));
        return new LogProbability(Size(layout), [.. letters.Select(wanted => Index(layout, wanted.Position, wanted.Letter, nameof(letters)))]);
    }

    /// <summary>Minus the log-probability of a whole aligned sequence, in nats; letters that are no symbols (<c>X</c>, or gaps where they are none) are left free.</summary>
    /// <param name="layout">The decoder's layout.</param>
    /// <param name="sequence">One character for each modelled column.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="ArgumentException">The sequence has another length or characters that are not of the alphabet, or none that is a symbol.</exception>
    public static LatentObjective Sequence(SequenceLayout layout, string sequence)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(sequence);
        byte[] tokens = layout.Encode(sequence);
        int symbols = layout.Alphabet.OutputSymbolCount;
        int[] indexes = [.. Enumerable.Range(0, tokens.Length).Where(column => tokens[column] < symbols).Select(column => column * symbols + tokens[column])];
        return indexes.Length > 0
            ? new LogProbability(Size(layout), indexes)
            : throw new ArgumentException("No letter of the sequence is a symbol of the alphabet.", nameof(sequence));
    }

    /// <summary>The expected sum of a property of letters over all columns, such as the net charge: Σ over columns and letters of p · value.</summary>
    /// <param name="layout">The decoder's layout.</param>
    /// <param name="value">The property of a letter; <c>-</c> is asked for too where gaps are symbols.</param>
    /// <returns>The objective.</returns>
    public static LatentObjective Expected(SequenceLayout layout, Func<char, float> value)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(value);
        return new Linear(layout.Length, [.. Enumerable.Range(0, layout.Alphabet.OutputSymbolCount).Select(token => value(layout.Alphabet.LetterOf(token)))]);
    }

    internal static int Index(SequenceLayout layout, int position, char letter, string parameter)
    {
        if (!layout.TryGetColumn(position, out int column))
            throw new ArgumentException(Guard.Invariant($"Position {position} of the reference is not among the modelled columns."), parameter);
        byte token = layout.Alphabet.Encode([letter])[0];
        int symbols = layout.Alphabet.OutputSymbolCount;
        return token < symbols
            ? column * symbols + token
            : throw new ArgumentException($"'{letter}' is none of the symbols that the decoder gives probabilities of.", parameter);
    }

    private static int Size(SequenceLayout layout) => layout.Length * layout.Alphabet.OutputSymbolCount;

    private static void CheckSize(int size, int outputSize)
    {
        if (outputSize != size)
            throw new ArgumentException(Guard.Invariant($"The objective is one for {size} probabilities; the decoder gives {outputSize}."), nameof(outputSize));
    }

    private sealed class LogProbability(int size, int[] indexes) : LatentObjective
    {
        protected internal override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient)
        {
            double sum = 0;
            foreach (int index in indexes)
            {
                float p = MathF.Max(output[index], Smallest);
                sum -= Math.Log(p);
                gradient[index] -= 1 / p;
            }
            return sum;
        }

        protected internal override void Validate(int outputSize) => CheckSize(size, outputSize);
    }

    private sealed class Linear(int columns, float[] values) : LatentObjective
    {
        protected internal override double EvaluateCore(ReadOnlySpan<float> output, Span<float> gradient)
        {
            double sum = 0;
            for (int i = 0; i < output.Length; i++)
            {
                float value = values[i % values.Length];
                sum += output[i] * value;
                gradient[i] = value;
            }
            return sum;
        }

        protected internal override void Validate(int outputSize) => CheckSize(columns * values.Length, outputSize);
    }
}

/// <summary>A sequence designed by an objective.</summary>
/// <param name="Descent">The way in latent space: latents, probabilities and values of every step.</param>
/// <param name="Sequence">The most probable sequence at the best point.</param>
public sealed record SequenceOptimization(LatentOptimization Descent, string Sequence)
{
    private bool PrintMembers(StringBuilder builder)
    {
        builder.Append("Descent = ");
        if (Descent is { Values: not null })
            builder.Append(CultureInfo.InvariantCulture, $"[{Descent.Values.Count} steps, the best at {Descent.BestIndex}]");
        builder.Append(", Sequence = ").Append(Sequence);
        return true;
    }
}
