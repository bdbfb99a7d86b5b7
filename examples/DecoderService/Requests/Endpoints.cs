using System.ComponentModel;
using System.Threading.RateLimiting;
using DecoderService.Models;
using Vae.MLNet.Inference;

namespace DecoderService.Requests;

internal static class Endpoints
{
    public static void Map(WebApplication app)
    {
        var api = app.MapGroup("").WithTags("Decoder");
        api.MapPost("/decode", DecodeAsync).WithSummary("Decodes latents, one a row, to the mean of p(x|z) in units of the data.")
            .Produces<DecodeResponse>().ReadsBody().ProducesProblem(503);
        api.MapPost("/encode", EncodeAsync).WithSummary("Encodes rows of data to the posterior's mean and standard deviation.")
            .Produces<EncodeResponse>().ReadsBody().ProducesProblem(404).ProducesProblem(503);
        api.MapPost("/interpolate", Interpolate).WithSummary("Decodes points on the way from one latent to another (mode: linear or spherical).")
            .Produces<PathResponse>().ReadsBody();
        api.MapPost("/optimize", OptimizeAsync).WithSummary("Gradient descent in latent space on a function of the decoded chain; gives the whole path.")
            .Produces<OptimizeResponse>().ReadsBody().ProducesProblem(422).ProducesProblem(503);
        api.MapGet("/sample", Sample).WithSummary("Draws from the prior and decodes; the same seed gives the same samples.")
            .Produces<SampleResponse>().ProducesValidationProblem();
        api.MapGet("/model", Model).WithSummary("What the model says of itself, and the service's limits.").Produces<ModelResponse>();
        api.MapGet("/model/decoder.onnx", DecoderFile).WithSummary("The decoder's ONNX file, for OnnxRuntime in the browser.").Produces<byte[]>(200, "application/octet-stream");
        api.MapGet("/data/latents.json", Data).WithSummary("Latents of the data for the explorer's map.").Produces<object>(200, "application/json").ProducesProblem(404);
        api.MapGet("/healthz", Health).WithSummary("200 while the service takes requests.").Produces<HealthResponse>().ProducesProblem(503);
    }

