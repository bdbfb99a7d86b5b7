using Microsoft.ML;
using Vae.MLNet.Pipelines;

namespace Vae.MLNet;

public sealed partial class VaeCatalog
{
    /// <summary>
    /// Takes a model that ML.NET loaded and replaces the ONNX transforms that this library saved, in nested chains too, by its own transforms, which compute rows in blocks
    /// and are several times faster. Everything else stays; columns, types and numbers are the same. What ML.NET loads cannot compare slot names with those of the training;
    /// a rehydrated model does (<see cref="FittedTransformer.InputNames"/>).
    /// </summary>
    /// <param name="loaded">What <c>mlContext.Model.Load</c> gave.</param>
    /// <returns>
    /// The rehydrated model, or the same one where it has nothing of this library. Autoencoders are <see cref="VaeTransformer"/> or
    /// <see cref="SequenceVaeTransformer"/> again, with the models and the options they were trained with, anomaly detectors <see cref="VaeAnomalyTransformer"/> with
    /// their threshold, imputers <see cref="VaeImputingTransformer"/>, and site-independent models <see cref="SiteIndependentTransformer"/>. Transforms that were not
    /// replaced are shared with <paramref name="loaded"/>: dispose the result when neither is used any more.
    /// </returns>
    /// <exception cref="InvalidDataException">A transform of this library in it is damaged or of another format version.</exception>
    public ITransformer Rehydrate(ITransformer loaded) => Rehydrate(loaded, ignoreSlotNames: false);

    /// <summary>Takes a model that ML.NET loaded and replaces the ONNX transforms that this library saved; see <see cref="Rehydrate(ITransformer)"/>.</summary>
    /// <param name="loaded">What <c>mlContext.Model.Load</c> gave.</param>
    /// <param name="ignoreSlotNames">
    /// Whether the transforms take features by their position where the data's slot names differ from those at the training. False leaves it to the options that each was
    /// trained with (<see cref="VaeTrainer.Options.IgnoreSlotNames"/>), which refuse such data by default. It is not saved.
    /// </param>
    /// <returns>The rehydrated model, or the same one where it has nothing of this library.</returns>
    /// <exception cref="InvalidDataException">A transform of this library in it is damaged or of another format version.</exception>
    public ITransformer Rehydrate(ITransformer loaded, bool ignoreSlotNames) => new Rehydration(Context, ignoreSlotNames).Apply(Check.NotNull(loaded));
}
