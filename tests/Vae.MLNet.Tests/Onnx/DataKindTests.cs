using Google.Protobuf;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Onnx.Proto;

namespace Vae.MLNet.Tests.Onnx;

/// <summary>
/// An exported file says what its rows are: conformations where the column is one of beads, vectors otherwise, with the names and the
/// range of the data.
/// </summary>
[TestClass]
public sealed class DataKindTests
{
    private static readonly VaeTrainer.Options Small = new() { HiddenLayers = [8], Epochs = 1, Threads = 1, SelfCheck = false };

    private readonly MLContext _context = new(seed: 1);

    private sealed class Row
    {
        public float[] Features { get; set; } = [];
    }

    private IDataView View(float[][] rows, string[]? names, params int[] shape)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[nameof(Row.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, shape);
        if (names is not null)
            definition[nameof(Row.Features)].AddAnnotation("SlotNames", new VBuffer<ReadOnlyMemory<char>>(names.Length, [.. names.Select(name => name.AsMemory())]), new VectorDataViewType(TextDataViewType.Instance, names.Length));
        return _context.Data.LoadFromEnumerable(rows.Select(row => new Row { Features = row }), definition);
    }

    private VaeModel Fit(IDataView data)
    {
        using var transformer = _context.Vae.VariationalAutoencoder("Latent", "Features", Small).Fit(data);
        return transformer.Model;
    }

    private static VaeDecoder Decoder(VaeModel model) => VaeDecoder.Load(model.ToDecoderOnnx());

    /// <summary>24 numbers are 12 beads in a plane for who says so, and a vector for who does not.</summary>
    [TestMethod]
    [DataRow(new[] { 24 }, 0)]
    [DataRow(new[] { 1, 24 }, 0)]
    [DataRow(new[] { 4, 6 }, 0)]
    [DataRow(new[] { 2, 6, 2 }, 0)]
    [DataRow(new[] { 24, 1 }, 0)]
    [DataRow(new[] { 12, 2 }, 2)]
    [DataRow(new[] { 1, 12, 2 }, 2)]
    [DataRow(new[] { 8, 3 }, 3)]
    public void Decoder_ColumnOfBeads_IsAConformation(int[] shape, int dimensions)
    {
        using var decoder = Decoder(Fit(View(TestRows.Curved(40, 24), null, shape)));
        Assert.AreEqual(dimensions > 0 ? VaeDataKind.Conformation : VaeDataKind.Vector, decoder.DataKind);
        Assert.AreEqual(dimensions, decoder.Dimensions);
        Assert.IsEmpty(decoder.FeatureNames);
    }

