using System.Globalization;
using System.Text.Json;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.ChainDecoding;

/// <summary>
/// A chain decoder as an ONNX graph, unrolled bead by bead; the same formulas as in <see cref="ChainKernel"/>, and tests hold the two
/// together.
/// </summary>
internal static class ChainGraphs
{
    public const string Latent = "Latent", Noise = "Noise", MeanShape = "MeanShape", Conformation = "Conformation";

    private const long Batch = OnnxGraph.Batch;

    /// <summary>Coordinates of the mean shape beyond this are taken for it, so that distances have squares.</summary>
    private const float Largest = 1e15f;

    /// <summary>Numbers of a latent vector beyond this are taken for it where frames near it are looked for.</summary>
    private const float LargestLatent = 1e4f;

    public static byte[] File(VaeModel model, ChainParts parts)
    {
        var graph = new OnnxGraph("chain-decoder");
        var shape = parts.Shape;
        string z = graph.Input(Latent, OnnxType.Float, Batch, shape.Latent);
        string noise = graph.Input(Noise, OnnxType.Float, Batch, shape.NoiseSize);
        string mean = VaeGraphs.DecodeMean(graph, model, z, MeanShape);
        new Builder(graph, parts, z, noise, mean).Build();
        graph.Output(Conformation, OnnxType.Float, Batch, shape.Size);
        graph.Output(MeanShape, OnnxType.Float, Batch, shape.Size);
        VaeMetadata.Write(graph, model, VaeMetadata.ChainDecoderKind);
        graph.Metadata(VaeMetadata.Dimensions, shape.Dimensions.ToString(CultureInfo.InvariantCulture));
        graph.Metadata(VaeMetadata.Prior, JsonSerializer.Serialize(new
        {
            weights = parts.Prior.Weights,
            means = parts.Prior.Means,
            deviations = parts.Prior.Deviations,
        }));
        return graph.ToBytes();
    }

    private sealed class Builder
    {
        private readonly OnnxGraph _graph;
        private readonly ChainParts _parts;
        private readonly ChainShape _shape;
        private readonly int _d;
        private readonly string _z, _noise, _mean;
        private readonly List<string> _beads = [];
        private readonly Dictionary<string, float[]> _network = new(StringComparer.Ordinal);
        private readonly string _tables, _axes, _turn, _onOff, _axis, _secondWeight, _secondBias, _outputWeight, _outputBias;
        private readonly string[] _cells;

        /// <summary>Nothing times what is no number where something is no number, [N, 1] or wider.</summary>
        private string _unsound;

        public Builder(OnnxGraph graph, ChainParts parts, string z, string noise, string mean)
        {
            _graph = graph;
            _parts = parts;
            _shape = parts.Shape;
            _d = _shape.Dimensions;
            _z = z;
            _noise = noise;
            // What is no number has no place in a table: where the mean shape is none, the result is made so at the end.
            string known = graph.Node("Where", [graph.Node("IsNaN", [mean]), graph.Scalar(0), mean]);
            _mean = graph.Node("Clip", [known, graph.Scalar(-Largest), graph.Scalar(Largest)]);
            _unsound = graph.Multiply(mean, graph.Scalar(0));
            int at = 0;
            foreach (var (name, dims) in _shape.Parameters)
            {
                int size = (int)dims.Aggregate(1L, (product, dim) => product * dim);
                _network[name] = parts.Network[at..(at + size)];
                at += size;
            }
            int hidden = ChainShape.Hidden;
            _tables = graph.Constant("chain.tables", parts.Tables, parts.Tables.Length);
            _secondWeight = graph.Constant("context.1.weight", _network["context.1.weight"], hidden, hidden);
            _secondBias = graph.Constant("context.1.bias", _network["context.1.bias"], hidden);
            _outputWeight = graph.Constant("context.output.weight", _network["context.output.weight"], _shape.ContextOutputs, hidden);
            _outputBias = graph.Constant("context.output.bias", _network["context.output.bias"], _shape.ContextOutputs);
            float[] unit = new float[_d * _d];
            for (int c = 0; c < _d; c++)
                unit[c * _d + c] = 1;
            _axes = graph.Constant("chain.axes", unit, 1, _d * _d);
            _axis = graph.LongConstant("chain.axis", 1);
            _turn = _d == 2 ? graph.Constant("chain.turn", [0f, 1, -1, 0], 2, 2) : "";
            _onOff = _d == 3 ? graph.Constant("chain.onOff", [0f, 1], 2) : "";
            _cells =
            [
                .. _shape.Grid.Select((count, c) => graph.Constant(
                    Check.Invariant($"chain.grid.{c}"), [.. Enumerable.Range(0, count).Select(cell => (float)cell)], 1, count)),
            ];
        }

