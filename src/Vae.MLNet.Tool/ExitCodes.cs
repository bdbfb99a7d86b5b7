namespace Vae.MLNet.Tool;

/// <summary>What the tool's exit codes mean.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>The command was understood and failed: bad data, a bad model, a full disk.</summary>
    public const int Failed = 1;

    /// <summary>The command line itself is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Stopped by Ctrl-C (128 and the number of SIGINT).</summary>
    public const int Cancelled = 130;
}

/// <summary>Rows are not all numbers: a cell holds text, or nothing.</summary>
internal sealed class NotNumbersException(string message) : Exception(message);

/// <summary>The command line asks for what does not go together.</summary>
internal sealed class UsageException(string message) : Exception(message);
