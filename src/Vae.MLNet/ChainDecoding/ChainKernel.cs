using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Vae.MLNet.ChainDecoding;

/// <summary>
/// The candidates of one bead of one chain and their energies: for each candidate the sum of what tables say of its distances to earlier
/// beads and to beads of the mean shape, and of what the context network says of its coordinates. Holds work space; one for each thread.
/// </summary>
internal sealed class ChainKernel
{
    private readonly ChainShape _shape;
    private readonly ChainCoordinates _coordinates;
    private readonly float _perUnit;
    private readonly int[] _grid;
    private readonly int _padded;
    private readonly float[][] _axes, _knotPart;
    private readonly int[][] _knotIndex;
    private readonly float[] _x, _y, _z, _part;
    private readonly int[] _index;
    private readonly int[] _tables, _used;
    private readonly float[] _sourceX, _sourceY, _sourceZ;
    private int _sources;

    /// <param name="shape">Sizes.</param>
    /// <param name="coordinates">Quantile functions.</param>
    /// <param name="farthest">Distance of the last knot of every table.</param>
    public ChainKernel(ChainShape shape, ChainCoordinates coordinates, float farthest)
    {
        int[] grid = shape.Grid;
        _shape = shape;
        _coordinates = coordinates;
        _perUnit = (ChainShape.Knots - 1) / farthest;
        _grid = grid;
        Candidates = grid.Aggregate(1, (product, count) => product * count);
        _padded = (Candidates + 7) / 8 * 8;
        _axes = [.. grid.Select(count => new float[count])];
        _knotPart = [.. grid.Select(count => new float[count])];
        _knotIndex = [.. grid.Select(count => new int[count])];
        _x = new float[_padded];
        _y = new float[_padded];
        _z = new float[_padded];
        Energies = new float[_padded];
        int most = shape.Beads + ChainShape.Ghosts;
        _index = new int[most * _padded];
        _part = new float[most * _padded];
        _tables = new int[most];
        _used = new int[Candidates + 1];
        _sourceX = new float[most];
        _sourceY = new float[most];
        _sourceZ = new float[most];
    }

    public int Candidates { get; }

    /// <summary>Energies of the candidates after <see cref="Evaluate"/>: unnormalised logarithms of their probabilities.</summary>
    public float[] Energies { get; }

    /// <summary>What the context network sees of a bead's surroundings.</summary>
    public void Features(ReadOnlySpan<float> chain, ReadOnlySpan<float> ghosts, ReadOnlySpan<float> z, int i, Span<float> features)
    {
        int d = _shape.Dimensions, beads = _shape.Beads;
        Span<float> frame = stackalloc float[9];
        ChainCoordinates.Frame(chain, i, d, frame);
        features.Clear();
        float scale = 1 / _coordinates.Function(1, 0)[ChainShape.Quantiles / 2] / 2;
        int last = (i - 1) * d;
        for (int lag = 2; lag <= i; lag++)
            Local(chain[((i - lag) * d)..], chain[last..], features[((lag - 2) * d)..], frame);
        var ahead = features[((beads - 2) * d)..];
        for (int k = i - 1; k < beads; k++)
            Local(ghosts[(k * d)..], chain[last..], ahead[((k - i + 1) * d)..], frame);
        var rest = ahead[(beads * d)..];
        z.CopyTo(rest);
        rest[z.Length + i - 1] = 1;

        void Local(ReadOnlySpan<float> bead, ReadOnlySpan<float> origin, Span<float> local, ReadOnlySpan<float> axes)
        {
            for (int c = 0; c < d; c++)
            {
                float sum = 0;
                for (int e = 0; e < d; e++)
                    sum += (bead[e] - origin[e]) * axes[c * d + e];
                local[c] = sum * scale;
            }
        }
    }