    /// <summary>The answers to a body that cannot be used: wrong, too late, too large, of another kind.</summary>
    private static RouteHandlerBuilder ReadsBody(this RouteHandlerBuilder endpoint) => endpoint.ProducesValidationProblem()
        .ProducesProblem(StatusCodes.Status408RequestTimeout).ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status415UnsupportedMediaType);

    private static async Task<IResult> DecodeAsync(DecodeRequest request, ModelStore store, ServiceOptions options, HttpContext context, ServiceMetrics metrics)
    {
        using var lease = store.Rent();
        var model = lease.Model;
        var errors = new FieldErrors();
        errors.Names(request.ByName, model.Rows, "byName");
        if (errors.Rows(request.Latents, model.Decoder.LatentDimension, options.MaximumRows, options.MaximumLatent, "latents") is not { } latents || errors.Any)
            return errors.Result();
        if (model.Decode.TryRun(latents, context.RequestAborted) is not { } run)
            return Busy(context, metrics);
        return errors.Split(await run, model.Decoder.FeatureCount, "latents") is { } outputs
            ? TypedResults.Ok(new DecodeResponse(model.Version, outputs, ByName(model.Rows, outputs, request.ByName), Letters(model.Rows, outputs)))
            : errors.Result();
    }

    private static async Task<IResult> EncodeAsync(EncodeRequest request, ModelStore store, ServiceOptions options, HttpContext context, ServiceMetrics metrics)
    {
        using var lease = store.Rent();
        var model = lease.Model;
        if (model.Encode is null)
            return TypedResults.Problem("The service was started without an encoder (--encoder).", statusCode: StatusCodes.Status404NotFound);
        var errors = new FieldErrors();
        if (errors.Rows(request.Features, model.Encoder!, options.MaximumRows, "features") is not { } features)
            return errors.Result();
        if (model.Encode.TryRun(features, context.RequestAborted) is not { } run)
            return Busy(context, metrics);
        int latent = model.Decoder.LatentDimension;
        return errors.Split(await run, 2 * latent, "features") is { } rows
            ? TypedResults.Ok(new EncodeResponse(model.Version, [.. rows.Select(row => row[..latent])], [.. rows.Select(row => row[latent..])]))
            : errors.Result();
    }

    private static IResult Interpolate(InterpolateRequest request, ModelStore store, ServiceOptions options)
    {
        using var lease = store.Rent();
        var decoder = lease.Model.Decoder;
        var errors = new FieldErrors();
        errors.Row(request.From, decoder.LatentDimension, options.MaximumLatent, "from");
        errors.Row(request.To, decoder.LatentDimension, options.MaximumLatent, "to");
        errors.Range(request.Steps, 2, options.MaximumRows, "steps");
        var mode = errors.OneOf<InterpolationMode>(request.Mode, "mode");
        if (errors.Any)
            return errors.Result();
        DecodedLatents path;
        try
        {
            path = decoder.Interpolate(request.From, request.To, request.Steps, mode);
        }
        catch (ArgumentException e) when (e.ParamName is "to")
        {
            return FieldErrors.Result("to", e.Message);
        }
        return errors.Split(path.Outputs.Span, path.FeatureCount, "steps") is { } outputs
            ? TypedResults.Ok(new PathResponse(lease.Model.Version, path.LatentArrays(), outputs))
            : errors.Result();
    }

    private static async Task<IResult> OptimizeAsync(
        OptimizeRequest request, ModelStore store, ServiceOptions options, ConcurrencyLimiter limiter, HttpContext context, ServiceMetrics metrics)
    {
        using var lease = store.Rent();
        var decoder = lease.Model.Decoder;
        if (!decoder.SupportsGradient)
            return TypedResults.Problem("The decoder was exported without its gradient.", statusCode: StatusCodes.Status422UnprocessableEntity);
        var errors = new FieldErrors();
        errors.Row(request.Start, decoder.LatentDimension, options.MaximumLatent, "start");
        errors.Range(request.Steps, 0, options.MaximumSteps, "steps");
        errors.Range(request.LearningRate, 1e-6f, 10, "learningRate");
        errors.Range(request.PriorWeight, 0, 1e6f, "priorWeight");
        var optimizer = errors.OneOf<LatentOptimizer>(request.Optimizer, "optimizer");
        var objective = Objective(request.Objective, decoder.FeatureCount, lease.Model.Rows, errors);
        if (errors.Any || objective is null)
            return errors.Result();
        LatentOptimization found;
        // Held while it computes and no longer: neither a body that comes slowly nor a client that reads its answer slowly keeps a place.
        using (var place = await limiter.AcquireAsync(1, context.RequestAborted))
        {
            if (!place.IsAcquired)
                return Busy(context, metrics, "Too many optimisations are waiting.");
            try
            {
                found = decoder.Optimize(objective, request.Start, new()
                {
                    Steps = request.Steps,
                    LearningRate = request.LearningRate,
                    PriorWeight = request.PriorWeight,
                    Optimizer = optimizer,
                }, context.RequestAborted);
            }
            catch (InvalidOperationException e)
            {
                return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status422UnprocessableEntity, title: "The optimisation diverged.");
            }
        }
        return errors.Split(found.Path.Outputs.Span, decoder.FeatureCount, "start") is { } outputs
            ? TypedResults.Ok(new OptimizeResponse(
                lease.Model.Version, found.Path.LatentArrays(), outputs, [.. found.Values], [.. found.Objectives], found.BestIndex, found.Converged))
            : errors.Result();
    }

    private static LatentObjective? Objective(ObjectiveRequest? request, int features, ModelRows rows, FieldErrors errors)
    {
        if (request is null or { RadiusOfGyration: null, BondLengths: null, NonBondedDistances: null, Features: null or [], Letters: null or [] })
        {
            errors.Add("objective", "is needed, with at least one of radiusOfGyration, bondLengths, nonBondedDistances, features, letters.");
            return null;
        }
        int dimensions = request.Dimensions ?? (rows.Dimensions is > 0 and var known ? known : 2);
        bool chain = request is not { RadiusOfGyration: null, BondLengths: null, NonBondedDistances: null };
        if (chain && (dimensions is not (2 or 3) || features % dimensions != 0 || features < 2 * dimensions))
            errors.Add("objective.dimensions", $"has to be 2 or 3 and divide the model's {features} features into at least two points; it is {dimensions}.");
        var (gyration, bonds, contacts) = (request.RadiusOfGyration, request.BondLengths, request.NonBondedDistances);
        if (gyration is not null)
        {
            errors.Range(gyration.Weight, -1e6f, 1e6f, "objective.radiusOfGyration.weight");
            errors.Range(gyration.Target ?? 0, 0, 1e6f, "objective.radiusOfGyration.target");
        }
        if (bonds is not null)
        {
            errors.Range(bonds.Weight, 0, 1e6f, "objective.bondLengths.weight");
            errors.Range(bonds.Minimum, 0, 1e6f, "objective.bondLengths.minimum");
            errors.Range(bonds.Maximum, bonds.Minimum, 1e6f, "objective.bondLengths.maximum");
        }
        if (contacts is not null)
        {
            errors.Range(contacts.Weight, 0, 1e6f, "objective.nonBondedDistances.weight");
            errors.Range(contacts.Minimum, 0, 1e6f, "objective.nonBondedDistances.minimum");
            errors.Range(contacts.Separation, 1, Math.Max(1, features / Math.Max(1, dimensions) - 1), "objective.nonBondedDistances.separation");
        }
        var terms = new List<(float Weight, LatentObjective Term)>();
        for (int i = 0; i < (request.Features?.Length ?? 0); i++)
            Feature(request.Features![i], features, rows, $"objective.features[{i}]", terms, errors);
        for (int i = 0; i < (request.Letters?.Length ?? 0); i++)
            Letter(request.Letters![i], rows, $"objective.letters[{i}]", terms, errors);
        if (errors.Any)
            return null;
        LatentObjective? sum = null;
        if (gyration is not null)
        {
            var radius = LatentObjective.RadiusOfGyration(dimensions);
            Add(gyration.Weight, gyration.Target is { } target ? radius.Target(target) : radius);
        }
        if (bonds is not null)
            Add(bonds.Weight, LatentObjective.BondLengths(dimensions, bonds.Minimum, bonds.Maximum));
        if (contacts is not null)
            Add(contacts.Weight, LatentObjective.NonBondedDistances(dimensions, contacts.Minimum, contacts.Separation));
        foreach (var (weight, term) in terms)
            Add(weight, term);
        return sum;

        void Add(float weight, LatentObjective term) => sum = sum is null ? weight * term : sum + weight * term;
    }

    private static void Feature(FeatureTerm? term, int features, ModelRows rows, string field, List<(float, LatentObjective)> terms, FieldErrors errors)
    {
        if (term is null or { Name: null, Index: null } or { Name: not null, Index: not null })
        {
            errors.Add(field, "needs the name or the index of a number of the row.");
            return;
        }
        int at = term.Index ?? Enumerable.Range(0, rows.Names.Count).FirstOrDefault(j => rows.Names[j] == term.Name, -1);
        if (term.Name is not null && at < 0)
        {
            errors.Add($"{field}.name", rows.Names.Count > 0 ? $"is not one of the columns: {FieldErrors.List(rows.Names)}." : "cannot be used: the model's columns have no names; give an index.");
            return;
        }
        errors.Range(at, 0, features - 1, $"{field}.index");
        errors.Range(term.Weight, -1e6f, 1e6f, $"{field}.weight");
        if (term.Target is { } wanted)
            errors.Range(wanted, float.MinValue, float.MaxValue, $"{field}.target");
        if (errors.Any)
            return;
        var value = LatentObjective.Create((row, gradient) =>
        {
            gradient[at] = 1;
            return row[at];
        });
        terms.Add((term.Weight, term.Target is { } target ? value.Target(target) : value));
    }

    private static void Letter(LetterTerm? term, ModelRows rows, string field, List<(float, LatentObjective)> terms, FieldErrors errors)
    {
        if (term is null || rows.Layout is not { } layout)
        {
            errors.Add(field, term is null ? "is needed." : "is for models of sequences.");
            return;
        }
        errors.Range(term.Weight, -1e6f, 1e6f, $"{field}.weight");
        if (term.Letter is not { Length: 1 })
        {
            errors.Add($"{field}.letter", "has to be one letter.");
            return;
        }
        if (errors.Any)
            return;
        try
        {
            terms.Add((term.Weight, SequenceObjective.Letters(layout, (term.Position, term.Letter[0]))));
        }
        catch (ArgumentException e)
        {
            errors.Add(field, e.Message.Split(" (Parameter")[0]);
        }
    }

    /// <summary>Rows by their columns' names, unless nobody wants them or there are none.</summary>
    private static IReadOnlyDictionary<string, float>[]? ByName(ModelRows rows, float[][] outputs, bool? wanted) => rows.Names.Count == 0 || wanted == false
        ? null
        : [.. outputs.Select(output => new OrderedDictionary<string, float>(rows.Names.Select((name, j) => KeyValuePair.Create(name, output[j]))))];

    private static string[]? Letters(ModelRows rows, float[][] outputs) => rows.Layout is null ? null : [.. outputs.Select(output => rows.MostProbable(output))];

    private static IResult Sample(ModelStore store, ServiceOptions options,
        [Description("Samples.")] int count = 1,
        [Description("The same seed gives the same samples.")] int seed = 0,
        [Description("Standard deviation of the latents; 1 is the prior.")] float temperature = 1,
        [Description("Whether the likelihood's noise is added, or a symbol drawn.")] bool noise = false,
        [Description("Whether the answer has the rows by their columns' names too; by default where the model has names.")] bool? byName = null)
    {
        using var lease = store.Rent();
        var decoder = lease.Model.Decoder;
        var errors = new FieldErrors();
        errors.Range(count, 1, options.MaximumRows, "count");
        errors.Range(temperature, 0, 10, "temperature");
        if (noise && !decoder.HasLogits && decoder.Noise.Count == 0)
            errors.Add("noise", "has to be false; the model has no noise to sample with.");
        errors.Names(byName, lease.Model.Rows, "byName");
        if (errors.Any)
            return errors.Result();
        var samples = decoder.Sample(count, seed, new() { Temperature = temperature, Noise = noise });
        return errors.Split(samples.Outputs.Span, decoder.FeatureCount, "count") is { } outputs
            ? TypedResults.Ok(new SampleResponse(lease.Model.Version, samples.LatentArrays(), outputs, ByName(lease.Model.Rows, outputs, byName), Letters(lease.Model.Rows, outputs)))
            : errors.Result();
    }

    private static IResult Model(ModelStore store, ServiceOptions options)
    {
        using var lease = store.Rent();
        var (model, decoder) = (lease.Model, lease.Model.Decoder);
        return TypedResults.Ok(new ModelResponse(
            model.Version, model.LoadedAt, decoder.LatentDimension, decoder.FeatureCount, decoder.Likelihood.ToString(), [.. decoder.Noise], decoder.SupportsGradient,
            model.Encoder is not null, options.Data is not null, Describe(model), new(options.MaximumRows, options.MaximumSteps, options.MaximumLatent, options.MaximumBody), decoder.Metadata));
    }

    private static RowsResponse Describe(LoadedModel model)
    {
        var (rows, decoder) = (model.Rows, model.Decoder);
        string kind = rows.Kind switch { Vae.MLNet.Inference.VaeDataKind.Conformation => "conformation", Vae.MLNet.Inference.VaeDataKind.Sequence => "sequence", _ => "vector" };
        return new(kind, rows.Dimensions, rows.Names, decoder.FeatureLow, decoder.FeatureHigh,
            rows.Layout is { Alphabet: var alphabet } ? string.Concat(Enumerable.Range(0, alphabet.OutputSymbolCount).Select(alphabet.LetterOf)) : null,
            rows.Layout?.Columns.Select(column => column.ReferencePosition).ToArray());
    }

    private static IResult DecoderFile(ModelStore store)
    {
        using var lease = store.Rent();
        return TypedResults.Bytes(lease.Model.DecoderBytes, "application/octet-stream", entityTag: new($"\"{lease.Model.Version}\""));
    }

    private static IResult Data(ServiceOptions options) => options.Data is not null && File.Exists(options.Data)
        ? TypedResults.PhysicalFile(options.Data, "application/json")
        : TypedResults.Problem("There is no map of the data (--data).", statusCode: StatusCodes.Status404NotFound);

    private static IResult Health(ModelStore store, IHostApplicationLifetime lifetime)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
            return TypedResults.Problem("The service is stopping.", statusCode: StatusCodes.Status503ServiceUnavailable);
        using var lease = store.Rent();
        return TypedResults.Ok(new HealthResponse("healthy", lease.Model.Version));
    }

    public static IResult Busy(HttpContext context, ServiceMetrics metrics, string problem = "Too many requests are waiting.")
    {
        metrics.Rejected();
        context.Response.Headers.RetryAfter = "1";
        return TypedResults.Problem(problem, statusCode: StatusCodes.Status503ServiceUnavailable);
    }
}
