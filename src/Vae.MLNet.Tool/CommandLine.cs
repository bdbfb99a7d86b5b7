using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Vae.MLNet.Tool.Commands;

namespace Vae.MLNet.Tool;

/// <summary>The commands, and how what goes wrong in them is told.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] args, Terminal terminal, CancellationToken cancellationToken = default)
    {
        var json = new Option<bool>("--json") { Description = "Write the result as one JSON document; progress and messages go to the error stream.", Recursive = true };
        var root = new RootCommand("Variational autoencoders for tables and trajectories: train one, draw new rows, find odd ones, fill gaps, encode, interpolate and optimise in its latent space.") { json };
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        ToolCommand[] commands = [new TrainCommand(), new EncodeCommand(), new SynthesizeCommand(), new DetectCommand(), new ImputeCommand(), new SampleCommand(), new InterpolateCommand(), new OptimizeCommand(), new EvaluateCommand(), new CompareCommand(), new InspectCommand()];
        foreach (var command in commands)
        {
            command.SetAction((result, token) => Task.Run(() =>
            {
                terminal.Json = result.GetValue(json);
                command.Run(result, terminal, token);
            }, token));
            root.Add(command);
        }

        var parsed = root.Parse(args);
        if (parsed.Action is ParseErrorAction)
        {
            foreach (var error in parsed.Errors)
                terminal.Message($"vae-mlnet: {error.Message}");
            terminal.Message("'vae-mlnet --help', or --help behind a command, tells what there is.");
            return ExitCodes.Usage;
        }
        try
        {
            // Exceptions are told here; the token is cancelled by Ctrl-C.
            return await parsed.InvokeAsync(new InvocationConfiguration { Output = terminal.Output, Error = terminal.Error, EnableDefaultExceptionHandler = false }, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            terminal.Message("vae-mlnet: stopped; nothing was written.");
            return ExitCodes.Cancelled;
        }
        catch (UsageException e)
        {
            terminal.Message($"vae-mlnet: {OneLine(e.Message)}");
            return ExitCodes.Usage;
        }
        catch (Exception e)
        {
            terminal.Message($"vae-mlnet: {OneLine(Innermost(e).Message)}");
            return ExitCodes.Failed;
        }
    }

    /// <summary>The usual help, and examples behind it.</summary>
    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = help.Invoke(parseResult);
            var writer = parseResult.InvocationConfiguration.Output;
            string[] examples = parseResult.CommandResult.Command is ToolCommand command ? [.. command.Examples]
                : [.. parseResult.RootCommandResult.Command.Subcommands.OfType<ToolCommand>().Select(command => command.Examples[0])];
            writer.WriteLine("Examples:");
            foreach (string example in examples)
                writer.WriteLine($"  vae-mlnet {example}");
            writer.WriteLine();
            writer.WriteLine("Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.");
            return code;
        }
    }

    /// <summary>ML.NET and tasks wrap what went wrong.</summary>
    private static Exception Innermost(Exception e) =>
        e is AggregateException or System.Reflection.TargetInvocationException && e.InnerException is { } inner ? Innermost(inner) : e;

    private static string OneLine(string message) => string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
