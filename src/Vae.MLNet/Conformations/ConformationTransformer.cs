using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Conformations;
using Vae.MLNet.Onnx;
using Vae.MLNet.Scoring;

namespace Vae.MLNet;

/// <summary>What the transforms of conformations share: rows of beads in, computed by a managed kernel, saved as an ONNX graph of the same transform.</summary>
public abstract class ConformationTransformer : FittedTransformer
{
    private protected ConformationTransformer(MLContext context, string outputColumnName, string inputColumnName, BeadLayout layout, bool scalar, DataViewSchema fitSchema)
        : this(context, Output(outputColumnName, layout.Size, scalar, layout.Dimensions), inputColumnName, layout.Size, layout, fitSchema)
    {
    }

    private protected ConformationTransformer(
        MLContext context, OutputColumn output, string inputColumnName, int inputSize, BeadLayout layout, DataViewSchema fitSchema)
        : base(context, inputColumnName, [output], fitSchema)
    {
        InputSize = inputSize;
        Layout = layout;
    }

    /// <summary>Name of the column that is added.</summary>
    public string OutputColumnName => OutputColumns[0].Name;

    /// <summary>Coordinates of a bead.</summary>
    public int Dimensions => Layout.Dimensions;

    /// <summary>Beads of a conformation.</summary>
    public int BeadCount => Layout.Beads;

    internal BeadLayout Layout { get; }

    internal int InputSize { get; }

    internal static OutputColumn Output(string name, int size, bool scalar, int dimensions) =>
        scalar ? new(name, 1, IsScalar: true) : new(name, size) { BeadDimensions = dimensions };

    /// <summary>Computes one row.</summary>
    private protected abstract void Compute(ReadOnlySpan<float> input, Span<float> output);

    /// <summary>Adds the transform to a graph: a float [N, numbers of a row] value in, the output's name out.</summary>
    internal abstract string AddTo(OnnxGraph graph, string input, string? output);

    private protected sealed override VectorDataViewType InputType => new(NumberDataViewType.Single, InputSize);

    private protected override int CheckInput(DataViewSchema inputSchema) =>
        Check.FloatVector(inputSchema, InputColumnName, nameof(inputSchema), InputSize).Index;

    private protected sealed override BlockScorer CreateScorer(DataViewSchema inputSchema, int capacity) => new KernelScorer(
        CheckInput(inputSchema), InputSize, [OutputColumns[0].Size], capacity, (input, _, output) => Compute(input, output));

    internal sealed override byte[] CreateSavedModel()
    {
        var graph = new OnnxGraph("conformation");
        string input = graph.Input(InputColumnName, OnnxType.Float, OnnxGraph.Batch, InputSize);
        var column = OutputColumns[0];
        string output = AddTo(graph, input, column.TensorName);
        graph.Output(output, OnnxType.Float, OnnxGraph.Batch, column.Size);
        if (column.SlotNames is { } names)
            graph.SlotNames(column.Name, names);
        graph.Metadata(VaeMetadata.Format, VaeMetadata.FormatVersion);
        graph.Metadata(VaeMetadata.Kind, VaeMetadata.TransformKind);
        graph.Metadata(VaeMetadata.Version, LibraryVersion.Text);
        graph.Metadata(VaeMetadata.Dimensions, Check.Invariant($"{Dimensions}"));
        return graph.ToBytes();
    }
}

/// <summary>Arguments that the estimators of conformations share.</summary>
internal sealed class ConformationColumns
{
    public ConformationColumns(MLContext context, string outputColumnName, string inputColumnName, int dimensions, (int Least, int Most) range, IReadOnlyList<float>? masses, bool scalar)
    {
        Context = context;
        Output = Check.GraphColumnName(outputColumnName);
        Input = Check.GraphColumnName(inputColumnName);
        // Tensor names are column names in a saved model, and a graph cannot have one name twice.
        if (Output == Input)
            throw Check.Argument(nameof(outputColumnName), $"The column name '{Output}' is used for input and output; the output needs a name of its own.");
        Dimensions = Check.InRange(dimensions, range.Least, range.Most);
        Masses = BeadLayout.CheckMasses(masses, nameof(masses));
        Scalar = scalar;
    }

    public MLContext Context { get; }

    public string Output { get; }

    public string Input { get; }

    public int Dimensions { get; }

    public double[]? Masses { get; }

    public bool Scalar { get; }

    public BeadLayout Layout(IDataView input) => BeadLayout.FromSchema(Check.NotNull(input).Schema, Input, Dimensions, Masses, nameof(input));

    /// <param name="inputSchema">Shape of the input.</param>
    /// <param name="named">Whether the slots of the output have names.</param>
    public SchemaShape Shape(SchemaShape inputSchema, bool named = false)
    {
        Check.NotNull(inputSchema);
        ColumnShapes.RequireFloatVector(inputSchema, Input);
        var output = ConformationTransformer.Output(Output, Dimensions, Scalar, Dimensions);
        // The number of slots is known with the data; a shape only says that they have names.
        if (named)
            output = output with { SlotNames = [.. Enumerable.Repeat("", output.Size)], BeadDimensions = 0 };
        return ColumnShapes.Append(Context, inputSchema, [output]);
    }
}
