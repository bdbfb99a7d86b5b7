using System.Text.Json;
using Vae.MLNet.Onnx;
using static Vae.MLNet.Onnx.OnnxGraph;

namespace Vae.MLNet.Tables;

/// <summary>What a graph of rows gives.</summary>
/// <param name="Latent">Column of the posterior mean.</param>
/// <param name="Score">Column of the score.</param>
/// <param name="Contributions">Column of each column's part of the score; null for none.</param>
internal sealed record TableColumnNames(string Latent, string Score, string? Contributions)
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, MaxDepth = 4 };

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Null where the text is not such a description.</summary>
    public static TableColumnNames? FromJson(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<TableColumnNames>(text, Json) is { Latent: not null, Score: not null } names ? names : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>The graphs of a table's model: raw typed columns to latent vector and score, and noise to raw typed columns.</summary>
internal static class TableGraphs
{
    public const string TokensOutput = "Tokens", GivenInput = "Given", CellNoise = "Noise";

    /// <summary>Typed columns [N, 1] to the latent column, the score [N, 1] and the contributions; a file from which the model can be read back.</summary>
    /// <param name="schema">The table.</param>
    /// <param name="parameters">Flat parameters.</param>
    /// <param name="names">Output columns.</param>
    /// <param name="inputs">Names of the inputs, one a column; null for the columns' own.</param>
    public static byte[] Rows(TableSchema schema, float[] parameters, TableColumnNames names, IReadOnlyList<string>? inputs = null)
    {
        var graph = new OnnxGraph("table");
        var network = new Network(graph, schema, parameters);
        var (tokens, outside) = network.Tokens(Inputs(graph, schema, inputs));
        var (known, embedded) = network.Embed(tokens);
        string mean = network.Encode(embedded, names.Latent);
        string sum = graph.Add(network.Before(embedded, mean), network.After(embedded));
        string contributions = network.Contributions(tokens, known, sum, outside, names.Contributions);
        graph.Node("ReduceSum", [contributions, graph.Ints(1)], OutputColumn.VectorName(names.Score), ("keepdims", 1L));
        graph.Output(names.Latent, OnnxType.Float, Batch, schema.Latent);
        graph.SlotNames(names.Latent, TableVaeTransformer.LatentNames(schema.Latent));
        if (names.Contributions is { } column)
        {
            graph.Output(column, OnnxType.Float, Batch, schema.Codecs.Count);
            graph.SlotNames(column, [.. schema.Codecs.Select(codec => codec.Name)]);
        }
        graph.Output(OutputColumn.VectorName(names.Score), OnnxType.Float, Batch, 1);
        Describe(graph, schema, VaeMetadata.TableKind);
        graph.Metadata(VaeMetadata.Columns, names.ToJson());
        return graph.ToBytes();
    }

    /// <summary>Typed columns to <c>Tokens</c> [N, tokens], -1 where a cell is missing.</summary>
    public static byte[] Given(TableSchema schema, float[] parameters, IReadOnlyList<string> inputs)
    {
        var graph = new OnnxGraph("table-given");
        var network = new Network(graph, schema, parameters);
        var (tokens, _) = network.Tokens(Inputs(graph, schema, inputs));
        // A missing cell is what has to be found.
        string missing = graph.Constant("missing", (ReadOnlySpan<long>)[.. schema.Codecs.SelectMany(codec => codec.HasLeaves ? new long[] { codec.HasMissing ? codec.MissingState : -1, -1 } : [codec.HasMissing ? codec.MissingState : -1])], 1, schema.Shape.Tokens);
        string absent = graph.Node("Equal", [tokens, missing]);
        // The leaf of a missing number is missing with it.
        if (schema.Shape.Tokens > schema.Codecs.Count)
        {
            string leads = graph.Node("Gather", [graph.Node("Cast", [absent], null, ("to", (long)OnnxType.Int64)), graph.Constant("leads", (ReadOnlySpan<long>)Leads(schema), schema.Shape.Tokens)], null, ("axis", 1L));
            absent = graph.Node("Cast", [leads], null, ("to", (long)OnnxType.Bool));
        }
        graph.Node("Where", [absent, graph.LongConstant("none", -1), tokens], TokensOutput);
        graph.Output(TokensOutput, OnnxType.Int64, Batch, schema.Shape.Tokens);
        Describe(graph, schema, VaeMetadata.TransformKind);
        return graph.ToBytes();
    }

    /// <summary>
    /// Rows drawn from noise: uniform <c>Noise</c> [N, tokens + columns] to typed columns. Conditional: <c>Given</c> [N, tokens] besides, -1 where a token is to be drawn.
    /// </summary>
    /// <param name="schema">The table.</param>
    /// <param name="parameters">Flat parameters.</param>
    /// <param name="conditional">Whether cells can be given.</param>
    /// <param name="typed">Whether texts come as such; otherwise as places among the column's values, -1 for a missing cell.</param>
    /// <param name="neverMissing">Whether no cell is drawn as missing.</param>
    public static byte[] Sampler(TableSchema schema, float[] parameters, bool conditional, bool typed, bool neverMissing)
    {
        if (typed && schema.Codecs.FirstOrDefault(codec => codec.Name is CellNoise) is { } taken)
            throw new InvalidOperationException($"The column '{taken.Name}' is called as an input of the graph that draws rows; give it another name before training.");
        var graph = new OnnxGraph("table-sampler");
        var network = new Network(graph, schema, parameters);
        var shape = schema.Shape;
        string given = conditional ? graph.Input(GivenInput, OnnxType.Int64, Batch, shape.Tokens) : "";
        string noise = graph.Input(CellNoise, OnnxType.Float, Batch, shape.Tokens + schema.Codecs.Count);
        string start = graph.Reshape(network["first.bias"], 1, shape.Tokens * shape.Units);
        if (conditional)
            start = graph.Add(start, network.After(network.Embed(given).Embedded));
        var embeddings = new List<string>();
        var drawn = new List<string>();
        string weights = network.WeightsBefore;
        int d = shape.Embedding, h = shape.Hidden, units = shape.Units;
        for (int token = 0; token < shape.Tokens; token++)
        {
            string sum = graph.Columns(start, token * units, (token + 1) * units);
            if (token > 0)
            {
                string before = embeddings.Count == 1 ? embeddings[0] : graph.Node("Concat", [.. embeddings], null, ("axis", 1L));
                string block = graph.Slice(graph.Slice(weights, 0, 0, token * d), 1, token * units, (token + 1) * units);
                sum = graph.Add(sum, graph.Node("MatMul", [before, block]));
            }
            int states = shape.States[token];
            string x = network.Silu(graph.Columns(sum, 0, h));
            string second = graph.Add(graph.Node("MatMul", [x, network.Block("second.weight", token, h, h)]), network.Block("second.bias", token, 1, h));
            x = graph.Add(x, network.Silu(second));
            x = graph.Node("Concat", [x, graph.Columns(sum, h, units)], null, ("axis", 1L));
            string logits = graph.Add(graph.Node("MatMul", [x, graph.Columns(network.OutputBlock(token), 0, states)]), graph.Columns(network.Block("output.bias", token, 1, shape.Widest), 0, states));
            var codec = schema.Codecs[shape.Columns[token]];
            bool first = token == 0 || shape.Columns[token - 1] != shape.Columns[token];
            if (neverMissing && first && codec.HasMissing && states > 1)
                logits = graph.Columns(logits, 0, states - 1);
            string cumulative = graph.Node("CumSum", [graph.Node("Softmax", [logits], null, ("axis", 1L)), graph.LongConstant("axis", 1)]);
            string below = graph.Node("Less", [cumulative, graph.Columns(noise, token, token + 1)]);
            string state = graph.Node("ReduceSum", [graph.Node("Cast", [below], null, ("to", (long)OnnxType.Int64)), graph.Ints(1)], null, ("keepdims", 1L));
            // Rounding may leave the last sum below a uniform number close to one.
            long last = neverMissing && first && codec.HasMissing && states > 1 ? states - 2 : states - 1;
            state = graph.Node("Min", [state, graph.LongConstant("last", last)]);
            if (!first)
            {
                // A bin of one part, or a missing cell, settles the part: what the network says of it was never trained.
                long[] most = [.. Enumerable.Range(0, codec.States).Select(bin => bin < codec.LeafCounts.Length ? codec.LeafCounts[bin] - 1L : 0)];
                string parts = graph.Constant(Check.Invariant($"parts.{token}"), (ReadOnlySpan<long>)most, most.Length);
                state = graph.Node("Min", [state, graph.Node("Gather", [parts, drawn[^1]], null, ("axis", 0L))]);
            }
            if (conditional)
            {
                string own = graph.Columns(given, token, token + 1);
                state = graph.Node("Where", [graph.Node("Less", [own, graph.LongConstant("zero", 0)]), state, own]);
            }
            drawn.Add(state);
            string place = graph.Node("Add", [state, graph.LongConstant("offset", (long)token * shape.Widest)]);
            embeddings.Add(graph.Reshape(graph.Node("Gather", [network.Table, place], null, ("axis", 0L)), -1, d));
        }
        int at = 0;
        for (int c = 0; c < schema.Codecs.Count; c++)
        {
            var codec = schema.Codecs[c];
            string uniform = graph.Columns(noise, shape.Tokens + c, shape.Tokens + c + 1);
            Cell(graph, schema, codec, drawn[at], codec.HasLeaves ? drawn[at + 1] : null, uniform, typed, typed ? codec.Name : DrawnName(c));
            at += codec.HasLeaves ? 2 : 1;
        }
        Describe(graph, schema, VaeMetadata.TableSamplerKind);
        return graph.ToBytes();
    }

    /// <summary>The output of a column in graphs that stay inside: columns may be called as other inputs.</summary>
    public static string DrawnName(int column) => Internal(Check.Invariant($"drawn/{column}"));

    /// <summary>For each token the first one of its column.</summary>
    private static long[] Leads(TableSchema schema) => [.. schema.Shape.Columns.Select((column, token) => (long)(token > 0 && schema.Shape.Columns[token - 1] == column ? token - 1 : token))];

    /// <summary>The output column of a drawn cell.</summary>
    private static void Cell(OnnxGraph graph, TableSchema schema, ColumnCodec codec, string state, string? leaf, string uniform, bool typed, string name)
    {
        string type = schema.Columns.Single(column => column.Name == codec.Name).Type;
        if (!codec.IsNumber && type != "Boolean")
        {
            if (codec.Pooled.Count > 0)
            {
                // Rarer values as often as they came.
                double total = codec.Pooled.Sum(item => (double)item.Count), sum = 0;
                float[] bounds = [.. codec.Pooled.Take(codec.Pooled.Count - 1).Select(item => (float)((sum += item.Count) / total))];
                string beyond = bounds.Length == 0 ? graph.LongConstant("first", 0) : graph.Node("ReduceSum", [graph.Node("Cast",
                    [graph.Node("LessOrEqual", [graph.Constant("pool." + codec.Name, (ReadOnlySpan<float>)bounds, 1, bounds.Length), uniform])], null, ("to", (long)OnnxType.Int64)), graph.Ints(1)], null, ("keepdims", 1L));
                string pooled = graph.Node("Equal", [state, graph.LongConstant("pooled", codec.Values.Count)]);
                state = graph.Node("Where", [pooled, graph.Add(beyond, graph.LongConstant("own", codec.Values.Count)), graph.Node("Where",
                    [graph.Node("Greater", [state, graph.LongConstant("own", codec.Values.Count)]), graph.LongConstant("gap", -1), state])]);
            }
            else if (codec.HasMissing)
            {
                state = graph.Node("Where", [graph.Node("Equal", [state, graph.LongConstant("absent", codec.MissingState)]), graph.LongConstant("gap", -1), state]);
            }
            string output;
            if (typed)
            {
                string[] values = [.. codec.Values, .. codec.Pooled.Select(item => item.Value)];
                output = graph.Lookup(state, Enumerable.Range(0, values.Length).Select(place => (long)place).ToArray(), values, "");
            }
            else
            {
                output = state;
            }
            graph.Node("Identity", [output], name);
            graph.Output(name, typed ? OnnxType.String : OnnxType.Int64, Batch, 1);
            return;
        }
        string number;
        if (!codec.IsNumber)
        {
            // States of a boolean are its values in the order of frequency.
            string truth = graph.DoubleConstant("truth", [.. codec.Values.Select(value => value == "True" ? 1.0 : 0), .. codec.HasMissing ? new[] { 0.0 } : []], codec.States);
            number = graph.Node("Gather", [truth, state], null, ("axis", 0L));
        }
        else if (codec.AllMissing)
        {
            number = graph.Node("Where", [graph.Node("Less", [state, graph.LongConstant("none", -1)]), graph.DoubleScalar(0), graph.DoubleScalar(double.NaN)]);
        }
        else
        {
            string bin = graph.Node("Min", [state, graph.LongConstant("bins", codec.Bins - 1)]);
            string row = graph.Node("Mul", [bin, graph.LongConstant("leaves", codec.Leaves)]);
            if (leaf is not null)
                row = graph.Node("Add", [row, leaf]);
            const int Knots = ColumnCodec.Knots;
            string knots = graph.Reshape(graph.Node("Gather", [graph.DoubleConstant("quantiles", codec.Quantiles, codec.Bins * codec.Leaves, Knots + 1), row], null, ("axis", 0L)), -1, Knots + 1);
            string place = graph.Multiply(graph.Node("Cast", [uniform], null, ("to", (long)OnnxType.Double)), graph.DoubleScalar(codec.Repeats ? Knots + 1 : Knots));
            string at = graph.Node("Min", [graph.Node("Cast", [place], null, ("to", (long)OnnxType.Int64)), graph.LongConstant("top", codec.Repeats ? Knots : Knots - 1)]);
            number = graph.Node("GatherElements", [knots, at], null, ("axis", 1L));
            if (!codec.Repeats)
            {
                string next = graph.Node("GatherElements", [knots, graph.Add(at, graph.LongConstant("one", 1))], null, ("axis", 1L));
                string rest = graph.Subtract(place, graph.Node("Cast", [at], null, ("to", (long)OnnxType.Double)));
                number = graph.Add(number, graph.Multiply(rest, graph.Subtract(next, number)));
                if (codec.Step > 0)
                {
                    string step = graph.DoubleScalar(codec.Step);
                    number = graph.Multiply(graph.Node("Round", [graph.Divide(number, step)]), step);
                }
                else if (codec.Decimals >= 0)
                {
                    string scale = graph.DoubleScalar(Math.Pow(10, codec.Decimals));
                    number = graph.Divide(graph.Node("Round", [graph.Multiply(number, scale)]), scale);
                }
            }
            if (codec.HasMissing)
                number = graph.Node("Where", [graph.Node("Equal", [state, graph.LongConstant("absent", codec.MissingState)]), graph.DoubleScalar(double.NaN), number]);
        }
        if (type == "DateTime")
            number = graph.Node("Where", [graph.Node("IsNaN", [number]), graph.DoubleScalar(0), number]);
        var onnx = TypeOf(type);
        graph.Node("Cast", [number], name, ("to", (long)onnx));
        graph.Output(name, onnx, Batch, 1);
    }

    public static OnnxType TypeOf(string type) => type switch
    {
        "Single" => OnnxType.Float,
        "Double" => OnnxType.Double,
        "Int32" => OnnxType.Int32,
        "Int64" => OnnxType.Int64,
        "Boolean" => OnnxType.Bool,
        // Ticks of 100 ns since the year 1.
        "DateTime" => OnnxType.Int64,
        _ => OnnxType.String,
    };

    private static string[] Inputs(OnnxGraph graph, TableSchema schema, IReadOnlyList<string>? names = null) =>
        [.. schema.Codecs.Select((codec, i) => graph.Input(names?[i] ?? codec.Name, TypeOf(schema.Columns.Single(column => column.Name == codec.Name).Type), Batch, 1))];

    private static void Describe(OnnxGraph graph, TableSchema schema, string kind)
    {
        graph.Metadata(VaeMetadata.Format, VaeMetadata.FormatVersion);
        graph.Metadata(VaeMetadata.Kind, kind);
        graph.Metadata(VaeMetadata.Version, LibraryVersion.Text);
        graph.Metadata(VaeMetadata.Latent, Check.Invariant($"{schema.Latent}"));
        graph.Metadata(VaeMetadata.Table, schema.ToJson());
    }

    /// <summary>The network's parts as nodes. Tables and masked weights are computed from the parameters as they were trained; OnnxRuntime does so once, at loading.</summary>
    private sealed class Network
    {
        private readonly OnnxGraph _graph;
        private readonly TableSchema _schema;
        private readonly TableShape _shape;
        private readonly Dictionary<string, string> _parameters = new(StringComparer.Ordinal);
        private readonly Dictionary<string, (ReadOnlyMemory<float> Values, long[] Shape)> _values = new(StringComparer.Ordinal);
        private string? _before, _after, _output;

        public Network(OnnxGraph graph, TableSchema schema, float[] parameters)
        {
            _graph = graph;
            _schema = schema;
            _shape = schema.Shape;
            int at = 0;
            foreach (var (name, dims, _) in _shape.Parameters)
            {
                int size = (int)dims.Aggregate(1L, (product, dim) => product * dim);
                _values[name] = (parameters.AsMemory(at, size), dims);
                at += size;
            }
            string smooth = graph.Constant("smooth", (ReadOnlySpan<float>)schema.Smooth(), _shape.Tokens, _shape.Widest, TableShape.Smooth);
            Table = graph.Reshape(graph.Add(this["embedding.table"], graph.Node("MatMul", [smooth, this["embedding.smooth"]])), -1, _shape.Embedding);
            Smooth = smooth;
        }

        /// <summary>A parameter, which comes into the graph when it is first used.</summary>
        public string this[string name]
        {
            get
            {
                if (!_parameters.TryGetValue(name, out string? value))
                    _parameters[name] = value = _graph.Constant(name, _values[name].Values.Span, _values[name].Shape);
                return value;
            }
        }

        public string Table { get; }

        private string Smooth { get; }

        public string WeightsBefore => _before ??= Masked((from, to) => from < to);

        private string WeightsAfter => _after ??= Masked((from, to) => from > to && _shape.Columns[from] != _shape.Columns[to]);

        private string OutputWeights => _output ??= _graph.Add(this["output.weight"],
            _graph.Node("MatMul", [this["output.smooth"], _graph.Node("Transpose", [Smooth], null, ("perm", new[] { 0L, 2, 1 }))]));

        private string Masked(Func<int, int, bool> reaches)
        {
            int tokens = _shape.Tokens;
            var mask = new float[tokens * tokens];
            for (int from = 0; from < tokens; from++)
            {
                for (int to = 0; to < tokens; to++)
                    mask[from * tokens + to] = reaches(from, to) ? 1 : 0;
            }
            string spread = _graph.Node("Expand", [_graph.Constant(_before is null && _after is null ? "mask" : "mask.other", (ReadOnlySpan<float>)mask, tokens, 1, tokens, 1),
                _graph.Ints(tokens, _shape.Embedding, tokens, _shape.Units)]);
            return _graph.Multiply(this["first.weight"], _graph.Reshape(spread, tokens * _shape.Embedding, tokens * _shape.Units));
        }

        public string Silu(string x) => _graph.Multiply(x, _graph.Node("Sigmoid", [x]));

        /// <summary>One token's part of a parameter [tokens, rows, columns].</summary>
        public string Block(string name, int token, int rows, int columns) => _graph.Reshape(_graph.Slice(this[name], 0, token, token + 1), rows, columns);

        public string OutputBlock(int token) => _graph.Reshape(_graph.Slice(OutputWeights, 0, token, token + 1), _shape.Units, _shape.Widest);

        /// <summary>Tokens [N, tokens], -1 for a cell that nothing like was seen of, and how far each number is outside, [N, columns].</summary>
        public (string Tokens, string Outside) Tokens(string[] inputs)
        {
            var tokens = new List<string>();
            var outside = new List<string>();
            string? minusOne = null;
            for (int c = 0; c < inputs.Length; c++)
            {
                var codec = _schema.Codecs[c];
                string type = _schema.Columns.Single(column => column.Name == codec.Name).Type;
                if (type == "Text")
                {
                    string[] keys = [.. codec.Values, .. codec.Pooled.Select(item => item.Value)];
                    long[] states = [.. Enumerable.Range(0, keys.Length).Select(place => (long)Math.Min(place, codec.Values.Count))];
                    if (codec.HasMissing)
                        (keys, states) = ([.. keys, ""], [.. states, codec.MissingState]);
                    tokens.Add(_graph.Lookup(inputs[c], keys, states, -1L));
                    outside.Add(_graph.Node("Cast", [_graph.Multiply(tokens[^1], _graph.LongConstant("zero", 0))], null, ("to", (long)OnnxType.Float)));
                    continue;
                }
                string value = _graph.Node("Cast", [inputs[c]], null, ("to", (long)OnnxType.Double));
                if (type == "DateTime")
                    value = _graph.Node("Where", [_graph.Node("Greater", [value, _graph.DoubleScalar(0)]), value, _graph.DoubleScalar(double.NaN)]);
                if (!codec.IsNumber)
                {
                    // A boolean: one of at most two values.
                    int truth = codec.Values.ToList().IndexOf("True"), falsehood = codec.Values.ToList().IndexOf("False");
                    string picked = _graph.Node("Where", [_graph.Node("Greater", [value, _graph.DoubleScalar(0.5)]), _graph.LongConstant("true", truth), _graph.LongConstant("false", falsehood)]);
                    tokens.Add(picked);
                    outside.Add(_graph.Node("Cast", [_graph.Multiply(picked, _graph.LongConstant("zero", 0))], null, ("to", (long)OnnxType.Float)));
                    continue;
                }
                string gap = _graph.Node("IsNaN", [value]);
                string absent = codec.HasMissing ? _graph.LongConstant("absent", codec.MissingState) : Unseen();
                string bin = Count(value, codec.Edges);
                string first = _graph.Node("Where", [gap, absent, codec.AllMissing ? _graph.LongConstant("none", -1) : bin]);
                tokens.Add(first);
                if (codec.HasLeaves)
                {
                    string edges = _graph.Reshape(_graph.Node("Gather", [_graph.DoubleConstant("leaf.edges", codec.LeafEdges, codec.Bins, codec.Leaves - 1), bin], null, ("axis", 0L)), -1, codec.Leaves - 1);
                    string leaf = Sum(_graph.Node("Greater", [value, edges]));
                    tokens.Add(_graph.Node("Where", [_graph.Node("Less", [first, _graph.LongConstant("zero", 0)]), Unseen(), leaf]));
                }
                string above = _graph.Subtract(value, _graph.DoubleScalar(codec.Maximum)), beneath = _graph.Subtract(_graph.DoubleScalar(codec.Minimum), value);
                string term = Outside(above, beneath, codec, codec.OutsideWeight);
                if (codec.LowFence > codec.Minimum || codec.HighFence < codec.Maximum)
                {
                    string within = _graph.Node("Min", [_graph.Node("Max", [value, _graph.DoubleScalar(codec.Minimum)]), _graph.DoubleScalar(codec.Maximum)]);
                    string inner = Outside(_graph.Subtract(within, _graph.DoubleScalar(codec.HighFence)), _graph.Subtract(_graph.DoubleScalar(codec.LowFence), within), codec, ColumnCodec.FenceWeight);
                    term = _graph.Add(term, inner);
                }
                outside.Add(_graph.Node("Cast", [_graph.Node("Where", [gap, _graph.DoubleScalar(0), term])], null, ("to", (long)OnnxType.Float)));
            }
            return (tokens.Count == 1 ? tokens[0] : _graph.Node("Concat", [.. tokens], null, ("axis", 1L)), outside.Count == 1 ? outside[0] : _graph.Node("Concat", [.. outside], null, ("axis", 1L)));

            string Unseen() => minusOne ??= _graph.LongConstant("unseen", -1);
        }

        private string Outside(string above, string beneath, ColumnCodec codec, double weight)
        {
            string far = _graph.Divide(_graph.Node("Max", [above, beneath, _graph.DoubleScalar(0)]), _graph.DoubleScalar(codec.Spread));
            return _graph.Multiply(_graph.Node("Log", [_graph.Add(far, _graph.DoubleScalar(1))]), _graph.DoubleScalar(weight));
        }

        /// <summary>How many edges lie below each value, [N, 1].</summary>
        private string Count(string value, double[] edges)
        {
            // Without edges there is one bin.
            string all = _graph.DoubleConstant("edges", edges.Length > 0 ? edges : [double.PositiveInfinity], 1, Math.Max(edges.Length, 1));
            return Sum(_graph.Node("Greater", [value, all]));
        }

        private string Sum(string flags) =>
            _graph.Node("ReduceSum", [_graph.Node("Cast", [flags], null, ("to", (long)OnnxType.Int64)), _graph.Ints(1)], null, ("keepdims", 1L));

        /// <summary>Which tokens are there, [N, tokens], and their embeddings, [N, tokens · embedding], zero where they are not.</summary>
        public (string Known, string Embedded) Embed(string tokens)
        {
            string known = _graph.Node("Cast", [_graph.Node("GreaterOrEqual", [tokens, _graph.LongConstant("zero", 0)])], null, ("to", (long)OnnxType.Float));
            string safe = _graph.Node("Max", [tokens, _graph.LongConstant("zero", 0)]);
            long[] offsets = [.. Enumerable.Range(0, _shape.Tokens).Select(token => (long)token * _shape.Widest)];
            string places = _graph.Add(safe, _graph.Constant(_graph.Has("offsets") ? "offsets.other" : "offsets", (ReadOnlySpan<long>)offsets, 1, _shape.Tokens));
            string embedded = _graph.Node("Gather", [Table, places], null, ("axis", 0L));
            embedded = _graph.Multiply(embedded, _graph.Node("Unsqueeze", [known, _graph.Ints(2)]));
            return (known, _graph.Reshape(embedded, -1, _shape.Tokens * _shape.Embedding));
        }

        /// <summary>Mean of q(z | the embedded cells).</summary>
        public string Encode(string embedded, string meanName)
        {
            string x = Silu(_graph.Linear(embedded, this["encoder.0.weight"], this["encoder.0.bias"]));
            x = Silu(_graph.Linear(x, this["encoder.1.weight"], this["encoder.1.bias"]));
            return _graph.Linear(x, this["encoder.mean.weight"], this["encoder.mean.bias"], meanName);
        }

        public string Before(string embedded, string z) =>
            _graph.Add(_graph.Add(_graph.Node("MatMul", [embedded, WeightsBefore]), _graph.Node("MatMul", [z, this["first.latent"]])), this["first.bias"]);

        public string After(string embedded) => _graph.Node("MatMul", [embedded, WeightsAfter]);

        /// <summary>Each column's part of the score, [N, columns]: minus the log probability of its cell beside the others and by itself, and how far outside it lies.</summary>
        public string Contributions(string tokens, string known, string sum, string outside, string? output)
        {
            int count = _shape.Tokens;
            string all = _graph.Node("Transpose", [_graph.Reshape(sum, -1, count, _shape.Units)], null, ("perm", new[] { 1L, 0, 2 }));
            string x = Silu(_graph.Slice(all, 2, 0, _shape.Hidden));
            x = _graph.Add(x, Silu(_graph.Add(_graph.Node("MatMul", [x, this["second.weight"]]), this["second.bias"])));
            x = _graph.Node("Concat", [x, _graph.Slice(all, 2, _shape.Hidden, _shape.Units)], null, ("axis", 2L));
            var padding = new float[count * _shape.Widest];
            for (int token = 0; token < count; token++)
                Array.Fill(padding, -1e9f, token * _shape.Widest + _shape.States[token], _shape.Widest - _shape.States[token]);
            string bias = _graph.Add(this["output.bias"], _graph.Constant("padding", (ReadOnlySpan<float>)padding, count, 1, _shape.Widest));
            string logs = _graph.Node("LogSoftmax", [_graph.Add(_graph.Node("MatMul", [x, OutputWeights]), bias)], null, ("axis", 2L));
            string safe = _graph.Node("Max", [tokens, _graph.LongConstant("zero", 0)]);
            string picks = _graph.Node("Unsqueeze", [_graph.Node("Transpose", [safe], null, ("perm", new[] { 1L, 0 })), _graph.Ints(2)]);
            string own = _graph.Node("Transpose", [_graph.Node("Squeeze", [_graph.Node("GatherElements", [logs, picks], null, ("axis", 2L)), _graph.Ints(2)])], null, ("perm", new[] { 1L, 0 }));
            // What was never seen is as likely as one row in all; a leaf counts only where its bin has several.
            string nats = _graph.Node("Neg", [own]);
            if (count > _schema.Codecs.Count)
                nats = _graph.Multiply(nats, Counts(safe));
            long[] offsets = [.. Enumerable.Range(0, count).Select(token => (long)token * _shape.Widest)];
            string places = _graph.Add(safe, _graph.Constant("surprise.offsets", (ReadOnlySpan<long>)offsets, 1, count));
            string surprise = _graph.Node("Gather", [_graph.Constant("surprise", (ReadOnlySpan<float>)[.. _schema.Surprise.Select(value => (float)value)], _schema.Surprise.Length), places], null, ("axis", 0L));
            nats = _graph.Multiply(_graph.Add(nats, surprise), known);
            var lead = new float[count];
            var member = new float[count * _schema.Codecs.Count];
            long[] leads = Leads(_schema);
            for (int token = 0; token < count; token++)
            {
                lead[token] = leads[token] == token ? MathF.Log(_schema.Rows + 1) : 0;
                member[token * _schema.Codecs.Count + _shape.Columns[token]] = 1;
            }
            string strange = _graph.Multiply(_graph.Subtract(_graph.Scalar(1), known), _graph.Constant("strange", (ReadOnlySpan<float>)lead, 1, count));
            string parts = _graph.Node("MatMul", [_graph.Add(nats, strange), _graph.Constant("members", (ReadOnlySpan<float>)member, count, _schema.Codecs.Count)]);
            return _graph.Node("Add", [parts, outside], output);
        }

        /// <summary>1 where a token says something: always, but for leaves of bins that have only one.</summary>
        private string Counts(string safe)
        {
            long[] leads = Leads(_schema);
            var table = new float[_shape.Tokens * _shape.Widest];
            for (int token = 0; token < _shape.Tokens; token++)
            {
                var codec = _schema.Codecs[_shape.Columns[token]];
                for (int state = 0; state < _shape.Widest; state++)
                    table[token * _shape.Widest + state] = leads[token] == token || state < codec.LeafCounts.Length && codec.LeafCounts[state] > 1 ? 1 : 0;
            }
            string bins = _graph.Node("Gather", [safe, _graph.Constant("leads", (ReadOnlySpan<long>)leads, _shape.Tokens)], null, ("axis", 1L));
            long[] offsets = [.. Enumerable.Range(0, _shape.Tokens).Select(token => (long)token * _shape.Widest)];
            string places = _graph.Add(bins, _graph.Constant("leads.offsets", (ReadOnlySpan<long>)offsets, 1, _shape.Tokens));
            return _graph.Node("Gather", [_graph.Constant("counts", (ReadOnlySpan<float>)table, table.Length), places], null, ("axis", 0L));
        }
    }
}
