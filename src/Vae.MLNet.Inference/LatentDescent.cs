using Vae.MLNet.Inference.Running;

namespace Vae.MLNet.Inference;

/// <summary>Gradient descent in latent space.</summary>
internal static class LatentDescent
{
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;

    public static LatentOptimization Run(RunContext decode, RunContext gradient, LatentObjective objective, ReadOnlySpan<float> start, int features,
        LatentOptimizationOptions options, CancellationToken cancellationToken)
    {
        int size = start.Length;
        var latents = new List<float>();
        var outputs = new List<float>();
        var values = new List<double>();
        var objectives = new List<double>();
        double[] z = new double[size], first = new double[size], second = new double[size], slope = new double[size];
        for (int i = 0; i < size; i++)
            z[i] = start[i];
        var point = start.ToArray();
        var cotangent = new float[features];
        bool converged = false;

        for (int step = 0; ; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            point.CopyTo(decode.Input(0));
            decode.Run(1);
            var output = decode.Output(0)[..features];
            double own = objective.Evaluate(output, cotangent), prior = 0;
            foreach (double component in z)
                prior += 0.5 * options.PriorWeight * component * component;
            if (!double.IsFinite(own + prior))
                throw Diverged(step, "the objective", own + prior);
            latents.AddRange(point);
            outputs.AddRange(output);
            values.Add(own + prior);
            objectives.Add(own);
            if (step == options.Steps)
                break;

            point.CopyTo(gradient.Input(0));
            cotangent.CopyTo(gradient.Input(1));
            gradient.Run(1);
            double norm = 0;
            for (int i = 0; i < size; i++)
            {
                slope[i] = gradient.Output(0)[i] + options.PriorWeight * z[i];
                norm += slope[i] * slope[i];
            }
            norm = Math.Sqrt(norm);
            if (!double.IsFinite(norm))
                throw Diverged(step, "the gradient's length", norm);
            if (norm <= options.GradientTolerance)
            {
                converged = true;
                break;
            }
            Step(options, step, z, slope, first, second);
            for (int i = 0; i < size; i++)
            {
                // The decoder takes single precision; the descent goes on from the point that it was given.
                point[i] = (float)z[i];
                z[i] = point[i];
            }
        }
        return new(new DecodedLatents([.. latents], [.. outputs], size, features), [.. values], [.. objectives], converged);
    }

    private static void Step(LatentOptimizationOptions options, int step, Span<double> z, ReadOnlySpan<double> slope, Span<double> first, Span<double> second)
    {
        double rate = options.LearningRate;
        switch (options.Optimizer)
        {
            case LatentOptimizer.GradientDescent:
                for (int i = 0; i < z.Length; i++)
                    z[i] -= rate * slope[i];
                break;
            case LatentOptimizer.Momentum:
                for (int i = 0; i < z.Length; i++)
                {
                    first[i] = options.Momentum * first[i] + slope[i];
                    z[i] -= rate * first[i];
                }
                break;
            default:
                double correction1 = 1 - Math.Pow(Beta1, step + 1), correction2 = 1 - Math.Pow(Beta2, step + 1);
                for (int i = 0; i < z.Length; i++)
                {
                    first[i] = Beta1 * first[i] + (1 - Beta1) * slope[i];
                    second[i] = Beta2 * second[i] + (1 - Beta2) * slope[i] * slope[i];
                    z[i] -= rate * (first[i] / correction1) / (Math.Sqrt(second[i] / correction2) + Epsilon);
                }
                break;
        }
    }

    private static InvalidOperationException Diverged(int step, string what, double value) => new(Guard.Invariant(
        $"In step {step} of the optimisation {what} is {value}; a smaller {nameof(LatentOptimizationOptions.LearningRate)} or a {nameof(LatentOptimizationOptions.PriorWeight)} may cure it."));
}
