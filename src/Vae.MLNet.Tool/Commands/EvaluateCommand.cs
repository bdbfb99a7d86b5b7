using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tool.Commands;

/// <summary>Tells how good a model is on rows.</summary>
internal sealed class EvaluateCommand : ToolCommand
{
    private readonly ModelArgument _model;
    private readonly DataArgument _data;
    private readonly Option<int> _samples, _seed;

    public EvaluateCommand()
        : base("evaluate", "Evaluate a model on rows: ELBO, importance-weighted log-likelihood, KL of each latent dimension, active units, reconstruction error.",
            "evaluate model/ held-out.npz",
            "evaluate model/ held-out.csv --samples 1000 --json")
    {
        _model = new ModelArgument(this, "A folder that 'train' wrote, or a saved ML.NET pipeline (.zip).");
        _data = new DataArgument(this, forModel: true);
        _samples = Integer("--samples", "Samples of the posterior for each row.", 100, minimum: 1);
        _seed = Integer("--seed", "Seed of the samples.", 0);
    }

    public override void Run(ParseResult arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        var source = _model.Open(arguments);
        var context = terminal.Context();
        var (pipeline, schema) = source.LoadPipeline(context);
        using (pipeline as IDisposable)
        {
            var data = source.LoadRows(context, pipeline, schema, _data.Path(arguments), _data.Settings(arguments), terminal, cancellationToken);
            if (!source.Input(pipeline, schema).TakesMissing)
                data.CheckFinite(cancellationToken);
            var view = data.View;
            var model = Autoencoder(pipeline, ref view, source);
            var metrics = terminal.Track("Evaluating", 1, _ => context.Vae.Evaluate(view, model,
                new VaeEvaluationOptions { Samples = arguments.GetValue(_samples), Seed = arguments.GetValue(_seed), CancellationToken = cancellationToken }));
            terminal.Result(metrics,
                Terminal.Facts("Evaluation, in nats a row",
                    ("rows", Invariant($"{metrics.Rows}, {metrics.Samples} samples each")),
                    ("ELBO", Invariant($"{metrics.Elbo:F3} (standard error {metrics.ElboStandardError:F3})")),
                    ("log-likelihood, importance-weighted", Invariant($"{metrics.LogLikelihood:F3}")),
                    ("reconstruction log-likelihood", Invariant($"{metrics.ReconstructionLogLikelihood:F3}")),
                    ("KL", Invariant($"{metrics.Kl:F3}: {string.Join(", ", metrics.KlPerDimension.Select(kl => Invariant($"{kl:F3}")))}")),
                    ("active units", Invariant($"{metrics.ActiveUnits} of {metrics.KlPerDimension.Count}")),
                    ("mean squared error", Invariant($"{metrics.MeanSquaredError:G5}"))));
        }
    }

    /// <summary>The autoencoder of a pipeline, and the rows as they reach it.</summary>
    private static VaeTransformer Autoencoder(ITransformer pipeline, ref IDataView view, ModelSource source)
    {
        foreach (var step in pipeline as IEnumerable<ITransformer> ?? [pipeline])
        {
            if (step is VaeTransformer model)
                return model;
            if (step is TransformerChain<ITransformer> inner && inner.Any())
                return Autoencoder(inner, ref view, source);
            view = step.Transform(view);
        }
        throw new InvalidDataException($"The pipeline of '{source.Location}' holds no variational autoencoder.");
    }
}
