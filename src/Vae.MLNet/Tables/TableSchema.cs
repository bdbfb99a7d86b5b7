using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vae.MLNet.Tables;

/// <summary>Everything of a table's model besides the network's parameters; written to a file's metadata as JSON.</summary>
internal sealed record TableSchema
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new DoublesConverter(), new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>All columns of the training data.</summary>
    public required IReadOnlyList<TableColumn> Columns { get; init; }

    /// <summary>How the cells of those that are not left out become tokens, in order.</summary>
    public required IReadOnlyList<ColumnCodec> Codecs { get; init; }

    public required int Latent { get; init; }

    public required int Embedding { get; init; }

    public required int Hidden { get; init; }

    public required int EncoderHidden { get; init; }

    /// <summary>Minus the logarithm of each state's share among the training rows, in nats, [tokens, widest]; zero for leaves.</summary>
    public required double[] Surprise { get; init; }

    /// <summary>Rows trained on.</summary>
    public required int Rows { get; init; }

    /// <summary>Score above which a row is labelled an anomaly.</summary>
    public required float Threshold { get; init; }

    /// <summary>How the training went.</summary>
    public required TableTrainingHistory History { get; init; }

    [JsonIgnore]
    public TableShape Shape => field ??= new(
        [.. Codecs.SelectMany(codec => codec.HasLeaves ? new[] { codec.States, codec.Leaves } : [codec.States])],
        [.. Codecs.SelectMany((codec, i) => codec.HasLeaves ? new[] { i, i } : [i])],
        Latent, Embedding, Hidden, EncoderHidden);

    /// <summary>ML.NET's type of a column.</summary>
    public Microsoft.ML.Data.DataViewType TypeOf(ColumnCodec codec) => RawTable.TypeOf(Columns.Single(column => column.Name == codec.Name).Type);

    /// <summary>Values of the smooth functions at each state, [tokens, widest, 4].</summary>
    public float[] Smooth()
    {
        int size = Shape.Widest * TableShape.Smooth;
        var smooth = new float[Shape.Tokens * size];
        var unused = new float[size];
        int token = 0;
        foreach (var codec in Codecs)
        {
            codec.FillSmooth(smooth.AsSpan(token * size, size), codec.HasLeaves ? smooth.AsSpan((token + 1) * size, size) : unused);
            token += codec.HasLeaves ? 2 : 1;
        }
        return smooth;
    }

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <exception cref="InvalidDataException">It is no schema of a table.</exception>
    public static TableSchema FromJson(string json, string file)
    {
        try
        {
            var schema = JsonSerializer.Deserialize<TableSchema>(json, Json) ?? throw new JsonException("nothing is there");
            schema.Validate();
            return schema;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or NotSupportedException or OverflowException or NullReferenceException or InvalidOperationException)
        {
            throw Check.BadFile(file, $"its metadata '{Onnx.VaeMetadata.Table}' is damaged: {e.Message}", e);
        }
    }

    private void Validate()
    {
        if (Codecs.Count == 0 || Codecs.Any(codec => codec.States is < 1 or > byte.MaxValue || codec.Leaves is < 1 or > byte.MaxValue))
            throw new JsonException("no columns, or columns of too many states");
        if (!Codecs.Select(codec => codec.Name).SequenceEqual(Columns.Where(column => column.Kind != ColumnKind.Ignored).Select(column => column.Name)))
            throw new JsonException("columns and their codecs differ");
        if (Latent is < 1 or > 4096 || Embedding is < 1 or > 4096 || Hidden is < 1 or > 4096 || EncoderHidden is < 1 or > 1 << 16)
            throw new JsonException("impossible sizes");
        if (Surprise.Length != Shape.Tokens * Shape.Widest)
            throw new JsonException("shares of states of another number");
        foreach (var codec in Codecs.Where(codec => codec.IsNumber && !codec.AllMissing))
        {
            if (codec.LeafCounts.Length != codec.Bins || codec.Places.Length != codec.Bins || codec.LeafEdges.Length != codec.Bins * (codec.Leaves - 1) || codec.Quantiles.Length != codec.Bins * codec.Leaves * (ColumnCodec.Knots + 1))
                throw new JsonException($"bins of the column '{Onnx.OnnxFile.Shown(codec.Name)}' of other sizes");
        }
    }

    /// <summary>Arrays of double as base64: short, and the same bits after reading.</summary>
    private sealed class DoublesConverter : JsonConverter<double[]>
    {
        public override double[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            MemoryMarshal.Cast<byte, double>(reader.GetBytesFromBase64()).ToArray();

        public override void Write(Utf8JsonWriter writer, double[] value, JsonSerializerOptions options) => writer.WriteBase64StringValue(MemoryMarshal.AsBytes<double>(value));
    }
}
