using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Vae.MLNet.Benchmarks.Anomaly;

/// <summary>Rows of features X and labels y (1: anomaly) from an .npz file.</summary>
internal sealed partial record LabelledTable(string Name, float[][] Rows, bool[] Labels)
{
    public static LabelledTable Load(string path)
    {
        using var archive = ZipFile.OpenRead(path);
        var (x, shape) = Read(archive.GetEntry("X.npy")!);
        var (y, _) = Read(archive.GetEntry("y.npy")!);
        var rows = Enumerable.Range(0, shape[0]).Select(i => Enumerable.Range(0, shape[1]).Select(j => (float)x[i * shape[1] + j]).ToArray()).ToArray();
        return new(Path.GetFileNameWithoutExtension(path), rows, [.. y.Select(label => label != 0)]);
    }

    private static (double[] Values, int[] Shape) Read(ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        byte[] bytes = memory.ToArray();
        int length = BitConverter.ToUInt16(bytes, 8);
        string header = Encoding.ASCII.GetString(bytes, 10, length);
        var body = bytes.AsSpan(10 + length);
        double[] values = Type().Match(header).Groups[1].Value switch
        {
            "<f8" => MemoryMarshal.Cast<byte, double>(body).ToArray(),
            "<f4" => [.. MemoryMarshal.Cast<byte, float>(body).ToArray().Select(v => (double)v)],
            "<i8" => [.. MemoryMarshal.Cast<byte, long>(body).ToArray().Select(v => (double)v)],
            "<i4" => [.. MemoryMarshal.Cast<byte, int>(body).ToArray().Select(v => (double)v)],
            "|u1" or "|b1" => [.. body.ToArray().Select(v => (double)v)],
            var other => throw new InvalidDataException($"'{entry.FullName}' has elements of type '{other}'."),
        };
        int[] shape = [.. Shape().Match(header).Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        if (shape.Length == 2 && header.Contains("'fortran_order': True", StringComparison.Ordinal))
        {
            var turned = new double[values.Length];
            for (int i = 0; i < shape[0]; i++)
            {
                for (int j = 0; j < shape[1]; j++)
                    turned[i * shape[1] + j] = values[j * shape[0] + i];
            }
            values = turned;
        }
        return (values, shape);
    }

    [GeneratedRegex("'descr': '([^']+)'")]
    private static partial Regex Type();

    [GeneratedRegex(@"'shape': \(([^)]*)\)")]
    private static partial Regex Shape();
}
