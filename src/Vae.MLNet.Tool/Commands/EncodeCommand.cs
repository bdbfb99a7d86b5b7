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
            "encode model/ people.csv --outputs Latent,Score -o latent.csv",
            "encode model/ paths.npz --outputs Latent,Sigma,Score -o encoded.csv")
    {
        _model = new ModelArgument(this);
        _data = new DataArgument(this, forModel: true);
        _output = OutputFile("File to write: .npy, .npz, .csv or .tsv.");
        _columns = Text("--outputs", "Columns of the pipeline to write: Latent (the default), Sigma, Reconstruction, Score, Features (aligned); of a table Latent, Score, Contributions.", "a,b,...");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string[]? asked = arguments.GetValue(_columns)?.Split(',', StringSplitOptions.TrimEntries), columns = ["Latent"];
        string output = arguments.GetRequiredValue(_output);
        ResultFile.CheckName(output, asked?.Length ?? 1, terminal);
        var source = _model.Open(arguments);
        var context = terminal.Context();

        long rows;
        if (source.IsTable)
        {
            using var model = source.LoadTable(context);
            var data = TypedTable.Load(_data.Path(arguments), _data.Settings(arguments), model.Model, source.Location, terminal, cancellationToken);
            var view = model.Transform(data.View);
            columns = [.. (asked ?? [model.LatentColumnName]).Select(name => Column(context.Transforms.SelectColumns([.. model.OutputColumns.Select(output => output.Name)]).Fit(view).Transform(view).Schema, name, source))];
            ResultFile.Write(context, view, output, columns, RowFormat.Of(1, null, null), cancellationToken);
            rows = data.Rows;
        }
        else if (source.IsGraph)
        {
            if (asked is not null)
                throw new UsageException("--outputs chooses columns of a pipeline; a graph gives the latent alone.");
            rows = Graph(context, arguments, source, terminal, output, cancellationToken);
        }
        else
        {
            var (pipeline, schema) = source.LoadPipeline(context);
            using (pipeline as IDisposable)
            {
                var input = source.Input(pipeline, schema);
                var data = source.LoadRows(context, pipeline, schema, _data.Path(arguments), _data.Settings(arguments), terminal, cancellationToken);
                if (!input.TakesMissing)
                    data.CheckFinite(cancellationToken);
                var view = pipeline.Transform(data.View);
                columns = [.. (asked ?? [ModelSource.LatentColumn(pipeline)]).Select(name => Column(view.Schema, name, source))];
                ResultFile.Write(context, view, output, columns, RowFormat.Of(input.Features, input.Shape, input.Names), cancellationToken);
                rows = data.Rows;
            }
        }
        terminal.Result(new { file = output, rows, columns }, Terminal.Facts(output, ("rows", Invariant($"{rows}")), ("columns", string.Join(", ", columns))));
    }

    private long Graph(MLContext context, ParseResult arguments, ModelSource source, Terminal terminal, string output, CancellationToken cancellationToken)
    {
        using var encoder = VaeEncoder.Load(source.Location);
        var input = source.Input(encoder);
        var data = DataFile.Load(context, _data.Path(arguments), _data.Settings(arguments), input, terminal, cancellationToken);
        data.CheckFinite(cancellationToken);
        var latents = new List<float[]>();
        foreach (float[][] block in data.View.GetColumn<float[]>(data.Column).Chunk(Block))
        {
            cancellationToken.ThrowIfCancellationRequested();
            float[] rows = [.. block.SelectMany(row => row)], means = new float[block.Length * encoder.LatentDimension];
            encoder.Encode(rows, means);
            latents.AddRange(means.Chunk(encoder.LatentDimension));
        }
        ResultFile.Write(context, latents, RowFormat.Of(input.Features, input.Shape, input.Names), output, cancellationToken);
        return latents.Count;
    }

    /// <summary>A column by its name, in whatever case it is typed.</summary>
    private static string Column(DataViewSchema schema, string name, ModelSource source)
    {
        var numbers = schema.Where(column => !column.IsHidden && column.Type is VectorDataViewType { IsKnownSize: true } or NumberDataViewType
            && ((column.Type as VectorDataViewType)?.ItemType ?? column.Type) == NumberDataViewType.Single);
        return numbers.FirstOrDefault(column => column.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { Name: { } found } ? found
            : throw new UsageException($"--outputs: the pipeline of '{source.Location}' gives no numbers called '{name}'; it gives {string.Join(", ", numbers.Select(column => column.Name).Distinct())}.");
    }
}
