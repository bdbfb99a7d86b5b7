using System.Globalization;
using System.Text.Json;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.ChainDecoding;

/// <summary>A chain decoder as an ONNX graph, unrolled bead by bead; the same formulas as in <see cref="ChainKernel"/>, and tests hold the two together.</summary>
internal static class ChainGraphs
{
    public const string Latent = "Latent", Noise = "Noise", MeanShape = "MeanShape", Conformation = "Conformation";

    private const long Batch = OnnxGraph.Batch;

    public static byte[] File(VaeModel model, ChainParts parts)
    {
        var graph = new OnnxGraph("chain-decoder");
        var shape = parts.Shape;
        string z = graph.Input(Latent, OnnxType.Float, Batch, shape.Latent);
        string noise = graph.Input(Noise, OnnxType.Float, Batch, parts.NoiseSize);
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

    private sealed class Builder(OnnxGraph graph, ChainParts parts, string z, string noise, string mean)
    {
        private readonly ChainShape _shape = parts.Shape;
        private readonly int _d = parts.Shape.Dimensions;
        private readonly List<string> _beads = [];
        private readonly string _tables = graph.Constant("chain.tables", ChainTraining.Effective(parts.Shape, parts.Tables), parts.Shape.Tables * ChainShape.Knots);
        private readonly Dictionary<string, float[]> _network = Split(parts);

        private static Dictionary<string, float[]> Split(ChainParts parts)
        {
            var slices = new Dictionary<string, float[]>(StringComparer.Ordinal);
            int at = 0;
            foreach (var (name, dims) in parts.Shape.Parameters)
            {
                int size = (int)dims.Aggregate(1L, (product, dim) => product * dim);
                slices[name] = parts.Network[at..(at + size)];
                at += size;
            }
            return slices;
        }

        public void Build()
        {
            string first = graph.Node("Gemm", [graph.Columns(noise, 0, _d), graph.Constant("chain.first", parts.First, _d, _d), graph.Columns(mean, 0, _d)], null, ("transB", 1L));
            _beads.Add(first);
            string second = graph.Constant("context.1.weight", _network["context.1.weight"], ChainShape.Hidden, ChainShape.Hidden);
            string secondBias = graph.Constant("context.1.bias", _network["context.1.bias"], ChainShape.Hidden);
            string output = graph.Constant("context.output.weight", _network["context.output.weight"], _shape.ContextOutputs, ChainShape.Hidden);
            string outputBias = graph.Constant("context.output.bias", _network["context.output.bias"], _shape.ContextOutputs);
            for (int i = 1; i < _shape.Beads; i++)
            {
                string frame = Frame(i);
                string x = Silu(First(i, frame));
                x = graph.Add(x, Silu(graph.Linear(x, second, secondBias)));
                string context = graph.Linear(x, output, outputBias);
                _beads.Add(Draw(i, frame, context));
            }
            graph.Node("Concat", [.. _beads], Conformation, ("axis", 1L));
        }

        private string Silu(string x) => graph.Multiply(x, graph.Node("Sigmoid", [x]));

        /// <summary>Axes of the bead's frame as rows, [N, dimensions, dimensions].</summary>
        private string Frame(int i)
        {
            if (i == 1)
            {
                float[] unit = new float[_d * _d];
                for (int c = 0; c < _d; c++)
                    unit[c * _d + c] = 1;
                // Of as many rows as the batch has.
                string zeros = graph.Multiply(graph.Columns(mean, 0, 1), graph.Scalar(0));
                string flat = graph.Add(zeros, graph.Constant("chain.axes", unit, 1, _d * _d));
                return graph.Reshape(flat, -1, _d, _d);
            }
            string along = Unit(graph.Subtract(_beads[i - 1], _beads[i - 2]));
            if (_d == 2)
            {
                string turn = graph.Has("chain.turn") ? OnnxGraph.Internal("chain.turn") : graph.Constant("chain.turn", [0f, 1, -1, 0], 2, 2);
                return graph.Reshape(graph.Node("Concat", [along, graph.Node("MatMul", [along, turn])], null, ("axis", 1L)), -1, 2, 2);
            }
            string nearest = graph.Node("ArgMin", [graph.Node("Abs", [along])], null, ("axis", 1L), ("keepdims", 0L));
            string values = graph.Has("chain.onOff") ? OnnxGraph.Internal("chain.onOff") : graph.Constant("chain.onOff", [0f, 1], 2);
            string beside = Beside(graph.Node("OneHot", [nearest, graph.Ints(3), values]));
            if (i > 2)
            {
                string bond = graph.Subtract(_beads[i - 2], _beads[i - 3]), own = Beside(bond);
                string least = graph.Multiply(Length(bond), graph.Scalar(ChainCoordinates.Straight));
                beside = graph.Node("Where", [graph.Node("Greater", [Length(own), least]), own, beside]);
            }
            beside = graph.Divide(beside, Length(beside));
            string across = graph.Subtract(
                graph.Multiply(Turned(along, 1, 2, 0), Turned(beside, 2, 0, 1)),
                graph.Multiply(Turned(along, 2, 0, 1), Turned(beside, 1, 2, 0)));
            return graph.Reshape(graph.Node("Concat", [along, beside, across], null, ("axis", 1L)), -1, 3, 3);

            string Beside(string b) => graph.Subtract(b, graph.Multiply(along, graph.Sum(graph.Multiply(along, b), 1)));
        }

        private string Turned(string x, params long[] order) => graph.Node("Gather", [x, graph.Ints(order)], null, ("axis", 1L));

        private string Length(string x) => graph.Node("Sqrt", [graph.Sum(graph.Square(x), 1)]);

        private string Unit(string x) => graph.Divide(x, graph.Node("Max", [Length(x), graph.Scalar(1e-30f)]));

        /// <summary>The context network's first layer, whose weights are those of what is there at this position.</summary>
        private string First(int i, string frame)
        {
            float scale = 1 / parts.Coordinates.Function(1, 0)[ChainShape.Quantiles / 2] / 2;
            int ahead = (_shape.Beads - 2) * _d, latent = ahead + _shape.Beads * _d, position = latent + _shape.Latent + i - 1;
            var columns = new List<int>();
            var seen = new List<string>();
            string turned = graph.Node("Transpose", [frame], null, ("perm", new long[] { 0, 2, 1 }));
            string origin = graph.Reshape(_beads[i - 1], -1, 1, _d);
            if (i > 1)
            {
                string[] earlier = [.. Enumerable.Range(2, i - 1).Select(lag => _beads[i - lag])];
                seen.Add(Local(earlier.Length == 1 ? earlier[0] : graph.Node("Concat", earlier, null, ("axis", 1L)), i - 1));
                columns.AddRange(Enumerable.Range(0, (i - 1) * _d));
            }
            seen.Add(Local(graph.Columns(mean, (i - 1) * _d, _shape.Size), _shape.Beads - i + 1));
            columns.AddRange(Enumerable.Range(ahead, (_shape.Beads - i + 1) * _d));
            seen.Add(z);
            columns.AddRange(Enumerable.Range(latent, _shape.Latent));
            float[] weight = _network["context.0.weight"], own = new float[ChainShape.Hidden * columns.Count], bias = [.. _network["context.0.bias"]];
            for (int h = 0; h < ChainShape.Hidden; h++)
            {
                for (int c = 0; c < columns.Count; c++)
                    own[h * columns.Count + c] = weight[h * _shape.Inputs + columns[c]];
                bias[h] += weight[h * _shape.Inputs + position];
            }
            return graph.Linear(graph.Node("Concat", [.. seen], null, ("axis", 1L)),
                graph.Constant(Name(i, "weight"), own, ChainShape.Hidden, columns.Count), graph.Constant(Name(i, "bias"), bias, ChainShape.Hidden));

            string Local(string beads, int count)
            {
                string offsets = graph.Subtract(graph.Reshape(beads, -1, count, _d), origin);
                return graph.Reshape(graph.Multiply(graph.Node("MatMul", [offsets, turned]), graph.Scalar(scale)), -1, count * _d);
            }
        }

        private static string Name(int i, string what) => Check.Invariant($"chain.{i}.{what}");

        /// <summary>Spreads candidates, weighs them and takes one.</summary>
        private string Draw(int i, string frame, string context)
        {
            int start = _d + (i - 1) * (_d + 1), offset = 0, candidates = parts.Grid.Aggregate(1, (product, count) => product * count);
            string[] values = new string[_d], added = new string[_d];
            for (int c = 0; c < _d; c++)
            {
                int count = parts.Grid[c], knots = _shape.ContextKnots[c];
                string steps = Check.Invariant($"chain.grid.{c}");
                steps = graph.Has(steps) ? OnnxGraph.Internal(steps) : graph.Constant(steps, [.. Enumerable.Range(0, count).Select(a => (float)a)], 1, count);
                string place = graph.Divide(graph.Add(steps, graph.Columns(noise, start + c, start + c + 1)), graph.Scalar(count));
                var (knot, part) = Knot(graph.Multiply(place, graph.Scalar(knots - 1)), knots - 2);
                string own = graph.Columns(context, offset, offset + knots);
                added[c] = Between(graph.Node("GatherElements", [own, knot], null, ("axis", 1L)),
                    graph.Node("GatherElements", [own, Next(knot)], null, ("axis", 1L)), part);
                var (quantile, rest) = Knot(graph.Multiply(place, graph.Scalar(ChainShape.Quantiles)), ChainShape.Quantiles - 1);
                string function = graph.Constant(Name(i, Check.Invariant($"quantiles.{c}")), parts.Coordinates.Function(i, c), ChainShape.Quantiles + 1);
                values[c] = Between(graph.Node("Gather", [function, quantile]), graph.Node("Gather", [function, Next(quantile)]), rest);
                offset += knots;
            }
            string beads, energies;
            if (_d == 2)
            {
                string direction = graph.Add(Along(graph.Node("Cos", [values[1]]), frame, 0), Along(graph.Node("Sin", [values[1]]), frame, 1));
                beads = graph.Multiply(graph.Reshape(values[0], -1, parts.Grid[0], 1, 1), graph.Reshape(direction, -1, 1, parts.Grid[1], 2));
                energies = graph.Add(graph.Reshape(added[0], -1, parts.Grid[0], 1), graph.Reshape(added[1], -1, 1, parts.Grid[1]));
            }
            else
            {
                int[] n = parts.Grid;
                string length = graph.Reshape(values[0], -1, n[0], 1, 1, 1);
                string forward = graph.Multiply(graph.Reshape(graph.Node("Cos", [values[1]]), -1, 1, n[1], 1, 1), graph.Reshape(graph.Slice(frame, 1, 0, 1), -1, 1, 1, 1, 3));
                string around = graph.Add(Along(graph.Node("Cos", [values[2]]), frame, 1), Along(graph.Node("Sin", [values[2]]), frame, 2));
                string sideways = graph.Multiply(graph.Reshape(graph.Node("Sin", [values[1]]), -1, 1, n[1], 1, 1), graph.Reshape(around, -1, 1, 1, n[2], 3));
                beads = graph.Multiply(length, graph.Add(forward, sideways));
                energies = graph.Add(graph.Add(graph.Reshape(added[0], -1, n[0], 1, 1), graph.Reshape(added[1], -1, 1, n[1], 1)), graph.Reshape(added[2], -1, 1, 1, n[2]));
            }
            beads = graph.Add(graph.Reshape(beads, -1, candidates, _d), graph.Reshape(_beads[i - 1], -1, 1, _d));
            energies = graph.Add(graph.Reshape(energies, -1, candidates), Beside(i, beads));
            string sums = graph.Node("CumSum", [graph.Node("Softmax", [energies], null, ("axis", 1L)), graph.LongConstant("chain.axis", 1)]);
            string before = graph.Node("Not", [graph.Node("Greater", [sums, graph.Columns(noise, start + _d, start + _d + 1)])]);
            string taken = graph.Sum(graph.Node("Cast", [before], null, ("to", (long)OnnxType.Int64)), 1);
            taken = graph.Node("Min", [taken, graph.Ints(candidates - 1)]);
            return graph.Node("GatherND", [beads, taken], null, ("batch_dims", 1L));
        }

        /// <summary>What tables say of the candidates' distances to earlier beads and to beads of the mean shape, [N, candidates].</summary>
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
            sources.Add(graph.Columns(mean, i * _d, (i + ghosts) * _d));
            for (int lead = 0; lead < ghosts; lead++)
                starts.Add((long)_shape.Ghost(i, lead) * ChainShape.Knots);
            string all = sources.Count == 1 ? sources[0] : graph.Node("Concat", [.. sources], null, ("axis", 1L));
            string offsets = graph.Subtract(graph.Node("Unsqueeze", [beads, graph.Ints(2)]), graph.Reshape(all, -1, 1, starts.Count, _d));
            string distance = graph.Node("Sqrt", [graph.Sum(graph.Square(offsets), 3, keep: false)]);
            string at = graph.Node("Min", [graph.Multiply(distance, graph.Scalar((ChainShape.Knots - 1) / parts.Farthest)), graph.Scalar(ChainShape.Knots - 1.001f)]);
            string floor = graph.Node("Floor", [at]);
            string index = graph.Add(graph.Node("Cast", [floor], null, ("to", (long)OnnxType.Int64)), graph.Constant(Name(i, "tables"), [.. starts], starts.Count));
            string value = Between(graph.Node("Gather", [_tables, index]), graph.Node("Gather", [_tables, Next(index)]), graph.Subtract(at, floor));
            return graph.Sum(value, 2, keep: false);
        }

        /// <summary>Numbers along an axis of the frame, [N, numbers, dimensions].</summary>
        private string Along(string numbers, string frame, int axis) =>
            graph.Multiply(graph.Node("Unsqueeze", [numbers, graph.Ints(2)]), graph.Slice(frame, 1, axis, axis + 1));

        private (string Index, string Part) Knot(string at, int last)
        {
            string floor = graph.Node("Min", [graph.Node("Floor", [at]), graph.Scalar(last)]);
            return (graph.Node("Cast", [floor], null, ("to", (long)OnnxType.Int64)), graph.Subtract(at, floor));
        }

        private string Next(string index) => graph.Add(index, graph.Ints(1));

        private string Between(string low, string high, string part) => graph.Add(low, graph.Multiply(part, graph.Subtract(high, low)));
    }
}
