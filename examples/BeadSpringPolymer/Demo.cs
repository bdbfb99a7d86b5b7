using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using BeadSpringPolymer.Simulation;
using Microsoft.ML;
using Microsoft.ML.Data;
using Spectre.Console;
using Vae.MLNet;
using Vae.MLNet.Inference;

namespace BeadSpringPolymer;

/// <summary>The main job: conformations in, a trained VAE in an ML.NET pipeline, an exported decoder out, and what can be done with it.</summary>
internal sealed class Demo(ExampleOptions options, CancellationToken cancellationToken)
{
    private const string Conformation = "Conformation";

    private readonly string _folder = options.Output.FullName;

    /// <summary>The trained pipeline and what its transforms gave for every frame.</summary>
    private sealed record Fitted(ITransformer Chain, VaeTransformer Vae, float[][] Aligned, float[][] Reconstructed, float[][] Latents)
    {
        /// <summary>Squared error of decoded posterior means on the validation rows, averaged over coordinates.</summary>
        public double MeanSquaredError(int training) => Aligned[training..].Zip(Reconstructed[training..]).Average(pair =>
            pair.First.Zip(pair.Second).Average(pair => (pair.First - pair.Second) * (double)(pair.First - pair.Second)));
    }

    public void Run()
    {
        long start = Stopwatch.GetTimestamp();
        Directory.CreateDirectory(_folder);
        var context = new MLContext(seed: options.Seed);
        var frames = context.Vae.LoadNumPy(Data(), Conformation);
        if (frames.Schema[Conformation].Type is not VectorDataViewType { Dimensions: [var beads, Shapes.Dimensions] })
            throw new InvalidDataException($"The conformations have to be an array [frames, beads, {Shapes.Dimensions}]; their type is {frames.Schema[Conformation].Type}.");

        // All beads are alike and the energy knows neither left nor right nor a direction of the chain, so all of it may be made canonical.
        var alignment = new PrincipalAxisOptions { Sign = PrincipalAxisSign.ThirdMoment, Mirror = true, ChainDirection = true };
        var canonical = Fit(context, frames, alignment, Settings, "canonical alignment");
        var course = Fit(context, frames, new PrincipalAxisOptions { Sign = PrincipalAxisSign.None }, Settings, "arbitrary sign, as in the course");
        // Two numbers cannot tell twelve beads apart, and the mean of many shapes has short bonds. For designing shapes there is a model with room for them all,
        // trained by the ELBO with the noise learned.
        var design = Fit(context, frames, alignment, Settings with
        {
            LatentDimension = 16,
            Likelihood = Likelihood.Gaussian,
            GaussianNoise = GaussianNoise.LearnedShared,
            Beta = 1,
            LearningRateSchedule = LearningRateSchedule.Cosine,
            EarlyStopping = new EarlyStopping { Patience = 15 },
        }, "16 latent dimensions, for design");

        // What goes to production.
        context.Vae.SaveModel(canonical.Chain, frames.Schema, Path("polymer.zip"));
        context.Vae.ExportPipeline(canonical.Chain, frames.Schema, Path("pipeline.onnx"));
        canonical.Vae.ExportDecoder(Path("decoder.onnx"), withGradient: true);
        canonical.Vae.ExportEncoder(Path("encoder.onnx"));
        design.Vae.ExportDecoder(Path("design-decoder.onnx"), withGradient: true);
        // The mean of many shapes is no shape: what the course's own map decodes to is drawn bead by bead instead.
        FitChain(context, canonical, frames).Export(Path("chain-decoder.onnx"));

        // From here on only the exported files are used, through Vae.MLNet.Inference.
        using var decoder = VaeDecoder.Load(Path("decoder.onnx"));
        using var designer = VaeDecoder.Load(Path("design-decoder.onnx"));
        using var sampler = ChainSampler.Load(Path("chain-decoder.onnx"));
        FitCritic(context, canonical, sampler).Export(Path("critic.onnx"));
        using var critic = VaeCritic.Load(Path("critic.onnx"));
        var results = Use(decoder, designer, sampler, critic, canonical, course, design, beads, frames.Schema);
        results = results with { SecondsTotal = Stopwatch.GetElapsedTime(start).TotalSeconds };
        results.Write(Path("results.json"));
        Show(results);
    }

