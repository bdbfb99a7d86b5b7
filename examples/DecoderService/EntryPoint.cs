namespace DecoderService;

internal static class EntryPoint
{
    private const string Usage = """
        Serves a variational autoencoder that Vae.MLNet exported, with a latent explorer at /.

          --model FILE             decoder.onnx (needed)
          --encoder FILE           encoder.onnx; default: the one beside the model, if there is one
          --data FILE              latents.json for the explorer's map; default: the one beside the model, if there is one
          --dimensions N           2 or 3: the model's rows are conformations with so many coordinates a bead. Files of earlier versions do not say it
          --urls URL               default http://localhost:5080
          --allowed-hosts LIST     hosts that are answered to, separated by ';'; default: localhost, 127.0.0.1, [::1] and those in --urls; * for any
          --body-seconds N         longest time for a request's body to come in, default 30
          --max-rows N             most rows in a request, default 4096
          --max-steps N            most steps of an optimisation, default 2000
          --poll-milliseconds N    how often the model's files are looked at, default 500
        """;

    public static async Task<int> Main(string[] args)
    {
        if (args.Any(argument => argument is "--help" or "-h"))
        {
            Console.WriteLine(Usage);
            return 0;
        }
        WebApplication app;
        try
        {
            app = DecoderApp.Create(args);
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
        await using (app)
            await app.RunAsync();
        return 0;
    }
}