    /// <summary>Spreads candidates of bead i, with the grid moved by the given shares of a cell, and computes their energies.</summary>
    /// <param name="chain">Beads before i are read.</param>
    /// <param name="ghosts">The mean shape.</param>
    /// <param name="i">The bead, 1 and up.</param>
    /// <param name="shifts">A number between 0 and 1 for each coordinate.</param>
    /// <param name="context">What the context network gave.</param>
    /// <param name="tables">Tables, those of pairs with those of separations added.</param>
    public unsafe void Evaluate(
        ReadOnlySpan<float> chain,
        ReadOnlySpan<float> ghosts,
        int i,
        ReadOnlySpan<float> shifts,
        ReadOnlySpan<float> context,
        float[] tables)
    {
        Spread(chain, i, shifts, context);
        Sources(chain, ghosts, i);
        fixed (float* table = tables, xs = _x, ys = _y, zs = _z, energies = Energies, parts = _part)
        fixed (int* indices = _index)
        {
            bool space = _shape.Dimensions == 3;
            for (int s = 0; s < _sources; s++)
            {
                float* own = table + (long)_tables[s] * ChainShape.Knots;
                int* index = indices + s * _padded;
                float* part = parts + s * _padded;
                int c = 0;
                if (Avx2.IsSupported)
                {
                    var x = Vector256.Create(_sourceX[s]);
                    var y = Vector256.Create(_sourceY[s]);
                    var z = Vector256.Create(_sourceZ[s]);
                    var scale = Vector256.Create(_perUnit);
                    var most = Vector256.Create(ChainShape.Knots - 1.001f);
                    for (; c < _padded; c += 8)
                    {
                        var dx = Vector256.Load(xs + c) - x;
                        var dy = Vector256.Load(ys + c) - y;
                        var square = dx * dx + dy * dy;
                        if (space)
                        {
                            var dz = Vector256.Load(zs + c) - z;
                            square += dz * dz;
                        }
                        var at = Vector256.Min(Vector256.Sqrt(square) * scale, most);
                        // What is no number would be the least integer: memory is never read outside the table.
                        var k = Vector256.Max(Avx.ConvertToVector256Int32WithTruncation(at), Vector256<int>.Zero);
                        var w = at - Vector256.ConvertToSingle(k);
                        var low = Avx2.GatherVector256(own, k, 4);
                        var high = Avx2.GatherVector256(own + 1, k, 4);
                        (Vector256.Load(energies + c) + low + w * (high - low)).Store(energies + c);
                        k.Store(index + c);
                        w.Store(part + c);
                    }
                }
                for (; c < _padded; c++)
                {
                    float at = MathF.Min(Distance(xs[c], ys[c], zs[c], s) * _perUnit, ChainShape.Knots - 1.001f);
                    int k = Math.Clamp((int)at, 0, ChainShape.Knots - 2);
                    float w = at - k;
                    energies[c] += own[k] + w * (own[k + 1] - own[k]);
                    index[c] = k;
                    part[c] = w;
                }
            }
        }
    }

    /// <summary>Moves the grid so that one of its candidates is where the bead truly is.</summary>
    /// <param name="chain">The chain, bead i included.</param>
    /// <param name="i">The bead.</param>
    /// <param name="shifts">Takes a number between 0 and 1 for each coordinate.</param>
    /// <param name="logDensity">Takes the logarithm of the density of the grid's candidates there, by internal coordinates.</param>
    /// <returns>The candidate.</returns>
    public int Align(ReadOnlySpan<float> chain, int i, Span<float> shifts, out double logDensity)
    {
        int d = _shape.Dimensions, candidate = 0;
        Span<float> frame = stackalloc float[9], own = stackalloc float[3];
        ChainCoordinates.Frame(chain, i, d, frame);
        ChainCoordinates.Internal(chain, i, d, frame, own);
        logDensity = 0;
        for (int c = 0; c < d; c++)
        {
            float at = _coordinates.Place(i, c, own[c], out double log) * _grid[c];
            logDensity += log;
            int cell = Math.Min((int)at, _grid[c] - 1);
            shifts[c] = at - cell;
            candidate = candidate * _grid[c] + cell;
        }
        return candidate;
    }

    /// <summary>Turns the energies into probabilities, in place.</summary>
    /// <returns>The logarithm of the mean of the energies' exponentials.</returns>
    public double Normalize()
    {
        var energies = Energies.AsSpan(0, Candidates);
        float most = float.NegativeInfinity;
        foreach (float energy in energies)
            most = Math.Max(most, energy);
        double sum = 0;
        TensorPrimitives.Subtract(energies, most, energies);
        TensorPrimitives.Exp(energies, energies);
        foreach (float value in energies)
            sum += value;
        TensorPrimitives.Multiply(energies, (float)(1 / sum), energies);
        return most + Math.Log(sum / Candidates);
    }

    /// <summary>Adds the gradient of minus the logarithm of a candidate's probability, after <see cref="Normalize"/>.</summary>
    public void AddGradient(int candidate, float factor, Span<float> tableGradient, Span<float> contextGradient)
    {
        // Most candidates have next to no probability, and so no part in the gradient.
        const float Negligible = 1e-7f;
        var shares = Energies;
        shares[candidate] -= 1;
        int count = 0;
        for (int c = 0; c < Candidates; c++)
        {
            _used[count] = c;
            count += MathF.Abs(shares[c]) > Negligible ? 1 : 0;
        }
        var used = _used.AsSpan(0, count);
        for (int s = 0; s < _sources; s++)
        {
            var own = tableGradient.Slice(_tables[s] * ChainShape.Knots, ChainShape.Knots);
            var index = _index.AsSpan(s * _padded, Candidates);
            var part = _part.AsSpan(s * _padded, Candidates);
            foreach (int c in used)
            {
                float share = shares[c] * factor, up = share * part[c];
                int k = index[c];
                own[k] += share - up;
                own[k + 1] += up;
            }
        }
        int offset = 0;
        int inner = Candidates;
        for (int axis = 0; axis < _grid.Length; axis++)
        {
            inner /= _grid[axis];
            int outer = Candidates / inner / _grid[axis];
            for (int a = 0; a < _grid[axis]; a++)
            {
                float sum = 0;
                for (int o = 0; o < outer; o++)
                {
                    foreach (float share in shares.AsSpan((o * _grid[axis] + a) * inner, inner))
                        sum += share;
                }
                int k = offset + _knotIndex[axis][a];
                float w = _knotPart[axis][a];
                contextGradient[k] += factor * sum * (1 - w);
                contextGradient[k + 1] += factor * sum * w;
            }
            offset += _shape.ContextKnots[axis];
        }
    }

