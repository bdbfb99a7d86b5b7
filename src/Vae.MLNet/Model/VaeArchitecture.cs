using Vae.MLNet.Inference;

namespace Vae.MLNet.Model;

/// <summary>One parameter array of a network: its place in the flat array of all parameters.</summary>
internal sealed record ParameterSlot(string Name, int Offset, long[] Shape, int FanIn)
{
    public int Length => (int)Shape.Aggregate(1L, (product, dim) => product * dim);
}

/// <summary>
/// Shapes of a network and the places of its parameters in one flat array: all weight matrices first (weight decay applies to them alone), then the
/// biases, then the likelihood's log σ.
/// </summary>
internal sealed class VaeArchitecture
{
    /// <summary>Most parameters of a model: 1 GiB of single precision.</summary>
    private const long MaximumParameters = 1L << 28;

    /// <param name="features">Numbers that the decoder gives: for tokens, positions times output symbols.</param>
    /// <param name="options">The options.</param>
    /// <param name="tokens">Where the encoder reads tokens instead of numbers: their alphabet and columns.</param>
    public VaeArchitecture(int features, VaeTrainer.Options options, SequenceLayout? tokens = null)
    {
        Tokens = tokens;
        Features = features;
        Options = options;
        Latent = options.LatentDimension;
        if (options.Likelihood == Likelihood.Categorical && features % options.GroupSize != 0)
        {
            throw Check.Argument(nameof(options.GroupSize), Check.Invariant(
                $"GroupSize has to divide the number of features; {features} features are not a multiple of {options.GroupSize}."));
        }

        var layers = new List<(string Name, int Outputs, int Inputs)>();
        // One row for every token of every position. Those of tokens that the encoder does not read stay zero, so that looking a token up needs no test.
        int width = tokens is null ? features : checked(tokens.Length * tokens.Alphabet.TokenCount);
        foreach (int hidden in options.EncoderLayers)
        {
            layers.Add((Check.Invariant($"encoder.{layers.Count}"), hidden, width));
            width = hidden;
        }
        EncoderLayers = layers.Count;
        layers.Add(("posterior", 2 * Latent, width));
        width = Latent;
        foreach (int hidden in options.DecoderLayers)
        {
            layers.Add((Check.Invariant($"decoder.{layers.Count - EncoderLayers - 1}"), hidden, width));
            width = hidden;
        }
        DecoderLayers = layers.Count - EncoderLayers - 1;
        layers.Add(("output", features, width));
        InputLayer = layers[0].Name;

        if (layers.Sum(layer => (long)layer.Outputs * (layer.Inputs + 1)) > MaximumParameters)
            throw Check.Argument(nameof(options.HiddenLayers), Check.Invariant($"The network has more than {MaximumParameters} parameters."));

        int offset = 0;
        foreach (var (name, outputs, inputs) in layers)
        {
            // The table of a token layer has a row for each input, as rows are what is gathered.
            if (IsTokenLayer(name))
                Add(name + ".weight", [inputs, outputs], FanIn(name, inputs));
            else
                Add(name + ".weight", [outputs, inputs], inputs);
        }
        WeightCount = offset;
        foreach (var (name, outputs, inputs) in layers)
            Add(name + ".bias", [outputs], FanIn(name, inputs));
        if (options.Likelihood == Likelihood.Gaussian)
            Add("noise.logSigma", [options.GaussianNoise == GaussianNoise.LearnedPerFeature ? features : 1], 0);
        ParameterCount = offset;

        int FanIn(string name, int inputs) => IsTokenLayer(name) ? tokens!.Length * tokens.Alphabet.InputSymbolCount : inputs;

        void Add(string name, long[] shape, int fanIn)
        {
            var slot = new ParameterSlot(name, offset, shape, fanIn);
            _slots.Add(slot);
            _byName.Add(name, slot);
            offset += slot.Length;
        }
    }

    private readonly List<ParameterSlot> _slots = [];
    private readonly Dictionary<string, ParameterSlot> _byName = [];

    public VaeTrainer.Options Options { get; }

    /// <summary>Alphabet and columns where the encoder reads tokens; null where it reads numbers.</summary>
    public SequenceLayout? Tokens { get; }

    /// <summary>Name of the encoder's first layer.</summary>
    public string InputLayer { get; }

    /// <summary>Whether a layer reads tokens.</summary>
    public bool IsTokenLayer(string layer) => Tokens is not null && layer == InputLayer;

    public int Features { get; }

    public int Latent { get; }

    /// <summary>Hidden layers of the encoder.</summary>
    public int EncoderLayers { get; }

    /// <summary>Hidden layers of the decoder.</summary>
    public int DecoderLayers { get; }

    public int ParameterCount { get; }

    /// <summary>Numbers in weight matrices: the start of the flat array.</summary>
    public int WeightCount { get; }

    public IReadOnlyList<ParameterSlot> Slots => _slots;

    public ParameterSlot this[string name] => _byName[name];

    /// <summary>Whether another architecture has the same parameters.</summary>
    public bool HasSameShape(VaeArchitecture other) =>
        _slots.Count == other._slots.Count && _slots.Zip(other._slots).All(pair => pair.First.Name == pair.Second.Name && pair.First.Shape.SequenceEqual(pair.Second.Shape));
}
