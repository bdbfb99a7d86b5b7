using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Primitives;

namespace DecoderService.Requests;

/// <summary>
/// Answers only to hosts that it knows. A page of another site can make its name point to this machine (DNS rebinding) and then read what a service on the loopback
/// answers; the Host header gives it away, since the browser sends that site's name.
/// </summary>
internal sealed class KnownHosts(ServiceOptions options, IServer server, ILogger<KnownHosts> log) : IMiddleware
{
    private static readonly string[] Loopback = ["localhost", "127.0.0.1", "[::1]"];

    // The addresses are known once the service listens, which is before the first request.
    private readonly Lazy<IList<StringSegment>?> _hosts = new(() => Hosts(options, server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []));

    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var host = context.Request.Host;
        // Every browser names a host; health checks of HTTP/1.0 need not.
        if (_hosts.Value is not { } hosts || !host.HasValue || HostString.MatchesAny(new StringSegment(host.Host), hosts))
            return next(context);
        string problem = $"The service does not answer to the host '{host.Host}' (--allowed-hosts).";
        return TypedResults.Problem(problem, statusCode: StatusCodes.Status400BadRequest, title: "Unknown host.").ExecuteAsync(context);
    }

    /// <summary>Logs what a listener on every address answers to, once it listens.</summary>
    public void Report()
    {
        if (_hosts.Value is null && options.AllowedHosts is null)
            log.LogWarning("The service listens on every address and answers to any host. --allowed-hosts names those that it is to answer to.");
    }

    /// <summary>The names that are answered to; null for any.</summary>
    internal static IList<StringSegment>? Hosts(ServiceOptions options, IEnumerable<string> addresses)
    {
        if (options.AllowedHosts is { } allowed)
            return allowed.Contains("*") ? null : [.. allowed.Select(host => new StringSegment(host))];
        var hosts = new List<StringSegment>(Loopback.Select(host => new StringSegment(host)));
        foreach (string address in addresses)
        {
            var binding = BindingAddress.Parse(address);
            // No page reaches a socket in the file system; who listens on every address is known by names that cannot be told from here.
            if (binding.IsUnixPipe || binding.IsNamedPipe || binding.Host is "*" or "+" or "0.0.0.0" or "[::]")
                return null;
            hosts.Add(binding.Host);
        }
        return hosts;
    }
}
