using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Microsoft.ML.Runtime;
using Vae.MLNet.Anomaly;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;
using Vae.MLNet.Training;

namespace Vae.MLNet;

/// <summary>
/// Trains an anomaly detector without labels: an ensemble of small variational autoencoders learns what ordinary rows look like, and a row is the more anomalous the
/// less of it can be reconstructed and the further it is out.
/// </summary>
/// <remarks>
/// <para>The features may come as they are. Inside the model each is scaled to <c>s = asinh((x - median) / max(IQR / 1.349, 0.1 standard deviations))</c>
/// (<see cref="InputScaling.RobustAsinh"/>): a few far-out rows neither set the scale, as they do for min-max scaling, nor rule the loss. The likelihood is
/// normal with a learned σ for each feature, so that one noisy column does not drown the rest, and the worst share of each batch is left out of the loss,
/// because the training rows may hold anomalies themselves.</para>
/// <para>The score of a row is <c>2 Σ log(1 + (r / ρ)² / 3) + w · 2 Σ log(1 + (s / σ±)² / 3)</c>, summed over the features, the first term averaged over the members. There r = s -
/// decode(mean of encode(s)) is the residual and ρ what 68 % of the training rows' absolute residuals stay below (at least 0.1); σ± are the distances of s from its median,
/// zero, to its 84 % quantile above and to its 16 % quantile below (at least 0.5). Each term is, up to a constant, the negative log-likelihood of Student's
/// t-distribution with three degrees of freedom: the first given what the network makes of the row, the second, the marginal term, without looking at
/// the row's other features. w brings the second to the interquartile range that the first has over the training rows (from 0.1 to 10), so that both have the same say however
/// many features go together. Robust terms keep one wild feature from hiding what the others say, and two-sided spreads keep a skewed feature's longer side from counting as odd.</para>
/// <para>A feature of two values, or of quartiles that coincide, as one-hot slots and counts that are mostly zero, has no scale to tell far from near: its value counts R, -log of the
/// share of training rows at least as far from the usual value on the same side (ECOD, Li et al. 2022), in place of the marginal term, and at most R of the reconstruction term. A feature of two values
/// counts (min(reconstruction, R) + w R) / (1 + w): never more than R. Of slots that are one category, one of them 1 and the others 0 in each row, the one that is set counts; a row that has none set has
/// a category that was never seen, which counts the log of the number of rows.</para>
/// <para>What is outside of the training rows' range adds <c>W log2(1 + min(d, d⁴))</c> for each feature, d the distance as it comes, unscaled, in units of the range's own half on that side (from the
/// median) or of the feature's spread where that is more, and W somewhat more than 99.9 % of the training rows score: one number by a span beyond is above those, and the score grows without
/// end. Within the range, single values of more than three times the distance of the hundredth furthest row from the median add <c>8 log(1 + d)</c>, in units of that distance: they may be errors in the training rows.</para>
/// <para>The neighbour term is <c>v log(1 + D / D0)</c>: D the mean distance to the five nearest of up to 2,000 training rows, standardised and kept in the model, D0 the training rows' median. Where the
/// training rows may hold anomalies, the fifth of them with the largest scores are no neighbours, and v makes the term's interquartile range half of the reconstruction term's;
/// where they are clean (<see cref="AnomalyTrainingRows.Clean"/>), all may be, v makes it twice that and w is halved. A feature's contribution has its share of the squared distances.</para>
/// <para>A row with NaN or infinity scores NaN and is not labelled; the trainer refuses such rows (see <see cref="VaeImputer"/>).</para>
///
/// | | |
/// |---|---|
/// | Machine learning task | Anomaly detection |
/// | Is normalization required? | No: it is part of the model |
/// | Is caching required? | No: the data is read once |
/// | Required NuGet in addition to Microsoft.ML | Vae.MLNet, and TorchSharp-cpu (or a CUDA package) in the application that trains |
/// | Required NuGet where a saved model is used | Microsoft.ML.OnnxTransformer |
/// | Exportable to ONNX | Yes |
///
/// <para><c>AnomalyDetection.Evaluate</c> takes the transformed data as it is, with a label column of type Single. The threshold is changed with
/// <see cref="VaeAnomalyTransformer.ChangeThreshold"/>, after loading with <see cref="VaeCatalog.Rehydrate(Microsoft.ML.ITransformer)"/> before it.</para>
/// <para>A trainer that passes over the data several times behind the detector wants <c>AppendCacheCheckpoint</c> between the two.</para>
/// </remarks>
public sealed partial class VaeAnomalyTrainer : IEstimator<VaeAnomalyTransformer>
{
    /// <summary>Spreads of the terms in that of the reconstruction term, chosen on eight public tables and twelve made-up ones.</summary>
    private const float NeighborShare = 0.5f, CleanNeighborShare = 2, CleanMarginalShare = 0.5f;

    /// <summary>Share of the rows that may be neighbours where rows may be anomalies.</summary>
    private const double NeighborsKept = 0.8;

    private readonly MLContext _context;
    private readonly string _featureColumn;
    private readonly Options _options;

    internal VaeAnomalyTrainer(MLContext context, string featureColumnName, Options? options)
    {
        _context = context;
        _featureColumn = Check.GraphColumnName(featureColumnName);
        _options = (options ?? new()).Validate();
        string[] names = [_featureColumn, VaeAnomalyTransformer.PredictedLabelColumn, VaeAnomalyTransformer.ScoreColumn, .. _options.ContributionsColumnName is { } contributions ? [contributions] : Array.Empty<string>()];
        if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw Check.Argument(nameof(options), $"The column name '{twice.Key}' is used twice; input and output columns need names of their own.");
    }

