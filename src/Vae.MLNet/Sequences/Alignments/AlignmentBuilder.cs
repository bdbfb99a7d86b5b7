using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Sequences;

/// <summary>Filters what a file holds, numbers the columns and splits the headers.</summary>
internal static partial class AlignmentBuilder
{
    public static SequenceAlignment Build(string path, SequenceAlignmentOptions options, RawAlignment raw)
    {
        var alphabet = options.Alphabet;
        int columns = raw.Columns, rows = raw.Names.Count;
        byte gap = (byte)alphabet.GapToken, unknown = (byte)alphabet.UnknownToken;
        var (reference, residueOfColumn) = Reference(raw, alphabet);
        if (reference.Length == 0)
            throw Check.BadFile(path, $"the reference '{raw.Names[raw.ReferenceRow]}' has no residues; a sequence with letters is expected.");

        // Sequences: share of gaps over the columns where the reference has a residue.
        int[] referenceColumns = [.. Enumerable.Range(0, columns).Where(c => residueOfColumn[c] >= 0)];
        if (referenceColumns.Length == 0)
            throw Check.BadFile(path, $"the reference '{raw.Names[raw.ReferenceRow]}' has no residue in a column; at least one is expected.");
        var keptRows = new List<int>(rows);
        for (int row = 0; row < rows; row++)
        {
            var tokens = raw.Tokens.AsSpan(row * columns, columns);
            int gaps = 0;
            foreach (int c in referenceColumns)
                gaps += tokens[c] == gap ? 1 : 0;
            if ((double)gaps / referenceColumns.Length <= options.MaxSequenceGapShare || row == raw.ReferenceRow)
                keptRows.Add(row);
        }
        int droppedForGaps = rows - keptRows.Count;

        // Columns: share of gaps over the sequences kept.
        var gapCounts = new int[columns];
        foreach (int row in keptRows)
        {
            var tokens = raw.Tokens.AsSpan(row * columns, columns);
            for (int c = 0; c < tokens.Length; c++)
                gapCounts[c] += tokens[c] == gap ? 1 : 0;
        }
        int[] keptColumns = [.. Enumerable.Range(0, columns).Where(c => (double)gapCounts[c] / keptRows.Count <= options.MaxColumnGapShare && (!options.ReferenceColumnsOnly || residueOfColumn[c] >= 0))];
        if (keptColumns.Length == 0)
            throw Check.BadFile(path, Check.Invariant($"none of {columns} columns has at most {options.MaxColumnGapShare:P0} gaps among the {keptRows.Count} sequences kept; raise MaxColumnGapShare."));

        int droppedForLetters = 0;
        var packed = new byte[(long)keptRows.Count * keptColumns.Length];
        int written = 0;
        var finalRows = new List<int>(keptRows.Count);
        foreach (int row in keptRows)
        {
            var source = raw.Tokens.AsSpan(row * columns, columns);
            var target = packed.AsSpan(written, keptColumns.Length);
            for (int i = 0; i < keptColumns.Length; i++)
                target[i] = source[keptColumns[i]];
            if (options.AmbiguousLetters == AmbiguousLetterTreatment.DropSequence && row != raw.ReferenceRow && target.Contains(unknown))
            {
                droppedForLetters++;
                continue;
            }
            finalRows.Add(row);
            written += keptColumns.Length;
        }
        // A family of one sequence teaches nothing, and what comes next would only say that there are too few.
        if (finalRows.Count == 1 && rows > 1)
        {
            throw Check.BadFile(path, Check.Invariant($"only the reference '{raw.Names[raw.ReferenceRow]}' of {rows} sequences passes the filters: ")
                + Check.Invariant($"{droppedForGaps} have more than {options.MaxSequenceGapShare:P0} gaps in its columns (raise MaxSequenceGapShare)")
                + Check.Invariant($"{(droppedForLetters > 0 ? $", {droppedForLetters} have ambiguous letters (set AmbiguousLetters to Unknown)" : "")}; at least one more is expected."));
        }
        if (written < packed.Length)
            Array.Resize(ref packed, written);

        string referenceName = raw.Names[raw.ReferenceRow];
        int[] sources = raw.MatchColumns is { } match ? [.. keptColumns.Select(c => match[c])] : keptColumns;
        var layout = new SequenceLayout(alphabet, referenceName, reference, Numbers(options, raw.ReferenceName, reference.Length), sources,
            [.. keptColumns.Select(c => residueOfColumn[c])]);
        var annotations = Annotations(options, raw, finalRows);
        var filtering = new SequenceAlignmentFiltering(rows, columns, droppedForGaps, columns - keptColumns.Length, droppedForLetters)
        {
            AlignmentsSkipped = raw.AlignmentsSkipped,
            RepeatedNames = raw.RepeatedNames,
            AnnotationRows = raw.AnnotationRows.Count,
        };
        return new SequenceAlignment(layout, [.. finalRows.Select(row => raw.Names[row])], [.. finalRows.Select(row => raw.Headers[row])], annotations, packed,
            weights: null, filtering)
        {
            AnnotationRows = raw.AnnotationRows,
        };
    }

