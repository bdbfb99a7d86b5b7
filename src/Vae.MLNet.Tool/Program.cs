using Vae.MLNet.Tool;

return await CommandLine.RunAsync(args, new Terminal(Console.Out, Console.Error, interactive: !Console.IsErrorRedirected));
