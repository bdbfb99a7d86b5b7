namespace Vae.MLNet.Onnx;

/// <summary>
/// What stands behind a decoder in its file, so that the file gives a function of the decoded features in place of them, and its
/// derivative. An object is for one graph.
/// </summary>
internal abstract class DecoderEnd
{
    /// <summary>Numbers that come out for a row.</summary>
    public abstract int Size { get; }

    /// <summary>
    /// Adds the function: decoded features in units of the data, [N, features], to [N, <see cref="Size"/>] under the given name.
    /// </summary>
    public abstract void Add(OnnxGraph graph, string features, string output);

    /// <summary>
    /// Adds its vector-Jacobian product, [N, <see cref="Size"/>] to [N, features], to a branch of the graph that <see cref="Add"/> was
    /// called with.
    /// </summary>
    public abstract string AddPullBack(OnnxGraph branch, string cotangent);

    /// <summary>Says in the metadata what comes out.</summary>
    public abstract void Describe(OnnxGraph graph);
}
