using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool;

/// <summary>A point of the latent space, given by its coordinates or as the code of a row of a file.</summary>
internal sealed class LatentPoint(Option<float[]?> coordinates, Option<string?> row)
{
    public float[] Read(ParseResult arguments, RowOptions rows, MLContext context, ModelSource source, VaeDecoder decoder, Terminal terminal, CancellationToken cancellationToken)
    {
        float[]? given = arguments.GetNumbers(coordinates);
        string? place = arguments.GetValue(row);
        if (given is null == place is null)
            throw new UsageException($"Give either {coordinates.Name} or {row.Name}.");
        if (given is not null)
        {
            return given.Length == decoder.LatentDimension ? given
                : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{coordinates.Name} has to be {decoder.LatentDimension} numbers, one for each latent dimension; it has {given.Length}."));
        }
        int colon = place!.LastIndexOf(':');
        if (colon <= 0 || !long.TryParse(place.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            throw new UsageException($"{row.Name} has to be a file, a colon and the number of a row, such as paths.npz:12; it is '{place}'.");
        var (pipeline, schema) = source.LoadPipeline(context);
        using (pipeline as IDisposable)
        {
            var file = source.LoadRows(context, pipeline, schema, place[..colon], rows.Read(arguments), terminal, cancellationToken).TakeRow(context, number, row.Name);
            if (!source.Input(pipeline, schema).TakesMissing)
                file.CheckFinite(cancellationToken);
            return pipeline.Transform(file.View).GetColumn<float[]>(ModelSource.LatentColumn(pipeline)).Single();
        }
    }
}