        public void Build()
        {
            _beads.Add(FirstBead());
            for (int i = 1; i < _shape.Beads; i++)
            {
                string frame = Frame(i);
                string x = Silu(First(i, frame));
                x = _graph.Add(x, Silu(_graph.Linear(x, _secondWeight, _secondBias)));
                string context = _graph.Linear(x, _outputWeight, _outputBias);
                _beads.Add(Draw(i, frame, context));
            }
            _graph.Node("Add", [_graph.Node("Concat", [.. _beads], null, ("axis", 1L)), _unsound], Conformation);
        }

        /// <summary>The mean shape's first bead, the offset of a frame whose latent vector is near, and a little beside it.</summary>
        private string FirstBead()
        {
            var first = _parts.First;
            int frames = first.Frames, latent = _shape.Latent;
            string root = _graph.Constant("chain.first", first.Root, _d, _d);
            string mean = _graph.Node("Gemm", [_graph.Columns(_noise, 0, _d), root, _graph.Columns(_mean, 0, _d)], null, ("transB", 1L));
            string known = _graph.Node("Where", [_graph.Node("IsNaN", [_z]), _graph.Scalar(0), _z]);
            string scaled = _graph.Multiply(
                _graph.Node("Clip", [known, _graph.Scalar(-LargestLatent), _graph.Scalar(LargestLatent)]),
                _graph.Constant("chain.first.scale", first.Scale, latent));
            // Squares are left out that all frames have in common: softmax does not see them.
            float[] squares = [.. first.Latents.Chunk(latent).Select(z => -0.5f * z.Sum(value => value * value))];
            string nearness = _graph.Linear(
                scaled,
                _graph.Constant("chain.first.latents", first.Latents, frames, latent),
                _graph.Constant("chain.first.squares", squares, frames));
            string softmax = _graph.Node("Softmax", [nearness], null, ("axis", 1L));
            string shares = _graph.Node("CumSum", [softmax, _graph.LongConstant("chain.first.axis", 1)]);
            string passed = _graph.Node("LessOrEqual", [shares, _graph.Columns(_noise, _d, _d + 1)]);
            string below = _graph.Node("Cast", [passed], null, ("to", (long)OnnxType.Int64));
            string taken = _graph.Node("Min", [_graph.Sum(below, 1, keep: false), _graph.LongConstant("chain.first.last", frames - 1)]);
            string offsets = _graph.Constant("chain.first.offsets", first.Offsets, frames, _d);
            return _graph.Add(mean, _graph.Node("Gather", [offsets, taken], null, ("axis", 0L)));
        }

        private string Silu(string x) => _graph.Multiply(x, _graph.Node("Sigmoid", [x]));

