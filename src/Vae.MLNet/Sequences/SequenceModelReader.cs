using Vae.MLNet.Inference;
using Vae.MLNet.Onnx;

namespace Vae.MLNet.Sequences;

/// <summary>Reads a <see cref="SequenceVaeModel"/> back from a file that holds all its members.</summary>
internal static class SequenceModelReader
{
    /// <summary>Reads all members of a sequence model.</summary>
    public static SequenceVaeModel Read(OnnxFile file)
    {
        if (file.Kind != VaeMetadata.SequenceKind)
            throw Check.BadFile(file.Name, $"it holds no autoencoder of sequences; its kind is '{OnnxFile.Shown(file.Kind)}', '{VaeMetadata.SequenceKind}' is expected.");
        var layout = VaeModelReader.Layout(file) ?? throw Check.BadFile(file.Name, $"its metadata has no '{VaeMetadata.SequenceLayout}'.");
        int count = VaeModelReader.Integer(file, VaeMetadata.Members);
        // One after another, so that a number that is not true is found at the first member that is missing.
        var members = new List<VaeModel>();
        for (int member = 0; member < count; member++)
            members.Add(VaeModelReader.Read(file, layout, member));
        if (members.Any(member => !member.Architecture.HasSameShape(members[0].Architecture)))
            throw Check.BadFile(file.Name, "its members differ in their architecture.");
        return new SequenceVaeModel(layout, members);
    }
}
