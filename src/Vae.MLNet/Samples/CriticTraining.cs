using System.Runtime.ExceptionServices;
using Vae.MLNet.Model;

namespace Vae.MLNet.Samples;

/// <summary>Boosted trees that give the logarithm of the density of real rows over that of generated ones.</summary>
/// <param name="Folds">Trees of each fold; scores are averaged.</param>
/// <param name="Trees">Trees of a fold that are used: as many as are best on rows held out.</param>
/// <param name="Slope">By which a score is multiplied.</param>
/// <param name="Offset">What is added then.</param>
/// <param name="Bound">The ratio's logarithm from which on a row is kept for certain.</param>
/// <param name="Acceptance">Share of generated rows that would be kept, judged on rows held out.</param>
/// <param name="Auc">How well held-out rows were told apart.</param>
/// <param name="StandardError">Its standard error.</param>
internal sealed record CriticTraining(
    BoostedTrees[] Folds, int Trees, double Slope, double Offset, double Bound, double Acceptance, double Auc, double StandardError)
{
    /// <summary>Numbers of trees are looked at in steps.</summary>
    private const int Step = 10;

    private const double Rate = 0.1;

    public static CriticTraining Fit(float[][] real, float[][] generated, CriticOptions options)
    {
        float[][] rows = [.. real, .. generated];
        bool[] labels = [.. real.Select(_ => true), .. generated.Select(_ => false)];
        if (rows[0].Length == 0)
            return new([], 0, 0, 0, 0, 1, 0.5, 0);
        int folds = options.Folds;
        int[] fold = new int[rows.Length];
        Deal(0, real.Length, 0);
        Deal(real.Length, generated.Length, 1);
        var fitted = new BoostedTrees[folds];
        int begun = 0;
        try
        {
            var parallel = new ParallelOptions
            {
                CancellationToken = options.CancellationToken,
                MaxDegreeOfParallelism = Environment.ProcessorCount,
            };
            Parallel.For(0, folds, parallel, f =>
            {
                lock (fitted)
                    options.Progress?.Report(new(begun++, folds));
                int[] own = [.. Enumerable.Range(0, rows.Length).Where(row => fold[row] != f)];
                fitted[f] = BoostedTrees.Fit([.. own.Select(row => rows[row])], [.. own.Select(row => labels[row])], options.Trees, Rate,
                    SeedStream.ToSeed(SeedStream.Derive(options.Seed, Purpose.Critic, 2 + f)));
            });
        }
        catch (AggregateException e) when (e.InnerException is { } inner)
        {
            ExceptionDispatchInfo.Throw(inner);
        }
        options.Progress?.Report(new(folds, folds));

        // Scores of rows by trees that have not seen them, tree by tree.
        var scores = new double[rows.Length];
        var best = (Loss: double.PositiveInfinity, Trees: 0, Slope: 0.0, Offset: 0.0);
        double[] chosen = [.. scores];
        int most = fitted.Min(trees => trees.Trees.Count);
        for (int trees = 0; trees < most;)
        {
            options.CancellationToken.ThrowIfCancellationRequested();
            int next = Math.Min(trees + Step, most);
            Parallel.For(0, rows.Length, row =>
            {
                for (int t = trees; t < next; t++)
                    scores[row] += fitted[fold[row]].Trees[t].Value(rows[row]);
            });
            trees = next;
            var (slope, offset, loss) = Calibrate(scores, labels);
            if (loss < best.Loss - 1e-6)
            {
                best = (loss, trees, slope, offset);
                chosen = [.. scores];
            }
        }
        // A slope that is not positive means that held-out rows cannot be told apart.
        if (!(best.Slope > 0))
            best = (0, best.Trees, 0, Math.Log((double)real.Length / generated.Length));
        double prior = Math.Log((double)real.Length / generated.Length);
        double[] ratios = [.. chosen.Skip(real.Length).Select(score => best.Slope * score + best.Offset - prior)];
        double bound = Quantile([.. ratios.Order()], options.CertainQuantile);
        double acceptance = ratios.Average(ratio => Math.Exp(Math.Min(0, ratio - bound)));
        float[] ranked = Array.ConvertAll(chosen, score => (float)score);
        var test = RankTest.Of(ranked[..real.Length], ranked[real.Length..]);
        return new(fitted, best.Trees, best.Slope, best.Offset - prior, bound, acceptance, test.Auc, Math.Sqrt(test.Variance));

        void Deal(int from, int count, int index)
        {
            long[] order = SeedStream.Permutation(count, options.Seed, Purpose.Critic, index);
            for (int i = 0; i < count; i++)
                fold[from + (int)order[i]] = i % folds;
        }
    }

    /// <summary>The logarithm of the ratio of densities.</summary>
    public float LogRatio(ReadOnlySpan<float> row)
    {
        double sum = 0;
        foreach (var trees in Folds)
            sum += trees.Score(row, Trees);
        return (float)(Folds.Length == 0 ? 0 : Slope * sum / Folds.Length + Offset);
    }

    /// <summary>Logistic regression on the scores by Newton's method: scores of few rows are too sure of themselves.</summary>
    private static (double Slope, double Offset, double Loss) Calibrate(double[] scores, bool[] labels)
    {
        const int Iterations = 50, Halvings = 30;
        double mean = scores.Average(), spread = Math.Sqrt(scores.Average(score => (score - mean) * (score - mean)));
        double positive = labels.Count(label => label) / (double)labels.Length, slope = 0, offset = Math.Log(positive / (1 - positive));
        double least = Loss(slope, offset);
        if (!(spread > 0))
            return (0, offset, least);
        for (int i = 0; i < Iterations; i++)
        {
            double g0 = 0, g1 = 0, h00 = 0, h01 = 0, h11 = 0;
            for (int row = 0; row < scores.Length; row++)
            {
                double x = (scores[row] - mean) / spread, p = 1 / (1 + Math.Exp(-slope * x - offset)), error = p - (labels[row] ? 1 : 0);
                double weight = p * (1 - p);
                g0 += error;
                g1 += error * x;
                h00 += weight;
                h01 += weight * x;
                h11 += weight * x * x;
            }
            double determinant = h00 * h11 - h01 * h01;
            if (!(determinant > 1e-12 * h00 * h11))
                break;
            double up = (h00 * g1 - h01 * g0) / determinant, right = (h11 * g0 - h01 * g1) / determinant, before = least, share = 1;
            // A whole step may go too far where the scores part the rows well.
            for (int half = 0; half < Halvings; half++, share /= 2)
            {
                double loss = Loss(slope - share * up, offset - share * right);
                if (!(loss < least))
                    continue;
                (slope, offset, least) = (slope - share * up, offset - share * right, loss);
                break;
            }
            if (before - least < 1e-10)
                break;
        }
        return (slope / spread, offset - slope * mean / spread, least);

        double Loss(double steep, double level)
        {
            double sum = 0;
            for (int row = 0; row < scores.Length; row++)
            {
                double logit = steep * (scores[row] - mean) / spread + level, wrong = labels[row] ? -logit : logit;
                sum += Math.Max(wrong, 0) + Math.Log(1 + Math.Exp(-Math.Abs(wrong)));
            }
            return sum / scores.Length;
        }
    }

    private static double Quantile(double[] sorted, double share)
    {
        double at = share * (sorted.Length - 1);
        int low = (int)at, high = Math.Min(low + 1, sorted.Length - 1);
        return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
    }
}