    /// <summary>The reference without gaps, and the residue in each column (-1 for none).</summary>
    private static (string Reference, int[] ResidueOfColumn) Reference(RawAlignment raw, SequenceAlphabet alphabet)
    {
        var letters = new StringBuilder();
        var residues = new int[raw.Columns];
        int column = 0, fileColumn = 0;
        foreach (byte b in raw.ReferenceText)
        {
            char c = (char)b;
            if (!alphabet.TryGetToken(c, out int token))
                continue; // Spaces; anything else was found while reading.
            bool isGap = token == alphabet.GapToken;
            bool insertion = raw.Insertions ? c == '.' || char.IsAsciiLetterLower(c)
                : raw.MatchColumns is { } match && (column == match.Length || match[column] != fileColumn);
            fileColumn++;
            if (!insertion)
                residues[column++] = isGap ? -1 : letters.Length;
            if (!isGap)
                letters.Append(alphabet.LetterOf(token));
        }
        return (letters.ToString(), residues);
    }

    private static int[] Numbers(SequenceAlignmentOptions options, string referenceName, int residues)
    {
        if (options.ReferenceNumbers is { } numbers)
        {
            if (numbers.Count != residues)
                throw Check.Argument(nameof(options.ReferenceNumbers), Check.Invariant($"ReferenceNumbers has {numbers.Count} entries; the reference '{referenceName}' has {residues} residues, and one each is expected."));
            return [.. numbers];
        }
        int first = 1;
        if (options.FirstReferencePosition is { } given)
            first = given;
        else if (Range().Match(referenceName) is { Success: true } match
            && int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int start)
            && int.TryParse(match.Groups[2].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int end)
            && start >= 1 && (long)end - start + 1 == residues)
            first = start;
        return [.. Enumerable.Range(first, residues)];
    }

    private static List<(string Name, string[] Values)> Annotations(SequenceAlignmentOptions options, RawAlignment raw, List<int> rows)
    {
        var result = new List<(string, string[])>();
        if (options.AnnotationSeparator is { } separator)
        {
            var names = options.AnnotationNames?.ToList();
            var fields = new List<string[]>(rows.Count);
            foreach (int row in rows)
            {
                string header = raw.Headers[row];
                if (options.AnnotationStart is { } mark)
                {
                    int at = header.IndexOf(mark, StringComparison.Ordinal);
                    header = at < 0 ? "" : header[(at + mark.Length)..];
                }
                if (header.EndsWith(separator, StringComparison.Ordinal))
                    header = header[..^separator.Length];
                fields.Add(header.Length == 0 ? [] : header.Split(separator, names?.Count ?? int.MaxValue));
            }
            int count = names?.Count ?? fields.Max(parts => parts.Length);
            for (int i = 0; i < count; i++)
                result.Add((names?[i] ?? Check.Invariant($"Annotation{i + 1}"), [.. fields.Select(parts => i < parts.Length ? parts[i].Trim() : "")]));
        }
        foreach (var (feature, texts) in raw.Features)
        {
            // A file may name its features as it likes; a column's name is made free for them.
            string name = feature;
            while (SequenceAlignment.IsOwnColumn(name) || result.Exists(column => column.Item1 == name))
                name = "GS." + name;
            result.Add((name, [.. rows.Select(row => texts.GetValueOrDefault(row, ""))]));
        }
        return result;
    }

    [GeneratedRegex(@"/(\d{1,9})-(\d{1,9})$")]
    private static partial Regex Range();
}
