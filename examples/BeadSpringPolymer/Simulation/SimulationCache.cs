using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace BeadSpringPolymer.Simulation;

/// <summary>
/// Simulated trajectories kept in a folder, one file for each combination of options, number of conformations and seed. A file is used only if all of it
/// checks out (length, key, checksum); any other is simulated and written anew.
/// </summary>
/// <remarks>The file: a header of magic, key (SHA-256), beads, frames per chain, frames, kinetic temperature and the payload's SHA-256; then the positions; all little-endian.</remarks>
public sealed class SimulationCache
{
    // Counts changes to the file or to the simulation that change its bytes.
    private const int FormatVersion = 1;
    private const int HeaderBytes = 8 + 32 + 3 * sizeof(int) + sizeof(double) + 32;

    /// <summary>Keeps files in <paramref name="folder"/>, by default a folder of the user's among the temporary ones.</summary>
    public SimulationCache(string? folder = null) =>
        Folder = folder ?? Path.Combine(Path.GetTempPath(), "vae-mlnet-" + Environment.UserName, "bead-spring-polymer");

    /// <summary>Where the files are.</summary>
    public string Folder { get; }

    /// <summary>The file of such a trajectory, whether it exists or not.</summary>
    public string PathOf(BeadSpringOptions options, int conformations, int seed) =>
        Path.Combine(Folder, Convert.ToHexStringLower(Key(options, conformations, seed))[..24] + ".trajectory");

    /// <summary>Reads the trajectory if it is kept, or else simulates and keeps it.</summary>
    /// <exception cref="IOException">The folder or the file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Trajectory GetOrRun(
        BeadSpringOptions options,
        int conformations,
        int seed,
        IProgress<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        if (TryRead(options, conformations, seed) is { } kept)
        {
            progress?.Report(1);
            return kept;
        }
        // A folder that cannot be had is an error now rather than after the simulation.
        Directory.CreateDirectory(Folder);
        Trajectory trajectory = BeadSpringSimulator.Run(options, conformations, seed, progress, cancellationToken);
        Write(trajectory, options, conformations, seed);
        return trajectory;
    }

    /// <summary>The trajectory if it is kept and whole, otherwise null.</summary>
    public Trajectory? TryRead(BeadSpringOptions options, int conformations, int seed)
    {
        ArgumentNullException.ThrowIfNull(options);
        string path = PathOf(options, conformations, seed);
        if (!File.Exists(path))
            return null;
        using FileStream stream = File.OpenRead(path);
        long payload = (long)conformations * options.Beads * Trajectory.Dimensions * sizeof(float);
        if (stream.Length != HeaderBytes + payload)
            return null;
        Span<byte> header = stackalloc byte[HeaderBytes];
        stream.ReadExactly(header);
        if (!header[..40].SequenceEqual(Header(options, conformations, seed)[..40]))
            return null;
        ReadOnlySpan<byte> numbers = header[40..];
        if (BinaryPrimitives.ReadInt32LittleEndian(numbers) != options.Beads
            || BinaryPrimitives.ReadInt32LittleEndian(numbers[4..]) != options.FramesPerChain
            || BinaryPrimitives.ReadInt32LittleEndian(numbers[8..]) != conformations)
            return null;
        double temperature = BinaryPrimitives.ReadDoubleLittleEndian(numbers[12..]);

        var positions = new float[payload / sizeof(float)];
        Span<byte> bytes = MemoryMarshal.AsBytes(positions.AsSpan());
        stream.ReadExactly(bytes);
        return SHA256.HashData(bytes).AsSpan().SequenceEqual(numbers[20..])
            ? new Trajectory(ToNative(positions), options.Beads, options.FramesPerChain, temperature)
            : null;
    }

    private void Write(Trajectory trajectory, BeadSpringOptions options, int conformations, int seed)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(ToNative((float[])trajectory.Positions.Clone()).AsSpan());
        byte[] header = Header(options, conformations, seed);
        Span<byte> numbers = header.AsSpan(40);
        BinaryPrimitives.WriteInt32LittleEndian(numbers, trajectory.Beads);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[4..], trajectory.FramesPerChain);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[8..], trajectory.Count);
        BinaryPrimitives.WriteDoubleLittleEndian(numbers[12..], trajectory.KineticTemperature);
        SHA256.HashData(bytes, numbers[20..]);

        // To a name of its own, then moved: a reader sees all of the file or none.
        string path = PathOf(options, conformations, seed);
        string temporary = Path.Combine(Folder, Path.GetRandomFileName());
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(header);
                stream.Write(bytes);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static byte[] Header(BeadSpringOptions options, int conformations, int seed)
    {
        var header = new byte[HeaderBytes];
        "BEADSPR\n"u8.CopyTo(header);
        Key(options, conformations, seed).CopyTo(header, 8);
        return header;
    }

    private static byte[] Key(BeadSpringOptions options, int conformations, int seed) => SHA256.HashData(Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"version={FormatVersion};{options.ToKey()};conformations={conformations};seed={seed}")));

    private static float[] ToNative(float[] values)
    {
        if (!BitConverter.IsLittleEndian)
        {
            Span<int> raw = MemoryMarshal.Cast<float, int>(values.AsSpan());
            BinaryPrimitives.ReverseEndianness(raw, raw);
        }
        return values;
    }
}
