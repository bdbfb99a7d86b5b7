using System.IO.Compression;
using System.Text;
using Vae.MLNet.Data;

namespace Vae.MLNet;

/// <summary>Writes FASTA files.</summary>
public static class FastaFile
{
    /// <summary>Writes sequences; gzipped where the name ends in <c>.gz</c>. The file is written whole or not at all.</summary>
    /// <param name="path">The file; missing folders are made.</param>
    /// <param name="sequences">Headers without <c>&gt;</c>, and sequences.</param>
    /// <param name="lineWidth">Characters a line; 0 for one line a sequence.</param>
    /// <exception cref="ArgumentException">A header is empty, or a header or sequence holds a line break, or a sequence is empty or holds <c>&gt;</c>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The width is negative.</exception>
    public static void Write(string path, IEnumerable<(string Header, string Sequence)> sequences, int lineWidth = 80)
    {
        Check.NotNull(sequences);
        Check.AtLeast(lineWidth, 0);
        AtomicFile.Write(path, file =>
        {
            if (!path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            {
                WriteText(file, sequences, lineWidth);
                return;
            }
            using var zipped = new GZipStream(file, CompressionLevel.Optimal, leaveOpen: true);
            WriteText(zipped, sequences, lineWidth);
        });
    }

    private static void WriteText(Stream stream, IEnumerable<(string Header, string Sequence)> sequences, int lineWidth)
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), 1 << 16, leaveOpen: true) { NewLine = "\n" };
        foreach (var (header, sequence) in sequences)
        {
            if (string.IsNullOrWhiteSpace(header) || header.AsSpan().IndexOfAny('\r', '\n') >= 0)
                throw Check.Argument(nameof(sequences), $"'{header}' cannot be a FASTA header: one line that is not empty is expected.");
            if (string.IsNullOrEmpty(sequence) || sequence.AsSpan().IndexOfAny('\r', '\n', '>') >= 0)
                throw Check.Argument(nameof(sequences), $"The sequence of '{header}' is empty or holds a line break or '>'.");
            writer.Write('>');
            writer.WriteLine(header);
            int width = lineWidth == 0 ? sequence.Length : lineWidth;
            for (int i = 0; i < sequence.Length; i += width)
                writer.WriteLine(sequence.AsSpan(i, Math.Min(width, sequence.Length - i)));
        }
    }
}