    /// <summary>The transforms of conformations give flat columns; they say what is in them, also behind a cache.</summary>
    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void Decoder_BehindAlignment_IsAConformation(int dimensions)
    {
        var data = View(TestRows.Curved(40, 24), null, 24);
        var pipeline = _context.Vae.CenterConformations("Centered", "Features", dimensions).AppendCacheCheckpoint(_context)
            .Append(_context.Vae.AlignPrincipalAxes("Aligned", "Centered", dimensions)).AppendCacheCheckpoint(_context)
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Aligned", Small));
        var model = pipeline.Fit(data);
        using var decoder = Decoder(model.LastTransformer.Model);
        Assert.AreEqual(VaeDataKind.Conformation, decoder.DataKind);
        Assert.AreEqual(dimensions, decoder.Dimensions);
        // The encoder of the whole pipeline says it of its autoencoder, and what is read back knows it still.
        string path = Path.GetTempFileName();
        try
        {
            _context.Vae.ExportPipeline(model, data.Schema, path, new() { Reconstruction = true });
            using var exported = Decoder(VaeModel.FromOnnx(path));
            Assert.AreEqual(dimensions, exported.Dimensions);
            _context.Vae.SaveModel(model, data.Schema, path);
            var loaded = ((IEnumerable<ITransformer>)_context.Vae.Rehydrate(_context.Model.Load(path, out _))).OfType<VaeTransformer>().Single();
            using var saved = Decoder(loaded.Model);
            Assert.AreEqual(dimensions, saved.Dimensions);
            CollectionAssert.AreEqual(decoder.FeatureLow.ToArray(), saved.FeatureLow.ToArray());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void Decoder_NormalizedConformations_AreAVector()
    {
        // Coordinates in units of their own deviation make no shape.
        var pipeline = _context.Vae.CenterConformations("Centered", "Features", 2)
            .Append(_context.Transforms.NormalizeMeanVariance("Scaled", "Centered"))
            .Append(_context.Vae.VariationalAutoencoder("Latent", "Scaled", Small));
        using var decoder = Decoder(pipeline.Fit(View(TestRows.Curved(40, 24), null, 24)).LastTransformer.Model);
        Assert.AreEqual(VaeDataKind.Vector, decoder.DataKind);
    }

    [TestMethod]
    public void Decoder_NamedColumns_KnowsNamesAndRange()
    {
        string[] names = ["mpg", "weight", "is \"new\""];
        // 0 to 1000 in the first column: the hundredths are at 10 and 990.
        float[][] rows = [.. Enumerable.Range(0, 1001).Select(i => new[] { i, 3000 - 2f * i, i % 2 })];
        var model = Fit(View(rows, names, 3));
        using var decoder = Decoder(VaeModel.FromOnnx(model.ToOnnx()));
        Assert.AreEqual(VaeDataKind.Vector, decoder.DataKind);
        Assert.AreEqual(0, decoder.Dimensions);
        CollectionAssert.AreEqual(names, decoder.FeatureNames.ToArray());
        float[] low = [10, 1020, 0], high = [990, 2980, 1];
        for (int j = 0; j < 3; j++)
        {
            Assert.AreEqual(low[j], decoder.FeatureLow[j], 1e-3f);
            Assert.AreEqual(high[j], decoder.FeatureHigh[j], 1e-3f);
        }
    }

    [TestMethod]
    public void Decoder_StreamedRows_HaveARange()
    {
        float[][] rows = [.. Enumerable.Range(0, 1001).Select(i => new[] { i, 3000 - 2f * i })];
        using var transformer = _context.Vae.VariationalAutoencoder("Latent", "Features", Small with { LatentDimension = 1, Streaming = new() }).Fit(View(rows, null, 2));
        using var decoder = Decoder(transformer.Model);
        Assert.AreEqual(10, decoder.FeatureLow[0], 1);
        Assert.AreEqual(2980, decoder.FeatureHigh[1], 2);
    }

    [TestMethod]
    public void Fit_WarmStartOnFlatRows_StaysAConformation()
    {
        float[][] rows = TestRows.Curved(40, 24);
        var warm = Small with { WarmStart = Fit(View(rows, null, 12, 2)) };
        using var transformer = _context.Vae.VariationalAutoencoder("Latent", "Features", warm).Fit(View(rows, null, 24));
        using var decoder = Decoder(transformer.Model);
        Assert.AreEqual(2, decoder.Dimensions);
    }

    /// <summary>A file of an earlier version says nothing: it is a vector, and no guess is made from 24 = 12 x 2.</summary>
    [TestMethod]
    public void Decoder_EarlierFile_IsAVector()
    {
        using var decoder = VaeDecoder.Load(Changed(Fit(View(TestRows.Curved(40, 24), null, 12, 2)).ToDecoderOnnx(), ("vae.data", null), ("vae.dimensions", null), ("vae.range", null)));
        Assert.AreEqual(VaeDataKind.Vector, decoder.DataKind);
        Assert.AreEqual(0, decoder.Dimensions);
        Assert.IsEmpty(decoder.FeatureLow);
        Assert.IsEmpty(decoder.FeatureHigh);
    }

    [TestMethod]
    [DataRow("vae.data", "polymer")]
    [DataRow("vae.dimensions", "5")]
    [DataRow("vae.dimensions", "0")]
    [DataRow("vae.dimensions", "two")]
    [DataRow("vae.range", "[]")]
    [DataRow("vae.range", "{\"low\":[0],\"high\":[1]}")]
    [DataRow("vae.range", "{\"low\":[3,0],\"high\":[1,1]}")]
    [DataRow("vae.range", "{\"low\":[\"0\",0],\"high\":[1,1]}")]
    [DataRow("vae.range", "{\"low\":[1e99,0],\"high\":[1e99,1]}")]
    public void Decoder_MalformedDescription_IsRefusedByKey(string key, string value)
    {
        // Two beads on a line for the tests of a range, so that two numbers are a row.
        bool beads = key != "vae.range";
        var model = Fit(View(TestRows.Curved(40, beads ? 24 : 2), null, beads ? [12, 2] : [2]));
        Assert.Contains(key, Assert.ThrowsExactly<InvalidDataException>(() => VaeDecoder.Load(Changed(model.ToDecoderOnnx(), (key, value)))).Message);
        if (key != "vae.data")
            Assert.Contains(key, Assert.ThrowsExactly<InvalidDataException>(() => VaeModel.FromOnnx(Changed(model.ToOnnx(), (key, value)))).Message);
    }

    private static byte[] Changed(byte[] bytes, params (string Key, string? Value)[] changes)
    {
        var file = ModelProto.Parser.ParseFrom(bytes);
        foreach (var (key, value) in changes)
        {
            var entry = file.MetadataProps.Single(entry => entry.Key == key);
            if (value is null)
                file.MetadataProps.Remove(entry);
            else
                entry.Value = value;
        }
        return file.ToByteArray();
    }
}