    /// <summary>Coordinates of a candidate.</summary>
    public void Candidate(int c, Span<float> bead)
    {
        bead[0] = _x[c];
        bead[1] = _y[c];
        if (_shape.Dimensions == 3)
            bead[2] = _z[c];
    }

    private float Distance(float x, float y, float z, int s)
    {
        float dx = x - _sourceX[s], dy = y - _sourceY[s], dz = _shape.Dimensions == 3 ? z - _sourceZ[s] : 0;
        return MathF.Sqrt(dx * dx + dy * dy + dz * dz);
    }

    private void Sources(ReadOnlySpan<float> chain, ReadOnlySpan<float> ghosts, int i)
    {
        int d = _shape.Dimensions;
        _sources = 0;
        for (int j = 0; j <= i - 2; j++)
            Set(chain[(j * d)..], ChainShape.Pair(i, j));
        for (int lead = 0; lead < ChainShape.Ghosts && i + lead < _shape.Beads; lead++)
            Set(ghosts[((i + lead) * d)..], _shape.Ghost(i, lead));

        void Set(ReadOnlySpan<float> bead, int table)
        {
            _sourceX[_sources] = bead[0];
            _sourceY[_sources] = bead[1];
            _sourceZ[_sources] = d == 3 ? bead[2] : 0;
            _tables[_sources++] = table;
        }
    }

    private void Spread(ReadOnlySpan<float> chain, int i, ReadOnlySpan<float> shifts, ReadOnlySpan<float> context)
    {
        int d = _shape.Dimensions, offset = 0;
        Span<float> frame = stackalloc float[9];
        ChainCoordinates.Frame(chain, i, d, frame);
        Span<float> added = stackalloc float[_grid.Sum()];
        int at = 0;
        for (int axis = 0; axis < d; axis++)
        {
            int knots = _shape.ContextKnots[axis];
            for (int a = 0; a < _grid[axis]; a++)
            {
                float place = (a + shifts[axis]) / _grid[axis], knot = place * (knots - 1);
                int k = Math.Min((int)knot, knots - 2);
                float w = knot - k;
                _axes[axis][a] = _coordinates.Value(i, axis, place);
                _knotIndex[axis][a] = k;
                _knotPart[axis][a] = w;
                added[at++] = context[offset + k] + w * (context[offset + k + 1] - context[offset + k]);
            }
            offset += knots;
        }
        var last = chain[((i - 1) * d)..];
        int c = 0;
        if (d == 2)
        {
            for (int a = 0; a < _grid[0]; a++)
            {
                float length = _axes[0][a];
                for (int b = 0; b < _grid[1]; b++, c++)
                {
                    // Sine and cosine are the same for all lengths.
                    if (a == 0)
                    {
                        var (sin, cos) = MathF.SinCos(_axes[1][b]);
                        _z[b] = cos * frame[0] + sin * frame[2];
                        _part[b] = cos * frame[1] + sin * frame[3];
                    }
                    _x[c] = last[0] + length * _z[b];
                    _y[c] = last[1] + length * _part[b];
                    Energies[c] = added[a] + added[_grid[0] + b];
                }
            }
        }
        else
        {
            Span<float> sines = stackalloc float[_grid[2]], cosines = stackalloc float[_grid[2]];
            for (int e = 0; e < _grid[2]; e++)
                (sines[e], cosines[e]) = MathF.SinCos(_axes[2][e]);
            for (int a = 0; a < _grid[0]; a++)
            {
                float length = _axes[0][a];
                for (int b = 0; b < _grid[1]; b++)
                {
                    var (sin, cos) = MathF.SinCos(_axes[1][b]);
                    float along = length * cos, beside = length * sin, energy = added[a] + added[_grid[0] + b];
                    for (int e = 0; e < _grid[2]; e++, c++)
                    {
                        float p = beside * cosines[e], q = beside * sines[e];
                        _x[c] = last[0] + along * frame[0] + p * frame[3] + q * frame[6];
                        _y[c] = last[1] + along * frame[1] + p * frame[4] + q * frame[7];
                        _z[c] = last[2] + along * frame[2] + p * frame[5] + q * frame[8];
                        Energies[c] = energy + added[_grid[0] + _grid[1] + e];
                    }
                }
            }
        }
        for (; c < _padded; c++)
            (_x[c], _y[c], _z[c], Energies[c]) = (0, 0, 0, 0);
    }
}
