using System.IO.Compression;
using System.Text;

namespace Vae.MLNet.Tests.Sequences;

/// <summary>A folder for the files of one test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("vae-mlnet-").FullName;

    public string this[string name] => Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public string WriteGzip(string name, string text)
    {
        using var stream = new GZipStream(File.Create(this[name]), CompressionLevel.Fastest);
        stream.Write(Encoding.UTF8.GetBytes(text));
        return this[name];
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
