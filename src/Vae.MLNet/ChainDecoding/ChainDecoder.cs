using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.ChainDecoding;
using Vae.MLNet.Data;
using Vae.MLNet.Inference;
using Vae.MLNet.Inference.Randomness;
using Vae.MLNet.Model;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

namespace Vae.MLNet;

/// <summary>
/// p(x|z) of a chain, bead by bead: each bead is drawn among candidates around the one before it, by its distances to the beads before it
/// and to the mean shape that an autoencoder decodes from z. Shapes drawn so follow the latent vector as a whole and keep to what the
/// chain allows in detail, which independent noise about a mean does not.
/// </summary>
/// <remarks>
/// <para>
/// Candidates of a bead lie on a grid over the quantiles of its bond length and angle (in the plane), or bond length, bend and torsion
/// (in space), in the frame of the bond before. The grid is moved by a uniform share of a cell, so that every place can be drawn; given a
/// place there is one grid through it, which makes the density of what is drawn exact. A candidate's energy is the sum of piecewise
/// linear tables of its distances to all earlier beads but the last and to the next four beads of the mean shape, and of what a network
/// that sees both, and z, adds along each coordinate. Latent vectors are drawn from a mixture of normal distributions fitted to the
/// aggregate posterior; the number of its components has the best likelihood of held-out draws.
/// </para>
/// <para>Immutable and safe for many threads. Draws themselves are made from the exported file, by <see cref="ChainSampler"/> and
/// OnnxRuntime alone.</para>
/// </remarks>
public sealed class ChainDecoder
{
    /// <summary>Draws of the aggregate posterior that the prior is fitted to, at most.</summary>
    private const int MostDraws = 5000;

    private const int FewestRows = 20;

    private readonly VaeModel _model;
    private readonly ChainParts _parts;

    private ChainDecoder(VaeModel model, ChainParts parts, IReadOnlyList<ChainDecoderCheck> checks)
    {
        _model = model;
        _parts = parts;
        Checks = checks;
    }

    /// <summary>Beads of a chain.</summary>
    public int Beads => _parts.Shape.Beads;

    /// <summary>Coordinates of a bead, 2 or 3.</summary>
    public int Dimensions => _parts.Shape.Dimensions;

    /// <summary>Numbers in a latent vector.</summary>
    public int LatentDimension => _parts.Shape.Latent;

    /// <summary>Looks at held-out chains during training; empty where none were held out.</summary>
    public IReadOnlyList<ChainDecoderCheck> Checks { get; }

    internal ChainParts Parts => _parts;

