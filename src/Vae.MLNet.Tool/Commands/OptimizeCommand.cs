using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Follows the gradient of an objective through the decoder.</summary>
internal sealed class OptimizeCommand : ToolCommand
{
    private const int ReportEvery = 50;

    private readonly ModelArgument _model;
    private readonly LatentPoint _start;
    private readonly RowOptions _rows;
    private readonly Option<string> _objective, _output;
    private readonly Option<bool> _maximize;
    private readonly Option<string?> _target;
    private readonly Option<float[]?> _bonds;
    private readonly Option<float> _contacts, _penalty, _prior, _rate;
    private readonly Option<int> _dimensions, _steps;
    private readonly Choice<LatentOptimizer> _optimizer;

    public OptimizeCommand()
        : base("optimize", "Change a latent so that what it decodes to has less of something: the radius of gyration, or one of the numbers of a row. Needs a decoder exported with its gradient, as 'train' writes it.",
            "optimize model/ --objective rg --start 0,0 --steps 200 -o path.npz",
            "optimize model/ --objective rg --start-row paths.npz:12 --bonds 0.7,1.3 --contacts 0.55 --prior 0.01 -o path.csv",
            "optimize model/ --objective feature:pressure --target 2.5 --start 0,0,0 -o path.csv")
    {
        _model = new ModelArgument(this);
        _objective = Register(new Option<string>("--objective") { Description = "rg (radius of gyration of a conformation), or feature:NAME, feature:NUMBER (counted from 0).", HelpName = "word", DefaultValueFactory = _ => "rg" });
        _maximize = Flag("--maximize", "More of it rather than less.");
        _target = Text("--target", "As near to this value as possible, instead of less.", "number");
        _start = new(Numbers("--start", "The latent to start from."), Text("--start-row", "A row whose code to start from.", "file:row"));
        _rows = new RowOptions(this, forModel: true);
        _steps = Integer("--steps", "Most steps.", 200, minimum: 1);
        _optimizer = OneOf("--optimizer", "Rule of the steps.", LatentOptimizer.Adam);
        _rate = Real("--learning-rate", "Size of a step.", 0.05f);
        _prior = Real("--prior", "Weight of half the squared length of the latent, which keeps it where data was.", 0);
        _bonds = Numbers("--bonds", "Least and greatest bond length between neighbouring beads: what is beyond is penalised.");
        _contacts = Real("--contacts", "Least distance of beads that are not neighbours: what is nearer is penalised.", 0);
        _penalty = Real("--penalty", "Weight of the penalties.", 1000);
        _dimensions = Integer("--dimensions", "Coordinates of a bead; taken from the model where it knows.", 0);
        _output = OutputFile("File for the path: .npy (decoded rows), .npz (rows and latents), .csv or .tsv (both, side by side).");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        ResultFile.CheckName(output, 1, terminal);
        var source = _model.Open(arguments);
        var context = terminal.Context();
        using var decoder = source.LoadDecoder();
        if (!decoder.SupportsGradient)
            throw new InvalidDataException($"The decoder of '{source.Location}' was exported without its gradient; export it with withGradient: true.");
        var format = source.Format(context, decoder.FeatureCount);
        var objective = Objective(arguments, format, out string name);
        float[] start = LatentPoint.Read(arguments, [_start], _rows, context, source, decoder, terminal, cancellationToken)[0];

        int steps = arguments.GetValue(_steps), evaluations = 0;
        var result = terminal.Track("Optimising", steps, report => decoder.Optimize(
            LatentObjective.Create((shape, gradient) =>
            {
                if (++evaluations % ReportEvery == 0)
                    report(Math.Min(evaluations, steps), steps, "");
                return objective.Evaluate(shape, gradient);
            }),
            start,
            new LatentOptimizationOptions
            {
                Steps = steps,
                LearningRate = arguments.GetValue(_rate),
                PriorWeight = arguments.GetValue(_prior),
                Optimizer = _optimizer.Read(arguments),
            },
            cancellationToken));
        ResultFile.Write(context, result.Path.LatentArrays(), result.Path.OutputArrays(), format, output, cancellationToken);

        var quantity = Quantity(arguments, format, out _);
        double before = quantity.Evaluate(result.Path.Output(0)), after = quantity.Evaluate(result.BestOutput);
        terminal.Result(
            new
            {
                file = output,
                objective = name,
                start,
                startValue = before,
                value = after,
                latent = result.BestLatent.ToArray(),
                output = result.BestOutput.ToArray(),
                steps = result.Path.Count - 1,
                bestStep = result.BestIndex,
                converged = result.Converged,
            },
            Terminal.Facts(output,
                (name, Invariant($"{before:G5} at the start, {after:G5} at step {result.BestIndex} of {result.Path.Count - 1}")),
                ("latent", string.Join(", ", result.BestLatent.ToArray().Select(value => value.ToString("G5", CultureInfo.InvariantCulture)))),
                ("converged", result.Converged ? "yes" : "no")));
    }

    /// <summary>The quantity with its sign or target, and the penalties.</summary>
    private LatentObjective Objective(ParseResult arguments, RowFormat format, out string name)
    {
        var objective = Quantity(arguments, format, out name);
        if (arguments.GetValue(_target) is { } text)
        {
            if (arguments.GetValue(_maximize))
                throw new UsageException("--maximize and --target do not go together.");
            if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double target) || !double.IsFinite(target))
                throw new UsageException($"--target has to be a number; it is '{text}'.");
            objective = objective.Target(target);
        }
        else if (arguments.GetValue(_maximize))
        {
            objective = -objective;
        }
        float penalty = arguments.GetValue(_penalty), contacts = arguments.GetValue(_contacts);
        if (arguments.GetNumbers(_bonds) is { } bonds)
        {
            if (bonds is not [var least, var greatest] || !(least <= greatest))
                throw new UsageException($"--bonds has to be the least and the greatest length; it is '{string.Join(",", bonds)}'.");
            objective += penalty * LatentObjective.BondLengths(Dimensions(arguments, format), least, greatest);
        }
        if (contacts > 0)
            objective += penalty * LatentObjective.NonBondedDistances(Dimensions(arguments, format), contacts);
        return objective;
    }

    private LatentObjective Quantity(ParseResult arguments, RowFormat format, out string name)
    {
        string word = arguments.GetRequiredValue(_objective);
        if (word == "rg")
        {
            name = "radius of gyration";
            return LatentObjective.RadiusOfGyration(Dimensions(arguments, format));
        }
        const string Feature = "feature:";
        if (!word.StartsWith(Feature, StringComparison.Ordinal))
            throw new UsageException($"--objective has to be rg, feature:NAME or feature:NUMBER; it is '{word}'.");
        string wanted = word[Feature.Length..];
        int at = format.Names.ToList().IndexOf(wanted);
        if (at < 0 && (!int.TryParse(wanted, NumberStyles.None, CultureInfo.InvariantCulture, out at) || at >= format.Names.Count))
            throw new UsageException($"--objective: the model's rows have no number '{wanted}'; they have {string.Join(", ", format.Names.Take(20))}{(format.Names.Count > 20 ? ", ..." : "")}.");
        name = format.Names[at];
        return LatentObjective.Create((row, gradient) =>
        {
            gradient.Clear();
            gradient[at] = 1;
            return row[at];
        });
    }

    private int Dimensions(ParseResult arguments, RowFormat format)
    {
        int given = arguments.GetValue(_dimensions);
        if (given > 0)
            return given;
        return format.Shape is [_, var dimensions] ? dimensions
            : throw new UsageException("The model does not say how many coordinates a bead has: give --dimensions.");
    }
}