    /// <summary>Trains a detector.</summary>
    /// <param name="input">Training data without labels; it is read once and may hold anomalies.</param>
    /// <returns>The fitted transform.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The feature column is missing or is not a vector of Single of known size.</exception>
    /// <exception cref="InvalidOperationException">There are no rows, a number is not finite, the loss diverged, or TorchSharp's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public VaeAnomalyTransformer Fit(IDataView input)
    {
        Check.NotNull(input);
        var (column, features) = Check.FloatVector(input.Schema, _featureColumn, nameof(input));
        TorchRuntime.EnsureLoaded();
        var host = ((IHostEnvironment)_context).Register(nameof(VaeAnomalyTrainer));
        using var channel = host.Start("Training");
        var data = TrainingData.Read(input, _featureColumn, _options.Training(features, 0), features, _options.CancellationToken);

        using var loan = TorchThreads.Borrow(TorchThreads.Of(_options.Threads));
        string[] names = ColumnSlots.Known(input.Schema[column]);
        var members = new List<AnomalyMember>();
        float[]? sample = null, terms = null;
        AnomalyRange? range = null;
        AnomalyRarity? rarity = null;
        AnomalyOutside? outside = null;
        for (int i = 0; i < _options.Members; i++)
        {
            var trained = VaeTraining.Run(_options.Training(features, i), features, data, null);
            // All members scale the features alike.
            if (sample is null)
            {
                sample = AnomalyMember.Sample(data, trained.Model.Scale);
                range = AnomalyRange.Of(sample, features);
                float[][] sorted = AnomalyMember.Sorted(sample, features);
                var rows = data.Features.AsSpan(0, data.Rows * features);
                rarity = AnomalyRarity.Of(sorted, rows);
                outside = AnomalyOutside.Of(rows, trained.Model.Scale, sorted, rarity);
            }
            var (member, own) = AnomalyMember.From(trained.Model.WithInputNames(names), sample, range!, rarity);
            members.Add(member);
            terms ??= new float[own.Length];
            for (int row = 0; row < own.Length; row++)
                terms[row] += own[row] / _options.Members;
            channel.Info(MessageSensitivity.None, Check.Invariant(
                $"Member {i + 1} of {_options.Members}: loss {trained.History.Epochs[^1].Loss:G6}, {trained.History.ActiveUnits} of {trained.Model.LatentDimension} latent dimensions active."));
        }

        var marginal = _options.IncludeMarginalTerm ? AnomalyMarginal.From(sample!, features, terms, rarity) : null;
        bool clean = _options.TrainingRows == AnomalyTrainingRows.Clean;
        AnomalyNeighbors? neighbors = null;
        if (_options.IncludeNeighborTerm ?? clean)
        {
            float[] plain = [.. terms!.Select((term, i) => marginal is null ? term : term + marginal.Weight * marginal.Term(sample.AsSpan(i * features, features), rarity))];
            neighbors = AnomalyNeighbors.From(AnomalyMember.Sample(data), features, plain, terms!, clean ? 1 : NeighborsKept, clean ? CleanNeighborShare : NeighborShare);
        }
        if (clean && marginal is not null)
            marginal = marginal with { Weight = CleanMarginalShare * marginal.Weight };
        string[]? slotNames = _options.ContributionsColumnName is null ? null : ColumnSlots.Names(input.Schema[column]);
        // Training rows are not outside of themselves: their scores are the same whatever that counts.
        float[] scores = Scores(Graph(outside!), data, features);
        byte[] graph = Graph(outside!.Weighted(scores));
        float threshold = _options.Threshold ?? (float)InputScale.Quantile(scores, 1 - (double)_options.Contamination);
        channel.Info(MessageSensitivity.None, Check.Invariant($"Trained on {data.Rows} rows of {features} features; rows with a score above {threshold:G6} are labelled."));
        return new VaeAnomalyTransformer(_context, graph, threshold, _featureColumn, features, _options.ContributionsColumnName, slotNames, input.Schema,
            names, _options.IgnoreSlotNames);

        byte[] Graph(AnomalyOutside beyond) => AnomalyGraph.Create(members, range!, _featureColumn, marginal, _options.ContributionsColumnName, slotNames, rarity, beyond, neighbors);
    }

    /// <summary>The columns that the fitted transform will give.</summary>
    /// <param name="inputSchema">Shape of the input.</param>
    /// <returns>Shape of the output.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The feature column is missing or is not a vector of Single.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Check.NotNull(inputSchema);
        ColumnShapes.RequireFloatVector(inputSchema, _featureColumn);
        string[]? slotNames = ColumnSlots.HasNames(inputSchema, _featureColumn) ? [""] : null;
        return ColumnShapes.Append(_context, inputSchema, VaeAnomalyTransformer.Outputs(_options.ContributionsColumnName, features: 1, slotNames));
    }

    /// <summary>Scores of the training rows, sorted.</summary>
    private float[] Scores(byte[] graph, TrainingData data, int features)
    {
        using var session = new InferenceSession(graph);
        var scores = new float[data.Rows];
        for (int start = 0; start < data.Rows; start += FittedTransformer.BlockSize)
        {
            int count = Math.Min(FittedTransformer.BlockSize, data.Rows - start);
            var block = new DenseTensor<float>(data.Features.AsMemory(start * features, count * features), [count, features]);
            using var outputs = session.Run([NamedOnnxValue.CreateFromTensor(_featureColumn, block)], [OutputColumn.VectorName(VaeAnomalyTransformer.ScoreColumn)]);
            ((DenseTensor<float>)outputs[0].Value).Buffer.Span.CopyTo(scores.AsSpan(start));
        }
        Array.Sort(scores);
        return scores;
    }
}
