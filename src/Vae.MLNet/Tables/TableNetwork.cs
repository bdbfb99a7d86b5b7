using TorchSharp;
using Vae.MLNet.Model;
using static TorchSharp.torch;

namespace Vae.MLNet.Tables;

/// <summary>Sizes of a table's network.</summary>
/// <param name="States">States of each token, in the order of the tokens.</param>
/// <param name="Columns">The column that each token is of; tokens of one column follow each other.</param>
/// <param name="Latent">Dimensions of the latent space.</param>
/// <param name="Embedding">Numbers that stand for a token's state.</param>
/// <param name="Hidden">Hidden units of each token's own layers, besides the linear ones.</param>
/// <param name="EncoderHidden">Hidden units of the encoder.</param>
internal sealed record TableShape(IReadOnlyList<int> States, IReadOnlyList<int> Columns, int Latent, int Embedding, int Hidden, int EncoderHidden)
{
    /// <summary>Smooth functions of a state's place, besides a number of its own for each state.</summary>
    public const int Smooth = 4;

    /// <summary>
    /// Units of each token that are linear in what they see. The first of them start as the coefficients of the smooth functions: a normal number that depends on others
    /// linearly needs no more.
    /// </summary>
    public const int Linear = 8;

    /// <summary>Units of each token's first layer.</summary>
    public int Units => Hidden + Linear;

    public int Tokens => States.Count;

    public int ColumnCount => Columns.Count == 0 ? 0 : Columns[^1] + 1;

    /// <summary>States of the token that has the most; tables of all tokens are as wide as that.</summary>
    public int Widest => States.Max();

    /// <summary>Names and shapes of the parameters: weights first, which decay, then biases.</summary>
    public IReadOnlyList<(string Name, long[] Shape, bool Decays)> Parameters =>
    [
        ("embedding.table", [Tokens, Widest, Embedding], true),
        ("embedding.smooth", [Tokens, Smooth, Embedding], true),
        ("first.weight", [Tokens * Embedding, Tokens * Units], true),
        ("first.latent", [Latent, Tokens * Units], true),
        ("second.weight", [Tokens, Hidden, Hidden], true),
        ("output.weight", [Tokens, Units, Widest], true),
        ("output.smooth", [Tokens, Units, Smooth], true),
        ("encoder.0.weight", [EncoderHidden, Tokens * Embedding], true),
        ("encoder.1.weight", [EncoderHidden, EncoderHidden], true),
        ("encoder.mean.weight", [Latent, EncoderHidden], true),
        ("encoder.sigma.weight", [Latent, EncoderHidden], true),
        ("first.bias", [Tokens * Units], false),
        ("second.bias", [Tokens, 1, Hidden], false),
        ("output.bias", [Tokens, 1, Widest], false),
        ("encoder.0.bias", [EncoderHidden], false),
        ("encoder.1.bias", [EncoderHidden], false),
        ("encoder.mean.bias", [Latent], false),
        ("encoder.sigma.bias", [Latent], false),
    ];
}

/// <summary>
/// The autoencoder of a table: every column is one or two tokens, and the decoder gives the distribution of each token from the latent vector, from the tokens before it,
/// and from those of columns that are given whatever their place (Germain et al. 2015 for the masks; Uria, Murray and Larochelle 2014 for training on random sets of
/// given columns). One network thus draws whole rows, fills gaps, and tells how likely each cell is beside the others of its row.
/// </summary>
internal sealed class TableNetwork : IDisposable
{
    private readonly Dictionary<string, Tensor> _parameters = new(StringComparer.Ordinal);
    private readonly Tensor _before, _after, _smooth, _padding, _starts;

    /// <param name="shape">Sizes.</param>
    /// <param name="smooth">Values of the smooth functions at each state, [tokens, widest, 4].</param>
    /// <param name="flat">Flat parameters; the network works on this very tensor's memory.</param>
    public TableNetwork(TableShape shape, float[] smooth, Tensor flat)
    {
        Shape = shape;
        Flat = flat;
        long at = 0;
        using (no_grad())
        {
            foreach (var (name, dims, _) in shape.Parameters)
            {
                long size = dims.Aggregate(1L, (product, dim) => product * dim);
                _parameters[name] = flat.narrow(0, at, size).view(dims).detach().requires_grad_(true).DetachFromDisposeScope();
                at += size;
            }
        }
        int tokens = shape.Tokens, d = shape.Embedding, h = shape.Units, widest = shape.Widest;
        var before = new float[tokens * tokens];
        var after = new float[tokens * tokens];
        for (int from = 0; from < tokens; from++)
        {
            for (int to = 0; to < tokens; to++)
            {
                before[from * tokens + to] = from < to ? 1 : 0;
                after[from * tokens + to] = from > to && shape.Columns[from] != shape.Columns[to] ? 1 : 0;
            }
        }
        _before = Expand(before);
        _after = Expand(after);
        using (NewDisposeScope())
            _smooth = tensor(smooth, [tokens, widest, TableShape.Smooth]).clone().DetachFromDisposeScope();
        var padding = new float[tokens * widest];
        for (int token = 0; token < tokens; token++)
            Array.Fill(padding, -1e9f, token * widest + shape.States[token], widest - shape.States[token]);
        _padding = tensor(padding, [tokens, 1, widest]).DetachFromDisposeScope();
        _starts = tensor([.. Enumerable.Range(0, tokens).Select(token => (long)token * widest)]).DetachFromDisposeScope();

        Tensor Expand(float[] mask)
        {
            using var scope = NewDisposeScope();
            return tensor(mask, [tokens, 1, tokens, 1]).expand(tokens, d, tokens, h).reshape(tokens * d, tokens * h).DetachFromDisposeScope();
        }
    }

