using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using SerineProteases.Simulation;
using Spectre.Console;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace SerineProteases;

/// <summary>The run from alignment to pictures.</summary>
internal static class Demo
{
    public static void Run(ExampleOptions options, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        options.Output.Create();
        string Target(string name) => Path.Combine(options.Output.FullName, name);
        var ml = new MLContext(options.Seed);

        var (alignment, conserved, simulated) = Load(ml, options, Target("family.fasta"));
        // A fifth is held out: what the model cannot have seen is what statistics are read against.
        var natural = alignment.WithSequenceWeights();
        var (train, held) = natural.Split(0.2, options.Seed);
        train = train.WithSequenceWeights();
        double effective = 0;
        foreach (float weight in natural.Weights.Span)
            effective += weight;
        AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture,
            $"[bold]{natural.Count}[/] sequences of [bold]{natural.Length}[/] columns, effective number [bold]{effective:F0}[/]; reference {natural.Layout.ReferenceName}; {held.Count} held out.");

        using var model = Train(ml, train, options, cancellation);
        var vae = ml.Vae;
        var site = SiteIndependentModel.Fit(train);

        SequenceAlignment[] sets =
        [
            site.Sample(options.Samples, options.Seed),
            vae.SampleSequences(model.Model, options.Samples, new() { Seed = options.Seed }),
            vae.SampleSequences(model.Model, options.Samples, new() { Seed = options.Seed, AggregatePosterior = train }),
        ];
        string[] names = ["site-independent", "VAE, prior", "VAE, aggregate posterior"];
        sets[2].SaveFasta(Target("samples.fasta"));
        Statistics(train, held, names, sets, conserved, Target);