        /// <summary>Axes of the bead's frame as rows, [N, dimensions, dimensions].</summary>
        private string Frame(int i)
        {
            if (i == 1)
            {
                // Of as many rows as the batch has.
                string zeros = _graph.Multiply(_graph.Columns(_mean, 0, 1), _graph.Scalar(0));
                return _graph.Reshape(_graph.Add(zeros, _axes), -1, _d, _d);
            }
            string along = Unit(_graph.Subtract(_beads[i - 1], _beads[i - 2]));
            if (_d == 2)
                return _graph.Reshape(_graph.Node("Concat", [along, _graph.Node("MatMul", [along, _turn])], null, ("axis", 1L)), -1, 2, 2);
            string nearest = _graph.Node("ArgMin", [_graph.Node("Abs", [along])], null, ("axis", 1L), ("keepdims", 0L));
            string beside = Beside(_graph.Node("OneHot", [nearest, _graph.Ints(3), _onOff]));
            if (i > 2)
            {
                string bond = _graph.Subtract(_beads[i - 2], _beads[i - 3]), own = Beside(bond);
                string least = _graph.Multiply(Length(bond), _graph.Scalar(ChainCoordinates.Straight));
                beside = _graph.Node("Where", [_graph.Node("Greater", [Length(own), least]), own, beside]);
            }
            beside = _graph.Divide(beside, Length(beside));
            string across = _graph.Subtract(
                _graph.Multiply(Turned(along, 1, 2, 0), Turned(beside, 2, 0, 1)),
                _graph.Multiply(Turned(along, 2, 0, 1), Turned(beside, 1, 2, 0)));
            return _graph.Reshape(_graph.Node("Concat", [along, beside, across], null, ("axis", 1L)), -1, 3, 3);

            string Beside(string b) => _graph.Subtract(b, _graph.Multiply(along, _graph.Sum(_graph.Multiply(along, b), 1)));
        }

        private string Turned(string x, params long[] order) => _graph.Node("Gather", [x, _graph.Ints(order)], null, ("axis", 1L));

        private string Length(string x) => _graph.Node("Sqrt", [_graph.Sum(_graph.Square(x), 1)]);

        private string Unit(string x) => _graph.Divide(x, _graph.Node("Max", [Length(x), _graph.Scalar(1e-30f)]));

        /// <summary>The context network's first layer, whose weights are those of what is there at this position.</summary>
        private string First(int i, string frame)
        {
            float scale = 1 / _parts.Coordinates.Function(1, 0)[ChainShape.Quantiles / 2] / 2;
            int ahead = (_shape.Beads - 2) * _d, latent = ahead + _shape.Beads * _d, position = latent + _shape.Latent + i - 1;
            var columns = new List<int>();
            var seen = new List<string>();
            string turned = _graph.Node("Transpose", [frame], null, ("perm", new long[] { 0, 2, 1 }));
            string origin = _graph.Reshape(_beads[i - 1], -1, 1, _d);
            if (i > 1)
            {
                string[] earlier = [.. Enumerable.Range(2, i - 1).Select(lag => _beads[i - lag])];
                seen.Add(Local(earlier.Length == 1 ? earlier[0] : _graph.Node("Concat", earlier, null, ("axis", 1L)), i - 1));
                columns.AddRange(Enumerable.Range(0, (i - 1) * _d));
            }
            seen.Add(Local(_graph.Columns(_mean, (i - 1) * _d, _shape.Size), _shape.Beads - i + 1));
            columns.AddRange(Enumerable.Range(ahead, (_shape.Beads - i + 1) * _d));
            seen.Add(_z);
            columns.AddRange(Enumerable.Range(latent, _shape.Latent));
            float[] weight = _network["context.0.weight"], bias = [.. _network["context.0.bias"]];
            float[] own = new float[ChainShape.Hidden * columns.Count];
            for (int h = 0; h < ChainShape.Hidden; h++)
            {
                for (int c = 0; c < columns.Count; c++)
                    own[h * columns.Count + c] = weight[h * _shape.Inputs + columns[c]];
                bias[h] += weight[h * _shape.Inputs + position];
            }
            return _graph.Linear(
                _graph.Node("Concat", [.. seen], null, ("axis", 1L)),
                _graph.Constant(Name(i, "weight"), own, ChainShape.Hidden, columns.Count),
                _graph.Constant(Name(i, "bias"), bias, ChainShape.Hidden));

            string Local(string beads, int count)
            {
                string offsets = _graph.Subtract(_graph.Reshape(beads, -1, count, _d), origin);
                return _graph.Reshape(_graph.Multiply(_graph.Node("MatMul", [offsets, turned]), _graph.Scalar(scale)), -1, count * _d);
            }
        }

