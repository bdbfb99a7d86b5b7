namespace DecoderService;

/// <summary>What the command line (or the environment) asks for, and the service's limits.</summary>
internal sealed record ServiceOptions
{
    /// <summary>The decoder's ONNX file.</summary>
    public required string Model { get; init; }

    /// <summary>The encoder's ONNX file; null serves no /encode.</summary>
    public string? Encoder { get; init; }

    /// <summary>The explorer's map: latents of the data and what is physical; null shows the prior alone.</summary>
    public string? Data { get; init; }

    /// <summary>
    /// Coordinates of a bead, for a model of conformations whose file does not say that it is one (those of earlier versions); null
    /// believes the file. 24 numbers may be 12
    /// beads in a plane or a table of 24 columns, so that nothing is guessed.
    /// </summary>
    public int? Dimensions { get; init; }

    /// <summary>Most rows in one request.</summary>
    public int MaximumRows { get; init; } = 4096;

    /// <summary>Most steps of one optimisation.</summary>
    public int MaximumSteps { get; init; } = 2000;

    /// <summary>Largest absolute value of a latent's number; far beyond the prior a decoder computes nothing of meaning.</summary>
    public float MaximumLatent { get; init; } = 100;

    /// <summary>Largest body of a request, in bytes.</summary>
    public long MaximumBody { get; init; } = 8 << 20;

    /// <summary>Longest time that a request's body may take to come in; then it is answered 408.</summary>
    public TimeSpan BodyTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The names that a request's Host header may have, without ports; <c>*.example.org</c> takes its subdomains too, <c>*</c> any. Null takes those of the loopback
    /// and of the addresses listened on, and any where the service listens on every address.
    /// </summary>
    public IReadOnlyList<string>? AllowedHosts { get; init; }

    /// <summary>Rows at which a batch runs without waiting for more. A request with at least as many rows runs by itself.</summary>
    public int BatchRows { get; init; } = 256;

    /// <summary>Longest time that a batch waits for requests that are just coming in.</summary>
    public TimeSpan BatchWindow { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>Requests that may wait for a batch; further ones are answered 503.</summary>
    public int QueueLength { get; init; } = 4096;

    /// <summary>Optimisations that may wait for a core; further ones are answered 503.</summary>
    public int OptimizationQueueLength { get; init; } = 64;

    /// <summary>How often the model's files are looked at.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Reads <c>--model</c>, <c>--encoder</c>, <c>--data</c> and the limits; encoder and data default to what lies beside the model.</summary>
    /// <exception cref="ArgumentException">An option is missing or out of range, or a file is not there.</exception>
    public static ServiceOptions From(IConfiguration configuration)
    {
        string model = configuration["model"] is { Length: > 0 } given
            ? given
            : throw new ArgumentException("--model FILE is needed: a decoder.onnx that Vae.MLNet exported. 'eng/serve.sh' makes one and starts the service with it.");
        model = Existing("--model", model);
        string folder = Path.GetDirectoryName(model)!;
        return new ServiceOptions
        {
            Model = model,
            Encoder = Optional("--encoder", configuration["encoder"], Path.Combine(folder, "encoder.onnx")),
            Data = Optional("--data", configuration["data"], Path.Combine(folder, "latents.json")),
            Dimensions = configuration["dimensions"] is { Length: > 0 } ? Number(configuration, "dimensions", 2, 2, 3) : null,
            MaximumRows = Number(configuration, "max-rows", 4096, 1, 65536),
            MaximumSteps = Number(configuration, "max-steps", 2000, 1, 100_000),
            BodyTimeout = TimeSpan.FromSeconds(Number(configuration, "body-seconds", 30, 1, 3600)),
            AllowedHosts = Hosts(configuration["allowed-hosts"] ?? configuration["AllowedHosts"]),
            PollInterval = TimeSpan.FromMilliseconds(Number(configuration, "poll-milliseconds", 500, 10, 3_600_000)),
        };
    }

    private static string? Optional(string option, string? given, string standard) =>
        given is { Length: > 0 } ? Existing(option, given) : File.Exists(standard) ? standard : null;

    private static string Existing(string option, string file) =>
        File.Exists(file) ? Path.GetFullPath(file) : throw new ArgumentException($"{option}: there is no file '{Path.GetFullPath(file)}'.");

    private static string[]? Hosts(string? given)
    {
        if (string.IsNullOrWhiteSpace(given))
            return null;
        string[] hosts = given.Split([';', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (string host in hosts)
        {
            // An IPv6 address has brackets; what follows a colon elsewhere is a port, a path follows a slash.
            if (host.Contains('/') || (host.StartsWith('[') ? !host.EndsWith(']') : host.Contains(':')))
                throw new ArgumentException($"--allowed-hosts takes names without scheme, port or path, separated by ';' (decoder.example.org;[::1]); it holds '{host}'.");
        }
        return hosts.Length > 0 ? hosts : throw new ArgumentException($"--allowed-hosts has to name a host, or * for any; it is '{given}'.");
    }

    private static int Number(IConfiguration configuration, string name, int standard, int minimum, int maximum)
    {
        if (configuration[name] is not { Length: > 0 } text)
            return standard;
        return int.TryParse(text, out int value) && value >= minimum && value <= maximum
            ? value
            : throw new ArgumentException($"--{name} has to be a whole number from {minimum} to {maximum}; it is '{text}'.");
    }
}
