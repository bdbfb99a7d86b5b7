using System.CommandLine;
using System.Globalization;

namespace Vae.MLNet.Tool;

/// <summary>One of an enumeration's values, in lower case with hyphens.</summary>
internal sealed class Choice<T>
    where T : struct, Enum
{
    private static readonly Dictionary<string, T> Values = Enum.GetValues<T>().ToDictionary(Word, value => value);

    /// <param name="name">The option.</param>
    /// <param name="description">What it does.</param>
    /// <param name="value">Its default; null where that depends on other things.</param>
    public Choice(string name, string description, T? value)
    {
        Option = new Option<string?>(name) { Description = description, HelpName = string.Join('|', Values.Keys) };
        if (value is { } known)
            Option.DefaultValueFactory = _ => Word(known);
        Option.AcceptOnlyFromAmong([.. Values.Keys]);
    }

    public Option<string?> Option { get; }

    public T Read(ParseResult arguments) => Values[arguments.GetRequiredValue(Option)!];

    /// <summary>What was said, or null.</summary>
    public T? Find(ParseResult arguments) => arguments.GetValue(Option) is { } word ? Values[word] : null;

    /// <summary>LogVariance becomes log-variance.</summary>
    public static string Word(T value)
    {
        string name = value.ToString();
        return string.Concat(name.Select((letter, i) => i > 0 && char.IsUpper(letter) && !char.IsUpper(name[i - 1]) ? $"-{letter}" : $"{letter}")).ToLowerInvariant();
    }
}

internal static class ParseResultExtensions
{
    /// <summary>Numbers, or null where the option was left out, which the parser gives as no numbers.</summary>
    public static float[]? GetNumbers(this ParseResult arguments, Option<float[]?> option) => arguments.GetValue(option) is { Length: > 0 } numbers ? numbers : null;
}

/// <summary>One command of the tool.</summary>
internal abstract class ToolCommand(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Command lines to learn from, without the tool's name.</summary>
    public IReadOnlyList<string> Examples => examples;

    /// <summary>Does it; what goes wrong is thrown.</summary>
    public abstract void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken);

    protected T Register<T>(T symbol)
        where T : Symbol
    {
        switch (symbol)
        {
            case Argument argument:
                Add(argument);
                break;
            case Option option:
                Add(option);
                break;
        }
        return symbol;
    }

    protected Option<int> Integer(string name, string description, int value, int minimum = 0) => Register(Parsed(new Option<int>(name)
    {
        Description = description,
        DefaultValueFactory = _ => value,
    }, found => found >= minimum, Invariant($"at least {minimum}")));

    protected Option<float> Real(string name, string description, float value, float minimum = 0) => Register(Parsed(new Option<float>(name)
    {
        Description = description,
        DefaultValueFactory = _ => value,
        CustomParser = result => float.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) ? number : float.NaN,
    }, found => found >= minimum && float.IsFinite(found), Invariant($"a number of at least {minimum}")));

    /// <summary>A whole number whose default depends on other things.</summary>
    protected Option<int?> OptionalInteger(string name, string description, int minimum = 0) => Register(Parsed(new Option<int?>(name) { Description = description }, found => found >= minimum, Invariant($"at least {minimum}")));

    /// <summary>A number whose default depends on other things.</summary>
    protected Option<float?> OptionalReal(string name, string description, float minimum = 0) => Register(Parsed(new Option<float?>(name)
    {
        Description = description,
        CustomParser = result => float.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) ? number : float.NaN,
    }, found => found >= minimum && float.IsFinite(found.Value), Invariant($"a number of at least {minimum}")));

    protected Choice<T> OneOf<T>(string name, string description, T value)
        where T : struct, Enum => Add(new Choice<T>(name, description, value));

    /// <summary>One of some words, whose default depends on other things.</summary>
    protected Choice<T> OptionalOneOf<T>(string name, string description)
        where T : struct, Enum => Add(new Choice<T>(name, description, null));

    /// <summary>Numbers with commas between.</summary>
    protected Option<float[]?> Numbers(string name, string description) => Register(new Option<float[]?>(name)
    {
        Description = description,
        HelpName = "x,y,...",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
            var numbers = new float[parts.Length];
            for (int i = 0; i < parts.Length; i++)
            {
                if (!float.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i]) || !float.IsFinite(numbers[i]))
                {
                    result.AddError($"{name} has to be numbers with commas between; it is '{text}'.");
                    return null;
                }
            }
            return numbers;
        },
    });

    protected Option<string?> Text(string name, string description, string helpName) => Register(new Option<string?>(name) { Description = description, HelpName = helpName });

    protected Option<bool> Flag(string name, string description) => Register(new Option<bool>(name) { Description = description });

    /// <summary>The file that a command writes.</summary>
    protected Option<string> OutputFile(string description) => Register(new Option<string>("--output", "-o") { Description = description, HelpName = "file", Required = true });

    protected static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private Choice<T> Add<T>(Choice<T> choice)
        where T : struct, Enum
    {
        Add(choice.Option);
        return choice;
    }

    private static Option<T> Parsed<T>(Option<T> option, Func<T, bool> allowed, string expected)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !result.Errors.Any() && !allowed(result.GetValueOrDefault<T>()!))
                result.AddError($"{option.Name} has to be {expected}; it is '{result.Tokens[0].Value}'.");
        });
        return option;
    }
}