        private static string Name(int i, string what) => Check.Invariant($"chain.{i}.{what}");

        /// <summary>Spreads candidates, weighs them and takes one.</summary>
        private string Draw(int i, string frame, string context)
        {
            int start = i * (_d + 1), offset = 0, candidates = _shape.Grid.Aggregate(1, (product, count) => product * count);
            string[] values = new string[_d], added = new string[_d];
            for (int c = 0; c < _d; c++)
            {
                int count = _shape.Grid[c], knots = _shape.ContextKnots[c];
                string shift = _graph.Columns(_noise, start + c, start + c + 1);
                string place = _graph.Divide(_graph.Add(_cells[c], shift), _graph.Scalar(count));
                var (knot, part) = Knot(_graph.Multiply(place, _graph.Scalar(knots - 1)), knots - 2);
                string own = _graph.Columns(context, offset, offset + knots);
                added[c] = Between(_graph.Node("GatherElements", [own, knot], null, ("axis", 1L)),
                    _graph.Node("GatherElements", [own, Next(knot)], null, ("axis", 1L)), part);
                var (quantile, rest) = Knot(_graph.Multiply(place, _graph.Scalar(ChainShape.Quantiles)), ChainShape.Quantiles - 1);
                var quantiles = _parts.Coordinates.Function(i, c);
                string function = _graph.Constant(Name(i, Check.Invariant($"quantiles.{c}")), quantiles, quantiles.Length);
                values[c] = Between(_graph.Node("Gather", [function, quantile]), _graph.Node("Gather", [function, Next(quantile)]), rest);
                offset += knots;
            }
            int[] n = _shape.Grid;
            string length = _graph.Reshape(values[0], -1, n[0], 1, 1), beads, energies;
            if (_d == 2)
            {
                string direction = Around(values[1], frame, 0);
                beads = _graph.Multiply(length, _graph.Reshape(direction, -1, 1, n[1], 2));
                energies = _graph.Add(_graph.Reshape(added[0], -1, n[0], 1), _graph.Reshape(added[1], -1, 1, n[1]));
            }
            else
            {
                string cosine = _graph.Reshape(_graph.Node("Cos", [values[1]]), -1, n[1], 1, 1);
                string sine = _graph.Reshape(_graph.Node("Sin", [values[1]]), -1, n[1], 1, 1);
                string forward = _graph.Multiply(cosine, _graph.Reshape(_graph.Slice(frame, 1, 0, 1), -1, 1, 1, 3));
                string sideways = _graph.Multiply(sine, _graph.Reshape(Around(values[2], frame, 1), -1, 1, n[2], 3));
                string direction = _graph.Add(forward, sideways);
                beads = _graph.Multiply(length, _graph.Reshape(direction, -1, 1, n[1] * n[2], 3));
                energies = _graph.Add(_graph.Reshape(added[1], -1, n[1], 1), _graph.Reshape(added[2], -1, 1, n[2]));
                energies = _graph.Add(_graph.Reshape(added[0], -1, n[0], 1), _graph.Reshape(energies, -1, 1, n[1] * n[2]));
            }
            beads = _graph.Add(_graph.Reshape(beads, -1, candidates, _d), _graph.Reshape(_beads[i - 1], -1, 1, _d));
            energies = _graph.Add(_graph.Reshape(energies, -1, candidates), Beside(i, beads));
            string shares = _graph.Node("Softmax", [energies], null, ("axis", 1L));
            string sums = _graph.Node("CumSum", [shares, _axis]);
            _unsound = _graph.Add(_unsound, _graph.Multiply(_graph.Columns(sums, candidates - 1, candidates), _graph.Scalar(0)));
            string before = _graph.Node("Not", [_graph.Node("Greater", [sums, _graph.Columns(_noise, start + _d, start + _d + 1)])]);
            string taken = _graph.Sum(_graph.Node("Cast", [before], null, ("to", (long)OnnxType.Int64)), 1);
            taken = _graph.Node("Min", [taken, _graph.Ints(candidates - 1)]);
            return _graph.Node("GatherND", [beads, taken], null, ("batch_dims", 1L));
        }

