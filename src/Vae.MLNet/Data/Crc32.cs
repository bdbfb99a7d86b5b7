using System.Buffers.Binary;

namespace Vae.MLNet.Data;

/// <summary>The check sum of zip files (CRC-32, polynomial 0xEDB88320 reflected), eight bytes a step.</summary>
internal static class Crc32
{
    private static readonly uint[] Tables = CreateTables();

    /// <summary>Adds bytes to a sum that starts as all ones and is inverted at the end.</summary>
    public static uint Append(uint sum, ReadOnlySpan<byte> bytes)
    {
        uint[] tables = Tables;
        while (bytes.Length >= 8)
        {
            uint low = BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ sum;
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            sum = tables[0x700 + (low & 0xFF)] ^ tables[0x600 + (low >> 8 & 0xFF)] ^ tables[0x500 + (low >> 16 & 0xFF)] ^ tables[0x400 + (low >> 24)]
                ^ tables[0x300 + (high & 0xFF)] ^ tables[0x200 + (high >> 8 & 0xFF)] ^ tables[0x100 + (high >> 16 & 0xFF)] ^ tables[high >> 24];
            bytes = bytes[8..];
        }
        foreach (byte value in bytes)
            sum = tables[(sum ^ value) & 0xFF] ^ sum >> 8;
        return sum;
    }

    private static uint[] CreateTables()
    {
        var tables = new uint[8 * 256];
        for (uint i = 0; i < 256; i++)
        {
            uint sum = i;
            for (int bit = 0; bit < 8; bit++)
                sum = (sum & 1) != 0 ? sum >> 1 ^ 0xEDB88320 : sum >> 1;
            tables[i] = sum;
        }
        for (int i = 256; i < tables.Length; i++)
            tables[i] = tables[i - 256] >> 8 ^ tables[tables[i - 256] & 0xFF];
        return tables;
    }
}
