using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool;

/// <summary>A point of the latent space, given by its coordinates or as the code of a row of a file.</summary>
internal sealed class LatentPoint(Option<float[]?> coordinates, Option<string?> row)
{
    /// <summary>Reads the points of a command.</summary>
    public static float[][] Read(
        ParseResult arguments, IReadOnlyList<LatentPoint> points, RowOptions rows, MLContext context, ModelSource source,
        VaeDecoder decoder, Terminal terminal, CancellationToken cancellationToken)
    {
        string[] files = [.. points.Select(point => point.Place(arguments)?.File).OfType<string>()];
        if (files.Length == 0)
            rows.CheckUnused(arguments);
        return [.. points.Select(point => point.Read(
            arguments, path => rows.Read(arguments, path, files), context, source, decoder, terminal, cancellationToken))];
    }

    /// <summary>The file and the row; null where coordinates are given.</summary>
    private (string File, long Row)? Place(ParseResult arguments)
    {
        if (arguments.GetValue(row) is not { } place)
            return null;
        int colon = place.LastIndexOf(':');
        if (colon <= 0 || !long.TryParse(place.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            throw new UsageException($"{row.Name} has to be a file, a colon and the number of a row, such as paths.npz:12; it is '{place}'.");
        return (place[..colon], number);
    }

    private float[] Read(
        ParseResult arguments, Func<string, RowSettings> settings, MLContext context, ModelSource source,
        VaeDecoder decoder, Terminal terminal, CancellationToken cancellationToken)
    {
        float[]? given = arguments.GetNumbers(coordinates);
        var place = Place(arguments);
        if (given is null == place is null)
            throw new UsageException($"Give either {coordinates.Name} or {row.Name}.");
        if (given is not null)
        {
            return given.Length == decoder.LatentDimension ? given
                : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{coordinates.Name} has to be {decoder.LatentDimension} numbers, one for each latent dimension; it has {given.Length}."));
        }
        var (path, number) = place!.Value;
        var (pipeline, schema) = source.LoadPipeline(context);
        using (pipeline as IDisposable)
        {
            var file = source.LoadRows(context, pipeline, schema, path, settings(path), terminal, cancellationToken)
                .TakeRow(context, number, row.Name);
            if (!source.Input(pipeline, schema).TakesMissing)
                file.CheckFinite(cancellationToken);
            return pipeline.Transform(file.View).GetColumn<float[]>(ModelSource.LatentColumn(pipeline)).Single();
        }
    }
}