        /// <summary>
        /// What tables say of the candidates' distances to earlier beads and to beads of the mean shape, [N, candidates].
        /// </summary>
        private string Beside(int i, string beads)
        {
            var sources = new List<string>();
            var starts = new List<long>();
            for (int j = 0; j <= i - 2; j++)
            {
                sources.Add(_beads[j]);
                starts.Add((long)ChainShape.Pair(i, j) * ChainShape.Knots);
            }
            int ghosts = Math.Min(ChainShape.Ghosts, _shape.Beads - i);
            sources.Add(_graph.Columns(_mean, i * _d, (i + ghosts) * _d));
            for (int lead = 0; lead < ghosts; lead++)
                starts.Add((long)_shape.Ghost(i, lead) * ChainShape.Knots);
            string all = sources.Count == 1 ? sources[0] : _graph.Node("Concat", [.. sources], null, ("axis", 1L));
            // Coordinate by coordinate and with candidates last: sums and differences over an axis of two or three are slow.
            string sourced = _graph.Reshape(all, -1, starts.Count, _d);
            string turned = _graph.Node("Transpose", [beads], null, ("perm", new long[] { 0, 2, 1 }));
            string square = "";
            for (int c = 0; c < _d; c++)
            {
                string own = _graph.Square(_graph.Subtract(_graph.Slice(turned, 1, c, c + 1), _graph.Slice(sourced, 2, c, c + 1)));
                square = c == 0 ? own : _graph.Add(square, own);
            }
            string distance = _graph.Node("Sqrt", [square]);
            string scale = _graph.Scalar((ChainShape.Knots - 1) / _parts.Farthest);
            string at = _graph.Node("Min", [_graph.Multiply(distance, scale), _graph.Scalar(ChainShape.Knots - 1.001f)]);
            string floor = _graph.Node("Floor", [at]);
            string tables = _graph.Constant(Name(i, "tables"), [.. starts], starts.Count, 1);
            string index = _graph.Add(_graph.Node("Cast", [floor], null, ("to", (long)OnnxType.Int64)), tables);
            string low = _graph.Node("Gather", [_tables, index]), high = _graph.Node("Gather", [_tables, Next(index)]);
            string value = Between(low, high, _graph.Subtract(at, floor));
            return _graph.Sum(value, 1, keep: false);
        }

        /// <summary>Directions at angles from one axis of the frame towards the next, [N, angles, dimensions].</summary>
        private string Around(string angles, string frame, int axis) =>
            _graph.Add(Along(_graph.Node("Cos", [angles]), frame, axis), Along(_graph.Node("Sin", [angles]), frame, axis + 1));

        /// <summary>Numbers along an axis of the frame, [N, numbers, dimensions].</summary>
        private string Along(string numbers, string frame, int axis) =>
            _graph.Multiply(_graph.Node("Unsqueeze", [numbers, _graph.Ints(2)]), _graph.Slice(frame, 1, axis, axis + 1));

        private (string Index, string Part) Knot(string at, int last)
        {
            string floor = _graph.Node("Min", [_graph.Node("Floor", [at]), _graph.Scalar(last)]);
            return (_graph.Node("Cast", [floor], null, ("to", (long)OnnxType.Int64)), _graph.Subtract(at, floor));
        }

        private string Next(string index) => _graph.Add(index, _graph.Ints(1));

        private string Between(string low, string high, string part) => _graph.Add(low, _graph.Multiply(part, _graph.Subtract(high, low)));
    }
}
