using System.CommandLine;
using Microsoft.ML;
using Vae.MLNet.Inference;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Decodes latents drawn from the prior.</summary>
internal sealed class SampleCommand : ToolCommand
{
    private readonly ModelArgument _model;
    private readonly Option<int> _count, _seed;
    private readonly Option<float> _temperature;
    private readonly Option<bool> _noise;
    private readonly Option<string> _output;

    public SampleCommand()
        : base("sample", "Draw latents from the prior and decode them.",
            "sample model/ --count 100 --seed 7 -o samples.npy",
            "sample decoder.onnx --count 1000 --temperature 0.7 -o samples.csv")
    {
        _model = new ModelArgument(this);
        _count = Integer("--count", "Samples to draw.", 100, minimum: 1);
        _seed = Integer("--seed", "Seed of the draws.", 0);
        _temperature = Real("--temperature", "Standard deviation of the latents; 1 is the prior's.", 1);
        _noise = Flag("--noise", "Add the noise of the likelihood, rather than giving its mean.");
        _output = OutputFile("File to write: .npy (the samples), .npz (samples and latents), .csv or .tsv (both, side by side).");
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        ResultFile.CheckName(output, 1, terminal);
        var source = _model.Open(arguments);
        using var decoder = source.LoadDecoder();
        var samples = decoder.Sample(arguments.GetValue(_count), arguments.GetValue(_seed), new SampleOptions { Temperature = arguments.GetValue(_temperature), Noise = arguments.GetValue(_noise) });
        var context = terminal.Context();
        ResultFile.Write(context, samples.LatentArrays(), samples.OutputArrays(), source.Format(context, decoder.FeatureCount), output, cancellationToken);
        terminal.Result(new { file = output, rows = samples.Count, features = samples.FeatureCount, latentDimension = samples.LatentDimension },
            Terminal.Facts(output, ("samples", Invariant($"{samples.Count}")), ("numbers in each", Invariant($"{samples.FeatureCount}"))));
    }
}
