using System.CommandLine;
using Microsoft.ML;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Decodes the points between two latents.</summary>
internal sealed class InterpolateCommand : ToolCommand
{
    private readonly ModelArgument _model;
    private readonly LatentPoint _from, _to;
    private readonly RowOptions _rows;
    private readonly Option<int> _steps;
    private readonly Option<bool> _spherical;
    private readonly Option<string> _output;

    public InterpolateCommand()
        : base("interpolate", "Decode a path between two points of the latent space, both ends included.",
            "interpolate model/ --from 0,0 --to 1.5,-0.5 --steps 20 -o film.npy",
            "interpolate model/ --from-row paths.npz:12 --to-row paths.npz:1900 -o film.csv")
    {
        _model = new ModelArgument(this);
        _from = new(Numbers("--from", "The first latent."), Text("--from-row", "A row whose code is the first latent.", "file:row"));
        _to = new(Numbers("--to", "The last latent."), Text("--to-row", "A row whose code is the last latent.", "file:row"));
        _rows = new RowOptions(this, forModel: true);
        _steps = Integer("--steps", "Points of the path.", 20, minimum: 2);
        _spherical = Flag("--spherical", "Go along a great circle rather than a line: for many latent dimensions.");
        _output = OutputFile("File to write: .npy (the decoded rows), .npz (rows and latents), .csv or .tsv (both, side by side).");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        ResultFile.CheckName(output, 1, terminal);
        var source = _model.Open(arguments);
        var context = terminal.Context();
        using var decoder = source.LoadDecoder();
        var ends = LatentPoint.Read(arguments, [_from, _to], _rows, context, source, decoder, terminal, cancellationToken);
        float[] from = ends[0], to = ends[1];
        var film = decoder.Interpolate(from, to, arguments.GetValue(_steps), arguments.GetValue(_spherical) ? InterpolationMode.Spherical : InterpolationMode.Linear);
        ResultFile.Write(context, film.LatentArrays(), film.OutputArrays(), source.Format(context, decoder.FeatureCount), output, cancellationToken);
        terminal.Result(new { file = output, rows = film.Count, from, to },
            Terminal.Facts(output, ("steps", Invariant($"{film.Count}")), ("from", string.Join(", ", from)), ("to", string.Join(", ", to))));
    }
}