    private string Path(string name) => System.IO.Path.Combine(_folder, name);

    /// <summary>The file of conformations: the user's, or one simulated (and cached) here.</summary>
    private string Data()
    {
        if (options.Data is { } own)
        {
            AnsiConsole.MarkupLineInterpolated($"Conformations from [bold]{own.Name}[/]");
            return own.FullName;
        }
        Trajectory trajectory = null!;
        AnsiConsole.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn()).Start(progress =>
        {
            var task = progress.AddTask("Simulating bead-spring chains", maxValue: 1);
            trajectory = new SimulationCache().GetOrRun(new BeadSpringOptions(), options.Conformations, options.Seed, new Report<double>(share => task.Value = share), cancellationToken);
            task.Value = 1;
        });
        var statistics = TrajectoryStatistics.Of(trajectory);
        AnsiConsole.MarkupLine(Invariant(
            $"[bold]{trajectory.Count}[/] conformations, Rg {statistics.MinimumRadiusOfGyration:F2} to {statistics.MaximumRadiusOfGyration:F2}, mean {statistics.MeanRadiusOfGyration:F3}, autocorrelation of neighbouring frames {statistics.Autocorrelation:F3}"));
        string path = Path("conformations.npz");
        var context = new MLContext();
        var definition = SchemaDefinition.Create(typeof(Frame));
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, trajectory.Beads, Trajectory.Dimensions);
        context.Vae.SaveNumPy(context.Data.LoadFromEnumerable(Enumerable.Range(0, trajectory.Count).Select(i => new Frame { Conformation = trajectory.Frame(i).ToArray() }), definition), path, Conformation);
        return path;
    }

    /// <summary>The course's settings.</summary>
    private VaeTrainer.Options Settings => new()
    {
        LatentDimension = 2,
        HiddenLayers = [256, 256, 256],
        Scaling = InputScaling.None,
        Beta = 0.01f,
        Epochs = options.Epochs,
        Seed = options.Seed,
        ValidationFraction = 0.2f,
        // Neighbouring frames are of one chain: a block keeps them on one side.
        ValidationSelection = ValidationSelection.LastRows,
        CancellationToken = cancellationToken,
    };

    private Fitted Fit(MLContext context, IDataView frames, PrincipalAxisOptions alignment, VaeTrainer.Options settings, string name)
    {
        Fitted fitted = null!;
        AnsiConsole.Progress().Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn()).Start(progress =>
        {
            var task = progress.AddTask($"Training, {name}", maxValue: options.Epochs);
            var pipeline = context.Vae.CenterConformations("Centered", Conformation, Shapes.Dimensions)
                .Append(context.Vae.AlignPrincipalAxes("Aligned", "Centered", Shapes.Dimensions, alignment))
                .Append(context.Vae.VariationalAutoencoder("Latent", "Aligned", settings with
                {
                    ReconstructionColumnName = "Reconstruction",
                    Progress = new Report<VaeTrainingProgress>(report =>
                    {
                        task.Value = report.Latest.Epoch;
                        task.Description = Invariant($"Training, {name}: reconstruction {report.Latest.Reconstruction:F3}, validation {report.Latest.ValidationReconstruction:F3}, KL {report.Latest.Kl:F2}");
                    }),
                }));
            var chain = pipeline.Fit(frames);
            var view = chain.Transform(frames);
            fitted = new(chain, chain.LastTransformer, [.. view.GetColumn<float[]>("Aligned")], [.. view.GetColumn<float[]>("Reconstruction")], [.. view.GetColumn<float[]>("Latent")]);
            task.Value = options.Epochs;
        });
        return fitted;
    }

    /// <summary>Trains the chain decoder on the frames that the autoencoder was trained on.</summary>
    private ChainDecoder FitChain(MLContext context, Fitted canonical, IDataView frames)
    {
        ChainDecoder fitted = null!;
        AnsiConsole.Progress().Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn()).Start(progress =>
        {
            var chainOptions = new ChainDecoderOptions
            {
                Seed = options.Seed,
                // Beads are all alike, and a chain in the plane has no sides; alignment has taken away both.
                Symmetries = ChainSymmetries.Mirror | ChainSymmetries.Direction,
            };
            var task = progress.AddTask("Training, beads one by one", maxValue: chainOptions.Steps);
            var training = context.Data.TakeRows(canonical.Chain.Transform(frames), canonical.Vae.History!.TrainingRows);
            fitted = context.Vae.FitChainDecoder(canonical.Vae, training, Shapes.Dimensions, chainOptions with
            {
                CancellationToken = cancellationToken,
                Progress = new Report<ChainDecoderProgress>(report =>
                {
                    task.Value = report.Step;
                    if (report.Latest is { } latest)
                        task.Description = Invariant($"Training, beads one by one: validation {latest.NegativeLogLikelihood:F3} nats");
                }),
            });
            task.Value = chainOptions.Steps;
        });
        return fitted;
    }

    /// <summary>
    /// Learns what gives drawn shapes away. It may see all frames but those that samples are judged by: of a trajectory given, these are the
    /// validation frames.
    /// </summary>
    private SampleCritic FitCritic(MLContext context, Fitted canonical, ChainSampler sampler)
    {
        const int DrawsPerFrame = 2;
        SampleCritic fitted = null!;
        AnsiConsole.Progress().Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn()).Start(progress =>
        {
            var task = progress.AddTask("Training, critic of drawn shapes", maxValue: 1);
            float[][] frames = options.Data is null ? canonical.Aligned : canonical.Aligned[..(int)canonical.Vae.History!.TrainingRows];
            float[][] drawn = sampler.Sample(DrawsPerFrame * frames.Length, options.Seed + 1).OutputArrays();
            fitted = context.Vae.FitCritic(ChainUse.View(context, frames), ChainUse.View(context, drawn), new()
            {
                Dimensions = Shapes.Dimensions,
                Seed = options.Seed,
                CancellationToken = cancellationToken,
                Progress = new Report<CriticProgress>(report => task.Value = 0.5 + 0.5 * report.Done / report.Total),
            });
            task.Value = 1;
        });
        return fitted;
    }

    /// <summary>Shapes as the pipeline aligns them, so that both ends of a chain are called by the same rule as in the frames.</summary>
    private static float[][] Aligned(Fitted fitted, DataViewSchema schema, IEnumerable<float[]> shapes)
    {
        var context = new MLContext();
        var definition = SchemaDefinition.Create(typeof(Frame));
        definition[0].ColumnType = schema[Conformation].Type;
        var view = context.Data.LoadFromEnumerable(shapes.Select(shape => new Frame { Conformation = shape }), definition);
        return [.. fitted.Chain.Transform(view).GetColumn<float[]>("Aligned")];
    }

    /// <summary>Frames that no model has seen: of a simulation with another seed, or the validation frames of a trajectory given.</summary>
    private float[][] FreshFrames(Fitted fitted, DataViewSchema schema, int training)
    {
        if (options.Data is not null)
            return fitted.Aligned[training..];
        var simulation = new BeadSpringOptions();
        var trajectory = new SimulationCache().GetOrRun(simulation, options.Conformations, options.Seed + 1, null, cancellationToken);
        return Aligned(fitted, schema, Enumerable.Range(0, trajectory.Count).Select(i => trajectory.Frame(i).ToArray()));
    }

    private Results Use(
        VaeDecoder decoder,
        VaeDecoder designer,
        ChainSampler sampler,
        VaeCritic critic,
        Fitted canonical,
        Fitted course,
        Fitted design,
        int beads,
        DataViewSchema schema)
    {
        int training = (int)canonical.Vae.History!.TrainingRows;
        float[][] shapes = canonical.Aligned[..training], heldShapes = canonical.Aligned[training..];
        float[][] latents = canonical.Latents[..training];
        double[] rg = [.. canonical.Aligned.Select(shape => Shapes.RadiusOfGyration(shape))];
        var physical = PhysicalRanges.Of(shapes);
        var random = new Random(options.Seed);

        // Interpolation between pairs of frames.
        const int Pairs = 200, Steps = 11;
        float[] Any() => latents[random.Next(training)];
        var pairs = Enumerable.Range(0, Pairs).Select(_ => (From: Any(), To: Any())).ToArray();
        var films = pairs.Select(pair => decoder.Interpolate(pair.From, pair.To, Steps)).ToArray();

        // Samples from the prior.
        float[][] samples = decoder.Sample(4000, options.Seed).OutputArrays();

        // Descent of Rg as the course does it, and keeping to plausible shapes: bonds and distances in their ranges, within the bulk of the prior.
        const int Starts = 40;
        // Half of the descents start anywhere, half from the most compact training frames.
        int[] starts = [.. Enumerable.Range(0, Starts / 2).Select(_ => random.Next(training)), .. Enumerable.Range(0, training).OrderBy(i => rg[i]).Take(Starts / 2)];
        var rgAlone = LatentObjective.RadiusOfGyration(Shapes.Dimensions);
        double margin = 0.05 * (physical.BondMaximum - physical.BondMinimum);
        var plausible = rgAlone
            + 1000 * LatentObjective.BondLengths(Shapes.Dimensions, (float)(physical.BondMinimum + margin), (float)(physical.BondMaximum - margin))
            + 1000 * LatentObjective.NonBondedDistances(Shapes.Dimensions, (float)(physical.NonBondedMinimum * 1.03));
        var coursePaths = starts.Select(start => decoder.Optimize(rgAlone, latents[start], new() { Steps = 300 }, cancellationToken)).ToArray();
        var plausiblePaths = starts.Select(start => decoder.Optimize(plausible, latents[start], new() { Steps = 300, PriorWeight = 0.01f }, cancellationToken)).ToArray();
        var designPaths = starts.Select(start => designer.Optimize(plausible, design.Latents[start], new() { Steps = 1000, LearningRate = 0.03f, PriorWeight = 0.002f }, cancellationToken)).ToArray();
        float[][] courseEnds = Ends(coursePaths), plausibleEnds = Ends(plausiblePaths), designEnds = Ends(designPaths);
        int smallestCourse = Smallest(courseEnds, _ => true)!.Value;
        int? smallestPlausible = Smallest(plausibleEnds, physical.IsPhysical), smallestDesign = Smallest(designEnds, physical.IsPhysical);
        double? LeastOnTheWay(IEnumerable<LatentOptimization> paths) => paths.SelectMany(path => path.Path.OutputArrays()).Where(physical.IsPhysical).Min(shape => (double?)Shapes.RadiusOfGyration(shape));

        // The same with shapes drawn bead by bead.
        var chain = new ChainUse(sampler, critic, physical, options.Seed, cancellationToken);
        float[][] fresh = FreshFrames(canonical, schema, training);
        int count = Math.Clamp(fresh.Length, 1000, 10_000);
        float[][] any = Aligned(canonical, schema, sampler.Sample(count, options.Seed).OutputArrays());
        var kept = sampler.Sample(count, options.Seed, new() { Critic = critic });
        float[][] drawn = Aligned(canonical, schema, kept.OutputArrays());
        float[][][] chainFilms = chain.Films(pairs.Take(Pairs / 2), Steps);
        float[][] chainEnds = chain.Design([.. starts.Select(start => latents[start])], 700);
        var comparison = ChainUse.Compare(fresh, drawn, shapes, cancellationToken);
        double anyAuc = ChainUse.Compare(fresh, any, shapes, cancellationToken).Auc;
        var sizes = ChainUse.CompareSizes(fresh, drawn);
        float[][] compact = [.. chainEnds.Where(physical.IsPhysical).OrderBy(shape => Shapes.RadiusOfGyration(shape))];

        // Pictures.
        Pictures.Losses(Path("losses.png"), canonical.Vae.History!, course.Vae.History!);
        Pictures.LatentMap(Path("latent-map.png"), latents, rg[..training]);
        Pictures.Distributions(Path("distributions.png"), heldShapes, samples, drawn);
        Pictures.Strips(Path("samples.png"), "Frames and samples",
        [
            ("frames that no model has seen", [.. Spread(fresh).Select(shape => Labelled(shape, physical))]),
            ("drawn bead by bead, with a critic", [.. Spread(drawn).Select(shape => Labelled(shape, physical))]),
            ("means of the decoder", [.. Spread(samples).Select(shape => Labelled(shape, physical))]),
        ]);
        Pictures.Strips(Path("interpolation.png"), "Interpolation",
        [
            .. films.Take(3).SelectMany((film, i) => new (string, IReadOnlyList<(float[], string, bool)>)[]
            {
                ($"interpolation {i + 1}, means of the decoder", [.. film.OutputArrays().Select(shape => Labelled(shape, physical))]),
                ($"interpolation {i + 1}, drawn bead by bead", [.. chainFilms[i].Select(shape => Labelled(shape, physical))]),
            }),
        ]);
        Pictures.Strips(Path("optimization.png"), "Optimisation",
        [
            ("2 latent dimensions, Rg alone, as in the course", Film(coursePaths[smallestCourse], physical)),
            ("2 latent dimensions, Rg, bonds, overlaps and prior", Film(plausiblePaths[smallestPlausible ?? 0], physical)),
            ("16 latent dimensions, Rg, bonds, overlaps and prior", Film(designPaths[smallestDesign ?? 0], physical)),
            ("drawn bead by bead: the most compact", [.. compact.Take(7).Select(shape => Labelled(shape, physical))]),
            ("most compact training frames", [.. shapes.OrderBy(shape => Shapes.RadiusOfGyration(shape)).Take(7).Select(shape => Labelled(shape, physical))]),
        ]);
        Pictures.Paths(Path("optimization-paths.png"), latents, rg[..training], [.. coursePaths.Take(12).Select(path => path.Path.LatentArrays())], [.. plausiblePaths.Take(12).Select(path => path.Path.LatentArrays())]);
        WriteLatents(latents, rg, physical, beads);

        var last = canonical.Vae.History!.Epochs[^1];
        return new Results
        {
            Seed = options.Seed,
            Conformations = canonical.Aligned.Length,
            Epochs = options.Epochs,
            ValidationMse = last.ValidationReconstruction!.Value,
            TrainMse = last.Reconstruction,
            ValidationKl = last.ValidationKl!.Value,
            ExplainedVariance = Explained(canonical, training),
            ActiveUnits = canonical.Vae.History.ActiveUnits,
            RgR2 = RgR2(canonical, training),
            CourseValidationMse = course.Vae.History!.Epochs[^1].ValidationReconstruction!.Value,
            CourseExplainedVariance = Explained(course, training),
            CourseRgR2 = RgR2(course, training),
            TrainingPhysical = physical.Share(shapes),
            InterpolationPhysical = physical.Share(films.SelectMany(film => film.OutputArrays())),
            SampledPhysical = physical.Share(samples),
            CourseOptimizedPhysical = physical.Share(courseEnds),
            CourseMinimumRg = Shapes.RadiusOfGyration(courseEnds[smallestCourse]),
            CourseShortestBond = Shapes.Bonds(courseEnds[smallestCourse]).Min(),
            PlausibleOptimizedPhysical = physical.Share(plausibleEnds),
            PlausibleMinimumRg = LeastOnTheWay(plausiblePaths),
            DesignValidationMse = design.MeanSquaredError(training),
            DesignInterpolationPhysical = physical.Share(Enumerable.Range(0, Pairs).SelectMany(_ => designer.Interpolate(design.Latents[random.Next(training)], design.Latents[random.Next(training)], Steps).OutputArrays())),
            DesignSampledPhysical = physical.Share(designer.Sample(4000, options.Seed).OutputArrays()),
            OptimizedPhysical = physical.Share(designEnds),
            MinimumRg = LeastOnTheWay(designPaths),
            TrainingMinimumRg = shapes.Min(shape => Shapes.RadiusOfGyration(shape)),
            TrainingMinimumRgPhysical = shapes.Where(physical.IsPhysical).Min(shape => Shapes.RadiusOfGyration(shape)),
            TwoSampleAuc = comparison.Auc,
            ChainSampledPhysical = physical.Share(drawn),
            SampledAcceptance = kept.Acceptance,
            TwoSampleAucWithoutCritic = anyAuc,
            ChainSampledPhysicalWithoutCritic = physical.Share(any),
            SampledPhysicalShare = physical.Share(drawn) / physical.Share(fresh),
            KsRg = sizes.Rg,
            KsEndToEnd = sizes.EndToEnd,
            SampledDistanceRatio = comparison.Copies!.DistanceRatio,
            SampledCopies = comparison.Copies!.GeneratedCopies,
            ChainInterpolationPhysical = physical.Share(chainFilms.SelectMany(film => film)),
            DesignPhysical = physical.Share(chainEnds),
            DesignMinimumRg = compact.Length > 0 ? Shapes.RadiusOfGyration(compact[0]) : null,
            SecondsPerEpoch = Median(canonical.Vae.History.Epochs.Select(epoch => epoch.Seconds)),
        };
    }

    private static IEnumerable<float[]> Spread(float[][] shapes)
    {
        const int Shown = 9;
        return Enumerable.Range(0, Shown).Select(i => shapes[(long)i * shapes.Length / Shown]);
    }

    private static float[][] Ends(IEnumerable<LatentOptimization> paths) => [.. paths.Select(path => path.BestOutput.ToArray())];

    private static int? Smallest(float[][] shapes, Func<float[], bool> allowed) =>
        Enumerable.Range(0, shapes.Length).Where(i => allowed(shapes[i])).OrderBy(i => Shapes.RadiusOfGyration(shapes[i])).Cast<int?>().FirstOrDefault();

    private static IReadOnlyList<(float[] Shape, string Text, bool Physical)> Film(LatentOptimization path, PhysicalRanges physical)
    {
        const int Shown = 7;
        return [.. Enumerable.Range(0, Shown).Select(i => Labelled(path.Path.Output(path.BestIndex * i / (Shown - 1)).ToArray(), physical))];
    }

    private static (float[] Shape, string Text, bool Physical) Labelled(float[] shape, PhysicalRanges physical)
    {
        bool isPhysical = physical.IsPhysical(shape);
        return (shape, Invariant($"Rg {Shapes.RadiusOfGyration(shape):F2}{(isPhysical ? "" : ", not physical")}"), isPhysical);
    }

    /// <summary>Share of the validation shapes' variance about the training mean that the model explains.</summary>
    private static double Explained(Fitted fitted, int training)
    {
        int size = fitted.Aligned[0].Length;
        var mean = new double[size];
        foreach (float[] shape in fitted.Aligned[..training])
        {
            for (int i = 0; i < size; i++)
                mean[i] += shape[i] / (double)training;
        }
        double variance = fitted.Aligned[training..].Average(shape => Enumerable.Range(0, size).Average(i => (shape[i] - mean[i]) * (shape[i] - mean[i])));
        return 1 - fitted.Vae.History!.Epochs[^1].ValidationReconstruction!.Value / variance;
    }

    private static double RgR2(Fitted fitted, int training)
    {
        double[] rg = [.. fitted.Aligned.Select(shape => Shapes.RadiusOfGyration(shape))];
        return NearestNeighbours.RSquared(fitted.Latents[..training], rg[..training], fitted.Latents[training..], rg[training..]);
    }

    /// <summary>What a viewer of the latent space needs beside the decoder.</summary>
    private void WriteLatents(float[][] latents, double[] rg, PhysicalRanges physical, int beads)
    {
        using var stream = File.Create(Path("latents.json"));
        JsonSerializer.Serialize(stream, new
        {
            latents,
            radiusOfGyration = rg[..latents.Length].Select(value => Math.Round(value, 4)),
            bondRange = new[] { physical.BondMinimum, physical.BondMaximum },
            contactMinimum = physical.NonBondedMinimum,
            beads,
            dimensions = Shapes.Dimensions,
        });
    }

    private void Show(Results results)
    {
        var table = new Table().Title(Invariant($"Bead-spring polymer, seed {results.Seed}, {results.Epochs} epochs")).AddColumns("", "canonical alignment", "arbitrary sign (course)");
        Row("validation MSE (z sampled)", results.ValidationMse, results.CourseValidationMse, "F4");
        Row("explained variance", results.ExplainedVariance, results.CourseExplainedVariance, "P1");
        Row("R² of Rg from the latent", results.RgR2, results.CourseRgR2, "F3");
        table.AddRow("training MSE, validation KL, active units", Invariant($"{results.TrainMse:F4}, {results.ValidationKl:F3}, {results.ActiveUnits}"), "");
        table.AddRow("seconds an epoch", Invariant($"{results.SecondsPerEpoch:F3}"), "");
        AnsiConsole.Write(table);

        var shapes = new Table().Title("Shapes").AddColumns("", "physical", "least Rg");
        shapes.AddRow("training frames", Invariant($"{results.TrainingPhysical:P1}"), Invariant($"{results.TrainingMinimumRg:F3}, of a physical one {results.TrainingMinimumRgPhysical:F3}"));
        shapes.AddRow("2 latent dimensions: interpolated", Invariant($"{results.InterpolationPhysical:P1}"), "");
        shapes.AddRow("2: sampled", Invariant($"{results.SampledPhysical:P1}"), "");
        shapes.AddRow("2: Rg alone (course)", Invariant($"{results.CourseOptimizedPhysical:P1}"), Invariant($"{results.CourseMinimumRg:F3}, shortest bond {results.CourseShortestBond:F2}"));
        shapes.AddRow("2: Rg kept plausible", Invariant($"{results.PlausibleOptimizedPhysical:P1}"), Least(results.PlausibleMinimumRg));
        shapes.AddRow("16 latent dimensions: interpolated", Invariant($"{results.DesignInterpolationPhysical:P1}"), "");
        shapes.AddRow("16: sampled", Invariant($"{results.DesignSampledPhysical:P1}"), "");
        shapes.AddRow("16: Rg kept plausible", Invariant($"{results.OptimizedPhysical:P1}"), Least(results.MinimumRg));
        shapes.AddRow("drawn bead by bead: interpolated", Invariant($"{results.ChainInterpolationPhysical:P1}"), "");
        shapes.AddRow("bead by bead: sampled", Invariant($"{results.ChainSampledPhysicalWithoutCritic:P1}"), "");
        shapes.AddRow("bead by bead: sampled, kept by the critic", Invariant($"{results.ChainSampledPhysical:P1}"), "");
        shapes.AddRow("bead by bead: compact shapes", Invariant($"{results.DesignPhysical:P1}"), Least(results.DesignMinimumRg));
        AnsiConsole.Write(shapes);
        AnsiConsole.MarkupLine(Invariant(
            $"Drawn bead by bead, against frames that no model has seen: AUC of a classifier [bold]{results.TwoSampleAuc:F3}[/] (0.5 is perfect; without the critic, which keeps {results.SampledAcceptance:P0}, {results.TwoSampleAucWithoutCritic:F3}), ")
            + Invariant($"KS of Rg {results.KsRg:F3}, of the end-to-end distance {results.KsEndToEnd:F3}, ")
            + Invariant($"distance to the frames trained on {results.SampledDistanceRatio:F2} of fresh frames'. {results.SecondsTotal:F0} s in all."));
        AnsiConsole.MarkupLineInterpolated($"Models, pictures and results.json are in [bold]{_folder}[/].");

        static string Least(double? value) => value is { } least ? Invariant($"{least:F3}") : "none physical";

        void Row(string name, double own, double other, string format) =>
            table.AddRow(name, own.ToString(format, CultureInfo.InvariantCulture), other.ToString(format, CultureInfo.InvariantCulture));
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed class Frame
    {
        public float[] Conformation { get; set; } = [];
    }

    /// <summary>Reports on the thread that has something to report.</summary>
    private sealed class Report<T>(Action<T> action) : IProgress<T>
    {
        void IProgress<T>.Report(T value) => action(value);
    }
}