        Variants(vae, model.Model, site, simulated, Target, cancellation);
        Latents(model, natural, options, Target);
        Design(model.Model, natural, Target);
        Pictures.Logo(Target("logo.png"), natural, sets[2], Around(natural.Layout, conserved));
        AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"Everything is in [bold]{options.Output.FullName}[/]; {watch.Elapsed.TotalSeconds:F0} s in all.");
    }

    private static (SequenceAlignment Alignment, IReadOnlyList<(int Position, char Letter)> Conserved, SimulatedFamily? Simulated) Load(MLContext ml, ExampleOptions options, string simulated)
    {
        if (options.Alignment is { } file)
        {
            return (ml.Vae.LoadAlignment(file.FullName, new SequenceAlignmentOptions
            {
                ReferenceName = options.Reference,
                AnnotationStart = options.AnnotationStart,
                AnnotationSeparator = options.AnnotationStart is null ? null : "|",
            }), options.Conserved, null);
        }
        var family = FamilySimulator.Simulate(new SimulationOptions { Seed = options.Seed });
        family.Save(simulated);
        return (ml.Vae.LoadAlignment(simulated,
            new SequenceAlignmentOptions { AnnotationStart = "|", AnnotationSeparator = "|", AnnotationNames = SimulatedFamily.AnnotationNames }), family.Triad, family);
    }

    private static SequenceVaeTransformer Train(MLContext ml, SequenceAlignment train, ExampleOptions options, CancellationToken cancellation)
    {
        SequenceVaeTransformer? fitted = null;
        AnsiConsole.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new ElapsedTimeColumn()).Start(context =>
        {
            var tasks = Enumerable.Range(0, options.Members).Select(m => context.AddTask($"Training member {m + 1}")).ToArray();
            var progress = new Reporter(value =>
            {
                var epoch = value.Training.Latest;
                // Early stopping ends a member long before the last epoch that it may have.
                tasks[value.Member].MaxValue = value.Training.Epochs;
                tasks[value.Member].Value = epoch.Epoch;
                if (value.Member > 0)
                    tasks[value.Member - 1].Value = tasks[value.Member - 1].MaxValue;
                tasks[value.Member].Description = string.Create(CultureInfo.InvariantCulture, $"Member {value.Member + 1}: epoch {epoch.Epoch}, validation loss {epoch.ValidationLoss:F1} nats");
            });
            fitted = ml.Vae.SequenceAutoencoder(options: new()
            {
                EnsembleMembers = options.Members,
                // Higher than the default: here sequences are generated, which are to have all of the family.
                ValidationIdentity = 0.8,
                Seed = options.Seed,
                Progress = progress,
                CancellationToken = cancellation,
            }).Fit(train);
            tasks[^1].Value = tasks[^1].MaxValue;
        });
        return fitted!;
    }

    private static void Statistics(SequenceAlignment train, SequenceAlignment held, string[] names, SequenceAlignment[] sets, IReadOnlyList<(int Position, char Letter)> conserved, Func<string, string> target)
    {
        var table = new Table().Title("Samples against held-out natural sequences").AddColumns("sequences", "f(a), r", "C(a,b), r", "slope", "C(a,b,c), r", "nearest in training", "conserved sites");
        var options = new SequenceStatisticsOptions { MaxPoints = 4000, TripleSelection = TripleSelection.Strongest };
        foreach (var (name, set) in names.Prepend("natural, trained on").Zip(sets.Prepend(train)))
        {
            var found = SequenceStatistics.Compare(held, set, options);
            double nearest = set == train ? double.NaN : SequenceStatistics.NearestIdentities(set, train).Average(value => value.Identity);
            double all = conserved.Count == 0 ? double.NaN : SequenceStatistics.Conservation(set, conserved).All;
            table.AddRow(name, Number(found.SingleSite.Pearson), Number(found.Pairs.Pearson), Number(found.Pairs.Slope), Number(found.Triples.Pearson), Share(nearest), Share(all));
            if (name == names[^1])
            {
                Pictures.Agreement(target("frequencies.png"), "Single-site frequencies", found.SingleSite);
                Pictures.Agreement(target("pairs.png"), "Connected pair correlations", found.Pairs);
            }
        }
        AnsiConsole.Write(table);
    }

    private static void Variants(VaeCatalog vae, SequenceVaeModel model, SiteIndependentModel site, SimulatedFamily? simulated, Func<string, string> target, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        var scores = vae.ScoreAllSubstitutions(model, new() { CancellationToken = cancellation });
        double seconds = watch.Elapsed.TotalSeconds;
        var baseline = site.ScoreVariants(scores.Select(score => score.Text));
        double rank = RankStatistics.Spearman([.. scores.Select(score => score.Score!.Value)], [.. baseline.Select(score => score.Score!.Value)]);
        AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture,
            $"Scored {scores.Count} substitutions with 100 posterior samples and {model.Members.Count} members in {seconds:F1} s; rank correlation with the site-independent score {rank:F3}.");
        if (simulated is not null)
        {
            // What a deep mutational scan would have measured is known here: the energies that the family evolved under.
            double[] truth = [.. simulated.SubstitutionEffects().Select(effect => effect.Fitness)];
            double Rank(IEnumerable<VariantScore> values) => RankStatistics.Spearman([.. values.Select(value => value.Score!.Value)], truth);
            AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture,
                $"Rank correlation with the true effects: autoencoder [bold]{Rank(scores):F3}[/], site-independent [bold]{Rank(baseline):F3}[/].");
        }
        var ordered = scores.Zip(baseline).OrderBy(pair => pair.First.Score).ToArray();
        var table = new Table().Title("Substitutions the model likes least and best").AddColumns("variant", "ΔELBO", "site-independent", "variant", "ΔELBO", "site-independent");
        for (int i = 0; i < 5; i++)
        {
            var (worst, best) = (ordered[i], ordered[^(i + 1)]);
            table.AddRow(worst.First.Text, Number(worst.First.Score!.Value), Number(worst.Second.Score!.Value), best.First.Text, Number(best.First.Score!.Value), Number(best.Second.Score!.Value));
        }
        AnsiConsole.Write(table);
        Pictures.Substitutions(target("substitutions.png"), model.Layout, scores);
        File.WriteAllLines(target("substitutions.csv"), scores.Zip(baseline).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.First.Text},{pair.First.Score:F4},{pair.Second.Score:F4}"))
            .Prepend("variant,score,site_independent"));
    }

    private static void Latents(SequenceVaeTransformer model, SequenceAlignment natural, ExampleOptions options, Func<string, string> target)
    {
        float[][] latents = [.. Rows(model.Transform(natural), model.LatentColumnName)];
        var names = natural.AnnotationNames;
        var labels = names.Count == 0 ? [.. Enumerable.Repeat("sequence", natural.Count)] : natural.Annotation(names[Math.Min(options.ColourBy, names.Count) - 1]);
        Pictures.LatentMap(target("latent.png"), latents, labels);
    }

    /// <summary>What an application does with the exported files: no ML.NET, no TorchSharp.</summary>
    private static void Design(SequenceVaeModel model, SequenceAlignment natural, Func<string, string> target)
    {
        model.ExportEncoder(target("encoder.onnx"));
        model.ExportDecoder(target("decoder.onnx"), withGradient: true);
        using var encoder = SequenceEncoder.Load(target("encoder.onnx"));
        using var decoder = SequenceDecoder.Load(target("decoder.onnx"));
        string from = natural.Sequence(0), to = natural.Sequence(natural.Count - 1);
        var path = decoder.Interpolate(encoder.Encode(from).Mean, encoder.Encode(to).Mean, 7);
        var table = new Table().Title("On the way from one enzyme to another").AddColumns("step", "identity to first", "identity to last", "first columns");
        for (int i = 0; i < path.Sequences.Count; i++)
        {
            string sequence = path.Sequences[i];
            table.AddRow(i.ToString(CultureInfo.InvariantCulture), Share(Identity(sequence, from)), Share(Identity(sequence, to)), sequence[..Math.Min(60, sequence.Length)]);
        }
        AnsiConsole.Write(table);

        // An objective of one's own: more positive charge, and not far from where it starts.
        float[] start = encoder.Encode(from).Mean;
        var charge = SequenceObjective.Expected(decoder.Layout, Charge);
        var found = decoder.Optimize(0.05 * SequenceObjective.Sequence(decoder.Layout, from) - charge, start, new() { Steps = 100 });
        string before = decoder.MostProbable(start);
        AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture,
            $"Optimised for charge: {before.Sum(Charge):+0;-0} before, {found.Sequence.Sum(Charge):+0;-0} after, {Share(Identity(before, found.Sequence))} of the letters the same.");

        static float Charge(char letter) => letter is 'K' or 'R' ? 1 : letter is 'D' or 'E' ? -1 : 0;
    }

    private static double Identity(string a, string b) => a.Zip(b).Count(pair => pair.First == pair.Second) / (double)a.Length;

    /// <summary>Columns of a window about each conserved residue; the first forty where there are none.</summary>
    private static int[] Around(SequenceLayout layout, IReadOnlyList<(int Position, char Letter)> conserved)
    {
        var columns = new SortedSet<int>();
        foreach (var (position, _) in conserved)
        {
            if (layout.TryGetColumn(position, out int column))
                columns.UnionWith(Enumerable.Range(column - 5, 11).Where(c => c >= 0 && c < layout.Length));
        }
        return columns.Count > 0 ? [.. columns] : [.. Enumerable.Range(0, Math.Min(40, layout.Length))];
    }

    private static IEnumerable<float[]> Rows(IDataView view, string column)
    {
        using var cursor = view.GetRowCursor([view.Schema[column]]);
        var getter = cursor.GetGetter<Microsoft.ML.Data.VBuffer<float>>(view.Schema[column]);
        Microsoft.ML.Data.VBuffer<float> buffer = default;
        while (cursor.MoveNext())
        {
            getter(ref buffer);
            yield return [.. buffer.DenseValues()];
        }
    }

    private static string Number(double value) => double.IsNaN(value) ? "-" : value.ToString("F3", CultureInfo.InvariantCulture);

    private static string Share(double value) => double.IsNaN(value) ? "-" : value.ToString("P1", CultureInfo.InvariantCulture);

    private sealed class Reporter(Action<SequenceVaeProgress> action) : IProgress<SequenceVaeProgress>
    {
        public void Report(SequenceVaeProgress value) => action(value);
    }
}
