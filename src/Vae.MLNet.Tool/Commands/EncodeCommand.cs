using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Encodes rows; the native training library is not needed.</summary>
internal sealed class EncodeCommand : ToolCommand
{
    /// <summary>Rows that a graph encodes together.</summary>
    private const int Block = 1024;

    private readonly ModelArgument _model;
    private readonly DataArgument _data;
    private readonly Option<string> _output;
    private readonly Option<string?> _columns;

    public EncodeCommand()
        : base("encode", "Encode rows into the latent space.",
            "encode model/ paths.npz -o latent.npy",
            "encode model/ paths.npz --outputs Latent,Sigma,Score -o encoded.csv")
    {
        _model = new ModelArgument(this);
        _data = new DataArgument(this);
        _output = OutputFile("File to write: .npy, .npz, .csv or .tsv.");
        _columns = Text("--outputs", "Columns of the pipeline to write: Latent (the default), Sigma, Reconstruction, Score, Features (aligned).", "a,b,...");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string[] columns = arguments.GetValue(_columns)?.Split(',', StringSplitOptions.TrimEntries) ?? ["Latent"];
        string output = arguments.GetRequiredValue(_output);
        ResultFile.CheckName(output, columns.Length);
        var source = _model.Open(arguments);
        var context = new MLContext();
        var data = _data.Load(context, arguments);
        data.CheckFinite(_data.Path(arguments), cancellationToken);

        long rows;
        if (source.IsGraph)
        {
            if (arguments.GetValue(_columns) is not null)
                throw new UsageException("--outputs chooses columns of a pipeline; a graph gives the latent alone.");
            rows = Graph(context, source, data, output, cancellationToken);
        }
        else
        {
            var (pipeline, schema) = source.LoadPipeline(context);
            using (pipeline as IDisposable)
            {
                var view = pipeline.Transform(source.Fit(context, schema, data.View));
                columns = [.. columns.Select(name => Column(view.Schema, name, source))];
                ResultFile.Write(context, view, output, columns, cancellationToken);
                rows = view.GetRowCount() ?? data.View.GetRowCount() ?? 0;
            }
        }
        terminal.Result(new { file = output, rows, columns }, Terminal.Facts(output, ("rows", Invariant($"{rows}")), ("columns", string.Join(", ", columns))));
    }

    private static long Graph(MLContext context, ModelSource source, DataFile data, string output, CancellationToken cancellationToken)
    {
        using var encoder = VaeEncoder.Load(source.Location);
        if (encoder.FeatureCount != data.Features)
            throw new InvalidDataException(Invariant($"'{source.Location}' encodes rows of {encoder.FeatureCount} numbers; the data has rows of {data.Features}."));
        var latents = new List<float[]>();
        foreach (float[][] block in data.View.GetColumn<float[]>(DataFile.Column).Chunk(Block))
        {
            cancellationToken.ThrowIfCancellationRequested();
            float[] rows = [.. block.SelectMany(row => row)], means = new float[block.Length * encoder.LatentDimension];
            encoder.Encode(rows, means);
            latents.AddRange(means.Chunk(encoder.LatentDimension));
        }
        if (latents.Count == 0)
            throw new InvalidDataException("The data has no rows.");
        var definition = SchemaDefinition.Create(typeof(Encoded));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, encoder.LatentDimension);
        ResultFile.Write(context, context.Data.LoadFromEnumerable(latents.Select(latent => new Encoded { Latent = latent }), definition), output, ["Latent"], cancellationToken);
        return latents.Count;
    }

    /// <summary>A column by its name, in whatever case it is typed.</summary>
    private static string Column(DataViewSchema schema, string name, ModelSource source)
    {
        var numbers = schema.Where(column => !column.IsHidden && column.Type is VectorDataViewType { ItemType: NumberDataViewType, IsKnownSize: true } or NumberDataViewType);
        return numbers.FirstOrDefault(column => column.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { Name: { } found } ? found
            : throw new UsageException($"--outputs: the pipeline of '{source.Location}' gives no numbers called '{name}'; it gives {string.Join(", ", numbers.Select(column => column.Name).Distinct())}.");
    }

    private sealed class Encoded
    {
        public float[] Latent { get; set; } = [];
    }
}
