using System.Threading.RateLimiting;
using DecoderService.Models;
using DecoderService.Requests;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.StaticFiles;

namespace DecoderService;

/// <summary>Puts the service together.</summary>
internal static class DecoderApp
{
    private const string ContentPolicy =
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    /// <summary>Reads the options, loads the model, and gives the service, ready to run.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="change">Changes options that the command line does not have.</param>
    /// <exception cref="ArgumentException">An option is missing or wrong.</exception>
    /// <exception cref="InvalidDataException">The model is broken.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static WebApplication Create(string[] args, Func<ServiceOptions, ServiceOptions>? change = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            Args = args,
            ContentRootPath = AppContext.BaseDirectory,
            ApplicationName = typeof(DecoderApp).Assembly.GetName().Name,
        });
        var options = ServiceOptions.From(builder.Configuration);
        options = change?.Invoke(options) ?? options;
        if (builder.Configuration["urls"] is not { Length: > 0 })
            builder.WebHost.UseUrls("http://localhost:5080");
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaximumBody;
            // A body that stops coming ends soon; one that trickles ends at the deadline (BodyReader).
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
        });
        builder.Logging.ClearProviders().AddJsonConsole().AddFilter("Microsoft.AspNetCore", LogLevel.Warning);

        var services = builder.Services;
        services.AddSingleton(options).AddSingleton<ServiceMetrics>().AddSingleton<ModelStore>().AddHostedService<ModelWatcher>();
        services.AddProblemDetails().AddExceptionHandler<BadRequestHandler>();
        services.AddOpenApi(document => document.AddSchemaTransformer(FeatureRowsSchema.TransformAsync).AddDocumentTransformer((openApi, _, _) =>
        {
            openApi.Info = new()
            {
                Title = "Decoder service",
                Version = typeof(Vae.MLNet.Inference.VaeDecoder).Assembly.GetName().Version?.ToString(3) ?? "0",
                Description = "A trained variational autoencoder: decode, encode, sample, interpolate, optimise. What is wrong with a request is answered 400 with the field's name.",
            };
            return Task.CompletedTask;
        }));
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, ServiceJson.Default);
            json.SerializerOptions.UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow;
            json.SerializerOptions.NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.Strict;
            json.SerializerOptions.AllowDuplicateProperties = false;
        });
        // What cannot be read becomes an exception, which BadRequestHandler words; the default answers with an empty body.
        services.Configure<RouteHandlerOptions>(route => route.ThrowOnBadRequest = true);
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(20));
        // An optimisation keeps a core busy for long; more of them than cores would starve the others.
        services.AddSingleton(_ => new ConcurrencyLimiter(new() { PermitLimit = Environment.ProcessorCount, QueueLimit = options.OptimizationQueueLength }));
        services.AddSingleton<KnownHosts>();

        var app = builder.Build();
        try
        {
            // A model that cannot be loaded ends the program at once.
            app.Services.GetRequiredService<ModelStore>();
            app.Lifetime.ApplicationStarted.Register(app.Services.GetRequiredService<KnownHosts>().Report);
        }
        catch
        {
            ((IDisposable)app).Dispose();
            throw;
        }
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.Use((context, next) =>
        {
            context.Response.Headers.ContentSecurityPolicy = ContentPolicy;
            context.Response.Headers.XContentTypeOptions = "nosniff";
            return next(context);
        });
        app.UseMiddleware<KnownHosts>();
        app.UseDefaultFiles();
        var types = new FileExtensionContentTypeProvider();
        types.Mappings[".mjs"] = "text/javascript";
        types.Mappings[".wasm"] = "application/wasm";
        app.UseStaticFiles(new StaticFileOptions { ContentTypeProvider = types, OnPrepareResponse = file => file.Context.Response.Headers.CacheControl = "no-cache" });
        app.UseRouting();
        app.UseMiddleware<BodyReader>();
        app.MapOpenApi("/openapi/{documentName}.json");
        Endpoints.Map(app);
        return app;
    }
}