    /// <summary>
    /// Writes the decoder to an ONNX file: inputs <c>Latent</c> [N, latent] and <c>Noise</c>, outputs <c>Conformation</c> [N, beads ·
    /// dimensions] and <c>MeanShape</c>. It is loaded by <see cref="ChainSampler.Load(string, VaeSessionOptions?)"/>.
    /// </summary>
    /// <param name="path">File to write; it is replaced whole or left as it is.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Export(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        AtomicFile.WriteAllBytes(path, ToOnnx());
    }

    internal byte[] ToOnnx() => ChainGraphs.File(_model, _parts);

    internal static ChainDecoder Fit(VaeTransformer transformer, IDataView data, int dimensions, ChainDecoderOptions options)
    {
        var model = transformer.Model;
        if (dimensions is not (2 or 3))
            throw Check.OutOfRange(nameof(dimensions), dimensions, "2 or 3");
        if (model.FeatureCount % dimensions != 0 || model.FeatureCount / dimensions < 3)
        {
            throw Check.OutOfRange(nameof(dimensions), dimensions,
                Check.Invariant($"such that the model's {model.FeatureCount} features are three beads or more"));
        }
        if (model.Options.Likelihood is not (Likelihood.MeanSquaredError or Likelihood.Gaussian))
        {
            throw new ArgumentException(
                $"A chain decoder needs a model of coordinates; this one has likelihood {model.Options.Likelihood}.", nameof(transformer));
        }
        float[] chains = Read(data, transformer);
        var shape = new ChainShape(model.FeatureCount / dimensions, dimensions, model.LatentDimension);
        int rows = chains.Length / shape.Size;
        using var encoder = VaeEncoder.Load(VaeGraphs.EncoderFile(model));
        using var decoder = VaeDecoder.Load(VaeGraphs.DecoderFile(model, withGradient: false));
        float[] means = new float[rows * shape.Latent], sigmas = new float[rows * shape.Latent];
        encoder.Encode(chains, means, sigmas);
        var coordinates = ChainCoordinates.Fit(
            ChainSymmetry.Images(options.Symmetries, chains, shape.Size, dimensions), shape.Beads, dimensions);
        float farthest = 1.1f * Farthest(chains, shape);
        var training = new ChainTraining(shape, coordinates, chains, means, sigmas, Decode, farthest, options);
        var (network, tables) = training.Run();
        ChainTraining.AddSeparations(shape, tables);

        // Draws of the posterior tell both where the first bead lies beside the mean shape and what latent vectors there are.
        var random = new SeededRandom(SeedStream.ToSeed(SeedStream.Derive(options.Seed, Purpose.Draw)));
        var draws = new float[means.Length];
        for (int i = 0; i < draws.Length; i++)
            draws[i] = means[i] + sigmas[i] * (float)random.NextNormal();
        float[] first = FirstBead(chains, Decode(draws), shape);
        // In an order of their own: neighbouring frames are alike, and some of the draws are held out.
        long[] order = SeedStream.Permutation(rows, options.Seed, Purpose.Draw, 1);
        float[] some = [.. order.Take(MostDraws).SelectMany(row => draws.AsSpan((int)row * shape.Latent, shape.Latent).ToArray())];
        var prior = LatentMixture.Fit(some, shape.Latent, options.Seed);
        return new(model, new(shape, coordinates, farthest, network, tables, first, prior), [.. training.Checks]);

        float[] Decode(float[] latents)
        {
            var shapes = new float[latents.Length / shape.Latent * shape.Size];
            decoder.Decode(latents, shapes);
            return shapes;
        }
    }

    private static float[] Read(IDataView data, VaeTransformer transformer)
    {
        string column = transformer.InputColumnName;
        int size = transformer.Model.FeatureCount, index = Check.FloatVector(data.Schema, column, nameof(data), size).Index;
        if (!transformer.IgnoreSlotNames)
            ColumnSlots.RequireSame(data.Schema[index], transformer.InputNames, nameof(data));
        var values = new List<float>();
        using var cursor = data.GetRowCursor([data.Schema[index]]);
        var getter = cursor.GetGetter<VBuffer<float>>(data.Schema[index]);
        VBuffer<float> buffer = default;
        var row = new float[size];
        for (long i = 0; cursor.MoveNext(); i++)
        {
            getter(ref buffer);
            buffer.CopyTo(row);
            int bad = Array.FindIndex(row, value => !float.IsFinite(value));
            if (bad >= 0)
            {
                throw new InvalidOperationException(Check.Invariant(
                    $"Column '{column}' holds {row[bad]} in row {i}, slot {bad}; a finite number is expected."));
            }
            values.AddRange(row);
        }
        if (values.Count < FewestRows * size)
        {
            throw new InvalidOperationException(Check.Invariant(
                $"A chain decoder needs at least {FewestRows} rows; column '{column}' has {values.Count / size}."));
        }
        return [.. values];
    }

    private static float Farthest(float[] chains, ChainShape shape)
    {
        double most = 0;
        for (int start = 0; start < chains.Length; start += shape.Size)
        {
            for (int i = 0; i < shape.Beads; i++)
            {
                for (int j = 0; j < i; j++)
                {
                    double square = 0;
                    for (int c = 0; c < shape.Dimensions; c++)
                    {
                        double difference = chains[start + i * shape.Dimensions + c] - (double)chains[start + j * shape.Dimensions + c];
                        square += difference * difference;
                    }
                    most = Math.Max(most, square);
                }
            }
        }
        return (float)Math.Max(Math.Sqrt(most), 1e-6);
    }

    /// <summary>A lower triangular root of the covariance of the first bead about the mean shape's, [dimensions, dimensions].</summary>
    private static float[] FirstBead(float[] chains, float[] ghosts, ChainShape shape)
    {
        int d = shape.Dimensions, rows = chains.Length / shape.Size;
        var covariance = new double[d, d];
        for (int at = 0; at < chains.Length; at += shape.Size)
        {
            for (int c = 0; c < d; c++)
            {
                for (int e = 0; e <= c; e++)
                    covariance[c, e] += (chains[at + c] - ghosts[at + c]) * (double)(chains[at + e] - ghosts[at + e]) / rows;
            }
        }
        var root = new double[d, d];
        for (int c = 0; c < d; c++)
        {
            for (int e = 0; e <= c; e++)
            {
                double sum = covariance[c, e];
                for (int k = 0; k < e; k++)
                    sum -= root[c, k] * root[e, k];
                root[c, e] = c == e ? Math.Sqrt(Math.Max(sum, 0)) : root[e, e] > 0 ? sum / root[e, e] : 0;
            }
        }
        return [.. root.Cast<double>().Select(value => (float)value)];
    }
}
