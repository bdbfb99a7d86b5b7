using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using Spectre.Console;

namespace Vae.MLNet.Tool;

/// <summary>Where results, messages and progress go: results to the output, all else to the error stream, so that the output can be piped.</summary>
internal sealed class Terminal(TextWriter output, TextWriter error, bool interactive)
{
    /// <summary>Between two lines of progress where nobody watches.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private static readonly JsonSerializerOptions JsonOptions = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        // A loss that is not finite is told as such.
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly HashSet<string> _told = [];

    /// <summary>What is told when the bar is gone; null where none is shown.</summary>
    private List<string>? _later;

    public TextWriter Output => output;

    public TextWriter Error => error;

    /// <summary>Whether results are one JSON document.</summary>
    public bool Json { get; set; }

    /// <summary>Whether a command's rows go to the output stream, so that its result goes to the other.</summary>
    public bool OutputIsTaken { get; set; }

    public static string Serialize(object value) => JsonSerializer.Serialize(value, JsonOptions);

    /// <summary>Writes a command's result: as JSON, or as tables for people.</summary>
    public void Result(object json, params ReadOnlySpan<Table> tables)
    {
        var writer = OutputIsTaken ? error : output;
        if (Json)
        {
            writer.WriteLine(Serialize(json));
            return;
        }
        var console = Console(writer, live: false);
        foreach (var table in tables)
            console.Write(table.Border(TableBorder.Rounded));
    }

    public void Message(string text) => error.WriteLine(text);

    /// <summary>Tells once what was taken for granted.</summary>
    public void Note(string text) => Once($"note: {text}");

    /// <summary>Warns once; while a bar is shown, behind it.</summary>
    public void Warning(string text) => Once($"warning: {text}");

    /// <summary>A context whose warnings are shown.</summary>
    public MLContext Context(int? seed = null)
    {
        var context = new MLContext(seed);
        context.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                Warning(message.RawMessage);
        };
        return context;
    }

    private void Once(string text)
    {
        text = string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        lock (_told)
        {
            if (!_told.Add(text))
                return;
            if (_later is { } later)
                later.Add(text);
            else
                error.WriteLine(text);
        }
    }

    /// <summary>A table of names and values. Its title is a column's head, which widens the table where a title above would be cut.</summary>
    public static Table Facts(string title, params ReadOnlySpan<(string Name, string Value)> rows)
    {
        var table = new Table().AddColumns("", Markup.Escape(title));
        foreach (var (name, value) in rows)
            table.AddRow(Markup.Escape(name), Markup.Escape(value));
        return table;
    }

    /// <summary>Does work that reports how far it is, in steps, with a text: as a bar where somebody watches, and as a line now and then elsewhere.</summary>
    public T Track<T>(string title, int steps, Func<Action<int, int, string>, T> work)
    {
        if (!interactive)
        {
            var last = DateTime.UtcNow;
            return work((done, of, text) =>
            {
                if (DateTime.UtcNow - last < Pause)
                    return;
                last = DateTime.UtcNow;
                error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {done} of {of}{(text.Length > 0 ? ", " : "")}{text}"));
            });
        }
        T result = default!;
        lock (_told)
            _later = [];
        try
        {
            Console(error, live: true).Progress().Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .Start(progress =>
                {
                    var task = progress.AddTask(Markup.Escape(title), maxValue: steps);
                    result = work((done, of, text) =>
                    {
                        task.MaxValue = of;
                        task.Value = done;
                        task.Description = Markup.Escape(text.Length > 0 ? $"{title}: {text}" : title);
                    });
                });
        }
        finally
        {
            lock (_told)
            {
                foreach (string text in _later)
                    error.WriteLine(text);
                _later = null;
            }
        }
        return result;
    }

    private IAnsiConsole Console(TextWriter writer, bool live)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = live ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = live ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
        // Files and pipes have no width.
        if (!live)
            console.Profile.Width = 160;
        return console;
    }
}