    public TableShape Shape { get; }

    /// <summary>All parameters in one.</summary>
    public Tensor Flat { get; }

    public IEnumerable<Tensor> Parameters => Shape.Parameters.Select(parameter => _parameters[parameter.Name]);

    public Tensor this[string name] => _parameters[name];

    /// <summary>States' embeddings, [tokens · widest, embedding].</summary>
    public Tensor EmbeddingTable() => this["embedding.table"].Plus(_smooth.bmm(this["embedding.smooth"])).view(-1, Shape.Embedding);

    /// <summary>Weights from units to states, [tokens, units, widest].</summary>
    public Tensor OutputWeights() => this["output.weight"].Plus(this["output.smooth"].bmm(_smooth.transpose(1, 2)));

    /// <summary>Weights among tokens: from those before.</summary>
    public Tensor WeightsBefore() => this["first.weight"] * _before;

    /// <summary>Weights among tokens: from those of given columns that come after.</summary>
    public Tensor WeightsAfter() => this["first.weight"] * _after;

    /// <summary>Embeddings of tokens, [rows, tokens, embedding].</summary>
    /// <param name="tokens">Int64 [rows, tokens].</param>
    /// <param name="table">What <see cref="EmbeddingTable"/> gives.</param>
    public Tensor Embed(Tensor tokens, Tensor table)
    {
        var places = tokens.Plus(_starts);
        return table.index_select(0, places.view(-1)).view(tokens.shape[0], Shape.Tokens, Shape.Embedding);
    }

    /// <summary>Mean and standard deviation of q(z | the embedded cells), each [rows, latent]; cells that are not known are zero.</summary>
    public (Tensor Mean, Tensor Sigma) Encode(Tensor embedded, Func<Tensor, Tensor>? dropout = null)
    {
        var x = embedded.reshape(embedded.shape[0], -1);
        x = nn.functional.silu(nn.functional.linear(x, this["encoder.0.weight"], this["encoder.0.bias"]));
        if (dropout is not null)
            x = dropout(x);
        x = nn.functional.silu(nn.functional.linear(x, this["encoder.1.weight"], this["encoder.1.bias"]));
        var mean = nn.functional.linear(x, this["encoder.mean.weight"], this["encoder.mean.bias"]);
        var sigma = nn.functional.linear(x, this["encoder.sigma.weight"], this["encoder.sigma.bias"]).Softplus().Plus(1e-3);
        return (mean, sigma);
    }

    /// <summary>Log probabilities of all states, [tokens, rows, widest].</summary>
    /// <param name="z">[rows, latent]; zero where rows are to be told without a latent vector.</param>
    /// <param name="embedded">[rows, tokens, embedding]: what comes before.</param>
    /// <param name="given">The same for the given columns, zero elsewhere; of the last rows where there are fewer; null for none.</param>
    /// <param name="dropout">Dropout of hidden units in training.</param>
    public Tensor LogProbabilities(Tensor z, Tensor embedded, Tensor? given, Func<Tensor, Tensor>? dropout = null)
    {
        long rows = z.shape[0];
        int tokens = Shape.Tokens, h = Shape.Hidden;
        var sum = addmm(this["first.bias"], embedded.reshape(rows, -1), WeightsBefore(), 1, 1).Plus(z.mm(this["first.latent"]));
        if (given is not null)
        {
            var more = given.reshape(given.shape[0], -1).mm(WeightsAfter());
            sum = given.shape[0] == rows ? sum.Plus(more)
                : cat([sum.narrow(0, 0, rows - given.shape[0]), sum.narrow(0, rows - given.shape[0], given.shape[0]).Plus(more)]);
        }
        var all = sum.view(rows, tokens, Shape.Units).transpose(0, 1);
        var x = nn.functional.silu(all.narrow(2, 0, h));
        if (dropout is not null)
            x = dropout(x);
        x = x.Plus(nn.functional.silu(x.bmm(this["second.weight"]).Plus(this["second.bias"])));
        if (dropout is not null)
            x = dropout(x);
        x = cat([x, all.narrow(2, h, TableShape.Linear)], 2);
        return x.bmm(OutputWeights()).Plus(this["output.bias"].Plus(_padding)).log_softmax(-1);
    }

    public void Dispose()
    {
        foreach (var parameter in _parameters.Values)
            parameter.Dispose();
        _before.Dispose();
        _after.Dispose();
        _smooth.Dispose();
        _padding.Dispose();
        _starts.Dispose();
    }
}
